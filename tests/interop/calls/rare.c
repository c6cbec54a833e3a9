/* SPDX-License-Identifier: MIT */
/* rare.c - what few programs do with a socket: SO_MEMINFO by state, MSG_FASTOPEN, TCP_MD5SIG, options of one message. */
#include "calls.h"

enum { MEMINFO = 55, FASTOPEN = 0x20000000, MD5SIG = 14, MD5SIG_EXT = 32 };

static char label[96], block[200000];
#define L(...) (snprintf(label, sizeof(label), __VA_ARGS__), label)

/* --- SO_MEMINFO ---------------------------------------------------------------------------------------------------------------- */

/* How much an skb costs is its builder's affair: what is shown is what is there at all, and what is bytes of the user's. */
static void memory(const char *what, int fd)
{
	static const char *const names[] = {"rmem", "rcvbuf", "wmem", "sndbuf", "forward", "queued", "optmem", "backlog", "drops"};
	uint32_t m[9] = {0};
	socklen_t len = sizeof(m);
	char text[256] = "";

	settle();
	if (X(getsockopt, fd, SOL_SOCKET, MEMINFO, m, &len)) {
		note(what, "%s", error_name(errno));
		return;
	}
	for (int i = 0; i < 9; i++) {
		char one[32];
		bool whole = i == 1 || i == 3 || i >= 6;
		if (i == 4)
			continue;
		if (whole)
			snprintf(one, sizeof(one), " %s %u", names[i], i == 8 ? m[i] > 0 : m[i]);
		else
			snprintf(one, sizeof(one), " %s %s", names[i], m[i] ? "some" : "0");
		strcat(text, one);
	}
	note(what, "%u bytes:%s", (unsigned)len, text);
}

static void memory_info(void)
{
	struct sockaddr_in a = lo(1600), udp_to = lo(1601);
	struct ends e = connection(1602);
	int fd = tcp(), l, u = udp_bound(1601), s = udp(), raw = X(socket, AF_INET, SOCK_RAW, 253);
	uint32_t m[9];

	for (socklen_t n = 0; n <= 40; n += 5) {
		socklen_t len = n;
		R(L("%u bytes", (unsigned)n), X(getsockopt, fd, SOL_SOCKET, MEMINFO, m, &len));
		note(label, "%u", (unsigned)len);
	}
	R("set", set_int(fd, SOL_SOCKET, MEMINFO, 1));
	for (int i = 0; i < 2; i++) { /* buffers of one's own are the same everywhere */
		set_int(i ? e.d : e.c, SOL_SOCKET, SO_RCVBUF, 30000);
		set_int(i ? e.d : e.c, SOL_SOCKET, SO_SNDBUF, 30000);
		set_int(i ? u : s, SOL_SOCKET, SO_RCVBUF, 5000);
		set_int(i ? u : s, SOL_SOCKET, SO_SNDBUF, 5000);
	}
	set_int(fd, SOL_SOCKET, SO_RCVBUF, 20000);
	set_int(fd, SOL_SOCKET, SO_SNDBUF, 20000);
	set_int(raw, SOL_SOCKET, SO_RCVBUF, 20000);
	set_int(raw, SOL_SOCKET, SO_SNDBUF, 20000);
	memory("new", fd);
	memory("raw", raw);
	memory("connected", e.c);
	X(send, e.c, block, 1000, 0);
	memory("sent", e.c);
	memory("unread", e.d);
	X(recv, e.d, block, 400, 0);
	memory("half read", e.d);
	X(recv, e.d, block, 1000, 0);
	memory("read", e.d);
	while (X(send, e.c, block, 1000, 0) > 0)
		settle();
	memory("full", e.c);
	memory("full", e.d);
	done_with(e.d);
	memory("reset", e.c);
	done_with(e.c);
	for (int i = 0; i < 20; i++)
		X(sendto, s, block, 1000, 0, SA(udp_to)), settle();
	memory("udp sent", s);
	memory("udp unread", u);
	int got = 0;
	while (X(recv, u, block, 1000, 0) > 0)
		got++;
	socklen_t len = sizeof(m);
	X(getsockopt, u, SOL_SOCKET, MEMINFO, m, &len);
	note("udp", "dropped or read: %d, some %d", (int)m[8] + got, m[8] > 0);
	l = listener(1600);
	X(connect, fd, SA(a));
	memory("listening, one waits", l);
	X(send, fd, block, 1000, MSG_MORE);
	memory("corked", fd);
	done_with(fd);
	done_with(l);
	done_with(u);
	done_with(s);
	done_with(raw);
}

