/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - what an adversary's segments cost, as the queue that they stir grows: CPU time a packet, from the frame's arrival to the last frame that
 * answers it.
 *
 *	hostile [ROUNDS [random|second|islands QUEUE]]
 *
 * SACKs: n segments of 48 bytes are in flight, each an skb of its own; the peer acknowledges nothing, and SACKs three single segments in each ACK, at random or
 * every second one.  Out of order: n one-byte islands wait in the receive queue, and more come at random places between them.  A row an attack: medians
 * of ROUNDS (25) runs, of the second 64 of 128 packets each: so few that each still tells something new of the shortest queue.  The frames are made before the clock starts; what the harness does with each answer is in the time.
 */
#include "core/net.h"
#include "tcp/tcp_internal.h"
#include "vfs/vfs_internal.h"
#include "wire_peer.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SEG = 48, PACKETS = 128, TIMED = PACKETS / 2, BLOCKS = 3, FRAME_MOST = 160, ROUNDS_MOST = 99 };
static const unsigned lengths[] = {1024, 4096, 16384};
enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]) };

/* MSS 60, of which the timestamp takes 12; SACK; timestamps; window scale 7. */
static const uint8_t syn_options[] = {2, 4, 0, 60, 4, 2, 8, 10, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 1, 3, 3, 7};

static struct wire_peer peer;
static uint8_t frames[PACKETS][FRAME_MOST];
static size_t frame_len[PACKETS];
static uint64_t seed;

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "hostile: %s\n", what);
	exit(1);
}

static unsigned below(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((seed >> 33) % n);
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A connection whose buffers hold whatever comes. */
static struct sock *connection(void)
{
	struct file *f;
	int err, one = 1;

	wire_init(&peer, 5, (size_t)192 << 20, 0);
	need(xmit_sysctl_set(peer.net, "net.ipv4.tcp_congestion_control", "reno", NULL, 0) == 0, "no reno");
	need(wire_establish(&peer, 4000, syn_options, sizeof(syn_options)), "no connection");
	need(xmit_setsockopt(peer.net, peer.conn_fd, IPPROTO_TCP, XMIT_TCP_NODELAY, &one, sizeof(one)) == 0, "no TCP_NODELAY");
	struct socket *sock = sockfd_lookup_light(peer.net, peer.conn_fd, &f, &err);
	need(sock, "no socket");
	fput(f);
	sock->sk->sk_sndbuf = sock->sk->sk_rcvbuf = 128 << 20;
	return sock->sk;
}

static void give(unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		wire_input(&peer, frames[i], frame_len[i]);
		if (i % 8 == 7)
			wire_run(&peer, 20000);
	}
}

/* By itself, so that callgrind can count its instructions (--toggle-collect=give_timed). */
__attribute__((noinline)) static void give_timed(void) { give(PACKETS - TIMED, TIMED); }

/* Gives the host the frames; CPU time of each of the second half in ns: the first SACK declares all lost that lies below, once for all. */
static double play(void)
{
	give(0, PACKETS - TIMED);
	double t0 = cpu_ns();
	give_timed();
	return (cpu_ns() - t0) / TIMED;
}

typedef unsigned (*pick_fn)(unsigned n, unsigned i);
static unsigned pick_random(unsigned n, unsigned i) { (void)i; return 1 + below(n - 2); }
static unsigned pick_second(unsigned n, unsigned i) { return 1 + 2 * i % (n - 2); }

