/* SPDX-License-Identifier: MIT */
/* test_path_send.c - from the call to the segment, seen from outside and in the stack's own state: V1, V2, S1, S2, T1 to T5. */
#include "path.h"
#include "socket/socket_internal.h"
#include <stdio.h>

/* --- V: the file layer --------------------------------------------------------------------------------------------------- */

static void file_calls_reach_the_socket(void **state)
{
	struct iovec out[2] = {{"two ", 4}, {"pieces", 6}};
	char in[2][8] = {"", ""};
	struct iovec to[2] = {{in[0], 4}, {in[1], 8}};
	char buf[16];

	(void)state;
	path_plain(0);
	assert_int_equal(xmit_write(p.a, p.c, "plain", 5), 5);
	assert_int_equal(xmit_read(p.b, p.d, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "plain", 5);
	assert_int_equal(xmit_writev(p.a, p.c, out, 2), 10);
	assert_int_equal(xmit_readv(p.b, p.d, to, 2), 10);
	assert_memory_equal(in[0], "two ", 4);
	assert_memory_equal(in[1], "pieces", 6);
	FAILS(xmit_lseek(p.a, p.c, 0, SEEK_SET), ESPIPE);
	/* dup shares the file: the connection ends with the last of them. */
	int other = xmit_dup(p.a, p.c);
	assert_int_equal(xmit_close(p.a, p.c), 0);
	assert_int_equal(xmit_write(p.a, other, "alive", 5), 5);
	assert_int_equal(xmit_read(p.b, p.d, buf, sizeof(buf)), 5);
	FAILS(xmit_recv(p.b, p.d, buf, 1, MSG_DONTWAIT), EAGAIN);
	assert_int_equal(xmit_close(p.a, other), 0);
	assert_int_equal(xmit_read(p.b, p.d, buf, sizeof(buf)), 0);
}

static unsigned asked;
static int count_message(struct net *net, struct socket *sock, const struct msghdr_k *msg)
{
	(void)net;
	(void)sock;
	(void)msg;
	asked++;
	return 0;
}

static int refuse_message(struct net *net, struct socket *sock, const struct msghdr_k *msg)
{
	(void)net;
	(void)sock;
	(void)msg;
	return -EACCES;
}

static ssize_t fill_from(void *ctx, void *dst, size_t n)
{
	const char **from = ctx;
	size_t have = strlen(*from);

	n = n < have ? n : have;
	memcpy(dst, *from, n);
	*from += n;
	return (ssize_t)n;
}

static void every_way_in_makes_one_message(void **state)
{
	struct iovec one = {"m", 1}, two[2] = {{"n", 1}, {"o", 1}};
	struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1};
	struct xmit_mmsghdr mm[2] = {{.msg_hdr = {.msg_iov = two, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = two + 1, .msg_iovlen = 1}}};
	const char *rest = "fill";
	char buf[64];
	FILE *host = tmpfile();

	(void)state;
	assert_non_null(host);
	fputs("file", host);
	fflush(host);
	rewind(host);
	path_plain(0);
	sock_set_policy(p.a, count_message);
	asked = 0;
	assert_int_equal(xmit_write(p.a, p.c, "w", 1), 1);
	assert_int_equal(xmit_writev(p.a, p.c, two, 2), 2);
	assert_int_equal(xmit_send(p.a, p.c, "s", 1, 0), 1);
	assert_int_equal(xmit_sendto(p.a, p.c, "t", 1, 0, NULL, 0), 1);
	assert_int_equal(xmit_sendmsg(p.a, p.c, &m, 0), 1);
	assert_int_equal(asked, 5);
	assert_int_equal(xmit_sendmmsg(p.a, p.c, mm, 2, 0), 2);
	assert_int_equal(asked, 7);
	assert_int_equal(xmit_sendfile(p.a, p.c, fileno(host), NULL, 4), 4);
	assert_int_equal(xmit_send_fill(p.a, p.c, fill_from, &rest, 4, 0), 4);
	assert_int_equal(asked, 9);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(xmit_recv(p.b, p.d, buf, sizeof(buf), MSG_DONTWAIT), 16);
	assert_memory_equal(buf, "wnostmnofilefill", 16);
	/* What the policy refuses takes no byte. */
	sock_set_policy(p.a, refuse_message);
	FAILS(xmit_write(p.a, p.c, "w", 1), EACCES);
	FAILS(xmit_sendmsg(p.a, p.c, &m, 0), EACCES);
	sim_run(&p.s, SIM_SEC);
	FAILS(xmit_recv(p.b, p.d, buf, 1, MSG_DONTWAIT), EAGAIN);
	fclose(host);
}

