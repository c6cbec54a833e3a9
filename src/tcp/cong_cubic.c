/* SPDX-License-Identifier: MIT */
/*
 * cong_cubic.c - CUBIC congestion control (RFC 9438) with HyStart (Ha and Rhee, "Taming the elephants", 2011).
 *
 * After a loss at window Wmax the window is beta * Wmax and then follows W(t) = C (t - K)^3 + Wmax, K = cbrt((Wmax - cwnd) / C):
 * steep, flat around Wmax, steep again; t is real time, so the round trip does not matter.  Where Reno would be faster, it follows
 * Reno's line (the Reno-friendly region).  HyStart leaves slow start before it overruns: when the ACKs of one round trip stretch over
 * more than half the least round trip (train), or the round trip itself has grown by an eighth (delay).
 *
 * All in integers.  Time is in units of 2^-10 s; beta = 717/1024 = 0.70; C = 410/1024 = 0.40; one segment is 1.
 *	K^3 = (Wmax - cwnd) / C,  in units cubed:  (Wmax - cwnd) * 2^30 * 1024 / 410
 *	W - Wmax = C (t - K)^3,   in segments:     410 * dt^3 / 2^40
 */
#include "tcp/tcp_input.h"

#define CUBIC_BETA 717U        /* of 1024 */
#define CUBIC_C 410U           /* of 1024 */
#define CUBIC_TIME_SHIFT 10
/* Reno-friendly: alpha = 3 (1 - beta) / (1 + beta) segments a round trip (RFC 9438 4.3): one per this many eighths of a window. */
#define CUBIC_RENO_EIGHTHS (8U * (1024U + CUBIC_BETA) / 3U / (1024U - CUBIC_BETA))
/* Largest |t - K| that is computed: 2^21 units, 34 minutes; beyond, the cube would pass every window there is. */
#define CUBIC_MAX_OFFSET (UINT64_C(1) << 21)

#define HYSTART_LOW_WINDOW 16U /* segments */
#define HYSTART_MIN_SAMPLES 8U
#define HYSTART_ACK_DELTA_US 2000U
#define HYSTART_DELAY_MIN_US 4000U
#define HYSTART_DELAY_MAX_US 16000U
enum { HYSTART_FOUND_NOT, HYSTART_FOUND };

struct cubic {
	uint32_t cnt;              /* segments acknowledged per segment that cwnd grows by */
	uint32_t last_max_cwnd;    /* Wmax, segments */
	uint32_t last_cwnd;        /* cwnd at the last computation */
	uint32_t origin_point;     /* where the curve is flat */
	uint32_t k;                /* units after epoch_start at which it is reached */
	uint32_t delay_min_us;     /* least round trip; 0: none yet */
	uint32_t ack_cnt;          /* segments acknowledged in this epoch */
	uint32_t reno_cwnd;        /* what Reno would have */
	uint64_t last_time_us;     /* of the last computation */
	uint64_t epoch_start_us;   /* 0: none */
	/* HyStart */
	uint64_t round_start_us, last_ack_us;
	uint32_t end_seq;          /* of the round */
	uint32_t curr_rtt_us;      /* least of this round; UINT32_MAX: none */
	uint8_t sample_cnt, found;
};
static_assert(sizeof(struct cubic) <= sizeof(((struct tcp_active *)0)->ca_priv), "fits ca_priv");

static struct cubic *cubic_of(const struct sock *sk) { return inet_csk_ca(sk); }

static void hystart_reset(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct cubic *ca = cubic_of(sk);

	ca->round_start_us = ca->last_ack_us = tp->tcp_mstamp_us;
	ca->end_seq = tp->snd_nxt;
	ca->curr_rtt_us = UINT32_MAX;
	ca->sample_cnt = 0;
}

static void cubic_reset(struct cubic *ca)
{
	memset(ca, 0, offsetof(struct cubic, round_start_us));
	ca->found = HYSTART_FOUND_NOT;
}

static void cubic_init(struct sock *sk)
{
	cubic_reset(cubic_of(sk));
	hystart_reset(sk);
}

/* After the application was silent, the curve goes on where it stopped: the idle time does not count. */
static void cubic_cwnd_event(struct sock *sk, enum tcp_ca_event ev)
{
	struct cubic *ca = cubic_of(sk);
	uint64_t now_us = sk->sk_net->now_ns / NSEC_PER_USEC, last_sent_us = tcp_sk(sk)->lsndtime_ns / NSEC_PER_USEC;

	if (ev != CA_EVENT_TX_START || !ca->epoch_start_us || now_us <= last_sent_us)
		return;
	ca->epoch_start_us = MIN(ca->epoch_start_us + (now_us - last_sent_us), now_us);
}

