/* SPDX-License-Identifier: MIT */
/*
 * check.c - %{ assert tcpi_snd_cwnd == 10 and tcpi_ca_state == TCP_CA_Open, "why" }%: the part of Python that scripts use for it.
 *
 * Statements end at a newline or ';' (a backslash continues a line): assert, print(), name = expression, name += expression.  Expressions are
 * integers with or, and, not, comparisons (chained), | ^ & << >> + - * // % **, parentheses.  Names are TCP_INFO's and TCP_CC_INFO's members,
 * SK_MEMINFO_*, constants, and the script's own, which last until its end.  Numbers are 64 bits wide.
 */
#include "pkt.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checker {
	struct run *r;
	const struct event *e;
	const char *p;
	uint8_t info[1024];     /* TCP_INFO; zero where the stack gave less */
	uint32_t mem[16];
	uint32_t cc[5];         /* TCP_CC_INFO */
	int depth;
	bool skip;              /* what stands here is read, not judged: short circuit */
};

static int64_t parse_or(struct checker *c);

/* --- names ------------------------------------------------------------------------------------------------------------------ */

#define M(m) {#m, offsetof(struct xmit_tcp_info, m), sizeof(((struct xmit_tcp_info *)0)->m)}
static const struct member { const char *name; size_t offset, size; } members[] = {
	M(tcpi_state), M(tcpi_ca_state), M(tcpi_retransmits), M(tcpi_probes), M(tcpi_backoff), M(tcpi_options), M(tcpi_rto), M(tcpi_ato), M(tcpi_snd_mss),
	M(tcpi_rcv_mss), M(tcpi_unacked), M(tcpi_sacked), M(tcpi_lost), M(tcpi_retrans), M(tcpi_fackets), M(tcpi_last_data_sent), M(tcpi_last_ack_sent),
	M(tcpi_last_data_recv), M(tcpi_last_ack_recv), M(tcpi_pmtu), M(tcpi_rcv_ssthresh), M(tcpi_rtt), M(tcpi_rttvar), M(tcpi_snd_ssthresh), M(tcpi_snd_cwnd),
	M(tcpi_advmss), M(tcpi_reordering), M(tcpi_rcv_rtt), M(tcpi_rcv_space), M(tcpi_total_retrans), M(tcpi_pacing_rate), M(tcpi_max_pacing_rate),
	M(tcpi_bytes_acked), M(tcpi_bytes_received), M(tcpi_segs_out), M(tcpi_segs_in), M(tcpi_notsent_bytes), M(tcpi_min_rtt), M(tcpi_data_segs_in),
	M(tcpi_data_segs_out), M(tcpi_delivery_rate), M(tcpi_busy_time), M(tcpi_rwnd_limited), M(tcpi_sndbuf_limited), M(tcpi_delivered), M(tcpi_delivered_ce),
	M(tcpi_bytes_sent), M(tcpi_bytes_retrans), M(tcpi_dsack_dups), M(tcpi_reord_seen), M(tcpi_rcv_ooopack), M(tcpi_snd_wnd), M(tcpi_rcv_wnd), M(tcpi_rehash),
	M(tcpi_total_rto), M(tcpi_total_rto_recoveries), M(tcpi_total_rto_time),
	M(tcpi_received_ce), M(tcpi_delivered_e1_bytes), M(tcpi_delivered_e0_bytes), M(tcpi_delivered_ce_bytes), M(tcpi_received_e1_bytes),
	M(tcpi_received_e0_bytes), M(tcpi_received_ce_bytes),
};

static const char *const meminfo[] = {"SK_MEMINFO_RMEM_ALLOC", "SK_MEMINFO_RCVBUF", "SK_MEMINFO_WMEM_ALLOC", "SK_MEMINFO_SNDBUF", "SK_MEMINFO_FWD_ALLOC",
				      "SK_MEMINFO_WMEM_QUEUED", "SK_MEMINFO_OPTMEM", "SK_MEMINFO_BACKLOG", "SK_MEMINFO_DROPS"};

