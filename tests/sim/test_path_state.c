/* SPDX-License-Identifier: MIT */
/* test_path_state.c - headers, connecting and the states of a connection, on the wire and in virtual time: T9, T10, T12. */
#include "path.h"

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
	sim_run(&p.s, SIM_MS); /* small queues: the third leaves when the first is completed */
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

/* The first tcp_syn_linear_timeouts at equal distance, each after them twice as late; these many more than TCP_SYNCNT. */
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
	static const unsigned at_s[] = {0, 1, 2, 3, 4, 5, 7, 11};
	for (unsigned i = 0; i < 8; i++)
		assert_in_range((nth_tcp(from, i, true, PF_SYN)->time_ns - start + 10 * SIM_MS) / SIM_SEC, at_s[i], at_s[i]);
	assert_in_range((p.s.now_ns - start + 10 * SIM_MS) / SIM_SEC, 19, 19);
	assert_int_equal(count_of(p.a, "TcpExtTCPSynRetrans"), 7);
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
	/* A loss probe, then the timeout: the user's patience counts from that one on, as Linux's does. */
	assert_in_range((p.s.now_ns - start) / SIM_MS, 3300, 3500);
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
	const struct CMUnitTest tests[] = {
		T(header_fields_on_the_wire), T(a_device_that_sums_gets_the_pseudo_header), T(originals_wait_in_sequence),
		T(syns_are_sent_again_further_apart), T(a_syn_waits_in_the_retransmit_tree), T(both_ends_open_at_once), T(the_active_closer_waits),
		T(a_silent_peer_is_found_by_keepalive), T(user_timeout_ends_a_dead_connection), T(linger_waits_or_resets),
		T(a_full_accept_queue_refuses_new_connections), T(a_blind_reset_is_challenged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
