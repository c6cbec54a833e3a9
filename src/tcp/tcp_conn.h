/* SPDX-License-Identifier: MIT */
/*
 * tcp_conn.h - what the files that make and end connections share: a connection before it is one (request_sock) and after it was one
 * (tcp_timewait_sock), the hash tables, bind buckets, the listener's queues.
 */
#ifndef XMIT_TCP_TCP_CONN_H
#define XMIT_TCP_TCP_CONN_H

#include "tcp/tcp_internal.h"

enum {
	INET_TABLE_MIN = 256,          /* buckets of a table at start; it doubles when there are as many entries */
	INET_LHASH_SIZE = 64,
	INET_TABLE_PERTURB = 256,      /* counters of the double-hash port choice, RFC 6056 3.3.4 */
};

/* --- what stands for a connection before and after it ------------------------------------------------------------------ */

/* A connection in SYN_RECV: 1/4 the size of a sock.  First members as struct sock has them, so that both lie in one hash. */
struct request_sock {
	struct hlist_node hash;       /* same place as sk_node */
	struct list_head queue_node;  /* in the listener's SYN queue (sk NULL, oldest first) or accept queue (sk set) */
	struct net *net;
	const struct proto *prot;
	uint16_t family;
	uint8_t state;                /* TCP_NEW_SYN_RECV, same place as sk_state */
	uint8_t num_timeout;
	uint32_t hashval;
	struct sock *listener;        /* counted */
	struct timer_list timer;
	be32 loc_addr, rmt_addr;
	be16 rmt_port, loc_port;
	uint16_t num;
	int iif;
	uint32_t rcv_isn, snt_isn, rcv_nxt, ts_off, ts_recent;
	uint32_t rsk_rcv_wnd, rsk_window_clamp;
	uint64_t snt_synack_us;       /* first SYN-ACK, for the RTT */
	uint32_t snt_tsval_first, snt_tsval_last; /* TSvals of our SYN-ACKs, as on the wire */
	uint64_t trace_cookie;
	uint32_t last_oow_ack_time_ms, mark, timeout_us, txhash;
	uint16_t mss;                 /* peer's MSS option, clamped */
	uint8_t snd_wscale : 4, rcv_wscale : 4;
	uint8_t tstamp_ok : 1, sack_ok : 1, wscale_ok : 1, ecn_ok : 1, acked : 1, cookie_ts : 1, tfo_listener : 1, is_cookie : 1;
	uint8_t num_retrans, tos;
	uint8_t syn_tos;              /* of the SYN (tcp_reflect_tos) */
	struct ip_options_data *opt;
	struct saved_syn *saved_syn;  /* TCP_SAVE_SYN; the child takes it over */
	uint64_t expires_ns;
	struct sock *sk;              /* the child, once it is there: counted by the accept queue */
};
static inline struct request_sock *inet_reqsk(const struct sock *sk) { return (struct request_sock *)sk; }
static_assert(offsetof(struct request_sock, state) == offsetof(struct sock, sk_state), "state is read through struct sock");
static_assert(offsetof(struct request_sock, hashval) == offsetof(struct sock, sk_hash), "hash is read through struct sock");

/* TIME_WAIT: likewise small, likewise in the same hash. */
struct tcp_timewait_sock {
	struct hlist_node hash;
	struct hlist_node bind_node;  /* same place as sk_bind_node */
	struct net *net;
	const struct proto *prot;
	uint16_t family;
	uint8_t state;                /* TCP_TIME_WAIT */
	uint8_t substate;             /* TCP_FIN_WAIT2 or TCP_TIME_WAIT */
	uint32_t hashval;
	struct inet_bind_bucket *tb;
	struct timer_list timer;
	be32 rcv_saddr, daddr;
	be16 dport, sport;
	uint16_t num;
	int bound_dev_if;
	uint8_t tos, rcv_wscale, accept_any;
	uint8_t reuse : 1, reuseport : 1;
	uint32_t rcv_nxt, snd_nxt, rcv_wnd, ts_offset, ts_recent, ts_recent_stamp_s, last_oow_ack_time_ms, mark, priority;
	uint64_t entry_ns;            /* when the wait began */
	struct tcp_md5_key *md5_key;  /* the peer's, a copy; NULL: none */
};
static_assert(offsetof(struct tcp_timewait_sock, state) == offsetof(struct sock, sk_state), "state is read through struct sock");
static_assert(offsetof(struct tcp_timewait_sock, bind_node) == offsetof(struct sock, sk_bind_node), "bind list holds both");
static inline struct tcp_timewait_sock *tcp_twsk(const struct sock *sk) { return (struct tcp_timewait_sock *)sk; }
/* Not a full sock: only the members shared above may be looked at. */
static inline bool sk_fullsock(const struct sock *sk) { return !(TCPF(sk->sk_state) & (TCPF(TCP_TIME_WAIT) | TCPF(TCP_NEW_SYN_RECV))); }

