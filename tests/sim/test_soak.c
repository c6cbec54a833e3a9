/* SPDX-License-Identifier: MIT */
/*
 * test_soak.c - random scenarios in virtual time: a seed decides link, settings, sockets and what the applications do, and every byte is compared.
 *
 * A scenario is a few connections over one link.  Orderly ones send both ways, stop reading for seconds, close half, and must deliver
 * everything; abrupt ones are closed, reset or shut down at a random moment, and what has arrived until then must be right.  Progress comes
 * from event callbacks alone (the test only ends the pauses that it made itself), so a wakeup that is lost shows.  In the end nothing is left.
 *
 * XMIT_SOAK_FIRST and XMIT_SOAK_SEEDS choose other seeds; XMIT_SOAK_VERBOSE prints each scenario before it runs.
 */
#include "core/net.h"
#include "core/sock.h"
#include "sim.h"
#include "tcp/tcp_internal.h"
#include "test.h"
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>

enum { SEEDS = 60, CONNS_MAX = 5, CHUNK_MAX = 100000, DESCRIPTION_MAX = 4096 };

enum ending { ORDERLY, CLOSED, RESET, LINGERED, SHUT_BOTH, SHUT_READ, ENDINGS };
static const char *const ending_names[ENDINGS] = {"orderly", "closed", "reset", "lingered", "shut both ways", "reading shut"};

struct conn;
struct end {
	struct conn *conn;
	xmit_net *net;
	int fd;                      /* -1: not yet, or closed */
	uint64_t pattern;            /* of what it sends */
	uint64_t bytes, sent, received;
	uint32_t write_most, read_most;
	uint32_t pauses_ppm;         /* of reads and writes, after which it stops for a while */
	uint64_t pause_most_ns, read_at_ns, write_at_ns;
	bool corks, more, in_place, shut, eof;
	int error;
};
struct conn {
	struct soak *soak;
	struct end end[2];           /* the client's, the server's */
	int server;                  /* which host */
	int listen_fd;
	uint64_t start_ns, accept_ns, abort_ns;
	enum ending ending;
	int aborter;
	bool started, aborted;
};
struct soak {
	struct sim sim;
	uint64_t random;
	int conns;
	struct conn conn[CONNS_MAX];
	char wrong[256];             /* the first thing that went wrong */
	char text[DESCRIPTION_MAX];
	size_t text_len;
};
static struct soak soak;

/* --- random choices ----------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t draw(void)
{
	return mix(soak.random += UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t below(uint64_t n) { return draw() % n; }
static bool one_in(unsigned n) { return below(n) == 0; }

/* Every order of magnitude as likely as the next. */
static uint64_t spread(uint64_t least, uint64_t most)
{
	unsigned doublings = 0;

	for (uint64_t v = least; v < most; v *= 2)
		doublings++;
	uint64_t v = least << below(doublings + 1);
	v += below(v);
	return v > most ? most : v;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(soak.text + soak.text_len, sizeof(soak.text) - soak.text_len, format, ap);
	va_end(ap);
	soak.text_len = (size_t)n < sizeof(soak.text) - soak.text_len ? soak.text_len + (size_t)n : sizeof(soak.text) - 1;
}

static void wrong(const struct end *e, const char *what, int error)
{
	const struct conn *c = e->conn;

	if (!soak.wrong[0])
		snprintf(soak.wrong, sizeof(soak.wrong), "connection %d, %s at %.6f s: %s%s%s", (int)(c - soak.conn), e == &c->end[0] ? "client" : "server",
			 (double)soak.sim.now_ns / 1e9 - 1000, what, error ? ": " : "", error ? strerror(error) : "");
}

static void pattern_fill(uint64_t pattern, uint64_t offset, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint64_t at = offset + i, word = mix(pattern ^ (at >> 3));
		for (unsigned b = at & 7; b < 8 && i < n; b++, i++)
			p[i] = (uint8_t)(word >> (8 * b));
	}
}

/* --- the applications ----------------------------------------------------------------------------------------------------------- */

