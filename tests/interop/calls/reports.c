/* SPDX-License-Identifier: MIT */
/*
 * reports.c - what a socket's error queue tells: SO_TIMESTAMPING with its options, by the socket and by one call; statistics.
 *
 * Times are not printed, nor what of the statistics depends on them.
 */
#include "calls.h"

enum { TIMESTAMPING = 37, OPT_STATS = 54, OPT_ID = 81 };
enum { TX_SW = 2, RX_SW = 8, SOFT = 16, ID = 128, SCHED = 256, ACK = 512, CMSG_ = 1024, TSONLY = 2048, STATS = 4096, ID_TCP = 65536, COMPLETION = 1 << 18 };

static char label[96];
#define L(...) (snprintf(label, sizeof(label), __VA_ARGS__), label)

static void show_statistics(const unsigned char *p, size_t n)
{
	static const struct { unsigned type; const char *name; } steady[] = { /* the same on every machine */
		{4, "data segments"}, {5, "retransmitted"}, {8, "cwnd"}, {9, "reordering"}, {11, "retransmits now"}, {12, "app limited"}, {13, "unacknowledged"},
		{14, "state"}, {15, "ssthresh"}, {16, "delivered"}, {17, "delivered CE"}, {18, "bytes"}, {19, "bytes again"}, {20, "DSACKs"}, {21, "reordered"},
		{23, "rehash"}, {24, "not sent"}, {26, "ttl"}, {27, "rehash"},
	};
	char text[1024] = "";

	while (n >= 4) {
		uint16_t len, type;
		uint64_t v = 0;
		char one[64];
		const char *name = NULL;
		memcpy(&len, p, 2);
		memcpy(&type, p + 2, 2);
		if (len < 4 || len > n)
			break;
		for (size_t i = 0; i < sizeof(steady) / sizeof(*steady); i++)
			if (steady[i].type == type)
				name = steady[i].name;
		memcpy(&v, p + 4, len - 4u < 8 ? len - 4u : 8);
		snprintf(one, sizeof(one), name ? " %u/%u %s=%llu" : " %u/%u", type, len - 4u, name, (unsigned long long)v);
		if (strlen(text) + strlen(one) < sizeof(text))
			strcat(text, one);
		len = (uint16_t)((len + 3) & ~3);
		p += len < n ? len : n;
		n -= len < n ? len : n;
	}
	note("statistics", "%s", text);
}

static void show_message(const char *what, const struct cmsghdr *c)
{
	size_t n = c->cmsg_len - CMSG_LEN(0);
	uint32_t w[4] = {0};

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == 11) {
		const unsigned char *p = CMSG_DATA(c);
		memcpy(w, p, sizeof(w));
		note(what, "error %u origin %u type %u code %u pad %u info %u data %u, %zu bytes, offender family %u", w[0], p[4], p[5], p[6], p[7], w[2], w[3], n,
		     n > 17 ? p[16] : 0);
		if (n > 24 && p[16])
			note(what, "offender %u.%u.%u.%u port %u", p[20], p[21], p[22], p[23], p[18] * 256u + p[19]);
	} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == OPT_STATS) {
		show_statistics(CMSG_DATA(c), n);
	} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == TIMESTAMPING) {
		struct timespec ts[3] = {{0}};
		memcpy(ts, CMSG_DATA(c), n < sizeof(ts) ? n : sizeof(ts));
		note(what, "stamp %d %d %d, %zu bytes", ts[0].tv_sec > 0, ts[1].tv_sec > 0, ts[2].tv_sec > 0, n);
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(w, CMSG_DATA(c), n < 16 ? n : 16);
		note(what, "packet info, %zu bytes: %u %#x %#x", n, w[0], ntohl(w[1]), ntohl(w[2]));
	} else {
		memcpy(w, CMSG_DATA(c), n < 16 ? n : 16);
		note(what, "message %d/%d, %zu bytes, %u", c->cmsg_level, c->cmsg_type, n, n <= 8 ? w[0] : 0);
	}
}

