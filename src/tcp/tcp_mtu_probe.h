/* SPDX-License-Identifier: MIT */
/* tcp_mtu_probe.h - path MTU discovery by probing (tcp_mtu_probe.c).  All but tcp_mtup_init() only where tp->mtup_on. */
#ifndef XMIT_TCP_TCP_MTU_PROBE_H
#define XMIT_TCP_TCP_MTU_PROBE_H

#include "tcp/tcp_internal.h"

/* 1: a probe was sent; 0: wait, one may go soon; -1: go on as usual. */
int tcp_mtu_probe(struct sock *sk);
uint32_t tcp_mtup_bound(struct sock *sk, uint32_t pmtu, uint32_t mss);
bool tcp_mtup_probe_acked(const struct sock *sk);   /* all of the probe is */
bool tcp_mtup_probe_is_head(const struct sock *sk); /* the probe is the first byte not acknowledged */
void tcp_mtup_probe_success(struct sock *sk);
void tcp_mtup_probe_failed(struct sock *sk);
void tcp_mtup_forget_probe(struct sock *sk);        /* it was sent again, in whatever size */
void tcp_mtup_blackhole(struct sock *sk);           /* the same segment has timed out again and again */

#endif
