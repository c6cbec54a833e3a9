/* SPDX-License-Identifier: MIT */
/* stream_io.c - TCP sockets: flags of receiving and sending, vectors, full buffers, timeouts, the events of epoll. */
#include "calls.h"

static char big[1 << 20];

static void receive_flags(void)
{
	struct ends e = connection(1040);
	char buf[64];

	R("send", X(send, e.c, "hello world", 11, 0));
	R("PEEK", X(recv, e.d, buf, 5, MSG_PEEK));
	R("PEEK more", X(recv, e.d, buf, 64, MSG_PEEK));
	R("TRUNC", X(recv, e.d, buf, 3, MSG_TRUNC));
	R("PEEK|TRUNC", X(recv, e.d, buf, 4, MSG_PEEK | MSG_TRUNC));
	R("TRUNC without a buffer", X(recv, e.d, NULL, 2, MSG_TRUNC));
	R("WAITALL|DONTWAIT", X(recv, e.d, buf, 64, MSG_WAITALL | MSG_DONTWAIT));
	R("again", X(recv, e.d, buf, 64, MSG_DONTWAIT));
	R("NULL buffer, empty", X(recv, e.d, NULL, 5, 0));
	R("send", X(send, e.c, "abc", 3, 0));
	R("NULL buffer", X(recv, e.d, NULL, 5, 0));
	R("WAITALL of fewer", X(recv, e.d, buf, 2, MSG_WAITALL));
	R("WAITALL|PEEK", X(recv, e.d, buf, 1, MSG_WAITALL | MSG_PEEK));
	R("rest", X(recv, e.d, buf, 64, 0));
	/* Urgent data. */
	R("send OOB", X(send, e.c, "xyU", 3, MSG_OOB));
	show_poll("urgent", e.d);
	int mark = -1, n = -1;
	R("FIONREAD", X(ioctl, e.d, FIONREAD, &n));
	note("FIONREAD", "%d", n);
	R("SIOCATMARK", X(ioctl, e.d, 0x8905, &mark));
	note("SIOCATMARK", "%d", mark);
	R("OOB|PEEK", X(recv, e.d, buf, 4, MSG_OOB | MSG_PEEK));
	R("recv to the mark", X(recv, e.d, buf, 64, 0));
	R("SIOCATMARK", X(ioctl, e.d, 0x8905, &mark));
	note("SIOCATMARK", "%d", mark);
	show_poll("at the mark", e.d);
	R("OOB of none", X(recv, e.d, buf, 0, MSG_OOB));
	R("OOB", X(recv, e.d, buf, 4, MSG_OOB));
	show_poll("urgent read", e.d);
	R("send OOB", X(send, e.c, "V", 1, MSG_OOB));
	R("OOB|DONTWAIT|WAITALL", X(recv, e.d, buf, 4, MSG_OOB | MSG_DONTWAIT | MSG_WAITALL));
	R("OOB again", X(recv, e.d, buf, 4, MSG_OOB));
	R("send after", X(send, e.c, "tail", 4, 0));
	R("recv after", X(recv, e.d, buf, 64, 0));
	R("inline", set_int(e.d, SOL_SOCKET, SO_OOBINLINE, 1));
	R("send OOB", X(send, e.c, "abW", 3, MSG_OOB));
	show_poll("inline", e.d);
	R("OOB inline", X(recv, e.d, buf, 4, MSG_OOB));
	R("recv", X(recv, e.d, buf, 64, 0));
	R("recv", X(recv, e.d, buf, 64, 0));
	R("recv", X(recv, e.d, buf, 64, 0));
	R("OOB none there", X(recv, e.c, buf, 4, MSG_OOB));
	R("two OOB", X(send, e.c, "1", 1, MSG_OOB));
	R("two OOB", X(send, e.c, "2", 1, MSG_OOB));
	R("recv", X(recv, e.d, buf, 64, 0));
	R("recv", X(recv, e.d, buf, 64, 0));
	/* Names and flags of recvmsg(). */
	struct sockaddr_in from;
	struct iovec iov = {buf, 4};
	char control[64];
	struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			   .msg_controllen = sizeof(control), .msg_flags = -1};
	R("send", X(send, e.c, "hello world", 11, 0));
	R("recvmsg", X(recvmsg, e.d, &m, 0));
	note("recvmsg", "namelen %u, controllen %zu, flags %#x", (unsigned)m.msg_namelen, (size_t)m.msg_controllen, (unsigned)m.msg_flags);
	m.msg_iovlen = 0;
	R("recvmsg without pieces", X(recvmsg, e.d, &m, 0));
	m.msg_iovlen = 1025;
	R("recvmsg, 1,025 pieces", X(recvmsg, e.d, &m, 0));
	m.msg_iovlen = 1;
	m.msg_iov = NULL;
	R("recvmsg, no vector", X(recvmsg, e.d, &m, 0));
	R("recvmsg NULL", X(recvmsg, e.d, NULL, 0));
	R("sendmsg NULL", X(sendmsg, e.d, NULL, 0));
	m.msg_iov = &iov;
	m.msg_name = NULL;
	m.msg_namelen = 16;
	m.msg_controllen = 0;
	R("sendmsg, name NULL", X(sendmsg, e.d, &m, 0));
	m.msg_name = &from;
	m.msg_namelen = (socklen_t)-1;
	R("sendmsg, negative name", X(sendmsg, e.d, &m, 0));
	m.msg_name = big;
	m.msg_namelen = 200;
	R("sendmsg, long name", X(sendmsg, e.d, &m, 0));
	m.msg_namelen = 0;
	m.msg_controllen = 8;
	m.msg_control = control;
	memset(control, 0, sizeof(control));
	R("sendmsg, short control", X(sendmsg, e.d, &m, 0));
	m.msg_controllen = sizeof(struct cmsghdr);
	R("sendmsg, bad control", X(sendmsg, e.d, &m, 0));
	m.msg_control = NULL;
	R("sendmsg, control NULL", X(sendmsg, e.d, &m, 0));
	m.msg_controllen = 1 << 24;
	m.msg_control = big;
	R("sendmsg, much control", X(sendmsg, e.d, &m, 0));
	R("recv ERRQUEUE", X(recv, e.d, buf, 4, MSG_ERRQUEUE));
	struct sockaddr_in name = lo(9);
	socklen_t len = sizeof(name);
	R("recvfrom", X(recvfrom, e.d, buf, 4, 0, (struct sockaddr *)&name, &len));
	note("recvfrom", "len %u", (unsigned)len);
	len = (socklen_t)-1;
	R("recvfrom, bad length", X(recvfrom, e.d, buf, 4, 0, (struct sockaddr *)&name, &len));
	R("recvfrom, no length", X(recvfrom, e.d, buf, 4, 0, (struct sockaddr *)&name, NULL));
	R("sendto, name ignored", X(sendto, e.c, "x", 1, 0, SA(name)));
	R("sendto, bad name", X(sendto, e.c, "x", 1, 0, (struct sockaddr *)&name, 300));
	R("send, NULL", X(send, e.c, NULL, 1, 0));
	R("send, odd flags", X(send, e.c, "x", 1, 0x40000));
	R("recv, odd flags", X(recv, e.d, buf, 4, 0x800000));
	done_with(e.c);
	done_with(e.d);
}