/* Everything in the error queue. */
static void reports(const char *what, int fd)
{
	for (int i = 0; i < 40; i++) {
		char buf[256], control[1024];
		struct sockaddr_in from = {0};
		struct iovec iov = {buf, sizeof(buf)};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control), .msg_name = &from,
				   .msg_namelen = sizeof(from)};
		settle();
		ssize_t n = X(recvmsg, fd, &m, MSG_ERRQUEUE);
		if (n < 0) {
			note(what, "%s", error_name(errno));
			return;
		}
		note(what, "%zd bytes, flags %#x, name %u: family %u port %u", n, (unsigned)m.msg_flags, (unsigned)m.msg_namelen,
		     from.sin_family, ntohs(from.sin_port) < 32768 ? ntohs(from.sin_port) : 1);
		if (n > 40)
			note(what, "ends in '%c'", buf[n - 1] >= 'a' && buf[n - 1] <= 'z' ? buf[n - 1] : '-');
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			show_message(what, c);
	}
}

/* A send call with one control message. */
static long send_with(int fd, const struct sockaddr_in *to, int level, int type, const void *data, size_t n)
{
	_Alignas(8) char control[128] = {0};
	struct iovec iov = {"abc", 3};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(n), .msg_name = (void *)(uintptr_t)to,
			   .msg_namelen = to ? sizeof(*to) : 0};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	return X(sendmsg, fd, &m, MSG_NOSIGNAL);
}

/* --- which values the option takes --------------------------------------------------------------------------------------------- */

static void timestamping_values(void)
{
	static const int values[] = {0, TX_SW, ID, ID | TX_SW, ID_TCP, ID_TCP | ID, STATS, STATS | TSONLY, STATS | TSONLY | ID, CMSG_, TSONLY, COMPLETION, 1 << 17,
				     -1, 1 << 19, 1 << 30, INT32_MIN, 0x7ffff, RX_SW | SOFT, 1, 4, 64, 1 << 13, 1 << 14, 1 << 15, (1 << 15) | (1 << 14)};

	for (int k = 0; k < 5; k++) {
		struct ends e = connection(1500);
		int fd = k == 0 ? e.c : k == 1 ? udp() : k == 2 ? X(socket, AF_INET, SOCK_RAW, 253) : k == 3 ? tcp() : listener(1501);
		for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
			for (int name = TIMESTAMPING; name <= 65; name += 65 - TIMESTAMPING) {
				struct { int flags, phc; } out = {-7, -7};
				socklen_t len = 8;
				R(L("%d: %d = %#x", k, name, (unsigned)values[i]), set_int(fd, SOL_SOCKET, name, values[i]));
				X(getsockopt, fd, SOL_SOCKET, name, &out, &len);
				note(label, "is %#x %d, %u bytes; the other %#x", (unsigned)out.flags, out.phc, (unsigned)len,
				     (unsigned)get_int(fd, SOL_SOCKET, TIMESTAMPING + 65 - name));
			}
		}
		for (socklen_t n = 0; n < 13; n += 2) {
			int v[3] = {TX_SW, 0, 0};
			R(L("%d: %u bytes", k, (unsigned)n), X(setsockopt, fd, SOL_SOCKET, TIMESTAMPING, v, n));
		}
		static const struct { int name, value; } stamps[] = {
			{29, 1}, {35, 1}, {63, 1}, {64, 1}, {29, 0}, {TIMESTAMPING, 2}, {64, 1}, {35, 0}, {63, 1}, {64, 0}, {29, 7}, {65, 2}, {29, 0}, {65, 0}, {35, 1},
		};
		for (size_t i = 0; i < sizeof(stamps) / sizeof(*stamps); i++) {
			R(L("%d: option %d = %d", k, stamps[i].name, stamps[i].value), set_int(fd, SOL_SOCKET, stamps[i].name, stamps[i].value));
			note(label, "stamps %d %d %d %d, flags %#x %#x", get_int(fd, SOL_SOCKET, 29), get_int(fd, SOL_SOCKET, 35), get_int(fd, SOL_SOCKET, 63),
			     get_int(fd, SOL_SOCKET, 64), (unsigned)get_int(fd, SOL_SOCKET, TIMESTAMPING), (unsigned)get_int(fd, SOL_SOCKET, 65));
		}
		done_with(e.d);
		done_with(e.c);
		if (k)
			done_with(fd);
	}
}