/* Largest r with r^3 <= a. */
static uint32_t cube_root(uint64_t a)
{
	uint64_t r = 0;

	for (int s = 63; s >= 0; s -= 3) {
		uint64_t b;
		r <<= 1;
		b = 3 * r * (r + 1) + 1;
		if (a >> s >= b) {
			a -= b << s;
			r++;
		}
	}
	return (uint32_t)r;
}

static void epoch_begin(struct cubic *ca, uint32_t cwnd, uint32_t acked, uint64_t now_us)
{
	ca->epoch_start_us = now_us;
	ca->ack_cnt = acked;
	ca->reno_cwnd = cwnd;
	if (ca->last_max_cwnd <= cwnd) {
		ca->k = 0;
		ca->origin_point = cwnd;
	} else {
		/* 24 bits of window and 2^40 fit 64 bits; larger windows are not met. */
		uint64_t gap = MIN(ca->last_max_cwnd - cwnd, (1u << 24) - 1);
		ca->k = cube_root((gap << 40) / CUBIC_C);
		ca->origin_point = ca->last_max_cwnd;
	}
}

/* W(t), segments. */
static uint32_t curve_at(const struct cubic *ca, uint64_t t)
{
	uint64_t offset = t < ca->k ? ca->k - t : t - ca->k;
	uint64_t delta;

	offset = MIN(offset, CUBIC_MAX_OFFSET);
	/* offset^3 has at most 63 bits: the product is shifted in two steps. */
	delta = ((offset * offset * offset) >> 10) * CUBIC_C >> (3 * CUBIC_TIME_SHIFT);
	if (t < ca->k)
		return (uint32_t)(ca->origin_point > delta ? ca->origin_point - delta : 0);
	return (uint32_t)MIN(ca->origin_point + delta, (uint64_t)UINT32_MAX / 2);
}

/* Not slower than Reno with the same losses would be: that line is advanced by what was acknowledged. */
static void follow_reno(struct cubic *ca, uint32_t cwnd)
{
	uint32_t per_segment = MAX(cwnd * CUBIC_RENO_EIGHTHS / 8, 1), gain;

	gain = ca->ack_cnt / per_segment;
	ca->reno_cwnd += gain;
	ca->ack_cnt -= gain * per_segment;
	if (ca->reno_cwnd > cwnd)
		ca->cnt = MIN(ca->cnt, MAX(cwnd / (ca->reno_cwnd - cwnd), 1));
}

static void cubic_update(struct cubic *ca, uint32_t cwnd, uint32_t acked, uint64_t now_us)
{
	uint64_t t;
	uint32_t target;

	ca->ack_cnt += acked;
	/* The same window, a moment later: the curve did not move. */
	if (ca->last_cwnd == cwnd && now_us - ca->last_time_us <= 31250)
		return;
	if (!ca->epoch_start_us) {
		epoch_begin(ca, cwnd, acked, now_us);
	} else if (ca->last_time_us == now_us) {
		follow_reno(ca, cwnd);
		ca->cnt = MAX(ca->cnt, 2u);
		return;
	}
	ca->last_cwnd = cwnd;
	ca->last_time_us = now_us;

	/* Where the window should be one round trip from now. */
	t = ((now_us - ca->epoch_start_us + ca->delay_min_us) << CUBIC_TIME_SHIFT) / 1000000;
	target = curve_at(ca, t);
	ca->cnt = target > cwnd ? MAX(cwnd / (target - cwnd), 1) : 100 * cwnd;
	/* Before the first loss there is no Wmax: grow, if slowly, whatever the curve says. */
	if (!ca->last_max_cwnd && ca->cnt > 20)
		ca->cnt = 20;
	follow_reno(ca, cwnd);
	ca->cnt = MAX(ca->cnt, 2u); /* at most half a window more per round trip */
}

static void cubic_cong_avoid(struct sock *sk, uint32_t ack, uint32_t acked)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct cubic *ca = cubic_of(sk);

	(void)ack;
	acked = tcp_slow_start_left(sk, acked);
	if (!acked)
		return;
	cubic_update(ca, tp->snd_cwnd, acked, tp->tcp_mstamp_us);
	tcp_cong_avoid_ai(tp, ca->cnt, acked);
}

static uint32_t cubic_ssthresh(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct cubic *ca = cubic_of(sk);

	ca->epoch_start_us = 0;
	/* Fast convergence (RFC 9438 4.7): a flow that did not reach its last maximum makes room. */
	if (tp->snd_cwnd < ca->last_max_cwnd)
		ca->last_max_cwnd = (uint32_t)((uint64_t)tp->snd_cwnd * (1024 + CUBIC_BETA) / 2048);
	else
		ca->last_max_cwnd = tp->snd_cwnd;
	return MAX((uint32_t)((uint64_t)tp->snd_cwnd * CUBIC_BETA / 1024), 2u);
}

