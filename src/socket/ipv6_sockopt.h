/* SPDX-License-Identifier: MIT */
/* ipv6_sockopt.h - options of level IPPROTO_IPV6, by Linux's numbers. */
#ifndef XMIT_SOCKET_IPV6_SOCKOPT_H
#define XMIT_SOCKET_IPV6_SOCKOPT_H

#include "core/sock.h"

enum {
	OPT6_UNICAST_HOPS = 16, OPT6_MULTICAST_IF = 17, OPT6_MULTICAST_HOPS = 18, OPT6_MULTICAST_LOOP = 19, OPT6_ADD_MEMBERSHIP = 20,
	OPT6_DROP_MEMBERSHIP = 21, OPT6_MTU_DISCOVER = 23, OPT6_MTU = 24, OPT6_RECVERR = 25, OPT6_V6ONLY = 26, OPT6_FLOWINFO_SEND = 33,
	OPT6_RECVPKTINFO = 49, OPT6_PKTINFO = 50, OPT6_RECVHOPLIMIT = 51, OPT6_HOPLIMIT = 52, OPT6_RECVTCLASS = 66, OPT6_TCLASS = 67,
	OPT6_AUTOFLOWLABEL = 70, OPT6_TRANSPARENT = 75, OPT6_FREEBIND = 78,
};

int ipv6_setsockopt(struct sock *sk, int name, const void *val, socklen_t len);
int ipv6_getsockopt(struct sock *sk, int name, void *val, socklen_t *len);

#endif
