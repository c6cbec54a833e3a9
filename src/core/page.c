/* SPDX-License-Identifier: MIT */
/*
 * page.c - page blocks of the arena: a buddy allocator.
 *
 * Blocks of 2^order pages are naturally aligned.  Free ones stand in a list per order; a freed block merges with its buddy while
 * that is free too.  Space never touched yet is not in the lists: it is cut off in largest blocks at `virgin`
 * (and at `virgin_end`, for tables), so that an instance with a large cap costs little resident memory.
 *
 * Page fragments come and go in one order only: a few freed blocks of that order stay as they are, not merged, until an allocation fails for it
 * (reclaim); they count as free.
 *
 * Giving back to the host: blocks of 64 KiB and more that are free and dirty are counted; above a threshold a timer is armed which, a
 * second later, discards those that stayed free all that time.  Allocation and free never call the host.
 *
 * The reserve: MEM_NORMAL fails when fewer than reserve_pages would be left.
 */
#include "core/mem_internal.h"

enum { DISCARD_ORDER = 4, DISCARD_THRESHOLD_PAGES = 256, KEPT_MOST = 64, KEPT_ARENA_SHARE = 64 };
enum { FRAG_ORDER_SMALL = 3, FRAG_ORDER_LARGE = 5, LARGE_ARENA_PAGES = 64 << (20 - PAGE_SHIFT) };
#define DISCARD_PERIOD_NS NSEC_PER_SEC

static bool counts_as_dirty(const struct page *pg) { return pg->order >= DISCARD_ORDER && pg->content == CONTENT_DIRTY; }

static void free_list_add(struct mem *m, struct page *pg)
{
	pg->type = PAGE_FREE;
	pg->freed_round = m->discard_round;
	list_add(&pg->list, &m->free[pg->order]);
	m->nonempty |= 1u << pg->order;
	if (counts_as_dirty(pg))
		m->dirty_high_pages += 1u << pg->order;
}

static void free_list_del(struct mem *m, struct page *pg)
{
	list_del_init(&pg->list);
	pg->type = PAGE_NONE;
	if (list_empty(&m->free[pg->order]))
		m->nonempty &= ~(1u << pg->order);
	if (counts_as_dirty(pg))
		m->dirty_high_pages -= 1u << pg->order;
}

/* Puts a block into the free lists, merged with its buddies. */
static void free_block(struct mem *m, uint32_t index, unsigned order, enum page_content content)
{
	while (order < PAGE_MAX_ORDER) {
		struct page *buddy = &m->pages[index ^ (1u << order)];
		if (buddy->type != PAGE_FREE || buddy->order != order)
			break;
		free_list_del(m, buddy);
		content = MAX(content, (enum page_content)buddy->content);
		index &= ~(1u << order);
		order++;
	}
	struct page *pg = &m->pages[index];
	pg->order = (uint8_t)order;
	pg->content = (uint8_t)content;
	free_list_add(m, pg);
}

/* Any range of pages, as the largest aligned blocks. */
static void free_range(struct mem *m, uint32_t from, uint32_t to, enum page_content content)
{
	while (from < to) {
		unsigned order = 0;
		while (order < PAGE_MAX_ORDER && !(from & (1u << order)) && from + (2u << order) <= to)
			order++;
		free_block(m, from, order, content);
		from += 1u << order;
	}
}

static void discard_expired(struct net *net, struct timer_list *t)
{
	struct mem *m = container_of(t, struct mem, discard_timer);

	for (unsigned order = DISCARD_ORDER; order <= PAGE_MAX_ORDER; order++) {
		for (struct list_head *l = m->free[order].next; l != &m->free[order]; l = l->next) {
			struct page *pg = list_entry(l, struct page, list);
			if (!counts_as_dirty(pg) || pg->freed_round == m->discard_round)
				continue;
			if (net->env.discard)
				net->env.discard(net->env.ctx, page_address(m, pg), (size_t)PAGE_SIZE << order);
			pg->content = CONTENT_DISCARDED;
			m->dirty_high_pages -= 1u << order;
		}
	}
	m->discard_round++;
	if (m->dirty_high_pages)
		timer_mod(net, t, net->now_ns + DISCARD_PERIOD_NS);
}

/* The block is wanted: cut from a larger one, or from untouched space.  NULL: none is large enough. */
static struct page *take_block(struct mem *m, unsigned order)
{
	uint32_t usable = m->nonempty >> order;
	struct page *pg;
	unsigned have;