static void a_full_buffer_blocks_times_out_or_refuses(void **state)
{
	static char big[1 << 20];
	struct timeval t = {.tv_sec = 3};

	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD});
	int l = path_listen(80);
	set_opt(p.b, l, SOL_SOCKET, SO_RCVBUF, 20000);
	path_join(l, xmit_socket(p.a, AF_INET, SOCK_STREAM, 0), 80);
	set_opt(p.a, p.c, SOL_SOCKET, SO_SNDBUF, 20000);
	for (int i = 0; i < 20; i++) {
		ssize_t taken = xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT);
		assert_true(taken < 100000 && (i || taken > 10000));
		sim_run(&p.s, SIM_SEC);
	}
	FAILS(xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT), EAGAIN);
	assert_int_equal(xmit_setsockopt(p.a, p.c, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)), 0);
	uint64_t before = p.s.now_ns;
	FAILS(xmit_write(p.a, p.c, big, 1), EAGAIN);
	assert_int_equal((p.s.now_ns - before) / SIM_MS, 3000);
	/* The reader makes room: a waiting write goes on. */
	struct pollfd w = {.fd = p.c, .events = POLLOUT};
	assert_int_equal(xmit_poll_sockets(p.a, &w, 1, 0), 0);
	assert_true(drain(p.b, p.d) > 0);
	sim_run(&p.s, SIM_SEC);
	assert_true(drain(p.b, p.d) > 0);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(xmit_poll_sockets(p.a, &w, 1, 0), 1);
	assert_int_equal(xmit_write(p.a, p.c, big, 1), 1);
}

/* --- S: the socket layer -------------------------------------------------------------------------------------------------- */

static unsigned network_calls, protocol_calls;
static const struct inet_connection_sock_af_ops *real_af_ops;
static const struct proto *real_proto;

static int counting_queue_xmit(struct sock *sk, struct sk_buff *skb, struct flowi *fl)
{
	network_calls++;
	return real_af_ops->queue_xmit(sk, skb, fl);
}

static ssize_t counting_sendmsg(struct sock *sk, struct msghdr_k *msg)
{
	protocol_calls++;
	return real_proto->sendmsg(sk, msg);
}

/* Both tables between socket and network are replaced by ones that count: nothing passes them by. */
static void three_tables(void **state)
{
	struct inet_connection_sock_af_ops af;
	struct proto proto;

	(void)state;
	path_plain(0);
	struct sock *sk = sk_of(p.a, p.c);
	assert_ptr_equal(sk->sk_socket->ops, &inet_stream_ops);
	real_af_ops = inet_csk(sk)->icsk_af_ops;
	real_proto = sk->sk_prot;
	assert_ptr_equal(real_af_ops, &ipv4_specific);
	af = *real_af_ops;
	af.queue_xmit = counting_queue_xmit;
	proto = *real_proto;
	proto.sendmsg = counting_sendmsg;
	inet_csk(sk)->icsk_af_ops = &af;
	sk->sk_prot = &proto;
	network_calls = protocol_calls = 0;
	unsigned from = p.n;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1);
		sim_run(&p.s, SIM_SEC);
	}
	assert_int_equal(protocol_calls, 5);
	assert_int_equal(network_calls, 5);
	assert_int_equal(data_segments(from, NULL), 5);
	inet_csk(sk)->icsk_af_ops = real_af_ops;
	sk->sk_prot = real_proto;
}

