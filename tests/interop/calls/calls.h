/* SPDX-License-Identifier: MIT */
/*
 * calls.h - one program, two stacks: the same socket calls made of the kernel (CALLS_KERNEL) or of libxmit, each on its own loopback, and what each
 * returned printed as a line.  tests/interop/test_calls.py compares the two transcripts.
 *
 * Nothing here knows what is right: the kernel says.  What two runs of the same kernel may print differently (ports that were chosen, times)
 * is not printed.
 */
#ifndef XMIT_TESTS_INTEROP_CALLS_H
#define XMIT_TESTS_INTEROP_CALLS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#ifdef CALLS_KERNEL
#include <sys/epoll.h>
#include <unistd.h>
/* Bad pointers and lengths are what is asked about. */
#pragma GCC diagnostic ignored "-Wnonnull"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif
#define X(name, ...) name(__VA_ARGS__)
#define x_poll(fds, n, ms) poll(fds, n, ms)
typedef struct epoll_event x_event;
#define x_event_mask(e) ((e).events)
#define x_epoll_create() epoll_create1(0)
#define x_epoll_ctl(ep, op, fd, ev) epoll_ctl(ep, op, fd, ev)
#define x_epoll_wait(ep, ev, n, ms) epoll_wait(ep, ev, n, ms)
#else
#include "xmit/control.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"
extern xmit_net *net;
#define X(name, ...) xmit_##name(net, __VA_ARGS__)
#define x_poll(fds, n, ms) xmit_poll_sockets(net, fds, n, ms)
typedef struct xmit_epoll_event x_event;
#define x_event_mask(e) ((e).events)
#define x_epoll_create() xmit_epoll_create(net)
#define x_epoll_ctl(ep, op, fd, ev) xmit_epoll_ctl(net, ep, op, fd, ev)
#define x_epoll_wait(ep, ev, n, ms) xmit_epoll_wait(net, ep, ev, n, ms)
#endif

enum { CTL_ADD = 1, CTL_DEL = 2, CTL_MOD = 3 }; /* EPOLL_CTL_*, in either's header */

/* Until everything that loopback carries has arrived. */
void settle(void);

/* Prints "CASE LABEL: VALUE", or the name of errno for -1; returns the value. */
long told(const char *label, long value);
#define R(label, call) (errno = 0, told(label, (long)(call)))
void note(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *error_name(int error);

struct sockaddr_in lo(uint16_t port); /* 127.0.0.1 */
#define SA(a) ((struct sockaddr *)&(a)), (socklen_t)sizeof(a)

int tcp(void);      /* non-blocking */
int udp(void);      /* non-blocking */
int udp_bound(uint16_t port); /* non-blocking, on 127.0.0.1 */
int listener(uint16_t port);
/* A connection over loopback to a listener at `port`, which is closed again; both ends non-blocking. */
struct ends { int c, d; };
struct ends connection(uint16_t port);
void done_with(int fd);
/* POLL* mask of a descriptor, all asked for. */
void show_poll(const char *label, int fd);
/* getsockname() and getpeername(); chosen ports as "some". */
void show_names(const char *label, int fd);
/* Everything there is to say of a descriptor: names, poll mask, SO_ERROR. */
void show_state(const char *label, int fd);
int set_int(int fd, int level, int name, int value);
/* Value of an int option, or -1. */
int get_int(int fd, int level, int name);

typedef void (*case_fn)(void);
struct calls_case { const char *name; case_fn run; };
/* Each ends with a NULL name. */
extern const struct calls_case stream_cases[], stream_io_cases[], binding_cases[], datagram_cases[], control_cases[], raw_cases[], option_cases[], setting_cases[],
	urgent_cases[], receiving_cases[], report_cases[], rare_cases[], splice_cases[], zerocopy_cases[];

#endif
