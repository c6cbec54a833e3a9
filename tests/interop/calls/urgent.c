/* SPDX-License-Identifier: MIT */
/* urgent.c - TCP urgent data: the byte read apart and in line, the mark and what stops at it, one urgent byte after another, what ends it. */
#include "calls.h"

enum { ATMARK = 0x8905 };

static char label[96];
#define L(...) (snprintf(label, sizeof(label), __VA_ARGS__), label)

/* One recvmsg(): how many, which, with which flags. */
static void take(const char *what, int fd, size_t n, int flags)
{
	char buf[64] = "";
	struct iovec iov = {buf, n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r = X(recvmsg, fd, &m, flags);

	if (r < 0)
		note(what, "%s", error_name(errno));
	else
		note(what, "%zd '%.*s', flags %#x", r, (int)(r < 60 ? r : 60), buf, (unsigned)m.msg_flags);
	settle();
}

/* What can be asked without reading: at the mark, how many bytes, ready for what, the rest in line with its mark. */
static void look(const char *what, int fd)
{
	char text[96];
	int mark = -1, n = -1;

	settle();
	X(ioctl, fd, ATMARK, &mark);
	X(ioctl, fd, FIONREAD, &n);
	snprintf(text, sizeof(text), "%s (mark %d, unread %d)", what, mark, n);
	show_poll(text, fd);
	snprintf(text, sizeof(text), "%s, peek", what);
	take(text, fd, 40, MSG_PEEK);
	snprintf(text, sizeof(text), "%s, peek OOB", what);
	take(text, fd, 1, MSG_OOB | MSG_PEEK);
}

static void send_text(int fd, const char *text, int flags)
{
	ssize_t n = X(send, fd, text, strlen(text), flags | MSG_NOSIGNAL);

	if (n != (ssize_t)strlen(text))
		note("send", "%zd of %zu, %s", n, strlen(text), error_name(errno));
	settle();
}

/* Reads by so many bytes a call, looking before each. */
static void walk(int fd, size_t step, int calls)
{
	char text[32];

	for (int i = 0; i < calls; i++) {
		snprintf(text, sizeof(text), "by %zu, call %d", step, i);
		look(text, fd);
		take(text, fd, step, 0);
	}
	look("walked", fd);
}

/* "abcU" "def": steps of each size, in line and apart, the urgent byte read before, at the mark, or never. */
static void urgent_walks(void)
{
	static const size_t steps[] = {1, 2, 3, 4, 40};

	for (int way = 0; way < 4; way++) {
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			struct ends e = connection((uint16_t)(1300 + i));
			set_int(e.d, SOL_SOCKET, SO_OOBINLINE, way & 1);
			send_text(e.c, "abcU", MSG_OOB);
			if (way & 2)
				take("OOB first", e.d, 1, MSG_OOB);
			send_text(e.c, "def", 0);
			note("way", "%d, steps of %zu", way, steps[i]);
			walk(e.d, steps[i], steps[i] < 3 ? 5 : 3);
			done_with(e.c);
			look("FIN", e.d);
			done_with(e.d);
		}
	}
}

static void urgent_flags(void)
{
	static const int flags[] = {MSG_OOB, MSG_OOB | MSG_PEEK, MSG_OOB | MSG_TRUNC, MSG_OOB | MSG_TRUNC | MSG_PEEK, MSG_OOB | MSG_WAITALL, MSG_OOB | MSG_DONTWAIT,
				    MSG_PEEK | MSG_TRUNC, MSG_TRUNC, MSG_WAITALL, MSG_WAITALL | MSG_PEEK, MSG_WAITALL | MSG_TRUNC};
	char buf[8];

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		for (int at = 0; at < 2; at++) {
			struct ends e = connection((uint16_t)(1310 + i));
			X(fcntl, e.d, F_SETFL, 0); /* whatever would wait, would not end */
			struct timeval tv = {0, 20000};
			X(setsockopt, e.d, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
			send_text(e.c, "abcU", MSG_OOB);
			send_text(e.c, "defg", 0);
			if (at)
				take("to the mark", e.d, 40, 0);
			for (size_t n = 0; n <= 5; n += n ? 4 : 1)
				take(L("flags %#x, %zu", (unsigned)flags[i], n), e.d, n, flags[i]);
			take(L("flags %#x, again", (unsigned)flags[i]), e.d, 3, flags[i]);
			look("then", e.d);
			done_with(e.c);
			done_with(e.d);
		}
	}
	struct ends e = connection(1325);
	send_text(e.c, "U", MSG_OOB);
	R("no buffer", X(recv, e.d, NULL, 1, MSG_OOB));
	R("after that", X(recv, e.d, buf, 1, MSG_OOB));
	send_text(e.c, "V", MSG_OOB);
	R("no buffer, none", X(recv, e.d, NULL, 0, MSG_OOB));
	R("after that", X(recv, e.d, buf, 1, MSG_OOB));
	R("two pieces", X(readv, e.d, ((struct iovec[]){{buf, 1}, {buf + 1, 1}}), 2));
	done_with(e.c);
	done_with(e.d);
}

