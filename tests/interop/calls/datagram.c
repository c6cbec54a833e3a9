/* SPDX-License-Identifier: MIT */
/* datagram.c - UDP: sending and receiving, flags, connecting, errors that come back, corking. */
#include "calls.h"

static char buf[70000], label[128];

static int aimed(uint16_t port)
{
	struct sockaddr_in a = lo(port);
	int fd = udp();

	if (X(connect, fd, SA(a)))
		note("connect", "%s", error_name(errno));
	return fd;
}

static void calls(void)
{
	struct sockaddr_in a = lo(3000), bad = lo(0), from;
	int fd = udp(), rx = udp_bound(3000), n = 0;
	socklen_t len;

	show_state("new", fd);
	R("recv", X(recv, fd, buf, 10, 0));
	R("send", X(send, fd, "abc", 3, 0));
	show_names("after send", fd);
	R("write", X(write, fd, "abc", 3));
	R("sendto short", X(sendto, fd, "abc", 3, 0, (struct sockaddr *)&a, 8));
	R("sendto NULL name", X(sendto, fd, "abc", 3, 0, NULL, 16));
	R("sendto length 0", X(sendto, fd, "abc", 3, 0, (struct sockaddr *)&a, 0));
	R("sendto long", X(sendto, fd, "abc", 3, 0, (struct sockaddr *)buf, 129));
	R("sendto port 0", X(sendto, fd, "abc", 3, 0, SA(bad)));
	bad.sin_family = AF_UNIX;
	R("sendto AF_UNIX", X(sendto, fd, "abc", 3, 0, SA(bad)));
	bad = a;
	bad.sin_family = AF_UNSPEC;
	R("sendto AF_UNSPEC", X(sendto, fd, "abc", 3, 0, SA(bad)));
	R("sendto", X(sendto, fd, "abc", 3, 0, SA(a)));
	show_names("after sendto", fd);
	R("sendto of none", X(sendto, fd, NULL, 0, 0, SA(a)));
	R("sendto NULL", X(sendto, fd, NULL, 5, 0, SA(a)));
	R("sendto too long", X(sendto, fd, buf, 65508, 0, SA(a)));
	R("sendto 65507", X(sendto, fd, buf, 65507, 0, SA(a)));
	R("sendto far too long", X(sendto, fd, buf, 70000, 0, SA(a)));
	R("sendto OOB", X(sendto, fd, "abc", 3, MSG_OOB, SA(a)));
	R("sendto EOR", X(sendto, fd, "abc", 3, MSG_EOR, SA(a)));
	R("sendto CONFIRM", X(sendto, fd, "abc", 3, MSG_CONFIRM, SA(a)));
	R("sendto DONTROUTE", X(sendto, fd, "abc", 3, MSG_DONTROUTE, SA(a)));
	R("sendto odd flags", X(sendto, fd, "abc", 3, 0x400000, SA(a)));
	show_poll("much to read", rx);
	for (int i = 0; i < 3; i++) {
		R("FIONREAD", X(ioctl, rx, FIONREAD, &n));
		note("FIONREAD", "%d", n);
		R("recv 1", X(recv, rx, buf, 1, 0));
	}
	R("recv of none", X(recv, rx, buf, 0, 0));
	R("sendto of none", X(sendto, fd, NULL, 0, 0, SA(a)));
	R("FIONREAD", X(ioctl, rx, FIONREAD, &n));
	note("FIONREAD", "%d", n);
	R("SIOCOUTQ", X(ioctl, rx, TIOCOUTQ, &n));
	note("SIOCOUTQ", "%d", n);
	R("SIOCATMARK", X(ioctl, rx, 0x8905, &n));
	R("FIONREAD NULL", X(ioctl, rx, FIONREAD, NULL));
	while ((n = (int)X(recv, rx, buf, sizeof(buf), 0)) >= 0)
		note("rest", "%d", n);
	note("rest", "%s", error_name(errno));
	static const int flags[] = {0, MSG_PEEK, MSG_TRUNC, MSG_PEEK | MSG_TRUNC, MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE, MSG_DONTWAIT, MSG_WAITALL | MSG_DONTWAIT, 0x40000};
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct iovec iov = {buf, 4};
		char control[64];
		struct msghdr m = {.msg_name = &from, .msg_namelen = 6, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				   .msg_controllen = sizeof(control), .msg_flags = -1};
		snprintf(label, sizeof(label), "flags %#x", (unsigned)flags[i]);
		R("sendto", X(sendto, fd, "0123456789", 10, 0, SA(a)));
		R(label, X(recv, rx, buf, 4, flags[i]));
		X(recv, rx, buf, 20, 0);
		R("sendto", X(sendto, fd, "0123456789", 10, 0, SA(a)));
		if (R(label, X(recvmsg, rx, &m, flags[i])) >= 0)
			note(label, "namelen %u, controllen %zu, flags %#x", (unsigned)m.msg_namelen, (size_t)m.msg_controllen, (unsigned)m.msg_flags);
		X(recv, rx, buf, 20, 0);
		R("sendto", X(sendto, fd, "0123456789", 10, 0, SA(a)));
		R("recv NULL", X(recv, rx, NULL, 4, flags[i]));
		R("recv NULL of none", X(recv, rx, NULL, 0, flags[i]));
		while (X(recv, rx, buf, 20, 0) > 0)
			;
	}
	len = 4;
	R("sendto", X(sendto, fd, "abc", 3, 0, SA(a)));
	R("recvfrom, short room", X(recvfrom, rx, buf, 10, 0, (struct sockaddr *)&from, &len));
	note("recvfrom", "%u", (unsigned)len);
	R("sendto", X(sendto, fd, "abc", 3, 0, SA(a)));
	R("recvfrom, no length", X(recvfrom, rx, buf, 10, 0, (struct sockaddr *)&from, NULL));
	len = (socklen_t)-1;
	R("sendto", X(sendto, fd, "abc", 3, 0, SA(a)));
	R("recvfrom, bad length", X(recvfrom, rx, buf, 10, 0, (struct sockaddr *)&from, &len));
	R("recv after that", X(recv, rx, buf, 10, 0));
	R("readv", X(readv, rx, (&(struct iovec){buf, 3}), 1));
	R("shutdown unconnected", X(shutdown, rx, SHUT_RD));
	show_state("then", rx);
	R("recv", X(recv, rx, buf, 10, 0));
	R("sendto it", X(sendto, fd, "abc", 3, 0, SA(a)));
	R("recv", X(recv, rx, buf, 10, 0));
	R("shutdown WR", X(shutdown, fd, SHUT_WR));
	show_state("then", fd);
	R("sendto", X(sendto, fd, "abc", 3, MSG_NOSIGNAL, SA(a)));
	struct timeval tv = {0, 20000};
	int b = X(socket, AF_INET, SOCK_DGRAM, 0);
	X(setsockopt, b, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	R("blocking recv with SO_RCVTIMEO", X(recv, b, buf, 10, 0));
	R("DONTWAIT", X(recv, b, buf, 10, MSG_DONTWAIT));
	done_with(b);
	done_with(fd);
	done_with(rx);
}

