/* SPDX-License-Identifier: MIT */
/*
 * skb_frags.c - changing where an skb's bytes lie: pulling, trimming, splitting, merging; page fragments.
 *
 * What changes the shared info needs a head of its own first (skb_unclone), and what changes a listed skb needs that skb
 * unshared.  Both are done before anything else is touched, so that a failed allocation leaves the packet as it was.
 */
#include "core/skbuff.h"
#include "core/sock.h"
#include <errno.h>

/* Replaces the listed skb *link by a clone of its own when others hold it too. */
static int unshare_listed(struct sk_buff **link)
{
	struct sk_buff *s = *link, *n;

	if (!skb_shared(s))
		return 0;
	n = skb_clone(s, MEM_NORMAL);
	if (!n)
		return -ENOMEM;
	n->next = s->next;
	*link = n;
	skb_consume(s);
	return 0;
}

/* Makes everything that pulling the first n paged bytes will change our own. */
static int prepare_pull(struct sk_buff *skb, unsigned n)
{
	int err = skb_unclone(skb, MEM_NORMAL);
	struct skb_shared_info *si = skb_shinfo(skb);

	if (err)
		return err;
	for (unsigned i = 0; i < si->nr_frags; i++) {
		if (n < si->frags[i].len)
			return 0;
		n -= si->frags[i].len;
	}
	/* Also those that go wholly: the chain changes behind them, which other holders must not see. */
	for (struct sk_buff **link = &si->frag_list; *link && n; link = &(*link)->next) {
		err = unshare_listed(link);
		if (err)
			return err;
		if (n < (*link)->len)
			return n > skb_headlen(*link) ? prepare_pull(*link, n - skb_headlen(*link)) : 0;
		n -= (*link)->len;
	}
	return 0;
}

/* Drops the first n paged bytes.  prepare_pull() was successful. */
static void pull_paged(struct sk_buff *skb, unsigned n)
{
	struct skb_shared_info *si = skb_shinfo(skb);
	unsigned gone = 0;

	skb->len -= n;
	skb->data_len -= n;
	while (n && gone < si->nr_frags) {
		struct skb_frag *f = &si->frags[gone];
		if (n < f->len) {
			f->addr += n;
			f->len -= n;
			n = 0;
			break;
		}
		n -= f->len;
		frag_owner_put(f->owner);
		gone++;
	}
	si->nr_frags = (uint8_t)(si->nr_frags - gone);
	memmove(si->frags, si->frags + gone, si->nr_frags * sizeof(si->frags[0]));
	while (n && si->frag_list && si->frag_list->len <= n) {
		struct sk_buff *s = si->frag_list;
		n -= s->len;
		si->frag_list = s->next;
		s->next = NULL;
		skb_consume(s);
	}
	if (n && si->frag_list) {
		struct sk_buff *s = si->frag_list;
		unsigned linear = MIN(n, skb_headlen(s));
		skb_pull(s, linear);
		if (n > linear)
			pull_paged(s, n - linear);
	}
}

bool pskb_may_pull_slow(struct sk_buff *skb, unsigned n)
{
	unsigned delta;

	if (n > skb->len)
		return false;
	delta = n - skb_headlen(skb);
	if (skb_cloned(skb) || skb->end - skb->tail < delta) {
		if (pskb_expand_head(skb, 0, delta, MEM_NORMAL) < 0)
			return false;
	}
	if (prepare_pull(skb, delta) < 0)
		return false;
	skb_copy_bits(skb, skb_headlen(skb), skb_tail_pointer(skb), delta);
	pull_paged(skb, delta);
	skb->tail += delta;
	skb->len += delta;
	return true;
}

int pskb_pull_any(struct sk_buff *skb, unsigned n)
{
	unsigned linear = MIN(n, skb_headlen(skb));

	ASSERT(n <= skb->len);
	if (n > linear) {
		int err = prepare_pull(skb, n - linear);
		if (err)
			return err;
		pull_paged(skb, n - linear);
	}
	skb_pull(skb, linear);
	return 0;
}

