/* SPDX-License-Identifier: MIT */
/*
 * test_wrap.c - where numbers wrap: sequence numbers (a start just below 2^32 and around 2^31, a transfer of 5 GB), the clocks of timestamps and of
 * round trips (2^31 and 2^32 milliseconds, microseconds), and days without a segment, longer than timestamps can tell apart (RFC 7323 5.5).
 *
 * Bytes flow both ways and are compared; their pattern has a prime period, so that a place taken for another 2^32 bytes away shows.
 *
 * usage: sim_wrap [reduced]	reduced: 300 MB instead of 5 GB (sanitizers, emulators)
 */
#include "link.h"
#include "core/net.h"
#include "tcp/tcp_internal.h"
#include "test.h"
#include "vfs/vfs_internal.h"
#include <errno.h>
#include <netinet/in.h>

enum { PERIOD = 65521, CHUNK = 65536, PORT = 80 };
#define DAY (UINT64_C(86400) * SIM_SEC)
#define MB UINT64_C(1000000)

struct end {
	xmit_net *net;
	int fd;                    /* -1: not yet */
	uint64_t to_send, sent, received;
	bool broken;
};
static struct {
	struct sim s;
	struct link l;
	bool linked;               /* over link.h, else over a vnic */
	int listen_fd;
	struct end end[2];         /* client, server */
	uint64_t frames;
	bool stamp_high, stamp_low; /* TSvals of the client near the end and near the start of the circle were seen */
} t;
static uint8_t pattern[PERIOD + CHUNK];
static bool reduced;

/* --- both ends ---------------------------------------------------------------------------------------------------------------- */

static ssize_t fill(void *ctx, void *dst, size_t n)
{
	struct end *e = ctx;

	for (size_t done = 0, take; done < n; done += take) {
		take = n - done < CHUNK ? n - done : CHUNK;
		memcpy((uint8_t *)dst + done, pattern + (e->sent + done) % PERIOD, take);
	}
	e->sent += n;
	return (ssize_t)n;
}

static void go_on_sending(struct end *e)
{
	while (e->sent < e->to_send) {
		uint64_t left = e->to_send - e->sent;
		if (xmit_send_fill(e->net, e->fd, fill, e, left < CHUNK ? (size_t)left : CHUNK, 0) <= 0)
			break;
	}
}

/* In place: the bytes are looked at where they lie. */
static void receive(struct end *e)
{
	struct iovec iov[16];
	int n;

	while ((n = xmit_recv_iov(e->net, e->fd, iov, 16)) > 0) {
		size_t bytes = 0;
		for (int i = 0; i < n; i++) {
			for (size_t at = 0, take; at < iov[i].iov_len; at += take) {
				take = iov[i].iov_len - at < CHUNK ? iov[i].iov_len - at : CHUNK;
				e->broken |= memcmp((uint8_t *)iov[i].iov_base + at, pattern + (e->received + bytes + at) % PERIOD, take) != 0;
			}
			bytes += iov[i].iov_len;
		}
		e->received += bytes;
		xmit_recv_skip(e->net, e->fd, bytes);
	}
	e->broken |= n == 0 || errno != EAGAIN;
}

static void event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct end *e = ctx;

	(void)net;
	(void)fd;
	(void)events;
	receive(e);
	go_on_sending(e);
}

static void accepted(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct end *e = &t.end[1];

	(void)events;
	(void)ctx;
	e->fd = xmit_accept4(net, fd, NULL, NULL, SOCK_NONBLOCK);
	if (e->fd >= 0) {
		xmit_set_event_cb(net, e->fd, event, e);
		event(net, e->fd, 0, e);
	}
}

static bool all_there(void *ctx)
{
	(void)ctx;
	return t.end[0].broken || t.end[1].broken || (t.end[0].received == t.end[1].to_send && t.end[1].received == t.end[0].to_send);
}

/* More bytes each way, within the time. */
static void transfer(uint64_t up, uint64_t down, uint64_t limit_ns)
{
	t.end[0].to_send += up;
	t.end[1].to_send += down;
	for (int i = 0; i < 2; i++)
		if (t.end[i].fd >= 0)
			go_on_sending(&t.end[i]);
	bool done = sim_run_until(&t.s, all_there, NULL, limit_ns);
	if (!done || t.end[0].broken || t.end[1].broken)
		fail_msg("seed %llu: %s: %llu of %llu bytes up, %llu of %llu down\n", (unsigned long long)t.s.seed, done ? "other bytes" : "too slow",
			 (unsigned long long)t.end[1].received, (unsigned long long)t.end[0].to_send, (unsigned long long)t.end[0].received,
			 (unsigned long long)t.end[1].to_send);
}

