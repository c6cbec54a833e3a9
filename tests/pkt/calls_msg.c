/* SPDX-License-Identifier: MIT */
/* calls_msg.c - sendmsg, recvmsg with control messages and the error queue, readv, writev. */
#include "calls.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES_MOST = 128, CONTROL_MOST = 512, PIECE_MOST = 16 << 20, TIME_OFF_NS = 4000000 };

/* [{..., 40}, {..., 20}]: pieces in the script's memory, the pattern in them. */
static int pieces(struct run *r, const struct event *e, const struct value *v, struct iovec *iov, uint32_t stream)
{
	int n = v && v->kind == V_LIST ? v->items : -1;

	if (n < 0 || n > PIECES_MOST) {
		run_fail(r, e->line, "%s() takes a list of at most %d pieces, {..., length}", e->name, PIECES_MOST);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		const struct value *p = v->item[i];
		if (p->kind != V_STRUCT || p->items != 2 || (iov[i].iov_len = (size_t)value_int(r, e, p->item[1])) > PIECE_MOST) {
			run_fail(r, e->line, "%s(): a piece is {..., length}", e->name);
			return 0;
		}
		iov[i].iov_base = bytes_to_write(r, e, p->item[0], iov[i].iov_len, stream);
		stream += (uint32_t)iov[i].iov_len;
	}
	return n;
}

static uint32_t stream_of(const struct run *r, int64_t script_fd)
{
	return script_fd >= 0 && script_fd < FDS_MOST ? r->written[script_fd] : 0;
}

static int64_t written(struct run *r, int64_t script_fd, int64_t n)
{
	if (n > 0 && script_fd >= 0 && script_fd < FDS_MOST)
		r->written[script_fd] += (uint32_t)n;
	return n;
}

/* What was read, piece after piece. */
static void check_pieces(struct run *r, const struct event *e, int64_t script_fd, const struct iovec *iov, int n, int64_t got, int flags)
{
	int error = errno;

	for (int i = 0; i < n && got > 0; i++) {
		int64_t part = got < (int64_t)iov[i].iov_len ? got : (int64_t)iov[i].iov_len;
		check_read(r, e, script_fd, iov[i].iov_base, part, flags);
		got -= part;
	}
	errno = error;
}

int64_t call_readv(struct run *r, const struct event *e)
{
	struct iovec iov[PIECES_MOST];
	int n = pieces(r, e, arg(e, 1), iov, 0);
	int64_t got = xmit_readv(r->net, arg_fd(r, e, 0), iov, n);

	check_pieces(r, e, arg_script_fd(r, e, 0), iov, n, got, 0);
	return got;
}

int64_t call_writev(struct run *r, const struct event *e)
{
	struct iovec iov[PIECES_MOST];
	int64_t script_fd = arg_script_fd(r, e, 0);
	int n = pieces(r, e, arg(e, 1), iov, stream_of(r, script_fd));

	return written(r, script_fd, xmit_writev(r->net, fd_of(r, script_fd), iov, n));
}

static socklen_t peer_address(struct run *r, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (r->config.mapped) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;
		uint32_t ip = htonl(r->config.remote_ip);
		a->sin6_family = AF_INET6;
		a->sin6_port = htons(r->config.connect_port);
		a->sin6_addr.s6_addr[10] = a->sin6_addr.s6_addr[11] = 0xff;
		memcpy(&a->sin6_addr.s6_addr[12], &ip, 4);
		return sizeof(*a);
	}
	struct sockaddr_in *a = (struct sockaddr_in *)out;
	a->sin_family = AF_INET;
	a->sin_port = htons(r->config.connect_port);
	a->sin_addr.s_addr = htonl(r->config.remote_ip);
	return sizeof(*a);
}

int64_t call_sendmsg(struct run *r, const struct event *e)
{
	struct iovec iov[PIECES_MOST];
	struct sockaddr_storage to;
	const struct value *v = arg(e, 1);
	int64_t script_fd = arg_script_fd(r, e, 0);
	int flags = (int)arg_int(r, e, 2, 0);
	struct msghdr m = {.msg_iov = iov};

	m.msg_iovlen = (unsigned)pieces(r, e, member(v, "msg_iov"), iov, stream_of(r, script_fd));
	/* The name matters where no connection is yet. */
	socklen_t n = peer_address(r, &to);
	if (flags & 0x20000000 /* MSG_FASTOPEN */ || (r->current && r->current->protocol == IPPROTO_UDP)) {
		m.msg_name = &to;
		m.msg_namelen = n;
		flow_connecting(r, (int)script_fd, r->config.connect_port);
	}
	return written(r, script_fd, xmit_sendmsg(r->net, fd_of(r, script_fd), &m, flags));
}

/* --- control messages --------------------------------------------------------------------------------------------------------- */

static void compare(struct run *r, const struct event *e, const char *what, int64_t want, int64_t got)
{
	if (want != got && !r->failed)
		run_fail(r, e->line, "%s(): expected %s %lld, is %lld", e->name, what, (long long)want, (long long)got);
}

