/* SPDX-License-Identifier: MIT */
/*
 * uapi.h - the numbers of the socket interface, from libc's POSIX headers and, where those lack them, with Linux's values.
 * The stack never includes <netinet/tcp.h> or <netinet/ip.h>: their wire structs are ours (wire/).
 */
#ifndef XMIT_CORE_UAPI_H
#define XMIT_CORE_UAPI_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include "xmit/socket.h"

/* Any address of the families we speak. */
struct sockaddr_any {
	union {
		sa_family_t family;
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage storage;
	};
};

#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif
#ifndef ENOTSUP
#define ENOTSUP EOPNOTSUPP
#endif

enum { /* shutdown bits of sk_shutdown */
	RCV_SHUTDOWN = 1,
	SEND_SHUTDOWN = 2,
	SHUTDOWN_MASK = 3,
};

#endif