static int64_t member_value(const struct checker *c, const struct member *m)
{
	const uint8_t *at = c->info + m->offset;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (m->size) {
	case 1: return *at;
	case 2: memcpy(&u16, at, 2); return u16;
	case 4: memcpy(&u32, at, 4); return u32;
	default: memcpy(&u64, at, 8); return (int64_t)u64;
	}
}

/* Bit fields of TCP_INFO, which offsetof() does not reach. */
static bool bit_field(const struct checker *c, const char *name, int64_t *value)
{
	struct xmit_tcp_info i;

	memcpy(&i, c->info, sizeof(i));
	if (!strcmp(name, "tcpi_snd_wscale"))
		*value = i.tcpi_snd_wscale;
	else if (!strcmp(name, "tcpi_rcv_wscale"))
		*value = i.tcpi_rcv_wscale;
	else if (!strcmp(name, "tcpi_delivery_rate_app_limited"))
		*value = i.tcpi_delivery_rate_app_limited;
	else if (!strcmp(name, "tcpi_fastopen_client_fail"))
		*value = i.tcpi_fastopen_client_fail;
	else if (!strcmp(name, "tcpi_ecn_mode"))
		*value = i.tcpi_ecn_mode;
	else if (!strcmp(name, "tcpi_accecn_opt_seen"))
		*value = i.tcpi_accecn_opt_seen;
	else if (!strcmp(name, "tcpi_accecn_fail_mode"))
		*value = i.tcpi_accecn_fail_mode;
	else if (!strcmp(name, "tcpi_options2"))
		*value = i.tcpi_options2;
	else
		return false;
	return true;
}

/* TCP_CC_INFO's members: which algorithm filled it is the script's business. */
static bool cc_member(const struct checker *c, const char *name, int64_t *value)
{
	static const struct { const char *name; int word; } cc[] = {
		{"bbr_bw_lo", 0}, {"bbr_bw_hi", 1}, {"bbr_min_rtt", 2}, {"bbr_pacing_gain", 3},
		{"bbr_cwnd_gain", 4}, {"dctcp_alpha", 1}, {"dctcp_ab_ecn", 2}, {"dctcp_ab_tot", 3},
	};
	uint16_t half[2];

	for (size_t i = 0; i < sizeof(cc) / sizeof(*cc); i++)
		if (!strcmp(cc[i].name, name)) {
			*value = c->cc[cc[i].word];
			return true;
		}
	memcpy(half, c->cc, sizeof(half));
	if (!strcmp(name, "bbr_bw"))
		*value = (int64_t)((uint64_t)c->cc[1] << 32 | c->cc[0]);
	else if (!strcmp(name, "dctcp_enabled"))
		*value = half[0];
	else if (!strcmp(name, "dctcp_ce_state"))
		*value = half[1];
	else
		return false;
	return true;
}

