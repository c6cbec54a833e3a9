/* SPDX-License-Identifier: MIT */
/*
 * trace_paths.c - sends packets along each path that src/README.md describes, two traced hosts in virtual time, and prints what was recorded.
 *
 *	trace_paths
 *
 * Read by life_of_a_packet.py: "== PATH" starts a scenario, "-- host N" the records of a host as xmit_trace_print() writes them.
 */
#include "sim.h"
#include "xmit/trace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_ORDER = 16, SEGMENT = 1448, SUPER = 4 * SEGMENT, DATAGRAM = 4000 };
enum { SG_CSUM = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO };

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "trace_paths.c:%d: %s failed\n", __LINE__, #cond); \
			exit(1); \
		} \
	} while (0)

static struct sim s;
static char bytes[1 << 20];
static int sender, receiver;

static void trace(void)
{
	for (int i = 0; i < s.hosts; i++)
		CHECK(xmit_trace_start(s.host[i], TRACE_ORDER) == 0);
}

static void print_and_end(const char *path)
{
	printf("== %s\n", path);
	for (int i = 0; i < s.hosts; i++) {
		printf("-- host %d\n", i);
		xmit_trace_print(s.host[i], stdout);
	}
	sim_exit(&s);
}

static void start(uint32_t features, unsigned ring)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = features, .ring_size = ring, .delay_ns = SIM_MS, .rate_bps = 1000000000};

	sim_init_pair(&s, 1, &link);
}

/* sender on host 0, receiver on host 1; the neighbours know each other. */
static void connect_pair(bool traced)
{
	struct sockaddr_in a = sim_addr(1, 80);
	int l = xmit_socket(s.host[1], AF_INET, SOCK_STREAM, 0);

	CHECK(xmit_bind(s.host[1], l, (struct sockaddr *)&a, sizeof(a)) == 0 && xmit_listen(s.host[1], l, 1) == 0);
	if (traced)
		trace();
	sender = xmit_socket(s.host[0], AF_INET, SOCK_STREAM, 0);
	CHECK(xmit_connect(s.host[0], sender, (struct sockaddr *)&a, sizeof(a)) == 0);
	receiver = xmit_accept(s.host[1], l, NULL, NULL);
	CHECK(receiver >= 0);
	sim_run(&s, SIM_SEC);
}

static void send_and_receive(size_t n)
{
	CHECK(xmit_write(s.host[0], sender, bytes, n) == (ssize_t)n);
	sim_run(&s, 100 * SIM_MS);
	for (size_t got = 0; got < n;) {
		ssize_t r = xmit_recv(s.host[1], receiver, bytes, sizeof(bytes), MSG_DONTWAIT);
		CHECK(r > 0);
		got += (size_t)r;
	}
}

static void tcp_path(const char *path, uint32_t features, unsigned ring, size_t n)
{
	start(features, ring);
	connect_pair(false);
	trace();
	send_and_receive(n);
	print_and_end(path);
}

static void handshake(void)
{
	start(0, 0);
	connect_pair(true);
	print_and_end("handshake");
}

static bool lose_first(void *ctx, int end, uint64_t ordinal, const struct iovec *iov, int n)
{
	bool *lost = ctx;

	(void)ordinal;
	(void)iov;
	(void)n;
	if (end != 0 || *lost)
		return false;
	*lost = true;
	return true;
}

/* The first segment is lost; the ten behind it say so by SACK. */
static void retransmission(void)
{
	bool lost = false;
	struct xmit_vnic_config faulty = {.size = sizeof(faulty), .delay_ns = SIM_MS, .rate_bps = 1000000000, .lose = lose_first, .ctx = &lost};

	start(XMIT_VNIC_NO_OFFLOAD, 0);
	connect_pair(false);
	CHECK(xmit_vnic_set(s.dev[0], &faulty) == 0);
	trace();
	send_and_receive(10 * SEGMENT);
	print_and_end("retransmission");
}

static void datagram(const char *path, size_t n)
{
	struct sockaddr_in a = sim_addr(1, 53);

	start(0, 0);
	sender = xmit_socket(s.host[0], AF_INET, SOCK_DGRAM, 0);
	receiver = xmit_socket(s.host[1], AF_INET, SOCK_DGRAM, 0);
	CHECK(xmit_bind(s.host[1], receiver, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(xmit_sendto(s.host[0], sender, bytes, 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1); /* the neighbours get to know each other */
	sim_run(&s, SIM_SEC);
	CHECK(xmit_recv(s.host[1], receiver, bytes, sizeof(bytes), MSG_DONTWAIT) == 1);
	trace();
	CHECK(xmit_sendto(s.host[0], sender, bytes, n, 0, (struct sockaddr *)&a, sizeof(a)) == (ssize_t)n);
	sim_run(&s, SIM_SEC);
	CHECK(xmit_recv(s.host[1], receiver, bytes, sizeof(bytes), MSG_DONTWAIT) == (ssize_t)n);
	print_and_end(path);
}

int main(void)
{
	tcp_path("main", 0, 0, SUPER);
	tcp_path("gso", SG_CSUM, 0, SUPER);
	tcp_path("busy", XMIT_VNIC_NO_OFFLOAD, 8, 64 * SEGMENT);
	handshake();
	retransmission();
	datagram("datagram", 100);
	datagram("fragments", DATAGRAM);
	return 0;
}
