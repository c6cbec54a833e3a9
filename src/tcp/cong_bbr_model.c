/* SPDX-License-Identifier: MIT */
/*
 * cong_bbr_model.c - what BBR knows of the path: its bandwidth, its round trip, how ACKs bunch, and whether a policer stands on it
 * (draft-cardwell-iccrg-bbr-congestion-control-00, 4.1; the policer: below).  Called with each ACK by cong_bbr.c, which acts on it.
 *
 * A policer by token bucket lets everything pass while it has tokens, saved up in quiet times, and then drops what exceeds its rate.  The largest
 * delivery rate of ten rounds is then that of the burst, and a sender that keeps to it loses most of what it sends.  So besides the filter there is
 * a long-term bandwidth, measured from loss to loss:
 *
 *	interval    begins with a loss, lasts 4 rounds or more, ends at the next loss; longer than 16 rounds, or short of data to send: forgotten
 *	lossy       50 segments lost or more for 256 delivered: an interval with less goes on
 *	a policer   two lossy intervals in a row delivered at the same rate, within an eighth or 4 kbit/s: their mean is lt_bw
 *	used        for 48 rounds of PROBE_BW, without probing for more; then all begins anew, at a random phase of the cycle
 *
 * That a policer is found, that it takes a loss of 0.2 of what is delivered and not one of 0.194, and the 48 rounds were seen on Linux (6.18) through a
 * policer of our own; the other numbers (4 and 16 rounds, the eighth, 4 kbit/s) are remembered from public descriptions of BBR and were not observed.  A recovery that is undone
 * forgets what was sampled: the losses were none.  tests/unit/test_bbr_policer.c has the rules one by one.
 */
#include "tcp/cong_bbr.h"

enum {
	EXTRA_ACKED_ROUNDS = 5, EXTRA_ACKED_MAX_US = 100000, EPOCH_ACKED_MAX = 1 << 20,
	MIN_RTT_WINDOW_MS = 10000,
	LT_MIN_ROUNDS = 4, LT_MAX_ROUNDS = 4 * LT_MIN_ROUNDS,
	LT_LOSSES = 50,                 /* in BBR_UNIT delivered */
	LT_SAME = BBR_UNIT / 8, LT_SAME_BYTES = 4000 / 8,
	LT_USED_ROUNDS = 48,
	US_PER_MS = 1000,
};

/* --- the bandwidth -------------------------------------------------------------------------------------------------------- */

/*
 * Kathleen Nichols' windowed maximum: three candidates, each the best of a later part of the window, so that when the best grows too old the
 * next one is at hand.  Candidates that are not followed up in a quarter and half of the window are replaced by what is newest.
 */
static void filter_update(struct bbr_max_filter *f, uint32_t value, uint32_t round)
{
	uint32_t age = round - f->s[0].round;

	if (value >= f->s[0].value || round - f->s[2].round > BBR_BW_ROUNDS) {
		for (int i = 0; i < 3; i++)
			f->s[i].value = value, f->s[i].round = round;
		return;
	}
	for (int i = 1; i < 3; i++) {
		if (value < f->s[i].value)
			continue;
		for (int j = i; j < 3; j++)
			f->s[j].value = value, f->s[j].round = round;
		break;
	}
	if (age > BBR_BW_ROUNDS) {
		f->s[0] = f->s[1];
		f->s[1] = f->s[2];
		f->s[2].value = value, f->s[2].round = round;
		if (round - f->s[0].round > BBR_BW_ROUNDS) {
			f->s[0] = f->s[1];
			f->s[1] = f->s[2];
		}
	} else if (f->s[1].round == f->s[0].round && age > BBR_BW_ROUNDS / 4) {
		f->s[1].value = f->s[2].value = value;
		f->s[1].round = f->s[2].round = round;
	} else if (f->s[2].round == f->s[1].round && age > BBR_BW_ROUNDS / 2) {
		f->s[2].value = value, f->s[2].round = round;
	}
}