/* --- MSG_FASTOPEN -------------------------------------------------------------------------------------------------------------------- */

static void fastopen_errors(void)
{
	struct sockaddr_in a = lo(1610), none = lo(1);
	struct sockaddr un = {.sa_family = AF_UNSPEC};
	int l = listener(1610), u = udp();
	char buf[8];

	for (int way = 0; way < 8; way++) {
		int fd = tcp();
		if (way == 1)
			R("connect", X(connect, fd, SA(a)));
		note("way", "%d", way);
		if (way == 2)
			R("no name", X(send, fd, "abc", 3, FASTOPEN | MSG_NOSIGNAL));
		else if (way == 3)
			R("short name", X(sendto, fd, "abc", 3, FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&a, 8));
		else if (way == 4)
			R("no family", X(sendto, fd, "abc", 3, FASTOPEN | MSG_NOSIGNAL, &un, sizeof(un)));
		else if (way == 5)
			R("refused", X(sendto, fd, "abc", 3, FASTOPEN | MSG_NOSIGNAL, SA(none)));
		else if (way == 6)
			R("no data", X(sendto, fd, "", 0, FASTOPEN | MSG_NOSIGNAL, SA(a)));
		else if (way == 7)
			R("urgent", X(sendto, fd, "abc", 3, FASTOPEN | MSG_OOB | MSG_NOSIGNAL, SA(a)));
		else
			R("send", X(sendto, fd, "abc", 3, FASTOPEN | MSG_NOSIGNAL, SA(a)));
		show_state("then", fd);
		R("again", X(sendto, fd, "abc", 3, FASTOPEN | MSG_NOSIGNAL, SA(a)));
		R("plain", X(send, fd, "d", 1, MSG_NOSIGNAL));
		settle();
		int d = X(accept4, l, NULL, NULL, SOCK_NONBLOCK);
		note("accepted", "%d", d >= 0);
		if (d >= 0) {
			R("received", X(recv, d, buf, 8, 0));
			done_with(d);
		}
		done_with(fd);
	}
	R("listener", X(sendto, l, "abc", 3, FASTOPEN | MSG_NOSIGNAL, SA(a)));
	R("udp", X(sendto, u, "abc", 3, FASTOPEN | MSG_NOSIGNAL, SA(a)));
	int fd = tcp();
	for (int v = -1; v < 3; v++) {
		R(L("connect option = %d", v), set_int(fd, IPPROTO_TCP, 30, v));
		note(label, "%d", get_int(fd, IPPROTO_TCP, 30));
	}
	R("connect", X(connect, fd, SA(a)));
	R("after that", set_int(fd, IPPROTO_TCP, 30, 1));
	R("no cookie", set_int(fd, IPPROTO_TCP, 34, 1));
	R("on a listener", set_int(l, IPPROTO_TCP, 30, 1));
	R("queue", set_int(l, IPPROTO_TCP, 23, 5));
	R("queue of a connection", set_int(fd, IPPROTO_TCP, 23, 5));
	done_with(fd);
	done_with(l);
	done_with(u);
}

/* --- TCP_MD5SIG ------------------------------------------------------------------------------------------------------------------------ */

struct md5 { /* struct tcp_md5sig */
	struct sockaddr_storage addr;
	uint8_t flags, prefixlen;
	uint16_t keylen;
	int ifindex;
	uint8_t key[80];
};

