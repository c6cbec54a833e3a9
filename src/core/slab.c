/* SPDX-License-Identifier: MIT */
/*
 * slab.c - objects of one size, carved from page blocks.
 *
 * A slab is one block; its struct page holds the list of freed objects (through their first word) and how far it has been carved, so
 * that an object never used costs no resident memory.  Slabs with room stand in the cache's partial list, the one last
 * freed into first; full ones in none.  A slab that becomes empty is given back unless it is the only one with room:
 * that is the one spare per cache, which keeps a single object that comes and goes from moving pages.
 */
#include "core/mem_internal.h"

static unsigned slab_waste_permille(uint32_t stride, unsigned order)
{
	uint32_t bytes = (uint32_t)PAGE_SIZE << order;
	return (bytes % stride) * 1000 / bytes;
}

/* The smallest block with at most 4 % lost and room for a few objects; else the one that loses least. */
static unsigned choose_order(const struct mem *m, uint32_t stride)
{
	unsigned most = m->nr_pages < 1024 ? 1 : 3, best = most;

	for (unsigned order = 0; order <= most; order++) {
		uint32_t fits = ((uint32_t)PAGE_SIZE << order) / stride;
		if (fits >= 4 && slab_waste_permille(stride, order) <= 40)
			return order;
	}
	while (((uint32_t)PAGE_SIZE << best) < stride)
		best++;
	for (unsigned order = best; order-- > 0;)
		if (((uint32_t)PAGE_SIZE << order) >= stride && slab_waste_permille(stride, order) < slab_waste_permille(stride, best))
			best = order;
	return best;
}

struct kmem_cache *cache_setup(struct mem *m, const char *name, size_t size, size_t align)
{
	struct kmem_cache *c = NULL;

	for (unsigned i = 0; i < MAX_CACHES && !c; i++)
		if (!m->caches[i].in_use)
			c = &m->caches[i];
	if (!c)
		return NULL;
	align = MAX(align, (size_t)8);
	*c = (struct kmem_cache){.mem = m, .name = name, .in_use = true, .size = (uint32_t)size};
	c->stride = (uint32_t)ALIGN_UP(size + SLAB_REDZONE, align);
	c->order = (uint8_t)choose_order(m, c->stride);
	c->per_slab = (uint16_t)(((uint32_t)PAGE_SIZE << c->order) / c->stride);
	c->slab_mask = ~(((uintptr_t)PAGE_SIZE << c->order) - 1);
	list_init(&c->partial);
	return c;
}

struct kmem_cache *kmem_cache_create(struct net *net, const char *name, size_t size, size_t align)
{
	struct kmem_cache *c = NULL;

	if (!mem_fault_injected(net->mem))
		c = cache_setup(net->mem, name, size, align);
	if (!c)
		net->mem->failures++;
	return c;
}

static __attribute__((noinline, cold)) void slab_release(struct kmem_cache *c, struct page *pg)
{
	list_del_init(&pg->list);
	c->slabs--;
	buddy_free(c->mem, pg);
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	if (!c)
		return;
	ASSERT(c->live == 0);
	while (!list_empty(&c->partial))
		slab_release(c, list_first_entry(&c->partial, struct page, list));
	c->in_use = false;
}

/* The slab to take an object from where none has room yet, NULL: no memory. */
static __attribute__((noinline, cold)) struct page *slab_grow(struct kmem_cache *c, enum mem_prio prio)
{
	struct page *pg = buddy_alloc(c->mem, c->order, prio, PAGE_SLAB, NULL);

	if (!pg)
		return NULL;
	pg->cache = c;
	pg->freelist = NULL;
	pg->inuse = pg->carved = 0;
	mem_poison(page_address(c->mem, pg), (size_t)PAGE_SIZE << c->order);
	list_add(&pg->list, &c->partial);
	c->slabs++;
	return pg;
}

static inline void *count_out(struct kmem_cache *c, struct page *pg, void *obj)
{
	mem_unpoison(obj, c->size);
	if (unlikely(++pg->inuse == c->per_slab))
		list_del_init(&pg->list);
	c->live++;
	c->mem->allocs++;
	return obj;
}

/* No freed object is at hand: one is carved, from a new slab where none has room; or a test wants a failure. */
static __attribute__((noinline)) void *carve(struct kmem_cache *c, enum mem_prio prio)
{
	struct mem *m = c->mem;
	struct page *pg = NULL;
	void *obj;

	if (!mem_fault_injected(m))
		pg = list_empty(&c->partial) ? slab_grow(c, prio) : list_first_entry(&c->partial, struct page, list);
	if (!pg) {
		m->failures++;
		return NULL;
	}
	obj = pg->freelist;
	if (obj) {
		mem_unpoison(obj, c->size);
		pg->freelist = *(void **)obj;
	} else {
		obj = (uint8_t *)page_address(m, pg) + (size_t)pg->carved++ * c->stride;
	}
	return count_out(c, pg, obj);
}

void *kmem_cache_alloc(struct kmem_cache *c, enum mem_prio prio)
{
	struct page *pg = list_first_entry(&c->partial, struct page, list);
	void *obj;

	/* The order of these tests matters: without a slab pg is none. */
	if (unlikely(c->mem->fail_nth || list_empty(&c->partial) || !pg->freelist))
		return carve(c, prio);
	obj = pg->freelist;
	mem_unpoison(obj, c->size);
	pg->freelist = *(void **)obj;
	return count_out(c, pg, obj);
}

void *kmem_cache_zalloc(struct kmem_cache *c, enum mem_prio prio)
{
	void *obj = kmem_cache_alloc(c, prio);

	if (likely(obj))
		memset(obj, 0, c->size);
	return obj;
}

void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	struct mem *m = c->mem;
	uint8_t *slab = (uint8_t *)((uintptr_t)obj & c->slab_mask);
	struct page *pg = &m->pages[page_index(m, slab)];

	DEBUG_ASSERT(pg->type == PAGE_SLAB && pg->cache == c && pg->inuse > 0);
	DEBUG_ASSERT(((uint8_t *)obj - slab) % c->stride == 0);
	*(void **)obj = pg->freelist;
	pg->freelist = obj;
	mem_poison(obj, c->size);
	c->live--;
	m->frees++;
	if (unlikely(pg->inuse-- == c->per_slab))
		list_add(&pg->list, &c->partial);
	if (unlikely(!pg->inuse) && !(pg->list.next == &c->partial && pg->list.prev == &c->partial))
		slab_release(c, pg);
}
