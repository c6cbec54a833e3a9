/* SPDX-License-Identifier: MIT */
/* test_tcp_md5.c - TCP-MD5 (RFC 2385) between two stacks: what is signed, what is dropped. */
#include "path.h"

struct sig { /* struct tcp_md5sig */
	struct sockaddr_storage addr;
	uint8_t flags, prefixlen;
	uint16_t keylen;
	int ifindex;
	uint8_t key[80];
};

static int set_key(xmit_net *net, int fd, int peer, const char *key)
{
	struct sig s = {.keylen = (uint16_t)strlen(key)};
	struct sockaddr_in addr = sim_addr(peer, 0);

	memcpy(&s.addr, &addr, sizeof(addr));
	memcpy(s.key, key, strlen(key));
	return xmit_setsockopt(net, fd, IPPROTO_TCP, XMIT_TCP_MD5SIG, &s, sizeof(s));
}

/* A listener of host 1 and a client of host 0 with these keys ("": none), the connection asked for and a second gone by. */
static int l, c;
static void start(const char *server_key, const char *client_key)
{
	struct sockaddr_in addr = sim_addr(1, 80);

	path_link(&(struct xmit_vnic_config){.features = XMIT_F_SG | XMIT_F_CSUM, .rate_bps = UINT64_C(10000000000), .delay_ns = SIM_MS});
	l = path_listen(80);
	c = xmit_socket(p.a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (*server_key)
		assert_int_equal(set_key(p.b, l, 0, server_key), 0);
	if (*client_key)
		assert_int_equal(set_key(p.a, c, 1, client_key), 0);
	FAILS(xmit_connect(p.a, c, (struct sockaddr *)&addr, sizeof(addr)), EINPROGRESS);
	sim_run(&p.s, SIM_SEC / 2);
}

static bool all_signed(void)
{
	for (unsigned i = 0; i < p.n && i < PATH_KEPT; i++)
		if (is_tcp(&p.f[i]) && (!option_of(&p.f[i], 19) || option_of(&p.f[i], 19)[1] != 18))
			return false;
	return true;
}

static void every_segment_is_signed(void **state)
{
	static uint8_t big[60000];
	size_t sent = 0, got = 0;

	(void)state;
	start("open sesame", "open sesame");
	int d = xmit_accept(p.b, l, NULL, NULL);
	assert_true(d >= 0);
	for (int i = 0; i < 500 && got < sizeof(big); i++) {
		ssize_t n = xmit_send(p.a, c, big, sizeof(big) - sent, MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		sim_run(&p.s, 2 * SIM_MS);
		got += drain(p.b, d);
	}
	assert_int_equal(got, sizeof(big));
	/* SYN: no timestamps beside the signature; segments leave it 20 bytes less. */
	assert_null(option_of(nth_tcp(0, 0, true, PF_SYN), 8));
	assert_int_equal(payload_of(nth_data(0, 0)), 1440);
	/* The end: FIN, its ACK, and what TIME_WAIT answers; then a RST. */
	assert_int_equal(xmit_close(p.a, c), 0);
	sim_run(&p.s, 100 * SIM_MS);
	assert_int_equal(xmit_close(p.b, d), 0);
	sim_run(&p.s, SIM_SEC);
	assert_true(all_signed());
	assert_int_equal(count_of(p.a, "TcpExtTCPMD5Failure") + count_of(p.b, "TcpExtTCPMD5Failure"), 0);
	assert_int_equal(count_of(p.a, "TcpExtTCPMD5NotFound") + count_of(p.b, "TcpExtTCPMD5NotFound"), 0);
	assert_int_equal(count_of(p.b, "TcpExtTCPMD5Unexpected"), 0);
	assert_int_equal(count_of(p.a, "TcpRetransSegs") + count_of(p.b, "TcpRetransSegs"), 0);
}

static void a_wrong_key_is_not_heard(void **state)
{
	(void)state;
	start("open sesame", "open simsim");
	assert_true(count_of(p.b, "TcpExtTCPMD5Failure") > 0);
	assert_int_equal(count_of(p.b, "TcpPassiveOpens"), 0);
	nth_tcp(0, 0, true, PF_SYN);
	for (unsigned i = 0; i < p.n; i++)
		assert_false(is_tcp(&p.f[i]) && !p.f[i].out); /* no answer, no RST */
}

static void an_unsigned_peer_with_a_key_is_not_heard(void **state)
{
	(void)state;
	start("open sesame", "");
	assert_true(count_of(p.b, "TcpExtTCPMD5NotFound") > 0);
	assert_int_equal(count_of(p.b, "TcpPassiveOpens"), 0);
}

static void a_signature_without_a_key_is_not_heard(void **state)
{
	(void)state;
	start("", "open sesame");
	assert_true(count_of(p.b, "TcpExtTCPMD5Unexpected") > 0);
	assert_int_equal(count_of(p.b, "TcpPassiveOpens"), 0);
}

static void a_forged_rst_is_not_heard_and_a_true_one_is_signed(void **state)
{
	(void)state;
	start("open sesame", "open sesame");
	int d = xmit_accept(p.b, l, NULL, NULL);
	struct tcp_sock *tp = tp_of(p.b, d);
	tp->md5 = 0; /* as somebody would forge it who does not know the key */
	tcp_send_active_reset(sk_of(p.b, d), MEM_RESERVE);
	tp->md5 = 1;
	sim_run(&p.s, 100 * SIM_MS);
	assert_int_equal(sk_of(p.a, c)->sk_state, TCP_ESTABLISHED);
	assert_int_equal(count_of(p.a, "TcpExtTCPMD5NotFound"), 1);
	struct linger linger = {.l_onoff = 1};
	assert_int_equal(xmit_setsockopt(p.b, d, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	assert_int_equal(xmit_close(p.b, d), 0);
	sim_run(&p.s, 100 * SIM_MS);
	char byte;
	FAILS(xmit_recv(p.a, c, &byte, 1, 0), ECONNRESET);
}

static void keys_by_network_and_their_limits(void **state)
{
	struct sig s = {.keylen = 3, .flags = 1, .prefixlen = 24, .key = "net"};
	struct sockaddr_in addr = sim_addr(0, 0);

	(void)state;
	start("", "");
	int fd = xmit_socket(p.b, AF_INET, SOCK_STREAM, 0);
	memcpy(&s.addr, &addr, sizeof(addr));
	FAILS(xmit_setsockopt(p.b, fd, IPPROTO_TCP, XMIT_TCP_MD5SIG_EXT, &s, 100), EINVAL);
	s.prefixlen = 33;
	FAILS(xmit_setsockopt(p.b, fd, IPPROTO_TCP, XMIT_TCP_MD5SIG_EXT, &s, sizeof(s)), EINVAL);
	s.prefixlen = 24;
	s.keylen = 81;
	FAILS(xmit_setsockopt(p.b, fd, IPPROTO_TCP, XMIT_TCP_MD5SIG_EXT, &s, sizeof(s)), EINVAL);
	s.keylen = 3;
	assert_int_equal(xmit_setsockopt(p.b, fd, IPPROTO_TCP, XMIT_TCP_MD5SIG_EXT, &s, sizeof(s)), 0);
	assert_int_equal(set_key(p.b, fd, 0, "host"), 0); /* the longer prefix counts */
	assert_int_equal(tcp_sk(sk_of(p.b, fd))->md5, 1);
	FAILS(set_key(p.b, fd, 5, ""), ENOENT);
	assert_int_equal(set_key(p.b, fd, 0, ""), 0);
	s.keylen = 0;
	assert_int_equal(xmit_setsockopt(p.b, fd, IPPROTO_TCP, XMIT_TCP_MD5SIG_EXT, &s, sizeof(s)), 0);
	FAILS(xmit_setsockopt(p.b, fd, IPPROTO_TCP, XMIT_TCP_MD5SIG_EXT, &s, sizeof(s)), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, path_end)
		T(every_segment_is_signed), T(a_wrong_key_is_not_heard), T(an_unsigned_peer_with_a_key_is_not_heard),
		T(a_signature_without_a_key_is_not_heard), T(a_forged_rst_is_not_heard_and_a_true_one_is_signed),
		T(keys_by_network_and_their_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
