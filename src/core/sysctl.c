/* SPDX-License-Identifier: MIT */
/*
 * sysctl.c - the registry of settings: one array of (entry, state), sorted by name, searched by halves.
 *
 * Names are Linux's; slashes are taken for dots, as sysctl(8) does.  A vector may be given fewer numbers than it has: the first ones are
 * then set, and more are not looked at, as Linux does.  Every refusal comes with a sentence that says what would be right.
 */
#include "core/sysctl.h"
#include "xmit/control.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VECTOR = 8, MAX_STRING = 64, MAX_NAME = 96, MAX_VALUE_SHOWN = 40 };

struct setting {
	const struct sysctl_entry *e;
	char *state;
};
struct sysctl_table_set {
	unsigned n;
	struct setting *all; /* sorted by name; NULL: none */
};

int sysctl_register(struct net *net, void *state, const struct sysctl_entry *table, unsigned n)
{
	struct sysctl_table_set *set = net->sysctls;
	struct setting *all = net_alloc(net, (set->n + n) * sizeof(*all), MEM_NORMAL);

	if (!all)
		return -ENOMEM;
	if (set->n)
		memcpy(all, set->all, set->n * sizeof(*all));
	net_free(net, set->all);
	set->all = all;
	for (unsigned i = 0; i < n; i++) {
		unsigned at = set->n++;
		ASSERT(table[i].type == SYSCTL_STRING ? table[i].count <= MAX_STRING : table[i].count <= MAX_VECTOR);
		for (; at && strcmp(all[at - 1].e->name, table[i].name) > 0; at--)
			all[at] = all[at - 1];
		all[at] = (struct setting){&table[i], state};
	}
	return 0;
}

static struct setting *find(const struct net *net, const char *name)
{
	const struct sysctl_table_set *set = net->sysctls;
	unsigned low = 0, high = set->n;
	char dotted[MAX_NAME];
	size_t len = strlen(name);

