/* SPDX-License-Identifier: MIT */
/*
 * fib.c - routing tables: routes added, deleted, flushed; look-up in a table and by policy rules (I1).
 *
 * A table maps prefixes to chains of fib_alias (one per TOS, priority and age); what many prefixes have in common, next hops and
 * metrics above all, is a shared fib_info.  A look-up goes from the longest matching prefix to shorter ones, along each
 * chain, until an alias fits the flow's TOS and scope and has a next hop alive.  The rules say which tables are asked: local (0),
 * main (32766), default (32767) at start.  Every change bumps the generation that cached routes are checked against.
 *
 * Called by route.c, route_input.c, devinet.c and ip_control.c; calls fib_semantics.c.  RFC 1812 section 5.2.4.
 */
#include "ip/fib.h"
#include "ip/devinet.h"
#include "ip/ip_internal.h"

/* --- tables and rules -------------------------------------------------------------------------------------- */

struct fib_table *fib_get_table(struct net *net, uint32_t id)
{
	struct fib_table *tb;

	if (id == RT_TABLE_UNSPEC)
		id = RT_TABLE_MAIN;
	list_for_each_entry(tb, &fib_state(net)->tables, list)
		if (tb->id == id)
			return tb;
	return NULL;
}

static void rules_bind(struct fib_state *st, uint32_t id, struct fib_table *tb)
{
	struct fib_rule *r;

	list_for_each_entry(r, &st->rules, list)
		if (r->table == id)
			r->tb = tb;
}

static int fib_new_table(struct net *net, uint32_t id, struct fib_table **res)
{
	struct fib_state *st = fib_state(net);
	struct fib_table *tb = fib_get_table(net, id), *pos;

	if (id == RT_TABLE_UNSPEC)
		id = RT_TABLE_MAIN;
	if (!tb) {
		if (st->nr_tables >= FIB_TABLES_MAX)
			return -ENOSPC;
		tb = net_zalloc(net, sizeof(*tb), MEM_NORMAL);
		if (!tb)
			return -ENOMEM;
		tb->id = id;
		list_init(&tb->routes);
		list_for_each_entry(pos, &st->tables, list)
			if (pos->id > id)
				break;
		list_add_tail(&tb->list, &pos->list);
		st->nr_tables++;
		rules_bind(st, id, tb);
	}
	*res = tb;
	return 0;
}

static int rule_add(struct net *net, uint32_t pref, uint32_t table)
{
	struct fib_state *st = fib_state(net);
	struct fib_rule *r = net_zalloc(net, sizeof(*r), MEM_NORMAL);

	if (!r)
		return -ENOMEM;
	r->pref = pref;
	r->table = table;
	r->action = FR_ACT_TO_TBL;
	r->any = true;
	r->tb = fib_get_table(net, table);
	list_add_tail(&r->list, &st->rules);
	return 0;
}

static bool prefix_covers(be32 prefix, uint8_t len, be32 addr)
{
	return !((prefix ^ addr) & inet_make_mask(len));
}

static bool rule_matches(const struct fib_rule *r, const struct flowi *fl)
{
	return prefix_covers(r->src, r->src_len, fl->saddr.ip) && prefix_covers(r->dst, r->dst_len, fl->daddr.ip) &&
	       (!r->tos || r->tos == fl->tos) && (!r->iif || r->iif == fl->iif) && (!r->oif || r->oif == fl->oif) &&
	       !((r->mark ^ fl->mark) & r->mark_mask);
}

int fib_lookup(struct net *net, const struct flowi *fl, struct fib_result *res)
{
	struct fib_rule *r;

	list_for_each_entry(r, &fib_state(net)->rules, list) {
		if (!r->any && !rule_matches(r, fl))
			continue;
		switch (r->action) {
		case FR_ACT_TO_TBL:
			break;
		case FR_ACT_UNREACHABLE:
			return -ENETUNREACH;
		case FR_ACT_PROHIBIT:
			return -EACCES;
		default:
			return -EINVAL;
		}
		if (!r->tb || !r->tb->trie.root)
			continue;
		int err = fib_table_lookup(r->tb, fl, res);
		if (err != -EAGAIN)
			return err;
	}
	return -ENETUNREACH;
}

/* --- look-up in one table ---------------------------------------------------------------------------------- */

static struct fib_nh *usable_nh(struct fib_info *fi, const struct flowi *fl)
{
	for (unsigned i = 0; i < fi->nhs; i++) {
		struct fib_nh *nh = &fi->nh[i];
		if (nh->flags & RTNH_F_DEAD)
			continue;
		if (fl->oif && nh->dev && nh->dev->ifindex != fl->oif)
			continue;
		return nh;
	}
	return NULL;
}

