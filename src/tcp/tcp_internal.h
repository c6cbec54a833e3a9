/* SPDX-License-Identifier: MIT */
/*
 * tcp_internal.h - struct tcp_sock and what the files of tcp/ call of each other.  Sections name the file that defines them.
 * RFC 9293 unless a function says otherwise.
 */
#ifndef XMIT_TCP_TCP_INTERNAL_H
#define XMIT_TCP_TCP_INTERNAL_H

#include "core/sysctl.h"
#include "ip/ip.h"
#include "tcp/inet_connection_sock.h"
#include "tcp/tcp.h"
#include "wire/tcp.h"

enum {
	MAX_TCP_WINDOW = 32767,
	TCP_MIN_SNDMSS = 48,            /* least MSS we send by, bytes, options included */
	TCP_MAX_QUICKACKS = 16,
	TCP_INIT_CWND = 10,             /* segments, RFC 6928 */
	TCP_FASTRETRANS_THRESH = 3,     /* duplicate ACKs, RFC 5681 */
	TCP_MAX_REORDERING = 300,
	TCP_NUM_SACKS = 4,
	TCP_INFINITE_SSTHRESH = 0x7fffffff,
	TCP_SYN_RETRIES = 6, TCP_SYNACK_RETRIES = 5, TCP_RETR1 = 3, TCP_RETR2 = 15,
	MAX_TCP_KEEPIDLE = 32767, MAX_TCP_KEEPINTVL = 32767, MAX_TCP_KEEPCNT = 127, MAX_TCP_SYNCNT = 127,
	TCP_RTO_MAX_US = 120 * 1000000, TCP_RTO_MIN_US = 200 * 1000, TCP_TIMEOUT_INIT_US = 1000 * 1000, /* RFC 6298 2.1; Linux's minimum */
	TCP_TIMEOUT_FALLBACK_US = 3000 * 1000, TCP_TIMEOUT_MIN_US = 2000,
	TCP_TICK_US = 4000,                /* of a kernel with 250 ticks a second: its shortest timer, one less than which is as good as none */
	TCP_DELACK_MAX_US = 200 * 1000, TCP_DELACK_MIN_US = 40 * 1000, TCP_ATO_MIN_US = 40 * 1000,
	TCP_RESOURCE_PROBE_US = 500 * 1000,
	TCP_TIMEWAIT_S = 60, TCP_FIN_TIMEOUT_S = 60,
	TCP_PAWS_WINDOW = 1, TCP_PAWS_MSL_S = 60, TCP_PAWS_24DAYS_S = 24 * 24 * 60 * 60,
	TCP_BASE_MSS = 1024,
	TCP_RMEM_TO_WIN_SCALE = 8, TCP_DEFAULT_SCALING_RATIO = 128, /* tp->scaling_ratio */
	TCP_CA_MAX = 16,                /* congestion controls of an instance */
};
enum { TCP_CA_Open = 0, TCP_CA_Disorder = 1, TCP_CA_CWR = 2, TCP_CA_Recovery = 3, TCP_CA_Loss = 4 };
enum { /* tp->nonagle */ TCP_NAGLE_OFF = 1, TCP_NAGLE_CORK = 2, TCP_NAGLE_PUSH = 4 };
enum { /* tp->ecn_flags */ TCP_ECN_OK = 1, TCP_ECN_QUEUE_CWR = 2, TCP_ECN_DEMAND_CWR = 4, TCP_ECN_SEEN = 8 };
enum { /* tp->urg_data, above the urgent byte */ TCP_URG_VALID = 0x100, TCP_URG_NOTYET = 0x200, TCP_URG_READ = 0x400 };
enum { /* sk_tsq_flags bits */ TSQ_THROTTLED = 1, TSQ_QUEUED = 2 };

struct rate_sample;
struct request_sock;
struct tcp_congestion_ops;
struct tcp_timewait_sock;

struct tcp_sack_block { uint32_t start_seq, end_seq; };

/* What was learnt from a segment's options, and what the connection agreed on. */
struct tcp_options_received {
	uint32_t ts_recent;             /* TS.Recent, RFC 7323 4.3 */
	uint32_t ts_recent_stamp_s;     /* instance seconds when it was taken; 0: never */
	uint32_t rcv_tsval, rcv_tsecr;  /* of the last segment */
	uint16_t saw_tstamp : 1, tstamp_ok : 1, dsack : 1, wscale_ok : 1, sack_ok : 3, smc_ok : 1, snd_wscale : 4, rcv_wscale : 4;
	uint8_t num_sacks;              /* SACK blocks to send */
	uint16_t user_mss;              /* TCP_MAXSEG, 0: none */
	uint16_t mss_clamp;             /* most we may send: peer's MSS and user_mss */
};

