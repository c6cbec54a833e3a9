/* SPDX-License-Identifier: MIT */
/* tcp_input.h - what the receiving files of tcp/ call of each other, and nobody else. */
#ifndef XMIT_TCP_TCP_INPUT_H
#define XMIT_TCP_TCP_INPUT_H

#include "tcp/tcp_cong.h"

enum { /* unions of FLAG_* that several steps ask for */
	FLAG_ACKED = FLAG_DATA_ACKED | FLAG_SYN_ACKED,
	FLAG_NOT_DUP = FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED,
	FLAG_CA_ALERT = FLAG_DATA_SACKED | FLAG_ECE | FLAG_DSACKING_ACK,
	FLAG_FORWARD_PROGRESS = FLAG_ACKED | FLAG_DATA_SACKED,
};
enum { /* rx_opt.sack_ok, beside "agreed on" */ TCP_SACK_SEEN = 1, TCP_DSACK_SEEN = 4 };

/* One ACK on its way through tcp_ack(): what it said, what was before, what it did. */
struct tcp_ack_ctx {
	const struct sk_buff *skb;
	int flag;                       /* FLAG_* */
	uint32_t ack, ack_seq;
	uint32_t prior_snd_una, prior_fack, prior_in_flight, prior_delivered, prior_lost;
	uint32_t reord;                 /* lowest sequence number that was delivered late without a retransmission */
	uint64_t first_sackt_us, last_sackt_us; /* when the newly SACKed data had been sent; 0: none */
	uint32_t num_dupack;
	enum { REXMIT_NONE, REXMIT_LOST, REXMIT_NEW } rexmit; /* after this ACK: what is lost goes, or new data first (F-RTO) */
	bool is_sack_reneg;             /* before: the receiver had taken SACKs back */
	uint32_t ce_counted;            /* tp->delivered up to which delivered_ce has been counted */
	struct rate_sample rs;          /* tcp_rate.c */
};

/* tcp_sack.c */
void tcp_sacktag_write_queue(struct sock *sk, struct tcp_ack_ctx *ctx);
uint32_t tcp_highest_sack_seq(const struct tcp_sock *tp);
void tcp_check_sack_reordering(struct sock *sk, uint32_t low_seq, bool by_timestamp);
void tcp_sack_forget(struct sock *sk, uint32_t pcount); /* SACKed segments leave the queue */
void tcp_sack_clear_all(struct sock *sk);                      /* the receiver reneged */

/* tcp_ack.c */
bool tcp_may_update_window(const struct tcp_sock *tp, uint32_t ack, uint32_t ack_seq, uint32_t nwin);

/* tcp_rtt.c */
bool tcp_ack_update_rtt(struct sock *sk, int flag, int64_t seq_rtt_us, int64_t sack_rtt_us, int64_t *ca_rtt_us);

/* tcp_rack.c */
void tcp_mark_skb_lost(struct sock *sk, struct sk_buff *skb);  /* skb, or its retransmission, is taken for lost: to lost_list */
void tcp_rack_sent_again(struct sock *sk, struct sk_buff *skb); /* to the end of tsorted */
void tcp_rack_advance(struct sock *sk, const struct sk_buff *skb);
void tcp_rack_unmark_lost(struct sock *sk, bool in_flight);
int64_t tcp_rack_skb_timeout(const struct tcp_sock *tp, const struct sk_buff *skb, uint32_t reo_wnd_us); /* us until it is lost */
bool tcp_rack_mark_lost(struct sock *sk);                      /* true: the reordering timer was set */
void tcp_rack_reo_timeout(struct sock *sk);
void tcp_rack_persist(struct tcp_sock *tp);
void __tcp_rack_update_reo_wnd(struct sock *sk, const struct rate_sample *rs);
static inline void tcp_rack_update_reo_wnd(struct sock *sk, const struct rate_sample *rs)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	if (unlikely(tp->active && (tp->active->rack_dsack_seen || tp->rack_reo_steps)))
		__tcp_rack_update_reo_wnd(sk, rs);
}
/* The first transmission was later than the second; of one transmission what ends higher was. */
static inline bool tcp_sent_after(uint64_t ns1, uint32_t end_seq1, uint64_t ns2, uint32_t end_seq2)
{
	return ns1 > ns2 || (ns1 == ns2 && seq_after(end_seq1, end_seq2));
}
/* The echoed timestamp is older than stamp_ms of our clock (RFC 7323). */
static inline bool tcp_echo_before(const struct tcp_sock *tp, uint32_t stamp_ms)
{
	return tp->rx_opt.saw_tstamp && tp->rx_opt.rcv_tsecr && seq_before(tp->rx_opt.rcv_tsecr, stamp_ms);
}

/* tcp_tlp.c */
bool tcp_schedule_loss_probe(struct sock *sk, bool advancing_rto);
void tcp_send_loss_probe(struct sock *sk);
void tcp_process_tlp_ack(struct sock *sk, const struct tcp_ack_ctx *ctx);
void tcp_set_xmit_timer(struct sock *sk);
int64_t tcp_rto_delta_us(const struct sock *sk);

