/* SPDX-License-Identifier: MIT */
/*
 * skb_data.c - reading the bytes of an skb wherever they lie: copying, summing, listing, and the trace of a packet.
 *
 * All go through walk(), which calls a function for each contiguous run: linear area, frags, then the skbs of frag_list (which have
 * no list of their own).
 */
#include "core/iov_iter.h"
#include "core/skbuff.h"
#include <errno.h>

/* Takes n bytes at p that begin `at` bytes into the walked range; 0, or -errno to stop. */
typedef int (*run_fn)(void *ctx, uint8_t *p, unsigned n, unsigned at);

struct walk {
	run_fn fn;
	void *ctx;
	unsigned offset, left, at; /* still to skip; still to visit; visited */
};

static ALWAYS_INLINE int visit(struct walk *w, uint8_t *p, unsigned len)
{
	if (w->offset >= len) {
		w->offset -= len;
		return 0;
	}
	unsigned n = MIN(len - w->offset, w->left);
	int err = w->fn(w->ctx, p + w->offset, n, w->at);
	w->offset = 0;
	w->left -= n;
	w->at += n;
	return err;
}

static ALWAYS_INLINE int walk_flat(const struct sk_buff *skb, struct walk *w)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	int err = visit(w, skb->data, skb_headlen(skb));

	for (unsigned i = 0; !err && w->left && i < si->nr_frags; i++)
		err = visit(w, si->frags[i].addr, si->frags[i].len);
	return err;
}

/* Visits [offset, offset + n).  -EFAULT: the packet is shorter. */
static ALWAYS_INLINE int walk(const struct sk_buff *skb, unsigned offset, unsigned n, run_fn fn, void *ctx)
{
	struct walk w = {fn, ctx, offset, n, 0};
	int err;

	if (offset > skb->len || n > skb->len - offset)
		return -EFAULT;
	if (!n)
		return 0;
	err = walk_flat(skb, &w);
	if (err || likely(!w.left))
		return err;
	for (const struct sk_buff *s = skb_shinfo(skb)->frag_list; !err && w.left && s; s = s->next)
		err = walk_flat(s, &w);
	return err ? err : w.left ? -EFAULT : 0;
}

static inline int copy_run(void *ctx, uint8_t *p, unsigned n, unsigned at)
{
	memcpy((uint8_t *)ctx + at, p, n);
	return 0;
}

int skb_copy_bits(const struct sk_buff *skb, unsigned offset, void *buf, unsigned n)
{
	if (likely(offset <= skb_headlen(skb) && n <= skb_headlen(skb) - offset)) {
		memcpy(buf, skb->data + offset, n);
		return 0;
	}
	return walk(skb, offset, n, copy_run, buf);
}

static inline int to_iter_run(void *ctx, uint8_t *p, unsigned n, unsigned at)
{
	(void)at;
	return copy_to_iter(p, n, ctx) == n ? 0 : -EFAULT;
}

int skb_copy_datagram_iter(const struct sk_buff *skb, unsigned offset, struct iov_iter *to, unsigned n)
{
	int err = walk(skb, offset, n, to_iter_run, to);

	if (!err)
		skb->net->copied.skb_to_user += n;
	return err;
}

static inline int checksum_run(void *ctx, uint8_t *p, unsigned n, unsigned at)
{
	csum32 *sum = ctx;

	*sum = csum_block_add(*sum, csum_partial(p, n, 0), at);
	return 0;
}

csum32 skb_checksum(const struct sk_buff *skb, unsigned offset, unsigned n, csum32 sum)
{
	if (likely(offset <= skb_headlen(skb) && n <= skb_headlen(skb) - offset))
		return csum_partial(skb->data + offset, n, sum);
	const struct skb_shared_info *si = skb_shinfo(skb);
	const unsigned first = skb_headlen(skb) - offset; /* n > first */
	if (likely(offset <= skb_headlen(skb) && si->nr_frags && n - first <= si->frags[0].len)) /* headers and one frag: without the walk */
		return csum_block_add(csum_partial(skb->data + offset, first, sum), csum_partial(si->frags[0].addr, n - first, 0), first);
	csum32 block = 0;
	int err = walk(skb, offset, n, checksum_run, &block);
	ASSERT(!err);
	return csum_add(sum, block);
}

int skb_checksum_help(struct sk_buff *skb)
{
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	unsigned start = skb->csum_start - skb_headroom(skb), at = start + skb->csum_offset;

	if (skb->csum_start < skb_headroom(skb) || at + 2u > skb_headlen(skb))
		return -EINVAL;
	csum32 sum = skb_checksum(skb, start, skb->len - start, 0);
	int err = skb_cow_head(skb, 0);
	if (err)
		return err;
	uint16_t folded = csum_fold(sum);
	if (!folded)
		folded = 0xffff; /* the same number; in UDP 0 means "none" */
	memcpy(skb->data + at, &folded, sizeof(folded));
	skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

/* The pieces of one skb, without its frag_list, behind the n that iov holds already. */
static ALWAYS_INLINE int flat_to_iovec(const struct sk_buff *skb, struct iovec *iov, int n, int max)
{
	const struct skb_shared_info *si = skb_shinfo(skb);

	if (unlikely(n + !!skb_headlen(skb) + si->nr_frags > max))
		return -EMSGSIZE;
	if (likely(skb_headlen(skb)))
		iov[n++] = (struct iovec){skb->data, skb_headlen(skb)};
	for (unsigned i = 0; i < si->nr_frags; i++)
		iov[n++] = (struct iovec){si->frags[i].addr, si->frags[i].len};
	return n;
}

int skb_to_iovec(const struct sk_buff *skb, struct iovec *iov, int max)
{
	int n = flat_to_iovec(skb, iov, 0, max);

	for (const struct sk_buff *s = skb_shinfo(skb)->frag_list; unlikely(s) && n >= 0; s = s->next)
		n = flat_to_iovec(s, iov, n, max);
	return n;
}

void skb_trace_slow(struct sk_buff *skb, enum trace_point point)
{
	struct net *net = skb->net;

	if (!skb->trace_rx_id && trace_point_direction(point) == 'U')
		skb->trace_rx_id = ++net->trace.rx_next;
	trace_record(net, point, skb->trace_cookie, skb->trace_seq, skb->trace_end, skb->len, skb->trace_rx_id);
}
