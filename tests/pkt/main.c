/* SPDX-License-Identifier: MIT */
/* main.c - pkt_run [options] script.pkt|directory ...: runs scripts of packetdrill's language against libxmit; README.md. */
#include "pkt.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SCRIPTS_MOST = 8192, ENTRIES_MOST = 1024, DEFINES_MOST = 32, PATH_LONG = 1024 };

struct scripts {
	char *path[SCRIPTS_MOST];
	size_t base[SCRIPTS_MOST];      /* bytes of the directory that was asked for: the name in print is what follows */
	int n;
};

static const char usage[] =
	"usage: pkt_run [-v] [-l] [--name=value ...] [-D NAME=VALUE] script.pkt|directory ...\n"
	"  -v  every packet and call     -l  packets left over at the end are no failure\n"
	"  --tolerance_usecs --tolerance_percent --ip_version=ipv4|ipv4-mapped-ipv6 --mtu --mss --local_ip --remote_ip --gateway_ip --netmask_ip\n"
	"  --bind_port --connect_port --tcp_ts_tick_usecs --tcp_ts_ecr_scaled --strict_segments: as in scripts; those of a script win\n";

/* --- options ------------------------------------------------------------------------------------------------------------------ */

static bool read_ip(const char *text, uint32_t *ip)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		return false;
	*ip = ntohl(in.s_addr);
	return true;
}

static bool read_number(const char *text, unsigned long most, unsigned long *n)
{
	char *end;

	*n = strtoul(text, &end, 0);
	return *text && !*end && *n <= most;
}

static bool set_ip_version(struct config *c, const char *value)
{
	c->mapped = !strcmp(value, "ipv4-mapped-ipv6");
	return c->mapped || !strcmp(value, "ipv4");
}

static bool set_netmask(struct config *c, const char *value)
{
	uint32_t mask;

	if (!read_ip(value, &mask))
		return false;
	for (c->prefix_len = 0; c->prefix_len < 32 && mask >> (31 - c->prefix_len) & 1;)
		c->prefix_len++;
	return true;
}

/* One option of the command line or of a script; false: there is none of that name, or the value is wrong. */
static bool set_option(struct config *c, const char *name, const char *value)
{
	unsigned long n = 0;
	bool number = read_number(value, 0x7fffffff, &n);

	if (!strcmp(name, "tolerance_usecs"))
		c->tolerance_us = (int64_t)n;
	else if (!strcmp(name, "tolerance_percent"))
		c->tolerance_percent = (double)n;
	else if (!strcmp(name, "mtu"))
		c->mtu = (unsigned)n;
	else if (!strcmp(name, "mss"))
		c->mss = (unsigned)n;
	else if (!strcmp(name, "bind_port"))
		c->bind_port = (uint16_t)n;
	else if (!strcmp(name, "connect_port"))
		c->connect_port = (uint16_t)n;
	else if (!strcmp(name, "tcp_ts_tick_usecs"))
		c->ts_tick_us = (int64_t)n;
	else if (!strcmp(name, "tcp_ts_ecr_scaled"))
		return c->ts_ecr_scaled = true;
	else if (!strcmp(name, "strict_segments"))
		return c->strict = true;
	else if (!strcmp(name, "ip_version"))
		return set_ip_version(c, value);
	else if (!strcmp(name, "local_ip"))
		return read_ip(value, &c->local_ip);
	else if (!strcmp(name, "remote_ip"))
		return read_ip(value, &c->remote_ip);
	else if (!strcmp(name, "gateway_ip"))
		return read_ip(value, &c->gateway_ip);
	else if (!strcmp(name, "netmask_ip"))
		return set_netmask(c, value);
	else
		return false;
	return number;
}

static struct config default_config(void)
{
	struct config c = {.tolerance_us = 4000, .tolerance_percent = 12.5, .mtu = 1500, .bind_port = 8080, .connect_port = 8080, .prefix_len = 16};

	read_ip("192.168.0.1", &c.local_ip);
	read_ip("192.0.2.1", &c.remote_ip);
	read_ip("192.168.0.2", &c.gateway_ip);
	return c;
}

/* The gateway is not to be the host itself. */
static void move_gateway(struct config *c)
{
	if (c->gateway_ip == c->local_ip)
		c->gateway_ip ^= 3;
}

/* --- scripts ------------------------------------------------------------------------------------------------------------------ */

static void add_path(struct scripts *s, const char *path, size_t base);

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_all(struct scripts *s, char **inner, size_t n, size_t base)
{
	qsort(inner, n, sizeof(*inner), by_name);
	for (size_t i = 0; i < n; i++) {
		add_path(s, inner[i], base);
		free(inner[i]);
	}
}

static void add_directory(struct scripts *s, const char *path, size_t base)
{
	char *inner[ENTRIES_MOST], name[PATH_LONG];
	DIR *d = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	while (d && (entry = readdir(d)) && n < ENTRIES_MOST)
		if (entry->d_name[0] != '.' && (size_t)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) < sizeof(name))
			if ((inner[n] = strdup(name)))
				n++;
	if (d)
		closedir(d);
	add_all(s, inner, n, base);
}

