/* SPDX-License-Identifier: MIT */
/* test_errqueue.c - what a TCP socket's error queue tells: MSG_ZEROCOPY completions and SO_TIMESTAMPING, and arrival stamps. */
#include "ip/error_queue.h"
#include "path.h"

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#ifndef MSG_ERRQUEUE
#define MSG_ERRQUEUE 0x2000
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif

static uint8_t big[200000], got[200000];

struct report {
	ssize_t n;                   /* what recvmsg() said */
	int flags;
	bool has_ee, has_stamp;
	struct sock_extended_err_ ee;
	uint64_t stamp_ns;           /* wall-clock time */
};

/* The next entry of the error queue, its payload cut to room bytes. */
static struct report next_report(xmit_net *net, int fd, size_t room)
{
	union { char bytes[512]; struct cmsghdr align; } control;
	struct iovec iov = {got, room};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
	struct report r = {.n = xmit_recvmsg(net, fd, &msg, MSG_ERRQUEUE)};

	if (r.n < 0)
		return r;
	r.flags = msg.msg_flags;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == 11) {
			memcpy(&r.ee, CMSG_DATA(c), sizeof(r.ee));
			r.has_ee = true;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPING) {
			struct timespec ts;
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			r.stamp_ns = (uint64_t)ts.tv_sec * SIM_SEC + (uint64_t)ts.tv_nsec;
			r.has_stamp = true;
		}
	}
	return r;
}

static void assert_no_report(xmit_net *net, int fd)
{
	errno = 0;
	assert_int_equal(next_report(net, fd, 0).n, -1);
	assert_int_equal(errno, EAGAIN);
}

static void assert_zerocopy(xmit_net *net, int fd, uint32_t from, uint32_t to, uint8_t code)
{
	struct report r = next_report(net, fd, 0);

	assert_int_equal(r.n, 0);
	assert_int_equal(r.flags & (MSG_ERRQUEUE | MSG_TRUNC), MSG_ERRQUEUE);
	assert_true(r.has_ee && !r.has_stamp);
	assert_int_equal(r.ee.ee_errno, 0);
	assert_int_equal(r.ee.ee_origin, SO_EE_ORIGIN_ZEROCOPY_);
	assert_int_equal(r.ee.ee_info, from);
	assert_int_equal(r.ee.ee_data, to);
	assert_int_equal(r.ee.ee_code, code);
}

static void fill(void)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 31 + i / 251);
}

static size_t read_all(xmit_net *net, int fd, size_t want)
{
	size_t have = 0;
	ssize_t n;

	for (int i = 0; i < 1000 && have < want; i++) {
		while ((n = xmit_recv(net, fd, got + have, sizeof(got) - have, MSG_DONTWAIT)) > 0)
			have += (size_t)n;
		sim_run(&p.s, SIM_MS);
	}
	return have;
}

/* A device with scatter-gather and without TSO: payload lies in frags, each frame is a segment. */
static void sg_link(uint64_t delay_ns)
{
	path_link(&(struct xmit_vnic_config){.features = XMIT_F_SG | XMIT_F_CSUM, .rate_bps = UINT64_C(10000000000), .delay_ns = delay_ns});
	path_connect();
}

/* --- MSG_ZEROCOPY --------------------------------------------------------------------------------------------------------------- */

