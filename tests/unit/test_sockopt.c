/* SPDX-License-Identifier: MIT */
/*
 * test_sockopt.c - options of level SOL_SOCKET, IPPROTO_IPV6 and our own (S2), and the states of connect(), through the public calls.
 * The values are those that Linux gives.
 */
#include "one_net.h"
#include <sys/time.h>

static int set_int(xmit_net *net, int fd, int level, int name, int v) { return xmit_setsockopt(net, fd, level, name, &v, sizeof(v)); }

static int get_int(xmit_net *net, int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	assert_int_equal(xmit_getsockopt(net, fd, level, name, &v, &len), 0);
	assert_int_equal(len, sizeof(v));
	return v;
}

static void test_buffers(void **state)
{
	xmit_net *net = *state;
	int fd = udp(net);

	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_SNDBUF), 212992);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_RCVBUF), 212992);
	assert_int_equal(set_int(net, fd, SOL_SOCKET, SO_SNDBUF, 50000), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_SNDBUF), 100000);
	assert_int_equal(set_int(net, fd, SOL_SOCKET, SO_RCVBUF, 1 << 30), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_RCVBUF), 2 * 212992);
	assert_int_equal(set_int(net, fd, SOL_SOCKET, SO_SNDBUF, 1), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_SNDBUF), 4608);
	assert_int_equal(set_int(net, fd, SOL_SOCKET, SO_RCVBUF, 0), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_RCVBUF), 2304);
	assert_int_equal(set_int(net, fd, SOL_SOCKET, 33 /* SO_RCVBUFFORCE */, 1000000), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_RCVBUF), 2000000);
	assert_int_equal(xmit_sysctl_set(net, "net.core.wmem_max", "400000", NULL, 0), 0);
	assert_int_equal(set_int(net, fd, SOL_SOCKET, SO_SNDBUF, 500000), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_SNDBUF), 800000);
	assert_int_equal(xmit_sysctl_set(net, "net.core.wmem_max", "1", NULL, 0), -1);
}

static void test_booleans(void **state)
{
	static const int names[] = {SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST, SO_DONTROUTE, SO_OOBINLINE, SO_TIMESTAMP, 11};
	xmit_net *net = *state;
	int fd = tcp(net);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(get_int(net, fd, SOL_SOCKET, names[i]), 0);
		assert_int_equal(set_int(net, fd, SOL_SOCKET, names[i], 7), 0);
		assert_int_equal(get_int(net, fd, SOL_SOCKET, names[i]), 1);
		assert_int_equal(set_int(net, fd, SOL_SOCKET, names[i], 0), 0);
		assert_int_equal(get_int(net, fd, SOL_SOCKET, names[i]), 0);
	}
	FAILS(xmit_setsockopt(net, fd, SOL_SOCKET, SO_REUSEADDR, &fd, 3), EINVAL);
	FAILS(xmit_setsockopt(net, fd, SOL_SOCKET, SO_REUSEADDR, NULL, 4), EFAULT);
}

static void test_identity(void **state)
{
	xmit_net *net = *state;
	int fd = udp(net), fd6 = xmit_socket(net, AF_INET6, SOCK_STREAM, 0);
	uint64_t cookie = 0, cookie2 = 0;
	socklen_t len = sizeof(cookie);

	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, 38 /* SO_PROTOCOL */), IPPROTO_UDP);
	assert_int_equal(get_int(net, fd6, SOL_SOCKET, 39 /* SO_DOMAIN */), AF_INET6);
	assert_int_equal(xmit_getsockopt(net, fd, SOL_SOCKET, 57 /* SO_COOKIE */, &cookie, &len), 0);
	assert_int_equal(xmit_getsockopt(net, fd, XMIT_SOL_XMIT, XMIT_SO_COOKIE, &cookie2, &len), 0);
	assert_true(cookie == cookie2 && cookie != 0);
	len = 4;
	FAILS(xmit_getsockopt(net, fd, SOL_SOCKET, 57, &cookie, &len), EINVAL);
	FAILS(set_int(net, fd, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT);
	FAILS(set_int(net, fd, SOL_SOCKET, SO_ERROR, 1), ENOPROTOOPT);
	FAILS(set_int(net, fd, SOL_SOCKET, 26 /* SO_ATTACH_FILTER */, 1), ENOPROTOOPT);
	FAILS(set_int(net, fd, SOL_SOCKET, 9999, 1), ENOPROTOOPT);
	FAILS(set_int(net, fd, 12345, 1, 1), ENOPROTOOPT);
	FAILS(set_int(net, fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, 1), ENOPROTOOPT);
	assert_int_equal(set_int(net, fd, SOL_SOCKET, 60 /* SO_ZEROCOPY */, 1), 0);
	assert_int_equal(set_int(net, fd6, SOL_SOCKET, 60, 1), 0);
	uint32_t mem[9];
	len = sizeof(mem);
	assert_int_equal(xmit_getsockopt(net, fd, SOL_SOCKET, 55 /* SO_MEMINFO */, mem, &len), 0);
	assert_int_equal(len, sizeof(mem));
	assert_int_equal(mem[1], 212992);
	assert_int_equal(mem[2], 0);
}

