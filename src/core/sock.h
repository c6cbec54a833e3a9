/* SPDX-License-Identifier: MIT */
/*
 * sock.h - struct sock: what the protocol holds of a socket (S1), and the accounting that all protocols share.
 *
 * struct inet_sock, inet_connection_sock, tcp_sock and udp_sock extend it by containing it first.  The user's half is struct socket
 * (socket/socket.h), reached only upward by sk_wake().
 *
 * Lifetime: sk_refcnt counts the socket (while not orphaned), hash tables, timers armed with sk_timer (one reference while
 * pending is NOT taken: a timer is deleted before the sock dies), and skbs in flight through sk_wmem_alloc, which starts
 * at 1: the sock is freed when both refcnt and wmem_alloc are gone (sk_free).
 *
 * Size matters: socket + sock + file of an idle TCP connection fit in 1,024 bytes (static_assert in vfs/).  What is needed only
 * while active or only by some sockets is attached: sk_ext, and tcp_sock's tcp_active.
 */
#ifndef XMIT_CORE_SOCK_H
#define XMIT_CORE_SOCK_H

#include "core/dst.h"
#include "core/flow.h"
#include "core/iov_iter.h"
#include "core/net.h"
#include "core/skbuff.h"
#include "core/uapi.h"

struct socket;
struct sock;
struct proto;
struct proto_mem;
struct sock_ext;

/* TCP's states (Linux's numbers); other protocols use ESTABLISHED and CLOSE. */
enum {
	TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT, TCP_CLOSE, TCP_CLOSE_WAIT,
	TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING, TCP_NEW_SYN_RECV, TCP_MAX_STATES
};
#define TCPF(state) (1u << (state)) /* TCPF(TCP_LISTEN) | ... in tests of several states */

enum sock_flag { /* bits of sk_flags */
	SOCK_F_DEAD, SOCK_F_DONE, SOCK_F_URGINLINE, SOCK_F_KEEPOPEN, SOCK_F_LINGER, SOCK_F_BROADCAST, SOCK_F_TIMESTAMP,
	SOCK_F_TIMESTAMPNS, SOCK_F_DONTROUTE, SOCK_F_RCVBUF_LOCK, SOCK_F_SNDBUF_LOCK, SOCK_F_BINDADDR_LOCK, SOCK_F_BINDPORT_LOCK,
	SOCK_F_NOSPACE, SOCK_F_RECVERR, SOCK_F_PKTINFO, SOCK_F_RECVTTL, SOCK_F_RECVTOS, SOCK_F_FREEBIND, SOCK_F_TRANSPARENT,
	SOCK_F_DBG /* SO_DEBUG: kept, means nothing */, SOCK_F_ZEROCOPY, SOCK_F_V6ONLY, SOCK_F_ACCEPT_ANY, SOCK_F_MC_LOOP, SOCK_F_NO_CHECK_TX, SOCK_F_RXQ_OVFL,
	SOCK_F_RECVORIGDSTADDR,
	SOCK_F_RECVPKTINFO6, SOCK_F_RECVHOPLIMIT6, SOCK_F_RECVTCLASS6, /* IPV6_RECV*, as cmsgs for v4-mapped datagrams */
};

/* Who spaces a socket's packets by sk_pacing_rate: nobody; TCP's own timer; the device's qdisc (fq). */
enum sk_pacing { SK_PACING_NONE, SK_PACING_NEEDED, SK_PACING_FQ };

struct sock {
	/* Looked at for every packet. */
	struct hlist_node sk_node;          /* in the protocol's connection or port hash */
	struct hlist_node sk_bind_node;     /* in the bind bucket's list of owners */
	struct net *sk_net;
	const struct proto *sk_prot;
	uint16_t sk_family;                 /* AF_INET, AF_INET6 (v4-mapped until IPv6 is there) */
	uint8_t sk_state;                   /* TCP_* */
	uint8_t sk_reuse : 1, sk_reuseport : 1, sk_shutdown : 2, sk_no_check_rx : 1;
	uint32_t sk_hash;
	uint32_t sk_refcnt;
	int32_t sk_bound_dev_if;
	uint32_t sk_flags;                  /* bits: enum sock_flag */
	uint16_t sk_type, sk_protocol;      /* SOCK_*, IPPROTO_* */

