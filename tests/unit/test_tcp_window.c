/* SPDX-License-Identifier: MIT */
/* test_tcp_window.c - the arithmetic of TCP's sending half: windows announced, segment sizes, counting segments (T1, T5, T8). */
#include "tcp/tcp_output.h"
#include "test.h"

static struct net *net;
static struct sock *sk;

static int set_up(void **state)
{
	(void)state;
	net = xmit_net_new(NULL);
	assert_non_null(net);
	sk = sk_alloc(net, &tcp_prot, AF_INET);
	assert_non_null(sk);
	assert_int_equal(tcp_init_sock(sk), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sock_put(sk);
	xmit_net_free(net);
	return 0;
}

static void test_initial_window(void **state)
{
	uint32_t wnd, clamp = 0;
	uint8_t scale;

	(void)state;
	net->tcp->sysctl_tcp_rmem[2] = 6291456;
	tcp_select_initial_window(sk, 65535, 1460, &wnd, &clamp, 1, &scale, 0);
	assert_int_equal(scale, 7); /* 6291456 >> 7 = 49152 */
	assert_int_equal(wnd, 65535 / 1460 * 1460);
	assert_int_equal(clamp, 65535 << 7);

	clamp = 0;
	tcp_select_initial_window(sk, 65535, 1460, &wnd, &clamp, 0, &scale, 0);
	assert_int_equal(scale, 0);
	assert_int_equal(clamp, 65535);

	clamp = 0;
	tcp_select_initial_window(sk, 65535, 1460, &wnd, &clamp, 1, &scale, 10);
	assert_int_equal(wnd, 14600); /* RTAX_INITRWND counts segments */

	clamp = 4000; /* TCP_WINDOW_CLAMP holds whatever the buffer is */
	tcp_select_initial_window(sk, 1 << 20, 1460, &wnd, &clamp, 1, &scale, 0);
	assert_int_equal(wnd, 2920);
	assert_int_equal(clamp, 4000);
	assert_int_equal(scale, 0);

	clamp = 0;
	tcp_select_initial_window(sk, -5, 1460, &wnd, &clamp, 1, &scale, 0);
	assert_int_equal(wnd, 0);
}

/* The right edge announced once never moves left, and no window smaller than a segment is opened. */
static void test_window_never_shrinks(void **state)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t edge;

	(void)state;
	sk->sk_rcvbuf = 131072;
	tp->rx_opt.rcv_wscale = 2;
	tp->window_clamp = 1 << 20;
	tp->rcv_ssthresh = 60000;
	tp->advmss = 1460;
	inet_csk(sk)->icsk_ack.rcv_mss = 1460;
	tp->rcv_nxt = tp->rcv_wup = UINT32_MAX - 1000; /* the edge lies beyond the wrap */
	tp->rcv_wnd = 0;
	assert_int_equal(tcp_select_window(sk), 60000 >> 2);
	edge = tp->rcv_wup + tp->rcv_wnd;

	sk->sk_rmem_alloc = 131000; /* the buffer fills with what has not come in order */
	tp->rcv_nxt += 1001;
	tcp_select_window(sk);
	assert_true(seq_after_eq(tp->rcv_wup + tp->rcv_wnd, edge));
	assert_true(tp->rcv_wup + tp->rcv_wnd - edge < 4);
	assert_int_equal(net->mib.counter[MIB_TCPWantZeroWindowAdv], 1);

	tp->rcv_nxt = tp->rcv_wup + tp->rcv_wnd; /* all that was promised came */
	assert_int_equal(tcp_select_window(sk), 0);
	assert_int_equal(net->mib.counter[MIB_TCPToZeroWindowAdv], 1);

	sk->sk_rmem_alloc = 131072 - 2000; /* room for less than a segment: it stays closed (silly window) */
	assert_int_equal(tcp_select_window(sk), 0);
	sk->sk_rmem_alloc = 0;
	assert_int_equal(tcp_select_window(sk), 60000 >> 2);
	assert_int_equal(net->mib.counter[MIB_TCPFromZeroWindowAdv], 2);
}

static void test_mss_from_mtu(void **state)
{
	struct tcp_sock *tp = tcp_sk(sk);

	(void)state;
	tp->rx_opt.mss_clamp = 65535;
	tp->tcp_header_len = 20;
	assert_int_equal(tcp_mtu_to_mss(sk, 1500), 1460);
	tp->tcp_header_len = 32; /* timestamps */
	assert_int_equal(tcp_mtu_to_mss(sk, 1500), 1448);
	assert_int_equal(tcp_mss_to_mtu(sk, 1448), 1500);
	assert_int_equal(tcp_mtu_to_mss(sk, 20), net->tcp->sysctl_tcp_min_snd_mss - 12);
	tp->rx_opt.mss_clamp = 1000; /* what the peer accepts */
	assert_int_equal(tcp_mtu_to_mss(sk, 1500), 988);

	tp->rx_opt.mss_clamp = 65535;
	tp->max_window = 2000; /* never more than half the peer's window */
	assert_int_equal(tcp_sync_mss(sk, 9000), 1000);
	assert_int_equal(inet_csk(sk)->icsk_pmtu_cookie, 9000);
	tp->rx_opt.num_sacks = 2; /* blocks in the ACK part of a data segment shorten it */
	assert_int_equal(tcp_current_mss(sk), 1000 - 20);
}

static void test_counting_segments(void **state)
{
	struct sk_buff *skb = alloc_skb(net, 0, 4096, 0);

	(void)state;
	assert_non_null(skb);
	memset(skb->cb, 0, sizeof(struct tcp_skb_cb));
	skb_put(skb, 1448);
	assert_int_equal(tcp_init_tso_segs(skb, 1448), 1);
	assert_int_equal(tcp_skb_mss(skb), 0);
	skb_put(skb, 1);
	TCP_SKB_CB(skb)->tcp_gso_segs = 0;
	assert_int_equal(tcp_init_tso_segs(skb, 1448), 2);
	assert_int_equal(tcp_skb_mss(skb), 1448);
	assert_int_equal(tcp_init_tso_segs(skb, 500), 3); /* the MSS changed: counted anew */
	skb_consume(skb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_initial_window, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_window_never_shrinks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mss_from_mtu, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_counting_segments, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