static void lent_memory_is_sent_from_where_it_lies(void **state)
{
	(void)state;
	fill();
	sg_link(SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_ZEROCOPY, 1);
	uint64_t copied = p.a->copied.user_to_skb;
	unsigned from = p.n;
	assert_int_equal(xmit_send(p.a, p.c, big, 1000, MSG_ZEROCOPY), 1000);
	assert_no_report(p.a, p.c); /* still lent */
	sim_run(&p.s, 100 * SIM_MS);
	assert_int_equal(p.a->copied.user_to_skb, copied);
	assert_ptr_equal(nth_data(from, 0)->second_piece, big);
	struct pollfd pfd = {.fd = p.c};
	assert_int_equal(xmit_poll_sockets(p.a, &pfd, 1, 0), 1);
	assert_int_equal(pfd.revents, POLLERR);
	assert_zerocopy(p.a, p.c, 0, 0, 0);
	assert_no_report(p.a, p.c);
	assert_int_equal(xmit_poll_sockets(p.a, &pfd, 1, 0), 0);
	assert_int_equal(read_all(p.b, p.d, 1000), 1000);
	assert_memory_equal(got, big, 1000);
	/* A hundred kilobytes, in super-segments, cut and shared below. */
	assert_int_equal(xmit_send(p.a, p.c, big, 30000, MSG_ZEROCOPY), 30000);
	assert_int_equal(xmit_send(p.a, p.c, big + 30000, 20000, MSG_ZEROCOPY), 20000);
	assert_int_equal(read_all(p.b, p.d, 50000), 50000);
	assert_memory_equal(got, big, 50000);
	sim_run(&p.s, 100 * SIM_MS);
	assert_zerocopy(p.a, p.c, 1, 2, 0); /* one range */
	assert_int_equal(p.a->zerocopy_live, 0);
}

static bool lose_some(const struct frame *f, int end, unsigned nr)
{
	return !end && is_tcp(f) && payload_of(f) && nr % 5 == 2;
}

static void a_completion_waits_for_retransmissions(void **state)
{
	(void)state;
	fill();
	sg_link(SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_ZEROCOPY, 1);
	path_lose(lose_some);
	size_t sent = 0, calls = 0;
	while (sent < 100000) {
		ssize_t n = xmit_send(p.a, p.c, big + sent, 10000, MSG_ZEROCOPY);
		if (n > 0) {
			sent += (size_t)n;
			calls++;
			continue;
		}
		sim_run(&p.s, SIM_MS);
	}
	assert_int_equal(read_all(p.b, p.d, sent), sent);
	assert_memory_equal(got, big, sent);
	assert_true(count_of(p.a, "TcpRetransSegs") > 0);
	sim_run(&p.s, SIM_SEC);
	assert_zerocopy(p.a, p.c, 0, (uint32_t)calls - 1, 0);
	assert_int_equal(p.a->zerocopy_live, 0);
}

static void without_scatter_gather_the_bytes_are_copied(void **state)
{
	(void)state;
	path_plain(SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_ZEROCOPY, 1);
	assert_int_equal(xmit_send(p.a, p.c, big, 1000, MSG_ZEROCOPY), 1000);
	assert_zerocopy(p.a, p.c, 0, 0, SO_EE_CODE_ZEROCOPY_COPIED_);
}

static void a_call_that_sends_nothing_does_not_count(void **state)
{
	(void)state;
	path_plain(0);
	int s = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0);
	set_opt(p.a, s, SOL_SOCKET, SO_ZEROCOPY, 1);
	FAILS(xmit_send(p.a, s, big, 100, MSG_ZEROCOPY), EPIPE);
	assert_no_report(p.a, s);
	assert_int_equal(sk_of(p.a, s)->sk_ext->zckey, 0);
	/* Without SO_ZEROCOPY the flag means nothing. */
	assert_int_equal(xmit_send(p.a, p.c, big, 100, MSG_ZEROCOPY), 100);
	sim_run(&p.s, 100 * SIM_MS);
	assert_no_report(p.a, p.c);
	FAILS(xmit_setsockopt(p.a, p.c, SOL_SOCKET, SO_ZEROCOPY, &(int){2}, sizeof(int)), EINVAL);
}

