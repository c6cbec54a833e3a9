/* SPDX-License-Identifier: MIT */
/*
 * test_cubic.c - CUBIC's integers against RFC 9438 in floating point: the curve after a loss, the Reno-friendly region, the decrease,
 * HyStart's two exits.  A flow of whole windows per round trip is imitated; nothing is sent.
 */
#include "tcp/tcp_cong.h"
#include "test.h"

struct flow {
	struct net net;
	struct netns_tcp tcp;
	struct tcp_active active;
	struct tcp_sock tp;
};

static struct sock *flow_init(struct flow *f, uint32_t cwnd)
{
	struct sock *sk = (struct sock *)&f->tp;

	memset(f, 0, sizeof(*f));
	f->net.tcp = &f->tcp;
	f->net.now_ns = 10 * NSEC_PER_SEC;
	sk->sk_net = &f->net;
	f->tp.active = &f->active;
	inet_csk(sk)->icsk_ca_ops = &tcp_cubic;
	inet_csk(sk)->icsk_ca_initialized = 1;
	f->tp.snd_cwnd = cwnd;
	f->tp.snd_cwnd_clamp = UINT32_MAX;
	f->tp.snd_ssthresh = TCP_INFINITE_SSTHRESH;
	f->tp.is_cwnd_limited = 1;
	tcp_mstamp_refresh(&f->tp);
	tcp_cubic.init(sk);
	return sk;
}

/* One round trip: ACKs of two segments each for the whole window. */
static void round_trip(struct flow *f, uint32_t rtt_us)
{
	struct sock *sk = (struct sock *)&f->tp;
	uint32_t acks = f->tp.snd_cwnd / 2 + 1;

	f->tp.snd_nxt = f->tp.snd_una + acks;
	for (uint32_t i = 0; i < acks; i++) {
		struct ack_sample s = {2, (int32_t)rtt_us, acks * 2};
		f->net.now_ns += rtt_us * NSEC_PER_USEC / acks;
		tcp_mstamp_refresh(&f->tp);
		f->tp.snd_una++;
		tcp_cubic.pkts_acked(sk, &s);
		tcp_cubic.cong_avoid(sk, f->tp.snd_una, 2);
	}
}

static void lose(struct flow *f)
{
	f->tp.snd_ssthresh = tcp_cubic.ssthresh((struct sock *)&f->tp);
	f->tp.snd_cwnd = f->tp.snd_ssthresh;
}

static double cbrt_of(double x)
{
	double r = x > 1 ? x : 1;

	for (int i = 0; i < 200; i++)
		r = (2 * r + x / (r * r)) / 3;
	return r;
}

static void assert_near(double got, double want, double part)
{
	double diff = got > want ? got - want : want - got;

	if (diff > part * want + 2)
		fail_msg("%f is not within %f of %f\n", got, part, want);
}

static void decrease_is_three_tenths(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, 1000);
	lose(&f);
	assert_in_range(f.tp.snd_cwnd, 699, 701);
	flow_init(&f, 2);
	lose(&f);
	assert_int_equal(f.tp.snd_cwnd, 2);
}

/* 100 ms of round trip and 2,000 segments: far from the Reno-friendly region. */
static void curve_after_loss(void **state)
{
	struct flow f;
	double k, t, wmax = 2000;
	uint64_t start;

	(void)state;
	flow_init(&f, 2000);
	lose(&f);
	k = cbrt_of(wmax * 0.3 / 0.4);
	start = f.net.now_ns;
	for (int i = 0; i < 200; i++) {
		round_trip(&f, 100000);
		t = (double)(f.net.now_ns - start) / 1e9;
		assert_near(f.tp.snd_cwnd, wmax + 0.4 * (t - k) * (t - k) * (t - k), 0.03);
	}
}

