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
#include "soak.h"
#include "tcp/tcp_internal.h"
#include "test.h"
#include <netinet/in.h>
#include <signal.h>

enum { SEEDS = 60 };

/* --- the scenario ----------------------------------------------------------------------------------------------------------------- */

static uint32_t some_ppm(unsigned seldom, uint32_t most)
{
	return soak_one_in(seldom) ? (uint32_t)soak_spread(100, most) : 0;
}

static struct xmit_vnic_config choose_link(void)
{
	static const unsigned mtus[] = {576, 1280, 1500, 1500, 1500, 9000};
	static const uint32_t offloads[] = {0, 0, XMIT_VNIC_NO_OFFLOAD, XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO, XMIT_F_SG,
					    XMIT_F_CSUM | XMIT_F_RXCSUM};
	struct xmit_vnic_config l = {
		.size = sizeof(l), .seed = soak_draw(), .mtu = soak_one_in(3) ? 576 + (unsigned)soak_below(8425) : mtus[soak_below(6)], .features = offloads[soak_below(6)],
		.ring_size = 8u << soak_below(8), .delay_ns = soak_one_in(5) ? 0 : soak_spread(1000, 200 * SIM_MS), .rate_bps = soak_one_in(4) ? 0 : soak_spread(100000, 1000000000),
		.queue_bytes = (unsigned)soak_spread(4096, 1 << 20), .loss_ppm = some_ppm(2, 200000), .duplicate_ppm = some_ppm(3, 100000),
		.reorder_ppm = some_ppm(3, 200000), .corrupt_ppm = some_ppm(3, 50000), .busy_ppm = some_ppm(3, 200000),
		.lost_completion_ppm = some_ppm(4, 50000), .reorder_delay_ns = soak_spread(1000, 200 * SIM_MS),
	};

	soak_say("link: delay %.6f s, rate %llu, queue %u, ring %u, mtu %u, features %#x; ppm: loss %u, duplicate %u, reorder %u (%.6f s), corrupt %u, busy %u, lost "
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
		if (soak_one_in(5)) {
			set_sysctl(host, switches[i], "0");
			soak_say(", %s 0", strrchr(switches[i], '.') + 1);
		}
	if (soak_one_in(3)) {
		set_sysctl(host, "net.ipv4.tcp_ecn", soak_one_in(2) ? "1" : "0");
		soak_say(", ecn changed");
	}
	if (soak_one_in(2)) {
		set_sysctl(host, "net.ipv4.tcp_congestion_control", "reno");
		soak_say(", reno");
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
	c->server = (int)soak_below(2);
	c->start_ns = soak.sim.now_ns + (soak_one_in(2) ? 0 : soak_below(2 * SIM_SEC));
	c->accept_ns = c->start_ns + (soak_one_in(4) ? soak_below(5 * SIM_SEC) : 0);
	c->ending = soak_one_in(3) ? CLOSED + (enum ending)soak_below(ENDINGS - CLOSED) : ORDERLY;
	c->abort_ns = c->start_ns + soak_spread(1000, 5 * SIM_SEC);
	c->aborter = (int)soak_below(2);
	for (int i = 0; i < 2; i++)
		c->end[i] = (struct end){.conn = c, .net = soak.sim.host[i ? c->server : !c->server], .fd = -1, .pattern = soak_draw(),
			.bytes = soak_one_in(5) ? 0 : soak_spread(1, most), .write_most = (uint32_t)soak_spread(1, CHUNK_MAX), .read_most = (uint32_t)soak_spread(100, CHUNK_MAX),
			.pauses_ppm = soak_one_in(2) ? 0 : (uint32_t)soak_spread(100, 100000), .pause_most_ns = soak_spread(1000, 8 * SIM_SEC), .corks = soak_one_in(4),
			.more = soak_one_in(4), .in_place = soak_one_in(3)};
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
			soak_conn_start(c);
		else if (!c->started)
			next = earlier(next, c->start_ns);
		if (c->accept_ns <= now)
			c->accept_ns = now, soak_conn_accept(c);
		else
			next = earlier(next, c->accept_ns);
		if (c->started && c->ending != ORDERLY && !c->aborted && c->abort_ns <= now)
			soak_conn_abort(c);
		else if (c->ending != ORDERLY && !c->aborted)
			next = earlier(next, c->abort_ns > now ? c->abort_ns : c->start_ns);
		for (struct end *e = c->end; e < c->end + 2; e++) {
			bool due = (e->read_at_ns && e->read_at_ns <= now) || (e->write_at_ns && e->write_at_ns <= now);
			if (e->read_at_ns <= now)
				e->read_at_ns = 0;
			if (e->write_at_ns <= now)
				e->write_at_ns = 0;
			if (due && e->fd >= 0)
				soak_end_go_on(e);
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
						soak_wrong(e, "not finished", 0);
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
		soak_say("\n  host %d", i);
		choose_sysctls(i);
		/* Three lost questions in a row end a connect() with EHOSTUNREACH, rightly. */
		if (link.loss_ppm + link.corrupt_ppm > 5000 || link.queue_bytes < 100000)
			assert_int_equal(xmit_neigh_add(soak.sim.dev[i], sim_addr(!i, 0).sin_addr, xmit_dev_mac(soak.sim.dev[!i])), 0);
	}
	soak.conns = 1 + (int)soak_below(CONNS_MAX);
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
		cmocka_unit_test(full_link_and_lost_completions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