/* A second urgent byte before the first was read, read, or passed; with data between and without. */
static void urgent_again(void)
{
	for (int way = 0; way < 16; way++) {
		struct ends e = connection((uint16_t)(1330 + way));
		set_int(e.d, SOL_SOCKET, SO_OOBINLINE, way & 1);
		send_text(e.c, way & 2 ? "aU" : "U", MSG_OOB);
		if (way & 4)
			take("to the first mark", e.d, 1, 0);
		if (way & 8)
			take("first", e.d, 1, MSG_OOB);
		look(L("way %d, one", way), e.d);
		send_text(e.c, "V", MSG_OOB);
		look(L("way %d, two", way), e.d);
		send_text(e.c, "bcW", MSG_OOB);
		look(L("way %d, three", way), e.d);
		send_text(e.c, "d", 0);
		walk(e.d, 40, 4);
		done_with(e.c);
		done_with(e.d);
	}
}

/* SO_OOBINLINE changed while the byte is there. */
static void urgent_turned(void)
{
	for (int way = 0; way < 8; way++) {
		struct ends e = connection((uint16_t)(1350 + way));
		set_int(e.d, SOL_SOCKET, SO_OOBINLINE, way & 1);
		send_text(e.c, "aU", MSG_OOB);
		send_text(e.c, "b", 0);
		if (way & 2)
			take("to the mark", e.d, 40, 0);
		if (way & 4)
			take("urgent", e.d, 1, MSG_OOB);
		look(L("way %d", way), e.d);
		set_int(e.d, SOL_SOCKET, SO_OOBINLINE, !(way & 1));
		look("turned", e.d);
		take("then", e.d, 40, 0);
		look("and then", e.d);
		take("then", e.d, 40, 0);
		set_int(e.d, SOL_SOCKET, SO_OOBINLINE, way & 1);
		look("turned back", e.d);
		take("urgent at last", e.d, 1, MSG_OOB);
		done_with(e.c);
		done_with(e.d);
	}
}

