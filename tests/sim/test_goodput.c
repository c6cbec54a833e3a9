/* SPDX-License-Identifier: MIT */
/*
 * test_goodput.c - 10 MB over every kind of path, contents compared, goodput held to a table.
 *
 * A cell is an algorithm and a path: socket buffers by losses, the bottleneck's queue by losses, rates by delays, and paths with faults (bursts of
 * losses, masks, reordering, duplication, jitter).  A run is a pure function of the cell and its seed.  tests/sim/goodput.table has a row for each:
 * key, seed, bit/s of payload.  A run below 0.95 of its row fails; so does one of twice its row and more (the row is not this cell's, and would
 * let a bad run pass), a cell without a row, and a row without a cell.
 *
 * usage: sim_goodput [reduced] [ALGORITHM...]		the tests; reduced: every eleventh cell (sanitizers, emulators)
 *	  sim_goodput table [ALGORITHM...]		prints the table anew: `sim_goodput table > tests/sim/goodput.table`
 *	  sim_goodput cell KEY [SEED [PCAP]]		one cell again, with its counters; frames of the sender's device to PCAP
 *
 * Changing a row needs its reason in the commit message.  Row by row a sum of chances (which segment is the lost one) moves by a few percent when
 * anything about sending changes; `table` therefore ends with how much each algorithm gained or lost against the old table, on stderr.
 */
#include "link.h"
#include "test.h"
#include <errno.h>
#include <math.h>
#include <netinet/in.h>

enum { BYTES = 10000000, KEY_BYTES = 64, REDUCED_STEP = 11, ROWS_MOST = 1024, FAILS_AT_PERCENT = 95, STALE_AT_PERCENT = 200 };
#define SEED 1
#define LIMIT (30 * 86400 * SIM_SEC)

struct cell {
	char key[KEY_BYTES];
	const char *algorithm;
	uint32_t buffer_bytes; /* both socket buffers; 0: as they come, tuned by the stack */
	struct link_config link;
};

struct outcome {
	uint64_t bit_per_s;
	double took_s;
	int error; /* 0, or why the transfer broke */
	uint64_t received, resent, timeouts, lost;
};

static const char *const algorithms[] = {"reno", "cubic", "bbr", "dctcp"};
static const uint32_t buffers[] = {4096, 8192, 16384, 32768, 65536, 131072, 262144, 1048576, 0};
static const uint32_t losses_ppm[] = {0, 1000, 10000, 20000, 50000, 100000, 200000, 300000};
static const uint32_t queues[] = {3000, 6000, 12000, 25000, 50000, 100000, 200000, 400000, 1000000};
static const uint32_t queue_losses_ppm[] = {0, 3000, 30000};
static const uint64_t rates_bps[] = {1000000, 100000000, 1000000000};
static const uint64_t rtts_ms[] = {2, 60, 300};

/* 20 Mbit/s, 20 ms there and back: 50,000 bytes. */
#define RATE 20000000
#define DELAY (10 * SIM_MS)
#define QUEUE 100000
static const struct fault_path {
	const char *name;
	struct impair_faults f;
} fault_paths[] = {
	{"burst-2-of-200", {.to_bad_ppm = 5000, .to_good_ppm = 500000, .bad_loss_ppm = 1000000}},
	{"burst-10-of-1000", {.to_bad_ppm = 1000, .to_good_ppm = 100000, .bad_loss_ppm = 1000000}},
	{"burst-50-of-1000-half", {.to_bad_ppm = 1000, .to_good_ppm = 20000, .bad_loss_ppm = 500000}},
	{"mask-one-of-64", {.lost_mask = 1, .mask_bits = 64}},
	{"mask-two-of-50", {.lost_mask = 0x401, .mask_bits = 50}},
	{"mask-six-of-60", {.lost_mask = 0x3f00000, .mask_bits = 60}},
	{"duplicate-5%", {.duplicate_ppm = 50000}},
	{"reorder-1%-by-4ms", {.reorder_ppm = 10000, .reorder_ns = 4 * SIM_MS}},
	{"reorder-20%-by-2ms", {.reorder_ppm = 200000, .reorder_ns = 2 * SIM_MS}},
	{"reorder-5%-by-30ms", {.reorder_ppm = 50000, .reorder_ns = 30 * SIM_MS}},
	{"jitter-15ms", {.jitter_ns = 15 * SIM_MS}},
	{"loss-1%-reorder-2%-duplicate-1%-jitter-5ms",
	 {.loss_ppm = 10000, .reorder_ppm = 20000, .reorder_ns = 8 * SIM_MS, .duplicate_ppm = 10000, .jitter_ns = 5 * SIM_MS}},
};
#define COUNT(a) ((unsigned)(sizeof(a) / sizeof((a)[0])))
enum {
	WINDOW_CELLS = COUNT(buffers) * COUNT(losses_ppm), QUEUE_CELLS = COUNT(queues) * COUNT(queue_losses_ppm),
	RATE_CELLS = COUNT(rates_bps) * COUNT(rtts_ms), FAULT_CELLS = COUNT(fault_paths),
	FIRST_QUEUE = WINDOW_CELLS, FIRST_RATE = FIRST_QUEUE + QUEUE_CELLS, FIRST_FAULT = FIRST_RATE + RATE_CELLS, CELLS = FIRST_FAULT + FAULT_CELLS,
};

