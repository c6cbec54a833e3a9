/* SPDX-License-Identifier: MIT */
/* binding.c - local addresses and ports: who may bind to what, beside whom; and what is about descriptors alone. */
#include "calls.h"

static char label[128], buf[256];

static int tcp_option(int fd, const char *what, int r)
{
	note(what, "%s", r ? error_name(errno) : "0");
	return fd;
}

/* bind() of a second socket in the way of a first: every combination of options, addresses and states. */
static void tcp_bind_matrix(void)
{
	for (unsigned v = 0; v < 3 * 4 * 4 * 4; v++) {
		unsigned state = v % 3, first = v / 3 % 4, second = v / 12 % 4, addresses = v / 48;
		struct sockaddr_in a = lo((uint16_t)(2000 + v)), b = a;
		int x = tcp(), y = tcp();

		if (addresses & 1)
			a.sin_addr.s_addr = 0;
		if (addresses & 2)
			b.sin_addr.s_addr = 0;
		set_int(x, SOL_SOCKET, SO_REUSEADDR, first & 1);
		set_int(x, SOL_SOCKET, SO_REUSEPORT, first >> 1);
		set_int(y, SOL_SOCKET, SO_REUSEADDR, second & 1);
		set_int(y, SOL_SOCKET, SO_REUSEPORT, second >> 1);
		snprintf(label, sizeof(label), "first %s%s%s%s, second %s%s%s", addresses & 1 ? "any" : "lo", first & 1 ? " addr" : "", first & 2 ? " port" : "",
			 state == 1 ? " listens" : state == 2 ? " set after" : "", addresses & 2 ? "any" : "lo", second & 1 ? " addr" : "",
			 second & 2 ? " port" : "");
		if (X(bind, x, SA(a)))
			note(label, "first: %s", error_name(errno));
		if (state == 1)
			X(listen, x, 1);
		if (state == 2) { /* options changed after bind() */
			set_int(x, SOL_SOCKET, SO_REUSEADDR, !(first & 1));
			set_int(x, SOL_SOCKET, SO_REUSEPORT, !(first & 2));
		}
		R(label, X(bind, y, SA(b)));
		R("listen", X(listen, y, 1));
		done_with(x);
		done_with(y);
	}
}

static void tcp_binding(void)
{
	struct sockaddr_in a = lo(1080);
	int fd = tcp(), other = tcp();

	R("EFAULT", X(bind, fd, NULL, sizeof(a)));
	R("short", X(bind, fd, (struct sockaddr *)&a, 8));
	R("length 0", X(bind, fd, (struct sockaddr *)&a, 0));
	R("too long", X(bind, fd, (struct sockaddr *)buf, 129));
	R("negative", X(bind, fd, (struct sockaddr *)&a, (socklen_t)-1));
	a.sin_family = AF_UNSPEC;
	R("AF_UNSPEC, lo", X(bind, fd, SA(a)));
	a.sin_addr.s_addr = 0;
	R("AF_UNSPEC, any", X(bind, fd, SA(a)));
	show_names("AF_UNSPEC, any", fd);
	R("twice", X(bind, fd, SA(a)));
	done_with(fd);
	fd = tcp();
	a = lo(1081);
	a.sin_addr.s_addr = htonl(0xc6120001);
	R("not ours", X(bind, fd, SA(a)));
	a.sin_addr.s_addr = htonl(0xe0000001);
	R("multicast", X(bind, fd, SA(a)));
	show_names("multicast", fd);
	a.sin_addr.s_addr = 0xffffffff;
	int bc = tcp();
	R("broadcast", X(bind, bc, SA(a)));
	R("listen on it", X(listen, bc, 1));
	done_with(bc);
	done_with(fd);
	fd = tcp();
	a = lo(0);
	R("port 0", X(bind, fd, SA(a)));
	show_names("port 0", fd);
	socklen_t len = sizeof(a);
	X(getsockname, fd, (struct sockaddr *)&a, &len);
	R("the same", X(bind, other, SA(a)));
	R("getsockname, no length", X(getsockname, fd, (struct sockaddr *)&a, NULL));
	len = (socklen_t)-1;
	R("getsockname, bad length", X(getsockname, fd, (struct sockaddr *)&a, &len));
	len = 16;
	R("getsockname, NULL", X(getsockname, fd, NULL, &len));
	len = 0;
	R("getsockname, NULL of none", X(getsockname, fd, NULL, &len));
	note("length", "%u", (unsigned)len);
	R("getpeername, NULL", X(getpeername, fd, NULL, NULL));
	done_with(fd);
	/* A port in use by connections only. */
	struct ends e = connection(1082);
	a = lo(1082);
	fd = tcp();
	R("port of an accepted one", X(bind, fd, SA(a)));
	tcp_option(fd, "reuse", set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1));
	R("port of an accepted one, reuse", X(bind, fd, SA(a)));
	R("listen", X(listen, fd, 1));
	done_with(fd);
	len = sizeof(a);
	X(getsockname, e.c, (struct sockaddr *)&a, &len);
	fd = tcp();
	R("port of a connected one", X(bind, fd, SA(a)));
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	R("port of a connected one, reuse", X(bind, fd, SA(a)));
	done_with(fd);
	done_with(e.d);
	done_with(e.c);
	fd = tcp();
	a = lo(1082);
	R("port in TIME_WAIT", X(bind, fd, SA(a)));
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	R("port in TIME_WAIT, reuse", X(bind, fd, SA(a)));
	done_with(fd);
	/* The same 4-tuple twice. */
	int l = listener(1083);
	struct sockaddr_in to = lo(1083), from = lo(1084);
	for (int i = 0; i < 2; i++) {
		int c = tcp();
		set_int(c, SOL_SOCKET, SO_REUSEADDR, 1);
		R("bind", X(bind, c, SA(from)));
		R("connect", X(connect, c, SA(to)));
		show_names("then", c);
	}
	done_with(l);
}