/* Control block of an skb in TCP's hands. */
struct tcp_skb_cb {
	uint32_t seq, end_seq;          /* SYN and FIN count one each */
	union {
		struct { uint16_t tcp_gso_segs, tcp_gso_size; }; /* send */
		uint32_t tcp_tw_isn;    /* receive: ISN to use for a SYN that ends TIME_WAIT, 0: none */
	};
	uint8_t tcp_flags;              /* TCPHDR_* */
	uint8_t sacked;                 /* TCPCB_* */
	uint8_t ip_dsfield;
	uint8_t txstamp_ack : 1, eor : 1, has_rxtstamp : 1, is_csum_ok : 1;
	uint32_t ack_seq;               /* receive */
	union {
		struct {                /* send: at last transmission, for rate sampling */
			uint32_t delivered;
			uint64_t first_tx_mstamp_us, delivered_mstamp_us;
			uint8_t is_app_limited;
		} tx;
		struct inet_skb_parm header; /* receive: kept from IP */
	};
};
static_assert(sizeof(struct tcp_skb_cb) <= sizeof(((struct sk_buff *)0)->cb), "fits the control block");
static inline struct tcp_skb_cb *TCP_SKB_CB(const struct sk_buff *skb) { return (struct tcp_skb_cb *)(void *)skb->cb; }
enum {
	TCPCB_SACKED_ACKED = 1, TCPCB_SACKED_RETRANS = 2, TCPCB_LOST = 4, TCPCB_TAGBITS = 7, TCPCB_REPAIRED = 0x10,
	TCPCB_EVER_RETRANS = 0x80, TCPCB_RETRANS = TCPCB_SACKED_RETRANS | TCPCB_EVER_RETRANS | TCPCB_REPAIRED,
};
static inline unsigned tcp_skb_pcount(const struct sk_buff *skb) { return TCP_SKB_CB(skb)->tcp_gso_segs; }
static inline unsigned tcp_skb_mss(const struct sk_buff *skb) { return TCP_SKB_CB(skb)->tcp_gso_size; }
static inline struct tcphdr *tcp_hdr(const struct sk_buff *skb) { return (struct tcphdr *)(void *)skb_transport_header(skb); }

/*
 * State needed only while data is in flight or out of order: recovery, congestion-control private data, out-of-order queue.
 * Attached by tcp_activate() at the first data, detached when the connection has been idle for an RTO (tcp_timer.c).
 */
struct tcp_active {
	/* Sender: SACK and recovery. */
	struct tcp_sack_block recv_sack_cache[4];
	struct tcp_sack_block duplicate_sack[1]; /* D-SACK to send */
	struct tcp_sack_block selective_acks[TCP_NUM_SACKS]; /* receiver: blocks to advertise, newest first */
	struct rb_root out_of_order_queue;       /* receiver, by seq */
	struct sk_buff *ooo_last_skb;
	struct list_head tsorted;                /* skbs in flight, by the time of their last transmission (tcp_rack.c) */
	struct list_head lost_list;              /* skbs that are lost and wait to be sent again, by sequence (tcp_rack.c) */
	struct sk_buff *lost_hint;               /* the one that joined lost_list last, where the next may belong; NULL: none */
	uint32_t prior_ssthresh, undo_marker;
	int32_t undo_retrans;
	uint32_t retrans_stamp_ms;               /* when the first retransmission of this episode went out, TS clock; 0: none */
	uint32_t prr_delivered, prr_out, prior_cwnd;
	uint32_t frto_end, lost_total;
	uint32_t highest_sack_end;               /* end of the highest SACKed data; valid while sacked_out with SACK (tcp_sack.c) */
	uint32_t tlp_high_seq;                   /* snd_nxt when the loss probe was sent; 0: none is out (tcp_tlp.c) */
	uint64_t rack_mstamp_ns;                 /* of what was delivered, the last sent: when (tcp_rack.c) */
	uint64_t last_sent_ns;                   /* stamp of the last transmission */
	uint32_t rack_end_seq, rack_rtt_us;      /* where it ended; how long the latest delivery took */
	uint32_t rack_last_delivered;            /* tp->delivered when the reordering window was last widened */
	uint8_t rack_advanced : 1, rack_dsack_seen : 1, tlp_retrans : 1; /* look again; widen the window; the probe was no new data */
	/* Delivery rate (tcp_rate.c), cwnd validation, small queues, pacing (tcp_pacing.c), what held the sender (tcp_chrono.c). */
	uint64_t first_tx_mstamp_us;             /* when the first segment of the sampled flight was sent */
	uint64_t delivered_mstamp_us;            /* when tp->delivered last grew */
	uint32_t app_limited;                    /* tp->delivered up to which samples are limited by the application; 0: none */
	uint32_t max_packets_out, cwnd_usage_seq; /* cwnd validation: most segments of this flight, and its end */
	uint32_t snd_cwnd_used;                  /* segments: most in flight since cwnd was last full */
	struct sock *sk;
	struct list_head tsq_node;               /* in netns_tcp.tsq_list while TSQ_QUEUED */
	struct hrtimer compressed_ack_timer;     /* receiver: the end of the wait of compressed ACKs (tcp_delack.c) */
	uint32_t compressed_ack_rcv_nxt;         /* rcv_nxt that dup_ack_counter counts for */
	uint32_t compressed_ack;                 /* ACKs that were left out since the last; where tp->compressed */
	struct hrtimer pacing_timer;             /* the internal pacer, where no qdisc paces */
	uint64_t wstamp_ns;                      /* departure time of the next segment, at the earliest */
	uint64_t chrono_start_ns;                /* since when chrono_type holds */
	uint8_t chrono_type;                     /* enum tcp_chrono */
	_Alignas(8) uint8_t ca_priv[104];        /* congestion control's own */
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	struct tcp_active *active;      /* NULL while idle */
	struct tcp_ext *ext;            /* what few connections have (tcp_fastopen.h); NULL until needed */