/* --- streams -------------------------------------------------------------------------------------------------------------------- */

static void stream_stamps(void)
{
	static const int flags[] = {TX_SW | SOFT, TX_SW, SOFT, TX_SW | SCHED | ACK | SOFT, TX_SW | SCHED | ACK | SOFT | ID, TX_SW | SCHED | ACK | SOFT | ID | TSONLY,
				    ACK | SOFT | ID | TSONLY | STATS, TX_SW | SCHED | ACK | SOFT | ID | TSONLY | STATS | ID_TCP, TX_SW | ACK | SOFT | ID | TSONLY | CMSG_,
				    ACK | ID | TSONLY, ACK | SOFT | CMSG_ | ID, TX_SW | SCHED | ACK | SOFT | CMSG_ | ID};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct ends e = connection((uint16_t)(1510 + i));
		char buf[16];
		X(setsockopt, e.c, IPPROTO_TCP, 13, "reno", 4);
		X(send, e.c, "before", 6, 0);
		settle();
		note("flags", "%#x", (unsigned)flags[i]);
		R("set", set_int(e.c, SOL_SOCKET, TIMESTAMPING, flags[i]));
		R("send", X(send, e.c, "abc", 3, 0));
		show_poll("sent", e.c);
		X(recv, e.d, buf, 16, 0);
		reports("one", e.c);
		R("send", X(send, e.c, "de", 2, 0));
		R("send", X(send, e.c, "fghij", 5, 0));
		X(recv, e.d, buf, 16, 0);
		R("answer", X(send, e.d, "x", 1, 0)); /* with the ACK */
		reports("two", e.c);
		R("set again", set_int(e.c, SOL_SOCKET, TIMESTAMPING, flags[i]));
		R("send", X(send, e.c, "k", 1, 0));
		R("urgent", X(send, e.c, "lm", 2, MSG_OOB));
		R("more", X(send, e.c, "nop", 3, MSG_MORE));
		R("and", X(send, e.c, "q", 1, 0));
		R("answer", X(send, e.d, "x", 1, 0));
		reports("three", e.c);
		R("off", set_int(e.c, SOL_SOCKET, TIMESTAMPING, 0));
		R("on", set_int(e.c, SOL_SOCKET, TIMESTAMPING, flags[i]));
		R("send", X(send, e.c, "rst", 3, 0));
		R("FIN", X(shutdown, e.c, SHUT_WR));
		done_with(e.d);
		reports("last", e.c);
		done_with(e.c);
	}
}

/* Stamps that one call asks for, on a socket that has or has not its own. */
static void stream_call_stamps(void)
{
	static const uint32_t asked[] = {0, TX_SW, ACK, TX_SW | SCHED | ACK, SOFT, ID, 1, COMPLETION, 1u << 31};
	static const int own[] = {0, SOFT, SOFT | ID | TSONLY, SOFT | ACK | TSONLY | CMSG_};

	for (size_t o = 0; o < 4; o++) {
		struct ends e = connection((uint16_t)(1525 + o));
		char buf[64];
		set_int(e.c, SOL_SOCKET, TIMESTAMPING, own[o]);
		for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
			R(L("own %#x, asked %#x", (unsigned)own[o], asked[i]), send_with(e.c, NULL, SOL_SOCKET, TIMESTAMPING, &asked[i], 4));
			X(send, e.d, "x", 1, 0);
			reports(label, e.c);
		}
		for (size_t n = 0; n < 9; n += 2)
			R(L("%zu bytes", n), send_with(e.c, NULL, SOL_SOCKET, TIMESTAMPING, asked, n));
		uint32_t id = 77;
		R("OPT_ID", send_with(e.c, NULL, SOL_SOCKET, OPT_ID, &id, 4));
		R("NEW", send_with(e.c, NULL, SOL_SOCKET, 65, &asked[1], 4));
		while (X(recv, e.d, buf, 64, 0) > 0)
			;
		X(send, e.d, "x", 1, 0);
		reports("at last", e.c);
		done_with(e.c);
		done_with(e.d);
	}
}

