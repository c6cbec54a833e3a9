/* SPDX-License-Identifier: MIT */
/*
 * cong_bbr.c - BBR congestion control, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00; Cardwell, Cheng, Gunn, Yeganeh and Jacobson,
 * "BBR: Congestion-Based Congestion Control", ACM Queue 2016; the allowance for aggregated ACKs: draft-cardwell-ccwg-bbr-00, 4.5.9).
 *
 * The sender keeps a model of the path: its bandwidth, the largest delivery rate (tcp_rate.c) of the last 10 round trips, and its round trip
 * without queues, the least of the last 10 seconds.  It sends at that bandwidth (pacing, tcp_pacing.c) times a gain, and lets at most
 * a multiple of bandwidth times round trip (BDP) be in flight.  Loss alone changes nothing of the model, but
 * where a policer drops (cong_bbr_model.c).
 *
 *	STARTUP     gain 2/ln 2 on both: doubles each round trip, until three rounds in a row bring less than a quarter more
 *	DRAIN       the inverse gain, until no more than a BDP is in flight: the queue that STARTUP made is gone
 *	PROBE_BW    for good: gain 5/4 (is there more?), 3/4 (drain what that queued), six times 1; each phase a round trip
 *	PROBE_RTT   the least round trip was not seen for 10 s: 4 segments in flight for 200 ms and a round trip, so that the queue empties
 *
 * Each ACK: update_model(), then pacing rate and cwnd by it.  In recovery the first round sends what is delivered, no more (packet
 * conservation); when it ends the window from before comes back.
 *
 * Gains are in 1/256 (as TCP_CC_INFO tells them), bandwidth in segments per microsecond times 2^24.  Linux's constants, where the draft leaves them
 * open: 1 % less is paced than the bandwidth, so that the queue does drain; three super-segments are allowed beyond the BDP for the end
 * hosts' sake, the window is even, and two segments larger where the gain probes.
 *
 * The model takes many round trips to make: the state stays attached while the connection is idle (TCP_CONG_KEEPS_STATE).
 */
#include "tcp/cong_bbr.h"

enum {
	HIGH_GAIN = BBR_UNIT * 2885 / 1000 + 1, /* 2 / ln 2 */
	DRAIN_GAIN = BBR_UNIT * 1000 / 2885,
	CWND_GAIN = 2 * BBR_UNIT,
	CYCLE_RANDOM = 7,
	MIN_CWND = 4,                   /* segments */
	FULL_BW_GROWTH = BBR_UNIT * 5 / 4, FULL_BW_ROUNDS = 3,
	PROBE_RTT_MS = 200,
	PACING_PERCENT = 99,
	LOW_RATE_BYTES = 1200000 / 8,   /* below this pacing rate (bytes a second) no super-segments */
};
static const uint16_t cycle_gain[BBR_CYCLE_LEN] = {
	BBR_UNIT * 5 / 4, BBR_UNIT * 3 / 4, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT,
};

/* --- pacing and quantum ---------------------------------------------------------------------------------------------------- */

static uint64_t max_rate(const struct sock *sk)
{
	return sk->sk_ext && sk->sk_ext->max_pacing_rate ? sk->sk_ext->max_pacing_rate : UINT64_MAX;
}

static uint64_t pacing_rate(const struct sock *sk, uint64_t bw, uint32_t gain)
{
	uint64_t rate = bbr_rate_bytes(sk, bw, gain, PACING_PERCENT);

	return MIN(rate, max_rate(sk));
}

/* Before anything was delivered: the first window in a round trip, or in a millisecond where none was measured. */
static void init_pacing_rate(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t rtt_us = 1000;

	if (tp->srtt_us) {
		rtt_us = MAX(tp->srtt_us >> 3, 1u);
		bbr_of(sk)->has_seen_rtt = true;
	}
	sk->sk_pacing_rate = pacing_rate(sk, ((uint64_t)tp->snd_cwnd << BBR_BW_SHIFT) / rtt_us, HIGH_GAIN);
}