	/* Receive sequence variables. */
	uint32_t rcv_nxt, copied_seq, rcv_wup;
	uint32_t rcv_wnd, rcv_ssthresh, window_clamp; /* bytes */
	/* Send sequence variables. */
	uint32_t snd_una, snd_nxt, snd_sml, write_seq, pushed_seq, snd_wl1, snd_up;
	uint32_t snd_wnd, max_window;   /* bytes, scaled */
	uint32_t isn_snd, isn_rcv;      /* for trace offsets: first data byte is isn + 1 */
	uint16_t mss_cache;             /* bytes of payload per segment now, options deducted */
	uint16_t advmss;                /* MSS we announce */
	uint16_t tcp_header_len;        /* bytes, options included, without SACK */
	uint16_t gso_segs;              /* segments in a super-segment, from tcp_tso_autosize */
	uint32_t packets_out, retrans_out, sacked_out, lost_out; /* segments */
	uint32_t snd_cwnd, snd_ssthresh, snd_cwnd_cnt, snd_cwnd_clamp; /* segments */
	uint32_t urg_seq;
	uint64_t snd_cwnd_stamp_ns, lsndtime_ns, rcv_tstamp_ns;
	uint32_t high_seq;              /* snd_nxt when recovery began */
	uint32_t reordering;            /* segments */
	/* Round-trip time, microseconds; srtt scaled by 8, the variances by 4, as RFC 6298 and Linux keep them. */
	uint32_t srtt_us, mdev_us, mdev_max_us, rttvar_us, rtt_seq, rtt_min_us;
	uint32_t rtt_min_stamp_ms, last_oow_ack_time_ms;
	uint64_t tcp_mstamp_us;         /* time of the event being handled */
	uint32_t tsoffset;              /* added to our timestamps, RFC 7323 5.4 */
	uint32_t delivered, delivered_ce; /* segments */
	uint32_t rate_delivered, rate_interval_us; /* latest delivery rate: segments in so many microseconds; 0, 0: none yet */
	uint32_t chrono_ms[3];          /* how long each of enum tcp_chrono (from BUSY on) held */
	struct tcp_options_received rx_opt;
	uint8_t nonagle : 4, ecn_flags : 4; /* TCP_NAGLE_*, TCP_ECN_* */
	uint8_t is_cwnd_limited : 1, is_sack_reneg : 1, rate_app_limited : 1, recvmsg_inq : 1, syn_data : 1, compressed : 1, tlp_orig_data_app_limited : 1, frto : 1;
	/* Fast Open: the SYN had the option (of the drafts), was the test of a lapsed black hole; all its data was acknowledged. */
	uint32_t syn_fastopen : 1, syn_fastopen_exp : 1, syn_fastopen_ch : 1, syn_data_acked : 1, fastopen_client_fail : 2;
	uint32_t fastopen_connect : 1, fastopen_no_cookie : 1; /* TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE */
	uint32_t defer_connect : 1;     /* connect() was called; the SYN waits for the first write */
	uint32_t tfo_rsk : 1;           /* ext->fastopen_rsk is set */
	uint32_t save_syn : 2;          /* TCP_SAVE_SYN: 1 from the IP header on, 2 from the link's */
	uint32_t mtup_on : 1, mtup_enabled : 1; /* ext->mtup is kept; probes are sent and segments are of its search_low */
	uint32_t md5 : 1;               /* ext->md5: keys of TCP-MD5 */
	uint32_t dup_ack_counter : 2;   /* duplicate ACKs sent, up to the three that are never compressed */
	uint32_t fastopen_child : 1;    /* of a listener: made by a SYN with a Fast Open cookie, before the handshake was over */
	uint32_t delack_short : 1;      /* tcp_delack_max_us() is below the usual delay: route or options ask for it */
	uint32_t write_pending : 1;     /* a writer waits for the handshake: the ACK of the SYN-ACK will ride on its data */
	uint8_t scaling_ratio;          /* payload that a byte of receive buffer holds, as segments were seen to have, 1/256; never 0 */
	uint8_t keepalive_probes;       /* TCP_KEEPCNT, 0: the sysctl's */
	uint8_t defer_accept;
	uint8_t rack_reo_steps, rack_reo_persist; /* reordering window: quarters of the least RTT beyond one; recoveries that this still lasts */
	uint16_t urg_data;              /* urgent byte and TCP_URG_*; where it is: urg_seq */
	uint32_t pred_flags;            /* header prediction: doff, flags, window as they should come; network order; 0: off */
	struct { uint32_t rtt_us, seq; uint64_t time_us; } rcv_rtt_est;
	struct { uint32_t space, seq; uint64_t time_us; } rcvq_space;
	uint32_t total_retrans;
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out;
	uint32_t dsack_dups, reord_seen, rcv_ooopack;
	uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
};
static inline struct tcp_sock *tcp_sk(const struct sock *sk) { return (struct tcp_sock *)sk; }
static inline uint32_t tcp_rto_max_us(const struct sock *sk) { return inet_csk(sk)->icsk_rto_max_us; }
static inline struct tcp_active *tcp_act(const struct sock *sk) { return tcp_sk(sk)->active; }

/* --- per instance ----------------------------------------------------------------------------------------------- */

