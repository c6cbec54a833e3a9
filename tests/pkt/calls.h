/* SPDX-License-Identifier: MIT */
/* calls.h - what the system calls of a script share; calls.c has the table of them. */
#ifndef XMIT_TESTS_PKT_CALLS_H
#define XMIT_TESTS_PKT_CALLS_H

#include "pkt.h"

/* Each makes the call and returns its result, -1 with errno set.  What it got besides is compared on the spot: run_fail(). */
int64_t call_sendmsg(struct run *r, const struct event *e);
int64_t call_recvmsg(struct run *r, const struct event *e);
int64_t call_readv(struct run *r, const struct event *e);
int64_t call_writev(struct run *r, const struct event *e);
int64_t call_setsockopt(struct run *r, const struct event *e);
int64_t call_getsockopt(struct run *r, const struct event *e);
int64_t call_ioctl(struct run *r, const struct event *e);
int64_t call_poll(struct run *r, const struct event *e);
int64_t call_epoll_ctl(struct run *r, const struct event *e);
int64_t call_epoll_wait(struct run *r, const struct event *e);

const struct value *arg(const struct event *e, int i);                            /* NULL: there are fewer */
int64_t arg_int(struct run *r, const struct event *e, int i, int64_t otherwise);  /* `otherwise` for an ellipsis */
int arg_fd(struct run *r, const struct event *e, int i);                          /* the instance's; -1: closed, or never opened */
int64_t arg_script_fd(struct run *r, const struct event *e, int i);
int fd_of(struct run *r, int64_t script_fd);
void set_fd(struct run *r, const struct event *e, int64_t script_fd, int fd, bool host);
bool is_null(const struct value *v);
const struct value *member(const struct value *v, const char *name);              /* of a struct; NULL: it has none */
int64_t member_int(struct run *r, const struct event *e, const struct value *v, const char *name, int64_t otherwise);

/* n bytes to write, in the script's memory; the stream's own where v is an ellipsis. */
uint8_t *bytes_to_write(struct run *r, const struct event *e, const struct value *v, size_t n, uint32_t stream);
/* Compares what was read from a stream with what the script's packets carried. */
void check_read(struct run *r, const struct event *e, int64_t script_fd, const uint8_t *buf, int64_t n, int flags);

#endif
