/* SPDX-License-Identifier: MIT */
/*
 * test_recovery_cost.c - what an adversary's SACKs cost: skbs and tree nodes that loss recovery looks at (netns_tcp.recovery_work), for each ACK, as
 * the retransmit queue grows.  Segments of 48 bytes, each an skb of its own; the peer acknowledges nothing and SACKs as it pleases.
 *
 * Work may grow as the depth of the tree does, not as the queue.
 */
#include "core/net.h"
#include "tcp/tcp_internal.h"
#include "test.h"
#include "vfs/vfs_internal.h"
#include "wire_peer.h"
#include <netinet/in.h>

enum { SEG = 48, MOST = 8192, BLOCKS = 3 };
static struct wire_peer peer;
static uint8_t frame[256];
static uint32_t una, first_ecr; /* the stream's first byte; the host's timestamp before any retransmission */

/* MSS 60, of which the timestamp takes 12; SACK; timestamps; window scale 7. */
static const uint8_t syn_options[] = {2, 4, 0, 60, 4, 2, 8, 10, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 1, 3, 3, 7};

static struct sock *sk_of_peer(void)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(peer.net, peer.conn_fd, &f, &err);

	assert_non_null(sock);
	fput(f);
	return sock->sk;
}

/* n segments in flight, each sent at its own time. */
static struct tcp_sock *fill(unsigned n)
{
	static const uint8_t bytes[SEG];
	int one = 1, room = 64 << 20;