/* Until the pipe was full once, no sample may slow us down: the model is still growing. */
static void set_pacing_rate(struct sock *sk, uint32_t bw, uint32_t gain)
{
	struct bbr *b = bbr_of(sk);
	uint64_t rate = pacing_rate(sk, bw, gain);

	if (unlikely(!b->has_seen_rtt && tcp_sk(sk)->srtt_us))
		init_pacing_rate(sk);
	if (b->filled_pipe || rate > sk->sk_pacing_rate)
		sk->sk_pacing_rate = rate;
}

static uint32_t bbr_min_tso_segs(struct sock *sk) { return sk->sk_pacing_rate < LOW_RATE_BYTES ? 1 : 2; }

/* Segments in one super-segment at this rate. */
static uint32_t quantum(struct sock *sk)
{
	uint64_t bytes = MIN(sk->sk_pacing_rate >> sk->sk_pacing_shift, UINT64_C(65535) - MAX_TCP_HEADER);
	uint32_t segs = (uint32_t)bytes / tcp_sk(sk)->mss_cache;

	segs = MAX(segs, bbr_min_tso_segs(sk));
	return MIN(segs, 0x7fu);
}

/* --- how much in flight ------------------------------------------------------------------------------------------------------ */

/* Full super-segments on both hosts, an even number against delayed ACKs, and for a probe more than a BDP even where that is small. */
static uint32_t with_quanta(struct sock *sk, uint32_t cwnd)
{
	const struct bbr *b = bbr_of(sk);

	cwnd += 3 * quantum(sk);
	cwnd = (cwnd + 1) & ~1u;
	if (b->mode == BBR_PROBE_BW && b->cycle == 0)
		cwnd += 2;
	return cwnd;
}

static uint32_t inflight(struct sock *sk, uint32_t bw, uint32_t gain) { return with_quanta(sk, bbr_bdp(bbr_of(sk), bw, gain)); }

/* --- the window ---------------------------------------------------------------------------------------------------------------- */

static void save_cwnd(struct sock *sk)
{
	struct bbr *b = bbr_of(sk);
	uint32_t cwnd = tcp_sk(sk)->snd_cwnd;

	if (b->prev_ca_state < TCP_CA_Recovery && b->mode != BBR_PROBE_RTT)
		b->prior_cwnd = cwnd;
	else
		b->prior_cwnd = MAX(b->prior_cwnd, cwnd);
}

/* Recovery begins, goes on or ends; true: packet conservation rules, *cwnd is what it says. */
static bool modulate_for_recovery(struct sock *sk, const struct rate_sample *rs, uint32_t acked, uint32_t *cwnd)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct bbr *b = bbr_of(sk);
	uint8_t state = inet_csk(sk)->icsk_ca_state;

	*cwnd = tp->snd_cwnd;
	if (rs->losses > 0)
		*cwnd = *cwnd > (uint32_t)rs->losses ? *cwnd - (uint32_t)rs->losses : 1;
	if (state == TCP_CA_Recovery && b->prev_ca_state != TCP_CA_Recovery) {
		b->packet_conservation = true;
		b->next_round_delivered = tp->delivered; /* a round from now on */
		*cwnd = tcp_packets_in_flight(tp) + acked;
	} else if (b->prev_ca_state >= TCP_CA_Recovery && state < TCP_CA_Recovery) {
		*cwnd = MAX(*cwnd, b->prior_cwnd);
		b->packet_conservation = false;
	}
	b->prev_ca_state = state;
	if (b->packet_conservation)
		*cwnd = MAX(*cwnd, tcp_packets_in_flight(tp) + acked);
	return b->packet_conservation;
}