static void udp_bind_matrix(void)
{
	for (unsigned v = 0; v < 4 * 4 * 4 * 2; v++) {
		unsigned first = v % 4, second = v / 4 % 4, addresses = v / 16 % 4;
		bool connects = v / 64;
		struct sockaddr_in a = lo((uint16_t)(3100 + v)), b = a, peer = lo(9);
		int x = udp(), y = udp();

		if (addresses & 1)
			a.sin_addr.s_addr = 0;
		if (addresses & 2)
			b.sin_addr.s_addr = 0;
		set_int(x, SOL_SOCKET, SO_REUSEADDR, first & 1);
		set_int(x, SOL_SOCKET, SO_REUSEPORT, first >> 1);
		set_int(y, SOL_SOCKET, SO_REUSEADDR, second & 1);
		set_int(y, SOL_SOCKET, SO_REUSEPORT, second >> 1);
		X(bind, x, SA(a));
		if (connects)
			X(connect, x, SA(peer));
		snprintf(label, sizeof(label), "first %s%s%s%s, second %s%s%s", addresses & 1 ? "any" : "lo", first & 1 ? " addr" : "", first & 2 ? " port" : "",
			 connects ? " connected" : "", addresses & 2 ? "any" : "lo", second & 1 ? " addr" : "", second & 2 ? " port" : "");
		R(label, X(bind, y, SA(b)));
		/* Who gets it? */
		int tx = udp();
		b.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		X(sendto, tx, "x", 1, 0, SA(b));
		settle();
		int gx = X(recv, x, buf, 1, 0) == 1, gy = X(recv, y, buf, 1, 0) == 1;
		if (!(first & second & 2)) /* a hash decides */
			note("received by", "%s%s", gx ? "first" : "", gy ? "second" : "");
		done_with(tx);
		done_with(x);
		done_with(y);
	}
}

static void udp_binding(void)
{
	struct sockaddr_in a = lo(3300), out;
	int fd = udp();
	socklen_t len = sizeof(out);

	R("EFAULT", X(bind, fd, NULL, sizeof(a)));
	R("short", X(bind, fd, (struct sockaddr *)&a, 8));
	a.sin_family = AF_UNIX;
	R("AF_UNIX", X(bind, fd, SA(a)));
	a = lo(3300);
	a.sin_addr.s_addr = htonl(0xc6120001);
	R("not ours", X(bind, fd, SA(a)));
	set_int(fd, IPPROTO_IP, 15, 1);
	R("not ours, IP_FREEBIND", X(bind, fd, SA(a)));
	show_names("not ours", fd);
	struct sockaddr_in to = lo(3301);
	R("sendto from it", X(sendto, fd, "x", 1, 0, SA(to)));
	done_with(fd);
	fd = udp();
	a.sin_addr.s_addr = htonl(0xe9fc0001);
	R("multicast", X(bind, fd, SA(a)));
	show_names("multicast", fd);
	R("sendto from it", X(sendto, fd, "x", 1, 0, SA(to)));
	done_with(fd);
	fd = udp();
	a.sin_addr.s_addr = 0xffffffff;
	R("broadcast", X(bind, fd, SA(a)));
	show_names("broadcast", fd);
	done_with(fd);
	fd = udp();
	a.sin_addr.s_addr = htonl(0x7fffffff);
	R("broadcast of lo", X(bind, fd, SA(a)));
	done_with(fd);
	fd = udp();
	a = lo(0);
	a.sin_addr.s_addr = htonl(0x7f010203);
	R("another of lo", X(bind, fd, SA(a)));
	show_names("another of lo", fd);
	R("twice", X(bind, fd, SA(a)));
	X(getsockname, fd, (struct sockaddr *)&out, &len);
	done_with(fd);
	/* Broadcast. */
	fd = udp();
	to = lo(3302);
	to.sin_addr.s_addr = 0xffffffff;
	R("sendto 255.255.255.255", X(sendto, fd, "x", 1, 0, SA(to)));
	R("connect to 255.255.255.255", X(connect, fd, SA(to)));
	to.sin_addr.s_addr = htonl(0x7fffffff);
	R("sendto 127.255.255.255", X(sendto, fd, "x", 1, 0, SA(to)));
	R("connect to 127.255.255.255", X(connect, fd, SA(to)));
	set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);
	R("sendto 127.255.255.255", X(sendto, fd, "x", 1, 0, SA(to)));
	to.sin_addr.s_addr = htonl(0xc6120009);
	R("sendto no route", X(sendto, fd, "x", 1, 0, SA(to)));
	R("connect no route", X(connect, fd, SA(to)));
	to.sin_addr.s_addr = htonl(0xf0000001);
	R("sendto class E", X(sendto, fd, "x", 1, 0, SA(to)));
	to.sin_addr.s_addr = htonl(0x00000001);
	R("sendto 0.0.0.1", X(sendto, fd, "x", 1, 0, SA(to)));
	to.sin_addr.s_addr = 0;
	int rx = udp_bound(3302);
	R("sendto any", X(sendto, fd, "x", 1, 0, SA(to)));
	R("recv", X(recv, rx, buf, 10, 0));
	done_with(fd);
	done_with(rx);
}