static void window_cell(struct cell *c, unsigned n)
{
	uint32_t loss = losses_ppm[n % COUNT(losses_ppm)];

	c->buffer_bytes = buffers[n / COUNT(losses_ppm)];
	c->link.faults.loss_ppm = loss;
	snprintf(c->key, KEY_BYTES, "%s/buffers-%u/loss-%u.%u%%", c->algorithm, c->buffer_bytes, loss / 10000, loss / 1000 % 10);
	if (!c->buffer_bytes)
		snprintf(c->key, KEY_BYTES, "%s/buffers-tuned/loss-%u.%u%%", c->algorithm, loss / 10000, loss / 1000 % 10);
}

static void queue_cell(struct cell *c, unsigned n)
{
	uint32_t loss = queue_losses_ppm[n % COUNT(queue_losses_ppm)];

	c->link.queue_bytes = queues[n / COUNT(queue_losses_ppm)];
	c->link.mark_bytes = c->link.mark_bytes ? c->link.queue_bytes / 3 : 0;
	c->link.loss_ppm = loss;
	snprintf(c->key, KEY_BYTES, "%s/queue-%u/loss-%u.%u%%", c->algorithm, c->link.queue_bytes, loss / 10000, loss / 1000 % 10);
}

/* A queue of one round trip, of ten segments at least; a little loss, so that there is something to repair. */
static void rate_cell(struct cell *c, unsigned n)
{
	uint64_t rate = rates_bps[n % COUNT(rates_bps)], rtt_ms = rtts_ms[n / COUNT(rates_bps)], queue = rate / 8000 * rtt_ms;

	c->link.rate_bps = rate;
	c->link.delay_ns = rtt_ms * SIM_MS / 2;
	c->link.queue_bytes = queue > 15000 ? (uint32_t)queue : 15000;
	c->link.mark_bytes = c->link.mark_bytes ? c->link.queue_bytes / 3 : 0;
	c->link.loss_ppm = 500;
	snprintf(c->key, KEY_BYTES, "%s/rate-%uM/rtt-%ums", c->algorithm, (unsigned)(rate / 1000000), (unsigned)rtt_ms);
}

/* Cell n of an algorithm. */
static void make_cell(struct cell *c, const char *algorithm, unsigned n)
{
	*c = (struct cell){.algorithm = algorithm, .link = {.rate_bps = RATE, .delay_ns = DELAY, .queue_bytes = QUEUE}};
	if (!strcmp(algorithm, "dctcp"))
		c->link.mark_bytes = 20000;
	if (n < FIRST_QUEUE) {
		window_cell(c, n);
	} else if (n < FIRST_RATE) {
		queue_cell(c, n - FIRST_QUEUE);
	} else if (n < FIRST_FAULT) {
		rate_cell(c, n - FIRST_RATE);
	} else {
		c->link.faults = fault_paths[n - FIRST_FAULT].f;
		snprintf(c->key, KEY_BYTES, "%s/%s", algorithm, fault_paths[n - FIRST_FAULT].name);
	}
}

/* --- one run ------------------------------------------------------------------------------------------------------------------ */

static bool setting(struct sim *s, const char *name, const char *value)
{
	char why[200] = "";

	for (int h = 0; h < 2; h++)
		if (xmit_sysctl_set(s->host[h], name, value, why, sizeof(why))) {
			fprintf(stderr, "%s = %s: %s\n", name, value, why);
			return false;
		}
	return true;
}

