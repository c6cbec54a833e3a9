/* SPDX-License-Identifier: MIT */
/**
 * @file dev.h
 * Devices and how to write a driver for one.  The drivers of the library use nothing but this header.
 *
 * A driver owns TX rings and RX.  start_xmit() posts an skb to a ring and, when `more` is false, rings the doorbell; it stops the queue
 * (xmit_dev_tx_stop) when the next skb might not fit.  (When it stops the queue or answers XMIT_TX_BUSY it rings too: the rest may come late.)  Completions are found only in poll(): there finished skbs are given back with
 * xmit_skb_tx_done() and the queue is woken.  Reception too happens only in poll(), which runs inside xmit_poll() after
 * xmit_dev_schedule() was called (by the device's "interrupt": a ready descriptor, a peer, a due time).
 */
#ifndef XMIT_DEV_H
#define XMIT_DEV_H

#include "xmit/xmit.h"
#include <stdbool.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a device can do; the stack does the rest in software. */
enum {
	XMIT_F_SG = 1 << 0,          /**< transmits from several pieces of memory */
	XMIT_F_CSUM = 1 << 1,        /**< completes TCP and UDP checksums (csum_start, csum_offset) */
	XMIT_F_TSO = 1 << 2,         /**< cuts TCP super-segments (needs SG and CSUM) */
	XMIT_F_RXCSUM = 1 << 3,      /**< may say that it verified checksums */
	XMIT_F_GRO = 1 << 4,         /**< the stack merges received segments: every device but loopback has it, until switched off */
	XMIT_F_LOOPBACK = 1 << 5,    /**< never leaves the host: checksums need not be computed */
	XMIT_F_LLTX = 1 << 6,        /**< no queueing discipline by default (noqueue) */
	XMIT_F_TSO6 = 1 << 7,        /**< the same for IPv6 */
	XMIT_F_GSO_UDP = 1 << 8,     /**< cuts UDP super-datagrams */
	XMIT_F_COPIES = 1 << 9,      /**< copies frames when it sends them: MSG_ZEROCOPY gains nothing, and its completions say so */
};
enum xmit_dev_type { XMIT_DEV_ETHER, XMIT_DEV_NONE /**< bare IP packets, as TUN */, XMIT_DEV_LOOPBACK };

enum { XMIT_TX_OK = 0, XMIT_TX_BUSY = 1 /**< not taken; the stack keeps the skb and tries again when woken */ };

struct xmit_dev_stats {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, multicast;
};

/** A driver.  Members may be NULL unless marked required. */
struct xmit_dev_ops {
	size_t size;                               /**< sizeof(struct xmit_dev_ops) */
	int (*open)(xmit_dev *dev);                /**< device goes up: allocate rings; 0 or -errno */
	void (*stop)(xmit_dev *dev);               /**< device goes down: give every skb back, free rings */
	int (*start_xmit)(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more); /**< required; XMIT_TX_* */
	/** Completions and reception: at most budget packets received; returns how many.  Fewer than budget: done until scheduled anew. */
	int (*poll)(xmit_dev *dev, unsigned queue, int budget);
	/** Host descriptors to wait on (as xmit_poll_fds); POLLOUT only while transmission is blocked. */
	int (*fds)(xmit_dev *dev, struct pollfd *fds, int max);
	/** Looks whether poll() has something to do, without waiting; called at the start of each xmit_poll(). */
	bool (*ready)(xmit_dev *dev);
	/** When the device needs poll() by itself (in-flight frames of a simulated link), ns; XMIT_NEVER. */
	uint64_t (*next_event)(xmit_dev *dev);
	int (*change_mtu)(xmit_dev *dev, unsigned mtu);
	void (*get_stats)(xmit_dev *dev, struct xmit_dev_stats *st); /**< adds the driver's own counters */
	void (*destroy)(xmit_dev *dev);            /**< last call, after stop(); priv is freed by the stack */
};

