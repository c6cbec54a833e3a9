/* SPDX-License-Identifier: MIT */
/*
 * interpose.c - calls that packetdrill makes by libc's names, not by the table: with this object in LD_PRELOAD they come here.
 *
 * Those are getsockopt() for the blocks of code in a script, sendfile(), and the close() that ends a script.  A descriptor that is not ours goes on to
 * the kernel; so does all of it in the commands that a script runs, which inherit LD_PRELOAD and have no instance.
 */
#include "adapter.h"
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static struct adapter *of(int fd)
{
	struct adapter *a = packetdrill_adapter;

	return a && is_ours(a, fd) ? a : NULL;
}

EXPORT int getsockopt(int fd, int level, int name, void *restrict val, socklen_t *restrict len)
{
	struct adapter *a = of(fd);

	if (!a)
		return (int)syscall(SYS_getsockopt, fd, level, name, val, len);
	enter(a);
	return (int)leave(a, xmit_getsockopt(a->net, fd, level, name, val, len));
}

EXPORT int close(int fd)
{
	struct adapter *a = of(fd);

	if (!a)
		return (int)syscall(SYS_close, fd);
	enter(a);
	return (int)leave(a, close_ours(a, fd));
}

static ssize_t send_file(int out, int in, off_t *offset, size_t n)
{
	struct adapter *a = of(out);

	if (!a)
		return syscall(SYS_sendfile, out, in, offset, n);
	enter(a);
	return leave(a, xmit_sendfile(a->net, out, in, offset, n));
}

/* By their linker names: libc's header turns one into the other.  off_t has 64 bits in both. */
EXPORT ssize_t interposed_sendfile(int out, int in, off_t *offset, size_t n) __asm__("sendfile");
EXPORT ssize_t interposed_sendfile64(int out, int in, off_t *offset, size_t n) __asm__("sendfile64");
_Static_assert(sizeof(off_t) == 8, "one sendfile serves both names");

ssize_t interposed_sendfile(int out, int in, off_t *offset, size_t n) { return send_file(out, in, offset, n); }
ssize_t interposed_sendfile64(int out, int in, off_t *offset, size_t n) { return send_file(out, in, offset, n); }
