/* SPDX-License-Identifier: MIT */
/* test_path_window.c - windows and acknowledgments, on the wire and in virtual time: T7, T8. */
#include "path.h"

/* --- T7: the send window --------------------------------------------------------------------------------------------------------- */

static void connect_with_small_receiver(int rcvbuf)
{
	path_link(&(struct xmit_vnic_config){PATH_PLAIN, .delay_ns = SIM_MS});
	int l = path_listen(80);
	set_opt(p.b, l, SOL_SOCKET, SO_RCVBUF, rcvbuf);
	path_join(l, xmit_socket(p.a, AF_INET, SOCK_STREAM, 0), 80);
}

static void a_closed_window_is_probed(void **state)
{
	static char big[200000];

	(void)state;
	connect_with_small_receiver(8000);
	const struct tcp_sock *tp = tp_of(p.a, p.c);
	ssize_t sent = xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT);
	assert_true(sent > 20000);
	uint64_t until = p.s.now_ns + 500 * SIM_MS;
	while (sim_step(&p.s, until))
		assert_in_range(tp->snd_nxt - tp->snd_una, 0, tp->snd_wnd);
	/* The last said: nothing more. */
	const struct frame *closed = NULL;
	for (unsigned i = 0; i < p.n; i++)
		if (!p.f[i].out && is_tcp(&p.f[i]))
			closed = &p.f[i];
	assert_int_equal(window_of(closed), 0);
	unsigned from = p.n;
	sim_run(&p.s, 20 * SIM_SEC);
	/* Probes of no or one old byte, further and further apart; each is answered. */
	uint64_t at[8];
	unsigned probes = 0;
	for (unsigned i = from; i < p.n; i++)
		if (p.f[i].out && is_tcp(&p.f[i])) {
			assert_int_equal(payload_of(&p.f[i]), 0);
			assert_int_equal(seq_of(&p.f[i]), tp->snd_una - 1);
			at[probes++ % 8] = p.f[i].time_ns;
		}
	assert_in_range(probes, 4, 8);
	for (unsigned i = 2; i < probes; i++)
		assert_in_range((at[i] - at[i - 1]) * 10 / (at[i - 1] - at[i - 2]), 18, 22);
	assert_int_equal(count_of(p.b, "TcpExtTCPZeroWindowDrop"), 0);
	/* The reader reads; everything arrives. */
	size_t got = 0;
	for (int i = 0; i < 2000 && got < (size_t)sent; i++) {
		got += drain(p.b, p.d);
		sim_run(&p.s, 10 * SIM_MS);
	}
	assert_int_equal(got, sent);
}

static bool lose_window_updates(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	return end == 1 && is_tcp(f) && window_of(f);
}

/* Only the probe finds out that the window is open again when the update was lost. */
static void a_lost_window_update_does_not_stall(void **state)
{
	static char big[100000];

	(void)state;
	connect_with_small_receiver(8000);
	ssize_t sent = xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT);
	sim_run(&p.s, SIM_SEC);
	path_lose(lose_window_updates);
	size_t got = drain(p.b, p.d);
	sim_run(&p.s, 10 * SIM_MS);
	assert_int_equal(tp_of(p.a, p.c)->snd_wnd, 0);
	path_lose(NULL);
	for (int i = 0; i < 2000 && got < (size_t)sent; i++) {
		sim_run(&p.s, 10 * SIM_MS);
		got += drain(p.b, p.d);
	}
	assert_int_equal(got, sent);
	assert_true(count_of(p.a, "TcpExtTCPWinProbe") > 0);
}

/* --- T8: the receive side ------------------------------------------------------------------------------------------------------------ */