struct netns_tcp {
	struct proto_mem mem;
	struct tcp_metrics *metrics;         /* of destinations (tcp_metrics.c); NULL: nothing is remembered */
	struct tcp_fastopen_state *fastopen; /* keys, what is known of servers (tcp_fastopen.c) */
	struct inet_hashinfo *hashinfo;
	struct kmem_cache *active_cache, *request_cache, *tw_cache, *bind_cache;
	uint64_t recovery_work;         /* skbs that loss recovery looked at: bounded by what ACKs tell anew (tests hold it to that) */
	struct list_head tsq_list;      /* socks whose small-queue budget came back (run at the end of NET_TX) */
	int32_t orphan_count, tw_count;
	uint32_t challenge_count; uint64_t challenge_second;
	struct siphash_key secret_isn, secret_ts, secret_port, secret_cookie[2];
	/* sysctls net.ipv4.*, Linux's defaults */
	int32_t sysctl_tcp_wmem[3], sysctl_tcp_rmem[3];
	int32_t sysctl_tcp_sack, sysctl_tcp_dsack, sysctl_tcp_timestamps, sysctl_tcp_window_scaling, sysctl_tcp_ecn, sysctl_tcp_ecn_fallback;
	int32_t sysctl_tcp_syn_retries, sysctl_tcp_syn_linear_timeouts, sysctl_tcp_synack_retries, sysctl_tcp_retries1, sysctl_tcp_retries2, sysctl_tcp_orphan_retries;
	int32_t sysctl_tcp_syncookies, sysctl_tcp_max_syn_backlog, sysctl_tcp_abort_on_overflow, sysctl_somaxconn;
	int32_t sysctl_tcp_keepalive_time, sysctl_tcp_keepalive_probes, sysctl_tcp_keepalive_intvl;
	int32_t sysctl_tcp_fin_timeout, sysctl_tcp_tw_reuse, sysctl_tcp_max_tw_buckets, sysctl_tcp_max_orphans;
	int32_t sysctl_tcp_reordering, sysctl_tcp_max_reordering, sysctl_tcp_frto, sysctl_tcp_recovery, sysctl_tcp_early_retrans;
	int32_t sysctl_tcp_no_metrics_save, sysctl_tcp_no_ssthresh_metrics_save, sysctl_tcp_slow_start_after_idle, sysctl_tcp_moderate_rcvbuf, sysctl_tcp_adv_win_scale;
	int32_t sysctl_tcp_app_win, sysctl_tcp_rfc1337, sysctl_tcp_stdurg, sysctl_tcp_thin_linear_timeouts, sysctl_tcp_autocorking;
	int32_t sysctl_tcp_limit_output_bytes, sysctl_tcp_challenge_ack_limit, sysctl_tcp_invalid_ratelimit, sysctl_tcp_min_tso_segs;
	int32_t sysctl_tcp_tso_win_divisor, sysctl_tcp_mtu_probing, sysctl_tcp_base_mss, sysctl_tcp_min_snd_mss, sysctl_tcp_workaround_signed_windows;
	int32_t sysctl_tcp_retrans_collapse, sysctl_tcp_fastopen, sysctl_tcp_pacing_ss_ratio, sysctl_tcp_pacing_ca_ratio;
	int32_t sysctl_tcp_min_rtt_wlen, sysctl_tcp_rto_min_us, sysctl_tcp_rto_max_ms, sysctl_tcp_shrink_window, sysctl_tcp_reflect_tos, sysctl_tcp_tw_reuse_delay, sysctl_tcp_fack, sysctl_tcp_comp_sack_nr;
	uint32_t sysctl_tcp_notsent_lowat;     /* bytes; UINT32_MAX: none */
	int32_t sysctl_tcp_fastopen_blackhole_timeout_sec, sysctl_tcp_pingpong_thresh;
	uint64_t sysctl_tcp_comp_sack_delay_ns, sysctl_tcp_comp_sack_slack_ns;
	int32_t sysctl_tcp_mtu_probe_floor, sysctl_tcp_probe_threshold, sysctl_tcp_probe_interval;
	int32_t sysctl_tcp_tso_rtt_log;
	char sysctl_tcp_congestion_control[16]; /* "cubic" */
	const struct tcp_congestion_ops *ca[TCP_CA_MAX]; /* what there is, in order of registration */
	uint32_t ca_count, ca_allowed;         /* bit i: ca[i] is for everybody */
};
extern const struct inet_connection_sock_af_ops ipv4_specific;

/* Interactive (net.ipv4.tcp_pingpong_thresh answers that followed data at once): ACKs ride on data. */
static inline bool inet_csk_in_pingpong_mode(const struct sock *sk)
{
	return inet_csk(sk)->icsk_ack.pingpong >= sk->sk_net->tcp->sysctl_tcp_pingpong_thresh;
}
static inline void inet_csk_enter_pingpong_mode(struct sock *sk)
{
	inet_csk(sk)->icsk_ack.pingpong = (uint8_t)sk->sk_net->tcp->sysctl_tcp_pingpong_thresh;
}

