/* SPDX-License-Identifier: MIT */
/*
 * netdevice.h - struct net_device and what the layers above may ask of it (D1, D2, Q1, Q4).
 *
 * Down: dev_queue_xmit() picks a transmit queue and hands the skb to the registered dev_sched_ops (sched/), which
 * in the end calls dev_hard_start_xmit() -> ops->start_xmit().  Up: poll() of a driver -> napi_gro_receive() ->
 * netif_receive_skb() -> the packet_type registered by dev_add_pack() (ip_rcv, arp_rcv).
 */
#ifndef XMIT_DEV_NETDEVICE_H
#define XMIT_DEV_NETDEVICE_H

#include "core/net.h"
#include "core/skbuff.h"
#include "wire/ethernet.h"
#include "xmit/dev.h"
#include <errno.h>

struct Qdisc;
struct neighbour;
struct in_device;

enum { IFNAMSIZ_ = 16, MAX_TX_QUEUES = 16 };

/* Results of a transmit function: 0, a positive NET_XMIT_* or -errno. */
enum { NET_XMIT_SUCCESS = 0, NET_XMIT_DROP = 1, NET_XMIT_CN = 2 };
/* A congestion notice is no error for the caller; what is below zero or DROP is. */
static inline int net_xmit_eval(int e) { return e == NET_XMIT_CN ? 0 : e; }
static inline int net_xmit_errno(int e) { return e > 0 ? (e == NET_XMIT_CN ? 0 : -ENOBUFS) : e; }

enum netdev_flag { IFF_UP_ = 1, IFF_BROADCAST_ = 2, IFF_LOOPBACK_ = 8, IFF_POINTOPOINT_ = 0x10, IFF_RUNNING_ = 0x40, IFF_NOARP_ = 0x80, IFF_PROMISC_ = 0x100, IFF_MULTICAST_ = 0x1000 };

enum { /* netdev_queue.state */
	QUEUE_STATE_DRV_XOFF = 1, /* the driver stopped it: its ring is full */
	QUEUE_STATE_STACK_XOFF = 2, /* byte queue limits (later) */
	QUEUE_STATE_FROZEN = 4,
};

struct netdev_queue {
	struct net_device *dev;
	struct Qdisc *qdisc;
	uint32_t state;
	uint16_t index;
	uint64_t trans_start_ns; /* last start_xmit that was taken */
	uint64_t tx_packets, tx_bytes, tx_dropped, tx_busy;
};

struct napi_struct {
	struct list_head poll_list;  /* empty: not scheduled */
	struct net_device *dev;
	uint16_t queue;
	bool scheduled;              /* on the poll list, or being polled */
	bool missed;                 /* scheduled again while being polled: poll once more */
	int (*poll)(struct napi_struct *napi, int budget); /* as xmit_dev_ops.poll */
	struct sk_buff *gro_list;    /* held packets by ->next, newest first, at most GRO_MAX_HELD */
	unsigned gro_count;
};

/* Link-layer header functions of a device type (dev/eth.c); NULL for bare IP. */
struct header_ops {
	/* Pushes the link header; daddr NULL: unknown yet.  Header length, or negative length if daddr is missing. */
	int (*create)(struct sk_buff *skb, struct net_device *dev, uint16_t type, const uint8_t *daddr, const uint8_t *saddr);
};

struct net_device {
	struct net *net;
	char name[IFNAMSIZ_];
	int ifindex;
	uint32_t flags;              /* IFF_* */
	uint32_t features;           /* XMIT_F_* in force */
	uint32_t hw_features;        /* those it was made with */
	uint32_t mtu;                /* bytes of IP packet */
	uint16_t type;               /* ARPHRD_* */
	uint16_t hard_header_len;    /* bytes of link header */
	uint16_t needed_headroom;    /* bytes the driver wants besides */
	uint8_t dev_addr[ETH_ALEN], broadcast[ETH_ALEN];
	bool carrier, registered, loopback;
	unsigned num_tx_queues;
	uint32_t tx_queue_len;       /* packets */
	uint32_t gso_max_size;       /* bytes */
	uint16_t gso_max_segs;
	uint16_t cut_frames;         /* the driver cuts super-segments of up to so many frames (tso.c); 0: none */
	const struct xmit_dev_ops *ops;
	const struct header_ops *header_ops;
	struct netdev_queue tx[MAX_TX_QUEUES];
	struct napi_struct napi[MAX_TX_QUEUES];
	struct in_device *ip_ptr;    /* IPv4 addresses (ip/devinet.h) */
	void (*tap_fn)(void *ctx, const struct iovec *iov, int n, bool out, uint64_t time_ns);
	void *tap_ctx;
	struct xmit_dev_stats stats;
	uint32_t refcnt;             /* dst, neigh, skb holders; freed when unregistered and 0 */
	struct list_head list;       /* netdev_state.devices, by ifindex */
	void *priv;
	struct xmit_dev_ops own_ops; /* ops points here: the driver's, with the members that it does not know NULL */
	struct page_frag rx_frag;    /* page block that received payload is laid in, frame behind frame */
};