static void set_cwnd(struct sock *sk, const struct rate_sample *rs, uint32_t acked)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct bbr *b = bbr_of(sk);
	uint32_t cwnd = tp->snd_cwnd, target;

	if (acked && !modulate_for_recovery(sk, rs, acked, &cwnd)) {
		target = with_quanta(sk, bbr_bdp(b, bbr_bandwidth(b), b->cwnd_gain) + bbr_aggregation_cwnd(b));
		if (b->filled_pipe)
			cwnd = MIN(cwnd + acked, target);
		else if (cwnd < target || tp->delivered < TCP_INIT_CWND)
			cwnd += acked;
		cwnd = MAX(cwnd, (uint32_t)MIN_CWND);
	}
	tp->snd_cwnd = MIN(cwnd, tp->snd_cwnd_clamp);
	if (b->mode == BBR_PROBE_RTT)
		tp->snd_cwnd = MIN(tp->snd_cwnd, (uint32_t)MIN_CWND);
}

/* --- the state machine ----------------------------------------------------------------------------------------------------------- */

static void advance_cycle(struct sock *sk)
{
	struct bbr *b = bbr_of(sk);

	b->cycle = (b->cycle + 1u) % BBR_CYCLE_LEN;
	b->cycle_us = tcp_act(sk)->delivered_mstamp_us;
}

static void enter_startup(struct bbr *b) { b->mode = BBR_STARTUP; }

/* Any phase but that which drains: flows that began together must not probe together. */
void bbr_enter_probe_bw(struct sock *sk)
{
	struct bbr *b = bbr_of(sk);

	b->mode = BBR_PROBE_BW;
	b->cycle = (BBR_CYCLE_LEN - 1 - net_random_u32(sk->sk_net) % CYCLE_RANDOM) % BBR_CYCLE_LEN;
	advance_cycle(sk);
}

static void leave_probe_rtt(struct sock *sk)
{
	if (bbr_of(sk)->filled_pipe)
		bbr_enter_probe_bw(sk);
	else
		enter_startup(bbr_of(sk));
}

static bool cycle_phase_is_over(struct sock *sk, const struct rate_sample *rs)
{
	const struct bbr *b = bbr_of(sk);
	bool full_length = tcp_act(sk)->delivered_mstamp_us - b->cycle_us > b->min_rtt_us;
	uint32_t gain = cycle_gain[b->cycle];

	if (gain == BBR_UNIT)
		return full_length;
	/* A probe lasts until it has filled the path, or shown that there is no room. */
	if (gain > BBR_UNIT)
		return full_length && (rs->losses > 0 || rs->prior_in_flight >= inflight(sk, bbr_max_bw(b), gain));
	return full_length || rs->prior_in_flight <= inflight(sk, bbr_max_bw(b), BBR_UNIT);
}

static void check_full_pipe(struct bbr *b, const struct rate_sample *rs)
{
	if (b->filled_pipe || !b->round_start || rs->is_app_limited)
		return;
	if (bbr_max_bw(b) >= (uint64_t)b->full_bw * FULL_BW_GROWTH / BBR_UNIT) {
		b->full_bw = bbr_max_bw(b);
		b->full_bw_count = 0;
		return;
	}
	b->filled_pipe = ++b->full_bw_count >= FULL_BW_ROUNDS;
}

static void check_drain(struct sock *sk)
{
	struct bbr *b = bbr_of(sk);

	if (b->mode == BBR_STARTUP && b->filled_pipe) {
		b->mode = BBR_DRAIN;
		tcp_sk(sk)->snd_ssthresh = inflight(sk, bbr_max_bw(b), BBR_UNIT); /* what we believe, for TCP_INFO and for who comes after */
	}
	if (b->mode == BBR_DRAIN && tcp_packets_in_flight(tcp_sk(sk)) <= inflight(sk, bbr_max_bw(b), BBR_UNIT))
		bbr_enter_probe_bw(sk);
}

