/* SPDX-License-Identifier: MIT */
/* sim.c - hosts in virtual time; see sim.h. */
#include "sim.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s failed, errno %d (%s)\n", __FILE__, __LINE__, #cond, errno, strerror(errno)); \
			abort(); \
		} \
	} while (0)

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t sim_random(struct sim *s)
{
	return splitmix(&s->random);
}

static uint64_t env_now(void *ctx)
{
	return ((struct sim_env *)ctx)->sim->now_ns;
}

static uint64_t env_realtime(void *ctx)
{
	return env_now(ctx) + UINT64_C(1700000000000000000);
}

static void env_random(void *ctx, void *buf, size_t n)
{
	uint8_t *p = buf;

	while (n) {
		uint64_t v = sim_random(((struct sim_env *)ctx)->sim);
		size_t c = n < sizeof(v) ? n : sizeof(v);
		memcpy(p, &v, c);
		p += c;
		n -= c;
	}
}

/* A blocking call of one host runs the whole network. */
static int env_wait(void *ctx, xmit_net *net, uint64_t until_ns)
{
	(void)net;
	sim_step(((struct sim_env *)ctx)->sim, until_ns);
	return 0;
}

static void env_log(void *ctx, const char *line)
{
	struct sim_env *e = ctx;

	if (strstr(line, "leaked")) {
		fprintf(stderr, "host %d (seed %llu): %s\n", e->index, (unsigned long long)e->sim->seed, line);
		abort();
	}
	if (e->sim->log_lines++ < 20)
		fprintf(stderr, "# host %d at %.6f s: %s\n", e->index, (double)e->sim->now_ns / 1e9, line);
}

void sim_init(struct sim *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->seed = s->random = seed;
	s->now_ns = 1000 * SIM_SEC;
}

int sim_add_host(struct sim *s, size_t memory_bytes)
{
	int i = s->hosts;

	CHECK(i < SIM_HOSTS_MAX);
	s->env[i] = (struct sim_env){s, i};
	struct xmit_config c = {
		.size = sizeof(c),
		.memory_bytes = memory_bytes,
		.env = {.size = sizeof(c.env), .ctx = &s->env[i], .now_ns = env_now, .realtime_ns = env_realtime, .random = env_random,
			.wait = env_wait, .log = env_log},
	};
	s->host[i] = xmit_net_new(&c);
	CHECK(s->host[i]);
	s->hosts++;
	return i;
}

void sim_init_pair_mem(struct sim *s, uint64_t seed, const struct xmit_vnic_config *link, size_t mem0, size_t mem1)
{
	char cidr[32];

	sim_init(s, seed);
	sim_add_host(s, mem0);
	sim_add_host(s, mem1);
	CHECK(xmit_vnic_pair(s->host[0], s->host[1], link, s->dev) == 0);
	for (int i = 0; i < 2; i++) {
		snprintf(cidr, sizeof(cidr), "192.0.2.%d/24", i + 1);
		CHECK(xmit_dev_up(s->dev[i]) == 0);
		CHECK(xmit_addr_add_text(s->dev[i], cidr) == 0);
	}
}

void sim_init_pair(struct sim *s, uint64_t seed, const struct xmit_vnic_config *link)
{
	sim_init_pair_mem(s, seed, link, 0, 0);
}

static uint64_t earliest(struct sim *s)
{
	uint64_t next = XMIT_NEVER;

	for (int i = 0; i < s->hosts; i++) {
		uint64_t t = xmit_next_deadline(s->host[i]);
		if (t < next)
			next = t;
	}
	if (s->outside.next && s->outside.next(s->outside.ctx) < next)
		next = s->outside.next(s->outside.ctx);
	return next;
}

/* Hosts that are inside a blocking call cannot be polled from outside: EDEADLK says so, they run by themselves. */
static bool run_hosts(struct sim *s)
{
	bool more = false;

	if (s->outside.run)
		s->outside.run(s->outside.ctx);
	for (int i = 0; i < s->hosts; i++)
		if (xmit_poll(s->host[i], 0) > 0)
			more = true;
	return more;
}

bool sim_step(struct sim *s, uint64_t limit_ns)
{
	if (run_hosts(s))
		return true;
	uint64_t next = earliest(s);
	if (next <= s->now_ns)
		return true;
	if (next > limit_ns) {
		if (limit_ns != XMIT_NEVER && limit_ns > s->now_ns)
			s->now_ns = limit_ns;
		return false;
	}
	s->now_ns = next;
	return true;
}

void sim_run(struct sim *s, uint64_t duration_ns)
{
	uint64_t limit = s->now_ns + duration_ns;

	while (sim_step(s, limit))
		;
}

bool sim_run_until(struct sim *s, bool (*cond)(void *ctx), void *ctx, uint64_t limit_ns)
{
	uint64_t limit = s->now_ns + limit_ns;

	while (!cond(ctx))
		if (!sim_step(s, limit))
			return cond(ctx);
	return true;
}

void sim_exit(struct sim *s)
{
	for (int i = 0; i < s->hosts; i++)
		xmit_net_free(s->host[i]);
}

struct sockaddr_in sim_addr(int host, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	a.sin_addr.s_addr = htonl(0xc0000201u + (uint32_t)host);
	return a;
}

