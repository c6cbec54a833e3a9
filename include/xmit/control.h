/* SPDX-License-Identifier: MIT */
/** @file control.h  Addresses, routes, neighbours, settings, counters.  Addresses are text or in network order (struct in_addr). */
#ifndef XMIT_CONTROL_H
#define XMIT_CONTROL_H

#include "xmit/xmit.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Adds addr/prefix_len to dev with its connected route, local and broadcast routes.  EEXIST, EINVAL, ENOMEM. */
XMIT_API int xmit_addr_add(xmit_dev *dev, struct in_addr addr, unsigned prefix_len);
XMIT_API int xmit_addr_del(xmit_dev *dev, struct in_addr addr, unsigned prefix_len); /**< EADDRNOTAVAIL */
/** "192.0.2.1/24" */
XMIT_API int xmit_addr_add_text(xmit_dev *dev, const char *cidr);

enum xmit_route_type { XMIT_RTN_UNICAST = 1, XMIT_RTN_LOCAL = 2, XMIT_RTN_BROADCAST = 3, XMIT_RTN_BLACKHOLE = 6, XMIT_RTN_UNREACHABLE = 7, XMIT_RTN_PROHIBIT = 8 };
struct xmit_route {
	size_t size;                 /**< sizeof(struct xmit_route) */
	struct in_addr dst;
	unsigned prefix_len;         /**< 0 to 32 */
	enum xmit_route_type type;   /**< 0: UNICAST */
	struct in_addr gateway;      /**< 0: on link */
	xmit_dev *dev;               /**< may be NULL with a gateway: found by looking the gateway up */
	struct in_addr prefsrc;      /**< 0: chosen */
	uint32_t priority;           /**< metric: lower wins */
	uint32_t table;              /**< 0: main (254) */
	uint8_t tos;
	uint32_t mtu, advmss, window, initcwnd, initrwnd, hoplimit, rto_min_ms; /**< metrics, 0: none */
	bool onlink;
	uint32_t quickack;           /**< metric, not 0: TCP never delays an ACK to there */
};
XMIT_API int xmit_route_add(xmit_net *net, const struct xmit_route *r); /**< EEXIST, ENETUNREACH (gateway), EINVAL, ENODEV, ENOMEM */
XMIT_API int xmit_route_del(xmit_net *net, const struct xmit_route *r); /**< ESRCH */
/** "default via 192.0.2.254", "198.51.100.0/24 dev eth0" */
XMIT_API int xmit_route_add_text(xmit_net *net, const char *text);

XMIT_API int xmit_neigh_add(xmit_dev *dev, struct in_addr addr, const uint8_t mac[6]); /**< permanent */
XMIT_API int xmit_neigh_del(xmit_dev *dev, struct in_addr addr);

/** Settings by Linux's names ("net.ipv4.tcp_sack").  why (may be NULL) gets a sentence on failure.  ENOENT, EINVAL. */
XMIT_API int xmit_sysctl_set(xmit_net *net, const char *name, const char *value, char *why, size_t why_len);
XMIT_API int xmit_sysctl_get(xmit_net *net, const char *name, char *buf, size_t n); /**< length, as snprintf */

/** Forgets what was learnt of other hosts from earlier connections (`ip tcp_metrics flush all`): round trips, windows, reordering, Fast Open cookies. */
XMIT_API void xmit_tcp_metrics_flush(xmit_net *net);

/** A counter by nstat's name ("TcpRetransSegs", "TcpExtTCPTimeouts"); 0 if unknown and *known (may be NULL) false. */
XMIT_API uint64_t xmit_counter(xmit_net *net, const char *name, bool *known);
/** Packets dropped for a reason by name ("NO_SOCKET"). */
XMIT_API uint64_t xmit_drops(xmit_net *net, const char *reason);
/** All counters and drop reasons that are not zero, a line each. */
XMIT_API void xmit_print_stats(xmit_net *net, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
