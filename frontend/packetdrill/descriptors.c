/* SPDX-License-Identifier: MIT */
/*
 * descriptors.c - each socket of ours is held open by a descriptor of the host: packetdrill takes its number for the socket's.
 *
 * The placeholder is an eventfd, which takes the lowest free number as a socket would; the instance's descriptor is moved to the same
 * number, so that no call has to translate.  It goes when the socket is closed, by the table or by libc's close() (interpose.c).
 */
#include "adapter.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SHOWN_FDS = 300 }; /* numbers of the kernel's listeners: out of the way of the sockets' */

/* Not close(): that is ours (interpose.c). */
static void host_close(int fd) { syscall(SYS_close, fd); }

bool is_ours(const struct adapter *a, int fd) { return fd >= 0 && fd < FDS_MOST && atomic_load(&a->kind[fd]) != FD_HOST; }

int adopt(struct adapter *a, int fd, enum fd_kind kind)
{
	int host = eventfd(0, EFD_CLOEXEC), err = EMFILE;

	if (host < 0)
		goto close_fd;
	if (host >= FDS_MOST)
		goto close_host;
	if (host != fd && xmit_dup2(a->net, fd, host) < 0) {
		err = errno;
		goto close_host;
	}
	if (host != fd)
		xmit_close(a->net, fd);
	atomic_store(&a->kind[host], (uint8_t)kind);
	return host;

close_host:
	host_close(host);
close_fd:
	xmit_close(a->net, fd);
	errno = err;
	return -1;
}

int close_ours(struct adapter *a, int fd)
{
	int r = xmit_close(a->net, fd), err = errno;

	atomic_store(&a->kind[fd], FD_HOST);
	if (a->shown[fd])
		host_close(a->shown[fd]);
	a->shown[fd] = 0;
	host_close(fd);
	errno = err;
	return r;
}

/*
 * Only in a namespace made for scripts (it has the interface), and on loopback, where nothing of the script arrives.  One whose
 * loopback is down, or whose port is taken, does without.
 */
void show_listener(struct adapter *a, int fd)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, err = errno;

	if (!a->found_dev || a->shown[fd] || xmit_getsockname(a->net, fd, (struct sockaddr *)&name, &len))
		goto out;
	addr.sin_port = name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port : ((struct sockaddr_in *)&name)->sin_port;
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		goto out;
	int high = fcntl(s, F_DUPFD_CLOEXEC, SHOWN_FDS);
	host_close(s);
	if (high < 0)
		goto out;
	setsockopt(high, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(high, (struct sockaddr *)&addr, sizeof(addr)) || listen(high, 1))
		host_close(high);
	else
		a->shown[fd] = high;
out:
	errno = err;
}