static void check_probe_rtt_done(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct bbr *b = bbr_of(sk);

	if (!b->probe_rtt_done_ms || !bbr_is_after_ms(bbr_now_ms(sk), b->probe_rtt_done_ms))
		return;
	b->min_rtt_stamp_ms = bbr_now_ms(sk);
	tp->snd_cwnd = MAX(tp->snd_cwnd, b->prior_cwnd);
	leave_probe_rtt(sk);
}

static void handle_probe_rtt(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct bbr *b = bbr_of(sk);
	uint32_t in_flight = tcp_packets_in_flight(tp), until = tp->delivered + in_flight;

	tp->active->app_limited = until ? until : 1; /* we hold ourselves back: samples of this say little */
	if (!b->probe_rtt_done_ms) {
		if (in_flight > MIN_CWND)
			return;
		b->probe_rtt_done_ms = bbr_now_ms(sk) + PROBE_RTT_MS;
		b->probe_rtt_done_ms += !b->probe_rtt_done_ms; /* 0 means none */
		b->round_done = false;
		b->next_round_delivered = tp->delivered;
		return;
	}
	if (b->round_start)
		b->round_done = true;
	if (b->round_done)
		check_probe_rtt_done(sk);
}

static void check_probe_rtt(struct sock *sk, const struct rate_sample *rs)
{
	struct bbr *b = bbr_of(sk);

	if (b->rtt_expired && !b->idle_restart && b->mode != BBR_PROBE_RTT) {
		b->mode = BBR_PROBE_RTT;
		save_cwnd(sk);
		b->probe_rtt_done_ms = 0;
	}
	if (b->mode == BBR_PROBE_RTT)
		handle_probe_rtt(sk);
	if (rs->delivered > 0)
		b->idle_restart = false;
}

static void set_gains(struct bbr *b)
{
	static const struct { uint16_t pacing, cwnd; } gain[] = {
		[BBR_STARTUP] = {HIGH_GAIN, HIGH_GAIN}, [BBR_DRAIN] = {DRAIN_GAIN, HIGH_GAIN}, [BBR_PROBE_BW] = {0, CWND_GAIN}, [BBR_PROBE_RTT] = {BBR_UNIT, BBR_UNIT},
	};

	b->pacing_gain = b->mode == BBR_PROBE_BW ? cycle_gain[b->cycle] : gain[b->mode].pacing;
	if (b->mode == BBR_PROBE_BW && b->lt_use_bw)
		b->pacing_gain = BBR_UNIT; /* a policer would drop the probe */
	b->cwnd_gain = gain[b->mode].cwnd;
}

static void update_model(struct sock *sk, const struct rate_sample *rs)
{
	struct bbr *b = bbr_of(sk);

	bbr_update_bandwidth(sk, rs);
	bbr_update_aggregation(sk, rs);
	if (b->mode == BBR_PROBE_BW && cycle_phase_is_over(sk, rs))
		advance_cycle(sk);
	check_full_pipe(b, rs);
	check_drain(sk);
	bbr_update_min_rtt(sk, rs);
	check_probe_rtt(sk, rs);
	set_gains(b);
}

/* --- the table ---------------------------------------------------------------------------------------------------------------------- */

static void bbr_cong_control(struct sock *sk, uint32_t ack, int flag, const struct rate_sample *rs)
{
	struct bbr *b = bbr_of(sk);

	(void)ack;
	(void)flag;
	update_model(sk, rs);
	set_pacing_rate(sk, bbr_bandwidth(b), b->pacing_gain);
	set_cwnd(sk, rs, rs->acked_sacked);
}

static void bbr_init(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct bbr *b = bbr_of(sk);

	tcp_sk(sk)->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	b->min_rtt_us = tp->rtt_min_us;
	b->min_rtt_stamp_ms = bbr_now_ms(sk);
	b->next_round_delivered = tp->delivered;
	b->prev_ca_state = TCP_CA_Open;
	b->epoch_us = tp->tcp_mstamp_us;
	b->cycle_us = tp->tcp_mstamp_us;
	bbr_lt_reset(sk);
	/* STARTUP's gains are set, and told, with the first ACK; until then the rate below rules.  The ACK of a client's SYN measured nothing: ones. */
	enter_startup(b);
	b->pacing_gain = b->cwnd_gain = tp->bytes_acked == 1 ? BBR_UNIT : 0;
	init_pacing_rate(sk);
	tcp_pacing_needed(sk);
}

