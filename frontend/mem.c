/* SPDX-License-Identifier: MIT */
/*
 * mem.c - reading and writing the memory of a caller that waits for us.
 *
 * process_vm_readv/writev and not /proc/PID/mem: the latter can write into pages that the program itself may only read.  The caller is
 * named by its thread number, which may have been given to another thread since; so whether the call still waits is asked after each
 * read, before its result is used, and before each write.
 */
#include "supervisor.h"

#include <errno.h>
#include <string.h>

int mem_read(struct supervisor *sup, const struct call *c, uint64_t addr, void *buf, size_t n)
{
	struct iovec local = { buf, n }, remote = { (void *)(uintptr_t)addr, n };

	if (n == 0)
		return 0;
	if (process_vm_readv((pid_t)c->req.pid, &local, 1, &remote, 1, 0) != (ssize_t)n)
		return -EFAULT;
	return notify_valid(sup, c) ? 0 : -ESRCH;
}

int mem_write(struct supervisor *sup, const struct call *c, uint64_t addr, const void *buf, size_t n)
{
	struct iovec local = { (void *)(uintptr_t)buf, n }, remote = { (void *)(uintptr_t)addr, n };

	if (n == 0)
		return 0;
	if (!notify_valid(sup, c))
		return -ESRCH;
	return process_vm_writev((pid_t)c->req.pid, &local, 1, &remote, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

static size_t pieces_len(const struct iovec *iov, size_t n, size_t max)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > max - len)
			return max;
		len += iov[i].iov_len;
	}
	return len;
}

ssize_t mem_gather(struct supervisor *sup, const struct call *c, const struct iovec *remote, size_t n, void *buf, size_t max)
{
	size_t len = pieces_len(remote, n, max);
	struct iovec local = { buf, len };

	if (len == 0)
		return 0;
	if (process_vm_readv((pid_t)c->req.pid, &local, 1, remote, n, 0) != (ssize_t)len)
		return -EFAULT;
	return notify_valid(sup, c) ? (ssize_t)len : -ESRCH;
}

int mem_scatter(struct supervisor *sup, const struct call *c, const struct iovec *remote, size_t n, const void *buf, size_t len)
{
	struct iovec local = { (void *)(uintptr_t)buf, len };

	if (len == 0)
		return 0;
	if (!notify_valid(sup, c))
		return -ESRCH;
	return process_vm_writev((pid_t)c->req.pid, &local, 1, remote, n, 0) == (ssize_t)len ? 0 : -EFAULT;
}

int mem_read_addr(struct supervisor *sup, const struct call *c, uint64_t addr, uint64_t len, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if ((int)len < 0 || (int)len > (int)sizeof(*ss))
		return -EINVAL;
	return mem_read(sup, c, addr, ss, (size_t)(int)len);
}

int mem_write_addr(struct supervisor *sup, const struct call *c, uint64_t addr, uint64_t len_addr, const void *ss, socklen_t len)
{
	int room = 0, full = (int)len;
	struct iovec local = { &room, sizeof(room) }, remote = { (void *)(uintptr_t)len_addr, sizeof(room) };

	if (process_vm_readv((pid_t)c->req.pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(room))
		return -EFAULT;
	if (!notify_valid(sup, c)) /* asked once: behind the read, before the write */
		return -ESRCH;
	if (room < 0)
		return -EINVAL;
	size_t n = (size_t)MIN(room, full);
	struct iovec from[2] = { { (void *)(uintptr_t)ss, n }, { &full, sizeof(full) } };
	struct iovec to[2] = { { (void *)(uintptr_t)addr, n }, { (void *)(uintptr_t)len_addr, sizeof(full) } };
	return process_vm_writev((pid_t)c->req.pid, from, 2, to, 2, 0) == (ssize_t)(n + sizeof(full)) ? 0 : -EFAULT;
}