/** How to make a device. */
struct xmit_dev_desc {
	size_t size;                      /**< sizeof(struct xmit_dev_desc) */
	const char *name;                 /**< 1 to 15 bytes; a "%d" in it is replaced by the first free number */
	enum xmit_dev_type type;
	const struct xmit_dev_ops *ops;   /**< must outlive the device */
	size_t priv_size;                 /**< bytes of zeroed private memory, xmit_dev_priv() */
	uint32_t features;                /**< XMIT_F_* */
	unsigned mtu;                     /**< 68 to 65,535; 0: 1500 (loopback 65,536) */
	unsigned tx_queues;               /**< 1 to 16; 0: 1 */
	unsigned tx_queue_len;            /**< packets in the default qdisc; 0: 1000 */
	unsigned needed_headroom;         /**< bytes the driver pushes in front of a frame, at most 32 */
	/**
	 * Where the device cannot cut super-segments, the driver cuts those of up to so many frames itself, by xmit_cut_next(): they come whole to
	 * start_xmit(), and xmit_skb_frames() says how many descriptors one takes.  Needs XMIT_F_SG.  0: the stack cuts them into skbs.
	 */
	unsigned cut_frames;
	uint8_t mac[6];                   /**< all zero: made up (locally administered) */
	void *init_arg;                   /**< for the driver: see init */
	int (*init)(xmit_dev *dev, void *init_arg); /**< fills in priv before the device is seen; 0 or -errno */
};

/** @return the device, down; NULL with errno EINVAL, EEXIST, ENOMEM or what init returned. */
XMIT_API xmit_dev *xmit_dev_new(xmit_net *net, const struct xmit_dev_desc *desc);
XMIT_API void xmit_dev_free(xmit_dev *dev);      /**< down, routes and addresses gone, then freed */
XMIT_API int xmit_dev_up(xmit_dev *dev);
XMIT_API int xmit_dev_down(xmit_dev *dev);
XMIT_API void xmit_dev_carrier(xmit_dev *dev, bool on);
XMIT_API xmit_dev *xmit_dev_by_name(xmit_net *net, const char *name);
XMIT_API xmit_dev *xmit_dev_by_index(xmit_net *net, int ifindex);
XMIT_API int xmit_dev_index(const xmit_dev *dev);
XMIT_API const char *xmit_dev_name(const xmit_dev *dev);
XMIT_API const uint8_t *xmit_dev_mac(const xmit_dev *dev);
XMIT_API bool xmit_dev_is_ethernet(const xmit_dev *dev); /**< frames with an Ethernet header (loopback too), not bare IP packets */
XMIT_API unsigned xmit_dev_mtu(const xmit_dev *dev);
XMIT_API int xmit_dev_set_mtu(xmit_dev *dev, unsigned mtu);
XMIT_API int xmit_dev_set_features(xmit_dev *dev, uint32_t features); /**< a subset of those it was made with */
XMIT_API uint32_t xmit_dev_features(const xmit_dev *dev);
XMIT_API void xmit_dev_stats(xmit_dev *dev, struct xmit_dev_stats *st);
/** Every frame that passes the device, both ways, headers first (pcap).  fn NULL: off.  When fn is replaced, or the device is freed, the old
 *  fn is called a last time with n = 0, to clean up. */
XMIT_API int xmit_dev_tap(xmit_dev *dev, void (*fn)(void *ctx, const struct iovec *iov, int n, bool out, uint64_t time_ns), void *ctx);

/* --- for drivers ------------------------------------------------------------------------------------------- */

XMIT_API xmit_net *xmit_dev_net(const xmit_dev *dev);
XMIT_API void *xmit_dev_priv(xmit_dev *dev);
XMIT_API uint64_t xmit_dev_now(const xmit_dev *dev);            /**< the instance's cached clock, ns */
XMIT_API void xmit_dev_schedule(xmit_dev *dev, unsigned queue); /**< the interrupt: poll() will run in xmit_poll() */
XMIT_API void xmit_dev_tx_stop(xmit_dev *dev, unsigned queue);
XMIT_API void xmit_dev_tx_wake(xmit_dev *dev, unsigned queue);
XMIT_API bool xmit_dev_tx_stopped(const xmit_dev *dev, unsigned queue);
XMIT_API void *xmit_dev_alloc(xmit_dev *dev, size_t n);          /**< zeroed, from the instance's memory; NULL */
XMIT_API void xmit_dev_mem_free(xmit_dev *dev, void *p);
XMIT_API void xmit_dev_count_tx_error(xmit_dev *dev);
XMIT_API void xmit_dev_count_rx_error(xmit_dev *dev);
XMIT_API void xmit_dev_count_copy(xmit_dev *dev, size_t bytes);  /**< accounts bytes that the device copied */