static double sacks(unsigned n, pick_fn pick)
{
	static const uint8_t bytes[SEG];
	struct tcp_sock *tp = tcp_sk(connection());
	uint32_t una = tp->snd_una;
	uint8_t o[12 + 4 + 8 * BLOCKS];

	tp->snd_cwnd = tp->snd_ssthresh = 2 * n;
	for (unsigned i = 0; i < n; i++) {
		need(xmit_send(peer.net, peer.conn_fd, bytes, SEG, 0) == SEG, "the send buffer is full");
		if (i % 16 == 15)
			wire_run(&peer, 10000);
	}
	wire_settle(&peer);
	need(tp->packets_out == n, "not all is in flight");
	wire_run(&peer, 30 * SIM_MS);
	struct wire_tcp t = peer.conn;
	t.rcv_nxt = una;
	wire_timestamp(&t, o);
	o[12] = o[13] = 1;
	o[14] = 5;
	o[15] = 2 + 8 * BLOCKS;
	for (unsigned i = 0; i < PACKETS; i++) {
		for (unsigned b = 0; b < BLOCKS; b++) {
			uint32_t at = una + pick(n, i * BLOCKS + b) * SEG;
			wire_put32(o + 16 + 8 * b, at);
			wire_put32(o + 20 + 8 * b, at + SEG);
		}
		frame_len[i] = wire_tcp(&peer, frames[i], &t, WIRE_ACK, o, sizeof(o), 0);
	}
	double ns = play();
	need(tp->sacked_out > PACKETS, "the blocks were not believed");
	wire_exit(&peer);
	return ns;
}

static double random_sacks(unsigned n) { return sacks(n, pick_random); }
static double second_sacks(unsigned n) { return sacks(n, pick_second); }

/* Places in a random order, each once, with a byte's gap between any two. */
static void shuffle(uint32_t *place, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		place[i] = 1 + 2 * i;
	for (unsigned i = n - 1; i; i--) {
		unsigned j = below(i + 1);
		uint32_t t = place[i];
		place[i] = place[j];
		place[j] = t;
	}
}

static double islands(unsigned n)
{
	static uint32_t place[16384 + PACKETS];
	struct tcp_sock *tp = tcp_sk(connection());
	struct wire_tcp t = peer.conn;
	uint8_t o[12];

	wire_timestamp(&t, o);
	shuffle(place, n + PACKETS);
	for (unsigned i = 0; i < n; i++) {
		uint8_t f[FRAME_MOST];
		t.snd_nxt = peer.conn.snd_nxt + place[i];
		wire_input(&peer, f, wire_tcp(&peer, f, &t, WIRE_ACK, o, sizeof(o), 1));
	}
	for (unsigned i = 0; i < PACKETS; i++) {
		t.snd_nxt = peer.conn.snd_nxt + place[n + i];
		frame_len[i] = wire_tcp(&peer, frames[i], &t, WIRE_ACK, o, sizeof(o), 1);
	}
	double ns = play();
	need(tp->rcv_ooopack >= n / 2, "the islands were not kept");
	wire_exit(&peer);
	return ns;
}

static int by_value(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static const struct {
	const char *name, *what;
	double (*run)(unsigned n);
} attacks[] = {
	{"random", "SACKs of three random segments", random_sacks},
	{"second", "SACKs of every second segment", second_sacks},
	{"islands", "one-byte segments out of order", islands},
};
enum { ATTACKS = sizeof(attacks) / sizeof(attacks[0]) };

static double median(double (*run)(unsigned n), unsigned n, unsigned rounds)
{
	double ns[ROUNDS_MOST];

	for (unsigned r = 0; r < rounds; r++) {
		seed = r + 1;
		ns[r] = run(n);
	}
	qsort(ns, rounds, sizeof(ns[0]), by_value);
	return ns[rounds / 2];
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 25, queue = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

	need(rounds && rounds <= ROUNDS_MOST && queue <= lengths[LENGTHS - 1], "usage: hostile [ROUNDS [random|second|islands QUEUE]]");
	printf("%-34s", "ns of CPU a packet, queue of");
	for (unsigned i = 0; i < (queue ? 1 : LENGTHS); i++)
		printf(" %8u", queue ? queue : lengths[i]);
	for (unsigned a = 0; a < ATTACKS; a++) {
		if (queue && strcmp(argv[2], attacks[a].name) != 0)
			continue;
		printf("\n%-34s", attacks[a].what);
		for (unsigned i = 0; i < (queue ? 1 : LENGTHS); i++)
			printf(" %8.0f", median(attacks[a].run, queue ? queue : lengths[i], rounds));
	}
	printf("\n");
	return 0;
}