	if (len >= sizeof(dotted))
		return NULL;
	for (size_t i = 0; i <= len; i++)
		dotted[i] = name[i] == '/' ? '.' : name[i];
	while (low < high) {
		unsigned mid = (low + high) / 2;
		int cmp = strcmp(dotted, set->all[mid].e->name);
		if (!cmp)
			return &set->all[mid];
		if (cmp < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* Levenshtein's distance, of at most MAX_NAME - 1 bytes each. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[MAX_NAME], la = (unsigned)strlen(a), lb = (unsigned)strlen(b);

	if (la >= MAX_NAME || lb >= MAX_NAME)
		return UINT32_MAX;
	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned above = row[j];
			unsigned best = MIN(MIN(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			row[j] = best;
			diagonal = above;
		}
	}
	return row[lb];
}

static void explain(char *why, size_t n, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void explain(char *why, size_t n, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (!why || !n)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(why, n, "%s", text);
}

static void explain_unknown(const struct net *net, const char *name, char *why, size_t n)
{
	const struct sysctl_table_set *set = net->sysctls;
	const char *nearest = NULL;
	unsigned best = UINT32_MAX;

	if (!why)
		return;
	for (unsigned i = 0; i < set->n; i++) {
		unsigned d = edit_distance(name, set->all[i].e->name);
		if (d < best) {
			best = d;
			nearest = set->all[i].e->name;
		}
	}
	if (nearest)
		explain(why, n, "there is no setting '%.*s'; the nearest is %s", MAX_NAME - 1, name, nearest);
	else
		explain(why, n, "there is no setting '%.*s'", MAX_NAME - 1, name);
}

static void explain_number(const struct sysctl_entry *e, const char *value, char *why, size_t n)
{
	if (e->count > 1)
		explain(why, n, "%s takes %u numbers of %" PRId64 " to %" PRId64 ", not '%.*s'", e->name, e->count, e->min, e->max,
			MAX_VALUE_SHOWN, value);
	else
		explain(why, n, "%s takes %" PRId64 " to %" PRId64 ", not '%.*s'", e->name, e->min, e->max, MAX_VALUE_SHOWN, value);
}

/* One number at *p, as Linux reads it: any base, no plus sign, up to white space or the end. */
static int parse_number(const struct sysctl_entry *e, const char **p, int64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoll(*p, &end, 0);
	if (end == *p || **p == '+' || errno || (*end && !isspace((unsigned char)*end)) || *v < e->min || *v > e->max)
		return -EINVAL;
	*p = end;
	return 0;
}

static void store(const struct sysctl_entry *e, char *at, int i, int64_t v)
{
	if (e->type == SYSCTL_ULONG_VEC)
		((uint64_t *)(void *)at)[i] = (uint64_t)v;
	else
		((int32_t *)(void *)at)[i] = (int32_t)v;
}

/* Numbers are stored one by one, those in front of a wrong one stay (but see `changed`); what follows the last is not looked at.  Nothing is no error. */
static int store_numbers(const struct sysctl_entry *e, char *at, const char *p)
{
	int count = e->count ? (int)e->count : 1, err = 0;
	int64_t v;

	if (!*p)
		return 0;
	for (int i = 0; i < count && !err; i++) {
		while (isspace((unsigned char)*p))
			p++;
		if (!*p)
			return i ? 0 : -EINVAL;
		err = parse_number(e, &p, &v);
		if (!err)
			store(e, at, i, v);
	}
	return err;
}

static int set_numbers(struct net *net, const struct setting *s, const char *value)
{
	const struct sysctl_entry *e = s->e;
	char old[MAX_VECTOR * sizeof(uint64_t)], *at = s->state + e->offset;
	size_t bytes = (e->count ? e->count : 1) * (e->type == SYSCTL_ULONG_VEC ? sizeof(uint64_t) : sizeof(int32_t));
	int err;

	memcpy(old, at, bytes);
	err = store_numbers(e, at, value);
	if (e->changed) {
		err = err ? err : e->changed(net, e, value);
		if (err)
			memcpy(at, old, bytes);
	}
	return err;
}

static int set_string(struct net *net, const struct setting *s, const char *value)
{
	char old[MAX_STRING], *at = s->state + s->e->offset;
	size_t len = strlen(value);
	int err;

	if (!len)
		return 0; /* nothing changes nothing, as with numbers */
	while (len && isspace((unsigned char)value[len - 1]))
		len--;
	if (len >= s->e->count)
		return -EINVAL;
	memcpy(old, at, s->e->count);
	memcpy(at, value, len);
	at[len] = '\0';
	err = s->e->changed ? s->e->changed(net, s->e, at) : 0;
	if (err)
		memcpy(at, old, s->e->count);
	return err;
}

int sysctl_set(struct net *net, const char *name, const char *value, char *why, size_t why_len)
{
	const struct setting *s = find(net, name);
	int err;

	if (!s) {
		explain_unknown(net, name, why, why_len);
		return -ENOENT;
	}
	const struct sysctl_entry *e = s->e;
	switch (e->type) {
	case SYSCTL_STRING:
		err = set_string(net, s, value);
		if (err)
			explain(why, why_len, "%s does not take '%.*s' (a known name of at most %u bytes is wanted)", e->name,
				MAX_VALUE_SHOWN, value, e->count - 1);
		return err;
	case SYSCTL_CUSTOM:
		err = e->changed ? e->changed(net, e, value) : -EACCES;
		if (err == -EACCES && !e->changed)
			explain(why, why_len, "%s can only be read", e->name);
		else if (err)
			explain(why, why_len, "%s does not take '%.*s'", e->name, MAX_VALUE_SHOWN, value);
		return err;
	default:
		err = set_numbers(net, s, value);
		if (err)
			explain_number(e, value, why, why_len);
		return err;
	}
}

static int show(struct net *net, const struct setting *s, char *buf, size_t n)
{
	const struct sysctl_entry *e = s->e;
	char text[MAX_VECTOR * 24];
	int len = 0;

	if (e->type == SYSCTL_CUSTOM)
		return e->show ? e->show(net, e, buf, n) : snprintf(buf, n, "%s", "");
	const char *at = s->state + e->offset;
	if (e->type == SYSCTL_STRING)
		return snprintf(buf, n, "%s", at);
	for (unsigned i = 0; i < (e->count ? e->count : 1); i++) {
		const char *gap = i ? "\t" : "";
		if (e->type == SYSCTL_ULONG_VEC)
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%" PRIu64, gap, ((const uint64_t *)(const void *)at)[i]);
		else if (e->max > INT32_MAX) /* an unsigned one */
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%" PRIu32, gap, ((const uint32_t *)(const void *)at)[i]);
		else
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%" PRId32, gap, ((const int32_t *)(const void *)at)[i]);
	}
	return snprintf(buf, n, "%s", text);
}

int sysctl_get(struct net *net, const char *name, char *buf, size_t n)
{
	const struct setting *s = find(net, name);

	return s ? show(net, s, buf, n) : -ENOENT;
}

void sysctl_for_each(struct net *net, void (*fn)(void *ctx, const char *name, const char *value), void *ctx)
{
	char value[256];

	for (unsigned i = 0; i < net->sysctls->n; i++) {
		show(net, &net->sysctls->all[i], value, sizeof(value));
		fn(ctx, net->sysctls->all[i].e->name, value);
	}
}

int sysctl_init(struct net *net)
{
	net->sysctls = net_zalloc(net, sizeof(*net->sysctls), MEM_NORMAL);
	return net->sysctls ? 0 : -ENOMEM;
}

void sysctl_exit(struct net *net)
{
	if (!net->sysctls)
		return;
	net_free(net, net->sysctls->all);
	net_free(net, net->sysctls);
	net->sysctls = NULL;
}

int xmit_sysctl_set(xmit_net *net, const char *name, const char *value, char *why, size_t why_len)
{
	int err = sysctl_set(net, name, value, why, why_len);

	if (err < 0) {
		errno = -err;
		return -1;
	}
	return 0;
}

int xmit_sysctl_get(xmit_net *net, const char *name, char *buf, size_t n)
{
	int len = sysctl_get(net, name, buf, n);

	if (len < 0) {
		errno = -len;
		return -1;
	}
	return len;
}