static void options_show_on_the_wire(void **state)
{
	struct sockaddr_in to = sim_addr(1, 53), own;
	socklen_t len = sizeof(own);
	int v;

	(void)state;
	path_plain(0);
	int u = xmit_socket(p.a, AF_INET, SOCK_DGRAM, 0);
	set_opt(p.a, u, IPPROTO_IP, IP_TOS, 0x10);
	set_opt(p.a, u, IPPROTO_IP, IP_TTL, 9);
	len = sizeof(v);
	assert_int_equal(xmit_getsockopt(p.a, u, SOL_SOCKET, SO_PRIORITY, &v, &len), 0);
	assert_int_equal(v, 6); /* TC_PRIO_INTERACTIVE follows from the TOS */
	assert_int_equal(xmit_sendto(p.a, u, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	const struct frame *f = &p.f[p.n - 1];
	assert_int_equal(ip_of(f)[1], 0x10);
	assert_int_equal(ip_of(f)[8], 9);
	len = sizeof(own);
	assert_int_equal(xmit_getsockname(p.a, u, (struct sockaddr *)&own, &len), 0);
	assert_in_range(ntohs(own.sin_port), 32768, 60999);
	assert_int_equal(be_at(ip_of(f) + 20, 2), ntohs(own.sin_port));
	/* A smaller MSS is announced, and kept to. */
	int l = path_listen(81), c = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0);
	set_opt(p.a, c, IPPROTO_TCP, XMIT_TCP_MAXSEG, 500);
	unsigned from = p.n;
	path_join(l, c, 81);
	assert_int_equal(be_at(option_of(nth_tcp(from, 0, true, PF_SYN), 2) + 2, 2), 500);
	static char big[3000];
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	assert_int_equal(payload_of(nth_data(from, 0)), 500 - 12);
	FAILS(xmit_setsockopt(p.a, c, IPPROTO_TCP, 9999, &v, sizeof(v)), ENOPROTOOPT);
	FAILS(xmit_setsockopt(p.a, c, IPPROTO_TCP, XMIT_TCP_MAXSEG, &v, 1), EINVAL);
}

/* --- T1: where the bytes go ------------------------------------------------------------------------------------------------- */

static void small_writes_share_a_page(void **state)
{
	static char piece[500];

	(void)state;
	path_link(&(struct xmit_vnic_config){0});
	path_connect();
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_CORK, 1);
	uint64_t before = p.a->copied.user_to_skb;
	for (int i = 0; i < 2; i++)
		assert_int_equal(xmit_write(p.a, p.c, piece, sizeof(piece)), sizeof(piece));
	struct sock *sk = sk_of(p.a, p.c);
	assert_int_equal(sk->sk_write_queue.qlen, 1);
	const struct sk_buff *skb = tcp_send_head(sk);
	assert_int_equal(skb->len, 1000);
	assert_int_equal(skb_headlen(skb), 0);
	assert_int_equal(skb_shinfo(skb)->nr_frags, 1);
	assert_int_equal(skb_shinfo(skb)->frags[0].len, 1000);
	assert_int_equal(sk->sk_wmem_queued, skb->truesize);
	assert_int_equal(p.a->copied.user_to_skb - before, 1000);
}

static void without_scatter_gather_bytes_lie_linear(void **state)
{
	static char piece[500];

	(void)state;
	path_plain(0);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_CORK, 1);
	assert_int_equal(xmit_write(p.a, p.c, piece, sizeof(piece)), sizeof(piece));
	const struct sk_buff *skb = tcp_send_head(sk_of(p.a, p.c));
	assert_int_equal(skb_headlen(skb), 500);
	assert_int_equal(skb_shinfo(skb)->nr_frags, 0);
}

static void mss_follows_mtu_and_options(void **state)
{
	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD, .mtu = 1000});
	path_connect();
	static char big[10000];
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	assert_int_equal(payload_of(nth_data(from, 0)), 1000 - 20 - 20 - 12);
	assert_int_equal(p.f[from].len, 1000 + 14);
}

/* --- T2: when it pushes ------------------------------------------------------------------------------------------------------ */

static void the_last_segment_of_a_write_is_pushed(void **state)
{
	static char big[3 * PATH_MSS];

	(void)state;
	path_plain(0);
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	assert_int_equal(flags_of(nth_data(from, 0)) & PF_PSH, 0);
	assert_int_equal(flags_of(nth_data(from, 1)) & PF_PSH, 0);
	assert_int_equal(flags_of(nth_data(from, 2)) & PF_PSH, PF_PSH);
}