static bool settings(struct sim *s, const struct cell *c)
{
	char buf[64];

	/* Of ten thousand segments, with a third lost each way, some are lost many times: that breaks no connection here. */
	if (!setting(s, "net.ipv4.tcp_congestion_control", c->algorithm) || !setting(s, "net.ipv4.tcp_retries2", "100") ||
	    !setting(s, "net.ipv4.tcp_syn_retries", "30") || !setting(s, "net.ipv4.tcp_synack_retries", "30"))
		return false;
	if (c->link.mark_bytes && !setting(s, "net.ipv4.tcp_ecn", "1"))
		return false;
	snprintf(buf, sizeof(buf), "4096 %u %u", c->buffer_bytes, c->buffer_bytes);
	return !c->buffer_bytes || (setting(s, "net.ipv4.tcp_rmem", buf) && setting(s, "net.ipv4.tcp_wmem", buf));
}

static void run_cell(const struct cell *c, uint64_t seed, const char *pcap, struct outcome *o)
{
	struct sim s;
	struct link l;
	struct sim_flow f;

	link_init_pair(&l, &s, seed, &c->link);
	if (!settings(&s, c) || (pcap && xmit_pcap_start(l.dev[0], pcap, 160)))
		exit(2);
	sim_flow_start(&f, &s, 0, 1, 80, BYTES);
	f.chunk = c->buffer_bytes && c->buffer_bytes < f.chunk ? c->buffer_bytes : f.chunk; /* no pattern made in vain */
	bool done = sim_run_until(&s, sim_flow_done, &f, LIMIT);
	*o = (struct outcome){.error = done ? f.error : ETIMEDOUT, .received = f.received, .lost = l.way[0].lost + l.way[0].dropped,
			      .resent = xmit_counter(s.host[0], "TcpRetransSegs", NULL), .timeouts = xmit_counter(s.host[0], "TcpExtTCPTimeouts", NULL)};
	o->took_s = (double)((done ? f.finished_ns : s.now_ns) - f.started_ns) / 1e9;
	if (!o->error)
		o->bit_per_s = (uint64_t)((double)BYTES * 8 / o->took_s);
	sim_flow_close(&f);
	sim_exit(&s);
	link_exit(&l);
}

/* --- the table ---------------------------------------------------------------------------------------------------------------- */

static struct row {
	char key[KEY_BYTES];
	unsigned long long seed, bit_per_s;
	bool used;
} rows[ROWS_MOST];
static unsigned row_count;

static void read_table(void)
{
	FILE *f = fopen(GOODPUT_TABLE, "r");
	char line[256];

	if (!f) {
		fprintf(stderr, "%s: %s\n", GOODPUT_TABLE, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), f) && row_count < ROWS_MOST) {
		struct row *r = &rows[row_count];
		if (line[0] != '#' && sscanf(line, "%63s %llu %llu", r->key, &r->seed, &r->bit_per_s) == 3)
			row_count++;
	}
	fclose(f);
}

static struct row *row_of(const char *key)
{
	for (unsigned i = 0; i < row_count; i++)
		if (!strcmp(rows[i].key, key))
			return &rows[i];
	return NULL;
}

static int print_table(char **wanted, int n)
{
	printf("# Goodput of 10 MB by tests/sim/test_goodput.c: cell, seed, bit/s.  `sim_goodput table` writes this; a changed row needs a reason.\n");
	for (unsigned a = 0; a < COUNT(algorithms); a++) {
		double log_ratio = 0;
		unsigned compared = 0;
		bool wants = n == 0;
		for (int i = 0; i < n; i++)
			wants |= !strcmp(wanted[i], algorithms[a]);
		for (unsigned i = 0; wants && i < CELLS; i++) {
			struct cell c;
			struct outcome o;
			make_cell(&c, algorithms[a], i);
			run_cell(&c, SEED, NULL, &o);
			if (o.error)
				fprintf(stderr, "%s: %s\n", c.key, strerror(o.error));
			printf("%-60s %d %9llu\n", c.key, SEED, (unsigned long long)o.bit_per_s);
			struct row *old = row_of(c.key);
			if (old && old->bit_per_s && o.bit_per_s) {
				log_ratio += log((double)o.bit_per_s / (double)old->bit_per_s);
				compared++;
			}
		}
		if (compared)
			fprintf(stderr, "%s: %.3f of the old table (geometric mean of %u rows)\n", algorithms[a], exp(log_ratio / compared), compared);
	}
	return 0;
}