uint64_t bbr_rate_bytes(const struct sock *sk, uint64_t bw, uint32_t gain, uint32_t percent)
{
	/* The order keeps within 64 bits up to terabits a second. */
	uint64_t rate = bw * tcp_sk(sk)->mss_cache * gain / BBR_UNIT;

	return rate * (1000000 / 100) * percent >> BBR_BW_SHIFT;
}

/* --- the long-term bandwidth: is there a policer? ------------------------------------------------------------------------- */

static void lt_begin_interval(struct sock *sk)
{
	struct bbr *b = bbr_of(sk);

	b->lt_stamp_ms = (uint32_t)(tcp_act(sk)->delivered_mstamp_us / US_PER_MS);
	b->lt_delivered = tcp_sk(sk)->delivered;
	b->lt_lost = tcp_act(sk)->lost_total;
	b->lt_rounds = 0;
}

void bbr_lt_reset(struct sock *sk)
{
	struct bbr *b = bbr_of(sk);

	b->lt_bw = 0;
	b->lt_use_bw = false;
	b->lt_is_sampling = false;
	lt_begin_interval(sk);
}

static bool lt_is_same(const struct sock *sk, uint32_t a, uint32_t b)
{
	uint32_t diff = a > b ? a - b : b - a;

	return (uint64_t)diff * BBR_UNIT <= (uint64_t)LT_SAME * b || bbr_rate_bytes(sk, diff, BBR_UNIT, 99) <= LT_SAME_BYTES;
}

/* A lossy interval delivered bw: as much as the one before it? */
static void lt_end_interval(struct sock *sk, uint32_t bw)
{
	struct bbr *b = bbr_of(sk);

	if (b->lt_bw && lt_is_same(sk, bw, b->lt_bw)) {
		b->lt_bw = (uint32_t)(((uint64_t)bw + b->lt_bw) / 2);
		b->lt_use_bw = true;
		b->lt_rounds = 0;
		return;
	}
	b->lt_bw = bw;
	lt_begin_interval(sk);
}

static void lt_use(struct sock *sk)
{
	struct bbr *b = bbr_of(sk);

	if (b->mode != BBR_PROBE_BW || !b->round_start || ++b->lt_rounds < LT_USED_ROUNDS)
		return;
	bbr_lt_reset(sk);
	bbr_enter_probe_bw(sk);
}

/* Bandwidth since the interval began; 0: too few were lost, or no time has passed. */
static uint32_t lt_lossy_bandwidth(struct sock *sk)
{
	const struct bbr *b = bbr_of(sk);
	uint32_t lost = tcp_act(sk)->lost_total - b->lt_lost, delivered = tcp_sk(sk)->delivered - b->lt_delivered;
	uint32_t ms = (uint32_t)(tcp_act(sk)->delivered_mstamp_us / US_PER_MS) - b->lt_stamp_ms;
	uint64_t bw;

	if (!delivered || (uint64_t)lost * BBR_UNIT < (uint64_t)LT_LOSSES * delivered || (int32_t)ms < 1)
		return 0;
	bw = ((uint64_t)delivered << BBR_BW_SHIFT) / ((uint64_t)ms * US_PER_MS);
	return (uint32_t)MIN(bw, (uint64_t)UINT32_MAX);
}

void bbr_lt_sample(struct sock *sk, const struct rate_sample *rs)
{
	struct bbr *b = bbr_of(sk);
	uint32_t bw;

	if (b->lt_use_bw) {
		lt_use(sk);
		return;
	}
	if (!b->lt_is_sampling) {
		if (!rs->losses)
			return;
		bbr_lt_reset(sk);
		b->lt_is_sampling = true;
	}
	if (rs->is_app_limited) {
		bbr_lt_reset(sk);
		return;
	}
	b->lt_rounds += b->round_start;
	if (b->lt_rounds < LT_MIN_ROUNDS)
		return;
	if (b->lt_rounds > LT_MAX_ROUNDS) {
		bbr_lt_reset(sk);
		return;
	}
	bw = rs->losses ? lt_lossy_bandwidth(sk) : 0;
	if (bw)
		lt_end_interval(sk, bw);
}

/* --- what each ACK tells ----------------------------------------------------------------------------------------------------- */