static void half_a_window_forces_a_push(void **state)
{
	static char big[200000];
	unsigned since = 0, most = 0, pushes = 0;

	(void)state;
	path_plain(20 * SIM_MS);
	unsigned from = p.n;
	uint32_t half = tp_of(p.a, p.c)->max_window / 2;
	assert_in_range(half, 10000, 60000);
	set_opt(p.a, p.c, SOL_SOCKET, SO_SNDBUF, 400000);
	assert_int_equal(xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT), sizeof(big));
	assert_true(drain(p.b, p.d) == 0);
	for (int i = 0; i < 100; i++) {
		sim_run(&p.s, 10 * SIM_MS);
		drain(p.b, p.d);
	}
	for (unsigned i = from; i < p.n; i++) {
		if (!p.f[i].out || !payload_of(&p.f[i]))
			continue;
		since += payload_of(&p.f[i]);
		most = since > most ? since : most;
		if (flags_of(&p.f[i]) & PF_PSH) {
			since = 0;
			pushes++;
		}
	}
	assert_int_equal(since, 0);
	assert_in_range(pushes, 4, 30);
	assert_in_range(most, 1, half + PATH_MSS);
}

static void more_and_cork_hold_a_partial_segment(void **state)
{
	static char piece[100];

	(void)state;
	path_plain(0);
	unsigned from = p.n;
	assert_int_equal(xmit_send(p.a, p.c, piece, 100, MSG_MORE), 100);
	assert_int_equal(data_segments(from, NULL), 0);
	assert_int_equal(xmit_send(p.a, p.c, piece, 100, 0), 100);
	assert_int_equal(data_segments(from, NULL), 1);
	assert_int_equal(payload_of(nth_data(from, 0)), 200);
	sim_run(&p.s, SIM_SEC);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_CORK, 1);
	from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, piece, 100), 100);
	assert_int_equal(data_segments(from, NULL), 0);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_CORK, 0);
	assert_int_equal(data_segments(from, NULL), 1);
	/* Corked, a partial segment goes after 200 ms all the same. */
	sim_run(&p.s, SIM_SEC);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_CORK, 1);
	from = p.n;
	uint64_t at = p.s.now_ns;
	assert_int_equal(xmit_write(p.a, p.c, piece, 100), 100);
	sim_run(&p.s, SIM_SEC);
	assert_in_range((nth_data(from, 0)->time_ns - at) / SIM_MS, 195, 215);
}

/* At 1 Mbit/s a frame of 166 bytes takes 1.3 ms: meanwhile small writes gather behind it. */
static void autocorking_gathers_behind_a_waiting_frame(void **state)
{
	static char piece[100];

	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD, .rate_bps = 1000000});
	path_connect();
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_NODELAY, 1);
	unsigned from = p.n;
	for (int i = 0; i < 4; i++)
		assert_int_equal(xmit_write(p.a, p.c, piece, 100), 100);
	assert_int_equal(data_segments(from, NULL), 1);
	assert_int_equal(count_of(p.a, "TcpExtTCPAutoCorking"), 1);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(data_segments(from, NULL), 2);
	assert_int_equal(payload_of(nth_data(from, 1)), 300);
	set_sysctl(p.a, "net.ipv4.tcp_autocorking", "0");
	from = p.n;
	for (int i = 0; i < 4; i++)
		assert_int_equal(xmit_write(p.a, p.c, piece, 100), 100);
	assert_int_equal(data_segments(from, NULL), 4);
}

/* --- T3, T9: the skb ---------------------------------------------------------------------------------------------------------- */

