/* SPDX-License-Identifier: MIT */
/* calls_opt.c - setsockopt, getsockopt, ioctl. */
#include "calls.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

enum { OPTION_MOST = 512 };

/* An option's value as bytes: [1], "cubic", {onoff=1, linger=0}, {tv_sec=1, tv_usec=0}.  Returns its length. */
static socklen_t option_bytes(struct run *r, const struct event *e, const struct value *v, uint8_t *out)
{
	if (v->kind == V_STRING) {
		size_t n = v->text_len < OPTION_MOST ? v->text_len : OPTION_MOST;
		memcpy(out, v->text, n);
		return (socklen_t)n;
	}
	if (member(v, "onoff")) {
		struct linger l = {(int)member_int(r, e, v, "onoff", 0), (int)member_int(r, e, v, "linger", 0)};
		memcpy(out, &l, sizeof(l));
		return sizeof(l);
	}
	if (member(v, "tv_sec")) {
		struct timeval t = {.tv_sec = (time_t)member_int(r, e, v, "tv_sec", 0), .tv_usec = (suseconds_t)member_int(r, e, v, "tv_usec", 0)};
		memcpy(out, &t, sizeof(t));
		return sizeof(t);
	}
	if (v->kind != V_LIST || v->items != 1) {
		run_fail(r, e->line, "%s(): a value is [1], \"text\", {onoff=1, linger=0} or {tv_sec=1, tv_usec=0}", e->name);
		return 0;
	}
	uint32_t n = (uint32_t)value_int(r, e, v->item[0]);
	memcpy(out, &n, sizeof(n));
	return sizeof(n);
}

int64_t call_setsockopt(struct run *r, const struct event *e)
{
	uint8_t val[OPTION_MOST] = {0};
	const struct value *v = arg(e, 3);
	bool null = is_null(v) || v->kind == V_ANY;
	socklen_t n = null ? 0 : option_bytes(r, e, v, val), said = (socklen_t)arg_int(r, e, 4, n);

	if (said > OPTION_MOST)
		said = OPTION_MOST;
	return xmit_setsockopt(r->net, arg_fd(r, e, 0), (int)arg_int(r, e, 1, 0), (int)arg_int(r, e, 2, 0), null ? NULL : val, said);
}

static void compare_int(struct run *r, const struct event *e, const uint8_t *want, const uint8_t *got)
{
	int32_t w, g;

	memcpy(&w, want, sizeof(w));
	memcpy(&g, got, sizeof(g));
	if (w != g)
		run_fail(r, e->line, "%s(): expected the value %d, is %d", e->name, w, g);
}

int64_t call_getsockopt(struct run *r, const struct event *e)
{
	uint8_t want[OPTION_MOST] = {0}, got[OPTION_MOST] = {0};
	const struct value *v = arg(e, 3), *l = arg(e, 4);
	bool any = v->kind == V_ANY;
	socklen_t n = any ? OPTION_MOST : option_bytes(r, e, v, want);
	socklen_t len = l->kind == V_LIST && l->items == 1 && l->item[0]->kind != V_ANY ? (socklen_t)value_int(r, e, l->item[0]) : OPTION_MOST;

	if (len > OPTION_MOST)
		len = OPTION_MOST;
	int64_t err = xmit_getsockopt(r->net, arg_fd(r, e, 0), (int)arg_int(r, e, 1, 0), (int)arg_int(r, e, 2, 0), got, &len);
	if (err || any)
		return err;
	if (n == 4 && v->kind == V_LIST)
		compare_int(r, e, want, got);
	else if (memcmp(want, got, n))
		run_fail(r, e->line, "%s(): the value is another", e->name);
	return err;
}

int64_t call_ioctl(struct run *r, const struct event *e)
{
	const struct value *v = arg(e, 2);
	bool has = v && v->kind == V_LIST && v->items == 1;
	int32_t want = has ? (int32_t)value_int(r, e, v->item[0]) : 0, got = want;
	int64_t err = xmit_ioctl(r->net, arg_fd(r, e, 0), (unsigned long)arg_int(r, e, 1, 0), is_null(v) ? NULL : &got);

	if (!err && has && want != got)
		run_fail(r, e->line, "ioctl(): expected the value %d, is %d", want, got);
	return err;
}
