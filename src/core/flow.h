/* SPDX-License-Identifier: MIT */
/* flow.h - family-neutral addresses and flow keys: what a route, a neighbour and a connection are looked up by. */
#ifndef XMIT_CORE_FLOW_H
#define XMIT_CORE_FLOW_H

#include "wire/byteorder.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* An IPv4 address in ip (the other words zero), or an IPv6 address in ip6.  The family stands beside it, not in it. */
union inet_addr {
	be32 ip;
	be32 ip6[4];
};

static inline union inet_addr inet_addr_v4(be32 a) { return (union inet_addr){.ip6 = {a, 0, 0, 0}}; }
static inline bool inet_addr_equal(const union inet_addr *a, const union inet_addr *b) { return !memcmp(a, b, sizeof(*a)); }
static inline bool inet_addr_any(const union inet_addr *a) { return !(a->ip6[0] | a->ip6[1] | a->ip6[2] | a->ip6[3]); }

static inline bool ipv4_is_loopback(be32 a) { return (a & CPU_TO_BE32(0xff000000)) == CPU_TO_BE32(0x7f000000); }
static inline bool ipv4_is_multicast(be32 a) { return (a & CPU_TO_BE32(0xf0000000)) == CPU_TO_BE32(0xe0000000); }
static inline bool ipv4_is_lbcast(be32 a) { return a == CPU_TO_BE32(0xffffffff); }
static inline bool ipv4_is_zeronet(be32 a) { return (a & CPU_TO_BE32(0xff000000)) == 0; }
static inline bool ipv4_is_badclass(be32 a) { return (a & CPU_TO_BE32(0xf0000000)) == CPU_TO_BE32(0xf0000000); }

/* ::ffff:a.b.c.d */
static inline bool ipv6_addr_v4mapped(const be32 a[4]) { return !(a[0] | a[1]) && a[2] == CPU_TO_BE32(0x0000ffff); }

/* The key of a route look-up. */
struct flowi {
	uint8_t family;      /* AF_INET or AF_INET6 */
	uint8_t proto;       /* IPPROTO_* */
	uint8_t tos;         /* DSCP bits */
	uint8_t scope;
	uint8_t flags;       /* FLOWI_FLAG_* */
	int oif, iif;        /* device index; 0: any */
	uint32_t mark;
	union inet_addr saddr, daddr; /* saddr zero: let the route choose */
	be16 sport, dport;
	uint32_t flow_hash;  /* for multipath; 0: compute */
};
enum { FLOWI_FLAG_ANYSRC = 1 /* saddr need not be local */ };

#endif
