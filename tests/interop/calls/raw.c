/* SPDX-License-Identifier: MIT */
/* raw.c - raw and ping sockets. */
#include "calls.h"

static char buf[70000];

static void raw_and_ping(void)
{
	struct sockaddr_in a = lo(0), other = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000002)}};
	int raw = X(socket, AF_INET, SOCK_RAW | SOCK_NONBLOCK, 253), icmp = X(socket, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
	int ping = X(socket, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP), inc = X(socket, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW);
	uint8_t echo[12] = {8, 0, 0, 0, 0, 0, 0, 1, 'a', 'b', 'c', 'd'};
	int n = 0;

	note("descriptors", "%d %d %d %d", raw >= 0, icmp >= 0, ping >= 0, inc >= 0);
	show_state("raw", raw);
	show_state("ping", ping);
	R("raw send", X(send, raw, "abc", 3, 0));
	R("raw sendto", X(sendto, raw, "abc", 3, 0, SA(a)));
	show_poll("raw", raw);
	R("FIONREAD", X(ioctl, raw, FIONREAD, &n));
	note("FIONREAD", "%d", n);
	R("raw recv TRUNC", X(recv, raw, buf, 5, MSG_TRUNC));
	R("raw sendto of none", X(sendto, raw, NULL, 0, 0, SA(a)));
	R("raw recv", X(recv, raw, buf, 100, 0));
	R("raw sendto too long", X(sendto, raw, buf, 65516, 0, SA(a)));
	R("raw sendto far too long", X(sendto, raw, buf, 65536, 0, SA(a)));
	R("raw sendto OOB", X(sendto, raw, "abc", 3, MSG_OOB, SA(a)));
	R("raw recv OOB", X(recv, raw, buf, 100, MSG_OOB));
	R("raw sendto short", X(sendto, raw, "abc", 3, 0, (struct sockaddr *)&a, 8));
	R("raw sendto NULL", X(sendto, raw, NULL, 3, 0, SA(a)));
	R("raw bind", X(bind, raw, SA(other)));
	show_names("raw bound", raw);
	R("raw bind again", X(bind, raw, SA(a)));
	R("raw connect", X(connect, raw, SA(other)));
	show_names("raw connected", raw);
	R("raw bind connected", X(bind, raw, SA(a)));
	R("raw send", X(send, raw, "abc", 3, 0));
	R("raw listen", X(listen, raw, 1));
	R("raw accept", X(accept, raw, NULL, NULL));
	R("raw shutdown", X(shutdown, raw, SHUT_RD));
	R("raw recv", X(recv, raw, buf, 100, 0));
	R("raw recv", X(recv, raw, buf, 100, 0));
	struct sockaddr un = {.sa_family = AF_UNSPEC};
	R("raw disconnect", X(connect, raw, &un, sizeof(un)));
	a.sin_family = AF_UNIX;
	R("raw bind AF_UNIX", X(bind, raw, SA(a)));
	R("raw connect AF_UNIX", X(connect, raw, SA(a)));
	R("raw sendto AF_UNIX", X(sendto, raw, "abc", 3, 0, SA(a)));
	R("ping sendto AF_UNIX", X(sendto, ping, echo, sizeof(echo), 0, SA(a)));
	R("ping bind AF_UNIX", X(bind, ping, SA(a)));
	a.sin_family = AF_UNSPEC;
	R("raw sendto AF_UNSPEC", X(sendto, raw, "abc", 3, 0, SA(a)));
	R("ping sendto AF_UNSPEC", X(sendto, ping, echo, sizeof(echo), 0, SA(a)));
	R("ping bind AF_UNSPEC", X(bind, ping, SA(a)));
	a.sin_family = AF_INET;
	R("inc sendto short", X(sendto, inc, "abc", 3, 0, SA(a)));
	R("inc recv", X(recv, inc, buf, 10, 0));
	memset(buf, 0, 40);
	R("inc sendto zero header", X(sendto, inc, buf, 20, 0, SA(a)));
	buf[0] = 0x4f;
	R("inc sendto ihl too long", X(sendto, inc, buf, 40, 0, SA(a)));
	buf[0] = 0x45;
	R("inc sendto", X(sendto, inc, buf, 40, 0, SA(a)));
	R("inc sendto too long", X(sendto, inc, buf, 65536, 0, SA(a)));

	R("ping send", X(send, ping, echo, sizeof(echo), 0));
	R("ping sendto short", X(sendto, ping, echo, 7, 0, SA(a)));
	R("ping sendto reply", (echo[0] = 0, X(sendto, ping, echo, sizeof(echo), 0, SA(a))));
	R("ping sendto code", (echo[0] = 8, echo[1] = 1, X(sendto, ping, echo, sizeof(echo), 0, SA(a))));
	echo[1] = 0;
	R("ping sendto", X(sendto, ping, echo, sizeof(echo), 0, SA(a)));
	settle();
	show_poll("ping", ping);
	R("FIONREAD", X(ioctl, ping, FIONREAD, &n));
	note("FIONREAD", "%d", n);
	struct sockaddr_in from = {0};
	socklen_t len = sizeof(from);
	R("ping recv TRUNC", X(recvfrom, ping, buf, 10, MSG_TRUNC, (struct sockaddr *)&from, &len));
	note("ping recv", "%u %u, type %d", (unsigned)len, ntohs(from.sin_port), buf[0]);
	R("ping sendto OOB", X(sendto, ping, echo, sizeof(echo), MSG_OOB, SA(a)));
	R("ping recv OOB", X(recv, ping, buf, 10, MSG_OOB));
	R("ping sendto NULL", X(sendto, ping, NULL, 12, 0, SA(a)));
	R("ping sendto too long", X(sendto, ping, buf, 65536, 0, SA(a)));
	R("ping bind", X(bind, ping, SA(a)));
	int p2 = X(socket, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP), p3 = X(socket, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
	a = lo(77);
	R("ping bind 77", X(bind, p2, SA(a)));
	show_names("ping bound", p2);
	R("ping bind 77 too", X(bind, p3, SA(a)));
	R("ping connect", X(connect, p2, SA(other)));
	show_names("ping connected", p2);
	R("ping send", X(send, p2, echo, sizeof(echo), 0));
	settle();
	R("ping recv", X(recv, p2, buf, 100, 0));
	R("ping disconnect", X(connect, p2, &un, sizeof(un)));
	show_names("ping disconnected", p2);
	R("ping bind short", X(bind, p3, (struct sockaddr *)&a, 8));
	a.sin_addr.s_addr = htonl(0xc6120001);
	R("ping bind not ours", X(bind, p3, SA(a)));
	a.sin_addr.s_addr = htonl(0xe9fc0001);
	R("ping bind multicast", X(bind, p3, SA(a)));
	uint32_t filter = 0xffffffff;
	R("filter", X(setsockopt, icmp, 255, 1, &filter, 4));
	R("filter short", X(setsockopt, icmp, 255, 1, &filter, 2));
	R("filter long", X(setsockopt, icmp, 255, 1, buf, 40));
	len = 2;
	R("filter get", X(getsockopt, icmp, 255, 1, &filter, &len));
	note("filter get", "%u", (unsigned)len);
	len = (socklen_t)-1;
	R("filter get -1", X(getsockopt, icmp, 255, 1, &filter, &len));
	R("filter of raw", X(setsockopt, raw, 255, 1, &filter, 4));
	done_with(p2);
	done_with(p3);
	done_with(raw);
	done_with(icmp);
	done_with(ping);
	done_with(inc);
}

const struct calls_case raw_cases[] = {
	{"raw_and_ping", raw_and_ping}, {NULL, NULL},
};
