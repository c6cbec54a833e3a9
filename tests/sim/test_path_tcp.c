/* SPDX-License-Identifier: MIT */
/* test_path_tcp.c - what TCP does with its segments, on the wire and in virtual time: T6 to T12. */
#include "path.h"

/* Fills the send buffer and lets time pass; the reader reads. */
static void stream_for(uint64_t ns)
{
	static char big[1 << 16];
	uint64_t until = p.s.now_ns + ns;

	do {
		while (xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT) > 0)
			;
		drain(p.b, p.d);
	} while (sim_step(&p.s, until) || p.s.now_ns < until);
}

static void congestion(int fd, const char *name)
{
	assert_int_equal(xmit_setsockopt(p.a, fd, IPPROTO_TCP, XMIT_TCP_CONGESTION, name, (socklen_t)strlen(name)), 0);
}

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

static uint32_t lost_seq;
static bool lost_once;
static bool lose_lost_seq_once(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	if (end || !is_tcp(f) || !payload_of(f) || lost_once || seq_of(f) != lost_seq)
		return false;
	return lost_once = true;
}

static void lose_next_segment(void)
{
	lost_once = false;
	lost_seq = tp_of(p.a, p.c)->snd_nxt;
	path_lose(lose_lost_seq_once);
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
	/* Two full segments: one ACK for both, when the reader has taken them and so moved the window. */
	drain(p.b, p.d);
	from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	sent = p.s.now_ns;
	sim_run(&p.s, 5 * SIM_MS);
	assert_int_equal(xmit_recv(p.b, p.d, buf, sizeof(buf), 0), sizeof(big));
	sim_run(&p.s, 10 * SIM_MS);
	const struct frame *ack = nth_tcp(from, 0, false, PF_ACK);
	assert_in_range((ack->time_ns - sent) / SIM_MS, 6, 7);
	assert_int_equal(ack_of(ack), seq_of(nth_data(from, 0)) + sizeof(big));
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

/* --- T9: the header -------------------------------------------------------------------------------------------------------------------- */

static uint16_t sum_of(const struct frame *f)
{
	const uint8_t *ip = ip_of(f), *t = tcp_of(f);
	unsigned n = doff_of(f) + payload_of(f);
	uint32_t sum = be_at(ip + 12, 2) + be_at(ip + 14, 2) + be_at(ip + 16, 2) + be_at(ip + 18, 2) + 6 + n;

	assert_true(34 + n <= PATH_BYTES);
	for (unsigned i = 0; i < n; i += 2)
		sum += (uint32_t)t[i] << 8 | (i + 1 < n ? t[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void header_fields_on_the_wire(void **state)
{
	(void)state;
	path_plain(0);
	const struct frame *syn = nth_tcp(0, 0, true, PF_SYN), *synack = nth_tcp(0, 0, false, PF_SYN);
	/* SYN: MSS 1,460, SACK permitted, timestamps, window scale, nothing else; its window is not scaled. */
	assert_int_equal(flags_of(syn), PF_SYN);
	assert_int_equal(ack_of(syn), 0);
	assert_int_equal(doff_of(syn), 40);
	assert_int_equal(be_at(option_of(syn, 2) + 2, 2), 1460);
	assert_non_null(option_of(syn, 4));
	assert_int_equal(be_at(option_of(syn, 8) + 6, 4), 0);
	assert_non_null(option_of(syn, 3));
	assert_int_equal(window_of(syn), 64240);
	assert_int_equal(flags_of(synack), PF_SYN | PF_ACK);
	assert_int_equal(ack_of(synack), seq_of(syn) + 1);
	assert_int_equal(be_at(option_of(synack, 8) + 6, 4), be_at(option_of(syn, 8) + 2, 4));
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, "hello", 5), 5);
	sim_run(&p.s, SIM_SEC);
	const struct frame *f = nth_data(from, 0), *ack = nth_tcp(from, 0, false, PF_ACK);
	assert_int_equal(be_at(tcp_of(f) + 2, 2), 80);
	assert_int_equal(be_at(tcp_of(f), 2), be_at(tcp_of(syn), 2));
	assert_int_equal(seq_of(f), seq_of(syn) + 1);
	assert_int_equal(ack_of(f), seq_of(synack) + 1);
	assert_int_equal(flags_of(f), PF_PSH | PF_ACK);
	assert_int_equal(doff_of(f), 32);
	assert_non_null(option_of(f, 8));
	assert_memory_equal(tcp_of(f) + 32, "hello", 5);
	assert_int_equal(window_of(f) << option_of(syn, 3)[2], tp_of(p.a, p.c)->rcv_wnd);
	assert_int_equal(ack_of(ack), seq_of(f) + 5);
	assert_int_equal(sum_of(syn), 0xffff);
	assert_int_equal(sum_of(synack), 0xffff);
	assert_int_equal(sum_of(f), 0xffff);
	assert_int_equal(sum_of(ack), 0xffff);
}

static void a_device_that_sums_gets_the_pseudo_header(void **state)
{
	(void)state;
	path_link(&(struct xmit_vnic_config){0});
	path_connect();
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, "hello", 5), 5);
	const struct frame *f = nth_data(from, 0);
	const uint8_t *ip = ip_of(f);
	uint32_t sum = be_at(ip + 12, 2) + be_at(ip + 14, 2) + be_at(ip + 16, 2) + be_at(ip + 18, 2) + 6 + 32 + 5;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(be_at(tcp_of(f) + 16, 2), sum);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(drain(p.b, p.d), 5);
}