/** What is left for the device to do to a packet, or what it found. As in the virtio-net header. */
struct xmit_offload {
	bool needs_csum;         /**< TX: sum from csum_start to the end, store at csum_start + csum_offset.  RX: the same is still to do */
	bool csum_valid;         /**< RX: verified */
	uint16_t csum_start;     /**< bytes from the start of the frame */
	uint16_t csum_offset;    /**< bytes from csum_start */
	uint16_t gso_size;       /**< payload bytes per segment; 0: not a super-segment */
	uint16_t hdr_len;        /**< bytes of all headers of a super-segment */
	uint8_t gso;             /**< XMIT_GSO_* */
	bool ecn;                /**< TCP with CWR set */
};
enum { XMIT_GSO_NONE, XMIT_GSO_TCPV4, XMIT_GSO_TCPV6, XMIT_GSO_UDP_L4 };

XMIT_API uint32_t xmit_skb_len(const xmit_skb *skb);            /**< bytes of the frame */
/** The frame's pieces in order; @return entries used, or -1 when more than max would be needed (18 always do on TX). */
XMIT_API int xmit_skb_iov(const xmit_skb *skb, struct iovec *iov, int max);
XMIT_API void xmit_skb_offload(const xmit_skb *skb, struct xmit_offload *o);
XMIT_API void *xmit_skb_push(xmit_skb *skb, unsigned n);        /**< n bytes of headroom (n <= needed_headroom), TX */
XMIT_API void xmit_skb_tx_posted(xmit_dev *dev, unsigned queue, const xmit_skb *skb); /**< now lies in the TX ring: a trace point */
/** Gives the sender its budget back although the skb is not done: for a device without a queue, that is never what holds a sender back (as
 *  Linux's tun).  From start_xmit(); the skb is completed like any other. */
XMIT_API void xmit_skb_orphan(xmit_skb *skb);
XMIT_API void xmit_skb_tx_done(xmit_dev *dev, unsigned queue, xmit_skb *skb);   /**< sent: consumes it */
XMIT_API void xmit_skb_tx_failed(xmit_dev *dev, unsigned queue, xmit_skb *skb); /**< could not be sent: counted drop */

/**
 * Cutting super-segments in the driver (xmit_dev_desc.cut_frames).  A frame needs no skb of its own: its headers are written to memory of the
 * driver, its payload stays where it is, and the super-segment is done (xmit_skb_tx_done) when its last frame is.
 */
enum { XMIT_HEADER_MOST = 96 };
struct xmit_seg {
	uint16_t header_len;           /**< bytes of all headers */
	uint16_t frag;                 /**< the piece of the skb that its payload begins in, */
	uint32_t frag_off;             /**< and how many bytes into it */
	uint32_t payload;              /**< bytes */
	struct xmit_offload offload;   /**< what is left for the device to do */
	uint8_t header[XMIT_HEADER_MOST];
};
struct xmit_cut {                      /**< how far a super-segment is cut; for the library only */
	const xmit_skb *skb;
	uint32_t left, seq, frag_off, tcp_sum, ip_sum;
	uint16_t frag, mss, id, header_len, network, transport;
	uint8_t flags;
	bool first;
	struct xmit_offload offload;
};
/** Frames, and so descriptors, that the driver has to make of skb: 1 unless it is a super-segment that the device does not cut. */
XMIT_API unsigned xmit_skb_frames(const xmit_dev *dev, const xmit_skb *skb);
XMIT_API void xmit_cut_begin(struct xmit_cut *cut, const xmit_dev *dev, const xmit_skb *skb);
/** The next frame, all of seg is filled in; false: there is none. */
XMIT_API bool xmit_cut_next(struct xmit_cut *cut, struct xmit_seg *seg);
/** The pieces of a frame of skb, headers first; @return entries used, or -1 when more than max would be needed (18 always do). */
XMIT_API int xmit_seg_iov(const xmit_skb *skb, const struct xmit_seg *seg, struct iovec *iov, int max);

/** From poll() only: skb was sent and comes back in on the same device, without a copy (loopback).  Consumes it. */
XMIT_API void xmit_skb_tx_loop(xmit_dev *dev, unsigned queue, xmit_skb *skb);

