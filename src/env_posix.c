/* SPDX-License-Identifier: MIT */
/*
 * env_posix.c - the default clock, random source, memory, waiting and log of an instance: the only place (with the drivers) where
 * the library makes system calls.  A caller who hands in his own struct xmit_env replaces any of them.
 */
#include "env_posix.h"
#include "lib/compiler.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_ALIGN = 256 << 10, HUGE_PAGE = 2 << 20, HUGE_LEAST = 8 << 20, WAIT_FDS_MAX = 64 };

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static uint64_t posix_now(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_MONOTONIC);
}

static uint64_t posix_realtime(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

/* Secrets depend on this: without a random source the process must not go on. */
static void posix_random(void *ctx, void *buf, size_t n)
{
	uint8_t *p = buf;
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

	(void)ctx;
	ASSERT(fd >= 0);
	while (n) {
		ssize_t got = read(fd, p, n);
		if (got < 0 && errno == EINTR)
			continue;
		ASSERT(got > 0);
		p += got;
		n -= (size_t)got;
	}
	close(fd);
}

/*
 * A stack in full transfer walks through megabytes of pages, and its copies then wait for the TLB more than for memory: so most of a large
 * arena lies in huge pages, where the host has them for the asking.  Not what every instance touches, the book-keeping at the start (less
 * than 1/64) with the first blocks behind it and the tables at the end: many instances that do little cost what they touch and no more.
 */
static size_t before_huge_pages(size_t n) { return n < HUGE_LEAST ? 0 : ALIGN_UP(n / 64 + HUGE_PAGE / 4, (size_t)ARENA_ALIGN); }

static void ask_for_huge_pages(uint8_t *start, size_t n)
{
#ifdef MADV_HUGEPAGE
	size_t lead = before_huge_pages(n);

	if (lead)
		madvise(start + lead, n - lead - HUGE_PAGE, MADV_HUGEPAGE);
#else
	(void)start;
	(void)n;
#endif
}

/* mmap has no alignment: reserve more and give the ends back. */
static void *posix_reserve(void *ctx, size_t n)
{
	size_t lead = before_huge_pages(n), align = lead ? HUGE_PAGE : ARENA_ALIGN;
	uint8_t *p = mmap(NULL, n + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)ctx;
	if (p == MAP_FAILED)
		return NULL;
	uint8_t *start = (uint8_t *)ALIGN_UP((uintptr_t)p + lead, (uintptr_t)align) - lead;
	size_t before = (size_t)(start - p);
	if (before)
		munmap(p, before);
	munmap(start + n, align - before);
	ask_for_huge_pages(start, n);
	return start;
}

static void posix_release(void *ctx, void *p, size_t n)
{
	(void)ctx;
	munmap(p, n);
}

static void posix_discard(void *ctx, void *p, size_t n)
{
	(void)ctx;
#ifdef MADV_DONTNEED
	madvise(p, n, MADV_DONTNEED);
#else
	(void)p;
	(void)n;
#endif
}

static int posix_wait(void *ctx, xmit_net *net, uint64_t until_ns)
{
	struct pollfd fds[WAIT_FDS_MAX];
	int n = xmit_poll_fds(net, fds, WAIT_FDS_MAX);
	uint64_t now = xmit_now(net);
	int timeout = -1;

	(void)ctx;
	if (until_ns <= now)
		timeout = 0;
	else if (until_ns != XMIT_NEVER) {
		uint64_t ms = (until_ns - now + 999999) / 1000000;
		timeout = ms > INT32_MAX ? INT32_MAX : (int)ms;
	}
	if (poll(fds, (nfds_t)MIN(n, WAIT_FDS_MAX), timeout) < 0 && errno == EINTR)
		return -EINTR;
	return 0;
}

static void posix_log(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "xmit: %s\n", line);
}

void env_fill_defaults(struct xmit_env *env)
{
#define DEFAULT(member, fn) \
	if (!env->member) \
	env->member = fn
	DEFAULT(now_ns, posix_now);
	DEFAULT(realtime_ns, posix_realtime);
	DEFAULT(random, posix_random);
	/* The two belong together: memory from one's own reserve is never unmapped by ours. */
	if (!env->reserve) {
		env->reserve = posix_reserve;
		env->release = posix_release;
		env->discard = posix_discard;
	}
	DEFAULT(wait, posix_wait);
	DEFAULT(log, posix_log);
#undef DEFAULT
}

void *env_alloc_instance(size_t n)
{
	return calloc(1, n);
}

void env_free_instance(void *p, size_t n)
{
	(void)n;
	free(p);
}
