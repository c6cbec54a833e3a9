/* SPDX-License-Identifier: MIT */
/* devinet.h - IPv4 addresses of devices, and source address choice. */
#ifndef XMIT_IP_DEVINET_H
#define XMIT_IP_DEVINET_H

#include "core/flow.h"
#include "dev/netdevice.h"

enum { IFA_F_SECONDARY = 1 };

struct in_ifaddr {
	struct list_head list;  /* in_device.addrs: primaries in order of age, then secondaries in order of age */
	struct in_device *in_dev;
	be32 local;             /* the address */
	be32 mask;
	be32 broadcast;         /* 0: none (prefix 31 and 32, loopback) */
	uint8_t plen, scope;    /* scope: RT_SCOPE_HOST for 127/8, else UNIVERSE */
	uint8_t flags;          /* IFA_F_* */
};

/* IPv4's half of a device (net_device.ip_ptr); made with the first address or when the device comes up. */
struct in_device {
	struct net_device *dev;
	struct list_head addrs;
	struct list_head groups;     /* multicast groups joined, igmp.c */
	unsigned nr_addrs;
	uint64_t igmp_v1_seen_ns;    /* until when an IGMPv1 querier is assumed */
};
static inline struct in_device *in_dev_get(const struct net_device *dev) { return dev->ip_ptr; }

static inline be32 inet_make_mask(unsigned plen) { return plen ? cpu_to_be32(~UINT32_C(0) << (32 - plen)) : 0; }
static inline bool inet_ifa_match(be32 addr, const struct in_ifaddr *ifa) { return !((addr ^ ifa->local) & ifa->mask); }

/* The source address for dst (0: any) over dev (NULL: any device) whose scope is not wider than `scope`; 0: none. */
be32 inet_select_addr(struct net *net, struct net_device *dev, be32 dst, int scope);
/* The device by which the local table says that addr is ours (lo for all of 127/8); NULL: it is not. */
struct net_device *ip_dev_find(struct net *net, be32 addr);
/* -EEXIST -EINVAL -ENOMEM -ENOBUFS (4,096 addresses a device) */
int inet_addr_add(struct net_device *dev, be32 local, unsigned plen);
int inet_addr_del(struct net_device *dev, be32 local, unsigned plen); /* -EADDRNOTAVAIL */
/* Makes net_device.ip_ptr. 0 or -ENOMEM. */
int inetdev_get(struct net_device *dev, struct in_device **res);

int devinet_init(struct net *net);
void devinet_exit(struct net *net);

#endif