/** A frame received, copied from buf; NULL: no memory (counted).  */
XMIT_API xmit_skb *xmit_skb_rx_copy(xmit_dev *dev, const void *buf, size_t n);
/** The same, from pieces: the first should hold all headers.  At most 68 KiB. */
XMIT_API xmit_skb *xmit_skb_rx_gather(xmit_dev *dev, const struct iovec *iov, int n);
/** The same, charged to the receiver as Linux charges what comes in by its tun device: windows then open as they do there. */
XMIT_API xmit_skb *xmit_skb_rx_linear(xmit_dev *dev, const struct iovec *iov, int n);
/**
 * Receive buffers: page-backed memory to read a frame into.  Fills iov with pieces of 4 KiB or more, at least n bytes together;
 * @return pieces, or -1 (no memory).  They belong to the driver until given to xmit_skb_rx_buffers() or xmit_rx_buffers_free().
 */
XMIT_API int xmit_rx_buffers(xmit_dev *dev, size_t n, struct iovec *iov, int max);
XMIT_API void xmit_rx_buffers_free(xmit_dev *dev, struct iovec *iov, int n);
/**
 * Makes an skb of the first len bytes, starting `skip` bytes into the first piece, of buffers from xmit_rx_buffers().  Pieces that
 * hold data pass to the skb, and *used says how many of them; a frame of at most 256 bytes is copied instead and *used is 0.
 */
XMIT_API xmit_skb *xmit_skb_rx_buffers(xmit_dev *dev, const struct iovec *iov, int n, size_t skip, size_t len, int *used);
XMIT_API void xmit_skb_set_offload(xmit_skb *skb, const struct xmit_offload *o);
/** Frees a received skb that is not handed up after all (device stopped); a counted drop. */
XMIT_API void xmit_skb_rx_free(xmit_dev *dev, xmit_skb *skb);
/** Hands a received skb to the stack (GRO first).  Consumes it.  From poll() only. */
XMIT_API void xmit_dev_receive(xmit_dev *dev, unsigned queue, xmit_skb *skb);

/**
 * A frame as the receive descriptor of a NIC that splits headers from payload holds it: no skb is made before the stack wants one, and where it
 * continues what GRO holds, none at all.  The driver keeps the struct; it is empty again after xmit_rx_frame_receive() or xmit_rx_frame_free().
 */
struct frag_owner;
struct xmit_rx_frame {
	xmit_skb *skb;                 /**< a frame that is not split; NULL: it is */
	uint8_t *payload;              /**< in memory of the instance, */
	struct frag_owner *owner;      /**< of whose owner one reference is held */
	uint32_t payload_len;          /**< bytes */
	uint16_t header_len;           /**< bytes */
	struct xmit_offload offload;
	uint8_t header[XMIT_HEADER_MOST];
};
/** Copies a frame from pieces, of which the first should hold all headers, at most 68 KiB.  False: no memory or too long (counted), f is empty. */
XMIT_API bool xmit_rx_frame_gather(xmit_dev *dev, struct xmit_rx_frame *f, const struct iovec *iov, int n, const struct xmit_offload *o);
/** Hands it to the stack, as xmit_dev_receive().  From poll() only. */
XMIT_API void xmit_rx_frame_receive(xmit_dev *dev, unsigned queue, struct xmit_rx_frame *f);
/** It is not handed up after all (device stopped): a counted drop. */
XMIT_API void xmit_rx_frame_free(xmit_dev *dev, struct xmit_rx_frame *f);

/* --- the drivers of the library ---------------------------------------------------------------------------- */