static void connected(void)
{
	struct sockaddr_in a = lo(3010), other = lo(3011), none = lo(3012), any = {.sin_family = AF_INET, .sin_port = htons(3010)};
	struct sockaddr un = {.sa_family = AF_UNSPEC};
	int rx = udp_bound(3010), fd = udp(), o = udp_bound(3011);

	R("connect short", X(connect, fd, (struct sockaddr *)&a, 8));
	R("connect 1 byte", X(connect, fd, (struct sockaddr *)&a, 1));
	R("connect NULL", X(connect, fd, NULL, 16));
	R("connect", X(connect, fd, SA(a)));
	show_state("connected", fd);
	R("connect another", X(connect, fd, SA(other)));
	show_names("another", fd);
	R("sendto the first", X(sendto, fd, "abc", 3, 0, SA(a)));
	R("recv", X(recv, rx, buf, 10, 0));
	R("bind", X(bind, fd, SA(none)));
	struct sockaddr_in mine;
	socklen_t len = sizeof(mine);
	X(getsockname, fd, (struct sockaddr *)&mine, &len);
	R("a stranger sends", X(sendto, rx, "abc", 3, 0, SA(mine)));
	show_poll("from a stranger", fd);
	R("the peer sends", X(sendto, o, "abcd", 4, 0, SA(mine)));
	R("recv", X(recv, fd, buf, 10, 0));
	R("disconnect", X(connect, fd, &un, sizeof(un)));
	show_state("disconnected", fd);
	R("send", X(send, fd, "abc", 3, 0));
	R("disconnect twice", X(connect, fd, &un, sizeof(un)));
	R("disconnect by sockaddr_in", (mine.sin_family = AF_UNSPEC, X(connect, fd, SA(mine))));
	R("connect again", X(connect, fd, SA(a)));
	show_names("again", fd);
	done_with(fd);
	/* Bound before it is connected. */
	fd = udp_bound(3013);
	R("connect", X(connect, fd, SA(a)));
	R("disconnect", X(connect, fd, &un, sizeof(un)));
	show_names("bound, disconnected", fd);
	done_with(fd);
	fd = udp();
	any.sin_port = htons(3014);
	R("bind any", X(bind, fd, SA(any)));
	R("connect", X(connect, fd, SA(a)));
	show_names("bound to any, connected", fd);
	R("disconnect", X(connect, fd, &un, sizeof(un)));
	show_names("bound to any, disconnected", fd);
	any.sin_port = htons(3010);
	R("connect to any", X(connect, fd, SA(any)));
	show_names("connected to any", fd);
	a = lo(0);
	R("connect to port 0", X(connect, fd, SA(a)));
	show_names("connected to port 0", fd);
	R("send", X(send, fd, "abc", 3, 0));
	R("shutdown connected", X(shutdown, fd, SHUT_RDWR));
	show_state("shut", fd);
	R("recv", X(recv, fd, buf, 10, 0));
	R("send", X(send, fd, "abc", 3, MSG_NOSIGNAL));
	R("connect", X(connect, fd, SA(other)));
	show_state("connected again", fd);
	R("send", X(send, fd, "abc", 3, MSG_NOSIGNAL));
	done_with(fd);
	/* Nobody there. */
	fd = aimed(3012);
	R("send to nobody", X(send, fd, "abc", 3, 0));
	show_poll("refused", fd);
	R("send again", X(send, fd, "abc", 3, 0));
	R("recv", X(recv, fd, buf, 10, 0));
	R("recv", X(recv, fd, buf, 10, 0));
	R("send to nobody", X(send, fd, "abc", 3, 0));
	R("send again", X(send, fd, "abc", 3, 0));
	R("send again", X(send, fd, "abc", 3, 0));
	show_state("then", fd);
	R("send to nobody", X(send, fd, "abc", 3, 0));
	R("sendto somebody", X(sendto, fd, "abc", 3, 0, SA(other)));
	R("sendto somebody", X(sendto, fd, "abc", 3, 0, SA(other)));
	R("send to nobody", X(send, fd, "abc", 3, 0));
	R("connect with an error pending", X(connect, fd, SA(other)));
	show_state("then", fd);
	done_with(fd);
	fd = udp();
	R("unconnected to nobody", X(sendto, fd, "abc", 3, 0, SA(none)));
	show_state("then", fd);
	set_int(fd, IPPROTO_IP, 11, 1);
	R("with IP_RECVERR", X(sendto, fd, "abc", 3, 0, SA(none)));
	show_poll("then", fd);
	R("sendto", X(sendto, fd, "abc", 3, 0, SA(other)));
	char control[256];
	struct sockaddr_in name;
	struct iovec iov = {buf, 100};
	for (int i = 0; i < 2; i++) {
		struct msghdr m = {.msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		if (R("ERRQUEUE", X(recvmsg, fd, &m, MSG_ERRQUEUE)) < 0)
			continue;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		note("ERRQUEUE", "flags %#x, name %u:%u, cmsg %d %d len %zu", (unsigned)m.msg_flags, (unsigned)m.msg_namelen, ntohs(name.sin_port), c ? c->cmsg_level : -1,
		     c ? c->cmsg_type : -1, c ? (size_t)c->cmsg_len : 0);
		uint8_t *d = c ? CMSG_DATA(c) : NULL;
		if (d)
			note("ERRQUEUE", "errno %u origin %u type %u code %u", d[0], d[4], d[5], d[6]);
		show_poll("then", fd);
	}
	R("sendto", X(sendto, fd, "abc", 3, 0, SA(other)));
	done_with(fd);
	done_with(rx);
	done_with(o);
}

static void corking(void)
{
	struct sockaddr_in a = lo(3600), b = lo(3601);
	int rx = udp_bound(3600), fd = udp();

	R("MORE", X(sendto, fd, "ab", 2, MSG_MORE, SA(a)));
	R("MORE", X(sendto, fd, "cd", 2, MSG_MORE, SA(a)));
	R("recv", X(recv, rx, buf, 10, 0));
	R("end, another name", X(sendto, fd, "e", 1, 0, SA(b)));
	R("recv", X(recv, rx, buf, 10, 0));
	R("cork", set_int(fd, IPPROTO_UDP, 1, 1));
	R("send", X(sendto, fd, "abc", 3, 0, SA(a)));
	R("send", X(send, fd, "abc", 3, 0));
	R("recv", X(recv, rx, buf, 10, 0));
	R("uncork", set_int(fd, IPPROTO_UDP, 1, 0));
	R("recv", X(recv, rx, buf, 10, 0));
	R("MORE of none", X(sendto, fd, NULL, 0, MSG_MORE, SA(a)));
	R("end of none", X(send, fd, NULL, 0, 0));
	R("recv", X(recv, rx, buf, 10, 0));
	R("MORE much", X(sendto, fd, buf, 60000, MSG_MORE, SA(a)));
	R("MORE too much", X(sendto, fd, buf, 6000, MSG_MORE, SA(a)));
	R("end", X(sendto, fd, "x", 1, 0, SA(a)));
	R("recv", X(recv, rx, buf, sizeof(buf), 0));
	R("recv", X(recv, rx, buf, sizeof(buf), 0));
	done_with(fd);
	done_with(rx);
}

static void mmsg(void)
{
#ifdef CALLS_KERNEL
	struct mmsghdr m[4] = {0};
#else
	struct xmit_mmsghdr m[4] = {0};
#endif
	struct sockaddr_in a = lo(3700);
	struct iovec iov[4];
	int rx = udp_bound(3700), fd = aimed(3700);

	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){buf, (size_t)i + 1};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	R("sendmmsg", X(sendmmsg, fd, m, 4, 0));
	note("lengths", "%u %u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len, m[3].msg_len);
	R("sendmmsg of none", X(sendmmsg, fd, m, 0, 0));
	R("sendmmsg NULL", X(sendmmsg, fd, NULL, 1, 0));
	m[2].msg_hdr.msg_iovlen = 2000;
	R("sendmmsg, a bad third", X(sendmmsg, fd, m, 4, 0));
	m[0].msg_hdr.msg_iovlen = 2000;
	R("sendmmsg, a bad first", X(sendmmsg, fd, m, 4, 0));
	m[0].msg_hdr.msg_iovlen = m[2].msg_hdr.msg_iovlen = 1;
	for (int i = 0; i < 6; i++)
		R("recv", X(recv, rx, buf, 10, 0));
	(void)a;
	done_with(fd);
	done_with(rx);
}

const struct calls_case datagram_cases[] = {
	{"udp_calls", calls}, {"udp_connected", connected}, {"corking", corking}, {"mmsg", mmsg}, {NULL, NULL},
};