/* A round trip, counted in packets: it ends when something sent after its beginning is delivered. */
static void update_round(struct sock *sk, const struct rate_sample *rs)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct bbr *b = bbr_of(sk);

	if (seq_before(rs->prior_delivered, b->next_round_delivered))
		return;
	b->next_round_delivered = tp->delivered;
	b->round++;
	b->round_start = true;
	b->packet_conservation = false;
}

void bbr_update_bandwidth(struct sock *sk, const struct rate_sample *rs)
{
	struct bbr *b = bbr_of(sk);
	uint64_t bw;

	b->round_start = false;
	if (rs->delivered < 0 || rs->interval_us <= 0)
		return; /* no sample */
	update_round(sk, rs);
	bbr_lt_sample(sk, rs);
	bw = ((uint64_t)rs->delivered << BBR_BW_SHIFT) / (uint64_t)rs->interval_us;
	bw = MIN(bw, (uint64_t)UINT32_MAX);
	if (!rs->is_app_limited || bw >= bbr_max_bw(b))
		filter_update(&b->bw, (uint32_t)bw, b->round);
}

/* What was acknowledged beyond what the bandwidth brings in this time; the most of 5 to 10 rounds. */
void bbr_update_aggregation(struct sock *sk, const struct rate_sample *rs)
{
	struct bbr *b = bbr_of(sk);
	uint64_t now_us = tcp_act(sk)->delivered_mstamp_us, expected;
	uint32_t extra;

	if (!rs->acked_sacked || rs->delivered < 0 || rs->interval_us <= 0)
		return;
	if (b->round_start && ++b->extra_rounds >= EXTRA_ACKED_ROUNDS) {
		b->extra_rounds = 0;
		b->extra_index ^= 1;
		b->extra_acked[b->extra_index] = 0;
	}
	expected = now_us > b->epoch_us ? (uint64_t)bbr_bandwidth(b) * (now_us - b->epoch_us) >> BBR_BW_SHIFT : 0;
	if (b->epoch_acked <= expected || b->epoch_acked + rs->acked_sacked >= EPOCH_ACKED_MAX) {
		b->epoch_acked = 0;
		b->epoch_us = now_us;
		expected = 0;
	}
	b->epoch_acked += rs->acked_sacked;
	extra = (uint32_t)(b->epoch_acked - expected);
	extra = MIN(extra, tcp_sk(sk)->snd_cwnd);
	b->extra_acked[b->extra_index] = (uint16_t)MAX((uint32_t)b->extra_acked[b->extra_index], MIN(extra, 0xffffu));
}

void bbr_update_min_rtt(struct sock *sk, const struct rate_sample *rs)
{
	struct bbr *b = bbr_of(sk);

	b->rtt_expired = bbr_is_after_ms(bbr_now_ms(sk), b->min_rtt_stamp_ms + MIN_RTT_WINDOW_MS);
	if (rs->rtt_us < 0 || (rs->rtt_us >= b->min_rtt_us && (!b->rtt_expired || rs->is_ack_delayed)))
		return;
	b->min_rtt_us = (uint32_t)MIN(rs->rtt_us, (int64_t)UINT32_MAX - 1);
	b->min_rtt_stamp_ms = bbr_now_ms(sk);
}

uint32_t bbr_bdp(const struct bbr *b, uint32_t bw, uint32_t gain)
{
	uint64_t product;

	if (b->min_rtt_us == UINT32_MAX)
		return TCP_INIT_CWND;
	product = (uint64_t)bw * b->min_rtt_us;
	return (uint32_t)(((product * gain / BBR_UNIT) + (1u << BBR_BW_SHIFT) - 1) >> BBR_BW_SHIFT);
}

/* What receivers and links that hold ACKs back and let them come in bunches need on top. */
uint32_t bbr_aggregation_cwnd(const struct bbr *b)
{
	uint64_t most = (uint64_t)bbr_bandwidth(b) * EXTRA_ACKED_MAX_US >> BBR_BW_SHIFT;
	uint32_t extra = MAX(b->extra_acked[0], b->extra_acked[1]);

	return b->filled_pipe ? (uint32_t)MIN((uint64_t)extra, most) : 0;
}
