/* SPDX-License-Identifier: MIT */
/*
 * ip_control.c - addresses and routes as the embedder gives them (xmit/control.h): checked, turned into what devinet.c and fib.c take.
 *
 * The text forms are those of `ip address` and `ip route`.  Results: 0, or -1 and errno.
 */
#include "ip/fib.h"
#include "ip/ip_internal.h"
#include "xmit/control.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static int result(int err)
{
	if (!err)
		return 0;
	errno = -err;
	return -1;
}

int xmit_addr_add(xmit_dev *dev, struct in_addr addr, unsigned prefix_len)
{
	return result(!dev || !dev->registered ? -ENODEV : inet_addr_add(dev, addr.s_addr, prefix_len));
}

int xmit_addr_del(xmit_dev *dev, struct in_addr addr, unsigned prefix_len)
{
	return result(!dev || !dev->registered ? -ENODEV : inet_addr_del(dev, addr.s_addr, prefix_len));
}

/* --- text --------------------------------------------------------------------------------------------------------------- */

/* Four decimal bytes with dots, nothing else; returns what lies behind, NULL if it is none. */
static const char *parse_addr(const char *p, be32 *addr)
{
	uint32_t a = 0;

	for (int i = 0; i < 4; i++) {
		unsigned v = 0, digits = 0;
		if (i && *p++ != '.')
			return NULL;
		for (; isdigit((unsigned char)*p) && digits < 3; digits++)
			v = v * 10 + (unsigned)(*p++ - '0');
		if (!digits || v > 255)
			return NULL;
		a = a << 8 | v;
	}
	*addr = cpu_to_be32(a);
	return p;
}

static bool parse_number(const char *word, uint32_t most, uint32_t *v)
{
	char *end;

	if (!isdigit((unsigned char)*word))
		return false;
	unsigned long long n = strtoull(word, &end, 0);
	if (*end || n > most)
		return false;
	*v = (uint32_t)n;
	return true;
}

/* "a.b.c.d/n", "a.b.c.d" (n 32); false: neither. */
static bool parse_prefix(const char *word, be32 *addr, unsigned *plen)
{
	const char *p = parse_addr(word, addr);
	uint32_t n = 32;

	if (!p || (*p == '/' && !parse_number(p + 1, 32, &n)) || (*p && *p != '/'))
		return false;
	*plen = n;
	return true;
}

static bool parse_whole_addr(const char *word, be32 *addr)
{
	const char *p = parse_addr(word, addr);

	return p && !*p;
}

int xmit_addr_add_text(xmit_dev *dev, const char *cidr)
{
	be32 addr;
	unsigned plen;

	if (!cidr || !parse_prefix(cidr, &addr, &plen))
		return result(-EINVAL);
	return xmit_addr_add(dev, (struct in_addr){addr}, plen);
}

/* --- routes ----------------------------------------------------------------------------------------------------------------- */

/* As iproute2: a route to this host has scope host, one without gateway (or to many) scope link. */
static uint8_t default_scope(const struct fib_config *cfg)
{
	switch (cfg->type) {
	case RTN_LOCAL:
		return RT_SCOPE_HOST;
	case RTN_BROADCAST:
	case RTN_MULTICAST:
	case RTN_ANYCAST:
		return RT_SCOPE_LINK;
	case RTN_UNICAST:
		return cfg->gw ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	default:
		return RT_SCOPE_UNIVERSE;
	}
}

/* Members that the caller's struct does not reach are zero. */
static int read_route(const struct xmit_route *in, struct fib_config *cfg)
{
	struct xmit_route r = {0};

	if (!in || in->size < offsetof(struct xmit_route, dev) || in->size > sizeof(r))
		return -EINVAL;
	memcpy(&r, in, in->size);
	if (r.prefix_len > 32 || r.hoplimit > 255)
		return -EINVAL;
	*cfg = (struct fib_config){
		.dst = r.dst.s_addr,
		.plen = (uint8_t)r.prefix_len,
		.tos = r.tos,
		.type = r.type ? (uint8_t)r.type : RTN_UNICAST,
		.protocol = RTPROT_BOOT,
		.onlink = r.onlink,
		.gw = r.gateway.s_addr,
		.prefsrc = r.prefsrc.s_addr,
		.dev = r.dev,
		.priority = r.priority,
		.table = r.table ? r.table : RT_TABLE_MAIN,
	};
	cfg->metrics[RTAX_MTU] = r.mtu;
	cfg->metrics[RTAX_ADVMSS] = r.advmss;
	cfg->metrics[RTAX_WINDOW] = r.window;
	cfg->metrics[RTAX_INITCWND] = r.initcwnd;
	cfg->metrics[RTAX_INITRWND] = r.initrwnd;
	cfg->metrics[RTAX_HOPLIMIT] = r.hoplimit;
	cfg->metrics[RTAX_RTO_MIN] = r.rto_min_ms;
	cfg->metrics[RTAX_QUICKACK] = r.quickack;
	if (r.rto_min_ms) /* TCP heeds it only when it is locked, as iproute2 does */
		cfg->metrics[RTAX_LOCK] |= 1u << RTAX_RTO_MIN;
	cfg->scope = default_scope(cfg);
	return 0;
}

