/* SPDX-License-Identifier: MIT */
/* test_path_loss.c - how much TCP sends, and what when it is lost, on the wire and in virtual time: T6, T11. */
#include "path.h"

/* --- T6: the congestion window ------------------------------------------------------------------------------------------------ */

static void slow_start_doubles_each_round(void **state)
{
	(void)state;
	path_plain(50 * SIM_MS);
	set_opt(p.b, p.d, SOL_SOCKET, SO_RCVBUF, 200000);
	uint32_t rounds[4];
	for (int i = 0; i < 4; i++) {
		stream_for(100 * SIM_MS - (i ? 0 : 5 * SIM_MS));
		rounds[i] = tp_of(p.a, p.c)->snd_cwnd;
	}
	assert_int_equal(rounds[0], 10);
	for (int i = 1; i < 4; i++)
		assert_in_range(rounds[i], rounds[i - 1] * 17 / 10, rounds[i - 1] * 2);
}

static void above_ssthresh_growth_is_linear(void **state)
{
	(void)state;
	path_plain(50 * SIM_MS);
	congestion(p.c, "reno");
	struct tcp_sock *tp = tp_of(p.a, p.c);
	tp->snd_ssthresh = 10;
	stream_for(95 * SIM_MS);
	for (int i = 0; i < 5; i++) {
		uint32_t before = tp->snd_cwnd;
		stream_for(100 * SIM_MS);
		assert_in_range(tp->snd_cwnd - before, 0, 1);
	}
	assert_in_range(tp->snd_cwnd, 13, 16);
}

static void loss_reduces_by_the_algorithm(void **state)
{
	static const struct { const char *name; unsigned permille; } algorithm[] = {{"reno", 500}, {"cubic", 700}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		path_plain(20 * SIM_MS);
		congestion(p.c, algorithm[i].name);
		stream_for(200 * SIM_MS);
		struct tcp_sock *tp = tp_of(p.a, p.c);
		lose_next_segment();
		uint32_t before = tp->snd_cwnd;
		while (inet_csk(sk_of(p.a, p.c))->icsk_ca_state != TCP_CA_Recovery) {
			stream_for(SIM_MS);
			if (tp->snd_cwnd > before)
				before = tp->snd_cwnd;
		}
		stream_for(200 * SIM_MS);
		assert_in_range(tp->snd_ssthresh, before * (algorithm[i].permille - 60) / 1000, before * (algorithm[i].permille + 10) / 1000);
		if (!i)
			path_end(NULL);
	}
}

static void algorithms_by_name(void **state)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	(void)state;
	path_plain(0);
	assert_int_equal(xmit_getsockopt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_CONGESTION, name, &len), 0);
	assert_string_equal(name, "cubic");
	congestion(p.c, "reno");
	len = sizeof(name);
	assert_int_equal(xmit_getsockopt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_CONGESTION, name, &len), 0);
	assert_string_equal(name, "reno");
	FAILS(xmit_setsockopt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_CONGESTION, "nosuch", 6), ENOENT);
}

/* --- T11: loss ------------------------------------------------------------------------------------------------------------------------------- */

static void three_duplicates_resend_within_a_round_trip(void **state)
{
	static char big[10 * PATH_MSS];

	(void)state;
	path_plain(20 * SIM_MS);
	lose_next_segment();
	unsigned from = p.n;
	uint64_t start = p.s.now_ns;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	sim_run(&p.s, 2 * SIM_SEC);
	assert_int_equal(data_segments(from, NULL), 11);
	assert_int_equal(seq_of(nth_data(from, 10)), lost_seq);
	assert_in_range((nth_data(from, 10)->time_ns - start) / SIM_MS, 40, 41);
	assert_int_equal(count_of(p.a, "TcpExtTCPSackRecovery"), 1);
	assert_int_equal(count_of(p.a, "TcpExtTCPFastRetrans"), 1);
	assert_int_equal(count_of(p.a, "TcpExtTCPTimeouts"), 0);
	assert_int_equal(drain(p.b, p.d), sizeof(big));
}