/* As Linux lays it out; musl has no header for it. */
struct extended_error {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code, ee_pad;
	uint32_t ee_info, ee_data;
};

static void compare_extended_error(struct run *r, const struct event *e, const struct value *v, const uint8_t *data)
{
	struct extended_error x;

	memcpy(&x, data, sizeof(x));
	compare(r, e, "ee_errno", member_int(r, e, v, "ee_errno", x.ee_errno), x.ee_errno);
	compare(r, e, "ee_origin", member_int(r, e, v, "ee_origin", x.ee_origin), x.ee_origin);
	compare(r, e, "ee_type", member_int(r, e, v, "ee_type", x.ee_type), x.ee_type);
	compare(r, e, "ee_code", member_int(r, e, v, "ee_code", x.ee_code), x.ee_code);
	compare(r, e, "ee_info", member_int(r, e, v, "ee_info", x.ee_info), x.ee_info);
	compare(r, e, "ee_data", member_int(r, e, v, "ee_data", x.ee_data), x.ee_data);
}

/* The first of the three times is software's; scripts count from their start. */
static void compare_timestamping(struct run *r, const struct event *e, const struct value *v, const uint8_t *data, size_t n)
{
	int64_t start_ns = (int64_t)(xmit_realtime(r->net) - (r->now_ns - r->start_ns));
	int64_t want = member_int(r, e, v, "scm_sec", 0) * INT64_C(1000000000) + member_int(r, e, v, "scm_nsec", 0), got;
	long t[2];

	if (n >= 6 * sizeof(int64_t) && sizeof(t) < 2 * sizeof(int64_t)) {
		int64_t wide[2]; /* 64-bit times on a 32-bit host */
		memcpy(wide, data, sizeof(wide));
		got = wide[0] * INT64_C(1000000000) + wide[1] - start_ns;
	} else {
		memcpy(t, data, sizeof(t));
		got = (int64_t)t[0] * INT64_C(1000000000) + t[1] - start_ns;
	}
	if (llabs(want - got) > TIME_OFF_NS && !r->failed)
		run_fail(r, e->line, "%s(): expected the timestamp %.6f, is %.6f", e->name, (double)want / 1e9, (double)got / 1e9);
}

static void compare_control(struct run *r, const struct event *e, const struct value *want, const struct cmsghdr *got)
{
	const struct value *data = member(want, "cmsg_data");
	size_t n = got->cmsg_len - CMSG_LEN(0);
	int32_t number;

	compare(r, e, "cmsg_level", member_int(r, e, want, "cmsg_level", got->cmsg_level), got->cmsg_level);
	compare(r, e, "cmsg_type", member_int(r, e, want, "cmsg_type", got->cmsg_type), got->cmsg_type);
	if (r->failed || !data || data->kind == V_ANY)
		return;
	if (member(data, "scm_sec")) {
		compare_timestamping(r, e, data, CMSG_DATA(got), n);
	} else if (data->kind == V_STRUCT) {
		compare_extended_error(r, e, data, CMSG_DATA(got));
	} else if (n == 1) {
		compare(r, e, "cmsg_data", value_int(r, e, data), *CMSG_DATA(got)); /* IP_TOS is one byte */
	} else {
		memcpy(&number, CMSG_DATA(got), sizeof(number));
		compare(r, e, "cmsg_data", value_int(r, e, data), number);
	}
}

static void check_controls(struct run *r, const struct event *e, const struct value *want, struct msghdr *m)
{
	int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c), n++)
		if (want && n < want->items)
			compare_control(r, e, want->item[n], c);
	compare(r, e, "number of control messages", want ? want->items : 0, n);
}

int64_t call_recvmsg(struct run *r, const struct event *e)
{
	struct iovec iov[PIECES_MOST];
	struct sockaddr_storage from;
	union { struct cmsghdr align; uint8_t bytes[CONTROL_MOST]; } control;
	const struct value *v = arg(e, 1);
	int flags = (int)arg_int(r, e, 2, 0);
	struct msghdr m = {.msg_iov = iov, .msg_name = &from, .msg_namelen = sizeof(from), .msg_control = &control, .msg_controllen = sizeof(control)};

	m.msg_iovlen = (unsigned)pieces(r, e, member(v, "msg_iov"), iov, 0);
	if (!member(v, "msg_control"))
		m.msg_controllen = 0;
	int64_t got = xmit_recvmsg(r->net, arg_fd(r, e, 0), &m, flags);
	if (got < 0)
		return got;
	check_pieces(r, e, arg_script_fd(r, e, 0), iov, (int)m.msg_iovlen, got, flags);
	const struct value *said = member(v, "msg_flags");
	if (said && said->kind != V_ANY)
		compare(r, e, "msg_flags", value_int(r, e, said), m.msg_flags & ~0x40000000);
	if (member(v, "msg_control"))
		check_controls(r, e, member(v, "msg_control"), &m);
	return got;
}