	/* Receiving. */
	struct sk_buff_head sk_receive_queue;
	uint32_t sk_rmem_alloc;             /* bytes (truesize) queued for receive */
	int32_t sk_rcvbuf;                  /* bytes */
	int32_t sk_rcvlowat;
	int32_t sk_forward_alloc;           /* bytes reserved from the protocol's memory, not yet used */

	/* Sending. */
	struct sk_buff_head sk_write_queue; /* TCP: from the send head on (unsent) */
	struct rb_root tcp_rtx_queue;       /* TCP: sent, not acknowledged, by sequence */
	struct dst_entry *sk_dst_cache;
	int32_t sk_sndbuf;                  /* bytes */
	uint32_t sk_wmem_queued;            /* bytes (truesize) in the write and retransmit queues */
	uint32_t sk_wmem_alloc;             /* bytes (truesize) below this socket, plus 1 while the sock lives */
	uint32_t sk_txhash;
	struct page_frag sk_frag;
	uint64_t sk_pacing_rate;            /* bytes a second; UINT64_MAX: not limited */
	uint32_t sk_gso_max_size;           /* bytes */
	uint16_t sk_gso_max_segs;
	uint16_t sk_gso_type;
	uint32_t sk_route_caps;             /* features of the route's device (NETIF_F_*) */
	uint8_t sk_pacing_shift;            /* TSQ limit: pacing rate >> shift */
	uint8_t sk_pacing_status;           /* enum sk_pacing */
	uint8_t sk_tsq_flags;               /* TCP's small-queue state */

	struct timer_list sk_timer;         /* the one lazily re-armed timer */

	/* Options and errors. */
	int16_t sk_err, sk_err_soft;        /* positive errno */
	uint32_t sk_priority, sk_mark;
	uint16_t sk_ack_backlog, sk_max_ack_backlog; /* accept queue: now, most */
	uint64_t sk_cookie;                 /* never reused within an instance */
	struct socket *sk_socket;           /* NULL: orphan, or not yet accepted */
	void (*sk_wake)(struct sock *sk, unsigned poll_mask); /* the way up; set by socket/, never NULL */
	struct sock_ext *sk_ext;            /* rarely used: error queue, cork, timestamps; NULL until needed */
};

/* What few sockets need, attached on first use. */
struct sock_ext {
	struct sk_buff_head error_queue;    /* each skb's cb holds a struct sock_exterr_skb (ip/error_queue.h) */
	uint64_t max_pacing_rate;           /* SO_MAX_PACING_RATE, bytes a second */
	uint64_t rcvtimeo_ns, sndtimeo_ns;  /* SO_RCVTIMEO, SO_SNDTIMEO; TIME_NEVER: no limit */
	uint32_t lingertime_s;              /* SO_LINGER; UINT32_MAX: for ever */
	uint64_t rx_timestamp_ns;
	uint32_t tsflags, tskey;            /* SO_TIMESTAMPING; what identifiers count from */
	uint32_t zckey;                     /* MSG_ZEROCOPY: number of the next call */
	uint32_t zc_charged;                /* bytes of its notifications that wait */
	bool ts_new;                        /* stamps have 64-bit times: SO_TIMESTAMP*_NEW */
	int32_t peek_off;                   /* SO_PEEK_OFF: bytes from the next to be read to the next to be peeked at; negative: none */
	uint32_t rx_dropped;                /* what came for the socket and was of no use, or had no room */
	struct ip_options_data *inet_opt;   /* IP_OPTIONS, network order */
	struct ip_mc_list *mc_list;         /* IP_ADD_MEMBERSHIP */
	/* TCP options that few set; 0: the sysctl's value. */
	uint32_t tcp_keepalive_time_s, tcp_keepalive_intvl_s;
	int32_t tcp_linger2_s;              /* negative: no FIN_WAIT2 at all */
	uint32_t tcp_notsent_lowat;         /* bytes */
	uint32_t tcp_user_timeout_ms;
	uint32_t tcp_delack_max_us;
	char bound_dev[16];
	uint32_t busy_poll_us;              /* SO_BUSY_POLL; kept, without effect: the instance polls when its user says so */
};
/* -ENOMEM leaves sk as it is. */
int sk_ext_get(struct sock *sk, struct sock_ext **ext);
/* Something that came for sk is dropped: SO_MEMINFO and SO_RXQ_OVFL tell how many. */
void sk_drops_inc(struct sock *sk);

