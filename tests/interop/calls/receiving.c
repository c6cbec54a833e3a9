/* SPDX-License-Identifier: MIT */
/* receiving.c - how a TCP socket is read: peeking, discarding, waiting for all, low-water marks, SO_PEEK_OFF, TCP_INQ, lengths by state. */
#include "calls.h"
#include <netinet/tcp.h>

enum { PEEK_OFF = 42, INQ = 36, OUTQ = 0x5411, OUTQNSD = 0x894b };

static char label[96];
#define L(...) (snprintf(label, sizeof(label), __VA_ARGS__), label)

/* One recvmsg(): how many, which, with which flags, what TCP_INQ says. */
static void take(const char *what, int fd, size_t n, int flags)
{
	char buf[128] = "", control[64];
	struct iovec iov = {buf, n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t r = X(recvmsg, fd, &m, flags);
	char inq[32] = "";

	if (r < 0) {
		note(what, "%s", error_name(errno));
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		int v;
		memcpy(&v, CMSG_DATA(c), sizeof(v));
		snprintf(inq, sizeof(inq), ", message %d/%d: %d", c->cmsg_level, c->cmsg_type, v);
	}
	note(what, "%zd '%.*s', flags %#x%s", r, (int)(r < 100 ? r : 100), buf, (unsigned)m.msg_flags, inq);
	settle();
}

static void send_text(int fd, const char *text)
{
	if (X(send, fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		note("send", "%s", error_name(errno));
	settle();
}

static void lengths(const char *what, int fd)
{
	static const struct { unsigned long request; const char *name; } requests[] = {{FIONREAD, "INQ"}, {OUTQ, "OUTQ"}, {OUTQNSD, "OUTQNSD"}};
	char text[96] = "";

	settle();
	for (int i = 0; i < 3; i++) {
		int n = -1;
		char one[32];
		snprintf(one, sizeof(one), " %s %s", requests[i].name, X(ioctl, fd, requests[i].request, &n) ? error_name(errno) : "");
		strcat(text, one);
		snprintf(one, sizeof(one), "%d", n);
		strcat(text, n == -1 ? "" : one);
	}
	note(what, "%s", text);
}

static void wait_ms(int fd, int ms)
{
	struct timeval tv = {0, ms * 1000};

	X(fcntl, fd, F_SETFL, 0);
	X(setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

/* Each mixture of PEEK, TRUNC, WAITALL, DONTWAIT over three segments, from the start and from within. */
static void receive_mixtures(void)
{
	static const int bits[] = {MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_DONTWAIT};
	static const size_t sizes[] = {0, 2, 3, 4, 9, 20};

	for (int mix = 0; mix < 16; mix++) {
		int flags = 0;
		for (int b = 0; b < 4; b++)
			flags |= mix >> b & 1 ? bits[b] : 0;
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			struct ends e = connection((uint16_t)(1400 + mix));
			wait_ms(e.d, 4);
			set_int(e.d, IPPROTO_TCP, INQ, mix & 1);
			send_text(e.c, "abc");
			send_text(e.c, "def");
			take("one", e.d, 1, 0);
			send_text(e.c, "ghi");
			take(L("%#x, %zu", (unsigned)flags, sizes[i]), e.d, sizes[i], flags);
			take("and", e.d, sizes[i], flags);
			take("rest", e.d, 40, MSG_DONTWAIT);
			take("none", e.d, sizes[i], flags);
			done_with(e.c);
			take("FIN", e.d, sizes[i], flags);
			done_with(e.d);
		}
	}
}

/* With a low-water mark: what is read, what poll() says, in a stream that ends, is reset, is shut. */
static void receive_low_water(void)
{
	static const int marks[] = {0, 1, 4, 9, 100};
	static const int flags[] = {0, MSG_PEEK, MSG_WAITALL, MSG_WAITALL | MSG_PEEK, MSG_DONTWAIT, MSG_TRUNC};
	struct linger none = {1, 0};

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		for (size_t f = 0; f < sizeof(flags) / sizeof(*flags); f++) {
			for (int end = 0; end < 4; end++) {
				struct ends e = connection((uint16_t)(1420 + i));
				wait_ms(e.d, 4);
				set_int(e.d, SOL_SOCKET, SO_RCVLOWAT, marks[i]);
				send_text(e.c, "abc");
				show_poll(L("mark %d, 3", marks[i]), e.d);
				take(L("mark %d, %#x", marks[i], (unsigned)flags[f]), e.d, 6, flags[f]);
				send_text(e.c, "defghi");
				show_poll(L("mark %d, 6 more", marks[i]), e.d);
				if (end == 1)
					X(shutdown, e.c, SHUT_WR);
				else if (end == 2)
					X(setsockopt, e.c, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), X(close, e.c);
				else if (end == 3)
					X(shutdown, e.d, SHUT_RD);
				show_poll(L("end %d", end), e.d);
				take("then", e.d, 20, flags[f]);
				take("then", e.d, 20, flags[f]);
				show_state("at last", e.d);
				if (end != 2)
					done_with(e.c);
				done_with(e.d);
			}
		}
	}
}

/* SO_RCVLOWAT asks for a buffer in which it can be met. */
static void low_water_buffers(void)
{
	static const int marks[] = {1, 1000, 30000, 65536, 100000, 1 << 20, 16 << 20, -1, INT32_MAX};
	enum { CLAMP = 10 };

	for (int locked = 0; locked < 2; locked++) {
		for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
			struct ends e = connection((uint16_t)(1430 + i));
			if (locked)
				set_int(e.d, SOL_SOCKET, SO_RCVBUF, 20000);
			int before = get_int(e.d, SOL_SOCKET, SO_RCVBUF);
			R(L("locked %d, mark %d", locked, marks[i]), set_int(e.d, SOL_SOCKET, SO_RCVLOWAT, marks[i]));
			int after = get_int(e.d, SOL_SOCKET, SO_RCVBUF);
			note(label, "is %d, buffer %d", get_int(e.d, SOL_SOCKET, SO_RCVLOWAT), after == before ? 0 : after);
			set_int(e.d, SOL_SOCKET, SO_RCVBUF, 1000);
			note(label, "is %d, buffer %d", get_int(e.d, SOL_SOCKET, SO_RCVLOWAT), get_int(e.d, SOL_SOCKET, SO_RCVBUF));
			done_with(e.c);
			done_with(e.d);
		}
	}
}

static void peek_offsets(void)
{
	static const int values[] = {-1, 0, 1, 5, -2, INT32_MIN, INT32_MAX, 0};
	static const int flags[] = {MSG_PEEK, MSG_PEEK | MSG_TRUNC, MSG_PEEK | MSG_WAITALL, MSG_PEEK | MSG_DONTWAIT};
	int fd = tcp(), u = udp(), raw = X(socket, AF_INET, SOCK_RAW, 253), ping = X(socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		R(L("tcp = %d", values[i]), set_int(fd, SOL_SOCKET, PEEK_OFF, values[i]));
		note("tcp", "%d", get_int(fd, SOL_SOCKET, PEEK_OFF));
		R(L("udp = %d", values[i]), set_int(u, SOL_SOCKET, PEEK_OFF, values[i]));
		note("udp", "%d", get_int(u, SOL_SOCKET, PEEK_OFF));
		R(L("raw = %d", values[i]), set_int(raw, SOL_SOCKET, PEEK_OFF, values[i]));
		note("raw", "%d", get_int(raw, SOL_SOCKET, PEEK_OFF));
		R(L("ping = %d", values[i]), set_int(ping, SOL_SOCKET, PEEK_OFF, values[i]));
	}
	done_with(fd);
	done_with(u);
	done_with(raw);
	done_with(ping);
	for (size_t f = 0; f < sizeof(flags) / sizeof(*flags); f++) {
		for (int at = 0; at < 12; at += 1 + at / 3) {
			struct ends e = connection((uint16_t)(1445 + f));
			wait_ms(e.d, 4);
			set_int(e.d, SOL_SOCKET, PEEK_OFF, at);
			send_text(e.c, "abc");
			send_text(e.c, "defg");
			for (int i = 0; i < 4; i++) {
				take(L("%#x from %d", (unsigned)flags[f], at), e.d, 2, flags[f]);
				note("offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
			}
			take("read", e.d, 1, 0);
			note("offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
			take("peek", e.d, 9, flags[f]);
			note("offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
			take("discard", e.d, 3, MSG_TRUNC);
			note("offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
			send_text(e.c, "hijk");
			take("peek", e.d, 9, flags[f]);
			take("read", e.d, 40, 0);
			note("offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
			done_with(e.c);
			take("FIN", e.d, 9, flags[f]);
			done_with(e.d);
		}
	}
}

/* With urgent data among them; inherited from a listener or not. */
static void peek_offset_urgent(void)
{
	struct sockaddr_in a = lo(1455);

	for (int way = 0; way < 8; way++) {
		struct ends e = connection((uint16_t)(1450 + (way & 3)));
		set_int(e.d, SOL_SOCKET, SO_OOBINLINE, way & 1);
		set_int(e.d, SOL_SOCKET, PEEK_OFF, way / 2);
		X(send, e.c, "abU", 3, MSG_OOB);
		send_text(e.c, "cdef");
		for (int i = 0; i < 6; i++) {
			take(L("way %d", way), e.d, 2, MSG_PEEK);
			note("offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
		}
		take("OOB", e.d, 1, MSG_OOB | MSG_PEEK);
		take("read", e.d, 40, 0);
		take("peek", e.d, 40, MSG_PEEK);
		note("offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
		take("read", e.d, 40, 0);
		note("offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
		done_with(e.c);
		done_with(e.d);
	}
	int l = listener(1455), fd = tcp();
	set_int(l, SOL_SOCKET, PEEK_OFF, 3);
	X(connect, fd, SA(a));
	settle();
	int d = X(accept4, l, NULL, NULL, SOCK_NONBLOCK);
	note("accepted", "%d", get_int(d, SOL_SOCKET, PEEK_OFF));
	R("disconnect", X(connect, d, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
	note("disconnected", "%d", get_int(d, SOL_SOCKET, PEEK_OFF));
	done_with(d);
	done_with(fd);
	done_with(l);
}

/* Datagrams peeked at from an offset. */
static void peek_offset_datagrams(void)
{
	int u = udp_bound(1460), s = udp();
	struct sockaddr_in a = lo(1460);

	for (int at = 0; at < 9; at += 2) {
		set_int(u, SOL_SOCKET, PEEK_OFF, at);
		for (int i = 0; i < 3; i++)
			R("send", X(sendto, s, "abcdefgh", (size_t)i * 3, 0, SA(a)));
		for (int i = 0; i < 9; i++) {
			take(L("from %d", at), u, 3, MSG_PEEK | (i % 3 == 2 ? MSG_TRUNC : 0));
			note("offset", "%d", get_int(u, SOL_SOCKET, PEEK_OFF));
			if (i % 3 == 2) {
				take("read", u, 2, at & 2 ? MSG_TRUNC : 0);
				note("offset", "%d", get_int(u, SOL_SOCKET, PEEK_OFF));
			}
		}
	}
	done_with(u);
	done_with(s);
}

/* TCP_INQ's message: at the end, with OOB, of what is left. */
static void inq_messages(void)
{
	static const int values[] = {-1, 0, 1, 2};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct ends e = connection((uint16_t)(1465 + i));
		R(L("= %d", values[i]), set_int(e.d, IPPROTO_TCP, INQ, values[i]));
		note("is", "%d", get_int(e.d, IPPROTO_TCP, INQ));
		send_text(e.c, "abcdef");
		take("none", e.d, 0, 0);
		take("peek", e.d, 2, MSG_PEEK);
		take("some", e.d, 2, 0);
		X(send, e.c, "U", 1, MSG_OOB);
		settle();
		take("OOB", e.d, 1, MSG_OOB | MSG_PEEK);
		take("to the mark", e.d, 9, 0);
		take("empty", e.d, 9, 0);
		send_text(e.c, "xyz");
		X(shutdown, e.c, SHUT_WR);
		settle();
		take("before the FIN", e.d, 2, 0);
		take("peek before the FIN", e.d, 9, MSG_PEEK);
		take("with the FIN", e.d, 9, 0);
		take("end", e.d, 9, 0);
		take("end, none", e.d, 0, 0);
		done_with(e.c);
		done_with(e.d);
	}
}

static void queue_lengths(void)
{
	struct sockaddr_in a = lo(1470);
	int l = listener(1470), fd = tcp();
	static char block[8192];

	lengths("new", fd);
	lengths("listening", l);
	X(connect, fd, SA(a));
	lengths("connected", fd);
	int d = X(accept4, l, NULL, NULL, SOCK_NONBLOCK);
	lengths("accepted", d);
	done_with(l);
	send_text(fd, "abc");
	lengths("sent", fd);
	lengths("received", d);
	take("peek", d, 2, MSG_PEEK);
	lengths("peeked", d);
	take("some", d, 2, 0);
	lengths("read", d);
	X(shutdown, fd, SHUT_WR);
	lengths("FIN", d);
	take("rest", d, 9, 0);
	lengths("read to the end", d);
	take("end", d, 9, 0);
	lengths("end read", d);
	set_int(d, SOL_SOCKET, SO_SNDBUF, 4096);
	set_int(fd, SOL_SOCKET, SO_RCVBUF, 2048);
	while (X(send, d, block, sizeof(block), MSG_NOSIGNAL) > 0)
		settle();
	int n = -1, m = -1;
	settle();
	X(ioctl, d, OUTQ, &n);
	X(ioctl, d, OUTQNSD, &m);
	note("full", "OUTQ %d, of that unsent %d", n > 0, m > 0 && m <= n);
	X(shutdown, d, SHUT_WR);
	int after = -1;
	X(ioctl, d, OUTQ, &after);
	note("full and shut", "%d more", after - n);
	done_with(fd); /* with data unread: reset */
	lengths("reset", d);
	done_with(d);
	struct ends e = connection(1471);
	X(shutdown, e.c, SHUT_WR);
	lengths("FIN_WAIT2", e.c);
	lengths("CLOSE_WAIT", e.d);
	X(shutdown, e.d, SHUT_WR);
	settle();
	lengths("TIME_WAIT", e.c);
	lengths("closed", e.d);
	done_with(e.c);
	done_with(e.d);
	e = connection(1472);
	send_text(e.d, "abc");
	X(shutdown, e.c, SHUT_RD);
	lengths("reading shut", e.c);
	X(connect, e.c, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
	lengths("disconnected", e.c);
	done_with(e.c);
	done_with(e.d);
}

/* Reading shut: what came before, what comes after, in which way it is asked for. */
static void reading_shut(void)
{
	static const int flags[] = {0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_DONTWAIT, MSG_PEEK | MSG_WAITALL};

	for (int way = 0; way < 4; way++) {
		for (size_t f = 0; f < sizeof(flags) / sizeof(*flags); f++) {
			struct ends e = connection((uint16_t)(1475 + f));
			if (way & 1)
				send_text(e.c, "abc");
			set_int(e.d, SOL_SOCKET, SO_RCVLOWAT, way & 2 ? 9 : 1);
			X(fcntl, e.d, F_SETFL, 0); /* nothing waits any more */
			X(shutdown, e.d, SHUT_RD);
			lengths("shut", e.d);
			take(L("way %d, %#x", way, (unsigned)flags[f]), e.d, 2, flags[f]);
			send_text(e.c, "defgh");
			lengths("more", e.d);
			show_poll("more", e.d);
			take("more", e.d, 7, flags[f]);
			take("more", e.d, 20, flags[f]);
			X(shutdown, e.c, SHUT_WR);
			take("FIN", e.d, 20, flags[f]);
			show_state("FIN", e.d);
			done_with(e.d);
			show_state("peer", e.c);
			done_with(e.c);
		}
	}
}

const struct calls_case receiving_cases[] = {
	{"receive_mixtures", receive_mixtures}, {"receive_low_water", receive_low_water}, {"low_water_buffers", low_water_buffers},
	{"peek_offsets", peek_offsets}, {"peek_offset_urgent", peek_offset_urgent}, {"peek_offset_datagrams", peek_offset_datagrams}, {"inq_messages", inq_messages}, {"queue_lengths", queue_lengths},
	{"reading_shut", reading_shut}, {NULL, NULL},
};