/* --- sizes of things in flight ------------------------------------------------------------------------------------- */
static inline unsigned tcp_left_out(const struct tcp_sock *tp) { return tp->sacked_out + tp->lost_out; }
static inline unsigned tcp_packets_in_flight(const struct tcp_sock *tp) { return tp->packets_out - tcp_left_out(tp) + tp->retrans_out; }
static inline bool tcp_in_slow_start(const struct tcp_sock *tp) { return tp->snd_cwnd < tp->snd_ssthresh; }
static inline bool tcp_is_sack(const struct tcp_sock *tp) { return tp->rx_opt.sack_ok; }
static inline uint32_t tcp_wnd_end(const struct tcp_sock *tp) { return tp->snd_una + tp->snd_wnd; }
static inline struct sk_buff *tcp_send_head(const struct sock *sk) { return skb_peek(&sk->sk_write_queue); }
static inline struct sk_buff *tcp_write_queue_tail(const struct sock *sk) { return skb_peek_tail(&sk->sk_write_queue); }
static inline struct sk_buff *tcp_rtx_queue_head(const struct sock *sk) { return rb_to_skb(rb_first(&sk->tcp_rtx_queue)); }
static inline struct sk_buff *tcp_rtx_queue_tail(const struct sock *sk) { return rb_to_skb(rb_last(&sk->tcp_rtx_queue)); }
static inline bool tcp_rtx_queue_empty(const struct sock *sk) { return rb_empty(&sk->tcp_rtx_queue); }
static inline bool tcp_write_queue_empty(const struct sock *sk) { return skb_queue_empty(&sk->sk_write_queue); }
static inline bool tcp_rtx_and_write_queues_empty(const struct sock *sk) { return tcp_rtx_queue_empty(sk) && tcp_write_queue_empty(sk); }
void tcp_rtx_queue_insert(struct sock *sk, struct sk_buff *skb);   /* tcp_output.c */
/* skb was sent just now. */
static inline void tcp_tsorted_add(struct tcp_active *act, struct sk_buff *skb)
{
	act->last_sent_ns = skb->skb_mstamp_ns = MAX(skb->skb_mstamp_ns, act->last_sent_ns + 1);
	list_add_tail(&skb->tcp_tsorted, &act->tsorted);
}
/* Out of tsorted or lost_list, if it is in one of them. */
static inline void tcp_tsorted_unlink(struct sock *sk, struct sk_buff *skb)
{
	struct list_head *n = &skb->tcp_tsorted;

	if (!n->next)
		return;
	if (unlikely(tcp_act(sk)->lost_hint == skb))
		tcp_act(sk)->lost_hint = NULL;
	n->next->prev = n->prev;
	n->prev->next = n->next;
	n->next = n->prev = NULL;
}
/* buff was cut off the end of skb: it is in the same list, behind it. */
static inline void tcp_tsorted_place_behind(struct sock *sk, struct sk_buff *skb, struct sk_buff *buff)
{
	tcp_tsorted_unlink(sk, buff);
	buff->skb_mstamp_ns = skb->skb_mstamp_ns; /* one transmission */
	if (skb->tcp_tsorted.next)
		list_add(&buff->tcp_tsorted, &skb->tcp_tsorted);
}
static inline void tcp_rtx_queue_unlink(struct sk_buff *skb, struct sock *sk)
{
	tcp_tsorted_unlink(sk, skb);
	rb_erase(&skb->rbnode, &sk->tcp_rtx_queue);
}
static inline void tcp_mstamp_refresh(struct tcp_sock *tp) { tp->tcp_mstamp_us = ((struct sock *)tp)->sk_net->now_ns / 1000; }
/* Timestamp clock, milliseconds (1 kHz, as Linux), before tsoffset. */
static inline uint32_t tcp_time_stamp_ms(const struct tcp_sock *tp) { return (uint32_t)(tp->tcp_mstamp_us / 1000); }
static inline uint32_t tcp_receive_window(const struct tcp_sock *tp)
{
	int32_t win = (int32_t)(tp->rcv_wup + tp->rcv_wnd - tp->rcv_nxt);
	return win < 0 ? 0 : (uint32_t)win;
}
/*
 * tcp.c: attaches a zeroed tcp_active (no-op when there is one); 0 or -ENOMEM.  If icsk_ca_initialized is set, the congestion control's
 * init() runs on the fresh ca_priv: so tcp_init_congestion_control() of a sock without active part only sets the flag.
 */
int tcp_activate(struct sock *sk);
void tcp_deactivate(struct sock *sk);   /* tcp.c: detaches it (CC's release() runs) and sk_frag; out-of-order queue must be empty */

/* --- tcp.c, tcp_sendmsg.c, tcp_recvmsg.c, tcp_sockopt.c: the user's side ---------------------------------------------- */
int tcp_init_sock(struct sock *sk);
void tcp_set_state(struct sock *sk, int state);
ssize_t tcp_sendmsg(struct sock *sk, struct msghdr_k *msg);
ssize_t tcp_recvmsg(struct sock *sk, struct msghdr_k *msg, int flags);
void tcp_close(struct sock *sk, uint64_t timeout_ns);
void tcp_done(struct sock *sk);
void tcp_reset(struct sock *sk, struct sk_buff *skb);            /* a valid RST came in */
void tcp_fin(struct sock *sk);                                    /* tcp_state.c: a FIN was received in order */
void tcp_write_queue_purge(struct sock *sk);
void tcp_cleanup_rbuf(struct sock *sk, size_t copied);            /* ACK if reading opened the window */
int tcp_send_mss(struct sock *sk, int *size_goal, unsigned flags);
int tcp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len);
int tcp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len);
unsigned tcp_poll(struct sock *sk);
int tcp_ioctl(struct sock *sk, unsigned long cmd, void *arg);
void tcp_shutdown(struct sock *sk, int how);
int tcp_disconnect(struct sock *sk);
void tcp_destroy_sock(struct sock *sk);                           /* proto.destroy */
void inet_csk_destroy_sock(struct sock *sk);                      /* CLOSEd and orphaned: last steps, then sk_free */
bool tcp_check_oom(struct sock *sk);                              /* too many orphans or out of memory */
/*
 * A third of the send buffer became free and somebody waits (SOCK_F_NOSPACE).  Also called by tcp_probe_timer() when it finds nothing queued
 * and nothing in flight: that is how a writer is woken that was refused for lack of memory.
 */
void tcp_check_space(struct sock *sk);
/* True when the unsent part is below notsent_lowat. */
bool tcp_stream_memory_free(const struct sock *sk);
bool tcp_stream_half_free(const struct sock *sk);
void tcp_sndbuf_expand(struct sock *sk);                          /* send-buffer auto-tuning: at establishment and as cwnd grows (tcp.c) */
static inline int tcp_space(const struct sock *sk);               /* below */
void tcp_free_skb(struct sock *sk, struct sk_buff *skb);          /* an skb of the write or rtx queue: uncharge, consume */