/* SO_TIMESTAMPING, Linux's bits. */
enum {
	SOF_TIMESTAMPING_TX_HARDWARE_ = 1, SOF_TIMESTAMPING_TX_SOFTWARE_ = 2, SOF_TIMESTAMPING_RX_HARDWARE_ = 4, SOF_TIMESTAMPING_RX_SOFTWARE_ = 8,
	SOF_TIMESTAMPING_SOFTWARE_ = 16, SOF_TIMESTAMPING_OPT_ID_ = 128, SOF_TIMESTAMPING_TX_SCHED_ = 256, SOF_TIMESTAMPING_TX_ACK_ = 512,
	SOF_TIMESTAMPING_OPT_CMSG_ = 1024, SOF_TIMESTAMPING_OPT_TSONLY_ = 2048, SOF_TIMESTAMPING_OPT_STATS_ = 4096,
	SOF_TIMESTAMPING_BIND_PHC_ = 32768, SOF_TIMESTAMPING_OPT_ID_TCP_ = 65536, SOF_TIMESTAMPING_OPT_RX_FILTER_ = 131072, SOF_TIMESTAMPING_TX_COMPLETION_ = 1 << 18, SOF_TIMESTAMPING_MASK_ = (1 << 19) - 1,
	SOF_TIMESTAMPING_TX_RECORD_MASK_ = SOF_TIMESTAMPING_TX_HARDWARE_ | SOF_TIMESTAMPING_TX_SOFTWARE_ | SOF_TIMESTAMPING_TX_SCHED_ |
					  SOF_TIMESTAMPING_TX_ACK_ | SOF_TIMESTAMPING_TX_COMPLETION_,
};
enum { SCM_TSTAMP_SND_ = 0, SCM_TSTAMP_SCHED_ = 1, SCM_TSTAMP_ACK_ = 2 };

struct msghdr_k;

/* A protocol as the socket layer sees it (S1, second table). Results: >= 0, or -errno. */
struct proto {
	const char *name;
	uint16_t type, protocol;
	size_t obj_size;                    /* bytes of the protocol's sock */
	int (*init)(struct sock *sk);       /* after allocation; may be NULL */
	void (*destroy)(struct sock *sk);   /* last resources; sk itself is freed by sk_free */
	void (*close)(struct sock *sk, uint64_t timeout_ns); /* the user lets go */
	int (*connect)(struct sock *sk, const struct sockaddr_any *addr, socklen_t len);
	int (*disconnect)(struct sock *sk);
	struct sock *(*accept)(struct sock *sk, int flags, int *err);
	int (*ioctl)(struct sock *sk, unsigned long cmd, void *arg);
	void (*shutdown)(struct sock *sk, int how);
	int (*setsockopt)(struct sock *sk, int level, int name, const void *val, socklen_t len);
	int (*getsockopt)(struct sock *sk, int level, int name, void *val, socklen_t *len);
	ssize_t (*sendmsg)(struct sock *sk, struct msghdr_k *msg);
	ssize_t (*recvmsg)(struct sock *sk, struct msghdr_k *msg, int flags);
	int (*bind)(struct sock *sk, const struct sockaddr_any *addr, socklen_t len); /* NULL: inet_bind's own */
	int (*get_port)(struct sock *sk, uint16_t port);  /* 0: choose one; -EADDRINUSE */
	int (*hash)(struct sock *sk);
	void (*unhash)(struct sock *sk);
	unsigned (*poll)(struct sock *sk);                /* POLL* mask */
	int (*listen)(struct sock *sk, int backlog);
	/* In-place transfer, for a front end that keeps to one copy; NULL where not offered. */
	int (*recv_iov)(struct sock *sk, struct iovec *iov, int max);   /* bytes at the head of the queue, not consumed */
	int (*recv_skip)(struct sock *sk, size_t n);                    /* consumes n of them */
	struct proto_mem *(*mem)(struct net *net); /* memory of all sockets of the protocol */
	/* SOF_TIMESTAMPING_OPT_STATS: the connection as netlink attributes, at orig's stamp; ack, what acknowledged it or NULL.  NULL: no memory. */
	struct sk_buff *(*tx_stats)(struct sock *sk, const struct sk_buff *orig, const struct sk_buff *ack);
};

