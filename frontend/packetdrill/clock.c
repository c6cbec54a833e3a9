/* SPDX-License-Identifier: MIT */
/*
 * clock.c - the virtual clock, and who may move it.
 *
 * Theory of operation.  packetdrill has two threads.  The main one ("the driver") plays the script: it sleeps to the next event, sends packets,
 * waits for packets and makes the calls that return at once.  The other makes the calls that the script says block.  The clock is ours:
 *
 *  - Only the driver moves it: by usleep(), by waiting for a packet (netdev.c), by a call that waits after all, and a little by each reading.  It moves
 *    from event to event: the instance's next deadline, or the end of a sleeper's patience, whichever is first (drive()).
 *  - A thread that must wait inside a blocking call lets go of the lock and sleeps in the kernel, where packetdrill looks for it (/proc).
 *    It wakes at each event, looks at its condition (vfs_wait() does that), and sleeps again or leaves.
 *  - The driver goes on only when every thread that it woke has settled, and one that left its call has gone to sleep elsewhere: so
 *    the outcome does not depend on how fast the machine schedules threads.
 *
 * The instance is never entered by two threads: one lock is held by whoever is inside.  A sleeper's call is suspended at the same place where a
 * blocking call of a single-threaded program runs the instance, so others may enter meanwhile.
 *
 * A thread that slept reads from gettimeofday(), once, the time at which its call ended, for the driver may be further by then.
 */
#include "adapter.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The epoch is of no account; it is a fixed one, so that runs are alike. */
#define EPOCH_NS (UINT64_C(1700000000) * NSEC_PER_SEC)
#define READING_NS UINT64_C(1000)   /* what a reading of the clock takes */
#define CALL_NS UINT64_C(1000)      /* what a system call takes */
enum {
	POLLS_MOST = 100000,        /* rounds of work at one moment: more would be a loop */
	SETTLE_SECONDS = 10,        /* of real time, for woken threads: a guard, not a wait */
	ASLEEP_TRIES = 2000,
	ASLEEP_PAUSE_NS = 20000,
	REAL_PAUSE_NS = 20000,      /* the driver's real sleep within usleep(), so that the other thread gets to its call */
};

/* Of the thread that runs. */
static _Thread_local struct {
	bool woken;         /* counted in adapter.woken */
	bool slept;         /* in the call that it makes */
	uint64_t ended_ns;  /* when the last call in which it slept ended, not yet told; 0: none */
} self;

static bool is_driver(const struct adapter *a) { return pthread_equal(a->driver, pthread_self()); }

void clock_init(struct adapter *a)
{
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->moved, NULL);
	pthread_cond_init(&a->settled, NULL);
	a->driver = pthread_self();
	atomic_store(&a->now_ns, EPOCH_NS);
}

uint64_t clock_now(void *ctx)
{
	struct adapter *a = ctx;

	return atomic_load(&a->now_ns);
}

static void move_to(struct adapter *a, uint64_t ns)
{
	uint64_t now = atomic_load(&a->now_ns);

	while (now < ns && !atomic_compare_exchange_weak(&a->now_ns, &now, ns))
		;
}

/* --- sleepers -------------------------------------------------------------------------------------------------- */

static void settled(struct adapter *a)
{
	if (!self.woken)
		return;
	self.woken = false;
	a->woken--;
	pthread_cond_broadcast(&a->settled);
}

static int sleep_until_moved(struct adapter *a, uint64_t until_ns)
{
	struct sleeper me = {.next = a->sleepers, .until_ns = until_ns, .tid = (int)syscall(SYS_gettid)};
	uint64_t round = a->round;

	a->sleepers = &me;
	self.slept = true;
	settled(a);
	while (a->round == round && !a->ending)
		pthread_cond_wait(&a->moved, &a->lock);
	for (struct sleeper **p = &a->sleepers; *p; p = &(*p)->next) {
		if (*p == &me) {
			*p = me.next;
			break;
		}
	}
	self.woken = true;
	return a->ending ? -EINTR : 0;
}

/* The third field of a thread's stat is S when it sleeps; its name, in brackets before, may hold anything. */
static bool is_asleep(int tid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true; /* it ended */
	ssize_t n = read(fd, text, sizeof(text) - 1);
	syscall(SYS_close, fd);
	if (n <= 0)
		return true;
	text[n] = 0;
	const char *end = strrchr(text, ')');
	return !end || end[1] != ' ' || end[2] != 'R';
}