/* --- tcp_output.c, tcp_tso.c, tcp_options.c ----------------------------------------------------------------------------- */
int tcp_connect(struct sock *sk);                                 /* T10 */
void __tcp_push_pending_frames(struct sock *sk, unsigned cur_mss, int nonagle);
void tcp_push_one(struct sock *sk, unsigned mss_now);
static inline void tcp_push_pending_frames(struct sock *sk);
bool tcp_write_xmit(struct sock *sk, unsigned mss_now, int nonagle, int push_one, enum mem_prio prio);
int tcp_transmit_skb(struct sock *sk, struct sk_buff *skb, int clone_it, enum mem_prio prio); /* T9 */
int tcp_retransmit_skb(struct sock *sk, struct sk_buff *skb, int segs);
int tcp_retransmit_probe(struct sock *sk, struct sk_buff *skb);   /* one segment, not counted as a retransmission in flight */
void tcp_xmit_retransmit_queue(struct sock *sk);                  /* what recovery marked lost, as cwnd allows */
void tcp_send_ack(struct sock *sk);
void tcp_send_delayed_ack(struct sock *sk);
uint32_t tcp_delack_max_us(const struct sock *sk); /* longest delay of an ACK: TCP_DELACK_MAX_US, below the least RTO */
void tcp_bound_delack(struct sock *sk);            /* what that follows from has changed */
uint32_t tcp_rto_min_us(const struct sock *sk);    /* of the route, the socket or the sysctl */
void tcp_compressed_ack_sent(struct sock *sk, bool instead);      /* tcp_delack.c: an ACK goes out, tp->compressed stands */
void tcp_send_fin(struct sock *sk);
void tcp_send_active_reset(struct sock *sk, enum mem_prio prio);
int tcp_send_synack(struct sock *sk);                             /* simultaneous open */
int tcp_write_wakeup(struct sock *sk, int mib);                   /* zero-window and keepalive probe */
void tcp_send_probe0(struct sock *sk);
/* SYN-ACK for req but for its checksum, which the caller adds; takes over one reference of dst in every case.  NULL: no memory. */
struct tcp_fastopen_cookie;
struct sk_buff *tcp_make_synack(const struct sock *sk, struct dst_entry *dst, struct request_sock *req, const struct tcp_fastopen_cookie *foc);
int tcp_fragment(struct sock *sk, bool in_rtx_queue, struct sk_buff *skb, uint32_t len, unsigned mss_now, enum mem_prio prio);
int tcp_trim_head(struct sock *sk, struct sk_buff *skb, uint32_t len);
unsigned tcp_sync_mss(struct sock *sk, uint32_t pmtu);
void tcp_resync_mss(struct sock *sk); /* over the path MTU as it is known: headers or the peer's window are no longer what they were */
unsigned tcp_current_mss(struct sock *sk);
/* tcp_mtu_probe.c: no probe has been made yet; where probing is on, the MSS begins low.  Before the first tcp_sync_mss(). */
void tcp_mtup_init(struct sock *sk);
int tcp_mss_to_mtu(struct sock *sk, int mss);
int tcp_mtu_to_mss(struct sock *sk, int pmtu);
uint16_t tcp_select_window(struct sock *sk);
uint32_t __tcp_select_window(struct sock *sk);
void tcp_select_initial_window(const struct sock *sk, int space, uint32_t mss, uint32_t *rcv_wnd, uint32_t *window_clamp, int wscale_ok,
			       uint8_t *rcv_wscale, uint32_t init_rcv_wnd);
/* sk_setup_caps (T1): what the device of sk_dst_cache can do -> sk_route_caps, sk_gso_*.  After each sk_dst_set() of a TCP sock. */
void tcp_init_xmit_tso(struct sock *sk);
void tcp_set_skb_tso_segs(struct sk_buff *skb, unsigned mss_now);
void tcp_cwnd_restart(struct sock *sk, uint64_t idle_ns);
void tcp_slow_start_after_idle_check(struct sock *sk);
void tcp_wfree(struct sk_buff *skb);                              /* destructor below the socket: small-queue budget */
int tcp_tsq_run(struct net *net, int budget);                     /* socks that got budget back */
void tcp_skb_collapse_tstamp(struct sk_buff *skb, const struct sk_buff *next);
unsigned tcp_synack_options_len(const struct request_sock *req);
extern const struct net_offload tcpv4_offload;                    /* tcp_offload.c */
static inline void tcp_push_pending_frames(struct sock *sk)
{
	if (tcp_send_head(sk))
		__tcp_push_pending_frames(sk, tcp_current_mss(sk), tcp_sk(sk)->nonagle);
}

