/* SPDX-License-Identifier: MIT */
/* inet_sock.h - what every Internet socket has beside struct sock: addresses, ports, IP options. */
#ifndef XMIT_IP_INET_SOCK_H
#define XMIT_IP_INET_SOCK_H

#include "core/sock.h"

enum { IP_PMTUDISC_DONT_ = 0, IP_PMTUDISC_WANT_ = 1, IP_PMTUDISC_DO_ = 2, IP_PMTUDISC_PROBE_ = 3, IP_PMTUDISC_INTERFACE_ = 4, IP_PMTUDISC_OMIT_ = 5 };

struct inet_sock {
	struct sock sk;
	/*
	 * Addresses of IPv4 and of v4-mapped sockets are kept as IPv4 (inet_addr.ip); sk_family says how the user sees them.
	 * rcv_saddr: what incoming packets must match (0: any).  saddr: what we send from.  daddr: peer, 0 unconnected.
	 */
	union inet_addr inet_rcv_saddr, inet_saddr, inet_daddr;
	be16 inet_dport, inet_sport;
	uint16_t inet_num;        /* local port, host order */
	uint16_t inet_id;         /* next IP ID */
	int16_t uc_ttl;           /* -1: the route's or the default */
	uint8_t tos, min_ttl;
	uint8_t pmtudisc, mc_ttl;
	uint8_t bind_address_no_port : 1, hdrincl : 1, mc_all_off : 1; /* mc_all_off: IP_MULTICAST_ALL was set to 0 */
	int32_t mc_index, uc_index;
	be32 mc_addr;
};
static inline struct inet_sock *inet_sk(const struct sock *sk) { return (struct inet_sock *)sk; }

#endif
