/* SPDX-License-Identifier: MIT */
/*
 * inet_connection_sock.h - connection-oriented sockets: timers, bind buckets, the accept queue, and the table by which TCP
 * reaches its network layer (S1, third table).
 */
#ifndef XMIT_TCP_INET_CONNECTION_SOCK_H
#define XMIT_TCP_INET_CONNECTION_SOCK_H

#include "ip/inet_sock.h"
#include "ip/route.h"

struct request_sock;
struct inet_bind_bucket;
struct tcp_congestion_ops;

/* TCP knows IPv4 (and later IPv6) only through this. */
struct inet_connection_sock_af_ops {
	uint16_t net_header_len;     /* bytes, without options */
	uint16_t sockaddr_len;
	int (*queue_xmit)(struct sock *sk, struct sk_buff *skb, struct flowi *fl); /* consumes skb */
	void (*send_check)(struct sock *sk, struct sk_buff *skb);   /* TCP checksum: PARTIAL where the route's device can, else full */
	int (*rebuild_header)(struct sock *sk);                     /* route still there?  -EHOSTUNREACH ... */
	void (*sk_rx_dst_set)(struct sock *sk, const struct sk_buff *skb);
	int (*conn_request)(struct sock *sk, struct sk_buff *skb);  /* a SYN for a listener; consumes skb; < 0: send RST */
	/* The handshake's last ACK: makes the child.  NULL: no memory or accept queue full. */
	struct sock *(*syn_recv_sock)(struct sock *sk, struct sk_buff *skb, struct request_sock *req, struct dst_entry *dst);
	int (*setsockopt)(struct sock *sk, int level, int name, const void *val, socklen_t len);
	int (*getsockopt)(struct sock *sk, int level, int name, void *val, socklen_t *len);
	void (*addr2sockaddr)(struct sock *sk, struct sockaddr_any *sa);
	void (*mtu_reduced)(struct sock *sk);
};

/* icsk_ack.pending */
enum { ICSK_ACK_SCHED = 1, ICSK_ACK_TIMER = 2, ICSK_ACK_PUSHED = 4, ICSK_ACK_PUSHED2 = 8, ICSK_ACK_NOW = 16, ICSK_ACK_NOMEM = 32 };
/* icsk_pending: what the retransmit deadline means. */
enum { ICSK_TIME_RETRANS = 1, ICSK_TIME_PROBE0 = 3, ICSK_TIME_LOSS_PROBE = 5, ICSK_TIME_REO_TIMEOUT = 6 };

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct inet_bind_bucket *icsk_bind_hash;
	const struct inet_connection_sock_af_ops *icsk_af_ops;
	const struct tcp_congestion_ops *icsk_ca_ops;
	struct listen_sock *icsk_listen;   /* LISTEN only: SYN and accept queues */
	/*
	 * The sock's one timer (sk_timer) is armed for the earliest of these deadlines, ns; TIME_NEVER: off.  Moving a deadline
	 * later does not touch the wheel: the handler looks again (tcp_timer.c).
	 */
	uint64_t icsk_timeout_ns;          /* retransmit / probe0 / loss probe, by icsk_pending */
	uint64_t icsk_ack_timeout_ns;      /* delayed ACK */
	uint64_t icsk_keepalive_ns;        /* keepalive; FIN_WAIT2; in LISTEN: none */
	uint32_t icsk_rto_us;              /* current RTO with backoff, microseconds */
	uint32_t icsk_rto_min_us, icsk_rto_max_us; /* tcp_rto_min_us and tcp_rto_max_ms when the socket was made; TCP_RTO_MIN_US, TCP_RTO_MAX_MS */
	uint32_t icsk_pmtu_cookie;         /* path MTU that mss_cache was made from */
	uint32_t icsk_probes_tstamp_ms;
	uint16_t icsk_ext_hdr_len;         /* bytes of IP options */
	uint8_t icsk_pending;
	uint8_t icsk_ca_state : 4, icsk_ca_initialized : 1, icsk_ca_setsockopt : 1;
	uint8_t icsk_retransmits, icsk_backoff, icsk_probes_out, icsk_syn_retries;
	struct {
		uint8_t pending;           /* ICSK_ACK_* */
		uint8_t quick;             /* quick ACKs still to be sent */
		uint8_t pingpong;          /* interactive when >= tcp_pingpong_thresh */
		uint8_t retry;
		uint16_t last_seg_size;    /* bytes, of the last received segment */
		uint16_t rcv_mss;          /* estimate of the peer's segment size, bytes */
		uint32_t ato_us;           /* delayed-ACK timeout estimate */
	} icsk_ack;
	uint64_t icsk_lrcvtime_ns;         /* last data received */
};
static inline struct inet_connection_sock *inet_csk(const struct sock *sk) { return (struct inet_connection_sock *)sk; }