static inline void dev_hold(struct net_device *dev) { dev->refcnt++; }
void dev_put(struct net_device *dev);
struct net_device *dev_get_by_index(struct net *net, int ifindex); /* not counted; NULL */
struct net_device *dev_get_by_name(struct net *net, const char *name);
#define for_each_netdev(net, dev) list_for_each_entry(dev, netdev_list(net), list)
struct list_head *netdev_list(struct net *net);
static inline bool netif_running(const struct net_device *dev) { return dev->flags & IFF_UP_; }
static inline bool netif_oper_up(const struct net_device *dev) { return (dev->flags & IFF_UP_) && dev->carrier; }
/* Room to leave in front of an IP header for this device, 16-byte rounded. */
static inline unsigned LL_RESERVED_SPACE(const struct net_device *dev)
{
	return ALIGN_UP((unsigned)dev->hard_header_len + dev->needed_headroom + 15u, 16u);
}
/* True where a super-segment that the device does not cut can be cut by its driver (tso.c). */
bool tso_driver_cuts(const struct net_device *dev, const struct sk_buff *skb);
/* The device cuts this super-segment. */
static inline bool device_cuts(const struct net_device *dev, const struct sk_buff *skb)
{
	uint16_t type = skb_shinfo(skb)->gso_type;

	return ((type & SKB_GSO_TCPV4) && (dev->features & XMIT_F_TSO)) || ((type & SKB_GSO_TCPV6) && (dev->features & XMIT_F_TSO6)) ||
	       ((type & SKB_GSO_UDP_L4) && (dev->features & XMIT_F_GSO_UDP));
}
/* Neither the device nor its driver cuts it: the stack has to. */
static inline bool netif_needs_gso(const struct net_device *dev, const struct sk_buff *skb)
{
	return skb_is_gso(skb) && !device_cuts(dev, skb) && !tso_driver_cuts(dev, skb);
}

/* Q1. Sends a complete frame (link header in front, skb->dev set).  Consumes the skb. 0, NET_XMIT_* or -errno (ENETDOWN, ENOBUFS). */
int dev_queue_xmit(struct sk_buff *skb);
/* Q4. Hands a list (by ->next) to the driver with xmit_more; stops at BUSY.  Returns what was not taken; *ret is XMIT_TX_*. */
struct sk_buff *dev_hard_start_xmit(struct sk_buff *first, struct net_device *dev, struct netdev_queue *txq, int *ret);
/* Q4. Makes each skb of the list fit for the device: GSO, checksum, linearise.  NULL when nothing is left. */
struct sk_buff *validate_xmit_skb_list(struct sk_buff *skb, struct net_device *dev);
static inline bool netif_xmit_frozen_or_stopped(const struct netdev_queue *q) { return q->state; }

/*
 * T5. Software segmentation: list by ->next of packets with headers, or NULL on failure (errno in *err); consumes nothing.  skb->data is at
 * the link header, or at the network header where there is none yet; the segments begin there too.  The network protocol's
 * gso_segment is called with skb->data at the network header, the transport's at the transport header; they write to the segments only, as
 * skb's head may be shared.  sk and destructor (with the
 * accounted truesize) move to the last segment, unless the transport gave it an owner already: so what the socket
 * counts comes back when the last segment is done.
 */
struct sk_buff *skb_gso_segment(struct sk_buff *skb, uint32_t features, int *err);
/*
 * For the protocols' segmentation functions: cuts the payload behind `hdr_len` bytes (from skb->data) into pieces of gso_size
 * and copies the headers in front of each; payload stays in shared frags if features has SG, else is copied (counted copied.gso).
 * The headers are all bytes from mac_header to data + hdr_len.  Each segment has data at its mac_header, and network_header,
 * transport_header, ip_summed and csum_start as skb has them: find the headers to mend by these offsets.  A segment that is
 * left CHECKSUM_PARTIAL is completed by validate_xmit_skb_list() where the device cannot.
 */
