/* SPDX-License-Identifier: MIT */
/* zerocopy.c - MSG_ZEROCOPY: which calls are counted, how completions are told and joined, on streams and datagrams; over loopback bytes are copied. */
#include "calls.h"

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
enum { TIMESTAMPING = 37, ZEROCOPY = 60, ERRQUEUE = 0x2000, TX_SW = 2, SOFT = 16, ID = 128, ACK = 512, TSONLY = 2048 };

static char label[96], block[200000];
#define L(...) (snprintf(label, sizeof(label), __VA_ARGS__), label)

static void completions(const char *what, int fd)
{
	for (int i = 0; i < 20; i++) {
		char control[256];
		struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
		settle();
		if (X(recvmsg, fd, &m, ERRQUEUE) < 0) {
			note(what, "%s", error_name(errno));
			return;
		}
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			uint32_t w[4] = {0};
			if (c->cmsg_level == SOL_SOCKET) { /* a time stamp */
				note(what, "message %d/%d", c->cmsg_level, c->cmsg_type);
				continue;
			}
			memcpy(w, CMSG_DATA(c), sizeof(w));
			note(what, "message %d/%d: error %u, %#x, %u to %u", c->cmsg_level, c->cmsg_type, w[0], (unsigned)ntohl(w[1]), w[2], w[3]);
		}
	}
}

static void zerocopy_streams(void)
{
		struct ends e = connection(1540);

	R("not asked for", X(send, e.c, block, 1000, MSG_ZEROCOPY));
	completions("not asked for", e.c);
	for (int v = -1; v < 3; v++) {
		R(L("= %d", v), set_int(e.c, SOL_SOCKET, ZEROCOPY, v));
		note(label, "%d", get_int(e.c, SOL_SOCKET, ZEROCOPY));
	}
	set_int(e.c, SOL_SOCKET, ZEROCOPY, 1);
	R("none", X(send, e.c, block, 0, MSG_ZEROCOPY));
	completions("none", e.c);
	R("one", X(send, e.c, block, 1000, MSG_ZEROCOPY));
	X(recv, e.d, block, 100000, 0);
	settle();
	show_poll("one", e.c);
	completions("one", e.c);
	for (int i = 0; i < 3; i++)
		R("of three", X(send, e.c, block, 1000, MSG_ZEROCOPY));
	R("a plain one", X(send, e.c, block, 1000, 0));
	R("one more", X(send, e.c, block, 1000, MSG_ZEROCOPY | MSG_DONTWAIT));
	X(recv, e.d, block, 100000, 0);
	completions("four", e.c);
	R("NULL", X(send, e.c, NULL, 1000, MSG_ZEROCOPY));
	R("short", X(send, e.c, block, 1, MSG_ZEROCOPY));
	X(recv, e.d, block, 100000, 0);
	completions("after NULL", e.c);
	R("MORE", X(send, e.c, block, 10, MSG_ZEROCOPY | MSG_MORE));
	R("and", X(send, e.c, block, 10, MSG_ZEROCOPY));
	R("urgent", X(send, e.c, block, 10, MSG_ZEROCOPY | MSG_OOB));
	X(recv, e.d, block, 100000, 0);
	completions("more", e.c);
	R("timestamping", set_int(e.c, SOL_SOCKET, TIMESTAMPING, TX_SW | ACK | SOFT | TSONLY | ID));
	R("both", X(send, e.c, block, 10, MSG_ZEROCOPY));
	X(recv, e.d, block, 100000, 0);
	X(send, e.d, block, 1, 0);
	completions("both", e.c);
	R("shut", X(shutdown, e.c, SHUT_WR));
	R("after that", X(send, e.c, block, 10, MSG_ZEROCOPY | MSG_NOSIGNAL));
	completions("after that", e.c);
	done_with(e.c);
	done_with(e.d);
}

static void zerocopy_states(void)
{
	struct sockaddr_in a = lo(1541);
	int l = listener(1541), fd = tcp();
	R("listener", set_int(l, SOL_SOCKET, ZEROCOPY, 1));
	R("new", set_int(fd, SOL_SOCKET, ZEROCOPY, 1));
	R("new, sent", X(send, fd, block, 10, MSG_ZEROCOPY | MSG_NOSIGNAL));
	completions("new", fd);
	X(connect, fd, SA(a));
	settle();
	int d = X(accept4, l, NULL, NULL, SOCK_NONBLOCK);
	note("accepted", "%d", get_int(d, SOL_SOCKET, ZEROCOPY));
	show_state("accepted", d);
	R("off", set_int(d, SOL_SOCKET, ZEROCOPY, 0));
	R("sent", X(send, d, block, 10, MSG_ZEROCOPY));
	completions("off", d);
	done_with(d);
	done_with(fd);
	done_with(l);
}

static void zerocopy_datagrams(void)
{
	struct sockaddr_in a = lo(1620);
	int kinds[] = {udp(), X(socket, AF_INET, SOCK_RAW, 253), X(socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP)}, d = udp_bound(1620);

	for (int k = 0; k < 3; k++) {
		int fd = kinds[k];
		note("kind", "%d", k);
		R("not asked for", X(sendto, fd, block, 100, MSG_ZEROCOPY, SA(a)));
		completions("not asked for", fd);
		for (int v = -1; v < 3; v++) {
			R(L("= %d", v), set_int(fd, SOL_SOCKET, ZEROCOPY, v));
			note(label, "%d", get_int(fd, SOL_SOCKET, ZEROCOPY));
		}
		set_int(fd, SOL_SOCKET, ZEROCOPY, 1);
		R("one", X(sendto, fd, block, 100, MSG_ZEROCOPY, SA(a)));
		X(recv, d, block, 1000, 0);
		completions("one", fd);
		R("none", X(sendto, fd, block, 0, MSG_ZEROCOPY, SA(a)));
		X(recv, d, block, 1000, 0);
		completions("none", fd);
		R("large", X(sendto, fd, block, 20000, MSG_ZEROCOPY, SA(a)));
		R("another", X(sendto, fd, block, 30000, MSG_ZEROCOPY, SA(a)));
		while (X(recv, d, block, 100000, MSG_DONTWAIT) >= 0)
			;
		completions("two", fd);
		R("too large", X(sendto, fd, block, 100000, MSG_ZEROCOPY, SA(a)));
		completions("too large", fd);
		R("NULL", X(sendto, fd, NULL, 100, MSG_ZEROCOPY, SA(a)));
		completions("NULL", fd);
		R("MORE", X(sendto, fd, block, 100, MSG_ZEROCOPY | MSG_MORE, SA(a)));
		R("and", X(sendto, fd, block, 100, MSG_ZEROCOPY, SA(a)));
		while (X(recv, d, block, 100000, MSG_DONTWAIT) >= 0)
			;
		completions("MORE", fd);
		done_with(fd);
	}
	done_with(d);
}

const struct calls_case zerocopy_cases[] = {
	{"zerocopy_streams", zerocopy_streams}, {"zerocopy_states", zerocopy_states}, {"zerocopy_datagrams", zerocopy_datagrams}, {NULL, NULL},
};
