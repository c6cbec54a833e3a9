/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - event registrations by epoll's rules: level, edge, oneshot, exclusive.
 *
 * An eventpoll is itself a file.  Each registration (epitem) is found by (fd, file) in the eventpoll's tree and by file in the file's list.
 * file_wake() puts the registrations that want the event on their eventpoll's ready list, in order of arrival.  Looking at the list asks the
 * file again, so nothing is told that is no longer true; a level-triggered registration that was told goes back to the tail
 * and drops out when a later look finds it not ready.  Registrations do not hold their file: they end with it.
 *
 * Eventpolls are not put into eventpolls (EINVAL), so there are no loops and no depth.
 */
#include "lib/rbtree.h"
#include "vfs/vfs_internal.h"

struct eventpoll {
	struct net *net;
	struct file *file;
	struct rb_root items;       /* by (fd, file) */
	struct list_head ready;     /* epitems that may have something to tell */
	unsigned waiters;           /* xmit_epoll_wait() calls that wait now */
};

struct epitem {
	struct rb_node rb;
	struct hlist_node file_node; /* in file->epitems */
	struct list_head ready_node; /* in ep->ready; empty: not there */
	struct eventpoll *ep;
	struct file *file;
	int fd;
	uint32_t events;             /* as asked, with ERR and HUP; a fired ONESHOT has only the private bits left */
	uint64_t data;
};

#define EP_PRIVATE_BITS ((uint32_t)XMIT_EPOLLET | (uint32_t)XMIT_EPOLLONESHOT | (uint32_t)XMIT_EPOLLEXCLUSIVE)
#define EP_EXCLUSIVE_OK \
	((uint32_t)(XMIT_EPOLLIN | XMIT_EPOLLOUT | XMIT_EPOLLERR | XMIT_EPOLLHUP | XMIT_EPOLLRDNORM | XMIT_EPOLLWRNORM) | \
	 (uint32_t)XMIT_EPOLLET | (uint32_t)XMIT_EPOLLEXCLUSIVE)

static unsigned item_poll(const struct epitem *epi) { return epi->file->ops->poll(epi->file) & epi->events; }

/* --- marking ready -------------------------------------------------------------------------------------------------- */

static void item_ready(struct epitem *epi)
{
	if (!list_empty(&epi->ready_node))
		return;
	list_add_tail(&epi->ready_node, &epi->ep->ready);
	file_wake(epi->ep->file, POLLIN | POLLRDNORM);
}

void eventpoll_wake(struct file *f, unsigned poll_mask)
{
	struct epitem *epi;
	bool exclusive_done = false;

	hlist_for_each_entry(epi, &f->epitems, file_node) {
		if (!(epi->events & ~EP_PRIVATE_BITS & poll_mask))
			continue;
		bool exclusive = epi->events & (uint32_t)XMIT_EPOLLEXCLUSIVE;
		if (exclusive && exclusive_done)
			continue;
		item_ready(epi);
		/* One that somebody waits for is enough; one that nobody waits for must not swallow the event. */
		exclusive_done |= exclusive && epi->ep->waiters;
	}
}

/* --- the tree of registrations ------------------------------------------------------------------------------------------ */

/* By fd; of one fd, reused while a duplicate keeps the old file alive, by file: that order is never seen. */
static int item_cmp(const struct epitem *epi, int fd, const struct file *f)
{
	if (epi->fd != fd)
		return fd < epi->fd ? -1 : 1;
	return epi->file == f ? 0 : (uintptr_t)f < (uintptr_t)epi->file ? -1 : 1;
}

static struct epitem *item_find(struct eventpoll *ep, int fd, const struct file *f)
{
	struct rb_node *n = ep->items.node;