static void connect_ends(void)
{
	struct sockaddr_in a = sim_addr(1, PORT);

	for (int i = 0; i < 2; i++)
		t.end[i] = (struct end){.net = t.s.host[i], .fd = -1};
	t.listen_fd = xmit_socket(t.s.host[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(xmit_bind(t.s.host[1], t.listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(xmit_listen(t.s.host[1], t.listen_fd, 4), 0);
	assert_int_equal(xmit_set_event_cb(t.s.host[1], t.listen_fd, accepted, NULL), 0);
	t.end[0].fd = xmit_socket(t.s.host[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(xmit_set_event_cb(t.s.host[0], t.end[0].fd, event, &t.end[0]), 0);
	assert_int_equal(xmit_connect(t.s.host[0], t.end[0].fd, (struct sockaddr *)&a, sizeof(a)), -1);
	assert_int_equal(errno, EINPROGRESS);
}

static void watch(void *ctx, const struct iovec *iov, int n, bool out, uint64_t time_ns)
{
	uint8_t b[128] = {0};
	size_t have = 0;

	(void)ctx;
	(void)time_ns;
	for (int i = 0; i < n && have < sizeof(b); i++) {
		size_t take = iov[i].iov_len < sizeof(b) - have ? iov[i].iov_len : sizeof(b) - have;
		memcpy(b + have, iov[i].iov_base, take);
		have += take;
	}
	if (!n || b[12] != 8 || b[13] != 0 || b[14 + 9] != 6)
		return;
	t.frames++;
	const uint8_t *o = b + 34 + 20;
	if (out && o[0] == 1 && o[1] == 1 && o[2] == 8) {
		t.stamp_high |= o[4] == 0xff;
		t.stamp_low |= o[4] == 0;
	}
}

static const struct link_config lossy = {.rate_bps = 100000000, .delay_ns = 5 * SIM_MS, .queue_bytes = 200000, .faults = {.loss_ppm = 10000}};

/* The hosts are there from start_ns on. */
static void begin(const struct link_config *c, uint64_t start_ns)
{
	memset(&t, 0, sizeof(t));
	t.linked = true;
	link_init_pair(&t.l, &t.s, 1, c);
	t.s.now_ns = start_ns;
	assert_int_equal(xmit_dev_tap(t.s.dev[0], watch, NULL), 0);
}

static void set(const char *name, const char *value)
{
	for (int h = 0; h < 2; h++)
		assert_int_equal(xmit_sysctl_set(t.s.host[h], name, value, NULL, 0), 0);
}

static int end_all(void **state)
{
	(void)state;
	sim_exit(&t.s);
	if (t.linked)
		link_exit(&t.l);
	return 0;
}

static struct tcp_sock *tp_of(int i)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(t.end[i].net, t.end[i].fd, &f, &err);

	assert_non_null(sock);
	fput(f);
	return tcp_sk(sock->sk);
}

static uint64_t counted(int i, const char *name)
{
	bool known;
	uint64_t v = xmit_counter(t.s.host[i], name, &known);

	assert_true(known);
	return v;
}

/* --- sequence numbers ---------------------------------------------------------------------------------------------------------- */

/*
 * The initial sequence number of end i is a hash and a clock of 64 ns (RFC 6528): the same run, started later, starts at any number wanted.
 */
static void begin_at_isn(int i, uint32_t want)
{
	uint64_t start = 1000 * SIM_SEC;

	for (int round = 0; round < 4; round++) { /* what a shift of the clock itself shifts is known after one or two */
		begin(&lossy, start);
		connect_ends();
		sim_run(&t.s, 200 * SIM_MS);
		assert_true(t.end[1].fd >= 0);
		uint32_t got = tp_of(i)->isn_snd;
		if (got == want)
			return;
		start += (uint64_t)(want - got) << 6;
		end_all(NULL);
	}
	fail_msg("no start at %u\n", want);
}

static void starts_at(const uint32_t *isn, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (int who = 0; who < 2; who++) {
			begin_at_isn(who, isn[i]);
			transfer(MB / 2, MB / 2, 60 * SIM_SEC);
			assert_true(counted(who, "TcpRetransSegs") > 0); /* something was lost around there */
			end_all(NULL);
		}
}

static void sequence_numbers_wrap(void **state)
{
	static const uint32_t isn[] = {0xffffffff, 0xfffffffe, 0xffffffff - 1447, 0xffffffff - 1448, 0xffffffff - 14480, 0xffffffff - 100000, 0xffffffff - 400000, 0};

	(void)state;
	starts_at(isn, sizeof(isn) / sizeof(isn[0]));
}

static void sequence_numbers_pass_half_the_circle(void **state)
{
	static const uint32_t isn[] = {0x7fffffff, 0x80000000, 0x80000001, 0x7fffffff - 1448, 0x7fffffff - 100000};

	(void)state;
	starts_at(isn, sizeof(isn) / sizeof(isn[0]));
}

/* Nobody holds the bytes: they are made in the stack's memory and looked at there.  Instances of 16 MB. */
static void five_gigabytes(void **state)
{
	struct xmit_vnic_config c = {.size = sizeof(c), .rate_bps = UINT64_C(40000000000), .delay_ns = 50000, .loss_ppm = 1000, .seed = 3};
	uint64_t bytes = reduced ? 300 * MB : 5000 * MB;
	struct xmit_memory m;

	(void)state;
	memset(&t, 0, sizeof(t));
	sim_init_pair_mem(&t.s, 1, &c, 16 << 20, 16 << 20);
	connect_ends();
	transfer(0, 0, SIM_SEC);
	transfer(bytes, bytes / 20, 3600 * SIM_SEC);
	sim_run(&t.s, SIM_SEC);
	assert_in_range(tp_of(0)->bytes_acked, bytes, bytes + 2);
	assert_int_equal(tp_of(1)->bytes_received, bytes);
	assert_true(counted(0, "TcpRetransSegs") > 0);
	xmit_memory(t.s.host[0], &m);
	assert_in_range(m.peak_bytes, 1, 16 << 20);
}

/* --- clocks -------------------------------------------------------------------------------------------------------------------- */

/* A transfer around the moment at which the clock (of the host, ns) is `at`; then the round trip is still known. */
static void across(uint64_t at_ns, bool stamps_wrap)
{
	begin(&lossy, at_ns - 3 * SIM_SEC);
	set("net.ipv4.tcp_timestamps", "2"); /* the clock itself, without an offset */
	connect_ends();
	for (int i = 0; i < 12; i++) {
		transfer(MB / 2, MB / 10, 60 * SIM_SEC);
		sim_run(&t.s, SIM_SEC / 2);
	}
	assert_true(t.s.now_ns > at_ns + 2 * SIM_SEC);
	assert_true(!stamps_wrap || (t.stamp_high && t.stamp_low));
	assert_in_range(tp_of(0)->srtt_us >> 3, 9000, 60000);
	for (int i = 0; i < 2; i++)
		assert_int_equal(counted(i, "TcpExtPAWSEstab"), 0);
	end_all(NULL);
}

static void clocks_wrap(void **state)
{
	(void)state;
	across(UINT64_C(1) << 31 << 10, false); /* about 2^31 us; 2^41 ns */
	across((UINT64_C(1) << 31) * 1000, false);
	across((UINT64_C(1) << 32) * 1000, false);
	across((UINT64_C(1) << 31) * SIM_MS, false);
	across((UINT64_C(1) << 32) * SIM_MS, true);
}

/* --- idle days ------------------------------------------------------------------------------------------------------------------ */

static void idle(uint64_t days, bool keepalive, const char *timestamps)
{
	static const struct link_config quiet = {.rate_bps = 100000000, .delay_ns = 5 * SIM_MS, .queue_bytes = 200000};
	int one = 1;

	begin(&quiet, 1000 * SIM_SEC);
	set("net.ipv4.tcp_timestamps", timestamps);
	connect_ends();
	transfer(MB / 10, MB / 10, 10 * SIM_SEC);
	for (int i = 0; keepalive && i < 2; i++)
		assert_int_equal(xmit_setsockopt(t.end[i].net, t.end[i].fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
	sim_run(&t.s, 10 * SIM_SEC);
	t.frames = 0;
	sim_run(&t.s, days * DAY);
	/* Every two hours a probe and its answer; each end's clock starts anew when it hears the other's. */
	assert_in_range(t.frames, keepalive ? days * 12 * 2 - 4 : 0, keepalive ? days * 12 * 4 + 4 : 0);
	/* First the one, then the other speaks: what comes is not taken for old. */
	transfer(MB / 10, 0, 5 * SIM_SEC);
	transfer(0, MB / 10, 5 * SIM_SEC);
	transfer(MB, MB, 20 * SIM_SEC);
	for (int i = 0; i < 2; i++)
		assert_int_equal(counted(i, "TcpExtPAWSEstab"), 0);
	end_all(NULL);
}

static void idle_days(void **state)
{
	(void)state;
	idle(25, false, "1");
	idle(25, false, "0");
	idle(25, true, "1");
	/* Nearly the whole circle of milliseconds, and just beyond it. */
	idle(49, false, "1");
	idle(50, false, "1");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_numbers_wrap), cmocka_unit_test(sequence_numbers_pass_half_the_circle),
		cmocka_unit_test_setup_teardown(five_gigabytes, NULL, end_all), cmocka_unit_test(clocks_wrap), cmocka_unit_test(idle_days),
	};

	reduced = argc > 1 && !strcmp(argv[1], "reduced");
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)((i % PERIOD) * 2654435761u >> 24);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
