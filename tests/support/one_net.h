/* SPDX-License-Identifier: MIT */
/* one_net.h - for tests of the public calls over the loopback of one instance, which is *state and new for each case. */
#ifndef XMIT_TESTS_ONE_NET_H
#define XMIT_TESTS_ONE_NET_H

#include "test.h"
#include "xmit/control.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

static int setup(void **state)
{
	struct xmit_config c = {.size = sizeof(c), .memory_bytes = 32 << 20};

	*state = xmit_net_new(&c);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	xmit_net_free(*state);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Until nothing is left to do at this moment. */
static inline void run(xmit_net *net)
{
	while (xmit_poll(net, 0) > 0)
		;
}

static inline int tcp(xmit_net *net) { return xmit_socket(net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); }
static inline int udp(xmit_net *net) { return xmit_socket(net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0); }

static inline struct sockaddr_in addr4(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(ip)}};
}

static inline int bind4(xmit_net *net, int fd, uint32_t ip, uint16_t port)
{
	struct sockaddr_in sa = addr4(ip, port);

	return xmit_bind(net, fd, (struct sockaddr *)&sa, sizeof(sa));
}

static inline int connect4(xmit_net *net, int fd, uint32_t ip, uint16_t port)
{
	struct sockaddr_in sa = addr4(ip, port);

	return xmit_connect(net, fd, (struct sockaddr *)&sa, sizeof(sa));
}

#endif
