/* SPDX-License-Identifier: MIT */
/*
 * supervisor.c - the event loop that joins a program's placeholders to the stack.
 *
 * One thread, one epoll.  It waits for: notifications of trapped calls (notify.c); our ends of the placeholders (stream.c, dgram.c); the
 * descriptors of the stack's devices; signals (launch.c).  Whatever happens to an object puts it on the work list; a round pumps each
 * object on the list once, with a bounded amount of data, then repeats the held calls that wait for it.  Then the stack has its turn
 * (xmit_poll), whose callbacks put objects on the list again.  The time-out is the stack's next deadline or the next of our own looks:
 * held calls for signals (20 ms), closing connections (10 ms), listeners and other silent placeholders for being closed.
 *
 * The supervisor ends with the command, like the first process of a container: processes that the command left behind lose the stack.
 * Before that, connections that were closed finish sending: up to 5 seconds.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "xmit/trace.h"

/*
 * How long connections that the command closed may go on sending.  It is the same when the device is gone: to TCP that is silence, which on a link that
 * is down for a moment ends, and no public call tells the one from the other.  It costs these seconds once, at the end, and only with bytes unsent.
 */
#define LINGER_NS (5 * NSEC_PER_SEC)
#define SIGNAL_LOOK_NS (20 * NSEC_PER_MSEC)
#define CLOSING_LOOK_NS (10 * NSEC_PER_MSEC)
#define LISTENER_SWEEP_NS (200 * NSEC_PER_MSEC)
#define NAMED_SWEEP_NS (1 * NSEC_PER_SEC)
#define SYN_TEST_NS (1 * NSEC_PER_MSEC)
#define POLL_PACKETS 16 /* received at once: no more datagrams than a default receive buffer holds before they are moved on */
#define POLLS 8         /* of the stack between two looks at the program */

uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

void warn_once(bool *done, const char *text)
{
	if (!*done)
		fprintf(stderr, "xmit: %s\n", text);
	*done = true;
}