static void vectors(void)
{
	struct ends e = connection(1050);
	struct iovec iov[1025];
	char buf[32];

	for (int i = 0; i < 1025; i++)
		iov[i] = (struct iovec){big, 1};
	R("writev 1,025", X(writev, e.c, iov, 1025));
	R("writev 1,024", X(writev, e.c, iov, 1024));
	R("writev 0", X(writev, e.c, iov, 0));
	R("writev 0 NULL", X(writev, e.c, NULL, 0));
	R("writev -1", X(writev, e.c, iov, -1));
	R("writev NULL", X(writev, e.c, NULL, 2));
	iov[0].iov_len = (size_t)-1;
	R("writev negative length", X(writev, e.c, iov, 2));
	iov[0] = (struct iovec){NULL, 0};
	iov[1] = (struct iovec){buf, 3};
	R("writev, an empty NULL piece", X(writev, e.c, iov, 2));
	iov[0] = (struct iovec){buf, 3};
	iov[1] = (struct iovec){NULL, 3};
	R("writev, a bad second piece", X(writev, e.c, iov, 2));
	R("write NULL", X(write, e.c, NULL, 4));
	R("write NULL of none", X(write, e.c, NULL, 0));
	R("write of none", X(write, e.c, buf, 0));
	R("write -1", X(write, e.c, buf, (size_t)-1));
	R("read NULL", X(read, e.d, NULL, 4));
	R("read -1", X(read, e.d, buf, (size_t)-1));
	R("readv -1", X(readv, e.d, iov, -1));
	R("readv 0", X(readv, e.d, iov, 0));
	iov[0] = (struct iovec){NULL, 3};
	R("readv, a bad piece", X(readv, e.d, iov, 1));
	iov[0] = (struct iovec){buf, 10};
	iov[1] = (struct iovec){buf + 10, 10};
	R("readv", X(readv, e.d, iov, 2));
	R("lseek", X(lseek, e.d, 0, SEEK_SET));
	R("recv -1", X(recv, e.d, big, (size_t)-1, 0));
	done_with(e.c);
	R("write to a closed one", X(write, e.c, buf, 1));
	R("writev to a closed one", X(writev, e.c, iov, 1));
	done_with(e.d);
}

