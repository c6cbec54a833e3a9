/* SPDX-License-Identifier: MIT */
/* tcp_metrics.h - what is remembered of destinations (tcp_metrics.c). */
#ifndef XMIT_TCP_TCP_METRICS_H
#define XMIT_TCP_TCP_METRICS_H

#include "tcp/tcp_internal.h"

/* At establishment, with the handshake's round trip known: first RTO, ssthresh and reordering of sk. */
void tcp_init_metrics(struct sock *sk);
/* sk ends in order: what the next connection to its peer should know. */
void tcp_update_metrics(struct sock *sk);
/* A connection from daddr to saddr, ours, has ended in order and measured a round trip within the last hour. */
bool tcp_peer_is_proven(struct net *net, be32 saddr, be32 daddr);
/* Forgets all. */
void tcp_metrics_flush(struct net *net);

#endif
