/* SPDX-License-Identifier: MIT */
/* error_queue.h - what lies in a socket's error queue (IP_RECVERR), laid out for the user as Linux's <linux/errqueue.h> has it. */
#ifndef XMIT_IP_ERROR_QUEUE_H
#define XMIT_IP_ERROR_QUEUE_H

#include "ip/ip.h"

enum { SO_EE_ORIGIN_NONE_ = 0, SO_EE_ORIGIN_LOCAL_ = 1, SO_EE_ORIGIN_ICMP_ = 2, SO_EE_ORIGIN_TIMESTAMPING_ = 4, SO_EE_ORIGIN_ZEROCOPY_ = 5 };
enum { SO_EE_CODE_ZEROCOPY_COPIED_ = 1 };

struct sock_extended_err_ {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code, ee_pad;
	uint32_t ee_info; /* path MTU, pointer */
	uint32_t ee_data;
};
static_assert(sizeof(struct sock_extended_err_) == 16, "part of the user's interface");

/* The control block of an skb in the queue; its data is the payload of the packet that the error is about. */
struct sock_exterr_skb {
	struct inet_skb_parm header;
	struct sock_extended_err_ ee;
	be32 daddr;    /* where that packet was going */
	be32 offender; /* who reported it; ORIGIN_ICMP only */
	be16 port;
	bool opt_stats; /* a time stamp's; the data are netlink attributes */
};
static_assert(sizeof(struct sock_exterr_skb) <= sizeof(((struct sk_buff *)0)->cb), "fits the control block");
static inline struct sock_exterr_skb *SKB_EXT_ERR(const struct sk_buff *skb) { return (struct sock_exterr_skb *)(void *)skb->cb; }

/* ip_tstamp.c: sk's packet skb passed a station (SCM_TSTAMP_*): a report goes to its error queue.  ack: what acknowledged it, else NULL. */
void skb_tstamp_tx(struct sk_buff *skb, struct sock *sk, int type);
void __skb_tstamp_tx(struct sk_buff *skb, const struct sk_buff *ack, struct sock *sk, int type);
/* Marks a datagram for the stations at which its message wants to be stamped, ipc->tsflags (not 0). */
void ip_setup_tx_timestamp(struct sock *sk, struct sk_buff *skb, const struct ipcm_cookie *ipc);
/* SO_TIMESTAMPING as a control message of a send call: len bytes of data change *tsflags.  0, -EINVAL. */
int ip_cmsg_timestamping(const uint8_t *data, size_t len, uint32_t *tsflags);
uint64_t ip_wall_time_ns(struct net *net, uint64_t tstamp_ns);
/*
 * The stamps that the socket asked for, of an instant of the instance's clock: SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING.  report: it comes with an
 * error queue's entry, else with data.
 */
void ip_recv_stamp(struct msghdr_k *msg, struct sock *sk, uint64_t tstamp_ns, bool report);
/* ip_cmsg.c: IP_PKTINFO, IP_TTL, IP_TOS of a packet. */
void ip_cmsg_recv_packet(struct msghdr_k *msg, struct sock *sk, struct sk_buff *skb);
#ifndef SO_TIMESTAMPING
#define SO_TIMESTAMPING 37
#endif

#endif
