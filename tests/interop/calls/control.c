/* SPDX-License-Identifier: MIT */
/* control.c - control messages, both ways, and multicast. */
#include "calls.h"

static char buf[128], label[128];

/* Sends with one control message of n bytes. */
static void send_with(const char *what, int fd, struct sockaddr_in *to, int level, int type, const void *data, size_t n)
{
	char control[128] __attribute__((aligned(8))) = {0};
	struct iovec iov = {"abc", 3};
	struct msghdr m = {.msg_name = to, .msg_namelen = to ? sizeof(*to) : 0, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			   .msg_controllen = CMSG_SPACE(n)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	if (n)
		memcpy(CMSG_DATA(c), data, n);
	R(what, X(sendmsg, fd, &m, MSG_NOSIGNAL));
}

static void show_control(const char *what, int fd, size_t room)
{
	char control[256] __attribute__((aligned(8)));
	struct iovec iov = {buf, 100};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};

	settle();
	if (R(what, X(recvmsg, fd, &m, 0)) < 0)
		return;
	note(what, "flags %#x, control %zu", (unsigned)m.msg_flags, (size_t)m.msg_controllen);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		const uint8_t *d = CMSG_DATA(c);
		size_t n = c->cmsg_len - CMSG_LEN(0);
		char text[100] = "";
		if (c->cmsg_level == SOL_SOCKET) /* a time */
			n = 0;
		for (size_t i = 0; i < n && i < 16; i++)
			if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == 20 && (i < 4 || i >= 8) && i >= 2))
				sprintf(text + strlen(text), " %u", d[i]);
		note(what, "cmsg %d %d len %zu:%s", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len, text);
	}
}

static void control_messages(void)
{
	struct sockaddr_in to = lo(3400);
	int rx = udp_bound(3400), fd = udp(), t = -1;
	static const int values[] = {0, 1, 2, 64, 255, 256, -1};

	set_int(rx, IPPROTO_IP, 12, 1);
	set_int(rx, IPPROTO_IP, 13, 1);
	set_int(rx, IPPROTO_IP, 8, 1);
	set_int(rx, IPPROTO_IP, 20, 1);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(label, sizeof(label), "IP_TTL %d", values[i]);
		send_with(label, fd, &to, IPPROTO_IP, 2, &values[i], 4);
		show_control(label, rx, 256);
		snprintf(label, sizeof(label), "IP_TOS %d", values[i]);
		send_with(label, fd, &to, IPPROTO_IP, 1, &values[i], 4);
		show_control(label, rx, 256);
		send_with(label, fd, &to, IPPROTO_IP, 1, &values[i], 1);
		show_control(label, rx, 256);
	}
	for (size_t room = 0; room < 120; room += 7) {
		send_with("plain", fd, &to, SOL_SOCKET, 36, &(uint32_t){0}, 4);
		snprintf(label, sizeof(label), "room %zu", room);
		show_control(label, rx, room);
	}
	struct { int index; uint32_t source, destination; } info = {1, 0, 0};
	send_with("IP_PKTINFO lo", fd, &to, IPPROTO_IP, 8, &info, sizeof(info));
	show_control("IP_PKTINFO lo", rx, 256);
	info.source = htonl(0x7f000005);
	send_with("IP_PKTINFO source", fd, &to, IPPROTO_IP, 8, &info, sizeof(info));
	show_control("IP_PKTINFO source", rx, 256);
	info.source = htonl(0xc6120001);
	send_with("IP_PKTINFO not ours", fd, &to, IPPROTO_IP, 8, &info, sizeof(info));
	info.index = 99;
	info.source = 0;
	send_with("IP_PKTINFO no device", fd, &to, IPPROTO_IP, 8, &info, sizeof(info));
	info.index = -1;
	send_with("IP_PKTINFO device -1", fd, &to, IPPROTO_IP, 8, &info, sizeof(info));
	send_with("IP_PKTINFO short", fd, &to, IPPROTO_IP, 8, &info, 8);
	send_with("unknown IP", fd, &to, IPPROTO_IP, 99, &t, 4);
	send_with("unknown SOL_SOCKET", fd, &to, SOL_SOCKET, 99, &t, 4);
	send_with("unknown level", fd, &to, 99, 1, &t, 4);
	send_with("UDP level", fd, &to, IPPROTO_UDP, 99, &t, 4);
	send_with("IPv6 level", fd, &to, IPPROTO_IPV6, 50, &t, 4);
	send_with("SO_MARK short", fd, &to, SOL_SOCKET, 36, &t, 2);
	send_with("SO_MARK", fd, &to, SOL_SOCKET, 36, &(uint32_t){0}, 4);
	send_with("SO_PRIORITY 3", fd, &to, SOL_SOCKET, 12, &(uint32_t){3}, 4);
	send_with("SO_PRIORITY 9", fd, &to, SOL_SOCKET, 12, &(uint32_t){9}, 4);
	send_with("SCM_RIGHTS", fd, &to, SOL_SOCKET, 1, &(uint32_t){0}, 4);
	send_with("SCM_CREDENTIALS", fd, &to, SOL_SOCKET, 2, &(uint32_t){0}, 4);
	send_with("SCM_TXTIME", fd, &to, SOL_SOCKET, 61, &(uint64_t){0}, 8);
	char control[32] __attribute__((aligned(8))) = {0};
	struct iovec iov = {"abc", 3};
	struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	for (m.msg_controllen = 0; m.msg_controllen <= 24; m.msg_controllen += 4) {
		for (size_t n = 0; n <= 32; n += 8) {
			struct cmsghdr *c = (struct cmsghdr *)(void *)control;
			c->cmsg_len = n;
			c->cmsg_level = 99;
			snprintf(label, sizeof(label), "control %zu, cmsg %zu", (size_t)m.msg_controllen, n);
			R(label, X(sendmsg, fd, &m, 0));
		}
	}
	while (X(recv, rx, buf, 10, 0) >= 0)
		;
	set_int(rx, SOL_SOCKET, SO_TIMESTAMP, 1);
	set_int(rx, SOL_SOCKET, 40, 1);
	R("sendto", X(sendto, fd, "abc", 3, 0, SA(to)));
	show_control("timestamp", rx, 256);
	done_with(fd);
	/* The same on a stream. */
	struct ends e = connection(3401);
	send_with("stream SO_MARK", e.c, NULL, SOL_SOCKET, 36, &(uint32_t){0}, 4);
	send_with("stream SO_MARK short", e.c, NULL, SOL_SOCKET, 36, &t, 2);
	send_with("stream unknown", e.c, NULL, SOL_SOCKET, 99, &t, 4);
	send_with("stream SCM_RIGHTS", e.c, NULL, SOL_SOCKET, 1, &t, 4);
	send_with("stream SO_PRIORITY", e.c, NULL, SOL_SOCKET, 12, &(uint32_t){3}, 4);
	send_with("stream IP_TTL", e.c, NULL, IPPROTO_IP, 2, &t, 4);
	send_with("stream other level", e.c, NULL, 99, 2, &t, 4);
	done_with(e.d);
	send_with("stream closed, unknown", e.c, NULL, SOL_SOCKET, 99, &t, 4);
	done_with(e.c);
	done_with(rx);
}

