/* SPDX-License-Identifier: MIT */
/*
 * interface.h - the table by which packetdrill calls a stack in a shared object, laid out as packetdrill lays it out.
 *
 * packetdrill opens the object that --so_filename names and calls packetdrill_interface_init(), which fills in the table.  Each function gets
 * `userdata` first; arguments, results and errno after it are those of the libc call of the same name.  The three that no libc has:
 *
 *   netdev_send     one IP packet of the script goes into the stack.  0, or -1.
 *   netdev_receive  the next IP packet that the stack sends: *n is the room in buf and becomes the packet's length, *usec is when it was
 *                   sent, on the clock of gettimeofday.  0 with *n == 0: there is none.  -1 asks to be called again at once.
 *   free            the end: nothing of the table is called after it.
 */
#ifndef XMIT_PACKETDRILL_INTERFACE_H
#define XMIT_PACKETDRILL_INTERFACE_H

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct packetdrill_interface {
	void *userdata;
	void (*free)(void *userdata);
	int (*socket)(void *userdata, int domain, int type, int protocol);
	int (*bind)(void *userdata, int fd, const struct sockaddr *addr, socklen_t len);
	int (*listen)(void *userdata, int fd, int backlog);
	int (*accept)(void *userdata, int fd, struct sockaddr *addr, socklen_t *len);
	int (*connect)(void *userdata, int fd, const struct sockaddr *addr, socklen_t len);
	ssize_t (*read)(void *userdata, int fd, void *buf, size_t n);
	ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int count);
	ssize_t (*recv)(void *userdata, int fd, void *buf, size_t n, int flags);
	ssize_t (*recvfrom)(void *userdata, int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len);
	ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *msg, int flags);
	ssize_t (*write)(void *userdata, int fd, const void *buf, size_t n);
	ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int count);
	ssize_t (*send)(void *userdata, int fd, const void *buf, size_t n, int flags);
	ssize_t (*sendto)(void *userdata, int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len);
	ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *msg, int flags);
	int (*fcntl)(void *userdata, int fd, int cmd, ...);
	int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
	int (*close)(void *userdata, int fd);
	int (*shutdown)(void *userdata, int fd, int how);
	int (*getsockopt)(void *userdata, int fd, int level, int name, void *val, socklen_t *len);
	int (*setsockopt)(void *userdata, int fd, int level, int name, const void *val, socklen_t len);
	int (*poll)(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms);
	int (*netdev_send)(void *userdata, const void *packet, size_t n);
	int (*netdev_receive)(void *userdata, void *buf, size_t *n, long long *usec);
	int (*usleep)(void *userdata, useconds_t usec);
	int (*gettimeofday)(void *userdata, struct timeval *tv, struct timezone *tz);
	int (*epoll_create)(void *userdata, int size);
	int (*epoll_ctl)(void *userdata, int epfd, int op, int fd, struct epoll_event *ev);
	int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *ev, int max, int timeout_ms);
	int (*pipe)(void *userdata, int fds[2]);
	ssize_t (*splice)(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out, size_t n, unsigned flags);
};

/* Fills in the table; flags are those of --so_flags, NULL without.  Ends the process with a sentence when it cannot. */
__attribute__((visibility("default"))) void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table);

#endif
