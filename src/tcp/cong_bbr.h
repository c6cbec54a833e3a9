/* SPDX-License-Identifier: MIT */
/*
 * cong_bbr.h - BBR's state and what its two halves call of each other: the model of the path (cong_bbr_model.c) and the control of the sender by it
 * (cong_bbr.c, whose head tells the theory).
 *
 * The state fills the 104 bytes of ca_priv to the last; hence the bit-fields.
 */
#ifndef XMIT_TCP_CONG_BBR_H
#define XMIT_TCP_CONG_BBR_H

#include "tcp/tcp_input.h"

enum {
	BBR_UNIT = 256,
	BBR_BW_SHIFT = 24,
	BBR_CYCLE_LEN = 8,
	BBR_BW_ROUNDS = BBR_CYCLE_LEN + 2,      /* window of the bandwidth filter, round trips */
};

enum bbr_mode { BBR_STARTUP, BBR_DRAIN, BBR_PROBE_BW, BBR_PROBE_RTT };

/* The largest of the last BBR_BW_ROUNDS rounds: the best, the best since it, the best since that. */
struct bbr_max_filter { struct { uint32_t value, round; } s[3]; };

struct bbr {
	struct bbr_max_filter bw;       /* segments per us << BBR_BW_SHIFT */
	uint32_t min_rtt_us;            /* UINT32_MAX: none yet */
	uint32_t min_rtt_stamp_ms;      /* when it was measured */
	uint32_t probe_rtt_done_ms;     /* end of PROBE_RTT; 0: the flight is still draining */
	uint32_t round;                 /* round trips so far */
	uint32_t next_round_delivered;  /* tp->delivered at which this one ends */
	uint32_t prior_cwnd;            /* before recovery or PROBE_RTT, segments */
	uint64_t cycle_us;              /* when this phase of PROBE_BW began */
	uint64_t epoch_us;              /* ACK aggregation: since when, and what came since */
	uint32_t epoch_acked;
	uint16_t extra_acked[2];        /* most beyond what the bandwidth explains, in this and the window before; segments */
	uint32_t full_bw;               /* the largest bandwidth of STARTUP so far */
	uint32_t lt_bw;                 /* of the sampling interval before, or what a policer lets through; 0: none */
	uint32_t lt_delivered, lt_lost, lt_stamp_ms; /* tp->delivered, lost_total and the time when the interval began */
	uint32_t pacing_gain : 10, cwnd_gain : 10;
	uint32_t cycle : 3, extra_rounds : 3, prev_ca_state : 3;
	uint32_t lt_is_sampling : 1;    /* an interval is open: there was a loss */
	uint32_t lt_use_bw : 1;         /* a policer was found: lt_bw instead of bw */
	uint32_t extra_index : 1;
	uint32_t lt_rounds : 7;         /* of the interval, or since lt_bw is used */
	uint32_t mode : 2, full_bw_count : 2;
	uint32_t round_start : 1, round_done : 1, packet_conservation : 1, idle_restart : 1, filled_pipe : 1, has_seen_rtt : 1, rtt_expired : 1;
};
static_assert(sizeof(struct bbr) <= sizeof(((struct tcp_active *)0)->ca_priv), "fits ca_priv");

static inline struct bbr *bbr_of(const struct sock *sk) { return inet_csk_ca(sk); }
static inline uint32_t bbr_now_ms(const struct sock *sk) { return (uint32_t)(sk->sk_net->now_ns / NSEC_PER_MSEC); }
static inline bool bbr_is_after_ms(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }
/* What the path gave at its best lately, and what we go by: that, or less where a policer takes the rest. */
static inline uint32_t bbr_max_bw(const struct bbr *b) { return b->bw.s[0].value; }
static inline uint32_t bbr_bandwidth(const struct bbr *b) { return b->lt_use_bw ? b->lt_bw : bbr_max_bw(b); }

/* cong_bbr_model.c */
void bbr_update_bandwidth(struct sock *sk, const struct rate_sample *rs);   /* rounds, long-term bandwidth, the filter */
void bbr_update_aggregation(struct sock *sk, const struct rate_sample *rs);
void bbr_update_min_rtt(struct sock *sk, const struct rate_sample *rs);
uint32_t bbr_bdp(const struct bbr *b, uint32_t bw, uint32_t gain);           /* segments */
uint32_t bbr_aggregation_cwnd(const struct bbr *b);                          /* segments beyond the BDP */
uint64_t bbr_rate_bytes(const struct sock *sk, uint64_t bw, uint32_t gain, uint32_t percent); /* a second */
void bbr_lt_sample(struct sock *sk, const struct rate_sample *rs);
void bbr_lt_reset(struct sock *sk);

/* cong_bbr.c */
void bbr_enter_probe_bw(struct sock *sk);

#endif