int fib_table_lookup(struct fib_table *tb, const struct flowi *fl, struct fib_result *res)
{
	struct fib_trie_cursor cur;
	struct fib_alias *fa;

	fib_trie_match(&tb->trie, be32_to_cpu(fl->daddr.ip), &cur);
	while ((fa = fib_trie_next(&cur))) {
		for (; fa; fa = fa->next) {
			struct fib_info *fi = fa->fi;
			if ((fa->tos && fa->tos != fl->tos) || fi->dead || fi->scope < fl->scope)
				continue;
			if (unlikely(fib_props[fi->type].error))
				return fib_props[fi->type].error;
			struct fib_nh *nh = usable_nh(fi, fl);
			if (!nh)
				continue;
			*res = (struct fib_result){.type = fi->type, .scope = fi->scope, .prefixlen = fa->plen, .prefix = fa->key,
						   .fi = fi, .nh = nh, .table = tb};
			return 0;
		}
	}
	return -EAGAIN;
}

void fib_select_path(struct net *net, struct fib_result *res, const struct flowi *fl)
{
	struct fib_info *fi = res->fi;
	uint32_t total = 0, hash, pick;

	if (likely(fi->nhs < 2) || fl->oif)
		return;
	for (unsigned i = 0; i < fi->nhs; i++)
		if (!(fi->nh[i].flags & RTNH_F_DEAD))
			total += (uint32_t)fi->nh[i].weight;
	hash = fl->flow_hash ? fl->flow_hash : jhash_3words((uint32_t)fl->saddr.ip, (uint32_t)fl->daddr.ip, 0, (uint32_t)net->hash_key.key[0]);
	pick = reciprocal_scale(hash, total);
	for (unsigned i = 0; i < fi->nhs; i++) {
		struct fib_nh *nh = &fi->nh[i];
		if (nh->flags & RTNH_F_DEAD)
			continue;
		res->nh = nh;
		if (pick < (uint32_t)nh->weight)
			return;
		pick -= (uint32_t)nh->weight;
	}
}

be32 fib_result_prefsrc(struct net *net, const struct fib_result *res)
{
	if (res->fi->prefsrc)
		return res->fi->prefsrc;
	return inet_select_addr(net, res->nh->dev, res->nh->gw, res->fi->scope);
}

bool fib_info_uses_dev(const struct fib_info *fi, const struct net_device *dev)
{
	for (unsigned i = 0; i < fi->nhs; i++)
		if (fi->nh[i].dev == dev)
			return true;
	return false;
}

/* --- routes ------------------------------------------------------------------------------------------------ */

static int check_config(const struct fib_config *cfg)
{
	if (cfg->plen > 32 || (cfg->dst & ~inet_make_mask(cfg->plen)) || cfg->type == RTN_UNSPEC || cfg->type > RTN_THROW)
		return -EINVAL;
	return cfg->scope < fib_props[cfg->type].scope ? -EINVAL : 0;
}

/* Where an alias belongs in a chain; or that an equal one is there. */
static int find_place(struct fib_alias **link, const struct fib_config *cfg, const struct fib_info *fi, struct fib_alias ***place)
{
	for (; *link; link = &(*link)->next) {
		const struct fib_alias *fa = *link;
		if (fa->tos > cfg->tos || (fa->tos == cfg->tos && fa->fi->priority < cfg->priority))
			continue;
		if (fa->tos != cfg->tos || fa->fi->priority != cfg->priority)
			break;
		if (!cfg->append || fa->fi == fi)
			return -EEXIST;
	}
	*place = link;
	return 0;
}

int fib_route_add(struct net *net, const struct fib_config *cfg)
{
	const uint32_t key = be32_to_cpu(cfg->dst);
	struct fib_info *fi;
	struct fib_table *tb;
	struct fib_alias **place;
	int err = check_config(cfg);

	if (!err)
		err = fib_new_table(net, cfg->table, &tb);
	if (!err)
		err = fib_info_get(net, cfg, &fi);
	if (err)
		return err;
	struct fib_alias *fa = net_zalloc(net, sizeof(*fa), MEM_NORMAL);
	err = -ENOMEM;
	if (!fa)
		goto put_info;
	*fa = (struct fib_alias){.fi = fi, .key = key, .plen = cfg->plen, .tos = cfg->tos};
	void **slot = fib_trie_slot(&tb->trie, key, cfg->plen);
	if (slot) {
		err = find_place((struct fib_alias **)slot, cfg, fi, &place);
		if (err)
			goto free_alias;
		fa->next = *place;
		*place = fa;
	} else {
		err = fib_trie_insert(net, &tb->trie, key, cfg->plen, fa);
		if (err)
			goto free_alias;
	}
	list_add_tail(&fa->all, &tb->routes);
	rt_cache_flush(net);
	return 0;

free_alias:
	net_free(net, fa);
put_info:
	fib_info_put(net, fi);
	return err;
}