int source_add(struct supervisor *sup, int fd, uint32_t events, struct source *src)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	return epoll_ctl(sup->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void source_del(struct supervisor *sup, int fd)
{
	epoll_ctl(sup->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void schedule(struct supervisor *sup, struct object *o)
{
	if (!o->gone && list_empty(&o->work_node))
		list_add_tail(&o->work_node, &sup->work);
}

/* A close goes before what was written to other sockets after it. */
static void schedule_first(struct supervisor *sup, struct object *o)
{
	if (o->gone)
		return;
	list_del_init(&o->work_node);
	list_add(&o->work_node, &sup->work);
}

void end_changed(struct supervisor *sup, struct object *o, uint32_t events)
{
	if (o->gone)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		o->in_ready = true;
	if (events & EPOLLHUP)
		o->hup = true;
	if (events & EPOLLOUT)
		o->down_blocked = false;
	if (o->hup)
		schedule_first(sup, o);
	else
		schedule(sup, o);
}

static void pump(struct supervisor *sup, struct object *o)
{
	if (o->kind != OBJ_STREAM)
		dgram_pump(sup, o);
	else if (o->state == ST_LISTEN)
		listen_offer(sup, o);
	else if (o->state == ST_CONNECTING)
		connect_progress(sup, o);
	else if (o->state == ST_LINKED)
		stream_pump(sup, o);
}

static void run_work(struct supervisor *sup)
{
	struct list_head batch;

	list_init(&batch);
	list_splice_tail_init(&sup->work, &batch);
	while (!list_empty(&batch)) {
		struct object *o = list_first_entry(&batch, struct object, work_node);
		list_del_init(&o->work_node);
		pump(sup, o);
		if (!o->gone)
			held_retry(sup, o);
	}
	object_bury(sup);
}

/* A packet may have been a SYN for a listener that was closed meanwhile: it must be refused. */
static void device_ready(struct supervisor *sup, struct source *src, uint32_t events)
{
	(void)src, (void)events;
	if (!sup->n_listeners || sup->now_ns < sup->last_listener_test_ns + SYN_TEST_NS)
		return;
	sup->last_listener_test_ns = sup->now_ns;
	sweep_named(sup, true);
}

/* Makes epoll wait for what the devices wait for now. */
static void sync_device_fds(struct supervisor *sup)
{
	struct pollfd fds[ARRAY_SIZE(sup->device_fds)];
	int n = xmit_poll_fds(sup->net, fds, (int)ARRAY_SIZE(fds));

	n = MIN(MAX(n, 0), (int)ARRAY_SIZE(fds));
	if (n == sup->n_device_fds) {
		bool same = true;
		for (int i = 0; i < n; i++)
			same = same && fds[i].fd == sup->device_fds[i].fd && fds[i].events == sup->device_fds[i].events;
		if (same)
			return;
	}
	for (int i = 0; i < sup->n_device_fds; i++)
		source_del(sup, sup->device_fds[i].fd);
	for (int i = 0; i < n; i++) {
		struct epoll_event ev = { .events = (uint32_t)(uint16_t)fds[i].events, .data.ptr = &sup->device_src };
		if (epoll_ctl(sup->epoll_fd, EPOLL_CTL_ADD, fds[i].fd, &ev) < 0 && errno == EEXIST)
			epoll_ctl(sup->epoll_fd, EPOLL_CTL_MOD, fds[i].fd, &ev);
		sup->device_fds[i] = fds[i];
	}
	sup->n_device_fds = n;
}

static void look_around(struct supervisor *sup)
{
	uint64_t now = sup->now_ns;

	held_expire(sup);
	if (now >= sup->next_signal_look_ns) {
		held_look_for_signals(sup);
		sup->next_signal_look_ns = now + SIGNAL_LOOK_NS;
	}
	if (now >= sup->next_walk_ns) {
		walk_check(sup);
		closing_check(sup);
		sup->next_walk_ns = now + CLOSING_LOOK_NS;
	}
	if (now >= sup->next_sweep_ns) {
		sweep_named(sup, false);
		sup->next_sweep_ns = now + (sup->n_listeners ? LISTENER_SWEEP_NS : NAMED_SWEEP_NS);
	}
	while (sup->n_dead > DEAD_KEPT)
		object_free(sup, list_first_entry(&sup->dead, struct object, offered_node));
	object_bury(sup);
}

static uint64_t next_look(const struct supervisor *sup)
{
	uint64_t t = MIN(xmit_next_deadline(sup->net), held_next_deadline(sup));

	t = MIN(t, sup->until_ns);
	if (!list_empty(&sup->held))
		t = MIN(t, sup->next_signal_look_ns);
	if (!list_empty(&sup->closing) || (sup->walk_cookie && !sup->walk_text))
		t = MIN(t, sup->next_walk_ns);
	if (!list_empty(&sup->named))
		t = MIN(t, sup->next_sweep_ns);
	if (sup->trace)
		t = MIN(t, trace_out_next_look(sup));
	return t;
}

/* A connection that the program closed, and whose bytes are still in the placeholder. */
static bool draining(const struct supervisor *sup)
{
	const struct object *o;

	if (!list_empty(&sup->closing) || !list_empty(&sup->work))
		return true;
	list_for_each_entry(o, &sup->all, all_node)
		if (o->kind == OBJ_STREAM && o->state == ST_LINKED && o->hup)
			return true;
	return false;
}

static void wait_for_events(struct supervisor *sup, bool more)
{
	struct epoll_event ev[64];
	struct timespec ts = { 0, 0 }, *timeout = &ts;
	bool ended = sup->until_ns != XMIT_NEVER && !draining(sup); /* this round was the last */
	uint64_t next = more || sup->ending || ended || !list_empty(&sup->work) ? 0 : next_look(sup);

	if (next == XMIT_NEVER)
		timeout = NULL;
	else if (next > (sup->now_ns = monotonic_ns())) {
		ts.tv_sec = (time_t)((next - sup->now_ns) / NSEC_PER_SEC);
		ts.tv_nsec = (long)((next - sup->now_ns) % NSEC_PER_SEC);
	}
	int n = (int)syscall(SYS_epoll_pwait2, sup->epoll_fd, ev, (int)ARRAY_SIZE(ev), timeout, NULL, (size_t)8);
	sup->now_ns = monotonic_ns();
	for (int i = 0; i < n; i++) {
		struct source *src = ev[i].data.ptr;
		src->ready(sup, src, ev[i].events);
	}
}

static void round_once(struct supervisor *sup)
{
	run_work(sup);
	int more = 1;
	for (int i = 0; i < POLLS && more > 0; i++) {
		more = xmit_poll(sup->net, POLL_PACKETS);
		run_work(sup);
	}
	look_around(sup);
	sync_device_fds(sup);
	if (sup->trace)
		trace_out_round(sup);
	wait_for_events(sup, more > 0);
}

/* --- the end --- */

static void finish(struct supervisor *sup)
{
	uint64_t until = monotonic_ns() + LINGER_NS;

	sup->ending = true; /* what ended with the command is reported by now: rounds do not wait for more */
	round_once(sup);
	round_once(sup);
	sup->ending = false;
	sup->until_ns = until;
	while (draining(sup) && monotonic_ns() < until)
		round_once(sup);
	while (!list_empty(&sup->all))
		object_free(sup, list_first_entry(&sup->all, struct object, all_node));
	object_bury(sup);
	for (int i = 0; i < 100 && xmit_poll(sup->net, 0) > 0; i++)
		;
}

/* --- setting up --- */

int frontend_check(char *why, size_t why_len)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;
	struct utsname u;
	unsigned major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) {
		snprintf(why, why_len, "this kernel (%s) has no seccomp user notification; xmit run needs Linux 6.9 or newer with "
			 "CONFIG_SECCOMP_FILTER", u.release);
		return -1;
	}
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | (1UL << 5), NULL) < 0 && errno == EINVAL) {
		snprintf(why, why_len, "this kernel (%s) lacks SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19); xmit run needs Linux "
			 "6.9 or newer", u.release);
		return -1;
	}
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)syscall(SYS_gettid), O_EXCL /* PIDFD_THREAD */);
	if (fd < 0 && errno == EINVAL) {
		snprintf(why, why_len, "this kernel (%s) lacks pidfd_open with PIDFD_THREAD; xmit run needs Linux 6.9 or newer", u.release);
		return -1;
	}
	if (fd >= 0)
		close(fd);
	if (major < 6 || (major == 6 && minor < 9)) {
		snprintf(why, why_len, "xmit run needs Linux 6.9 or newer, this is %s", u.release);
		return -1;
	}
	return 0;
}