static void md5_errors(void)
{
	static const struct { const char *what; int name, keylen, flags, prefix, ifindex, family; socklen_t len; } tries[] = {
		{"a key", MD5SIG, 8, 0, 0, 0, AF_INET, 0}, {"again", MD5SIG, 8, 0, 0, 0, AF_INET, 0}, {"no key", MD5SIG, 0, 0, 0, 0, AF_INET, 0},
		{"no key again", MD5SIG, 0, 0, 0, 0, AF_INET, 0}, {"long key", MD5SIG, 81, 0, 0, 0, AF_INET, 0}, {"longest", MD5SIG, 80, 0, 0, 0, AF_INET, 0},
		{"IPv6", MD5SIG, 8, 0, 0, 0, AF_INET6, 0}, {"no family", MD5SIG, 8, 0, 0, 0, 0, 0}, {"short", MD5SIG, 8, 0, 0, 0, AF_INET, 4},
		{"one less", MD5SIG, 8, 0, 0, 0, AF_INET, (socklen_t)sizeof(struct md5) - 1}, {"prefix in the old", MD5SIG, 8, 1, 8, 0, AF_INET, 0},
		{"prefix", MD5SIG_EXT, 8, 1, 8, 0, AF_INET, 0}, {"prefix 0", MD5SIG_EXT, 8, 1, 0, 0, AF_INET, 0}, {"prefix 33", MD5SIG_EXT, 8, 1, 33, 0, AF_INET, 0},
		{"flag 2", MD5SIG_EXT, 8, 2, 0, 0, AF_INET, 0}, {"device", MD5SIG_EXT, 8, 2, 0, 1, AF_INET, 0}, {"no device", MD5SIG_EXT, 8, 2, 0, 99, AF_INET, 0},
		{"flag 4", MD5SIG_EXT, 8, 4, 0, 0, AF_INET, 0}, {"prefix, no key", MD5SIG_EXT, 0, 1, 8, 0, AF_INET, 0},
		{"device number, no flag", MD5SIG_EXT, 8, 0, 0, 99, AF_INET, 0},
	};
	struct ends e = connection(1615);
	int u = udp(), l = listener(1616), fresh = tcp();

	for (int k = 0; k < 4; k++) {
		int fd = k == 0 ? fresh : k == 1 ? l : k == 2 ? e.c : u;
		for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
			struct md5 v = {.flags = (uint8_t)tries[i].flags, .prefixlen = (uint8_t)tries[i].prefix, .keylen = (uint16_t)tries[i].keylen, .ifindex = tries[i].ifindex};
			struct sockaddr_in a = lo(0);
			a.sin_family = (sa_family_t)tries[i].family;
			memcpy(&v.addr, &a, sizeof(a));
			memset(v.key, 'k', sizeof(v.key));
			R(L("%d: %s", k, tries[i].what), X(setsockopt, fd, IPPROTO_TCP, tries[i].name, &v, tries[i].len ? tries[i].len : (socklen_t)sizeof(v)));
		}
		struct md5 out;
		socklen_t len = sizeof(out);
		R(L("%d: get", k), X(getsockopt, fd, IPPROTO_TCP, MD5SIG, &out, &len));
		len = sizeof(out);
		R(L("%d: get", k), X(getsockopt, fd, IPPROTO_TCP, MD5SIG_EXT, &out, &len));
	}
	done_with(e.c);
	done_with(e.d);
	done_with(u);
	done_with(l);
	done_with(fresh);
}

/* --- options of one message --------------------------------------------------------------------------------------------------------------- */

static long send_with(int fd, const struct sockaddr_in *to, int type, const void *data, size_t n)
{
	_Alignas(8) char control[128] = {0};
	static char echo[] = "\x08\0\0\0\0\0\0\1";
	struct iovec iov = {echo, 8};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(n), .msg_name = (void *)(uintptr_t)to,
			   .msg_namelen = to ? sizeof(*to) : 0};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	return X(sendmsg, fd, &m, MSG_NOSIGNAL);
}