static void test_structured(void **state)
{
	xmit_net *net = *state;
	int fd = tcp(net);
	struct linger l = {1, 30}, got;
	struct timeval tv = {2, 500000}, tv2;
	char name[16] = "lo";
	socklen_t len = sizeof(got);

	assert_int_equal(xmit_setsockopt(net, fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	assert_int_equal(xmit_getsockopt(net, fd, SOL_SOCKET, SO_LINGER, &got, &len), 0);
	assert_memory_equal(&l, &got, sizeof(l));
	assert_int_equal(xmit_setsockopt(net, fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	len = sizeof(tv2);
	assert_int_equal(xmit_getsockopt(net, fd, SOL_SOCKET, SO_RCVTIMEO, &tv2, &len), 0);
	assert_int_equal(tv2.tv_sec, 2);
	assert_int_equal(tv2.tv_usec, 500000);
	tv.tv_usec = 1000000;
	FAILS(xmit_setsockopt(net, fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), EDOM);
	FAILS(xmit_setsockopt(net, fd, SOL_SOCKET, SO_SNDTIMEO, &tv, 4), EINVAL);
	assert_int_equal(xmit_setsockopt(net, fd, SOL_SOCKET, SO_BINDTODEVICE, name, 3), 0);
	memset(name, 0, sizeof(name));
	len = sizeof(name);
	assert_int_equal(xmit_getsockopt(net, fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	assert_string_equal(name, "lo");
	FAILS(xmit_setsockopt(net, fd, SOL_SOCKET, SO_BINDTODEVICE, "nope0", 6), ENODEV);
	assert_int_equal(xmit_setsockopt(net, fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	assert_int_equal(set_int(net, fd, SOL_SOCKET, SO_RCVLOWAT, 0), 0);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_RCVLOWAT), 1);
}

static void test_timeout_of_a_blocking_call(void **state)
{
	xmit_net *net = *state;
	struct timeval tv = {0, 20000};
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM, 0);
	char c;

	assert_int_equal(xmit_setsockopt(net, fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	uint64_t before = xmit_now(net);
	FAILS(xmit_recv(net, fd, &c, 1, 0), EAGAIN);
	assert_true(xmit_now(net) - before >= 20000000);
}

static void test_accept_any(void **state)
{
	xmit_net *net = *state;
	int u = udp(net), t = tcp(net), raw = xmit_socket(net, AF_INET, SOCK_RAW, 253);
	struct sockaddr_in sa = {.sin_family = AF_INET};

	assert_int_equal(set_int(net, t, XMIT_SOL_XMIT, XMIT_SO_ACCEPT_ANY, 1), 0);
	assert_int_equal(get_int(net, t, XMIT_SOL_XMIT, XMIT_SO_ACCEPT_ANY), 1);
	FAILS(set_int(net, raw, XMIT_SOL_XMIT, XMIT_SO_ACCEPT_ANY, 1), ENOPROTOOPT);
	assert_int_equal(xmit_bind(net, u, (struct sockaddr *)&sa, sizeof(sa)), 0);
	FAILS(set_int(net, u, XMIT_SOL_XMIT, XMIT_SO_ACCEPT_ANY, 1), EINVAL);
	FAILS(set_int(net, u, XMIT_SOL_XMIT, 99, 1), ENOPROTOOPT);
}

static void test_interfaces(void **state)
{
	xmit_net *net = *state;
	struct { char name[16]; union { struct sockaddr_in sa; int v; short flags; char room[24]; }; } r = {.name = "lo"};
	struct { int len; char *buf; } conf = {0, NULL};
	int fd = udp(net);

	assert_int_equal(xmit_ioctl(net, fd, 0x8915 /* SIOCGIFADDR */, &r), 0);
	assert_int_equal(ntohl(r.sa.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(xmit_ioctl(net, fd, 0x891b /* SIOCGIFNETMASK */, &r), 0);
	assert_int_equal(ntohl(r.sa.sin_addr.s_addr), 0xff000000);
	assert_int_equal(xmit_ioctl(net, fd, 0x8933 /* SIOCGIFINDEX */, &r), 0);
	assert_int_equal(r.v, 1);
	assert_int_equal(xmit_ioctl(net, fd, 0x8921 /* SIOCGIFMTU */, &r), 0);
	assert_int_equal(r.v, 65536);
	assert_int_equal(xmit_ioctl(net, fd, 0x8913 /* SIOCGIFFLAGS */, &r), 0);
	assert_int_equal(r.flags & 0x49, 0x49); /* UP, LOOPBACK, RUNNING */
	assert_int_equal(xmit_ioctl(net, fd, 0x8912 /* SIOCGIFCONF */, &conf), 0);
	assert_true(conf.len > 0);
	memcpy(r.name, "nope", 5);
	FAILS(xmit_ioctl(net, fd, 0x8915, &r), ENODEV);
}

/* --- levels: what a socket of one kind says to the options of another ------------------------------------------------------------- */

enum { LEVEL_TCP = 1, LEVEL_UDP = 2, LEVEL_IP = 4, LEVEL_RAW = 8 };
static const struct { const char *name; int type, protocol; unsigned has; } kinds[] = {
	{"tcp", SOCK_STREAM, 0, LEVEL_TCP | LEVEL_IP}, {"udp", SOCK_DGRAM, 0, LEVEL_UDP | LEVEL_IP}, {"raw", SOCK_RAW, 253, LEVEL_RAW | LEVEL_IP},
	{"icmp", SOCK_RAW, IPPROTO_ICMP, LEVEL_RAW | LEVEL_IP}, {"ping", SOCK_DGRAM, IPPROTO_ICMP, LEVEL_IP},
};

/* An option that the level has not: ENOPROTOOPT; a level that the socket has not: ENOPROTOOPT to set, EOPNOTSUPP to get. */
static void test_levels(void **state)
{
	static const struct { int level; unsigned is; } levels[] = {
		{IPPROTO_TCP, LEVEL_TCP}, {IPPROTO_UDP, LEVEL_UDP}, {IPPROTO_IP, LEVEL_IP}, {255, LEVEL_RAW}, {IPPROTO_IPV6, 0}, {254, 0}, {-1, 0}, {0x7fffffff, 0},
	};
	xmit_net *net = *state;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		int fd = xmit_socket(net, AF_INET, kinds[k].type, kinds[k].protocol), v = 1;
		for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
			socklen_t len = sizeof(v);
			FAILS(set_int(net, fd, levels[i].level, 9999, 1), ENOPROTOOPT);
			FAILS(xmit_getsockopt(net, fd, levels[i].level, 9999, &v, &len), kinds[k].has & levels[i].is ? ENOPROTOOPT : EOPNOTSUPP);
			assert_int_equal(len, sizeof(v)); /* of an option that is not there nothing is told */
		}
		xmit_close(net, fd);
	}
}

struct length_row { int kind, level, name; socklen_t len; int set_errno; };

/* Lengths of the value given: what is too short, and where none at all stands for 0. */
static void test_lengths(void **state)
{
	static const struct length_row rows[] = {
		{0, IPPROTO_TCP, XMIT_TCP_NODELAY, 3, EINVAL}, {0, IPPROTO_TCP, 9999, 3, EINVAL}, {0, IPPROTO_TCP, 9999, 4, ENOPROTOOPT},
		{1, IPPROTO_UDP, 1, 3, EINVAL}, {1, IPPROTO_UDP, 9999, 3, EINVAL}, {1, IPPROTO_UDP, 9999, 4, ENOPROTOOPT},
		{1, IPPROTO_IP, 9999, 0, ENOPROTOOPT}, {1, IPPROTO_IP, 14 /* IP_MTU */, 4, ENOPROTOOPT}, {1, IPPROTO_IP, 2 /* IP_TTL */, 0, EINVAL},
		{1, IPPROTO_IP, 2, 1, 0}, {1, IPPROTO_IP, 8 /* IP_PKTINFO */, 0, 0}, {1, IPPROTO_IP, 11 /* IP_RECVERR */, 0, 0},
		{1, IPPROTO_IP, 20 /* IP_RECVORIGDSTADDR */, 0, 0}, {1, IPPROTO_IP, 15 /* IP_FREEBIND */, 0, EINVAL},
		{1, IPPROTO_IP, 34 /* IP_MULTICAST_LOOP */, 0, EINVAL}, {1, IPPROTO_IP, 3 /* IP_HDRINCL */, 4, ENOPROTOOPT},
		{1, SOL_SOCKET, SO_REUSEADDR, 3, EINVAL}, {1, SOL_SOCKET, 9999, 3, EINVAL}, {1, SOL_SOCKET, 9999, 4, ENOPROTOOPT},
		{3, 255, 1 /* ICMP_FILTER */, 4, 0}, {3, 255, 1, 2, 0}, {2, 255, 1, 4, EOPNOTSUPP}, {4, 255, 1, 4, ENOPROTOOPT},
	};
	xmit_net *net = *state;
	char v[64] = {1};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct length_row *r = &rows[i];
		int fd = xmit_socket(net, AF_INET, kinds[r->kind].type, kinds[r->kind].protocol);
		int err = xmit_setsockopt(net, fd, r->level, r->name, v, r->len) ? errno : 0;
		if (err != r->set_errno)
			fail_msg("%s, level %d, option %d, %u bytes: errno %d, not %d", kinds[r->kind].name, r->level, r->name, (unsigned)r->len, err, r->set_errno);
		xmit_close(net, fd);
	}
}

/* NULL where a value should be, and lengths that cannot be. */
static void test_bad_pointers(void **state)
{
	xmit_net *net = *state;
	int fd = udp(net), t = tcp(net), v = 0;
	socklen_t len = 4;

	FAILS(xmit_getsockopt(net, fd, SOL_SOCKET, SO_TYPE, NULL, &len), EFAULT);
	FAILS(xmit_getsockopt(net, fd, SOL_SOCKET, SO_TYPE, &v, NULL), EFAULT);
	FAILS(xmit_getsockopt(net, fd, SOL_SOCKET, 33 /* SO_RCVBUFFORCE: to set only */, NULL, &len), ENOPROTOOPT);
	FAILS(xmit_getsockopt(net, fd, IPPROTO_IP, 14 /* IP_MTU */, NULL, &len), ENOTCONN);
	FAILS(xmit_getsockopt(net, fd, IPPROTO_IP, 1, NULL, &len), EFAULT);
	len = 0;
	assert_int_equal(xmit_getsockopt(net, fd, SOL_SOCKET, SO_TYPE, NULL, &len), 0);
	len = (socklen_t)-1;
	FAILS(xmit_getsockopt(net, fd, SOL_SOCKET, SO_TYPE, &v, &len), EINVAL);
	FAILS(xmit_setsockopt(net, fd, IPPROTO_IP, 14, NULL, 4), ENOPROTOOPT);
	FAILS(xmit_setsockopt(net, fd, IPPROTO_IP, 1, NULL, 4), EFAULT);
	FAILS(xmit_setsockopt(net, fd, SOL_SOCKET, SO_BROADCAST, &v, (socklen_t)-1), EINVAL);
	FAILS(xmit_ioctl(net, t, 0x541b /* FIONREAD */, NULL), EFAULT); /* this one once crashed */
	FAILS(xmit_ioctl(net, t, 0x5411 /* SIOCOUTQ */, NULL), EFAULT);
	FAILS(xmit_ioctl(net, fd, 0x541b, NULL), EFAULT);
}

static void test_low_water_mark(void **state)
{
	xmit_net *net = *state;
	int t = tcp(net), u = udp(net);

	/* Of a stream at most half the buffer, which grows with it unless SO_RCVBUF was set. */
	assert_int_equal(set_int(net, t, SOL_SOCKET, SO_RCVLOWAT, 100000), 0);
	assert_int_equal(get_int(net, t, SOL_SOCKET, SO_RCVLOWAT), 100000);
	assert_int_equal(get_int(net, t, SOL_SOCKET, SO_RCVBUF), 200000);
	assert_int_equal(set_int(net, t, SOL_SOCKET, SO_RCVBUF, 50000), 0);
	assert_int_equal(set_int(net, t, SOL_SOCKET, SO_RCVLOWAT, -1), 0);
	assert_int_equal(get_int(net, t, SOL_SOCKET, SO_RCVLOWAT), 50000);
	assert_int_equal(get_int(net, t, SOL_SOCKET, SO_RCVBUF), 100000);
	assert_int_equal(set_int(net, u, SOL_SOCKET, SO_RCVLOWAT, -1), 0);
	assert_int_equal(get_int(net, u, SOL_SOCKET, SO_RCVLOWAT), 0x7fffffff);
}

/* --- connect() ------------------------------------------------------------------------------------------------------------------ */

static int connect_lo(xmit_net *net, int fd, uint16_t port) { return connect4(net, fd, INADDR_LOOPBACK, port); }

static int listener(xmit_net *net, uint16_t port)
{
	int fd = tcp(net);

	assert_int_equal(bind4(net, fd, INADDR_LOOPBACK, port), 0);
	assert_int_equal(xmit_listen(net, fd, 8), 0);
	return fd;
}

static void test_connect_states(void **state)
{
	xmit_net *net = *state;
	int l = listener(net, 8000), fd = tcp(net);
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	FAILS(xmit_accept(net, l, NULL, NULL), EAGAIN);
	FAILS(connect_lo(net, fd, 8000), EINPROGRESS);
	FAILS(connect_lo(net, fd, 8000), EALREADY);
	run(net);
	assert_int_equal(connect_lo(net, fd, 8000), 0);
	FAILS(connect_lo(net, fd, 8000), EISCONN);
	FAILS(xmit_listen(net, fd, 1), EINVAL);
	int child = xmit_accept4(net, l, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK);
	assert_true(child > fd);
	assert_int_equal(len, sizeof(peer));
	assert_int_equal(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(get_int(net, l, SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(xmit_write(net, fd, "hello", 5), 5);
	run(net);
	char buf[8];
	assert_int_equal(xmit_read(net, child, buf, sizeof(buf)), 5);
	FAILS(xmit_read(net, child, buf, sizeof(buf)), EAGAIN);
	assert_int_equal(xmit_close(net, fd), 0);
	run(net);
	assert_int_equal(xmit_read(net, child, buf, sizeof(buf)), 0);
	FAILS(xmit_accept(net, fd, NULL, NULL), EBADF);
	FAILS(xmit_accept(net, child, NULL, NULL), EINVAL);
}

static void test_connect_refused(void **state)
{
	xmit_net *net = *state;
	int fd = tcp(net), block = xmit_socket(net, AF_INET, SOCK_STREAM, 0);

	FAILS(connect_lo(net, fd, 8001), EINPROGRESS);
	run(net);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	assert_int_equal(xmit_poll_sockets(net, &p, 1, 0), 1);
	assert_true(p.revents & POLLERR);
	assert_int_equal(get_int(net, fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	FAILS(connect_lo(net, block, 8001), ECONNREFUSED);
	listener(net, 8001);
	assert_int_equal(connect_lo(net, block, 8001), 0); /* the same socket may try again, and waits */
}

static void test_accept_makes_its_number_first(void **state)
{
	struct xmit_config c = {.size = sizeof(c), .memory_bytes = 32 << 20, .max_files = 2};
	xmit_net *net = xmit_net_new(&c);
	int l = listener(net, 8002), fd = tcp(net);

	(void)state;
	FAILS(connect_lo(net, fd, 8002), EINPROGRESS);
	run(net);
	FAILS(xmit_accept(net, l, NULL, NULL), EMFILE);
	assert_int_equal(xmit_close(net, fd), 0);
	assert_int_equal(xmit_accept(net, l, NULL, NULL), fd); /* the connection was not lost */
	xmit_net_free(net);
}

static void test_mapped_stream(void **state)
{
	xmit_net *net = *state;
	int l = xmit_socket(net, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), fd = xmit_socket(net, AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(8003)}, name;
	socklen_t len = sizeof(name);
	char text[INET6_ADDRSTRLEN];

	assert_int_equal(xmit_bind(net, l, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(xmit_listen(net, l, 8), 0);
	assert_int_equal(xmit_getsockname(net, l, (struct sockaddr *)&name, &len), 0);
	assert_string_equal(inet_ntop(AF_INET6, &name.sin6_addr, text, sizeof(text)), "::");
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &sa.sin6_addr);
	assert_int_equal(xmit_connect(net, fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	run(net);
	int child = xmit_accept(net, l, (struct sockaddr *)&name, &len);
	assert_true(child >= 0);
	assert_int_equal(name.sin6_family, AF_INET6);
	assert_string_equal(inet_ntop(AF_INET6, &name.sin6_addr, text, sizeof(text)), "::ffff:127.0.0.1");
	FAILS(set_int(net, l, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL);
	inet_pton(AF_INET6, "2001:db8::1", &sa.sin6_addr);
	int out = xmit_socket(net, AF_INET6, SOCK_STREAM, 0);
	FAILS(xmit_connect(net, out, (struct sockaddr *)&sa, sizeof(sa)), ENETUNREACH);
	FAILS(set_int(net, out, IPPROTO_IPV6, 9999, 1), ENOPROTOOPT);
	assert_int_equal(set_int(net, out, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1), 0);
	assert_int_equal(get_int(net, out, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
}

static ssize_t fill_letters(void *ctx, void *dst, size_t n)
{
	size_t *left = ctx;

	n = n < *left ? n : *left;
	memset(dst, 'f', n);
	*left -= n;
	return (ssize_t)n;
}

static ssize_t fill_fails(void *ctx, void *dst, size_t n)
{
	(void)ctx;
	(void)dst;
	(void)n;
	return -EIO;
}

static void test_send_fill(void **state)
{
	xmit_net *net = *state;
	int l = listener(net, 8004), fd = tcp(net);
	size_t left = 3000;
	struct iovec iov[8];
	uint8_t byte;

	connect_lo(net, fd, 8004);
	run(net);
	int child = xmit_accept(net, l, NULL, NULL);
	assert_int_equal(xmit_send_fill(net, fd, fill_letters, &left, 5000, 0), 3000);
	assert_int_equal(xmit_send_fill(net, fd, fill_letters, &left, 5000, 0), 0); /* it has no more */
	FAILS(xmit_send_fill(net, fd, fill_fails, NULL, 10, 0), EIO);
	run(net);
	size_t shown = 0;
	int n = xmit_recv_iov(net, child, iov, 8);
	assert_true(n > 0);
	for (int i = 0; i < n; i++)
		shown += iov[i].iov_len;
	assert_int_equal(shown, 3000);
	memcpy(&byte, iov[0].iov_base, 1);
	assert_int_equal(byte, 'f');
	assert_int_equal(xmit_recv_skip(net, child, 3000), 0);
	FAILS(xmit_recv_iov(net, child, iov, 8), EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_buffers),
		T(test_booleans),
		T(test_identity),
		T(test_structured),
		T(test_timeout_of_a_blocking_call),
		T(test_accept_any),
		T(test_interfaces),
		T(test_levels),
		T(test_lengths),
		T(test_bad_pointers),
		T(test_low_water_mark),
		T(test_connect_states),
		T(test_connect_refused),
		cmocka_unit_test(test_accept_makes_its_number_first),
		T(test_mapped_stream),
		T(test_send_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
