/* SPDX-License-Identifier: MIT */
/*
 * shell.c - `...` blocks.  No shell runs: the commands that scripts use to prepare the kernel are done to the instance.
 *
 *   sysctl -q [-w] name=value ...         a setting of the instance
 *   echo value > /proc/sys/net/...        the same
 *   .../set_sysctls.py /proc/sys/...=v    the same
 *   path/file.sh                          the lines of that file (relative to the script)
 *   ip route change|replace ADDRESS ...   metrics of the route to the peer: mtu, advmss, initcwnd, initrwnd, window, rto_min, quickack
 *   ip link set dev tun0 mtu N            the device's MTU
 *   tc qdisc add|replace dev tun0 root K  the queueing discipline
 *   ethtool -K tun0 tso off|on ...        what the device can do: tso, gso, gro, sg, tx
 *   nstat | grep NAME                     fails if that counter is zero
 *   ip tcp_metrics flush                  forgets what earlier connections left
 *   tc qdisc del, /tmp/sysctl_restore_*, sleep 0, true: nothing is to be done, each script has its own instance
 *
 * As with a shell, the last command of a file decides whether it failed; of a block in a script each one does.
 */
#include "pkt.h"
#include "xmit/qdisc.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MOST = 32, LINE_MOST = 1024, FILES_DEEP = 4 };

struct shell {
	struct run *r;
	const struct event *e;
	const char *directory;  /* of the file that the lines stand in */
	size_t directory_len;
	int depth;
	char why[640];          /* of the last command's failure; empty: it went well */
};

static void run_lines(struct shell *s, const char *text);

static void set_sysctl(struct shell *s, const char *name, const char *value)
{
	char why[256] = "", dotted[128];
	size_t n = 0;

	for (; name[n] && n + 1 < sizeof(dotted); n++)
		dotted[n] = name[n] == '/' ? '.' : name[n];
	dotted[n] = 0;
	if (xmit_sysctl_set(s->r->net, dotted, value, why, sizeof(why)))
		snprintf(s->why, sizeof(s->why), "sysctl %s = %s: %s", dotted, value, why);
}

/* name=value or /proc/sys/name=value */
static void set_assignment(struct shell *s, char *word)
{
	char *value = strchr(word, '=');

	if (!value) {
		snprintf(s->why, sizeof(s->why), "name=value is expected, not '%s'", word);
		return;
	}
	*value++ = 0;
	set_sysctl(s, !strncmp(word, "/proc/sys/", 10) ? word + 10 : word, value);
}

static void run_sysctl(struct shell *s, char **word, int n)
{
	char why[sizeof(s->why)] = "";

	for (int i = 1; i < n; i++) {
		if (word[i][0] == '-')
			continue;
		s->why[0] = 0;
		set_assignment(s, word[i]);
		if (s->why[0])
			memcpy(why, s->why, sizeof(why));
	}
	memcpy(s->why, why, sizeof(why));
}

static void run_file(struct shell *s, const char *name)
{
	char path[512], *text = NULL;
	struct shell inner = *s;

	snprintf(path, sizeof(path), "%.*s%s", *name == '/' ? 0 : (int)s->directory_len, s->directory, name);
	FILE *f = s->depth < FILES_DEEP ? fopen(path, "r") : NULL;
	if (f && (text = calloc(1, 65536)) && fread(text, 1, 65535, f) > 0) {
		inner.directory = path;
		inner.directory_len = strrchr(path, '/') ? (size_t)(strrchr(path, '/') - path) + 1 : 0;
		inner.depth++;
		run_lines(&inner, text);
		memcpy(s->why, inner.why, sizeof(s->why));
	} else {
		snprintf(s->why, sizeof(s->why), "the file %s cannot be read", path);
	}
	free(text);
	if (f)
		fclose(f);
}

static const char *word_after(char **word, int n, const char *name)
{
	for (int i = 0; i + 1 < n; i++)
		if (!strcmp(word[i], name))
			return strcmp(word[i + 1], "lock") || i + 2 >= n ? word[i + 1] : word[i + 2];
	return NULL;
}

static uint32_t number_after(char **word, int n, const char *name)
{
	const char *w = word_after(word, n, name);

	return w ? (uint32_t)strtoul(w, NULL, 0) : 0;
}