static struct setting *variable(const struct checker *c, const char *name)
{
	for (struct setting *v = c->r->variables; v; v = v->next)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

static int64_t named(struct checker *c, const char *name)
{
	const struct setting *own = variable(c, name);
	int64_t value = 0;

	if (own)
		return strtoll(own->value, NULL, 10);
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (!strcmp(members[i].name, name) && members[i].size)
			return member_value(c, &members[i]);
	for (size_t i = 0; i < sizeof(meminfo) / sizeof(*meminfo); i++)
		if (!strcmp(meminfo[i], name))
			return c->mem[i];
	if (bit_field(c, name, &value) || cc_member(c, name, &value) || name_value(name, &value) || !strcmp(name, "TCP_CA_Open"))
		return value;
	if (!strcmp(name, "True") || !strcmp(name, "False"))
		return *name == 'T';
	if (!c->skip)
		run_fail(c->r, c->e->line, "nothing is called %s in %%{ }%%", name);
	return 0;
}

static void set_variable(struct checker *c, const char *name, int64_t value)
{
	struct setting *v = variable(c, name);
	size_t n = strlen(name) + 1;

	if (!v) {
		v = calloc(1, sizeof(*v) + n + 32);
		if (!v)
			return;
		v->name = (char *)(v + 1);
		v->value = v->name + n;
		memcpy(v->name, name, n);
		v->next = c->r->variables;
		c->r->variables = v;
	}
	snprintf(v->value, 32, "%lld", (long long)value);
}

/* --- expressions, loosest binding first ----------------------------------------------------------------------------------------- */

static void blanks(struct checker *c)
{
	for (;;) {
		if (*c->p == ' ' || *c->p == '\t' || *c->p == '\r')
			c->p++;
		else if (c->p[0] == '\\' && (c->p[1] == '\n' || c->p[1] == '\r'))
			c->p += 2;
		else if (*c->p == '\n' && c->depth)
			c->p++; /* inside parentheses */
		else if (*c->p == '#')
			c->p += strcspn(c->p, "\n");
		else
			return;
	}
}

static bool take(struct checker *c, const char *op)
{
	size_t n = strlen(op);

	blanks(c);
	if (strncmp(c->p, op, n) || (isalpha((unsigned char)*op) && (isalnum((unsigned char)c->p[n]) || c->p[n] == '_')))
		return false;
	c->p += n;
	return true;
}

/* The operator, and not the start of a longer one. */
static bool take_alone(struct checker *c, const char *op, const char *not_before)
{
	blanks(c);
	size_t n = strlen(op);
	if (strncmp(c->p, op, n) || (c->p[n] && strchr(not_before, c->p[n])))
		return false;
	c->p += n;
	return true;
}

static size_t word(struct checker *c, char *buf, size_t room)
{
	size_t n = 0;

	blanks(c);
	if (!isalpha((unsigned char)*c->p) && *c->p != '_')
		return 0;
	while (n + 1 < room && (isalnum((unsigned char)c->p[n]) || c->p[n] == '_')) {
		buf[n] = c->p[n];
		n++;
	}
	buf[n] = 0;
	return n;
}

static int64_t parse_atom(struct checker *c)
{
	char name[64];
	int64_t v;

	blanks(c);
	if (isdigit((unsigned char)*c->p)) {
		char *end;
		v = (int64_t)strtoull(c->p, &end, 0);
		c->p = end;
		return v;
	}
	if (take(c, "(")) {
		c->depth++;
		v = parse_or(c);
		c->depth--;
		if (!take(c, ")"))
			run_fail(c->r, c->e->line, "')' is missing in %%{ }%%");
		return v;
	}
	size_t n = word(c, name, sizeof(name));
	if (!n) {
		run_fail(c->r, c->e->line, "a value is expected in %%{ }%% at '%.20s'", c->p);
		return 0;
	}
	c->p += n;
	return named(c, name);
}

static int64_t parse_unary(struct checker *c)
{
	if (take_alone(c, "-", "="))
		return (int64_t)-(uint64_t)parse_unary(c);
	if (take_alone(c, "~", "="))
		return ~parse_unary(c);
	int64_t v = parse_atom(c);
	if (!take(c, "**"))
		return v;
	int64_t power = parse_unary(c);
	uint64_t result = 1;
	for (int64_t i = 0; i < power && i < 64; i++)
		result *= (uint64_t)v;
	return (int64_t)result;
}

static int64_t divided(struct checker *c, int64_t a, int64_t b, bool rest)
{
	if (!b) {
		if (!c->skip)
			run_fail(c->r, c->e->line, "division by zero in %%{ }%%");
		return 0;
	}
	return rest ? a % b : a / b;
}

static int64_t parse_product(struct checker *c)
{
	int64_t v = parse_unary(c);

	for (;;) {
		if (take_alone(c, "*", "*="))
			v = (int64_t)((uint64_t)v * (uint64_t)parse_unary(c));
		else if (take_alone(c, "//", "=") || take_alone(c, "/", "="))
			v = divided(c, v, parse_unary(c), false);
		else if (take_alone(c, "%", "=}"))
			v = divided(c, v, parse_unary(c), true);
		else
			return v;
	}
}

static int64_t parse_sum(struct checker *c)
{
	int64_t v = parse_product(c);

	for (;;) {
		if (take_alone(c, "+", "="))
			v = (int64_t)((uint64_t)v + (uint64_t)parse_product(c));
		else if (take_alone(c, "-", "="))
			v = (int64_t)((uint64_t)v - (uint64_t)parse_product(c));
		else
			return v;
	}
}

static int64_t parse_bits(struct checker *c)
{
	int64_t v = parse_sum(c);

	for (;;) {
		if (take(c, "<<"))
			v = (int64_t)((uint64_t)v << (parse_sum(c) & 63));
		else if (take(c, ">>"))
			v = (int64_t)((uint64_t)v >> (parse_sum(c) & 63));
		else if (take_alone(c, "&", "="))
			v &= parse_sum(c);
		else if (take_alone(c, "|", "="))
			v |= parse_sum(c);
		else if (take_alone(c, "^", "="))
			v ^= parse_sum(c);
		else
			return v;
	}
}

/* a <= b < c: true if each is. */
static int64_t parse_comparison(struct checker *c)
{
	int64_t left = parse_bits(c), right, truth = 1;
	bool compared = false;

	for (;; left = right, compared = true) {
		if (take(c, "=="))
			truth &= left == (right = parse_bits(c));
		else if (take(c, "!="))
			truth &= left != (right = parse_bits(c));
		else if (take(c, "<="))
			truth &= left <= (right = parse_bits(c));
		else if (take(c, ">="))
			truth &= left >= (right = parse_bits(c));
		else if (take(c, "<"))
			truth &= left < (right = parse_bits(c));
		else if (take(c, ">"))
			truth &= left > (right = parse_bits(c));
		else
			return compared ? truth : left;
	}
}

static int64_t parse_not(struct checker *c)
{
	return take(c, "not") ? !parse_not(c) : parse_comparison(c);
}

static int64_t parse_and(struct checker *c)
{
	int64_t v = parse_not(c);

	while (take(c, "and")) {
		bool outer = c->skip;
		c->skip = outer || !v;
		int64_t right = parse_not(c);
		c->skip = outer;
		v = v && right;
	}
	return v;
}

static int64_t parse_or(struct checker *c)
{
	int64_t v = parse_and(c);

	while (take(c, "or")) {
		bool outer = c->skip;
		c->skip = outer || v;
		int64_t right = parse_and(c);
		c->skip = outer;
		v = v || right;
	}
	return v;
}

/* --- statements --------------------------------------------------------------------------------------------------------------- */

/* To the end of the statement: what assert and print say does not matter.  Strings and parentheses may hold anything. */
static void skip_statement(struct checker *c)
{
	int depth = 0;

	for (; *c->p; c->p++) {
		if (*c->p == '\'' || *c->p == '"') {
			const char *end = strchr(c->p + 1, *c->p);
			c->p = end ? end : c->p;
		} else if (*c->p == '\\' && c->p[1] == '\n') {
			c->p++;
		} else if (*c->p == '#') {
			c->p += strcspn(c->p, "\n") - 1;
		} else if (!depth && (*c->p == ';' || *c->p == '\n')) {
			return;
		} else {
			depth += *c->p == '(' ? 1 : *c->p == ')' ? -1 : 0;
		}
	}
}

/* The numbers behind the names in what stands between `from` and here. */
static void gather_numbers(const struct checker *c, const char *from, char *numbers, size_t most)
{
	char text[256], name[64];
	size_t n = (size_t)(c->p - from), at = 0;
	struct checker names = *c;

	snprintf(text, sizeof(text), "%.*s", (int)(n < sizeof(text) ? n : sizeof(text) - 1), from);
	numbers[0] = 0;
	for (names.p = text; *names.p;) {
		size_t len = word(&names, name, sizeof(name));
		if (!len) {
			names.p += *names.p != 0;
			continue;
		}
		names.p += len;
		if (!strncmp(name, "tcpi_", 5) || !strncmp(name, "SK_", 3) || variable(&names, name))
			at += (size_t)snprintf(numbers + at, at < most ? most - at : 0, " %s=%lld", name, (long long)named(&names, name));
		if (at >= most)
			break;
	}
}

static void fail_assertion(struct checker *c, const char *from)
{
	char numbers[512];

	gather_numbers(c, from, numbers, sizeof(numbers));
	run_fail(c->r, c->e->line, "assert %.*s\n#  %s", (int)(c->p - from < 255 ? c->p - from : 255), from, numbers);
}

/* print(tcpi_rtt): with -v, the numbers behind the names. */
static void run_print(struct checker *c)
{
	const char *from = c->p;
	char numbers[512];

	skip_statement(c);
	if (!c->r->config.verbose)
		return;
	gather_numbers(c, from, numbers, sizeof(numbers));
	printf("#           %s\n", numbers);
}

static void run_assignment(struct checker *c)
{
	char name[64];
	size_t n = word(c, name, sizeof(name));

	if (!n) {
		run_fail(c->r, c->e->line, "assert, print() or name = value is expected in %%{ }%% at '%.20s'", c->p);
		return;
	}
	c->p += n;
	if (take(c, "+="))
		set_variable(c, name, (int64_t)((uint64_t)named(c, name) + (uint64_t)parse_or(c)));
	else if (take(c, "-="))
		set_variable(c, name, (int64_t)((uint64_t)named(c, name) - (uint64_t)parse_or(c)));
	else if (take(c, "="))
		set_variable(c, name, parse_or(c));
	else
		run_fail(c->r, c->e->line, "'=' is expected in %%{ }%% behind %s", name);
}

static void run_statement(struct checker *c)
{
	if (take(c, "assert")) {
		blanks(c);
		const char *from = c->p;
		int64_t holds = parse_or(c);
		if (!holds && !c->r->failed)
			fail_assertion(c, from);
		blanks(c);
		if (*c->p == ',')
			skip_statement(c);
	} else if (take(c, "print")) {
		run_print(c);
	} else {
		run_assignment(c);
	}
	blanks(c);
	if (*c->p && *c->p != ';' && *c->p != '\n' && !c->r->failed)
		run_fail(c->r, c->e->line, "the statement in %%{ }%% does not end at '%.20s'", c->p);
}

static void read_info(struct checker *c)
{
	struct conn *conn = c->r->current;
	int fd = conn && conn->script_fd >= 0 && conn->script_fd < FDS_MOST ? c->r->fd[conn->script_fd] : -1;
	socklen_t len = sizeof(c->info), mem_len = sizeof(c->mem), cc_len = sizeof(c->cc);

	if (fd < 0)
		return; /* only its own names then */
	xmit_getsockopt(c->r->net, fd, 6, XMIT_TCP_INFO, c->info, &len);
	xmit_getsockopt(c->r->net, fd, 6, XMIT_TCP_CC_INFO, c->cc, &cc_len);
	xmit_getsockopt(c->r->net, fd, SOL_SOCKET, 55 /* SO_MEMINFO */, c->mem, &mem_len);
}

void check_run(struct run *r, const struct event *e)
{
	struct checker c = {.r = r, .e = e, .p = e->text};

	read_info(&c);
	while (*c.p && !r->failed) {
		blanks(&c);
		if (*c.p == ';' || *c.p == '\n')
			c.p++;
		else if (*c.p)
			run_statement(&c);
	}
}