/* --- tcp_input.c, tcp_ack.c, tcp_sack.c, tcp_recovery.c, tcp_rcvbuf.c ----------------------------------------------------- */
void tcp_rcv_established(struct sock *sk, struct sk_buff *skb);   /* consumes */
/* Every state but ESTABLISHED and TIME_WAIT; tcp_state.c.  Consumes skb unless it returns a reason: then the caller sends RST and drops. */
enum skb_drop_reason tcp_rcv_state_process(struct sock *sk, struct sk_buff *skb);
/* Shared checks of PAWS, RST, SYN, sequence (RFC 9293 3.10.7.4, RFC 5961).  False: skb was consumed. */
bool tcp_validate_incoming(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th, int syn_inerr);
/* > 0 acceptable, 0 old, < 0 (a -SKB_DROP_REASON_*) invalid. */
int tcp_ack(struct sock *sk, const struct sk_buff *skb, int flag);
enum { FLAG_DATA = 1, FLAG_WIN_UPDATE = 2, FLAG_DATA_ACKED = 4, FLAG_RETRANS_DATA_ACKED = 8, FLAG_SYN_ACKED = 0x10, FLAG_DATA_SACKED = 0x20,
	FLAG_ECE = 0x40, FLAG_LOST_RETRANS = 0x80, FLAG_SLOWPATH = 0x100, FLAG_ORIG_SACK_ACKED = 0x200, FLAG_SND_UNA_ADVANCED = 0x400,
	FLAG_DSACKING_ACK = 0x800, FLAG_SET_XMIT_TIMER = 0x1000, FLAG_SACK_RENEGING = 0x2000, FLAG_UPDATE_TS_RECENT = 0x4000,
	FLAG_NO_CHALLENGE_ACK = 0x8000, FLAG_ACK_MAYBE_DELAYED = 0x10000, FLAG_DSACK_TLP = 0x20000 };
void tcp_data_queue(struct sock *sk, struct sk_buff *skb);        /* consumes; ofo queue, SACK blocks */
static inline void tcp_drop(struct sock *sk, struct sk_buff *skb, enum skb_drop_reason reason)
{
	sk_drops_inc(sk);
	skb_drop(skb, reason);
}
void tcp_urg(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th);
void tcp_data_snd_check(struct sock *sk);                         /* push what an ACK allowed, wake the writer */
void tcp_ack_snd_check(struct sock *sk);                          /* now, delayed or none */
void tcp_parse_options(const struct net *net, const struct sk_buff *skb, struct tcp_options_received *opt, bool estab);
void tcp_finish_connect(struct sock *sk, struct sk_buff *skb);    /* tcp_state.c */
void tcp_init_transfer(struct sock *sk, struct sk_buff *skb);     /* buffers, congestion control, metrics at establishment */
void tcp_initialize_rcv_mss(struct sock *sk);
void tcp_init_buffer_space(struct sock *sk);
void tcp_set_window_clamp(struct sock *sk, uint32_t clamp);        /* of a connection: the window on offer follows */
void tcp_set_rcvlowat(struct sock *sk, int val);                  /* SO_RCVLOWAT, bytes >= 0 */
void tcp_rcv_space_adjust(struct sock *sk);                       /* the application read: receive-buffer auto-tuning */
int tcp_prune_queue(struct sock *sk, const struct sk_buff *in_skb);
void tcp_send_challenge_ack(struct sock *sk);
bool tcp_oow_rate_limited(struct net *net, const struct sk_buff *skb, int mib, uint32_t *last_oow_ack_time_ms);
void tcp_enter_loss(struct sock *sk);                             /* RTO */
void tcp_enter_cwr(struct sock *sk);
void tcp_clear_retrans(struct tcp_sock *tp);
void tcp_rearm_rto(struct sock *sk);
void tcp_set_rto(struct sock *sk);
void tcp_rtt_estimator(struct sock *sk, uint64_t mrtt_us);        /* RFC 6298 */
void tcp_ack_update_rtt_synack(struct sock *sk, uint64_t seq_rtt_us);
void tcp_simple_retransmit(struct sock *sk);                      /* path MTU shrank */
void tcp_non_congestion_loss_retransmit(struct sock *sk);         /* what is marked lost goes again; the network is not to blame */
/* tcp_fastopen_client.c: sendto(MSG_FASTOPEN), and the first write after a deferred connect(); see socket/inet_connect.c. */
int tcp_fastopen_begin(struct sock *sk, struct msghdr_k *msg);   /* -EOPNOTSUPP, -EALREADY, -ENOBUFS; then connect, then _end */
size_t tcp_fastopen_end(struct sock *sk);                        /* bytes of msg that went with the SYN */
bool tcp_fastopen_data_waits(const struct sock *sk);             /* more of msg is to be written once connected */
void tcp_enter_quickack_mode(struct sock *sk, unsigned max_quickacks);
void tcp_grow_window(struct sock *sk, const struct sk_buff *skb);
void tcp_measure_rcv_mss(struct sock *sk, const struct sk_buff *skb);
void tcp_fast_path_check(struct sock *sk);
void tcp_fast_path_on(struct tcp_sock *tp);
void tcp_replace_ts_recent(struct tcp_sock *tp, uint32_t seq);
void tcp_ofo_queue_purge(struct sock *sk);
void tcp_ecn_rcv_syn(struct tcp_sock *tp, const struct tcphdr *th);
void tcp_ecn_rcv_synack(struct tcp_sock *tp, const struct tcphdr *th);
uint32_t tcp_init_cwnd(const struct tcp_sock *tp, const struct dst_entry *dst);
/* Bytes of receive buffer that may be advertised as window. */
static inline int tcp_win_from_space(const struct sock *sk, int space)
{
	return (int)((int64_t)space * tcp_sk(sk)->scaling_ratio >> TCP_RMEM_TO_WIN_SCALE);
}
static inline uint32_t tcp_space_from_win(const struct sock *sk, uint32_t win)
{
	return (uint32_t)MIN(((uint64_t)win << TCP_RMEM_TO_WIN_SCALE) / tcp_sk(sk)->scaling_ratio, (uint64_t)INT32_MAX);
}
static inline int tcp_space(const struct sock *sk) { return tcp_win_from_space(sk, sk->sk_rcvbuf - (int)sk->sk_rmem_alloc); }
static inline int tcp_full_space(const struct sock *sk) { return tcp_win_from_space(sk, sk->sk_rcvbuf); }

