/* SPDX-License-Identifier: MIT */
/*
 * object.c - the program's sockets: finding, naming and ending them.
 *
 * An object is found by the SO_COOKIE of its placeholder, which survives dup, fork, exec, descriptor passing and close_range: each call
 * fetches a duplicate of its descriptor (pidfd_getfd through a cached thread pidfd), reads the cookie and looks it up.  What is not in the
 * table is the kernel's affair.
 *
 * Nothing tells us when an unconnected or listening placeholder is closed.  So each is bound to an abstract name of its own, and
 * binding a scratch socket to the same name tells whether it lives: EADDRINUSE.  That is asked on a bind conflict, when packets may
 * have brought a SYN (listeners only) and in a slow sweep.  The placeholder of an accepted connection has no name of its own; its end is
 * seen at the other end.
 *
 * An object that ends while events of this round may still point at it goes to the graveyard and is freed after the round.
 */
#include "supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static struct hlist_head *bucket(struct supervisor *sup, uint64_t cookie)
{
	return &sup->objects[(cookie * UINT64_C(0x9e3779b97f4a7c15)) >> 52 & (OBJECT_BUCKETS - 1)];
}

struct object *object_new(struct supervisor *sup, enum object_kind kind, int sfd)
{
	struct object *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->sup = sup;
	o->kind = kind;
	o->sfd = sfd;
	o->end = o->last_fd = o->accepting = -1;
	o->origins_tail = &o->origins;
	list_init(&o->work_node);
	list_init(&o->named_node);
	list_init(&o->offered_node);
	list_init(&o->offered);
	list_init(&o->waiters);
	list_add_tail(&o->all_node, &sup->all);
	return o;
}

void object_close_end(struct object *o)
{
	if (o->end < 0)
		return;
	close(o->end); /* epoll forgets it: nobody else holds it */
	o->end = -1;
}

void listen_ended(struct supervisor *sup, struct object *o)
{
	sup->n_listeners--;
	while (!list_empty(&o->offered))
		object_free(sup, list_first_entry(&o->offered, struct object, offered_node));
}

static void close_stack_socket(struct supervisor *sup, struct object *o)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	xmit_set_event_cb(sup->net, o->sfd, NULL, NULL);
	if (o->state == ST_OFFERED) /* never accepted: reset, as when a listener is closed */
		xmit_setsockopt(sup->net, o->sfd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	xmit_close(sup->net, o->sfd);
	o->sfd = -1;
}

void object_free(struct supervisor *sup, struct object *o)
{
	if (o->gone)
		return;
	o->gone = true;
	if (o->state == ST_DEAD)
		sup->n_dead--;
	if (o->state == ST_LISTEN)
		listen_ended(sup, o);
	if (o->listener) {
		o->listener->n_offered--;
		o->listener = NULL;
	}
	held_fail(sup, o, EBADF);
	object_close_end(o);
	if (o->sfd >= 0)
		close_stack_socket(sup, o);
	dgram_free(o);
	hlist_del_init(&o->hash_node);
	list_del_init(&o->work_node);
	list_del_init(&o->named_node);
	list_del_init(&o->offered_node);
	list_del_init(&o->all_node);
	list_add_tail(&o->all_node, &sup->graveyard);
}

void object_bury(struct supervisor *sup)
{
	struct object *o, *next;

	list_for_each_entry_safe(o, next, &sup->graveyard, all_node)
		free(o);
	list_init(&sup->graveyard);
}

struct object *object_by_cookie(struct supervisor *sup, uint64_t cookie)
{
	struct object *o;

	hlist_for_each_entry(o, bucket(sup, cookie), hash_node)
		if (o->cookie == cookie)
			return o;
	return NULL;
}

static bool cookie_of(int fd, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &len) == 0;
}

void object_set_cookie(struct supervisor *sup, struct object *o, int fd)
{
	struct stat st;

	if (!cookie_of(fd, &o->cookie))
		return;
	o->inode = fstat(fd, &st) == 0 ? st.st_ino : 0;
	hlist_add_head(&o->hash_node, bucket(sup, o->cookie));
}

void object_rehash(struct supervisor *sup, struct object *o, int fd)
{
	hlist_del_init(&o->hash_node);
	object_set_cookie(sup, o, fd);
}

/* --- descriptors of the program --- */

static int thread_pidfd(struct supervisor *sup, pid_t tid, bool fresh)
{
	unsigned slot = (unsigned)tid % PIDFD_CACHE;

	if (sup->pidfds[slot].tid == tid && !fresh)
		return sup->pidfds[slot].fd;
	int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
	if (fd < 0)
		return -errno;
	if (sup->pidfds[slot].tid)
		close(sup->pidfds[slot].fd);
	sup->pidfds[slot].tid = tid;
	sup->pidfds[slot].fd = fd;
	return fd;
}

int fetch_fd(struct supervisor *sup, pid_t tid, int fd)
{
	for (int fresh = 0; fresh < 2; fresh++) {
		int pidfd = thread_pidfd(sup, tid, fresh);
		if (pidfd < 0)
			return pidfd;
		int dup = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		if (dup >= 0)
			return dup;
		if (errno != ESRCH) /* ESRCH: the thread ended, and its number may live again */
			return -errno;
	}
	return -ESRCH;
}