static void arrivals(const char *what, int fd)
{
	char buf[64], control[512];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n = X(recvmsg, fd, &m, 0);

	if (n < 0) {
		note(what, "%s", error_name(errno));
		return;
	}
	note(what, "%zd bytes, flags %#x", n, (unsigned)m.msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		show_message(what, c);
}

/* A connection that asks for arrival stamps and has one: Linux begins to take them some time after the first socket of the machine asks. */
static struct ends stamped_connection(uint16_t port)
{
	struct ends e = connection(port);
	struct pollfd none = {.fd = e.c, .events = 0};

	set_int(e.d, SOL_SOCKET, TIMESTAMPING, RX_SW | SOFT);
	for (int i = 0; i < 5000; i++) {
		char buf[64], control[512];
		struct iovec iov = {buf, sizeof(buf)};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		X(send, e.c, "a", 1, 0);
		settle();
		X(recvmsg, e.d, &m, 0);
		if (m.msg_controllen)
			return e;
		x_poll(&none, 1, 1);
	}
	note("arrivals", "are never stamped");
	return e;
}

/* Arrival stamps: each option alone, two together, on both kinds of socket. */
static void arrival_stamps(void)
{
	static const struct { int name, value; } options[] = {
		{29, 1}, {35, 1}, {63, 1}, {64, 1}, {TIMESTAMPING, RX_SW | SOFT}, {TIMESTAMPING, RX_SW}, {TIMESTAMPING, SOFT}, {65, RX_SW | SOFT},
		{TIMESTAMPING, RX_SW | SOFT | (1 << 17)}, {TIMESTAMPING, SOFT | (1 << 17)}, {29, 0}, {64, 0}, {TIMESTAMPING, 0},
	};
	enum { N = sizeof(options) / sizeof(*options) };
	struct sockaddr_in a = lo(1530);
	struct ends asks = stamped_connection(1532);

	for (size_t i = 0; i < N; i++) {
		for (size_t j = i; j < N; j++) {
			if ((j == 6 && i > 3) || (i == 6 && j > 9))
				continue; /* then it depends on what others ask for */
			struct ends e = connection(1531);
			int u = udp_bound(1530), s = udp();
			set_int(e.d, SOL_SOCKET, options[i].name, options[i].value);
			set_int(e.d, SOL_SOCKET, options[j].name, options[j].value);
			set_int(u, SOL_SOCKET, options[i].name, options[i].value);
			set_int(u, SOL_SOCKET, options[j].name, options[j].value);
			X(send, e.c, "abc", 3, 0);
			X(sendto, s, "abc", 3, 0, SA(a));
			settle();
			arrivals(L("stream %zu %zu", i, j), e.d);
			arrivals(L("datagram %zu %zu", i, j), u);
			done_with(e.c);
			done_with(e.d);
			done_with(u);
			done_with(s);
		}
	}
	done_with(asks.c);
	done_with(asks.d);
}

/* --- datagrams -------------------------------------------------------------------------------------------------------------------- */

/* Of every kind of packet socket, with arrival options on beside: IP_RECVTTL, SO_TIMESTAMP. */
static void packet_stamps(void)
{
	struct sockaddr_in a = lo(1536);
	static const char echo[] = "\x08\0\0\0\0\0\0\1xyz", whole[] = "\x45\0\0\x19\0\1\0\0\x40\xfd\0\0\x7f\0\0\1\x7f\0\0\1abcde";
	static const struct { const char *name; int type, protocol, hdrincl; const char *data; size_t n; } kinds[] = {
		{"udp", SOCK_DGRAM, 0, 0, "hello", 5}, {"raw", SOCK_RAW, 253, 0, "hello", 5}, {"icmp", SOCK_RAW, IPPROTO_ICMP, 0, echo, 11},
		{"ping", SOCK_DGRAM, IPPROTO_ICMP, 0, echo, 11}, {"header", SOCK_RAW, IPPROTO_RAW, 1, whole, 25},
	};
	static const int flags[] = {TX_SW | SCHED | SOFT | ID, TX_SW | SOFT | CMSG_ | ID | TSONLY, TX_SW | SOFT | CMSG_ | ID,
				    1 | COMPLETION | SOFT | ID | SCHED, 1 | ID | SOFT, ACK | ID | SOFT};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		for (int stamp = 0; stamp < 4; stamp++) {
			int fd = X(socket, AF_INET, kinds[k].type | SOCK_NONBLOCK, kinds[k].protocol);
			note("kind", "%s", kinds[k].name);
			set_int(fd, IPPROTO_IP, IP_RECVTTL, stamp & 1);
			if (stamp & 2)
				set_int(fd, SOL_SOCKET, 29, 1);
			for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
				R(L("flags %#x", (unsigned)flags[i]), set_int(fd, SOL_SOCKET, stamp == 3 ? 65 : TIMESTAMPING, flags[i]));
				R("send", X(sendto, fd, kinds[k].data, kinds[k].n, 0, SA(a)));
				settle();
				reports("report", fd);
			}
			done_with(fd);
		}
	}
}