/* tcp_prr.c */
uint32_t tcp_current_ssthresh(const struct sock *sk);
void tcp_ecn_queue_cwr(struct tcp_sock *tp);
void tcp_init_cwnd_reduction(struct sock *sk);
void tcp_cwnd_reduction(struct sock *sk, uint32_t newly_acked_sacked, uint32_t newly_lost, int flag);
void tcp_end_cwnd_reduction(struct sock *sk);

/* tcp_newreno.c */
void tcp_reset_reno_sacks(struct tcp_sock *tp);
void tcp_limit_reno_sacks(struct sock *sk);
void tcp_add_reno_sacks(struct sock *sk, uint32_t num_dupack);
void tcp_remove_reno_sacks(struct sock *sk, uint32_t acked);
void tcp_newreno_mark_lost(struct sock *sk, bool snd_una_advanced);

/* tcp_frto.c */
void tcp_process_loss(struct sock *sk, struct tcp_ack_ctx *ctx);

/* tcp_recovery.c, tcp_undo.c */
void tcp_fastretrans_alert(struct sock *sk, struct tcp_ack_ctx *ctx);
void tcp_enter_recovery(struct sock *sk, bool ece);
void tcp_init_undo(struct tcp_sock *tp);
bool tcp_any_retrans_done(const struct sock *sk);
void tcp_try_keep_open(struct sock *sk);
bool tcp_try_undo_recovery(struct sock *sk);
bool tcp_try_undo_dsack(struct sock *sk);
bool tcp_try_undo_loss(struct sock *sk, bool frto_undo);
bool tcp_try_undo_partial(struct sock *sk, uint32_t prior_snd_una);
static inline bool tcp_in_cwnd_reduction(const struct sock *sk)
{
	return (1u << inet_csk(sk)->icsk_ca_state) & (1u << TCP_CA_CWR | 1u << TCP_CA_Recovery);
}

/* tcp_parse.c */
bool tcp_fast_parse_options(struct sock *sk, const struct sk_buff *skb, const struct tcphdr *th); /* a timestamp is there */
bool tcp_parse_aligned_timestamp(struct tcp_sock *tp, const struct tcphdr *th);
void tcp_store_ts_recent(struct tcp_sock *tp);
bool tcp_paws_check(const struct tcp_sock *tp, uint32_t window);
uint32_t tcp_now_s(const struct tcp_sock *tp);

/* tcp_delack.c */
void tcp_event_data_recv(struct sock *sk, struct sk_buff *skb);
void tcp_incr_quickack(struct sock *sk, unsigned max_quickacks);
void __tcp_ack_snd_check(struct sock *sk, bool ofo_possible);
bool tcp_in_quickack_mode(const struct sock *sk);
void tcp_compressed_ack_timer(struct net *net, struct hrtimer *t);
void tcp_sack_compress_send_ack(struct sock *sk); /* an ACK that tells of what the left out ones would have told, before that is lost */

/* tcp_ecn.c */
void tcp_ecn_accept_cwr(struct sock *sk, const struct sk_buff *skb);
void tcp_ecn_check_ce(struct sock *sk, const struct sk_buff *skb);
bool tcp_ecn_rcv_echo(const struct tcp_sock *tp, const struct tcphdr *th);

/* tcp_rcvqueue.c */
bool tcp_try_coalesce(struct sock *sk, struct sk_buff *to, struct sk_buff *from); /* true: the caller ends from by skb_consume_coalesced() */
static inline struct rb_root *tcp_ofo(const struct sock *sk) { return &tcp_sk(sk)->active->out_of_order_queue; }
static inline bool tcp_ofo_empty(const struct sock *sk) { return !tcp_sk(sk)->active || rb_empty(tcp_ofo(sk)); }

void tcp_ofo_erase(struct sock *sk, struct sk_buff *skb);      /* out of the tree, still charged */

/* tcp_rcvsack.c */
void tcp_dsack_set(struct sock *sk, uint32_t seq, uint32_t end_seq);
void tcp_dsack_extend(struct sock *sk, uint32_t seq, uint32_t end_seq);
void tcp_sack_new_ofo_skb(struct sock *sk, uint32_t seq, uint32_t end_seq);
void tcp_sack_remove(struct tcp_sock *tp);
void tcp_send_dupack(struct sock *sk, const struct sk_buff *skb);

/* tcp_rcvbuf.c */
void tcp_rcv_rtt_measure(struct tcp_sock *tp);
void tcp_rcv_rtt_measure_ts(struct sock *sk, const struct sk_buff *skb);
void tcp_measure_scaling_ratio(struct sock *sk, const struct sk_buff *skb); /* of a size that was not seen before */
void tcp_rcvbuf_follows(struct sock *sk, uint32_t copied);     /* so much was read, or can soon be, in a round trip */
void tcp_clamp_window(struct sock *sk);
static inline bool tcp_under_memory_pressure(const struct sock *sk)
{
	return unlikely(sk_under_memory_pressure(sk) || net_under_memory_pressure(sk->sk_net));
}

/* tcp_timer.c */
void tcp_idle_check_arm(struct sock *sk);  /* active part is attached: have the timer look for idleness */

/* tcp_rto.c */
void tcp_probe_timer(struct sock *sk);
void tcp_write_err(struct sock *sk);
void tcp_rto_ended(struct sock *sk);

#endif
