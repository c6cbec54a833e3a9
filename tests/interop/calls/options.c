/* SPDX-License-Identifier: MIT */
/* options.c - socket options: each level on each kind of socket, lengths, ranges. */
#include "calls.h"

static const struct { const char *name; int domain, type, protocol; } kinds[] = {
	{"tcp", AF_INET, SOCK_STREAM, 0}, {"udp", AF_INET, SOCK_DGRAM, 0}, {"raw", AF_INET, SOCK_RAW, 253}, {"icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP},
	{"ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP}, {"tcp6", AF_INET6, SOCK_STREAM, 0}, {"udp6", AF_INET6, SOCK_DGRAM, 0},
};
enum { KINDS = sizeof(kinds) / sizeof(*kinds), V4_KINDS = 5 };

static int open_kind(int kind) { return X(socket, kinds[kind].domain, kinds[kind].type | SOCK_NONBLOCK, kinds[kind].protocol); }

static char label[128];

static void get(const char *what, int fd, int level, int name, socklen_t len)
{
	unsigned char v[64];
	socklen_t n = len;

	memset(v, 0xee, sizeof(v));
	snprintf(label, sizeof(label), "%s get %d %d (%d)", what, level, name, (int)len);
	int r = X(getsockopt, fd, level, name, v, &n);
	if (r)
		note(label, "%s, len %d", error_name(errno), (int)n);
	else if (n == 4 && len >= 4)
		note(label, "len 4, %d", *(int *)(void *)v);
	else if (n)
		note(label, "len %d, %02x %02x", (int)n, v[0], v[1]);
	else
		note(label, "len 0");
}

static void set(const char *what, int fd, int level, int name, int value, socklen_t len)
{
	char v[64] = {0};

	memcpy(v, &value, sizeof(value));
	snprintf(label, sizeof(label), "%s set %d %d = %d (%d)", what, level, name, value, (int)len);
	R(label, X(setsockopt, fd, level, name, v, len));
}

/* Levels on sockets that have them and on those that have not. */
static void levels(void)
{
	static const struct { int level, name; } options[] = {
		{IPPROTO_TCP, 1}, {IPPROTO_TCP, 9999}, {IPPROTO_UDP, 1}, {IPPROTO_UDP, 9999}, {IPPROTO_IP, 1}, {IPPROTO_IP, 9999}, {IPPROTO_ICMP, 1},
		{255, 1}, {255, 2}, {254, 1}, {-1, 1}, {0x7fffffff, 1}, {SOL_SOCKET, 9999}, {SOL_SOCKET, 0}, {SOL_SOCKET, -1}, {263, 1},
		{IPPROTO_IP, 0}, {IPPROTO_IP, -1}, {IPPROTO_IPV6, 26}, {IPPROTO_IPV6, 9999}, {17, 1}, {58, 1},
	};

	for (int k = 0; k < V4_KINDS; k++) {
		for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
			int fd = open_kind(k);
			get(kinds[k].name, fd, options[i].level, options[i].name, 4);
			set(kinds[k].name, fd, options[i].level, options[i].name, 1, 4);
			set(kinds[k].name, fd, options[i].level, options[i].name, 1, 0);
			done_with(fd);
		}
	}
}

/* Of one option: the default, values in and out of range, each length. */
static void one_option(int k, int level, int name)
{
	static const int values[] = {0, 1, 2, 3, 5, 6, 7, 64, 88, 120, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1 << 20, INT32_MAX, -1, -2, INT32_MIN};
	static const socklen_t lengths[] = {0, 1, 2, 3, 4, 5, 8, (socklen_t)-1, INT32_MAX};
	int fd = open_kind(k);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths) - 1; i++)
		get(kinds[k].name, fd, level, name, lengths[i]);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		set(kinds[k].name, fd, level, name, values[i], 4);
		get(kinds[k].name, fd, level, name, 4);
	}
	for (size_t i = 0; i < 7; i++) {
		set(kinds[k].name, fd, level, name, 1, lengths[i]);
		get(kinds[k].name, fd, level, name, 4);
	}
	set(kinds[k].name, fd, level, name, 1, (socklen_t)-1);
	get(kinds[k].name, fd, level, name, 1);
	snprintf(label, sizeof(label), "%s %d %d", kinds[k].name, level, name);
	socklen_t n = 4;
	int v = 1;
	R(label, X(setsockopt, fd, level, name, NULL, 4));
	R(label, X(getsockopt, fd, level, name, NULL, &n));
	R(label, X(getsockopt, fd, level, name, &v, NULL));
	done_with(fd);
}

