/* SPDX-License-Identifier: MIT */
/* test_dctcp.c - DCTCP's average and reduction against RFC 8257 section 3.3 in floating point; nothing is sent. */
#include "tcp/tcp_cong.h"
#include "test.h"

static struct {
	struct net net;
	struct netns_tcp tcp;
	struct tcp_active active;
	struct tcp_sock tp;
} f;
#define SK ((struct sock *)&f.tp)

static void begin(void)
{
	memset(&f, 0, sizeof(f));
	f.net.tcp = &f.tcp;
	f.net.now_ns = NSEC_PER_SEC;
	SK->sk_net = &f.net;
	f.tp.active = &f.active;
	f.tp.snd_cwnd = 1000;
	f.tp.ecn_flags = TCP_ECN_OK;
	inet_csk(SK)->icsk_ca_ops = &tcp_dctcp;
	inet_csk(SK)->icsk_ca_initialized = 1;
	tcp_dctcp.init(SK);
}

struct dctcp_info { uint16_t enabled, ce_state; uint32_t alpha, ab_ecn, ab_tot; };
static struct dctcp_info told(void)
{
	struct dctcp_info i;
	int attr = 0;

	assert_int_equal(inet_csk(SK)->icsk_ca_ops->get_info(SK, UINT32_MAX, &attr, &i), sizeof(i));
	assert_int_equal(attr, INET_DIAG_DCTCPINFO);
	return i;
}

/* A window of 1,000 segments, `marked` of them under an echo. */
static void window(uint32_t marked)
{
	f.tp.snd_una = f.tp.snd_nxt;
	f.tp.snd_nxt += 1000;
	f.tp.delivered += 1000;
	f.tp.delivered_ce += marked;
	tcp_dctcp.in_ack_event(SK, 0);
}

static void assert_near(double got, double want, double by)
{
	if (got > want + by || got < want - by)
		fail_msg("%f is not within %f of %f\n", got, by, want);
}

static void alpha_averages_the_marked_part_of_each_window(void **state)
{
	static const uint32_t parts[] = {0, 1000, 100, 500, 10};
	double alpha = 1, g = 1.0 / 16;

	(void)state;
	begin();
	assert_int_equal(told().alpha, 1024); /* the first mark is taken at its word (3.3) */
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		for (int n = 0; n < 60; n++) {
			window(parts[i]);
			alpha = (1 - g) * alpha + g * parts[i] / 1000;
			/* Integers: the share is rounded down by less than one, the decay holds on to less than 16: 16 units of 1/1024. */
			assert_near(told().alpha / 1024.0, alpha, 17 / 1024.0);
		}
	}
	for (int n = 0; n < 200; n++)
		window(0);
	assert_int_equal(told().alpha, 0);
}

static void once_a_window(void **state)
{
	(void)state;
	begin();
	window(0);
	f.tp.snd_una = f.tp.snd_nxt - 1; /* not yet its end */
	f.tp.delivered += 500;
	f.tp.delivered_ce += 500;
	tcp_dctcp.in_ack_event(SK, CA_ACK_ECE);
	assert_int_equal(told().alpha, 1024 - 64);
	assert_int_equal(told().ab_tot, 0); /* mss_cache is 0 here */
}

static void the_reduction_is_half_of_alpha(void **state)
{
	(void)state;
	begin();
	assert_int_equal(tcp_dctcp.ssthresh(SK), 500);
	for (int n = 0; n < 200; n++)
		window(250);
	assert_near(tcp_dctcp.ssthresh(SK), 1000 * (1 - 0.25 / 2), 8);
	f.tp.snd_cwnd = 2;
	assert_int_equal(tcp_dctcp.ssthresh(SK), 2);
}

static void loss_halves(void **state)
{
	(void)state;
	begin();
	for (int n = 0; n < 200; n++)
		window(0);
	tcp_dctcp.set_state(SK, TCP_CA_Recovery);
	assert_int_equal(f.tp.snd_ssthresh, 500);
	f.tp.snd_cwnd = 400;
	assert_int_equal(tcp_dctcp.undo_cwnd(SK), 1000);
}

static void without_ecn_it_is_reno(void **state)
{
	(void)state;
	begin();
	f.tp.ecn_flags = 0;
	inet_sk(SK)->tos = 2;
	tcp_dctcp.init(SK);
	assert_string_equal(inet_csk(SK)->icsk_ca_ops->name, "dctcp-reno");
	assert_int_equal(inet_sk(SK)->tos, 0);
	assert_int_equal(told().enabled, 0);
	assert_int_equal(inet_csk(SK)->icsk_ca_ops->ssthresh(SK), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alpha_averages_the_marked_part_of_each_window), cmocka_unit_test(once_a_window),
		cmocka_unit_test(the_reduction_is_half_of_alpha), cmocka_unit_test(loss_halves), cmocka_unit_test(without_ecn_it_is_reno),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
