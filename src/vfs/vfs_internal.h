/* SPDX-License-Identifier: MIT */
/* vfs_internal.h - the file layer's state of an instance, and what its files call of each other. */
#ifndef XMIT_VFS_VFS_INTERNAL_H
#define XMIT_VFS_VFS_INTERNAL_H

#include "socket/socket.h"
#include "vfs/file.h"

enum {
	FDS_PER_CHUNK = 256,
	MAX_RW_COUNT = 0x7ffff000, /* bytes one call moves at most, as Linux */
	UIO_MAXIOV_ = 1024,        /* pieces of one call, messages of one sendmmsg */
};

/* A stretch of the descriptor table.  A used number whose slot is NULL is reserved: its file is being made. */
struct fd_chunk {
	struct file *slot[FDS_PER_CHUNK];
	uint64_t used[FDS_PER_CHUNK / 64];
	uint64_t cloexec[FDS_PER_CHUNK / 64];
};

struct vfs {
	struct fd_chunk **chunk;    /* by (fd - first_fd) / FDS_PER_CHUNK; NULL: never needed yet */
	uint64_t *full;             /* bit per chunk: no free number in it */
	unsigned nr_chunks;
	unsigned max_files;
	int first_fd;
	unsigned nr_open;           /* numbers in use */
	struct list_head ready;     /* files whose callback is due, in the order in which they became ready */
	struct kmem_cache *file_cache, *epoll_cache, *epitem_cache;
};

/* A free number >= lowest, reserved; -EMFILE, -ENOMEM. */
int get_unused_fd(struct net *net, int lowest, bool cloexec);
void put_unused_fd(struct net *net, int fd);
void fd_install(struct net *net, int fd, struct file *f); /* takes over one reference; cannot fail */
bool fd_get_cloexec(struct net *net, int fd);
void fd_set_cloexec(struct net *net, int fd, bool on);

/* --- socket_file.c --- */
extern const struct file_operations socket_file_ops;
struct file *sock_alloc_file(struct socket *sock, uint32_t flags); /* NULL: no memory, the socket stays the caller's */
int sock_map_fd(struct socket *sock, int flags);                   /* SOCK_*; consumes the socket, also on failure; fd or -errno */
static inline struct socket *file_socket(const struct file *f) { return f->ops == &socket_file_ops ? f->private_data : NULL; }
/* The socket of fd and its file, held: fput() it.  NULL and *err: -EBADF, -ENOTSOCK.  Reads the clock: each call starts here. */
struct socket *sockfd_lookup_light(struct net *net, int fd, struct file **f, int *err);

/* --- read_write.c --- */
/* The bytes that n pieces hold, at most MAX_RW_COUNT; -EFAULT, -EINVAL. */
ssize_t iovec_check(const struct iovec *iov, size_t n);

/* --- epoll.c --- */
int eventpoll_init(struct net *net); /* -ENOMEM; what it made is freed by vfs_exit() */
void eventpoll_wake(struct file *f, unsigned poll_mask);  /* the registrations of f */
void eventpoll_release_file(struct file *f);              /* f is going away */

/* --- ready.c --- */
int ready_init(struct net *net);
void ready_forget(struct file *f);
/*
 * Runs the instance until cond(arg) or the clock reaches deadline_ns.  1: cond holds; 0: time is up; -EAGAIN: it would have to wait but is
 * inside xmit_poll() or a callback, or has no env.wait; -EINTR.
 */
int vfs_wait(struct net *net, uint64_t deadline_ns, bool (*cond)(void *arg), void *arg);
/* Absolute time of a poll()-like timeout in ms; negative: TIME_NEVER. */
uint64_t poll_deadline(const struct net *net, int timeout_ms);

/* A result of the inside as the public calls return it. */
static inline ssize_t sys_result(ssize_t r)
{
	if (likely(r >= 0))
		return r;
	errno = (int)-r;
	return -1;
}
static inline int sys_result_int(int r) { return (int)sys_result(r); }

#endif