static void datagram_stamps(void)
{
	static const int flags[] = {TX_SW | SOFT, TX_SW | SCHED | SOFT | ID, TX_SW | SCHED | SOFT | ID | TSONLY, TX_SW | SOFT | CMSG_ | ID,
				    TX_SW | SOFT | CMSG_ | TSONLY | ID, TX_SW | SCHED | ACK | ID | TSONLY | STATS | SOFT};
	static const uint32_t asked[] = {0, TX_SW, 1, SCHED, COMPLETION, TX_SW, ACK, ID, 1u << 31};
	struct sockaddr_in a = lo(1535);
	int d = udp_bound(1535);

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		for (int pktinfo = 0; pktinfo < 2; pktinfo++) {
			int u = udp();
			set_int(u, IPPROTO_IP, IP_PKTINFO, pktinfo);
			R(L("flags %#x", (unsigned)flags[i]), set_int(u, SOL_SOCKET, TIMESTAMPING, flags[i]));
			R("send", X(sendto, u, "abc", 3, 0, SA(a)));
			show_poll("sent", u);
			R("send", X(sendto, u, "def", 3, 0, SA(a)));
			reports("two", u);
			R("corked", X(sendto, u, "gh", 2, MSG_MORE, SA(a)));
			R("corked", X(sendto, u, "ijk", 3, 0, SA(a)));
			reports("corked", u);
			R("connect", X(connect, u, SA(a)));
			R("send", X(send, u, "lmn", 3, 0));
			reports("connected", u);
			R("again", set_int(u, SOL_SOCKET, TIMESTAMPING, flags[i]));
			R("send", X(send, u, "lmn", 3, 0));
			reports("again", u);
			done_with(u);
		}
	}
	for (int own = 0; own < 2; own++) {
		int u = udp();
		set_int(u, SOL_SOCKET, TIMESTAMPING, own ? SOFT | ID | TSONLY | SCHED : 0);
		for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
			R(L("own %d, asked %#x", own, asked[i]), send_with(u, &a, SOL_SOCKET, TIMESTAMPING, &asked[i], 4));
			reports(label, u);
		}
		for (size_t n = 0; n < 9; n += 2)
			R(L("%zu bytes", n), send_with(u, &a, SOL_SOCKET, TIMESTAMPING, asked, n));
		uint32_t id = 77;
		R("OPT_ID", send_with(u, &a, SOL_SOCKET, OPT_ID, &id, 4));
		R("OPT_ID, short", send_with(u, &a, SOL_SOCKET, OPT_ID, &id, 2));
		R("NEW", send_with(u, &a, SOL_SOCKET, 65, &asked[1], 4));
		reports("at last", u);
		done_with(u);
	}
	done_with(d);
}

const struct calls_case report_cases[] = {
	{"timestamping_values", timestamping_values}, {"stream_stamps", stream_stamps}, {"stream_call_stamps", stream_call_stamps},
	{"arrival_stamps", arrival_stamps},
	{"packet_stamps", packet_stamps}, {"datagram_stamps", datagram_stamps}, {NULL, NULL},
};