static void descriptors(void)
{
	struct ends e = connection(1090);
	int two = X(dup, e.d), on = 1;

	note("flags", "%#x", (unsigned)X(fcntl, e.d, F_GETFL, 0));
	note("flags of the dup", "%#x", (unsigned)X(fcntl, two, F_GETFL, 0));
	R("clear", X(fcntl, two, F_SETFL, 0));
	note("flags", "%#x", (unsigned)X(fcntl, e.d, F_GETFL, 0));
	R("FIONBIO", X(ioctl, e.d, FIONBIO, &on));
	note("flags", "%#x", (unsigned)X(fcntl, two, F_GETFL, 0));
	R("close one", X(close, e.d));
	R("send", X(send, e.c, "abc", 3, 0));
	R("recv by the other", X(recv, two, buf, 8, 0));
	R("close twice", X(close, e.d));
	R("recv closed", X(recv, e.d, buf, 8, 0));
	R("GETFD", X(fcntl, two, F_GETFD, 0));
	R("SETFD", X(fcntl, two, F_SETFD, 1));
	R("GETFD", X(fcntl, two, F_GETFD, 0));
	R("fcntl of none", X(fcntl, 9999, F_GETFL, 0));
	R("fcntl unknown", X(fcntl, two, 9999, 0));
	R("ioctl unknown", X(ioctl, two, 0x1234, &on));
	R("ioctl of none", X(ioctl, 9999, FIONREAD, &on));
	R("FIONREAD NULL", X(ioctl, two, FIONREAD, NULL));
	R("SIOCOUTQ NULL", X(ioctl, two, TIOCOUTQ, NULL));
	R("FIONBIO NULL", X(ioctl, two, FIONBIO, NULL));
	R("dup of none", X(dup, 9999));
	R("dup2 to -1", X(dup2, two, -1));
	R("dup2 of none", X(dup2, 9999, two));
	R("dup2 to itself", X(dup2, two, two) == two ? 0 : -1);
	R("DUPFD -1", X(fcntl, two, F_DUPFD, -1));
	R("SOCK bad flags", X(socket, AF_INET, SOCK_STREAM | 0x100000, 0));
	R("socket type 0", X(socket, AF_INET, 0, 0));
	R("socket type 7", X(socket, AF_INET, 7, 0));
	R("socket type 11", X(socket, AF_INET, 11, 0));
	R("socket stream UDP", X(socket, AF_INET, SOCK_STREAM, IPPROTO_UDP));
	R("socket dgram TCP", X(socket, AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	R("socket raw 0", X(socket, AF_INET, SOCK_RAW, 0));
	R("socket seqpacket", X(socket, AF_INET, SOCK_SEQPACKET, 0));
	R("socket protocol -1", X(socket, AF_INET, SOCK_STREAM, -1));
	R("socket protocol 1000", X(socket, AF_INET, SOCK_STREAM, 1000));
	R("socket family 200", X(socket, 200, SOCK_STREAM, 0));
	R("socket family -1", X(socket, -1, SOCK_STREAM, 0));
	R("socket family 0", X(socket, 0, SOCK_STREAM, 0));
	done_with(two);
	show_poll("peer of a closed dup", e.c);
	done_with(e.c);
}

const struct calls_case binding_cases[] = {
	{"tcp_bind_matrix", tcp_bind_matrix}, {"tcp_binding", tcp_binding}, {"udp_bind_matrix", udp_bind_matrix}, {"udp_binding", udp_binding},
	{"descriptors", descriptors}, {NULL, NULL},
};