/* Cuts the paged part to n bytes.  The head is our own. */
static int trim_paged(struct sk_buff *skb, unsigned n)
{
	struct skb_shared_info *si = skb_shinfo(skb);
	struct sk_buff **link = &si->frag_list;
	unsigned paged = skb->data_len, keep = 0, at = 0;
	int err;

	for (; keep < si->nr_frags && at + si->frags[keep].len <= n; keep++)
		at += si->frags[keep].len;
	if (keep == si->nr_frags) {
		for (; *link && at + (*link)->len <= n; link = &(*link)->next) {
			/* The chain is cut behind this one, which other holders must not see. */
			err = unshare_listed(link);
			if (err)
				return err;
			at += (*link)->len;
		}
		if (*link && at < n) {
			err = unshare_listed(link);
			if (!err)
				err = pskb_trim(*link, n - at);
			if (err)
				return err;
			link = &(*link)->next;
		}
	} else if (at < n) {
		si->frags[keep++].len = n - at;
	}
	for (unsigned i = keep; i < si->nr_frags; i++)
		frag_owner_put(si->frags[i].owner);
	si->nr_frags = (uint8_t)keep;
	for (struct sk_buff *s = *link, *next; s; s = next) {
		next = s->next;
		skb_consume(s);
	}
	*link = NULL;
	skb->len -= paged - n;
	skb->data_len = n;
	return 0;
}

int pskb_trim(struct sk_buff *skb, unsigned n)
{
	unsigned linear = skb_headlen(skb);
	int err = 0;

	if (n >= skb->len)
		return 0;
	if (skb->data_len) {
		err = skb_unclone(skb, MEM_NORMAL);
		if (!err)
			err = trim_paged(skb, n > linear ? n - linear : 0);
	}
	if (!err && n < linear) {
		skb->tail -= linear - n;
		skb->len = n;
	}
	return err;
}

int skb_linearize(struct sk_buff *skb)
{
	unsigned paged = skb->data_len;

	if (!paged)
		return 0;
	if (!pskb_may_pull_slow(skb, skb->len))
		return -ENOMEM;
	skb->net->copied.linearize += paged;
	return 0;
}

void skb_split(struct sk_buff *skb, struct sk_buff *skb1, uint32_t len)
{
	struct skb_shared_info *si = skb_shinfo(skb), *si1 = skb_shinfo(skb1);
	unsigned linear = skb_headlen(skb), keep = 0;
	uint32_t at = linear;

	ASSERT(len <= skb->len && !si->frag_list && (!skb->data_len || !skb_cloned(skb)));
	if (len < linear) {
		memcpy(skb_put(skb1, linear - len), skb->data + len, linear - len);
		skb->tail -= linear - len;
	}
	for (; keep < si->nr_frags && at + si->frags[keep].len <= len; keep++)
		at += si->frags[keep].len;
	unsigned first = keep;
	for (unsigned i = first; i < si->nr_frags; i++) {
		struct skb_frag *f = &si->frags[i], moved = *f;
		if (at < len) { /* the frag that lies across: both hold it */
			uint32_t part = len - at;
			moved.addr += part;
			moved.len -= part;
			f->len = part;
			frag_owner_get(f->owner);
			at = len;
			keep++;
		}
		si1->frags[si1->nr_frags++] = moved;
		skb1->data_len += moved.len;
		skb1->len += moved.len;
	}
	si->nr_frags = (uint8_t)keep;
	skb->len = len;
	skb->data_len = len > linear ? len - linear : 0;
}

/* Appends from's frags to to's; references move along when `steal`, else are added. */
static void append_frags(struct sk_buff *to, struct sk_buff *from, bool steal)
{
	struct skb_shared_info *si = skb_shinfo(to), *from_si = skb_shinfo(from);

	for (unsigned i = 0; i < from_si->nr_frags; i++) {
		struct skb_frag *f = &from_si->frags[i];
		if (skb_can_coalesce(to, f->addr, f->owner)) {
			si->frags[si->nr_frags - 1].len += f->len;
			if (steal)
				frag_owner_put(f->owner);
			continue;
		}
		if (!steal)
			frag_owner_get(f->owner);
		si->frags[si->nr_frags++] = *f;
	}
	to->len += from->data_len;
	to->data_len += from->data_len;
}

bool skb_try_coalesce(struct sk_buff *to, struct sk_buff *from, int *delta_truesize)
{
	struct skb_shared_info *si = skb_shinfo(to), *from_si = skb_shinfo(from);

	*delta_truesize = 0;
	if (skb_cloned(to) || skb_shared(to) || skb_shared(from))
		return false;
	if (!to->data_len && from->len <= skb_tailroom(to)) {
		if (from->len)
			skb_copy_bits(from, 0, skb_put(to, from->len), from->len);
		to->net->copied.collapse += from->len;
		return true;
	}
	if (si->frag_list || from_si->frag_list || skb_headlen(from) || si->nr_frags + from_si->nr_frags > MAX_SKB_FRAGS)
		return false;
	/* The linear part of `from` is freed with it; all else is kept by `to`. */
	*delta_truesize = MAX((int)from->truesize - (int)(sizeof(struct sk_buff) + from->end + sizeof(*si)), (int)from->data_len);
	if (skb_cloned(from)) {
		append_frags(to, from, false);
	} else {
		append_frags(to, from, true);
		from_si->nr_frags = 0;
	}
	to->truesize += (uint32_t)*delta_truesize;
	return true;
}