static void full_buffers(void)
{
	struct ends e = connection(1070);
	char label[32];
	long total = 0, n;

	set_int(e.c, SOL_SOCKET, SO_SNDBUF, 8192);
	set_int(e.d, SOL_SOCKET, SO_RCVBUF, 8192);
	while ((n = X(send, e.c, big, 30000, 0)) > 0 && total < 50 << 20) {
		total += n;
		settle();
	}
	note("full", "%s, some %d", error_name(errno), total > 0);
	show_poll("full", e.c);
	int q = 0;
	R("SIOCOUTQ", X(ioctl, e.c, TIOCOUTQ, &q));
	note("SIOCOUTQ", "%d", q > 0);
	R("send of none", X(send, e.c, big, 0, 0));
	snprintf(label, sizeof(label), "timeout");
	struct timeval tv = {0, 20000};
	X(setsockopt, e.c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	X(fcntl, e.c, F_SETFL, 0);
	R("blocking send with SO_SNDTIMEO", X(send, e.c, big, 10, 0));
	done_with(e.d);
	show_poll("peer gone", e.c);
	done_with(e.c);
	/* SO_RCVTIMEO and WAITALL */
	e = connection(1071);
	X(fcntl, e.d, F_SETFL, 0);
	X(setsockopt, e.d, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	R("blocking recv with SO_RCVTIMEO", X(recv, e.d, big, 10, 0));
	X(send, e.c, "abc", 3, 0);
	R("WAITALL with SO_RCVTIMEO", X(recv, e.d, big, 10, MSG_WAITALL));
	R("WAITALL|PEEK with SO_RCVTIMEO", X(recv, e.d, big, 10, MSG_WAITALL | MSG_PEEK));
	set_int(e.d, SOL_SOCKET, SO_RCVLOWAT, 5);
	X(send, e.c, "abc", 3, 0);
	show_poll("below SO_RCVLOWAT", e.d);
	R("recv below SO_RCVLOWAT", X(recv, e.d, big, 10, 0));
	X(send, e.c, "abcde", 5, 0);
	show_poll("at SO_RCVLOWAT", e.d);
	int l = listener(1072);
	X(fcntl, l, F_SETFL, 0);
	X(setsockopt, l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	R("accept with SO_RCVTIMEO", X(accept, l, NULL, NULL));
	done_with(l);
	done_with(e.c);
	show_poll("FIN below SO_RCVLOWAT", e.d);
	done_with(e.d);
}

static void wait_events(const char *label, int ep)
{
	x_event ev[4];

	settle();
	int n = x_epoll_wait(ep, ev, 4, 0);
	note(label, "%d events", n);
	for (int i = 0; i < n; i++)
		note(label, "%#x", (unsigned)x_event_mask(ev[i]));
}

static void epoll_events(void)
{
	enum { ALL = 0x2000 | 1 | 2 | 4, ET = INT32_MIN, ONESHOT = 1 << 30 };
	struct ends e = connection(1095);
	x_event ev = {.events = ALL | (uint32_t)ET};
	int ep = x_epoll_create(), fd = tcp();
	char buf[8];

	R("add", x_epoll_ctl(ep, CTL_ADD, e.c, &ev));
	R("add twice", x_epoll_ctl(ep, CTL_ADD, e.c, &ev));
	wait_events("at first", ep);
	wait_events("again", ep);
	R("send", X(send, e.d, "abc", 3, 0));
	wait_events("data", ep);
	R("recv", X(recv, e.c, buf, 1, 0));
	wait_events("some read", ep);
	R("send", X(send, e.d, "d", 1, 0));
	wait_events("more data", ep);
	R("send OOB", X(send, e.d, "u", 1, MSG_OOB));
	wait_events("urgent", ep);
	R("shutdown", X(shutdown, e.d, SHUT_WR));
	wait_events("FIN", ep);
	R("own shutdown", X(shutdown, e.c, SHUT_WR));
	wait_events("both", ep);
	R("del", x_epoll_ctl(ep, CTL_DEL, e.c, NULL));
	R("del twice", x_epoll_ctl(ep, CTL_DEL, e.c, NULL));
	R("mod", x_epoll_ctl(ep, CTL_MOD, e.c, &ev));
	ev.events = ALL;
	R("add new", x_epoll_ctl(ep, CTL_ADD, fd, &ev));
	wait_events("new", ep);
	wait_events("new", ep);
	ev.events = ONESHOT | 4;
	R("mod oneshot", x_epoll_ctl(ep, CTL_MOD, fd, &ev));
	wait_events("oneshot", ep);
	wait_events("oneshot", ep);
	ev.events = 0;
	R("mod to none", x_epoll_ctl(ep, CTL_MOD, fd, &ev));
	wait_events("none asked", ep);
	R("add bad fd", x_epoll_ctl(ep, CTL_ADD, 9999, &ev));
	R("add to itself", x_epoll_ctl(ep, CTL_ADD, ep, &ev));
	R("add to a socket", x_epoll_ctl(fd, CTL_ADD, e.c, &ev));
	R("add NULL", x_epoll_ctl(ep, CTL_ADD, e.d, NULL));
	R("bad op", x_epoll_ctl(ep, 9, e.d, &ev));
	R("wait 0", x_epoll_wait(ep, &ev, 0, 0));
	R("wait on a socket", x_epoll_wait(fd, &ev, 1, 0));
	R("read epoll", X(read, ep, buf, 1));
	R("send epoll", X(send, ep, buf, 1, 0));
	R("wait bad fd", x_epoll_wait(9999, &ev, 1, 0));
	done_with(fd);
	wait_events("closed", ep);
	done_with(ep);
	done_with(e.c);
	done_with(e.d);
	/* Edges of a connect(). */
	struct sockaddr_in none = lo(1), a = lo(1096);
	int l = listener(1096);
	ep = x_epoll_create();
	fd = tcp();
	ev.events = ALL | (uint32_t)ET;
	R("add", x_epoll_ctl(ep, CTL_ADD, fd, &ev));
	wait_events("unconnected", ep);
	X(connect, fd, SA(a));
	wait_events("connected", ep);
	R("listener", x_epoll_ctl(ep, CTL_ADD, l, &ev));
	wait_events("one to accept", ep);
	done_with(fd);
	fd = tcp();
	R("add", x_epoll_ctl(ep, CTL_ADD, fd, &ev));
	wait_events("unconnected", ep);
	X(connect, fd, SA(none));
	wait_events("refused", ep);
	done_with(fd);
	done_with(l);
	done_with(ep);
}

const struct calls_case stream_io_cases[] = {
	{"receive_flags", receive_flags}, {"vectors", vectors}, {"full_buffers", full_buffers}, {"epoll_events", epoll_events}, {NULL, NULL},
};