	wire_init(&peer, 5, 96 << 20, 0);
	assert_int_equal(xmit_sysctl_set(peer.net, "net.ipv4.tcp_congestion_control", "reno", NULL, 0), 0);
	assert_true(wire_establish(&peer, 4000, syn_options, sizeof(syn_options)));
	assert_int_equal(xmit_setsockopt(peer.net, peer.conn_fd, IPPROTO_TCP, XMIT_TCP_NODELAY, &one, sizeof(one)), 0);
	assert_int_equal(xmit_setsockopt(peer.net, peer.conn_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	struct tcp_sock *tp = tcp_sk(sk_of_peer());
	sk_of_peer()->sk_sndbuf = room;
	tp->snd_cwnd = tp->snd_ssthresh = 2 * MOST;
	una = tp->snd_una;
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(xmit_send(peer.net, peer.conn_fd, bytes, SEG, 0), SEG);
		if (i % 16 == 15)
			wire_run(&peer, 10000);
	}
	wire_settle(&peer);
	assert_int_equal(tp->packets_out, n);
	first_ecr = peer.conn.ts_ecr;
	return tp;
}

static unsigned put_block(uint8_t *o, unsigned segment, unsigned segments)
{
	wire_put32(o, una + segment * SEG);
	wire_put32(o + 4, una + (segment + segments) * SEG);
	return 8;
}

/* An ACK of `acked` bytes with these blocks of `segments` segments each. */
static void sack(const unsigned *first, unsigned segments, uint32_t acked)
{
	struct wire_tcp t = peer.conn;
	uint8_t o[40];

	t.ts_ecr = first_ecr;
	wire_timestamp(&t, o);
	o[12] = o[13] = 1;
	o[14] = 5;
	o[15] = 2 + 8 * BLOCKS;
	for (unsigned i = 0; i < BLOCKS; i++)
		put_block(o + 16 + 8 * i, first[i], segments);
	t.rcv_nxt = una + acked;
	wire_input(&peer, frame, wire_tcp(&peer, frame, &t, WIRE_ACK, o, sizeof(o), 0));
}

typedef unsigned (*pick_fn)(unsigned n, unsigned ack, unsigned nr, uint64_t *seed);

static unsigned pick_random(unsigned n, unsigned ack, unsigned nr, uint64_t *seed)
{
	(void)ack;
	(void)nr;
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return 1 + (unsigned)(*seed >> 33) % (n - 2);
}

static unsigned pick_every_second_upwards(unsigned n, unsigned ack, unsigned nr, uint64_t *seed)
{
	(void)seed;
	return 1 + 2 * (ack * BLOCKS + nr) % (n - 2);
}

static unsigned pick_every_second_downwards(unsigned n, unsigned ack, unsigned nr, uint64_t *seed)
{
	(void)seed;
	return n - 2 - 2 * (ack * BLOCKS + nr) % (n - 3);
}

/* The same three blocks far apart, again and again, and one that moves. */
static unsigned pick_far_apart(unsigned n, unsigned ack, unsigned nr, uint64_t *seed)
{
	(void)seed;
	return nr == 0 ? n - 2 : nr == 1 ? n / 2 : 1 + 2 * ack % (n - 3);
}

enum attack { HOLES, WAITING /* all within the reordering window */, UNDO /* each ACK also moves on by a segment, and echoes an old timestamp */ };

/* Work for each ACK, of as many ACKs as there are segments. */
static double work_per_ack(unsigned n, enum attack attack, pick_fn pick, unsigned segments)
{
	struct tcp_sock *tp = fill(n);
	uint64_t before, seed = 1, work;

	if (attack == WAITING) {
		tp->reord_seen = 1;
		tp->srtt_us = 8 * 60000000u;
		tp->rtt_min_us = 240000000;
	} else {
		wire_run(&peer, 30 * SIM_MS);
	}
	before = ((struct net *)peer.net)->tcp->recovery_work;
	for (unsigned ack = 0; ack < n; ack++) {
		unsigned first[BLOCKS];
		for (unsigned i = 0; i < BLOCKS; i++)
			first[i] = pick(n, ack, i, &seed);
		sack(first, segments, attack == UNDO ? ack / 4 * SEG : 0);
		if (ack % 8 == 7)
			wire_run(&peer, 20000);
	}
	work = ((struct net *)peer.net)->tcp->recovery_work - before;
	assert_true(tp->sacked_out > n / 8); /* the blocks were believed */
	assert_true(work > n);
	wire_exit(&peer);
	return (double)work / n;
}

/* 16 times the queue: its tree is 4 levels deeper, which each search feels, and nothing else may. */
static void flat(enum attack attack, pick_fn pick, unsigned segments, const char *what)
{
	double small = work_per_ack(512, attack, pick, segments), large = work_per_ack(MOST, attack, pick, segments);

	printf("# %s: %.1f looks for each ACK with 512 segments in flight, %.1f with %d\n", what, small, large, MOST);
	assert_true(large < 1.7 * small);
}

static void random_holes_cost_the_same_in_a_long_queue(void **state)
{
	(void)state;
	flat(HOLES, pick_random, 1, "random single segments");
	flat(HOLES, pick_random, 40, "random long blocks");
}

static void every_second_segment_costs_the_same_in_a_long_queue(void **state)
{
	(void)state;
	flat(HOLES, pick_every_second_upwards, 1, "every second segment, upwards");
	flat(HOLES, pick_every_second_downwards, 1, "every second segment, downwards");
	flat(HOLES, pick_far_apart, 1, "far apart");
}

static void waiting_for_reordering_costs_the_same_in_a_long_queue(void **state)
{
	(void)state;
	flat(WAITING, pick_random, 1, "within the reordering window");
	flat(WAITING, pick_every_second_downwards, 1, "within the reordering window, downwards");
}

static void undoing_costs_the_same_in_a_long_queue(void **state)
{
	(void)state;
	flat(UNDO, pick_random, 1, "old timestamps");
	flat(UNDO, pick_every_second_downwards, 1, "old timestamps, downwards");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_holes_cost_the_same_in_a_long_queue),
		cmocka_unit_test(every_second_segment_costs_the_same_in_a_long_queue),
		cmocka_unit_test(waiting_for_reordering_costs_the_same_in_a_long_queue),
		cmocka_unit_test(undoing_costs_the_same_in_a_long_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
