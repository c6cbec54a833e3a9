/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the system calls of a script, made on the instance.
 *
 * A script's descriptors are its own numbers: the one that a call is said to return stands for whatever the instance returned.  What is written
 * (an ellipsis) is the pattern of wire_pattern() by stream offset, so that packets and what is read can be compared byte by byte.
 */
#include "calls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_MOST = 64 << 20, ADDRESS_MOST = sizeof(struct sockaddr_in6) };

/* --- values ----------------------------------------------------------------------------------------------------------------- */

int64_t value_int(struct run *r, const struct event *e, const struct value *v)
{
	int64_t n = 0;

	switch (v->kind) {
	case V_INT: return v->num;
	case V_OR: return value_int(r, e, v->item[0]) | value_int(r, e, v->item[1]);
	case V_MEMBER: return value_int(r, e, v->item[0]);
	case V_CALL: /* htons(8080): addresses are put together by address_of() */
		if (v->items == 1)
			return value_int(r, e, v->item[0]);
		break;
	case V_WORD:
		if (r->config.mapped && !strcmp(v->text, "CMSG_LEVEL_IP"))
			return IPPROTO_IPV6;
		if (r->config.mapped && !strcmp(v->text, "CMSG_TYPE_RECVERR"))
			return 25; /* IPV6_RECVERR */
		if (name_value(v->text, &n))
			return n;
		run_fail(r, e->line, "nothing is called %s", v->text);
		return 0;
	default: break;
	}
	run_fail(r, e->line, "a number is expected in %s()", e->name);
	return 0;
}

const struct value *arg(const struct event *e, int i)
{
	return i < e->args ? e->arg[i] : NULL;
}

int64_t arg_int(struct run *r, const struct event *e, int i, int64_t otherwise)
{
	const struct value *v = arg(e, i);

	return !v || v->kind == V_ANY ? otherwise : value_int(r, e, v);
}

bool is_null(const struct value *v)
{
	return v && v->kind == V_WORD && !strcmp(v->text, "NULL");
}

const struct value *member(const struct value *v, const char *name)
{
	for (int i = 0; v && v->kind == V_STRUCT && i < v->items; i++)
		if (v->item[i]->kind == V_MEMBER && !strcmp(v->item[i]->text, name))
			return v->item[i]->item[0];
	return NULL;
}

int64_t member_int(struct run *r, const struct event *e, const struct value *v, const char *name, int64_t otherwise)
{
	const struct value *m = member(v, name);

	return !m || m->kind == V_ANY ? otherwise : value_int(r, e, m);
}

int fd_of(struct run *r, int64_t script_fd)
{
	return script_fd >= 0 && script_fd < FDS_MOST ? r->fd[script_fd] : -1;
}

int64_t arg_script_fd(struct run *r, const struct event *e, int i)
{
	return arg_int(r, e, i, -1);
}

int arg_fd(struct run *r, const struct event *e, int i)
{
	return fd_of(r, arg_script_fd(r, e, i));
}

void set_fd(struct run *r, const struct event *e, int64_t script_fd, int fd, bool host)
{
	if (script_fd < 0 || script_fd >= FDS_MOST) {
		run_fail(r, e->line, "%s() returned a descriptor; the script's number for it is 0 to %d", e->name, FDS_MOST - 1);
		return;
	}
	r->fd[script_fd] = fd;
	r->fd_host[script_fd] = host;
	r->written[script_fd] = r->read[script_fd] = 0;
}

void host_close(int fd)
{
	close(fd);
}

/* --- addresses -------------------------------------------------------------------------------------------------------------- */

static socklen_t put_address(const struct run *r, uint32_t ip, uint16_t port, void *out)
{
	if (r->config.mapped) {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
		uint32_t be = htonl(ip);
		a.sin6_addr.s6_addr[10] = a.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&a.sin6_addr.s6_addr[12], &be, 4);
		memcpy(out, &a, sizeof(a));
		return sizeof(a);
	}
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(ip)}};
	memcpy(out, &a, sizeof(a));
	return sizeof(a);
}

/* connect(fd, AF_UNSPEC, ...), sendto(..., AF_UNSPEC, ...): a family alone. */
static void set_family(struct run *r, const struct event *e, const struct value *v, void *out)
{
	sa_family_t family = (sa_family_t)value_int(r, e, v);

	memcpy(out, &family, sizeof(family));
}

