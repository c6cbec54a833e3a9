/* SPDX-License-Identifier: MIT */
/*
 * adapter.c - libxmit-packetdrill.so: packetdrill's scripts against an instance of xmit instead of the kernel.  doc/packetdrill.md tells its use.
 *
 * packetdrill calls a table of functions (interface.h).  Behind it stand
 *
 *   calls.c transfer.c  the system calls          clock.c        virtual time, and the thread that blocks
 *   netdev.c            packets in and out        descriptors.c  host descriptors that stand for sockets
 *   namespace.c likeness.c metrics.c  what the script's commands did to its network namespace: sysctls, tun0, routes, qdisc, metrics
 *   counters.c          nstat's files             interpose.c    libc's names, by LD_PRELOAD
 *
 * One instance, one interface, one clock.  packetdrill locks all its memory (mlockall), so the arena is small and taken out of that again.
 */
#include "adapter.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_ALIGN = 256 << 10, END_TRIES = 1000, END_PAUSE_NS = 1000000 };
#define MEMORY_BYTES ((size_t)128 << 20)

struct adapter *packetdrill_adapter;

/* --- what the instance gets ----------------------------------------------------------------------------------------- */

/* splitmix64: the same seed, the same run. */
static void random_bytes(void *ctx, void *buf, size_t n)
{
	struct adapter *a = ctx;
	uint8_t *p = buf;

	while (n) {
		uint64_t z = a->random += UINT64_C(0x9e3779b97f4a7c15);
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		z ^= z >> 31;
		size_t k = n < sizeof(z) ? n : sizeof(z);
		memcpy(p, &z, k);
		p += k;
		n -= k;
	}
}

/* Not to be read or written first, so that locking does not fetch it whole. */
static void *reserve(void *ctx, size_t n)
{
	uint8_t *p = mmap(NULL, n + ARENA_ALIGN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)ctx;
	if (p == MAP_FAILED)
		return NULL;
	uint8_t *start = (uint8_t *)(((uintptr_t)p + ARENA_ALIGN - 1) & ~(uintptr_t)(ARENA_ALIGN - 1));
	size_t before = (size_t)(start - p);
	if (before)
		munmap(p, before);
	munmap(start + n, ARENA_ALIGN - before);
	munlock(start, n);
	if (mprotect(start, n, PROT_READ | PROT_WRITE)) {
		munmap(start, n);
		return NULL;
	}
	return start;
}

static void release(void *ctx, void *p, size_t n)
{
	(void)ctx;
	munmap(p, n);
}

static void discard(void *ctx, void *p, size_t n)
{
	(void)ctx;
	madvise(p, n, MADV_DONTNEED);
}

static void say(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "xmit-packetdrill: %s\n", line);
}

static xmit_net *make_net(struct adapter *a)
{
	const struct xmit_config c = {
		.size = sizeof(c),
		.memory_bytes = MEMORY_BYTES,
		.max_files = FDS_MOST,
		.env = {.size = sizeof(c.env), .ctx = a, .now_ns = clock_now, .realtime_ns = clock_now, .random = random_bytes, .reserve = reserve,
			.release = release, .discard = discard, .wait = clock_wait, .log = say},
	};

	return xmit_net_new(&c);
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

/* Threads that still wait in a call return from it with EINTR.  False: one does not. */
static bool end_calls(struct adapter *a)
{
	const struct timespec pause = {0, END_PAUSE_NS};
	bool busy = true;

	for (int i = 0; i < END_TRIES && busy; i++) {
		pthread_mutex_lock(&a->lock);
		a->ending = true;
		busy = a->sleepers || a->woken;
		pthread_cond_broadcast(&a->moved);
		pthread_mutex_unlock(&a->lock);
		if (busy)
			nanosleep(&pause, NULL);
	}
	return !busy;
}

static void pd_free(void *userdata)
{
	struct adapter *a = userdata;

	if (!a || !end_calls(a))
		return; /* a thread stands in the instance: the process ends with both */
	packetdrill_adapter = NULL;
	for (int fd = 0; fd < FDS_MOST; fd++)
		if (a->shown[fd])
			close(a->shown[fd]);
	counters_free(a);
	xmit_net_free(a->net);
	interface_free(a);
	free(a);
}

/* --- the beginning ------------------------------------------------------------------------------------------------------ */

static void die(const char *what)
{
	fprintf(stderr, "xmit-packetdrill: %s\n", what);
	exit(EXIT_FAILURE);
}

static void fill_table(struct packetdrill_interface *t, struct adapter *a)
{
	memset(t, 0, sizeof(*t));
	t->userdata = a;
	t->free = pd_free;
	t->netdev_send = pd_netdev_send;
	t->netdev_receive = pd_netdev_receive;
	t->usleep = pd_usleep;
	t->gettimeofday = pd_gettimeofday;
	calls_fill(t);
	transfers_fill(t);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table)
{
	struct adapter *a = calloc(1, sizeof(*a));
	char why[400];

	if (!a)
		die("no memory");
	if (!flags_parse(&a->flags, flags, why, sizeof(why)))
		die(why);
	a->random = a->flags.seed;
	clock_init(a);
	a->net = make_net(a);
	if (!a->net) {
		snprintf(why, sizeof(why), "no instance: %s", strerror(errno));
		die(why);
	}
	namespace_init(a);
	if (interface_init(a)) {
		snprintf(why, sizeof(why), "no interface: %s (--so_flags=%s)", strerror(errno), flags ? flags : "");
		die(why);
	}
	counters_init(a);
	fill_table(table, a);
	packetdrill_adapter = a;
}