static void pieces_become_frags_of_an_skb_as_many_as_it_holds(void **state)
{
	struct iovec iov[18];

	(void)state;
	fill();
	sg_link(SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_ZEROCOPY, 1);
	for (int i = 0; i < 18; i++)
		iov[i] = (struct iovec){big + 2 * i, 1};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 18};
	unsigned from = p.n;
	assert_int_equal(xmit_sendmsg(p.a, p.c, &msg, MSG_ZEROCOPY), 18);
	sim_run(&p.s, 100 * SIM_MS);
	assert_int_equal(payload_of(nth_data(from, 0)), 17);
	assert_int_equal(payload_of(nth_data(from, 1)), 1);
	assert_true((flags_of(nth_data(from, 0)) & PF_PSH) && (flags_of(nth_data(from, 1)) & PF_PSH));
	assert_zerocopy(p.a, p.c, 0, 0, 0);
}

static void loopback_keeps_a_copy_and_says_so(void **state)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(99)};

	(void)state;
	fill();
	sg_link(0);
	int l = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0), c = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(xmit_bind(p.a, l, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(xmit_listen(p.a, l, 1), 0);
	assert_int_equal(xmit_connect(p.a, c, (struct sockaddr *)&addr, sizeof(addr)), 0);
	int d = xmit_accept(p.a, l, NULL, NULL);
	assert_true(d >= 0);
	set_opt(p.a, c, SOL_SOCKET, SO_ZEROCOPY, 1);
	assert_int_equal(xmit_send(p.a, c, big, 5000, MSG_ZEROCOPY), 5000);
	sim_run(&p.s, 100 * SIM_MS);
	assert_zerocopy(p.a, c, 0, 0, SO_EE_CODE_ZEROCOPY_COPIED_);
	memset(big, 0, 5000); /* ours again, though it was not read yet */
	assert_int_equal(read_all(p.a, d, 5000), 5000);
	fill();
	assert_memory_equal(got, big, 5000);
}

static void too_many_outstanding_calls_are_refused(void **state)
{
	(void)state;
	sg_link(SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_ZEROCOPY, 1);
	int n = 0;
	while (n < 1000 && xmit_send(p.a, p.c, big + n, 1, MSG_ZEROCOPY | MSG_MORE | MSG_DONTWAIT) == 1)
		n++;
	assert_int_equal(errno, ENOBUFS);
	assert_in_range(n, 50, 300);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_NODELAY, 1);
	assert_int_equal(read_all(p.b, p.d, (size_t)n), n);
	sim_run(&p.s, SIM_SEC);
	assert_zerocopy(p.a, p.c, 0, (uint32_t)n - 1, 0);
	assert_int_equal(xmit_send(p.a, p.c, big, 1, MSG_ZEROCOPY), 1);
}