static int replay(const char *program, char **arg, int n)
{
	for (unsigned a = 0; a < COUNT(algorithms); a++)
		for (unsigned i = 0; i < CELLS; i++) {
			struct cell c;
			struct outcome o;
			make_cell(&c, algorithms[a], i);
			if (strcmp(c.key, arg[0]))
				continue;
			run_cell(&c, n > 1 ? strtoull(arg[1], NULL, 0) : SEED, n > 2 ? arg[2] : NULL, &o);
			printf("%s: %llu bit/s, %.3f s, %llu of %u bytes, %llu frames lost, %llu segments resent, %llu timeouts%s%s\n", c.key,
			       (unsigned long long)o.bit_per_s, o.took_s, (unsigned long long)o.received, (unsigned)BYTES, (unsigned long long)o.lost,
			       (unsigned long long)o.resent, (unsigned long long)o.timeouts, o.error ? ": " : "", o.error ? strerror(o.error) : "");
			return o.error != 0;
		}
	fprintf(stderr, "%s: no cell '%s' (the keys are in %s)\n", program, arg[0], GOODPUT_TABLE);
	return 2;
}

/* --- the tests ---------------------------------------------------------------------------------------------------------------- */

static const char *program, *algorithm;
static unsigned step = 1;

static bool cell_passes(const struct cell *c)
{
	struct row *r = row_of(c->key);
	struct outcome o;

	if (!r) {
		fprintf(stderr, "%s: no row in %s\n", c->key, GOODPUT_TABLE);
		return false;
	}
	r->used = true;
	run_cell(c, r->seed, NULL, &o);
	/* Where pointers are short, what is charged for a buffer is less, and more fits: another figure.  Contents are compared all the same. */
	bool within = o.bit_per_s * 100 >= r->bit_per_s * FAILS_AT_PERCENT && o.bit_per_s * 100 < r->bit_per_s * STALE_AT_PERCENT;
	if (!o.error && (within || sizeof(void *) < 8))
		return true;
	fprintf(stderr, "%s seed %llu: %llu bit/s, the table has %llu%s%s\n  replay: %s cell %s %llu\n", c->key, r->seed,
		(unsigned long long)o.bit_per_s, r->bit_per_s, o.error ? ": " : "", o.error ? strerror(o.error) : "", program, c->key, r->seed);
	return false;
}

static void cells(unsigned from, unsigned to)
{
	unsigned failed = 0;

	for (unsigned i = from; i < to; i += step) {
		struct cell c;
		make_cell(&c, algorithm, i);
		failed += !cell_passes(&c);
	}
	assert_int_equal(failed, 0);
}

static void every_buffer_at_every_loss(void **state) { (void)state, cells(0, FIRST_QUEUE); }
static void every_queue(void **state) { (void)state, cells(FIRST_QUEUE, FIRST_RATE); }
static void every_rate_at_every_delay(void **state) { (void)state, cells(FIRST_RATE, FIRST_FAULT); }
static void every_fault(void **state) { (void)state, cells(FIRST_FAULT, CELLS); }

static void every_row_has_a_cell(void **state)
{
	size_t n = strlen(algorithm);

	(void)state;
	for (unsigned i = 0; i < row_count; i++)
		if (step == 1 && !strncmp(rows[i].key, algorithm, n) && rows[i].key[n] == '/' && !rows[i].used)
			fail_msg("%s: a row without a cell\n", rows[i].key);
	assert_true(row_count >= CELLS);
}

static bool is_algorithm(const char *name)
{
	for (unsigned a = 0; a < COUNT(algorithms); a++)
		if (!strcmp(name, algorithms[a])) {
			algorithm = algorithms[a];
			return true;
		}
	return false;
}

static int test_algorithm(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_buffer_at_every_loss), cmocka_unit_test(every_queue),
		cmocka_unit_test(every_rate_at_every_delay), cmocka_unit_test(every_fault), cmocka_unit_test(every_row_has_a_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	int at = 1, failed = 0;

	program = argv[0];
	read_table();
	if (argc > 1 && !strcmp(argv[1], "table"))
		return print_table(argv + 2, argc - 2);
	if (argc > 2 && !strcmp(argv[1], "cell"))
		return replay(argv[0], argv + 2, argc - 2);
	if (argc > 1 && !strcmp(argv[1], "reduced"))
		step = REDUCED_STEP, at++;
	for (int i = at; i < argc; i++)
		if (!is_algorithm(argv[i])) {
			fprintf(stderr, "%s: neither a mode nor an algorithm: %s\n", argv[0], argv[i]);
			return 2;
		}
	for (unsigned a = 0; at == argc && a < COUNT(algorithms); a++)
		if (is_algorithm(algorithms[a]))
			failed += test_algorithm();
	for (int i = at; i < argc; i++)
		if (is_algorithm(argv[i]))
			failed += test_algorithm();
	return failed;
}