static void cubic_set_state(struct sock *sk, uint8_t new_state)
{
	if (new_state != TCP_CA_Loss)
		return;
	cubic_reset(cubic_of(sk));
	hystart_reset(sk);
}

/* --- HyStart --------------------------------------------------------------------------------------------------------------- */

/* What GRO and the receiver's timer may hold an ACK back, so that a train is not seen where none is: up to 1 ms of super-segments. */
static uint32_t hystart_ack_delay_us(const struct sock *sk)
{
	uint64_t rate = sk->sk_pacing_rate;

	if (!rate || rate == UINT64_MAX)
		return 0;
	return (uint32_t)MIN((uint64_t)sk->sk_gso_max_size * 4 * 1000000 / rate, UINT64_C(1000));
}

static void hystart_leave_slow_start(struct sock *sk, bool train)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct net *net = sk->sk_net;

	cubic_of(sk)->found = HYSTART_FOUND;
	if (train) {
		NET_INC_STATS(net, TCPHystartTrainDetect);
		NET_ADD_STATS(net, TCPHystartTrainCwnd, tp->snd_cwnd);
	} else {
		NET_INC_STATS(net, TCPHystartDelayDetect);
		NET_ADD_STATS(net, TCPHystartDelayCwnd, tp->snd_cwnd);
	}
	tp->snd_ssthresh = tp->snd_cwnd;
}

/* ACKs that follow each other closely form a train; as long as half the round trip, it fills the pipe. */
static void hystart_train(struct sock *sk)
{
	struct cubic *ca = cubic_of(sk);
	uint64_t now_us = tcp_sk(sk)->tcp_mstamp_us;
	uint32_t threshold;

	if (now_us - ca->last_ack_us > HYSTART_ACK_DELTA_US)
		return;
	ca->last_ack_us = now_us;
	threshold = ca->delay_min_us + hystart_ack_delay_us(sk);
	/* With pacing, sending itself takes a round trip. */
	if (!sk->sk_pacing_status)
		threshold >>= 1;
	if (now_us - ca->round_start_us > threshold)
		hystart_leave_slow_start(sk, true);
}

static void hystart_delay(struct sock *sk, uint32_t rtt_us)
{
	struct cubic *ca = cubic_of(sk);
	uint32_t tolerance = MIN(MAX(ca->delay_min_us >> 3, HYSTART_DELAY_MIN_US), HYSTART_DELAY_MAX_US);

	ca->curr_rtt_us = MIN(ca->curr_rtt_us, rtt_us);
	if (ca->sample_cnt < HYSTART_MIN_SAMPLES) {
		ca->sample_cnt++;
		return;
	}
	if (ca->curr_rtt_us > ca->delay_min_us + tolerance)
		hystart_leave_slow_start(sk, false);
}

static void hystart_update(struct sock *sk, uint32_t rtt_us)
{
	struct cubic *ca = cubic_of(sk);

	hystart_train(sk);
	if (ca->found == HYSTART_FOUND_NOT)
		hystart_delay(sk, rtt_us);
}

static void cubic_pkts_acked(struct sock *sk, const struct ack_sample *sample)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct cubic *ca = cubic_of(sk);
	uint32_t rtt_us;

	if (sample->rtt_us < 0)
		return;
	/* Just after fast recovery the queue it made is still draining. */
	if (ca->epoch_start_us && tp->tcp_mstamp_us - ca->epoch_start_us < 1000000)
		return;
	rtt_us = (uint32_t)MAX(sample->rtt_us, 1);
	if (!ca->delay_min_us || rtt_us < ca->delay_min_us)
		ca->delay_min_us = rtt_us;
	/* Rounds are counted from the first on, so that one begins with a flight, where the queue of the last has drained. */
	if (tcp_in_slow_start(tp) && seq_after(tp->snd_una, ca->end_seq))
		hystart_reset(sk);
	if (ca->found == HYSTART_FOUND_NOT && tcp_in_slow_start(tp) && tp->snd_cwnd >= HYSTART_LOW_WINDOW)
		hystart_update(sk, rtt_us);
}

/* A window that was lost at, and the least round trip with it, are not known again soon. */
static bool cubic_keeps_state(const struct sock *sk) { return cubic_of(sk)->last_max_cwnd != 0; }

const struct tcp_congestion_ops tcp_cubic = {
	.name = "cubic",
	.flags = TCP_CONG_NON_RESTRICTED,
	.init = cubic_init,
	.ssthresh = cubic_ssthresh,
	.cong_avoid = cubic_cong_avoid,
	.set_state = cubic_set_state,
	.cwnd_event = cubic_cwnd_event,
	.pkts_acked = cubic_pkts_acked,
	.undo_cwnd = tcp_reno_undo_cwnd,
	.keeps_state = cubic_keeps_state,
};
