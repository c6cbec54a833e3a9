/* SPDX-License-Identifier: MIT */
/*
 * memory.c - what connections cost in memory.
 *
 *	memory idle N		bytes of the server's instance per idle established connection, N of them
 */
#include "sim.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t used(xmit_net *net)
{
	struct xmit_memory m;

	xmit_memory(net, &m);
	return m.used_bytes;
}

static int idle(int n)
{
	struct sim s;
	struct sockaddr_in a = sim_addr(1, 80);

	sim_init_pair_mem(&s, 1, NULL, 512 << 20, 512 << 20);
	int l = xmit_socket(s.host[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (xmit_bind(s.host[1], l, (struct sockaddr *)&a, sizeof(a)) || xmit_listen(s.host[1], l, 4096))
		return 1;
	uint64_t before = used(s.host[1]), before_client = used(s.host[0]);
	int accepted = 0;
	for (int i = 0; i < n; i++) {
		char byte = 1;
		int c = xmit_socket(s.host[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (c < 0 || (xmit_connect(s.host[0], c, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS))
			return 1;
		sim_run(&s, SIM_MS);
		int r = xmit_accept4(s.host[1], l, NULL, NULL, SOCK_NONBLOCK);
		/* Not virgins: each has carried a byte in both directions. */
		if (r < 0 || xmit_send(s.host[0], c, &byte, 1, 0) != 1)
			return 1;
		sim_run(&s, SIM_MS);
		if (xmit_recv(s.host[1], r, &byte, 1, 0) != 1 || xmit_send(s.host[1], r, &byte, 1, 0) != 1)
			return 1;
		sim_run(&s, SIM_MS);
		accepted += xmit_recv(s.host[0], c, &byte, 1, 0) == 1;
	}
	sim_run(&s, 10 * SIM_SEC);
	printf("%d connections: %.0f bytes each at the server, %.0f at the client\n", accepted,
	       (double)(used(s.host[1]) - before) / accepted, (double)(used(s.host[0]) - before_client) / accepted);
	sim_exit(&s);
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[2]) : 0;

	if (n >= 1 && n <= 100000 && !strcmp(argv[1], "idle"))
		return idle(n);
	fprintf(stderr, "usage: memory idle N   (N: 1 to 100000)\n");
	return 2;
}