/* A thread that left its call tells packetdrill before the clock goes on. */
static void await_asleep(int tid)
{
	const struct timespec pause = {0, ASLEEP_PAUSE_NS};

	for (int i = 0; i < ASLEEP_TRIES && !is_asleep(tid); i++)
		nanosleep(&pause, NULL);
}

/*
 * It may have to wait for a lock of packetdrill's that the driver holds just now, and go on when the driver lets go of it: so the
 * driver looks again each time it is about to let time pass.
 */
static void await_left(const struct adapter *a)
{
	if (a->left_tid && is_driver(a))
		await_asleep(a->left_tid);
}

static void wake_sleepers(struct adapter *a)
{
	struct timespec limit;

	if (!a->sleepers)
		return;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += SETTLE_SECONDS;
	for (struct sleeper *s = a->sleepers; s; s = s->next)
		a->woken++;
	a->round++;
	pthread_cond_broadcast(&a->moved);
	while (a->woken)
		if (pthread_cond_timedwait(&a->settled, &a->lock, &limit) == ETIMEDOUT)
			break;
	await_left(a);
}

/* --- moving ---------------------------------------------------------------------------------------------------- */

static void run_due(struct adapter *a)
{
	for (int i = 0; i < POLLS_MOST && xmit_poll(a->net, 0) > 0; i++)
		;
}

void settle(struct adapter *a)
{
	run_due(a);
	for (int i = 0; i < POLLS_MOST && a->sleepers; i++) {
		wake_sleepers(a);
		run_due(a);
		if (xmit_next_deadline(a->net) > atomic_load(&a->now_ns))
			break;
	}
}

static uint64_t next_event(struct adapter *a)
{
	uint64_t next = xmit_next_deadline(a->net);

	for (const struct sleeper *s = a->sleepers; s; s = s->next)
		if (s->until_ns < next)
			next = s->until_ns;
	return next;
}

void drive(struct adapter *a, uint64_t target_ns, bool (*stop)(struct adapter *a))
{
	await_left(a);
	for (;;) {
		settle(a);
		uint64_t now = atomic_load(&a->now_ns), next = next_event(a);
		if ((stop && stop(a)) || now >= target_ns)
			return;
		if (next <= now)
			next = now + READING_NS; /* it was due and is not done: never stand still */
		move_to(a, next < target_ns ? next : target_ns);
	}
}

/* A call of the driver's own that has to wait: time passes as it does for a program that waits.  For ever is -EINTR. */
static int drive_once(struct adapter *a, uint64_t until_ns)
{
	uint64_t next = next_event(a);

	wake_sleepers(a);
	if (next > until_ns)
		next = until_ns;
	if (next == XMIT_NEVER)
		return -EINTR;
	move_to(a, next);
	return 0;
}

int clock_wait(void *ctx, xmit_net *net, uint64_t until_ns)
{
	struct adapter *a = ctx;

	(void)net;
	return is_driver(a) ? drive_once(a, until_ns) : sleep_until_moved(a, until_ns);
}

/* --- calls ----------------------------------------------------------------------------------------------------- */

void enter(struct adapter *a)
{
	pthread_mutex_lock(&a->lock);
	atomic_fetch_add(&a->now_ns, CALL_NS);
	namespace_look(a);
}

long leave(struct adapter *a, long r)
{
	int err = errno;

	if (is_driver(a))
		settle(a);
	else
		run_due(a);
	counters_write(a);
	if (self.slept) {
		self.slept = false;
		self.ended_ns = atomic_load(&a->now_ns);
		a->left_tid = (int)syscall(SYS_gettid);
	}
	settled(a);
	pthread_mutex_unlock(&a->lock);
	errno = err;
	return r;
}

int pd_usleep(void *userdata, useconds_t usec)
{
	struct adapter *a = userdata;
	const struct timespec pause = {0, REAL_PAUSE_NS};

	nanosleep(&pause, NULL);
	pthread_mutex_lock(&a->lock);
	namespace_look(a);
	drive(a, atomic_load(&a->now_ns) + usec * NSEC_PER_USEC, NULL);
	counters_write(a);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

int pd_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
	struct adapter *a = userdata;
	uint64_t ns = self.ended_ns;

	(void)tz;
	self.ended_ns = 0;
	if (!ns)
		ns = atomic_fetch_add(&a->now_ns, READING_NS) + READING_NS;
	tv->tv_sec = (time_t)(ns / NSEC_PER_SEC);
	tv->tv_usec = (suseconds_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
	return 0;
}
