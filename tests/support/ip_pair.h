/* SPDX-License-Identifier: MIT */
/* ip_pair.h - pair.h for the tests of IPv4 between whole stacks (sim/test_ip_*.c): sockets, options by Linux's numbers, a payload. */
#ifndef XMIT_TESTS_IP_PAIR_H
#define XMIT_TESTS_IP_PAIR_H

#include "core/net.h"
#include "ip/error_queue.h"
#include "ip/ip.h"
#include "ip/route.h"
#include "pair.h"
#include "wire/icmp.h"

enum { OPT_HDRINCL = 3, OPT_PKTINFO = 8, OPT_MTU_DISCOVER = 10, OPT_RECVERR = 11, OPT_RECVTTL = 12, OPT_MTU = 14, OPT_MULTICAST_LOOP = 34,
       OPT_ADD_MEMBERSHIP = 35, OPT_DROP_MEMBERSHIP = 36, PMTUDISC_DONT = 0, PMTUDISC_DO = 2 };

static inline struct sockaddr_in addr_of(const char *text, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
	return in;
}

static inline uint64_t counter(xmit_net *net, const char *name)
{
	bool known;
	uint64_t v = xmit_counter(net, name, &known);

	assert_true(known);
	return v;
}

static inline int udp_socket(xmit_net *net, uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(xmit_bind(net, fd, (struct sockaddr *)&any, sizeof(any)), 0);
	return fd;
}

static inline int udp_connected(xmit_net *net, const char *text, uint16_t port)
{
	struct sockaddr_in to = addr_of(text, port);
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(xmit_connect(net, fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static inline void set_int(xmit_net *net, int fd, int name, int v)
{
	assert_int_equal(xmit_setsockopt(net, fd, IPPROTO_IP, name, &v, sizeof(v)), 0);
}

static uint8_t sent[65000], got[65536];

static inline void fill(uint64_t seed)
{
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
}

/* One datagram of n bytes from a to b arrives as it was. */
#endif