static void curve_with_other_windows_and_times(void **state)
{
	static const struct { double wmax; uint32_t rtt_us; int rounds; } cases[] = {{500, 200000, 60}, {20000, 100000, 300}, {100000, 50000, 400}};

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		struct flow f;
		double k = cbrt_of(cases[c].wmax * 0.3 / 0.4), t;
		uint64_t start;

		flow_init(&f, (uint32_t)cases[c].wmax);
		lose(&f);
		start = f.net.now_ns;
		for (int i = 0; i < cases[c].rounds; i++) {
			round_trip(&f, cases[c].rtt_us);
			t = (double)(f.net.now_ns - start) / 1e9;
			assert_near(f.tp.snd_cwnd, cases[c].wmax + 0.4 * (t - k) * (t - k) * (t - k), 0.04);
		}
	}
}

/* 5 ms and 40 segments: Reno's line, 0.53 segments a round trip, is above the curve. */
static void reno_friendly(void **state)
{
	struct flow f;
	double want;

	(void)state;
	flow_init(&f, 40);
	lose(&f);
	want = f.tp.snd_cwnd;
	for (int i = 0; i < 100; i++) {
		round_trip(&f, 5000);
		want += 0.529;
	}
	assert_near(f.tp.snd_cwnd, want, 0.15);
}

static void fast_convergence(void **state)
{
	struct flow f;
	uint64_t start;
	double k, t, wmax;

	(void)state;
	flow_init(&f, 2000);
	lose(&f);
	f.tp.snd_cwnd = 1500; /* lost again before the last maximum was reached */
	lose(&f);
	wmax = 1500 * 0.85;
	k = cbrt_of((wmax - f.tp.snd_cwnd) / 0.4);
	start = f.net.now_ns;
	for (int i = 0; i < 80; i++) {
		round_trip(&f, 100000);
		t = (double)(f.net.now_ns - start) / 1e9;
		assert_near(f.tp.snd_cwnd, wmax + 0.4 * (t - k) * (t - k) * (t - k), 0.03);
	}
}

static void hystart_leaves_when_delay_grows(void **state)
{
	struct flow f;
	struct sock *sk = flow_init(&f, 32);

	(void)state;
	for (uint32_t rtt_us = 40000; rtt_us < 60000 && tcp_in_slow_start(&f.tp); rtt_us += 4000) {
		/* ACKs come apart, so that no train forms. */
		f.tp.snd_nxt = f.tp.snd_una + 20;
		for (int i = 0; i < 20; i++) {
			struct ack_sample s = {2, (int32_t)rtt_us, 32};
			f.net.now_ns += 3 * NSEC_PER_MSEC;
			tcp_mstamp_refresh(&f.tp);
			f.tp.snd_una++;
			tcp_cubic.pkts_acked(sk, &s);
		}
	}
	assert_false(tcp_in_slow_start(&f.tp));
	assert_int_equal(f.net.mib.counter[MIB_TCPHystartDelayDetect], 1);
	assert_int_equal(f.net.mib.counter[MIB_TCPHystartTrainDetect], 0);
}

static void hystart_leaves_when_the_train_fills_half_the_path(void **state)
{
	struct flow f;
	struct sock *sk = flow_init(&f, 100);

	(void)state;
	f.tp.snd_nxt = f.tp.snd_una + 100;
	for (int i = 0; i < 100 && tcp_in_slow_start(&f.tp); i++) {
		struct ack_sample s = {2, 40000, 100};
		f.net.now_ns += NSEC_PER_MSEC;
		tcp_mstamp_refresh(&f.tp);
		f.tp.snd_una++;
		tcp_cubic.pkts_acked(sk, &s);
	}
	assert_false(tcp_in_slow_start(&f.tp));
	assert_int_equal(f.net.mib.counter[MIB_TCPHystartTrainDetect], 1);
	assert_int_equal(f.tp.snd_ssthresh, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decrease_is_three_tenths), cmocka_unit_test(curve_after_loss),
		cmocka_unit_test(curve_with_other_windows_and_times), cmocka_unit_test(reno_friendly), cmocka_unit_test(fast_convergence),
		cmocka_unit_test(hystart_leaves_when_delay_grows), cmocka_unit_test(hystart_leaves_when_the_train_fills_half_the_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