/* Closing with memory still lent: it comes back without a word, and nothing leaks (sim_exit). */
static void closing_gives_lent_memory_back(void **state)
{
	(void)state;
	sg_link(SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_ZEROCOPY, 1);
	assert_int_equal(xmit_send(p.a, p.c, big, 50000, MSG_ZEROCOPY), 50000);
	set_opt(p.a, p.c, SOL_SOCKET, SO_KEEPALIVE, 0);
	struct linger linger = {.l_onoff = 1};
	assert_int_equal(xmit_setsockopt(p.a, p.c, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	assert_int_equal(xmit_close(p.a, p.c), 0);
	sim_run(&p.s, 100 * SIM_MS);
	assert_int_equal(p.a->zerocopy_live, 0);
}

/* --- SO_TIMESTAMPING ------------------------------------------------------------------------------------------------------------- */

enum { TX_ALL = SOF_TIMESTAMPING_TX_SCHED_ | SOF_TIMESTAMPING_TX_SOFTWARE_ | SOF_TIMESTAMPING_TX_ACK_ | SOF_TIMESTAMPING_SOFTWARE_ };

static void assert_stamp(int fd, uint32_t type, uint32_t key, uint64_t at_ns, bool data)
{
	struct report r = next_report(p.a, fd, 0);

	assert_int_equal(r.n, 0);
	assert_int_equal(r.flags & (MSG_ERRQUEUE | MSG_TRUNC), data ? MSG_ERRQUEUE | MSG_TRUNC : MSG_ERRQUEUE);
	assert_true(r.has_ee && r.has_stamp);
	assert_int_equal(r.ee.ee_errno, ENOMSG);
	assert_int_equal(r.ee.ee_origin, SO_EE_ORIGIN_TIMESTAMPING_);
	assert_int_equal(r.ee.ee_info, type);
	assert_int_equal(r.ee.ee_data, key);
	uint64_t wall = p.a->env.realtime_ns(p.a->env.ctx);
	assert_in_range(wall - r.stamp_ns, p.s.now_ns - at_ns - SIM_MS / 2, p.s.now_ns - at_ns + SIM_MS / 2);
}

static void a_sent_byte_is_stamped_at_each_station(void **state)
{
	(void)state;
	sg_link(5 * SIM_MS);
	set_opt(p.a, p.c, IPPROTO_TCP, XMIT_TCP_NODELAY, 1);
	set_opt(p.a, p.c, SOL_SOCKET, SO_TIMESTAMPING, TX_ALL | SOF_TIMESTAMPING_OPT_ID_);
	uint64_t t0 = p.s.now_ns;
	assert_int_equal(xmit_send(p.a, p.c, big, 2000, 0), 2000);
	sim_run(&p.s, SIM_MS);
	assert_int_equal(xmit_send(p.a, p.c, big, 3000, 0), 3000);
	sim_run(&p.s, 50 * SIM_MS);
	assert_stamp(p.c, SCM_TSTAMP_SCHED_, 1999, t0, true);
	assert_stamp(p.c, SCM_TSTAMP_SND_, 1999, t0, true);
	assert_stamp(p.c, SCM_TSTAMP_SCHED_, 4999, t0 + SIM_MS, true);
	assert_stamp(p.c, SCM_TSTAMP_SND_, 4999, t0 + SIM_MS, true);
	assert_stamp(p.c, SCM_TSTAMP_ACK_, 1999, t0 + 10 * SIM_MS, true);
	assert_stamp(p.c, SCM_TSTAMP_ACK_, 4999, t0 + 11 * SIM_MS, true);
	assert_no_report(p.a, p.c);
}

static void only_the_last_byte_of_a_call_is_stamped_and_without_data_if_wished(void **state)
{
	(void)state;
	sg_link(5 * SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_TIMESTAMPING, TX_ALL | SOF_TIMESTAMPING_OPT_ID_ | SOF_TIMESTAMPING_OPT_TSONLY_);
	uint64_t t0 = p.s.now_ns;
	/* More than the first congestion window: the last byte goes a round trip later. */
	assert_int_equal(xmit_send(p.a, p.c, big, 11 * PATH_MSS, 0), 11 * PATH_MSS);
	sim_run(&p.s, 100 * SIM_MS);
	assert_stamp(p.c, SCM_TSTAMP_SCHED_, 11 * PATH_MSS - 1, t0 + 10 * SIM_MS, false);
	assert_stamp(p.c, SCM_TSTAMP_SND_, 11 * PATH_MSS - 1, t0 + 10 * SIM_MS, false);
	assert_stamp(p.c, SCM_TSTAMP_ACK_, 11 * PATH_MSS - 1, t0 + 20 * SIM_MS, false);
	assert_no_report(p.a, p.c);
}

static void one_call_may_be_stamped_by_itself(void **state)
{
	union { char bytes[CMSG_SPACE(sizeof(uint32_t))]; struct cmsghdr h; } control = {{0}};
	struct iovec iov = {big, 500};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
	uint32_t flags = SOF_TIMESTAMPING_TX_ACK_;

	(void)state;
	path_plain(5 * SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE_ | SOF_TIMESTAMPING_OPT_ID_);
	assert_int_equal(xmit_send(p.a, p.c, big, 500, 0), 500);
	control.h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(flags)), .cmsg_level = SOL_SOCKET, .cmsg_type = SO_TIMESTAMPING};
	memcpy(CMSG_DATA(&control.h), &flags, sizeof(flags));
	uint64_t t0 = p.s.now_ns;
	assert_int_equal(xmit_sendmsg(p.a, p.c, &msg, 0), 500);
	sim_run(&p.s, 300 * SIM_MS);
	struct report r = next_report(p.a, p.c, 2000);
	assert_int_equal(r.ee.ee_info, SCM_TSTAMP_ACK_);
	assert_int_equal(r.ee.ee_data, 999);
	assert_true(r.stamp_ns > t0);
	assert_no_report(p.a, p.c);
	flags = SOF_TIMESTAMPING_OPT_ID_; /* not one that a call may set */
	memcpy(CMSG_DATA(&control.h), &flags, sizeof(flags));
	FAILS(xmit_sendmsg(p.a, p.c, &msg, 0), EINVAL);
}