static void alias_remove(struct net *net, struct fib_table *tb, struct fib_alias *fa)
{
	struct fib_alias **link = (struct fib_alias **)fib_trie_slot(&tb->trie, fa->key, fa->plen);

	if (*link == fa && !fa->next) {
		fib_trie_remove(net, &tb->trie, fa->key, fa->plen);
	} else {
		while (*link != fa)
			link = &(*link)->next;
		*link = fa->next;
	}
	list_del_init(&fa->all);
	fib_info_put(net, fa->fi);
	net_free(net, fa);
}

static bool del_matches(const struct fib_alias *fa, const struct fib_config *cfg)
{
	const struct fib_info *fi = fa->fi;

	return fa->tos == cfg->tos && (!cfg->type || fi->type == cfg->type) && (!cfg->scope_given || fi->scope == cfg->scope) &&
	       (!cfg->prefsrc || fi->prefsrc == cfg->prefsrc) && (!cfg->protocol || fi->protocol == cfg->protocol) &&
	       (!cfg->priority || fi->priority == cfg->priority) && (!cfg->gw || fi->nh[0].gw == cfg->gw) &&
	       (!cfg->dev || fi->nh[0].dev == cfg->dev);
}

int fib_route_del(struct net *net, const struct fib_config *cfg)
{
	struct fib_table *tb = fib_get_table(net, cfg->table);

	if (cfg->plen > 32 || (cfg->dst & ~inet_make_mask(cfg->plen)))
		return -EINVAL;
	if (!tb)
		return -ESRCH;
	void **slot = fib_trie_slot(&tb->trie, be32_to_cpu(cfg->dst), cfg->plen);
	for (struct fib_alias *fa = slot ? *slot : NULL; fa; fa = fa->next) {
		if (del_matches(fa, cfg)) {
			alias_remove(net, tb, fa);
			rt_cache_flush(net);
			return 0;
		}
	}
	return -ESRCH;
}

unsigned fib_flush_dead(struct net *net)
{
	struct fib_table *tb;
	struct fib_alias *fa, *n;
	unsigned flushed = 0;

	list_for_each_entry(tb, &fib_state(net)->tables, list) {
		list_for_each_entry_safe(fa, n, &tb->routes, all) {
			if (fa->fi->dead) {
				alias_remove(net, tb, fa);
				flushed++;
			}
		}
	}
	rt_cache_flush(net);
	return flushed;
}

uint8_t inet_addr_type(struct net *net, be32 addr)
{
	if (ipv4_is_zeronet(addr) || ipv4_is_lbcast(addr))
		return RTN_BROADCAST;
	if (ipv4_is_multicast(addr))
		return RTN_MULTICAST;
	const struct flowi fl = {.daddr = inet_addr_v4(addr)};
	struct fib_result res;
	struct fib_table *tb = fib_get_table(net, RT_TABLE_LOCAL);
	return tb && !fib_table_lookup(tb, &fl, &res) ? res.type : RTN_UNICAST;
}

/* --- life -------------------------------------------------------------------------------------------------- */

int fib_init(struct net *net)
{
	static const struct { uint32_t pref, table; } rules[] = {{0, RT_TABLE_LOCAL}, {32766, RT_TABLE_MAIN}, {32767, RT_TABLE_DEFAULT}};
	struct fib_state *st = net_zalloc(net, sizeof(*st), MEM_NORMAL);
	struct fib_table *tb;

	if (!st)
		return -ENOMEM;
	list_init(&st->tables);
	list_init(&st->rules);
	net->ipv4->priv->fib = st;
	int err = fib_new_table(net, RT_TABLE_LOCAL, &tb);
	if (!err)
		err = fib_new_table(net, RT_TABLE_MAIN, &tb);
	for (unsigned i = 0; !err && i < ARRAY_SIZE(rules); i++)
		err = rule_add(net, rules[i].pref, rules[i].table);
	if (err)
		fib_exit(net);
	return err;
}

void fib_exit(struct net *net)
{
	struct fib_state *st = fib_state(net);
	struct fib_table *tb, *ntb;
	struct fib_alias *fa, *nfa;
	struct fib_rule *r, *nr;

	list_for_each_entry_safe(tb, ntb, &st->tables, list) {
		list_for_each_entry_safe(fa, nfa, &tb->routes, all) {
			fib_info_put(net, fa->fi);
			net_free(net, fa);
		}
		fib_trie_free(net, &tb->trie);
		net_free(net, tb);
	}
	list_for_each_entry_safe(r, nr, &st->rules, list)
		net_free(net, r);
	net->ipv4->priv->fib = NULL;
	net_free(net, st);
}