/* One message, whichever call it came by. */
struct msghdr_k {
	struct sockaddr_any *name;          /* send: destination or NULL; recv: where to put the source, or NULL */
	socklen_t namelen;                  /* in: room or length; out: length */
	struct iov_iter iter;
	void *control;                      /* send: control messages; recv: room for them */
	size_t controllen;                  /* in: bytes; out: bytes used (sock_recvmsg sets it to control_used at the end) */
	size_t control_used;                /* recv: bytes that put_cmsg() has filled so far */
	unsigned flags;                     /* MSG_*; recv: out flags (MSG_TRUNC ...) */
	bool from_user_write;               /* plain write()/writev(): MSG_NOSIGNAL does not apply */
};

/* Memory of one protocol, all sockets together, in pages (tcp_mem, udp_mem): below [0] no pressure, above [1] pressure, [2] the most. */
struct proto_mem {
	int64_t allocated;
	int64_t limit[3];
	bool pressure;
	uint64_t pressure_since_ns;         /* when pressure was entered */
	int64_t sockets;                    /* socks that exist; sk_alloc() and sk_free() keep it */
};

/* --- life ------------------------------------------------------------------------------------------------- */

/* Zeroed sock of prot->obj_size with the fields of this header set up; refcnt 1.  NULL: no memory. */
struct sock *sk_alloc(struct net *net, const struct proto *prot, uint16_t family);
/* Copy of a listening sock for a new connection: queues empty, refcnt 2 as Linux, not hashed, orphan.  NULL: no memory. */
struct sock *sk_clone(const struct sock *sk, enum mem_prio prio);
static inline void sock_hold(struct sock *sk) { sk->sk_refcnt++; }
void sock_put(struct sock *sk);
void sk_free(struct sock *sk); /* drops the initial wmem reference */
static inline struct net *sock_net(const struct sock *sk) { return sk->sk_net; }
static inline bool sock_flag(const struct sock *sk, enum sock_flag f) { return sk->sk_flags & (1u << f); }
static inline void sock_set_flag(struct sock *sk, enum sock_flag f) { sk->sk_flags |= 1u << f; }
static inline void sock_reset_flag(struct sock *sk, enum sock_flag f) { sk->sk_flags &= ~(1u << f); }
static inline void sock_valbool_flag(struct sock *sk, enum sock_flag f, bool v) { v ? sock_set_flag(sk, f) : sock_reset_flag(sk, f); }
/* Takes the pending error: returns -sk_err (0: none) and clears it. */
static inline int sock_error(struct sock *sk)
{
	int err = sk->sk_err;
	sk->sk_err = 0;
	return -err;
}

/* --- accounting -------------------------------------------------------------------------------------------- */

struct proto_mem *sk_proto_mem(const struct sock *sk);
/* Makes sure that size more bytes may be charged; false: limit reached (and pressure entered). */
bool sk_mem_schedule(struct sock *sk, uint32_t size, bool receive);
static inline bool sk_wmem_schedule(struct sock *sk, uint32_t size) { return (int32_t)size <= sk->sk_forward_alloc || sk_mem_schedule(sk, size, false); }
static inline bool sk_rmem_schedule(struct sock *sk, uint32_t size) { return (int32_t)size <= sk->sk_forward_alloc || sk_mem_schedule(sk, size, true); }
/* Charges size although the limit is reached (FIN, last ACK, head retransmission). */
void sk_forced_mem_schedule(struct sock *sk, uint32_t size);
static inline void sk_mem_charge(struct sock *sk, int size) { sk->sk_forward_alloc -= size; }
void sk_mem_reclaim(struct sock *sk);       /* gives whole pages of forward_alloc back */
static inline void sk_mem_uncharge(struct sock *sk, int size)
{
	sk->sk_forward_alloc += size;
	if (unlikely(sk->sk_forward_alloc >= 2 * 1024 * 1024))
		sk_mem_reclaim(sk);
}
bool sk_under_memory_pressure(const struct sock *sk);