/* {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("192.0.2.1")} */
static socklen_t address_of(struct run *r, const struct event *e, const struct value *v, uint32_t ip, uint16_t port, void *out)
{
	if (v->kind == V_STRUCT) {
		const struct value *addr = member(v, "sin_addr");
		int64_t family = member_int(r, e, v, "sa_family", AF_INET);
		struct in_addr in;
		port = (uint16_t)member_int(r, e, v, "sin_port", 0);
		if (family != AF_INET)
			run_fail(r, e->line, "addresses are of family AF_INET");
		if (addr && addr->kind == V_CALL && addr->items == 1 && addr->item[0]->kind == V_STRING && inet_pton(AF_INET, addr->item[0]->text, &in) == 1)
			ip = ntohl(in.s_addr);
		else
			run_fail(r, e->line, "sin_addr is inet_addr(\"192.0.2.1\")");
		return put_address(r, ip, port, out);
	}
	socklen_t n = put_address(r, ip, port, out);
	if (v->kind == V_WORD && !is_null(v))
		set_family(r, e, v, out);
	return n;
}

static uint16_t port_of(const void *address)
{
	uint16_t port;

	memcpy(&port, (const uint8_t *)address + 2, 2); /* at the same place in both families */
	return ntohs(port);
}

/* --- bytes ------------------------------------------------------------------------------------------------------------------ */

uint8_t *bytes_to_write(struct run *r, const struct event *e, const struct value *v, size_t n, uint32_t stream)
{
	if (is_null(v))
		return NULL;
	if (n > BUFFER_MOST) {
		run_fail(r, e->line, "%zu bytes are too many", n);
		n = 0;
	}
	/* In the script's memory: with MSG_ZEROCOPY the stack reads it later. */
	uint8_t *buf = script_alloc(r->script, n + 1);
	if (v && v->kind == V_STRING) {
		r->own_bytes = true;
		memcpy(buf, v->text, v->text_len < n ? v->text_len : n);
		return buf;
	}
	for (size_t i = 0; i < n; i++)
		buf[i] = wire_pattern(stream + (uint32_t)i);
	return buf;
}

void check_read(struct run *r, const struct event *e, int64_t script_fd, const uint8_t *buf, int64_t n, int flags)
{
	if (n <= 0 || script_fd < 0 || script_fd >= FDS_MOST || flags & (MSG_ERRQUEUE | MSG_OOB))
		return;
	uint32_t from = r->read[script_fd];
	if (!(flags & MSG_PEEK))
		r->read[script_fd] += (uint32_t)n;
	for (int64_t i = 0; !r->urgent && !(flags & MSG_TRUNC) && i < n; i++)
		if (buf[i] != wire_pattern(from + (uint32_t)i)) {
			run_fail(r, e->line, "%s(): byte %lld read is 0x%02x, the packets brought 0x%02x", e->name, (long long)i, buf[i],
				 wire_pattern(from + (uint32_t)i));
			return;
		}
}

/* --- sockets ---------------------------------------------------------------------------------------------------------------- */

static int64_t do_socket(struct run *r, const struct event *e)
{
	int type = (int)arg_int(r, e, 1, SOCK_STREAM);
	int fd = xmit_socket(r->net, (int)arg_int(r, e, 0, r->config.mapped ? AF_INET6 : AF_INET), type, (int)arg_int(r, e, 2, 0));

	if (fd < 0)
		return -1;
	int64_t script_fd = value_int(r, e, e->result);
	set_fd(r, e, script_fd, fd, false);
	flow_new_socket(r, (int)script_fd, (type & 15) == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP);
	return script_fd;
}

static int64_t do_bind(struct run *r, const struct event *e)
{
	uint8_t a[ADDRESS_MOST];
	const struct value *v = arg(e, 1);
	socklen_t n = address_of(r, e, v ? v : e->result, r->config.local_ip, r->config.bind_port, a);
	int64_t err = xmit_bind(r->net, arg_fd(r, e, 0), (struct sockaddr *)a, (socklen_t)arg_int(r, e, 2, n));

	if (!err)
		flow_bound(r, (int)arg_script_fd(r, e, 0), port_of(a));
	return err;
}