/* --- a bulk flow ------------------------------------------------------------------------------------------- */

static void pattern_fill(uint64_t pattern, uint64_t offset, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint64_t at = offset + i;
		uint64_t state = pattern ^ (at & ~UINT64_C(7));
		uint64_t word = splitmix(&state);
		for (unsigned b = at & 7; b < 8 && i < n; b++, i++)
			p[i] = (uint8_t)(word >> (8 * b));
	}
}

static void flow_fail(struct sim_flow *f, int error)
{
	f->failed = true;
	f->done = true;
	f->error = error;
}

static void flow_send(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct sim_flow *f = ctx;
	uint8_t buf[65536];

	if (events & (XMIT_EPOLLERR)) {
		int err = 0;
		socklen_t len = sizeof(err);
		xmit_getsockopt(net, fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err)
			return flow_fail(f, err);
	}
	while (f->sent < f->bytes) {
		size_t n = f->bytes - f->sent < f->chunk ? (size_t)(f->bytes - f->sent) : f->chunk;
		pattern_fill(f->pattern, f->sent, buf, n);
		ssize_t w = xmit_send(net, fd, buf, n, MSG_DONTWAIT);
		if (w < 0) {
			if (errno == EAGAIN || errno == ENOTCONN)
				return;
			/* Out of memory is passing: the next event or the timer of the test tries again. */
			if (errno == ENOBUFS || errno == ENOMEM)
				return;
			return flow_fail(f, errno);
		}
		f->sent += (uint64_t)w;
	}
	if (!f->shut && xmit_shutdown(net, fd, SHUT_WR) == 0)
		f->shut = true;
}

static void flow_recv(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct sim_flow *f = ctx;
	static const size_t n = 65536;
	uint8_t buf[65536], want[65536];

	(void)events;
	for (;;) {
		ssize_t r = xmit_recv(net, fd, buf, n, MSG_DONTWAIT);
		if (r < 0) {
			if (errno != EAGAIN)
				flow_fail(f, errno);
			return;
		}
		if (r == 0) {
			f->done = true;
			f->finished_ns = f->sim->now_ns;
			if (f->received != f->bytes)
				flow_fail(f, EPIPE);
			xmit_set_event_cb(net, fd, NULL, NULL);
			return;
		}
		pattern_fill(f->pattern, f->received, want, (size_t)r);
		if (memcmp(buf, want, (size_t)r) != 0)
			return flow_fail(f, EILSEQ);
		f->received += (uint64_t)r;
	}
}

static void flow_accept(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct sim_flow *f = ctx;

	(void)events;
	int c = xmit_accept4(net, fd, NULL, NULL, SOCK_NONBLOCK);
	if (c < 0)
		return;
	f->recv_fd = c;
	xmit_set_event_cb(net, c, flow_recv, f);
	flow_recv(net, c, XMIT_EPOLLIN, f);
}

void sim_flow_start(struct sim_flow *f, struct sim *s, int from, int to, uint16_t port, uint64_t bytes)
{
	struct sockaddr_in a = sim_addr(to, port);
	int one = 1;

	*f = (struct sim_flow){.sim = s, .from = from, .to = to, .bytes = bytes, .port = port, .chunk = 65536, .recv_fd = -1,
			       .pattern = sim_random(s), .started_ns = s->now_ns};
	f->listen_fd = xmit_socket(s->host[to], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	f->send_fd = -1;
	if (f->listen_fd < 0)
		return flow_fail(f, errno);
	if (xmit_setsockopt(s->host[to], f->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    xmit_bind(s->host[to], f->listen_fd, (struct sockaddr *)&a, sizeof(a)) || xmit_listen(s->host[to], f->listen_fd, 16) ||
	    xmit_set_event_cb(s->host[to], f->listen_fd, flow_accept, f))
		return flow_fail(f, errno);
	f->send_fd = xmit_socket(s->host[from], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (f->send_fd < 0)
		return flow_fail(f, errno);
	if (xmit_set_event_cb(s->host[from], f->send_fd, flow_send, f))
		return flow_fail(f, errno);
	if (xmit_connect(s->host[from], f->send_fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS)
		flow_fail(f, errno);
}

bool sim_flow_done(void *flow)
{
	return ((struct sim_flow *)flow)->done;
}

void sim_flow_poke(struct sim_flow *f)
{
	if (f->done)
		return;
	if (f->recv_fd < 0 && f->listen_fd >= 0)
		flow_accept(f->sim->host[f->to], f->listen_fd, XMIT_EPOLLIN, f);
	if (f->send_fd >= 0)
		flow_send(f->sim->host[f->from], f->send_fd, 0, f);
	if (f->recv_fd >= 0 && !f->done)
		flow_recv(f->sim->host[f->to], f->recv_fd, XMIT_EPOLLIN, f);
}

void sim_flow_close(struct sim_flow *f)
{
	if (f->send_fd >= 0)
		xmit_close(f->sim->host[f->from], f->send_fd);
	if (f->recv_fd >= 0)
		xmit_close(f->sim->host[f->to], f->recv_fd);
	if (f->listen_fd >= 0)
		xmit_close(f->sim->host[f->to], f->listen_fd);
	f->send_fd = f->recv_fd = f->listen_fd = -1;
}