enum tcp_tw_status { TCP_TW_SUCCESS, TCP_TW_RST, TCP_TW_ACK, TCP_TW_SYN };
enum tcp_tw_status tcp_timewait_state_process(struct tcp_timewait_sock *tw, struct sk_buff *skb, const struct tcphdr *th, uint32_t *tw_isn);
void inet_twsk_kill(struct tcp_timewait_sock *tw);
/* Third ACK (or repeat of the SYN) for a request: the child, NULL (handled or dropped), or the listener's answer. */
/* skb is not consumed; with NULL *reason says why it should now be dropped. */
/* fastopen: sk is the child already (tcp_fastopen_server.c), and returned where the segment may go on to it. */
struct sock *tcp_check_req(struct sock *sk, struct sk_buff *skb, struct request_sock *req, bool fastopen, enum skb_drop_reason *reason);
struct sock *tcp_create_openreq_child(const struct sock *sk, struct request_sock *req, struct sk_buff *skb);
/* Gives skb to a child just made and drops the maker's reference of it.  As tcp_rcv_state_process: a reason: RST and drop are due. */
enum skb_drop_reason tcp_child_process(struct sock *parent, struct sock *child, struct sk_buff *skb);
void reqsk_put_unlink(struct request_sock *req);                /* out of the tables, freed */
uint32_t secure_tcp_seq(struct net *net, be32 saddr, be32 daddr, be16 sport, be16 dport);        /* RFC 6528 */
uint32_t secure_tcp_ts_off(struct net *net, be32 saddr, be32 daddr);
uint64_t secure_ipv4_port_ephemeral(struct net *net, be32 saddr, be32 daddr, be16 dport);         /* RFC 6056 */
uint32_t cookie_v4_init_sequence(struct net *net, const struct sk_buff *skb, uint16_t *mss);
struct sock *cookie_v4_check(struct sock *sk, struct sk_buff *skb, enum skb_drop_reason *reason);
/* TSval of a SYN-ACK with req->cookie_ts: the clock with the agreed options in its low bits; req->ts_off is still to be added. */
uint32_t cookie_init_timestamp(const struct request_sock *req, uint32_t now_ms);
int tcp_conn_request(struct sock *sk, struct sk_buff *skb);      /* a SYN for a listener; consumes */
/* Takes over dst; NULL: routed anew.  foc: the Fast Open option, or NULL. */
int tcp_v4_send_synack(const struct sock *sk, struct dst_entry *dst, struct request_sock *req, const struct tcp_fastopen_cookie *foc);
int inet_csk_reqsk_queue_len(const struct sock *sk);

/* --- tables ------------------------------------------------------------------------------------------------------------- */

/* A hash table whose nodes are the first member of their entries.  size is a power of two. */
struct inet_table {
	struct hlist_head *buckets;
	uint32_t size, count;
	uint32_t (*hash_of)(const struct hlist_node *n);
};

struct inet_hashinfo {
	struct inet_table ehash;       /* by 4-tuple: struct sock, request_sock, tcp_timewait_sock */
	struct inet_table bhash;       /* by port: struct inet_bind_bucket */
	struct hlist_head lhash[INET_LHASH_SIZE]; /* listeners by port */
	struct hlist_head accept_any;  /* listeners that take every destination */
	uint32_t table_perturb[INET_TABLE_PERTURB];
	uint64_t odd_first_until_ns[INET_TABLE_PERTURB]; /* no even port was free: till then connect() tries the odd ones first */
};

