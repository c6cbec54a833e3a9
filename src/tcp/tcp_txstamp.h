/* SPDX-License-Identifier: MIT */
/* tcp_txstamp.h - time stamps of what was sent (tcp_txstamp.c), with statistics of the connection (tcp_tx_stats.c). */
#ifndef XMIT_TCP_TCP_TXSTAMP_H
#define XMIT_TCP_TCP_TXSTAMP_H

#include "tcp/tcp_internal.h"

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