static void acks_are_delayed_and_each_second_one_is_sent(void **state)
{
	static char big[2 * PATH_MSS], buf[4096];

	(void)state;
	path_plain(SIM_MS);
	/* An exchange makes the connection interactive: the quick ACKs of its start are over. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(xmit_write(p.a, p.c, "q", 1), 1);
		sim_run(&p.s, 10 * SIM_MS);
		drain(p.b, p.d);
		assert_int_equal(xmit_write(p.b, p.d, "a", 1), 1);
		sim_run(&p.s, 100 * SIM_MS);
		drain(p.a, p.c);
	}
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1);
	uint64_t sent = p.s.now_ns;
	sim_run(&p.s, 60 * SIM_MS); /* not an RTO: after that it would be quick again */
	assert_in_range((nth_tcp(from, 0, false, PF_ACK)->time_ns - sent) / SIM_MS, 40, 45);
	/* The first full segments: an ACK for each at once, since each makes the window grow (tests/pkt/ack/first-full-segments.pkt). */
	drain(p.b, p.d);
	from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	sent = p.s.now_ns;
	sim_run(&p.s, 5 * SIM_MS);
	assert_int_equal(xmit_recv(p.b, p.d, buf, sizeof(buf), 0), sizeof(big));
	sim_run(&p.s, 10 * SIM_MS);
	const struct frame *ack = nth_tcp(from, 0, false, PF_ACK);
	assert_in_range((ack->time_ns - sent) / SIM_MS, 2, 3);
	assert_int_equal(ack_of(ack), seq_of(nth_data(from, 0)) + PATH_MSS);
}

/* One byte comes while the receiver's n-th allocation from now fails.  How long until its ACK is on the wire, ms; 0: never, or it was not the ACK that
 * found no memory (the byte was lost, or nothing failed). */
static uint64_t ack_without_memory_ms(uint64_t n)
{
	struct xmit_memory before, after;
	const struct frame *ack;

	path_plain(SIM_MS);
	sim_run(&p.s, SIM_SEC);
	xmit_memory(p.b, &before);
	unsigned from = p.n;
	uint64_t sent = p.s.now_ns;
	xmit_fail_allocation(p.b, n);
	assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1);
	sim_run(&p.s, 10 * SIM_MS);
	xmit_fail_allocation(p.b, 0);
	xmit_memory(p.b, &after);
	bool arrived = tp_of(p.b, p.d)->bytes_received == 1;
	sim_run(&p.s, 400 * SIM_MS);
	ack = nth_tcp(from, 0, false, PF_ACK);
	uint64_t ms = arrived && after.failures > before.failures && ack ? (ack->time_ns - sent) / SIM_MS : 0;
	assert_int_equal(drain(p.b, p.d), 1); /* whatever failed: the peer sent it again */
	return ms;
}

/* The ACK that could not be made is not forgotten: the delayed-ACK timer tries again, before the peer's retransmission timer. */
static void an_ack_without_memory_is_tried_again(void **state)
{
	unsigned late = 0;

	for (uint64_t n = 1; n <= 12; n++) {
		uint64_t ms = ack_without_memory_ms(n);
		late += ms >= 190 && ms <= 204 && !count_of(p.a, "TcpRetransSegs");
		if (n < 12)
			path_end(state);
	}
	assert_in_range(late, 1, 12);
}

static void a_hole_is_told_by_sack(void **state)
{
	static char big[6 * PATH_MSS];

	(void)state;
	path_plain(SIM_MS);
	lose_next_segment();
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	uint32_t base = seq_of(nth_data(from, 0));
	sim_run(&p.s, SIM_SEC);
	for (unsigned i = 0; i < 3; i++) {
		const struct frame *ack = nth_tcp(from, i, false, PF_ACK);
		const uint8_t *sack = option_of(ack, 5);
		assert_non_null(sack);
		assert_int_equal(ack_of(ack), base);
		assert_int_equal(sack[1], 10);
		assert_int_equal(be_at(sack + 2, 4), base + PATH_MSS);
		assert_int_equal(be_at(sack + 6, 4), base + (i + 2) * PATH_MSS);
	}
	assert_int_equal(drain(p.b, p.d), sizeof(big));
}