	if (usable) {
		have = order + (unsigned)__builtin_ctz(usable);
		pg = list_first_entry(&m->free[have], struct page, list);
		free_list_del(m, pg);
	} else if (m->virgin < m->virgin_end) {
		have = PAGE_MAX_ORDER;
		pg = &m->pages[m->virgin];
		pg->content = CONTENT_ZERO;
		m->virgin += MAX_BLOCK_PAGES;
	} else {
		return NULL;
	}
	while (have > order) {
		have--;
		struct page *half = pg + (1u << have);
		half->order = (uint8_t)have;
		half->content = pg->content;
		free_list_add(m, half);
	}
	return pg;
}

static void account_taken(struct mem *m, uint32_t index, uint32_t pages)
{
	m->free_pages -= pages;
	m->used_pages += pages;
	m->peak_pages = MAX(m->peak_pages, m->used_pages);
	m->touched_end = MAX(m->touched_end, index + pages);
	mem_unpoison(m->base + ((size_t)index << PAGE_SHIFT), (size_t)pages << PAGE_SHIFT);
}

static void account_freed(struct mem *m, uint32_t index, uint32_t pages)
{
	m->free_pages += pages;
	m->used_pages -= pages;
	mem_poison(m->base + ((size_t)index << PAGE_SHIFT), (size_t)pages << PAGE_SHIFT);
	if (unlikely(m->dirty_high_pages >= DISCARD_THRESHOLD_PAGES) && m->net->timers && !timer_pending(&m->discard_timer))
		timer_mod(m->net, &m->discard_timer, m->net->now_ns + DISCARD_PERIOD_NS);
}

static inline bool granted(const struct mem *m, uint32_t pages, enum mem_prio prio)
{
	return m->free_pages >= pages + (prio == MEM_RESERVE ? 0 : m->reserve_pages);
}

static inline struct page *unkeep(struct mem *m)
{
	struct page *pg = list_first_entry(&m->kept, struct page, list);

	list_del_init(&pg->list);
	m->nr_kept--;
	return pg;
}

static struct page *take_granted(struct mem *m, unsigned order, enum mem_prio prio)
{
	if (!granted(m, 1u << order, prio))
		return NULL;
	return order == m->frag_order && m->nr_kept ? unkeep(m) : take_block(m, order);
}

/* The way of page fragments: a kept block as it was left, its order in the map and in the page.  NULL: the long way. */
static inline struct page *take_kept(struct mem *m, unsigned order, enum mem_prio prio)
{
	const uint32_t pages = 1u << order;

	if (unlikely(order != m->frag_order || !m->nr_kept || m->fail_nth || !granted(m, pages, prio)))
		return NULL;
	struct page *pg = unkeep(m);
	pg->type = PAGE_BLOCK;
	m->free_pages -= pages;
	m->used_pages += pages;
	m->peak_pages = MAX(m->peak_pages, m->used_pages);
	mem_unpoison(page_address(m, pg), (size_t)PAGE_SIZE << order);
	return pg;
}

/* What lies idle for speed alone is given up; true: there was something. */
static bool reclaim(struct mem *m)
{
	bool some = slab_reclaim(m);

	for (; m->nr_kept; some = true) {
		struct page *pg = unkeep(m);

		free_block(m, (uint32_t)(pg - m->pages), m->frag_order, CONTENT_DIRTY);
	}
	return some;
}

struct page *buddy_alloc(struct mem *m, unsigned order, enum mem_prio prio, enum page_type type, enum page_content *content)
{
	uint32_t pages = 1u << order;
	struct page *pg = take_granted(m, order, prio);

	if (unlikely(!pg) && reclaim(m))
		pg = take_granted(m, order, prio);
	if (unlikely(!pg))
		return NULL;
	uint32_t index = (uint32_t)(pg - m->pages);
	if (content)
		*content = (enum page_content)pg->content;
	pg->mem = m;
	pg->order = (uint8_t)order;
	pg->type = (uint8_t)type;
	memset(m->order_map + index, (int)order, pages);
	account_taken(m, index, pages);
	return pg;
}

void buddy_free(struct mem *m, struct page *pg)
{
	uint32_t index = (uint32_t)(pg - m->pages);
	unsigned order = pg->order;

	pg->type = PAGE_NONE;
	if (order == m->frag_order && m->nr_kept < m->kept_most) {
		pg->content = CONTENT_DIRTY;
		list_add(&pg->list, &m->kept);
		m->nr_kept++;
	} else {
		free_block(m, index, order, CONTENT_DIRTY);
	}
	account_freed(m, index, 1u << order);
}