static void multicast(void)
{
	struct sockaddr_in g = {.sin_family = AF_INET, .sin_port = htons(3500), .sin_addr = {htonl(0xe9fc0001)}};
	struct { uint32_t group, address; int index; } m = {htonl(0xe9fc0001), 0, 1};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(3500)};
	int member = udp(), other = udp(), tx = udp();

	set_int(member, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(other, SOL_SOCKET, SO_REUSEADDR, 1);
	R("bind", X(bind, member, SA(any)));
	R("bind", X(bind, other, SA(any)));
	R("sendto without a route", X(sendto, tx, "abc", 3, 0, SA(g)));
	R("IP_MULTICAST_IF", X(setsockopt, tx, IPPROTO_IP, 32, &m, sizeof(m)));
	R("sendto, nobody joined", X(sendto, tx, "abc", 3, 0, SA(g)));
	R("recv", X(recv, member, buf, 10, 0));
	R("join", X(setsockopt, member, IPPROTO_IP, 35, &m, sizeof(m)));
	R("sendto", X(sendto, tx, "abc", 3, 0, SA(g)));
	R("member", X(recv, member, buf, 10, 0));
	R("other (IP_MULTICAST_ALL)", X(recv, other, buf, 10, 0));
	R("IP_MULTICAST_ALL 0", set_int(other, IPPROTO_IP, 49, 0));
	R("sendto", X(sendto, tx, "abc", 3, 0, SA(g)));
	R("member", X(recv, member, buf, 10, 0));
	R("other", X(recv, other, buf, 10, 0));
	R("loop off", set_int(tx, IPPROTO_IP, 34, 0));
	R("sendto", X(sendto, tx, "abc", 3, 0, SA(g)));
	R("member", X(recv, member, buf, 10, 0));
	R("loop on", set_int(tx, IPPROTO_IP, 34, 1));
	R("ttl 0", set_int(tx, IPPROTO_IP, 33, 0));
	R("sendto", X(sendto, tx, "abc", 3, 0, SA(g)));
	R("member", X(recv, member, buf, 10, 0));
	R("connect to a group", X(connect, tx, SA(g)));
	show_names("connected to a group", tx);
	R("send", X(send, tx, "abc", 3, 0));
	R("member", X(recv, member, buf, 10, 0));
	R("leave", X(setsockopt, member, IPPROTO_IP, 36, &m, sizeof(m)));
	R("send", X(send, tx, "abc", 3, 0));
	R("member", X(recv, member, buf, 10, 0));
	R("leave twice", X(setsockopt, member, IPPROTO_IP, 36, &m, sizeof(m)));
	done_with(member);
	done_with(other);
	done_with(tx);
}

const struct calls_case control_cases[] = {
	{"control_messages", control_messages}, {"multicast", multicast}, {NULL, NULL},
};