/* The value of a netlink attribute among n bytes, of any width. */
static uint64_t attribute(const uint8_t *at, size_t n, uint16_t type)
{
	while (n >= 4) {
		uint16_t head[2];
		memcpy(head, at, sizeof(head));
		size_t step = (head[0] + 3u) & ~3u;
		uint64_t v64;
		uint32_t v32;
		assert_in_range(step, 8, n);
		if (head[1] == type) {
			if (head[0] == 12)
				return memcpy(&v64, at + 4, sizeof(v64)), v64;
			return head[0] == 5 ? at[4] : (memcpy(&v32, at + 4, sizeof(v32)), v32);
		}
		at += step;
		n -= step;
	}
	fail();
	return 0;
}

enum { NLA_DATA_SEGS_OUT = 4, NLA_SND_CWND = 8, NLA_SNDQ_SIZE = 13, NLA_DELIVERED = 16, NLA_BYTES_SENT = 18, NLA_SRTT = 22, NLA_TTL = 26 };

static void statistics_come_with_each_stamp(void **state)
{
	(void)state;
	path_plain(5 * SIM_MS);
	set_opt(p.a, p.c, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE_ | SOF_TIMESTAMPING_TX_ACK_ | SOF_TIMESTAMPING_SOFTWARE_ |
		SOF_TIMESTAMPING_OPT_TSONLY_ | SOF_TIMESTAMPING_OPT_STATS_);
	assert_int_equal(xmit_send(p.a, p.c, big, 3 * PATH_MSS, 0), 3 * PATH_MSS);
	sim_run(&p.s, 300 * SIM_MS);
	struct report r = next_report(p.a, p.c, 1000);
	assert_int_equal(r.ee.ee_info, SCM_TSTAMP_SND_);
	assert_int_equal(r.n, 248); /* the TTL is an ACK's */
	assert_int_equal(attribute(got, 248, NLA_SNDQ_SIZE), 3 * PATH_MSS);
	r = next_report(p.a, p.c, 1000);
	assert_int_equal(r.ee.ee_info, SCM_TSTAMP_ACK_);
	assert_int_equal(r.n, 256);
	assert_int_equal(attribute(got, 256, NLA_DATA_SEGS_OUT), 3);
	assert_int_equal(attribute(got, 256, NLA_DELIVERED), 4); /* with the SYN */
	assert_int_equal(attribute(got, 256, NLA_BYTES_SENT), 3 * PATH_MSS);
	assert_int_equal(attribute(got, 256, NLA_SNDQ_SIZE), 0);
	assert_int_equal(attribute(got, 256, NLA_TTL), 64);
	assert_in_range(attribute(got, 256, NLA_SRTT), 10000, 20000);
}

