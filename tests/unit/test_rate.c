/* SPDX-License-Identifier: MIT */
/*
 * test_rate.c - delivery-rate samples against draft-cheng-iccrg-delivery-rate-estimation, by hand: segments are sent and acknowledged at given times;
 * nothing goes over a wire.
 */
#include "tcp/tcp_cong.h"
#include "test.h"

enum { SEGS = 64 };

static struct {
	struct net net;
	struct netns_tcp tcp;
	struct tcp_active active;
	struct tcp_sock tp;
	struct sk_buff skb[SEGS];
} f;
#define SK ((struct sock *)&f.tp)

static void begin(void)
{
	memset(&f, 0, sizeof(f));
	f.net.tcp = &f.tcp;
	f.net.now_ns = 5 * NSEC_PER_SEC;
	SK->sk_net = &f.net;
	f.tp.active = &f.active;
	f.tp.mss_cache = 1000;
	f.tp.snd_cwnd = 100;
	f.tp.rtt_min_us = 10000;
	inet_csk(SK)->icsk_ca_ops = &tcp_reno;
	SK->sk_wmem_alloc = 1;
	for (uint32_t i = 0; i < SEGS; i++) {
		TCP_SKB_CB(&f.skb[i])->seq = i * 1000;
		TCP_SKB_CB(&f.skb[i])->end_seq = i * 1000 + 1000;
	}
}

static void at_us(uint64_t us)
{
	f.net.now_ns = 5 * NSEC_PER_SEC + us * NSEC_PER_USEC;
	tcp_mstamp_refresh(&f.tp);
}

static void send_at(int i, uint64_t us)
{
	at_us(us);
	f.skb[i].skb_mstamp_ns = f.net.now_ns;
	tcp_rate_skb_sent(SK, &f.skb[i]);
	f.tp.packets_out++;
	f.tp.snd_nxt = f.tp.write_seq = TCP_SKB_CB(&f.skb[i])->end_seq;
}

/* One ACK at us for segments from..to. */
static struct rate_sample ack_at(int from, int to, uint64_t us)
{
	struct rate_sample rs = {0};
	uint32_t n = (uint32_t)(to - from + 1);

	at_us(us);
	for (int i = from; i <= to; i++) {
		f.tp.delivered++;
		f.tp.packets_out--;
		tcp_rate_skb_delivered(SK, &f.skb[i], &rs);
	}
	f.tp.snd_una = TCP_SKB_CB(&f.skb[to])->end_seq;
	tcp_rate_gen(SK, n, 0, false, &rs);
	return rs;
}

/* A segment a millisecond, each acknowledged 20 ms later: a round trip's worth at the rate at which it was sent. */
static void a_steady_flow(void **state)
{
	struct rate_sample rs = {0};

	(void)state;
	begin();
	for (int i = 0; i < 60; i++) {
		if (i >= 20)
			rs = ack_at(i - 20, i - 20, (uint64_t)i * 1000);
		send_at(i, (uint64_t)i * 1000);
	}
	/* Segment 39 was sent at 39 ms, with 20 delivered; now 40 are. */
	assert_int_equal(rs.delivered, 20);
	assert_int_equal(rs.interval_us, 20000);
	assert_int_equal(tcp_delivery_rate(&f.tp), 1000000);
}

/* Ten segments a millisecond apart whose ACKs come all at once: the path did not become faster. */
static void squeezed_acks_count_by_the_time_of_sending(void **state)
{
	struct rate_sample rs = {0};

	(void)state;
	begin();
	f.tp.rtt_min_us = 1000;
	for (int i = 0; i < 20; i++)
		send_at(i, (uint64_t)i * 1000);
	ack_at(0, 0, 20000);
	for (int i = 1; i < 20; i++)
		rs = ack_at(i, i, 20000);
	/* 20 delivered, sent in 19 ms, acknowledged within 20 (since the flight began). */
	assert_int_equal(rs.delivered, 20);
	assert_int_equal(rs.interval_us, 20000);
}

/* A burst whose ACKs come a millisecond apart: the rate is theirs. */
static void a_burst_counts_by_the_time_of_its_acks(void **state)
{
	struct rate_sample rs = {0};

	(void)state;
	begin();
	for (int i = 0; i < 20; i++)
		send_at(i, 0);
	for (int i = 0; i < 20; i++)
		rs = ack_at(i, i, 20000 + (uint64_t)i * 1000);
	assert_int_equal(rs.delivered, 20);
	assert_int_equal(rs.interval_us, 39000);
}

