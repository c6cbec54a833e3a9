/* SPDX-License-Identifier: MIT */
/*
 * notify.c - trapped calls: receiving, dispatching, answering, and those that wait.
 *
 * A handler (sys_*) gets the call with its descriptor's duplicate and object, and returns the result, -errno, or one of CALL_*.  A call that
 * must wait is held: nothing of it is kept but the notification, and the handler is simply run anew when its object has changed, until it has
 * an answer, its time is over, or the caller is gone (asked of the kernel in each look) or has a signal to take.
 *
 * Signals: the filter is installed with WAIT_KILLABLE_RECV, because without it an interrupted caller repeats or loses calls that we have
 * carried out already.  The price is that a held caller does not wake for signals.  So held callers are looked at every 20 ms: one that has a
 * pending signal which it does not block is answered ERESTARTSYS (512), upon which the kernel delivers the signal and, by the
 * rules of SA_RESTART, repeats the call or returns EINTR, just as from accept() itself.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ERESTARTSYS_KERNEL 512 /* known to the kernel's signal code alone, never seen by a program */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#define LOOKS_PER_ROUND 64
#define LOOKS_PER_RETRY 10

static const struct {
	int nr;
	bool socket_first; /* the first argument is a descriptor */
	long (*fn)(struct supervisor *sup, struct call *c);
} handlers[] = {
	{ SYS_socket, false, sys_socket },
	{ SYS_bind, true, sys_bind },
	{ SYS_connect, true, sys_connect },
	{ SYS_listen, true, sys_listen },
	{ SYS_accept, true, sys_accept },
	{ SYS_accept4, true, sys_accept },
	{ SYS_getsockname, true, sys_getsockname },
	{ SYS_getpeername, true, sys_getpeername },
	{ SYS_setsockopt, true, sys_setsockopt },
	{ SYS_getsockopt, true, sys_getsockopt },
	{ SYS_sendto, true, sys_sendto },
	{ SYS_recvfrom, true, sys_recvfrom },
	{ SYS_sendmsg, true, sys_sendmsg },
	{ SYS_recvmsg, true, sys_recvmsg },
	{ SYS_sendmmsg, true, sys_sendmmsg },
	{ SYS_recvmmsg, true, sys_recvmmsg },
	{ SYS_ioctl, true, sys_ioctl },
};

int notify_open(struct supervisor *sup, int listener_fd)
{
	struct seccomp_notif_sizes sizes;

	sup->notify_fd = listener_fd;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return -errno;
	sup->notif_size = MAX(sizes.seccomp_notif, sizeof(*sup->notif));
	sup->resp_size = MAX(sizes.seccomp_notif_resp, sizeof(*sup->resp));
	sup->notif = calloc(1, sup->notif_size);
	sup->resp = calloc(1, sup->resp_size);
	if (!sup->notif || !sup->resp)
		return -ENOMEM;
	/* Both sides wake on the same CPU: a third less time per call.  Linux 6.6; without it all works, slower. */
	(void)ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return source_add(sup, listener_fd, EPOLLIN, &sup->notify_src);
}

bool notify_valid(struct supervisor *sup, const struct call *c)
{
	uint64_t id = c->req.id;

	return ioctl(sup->notify_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static int respond(struct supervisor *sup, uint64_t id, long result)
{
	struct seccomp_notif_resp *r = sup->resp;

	memset(r, 0, sup->resp_size);
	r->id = id;
	if (result == CALL_CONTINUE)
		r->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (result < 0)
		r->error = (int32_t)result;
	else
		r->val = result;
	return ioctl(sup->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, r) < 0 ? -errno : 0;
}

int notify_addfd(struct supervisor *sup, struct call *c, int fd, bool cloexec)
{
	struct seccomp_notif_addfd a = { .id = c->req.id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)fd,
					 .newfd_flags = cloexec ? O_CLOEXEC : 0 };
	int number = ioctl(sup->notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a);

	return number < 0 ? -errno : number;
}

int notify_replace_fd(struct supervisor *sup, struct call *c, int fd, int number, bool cloexec)
{
	struct seccomp_notif_addfd a = { .id = c->req.id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = (uint32_t)fd,
					 .newfd = (uint32_t)number, .newfd_flags = cloexec ? O_CLOEXEC : 0 };

	return ioctl(sup->notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a) < 0 ? -errno : 0;
}

uint64_t socket_timeout(int fd, int option)
{
	struct timeval tv = { 0, 0 };
	socklen_t len = sizeof(tv);

	if (getsockopt(fd, SOL_SOCKET, option, &tv, &len) < 0)
		return 0;
	return (uint64_t)tv.tv_sec * NSEC_PER_SEC + (uint64_t)tv.tv_usec * 1000;
}

long call_again(struct call *c, int flags, int option)
{
	if (c->nonblock || (flags & MSG_DONTWAIT))
		return -EAGAIN;
	c->timeout_ns = socket_timeout(c->dup, option);
	c->timeout_error = EAGAIN;
	return CALL_HOLD;
}

/* --- held calls --- */

static void held_free(struct held *h)
{
	list_del_init(&h->all_node);
	list_del_init(&h->wait_node);
	if (h->status_fd >= 0)
		close(h->status_fd);
	free(h);
}

static int hold(struct supervisor *sup, struct call *c)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOBUFS;
	h->req = c->req;
	h->obj = c->obj;
	h->status_fd = -1;
	h->deadline_ns = c->timeout_ns ? sup->now_ns + c->timeout_ns : XMIT_NEVER;
	h->timeout_error = c->timeout_error;
	h->done = c->done;
	if (list_empty(&sup->held))
		sup->next_signal_look_ns = sup->now_ns;
	list_add_tail(&h->all_node, &sup->held);
	list_add_tail(&h->wait_node, &c->obj->waiters);
	return 0;
}