/* --- local ports and connection tables (inet_hashtables.c) -------------------------------------------------------- */

struct inet_hashinfo;
/* get_port of struct proto for TCP: port 0 chooses an ephemeral one.  -EADDRINUSE. */
int inet_csk_get_port(struct sock *sk, uint16_t port);
void inet_put_port(struct sock *sk);
/* Inserts an established (or SYN_SENT) sock; -EADDRNOTAVAIL if the 4-tuple is taken. Also listeners go in by state LISTEN. */
int inet_hash(struct sock *sk);
void inet_unhash(struct sock *sk);
/* Chooses the local port of a connecting socket (RFC 6056 algorithm 3) and hashes it; -EADDRNOTAVAIL. */
int inet_hash_connect(struct net *net, struct sock *sk);
/* Connection of an incoming segment: established, request, TIME_WAIT first, then the best listener.  One reference is NOT taken. */
struct sock *inet_lookup(struct net *net, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif);
struct sock *inet_lookup_established(struct net *net, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif);
struct sock *inet_lookup_listener(struct net *net, be32 saddr, be16 sport, be32 daddr, uint16_t hnum, int dif);

/* --- accept queue --------------------------------------------------------------------------------------------- */
struct sock *inet_csk_accept(struct sock *sk, int flags, int *err);
int inet_csk_listen_start(struct sock *sk, int backlog);
void inet_csk_listen_stop(struct sock *sk);
static inline bool sk_acceptq_is_full(const struct sock *sk) { return sk->sk_ack_backlog > sk->sk_max_ack_backlog; }
bool inet_csk_reqsk_queue_is_full(const struct sock *sk);
/* Appends an established child to the listener's accept queue and wakes it; false: listener is gone or full (child untouched). */
bool inet_csk_reqsk_queue_add(struct sock *sk, struct request_sock *req, struct sock *child);
struct dst_entry *inet_csk_route_req(const struct sock *sk, struct request_sock *req);

/* --- timers: move a deadline (tcp_timer.c) --------------------------------------------------------------------- */
void inet_csk_reset_xmit_timer(struct sock *sk, uint8_t what, uint64_t when_us); /* from now, capped at TCP_RTO_MAX */
void inet_csk_clear_xmit_timer(struct sock *sk, uint8_t what);                   /* ICSK_TIME_*: retransmit family */
void inet_csk_reset_delack_timer(struct sock *sk, uint64_t deadline_ns);
void inet_csk_clear_delack_timer(struct sock *sk);
void inet_csk_reset_keepalive_timer(struct sock *sk, uint64_t after_ns);
void inet_csk_delete_keepalive_timer(struct sock *sk);
static inline bool inet_csk_ack_scheduled(const struct sock *sk) { return inet_csk(sk)->icsk_ack.pending & ICSK_ACK_SCHED; }
static inline void inet_csk_schedule_ack(struct sock *sk) { inet_csk(sk)->icsk_ack.pending |= ICSK_ACK_SCHED; }
static inline void inet_csk_exit_pingpong_mode(struct sock *sk) { inet_csk(sk)->icsk_ack.pingpong = 0; }

#endif