/* Reductions are BBR's own business: what is asked here only marks the moment before one. */
static uint32_t bbr_ssthresh(struct sock *sk)
{
	save_cwnd(sk);
	return tcp_sk(sk)->snd_ssthresh;
}

/* The loss was none, and what it did to the samples said nothing about a full pipe. */
static uint32_t bbr_undo_cwnd(struct sock *sk)
{
	struct bbr *b = bbr_of(sk);

	b->full_bw = 0;
	b->full_bw_count = 0;
	bbr_lt_reset(sk);
	return tcp_sk(sk)->snd_cwnd;
}

static void bbr_set_state(struct sock *sk, uint8_t new_state)
{
	struct bbr *b = bbr_of(sk);

	if (new_state != TCP_CA_Loss)
		return;
	b->prev_ca_state = TCP_CA_Loss;
	b->full_bw = 0;
	b->round_start = true; /* an RTO ends the round */
	bbr_lt_sample(sk, &(struct rate_sample){.losses = 1}); /* and a policer's burst of drops often ends in one */
}

/* Sending after silence: at the bandwidth, no faster; the pipe is empty. */
static void bbr_cwnd_event(struct sock *sk, enum tcp_ca_event ev)
{
	struct bbr *b = bbr_of(sk);

	if (ev != CA_EVENT_TX_START || !tcp_act(sk)->app_limited)
		return;
	b->idle_restart = true;
	b->epoch_us = tcp_sk(sk)->tcp_mstamp_us;
	b->epoch_acked = 0;
	if (b->mode == BBR_PROBE_BW)
		set_pacing_rate(sk, bbr_bandwidth(b), BBR_UNIT);
	else if (b->mode == BBR_PROBE_RTT)
		check_probe_rtt_done(sk);
}

static uint32_t bbr_sndbuf_expand(struct sock *sk)
{
	(void)sk;
	return 3; /* windows: the gain of BBR_STARTUP while the writer is being woken */
}

/* struct tcp_bbr_info: bandwidth in bytes a second (low, high), least round trip in us, the gains.  Nothing is known before the handshake: zeros. */
static size_t bbr_get_info(struct sock *sk, uint32_t ext, int *attr, void *info)
{
	static const struct bbr none;
	const struct bbr *b = tcp_ca_is_running(sk) ? bbr_of(sk) : &none;
	uint64_t bw = bbr_rate_bytes(sk, bbr_bandwidth(b), BBR_UNIT, 100);
	uint32_t out[5] = {(uint32_t)bw, (uint32_t)(bw >> 32), b->min_rtt_us, b->pacing_gain, b->cwnd_gain};

	if (!(ext & (1u << (INET_DIAG_BBRINFO - 1) | 1u << (INET_DIAG_VEGASINFO - 1))))
		return 0;
	memcpy(info, out, sizeof(out));
	*attr = INET_DIAG_BBRINFO;
	return sizeof(out);
}

const struct tcp_congestion_ops tcp_bbr = {
	.name = "bbr",
	.flags = TCP_CONG_NON_RESTRICTED | TCP_CONG_KEEPS_STATE,
	.init = bbr_init,
	.ssthresh = bbr_ssthresh,
	.cong_control = bbr_cong_control,
	.set_state = bbr_set_state,
	.cwnd_event = bbr_cwnd_event,
	.min_tso_segs = bbr_min_tso_segs,
	.undo_cwnd = bbr_undo_cwnd,
	.sndbuf_expand = bbr_sndbuf_expand,
	.get_info = bbr_get_info,
};
