/* SPDX-License-Identifier: MIT */
/*
 * ready.c - readiness on its way up to the user: callbacks, epoll registrations, and waiting for them.
 *
 * A sock that changed calls sk_wake; the socket layer turns that into file_wake(file, events).  Registrations of epoll are marked at once;
 * a file with a callback goes on the ready list, once, with all events of the meantime merged, and READY_SOFTIRQ calls
 * back last of all softirqs.  An event that is no longer true by then is not told.  The file is held during its callback.
 */
#include "dev/softirq.h"
#include "vfs/vfs_internal.h"

void file_wake(struct file *f, unsigned poll_mask)
{
	if (!hlist_empty(&f->epitems))
		eventpoll_wake(f, poll_mask);
	if (!f->cb)
		return;
	f->ready_events |= poll_mask;
	if (list_empty(&f->ready_node)) {
		list_add_tail(&f->ready_node, &f->net->vfs->ready);
		raise_softirq(f->net, READY_SOFTIRQ);
	}
}

/* No callback any more. */
void ready_forget(struct file *f)
{
	f->cb = NULL;
	f->ready_events = 0;
	list_del_init(&f->ready_node);
}

static void call_back(struct file *f)
{
	struct net *net = f->net;
	unsigned now = f->ops->poll(f), told = f->ready_events;
	bool nested = net->in_user_callback;

	f->ready_events = 0;
	/* With an error or hang-up the user wants to see the whole state: a read or write will tell more. */
	if (!(told & (POLLERR | POLLHUP)))
		now &= told;
	if (!now)
		return;
	f->count++;
	net->in_user_callback = true;
	f->cb(net, f->cb_fd, now, f->cb_ctx);
	net->in_user_callback = nested;
	fput(f);
}

static int ready_action(struct net *net, int budget)
{
	struct list_head *ready = &net->vfs->ready;
	int done = 0;

	for (; done < budget && !list_empty(ready); done++) {
		struct file *f = list_first_entry(ready, struct file, ready_node);

		list_del_init(&f->ready_node);
		call_back(f);
	}
	if (!list_empty(ready))
		raise_softirq(net, READY_SOFTIRQ);
	return done;
}

int ready_init(struct net *net)
{
	open_softirq(net, READY_SOFTIRQ, ready_action);
	return 0;
}

static int set_event_cb(struct net *net, int fd, xmit_event_cb cb, void *ctx)
{
	struct file *f = fget(net, fd);

	if (!f)
		return -EBADF;
	ready_forget(f);
	if (cb) {
		f->cb = cb;
		f->cb_fd = fd;
		f->cb_ctx = ctx;
		unsigned now = f->ops->poll(f); /* what is true already is told too, as with a new epoll registration */
		if (now)
			file_wake(f, now);
	}
	fput(f);
	return 0;
}

int xmit_set_event_cb(xmit_net *net, int fd, xmit_event_cb cb, void *ctx)
{
	net_clock_update(net);
	return sys_result_int(set_event_cb(net, fd, cb, ctx));
}

uint64_t poll_deadline(const struct net *net, int timeout_ms)
{
	return timeout_ms < 0 ? TIME_NEVER : net->now_ns + (uint64_t)timeout_ms * NSEC_PER_MSEC;
}

enum { WAIT_BUDGET = 300 }; /* packets between two looks at the condition */

int vfs_wait(struct net *net, uint64_t deadline_ns, bool (*cond)(void *arg), void *arg)
{
	if (cond(arg))
		return 1;
	for (;;) {
		if (net->now_ns >= deadline_ns)
			return 0;
		if (net->in_poll || net->in_user_callback || !net->env.wait)
			return -EAGAIN;
		bool more = net->run_softirqs(net, WAIT_BUDGET);
		net_clock_update(net);
		if (cond(arg)) /* once each time: it may take what it finds */
			return 1;
		if (more)
			continue;
		uint64_t next = net->next_deadline(net);
		int err = net->env.wait(net->env.ctx, net, MIN(next, deadline_ns));
		net_clock_update(net);
		if (err)
			return err;
	}
}