struct sk_buff *skb_segment(struct sk_buff *skb, unsigned hdr_len, uint32_t features, int *err);
/*
 * Merges skb's payload behind head (same flow, checked by the caller) without copying; headers of `skip` bytes (from skb->data) are
 * pulled from skb.  On success NAPI_GRO_CB(skb)->merged is set and NAPI_GRO_CB(head)->count counted up, and gso_size of head is set at
 * the first merge.  -E2BIG: nothing changed, the merged packet would be longer than 65,535 bytes.
 */
int skb_gro_merge(struct sk_buff *head, struct sk_buff *skb, unsigned skip);

/* Protocol handlers above the link layer, by EtherType (ETH_P_ALL: taps).  func consumes the skb. */
struct packet_type {
	uint16_t type;
	int (*func)(struct sk_buff *skb, struct net_device *dev);
	struct list_head list;
};
void dev_add_pack(struct net *net, struct packet_type *pt);    /* pt lives as long as the instance */
/* Offload functions of a network protocol, by EtherType; of a transport, ip/protocol.h. */
struct packet_offload {
	uint16_t type;
	struct sk_buff *(*gso_segment)(struct sk_buff *skb, uint32_t features, int *err);
	/*
	 * Clears same_flow of the held packets (gro.h) that are of another flow, asks the transport, and may merge skb into one.  Returns
	 * the held packet that must go up now, or NULL; the outcome for skb itself stands in its NAPI_GRO_CB.
	 */
	struct sk_buff *(*gro_receive)(struct napi_struct *napi, struct sk_buff *skb);
	void (*gro_complete)(struct sk_buff *skb, unsigned nhoff); /* final header fields of a merged packet */
	struct list_head list;
};
void dev_add_offload(struct net *net, struct packet_offload *po);

/* Up from a driver (D2, D4). */
void napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb);
void napi_gro_flush(struct napi_struct *napi);
int netif_receive_skb(struct sk_buff *skb); /* consumes */
void napi_schedule(struct napi_struct *napi);
/* Loopback and the like: queues skb for netif_receive_skb() in the next NET_RX; bounded (netdev_max_backlog); 0 or -ENOBUFS (dropped). */
int netif_rx(struct sk_buff *skb);

/* Link header (dev/eth.c). */
uint16_t eth_type_trans(struct sk_buff *skb, struct net_device *dev); /* sets pkt_type, pulls the header; host order EtherType */
extern const struct header_ops eth_header_ops;
static inline int dev_hard_header(struct sk_buff *skb, struct net_device *dev, uint16_t type, const uint8_t *daddr, const uint8_t *saddr)
{
	return dev->header_ops ? dev->header_ops->create(skb, dev, type, daddr, saddr) : 0;
}

/* Device events, for the layers above that keep state per device. */
enum netdev_event { NETDEV_REGISTER, NETDEV_UP, NETDEV_DOWN, NETDEV_CHANGE, NETDEV_CHANGEMTU, NETDEV_UNREGISTER };
struct netdev_notifier {
	void (*fn)(struct net_device *dev, enum netdev_event event);
	struct list_head list;
};
void register_netdevice_notifier(struct net *net, struct netdev_notifier *nb);

/* The way up to the queueing disciplines, registered by sched/ at start. */
struct dev_sched_ops {
	int (*attach)(struct net_device *dev);   /* default qdisc on every queue; 0 or -ENOMEM */
	void (*activate)(struct net_device *dev);
	void (*deactivate)(struct net_device *dev); /* drops what waits */
	void (*detach)(struct net_device *dev);
	/* __dev_xmit_skb: consumes skb; 0, NET_XMIT_* or -errno. */
	int (*xmit)(struct sk_buff *skb, struct net_device *dev, struct netdev_queue *txq);
	void (*schedule)(struct netdev_queue *txq); /* the queue was woken: run its qdisc in NET_TX */
};

int netdev_init(struct net *net);
void netdev_exit(struct net *net);   /* unregisters all devices */
/* Takes every device down, so that no skb is below the sockets any more: before the layers above exit. */
void netdev_shutdown(struct net *net);
/* The layers above sched/ have exited: nothing that they registered is called any more. */
void netdev_forget_upper(struct net *net);
/* The next skb that a driver has finished with, off the completion queue that NET_TX serves; NULL. */
struct sk_buff *dev_tx_completed(struct net *net);

#endif