static int64_t do_listen(struct run *r, const struct event *e)
{
	int64_t err = xmit_listen(r->net, arg_fd(r, e, 0), (int)arg_int(r, e, 1, 1));

	if (!err)
		flow_listening(r, (int)arg_script_fd(r, e, 0));
	return err;
}

static int64_t do_accept(struct run *r, const struct event *e)
{
	uint8_t a[sizeof(struct sockaddr_storage)];
	socklen_t len = sizeof(a);
	bool plain = is_null(arg(e, 1));
	int fd = xmit_accept4(r->net, arg_fd(r, e, 0), plain ? NULL : (struct sockaddr *)a, plain ? NULL : &len, (int)arg_int(r, e, 3, 0));

	if (fd < 0)
		return -1;
	int64_t script_fd = value_int(r, e, e->result);
	if (script_fd >= 0)
		set_fd(r, e, script_fd, fd, false);
	flow_accepted(r, (int)script_fd, plain ? 0 : port_of(a));
	return script_fd >= 0 ? script_fd : fd;
}

static int64_t do_connect(struct run *r, const struct event *e)
{
	uint8_t a[ADDRESS_MOST];
	const struct value *v = arg(e, 1);
	socklen_t n = address_of(r, e, v ? v : e->result, r->config.remote_ip, r->config.connect_port, a);

	flow_connecting(r, (int)arg_script_fd(r, e, 0), port_of(a));
	return xmit_connect(r->net, arg_fd(r, e, 0), (struct sockaddr *)a, (socklen_t)arg_int(r, e, 2, n));
}

static int64_t do_close(struct run *r, const struct event *e)
{
	int64_t script_fd = arg_script_fd(r, e, 0);
	int fd = fd_of(r, script_fd);
	bool host = fd >= 0 && r->fd_host[script_fd];

	if (fd >= 0)
		r->fd[script_fd] = -1;
	return host ? close(fd) : xmit_close(r->net, fd);
}

static int64_t do_shutdown(struct run *r, const struct event *e)
{
	return xmit_shutdown(r->net, arg_fd(r, e, 0), (int)arg_int(r, e, 1, 0));
}

static int64_t do_fcntl(struct run *r, const struct event *e)
{
	return xmit_fcntl(r->net, arg_fd(r, e, 0), (int)arg_int(r, e, 1, 0), (long)arg_int(r, e, 2, 0));
}

static int64_t do_name(struct run *r, const struct event *e, int (*call)(xmit_net *, int, struct sockaddr *, socklen_t *))
{
	uint8_t a[sizeof(struct sockaddr_storage)], want[ADDRESS_MOST];
	socklen_t len = sizeof(a);
	int64_t err = call(r->net, arg_fd(r, e, 0), (struct sockaddr *)a, &len);
	const struct value *v = arg(e, 1);

	if (!err && v && v->kind == V_STRUCT) {
		socklen_t n = address_of(r, e, v, 0, 0, want);
		if (n != len || memcmp(a, want, len))
			run_fail(r, e->line, "%s(): the address is another (port %u)", e->name, port_of(a));
	}
	return err;
}

static int64_t do_getsockname(struct run *r, const struct event *e) { return do_name(r, e, xmit_getsockname); }
static int64_t do_getpeername(struct run *r, const struct event *e) { return do_name(r, e, xmit_getpeername); }

/* --- data ------------------------------------------------------------------------------------------------------------------- */

/* read, recv and recvfrom are one. */
static int64_t do_recv(struct run *r, const struct event *e)
{
	size_t n = (size_t)arg_int(r, e, 2, 0);
	int flags = (int)arg_int(r, e, 3, 0);
	bool null = is_null(arg(e, 1));
	uint8_t *buf = null || n > BUFFER_MOST ? NULL : malloc(n + 1);
	uint8_t a[sizeof(struct sockaddr_storage)];
	socklen_t len = sizeof(a);
	int fd = arg_fd(r, e, 0);
	int64_t got = !strcmp(e->name, "read") ? xmit_read(r->net, fd, buf, n) : !strcmp(e->name, "recv") ? xmit_recv(r->net, fd, buf, n, flags)
		: xmit_recvfrom(r->net, fd, buf, n, flags, (struct sockaddr *)a, &len);
	int error = errno;

	check_read(r, e, arg_script_fd(r, e, 0), buf, got, flags);
	free(buf);
	errno = error;
	return got;
}

