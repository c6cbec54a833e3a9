/* SPDX-License-Identifier: MIT */
/* stream.c - TCP sockets in all states: what each call returns, what poll() says, how a connection ends. */
#include "calls.h"

static char big[1 << 10];

static void accept_on(const char *label, int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int n = (int)R(label, X(accept, fd, (struct sockaddr *)&a, &len) >= 0 ? 0 : -1);

	(void)n;
}

/* Everything that can be asked of a stream socket without changing it much. */
static void all_calls(const char *state, int fd)
{
	char label[80], buf[8];
	struct sockaddr_in to = lo(9);
	int n = 0;

#define L(what) (snprintf(label, sizeof(label), "%s, %s", state, what), label)
	show_state(state, fd);
	R(L("recv of none"), X(recv, fd, buf, 0, 0));
	R(L("recv"), X(recv, fd, buf, sizeof(buf), 0));
	R(L("recv PEEK"), X(recv, fd, buf, sizeof(buf), MSG_PEEK));
	R(L("recv OOB"), X(recv, fd, buf, sizeof(buf), MSG_OOB));
	R(L("recv ERRQUEUE"), X(recv, fd, buf, sizeof(buf), MSG_ERRQUEUE));
	R(L("read of none"), X(read, fd, buf, 0));
	R(L("send of none"), X(send, fd, buf, 0, MSG_NOSIGNAL));
	R(L("sendto with a name"), X(sendto, fd, buf, 0, MSG_NOSIGNAL, SA(to)));
	accept_on(L("accept"), fd);
	R(L("FIONREAD"), X(ioctl, fd, FIONREAD, &n));
	note(label, "%d", n);
	R(L("SIOCOUTQ"), X(ioctl, fd, TIOCOUTQ, &n)); /* how much: a FIN whose ACK is delayed counts */
	n = -1;
	R(L("SIOCATMARK"), X(ioctl, fd, 0x8905, &n));
	note(label, "%d", n);
	note(L("SO_ACCEPTCONN"), "%d", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
	note(L("TCP_MAXSEG"), "%d", get_int(fd, IPPROTO_TCP, 2) > 0);
	struct sockaddr_in own = lo(0);
	R(L("bind"), X(bind, fd, SA(own)));
}

static void states(void)
{
	struct sockaddr_in a = lo(1001);
	int fd = tcp();

	all_calls("new", fd);
	done_with(fd);
	fd = tcp();
	R("bind", X(bind, fd, SA(a)));
	all_calls("bound", fd);
	R("listen", X(listen, fd, 1));
	all_calls("listening", fd);
	int c = tcp();
	R("connect", X(connect, c, SA(a)));
	all_calls("connected, not accepted", c);
	show_state("listening, one waits", fd);
	done_with(fd);
	all_calls("reset by the closing listener", c);
	done_with(c);

	struct ends e = connection(1002);
	all_calls("established, client", e.c);
	all_calls("established, server", e.d);
	R("shutdown WR", X(shutdown, e.c, SHUT_WR));
	all_calls("FIN_WAIT2", e.c);
	all_calls("CLOSE_WAIT", e.d);
	R("shutdown WR", X(shutdown, e.d, SHUT_WR));
	all_calls("TIME_WAIT", e.c);
	all_calls("closed by LAST_ACK", e.d);
	done_with(e.c);
	done_with(e.d);

	e = connection(1003);
	R("shutdown RD", X(shutdown, e.c, SHUT_RD));
	all_calls("reading shut", e.c);
	R("send to it", X(send, e.d, "abc", 3, 0));
	all_calls("reading shut, data came", e.c);
	R("shutdown RDWR", X(shutdown, e.c, SHUT_RDWR));
	all_calls("all shut", e.c);
	all_calls("peer has all shut", e.d);
	done_with(e.c);
	done_with(e.d);

	e = connection(1004);
	struct linger none = {1, 0};
	R("linger", X(setsockopt, e.d, SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
	done_with(e.d);
	all_calls("reset", e.c);
	all_calls("reset, asked again", e.c);
	done_with(e.c);
}

static void reset_forms(void)
{
	char buf[8];
	struct linger none = {1, 0};
	struct sockaddr_in a = lo(1010);

	for (int i = 0; i < 7; i++) {
		struct ends e = connection((uint16_t)(1011 + i));

		X(send, e.d, "abc", 3, 0);
		settle();
		X(setsockopt, e.d, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		done_with(e.d);
		if (i == 0) {
			R("recv data then error", X(recv, e.c, buf, sizeof(buf), 0));
			R("recv", X(recv, e.c, buf, sizeof(buf), 0));
			R("recv", X(recv, e.c, buf, sizeof(buf), 0));
		} else if (i == 1) {
			R("send", X(send, e.c, buf, 1, MSG_NOSIGNAL));
			R("send", X(send, e.c, buf, 1, MSG_NOSIGNAL));
		} else if (i == 2) {
			R("connect", X(connect, e.c, SA(a)));
			R("connect", X(connect, e.c, SA(a)));
		} else if (i == 3) {
			R("shutdown", X(shutdown, e.c, SHUT_WR));
			show_state("after shutdown", e.c);
		} else if (i == 4) {
			R("listen", X(listen, e.c, 1));
			show_state("after listen", e.c);
		} else if (i == 5) {
			struct sockaddr un = {.sa_family = AF_UNSPEC};
			R("disconnect", X(connect, e.c, &un, sizeof(un)));
			show_state("after disconnect", e.c);
			R("connect", X(connect, e.c, SA(a)));
		} else {
			R("send of none", X(send, e.c, buf, 0, MSG_NOSIGNAL));
			R("recv of none", X(recv, e.c, buf, 0, 0));
			show_state("then", e.c);
		}
		done_with(e.c);
	}
}

static void connecting(void)
{
	struct sockaddr_in a = lo(1020), none = lo(1), short_one = a, any = {.sin_family = AF_INET, .sin_port = htons(1020)};
	struct sockaddr un = {.sa_family = AF_UNSPEC};
	int l = listener(1020), fd = tcp();

	R("connect EFAULT", X(connect, fd, NULL, sizeof(a)));
	R("connect short", X(connect, fd, (struct sockaddr *)&short_one, 8));
	R("connect of 1 byte", X(connect, fd, (struct sockaddr *)&short_one, 1));
	R("connect too long", X(connect, fd, (struct sockaddr *)big, 200));
	short_one.sin_family = AF_UNIX;
	R("connect AF_UNIX", X(connect, fd, SA(short_one)));
	R("connect AF_UNSPEC, new", X(connect, fd, &un, sizeof(un)));
	R("connect AF_UNSPEC, 2 bytes", X(connect, fd, &un, 2));
	R("connect refused", X(connect, fd, SA(none)));
	show_state("refused", fd);
	R("connect again", X(connect, fd, SA(a)));
	show_state("again", fd);
	R("connect once more", X(connect, fd, SA(a)));
	R("connect once more", X(connect, fd, SA(a)));
	R("listen on connected", X(listen, fd, 1));
	R("bind connected", X(bind, fd, SA(a)));
	R("connect AF_UNSPEC", X(connect, fd, &un, sizeof(un)));
	show_state("disconnected", fd);
	R("connect after that", X(connect, fd, SA(a)));
	R("connect after that", X(connect, fd, SA(a)));
	done_with(fd);
	fd = tcp();
	R("connect to any", X(connect, fd, SA(any)));
	show_names("to any", fd);
	done_with(fd);
	R("connect a listener", X(connect, l, SA(a)));
	fd = tcp();
	a.sin_addr.s_addr = htonl(0xe0000001);
	R("connect to multicast", X(connect, fd, SA(a)));
	a.sin_addr.s_addr = 0xffffffff;
	R("connect to broadcast", X(connect, fd, SA(a)));
	a = lo(0);
	R("connect to port 0", X(connect, fd, SA(a)));
	show_state("port 0", fd);
	done_with(fd);
	/* Refused while nobody looks: SO_ERROR tells it once. */
	fd = tcp();
	R("refused", X(connect, fd, SA(none)));
	show_poll("refused, not asked", fd);
	note("SO_ERROR", "%s", error_name(get_int(fd, SOL_SOCKET, SO_ERROR)));
	R("connect after SO_ERROR", X(connect, fd, SA(none)));
	R("recv", X(recv, fd, big, 1, 0));
	R("recv", X(recv, fd, big, 1, 0));
	R("shutdown", X(shutdown, fd, SHUT_RDWR));
	show_poll("shut", fd);
	done_with(fd);
	/* To itself. */
	fd = tcp();
	a = lo(1021);
	R("bind", X(bind, fd, SA(a)));
	R("connect to itself", X(connect, fd, SA(a)));
	show_state("self-connected", fd);
	R("send", X(send, fd, "self", 4, 0));
	R("recv", X(recv, fd, big, 10, 0));
	done_with(fd);
	/* A blocking connect. */
	fd = X(socket, AF_INET, SOCK_STREAM, 0);
	R("blocking connect refused", X(connect, fd, SA(none)));
	show_state("then", fd);
	a = lo(1020);
	R("blocking connect", X(connect, fd, SA(a)));
	R("blocking connect again", X(connect, fd, SA(a)));
	done_with(fd);
	done_with(l);
}

static void listening(void)
{
	struct sockaddr_in a = lo(1030);
	struct sockaddr un = {.sa_family = AF_UNSPEC};
	char buf[4];
	int fd = tcp(), c = tcp(), n = -5;
	socklen_t len = 2;

	R("listen unbound", X(listen, fd, 0));
	show_names("autobound", fd);
	R("listen again", X(listen, fd, 100));
	R("accept none", X(accept, fd, NULL, NULL));
	R("accept4 bad flags", X(accept4, fd, NULL, NULL, 1));
	R("shutdown WR of listener", X(shutdown, fd, SHUT_WR));
	show_state("then", fd);
	R("shutdown RD of listener", X(shutdown, fd, SHUT_RD));
	show_state("then", fd);
	R("listen after shutdown", X(listen, fd, 1));
	R("disconnect a listener", X(connect, fd, &un, sizeof(un)));
	show_state("then", fd);
	R("listen after disconnect", X(listen, fd, 1));
	done_with(fd);
	fd = listener(1030);
	R("connect", X(connect, c, SA(a)));
	R("accept with short room", X(accept, fd, (struct sockaddr *)&a, &len) >= 0 ? 0 : -1);
	note("room", "%u", (unsigned)len);
	int c2 = tcp();
	a = lo(1030);
	R("connect", X(connect, c2, SA(a)));
	R("accept, no length", X(accept, fd, (struct sockaddr *)&a, NULL) >= 0 ? 0 : -1);
	R("accept after that", X(accept, fd, NULL, NULL) >= 0 ? 0 : -1);
	R("recv at its peer", X(recv, c2, buf, 1, 0));
	len = (socklen_t)-1;
	int c3 = tcp();
	R("connect", X(connect, c3, SA(a)));
	R("accept, bad length", X(accept, fd, (struct sockaddr *)&a, &len) >= 0 ? 0 : -1);
	/* Closed by its peer before it is accepted. */
	int c4 = tcp();
	R("connect", X(connect, c4, SA(a)));
	struct linger none = {1, 0};
	X(setsockopt, c4, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	done_with(c4);
	int d = X(accept, fd, NULL, NULL);
	note("accept of a reset one", "%s", d >= 0 ? "yes" : error_name(errno));
	if (d >= 0)
		show_state("a reset one", d);
	R("backlog", X(ioctl, fd, FIONREAD, &n));
	R("setsockopt on a listener", set_int(fd, IPPROTO_TCP, 1, 1));
	R("send on a listener", X(send, fd, buf, 1, MSG_NOSIGNAL));
	R("recvmsg on a listener", X(recv, fd, buf, 1, 0));
	done_with(c);
	done_with(fd);
	fd = udp();
	R("listen on UDP", X(listen, fd, 1));
	R("accept on UDP", X(accept, fd, NULL, NULL));
	done_with(fd);
}

static void shutting_down(void)
{
	struct ends e = connection(1060);
	char buf[16];
	int fd = tcp();

	R("how 3", X(shutdown, e.c, 3));
	R("how -1", X(shutdown, e.c, -1));
	R("new, RD", X(shutdown, fd, SHUT_RD));
	show_state("new, RD", fd);
	R("new, WR", X(shutdown, fd, SHUT_WR));
	show_state("new, RDWR", fd);
	struct sockaddr_in a = lo(1);
	R("connect after that", X(connect, fd, SA(a)));
	show_state("then", fd);
	done_with(fd);
	R("send", X(send, e.d, "data", 4, 0));
	R("RD with data", X(shutdown, e.c, SHUT_RD));
	show_poll("RD with data", e.c);
	R("recv", X(recv, e.c, buf, 2, 0));
	R("recv", X(recv, e.c, buf, 16, 0));
	R("recv", X(recv, e.c, buf, 16, 0));
	R("send more to it", X(send, e.d, "more", 4, 0));
	R("recv", X(recv, e.c, buf, 16, 0));
	R("RD twice", X(shutdown, e.c, SHUT_RD));
	R("WR", X(shutdown, e.c, SHUT_WR));
	R("WR twice", X(shutdown, e.c, SHUT_WR));
	R("send after WR", X(send, e.c, buf, 1, MSG_NOSIGNAL));
	R("send of none after WR", X(send, e.c, buf, 0, MSG_NOSIGNAL));
	show_poll("peer of WR", e.d);
	R("peer reads", X(recv, e.d, buf, 1, 0));
	R("peer sends", X(send, e.d, "z", 1, 0));
	R("peer RDWR", X(shutdown, e.d, SHUT_RDWR));
	show_state("peer RDWR", e.d);
	show_state("own", e.c);
	R("shutdown when all is over", X(shutdown, e.d, SHUT_RDWR));
	R("shutdown when all is over", X(shutdown, e.c, SHUT_WR));
	done_with(e.c);
	done_with(e.d);
	/* Closed with data unread. */
	e = connection(1061);
	R("send", X(send, e.c, "unread", 6, 0));
	done_with(e.d);
	show_state("closed unread", e.c);
	done_with(e.c);
	/* Data after close(). */
	e = connection(1062);
	done_with(e.d);
	show_state("peer closed", e.c);
	R("send into it", X(send, e.c, "x", 1, MSG_NOSIGNAL));
	show_poll("answered by RST", e.c);
	R("send again", X(send, e.c, "x", 1, MSG_NOSIGNAL));
	R("recv", X(recv, e.c, buf, 1, 0));
	show_state("then", e.c);
	done_with(e.c);
}

static void lingering(void)
{
	static const struct linger forms[] = {{1, 0}, {1, 1}, {0, 5}, {1, -1}, {5, 3}, {0, 0}};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct ends e = connection((uint16_t)(1100 + i));
		struct linger l = {9, 9};
		socklen_t len = sizeof(l);
		char buf[4];

		R("set", X(setsockopt, e.c, SOL_SOCKET, SO_LINGER, &forms[i], sizeof(l)));
		R("get", X(getsockopt, e.c, SOL_SOCKET, SO_LINGER, &l, &len));
		if (forms[i].l_linger >= 0) /* the kernel multiplies a negative one, and reads what that overflows to */
			note("is", "%d %d", l.l_onoff, l.l_linger);
		X(send, e.c, "x", 1, 0);
		settle();
		R("close", X(close, e.c));
		R("recv", X(recv, e.d, buf, 4, 0));
		R("recv", X(recv, e.d, buf, 4, 0));
		done_with(e.d);
	}
	int v = 1;
	struct ends e = connection(1110);
	R("short", X(setsockopt, e.c, SOL_SOCKET, SO_LINGER, &v, sizeof(v)));
	done_with(e.c);
	done_with(e.d);
}

const struct calls_case stream_cases[] = {
	{"states", states}, {"reset_forms", reset_forms}, {"connecting", connecting}, {"listening", listening}, {"shutting_down", shutting_down},
	{"lingering", lingering}, {NULL, NULL},
};
