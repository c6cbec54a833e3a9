/* SPDX-License-Identifier: MIT */
/* test_fastopen.c - TCP Fast Open (RFC 7413), client and server, on the wire and in virtual time. */
#include "path.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
enum { OPT_SYN_DATA = 32 };

static char data[4096], got[8192];

/* A listener at host 1, port 80, that takes at most qlen children before their handshake is over; 0: Fast Open is off there. */
static int tfo_listen(int qlen)
{
	struct sockaddr_in addr = sim_addr(1, 80);
	int l = xmit_socket(p.b, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(xmit_bind(p.b, l, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (qlen)
		set_opt(p.b, l, IPPROTO_TCP, XMIT_TCP_FASTOPEN, qlen);
	assert_int_equal(xmit_listen(p.b, l, 16), 0);
	return l;
}

static void tfo_link(void)
{
	path_link(&(struct xmit_vnic_config){PATH_PLAIN, .delay_ns = 5 * SIM_MS});
	set_sysctl(p.a, "net.ipv4.tcp_fastopen", "1");
	set_sysctl(p.b, "net.ipv4.tcp_fastopen", "2");
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 256);
}

static int client(void) { return xmit_socket(p.a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); }

static ssize_t open_with(int fd, size_t n)
{
	struct sockaddr_in addr = sim_addr(1, 80);

	return xmit_sendto(p.a, fd, data, n, MSG_FASTOPEN, (struct sockaddr *)&addr, sizeof(addr));
}

static int accept_one(int l)
{
	int d = xmit_accept4(p.b, l, NULL, NULL, SOCK_NONBLOCK);

	assert_true(d >= 0);
	return d;
}

/* The client asks for its cookie. */
static void learn_cookie(int l)
{
	int c = client();

	FAILS(open_with(c, 0), EINPROGRESS);
	sim_run(&p.s, 30 * SIM_MS);
	assert_int_equal(xmit_close(p.b, accept_one(l)), 0);
	assert_int_equal(xmit_close(p.a, c), 0);
	sim_run(&p.s, 100 * SIM_MS);
}

static struct xmit_tcp_info info_of(xmit_net *net, int fd)
{
	struct xmit_tcp_info info;
	socklen_t len = sizeof(info);

	assert_int_equal(xmit_getsockopt(net, fd, IPPROTO_TCP, XMIT_TCP_INFO, &info, &len), 0);
	return info;
}

static void assert_reads(xmit_net *net, int fd, size_t at, size_t n)
{
	size_t have = 0;
	ssize_t r;

	while (have < n && (r = xmit_recv(net, fd, got + have, n - have, MSG_DONTWAIT)) > 0)
		have += (size_t)r;
	assert_int_equal(have, n);
	assert_memory_equal(got, data + at, n);
}

/* --- cookies ------------------------------------------------------------------------------------------------------------------ */

/* The cookie that Linux 6.18 gave for this key and these addresses. */
static void the_cookie_is_linuxs(void **state)
{
	static const uint8_t linuxs[8] = {0xeb, 0xfa, 0x09, 0xe3, 0xbf, 0xdc, 0xca, 0xee};
	char key[80];

	(void)state;
	tfo_link();
	/* There the server is 192.0.2.1 and the client 192.0.2.2: the other way round here. */
	set_sysctl(p.a, "net.ipv4.tcp_fastopen", "3");
	set_sysctl(p.b, "net.ipv4.tcp_fastopen", "1");
	set_sysctl(p.a, "net.ipv4.tcp_fastopen_key", "00112233-44556677-8899aabb-ccddeeff");
	assert_true(xmit_sysctl_get(p.a, "net.ipv4.tcp_fastopen_key", key, sizeof(key)) > 0);
	assert_string_equal(key, "00112233-44556677-8899aabb-ccddeeff");
	struct sockaddr_in addr = sim_addr(0, 80);
	int l = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0), c = xmit_socket(p.b, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_opt(p.a, l, IPPROTO_TCP, XMIT_TCP_FASTOPEN, 4);
	assert_int_equal(xmit_bind(p.a, l, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(xmit_listen(p.a, l, 4), 0);
	FAILS(xmit_sendto(p.b, c, data, 0, MSG_FASTOPEN, (struct sockaddr *)&addr, sizeof(addr)), EINPROGRESS);
	sim_run(&p.s, 50 * SIM_MS);
	const uint8_t *asked = option_of(nth_tcp(0, 0, false, PF_SYN), 34), *o = option_of(nth_tcp(0, 0, true, PF_SYN | PF_ACK), 34);
	assert_non_null(asked);
	assert_int_equal(asked[1], 2);
	assert_non_null(o);
	assert_int_equal(o[1], 10);
	assert_memory_equal(o + 2, linuxs, 8);
	assert_int_equal(count_of(p.a, "TcpExtTCPFastOpenCookieReqd"), 1);
}

static void keys_are_set_and_read(void **state)
{
	char key[80], why[200];
	uint8_t two[32], back[40];
	socklen_t len = sizeof(back);

	(void)state;
	tfo_link();
	assert_true(xmit_sysctl_get(p.a, "net.ipv4.tcp_fastopen_key", key, sizeof(key)) > 0);
	assert_string_equal(key, "00000000-00000000-00000000-00000000"); /* none before a listener needs one */
	FAILS(xmit_sysctl_set(p.a, "net.ipv4.tcp_fastopen_key", "0-1-2", why, sizeof(why)), EINVAL);
	FAILS(xmit_sysctl_set(p.a, "net.ipv4.tcp_fastopen_key", "0-1-2-x", why, sizeof(why)), EINVAL);
	set_sysctl(p.a, "net.ipv4.tcp_fastopen_key", "1-2-3-4,5-6-7-8");
	assert_true(xmit_sysctl_get(p.a, "net.ipv4.tcp_fastopen_key", key, sizeof(key)) > 0);
	assert_string_equal(key, "00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008");
	int fd = client();
	for (unsigned i = 0; i < sizeof(two); i++)
		two[i] = (uint8_t)i;
	FAILS(xmit_setsockopt(p.a, fd, IPPROTO_TCP, XMIT_TCP_FASTOPEN_KEY, two, 0), EINVAL);
	FAILS(xmit_setsockopt(p.a, fd, IPPROTO_TCP, XMIT_TCP_FASTOPEN_KEY, two, 17), EINVAL);
	assert_int_equal(xmit_setsockopt(p.a, fd, IPPROTO_TCP, XMIT_TCP_FASTOPEN_KEY, two, 32), 0);
	assert_int_equal(xmit_getsockopt(p.a, fd, IPPROTO_TCP, XMIT_TCP_FASTOPEN_KEY, back, &len), 0);
	assert_int_equal(len, 32);
	assert_memory_equal(back, two, 32);
}

static void a_cookie_of_the_second_key_is_good_and_renewed(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(4);
	set_sysctl(p.b, "net.ipv4.tcp_fastopen_key", "1-2-3-4");
	learn_cookie(l);
	set_sysctl(p.b, "net.ipv4.tcp_fastopen_key", "9-9-9-9,1-2-3-4");
	unsigned from = p.n;
	int c = client();
	assert_int_equal(open_with(c, 100), 100);
	sim_run(&p.s, 30 * SIM_MS);
	assert_int_equal(ack_of(nth_tcp(from, 0, false, PF_SYN | PF_ACK)), seq_of(nth_tcp(from, 0, true, PF_SYN)) + 101);
	assert_non_null(option_of(nth_tcp(from, 0, false, PF_SYN | PF_ACK), 34));
	assert_int_equal(count_of(p.b, "TcpExtTCPFastOpenPassiveAltKey"), 1);
	assert_reads(p.b, accept_one(l), 0, 100);
	/* A key that is gone: the data is not taken, the connection is. */
	set_sysctl(p.b, "net.ipv4.tcp_fastopen_key", "7-7-7-7");
	from = p.n;
	c = client();
	assert_int_equal(open_with(c, 100), 100);
	sim_run(&p.s, 30 * SIM_MS);
	assert_int_equal(ack_of(nth_tcp(from, 0, false, PF_SYN | PF_ACK)), seq_of(nth_tcp(from, 0, true, PF_SYN)) + 1);
	assert_int_equal(count_of(p.b, "TcpExtTCPFastOpenPassiveFail"), 1);
	assert_reads(p.b, accept_one(l), 0, 100);
	assert_false(info_of(p.a, c).tcpi_options & OPT_SYN_DATA);
}

/* --- the usual way --------------------------------------------------------------------------------------------------------------- */

static void data_rides_on_the_syn_and_is_answered_before_the_last_ack(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(4);
	learn_cookie(l);
	unsigned from = p.n;
	int c = client();
	assert_int_equal(open_with(c, 1000), 1000);
	sim_run(&p.s, 7 * SIM_MS); /* the SYN is there, nothing is back */
	const struct frame *syn = nth_tcp(from, 0, true, PF_SYN);
	assert_int_equal(payload_of(syn), 1000);
	assert_int_equal(option_of(syn, 34)[1], 10);
	int d = accept_one(l);
	assert_int_equal(info_of(p.b, d).tcpi_state, TCP_SYN_RECV);
	assert_true(info_of(p.b, d).tcpi_options & OPT_SYN_DATA);
	assert_reads(p.b, d, 0, 1000);
	assert_int_equal(xmit_send(p.b, d, data, 500, 0), 500);
	sim_run(&p.s, 6 * SIM_MS); /* little more than one round trip since the call: the answer is here */
	assert_reads(p.a, c, 0, 500);
	assert_int_equal(ack_of(nth_tcp(from, 0, false, PF_SYN | PF_ACK)), seq_of(syn) + 1001);
	sim_run(&p.s, 100 * SIM_MS);
	assert_int_equal(info_of(p.b, d).tcpi_state, TCP_ESTABLISHED);
	assert_true(info_of(p.a, c).tcpi_options & OPT_SYN_DATA);
	assert_int_equal(info_of(p.a, c).tcpi_unacked, 0);
	assert_int_equal(info_of(p.b, d).tcpi_unacked, 0);
	assert_int_equal(info_of(p.a, c).tcpi_delivered, 1);
	assert_int_equal(count_of(p.a, "TcpExtTCPFastOpenActive"), 1);
	assert_int_equal(count_of(p.b, "TcpExtTCPFastOpenPassive"), 1);
	assert_int_equal(count_of(p.a, "TcpRetransSegs") + count_of(p.b, "TcpRetransSegs"), 0);
}

static void a_blocking_call_writes_the_rest(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(4);
	learn_cookie(l);
	unsigned from = p.n;
	int c = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(open_with(c, 4000), 4000);
	/* 40 bytes are left for options that others insert. */
	sim_run(&p.s, 50 * SIM_MS);
	assert_int_equal(payload_of(nth_tcp(from, 0, true, PF_SYN)), 1460 - 40);
	/* No bare ACK: what is left to write carries it. */
	assert_true(payload_of(nth_tcp(from, 0, true, PF_ACK)) > 0);
	assert_reads(p.b, accept_one(l), 0, 4000);
}

static void errors_are_linuxs(void **state)
{
	struct sockaddr_in addr = sim_addr(1, 80);
	struct sockaddr unspec = {.sa_family = AF_UNSPEC};

	(void)state;
	tfo_link();
	int l = tfo_listen(4), c = client();
	set_sysctl(p.a, "net.ipv4.tcp_fastopen", "2");
	FAILS(open_with(c, 10), EOPNOTSUPP);
	set_sysctl(p.a, "net.ipv4.tcp_fastopen", "1");
	FAILS(xmit_sendto(p.a, c, data, 10, MSG_FASTOPEN, &unspec, sizeof(unspec)), EOPNOTSUPP);
	FAILS(xmit_send(p.a, c, data, 10, MSG_FASTOPEN), EINVAL);
	FAILS(open_with(c, 10), EINPROGRESS); /* no cookie: nothing was taken */
	FAILS(open_with(c, 10), EALREADY);
	FAILS(xmit_send(p.a, c, data, 10, 0), EAGAIN);
	assert_int_equal(info_of(p.a, c).tcpi_fastopen_client_fail, TFO_COOKIE_UNAVAILABLE);
	sim_run(&p.s, 50 * SIM_MS);
	assert_int_equal(open_with(c, 10), 10); /* open: like any write, once */
	FAILS(open_with(c, 10), EISCONN);
	assert_reads(p.b, (sim_run(&p.s, 50 * SIM_MS), accept_one(l)), 0, 10);
	/* With a cookie the call takes what the SYN carries; the next one waits. */
	c = client();
	assert_int_equal(open_with(c, 4000), 1420);
	FAILS(xmit_send(p.a, c, data, 10, 0), EAGAIN);
	FAILS(xmit_setsockopt(p.a, c, IPPROTO_TCP, XMIT_TCP_FASTOPEN_CONNECT, &(int){1}, sizeof(int)), EINVAL);
	FAILS(xmit_setsockopt(p.a, c, IPPROTO_TCP, XMIT_TCP_FASTOPEN_NO_COOKIE, &(int){1}, sizeof(int)), EINVAL);
	FAILS(xmit_setsockopt(p.a, c, IPPROTO_TCP, XMIT_TCP_FASTOPEN, &(int){1}, sizeof(int)), EINVAL);
	/* Refused. */
	sim_run(&p.s, 50 * SIM_MS);
	xmit_close(p.b, l);
	c = client();
	addr.sin_port = htons(81);
	assert_int_equal(xmit_sendto(p.a, c, data, 100, MSG_FASTOPEN, (struct sockaddr *)&addr, sizeof(addr)), 100);
	sim_run(&p.s, 50 * SIM_MS);
	FAILS(xmit_send(p.a, c, data, 10, 0), ECONNREFUSED);
}

static void a_deferred_connect_sends_its_syn_with_the_first_write(void **state)
{
	struct sockaddr_in addr = sim_addr(1, 80);

	(void)state;
	tfo_link();
	int l = tfo_listen(4), c = client();
	/* Without a cookie it is a connect() like any other that asks for one. */
	set_opt(p.a, c, IPPROTO_TCP, XMIT_TCP_FASTOPEN_CONNECT, 1);
	FAILS(xmit_connect(p.a, c, (struct sockaddr *)&addr, sizeof(addr)), EINPROGRESS);
	sim_run(&p.s, 50 * SIM_MS);
	assert_int_equal(option_of(nth_tcp(0, 0, true, PF_SYN), 34)[1], 2);
	accept_one(l);
	c = client();
	set_opt(p.a, c, IPPROTO_TCP, XMIT_TCP_FASTOPEN_CONNECT, 1);
	unsigned from = p.n;
	assert_int_equal(xmit_connect(p.a, c, (struct sockaddr *)&addr, sizeof(addr)), 0);
	FAILS(xmit_connect(p.a, c, (struct sockaddr *)&addr, sizeof(addr)), EISCONN);
	sim_run(&p.s, 50 * SIM_MS);
	assert_int_equal(p.n, from); /* nothing was sent */
	struct pollfd pfd = {.fd = c, .events = POLLIN | POLLOUT};
	assert_int_equal(xmit_poll_sockets(p.a, &pfd, 1, 0), 1);
	assert_int_equal(pfd.revents, POLLOUT);
	assert_int_equal(xmit_send(p.a, c, data, 300, 0), 300);
	sim_run(&p.s, 50 * SIM_MS);
	assert_int_equal(payload_of(nth_tcp(from, 0, true, PF_SYN)), 300);
	assert_reads(p.b, accept_one(l), 0, 300);
	assert_int_equal(xmit_send(p.a, c, data, 10, 0), 10);
	/* One that never writes: close() just forgets it. */
	c = client();
	set_opt(p.a, c, IPPROTO_TCP, XMIT_TCP_FASTOPEN_CONNECT, 1);
	assert_int_equal(xmit_connect(p.a, c, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(xmit_close(p.a, c), 0);
}

static void without_cookies_where_both_agree(void **state)
{
	(void)state;
	tfo_link();
	set_sysctl(p.a, "net.ipv4.tcp_fastopen", "5");
	set_sysctl(p.b, "net.ipv4.tcp_fastopen", "0x602"); /* and every listener, without the option */
	int l = tfo_listen(0), c = client();
	assert_int_equal(open_with(c, 700), 700);
	sim_run(&p.s, 30 * SIM_MS);
	assert_null(option_of(nth_tcp(0, 0, true, PF_SYN), 34));
	assert_reads(p.b, accept_one(l), 0, 700);
	sim_run(&p.s, 50 * SIM_MS);
	assert_true(info_of(p.a, c).tcpi_options & OPT_SYN_DATA);
}

/* --- fallback -------------------------------------------------------------------------------------------------------------------- */

static void data_that_the_server_leaves_is_sent_again_at_once(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(4);
	learn_cookie(l);
	set_sysctl(p.b, "net.ipv4.tcp_fastopen", "0");
	unsigned from = p.n;
	int c = client();
	assert_int_equal(open_with(c, 1000), 1000);
	sim_run(&p.s, 12 * SIM_MS);
	const struct frame *again = nth_data(from, 1);
	assert_int_equal(seq_of(again), seq_of(nth_tcp(from, 0, true, PF_SYN)) + 1);
	assert_int_equal(payload_of(again), 1000);
	assert_true(again->time_ns - nth_tcp(from, 0, false, PF_SYN | PF_ACK)->time_ns < SIM_MS);
	assert_int_equal(info_of(p.a, c).tcpi_fastopen_client_fail, TFO_DATA_NOT_ACKED);
	assert_int_equal(info_of(p.a, c).tcpi_snd_cwnd, 10); /* no sign of congestion */
	sim_run(&p.s, 50 * SIM_MS);
	assert_reads(p.b, accept_one(l), 0, 1000);
	assert_int_equal(info_of(p.a, c).tcpi_unacked, 0);
	assert_int_equal(count_of(p.a, "TcpExtTCPFastOpenActiveFail"), 1);
}

static bool lose_syns_with_data(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	return !end && is_tcp(f) && (flags_of(f) & PF_SYN) && payload_of(f);
}

static void a_lost_syn_is_sent_again_plain(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(4);
	learn_cookie(l);
	path_lose(lose_syns_with_data);
	unsigned from = p.n;
	int c = client();
	assert_int_equal(open_with(c, 1000), 1000);
	sim_run(&p.s, 1100 * SIM_MS);
	const struct frame *plain = nth_tcp(from, 1, true, PF_SYN);
	assert_int_equal(payload_of(plain), 0);
	assert_null(option_of(plain, 34));
	assert_in_range(plain->time_ns - nth_tcp(from, 0, true, PF_SYN)->time_ns, 990 * SIM_MS, 1010 * SIM_MS);
	assert_reads(p.b, accept_one(l), 0, 1000);
	assert_int_equal(info_of(p.a, c).tcpi_fastopen_client_fail, TFO_SYN_RETRANSMITTED);
}

static bool lose_first_synacks(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	static unsigned lost;
	if (end != 1 || !is_tcp(f) || (flags_of(f) & (PF_SYN | PF_ACK)) != (PF_SYN | PF_ACK))
		return false;
	return lost++ < 1;
}

/* The child's only timer is the SYN-ACK's: its data goes again only after that was acknowledged. */
static void a_lost_synack_is_sent_again_by_the_child(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(4);
	learn_cookie(l);
	path_lose(lose_first_synacks);
	unsigned from = p.n;
	int c = client();
	assert_int_equal(open_with(c, 100), 100);
	sim_run(&p.s, 10 * SIM_MS);
	int d = accept_one(l);
	assert_reads(p.b, d, 0, 100);
	assert_int_equal(xmit_send(p.b, d, data, 200, 0), 200);
	sim_run(&p.s, 5 * SIM_SEC);
	assert_int_equal(ack_of(nth_tcp(from, 0, false, PF_SYN | PF_ACK)), seq_of(nth_tcp(from, 0, true, PF_SYN)) + 101);
	assert_reads(p.a, c, 0, 200);
	assert_int_equal(info_of(p.b, d).tcpi_state, TCP_ESTABLISHED);
	assert_int_equal(info_of(p.b, d).tcpi_unacked, 0);
	assert_int_equal(tcp_sk(sk_of(p.b, l))->ext->fastopen_max_qlen, 4);
	assert_int_equal(inet_csk(sk_of(p.b, l))->icsk_listen->fastopen_qlen, 0);
}

static bool lose_all_from_server(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	return end == 1 && is_tcp(f);
}

/* --- limits ------------------------------------------------------------------------------------------------------------------------- */

static void the_queue_has_a_bound_and_holds_what_was_reset_for_a_minute(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(1), c[4];
	struct listen_sock *ls = inet_csk(sk_of(p.b, l))->icsk_listen;
	learn_cookie(l);
	path_lose(lose_all_from_server);
	for (int i = 0; i < 2; i++) {
		c[i] = client();
		assert_int_equal(open_with(c[i], 100), 100);
	}
	sim_run(&p.s, 20 * SIM_MS);
	assert_int_equal(ls->fastopen_qlen, 1);
	assert_int_equal(count_of(p.b, "TcpExtTCPFastOpenPassive"), 1);
	assert_int_equal(count_of(p.b, "TcpExtTCPFastOpenListenOverflow"), 1);
	/* The accepted child is reset before its handshake is over: it counts on. */
	int d = accept_one(l);
	struct sock *child = sk_of(p.b, d);
	assert_non_null(tcp_fastopen_rsk(child));
	path_lose(NULL);
	set_opt(p.a, c[0], SOL_SOCKET, SO_KEEPALIVE, 0);
	struct sock *sk = sk_of(p.a, c[0]);
	tcp_sk(sk)->snd_wnd = 65535;
	tcp_set_state(sk, TCP_ESTABLISHED); /* so that the client can answer by RST */
	tcp_sk(sk)->rcv_nxt = tcp_sk(child)->isn_snd + 1;
	tcp_send_active_reset(sk, MEM_RESERVE);
	sim_run(&p.s, 20 * SIM_MS);
	assert_int_equal(child->sk_state, TCP_CLOSE);
	assert_int_equal(ls->fastopen_qlen, 1);
	assert_false(list_empty(&ls->fastopen_rst));
	assert_reads(p.b, d, 0, 100);
	FAILS(xmit_recv(p.b, d, got, 10, 0), ECONNRESET);
	c[2] = client();
	assert_int_equal(open_with(c[2], 100), 100);
	sim_run(&p.s, 50 * SIM_MS);
	assert_int_equal(count_of(p.b, "TcpExtTCPFastOpenPassive"), 1);
	sim_run(&p.s, 61 * SIM_SEC);
	c[3] = client();
	assert_int_equal(open_with(c[3], 100), 100);
	sim_run(&p.s, 50 * SIM_MS);
	assert_int_equal(count_of(p.b, "TcpExtTCPFastOpenPassive"), 2);
	assert_true(list_empty(&ls->fastopen_rst));
	assert_int_equal(ls->fastopen_qlen, 0);
}

static void closing_the_listener_resets_what_nobody_accepted(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(4);
	learn_cookie(l);
	unsigned from = p.n;
	int c = client();
	assert_int_equal(open_with(c, 100), 100);
	sim_run(&p.s, 7 * SIM_MS);
	xmit_close(p.b, l);
	sim_run(&p.s, 50 * SIM_MS);
	nth_tcp(from, 0, false, PF_RST);
	FAILS(xmit_recv(p.a, c, got, 1, 0), ECONNRESET);
}

static void a_child_may_be_closed_before_its_handshake_is_over(void **state)
{
	(void)state;
	tfo_link();
	int l = tfo_listen(4);
	learn_cookie(l);
	int c = client();
	assert_int_equal(open_with(c, 100), 100);
	sim_run(&p.s, 7 * SIM_MS);
	int d = accept_one(l);
	assert_reads(p.b, d, 0, 100);
	assert_int_equal(xmit_send(p.b, d, data, 10, 0), 10);
	assert_int_equal(xmit_close(p.b, d), 0);
	sim_run(&p.s, 50 * SIM_MS);
	assert_reads(p.a, c, 0, 10);
	assert_int_equal(xmit_recv(p.a, c, got, 1, 0), 0);
	assert_int_equal(xmit_close(p.a, c), 0);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(inet_csk(sk_of(p.b, l))->icsk_listen->fastopen_qlen, 0);
}

/* Two SYNs with the option in vain: a black hole.  Off for the time set, then tried again. */
static void a_black_hole_switches_it_off_for_a_while(void **state)
{
	(void)state;
	tfo_link();
	set_sysctl(p.a, "net.ipv4.tcp_fastopen_blackhole_timeout_sec", "100");
	int l = tfo_listen(4);
	learn_cookie(l);
	path_lose(lose_all_from_server);
	int c = client();
	assert_int_equal(open_with(c, 100), 100);
	sim_run(&p.s, 8 * SIM_SEC);
	assert_int_equal(count_of(p.a, "TcpExtTCPFastOpenBlackhole"), 1);
	xmit_close(p.a, c);
	path_lose(NULL);
	unsigned from = p.n;
	c = client();
	FAILS(open_with(c, 100), EINPROGRESS);
	assert_null(option_of(nth_tcp(from, 0, true, PF_SYN), 34));
	sim_run(&p.s, 100 * SIM_SEC);
	xmit_close(p.a, c);
	c = client();
	assert_int_equal(open_with(c, 100), 100);
	sim_run(&p.s, SIM_SEC);
	assert_true(info_of(p.a, c).tcpi_options & OPT_SYN_DATA);
	xmit_close(p.a, c);
}

/* --- TCP_SAVE_SYN ------------------------------------------------------------------------------------------------------------------- */

static void the_syn_is_kept_for_who_asks(void **state)
{
	uint8_t syn[200];
	socklen_t len = 10;
	int one = 1;

	(void)state;
	tfo_link();
	int l = tfo_listen(4), c = client();
	FAILS(xmit_setsockopt(p.b, l, IPPROTO_TCP, XMIT_TCP_SAVE_SYN, &(int){3}, sizeof(int)), EINVAL);
	assert_int_equal(xmit_setsockopt(p.b, l, IPPROTO_TCP, XMIT_TCP_SAVE_SYN, &one, sizeof(one)), 0);
	FAILS(open_with(c, 0), EINPROGRESS);
	sim_run(&p.s, 50 * SIM_MS);
	int d = accept_one(l);
	const struct frame *f = nth_tcp(0, 0, true, PF_SYN);
	FAILS(xmit_getsockopt(p.b, d, IPPROTO_TCP, XMIT_TCP_SAVED_SYN, syn, &len), EINVAL);
	assert_int_equal(len, 20 + doff_of(f));
	len = sizeof(syn);
	assert_int_equal(xmit_getsockopt(p.b, d, IPPROTO_TCP, XMIT_TCP_SAVED_SYN, syn, &len), 0);
	assert_int_equal(len, 20 + doff_of(f));
	assert_memory_equal(syn + 20, tcp_of(f), doff_of(f));
	len = sizeof(syn);
	assert_int_equal(xmit_getsockopt(p.b, d, IPPROTO_TCP, XMIT_TCP_SAVED_SYN, syn, &len), 0);
	assert_int_equal(len, 0); /* read once */
	/* With the link header. */
	one = 2;
	assert_int_equal(xmit_setsockopt(p.b, l, IPPROTO_TCP, XMIT_TCP_SAVE_SYN, &one, sizeof(one)), 0);
	c = client();
	assert_int_equal(open_with(c, 50), 50);
	sim_run(&p.s, 50 * SIM_MS);
	d = accept_one(l);
	len = sizeof(syn);
	assert_int_equal(xmit_getsockopt(p.b, d, IPPROTO_TCP, XMIT_TCP_SAVED_SYN, syn, &len), 0);
	assert_int_equal(be_at(syn + 12, 2), 0x0800);
	assert_int_equal(syn[14], 0x45);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, path_end)
		T(the_cookie_is_linuxs), T(keys_are_set_and_read), T(a_cookie_of_the_second_key_is_good_and_renewed),
		T(data_rides_on_the_syn_and_is_answered_before_the_last_ack), T(a_blocking_call_writes_the_rest), T(errors_are_linuxs),
		T(a_deferred_connect_sends_its_syn_with_the_first_write), T(without_cookies_where_both_agree),
		T(data_that_the_server_leaves_is_sent_again_at_once), T(a_lost_syn_is_sent_again_plain),
		T(a_lost_synack_is_sent_again_by_the_child), T(the_queue_has_a_bound_and_holds_what_was_reset_for_a_minute),
		T(closing_the_listener_resets_what_nobody_accepted), T(a_child_may_be_closed_before_its_handshake_is_over),
		T(a_black_hole_switches_it_off_for_a_while), T(the_syn_is_kept_for_who_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