/* A local port in use: one for all its sockets. */
struct inet_bind_bucket {
	struct hlist_node node;
	struct hlist_head owners;      /* struct sock and tcp_timewait_sock, by sk_bind_node */
	uint16_t port;
	bool bound;                    /* somebody named it or listens; else only connect() put socks here */
	bool reuseport;                /* so far all who bound had SO_REUSEPORT when they did: who has it too may join them ... */
	uint16_t reuseport_family;     /* ... with this family */
	be32 reuseport_addr;           /* ... and address, or any where this is 0 */
};

/* Tuple as the local side sees it. */
struct inet_tuple {
	be32 laddr, raddr;
	uint16_t lport;                /* host order */
	be16 rport;
};

#define INET_HASH_LISTENER 0x80000000u /* set in sk_hash of listeners, never in that of the established table */

uint32_t inet_ehashfn(const struct net *net, be32 laddr, uint16_t lport, be32 raddr, be16 rport);
/* The entry of this connection other than self, or NULL; dif 0: any device. */
struct sock *inet_ehash_find(struct net *net, const struct inet_tuple *t, uint32_t hash, int dif, const struct sock *self);
/* Puts a sock, request or timewait entry whose hash is in place into the established table. */
void inet_ehash_insert(struct net *net, struct hlist_node *n, uint32_t hash);
void inet_ehash_remove(struct net *net, struct hlist_node *n); /* harmless when not hashed */
void inet_table_insert(struct net *net, struct inet_table *t, struct hlist_node *n, uint32_t hash);
void inet_table_remove(struct inet_table *t, struct hlist_node *n);
int inet_hashinfo_init(struct net *net);
void inet_hashinfo_exit(struct net *net);

/* inet_bind.c */
struct inet_bind_bucket *inet_bind_bucket_find(struct net *net, uint16_t port);
struct inet_bind_bucket *inet_bind_bucket_get(struct net *net, uint16_t port); /* found, or made for connect(); NULL: no memory */
void inet_bind_hash(struct sock *sk, struct inet_bind_bucket *tb);
void inet_bind_unlink(struct net *net, struct inet_bind_bucket *tb, struct hlist_node *bind_node);
/* A child shares its listener's bucket, or that of its own port where the listener takes any.  -ENOMEM. */
int inet_inherit_port(const struct sock *parent, struct sock *child);
/*
 * Nobody else may have this sock's 4-tuple.  A TIME_WAIT entry may give way (RFC 6191): it stands then in *tw, its sequence
 * numbers already in sk.  bound: the port is the user's own choice.  -EADDRNOTAVAIL.
 */
int inet_check_established(struct sock *sk, uint16_t port, bool bound, uint32_t *hash, struct tcp_timewait_sock **tw);
int inet_hash_established(struct sock *sk, uint16_t port, bool bound);

/* inet_connection_sock.c */
struct listen_sock {
	struct list_head requests;     /* SYN queue: request_sock.queue_node, oldest first */
	struct list_head accept;       /* accept queue: requests with their child, FIFO */
	uint32_t qlen;                 /* in requests */
	uint32_t young;                /* of those: SYN-ACK sent once so far */
	uint64_t overflow_ns;          /* when a SYN cookie was last sent; 0: never */
	bool flood_logged;
	/* Fast Open (tcp_fastopen_server.c): requests whose child took data and whose SYN-ACK is not acknowledged, and those lately reset. */
	uint32_t fastopen_qlen;
	struct list_head fastopen_rst; /* the latter, oldest first; expires_ns says until when they count */
};
void inet_csk_reqsk_queue_hash_add(struct sock *sk, struct request_sock *req);
void inet_csk_reqsk_unlink(struct request_sock *req); /* out of tables and SYN queue, timer off; still the caller's */
void reqsk_free(struct request_sock *req);            /* linked nowhere */
int inet_rtx_syn_ack(const struct sock *sk, struct request_sock *req);
/* Ends a sock that was never handed to a user and has the maker's reference: gone after this. */
void inet_csk_forced_close(struct sock *sk);
static inline void tcp_listendrop(const struct sock *sk) { NET_INC_STATS(sk->sk_net, ListenDrops); }