static void datagrams_are_stamped_and_numbered(void **state)
{
	struct sockaddr_in to = sim_addr(1, 9);

	(void)state;
	path_plain(5 * SIM_MS);
	int u = xmit_socket(p.a, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	set_opt(p.a, u, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE_ | SOF_TIMESTAMPING_SOFTWARE_ | SOF_TIMESTAMPING_OPT_ID_);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(xmit_sendto(p.a, u, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
		sim_run(&p.s, SIM_MS);
		struct report r = next_report(p.a, u, 100);
		assert_int_equal(r.n, 14 + 20 + 8 + 5);
		assert_memory_equal(got + 42, "hello", 5);
		assert_int_equal(r.ee.ee_info, SCM_TSTAMP_SND_);
		assert_int_equal(r.ee.ee_data, i);
		assert_true(r.has_stamp);
		assert_no_report(p.a, u);
	}
	/* Of several fragments the first. */
	assert_int_equal(xmit_sendto(p.a, u, big, 4000, 0, (struct sockaddr *)&to, sizeof(to)), 4000);
	sim_run(&p.s, SIM_MS);
	struct report first = next_report(p.a, u, sizeof(got));
	assert_int_equal(first.n, 14 + 1500);
	assert_int_equal(first.ee.ee_data, 3);
	assert_no_report(p.a, u);
	xmit_close(p.a, u);
}

static void option_values_are_checked(void **state)
{
	(void)state;
	path_plain(0);
	int s = xmit_socket(p.a, AF_INET, SOCK_STREAM, 0), v;
	socklen_t len = sizeof(v);
	FAILS(xmit_setsockopt(p.a, s, SOL_SOCKET, SO_TIMESTAMPING, &(int){1 << 19}, sizeof(int)), EINVAL);
	FAILS(xmit_setsockopt(p.a, s, SOL_SOCKET, SO_TIMESTAMPING, &(int){SOF_TIMESTAMPING_OPT_ID_TCP_}, sizeof(int)), EINVAL);
	FAILS(xmit_setsockopt(p.a, s, SOL_SOCKET, SO_TIMESTAMPING, &(int){SOF_TIMESTAMPING_OPT_ID_}, sizeof(int)), EINVAL); /* not connected */
	set_opt(p.a, p.c, SOL_SOCKET, SO_TIMESTAMPING, TX_ALL);
	assert_int_equal(xmit_getsockopt(p.a, p.c, SOL_SOCKET, SO_TIMESTAMPING, &v, &len), 0);
	assert_int_equal(v, TX_ALL);
}

static void arrival_is_stamped(void **state)
{
	union { char bytes[256]; struct cmsghdr align; } control;
	struct iovec iov = {got, sizeof(got)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
	struct timespec ts;

	(void)state;
	path_plain(5 * SIM_MS);
	set_opt(p.b, p.d, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE_ | SOF_TIMESTAMPING_SOFTWARE_);
	uint64_t sent_at = p.s.now_ns;
	assert_int_equal(xmit_send(p.a, p.c, big, 100, 0), 100);
	sim_run(&p.s, 50 * SIM_MS);
	assert_int_equal(xmit_recvmsg(p.b, p.d, &msg, 0), 100);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	assert_non_null(c);
	assert_int_equal(c->cmsg_level, SOL_SOCKET);
	assert_int_equal(c->cmsg_type, SO_TIMESTAMPING);
	memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	uint64_t when = (uint64_t)ts.tv_sec * SIM_SEC + (uint64_t)ts.tv_nsec, age = p.b->env.realtime_ns(p.b->env.ctx) - when;
	assert_in_range(p.s.now_ns - age - sent_at, 5 * SIM_MS, 6 * SIM_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, path_end)
		T(lent_memory_is_sent_from_where_it_lies), T(a_completion_waits_for_retransmissions), T(without_scatter_gather_the_bytes_are_copied),
		T(a_call_that_sends_nothing_does_not_count),
		T(pieces_become_frags_of_an_skb_as_many_as_it_holds), T(loopback_keeps_a_copy_and_says_so),
		T(too_many_outstanding_calls_are_refused), T(closing_gives_lent_memory_back),
		T(a_sent_byte_is_stamped_at_each_station), T(only_the_last_byte_of_a_call_is_stamped_and_without_data_if_wished),
		T(one_call_may_be_stamped_by_itself), T(statistics_come_with_each_stamp), T(datagrams_are_stamped_and_numbered), T(option_values_are_checked), T(arrival_is_stamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