static void change_route(struct shell *s, char **word, int n)
{
	struct xmit_route old = {.size = sizeof(old), .dst = {htonl(s->r->config.remote_ip)}, .prefix_len = 32, .dev = s->r->dev}, to = old;
	struct in_addr dst;
	char address[32] = "";

	/* packetdrill routes the peer's /24; here the peer alone has a route. */
	if (n >= 4)
		snprintf(address, sizeof(address), "%.*s", (int)strcspn(word[3], "/"), word[3]);
	if (inet_pton(AF_INET, address, &dst) != 1 || (ntohl(dst.s_addr) ^ s->r->config.remote_ip) & 0xffffff00) {
		snprintf(s->why, sizeof(s->why), "ip route: only the route to the peer can be changed");
		return;
	}
	to.gateway.s_addr = htonl(s->r->config.gateway_ip);
	to.mtu = number_after(word, n, "mtu");
	to.advmss = number_after(word, n, "advmss");
	to.initcwnd = number_after(word, n, "initcwnd");
	to.initrwnd = number_after(word, n, "initrwnd");
	to.window = number_after(word, n, "window");
	to.rto_min_ms = number_after(word, n, "rto_min");
	to.quickack = number_after(word, n, "quickack");
	if (xmit_route_del(s->r->net, &old) || xmit_route_add(s->r->net, &to))
		snprintf(s->why, sizeof(s->why), "the route could not be changed");
}

static void run_ip(struct shell *s, char **word, int n)
{
	if (n >= 3 && !strcmp(word[1], "tcp_metrics") && !strcmp(word[2], "flush")) {
		xmit_tcp_metrics_flush(s->r->net);
		return;
	}
	if (n >= 3 && !strcmp(word[1], "route") && (!strcmp(word[2], "change") || !strcmp(word[2], "replace")))
		change_route(s, word, n);
	else if (n >= 3 && !strcmp(word[1], "link") && number_after(word, n, "mtu")) {
		if (xmit_dev_set_mtu(s->r->dev, number_after(word, n, "mtu")))
			snprintf(s->why, sizeof(s->why), "the MTU could not be set");
	} else {
		snprintf(s->why, sizeof(s->why), "this use of ip is not supported");
	}
}

static void run_tc(struct shell *s, char **word, int n)
{
	const char *kind = word_after(word, n, "root");

	if (n >= 3 && (!strcmp(word[2], "del") || !strcmp(word[2], "delete")))
		return;
	const char *limit = word_after(word, n, "limit");
	unsigned most = !limit ? 0 : !strcmp(limit, "0") ? XMIT_QDISC_NOTHING : (unsigned)strtoul(limit, NULL, 0);

	if (!kind || xmit_qdisc_set(s->r->dev, kind, most))
		snprintf(s->why, sizeof(s->why), "the queueing discipline %s cannot be set", kind ? kind : "(none)");
}

/* ethtool -K tun0 tso off gso off.  gso is software's and has no switch here: super-segments are cut where tso is off. */
static void run_ethtool(struct shell *s, char **word, int n)
{
	static const struct { const char *name; uint32_t bit; } features[] = {{"tso", XMIT_F_TSO}, {"sg", XMIT_F_SG}, {"tx", XMIT_F_CSUM}, {"gro", XMIT_F_GRO}, {"gso", 0}};
	uint32_t have = xmit_dev_features(s->r->dev);

	for (int i = 3; i + 1 < n; i += 2) {
		size_t f = 0, most = sizeof(features) / sizeof(*features);
		while (f < most && strcmp(features[f].name, word[i]))
			f++;
		if (f == most) {
			snprintf(s->why, sizeof(s->why), "ethtool: %s is not supported", word[i]);
			return;
		}
		have = strcmp(word[i + 1], "on") ? have & ~features[f].bit : have | features[f].bit;
	}
	if (n < 3 || strcmp(word[1], "-K") || xmit_dev_set_features(s->r->dev, have))
		snprintf(s->why, sizeof(s->why), "the features could not be set");
}

/* "nstat | grep TcpExtX": is the counter above zero? */
static void run_nstat(struct shell *s, char **word, int n)
{
	const char *name = word_after(word, n, "grep");
	bool known = true;

	if (name && !xmit_counter(s->r->net, name, &known))
		snprintf(s->why, sizeof(s->why), known ? "the counter %s is zero" : "no counter is called %s", name);
}