/* The call ends unfinished: what it has done counts, not what stopped it. */
static void end_held(struct supervisor *sup, struct held *h, long error)
{
	respond(sup, h->req.id, h->done ? (long)h->done : error);
	held_free(h);
}

/* By a signal or its time-out. */
static void send_away(struct supervisor *sup, struct held *h, long error)
{
	if (h->req.data.nr == SYS_connect && h->obj)
		connect_left(sup, h->obj);
	end_held(sup, h, error);
}

/* It goes on waiting; for another object if its descriptor has become another one meanwhile. */
static void hold_on(struct call *c)
{
	c->held->obj = c->obj;
	c->held->done = c->done;
	list_add_tail(&c->held->wait_node, &c->obj->waiters);
}

static void run_call(struct supervisor *sup, struct call *c)
{
	long result = CALL_CONTINUE;

	c->dup = -1;
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		if (handlers[i].nr != c->req.data.nr)
			continue;
		result = handlers[i].socket_first ? object_of_call(sup, c) : 0;
		if (result == 0)
			result = handlers[i].socket_first && !c->obj && c->req.data.nr != SYS_ioctl ? CALL_CONTINUE :
				 handlers[i].fn(sup, c);
		break;
	}
	if (c->dup >= 0)
		close(c->dup);
	if (result == CALL_HOLD) {
		if (c->held) {
			hold_on(c);
			return;
		}
		int rc = hold(sup, c);
		if (rc == 0)
			return;
		result = rc;
	}
	if (result != CALL_DONE)
		respond(sup, c->req.id, result < 0 && c->done ? (long)c->done : result);
	if (c->held)
		held_free(c->held);
}

/* h leaves its object's list while it runs: whoever ends the object must not end it too. */
static void repeat(struct supervisor *sup, struct held *h)
{
	struct call c = { .req = h->req, .held = h, .done = h->done };

	list_del_init(&h->wait_node);
	if (!notify_valid(sup, &c))
		held_free(h);
	else
		run_call(sup, &c);
}

void held_retry(struct supervisor *sup, struct object *o)
{
	struct list_head batch;

	if (o->state == ST_LISTEN && !o->n_offered)
		return;
	list_init(&batch);
	list_splice_tail_init(&o->waiters, &batch);
	while (!list_empty(&batch)) {
		struct held *h = list_first_entry(&batch, struct held, wait_node);
		if (!o->gone) {
			repeat(sup, h);
			continue;
		}
		end_held(sup, h, -EBADF);
	}
}

void held_fail(struct supervisor *sup, struct object *o, int error)
{
	while (!list_empty(&o->waiters)) {
		end_held(sup, list_first_entry(&o->waiters, struct held, wait_node), -error);
	}
}

void held_expire(struct supervisor *sup)
{
	struct held *h, *next;

	list_for_each_entry_safe(h, next, &sup->held, all_node) {
		if (h->deadline_ns > sup->now_ns)
			continue;
		send_away(sup, h, -h->timeout_error);
	}
}

uint64_t held_next_deadline(const struct supervisor *sup)
{
	const struct held *h;
	uint64_t t = XMIT_NEVER;

	list_for_each_entry(h, &sup->held, all_node)
		t = MIN(t, h->deadline_ns);
	return t;
}

static uint64_t signal_set(const char *status, const char *key)
{
	const char *p = strstr(status, key);

	return p ? strtoull(p + strlen(key), NULL, 16) : 0;
}

static bool signal_pending(struct held *h)
{
	char path[40], status[2048];

	if (h->status_fd < 0) {
		snprintf(path, sizeof(path), "/proc/%u/status", h->req.pid);
		h->status_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	ssize_t n = pread(h->status_fd, status, sizeof(status) - 1, 0);
	if (n <= 0)
		return false;
	status[n] = '\0';
	return ((signal_set(status, "\nSigPnd:\t") | signal_set(status, "\nShdPnd:\t")) & ~signal_set(status, "\nSigBlk:\t")) != 0;
}

void held_look_for_signals(struct supervisor *sup)
{
	for (int i = 0; i < LOOKS_PER_ROUND && !list_empty(&sup->held); i++) {
		struct held *h = list_first_entry(&sup->held, struct held, all_node);
		struct call c = { .req = h->req };

		list_del_init(&h->all_node); /* the next look begins with another */
		list_add_tail(&h->all_node, &sup->held);
		if (!notify_valid(sup, &c))
			held_free(h);
		else if (signal_pending(h)) {
			/* A call with a time-out is not repeated by the kernel: its time would begin anew. */
			send_away(sup, h, h->deadline_ns == XMIT_NEVER ? -ERESTARTSYS_KERNEL : -EINTR);
		} else if (++h->looks % LOOKS_PER_RETRY == 0 && !list_empty(&h->wait_node)) {
			repeat(sup, h); /* a shutdown() of its socket raises no event */
		}
	}
}

void held_free_all(struct supervisor *sup)
{
	struct held *h, *next;

	list_for_each_entry_safe(h, next, &sup->held, all_node)
		held_free(h);
}

void notify_ready(struct supervisor *sup, struct source *src, uint32_t events)
{
	struct call c = { .held = NULL };

	(void)src;
	if (!(events & EPOLLIN)) { /* HUP: nobody runs under the filter any more */
		source_del(sup, sup->notify_fd);
		return;
	}
	memset(sup->notif, 0, sup->notif_size);
	if (ioctl(sup->notify_fd, SECCOMP_IOCTL_NOTIF_RECV, sup->notif) < 0)
		return; /* ENOENT: the caller was killed meanwhile */
	c.req = *sup->notif;
	run_call(sup, &c);
}