static void originals_wait_in_sequence(void **state)
{
	static char big[5 * PATH_MSS];

	(void)state;
	path_plain(20 * SIM_MS);
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	struct sock *sk = sk_of(p.a, p.c);
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t next = tp->snd_una;
	unsigned n = 0;
	for (struct rb_node *node = rb_first(&sk->tcp_rtx_queue); node; node = rb_next(node), n++) {
		const struct tcp_skb_cb *cb = TCP_SKB_CB(rb_to_skb(node));
		assert_int_equal(cb->seq, next);
		next = cb->end_seq;
	}
	assert_int_equal(n, 5);
	assert_int_equal(next, tp->snd_nxt);
	sim_run(&p.s, SIM_SEC);
	assert_true(tcp_rtx_queue_empty(sk));
	assert_int_equal(sk->sk_wmem_queued, 0);
	assert_int_equal(sk->sk_wmem_alloc, 1);
}

/* --- T10: connecting ---------------------------------------------------------------------------------------------------------------------- */

static bool lose_all_tcp(const struct frame *f, int end, unsigned nr)
{
	(void)end;
	(void)nr;
	return is_tcp(f);
}

static void syns_are_sent_again_further_apart(void **state)
{
	struct sockaddr_in addr = sim_addr(1, 80);

	(void)state;
	path_plain(0);
	path_lose(lose_all_tcp);
	int c = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0);
	set_opt(p.a, c, IPPROTO_TCP, XMIT_TCP_SYNCNT, 3);
	unsigned from = p.n;
	uint64_t start = p.s.now_ns;
	FAILS(xmit_connect(p.a, c, (struct sockaddr *)&addr, sizeof(addr)), ETIMEDOUT);
	static const unsigned at_s[] = {0, 1, 3, 7};
	for (unsigned i = 0; i < 4; i++)
		assert_in_range((nth_tcp(from, i, true, PF_SYN)->time_ns - start + 10 * SIM_MS) / SIM_SEC, at_s[i], at_s[i]);
	assert_in_range((p.s.now_ns - start + 10 * SIM_MS) / SIM_SEC, 15, 15);
	assert_int_equal(count_of(p.a, "TcpExtTCPSynRetrans"), 3);
}

static void a_syn_waits_in_the_retransmit_tree(void **state)
{
	struct sockaddr_in addr = sim_addr(1, 80), far = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(0xc6336401)};

	(void)state;
	path_plain(0);
	path_lose(lose_all_tcp);
	int c = xmit_socket(p.a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	FAILS(xmit_connect(p.a, c, (struct sockaddr *)&addr, sizeof(addr)), EINPROGRESS);
	struct sock *sk = sk_of(p.a, c);
	assert_int_equal(sk->sk_state, TCP_SYN_SENT);
	assert_int_equal(sk->sk_write_queue.qlen, 0);
	assert_int_equal(TCP_SKB_CB(tcp_rtx_queue_head(sk))->tcp_flags & PF_SYN, PF_SYN);
	assert_int_equal(sk->sk_wmem_queued, tcp_rtx_queue_head(sk)->truesize);
	/* No route: not a single SYN. */
	unsigned from = p.n;
	int d = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0);
	FAILS(xmit_connect(p.a, d, (struct sockaddr *)&far, sizeof(far)), ENETUNREACH);
	assert_int_equal(xmit_route_add_text(p.a, "unreachable 198.51.100.0/24"), 0);
	FAILS(xmit_connect(p.a, d, (struct sockaddr *)&far, sizeof(far)), EHOSTUNREACH);
	assert_int_equal(p.n, from);
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