/* What came, with its IP header. */
static void packets(const char *what, const int *fds, int n)
{
	unsigned char p[256];

	settle();
	for (int i = 0; i < n; i++) {
		ssize_t r;
		while ((r = X(recv, fds[i], p, sizeof(p), MSG_DONTWAIT)) > 0) {
			char options[128] = "";
			for (int o = 20; o < (p[0] & 15) * 4; o++)
				snprintf(options + strlen(options), sizeof(options) - strlen(options), " %02x", p[o]);
			note(what, "%zd bytes to %d, header %d, protocol %d, to %u.%u.%u.%u,%s", r, i, (p[0] & 15) * 4, p[9], p[16], p[17], p[18], p[19], options);
		}
	}
}

static void message_options(void)
{
	static const unsigned char rr[] = {7, 7, 4, 0, 0, 0, 0, 0}, bad[] = {7, 7, 9, 0}, odd[] = {1, 1, 1}, lsrr[] = {131, 7, 4, 127, 0, 0, 2, 0},
		long_one[44] = {1, 1}, full[40] = {7, 39, 4}, end[] = {1, 0, 7, 7}, router_alert[] = {148, 4, 0, 0};
	static const struct { const unsigned char *data; size_t n; } options[] = {
		{rr, 8}, {rr, 7}, {bad, 4}, {odd, 3}, {lsrr, 8}, {long_one, 44}, {full, 40}, {end, 4}, {router_alert, 4}, {rr, 0},
	};
	static const int protocols[] = {0, 1, 17, 253, 255, 256, -1, 254};
	struct sockaddr_in a = lo(1625);
	struct ends e = connection(1626);
	int fds[] = {udp(), X(socket, AF_INET, SOCK_RAW, 253), X(socket, AF_INET, SOCK_RAW, IPPROTO_RAW), X(socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
		     X(socket, AF_INET, SOCK_RAW, IPPROTO_RAW), e.c, X(socket, AF_INET6, SOCK_DGRAM, 0)};
	int ears[] = {X(socket, AF_INET, SOCK_RAW, IPPROTO_UDP), X(socket, AF_INET, SOCK_RAW, 253), X(socket, AF_INET, SOCK_RAW, 254)}, d = udp_bound(1625);

	set_int(fds[4], IPPROTO_IP, 3, 0); /* IP_HDRINCL off */
	for (int k = 0; k < 6; k++) {
		const struct sockaddr_in *to = k < 5 ? &a : NULL;
		note("kind", "%d", k);
		for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
			R(L("IP_RETOPTS %zu", i), send_with(fds[k], to, 7, options[i].data, options[i].n));
			packets(label, ears, 3);
		}
		for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
			R(L("IP_PROTOCOL %d", protocols[i]), send_with(fds[k], to, 52, &protocols[i], 4));
			packets(label, ears, 3);
		}
		R("IP_PROTOCOL, short", send_with(fds[k], to, 52, &protocols[1], 1));
		R("IP_PROTOCOL, long", send_with(fds[k], to, 52, protocols, 8));
		R("own", X(setsockopt, fds[k], IPPROTO_IP, 4, rr, sizeof(rr)));
		R("own and IP_RETOPTS", send_with(fds[k], to, 7, router_alert, 4));
		packets(label, ears, 3);
		R("own and no IP_RETOPTS", send_with(fds[k], to, 7, rr, 0));
		packets(label, ears, 3);
		R("own", send_with(fds[k], to, 1, &(int){0x10}, 4));
		packets(label, ears, 3);
		while (X(recv, d, block, 1000, 0) > 0)
			;
	}
	for (int k = 0; k < 7; k++)
		done_with(fds[k]);
	for (int k = 0; k < 3; k++)
		done_with(ears[k]);
	done_with(d);
	done_with(e.d);
}

const struct calls_case rare_cases[] = {
	{"memory_info", memory_info}, {"fastopen_errors", fastopen_errors}, {"md5_errors", md5_errors},
	{"message_options", message_options}, {NULL, NULL},
};