static void ip_options(void)
{
	static const int names[] = {1, 2, 3, 8, 10, 11, 12, 13, 14, 15, 19, 20, 21, 24, 33, 34, 49};

	for (int k = 0; k < V4_KINDS; k++)
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			one_option(k, IPPROTO_IP, names[i]);
}

static void tcp_options(void)
{
	static const int names[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 18, 25, 36};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		one_option(0, IPPROTO_TCP, names[i]);
	for (int k = 5; k < 6; k++)
		one_option(k, IPPROTO_TCP, 1);
}

static void socket_options(void)
{
	static const int names[] = {SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, 11, SO_REUSEPORT,
				    SO_RCVLOWAT, SO_SNDLOWAT, SO_TIMESTAMP, SO_ACCEPTCONN, 32, 33, 36, 38, 39, 40};

	for (int k = 0; k < V4_KINDS; k++)
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			one_option(k, SOL_SOCKET, names[i]);
}

static void udp_options(void)
{
	one_option(1, IPPROTO_UDP, 1);
}

static void structures(void)
{
	struct timeval tv[] = {{1, 0}, {0, 0}, {0, 500000}, {0, 1000000}, {0, -1}, {-1, 0}, {INT64_MAX, 0}, {100000000, 5}, {0, 1}, {0, 3999}, {0, 4000}};
	int fd = tcp();
	socklen_t n;
	char v[64];

	for (size_t i = 0; i < sizeof(tv) / sizeof(*tv); i++) {
		struct timeval out = {-7, -7};
		R("set timeout", X(setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &tv[i], sizeof(tv[i])));
		n = sizeof(out);
		R("get timeout", X(getsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &out, &n));
		note("is", "%ld seconds, len %u", (long)out.tv_sec, (unsigned)n);
	}
	for (socklen_t len = 0; len <= 20; len += 4) {
		struct timeval out = {-7, -7};
		snprintf(label, sizeof(label), "timeout, length %u", (unsigned)len);
		R(label, X(setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &tv[0], len));
		n = len;
		R(label, X(getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &out, &n));
		note(label, "%u", (unsigned)n);
		struct linger l = {1, 3};
		snprintf(label, sizeof(label), "linger, length %u", (unsigned)len);
		R(label, X(setsockopt, fd, SOL_SOCKET, SO_LINGER, &l, len));
		n = len;
		R(label, X(getsockopt, fd, SOL_SOCKET, SO_LINGER, &l, &n));
		note(label, "%u", (unsigned)n);
	}
	static const char *const devices[] = {"", "lo", "nope0", "a_name_that_is_far_too_long"};
	for (size_t i = 0; i < 4; i++) {
		snprintf(label, sizeof(label), "device %s", devices[i]);
		R(label, X(setsockopt, fd, SOL_SOCKET, SO_BINDTODEVICE, devices[i], (socklen_t)strlen(devices[i])));
		for (n = 0; n <= 16; n += 8) {
			socklen_t len = n;
			memset(v, 0, sizeof(v));
			R(label, X(getsockopt, fd, SOL_SOCKET, SO_BINDTODEVICE, v, &len));
			note(label, "%u '%s'", (unsigned)len, v);
		}
	}
	static const char *const algorithms[] = {"reno", "cubic", "nosuch", "", "ren", "cubicx", "a_name_that_is_far_too_long"};
	for (size_t i = 0; i < 7; i++) {
		snprintf(label, sizeof(label), "congestion %s", algorithms[i]);
		R(label, X(setsockopt, fd, IPPROTO_TCP, 13, algorithms[i], (socklen_t)strlen(algorithms[i])));
		for (n = 0; n <= 16; n += 4) {
			socklen_t len = n;
			memset(v, 0, sizeof(v));
			if (!i || n > 15)
				R(label, X(getsockopt, fd, IPPROTO_TCP, 13, v, &len));
			if (i < 2)
				note(label, "%u '%s'", (unsigned)len, n == 16 ? v : "");
		}
	}
	n = 4;
	R("TCP_INFO, 4 bytes", X(getsockopt, fd, IPPROTO_TCP, 11, v, &n));
	note("TCP_INFO", "%u, state %d", (unsigned)n, v[0]);
	n = 0;
	R("TCP_INFO, no byte", X(getsockopt, fd, IPPROTO_TCP, 11, v, &n));
	R("TCP_INFO, set", set_int(fd, IPPROTO_TCP, 11, 1));
	n = 8;
	R("SO_COOKIE", X(getsockopt, fd, SOL_SOCKET, 57, v, &n));
	R("SO_COOKIE, set", set_int(fd, SOL_SOCKET, 57, 1));
	n = 4;
	R("SO_COOKIE, short", X(getsockopt, fd, SOL_SOCKET, 57, v, &n));
	n = 16;
	R("SO_MEMINFO", X(getsockopt, fd, SOL_SOCKET, 55, v, &n));
	note("SO_MEMINFO", "%u", (unsigned)n);
	R("bad fd", X(getsockopt, 9999, SOL_SOCKET, SO_TYPE, v, &n));
	R("bad fd", X(setsockopt, 9999, SOL_SOCKET, SO_TYPE, v, 4));
	done_with(fd);
}

