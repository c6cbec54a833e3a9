/* SPDX-License-Identifier: MIT */
/* calls_poll.c - poll and epoll. */
#include "calls.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

enum { POLLED_MOST = 64 };

int64_t call_poll(struct run *r, const struct event *e)
{
	struct pollfd fds[POLLED_MOST];
	const struct value *v = arg(e, 0);
	int n = v->kind == V_LIST ? v->items : 0;

	if (n > POLLED_MOST || v->kind != V_LIST || arg_int(r, e, 1, n) != n) {
		run_fail(r, e->line, "poll() takes [{fd=4, events=POLLIN, revents=POLLIN}, ...] and their number, at most %d", POLLED_MOST);
		return 0;
	}
	for (int i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = fd_of(r, member_int(r, e, v->item[i], "fd", -1)),
					 .events = (short)member_int(r, e, v->item[i], "events", 0)};
	int64_t got = xmit_poll_sockets(r->net, fds, (unsigned)n, (int)arg_int(r, e, 2, 0));
	for (int i = 0; got >= 0 && i < n; i++) {
		short want = (short)member_int(r, e, v->item[i], "revents", 0);
		if (fds[i].revents != want && !r->failed)
			run_fail(r, e->line, "poll(): expected revents 0x%x of descriptor %lld, are 0x%x", (unsigned)want,
				 (long long)member_int(r, e, v->item[i], "fd", -1), (unsigned)fds[i].revents);
	}
	return got;
}

static uint64_t event_data(struct run *r, const struct event *e, const struct value *v)
{
	static const char *const names[] = {"fd", "ptr", "u32", "u64"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (member(v, names[i]))
			return (uint64_t)member_int(r, e, v, names[i], 0);
	return 0;
}

int64_t call_epoll_ctl(struct run *r, const struct event *e)
{
	const struct value *v = arg(e, 3);
	struct xmit_epoll_event ev = {.events = (uint32_t)member_int(r, e, v, "events", 0), .data = event_data(r, e, v)};

	return xmit_epoll_ctl(r->net, arg_fd(r, e, 0), (int)arg_int(r, e, 1, 0), arg_fd(r, e, 2), &ev);
}

/* One event is given as {events=..., fd=...}, several as [{...}, {...}]. */
int64_t call_epoll_wait(struct run *r, const struct event *e)
{
	struct xmit_epoll_event ev[POLLED_MOST];
	const struct value *v = arg(e, 1);
	int64_t most = arg_int(r, e, 2, 1);

	if (most > POLLED_MOST) {
		run_fail(r, e->line, "epoll_wait() for more than %d events", POLLED_MOST);
		return 0;
	}
	int64_t got = xmit_epoll_wait(r->net, arg_fd(r, e, 0), ev, (int)most, (int)arg_int(r, e, 3, 0));
	for (int64_t i = 0; i < got; i++) {
		const struct value *want = v->kind != V_LIST ? v : i < v->items ? v->item[i] : NULL;
		if (!want || want->kind == V_ANY)
			continue;
		uint32_t events = (uint32_t)member_int(r, e, want, "events", 0);
		if (ev[i].events != events)
			run_fail(r, e->line, "epoll_wait(): expected events 0x%x, are 0x%x", events, ev[i].events);
		else if (ev[i].data != event_data(r, e, want))
			run_fail(r, e->line, "epoll_wait(): expected data %llu, is %llu", (unsigned long long)event_data(r, e, want), (unsigned long long)ev[i].data);
	}
	return got;
}