static void end_urgently(int way, int fd, int c)
{
	struct linger none = {1, 0};

	switch (way % 5) {
	case 0:
		R("FIN", X(shutdown, c, SHUT_WR));
		break;
	case 1:
		X(setsockopt, c, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		X(shutdown, fd, SHUT_WR);
		X(close, c);
		break;
	case 2:
		R("own SHUT_RD", X(shutdown, fd, SHUT_RD));
		break;
	case 3:
		R("own SHUT_RDWR", X(shutdown, fd, SHUT_RDWR));
		break;
	default:
		R("disconnect", X(connect, fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
	}
	settle();
}

/* FIN, RST, shutdown, disconnect with the urgent byte unread, read, or at the mark. */
static void urgent_ends(void)
{
	for (int way = 0; way < 20; way++) {
		struct ends e = connection((uint16_t)(1360 + way));
		if (way < 15)
			send_text(e.c, way % 3 ? "abU" : "U", MSG_OOB);
		if (way >= 10)
			take("OOB", e.d, 1, MSG_OOB);
		note("way", "%d", way);
		end_urgently(way, e.d, e.c);
		look("ended", e.d);
		take("OOB", e.d, 1, MSG_OOB);
		take("rest", e.d, 40, 0);
		look("rest read", e.d);
		take("rest", e.d, 40, 0);
		take("OOB", e.d, 1, MSG_OOB);
		show_state("at last", e.d);
		if (way % 5 != 1)
			done_with(e.c);
		done_with(e.d);
	}
}

static void urgent_sent(void)
{
	struct ends e = connection(1385);
	struct sockaddr_in a = lo(1386), name = lo(9);
	int fd = tcp(), l;
	struct iovec iov[2] = {{"ab", 2}, {"cV", 2}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	R("new", X(send, fd, "U", 1, MSG_OOB | MSG_NOSIGNAL));
	done_with(fd);
	R("none", X(send, e.c, "", 0, MSG_OOB));
	look("none", e.d);
	R("with a name", X(sendto, e.c, "aU", 2, MSG_OOB, SA(name)));
	look("with a name", e.d);
	take("read", e.d, 40, 0);
	R("vector", X(sendmsg, e.c, &m, MSG_OOB));
	look("vector", e.d);
	take("read", e.d, 40, 0);
	R("MORE", X(send, e.c, "abU", 3, MSG_OOB | MSG_MORE));
	look("MORE", e.d);
	R("and more", X(send, e.c, "cd", 2, 0));
	look("and more", e.d);
	take("read", e.d, 40, 0);
	take("read", e.d, 40, 0);
	R("EOR", X(send, e.c, "abU", 3, MSG_OOB | MSG_EOR | MSG_CONFIRM));
	look("EOR", e.d);
	R("NULL", X(send, e.c, NULL, 1, MSG_OOB));
	R("WR", X(shutdown, e.c, SHUT_WR));
	R("after WR", X(send, e.c, "U", 1, MSG_OOB | MSG_NOSIGNAL));
	done_with(e.c);
	done_with(e.d);
	/* Sent before it was accepted, and before it was connected. */
	l = listener(1386);
	fd = tcp();
	R("connect", X(connect, fd, SA(a)));
	R("before accept()", X(send, fd, "aU", 2, MSG_OOB));
	R("OOB of a listener", X(recv, l, &m, 1, MSG_OOB));
	set_int(l, SOL_SOCKET, SO_OOBINLINE, 1);
	int d = X(accept4, l, NULL, NULL, SOCK_NONBLOCK);
	note("in line", "%d", get_int(d, SOL_SOCKET, SO_OOBINLINE));
	look("accepted", d);
	take("read", d, 40, 0);
	done_with(d);
	done_with(fd);
	fd = tcp();
	X(connect, fd, SA(a));
	settle();
	d = X(accept4, l, NULL, NULL, SOCK_NONBLOCK);
	note("inherited", "%d", get_int(d, SOL_SOCKET, SO_OOBINLINE));
	done_with(d);
	done_with(fd);
	done_with(l);
}

static void events_of(const char *what, int ep)
{
	x_event ev[2];

	settle();
	int n = x_epoll_wait(ep, ev, 2, 0);
	note(what, "%d: %#x", n, n > 0 ? (unsigned)x_event_mask(ev[0]) : 0);
}

/* Edges and levels of EPOLLPRI, alone and with the others. */
static void urgent_epoll(void)
{
	static const uint32_t masks[] = {2, 2 | 1u << 31, 3 | 1u << 31, 2 | 1u << 30, 0x82, 1 | 1u << 31};

	for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
		struct ends e = connection((uint16_t)(1390 + i));
		x_event ev = {.events = masks[i]};
		int ep = x_epoll_create();
		x_epoll_ctl(ep, CTL_ADD, e.d, &ev);
		note("mask", "%#x", (unsigned)masks[i]);
		events_of("none", ep);
		send_text(e.c, "a", 0);
		events_of("data", ep);
		send_text(e.c, "bU", MSG_OOB);
		events_of("urgent", ep);
		events_of("again", ep);
		send_text(e.c, "c", 0);
		events_of("more data", ep);
		send_text(e.c, "V", MSG_OOB);
		events_of("urgent again", ep);
		take("OOB", e.d, 1, MSG_OOB);
		events_of("urgent read", ep);
		take("read", e.d, 40, 0);
		events_of("read", ep);
		take("read", e.d, 40, 0);
		send_text(e.c, "W", MSG_OOB);
		events_of("a third", ep);
		done_with(e.c);
		events_of("FIN", ep);
		done_with(e.d);
		done_with(ep);
	}
}

const struct calls_case urgent_cases[] = {
	{"urgent_walks", urgent_walks}, {"urgent_flags", urgent_flags}, {"urgent_again", urgent_again}, {"urgent_turned", urgent_turned},
	{"urgent_ends", urgent_ends}, {"urgent_sent", urgent_sent}, {"urgent_epoll", urgent_epoll}, {NULL, NULL},
};