/* Options whose meaning depends on the state. */
static void by_state(void)
{
	struct sockaddr_in a = lo(1200);
	struct ends e = connection(1200);
	int l = listener(1200), u = udp(), raw = X(socket, AF_INET, SOCK_RAW, 253);

	get("connected", e.c, IPPROTO_IP, 14, 4);
	get("listening", l, IPPROTO_IP, 14, 4);
	get("udp", u, IPPROTO_IP, 14, 4);
	R("connect", X(connect, u, SA(a)));
	get("udp connected", u, IPPROTO_IP, 14, 4);
	get("raw", raw, IPPROTO_IP, 14, 4);
	set("connected", e.c, IPPROTO_TCP, 10, 0, 4); /* TCP_WINDOW_CLAMP */
	set("connected", e.c, IPPROTO_TCP, 2, 500, 4);
	set("connected", e.c, IPPROTO_IP, 1, 0x11, 4);
	get("connected", e.c, IPPROTO_IP, 1, 4);
	set("connected", e.c, IPPROTO_IP, 1, 0x13, 4);
	get("connected", e.c, IPPROTO_IP, 1, 4);
	set("connected", e.c, SOL_SOCKET, SO_REUSEADDR, 1, 4);
	set("connected", e.c, SOL_SOCKET, SO_REUSEPORT, 1, 4);
	set("udp", u, IPPROTO_IP, 1, 0x13, 4);
	get("udp", u, IPPROTO_IP, 1, 4);
	get("udp", u, SOL_SOCKET, 12, 4);
	for (int i = 0; i < 16; i++) {
		set("udp tos", u, IPPROTO_IP, 1, i * 2, 4);
		get("udp priority", u, SOL_SOCKET, 12, 4);
	}
	for (int i = -1; i < 9; i++) {
		set("udp", u, SOL_SOCKET, 12, i, 4);
		get("udp", u, SOL_SOCKET, 12, 4);
	}
	set("udp", u, IPPROTO_IP, 1, 0, 1);
	static const uint8_t rr[] = {7, 7, 4, 0, 0, 0, 0, 0}, bad[] = {7, 7, 9, 0}, odd[] = {1, 1, 1}, lsrr[] = {131, 7, 4, 127, 0, 0, 1, 0};
	for (int i = 0; i < 4; i++) {
		int fd = i == 0 ? e.c : i == 1 ? l : i == 2 ? u : raw;
		uint8_t out[64];
		socklen_t n;
		R("IP_OPTIONS rr", X(setsockopt, fd, IPPROTO_IP, 4, rr, sizeof(rr)));
		if (fd == e.c)
			note("TCP_MAXSEG", "%d", get_int(fd, IPPROTO_TCP, 2));
		for (n = 0; n < 64; n += 20) {
			socklen_t len = n;
			memset(out, 0xee, sizeof(out));
			R("get", X(getsockopt, fd, IPPROTO_IP, 4, out, &len));
			note("get", "%u: %u %u %u", (unsigned)len, out[0], out[1], out[2]);
		}
		R("IP_OPTIONS bad", X(setsockopt, fd, IPPROTO_IP, 4, bad, sizeof(bad)));
		R("IP_OPTIONS odd length", X(setsockopt, fd, IPPROTO_IP, 4, odd, sizeof(odd)));
		n = 40;
		R("get", X(getsockopt, fd, IPPROTO_IP, 4, out, &n));
		note("get", "%u", (unsigned)n);
		R("IP_OPTIONS lsrr", X(setsockopt, fd, IPPROTO_IP, 4, lsrr, sizeof(lsrr)));
		R("IP_OPTIONS long", X(setsockopt, fd, IPPROTO_IP, 4, out, 41));
		R("IP_OPTIONS none", X(setsockopt, fd, IPPROTO_IP, 4, NULL, 0));
		R("IP_OPTIONS NULL", X(setsockopt, fd, IPPROTO_IP, 4, NULL, 4));
		n = 40;
		R("get", X(getsockopt, fd, IPPROTO_IP, 4, out, &n));
		note("get", "%u", (unsigned)n);
	}
	set("broadcast", e.c, SOL_SOCKET, SO_BROADCAST, 1, 4);
	done_with(e.c);
	done_with(e.d);
	done_with(l);
	done_with(u);
	done_with(raw);
}