static int64_t written(struct run *r, int64_t script_fd, int64_t n)
{
	if (n > 0 && script_fd >= 0 && script_fd < FDS_MOST)
		r->written[script_fd] += (uint32_t)n;
	return n;
}

static uint32_t stream_of(const struct run *r, int64_t script_fd)
{
	return script_fd >= 0 && script_fd < FDS_MOST ? r->written[script_fd] : 0;
}

/* write, send and sendto are one. */
static int64_t do_send(struct run *r, const struct event *e)
{
	size_t n = (size_t)arg_int(r, e, 2, 0);
	int flags = (int)arg_int(r, e, 3, 0), fd = arg_fd(r, e, 0);
	int64_t script_fd = arg_script_fd(r, e, 0);
	uint8_t *buf = bytes_to_write(r, e, arg(e, 1), n, stream_of(r, script_fd));
	uint8_t a[ADDRESS_MOST];
	const struct value *to = arg(e, 4);

	if (!strcmp(e->name, "write"))
		return written(r, script_fd, xmit_write(r->net, fd, buf, n));
	if (!to || is_null(to) || (to->kind == V_INT && !to->num))
		return written(r, script_fd, xmit_send(r->net, fd, buf, n, flags));
	socklen_t len = address_of(r, e, to, r->config.remote_ip, r->config.connect_port, a);
	flow_connecting(r, (int)script_fd, port_of(a));
	return written(r, script_fd, xmit_sendto(r->net, fd, buf, n, flags, (struct sockaddr *)a, (socklen_t)arg_int(r, e, 5, len)));
}

static int64_t do_sendfile(struct run *r, const struct event *e)
{
	const struct value *v = arg(e, 2);
	off_t offset = v && v->kind == V_LIST && v->items ? (off_t)value_int(r, e, v->item[0]) : 0;
	bool has = v && v->kind == V_LIST;
	int64_t script_fd = arg_script_fd(r, e, 0);

	r->own_bytes = true; /* the file's */
	return written(r, script_fd, xmit_sendfile(r->net, fd_of(r, script_fd), arg_fd(r, e, 1), has ? &offset : NULL, (size_t)arg_int(r, e, 3, 0)));
}

/* A file of the host, for sendfile(). */
static int64_t do_open(struct run *r, const struct event *e)
{
	const struct value *v = arg(e, 0);
	int fd = v && v->kind == V_STRING ? open(v->text, (int)arg_int(r, e, 1, 0), 0600) : -1;

	if (fd < 0)
		return -1;
	set_fd(r, e, value_int(r, e, e->result), fd, true);
	return value_int(r, e, e->result);
}

/* Of the host: what splice() moves from and to. */
static int64_t do_pipe(struct run *r, const struct event *e)
{
	const struct value *v = arg(e, 0);
	int fds[2];

	if (v->kind != V_LIST || v->items != 2) {
		run_fail(r, e->line, "pipe() takes [5, 6]");
		return 0;
	}
	if (pipe(fds))
		return -1;
	for (int i = 0; i < 2; i++)
		set_fd(r, e, value_int(r, e, v->item[i]), fds[i], true);
	return 0;
}

/* Between a socket and a pipe; offsets are NULL. */
static int64_t do_splice(struct run *r, const struct event *e)
{
	int64_t from = arg_script_fd(r, e, 0), to = arg_script_fd(r, e, 2);
	size_t n = (size_t)arg_int(r, e, 4, 0);
	unsigned flags = (unsigned)arg_int(r, e, 5, 0);

	if (fd_of(r, to) >= 0 && r->fd_host[to])
		return xmit_splice_to(r->net, fd_of(r, from), fd_of(r, to), n, flags);
	r->own_bytes = true;
	return written(r, to, xmit_splice_from(r->net, fd_of(r, to), fd_of(r, from), n, flags));
}

static int64_t do_epoll_create(struct run *r, const struct event *e)
{
	int fd = xmit_epoll_create(r->net);

	if (fd < 0)
		return -1;
	set_fd(r, e, value_int(r, e, e->result), fd, false);
	return value_int(r, e, e->result);
}