/* A file that was asked for (base 0) is a script whatever its name; in directories those are that end in .pkt. */
static void add_path(struct scripts *s, const char *path, size_t base)
{
	struct stat st;
	size_t n = strlen(path);

	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		add_directory(s, path, base ? base : n + 1);
		return;
	}
	if (base && (n < 4 || strcmp(path + n - 4, ".pkt")))
		return;
	if (s->n == SCRIPTS_MOST || !(s->path[s->n] = strdup(path))) {
		fprintf(stderr, "pkt_run: more than %d scripts\n", SCRIPTS_MOST);
		exit(2);
	}
	s->base[s->n++] = base;
}

/* What stands behind "// key: " in a script; NULL: it has no such line. */
static const char *head_line(const struct script *s, const char *key, char *buf, size_t n)
{
	const char *at = s->text ? strstr(s->text, key) : NULL;

	if (!at)
		return NULL;
	at += strlen(key);
	snprintf(buf, n, "%.*s", (int)strcspn(at, "\n"), at);
	return buf;
}

static bool play(struct script *s, const char *path, const struct config *base, const struct setting *defines, char *message)
{
	struct config c = *base;

	if (!script_read(s, path, defines)) {
		memcpy(message, s->error, MESSAGE_MOST);
		return false;
	}
	for (const struct setting *o = s->options; o; o = o->next)
		if (!set_option(&c, o->name, o->value)) {
			snprintf(message, MESSAGE_MOST, "%s: the option --%s=%s is not supported", path, o->name, o->value);
			return false;
		}
	move_gateway(&c);
	return run_script(s, &c, message, MESSAGE_MOST);
}

static bool report(const char *name, bool ok, const char *message)
{
	printf("%s - %s\n", ok ? "ok" : "not ok", name);
	if (!ok)
		printf("# %s\n", message);
	fflush(stdout);
	return ok;
}

/*
 * Plays one and prints how it went: its name is what follows base_len bytes of the path.  Two lines in a script turn its meaning: "// xmit: why"
 * (the stack does not do this yet, and that is known) and "// fails: text" (it is to fail, and to say that: a test of the runner).
 */
static bool run_one(const char *path, size_t base_len, const struct config *c, const struct setting *defines)
{
	struct script s = {0};
	char message[MESSAGE_MOST] = "", buf[256], buf2[256];
	bool passed = play(&s, path, c, defines, message);
	const char *why = head_line(&s, "\n// xmit: ", buf, sizeof(buf)), *fails = head_line(&s, "\n// fails: ", buf2, sizeof(buf2));

	script_free(&s);
	if (fails) {
		if (passed)
			snprintf(message, sizeof(message), "%s passes; it is to fail: %s", path, fails);
		return report(path + base_len, !passed && strstr(message, fails), message);
	}
	if (why && !passed) {
		printf("skip - %s (xmit differs: %s)\n%s%s%s", path + base_len, why, c->verbose ? "# " : "", c->verbose ? message : "", c->verbose ? "\n" : "");
		return true;
	}
	if (why)
		snprintf(message, sizeof(message), "%s passes: take its line '// xmit: %s' out", path, why);
	return report(path + base_len, passed && !why, message);
}

static bool read_arguments(int argc, char **argv, struct config *c, struct scripts *s, struct setting *defines, int *n)
{
	for (int i = 1; i < argc; i++) {
		char *name = argv[i] + 2, *value;
		if (!strcmp(argv[i], "-v")) {
			c->verbose = true;
		} else if (!strcmp(argv[i], "-l")) {
			c->leftovers_allowed = true;
		} else if ((!strcmp(argv[i], "--define") || !strcmp(argv[i], "-D")) && i + 1 < argc && *n < DEFINES_MOST && (value = strchr(argv[i + 1], '='))) {
			*value = 0;
			defines[*n] = (struct setting){*n ? &defines[*n - 1] : NULL, argv[++i], value + 1};
			++*n;
		} else if (!strncmp(argv[i], "--", 2)) {
			value = strchr(name, '=');
			if (value)
				*value++ = 0;
			if (!set_option(c, name, value ? value : ""))
				return false;
		} else if (argv[i][0] == '-') {
			return false;
		} else {
			add_path(s, argv[i], 0);
		}
	}
	return s->n > 0;
}

int main(int argc, char **argv)
{
	static struct scripts s;
	static struct setting defines[DEFINES_MOST];
	struct config c = default_config();
	int failed = 0, n = 0;

	if (!read_arguments(argc, argv, &c, &s, defines, &n)) {
		fputs(usage, stderr);
		return 2;
	}
	for (int i = 0; i < s.n; i++) {
		failed += !run_one(s.path[i], s.base[i], &c, n ? &defines[n - 1] : NULL);
		free(s.path[i]);
	}
	printf("# %d scripts, %d failed\n", s.n, failed);
	return failed ? 1 : 0;
}