static void groups(void)
{
	struct mreq { uint32_t group, address; int index; } m = {htonl(0xe9fc0001), htonl(INADDR_LOOPBACK), 0};
	struct { int name; socklen_t len; uint32_t group, address; int index; } tries[] = {
		{35, 8, 0xe9fc0001, 0x7f000001, 0}, {35, 8, 0xe9fc0001, 0x7f000001, 0}, {35, 12, 0xe9fc0001, 0, 1}, {36, 12, 0xe9fc0001, 0, 1}, {36, 8, 0xe9fc0001, 0x7f000001, 0},
		{35, 12, 0xe9fc0002, 0, 99}, {35, 12, 0x7f000001, 0, 1}, {35, 4, 0xe9fc0001, 0, 0}, {35, 0, 0xe9fc0001, 0, 0}, {35, 7, 0xe9fc0001, 0, 0},
		{35, 8, 0xe9fc0003, 0xc6120001, 0}, {36, 8, 0xe9fc0003, 0xc6120001, 0}, {36, 8, 0xe9fc0004, 0x7f000001, 0}, {36, 12, 0xe9fc0004, 0, 99},
		{35, 8, 0xe9fc0005, 0, 0}, {36, 8, 0xe9fc0005, 0, 0}, {35, 12, 0xe0000001, 0, 1}, {36, 12, 0xe0000001, 0, 1}, {36, 4, 0xe9fc0001, 0, 0},
		{32, 4, 0, 0x7f000001, 0}, {32, 4, 0, 0, 0}, {32, 8, 0xe9fc0001, 0x7f000001, 0}, {32, 12, 0, 0, 1}, {32, 12, 0, 0, 99}, {32, 4, 0xc6120001, 0, 0},
		{32, 3, 0, 0, 0}, {32, 0, 0, 0, 0}, {32, 8, 0, 0xc6120001, 0},
	};

	for (int k = 0; k < 3; k++) {
		int fd = open_kind(k);
		for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
			m.group = htonl(tries[i].group);
			m.address = htonl(tries[i].address);
			m.index = tries[i].index;
			snprintf(label, sizeof(label), "%s %d, try %zu", kinds[k].name, tries[i].name, i);
			R(label, X(setsockopt, fd, IPPROTO_IP, tries[i].name, &m, tries[i].len));
			get(label, fd, IPPROTO_IP, 32, 4);
		}
		get(kinds[k].name, fd, IPPROTO_IP, 35, 8);
		for (int i = 0; i < 22; i++) {
			m = (struct mreq){htonl(0xe9fc0100 + (uint32_t)i), 0, 1};
			snprintf(label, sizeof(label), "%s membership %d", kinds[k].name, i);
			R(label, X(setsockopt, fd, IPPROTO_IP, 35, &m, sizeof(m)));
		}
		uint32_t index = htonl(1);
		R("IP_UNICAST_IF", X(setsockopt, fd, IPPROTO_IP, 50, &index, 4));
		get(kinds[k].name, fd, IPPROTO_IP, 50, 4);
		index = htonl(99);
		R("IP_UNICAST_IF", X(setsockopt, fd, IPPROTO_IP, 50, &index, 4));
		R("IP_UNICAST_IF", X(setsockopt, fd, IPPROTO_IP, 50, &index, 3));
		R("IP_UNICAST_IF", X(setsockopt, fd, IPPROTO_IP, 50, &index, 8));
		done_with(fd);
	}
}

const struct calls_case option_cases[] = {
	{"levels", levels}, {"ip_options", ip_options}, {"tcp_options", tcp_options}, {"socket_options", socket_options}, {"udp_options", udp_options},
	{"structures", structures}, {"by_state", by_state}, {"groups", groups}, {NULL, NULL},
};