static void end_event(xmit_net *net, int fd, uint32_t events, void *ctx);

static void end_close(struct end *e)
{
	if (e->fd >= 0)
		xmit_close(e->net, e->fd);
	e->fd = -1;
}

static void set_int(struct end *e, int level, int name, int v)
{
	if (xmit_setsockopt(e->net, e->fd, level, name, &v, sizeof(v)))
		wrong(e, "setsockopt", errno);
}

/* An error of the connection: expected only once somebody has broken it off. */
static void end_error(struct end *e, int error)
{
	if (e->conn->ending == ORDERLY)
		wrong(e, "error", error);
	e->error = error;
	end_close(e);
}

static bool pauses(struct end *e, uint64_t *until_ns)
{
	if (below(1000000) >= e->pauses_ppm)
		return false;
	*until_ns = soak.sim.now_ns + 1 + below(e->pause_most_ns);
	return true;
}

static void end_write(struct end *e)
{
	static uint8_t buf[CHUNK_MAX];

	while (e->fd >= 0 && !e->write_at_ns && e->sent < e->bytes) {
		uint64_t left = e->bytes - e->sent, n = 1 + below(e->write_most);
		if (n > left)
			n = left;
		if (e->corks && one_in(8))
			set_int(e, IPPROTO_TCP, XMIT_TCP_CORK, one_in(2));
		pattern_fill(e->pattern, e->sent, buf, (size_t)n);
		ssize_t w = xmit_send(e->net, e->fd, buf, (size_t)n, MSG_DONTWAIT | (e->more && one_in(4) ? MSG_MORE : 0));
		if (w < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (w < 0)
			return end_error(e, errno);
		e->sent += (uint64_t)w;
		pauses(e, &e->write_at_ns);
	}
	if (e->fd >= 0 && e->sent == e->bytes && !e->shut && !e->write_at_ns) {
		if (xmit_shutdown(e->net, e->fd, SHUT_WR) == 0)
			e->shut = true;
		else if (errno != ENOTCONN)
			end_error(e, errno);
	}
}

static bool compare(struct end *e, const uint8_t *got, size_t n)
{
	static uint8_t want[CHUNK_MAX];
	const struct end *peer = &e->conn->end[e == &e->conn->end[0]];

	while (n) {
		size_t part = n < sizeof(want) ? n : sizeof(want);
		pattern_fill(peer->pattern, e->received, want, part);
		if (memcmp(got, want, part) != 0)
			return false;
		e->received += part;
		got += part;
		n -= part;
	}
	return true;
}

/* As recv(), in place. */
static ssize_t read_in_place(struct end *e, size_t most, bool *right)
{
	struct iovec iov[4];
	size_t n = 0;
	int pieces = xmit_recv_iov(e->net, e->fd, iov, 4);

	if (pieces <= 0)
		return pieces;
	for (int i = 0; i < pieces && n < most; i++) {
		size_t part = iov[i].iov_len < most - n ? iov[i].iov_len : most - n;
		*right = *right && compare(e, iov[i].iov_base, part);
		n += part;
	}
	if (xmit_recv_skip(e->net, e->fd, n))
		return -1;
	return (ssize_t)n;
}

static void end_read(struct end *e)
{
	static uint8_t buf[CHUNK_MAX];

	while (e->fd >= 0 && !e->read_at_ns && !e->eof) {
		size_t most = 1 + below(e->read_most);
		bool right = true;
		ssize_t n = e->in_place ? read_in_place(e, most, &right) : xmit_recv(e->net, e->fd, buf, most, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (n < 0)
			return end_error(e, errno);
		if (!e->in_place)
			right = compare(e, buf, (size_t)n);
		if (!right)
			return wrong(e, "other bytes than were sent", 0);
		if (n == 0)
			e->eof = true;
		else
			pauses(e, &e->read_at_ns);
	}
}

/* Whoever has sent and read everything closes; so does, of an abrupt connection, whoever sees its end. */
static void end_go_on(struct end *e)
{
	struct conn *c = e->conn;

	end_read(e);
	end_write(e);
	if (e->fd < 0 || !e->eof)
		return;
	const struct end *peer = &c->end[e == &c->end[0]];
	if (c->ending == ORDERLY && e->received != peer->bytes)
		wrong(e, "end of stream before its time", 0);
	if (e->shut || (c->ending != ORDERLY && one_in(2)))
		end_close(e);
}

static void end_event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct end *e = ctx;

	(void)net;
	(void)fd;
	if (events & XMIT_EPOLLERR) {
		int error = 0;
		socklen_t len = sizeof(error);
		xmit_getsockopt(e->net, e->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error)
			return end_error(e, error);
	}
	end_go_on(e);
}

static void choose_buffers(xmit_net *net, int fd)
{
	int v;

	if (one_in(3)) {
		v = (int)spread(1024, 4 << 20);
		xmit_setsockopt(net, fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
		say(" sndbuf %d", v);
	}
	if (one_in(3)) {
		v = (int)spread(1024, 4 << 20);
		xmit_setsockopt(net, fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v));
		say(" rcvbuf %d", v);
	}
}

static void end_open(struct end *e, int fd)
{
	e->fd = fd;
	if (one_in(3))
		set_int(e, IPPROTO_TCP, XMIT_TCP_NODELAY, 1);
	/* The end of an abrupt connection may be lost; somebody who only reads must still learn of it. */
	if (e->conn->ending != ORDERLY) {
		set_int(e, SOL_SOCKET, SO_KEEPALIVE, 1);
		set_int(e, IPPROTO_TCP, XMIT_TCP_KEEPIDLE, 20);
		set_int(e, IPPROTO_TCP, XMIT_TCP_KEEPINTVL, 5);
	}
	if (xmit_set_event_cb(e->net, fd, end_event, e))
		wrong(e, "set_event_cb", errno);
}

static void conn_accept(struct conn *c)
{
	if (c->end[1].fd >= 0 || c->end[1].error || c->listen_fd < 0 || soak.sim.now_ns < c->accept_ns)
		return;
	int fd = xmit_accept4(c->end[1].net, c->listen_fd, NULL, NULL, SOCK_NONBLOCK);
	if (fd < 0)
		return;
	end_open(&c->end[1], fd);
	end_go_on(&c->end[1]);
}

static void listen_event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	(void)net;
	(void)fd;
	(void)events;
	conn_accept(ctx);
}

