/* SPDX-License-Identifier: MIT */
/* bbr_fixture.h - a sock under BBR without a stack below, fed with rate samples: what the tests of BBR's two halves stand on. */
#ifndef XMIT_TESTS_BBR_FIXTURE_H
#define XMIT_TESTS_BBR_FIXTURE_H

#include "tcp/tcp_cong.h"
#include "test.h"

enum { MSS = 1000, RTT_US = 40000, PATH_SEGS = 200 }; /* 200 segments of 1,000 bytes in 40 ms: 5 MB/s */
enum { STARTUP_GAIN = 739, DRAIN_GAIN = 88 };

static struct {
	struct net net;
	struct netns_tcp tcp;
	struct tcp_active active;
	struct tcp_sock tp;
} f;
#define SK ((struct sock *)&f.tp)

static uint64_t next_random = 1;
static void test_random(void *ctx, void *buf, size_t n)
{
	(void)ctx;
	for (uint8_t *b = buf; n--; b++)
		*b = (uint8_t)((next_random = next_random * UINT64_C(6364136223846793005) + 1442695040888963407) >> 56);
}

static void begin(void)
{
	memset(&f, 0, sizeof(f));
	f.net.tcp = &f.tcp;
	f.net.now_ns = 100 * NSEC_PER_SEC;
	f.net.env.random = test_random;
	SK->sk_net = &f.net;
	SK->sk_pacing_shift = 10;
	SK->sk_pacing_rate = UINT64_MAX;
	f.tp.active = &f.active;
	f.tp.mss_cache = MSS;
	f.tp.snd_cwnd = TCP_INIT_CWND;
	f.tp.snd_cwnd_clamp = UINT32_MAX;
	f.tp.rtt_min_us = RTT_US;
	f.tp.srtt_us = RTT_US * 8;
	inet_csk(SK)->icsk_ca_ops = &tcp_bbr;
	inet_csk(SK)->icsk_ca_initialized = 1;
	tcp_mstamp_refresh(&f.tp);
	tcp_bbr.init(SK);
}

struct bbr_info { uint32_t bw_lo, bw_hi, min_rtt, pacing_gain, cwnd_gain; };
static struct bbr_info told(void)
{
	struct bbr_info i;
	int attr = 0;

	assert_int_equal(tcp_bbr.get_info(SK, UINT32_MAX, &attr, &i), sizeof(i));
	assert_int_equal(attr, INET_DIAG_BBRINFO);
	assert_int_equal(i.bw_hi, 0);
	return i;
}

/* One round trip of rtt_us: n segments, acknowledged two by two, each sample n / interval_us; `left` are in flight behind them. */
static void round_trip(uint32_t n, uint32_t interval_us, uint32_t rtt_us, uint32_t left, bool app_limited)
{
	uint32_t begun = f.tp.delivered, acks = (n + 1) / 2;

	for (uint32_t i = 0; i < acks; i++) {
		uint32_t part = i + 1 < acks ? 2 : n - 2 * i;
		struct rate_sample rs = {
			.prior_mstamp_us = 1, .prior_delivered = begun, .delivered = (int32_t)n, .interval_us = interval_us, .rtt_us = rtt_us,
			.acked_sacked = part, .prior_in_flight = part + left, .is_app_limited = app_limited,
		};
		f.net.now_ns += rtt_us * NSEC_PER_USEC / acks;
		tcp_mstamp_refresh(&f.tp);
		f.tp.delivered += part;
		f.active.delivered_mstamp_us = f.tp.tcp_mstamp_us;
		f.tp.packets_out = left;
		tcp_bbr.cong_control(SK, 0, 0, &rs);
	}
}

static void assert_close(uint64_t got, uint64_t want, unsigned permille)
{
	uint64_t diff = got > want ? got - want : want - got;

	if (diff * 1000 > want * permille)
		fail_msg("%llu is not within %u/1000 of %llu\n", (unsigned long long)got, permille, (unsigned long long)want);
}

#endif
