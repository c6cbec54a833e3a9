/* SPDX-License-Identifier: MIT */
/* file.h - the file layer: descriptor table, struct file, file_operations, readiness (V1, V2). */
#ifndef XMIT_VFS_FILE_H
#define XMIT_VFS_FILE_H

#include "core/net.h"
#include "core/uapi.h"
#include "core/iov_iter.h"

struct file;
struct kiocb {                   /* one I/O call */
	struct file *file;
	bool nonblock;
};
struct file_operations {
	ssize_t (*read_iter)(struct kiocb *iocb, struct iov_iter *to);
	ssize_t (*write_iter)(struct kiocb *iocb, struct iov_iter *from);
	unsigned (*poll)(struct file *f);
	int (*ioctl)(struct file *f, unsigned long cmd, void *arg);
	int (*release)(struct file *f);
};
struct file {
	const struct file_operations *ops;
	void *private_data;
	struct net *net;
	uint32_t count;          /* references: descriptors, calls under way, epoll's do not count */
	uint32_t flags;          /* O_NONBLOCK ... */
	struct hlist_head epitems;   /* epoll registrations */
	struct list_head ready_node; /* on vfs.ready while events wait for the callback */
	uint32_t ready_events;
	int cb_fd;
	void (*cb)(struct net *net, int fd, uint32_t events, void *ctx);
	void *cb_ctx;
};

int fd_install_new(struct net *net, struct file *f, int lowest); /* fd, which takes over one reference; -EMFILE, -ENOMEM: it stays the caller's */
struct file *fget(struct net *net, int fd);                      /* counted; NULL */
void fput(struct file *f);                                       /* last one: release */
int close_fd(struct net *net, int fd);                           /* -EBADF */
struct file *alloc_file(struct net *net, const struct file_operations *ops, void *priv, uint32_t flags);
void file_wake(struct file *f, unsigned poll_mask);              /* events became true: epoll items, callback list */

int vfs_init(struct net *net);
void vfs_exit(struct net *net); /* closes every file */

#endif