static int open_link_listener(struct supervisor *sup)
{
	struct sockaddr_un un;
	socklen_t len = abstract_name(sup, 'l', 0, &un);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&un, len) < 0 || listen(fd, 64) < 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void raise_fd_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static int supervisor_open(struct supervisor *sup, const struct frontend_config *config)
{
	sup->net = config->net;
	sup->config = config;
	sup->notify_fd = sup->signal_fd = sup->link_fd = sup->scratch_fd = sup->info_fd = -1;
	list_init(&sup->all);
	list_init(&sup->work);
	list_init(&sup->named);
	list_init(&sup->dead);
	list_init(&sup->graveyard);
	list_init(&sup->held);
	list_init(&sup->closing);
	sup->device_src.ready = device_ready;
	sup->notify_src.ready = notify_ready;
	sup->signal_src.ready = launch_signals_ready;
	sup->until_ns = XMIT_NEVER;
	sup->nl_next_pid = UINT32_C(0xfffff000);
	if (getrandom(sup->key, sizeof(sup->key), 0) != (ssize_t)sizeof(sup->key))
		return -EIO;
	sup->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	sup->bounce = malloc(2 * BOUNCE_BYTES);
	if (sup->epoll_fd < 0 || !sup->bounce)
		return -ENOMEM;
	sup->pump_bounce = sup->bounce + BOUNCE_BYTES;
	sup->info_fd = xmit_socket(sup->net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	sup->link_fd = open_link_listener(sup);
	return sup->link_fd < 0 ? sup->link_fd : 0;
}

static void supervisor_close(struct supervisor *sup)
{
	int fds[] = { sup->epoll_fd, sup->notify_fd, sup->signal_fd, sup->link_fd, sup->scratch_fd };

	held_free_all(sup);
	closing_free_all(sup);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (size_t i = 0; i < PIDFD_CACHE; i++)
		if (sup->pidfds[i].tid)
			close(sup->pidfds[i].fd);
	if (sup->info_fd >= 0)
		xmit_close(sup->net, sup->info_fd);
	launch_restore_signals();
	free(sup->bounce);
	free(sup->notif);
	free(sup->resp);
	free(sup);
}

int frontend_run(const struct frontend_config *config, struct frontend_result *result, char *why, size_t why_len)
{
	struct supervisor *sup = calloc(1, sizeof(*sup));

	memset(result, 0, sizeof(*result));
	if (!sup) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	int rc = supervisor_open(sup, config);
	if (rc < 0) {
		snprintf(why, why_len, "cannot set up the supervisor: %s", strerror(-rc));
		rc = -1;
		goto out;
	}
	rc = launch(sup, config->argv, result, why, why_len);
	if (rc < 0)
		goto out;
	raise_fd_limit();
	if (config->trace && trace_out_open(sup) < 0)
		warn_once(&(bool){ false }, "out of memory: the trace is printed at the end only");
	while (!sup->command_gone)
		round_once(sup);
	finish(sup);
	result->wait_status = sup->wait_status;
	result->walk = sup->walk_text;
	if (sup->trace)
		result->trace_next = trace_out_close(sup);
out:
	supervisor_close(sup);
	return rc;
}