/* --- T12: the states ---------------------------------------------------------------------------------------------------------------------------- */

static void both_ends_open_at_once(void **state)
{
	struct sockaddr_in x = sim_addr(0, 5000), y = sim_addr(1, 5001);
	char buf[8];

	(void)state;
	path_plain(10 * SIM_MS);
	int c = xmit_socket(p.a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), d = xmit_socket(p.b, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(xmit_bind(p.a, c, (struct sockaddr *)&x, sizeof(x)), 0);
	assert_int_equal(xmit_bind(p.b, d, (struct sockaddr *)&y, sizeof(y)), 0);
	unsigned from = p.n;
	FAILS(xmit_connect(p.a, c, (struct sockaddr *)&y, sizeof(y)), EINPROGRESS);
	FAILS(xmit_connect(p.b, d, (struct sockaddr *)&x, sizeof(x)), EINPROGRESS);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(flags_of(nth_tcp(from, 0, false, PF_SYN)), PF_SYN); /* they crossed */
	assert_int_equal(sk_of(p.a, c)->sk_state, TCP_ESTABLISHED);
	assert_int_equal(sk_of(p.b, d)->sk_state, TCP_ESTABLISHED);
	assert_int_equal(xmit_write(p.a, c, "hi", 2), 2);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(xmit_recv(p.b, d, buf, sizeof(buf), MSG_DONTWAIT), 2);
}

static void the_active_closer_waits(void **state)
{
	char buf[8];

	(void)state;
	path_plain(SIM_MS);
	unsigned from = p.n;
	assert_int_equal(xmit_shutdown(p.a, p.c, SHUT_WR), 0);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(sk_of(p.a, p.c)->sk_state, TCP_FIN_WAIT2);
	assert_int_equal(sk_of(p.b, p.d)->sk_state, TCP_CLOSE_WAIT);
	/* Half closed: the other direction still works. */
	assert_int_equal(xmit_write(p.b, p.d, "bye", 3), 3);
	assert_int_equal(xmit_read(p.a, p.c, buf, sizeof(buf)), 3);
	xmit_close(p.b, p.d);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(xmit_read(p.a, p.c, buf, sizeof(buf)), 0);
	xmit_close(p.a, p.c);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(p.a->tcp->tw_count, 1);
	assert_int_equal(p.b->tcp->tw_count, 0);
	nth_tcp(from, 0, true, PF_FIN);
	assert_int_equal(ack_of(nth_tcp(from, 0, false, PF_FIN)), seq_of(nth_tcp(from, 0, true, PF_FIN)) + 1);
	sim_run(&p.s, 57 * SIM_SEC);
	assert_int_equal(p.a->tcp->tw_count, 1);
	sim_run(&p.s, 4 * SIM_SEC);
	assert_int_equal(p.a->tcp->tw_count, 0);
}

static void a_silent_peer_is_found_by_keepalive(void **state)
{
	char buf[8];

	(void)state;
	path_plain(SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_KEEPIDLE, 10);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_KEEPINTVL, 2);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_KEEPCNT, 3);
	unsigned from = p.n;
	uint64_t start = p.s.now_ns;
	sim_run(&p.s, 25 * SIM_SEC); /* it answers: two probes, nothing happens */
	assert_int_equal(sk_of(p.a, p.c)->sk_state, TCP_ESTABLISHED);
	assert_int_equal(seq_of(nth_tcp(from, 0, true, PF_ACK)), tp_of(p.a, p.c)->snd_nxt - 1);
	assert_in_range((nth_tcp(from, 0, true, PF_ACK)->time_ns - start) / SIM_MS, 8900, 10100);
	path_lose(lose_all_tcp);
	start = p.s.now_ns;
	FAILS(xmit_read(p.a, p.c, buf, sizeof(buf)), ETIMEDOUT);
	assert_in_range((p.s.now_ns - start) / SIM_SEC, 6, 17);
	assert_int_equal(count_of(p.a, "TcpExtTCPAbortOnTimeout"), 1);
}

static void user_timeout_ends_a_dead_connection(void **state)
{
	char buf[8];

	(void)state;
	path_plain(SIM_MS);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_USER_TIMEOUT, 3000);
	path_lose(lose_all_tcp);
	assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1);
	uint64_t start = p.s.now_ns;
	FAILS(xmit_read(p.a, p.c, buf, sizeof(buf)), ETIMEDOUT);
	assert_in_range((p.s.now_ns - start) / SIM_MS, 2900, 3300);
}

