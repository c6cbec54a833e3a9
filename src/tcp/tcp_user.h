/* SPDX-License-Identifier: MIT */
/* tcp_user.h - what the files of TCP's user side (tcp.c, tcp_sysctl.c, tcp_recv*.c, tcp_sockopt.c, tcp_info.c) share. */
#ifndef XMIT_TCP_TCP_USER_H
#define XMIT_TCP_TCP_USER_H

#include "tcp/tcp_internal.h"

int tcp_sysctl_init(struct net *net);                                 /* defaults, then the registry; -ENOMEM */
int tcp_recv_iov(struct sock *sk, struct iovec *iov, int max);        /* tcp_recv_inplace.c */
int tcp_recv_skip(struct sock *sk, size_t n);
int tcp_inq_hint(const struct sock *sk);                              /* bytes to read, 1 at least where the end can be read */
void tcp_eat_recv_skb(struct sock *sk, struct sk_buff *skb);          /* read to its end: out of the receive queue */
void tcp_urg_passed(struct sock *sk);                                 /* copied_seq moved: the urgent byte may lie behind it */
/* The first skb of the receive queue with something at seq (data, or its FIN), and where in it; NULL. */
struct sk_buff *tcp_recv_skb(struct sock *sk, uint32_t seq, uint32_t *offset);
void tcp_get_info(struct sock *sk, struct xmit_tcp_info *info);       /* tcp_info.c */
bool tcp_epollin_ready(const struct sock *sk, int target);            /* tcp_poll.c: is there as much to read, or as much as can be? */
static inline int sock_rcvlowat(const struct sock *sk, bool waitall, size_t len)
{
	size_t v = waitall ? len : (size_t)MAX(sk->sk_rcvlowat, 0);
	v = MIN(v, len);
	return v > 0x7fffffff ? 0x7fffffff : v ? (int)v : 1;
}

#endif