/* tcp_listen.c, tcp_minisocks.c, tcp_syncookies.c */
struct request_sock *inet_reqsk_alloc(struct sock *sk, const struct sk_buff *skb);
void tcp_openreq_init(struct request_sock *req, const struct tcp_options_received *opt, const struct sk_buff *skb);
void tcp_openreq_init_rwin(struct request_sock *req, const struct sock *sk, const struct dst_entry *dst);
void tcp_ecn_create_request(struct request_sock *req, const struct sk_buff *skb, const struct sock *sk, const struct dst_entry *dst);
void tcp_synack_rtt_meas(struct sock *child, const struct request_sock *req);
bool tcp_synq_no_recent_overflow(const struct sock *sk);
/* The child of a request that is in no table: made, hashed, in the accept queue.  Consumes req and dst.  NULL: dropped. */
struct sock *tcp_get_cookie_sock(struct sock *sk, struct sk_buff *skb, struct request_sock *req, struct dst_entry *dst);
struct sock *tcp_v4_syn_recv_sock(struct sock *sk, struct sk_buff *skb, struct request_sock *req, struct dst_entry *dst);
void tcp_secure_seq_init(struct net *net);

/* tcp_timewait.c */
bool tcp_twsk_unique(struct sock *sk, const struct tcp_timewait_sock *tw, bool bound);

/* tcp_ipv4_output.c, tcp_ipv4_sock.c */
void tcp_v4_timewait_ack(struct tcp_timewait_sock *tw, struct sk_buff *skb);
void tcp_v4_reqsk_send_ack(const struct request_sock *req, struct sk_buff *skb);
void tcp_v4_send_check(struct sock *sk, struct sk_buff *skb);

/* tcp_state.c */
enum skb_drop_reason tcp_rcv_synsent_state_process(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th);

/* --- small things ------------------------------------------------------------------------------------------------- */

/* Seconds for ts_recent_stamp_s, where 0 means never. */
static inline uint32_t net_tcp_now_s(const struct net *net) { return (uint32_t)(net->now_ns / NSEC_PER_SEC) + 1; }
static inline uint32_t net_tcp_ts_ms(const struct net *net) { return (uint32_t)(net->now_ns / NSEC_PER_MSEC); }

/* PAWS, RFC 7323 5.3 and 5.5: is the segment's timestamp older than TS.Recent by more than win, TS.Recent itself not outdated? */
static inline bool ts_is_old(const struct tcp_options_received *o, uint32_t now_s, int32_t win)
{
	if ((int32_t)(o->ts_recent - o->rcv_tsval) <= win || !o->ts_recent)
		return false;
	return now_s - o->ts_recent_stamp_s < TCP_PAWS_24DAYS_S;
}
/* A RST may carry an old timestamp once TS.Recent is itself an MSL old (RFC 7323 5.2). */
static inline bool ts_paws_reject(const struct tcp_options_received *o, uint32_t now_s, bool rst)
{
	return ts_is_old(o, now_s, 0) && !(rst && now_s - o->ts_recent_stamp_s >= TCP_PAWS_MSL_S);
}
/* RFC 9293 3.4 and table 6: does [seq, end_seq) touch the window [start, end)? */
static inline bool seq_in_window(uint32_t seq, uint32_t end_seq, uint32_t start, uint32_t end)
{
	if (seq == start || (seq_after(end_seq, start) && seq_before(seq, end)))
		return true;
	return seq == end && seq == end_seq;
}
static inline unsigned tcp_payload_len(const struct sk_buff *skb, const struct tcphdr *th) { return skb->len - tcp_hdrlen_of(th); }
static inline void tcp_segs_in(struct tcp_sock *tp, const struct sk_buff *skb)
{
	unsigned segs = MAX(1u, (unsigned)skb_shinfo(skb)->gso_segs);
	tp->segs_in += segs;
	if (skb->len > tcp_hdrlen_of(tcp_hdr(skb)))
		tp->data_segs_in += segs;
}
/* The MSS we announce over this route, TCP_MAXSEG considered. */
static inline uint16_t listener_advmss(const struct sock *sk, const struct dst_entry *dst)
{
	uint32_t mss = dst->ops->advmss(dst), user = tcp_sk(sk)->rx_opt.user_mss;
	return (uint16_t)MIN(user ? MIN(user, mss) : mss, 65535u);
}

#endif