/* How many of skb's frags n bytes reach into. */
static unsigned frags_holding(const struct sk_buff *skb, uint32_t n)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	unsigned i = 0;

	for (uint32_t sum = 0; i < si->nr_frags && sum < n; i++)
		sum += si->frags[i].len;
	return i;
}

bool skb_shift(struct sk_buff *to, struct sk_buff *from, uint32_t n)
{
	struct skb_shared_info *si = skb_shinfo(to), *from_si = skb_shinfo(from);
	unsigned gone = 0;

	if (skb_headlen(from) || si->frag_list || from_si->frag_list || skb_cloned(to) || skb_cloned(from) ||
	    si->nr_frags + frags_holding(from, n) > MAX_SKB_FRAGS)
		return false;
	for (uint32_t left = n, part; left; left -= part) {
		struct skb_frag *f = &from_si->frags[gone];
		part = MIN(left, f->len);
		if (skb_can_coalesce(to, f->addr, f->owner)) {
			si->frags[si->nr_frags - 1].len += part;
			to->len += part;
			to->data_len += part;
		} else {
			frag_owner_get(f->owner);
			skb_add_frag(to, f->addr, part, f->owner);
		}
		f->addr += part;
		f->len -= part;
		if (!f->len) {
			frag_owner_put(f->owner);
			gone++;
		}
	}
	from_si->nr_frags = (uint8_t)(from_si->nr_frags - gone);
	memmove(from_si->frags, from_si->frags + gone, from_si->nr_frags * sizeof(from_si->frags[0]));
	from->len -= n;
	from->data_len -= n;
	return true;
}

/* --- lent memory ------------------------------------------------------------------------------------------------------- */

void skb_note_copied(const struct sk_buff *skb)
{
	const struct skb_shared_info *si = skb_shinfo(skb);

	for (unsigned i = 0; i < si->nr_frags; i++)
		if (si->frags[i].owner->lent)
			si->frags[i].owner->copied = true;
}

static int copy_frag(struct net *net, struct skb_frag *f)
{
	unsigned order = 0;
	uint8_t *page;

	while (((uint32_t)PAGE_SIZE << order) < f->len)
		order++;
	page = page_alloc(net, order, MEM_NORMAL);
	if (!page)
		return -ENOMEM;
	memcpy(page, f->addr, f->len);
	net->copied.device += f->len;
	f->owner->copied = true;
	frag_owner_put(f->owner);
	f->addr = page;
	f->owner = page_owner(net, page);
	return 0;
}

int skb_orphan_frags(struct sk_buff *skb)
{
	bool any = false;
	int err;

	for (unsigned i = 0; i < skb_shinfo(skb)->nr_frags; i++)
		any |= skb_shinfo(skb)->frags[i].owner->lent;
	if (!any)
		return 0;
	err = skb_unclone(skb, MEM_NORMAL);
	for (unsigned i = 0; i < skb_shinfo(skb)->nr_frags && !err; i++)
		if (skb_shinfo(skb)->frags[i].owner->lent)
			err = copy_frag(skb->net, &skb_shinfo(skb)->frags[i]);
	return err;
}

/* The page has no room, or there is none. */
bool page_frag_refill_slow(struct net *net, struct page_frag *pf, unsigned least, enum mem_prio prio)
{
	page_frag_release(net, pf);
	unsigned order = page_frag_order(net);
	pf->page = page_alloc(net, order, prio);
	if (!pf->page && order) {
		order = 0;
		pf->page = page_alloc(net, 0, prio);
	}
	pf->size = (uint32_t)PAGE_SIZE << order;
	pf->offset = 0;
	if (pf->page) {
		pf->owner = page_owner(net, pf->page);
		if (least <= pf->size)
			return true;
	}
	page_frag_release(net, pf);
	return false;
}

void page_frag_release(struct net *net, struct page_frag *pf)
{
	(void)net;
	if (pf->page)
		frag_owner_put(pf->owner);
	*pf = (struct page_frag){.page = NULL};
}