static void linger_waits_or_resets(void **state)
{
	struct linger two = {1, 2}, none = {1, 0};

	(void)state;
	path_plain(SIM_MS);
	assert_int_equal(xmit_setsockopt(p.a, p.c, SOL_SOCKET, SO_LINGER, &two, sizeof(two)), 0);
	path_lose(lose_all_tcp);
	uint64_t start = p.s.now_ns;
	xmit_close(p.a, p.c);
	assert_in_range((p.s.now_ns - start) / SIM_MS, 1990, 2010);
	path_lose(NULL);
	path_connect();
	unsigned from = p.n;
	assert_int_equal(xmit_setsockopt(p.a, p.c, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
	xmit_close(p.a, p.c);
	nth_tcp(from, 0, true, PF_RST);
	sim_run(&p.s, SIM_SEC);
	char buf[4];
	FAILS(xmit_read(p.b, p.d, buf, sizeof(buf)), ECONNRESET);
}

static void a_full_accept_queue_refuses_new_connections(void **state)
{
	struct sockaddr_in addr = sim_addr(1, 90);
	int c[6], n = 0;

	(void)state;
	path_plain(SIM_MS);
	int l = xmit_socket(p.b, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(xmit_bind(p.b, l, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(xmit_listen(p.b, l, 2), 0);
	for (int i = 0; i < 6; i++) {
		c[i] = xmit_socket(p.a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		FAILS(xmit_connect(p.a, c[i], (struct sockaddr *)&addr, sizeof(addr)), EINPROGRESS);
		sim_run(&p.s, 100 * SIM_MS);
	}
	assert_true(count_of(p.b, "TcpExtListenOverflows") > 0);
	/* Room again: those that were put off come in by their own retransmissions. */
	set_opt(p.b, l, SOL_SOCKET, SO_REUSEADDR, 1);
	for (int i = 0; i < 200; i++) {
		if (xmit_accept4(p.b, l, NULL, NULL, SOCK_NONBLOCK) >= 0)
			n++;
		int fl = xmit_fcntl(p.b, l, F_GETFL, 0);
		xmit_fcntl(p.b, l, F_SETFL, fl | O_NONBLOCK);
		sim_run(&p.s, 100 * SIM_MS);
	}
	assert_int_equal(n, 6);
}

static void a_blind_reset_is_challenged(void **state)
{
	(void)state;
	path_plain(SIM_MS);
	/* A RST within the window, not at its edge (RFC 5961 3.2): answered by an ACK, the connection lives. */
	struct sock *sk = sk_of(p.a, p.c);
	tcp_sk(sk)->snd_nxt += 100;
	tcp_send_active_reset(sk, MEM_NORMAL);
	tcp_sk(sk)->snd_nxt -= 100;
	sim_run(&p.s, 10 * SIM_MS);
	assert_int_equal(count_of(p.b, "TcpExtTCPChallengeACK"), 1);
	assert_int_equal(sk_of(p.b, p.d)->sk_state, TCP_ESTABLISHED);
	tcp_send_active_reset(sk, MEM_NORMAL);
	sim_run(&p.s, 10 * SIM_MS);
	assert_int_equal(sk_of(p.b, p.d)->sk_state, TCP_CLOSE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, path_end)
	const struct CMUnitTest tests[] = {
		T(slow_start_doubles_each_round), T(above_ssthresh_growth_is_linear), T(loss_reduces_by_the_algorithm), T(algorithms_by_name),
		T(a_closed_window_is_probed), T(a_lost_window_update_does_not_stall), T(acks_are_delayed_and_each_second_one_is_sent),
		T(a_hole_is_told_by_sack), T(a_duplicate_is_told_by_dsack), T(the_window_scales_and_grows_with_the_reader), T(no_silly_windows),
		T(header_fields_on_the_wire), T(a_device_that_sums_gets_the_pseudo_header), T(originals_wait_in_sequence),
		T(syns_are_sent_again_further_apart), T(a_syn_waits_in_the_retransmit_tree), T(three_duplicates_resend_within_a_round_trip),
		T(without_sack_duplicates_do_it_too), T(the_scoreboard_resends_the_holes_only), T(silence_times_out_backs_off_and_starts_anew),
		T(the_timeout_follows_the_round_trip), T(both_ends_open_at_once), T(the_active_closer_waits), T(a_silent_peer_is_found_by_keepalive),
		T(user_timeout_ends_a_dead_connection), T(linger_waits_or_resets), T(a_full_accept_queue_refuses_new_connections),
		T(a_blind_reset_is_challenged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
