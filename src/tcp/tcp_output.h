/* SPDX-License-Identifier: MIT */
/* tcp_output.h - what the files of TCP's sending half share among themselves. */
#ifndef XMIT_TCP_TCP_OUTPUT_H
#define XMIT_TCP_TCP_OUTPUT_H

#include "tcp/tcp_internal.h"

/* The options of one segment, before they are written. */
struct tcp_out_options {
	uint8_t options;        /* OPT_* */
	uint8_t ws;             /* window scale of a SYN */
	uint8_t num_sack_blocks;
	uint16_t mss;           /* of a SYN, bytes; 0: none */
	uint32_t tsval, tsecr;
	const struct tcp_fastopen_cookie *fastopen;
};
enum { OPT_TS = 1, OPT_SACK_PERM = 2, OPT_WSCALE = 4, OPT_FASTOPEN = 8, OPT_MD5 = 16 };

/* tcp_options.c: sizes in bytes, multiples of 4. */
unsigned tcp_syn_options(struct sock *sk, struct tcp_out_options *opts);
unsigned tcp_synack_options(const struct request_sock *req, uint16_t mss, const struct tcp_fastopen_cookie *foc, struct tcp_out_options *opts);
unsigned tcp_established_options(struct sock *sk, struct tcp_out_options *opts);
void tcp_options_write(uint8_t *p, struct tcp_sock *tp, const struct tcp_out_options *opts);
static inline unsigned tcp_sack_options_len(const struct tcp_sock *tp) /* within what timestamps leave; 0: no block to send */
{
	unsigned blocks = tp->rx_opt.num_sacks + tp->rx_opt.dsack;
	if (likely(!blocks))
		return 0;
	unsigned most = tp->rx_opt.tstamp_ok ? 3 : 4;
	if (unlikely(tp->md5)) { /* its option leaves room for two, none beside timestamps */
		if (tp->rx_opt.tstamp_ok)
			return 0;
		most = 2;
	}
	return TCPOLEN_SACK_BASE_ALIGNED + MIN(blocks, most) * TCPOLEN_SACK_PERBLOCK;
}

/* tcp_mss.c */
uint16_t tcp_advertise_mss(struct sock *sk);
static inline uint32_t dst_metric_advmss(const struct dst_entry *dst) { return dst->ops->advmss(dst); }
static inline uint16_t tcp_mss_clamp(const struct tcp_sock *tp, uint32_t mss) /* TCP_MAXSEG bounds it */
{
	uint16_t user = tp->rx_opt.user_mss;
	return (uint16_t)(user && user < mss ? user : MIN(mss, 0xffffu));
}
uint32_t tcp_bound_to_half_wnd(const struct tcp_sock *tp, uint32_t bytes);

/* tcp_tso.c */
void tcp_adjust_pcount(struct sock *sk, const struct sk_buff *skb, int decr);
unsigned tcp_tso_segs(struct sock *sk, unsigned mss_now);
unsigned tcp_init_tso_segs(struct sk_buff *skb, unsigned mss_now);
unsigned tcp_mss_split_point(const struct sock *sk, const struct sk_buff *skb, unsigned mss_now, unsigned max_segs, int nonagle);
bool tcp_tso_should_defer(struct sock *sk, struct sk_buff *skb, bool *is_cwnd_limited, bool *is_rwnd_limited, unsigned max_segs);
void tcp_grow_skb(struct sock *sk, struct sk_buff *skb, uint32_t room); /* skb, the send head, is not the last */
int tso_fragment(struct sock *sk, struct sk_buff *skb, unsigned len, unsigned mss_now, enum mem_prio prio);
int tcp_skb_unclone(struct sk_buff *skb, enum mem_prio prio);

/* tcp_output.c */
void tcp_event_new_data_sent(struct sock *sk, struct sk_buff *skb);
bool tcp_nagle_check(bool partial, const struct tcp_sock *tp, int nonagle);
static inline bool tcp_urg_mode(const struct tcp_sock *tp) { return tp->snd_una != tp->snd_up; }
static inline bool tcp_skb_is_last(const struct sock *sk, const struct sk_buff *skb) { return skb_queue_is_last(&sk->sk_write_queue, skb); }

/* tcp_tsq.c: true when this socket has enough in qdisc and driver; the completion will go on. */
bool tcp_small_queue_check(struct sock *sk, const struct sk_buff *skb, unsigned factor);
void tcp_tsq_queue(struct sock *sk);

/* tcp_control.c */
void tcp_init_nondata_skb(struct sk_buff *skb, uint32_t seq, uint8_t flags);

/* tcp_stream.c: memory of the sending side. */
/* A charged, empty skb for the stream with `size` bytes of linear room, not yet queued; force: although the limits are reached.  NULL. */
struct sk_buff *tcp_stream_alloc_skb(struct sock *sk, unsigned size, enum mem_prio prio, bool force);
int tcp_wait_connect(struct sock *sk, uint64_t *timeo_ns);
int tcp_wait_memory(struct sock *sk, uint64_t *timeo_ns);
int tcp_stream_error(struct sock *sk, int err);
static inline void sk_wmem_queued_add(struct sock *sk, int n) { sk->sk_wmem_queued = (uint32_t)((int32_t)sk->sk_wmem_queued + n); }
static inline void sk_wmem_charge(struct sock *sk, int n) /* queued bytes and forward_alloc together */
{
	sk_wmem_queued_add(sk, n);
	sk_mem_charge(sk, n);
}

#endif