static void an_interval_below_the_least_round_trip_is_none(void **state)
{
	(void)state;
	begin();
	send_at(0, 0);
	struct rate_sample rs = ack_at(0, 0, 9999);
	assert_int_equal(rs.interval_us, -1);
	assert_int_equal(tcp_delivery_rate(&f.tp), 0);
	send_at(1, 20000);
	rs = ack_at(1, 1, 30000);
	assert_int_equal(rs.interval_us, 10000);
	assert_int_equal(tcp_delivery_rate(&f.tp), 100000);
}

/* The newest of what one ACK acknowledges makes the sample, also when it was retransmitted out of order. */
static void the_segment_sent_last_makes_the_sample(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 4; i++)
		send_at(i, (uint64_t)i * 1000);
	ack_at(0, 0, 20000);
	f.skb[1].skb_mstamp_ns = 0;
	at_us(25000);
	f.skb[1].skb_mstamp_ns = f.net.now_ns;
	TCP_SKB_CB(&f.skb[1])->sacked = TCPCB_SACKED_RETRANS;
	tcp_rate_skb_sent(SK, &f.skb[1]);
	struct rate_sample rs = ack_at(1, 3, 45000);
	assert_true(rs.is_retrans);
	assert_int_equal(rs.prior_delivered, 1);
	assert_int_equal(rs.delivered, 3);
	assert_int_equal(rs.interval_us, 25000); /* since the ACK at 20 ms; sent in 25 */
}

static void sacked_segments_count_once(void **state)
{
	struct rate_sample rs = {0};

	(void)state;
	begin();
	for (int i = 0; i < 4; i++)
		send_at(i, 0);
	TCP_SKB_CB(&f.skb[2])->sacked = TCPCB_SACKED_ACKED;
	at_us(20000);
	f.tp.delivered++;
	tcp_rate_skb_delivered(SK, &f.skb[2], &rs);
	tcp_rate_gen(SK, 1, 0, false, &rs);
	assert_int_equal(rs.delivered, 1);
	memset(&rs, 0, sizeof(rs));
	tcp_rate_skb_delivered(SK, &f.skb[2], &rs);
	tcp_rate_gen(SK, 0, 0, false, &rs);
	assert_int_equal(rs.delivered, -1);
}

/* What follows a pause of the application is marked until all that was sent before its end is delivered. */
static void the_applications_pause_is_marked(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 5; i++)
		send_at(i, 0);
	assert_false(ack_at(0, 0, 20000).is_app_limited);
	tcp_rate_check_app_limited(SK); /* 4 in flight of 100, nothing left to send */
	assert_int_equal(f.active.app_limited, 5);
	send_at(5, 21000);
	assert_false(ack_at(1, 4, 22000).is_app_limited);
	struct rate_sample rs = ack_at(5, 5, 41000);
	assert_true(rs.is_app_limited);
	assert_int_equal(f.active.app_limited, 0);
	send_at(6, 42000);
	assert_false(ack_at(6, 6, 62000).is_app_limited);

	/* A full window, data left, or frames below: not the application's doing. */
	f.tp.snd_cwnd = 0;
	tcp_rate_check_app_limited(SK);
	f.tp.snd_cwnd = 100;
	f.tp.write_seq += 1000;
	tcp_rate_check_app_limited(SK);
	f.tp.write_seq -= 1000;
	SK->sk_wmem_alloc = 2000;
	tcp_rate_check_app_limited(SK);
	SK->sk_wmem_alloc = 1;
	f.tp.lost_out = 1;
	tcp_rate_check_app_limited(SK);
	assert_int_equal(f.active.app_limited, 0);
}

/* Slower because the application was: TCP_INFO keeps what the path has shown. */
static void limited_samples_do_not_lower_the_rate(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 20; i++)
		send_at(i, 0);
	ack_at(0, 19, 20000);
	assert_int_equal(tcp_delivery_rate(&f.tp), 1000000);
	tcp_rate_check_app_limited(SK);
	send_at(20, 21000);
	ack_at(20, 20, 41000);
	assert_int_equal(tcp_delivery_rate(&f.tp), 1000000);
	assert_false(f.tp.rate_app_limited);
	send_at(21, 50000);
	ack_at(21, 21, 70000);
	assert_int_equal(tcp_delivery_rate(&f.tp), 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_flow), cmocka_unit_test(squeezed_acks_count_by_the_time_of_sending),
		cmocka_unit_test(a_burst_counts_by_the_time_of_its_acks), cmocka_unit_test(an_interval_below_the_least_round_trip_is_none),
		cmocka_unit_test(the_segment_sent_last_makes_the_sample), cmocka_unit_test(sacked_segments_count_once),
		cmocka_unit_test(the_applications_pause_is_marked), cmocka_unit_test(limited_samples_do_not_lower_the_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