/* First page of `blocks` largest blocks in a row, taken out of wherever they were; UINT32_MAX: none. */
static uint32_t take_row(struct mem *m, uint32_t blocks, bool *zero)
{
	uint32_t pages = blocks * MAX_BLOCK_PAGES, row = 0;

	*zero = true;
	if (m->virgin_end - m->virgin >= pages) {
		m->virgin_end -= pages;
		return m->virgin_end;
	}
	for (uint32_t i = m->nr_pages; i >= MAX_BLOCK_PAGES; i -= MAX_BLOCK_PAGES) {
		const struct page *pg = &m->pages[i - MAX_BLOCK_PAGES];
		row = pg->type == PAGE_FREE && pg->order == PAGE_MAX_ORDER ? row + 1 : 0;
		if (row < blocks)
			continue;
		uint32_t first = i - MAX_BLOCK_PAGES;
		for (uint32_t b = 0; b < blocks; b++) {
			struct page *taken = &m->pages[first + b * MAX_BLOCK_PAGES];
			*zero &= taken->content == CONTENT_ZERO;
			free_list_del(m, taken);
		}
		return first;
	}
	return UINT32_MAX;
}

void *buddy_alloc_range(struct mem *m, uint32_t pages, bool *zero)
{
	uint32_t first, end;

	if (m->free_pages < (uint64_t)pages + m->reserve_pages)
		return NULL;
	if (pages <= MAX_BLOCK_PAGES) {
		unsigned order = 0;
		while ((1u << order) < pages)
			order++;
		struct page *pg = take_block(m, order);
		if (!pg && reclaim(m))
			pg = take_block(m, order);
		if (!pg)
			return NULL;
		*zero = pg->content == CONTENT_ZERO;
		first = (uint32_t)(pg - m->pages);
		end = first + (1u << order);
	} else {
		uint32_t blocks = DIV_ROUND_UP(pages, (uint32_t)MAX_BLOCK_PAGES);
		first = take_row(m, blocks, zero);
		if (first == UINT32_MAX && reclaim(m))
			first = take_row(m, blocks, zero);
		if (first == UINT32_MAX)
			return NULL;
		end = first + blocks * MAX_BLOCK_PAGES;
	}
	m->pages[first].type = PAGE_TABLE;
	free_range(m, first + pages, end, *zero ? CONTENT_ZERO : CONTENT_DIRTY);
	account_taken(m, first, pages);
	return m->base + ((size_t)first << PAGE_SHIFT);
}

void buddy_free_range(struct mem *m, void *p, uint32_t pages)
{
	uint32_t first = page_index(m, p);

	ASSERT(m->pages[first].type == PAGE_TABLE);
	m->pages[first].type = PAGE_NONE;
	free_range(m, first, first + pages, CONTENT_DIRTY);
	account_freed(m, first, pages);
}

void buddy_init(struct mem *m)
{
	for (unsigned i = 0; i <= PAGE_MAX_ORDER; i++)
		list_init(&m->free[i]);
	list_init(&m->kept);
	m->frag_order = m->nr_pages >= LARGE_ARENA_PAGES ? FRAG_ORDER_LARGE : FRAG_ORDER_SMALL;
	m->kept_most = MIN((m->nr_pages / KEPT_ARENA_SHARE) >> m->frag_order, (uint32_t)KEPT_MOST);
	timer_init(&m->discard_timer, discard_expired);
	m->virgin = ALIGN_UP(m->first_page, (uint32_t)MAX_BLOCK_PAGES);
	m->virgin_end = m->nr_pages;
	m->touched_end = m->first_page;
	m->free_pages = m->nr_pages - m->first_page;
	m->reserve_pages = MIN(MAX(m->nr_pages / 32, 64u), m->nr_pages / 16);
	free_range(m, m->first_page, m->virgin, CONTENT_ZERO);
}

static void page_release(struct frag_owner *owner)
{
	struct page *pg = container_of(owner, struct page, owner);

	DEBUG_ASSERT(pg->type == PAGE_BLOCK);
	pg->mem->frees++;
	buddy_free(pg->mem, pg);
}

void *page_alloc(struct net *net, unsigned order, enum mem_prio prio)
{
	struct mem *m = net->mem;
	struct page *pg = take_kept(m, order, prio);

	if (!pg && !mem_fault_injected(m) && order <= PAGE_MAX_ORDER)
		pg = buddy_alloc(m, order, prio, PAGE_BLOCK, NULL);
	if (unlikely(!pg)) {
		m->failures++;
		return NULL;
	}
	pg->owner.refs = 1;
	pg->owner.release = page_release;
	m->allocs++;
	mem_undefined(page_address(m, pg), (size_t)PAGE_SIZE << order);
	return page_address(m, pg);
}

unsigned page_frag_order(const struct net *net) { return unlikely(net_under_memory_pressure(net)) ? 0 : net->mem->frag_order; }

struct frag_owner *page_owner(struct net *net, const void *p) { return &head_page(net->mem, p)->owner; }
void page_put(struct net *net, void *p) { frag_owner_put(page_owner(net, p)); }
uint64_t arena_offset(const struct net *net, const void *p) { return (uint64_t)((const uint8_t *)p - net->mem->base); }
void *arena_at(const struct net *net, uint64_t offset) { return net->mem->base + offset; }