int object_of_call(struct supervisor *sup, struct call *c)
{
	static const char text[] = "a program is not dumpable, so its sockets cannot be reached; run xmit as root or in a user namespace "
				   "(unshare -Urn)";
	uint64_t cookie;
	int flags, fd = (int)c->req.data.args[0];

	c->dup = fetch_fd(sup, (pid_t)c->req.pid, fd);
	if (c->dup == -EPERM)
		warn_once(&sup->warned_eperm, text);
	if (c->dup < 0)
		return c->dup == -EBADF ? -EBADF : 0;
	if (!cookie_of(c->dup, &cookie))
		return 0;
	c->obj = object_by_cookie(sup, cookie);
	if (!c->obj)
		return 0;
	c->obj->last_tid = (pid_t)c->req.pid;
	c->obj->last_fd = fd;
	flags = fcntl(c->dup, F_GETFL);
	c->nonblock = flags >= 0 && (flags & O_NONBLOCK);
	return 0;
}

static int fetch_verified(struct supervisor *sup, struct object *o, pid_t tid, int fd)
{
	uint64_t cookie;
	int dup = fetch_fd(sup, tid, fd);

	if (dup < 0)
		return -1;
	if (cookie_of(dup, &cookie) && cookie == o->cookie)
		return dup;
	close(dup);
	return -1;
}

static int search_process(struct supervisor *sup, struct object *o, pid_t pid, const char *want)
{
	char path[64], link[64];
	struct dirent *e;
	int found = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	if (!dir)
		return -1;
	while (found < 0 && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		if (!strcmp(link, want))
			found = fetch_verified(sup, o, pid, atoi(e->d_name));
		if (found >= 0) {
			o->last_tid = pid;
			o->last_fd = atoi(e->d_name);
		}
	}
	closedir(dir);
	return found;
}

int object_fetch(struct supervisor *sup, struct object *o)
{
	char want[64];
	struct dirent *e;
	int found = -1;

	if (o->last_fd >= 0)
		found = fetch_verified(sup, o, o->last_tid, o->last_fd);
	if (found >= 0 || !o->inode)
		return found;
	snprintf(want, sizeof(want), "socket:[%llu]", (unsigned long long)o->inode);
	DIR *dir = opendir("/proc");
	if (!dir)
		return -1;
	while (found < 0 && (e = readdir(dir)))
		if (e->d_name[0] > '0' && e->d_name[0] <= '9' && atoi(e->d_name) != getpid())
			found = search_process(sup, o, atoi(e->d_name), want);
	closedir(dir);
	return found;
}

/* --- names and life --- */

/* 16 digits. */
static char *put_hex(char *p, uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	return p;
}

socklen_t abstract_name(const struct supervisor *sup, char what, uint64_t serial, struct sockaddr_un *un)
{
	char *p = un->sun_path + 1;

	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(p, "xmit-", 5);
	p = put_hex(put_hex(p + 5, sup->key[0]), sup->key[1]);
	*p++ = '-';
	*p++ = what;
	return (socklen_t)(put_hex(p, serial) - (char *)un);
}

uint64_t abstract_serial(const struct supervisor *sup, char what, const struct sockaddr_un *un, socklen_t len)
{
	struct sockaddr_un expect;
	char digits[17];
	socklen_t full = abstract_name(sup, what, 0, &expect);

	if (len != full || memcmp(un->sun_path, expect.sun_path, full - offsetof(struct sockaddr_un, sun_path) - 16))
		return 0;
	memcpy(digits, un->sun_path + full - offsetof(struct sockaddr_un, sun_path) - 16, 16);
	digits[16] = '\0';
	return strtoull(digits, NULL, 16);
}

void set_sndbuf(int fd, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int placeholder_new(struct supervisor *sup, struct object *o, int flags)
{
	struct sockaddr_un un;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (flags & SOCK_NONBLOCK), 0);

	if (fd < 0)
		return -errno;
	uint64_t name = ++sup->next_name;
	if (bind(fd, (struct sockaddr *)&un, abstract_name(sup, 'p', name, &un)) < 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	o->name = name;
	if (list_empty(&o->named_node))
		list_add_tail(&o->named_node, &sup->named);
	set_sndbuf(fd, SNDBUF_FROM_PROGRAM);
	return fd;
}

bool placeholder_alive(struct supervisor *sup, struct object *o)
{
	struct sockaddr_un un;
	socklen_t len = abstract_name(sup, 'p', o->name, &un);

	if (sup->scratch_fd < 0)
		sup->scratch_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sup->scratch_fd < 0 || bind(sup->scratch_fd, (struct sockaddr *)&un, len) < 0)
		return true;
	close(sup->scratch_fd); /* it has a name now, and that of a closed socket */
	sup->scratch_fd = -1;
	return false;
}

void sweep_named(struct supervisor *sup, bool listeners_only)
{
	struct object *o, *next;

	list_for_each_entry_safe(o, next, &sup->named, named_node) {
		if (listeners_only && o->state != ST_LISTEN) /* listeners stand first */
			break;
		if ((o->state == ST_LISTEN || o->end < 0) && !placeholder_alive(sup, o))
			object_free(sup, o); /* takes with it only objects without a name: next stays */
	}
}
