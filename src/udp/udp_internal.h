/* SPDX-License-Identifier: MIT */
/* udp_internal.h - struct udp_sock, the tables of an instance, and what the files of udp/ call of each other. */
#ifndef XMIT_UDP_UDP_INTERNAL_H
#define XMIT_UDP_UDP_INTERNAL_H

#include "ip/datagram.h"
#include "udp/udp.h"
#include "wire/udp.h"

enum {
	UDP_HASH_SIZE = 1024,     /* buckets of each table, a power of two */
	UDP_MAX_LEN = 65535,      /* bytes of a datagram, header included: its length field */
	OPT_IP_ORIGDSTADDR = 20,  /* Linux's IP_ORIGDSTADDR */
};

/* A datagram that several calls add to (MSG_MORE, UDP_CORK). */
struct udp_cork {
	struct flowi fl;          /* destination, fixed by the first call */
	struct ipcm_cookie ipc;
	struct ip_options_data opt;
	struct rtable *rt;        /* counted */
	uint8_t *buf;             /* payload so far */
	uint32_t len, size;       /* bytes, in use and allocated */
};

/*
 * sk_node links a bound sock by port, sk_bind_node by (address, port).  A sock with XMIT_SO_ACCEPT_ANY is, besides, in a list of
 * those that take what nobody else takes.
 */
struct udp_sock {
	struct inet_sock inet;
	struct hlist_node any_node;
	struct udp_cork *cork;    /* NULL: nothing pending */
	uint8_t corkflag;         /* UDP_CORK */
};
static inline struct udp_sock *udp_sk(const struct sock *sk) { return (struct udp_sock *)sk; }

struct netns_udp {
	struct proto_mem mem;     /* sysctl net.ipv4.udp_mem, pages */
	int32_t sysctl_udp_rmem_min, sysctl_udp_wmem_min;
	struct hlist_head *port;  /* by local port */
	struct hlist_head *addr;  /* by local address and port */
	struct hlist_head any;
};

static inline struct udphdr *udp_hdr(const struct sk_buff *skb) { return (struct udphdr *)(void *)skb_transport_header(skb); }

/* --- udp_hash.c --- */
int udp_get_port(struct sock *sk, uint16_t port);
void udp_unhash(struct sock *sk);
void udp_rehash(struct sock *sk); /* the local address changed */
/* The best socket for a datagram from (saddr, sport) to (daddr, hnum) that came in by device dif; NULL. Not counted. */
struct sock *udp4_lookup(struct net *net, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif);
/* The next socket after `from` (NULL: first) that takes a multicast or broadcast datagram. */
struct sock *udp4_mcast_next(struct net *net, struct sock *from, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif);

/* --- udp.c --- */
ssize_t udp_sendmsg(struct sock *sk, struct msghdr_k *msg);
/* --- udp_cork.c --- */
/* Takes over the reference of rt. */
ssize_t udp_cork_start(struct sock *sk, struct msghdr_k *msg, const struct flowi *fl, const struct ipcm_cookie *ipc, struct rtable *rt);
ssize_t udp_cork_append(struct sock *sk, struct msghdr_k *msg, bool more);
int udp_push_pending_frames(struct sock *sk); /* sends what is pending */
void udp_flush_pending_frames(struct sock *sk);
/* Completes the header of a datagram from ip_make_skb() and sends it; consumes skb. */
int udp_send_skb(struct sk_buff *skb, const struct flowi *fl, struct sock *sk);

/* --- udp_recv.c --- */
ssize_t udp_recvmsg(struct sock *sk, struct msghdr_k *msg, int flags);
int udp_rcv(struct sk_buff *skb);
int udp_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info);

#endif