static void conn_start(struct conn *c)
{
	struct sockaddr_in a = sim_addr(c->server, (uint16_t)(80 + (c - soak.conn)));
	xmit_net *s = c->end[1].net;

	c->started = true;
	say("\n  connection %d after %.3f s, %s", (int)(c - soak.conn), (double)c->start_ns / 1e9 - 1000, ending_names[c->ending]);
	if (c->ending != ORDERLY)
		say(" by %s at %.3f s", c->aborter ? "server" : "client", (double)c->abort_ns / 1e9 - 1000);
	for (int i = 0; i < 2; i++) {
		const struct end *e = &c->end[i];
		say("; %s: %llu bytes, writes to %u, reads to %u, pauses %u ppm to %.3f s", i ? "server" : "client", (unsigned long long)e->bytes,
		    e->write_most, e->read_most, e->pauses_ppm, (double)e->pause_most_ns / 1e9);
	}
	c->listen_fd = xmit_socket(s, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	choose_buffers(s, c->listen_fd);
	if (xmit_bind(s, c->listen_fd, (struct sockaddr *)&a, sizeof(a)) || xmit_listen(s, c->listen_fd, 4) ||
	    xmit_set_event_cb(s, c->listen_fd, listen_event, c))
		wrong(&c->end[1], "listen", errno);
	int fd = xmit_socket(c->end[0].net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	choose_buffers(c->end[0].net, fd);
	end_open(&c->end[0], fd);
	if (xmit_connect(c->end[0].net, fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS)
		end_error(&c->end[0], errno);
}

static void conn_abort(struct conn *c)
{
	struct end *e = &c->end[c->aborter];
	struct linger l = {.l_onoff = 1, .l_linger = c->ending == RESET ? 0 : 2};

	c->aborted = true;
	if (c->aborter && c->listen_fd >= 0) {
		xmit_close(e->net, c->listen_fd);
		c->listen_fd = -1;
	}
	if (e->fd < 0)
		return;
	if (c->ending == RESET || c->ending == LINGERED)
		if (xmit_setsockopt(e->net, e->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)))
			wrong(e, "SO_LINGER", errno);
	if (c->ending == SHUT_BOTH || c->ending == SHUT_READ) {
		xmit_shutdown(e->net, e->fd, c->ending == SHUT_BOTH ? SHUT_RDWR : SHUT_RD);
		e->shut = e->shut || c->ending == SHUT_BOTH;
		return;
	}
	end_close(e);
}

/* --- the scenario ----------------------------------------------------------------------------------------------------------------- */

static uint32_t some_ppm(unsigned seldom, uint32_t most)
{
	return one_in(seldom) ? (uint32_t)spread(100, most) : 0;
}

static struct xmit_vnic_config choose_link(void)
{
	static const unsigned mtus[] = {576, 1280, 1500, 1500, 1500, 9000};
	static const uint32_t offloads[] = {0, 0, XMIT_VNIC_NO_OFFLOAD, XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO, XMIT_F_SG,
					    XMIT_F_CSUM | XMIT_F_RXCSUM};
	struct xmit_vnic_config l = {
		.size = sizeof(l), .seed = draw(), .mtu = one_in(3) ? 576 + (unsigned)below(8425) : mtus[below(6)], .features = offloads[below(6)],
		.ring_size = 8u << below(8), .delay_ns = one_in(5) ? 0 : spread(1000, 200 * SIM_MS), .rate_bps = one_in(4) ? 0 : spread(100000, 1000000000),
		.queue_bytes = (unsigned)spread(4096, 1 << 20), .loss_ppm = some_ppm(2, 200000), .duplicate_ppm = some_ppm(3, 100000),
		.reorder_ppm = some_ppm(3, 200000), .corrupt_ppm = some_ppm(3, 50000), .busy_ppm = some_ppm(3, 200000),
		.lost_completion_ppm = some_ppm(4, 50000), .reorder_delay_ns = spread(1000, 200 * SIM_MS),
	};

	say("link: delay %.6f s, rate %llu, queue %u, ring %u, mtu %u, features %#x; ppm: loss %u, duplicate %u, reorder %u (%.6f s), corrupt %u, busy %u, lost "
	    "completion %u", (double)l.delay_ns / 1e9, (unsigned long long)l.rate_bps, l.queue_bytes, l.ring_size, l.mtu, l.features, l.loss_ppm, l.duplicate_ppm,
	    l.reorder_ppm, (double)l.reorder_delay_ns / 1e9, l.corrupt_ppm, l.busy_ppm, l.lost_completion_ppm);
	return l;
}

static void set_sysctl(int host, const char *name, const char *value)
{
	if (xmit_sysctl_set(soak.sim.host[host], name, value, NULL, 0))
		fail_msg("%s = %s", name, value);
}

static void choose_sysctls(int host)
{
	static const char *const switches[] = {"net.ipv4.tcp_sack", "net.ipv4.tcp_timestamps", "net.ipv4.tcp_window_scaling", "net.ipv4.tcp_dsack",
		"net.ipv4.tcp_autocorking", "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_moderate_rcvbuf", "net.ipv4.tcp_frto",
		"net.ipv4.tcp_no_metrics_save", "net.ipv4.tcp_retrans_collapse", "net.ipv4.tcp_syncookies"};

	/* What a lossy line may take is not what is tested here. */
	set_sysctl(host, "net.ipv4.tcp_syn_retries", "30");
	set_sysctl(host, "net.ipv4.tcp_synack_retries", "30");
	set_sysctl(host, "net.ipv4.tcp_orphan_retries", "15");
	set_sysctl(host, "net.ipv4.tcp_retries2", "30");
	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++)
		if (one_in(5)) {
			set_sysctl(host, switches[i], "0");
			say(", %s 0", strrchr(switches[i], '.') + 1);
		}
	if (one_in(3)) {
		set_sysctl(host, "net.ipv4.tcp_ecn", one_in(2) ? "1" : "0");
		say(", ecn changed");
	}
	if (one_in(2)) {
		set_sysctl(host, "net.ipv4.tcp_congestion_control", "reno");
		say(", reno");
	}
}

static void choose_conn(struct conn *c, const struct xmit_vnic_config *l)
{
	uint64_t most = 600000;

	/* As much as the link might carry in some ten seconds, less where every lost frame costs a timeout. */
	if (l->rate_bps && l->rate_bps < most)
		most = l->rate_bps;
	if (l->loss_ppm + l->corrupt_ppm > 30000)
		most /= 8;
	c->soak = &soak;
	c->listen_fd = -1;
	c->server = (int)below(2);
	c->start_ns = soak.sim.now_ns + (one_in(2) ? 0 : below(2 * SIM_SEC));
	c->accept_ns = c->start_ns + (one_in(4) ? below(5 * SIM_SEC) : 0);
	c->ending = one_in(3) ? CLOSED + (enum ending)below(ENDINGS - CLOSED) : ORDERLY;
	c->abort_ns = c->start_ns + spread(1000, 5 * SIM_SEC);
	c->aborter = (int)below(2);
	for (int i = 0; i < 2; i++)
		c->end[i] = (struct end){.conn = c, .net = soak.sim.host[i ? c->server : !c->server], .fd = -1, .pattern = draw(),
			.bytes = one_in(5) ? 0 : spread(1, most), .write_most = (uint32_t)spread(1, CHUNK_MAX), .read_most = (uint32_t)spread(100, CHUNK_MAX),
			.pauses_ppm = one_in(2) ? 0 : (uint32_t)spread(100, 100000), .pause_most_ns = spread(1000, 8 * SIM_SEC), .corks = one_in(4),
			.more = one_in(4), .in_place = one_in(3)};
	for (int i = 0; i < 2; i++) {
		struct end *e = &c->end[i];
		/* Not hours of it. */
		if (e->write_most < e->bytes / 5000)
			e->write_most = (uint32_t)(e->bytes / 5000);
		if (e->pauses_ppm > 10000 && e->pause_most_ns > SIM_SEC)
			e->pauses_ppm = 10000;
	}
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Ends what is due of the pauses that this test made; returns when the next is. */
static uint64_t do_what_is_due(void)
{
	uint64_t now = soak.sim.now_ns, next = XMIT_NEVER;

	for (struct conn *c = soak.conn; c < soak.conn + soak.conns; c++) {
		if (!c->started && c->start_ns <= now)
			conn_start(c);
		else if (!c->started)
			next = earlier(next, c->start_ns);
		if (c->accept_ns <= now)
			c->accept_ns = now, conn_accept(c);
		else
			next = earlier(next, c->accept_ns);
		if (c->started && c->ending != ORDERLY && !c->aborted && c->abort_ns <= now)
			conn_abort(c);
		else if (c->ending != ORDERLY && !c->aborted)
			next = earlier(next, c->abort_ns > now ? c->abort_ns : c->start_ns);
		for (struct end *e = c->end; e < c->end + 2; e++) {
			bool due = (e->read_at_ns && e->read_at_ns <= now) || (e->write_at_ns && e->write_at_ns <= now);
			if (e->read_at_ns <= now)
				e->read_at_ns = 0;
			if (e->write_at_ns <= now)
				e->write_at_ns = 0;
			if (due && e->fd >= 0)
				end_go_on(e);
			if (e->read_at_ns)
				next = earlier(next, e->read_at_ns);
			if (e->write_at_ns)
				next = earlier(next, e->write_at_ns);
		}
	}
	return next;
}

static bool conn_finished(const struct conn *c)
{
	const struct end *a = &c->end[0], *b = &c->end[1];

	if (!c->started || a->fd >= 0 || b->fd >= 0)
		return false;
	if (c->ending == ORDERLY)
		return a->received == b->bytes && b->received == a->bytes && a->eof && b->eof;
	return c->aborted;
}

static bool all_finished(void)
{
	for (struct conn *c = soak.conn; c < soak.conn + soak.conns; c++)
		if (!conn_finished(c))
			return false;
	return true;
}

static void run_to_the_end(uint64_t limit_ns)
{
	uint64_t limit = soak.sim.now_ns + limit_ns;

	while (!soak.wrong[0] && !all_finished()) {
		uint64_t next = do_what_is_due();
		if (soak.sim.now_ns >= limit) {
			for (struct conn *c = soak.conn; c < soak.conn + soak.conns; c++)
				for (struct end *e = c->end; e < c->end + 2; e++)
					if (!conn_finished(c))
						wrong(e, "not finished", 0);
			return;
		}
		sim_step(&soak.sim, earlier(next, limit));
	}
}

static void check_nothing_left(int host)
{
	xmit_net *net = soak.sim.host[host];

	if (soak.wrong[0])
		return;
	if (xmit_counter(net, "TcpCurrEstab", NULL) || net->tcp->orphan_count || net->tcp->tw_count || net->tcp->mem.allocated)
		snprintf(soak.wrong, sizeof(soak.wrong), "host %d: left over: %llu established, %d orphans, %d in TIME_WAIT, %lld pages", host,
			 (unsigned long long)xmit_counter(net, "TcpCurrEstab", NULL), net->tcp->orphan_count, net->tcp->tw_count,
			 (long long)net->tcp->mem.allocated);
}

static void print_state(void)
{
	fprintf(stderr, "seed %llu: %s\n  %s\n", (unsigned long long)soak.sim.seed, soak.wrong, soak.text);
	for (struct conn *c = soak.conn; c < soak.conn + soak.conns; c++)
		for (int i = 0; i < 2; i++)
			fprintf(stderr, "  connection %d %s: fd %d, sent %llu, received %llu%s%s, errno %d\n", (int)(c - soak.conn), i ? "server" : "client",
				c->end[i].fd, (unsigned long long)c->end[i].sent, (unsigned long long)c->end[i].received, c->end[i].shut ? ", shut" : "",
				c->end[i].eof ? ", end seen" : "", c->end[i].error);
}

static void on_abort(int sig)
{
	print_state();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void run_seed(uint64_t seed)
{
	struct xmit_vnic_config link;

	memset(&soak, 0, sizeof(soak));
	soak.sim.seed = soak.random = seed;
	link = choose_link();
	sim_init_pair(&soak.sim, seed, &link);
	for (int i = 0; i < 2; i++) {
		say("\n  host %d", i);
		choose_sysctls(i);
		/* Three lost questions in a row end a connect() with EHOSTUNREACH, rightly. */
		if (link.loss_ppm + link.corrupt_ppm > 5000 || link.queue_bytes < 100000)
			assert_int_equal(xmit_neigh_add(soak.sim.dev[i], sim_addr(!i, 0).sin_addr, xmit_dev_mac(soak.sim.dev[!i])), 0);
	}
	soak.conns = 1 + (int)below(CONNS_MAX);
	for (struct conn *c = soak.conn; c < soak.conn + soak.conns; c++)
		choose_conn(c, &link);
	if (getenv("XMIT_SOAK_VERBOSE"))
		fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, soak.text);
	run_to_the_end(4 * 3600 * SIM_SEC);
	if (getenv("XMIT_SOAK_VERBOSE"))
		fprintf(stderr, "  took %.3f s\n", (double)soak.sim.now_ns / 1e9 - 1000);
	for (struct conn *c = soak.conn; c < soak.conn + soak.conns; c++)
		if (c->listen_fd >= 0)
			xmit_close(c->end[1].net, c->listen_fd);
	if (!soak.wrong[0])
		sim_run(&soak.sim, 3600 * SIM_SEC); /* orphans and TIME_WAIT run out */
	for (int i = 0; i < 2; i++)
		check_nothing_left(i);
	if (soak.wrong[0]) {
		print_state();
		if (getenv("XMIT_SOAK_VERBOSE"))
			for (int i = 0; i < 2; i++)
				xmit_print_stats(soak.sim.host[i], stderr);
	}
	sim_exit(&soak.sim);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	return getenv(name) ? strtoull(getenv(name), NULL, 10) : otherwise;
}

static void random_scenarios(void **state)
{
	uint64_t first = from_environment("XMIT_SOAK_FIRST", 1), seeds = from_environment("XMIT_SOAK_SEEDS", SEEDS);
	unsigned failed = 0;

	(void)state;
	signal(SIGABRT, on_abort);
	for (uint64_t seed = first; seed < first + seeds; seed++) {
		run_seed(seed);
		failed += soak.wrong[0] != 0;
	}
	assert_int_equal(failed, 0);
}

/* --- goodput ------------------------------------------------------------------------------------------------------------------------ */

/* Percent of the link's rate that one flow's payload reaches, the handshake included. */
static unsigned goodput(const struct xmit_vnic_config *link, uint64_t bytes)
{
	static struct sim s;
	static struct sim_flow f;

	sim_init_pair(&s, 1, link);
	sim_flow_start(&f, &s, 0, 1, 80, bytes);
	assert_true(sim_run_until(&s, sim_flow_done, &f, 600 * SIM_SEC));
	assert_int_equal(f.error, 0);
	double seconds = (double)(f.finished_ns - f.started_ns) / 1e9;
	unsigned percent = (unsigned)((double)bytes * 8 / seconds / (double)link->rate_bps * 100);
	printf("%llu bytes in %.3f s: %u %% of the rate; retransmitted %llu, timeouts %llu\n", (unsigned long long)bytes, seconds, percent,
	       (unsigned long long)xmit_counter(s.host[0], "TcpRetransSegs", NULL), (unsigned long long)xmit_counter(s.host[0], "TcpExtTCPTimeouts", NULL));
	sim_flow_close(&f);
	sim_exit(&s);
	return percent;
}

static void goodput_without_loss(void **state)
{
	(void)state;
	assert_true(goodput(&(struct xmit_vnic_config){.size = sizeof(struct xmit_vnic_config), .delay_ns = 20 * SIM_MS, .rate_bps = 100000000},
			    20000000) >= 85);
}

static void goodput_with_loss(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_VNIC_NO_OFFLOAD, .delay_ns = 5 * SIM_MS, .rate_bps = 50000000, .loss_ppm = 1000};

	(void)state;
	for (link.seed = 1; link.seed <= 3; link.seed++)
		assert_true(goodput(&link, 20000000) >= 60);
}

/* --- what these scenarios found ------------------------------------------------------------------------------------------------------ */

/* The answer to the first SYN takes longer than its timeout: its echo is of the first SYN, and it is accepted. */
static void syn_answered_late(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .delay_ns = 700 * SIM_MS};
	static struct sim s;
	static struct sim_flow f;

	(void)state;
	sim_init_pair(&s, 1, &link);
	sim_flow_start(&f, &s, 0, 1, 80, 100000);
	assert_true(sim_run_until(&s, sim_flow_done, &f, 60 * SIM_SEC));
	assert_int_equal(f.error, 0);
	assert_int_equal(f.received, 100000);
	assert_true(xmit_counter(s.host[0], "TcpExtTCPSynRetrans", NULL) >= 1);
	assert_int_equal(xmit_drops(s.host[0], "TCP_RFC7323_TSECR"), 0);
	sim_flow_close(&f);
	sim_exit(&s);
}

/* A frame is refused by a full link behind one whose completion is lost: time goes on (it once stood still). */
static void full_link_and_lost_completions(void **state)
{
	(void)state;
	run_seed(1312);
	assert_int_equal(soak.wrong[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_scenarios),
		cmocka_unit_test(goodput_without_loss),
		cmocka_unit_test(goodput_with_loss),
		cmocka_unit_test(syn_answered_late),
		cmocka_unit_test(full_link_and_lost_completions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