static bool lose_acks(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	return end == 1 && is_tcp(f);
}

static void a_duplicate_is_told_by_dsack(void **state)
{
	(void)state;
	path_plain(SIM_MS);
	unsigned from = p.n;
	path_lose(lose_acks);
	assert_int_equal(xmit_write(p.a, p.c, "once", 4), 4);
	sim_run(&p.s, 100 * SIM_MS);
	path_lose(NULL);
	sim_run(&p.s, 5 * SIM_SEC);
	uint32_t base = seq_of(nth_data(from, 0));
	const struct frame *ack = nth_tcp(from, 0, false, PF_ACK);
	const uint8_t *sack = option_of(ack, 5);
	assert_non_null(sack);
	assert_int_equal(ack_of(ack), base + 4);
	assert_int_equal(be_at(sack + 2, 4), base);
	assert_int_equal(be_at(sack + 6, 4), base + 4);
	assert_int_equal(count_of(p.b, "TcpExtTCPDSACKOldSent"), 1);
	assert_int_equal(count_of(p.a, "TcpExtTCPDSACKRecv"), 1);
}

static void the_window_scales_and_grows_with_the_reader(void **state)
{
	(void)state;
	path_link(&(struct xmit_vnic_config){.delay_ns = 20 * SIM_MS, .rate_bps = 1000000000});
	path_connect();
	const struct frame *syn = nth_tcp(0, 0, true, PF_SYN), *synack = nth_tcp(0, 0, false, PF_SYN);
	unsigned scale = option_of(synack, 3)[2];
	assert_in_range(option_of(syn, 3)[2], 1, 14);
	assert_in_range(scale, 1, 14);
	assert_in_range(window_of(synack), 1, 65535);
	unsigned from = p.n;
	uint32_t first = tp_of(p.b, p.d)->rcv_wnd;
	stream_for(SIM_SEC);
	/* 64 KB in 40 ms would be 1.6 MB/s: auto-tuning lets it have much more. */
	assert_true(tp_of(p.b, p.d)->rcv_wnd > 8 * first);
	assert_true(tp_of(p.a, p.c)->bytes_acked > 10000000);
	uint32_t largest = 0;
	for (unsigned i = from; i < p.n && i < PATH_KEPT; i++)
		if (!p.f[i].out && is_tcp(&p.f[i]) && window_of(&p.f[i]) << scale > largest)
			largest = window_of(&p.f[i]) << scale;
	assert_true(largest > 65535);
}

/* RFC 1122 4.2.3.3: a window is opened by a segment's worth at least. */
static void no_silly_windows(void **state)
{
	static char big[100000];
	char one[64];

	(void)state;
	connect_with_small_receiver(8000);
	xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT);
	sim_run(&p.s, SIM_SEC);
	unsigned from = p.n, scale = option_of(nth_tcp(0, 0, false, PF_SYN), 3)[2];
	for (int i = 0; i < 100; i++) {
		assert_int_equal(xmit_recv(p.b, p.d, one, sizeof(one), MSG_DONTWAIT), sizeof(one));
		sim_run(&p.s, SIM_MS);
	}
	for (unsigned i = from; i < p.n; i++)
		if (!p.f[i].out && is_tcp(&p.f[i]) && window_of(&p.f[i]))
			assert_true(window_of(&p.f[i]) << scale >= 536);
	for (unsigned i = from; i < p.n; i++)
		if (p.f[i].out && is_tcp(&p.f[i]) && payload_of(&p.f[i]))
			assert_true(payload_of(&p.f[i]) >= 536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_closed_window_is_probed), T(a_lost_window_update_does_not_stall), T(acks_are_delayed_and_each_second_one_is_sent),
		T(an_ack_without_memory_is_tried_again),
		T(a_hole_is_told_by_sack), T(a_duplicate_is_told_by_dsack), T(the_window_scales_and_grows_with_the_reader), T(no_silly_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