/** The packet device: two functions.  Packets out by fn (frames or IP packets, as type says), packets in by xmit_packet_input(). */
struct xmit_packet_config {
	size_t size;
	const char *name;              /**< default "eth%d" or "tun%d" */
	enum xmit_dev_type type;       /**< ETHER or NONE */
	unsigned mtu;
	uint8_t mac[6];
	uint32_t features;             /**< e.g. XMIT_F_SG; XMIT_F_CSUM | XMIT_F_TSO if fn can do that (it then gets an offload) */
	/** Takes one packet, which it must copy or send before it returns.  0, or -EAGAIN: not now (xmit_packet_writable() later). */
	int (*out)(void *ctx, const struct iovec *iov, int n, const struct xmit_offload *o);
	void *ctx;
	/** What out() took holds its sender back no longer, as with Linux's tun; else only when the instance is polled (small queues). */
	bool orphan;
};
XMIT_API xmit_dev *xmit_packet_new(xmit_net *net, const struct xmit_packet_config *config);
/** Queues a packet that came in, copied; it is handled in the next xmit_poll(). -1 with ENOBUFS (1,024 wait already) or ENOMEM. */
XMIT_API int xmit_packet_input(xmit_dev *dev, const struct iovec *iov, int n, const struct xmit_offload *o);
XMIT_API void xmit_packet_writable(xmit_dev *dev);

/** vnic: a pair of ring NICs in memory, joined by a link, each in its own (or the same) instance on the same clock. */
struct xmit_vnic_config {
	size_t size;
	const char *name;              /**< of both ends; default "eth%d" */
	uint32_t features;             /**< both ends; default SG|CSUM|TSO|RXCSUM|GRO; pass XMIT_VNIC_NO_OFFLOAD for none */
	unsigned mtu;
	unsigned ring_size;            /**< descriptors, a power of two, 8 to 4,096; default 256 */
	uint64_t delay_ns;             /**< one way */
	uint64_t rate_bps;             /**< bits a second; 0: no limit */
	uint64_t seed;                 /**< of the faults below, which are the same for the same seed */
	/** Faults in parts per million of frames (one super-segment is one frame). */
	uint32_t loss_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm, busy_ppm, lost_completion_ppm;
	uint64_t reorder_delay_ns;     /**< how long a reordered frame is held; default 1 ms */
	/** Optional: called for each frame sent by end 0 or 1 with its ordinal; true: lose it. */
	bool (*lose)(void *ctx, int end, uint64_t ordinal, const struct iovec *iov, int n);
	void *ctx;
	unsigned queue_bytes;          /**< the link's buffer in front of the rate limiter; 0: 1 MiB; frames beyond are lost */
};
#define XMIT_VNIC_NO_OFFLOAD (UINT32_C(1) << 31)
/** Makes both ends (down); ends[0] in a, ends[1] in b.  The link is gone when either end is freed: the other then has no carrier. */
XMIT_API int xmit_vnic_pair(xmit_net *a, xmit_net *b, const struct xmit_vnic_config *config, xmit_dev *ends[2]);
/** Changes the link's faults, delay and rate from now on. */
XMIT_API int xmit_vnic_set(xmit_dev *end, const struct xmit_vnic_config *config);

/** TAP or TUN (Linux).  Attaches to host interface `ifname` or creates it. */
struct xmit_tap_config {
	size_t size;
	const char *ifname;            /**< on the host */
	const char *name;              /**< in the instance; default "eth%d" */
	bool tun;                      /**< IP packets, no Ethernet */
	int fd;                        /**< an open tun descriptor instead, or 0 */
	bool no_offload;               /**< no virtio-net header: frames of the MTU only */
	unsigned mtu;                  /**< default: the host interface's */
	uint8_t mac[6];
};
/** NULL with errno: EPERM or EACCES (no right to /dev/net/tun), ENOENT (no such device file), EBUSY (in use), EINVAL ... */
XMIT_API xmit_dev *xmit_tap_new(xmit_net *net, const struct xmit_tap_config *config);
/** AF_PACKET on host interface ifname (Linux), frames and offloads by virtio-net header. */
XMIT_API xmit_dev *xmit_af_packet_new(xmit_net *net, const char *ifname, const char *name, unsigned mtu, bool no_offload);
/** Stream of frames, each behind a 32-bit big-endian length (QEMU, passt); takes over the connected descriptor. */
XMIT_API xmit_dev *xmit_stream_new(xmit_net *net, int fd, const char *name, unsigned mtu);
/** Writes every frame of dev to a pcap file (nanosecond, link type by device).  xmit_pcap_stop() or device free closes it. */
XMIT_API int xmit_pcap_start(xmit_dev *dev, const char *path, unsigned snaplen);
XMIT_API int xmit_pcap_stop(xmit_dev *dev);

#ifdef __cplusplus
}
#endif
#endif