static void the_wire_gets_a_clone_that_shares_the_payload(void **state)
{
	static char big[PATH_MSS];

	(void)state;
	path_link(&(struct xmit_vnic_config){.delay_ns = SIM_MS});
	path_connect();
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	struct sock *sk = sk_of(p.a, p.c);
	const struct sk_buff *kept = tcp_rtx_queue_head(sk);
	assert_non_null(kept);
	assert_int_equal(kept->len, sizeof(big));
	/* The same bytes of memory, with the headers pushed in front: 14 + 20 + 32. */
	assert_ptr_equal(p.f[p.n - 1].second_piece, skb_shinfo(kept)->frags[0].addr);
	assert_int_equal(p.f[p.n - 1].len, sizeof(big) + 66);
	assert_int_equal(p.a->copied.linearize + p.a->copied.collapse + p.a->copied.gso, 0);
	sim_run(&p.s, SIM_SEC);
	assert_true(tcp_rtx_queue_empty(sk));
}

/* --- T4: the gates ------------------------------------------------------------------------------------------------------------- */

static void cwnd_bounds_the_first_flight(void **state)
{
	static char big[100000];

	(void)state;
	path_plain(50 * SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_SNDBUF, 200000);
	assert_int_equal(xmit_trace_start(p.a, 10), 0);
	unsigned from = p.n;
	assert_int_equal(xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT), sizeof(big));
	sim_run(&p.s, 90 * SIM_MS);
	assert_int_equal(data_segments(from, NULL), 10);
	assert_int_equal(tcp_packets_in_flight(tp_of(p.a, p.c)), 10);
	assert_true(p.a->trace.hits[TP_tcp_stall_cwnd] > 0);
}

static void the_peers_window_bounds_the_flight(void **state)
{
	static char big[400000];
	int l, c;

	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD});
	l = path_listen(80);
	set_opt(p.b, l, SOL_SOCKET, SO_RCVBUF, 8000);
	c = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0);
	path_join(l, c, 80);
	set_opt(p.a, p.c, SOL_SOCKET, SO_SNDBUF, 500000);
	assert_int_equal(xmit_trace_start(p.a, 10), 0);
	const struct tcp_sock *tp = tp_of(p.a, p.c);
	assert_true(xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT) > 100000);
	uint64_t until = p.s.now_ns + 150 * SIM_MS;
	while (sim_step(&p.s, until))
		assert_in_range(tp->snd_nxt - tp->snd_una, 0, tp->snd_wnd);
	assert_in_range(tp->bytes_acked, 1000, 40000);
	assert_int_equal(count_of(p.b, "TcpExtTCPZeroWindowDrop"), 0);
	assert_true(p.a->trace.hits[TP_tcp_stall_rwnd] > 0);
}

/* Minshall's form of Nagle's rule: only a small segment that is out holds back the next small one. */
static void nagle_holds_behind_a_small_segment_only(void **state)
{
	static char big[PATH_MSS];

	(void)state;
	path_plain(50 * SIM_MS);
	set_sysctl(p.a, "net.ipv4.tcp_autocorking", "0");
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, PATH_MSS), PATH_MSS);
	assert_int_equal(xmit_write(p.a, p.c, big, 100), 100);
	assert_int_equal(data_segments(from, NULL), 2); /* a full one is out: no reason to wait */
	assert_int_equal(xmit_write(p.a, p.c, big, 100), 100);
	assert_int_equal(data_segments(from, NULL), 2); /* a small one is */
	assert_int_equal(xmit_write(p.a, p.c, big, PATH_MSS), PATH_MSS);
	sim_run(&p.s, SIM_MS); /* small queues: it leaves when the first is completed */
	assert_int_equal(data_segments(from, NULL), 3); /* full again */
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(data_segments(from, NULL), 4);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_NODELAY, 1);
	from = p.n;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(xmit_write(p.a, p.c, big, 100), 100);
		sim_run(&p.s, SIM_MS); /* completed, far from acknowledged */
	}
	assert_int_equal(data_segments(from, NULL), 3);
}

/* Stops once the flow has had a second: hits then says what held it. */
static void bulk_for_a_second(const struct xmit_vnic_config *link, unsigned *most_below)
{
	static char big[1 << 16];

	path_link(link);
	path_connect();
	assert_int_equal(xmit_trace_start(p.a, 10), 0);
	struct sock *sk = sk_of(p.a, p.c);
	uint64_t until = p.s.now_ns + SIM_SEC;
	*most_below = 0;
	while (p.s.now_ns < until) {
		while (xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT) > 0)
			;
		*most_below = sk->sk_wmem_alloc > *most_below ? sk->sk_wmem_alloc : *most_below;
		drain(p.b, p.d);
		sim_step(&p.s, until);
	}
}