static void run_echo(struct shell *s, char **word, int n)
{
	char value[256] = "";
	size_t at = 0;

	for (int i = 1; i + 1 < n; i++) {
		if (!strcmp(word[i], ">") && !strncmp(word[i + 1], "/proc/sys/", 10)) {
			set_sysctl(s, word[i + 1] + 10, value);
			return;
		}
		at += (size_t)snprintf(value + at, at < sizeof(value) ? sizeof(value) - at : 0, "%s%s", at ? " " : "", word[i]);
		if (at >= sizeof(value))
			break;
	}
	snprintf(s->why, sizeof(s->why), "echo writes to /proc/sys/... only");
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static void run_words(struct shell *s, char **word, int n)
{
	static const char *const nothing[] = {"true", ":", "set", "sleep", "export"};
	const char *name = strrchr(word[0], '/') ? strrchr(word[0], '/') + 1 : word[0];

	s->why[0] = 0;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
		if (!strcmp(name, nothing[i]))
			return;
	if (!strncmp(name, "sysctl_restore_", 15))
		return;
	if (!strcmp(name, "sysctl") || !strcmp(name, "set_sysctls.py"))
		run_sysctl(s, word, n);
	else if (!strcmp(name, "echo"))
		run_echo(s, word, n);
	else if (!strcmp(name, "ip"))
		run_ip(s, word, n);
	else if (!strcmp(name, "tc"))
		run_tc(s, word, n);
	else if (!strcmp(name, "ethtool"))
		run_ethtool(s, word, n);
	else if (!strcmp(name, "nstat"))
		run_nstat(s, word, n);
	else if (ends_with(name, ".sh"))
		run_file(s, word[0]);
	else
		snprintf(s->why, sizeof(s->why), "the command '%s' is not supported", word[0]);
}

/* $((15*1024*1024)): products and sums, from the left. */
static const char *arithmetic(const char *p, char *out, size_t room)
{
	long long v = 0;
	char op = '+', *end;

	for (;;) {
		while (isspace((unsigned char)*p))
			p++;
		if (!isdigit((unsigned char)*p))
			break;
		long long n = strtoll(p, &end, 0);
		v = op == '*' ? v * n : op == '-' ? v - n : op == '/' && n ? v / n : v + n;
		p = end;
		while (isspace((unsigned char)*p))
			p++;
		if (!*p || !strchr("+-*/", *p))
			break;
		op = *p++;
	}
	snprintf(out, room, "%lld", v);
	return !strncmp(p, "))", 2) ? p + 2 : p;
}

/* Splits a command into words: quotes, arithmetic.  "2>&1", "> /dev/null" are left out. */
static int split(const char *p, const char *end, char *store, size_t room, char **word)
{
	int n = 0;
	char quote = 0;
	size_t at = 0;

	while (p < end && n < WORDS_MOST) {
		while (p < end && (isspace((unsigned char)*p) || (p[0] == '\\' && p[1] == '\n')))
			p++;
		if (p >= end)
			break;
		word[n++] = store + at;
		for (; p < end && (quote || !isspace((unsigned char)*p)) && at + 24 < room;) {
			if (!strncmp(p, "$((", 3)) {
				p = arithmetic(p + 3, store + at, room - at);
				at += strlen(store + at);
			} else if (quote ? *p == quote : *p == '"' || *p == '\'') {
				quote = quote ? 0 : *p;
				p++;
			} else {
				store[at++] = *p++;
			}
			if (p[0] == '\\' && p[1] == '\n')
				break;
		}
		store[at++] = 0;
		if (!strcmp(word[n - 1], "2>&1") || !strcmp(word[n - 1], "2>/dev/null") || !strcmp(word[n - 1], ">/dev/null"))
			n--;
		else if (n >= 2 && !strcmp(word[n - 1], "/dev/null"))
			n -= 2;
	}
	return n;
}

/* Where the command that starts here ends: at a newline, ';' or "&&" outside quotes. */
static const char *command_end(const char *p)
{
	char quote = 0;

	for (; *p; p++) {
		if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == '"' || *p == '\'')
			quote = *p;
		else if (p[0] == '\\' && p[1] == '\n')
			p++; /* the command goes on in the next line */
		else if (*p == '#' || *p == '\n' || *p == ';' || (p[0] == '&' && p[1] == '&'))
			break;
	}
	return p;
}

static void run_lines(struct shell *s, const char *text)
{
	char store[LINE_MOST], *word[WORDS_MOST + 1];

	for (const char *p = text; *p;) {
		const char *end = command_end(p);
		int n = split(p, end, store, sizeof(store), word);
		if (n)
			run_words(s, word, n);
		if (s->why[0] && s->r->config.verbose)
			printf("#           %s\n", s->why);
		if (s->why[0] && !s->depth) {
			run_fail(s->r, s->e->line, "%s", s->why);
			return;
		}
		p = end;
		if (*p == '#')
			p += strcspn(p, "\n");
		p += *p == '&' ? 2 : *p != 0;
	}
}

void shell_run(struct run *r, const struct event *e)
{
	const char *slash = strrchr(r->script->path, '/');
	struct shell s = {.r = r, .e = e, .directory = r->script->path, .directory_len = slash ? (size_t)(slash - r->script->path) + 1 : 0};

	run_lines(&s, e->text);
}
