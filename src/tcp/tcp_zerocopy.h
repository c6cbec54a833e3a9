/* SPDX-License-Identifier: MIT */
/* tcp_zerocopy.h - sending from the user's memory (tcp_zerocopy.c), and time stamps of what was sent (tcp_txstamp.c). */
#ifndef XMIT_TCP_TCP_ZEROCOPY_H
#define XMIT_TCP_TCP_ZEROCOPY_H

#include "tcp/tcp_internal.h"

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

/* The owner of a call's frags, one reference the caller's; NULL: no memory, or too many notifications wait (ENOBUFS). */
struct frag_owner *tcp_zerocopy_start(struct sock *sk);
/* The call is over and gives its reference back; sent false: it queued nothing and does not count. */
void tcp_zerocopy_end(struct frag_owner *owner, bool sent);
/* A call whose bytes were all copied: it is told at once. */
void tcp_zerocopy_all_copied(struct sock *sk);

/* The call's stamps: the socket's SO_TIMESTAMPING, or those of its control message.  0; -EINVAL: control messages that are none. */
int tcp_parse_send_cmsg(const struct sock *sk, const struct msghdr_k *msg, uint32_t *tsflags);
/* The call has queued its last byte: its skb is marked. */
void tcp_tx_timestamp(struct sock *sk, uint32_t tsflags);
/* skb was cut, buff holds the rest: the mark goes where its byte is. */
void tcp_fragment_tstamp(struct sk_buff *skb, struct sk_buff *buff);
/* skb is acknowledged by ack, at least in part: is its marked byte? */
void tcp_ack_tstamp(struct sock *sk, struct sk_buff *skb, const struct sk_buff *ack, uint32_t prior_snd_una);
/* tcp_tx_stats.c: the connection as SOF_TIMESTAMPING_OPT_STATS tells it (struct proto's tx_stats). */
struct sk_buff *tcp_tx_stats(struct sock *sk, const struct sk_buff *orig, const struct sk_buff *ack);

#endif