static void small_queues_bound_what_lies_below(void **state)
{
	unsigned most;

	(void)state;
	/* 20 Mbit/s, 10 ms: the pacing rate asks for some tens of KB; without the bound a window of hundreds would lie in the ring. */
	bulk_for_a_second(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD, .rate_bps = 20000000, .delay_ns = 5 * SIM_MS}, &most);
	assert_true(p.a->trace.hits[TP_tcp_stall_tsq] > 0);
	assert_in_range(most, 1, 40000);
	assert_true(tp_of(p.a, p.c)->bytes_acked > 1500000);
}

static void tso_defers_for_a_larger_segment(void **state)
{
	unsigned most;

	(void)state;
	bulk_for_a_second(&(struct xmit_vnic_config){.rate_bps = 200000000, .delay_ns = 10 * SIM_MS}, &most);
	assert_true(p.a->trace.hits[TP_tcp_stall_tso_defer] > 0);
}

/* --- T5: super-segments ---------------------------------------------------------------------------------------------------------- */

static unsigned longest_frame(unsigned from)
{
	unsigned longest = 0;

	for (unsigned i = from; i < p.n && i < PATH_KEPT; i++)
		if (p.f[i].out && p.f[i].len > longest)
			longest = p.f[i].len;
	return longest;
}

static void a_super_segment_reaches_the_device_whole(void **state)
{
	static char big[6 * PATH_MSS];

	(void)state;
	path_link(&(struct xmit_vnic_config){.delay_ns = SIM_MS});
	path_connect();
	unsigned from = p.n;
	for (int i = 0; i < 30; i++) {
		assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
		sim_run(&p.s, 10 * SIM_MS);
		drain(p.b, p.d);
	}
	assert_int_equal(longest_frame(from), sizeof(big) + 66);
}

static void software_cuts_it_just_before_the_driver(void **state)
{
	static char big[4 * PATH_MSS];

	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_F_SG | XMIT_F_CSUM});
	path_connect();
	assert_int_equal(xmit_trace_start(p.a, 10), 0);
	unsigned from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	const uint64_t *hits = p.a->trace.hits;
	/* One skb through IP, neighbour and device queue; four to the driver. */
	assert_int_equal(hits[TP_ip_finish_output], 1);
	assert_int_equal(hits[TP_dev_queue_xmit], 1);
	assert_int_equal(hits[TP_skb_gso_segment], 1);
	assert_int_equal(hits[TP_ndo_start_xmit], 4);
	assert_int_equal(longest_frame(from), 1514);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(seq_of(nth_data(from, i)), seq_of(nth_data(from, 0)) + i * PATH_MSS);
		assert_int_equal(be_at(ip_of(nth_data(from, i)) + 4, 2), (be_at(ip_of(nth_data(from, 0)) + 4, 2) + i) & 0xffff);
		assert_int_equal(!!(flags_of(nth_data(from, i)) & PF_PSH), i == 3);
	}
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(drain(p.b, p.d), sizeof(big));
	assert_int_equal(p.a->copied.gso, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, path_end)
	const struct CMUnitTest tests[] = {
		T(file_calls_reach_the_socket), T(every_way_in_makes_one_message), T(a_full_buffer_blocks_times_out_or_refuses), T(three_tables),
		T(options_show_on_the_wire), T(small_writes_share_a_page), T(without_scatter_gather_bytes_lie_linear), T(mss_follows_mtu_and_options),
		T(the_last_segment_of_a_write_is_pushed), T(half_a_window_forces_a_push), T(more_and_cork_hold_a_partial_segment),
		T(autocorking_gathers_behind_a_waiting_frame), T(the_wire_gets_a_clone_that_shares_the_payload), T(cwnd_bounds_the_first_flight),
		T(the_peers_window_bounds_the_flight), T(nagle_holds_behind_a_small_segment_only), T(small_queues_bound_what_lies_below),
		T(tso_defers_for_a_larger_segment), T(a_super_segment_reaches_the_device_whole), T(software_cuts_it_just_before_the_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