/* --- tcp_rate.c, tcp_pacing.c, tcp_chrono.c -------------------------------------------------------------------------------- */
void tcp_rate_skb_sent(struct sock *sk, struct sk_buff *skb);     /* skb, of the retransmit queue or about to join it, went out */
void tcp_rate_skb_delivered(struct sock *sk, struct sk_buff *skb, struct rate_sample *rs); /* acknowledged or SACKed for the first time */
void tcp_rate_gen(struct sock *sk, uint32_t delivered, uint32_t lost, bool is_sack_reneg, struct rate_sample *rs);
void tcp_rate_check_app_limited(struct sock *sk);                 /* before the application's next bytes join the queue */
uint64_t tcp_delivery_rate(const struct tcp_sock *tp);            /* bytes a second; 0: none measured */
bool __tcp_pacing_check(struct sock *sk);
/* True: the next segment's time has not come; the pacing timer will send it. */
static inline bool tcp_pacing_check(struct sock *sk) { return unlikely(sk->sk_pacing_status == SK_PACING_NEEDED) && __tcp_pacing_check(sk); }
void tcp_pacing_sent(struct sock *sk, uint32_t len, uint64_t prior_wstamp_ns); /* len bytes departed at act->wstamp_ns: when may the next? */
void tcp_pacing_needed(struct sock *sk);                          /* a congestion control or SO_MAX_PACING_RATE asks for it */
uint64_t tcp_pacing_delay_us(const struct sock *sk);              /* until the next segment may depart: timers start that much later */
void tcp_pacing_timer(struct net *net, struct hrtimer *t);
/* What a sender with data waits for, least important first (RFC 4898's idea). */
enum tcp_chrono { TCP_CHRONO_UNSPEC, TCP_CHRONO_BUSY, TCP_CHRONO_RWND_LIMITED, TCP_CHRONO_SNDBUF_LIMITED };
void __tcp_chrono_start(struct sock *sk, enum tcp_chrono type);
void __tcp_chrono_stop(struct sock *sk, enum tcp_chrono type);
static inline void tcp_chrono_start(struct sock *sk, enum tcp_chrono type)
{
	const struct tcp_active *act = tcp_act(sk);
	if (act && type > act->chrono_type)
		__tcp_chrono_start(sk, type);
}
static inline void tcp_chrono_stop(struct sock *sk, enum tcp_chrono type)
{
	const struct tcp_active *act = tcp_act(sk);
	if (act && (type == act->chrono_type || type == TCP_CHRONO_BUSY))
		__tcp_chrono_stop(sk, type);
}
void tcp_chrono_read(const struct sock *sk, uint64_t us[4]);      /* us[type], what is running included */
static inline void *inet_csk_ca(const struct sock *sk) { return tcp_act(sk)->ca_priv; }
static inline bool tcp_ca_is_running(const struct sock *sk) { return tcp_act(sk) && inet_csk(sk)->icsk_ca_initialized; }

/* --- tcp_timer.c ------------------------------------------------------------------------------------------------------------ */
void tcp_init_xmit_timers(struct sock *sk);
void tcp_clear_xmit_timers(struct sock *sk);
void tcp_retransmit_timer(struct sock *sk);
void tcp_set_keepalive(struct sock *sk, bool on);
uint64_t keepalive_time_when_ns(const struct tcp_sock *tp);
uint64_t tcp_probe0_base_us(const struct sock *sk);
uint64_t tcp_probe0_when_us(const struct sock *sk, uint64_t max_when_us);
uint64_t tcp_probe0_within_user_timeout(const struct sock *sk, uint64_t when_us); /* when_us, or sooner: not past TCP_USER_TIMEOUT */
void tcp_check_probe_timer(struct sock *sk);

/* --- tcp_ipv4.c, tcp_timewait.c, tcp_state.c ---------------------------------------------------------------------------------- */
int tcp_v4_rcv(struct sk_buff *skb);
int tcp_v4_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info);
int tcp_v4_connect(struct sock *sk, const struct sockaddr_any *addr, socklen_t len);
void tcp_v4_mtu_reduced(struct sock *sk);
/* RST in answer to skb; sk may be NULL (RFC 9293 3.5.2). */
void tcp_v4_send_reset(const struct sock *sk, struct sk_buff *skb);
void tcp_time_wait(struct sock *sk, int substate, uint64_t timeo_ns);
void tcp_v4_do_rcv(struct sock *sk, struct sk_buff *skb);          /* a segment for a full sock, by state; consumes */
uint64_t tcp_fin_time_ns(const struct sock *sk);                  /* how long FIN_WAIT2 lasts for an orphan; tcp_state.c */
/* The route of sk is dst (takes over the reference): what its device can is noted in sk_route_caps and the GSO limits. */
void sk_setup_caps(struct sock *sk, struct dst_entry *dst);
/* Tables, caches, secrets, registration with IP; -errno.  exit frees every sock, request and TIME_WAIT entry that is left. */
int tcp_ipv4_init(struct net *net);
void tcp_ipv4_exit(struct net *net);

/* Records a TCP event or hop of sk over a range of sequence numbers of its stream. */
static inline void tcp_trace(const struct sock *sk, enum trace_point point, uint32_t seq, uint32_t end_seq, uint32_t len)
{
	if (unlikely(sk->sk_net->trace.on)) {
		uint32_t base = tcp_sk(sk)->isn_snd + 1;
		trace_record(sk->sk_net, point, sk->sk_cookie, seq - base, end_seq - base, len, 0);
	}
}

#endif