/* --- the table -------------------------------------------------------------------------------------------------------------- */

static const struct call {
	const char *name;
	int64_t (*make)(struct run *r, const struct event *e);
	int args_least, args_most;
} calls[] = {
	{"socket", do_socket, 3, 3}, {"bind", do_bind, 3, 3}, {"listen", do_listen, 2, 2}, {"accept", do_accept, 3, 3}, {"accept4", do_accept, 4, 4},
	{"connect", do_connect, 3, 3}, {"close", do_close, 1, 1}, {"shutdown", do_shutdown, 2, 2}, {"fcntl", do_fcntl, 2, 3},
	{"getsockname", do_getsockname, 3, 3}, {"getpeername", do_getpeername, 3, 3}, {"read", do_recv, 3, 3}, {"recv", do_recv, 4, 4},
	{"recvfrom", do_recv, 6, 6}, {"write", do_send, 3, 3}, {"send", do_send, 4, 4}, {"sendto", do_send, 6, 6}, {"readv", call_readv, 3, 3},
	{"writev", call_writev, 3, 3}, {"sendmsg", call_sendmsg, 3, 3}, {"recvmsg", call_recvmsg, 3, 3}, {"sendfile", do_sendfile, 4, 4}, {"open", do_open, 2, 3},
	{"pipe", do_pipe, 1, 1}, {"splice", do_splice, 6, 6},
	{"setsockopt", call_setsockopt, 5, 5}, {"getsockopt", call_getsockopt, 5, 5}, {"ioctl", call_ioctl, 2, 3}, {"poll", call_poll, 3, 3},
	{"epoll_create", do_epoll_create, 1, 1}, {"epoll_ctl", call_epoll_ctl, 4, 4}, {"epoll_wait", call_epoll_wait, 4, 4},
};

static const struct call *find_call(struct run *r, const struct event *e)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (!strcmp(calls[i].name, e->name)) {
			if (e->args >= calls[i].args_least && e->args <= calls[i].args_most)
				return &calls[i];
			run_fail(r, e->line, "%s() takes %d to %d arguments, not %d", e->name, calls[i].args_least, calls[i].args_most, e->args);
			return NULL;
		}
	run_fail(r, e->line, "the call %s() is not supported", e->name);
	return NULL;
}

static void check_result(struct run *r, const struct event *e, int64_t got, int error)
{
	int64_t want;

	if (e->result->kind == V_ANY)
		return;
	want = value_int(r, e, e->result);
	if (want != got && got < 0)
		run_fail(r, e->line, "%s(): expected %lld, is -1 %s (%s)", e->name, (long long)want, errno_name(error), strerror(error));
	else if (want != got)
		run_fail(r, e->line, "%s(): expected %lld, is %lld", e->name, (long long)want, (long long)got);
	else if (got < 0 && e->error && errno_of_name(e->error) != error)
		run_fail(r, e->line, "%s(): expected %s, is %s (%s)", e->name, e->error, errno_name(error), strerror(error));
}

/* A call that was said to block returns when it should. */
static void check_return_time(struct run *r, const struct event *e, int64_t started_us)
{
	int64_t span = e->end_us - e->when.us, off = run_now_us(r) - (started_us + span);
	int64_t most = (int64_t)((double)span * r->config.tolerance_percent / 100);

	if (most < r->config.tolerance_us)
		most = r->config.tolerance_us;
	if (e->blocks && (off > most || off < -most))
		run_fail(r, e->line, "%s() returned at %.6f, expected at %.6f", e->name, (double)run_now_us(r) / 1e6, (double)(started_us + span) / 1e6);
}

void call_make(struct run *r, const struct event *e)
{
	const struct call *c = find_call(r, e);
	int64_t started_us = run_now_us(r);

	if (!c)
		return;
	errno = 0;
	int64_t got = c->make(r, e);
	int error = errno;
	if (r->config.verbose)
		printf("# %9.6f   %s() = %lld%s%s\n", (double)run_now_us(r) / 1e6, e->name, (long long)got, got < 0 ? " " : "", got < 0 ? errno_name(error) : "");
	if (r->failed)
		return;
	check_result(r, e, got, error);
	check_return_time(r, e, started_us);
}