/* skb belongs to sk until it ends: sending side (wmem_alloc) and receiving side (rmem_alloc, forward_alloc). */
void skb_set_owner_w(struct sk_buff *skb, struct sock *sk);
void skb_set_owner_r(struct sk_buff *skb, struct sock *sk);
void sock_wfree(struct sk_buff *skb);
void sock_rfree(struct sk_buff *skb);
static inline int sk_stream_wspace(const struct sock *sk) { return sk->sk_sndbuf - (int)sk->sk_wmem_queued; }
static inline int sk_stream_min_wspace(const struct sock *sk) { return (int)(sk->sk_wmem_queued >> 1); }
static inline bool sk_stream_memory_free(const struct sock *sk) { return (int)sk->sk_wmem_queued < sk->sk_sndbuf; }
static inline bool sock_writeable(const struct sock *sk) { return sk->sk_wmem_alloc < (uint32_t)(sk->sk_sndbuf >> 1); }
/* Datagram receive: charge and queue; -ENOBUFS or -ENOMEM (skb not consumed) when over the limits. */
int sock_queue_rcv_skb(struct sock *sk, struct sk_buff *skb, enum skb_drop_reason *reason);
/* Datagram send: an skb charged to sk_wmem_alloc; waits per timeout for room; NULL and *err. */
struct sk_buff *sock_alloc_send_skb(struct sock *sk, unsigned headroom, unsigned size, bool nonblock, int *err);
/* Error queue: takes over skb; -ENOMEM. */
int sock_queue_err_skb(struct sock *sk, struct sk_buff *skb);

/* --- waiting ----------------------------------------------------------------------------------------------- */

/*
 * Runs the instance until cond(sk, arg) is true, an error or *timeo_ns (a duration, decreased) runs out.  0 when cond holds;
 * -EAGAIN: time is up, or the instance was given no way to wait (env.wait NULL), or we are inside xmit_poll(); -EINTR as
 * env.wait says.  The sock is held meanwhile.
 */
int sk_wait(struct sock *sk, uint64_t *timeo_ns, bool (*cond)(struct sock *sk, void *arg), void *arg);
/* How long a call may wait, ns; TIME_NEVER: no limit. */
static inline uint64_t sock_rcvtimeo(const struct sock *sk, bool nonblock) { return nonblock ? 0 : sk->sk_ext ? sk->sk_ext->rcvtimeo_ns : TIME_NEVER; }
static inline uint64_t sock_sndtimeo(const struct sock *sk, bool nonblock) { return nonblock ? 0 : sk->sk_ext ? sk->sk_ext->sndtimeo_ns : TIME_NEVER; }
/* Where MSG_PEEK looks, in bytes behind the next to be read (SO_PEEK_OFF); -1: there. */
static inline int sk_peek_offset(const struct sock *sk, int flags) { return sk->sk_ext && (flags & MSG_PEEK) ? MAX(sk->sk_ext->peek_off, -1) : -1; }
/* n bytes were peeked at, or read: the offset follows. */
void __sk_peek_offset_moved(struct sock_ext *ext, int flags, size_t n);
static inline void sk_peek_offset_moved(struct sock *sk, int flags, size_t n)
{
	if (unlikely(sk->sk_ext && sk->sk_ext->peek_off >= 0))
		__sk_peek_offset_moved(sk->sk_ext, flags, n);
}
/* Seconds of SO_LINGER, 0 unless it was set. */
static inline uint32_t sock_lingertime_s(const struct sock *sk) { return sk->sk_ext ? sk->sk_ext->lingertime_s : 0; }

/*
 * The callbacks of old, all by sk_wake: they tell the user's half which events may have become true, named as Linux names them to its sleepers.
 * An edge-triggered registration hears again of what is still true whenever a wake names it: of urgent data when plain data come.
 */
static inline void sk_data_ready(struct sock *sk) { sk->sk_wake(sk, POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND); }
static inline void sk_error_report(struct sock *sk) { sk->sk_wake(sk, POLLERR); }
static inline void sk_state_change(struct sock *sk) { sk->sk_wake(sk, POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM | POLLHUP | POLLRDHUP); }
void sk_write_space(struct sock *sk);        /* datagram: when writable again */
void sk_stream_write_space(struct sock *sk); /* stream: when a third of the buffer is free and SOCK_F_NOSPACE was set */

/* --- dst cache --------------------------------------------------------------------------------------------- */

static inline struct dst_entry *__sk_dst_get(struct sock *sk) { return sk->sk_dst_cache; }
void sk_dst_set(struct sock *sk, struct dst_entry *dst); /* takes over the reference */
static inline void sk_dst_reset(struct sock *sk) { sk_dst_set(sk, NULL); }
/* The cached dst if still valid (not counted), else NULL and the cache is emptied. */
struct dst_entry *__sk_dst_check(struct sock *sk);

#endif
