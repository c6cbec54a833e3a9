/* SPDX-License-Identifier: MIT */
/* netdev_internal.h - what the files of dev/ share and nobody else sees. */
#ifndef XMIT_DEV_NETDEV_INTERNAL_H
#define XMIT_DEV_NETDEV_INTERNAL_H

#include "dev/netdevice.h"
#include "lib/list.h"

enum {
	PTYPE_HASH_SIZE = 16,
	TAP_IOV_MAX = 128,    /* pieces of a frame shown to a tap without a linear copy */
	RX_HEADROOM = 64,     /* in front of a received frame: a link header may be pushed when it is sent on */
	RX_HEADER_MAX = 192,  /* bytes of headers that a received skb keeps linear */
};

/* Per-instance state of the devices. */
struct netdev_state {
	struct list_head devices;                /* by ifindex */
	struct list_head ptype[PTYPE_HASH_SIZE]; /* by EtherType, in order of registration */
	struct list_head ptype_all;              /* ETH_P_ALL */
	struct list_head offloads;
	struct list_head notifiers;
	int last_ifindex;
	struct sk_buff_head backlog;             /* netif_rx(), bounded by netdev_max_backlog */
	struct napi_struct backlog_napi;
	struct list_head poll_list;              /* scheduled napi_structs, served from the head */
	struct sk_buff *completed, **completed_tail; /* skbs that drivers are done with, by ->next; freed in NET_TX */
	/* net.core.* */
	int32_t sysctl_netdev_max_backlog;       /* packets */
	int32_t sysctl_netdev_budget;            /* packets in one NET_RX */
	int32_t sysctl_dev_weight;               /* packets of one NAPI before the next has its turn */
};

/* dev_rx.c */
int dev_rx_init(struct net *net);
void dev_rx_exit(struct net *net);
void napi_init(struct napi_struct *napi, struct net_device *dev, unsigned queue, int (*poll)(struct napi_struct *, int));
void napi_disable(struct napi_struct *napi);            /* off the poll list; held packets are dropped */
void dev_rx_purge(struct net_device *dev);              /* drops what waits in the backlog for dev */
struct packet_offload *dev_find_offload(struct net *net, be16 type);
void dev_tap(struct net_device *dev, struct sk_buff *skb, bool out); /* shows the frame from the link header on */

/* rx_frame.c */
unsigned eth_get_headlen(const struct net_device *dev, const uint8_t *p, size_t n);

/* gro.c: true if f, which holds headers and payload apart, was merged into what napi holds; it is then consumed. */
bool napi_gro_append(struct napi_struct *napi, const struct xmit_rx_frame *f);

/* netdevice.c: for softirq.c */
void netdev_ask_ready(struct net *net);                 /* schedules the devices that have something to do now */
uint64_t netdev_next_event(struct net *net);
int netdev_fill_fds(struct net *net, struct pollfd *fds, int max);

#endif