	while (n) {
		struct epitem *epi = container_of(n, struct epitem, rb);
		int c = item_cmp(epi, fd, f);

		if (!c)
			return epi;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static void item_link(struct eventpoll *ep, struct epitem *new)
{
	struct rb_node **link = &ep->items.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = item_cmp(container_of(parent, struct epitem, rb), new->fd, new->file) < 0 ? &parent->left : &parent->right;
	}
	rb_link_node(&new->rb, parent, link);
	rb_insert_color(&new->rb, &ep->items);
}

static void item_remove(struct epitem *epi)
{
	rb_erase(&epi->rb, &epi->ep->items);
	hlist_del_init(&epi->file_node);
	list_del_init(&epi->ready_node);
	kmem_cache_free(epi->ep->net->vfs->epitem_cache, epi);
}

void eventpoll_release_file(struct file *f)
{
	struct epitem *epi, *next;

	hlist_for_each_entry_safe(epi, next, &f->epitems, file_node)
		item_remove(epi);
}

/* --- the eventpoll as a file ---------------------------------------------------------------------------------------------- */

static unsigned ep_poll(struct file *f)
{
	struct eventpoll *ep = f->private_data;
	struct epitem *epi, *next;

	list_for_each_entry_safe(epi, next, &ep->ready, ready_node) {
		if (item_poll(epi))
			return POLLIN | POLLRDNORM;
		list_del_init(&epi->ready_node);
	}
	return 0;
}

static int ep_release(struct file *f)
{
	struct eventpoll *ep = f->private_data;

	while (!rb_empty(&ep->items))
		item_remove(container_of(ep->items.node, struct epitem, rb));
	kmem_cache_free(ep->net->vfs->epoll_cache, ep);
	return 0;
}

static const struct file_operations eventpoll_fops = {.poll = ep_poll, .release = ep_release};

int eventpoll_init(struct net *net)
{
	net->vfs->epoll_cache = kmem_cache_create(net, "eventpoll", sizeof(struct eventpoll), 0);
	if (!net->vfs->epoll_cache)
		return -ENOMEM;
	net->vfs->epitem_cache = kmem_cache_create(net, "epitem", sizeof(struct epitem), 0);
	return net->vfs->epitem_cache ? 0 : -ENOMEM;
}

static int ep_create(struct net *net)
{
	int err = -ENOMEM;
	struct eventpoll *ep = kmem_cache_zalloc(net->vfs->epoll_cache, MEM_NORMAL);

	if (!ep)
		return err;
	ep->net = net;
	list_init(&ep->ready);
	ep->file = alloc_file(net, &eventpoll_fops, ep, 0);
	if (!ep->file)
		goto free_ep;
	err = fd_install_new(net, ep->file, 0);
	if (err < 0)
		fput(ep->file); /* releases ep */
	return err;

free_ep:
	kmem_cache_free(net->vfs->epoll_cache, ep);
	return err;
}

int xmit_epoll_create(xmit_net *net) { return sys_result_int(ep_create(net)); }

/* --- changing registrations ---------------------------------------------------------------------------------------------- */

static int ep_insert(struct eventpoll *ep, struct file *f, int fd, const struct xmit_epoll_event *ev)
{
	struct epitem *epi = kmem_cache_zalloc(ep->net->vfs->epitem_cache, MEM_NORMAL);

	if (!epi)
		return -ENOMEM;
	epi->ep = ep;
	epi->file = f;
	epi->fd = fd;
	epi->events = ev->events | POLLERR | POLLHUP;
	epi->data = ev->data;
	list_init(&epi->ready_node);
	item_link(ep, epi);
	hlist_add_head(&epi->file_node, &f->epitems);
	if (item_poll(epi))
		item_ready(epi);
	return 0;
}

static int ep_modify(struct epitem *epi, const struct xmit_epoll_event *ev)
{
	if (epi->events & (uint32_t)XMIT_EPOLLEXCLUSIVE)
		return -EINVAL;
	epi->events = ev->events | POLLERR | POLLHUP;
	epi->data = ev->data;
	if (item_poll(epi))
		item_ready(epi);
	return 0;
}

static int ep_ctl_file(struct eventpoll *ep, int op, int fd, struct file *f, const struct xmit_epoll_event *ev)
{
	bool exclusive = op != XMIT_EPOLL_CTL_DEL && (ev->events & (uint32_t)XMIT_EPOLLEXCLUSIVE);

	if (f->ops == &eventpoll_fops)
		return -EINVAL;
	if (exclusive && (op == XMIT_EPOLL_CTL_MOD || (ev->events & ~EP_EXCLUSIVE_OK)))
		return -EINVAL;
	struct epitem *epi = item_find(ep, fd, f);
	switch (op) {
	case XMIT_EPOLL_CTL_ADD:
		return epi ? -EEXIST : ep_insert(ep, f, fd, ev);
	case XMIT_EPOLL_CTL_MOD:
		return epi ? ep_modify(epi, ev) : -ENOENT;
	case XMIT_EPOLL_CTL_DEL:
		if (epi)
			item_remove(epi);
		return epi ? 0 : -ENOENT;
	default:
		return -EINVAL;
	}
}

static int ep_ctl(struct net *net, int epfd, int op, int fd, const struct xmit_epoll_event *ev)
{
	int err = -EBADF;

	if (op != XMIT_EPOLL_CTL_DEL && !ev)
		return -EFAULT;
	struct file *epf = fget(net, epfd);
	if (!epf)
		return err;
	struct file *f = fget(net, fd);
	if (!f)
		goto put_epf;
	err = epf->ops == &eventpoll_fops ? ep_ctl_file(epf->private_data, op, fd, f, ev) : -EINVAL;
	fput(f);
put_epf:
	fput(epf);
	return err;
}

int xmit_epoll_ctl(xmit_net *net, int epfd, int op, int fd, const struct xmit_epoll_event *ev)
{
	return sys_result_int(ep_ctl(net, epfd, op, fd, ev));
}

/* --- waiting ---------------------------------------------------------------------------------------------------------------- */

struct ep_wait {
	struct eventpoll *ep;
	struct xmit_epoll_event *ev;
	int max, n;
};

/* Takes up to max events off the ready list; true when there are any. */
static bool ep_collect(void *arg)
{
	struct ep_wait *w = arg;
	struct list_head todo;

	w->n = 0;
	list_init(&todo);
	list_splice_tail_init(&w->ep->ready, &todo);
	while (w->n < w->max && !list_empty(&todo)) {
		struct epitem *epi = list_first_entry(&todo, struct epitem, ready_node);
		unsigned revents = item_poll(epi);

		list_del_init(&epi->ready_node);
		if (!revents)
			continue;
		w->ev[w->n++] = (struct xmit_epoll_event){.events = revents, .data = epi->data};
		if (epi->events & (uint32_t)XMIT_EPOLLONESHOT)
			epi->events &= EP_PRIVATE_BITS;
		else if (!(epi->events & (uint32_t)XMIT_EPOLLET))
			list_add_tail(&epi->ready_node, &w->ep->ready);
	}
	/* What did not fit comes before what was told just now, so that everybody has his turn. */
	list_splice_tail_init(&w->ep->ready, &todo);
	list_splice_tail_init(&todo, &w->ep->ready);
	return w->n > 0;
}

static int ep_wait_file(struct net *net, struct file *epf, struct xmit_epoll_event *ev, int max, int timeout_ms)
{
	if (epf->ops != &eventpoll_fops)
		return -EINVAL;
	struct ep_wait w = {.ep = epf->private_data, .ev = ev, .max = max};

	net_clock_update(net);
	w.ep->waiters++;
	int err = vfs_wait(net, poll_deadline(net, timeout_ms), ep_collect, &w);
	w.ep->waiters--;
	return err < 0 ? err : w.n;
}

int xmit_epoll_wait(xmit_net *net, int epfd, struct xmit_epoll_event *ev, int max, int timeout_ms)
{
	if (max <= 0 || (size_t)max > INT32_MAX / sizeof(*ev))
		return sys_result_int(-EINVAL);
	if (!ev)
		return sys_result_int(-EFAULT);
	struct file *epf = fget(net, epfd);
	if (!epf)
		return sys_result_int(-EBADF);
	int n = ep_wait_file(net, epf, ev, max, timeout_ms);
	fput(epf);
	return sys_result_int(n);
}
