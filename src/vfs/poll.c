/* SPDX-License-Identifier: MIT */
/* poll.c - poll() over descriptors of the instance. */
#include "vfs/vfs_internal.h"

struct poll_call {
	struct net *net;
	struct pollfd *fds;
	unsigned n;
	int ready; /* entries with revents */
};

static short poll_one(struct net *net, const struct pollfd *p)
{
	if (p->fd < 0)
		return 0;
	struct file *f = fget(net, p->fd);
	if (!f)
		return POLLNVAL;
	unsigned mask = f->ops->poll(f) & ((unsigned)(unsigned short)p->events | POLLERR | POLLHUP);
	fput(f);
	return (short)mask;
}

static bool poll_all(void *arg)
{
	struct poll_call *c = arg;

	c->ready = 0;
	for (unsigned i = 0; i < c->n; i++) {
		c->fds[i].revents = poll_one(c->net, &c->fds[i]);
		c->ready += c->fds[i].revents != 0;
	}
	return c->ready > 0;
}

int xmit_poll_sockets(xmit_net *net, struct pollfd *fds, unsigned n, int timeout_ms)
{
	struct poll_call c = {.net = net, .fds = fds, .n = n};

	if (n > net->vfs->max_files)
		return sys_result_int(-EINVAL);
	if (n && !fds)
		return sys_result_int(-EFAULT);
	net_clock_update(net);
	int err = vfs_wait(net, poll_deadline(net, timeout_ms), poll_all, &c);
	return sys_result_int(err < 0 ? err : c.ready);
}
