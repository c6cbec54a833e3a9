/* SPDX-License-Identifier: MIT */
/*
 * two_stacks.c - two instances joined by a link in memory, under a virtual clock.
 *
 *	two_stacks [SEED [FILE.pcap]]
 *
 * One sends a megabyte to the other over 10 Mbit/s, 20 ms and one per cent of loss.  Nothing here waits for real time, and nothing depends on
 * it: the same seed gives the same packets, the same times, the same capture file, byte for byte.  At the end the walk of one
 * segment is printed, from write() (V1, V2) down to transmit completion and the ACK coming back.
 */
#include <xmit/control.h>
#include <xmit/dev.h>
#include <xmit/socket.h>
#include <xmit/trace.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 1 << 20 };

struct world {
	uint64_t now_ns, random;
	xmit_net *host[2];
};

static uint64_t world_now(void *ctx)
{
	return ((struct world *)ctx)->now_ns;
}

static uint64_t world_realtime(void *ctx)
{
	return ((struct world *)ctx)->now_ns + UINT64_C(1700000000000000000);
}

/* Not secret, on purpose: a simulation's random numbers come from its seed (xorshift64*). */
static void world_random(void *ctx, void *buf, size_t n)
{
	struct world *w = ctx;
	unsigned char *p = buf;

	while (n--) {
		w->random ^= w->random >> 12;
		w->random ^= w->random << 25;
		w->random ^= w->random >> 27;
		*p++ = (unsigned char)((w->random * UINT64_C(2685821657736338717)) >> 56);
	}
}

/* Lets both hosts do what is due, then moves the clock to what is due next. */
static int world_step(struct world *w)
{
	uint64_t next = XMIT_NEVER;
	int more = 0;

	for (int i = 0; i < 2; i++)
		more |= xmit_poll(w->host[i], 0) > 0;
	if (more)
		return 1;
	for (int i = 0; i < 2; i++) {
		uint64_t t = xmit_next_deadline(w->host[i]);
		next = t < next ? t : next;
	}
	if (next == XMIT_NEVER)
		return 0;
	if (next > w->now_ns)
		w->now_ns = next;
	return 1;
}

static void check(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "two_stacks: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static xmit_net *make_host(struct world *w)
{
	struct xmit_config c = {
		.size = sizeof(c),
		.env = {.size = sizeof(c.env), .ctx = w, .now_ns = world_now, .realtime_ns = world_realtime, .random = world_random},
	};
	xmit_net *net = xmit_net_new(&c);

	check(net != NULL, "instance");
	return net;
}

int main(int argc, char **argv)
{
	struct world w = {.now_ns = UINT64_C(1000000000), .random = argc > 1 ? strtoull(argv[1], NULL, 0) : 1};
	uint64_t seed = w.random;
	static char block[65536];
	xmit_dev *end[2];

	if (!w.random) {
		fprintf(stderr, "usage: two_stacks [SEED [FILE.pcap]]   (SEED: 1 to 2^64-1)\n");
		return 2;
	}
	for (int i = 0; i < 2; i++)
		w.host[i] = make_host(&w);
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_VNIC_NO_OFFLOAD, .delay_ns = 20000000, .rate_bps = 10000000,
					.loss_ppm = 10000, .seed = seed};
	check(xmit_vnic_pair(w.host[0], w.host[1], &link, end) == 0, "link");
	check(xmit_dev_up(end[0]) == 0 && xmit_addr_add_text(end[0], "192.0.2.1/24") == 0, "address");
	check(xmit_dev_up(end[1]) == 0 && xmit_addr_add_text(end[1], "192.0.2.2/24") == 0, "address");
	if (argc > 2)
		check(xmit_pcap_start(end[0], argv[2], 0) == 0, argv[2]);
	check(xmit_trace_start(w.host[0], 16) == 0, "trace");

	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(5001), .sin_addr.s_addr = htonl(0xc0000202)};
	int listener = xmit_socket(w.host[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	check(xmit_bind(w.host[1], listener, (struct sockaddr *)&a, sizeof(a)) == 0 && xmit_listen(w.host[1], listener, 1) == 0, "listen");
	int sender = xmit_socket(w.host[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	check(xmit_connect(w.host[0], sender, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS, "connect");
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	xmit_getsockopt(w.host[0], sender, XMIT_SOL_XMIT, XMIT_SO_COOKIE, &cookie, &len);

	size_t sent = 0, received = 0;
	int receiver = -1, walked = 0;
	uint64_t start = w.now_ns;
	while (received < BYTES) {
		check(world_step(&w), "the network fell asleep");
		if (receiver < 0)
			receiver = xmit_accept(w.host[1], listener, NULL, NULL);
		while (sent < BYTES) {
			size_t want = sizeof(block) < BYTES - sent ? sizeof(block) : BYTES - sent;
			ssize_t n = xmit_write(w.host[0], sender, block, want);
			if (n < 0)
				break;
			sent += (size_t)n;
		}
		ssize_t n;
		while (receiver >= 0 && (n = xmit_recv(w.host[1], receiver, block, sizeof(block), MSG_DONTWAIT)) > 0)
			received += (size_t)n;
		if (!walked && received > 100000) {
			printf("The walk of the first segment of socket %llu:\n", (unsigned long long)cookie);
			walked = xmit_trace_walk(w.host[0], cookie, 0, stdout);
			check(walked > 0, "no whole walk was recorded");
			xmit_trace_stop(w.host[0]);
		}
	}
	printf("seed %llu: %d bytes in %.6f s of virtual time, %llu segments retransmitted\n", (unsigned long long)seed, BYTES,
	       (double)(w.now_ns - start) / 1e9, (unsigned long long)xmit_counter(w.host[0], "TcpRetransSegs", NULL));
	for (int i = 0; i < 2; i++)
		xmit_net_free(w.host[i]);
	return 0;
}