static void without_sack_duplicates_do_it_too(void **state)
{
	static char big[10 * PATH_MSS];

	(void)state;
	path_link(&(struct xmit_vnic_config){PATH_PLAIN, .delay_ns = 20 * SIM_MS});
	set_sysctl(p.a, "net.ipv4.tcp_sack", "0");
	path_connect();
	lose_next_segment();
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	sim_run(&p.s, 2 * SIM_SEC);
	assert_int_equal(count_of(p.a, "TcpExtTCPRenoRecovery"), 1);
	assert_int_equal(count_of(p.a, "TcpExtTCPTimeouts"), 0);
	assert_int_equal(drain(p.b, p.d), sizeof(big));
}

static uint32_t hole_base;
static bool hole_lost[3];
/* Segments 0, 2 and 4 of a flight are lost the first time. */
static bool lose_three_holes(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	if (end || !is_tcp(f) || !payload_of(f))
		return false;
	uint32_t i = (seq_of(f) - hole_base) / PATH_MSS;
	if (i > 4 || i % 2 || hole_lost[i / 2])
		return false;
	return hole_lost[i / 2] = true;
}

static void the_scoreboard_resends_the_holes_only(void **state)
{
	static char big[10 * PATH_MSS];

	(void)state;
	path_plain(20 * SIM_MS);
	hole_base = tp_of(p.a, p.c)->snd_nxt;
	memset(hole_lost, 0, sizeof(hole_lost));
	path_lose(lose_three_holes);
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	sim_run(&p.s, 2 * SIM_SEC);
	assert_int_equal(data_segments(from, NULL), 13);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(seq_of(nth_data(from, 10 + i)), hole_base + 2 * i * PATH_MSS);
	assert_int_equal(count_of(p.a, "TcpExtTCPTimeouts"), 0);
	assert_int_equal(drain(p.b, p.d), sizeof(big));
}

static void silence_times_out_backs_off_and_starts_anew(void **state)
{
	(void)state;
	path_plain(20 * SIM_MS);
	stream_for(300 * SIM_MS);
	struct tcp_sock *tp = tp_of(p.a, p.c);
	path_lose(lose_all_tcp);
	sim_run(&p.s, 5 * SIM_SEC);
	unsigned from = p.n;
	uint64_t at[4];
	uint32_t seq = tp->snd_una;
	assert_int_equal(inet_csk(sk_of(p.a, p.c))->icsk_ca_state, TCP_CA_Loss);
	assert_int_equal(tp->snd_cwnd, 1);
	sim_run(&p.s, 60 * SIM_SEC);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(seq_of(nth_data(from, i)), seq);
		at[i] = nth_data(from, i)->time_ns;
	}
	/* RFC 6298 5.5: each wait is twice the one before. */
	assert_in_range((at[2] - at[1]) * 100 / (at[1] - at[0]), 199, 201);
	assert_int_equal(tp->snd_cwnd, 1);
	path_lose(NULL);
	uint64_t acked = tp->bytes_acked;
	stream_for(60 * SIM_SEC);
	assert_int_equal(inet_csk(sk_of(p.a, p.c))->icsk_ca_state, TCP_CA_Open);
	assert_true(tp->bytes_acked > acked + 1000000);
}

static void the_timeout_follows_the_round_trip(void **state)
{
	(void)state;
	path_plain(150 * SIM_MS);
	stream_for(3 * SIM_SEC);
	const struct tcp_sock *tp = tp_of(p.a, p.c);
	assert_in_range(tp->srtt_us >> 3, 300000, 345000);
	assert_in_range(inet_csk(sk_of(p.a, p.c))->icsk_rto_us, 500000, 700000); /* srtt and at least 200 ms */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(slow_start_doubles_each_round), T(above_ssthresh_growth_is_linear), T(loss_reduces_by_the_algorithm), T(algorithms_by_name),
		T(three_duplicates_resend_within_a_round_trip), T(without_sack_duplicates_do_it_too), T(the_scoreboard_resends_the_holes_only),
		T(silence_times_out_backs_off_and_starts_anew), T(the_timeout_follows_the_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
