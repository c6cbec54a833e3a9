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
};
static_assert(sizeof(struct sock_exterr_skb) <= sizeof(((struct sk_buff *)0)->cb), "fits the control block");
static inline struct sock_exterr_skb *SKB_EXT_ERR(const struct sk_buff *skb) { return (struct sock_exterr_skb *)(void *)skb->cb; }

/* ip_tstamp.c: sk's packet skb passed a station (SCM_TSTAMP_*): a report goes to its error queue. */
void skb_tstamp_tx(struct sk_buff *skb, struct sock *sk, int type);
uint64_t ip_wall_time_ns(struct net *net, uint64_t tstamp_ns);
/* ip_cmsg.c: the arrival stamps that the socket asked for: SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING. */
void ip_recv_stamp(struct msghdr_k *msg, struct sock *sk, uint64_t tstamp_ns);
/* SCM_TIMESTAMPING for an instant of the instance's clock, where the socket asked for it (SOF_TIMESTAMPING_SOFTWARE). */
void ip_put_scm_timestamping(struct msghdr_k *msg, struct sock *sk, uint64_t tstamp_ns);
#ifndef SO_TIMESTAMPING
#define SO_TIMESTAMPING 37
#endif

#endif