int xmit_route_add(xmit_net *net, const struct xmit_route *r)
{
	struct fib_config cfg;
	int err = read_route(r, &cfg);

	if (!err && cfg.dev && (cfg.dev->net != net || !cfg.dev->registered))
		err = -ENODEV;
	return result(err ? err : fib_route_add(net, &cfg));
}

int xmit_route_del(xmit_net *net, const struct xmit_route *r)
{
	struct fib_config cfg;
	int err = read_route(r, &cfg);

	if (err)
		return result(err);
	if (!r->type)
		cfg.type = RTN_UNSPEC; /* whatever it is */
	cfg.protocol = 0;
	return result(fib_route_del(net, &cfg));
}

/* --- routes as text ---------------------------------------------------------------------------------------------------------- */

enum { WORD_MAX = 64, WORDS_MAX = 40 };

struct words {
	char word[WORDS_MAX][WORD_MAX];
	unsigned n, at;
};

static bool split_words(const char *text, struct words *w)
{
	w->n = w->at = 0;
	for (;;) {
		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			return true;
		size_t len = strcspn(text, " \t\n\r\f\v");
		if (w->n == WORDS_MAX || len >= WORD_MAX)
			return false;
		memcpy(w->word[w->n], text, len);
		w->word[w->n++][len] = '\0';
		text += len;
	}
}

static const char *next_word(struct words *w)
{
	return w->at < w->n ? w->word[w->at++] : "";
}

static bool parse_type(const char *word, struct xmit_route *r)
{
	static const struct { const char *name; enum xmit_route_type type; } types[] = {
		{"unicast", XMIT_RTN_UNICAST}, {"local", XMIT_RTN_LOCAL}, {"broadcast", XMIT_RTN_BROADCAST},
		{"blackhole", XMIT_RTN_BLACKHOLE}, {"unreachable", XMIT_RTN_UNREACHABLE}, {"prohibit", XMIT_RTN_PROHIBIT},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(word, types[i].name)) {
			r->type = types[i].type;
			return true;
		}
	}
	return false;
}

static bool parse_table(const char *word, uint32_t *table)
{
	if (!strcmp(word, "main"))
		*table = RT_TABLE_MAIN;
	else if (!strcmp(word, "local"))
		*table = RT_TABLE_LOCAL;
	else if (!strcmp(word, "default"))
		*table = RT_TABLE_DEFAULT;
	else
		return parse_number(word, UINT32_MAX, table);
	return true;
}

/* "key value" behind the prefix.  0, -EINVAL, -ENODEV. */
static int parse_attribute(struct net *net, const char *key, struct words *w, struct xmit_route *r)
{
	struct { const char *key; uint32_t *v, most; } numbers[] = {
		{"metric", &r->priority, UINT32_MAX}, {"preference", &r->priority, UINT32_MAX}, {"mtu", &r->mtu, 65535},
		{"advmss", &r->advmss, 65535}, {"window", &r->window, UINT32_MAX}, {"initcwnd", &r->initcwnd, 65535},
		{"initrwnd", &r->initrwnd, 65535}, {"hoplimit", &r->hoplimit, 255}, {"rto_min", &r->rto_min_ms, 120000},
		{"quickack", &r->quickack, 1},
	};
	uint32_t v;
	be32 addr;

	if (!strcmp(key, "onlink")) {
		r->onlink = true;
		return 0;
	}
	const char *value = next_word(w);
	if (!strcmp(key, "via") || !strcmp(key, "src")) {
		if (!parse_whole_addr(value, &addr))
			return -EINVAL;
		*(key[0] == 'v' ? &r->gateway : &r->prefsrc) = (struct in_addr){addr};
		return 0;
	}
	if (!strcmp(key, "dev")) {
		r->dev = dev_get_by_name(net, value);
		return r->dev ? 0 : -ENODEV;
	}
	if (!strcmp(key, "table"))
		return parse_table(value, &r->table) ? 0 : -EINVAL;
	if (!strcmp(key, "tos")) {
		if (!parse_number(value, 255, &v))
			return -EINVAL;
		r->tos = (uint8_t)v;
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(key, numbers[i].key))
			return parse_number(value, numbers[i].most, numbers[i].v) ? 0 : -EINVAL;
	return -EINVAL;
}

static int parse_route(struct net *net, const char *text, struct xmit_route *r)
{
	struct words w;
	int err = 0;

	*r = (struct xmit_route){.size = sizeof(*r)};
	if (!text || !split_words(text, &w))
		return -EINVAL;
	const char *word = next_word(&w);
	if (parse_type(word, r))
		word = next_word(&w);
	if (strcmp(word, "default") != 0) {
		be32 dst;
		if (!parse_prefix(word, &dst, &r->prefix_len))
			return -EINVAL;
		r->dst.s_addr = dst;
	}
	while (!err && w.at < w.n)
		err = parse_attribute(net, next_word(&w), &w, r);
	return err;
}

int xmit_route_add_text(xmit_net *net, const char *text)
{
	struct xmit_route r;
	int err = parse_route(net, text, &r);

	return err ? result(err) : xmit_route_add(net, &r);
}
