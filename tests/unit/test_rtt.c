/* SPDX-License-Identifier: MIT */
/* test_rtt.c - round-trip time and retransmission timeout (T11): RFC 6298's filter, Linux's floor and its reluctance to rise. */
#include "tcp/tcp_internal.h"
#include "test.h"

struct conn {
	struct net net;
	struct netns_tcp tcp;
	struct tcp_sock tp;
};

static struct sock *conn_init(struct conn *c)
{
	struct sock *sk = (struct sock *)&c->tp;

	memset(c, 0, sizeof(*c));
	c->net.tcp = &c->tcp;
	sk->sk_net = &c->net;
	inet_csk(sk)->icsk_rto_max_us = TCP_RTO_MAX_US;
	return sk;
}

/* One sample per window of `per_window` samples. */
static void sample(struct sock *sk, uint64_t rtt_us, unsigned n, unsigned per_window)
{
	struct tcp_sock *tp = tcp_sk(sk);

	for (unsigned i = 0; i < n; i++) {
		tp->snd_una += 1000;
		tp->snd_nxt = tp->snd_una + 1000 * per_window;
		tcp_rtt_estimator(sk, rtt_us);
	}
	tcp_set_rto(sk);
}

static void first_sample(void **state)
{
	struct conn c;
	struct sock *sk = conn_init(&c);

	(void)state;
	sample(sk, 100000, 1, 1);
	assert_int_equal(c.tp.srtt_us >> 3, 100000);
	assert_int_equal(inet_csk(sk)->icsk_rto_us, 100000 + 4 * 50000); /* R + 4 * R/2 */
	conn_init(&c);
	sample(sk, 1000, 1, 1);
	assert_int_equal(inet_csk(sk)->icsk_rto_us, 1000 + 200000);
}

static void steady_path_ends_at_the_floor(void **state)
{
	struct conn c;
	struct sock *sk = conn_init(&c);

	(void)state;
	sample(sk, 100000, 500, 4);
	assert_int_equal(c.tp.srtt_us >> 3, 100000);
	assert_in_range(inet_csk(sk)->icsk_rto_us, 300000, 300100);
}

static void mean_follows_by_an_eighth(void **state)
{
	struct conn c;
	struct sock *sk = conn_init(&c);

	(void)state;
	sample(sk, 80000, 300, 1);
	sample(sk, 160000, 1, 1);
	assert_in_range(c.tp.srtt_us >> 3, 89990, 90010);
}

static void a_faster_path_does_not_raise_the_timeout(void **state)
{
	struct conn c;
	struct sock *sk = conn_init(&c);
	uint32_t before;

	(void)state;
	sample(sk, 2000000, 300, 4);
	before = inet_csk(sk)->icsk_rto_us;
	for (int i = 0; i < 50; i++) {
		sample(sk, 100000, 1, 4);
		assert_true(inet_csk(sk)->icsk_rto_us <= before + before / 8);
	}
}

static void extremes_stay_in_bounds(void **state)
{
	struct conn c;
	struct sock *sk = conn_init(&c);
	uint64_t x = 88172645463325252u;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		sample(sk, x % 7 == 0 ? UINT64_MAX : x % 5 == 0 ? 0 : x % 1000000, 1, x % 20);
		assert_in_range(inet_csk(sk)->icsk_rto_us, TCP_RTO_MIN_US, TCP_RTO_MAX_US);
		assert_true(c.tp.srtt_us > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_sample), cmocka_unit_test(steady_path_ends_at_the_floor), cmocka_unit_test(mean_follows_by_an_eighth),
		cmocka_unit_test(a_faster_path_does_not_raise_the_timeout), cmocka_unit_test(extremes_stay_in_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
