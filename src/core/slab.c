/* SPDX-License-Identifier: MIT */
/*
 * slab.c - objects of one size, carved from page blocks.
 *
 * A slab is one block; its struct page holds the list of freed objects (through their first word) and how far it has been carved, so
 * that an object never used costs no resident memory.  Slabs with room stand in the cache's partial list, the one last
 * freed into first; full ones in none.  A slab that becomes empty is given back unless it is the only one with room:
 * that is the one spare per cache, which keeps a single object that comes and goes from moving pages.
 *
 * A cache whose objects come and go in bursts may keep some freed ones at hand (kmem_cache_keep), whatever slab they are of: taking and
 * leaving one of these touches no slab.  They go back to their slabs when an allocation of pages would fail (slab_reclaim).
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

static void slab_release(struct kmem_cache *c, struct page *pg)
{
	list_del_init(&pg->list);
	c->slabs--;
	buddy_free(c->mem, pg);
}

/* The slab to take an object from where none has room yet, NULL: no memory. */
static struct page *slab_grow(struct kmem_cache *c, enum mem_prio prio)
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

static struct page *slab_of(const struct kmem_cache *c, void *obj)
{
	uint8_t *slab = (uint8_t *)((uintptr_t)obj & c->slab_mask);
	struct page *pg = &c->mem->pages[page_index(c->mem, slab)];

	DEBUG_ASSERT(pg->type == PAGE_SLAB && pg->cache == c && pg->inuse > 0);
	DEBUG_ASSERT(((uint8_t *)obj - slab) % c->stride == 0);
	return pg;
}

static void *slab_alloc(struct kmem_cache *c, enum mem_prio prio)
{
	struct page *pg = list_empty(&c->partial) ? slab_grow(c, prio) : list_first_entry(&c->partial, struct page, list);
	void *obj;

	if (unlikely(!pg))
		return NULL;
	obj = pg->freelist;
	if (likely(obj)) {
		mem_unpoison(obj, c->size);
		pg->freelist = *(void **)obj;
	} else {
		obj = (uint8_t *)page_address(c->mem, pg) + (size_t)pg->carved++ * c->stride;
		mem_unpoison(obj, c->size);
	}
	if (unlikely(++pg->inuse == c->per_slab))
		list_del_init(&pg->list);
	return obj;
}

static void slab_free(struct kmem_cache *c, void *obj)
{
	struct page *pg = slab_of(c, obj);

	*(void **)obj = pg->freelist;
	pg->freelist = obj;
	mem_poison(obj, c->size);
	if (unlikely(pg->inuse-- == c->per_slab))
		list_add(&pg->list, &c->partial);
	if (unlikely(!pg->inuse) && !(pg->list.next == &c->partial && pg->list.prev == &c->partial))
		slab_release(c, pg);
}

/* --- objects at hand ----------------------------------------------------------------------------------------------- */

enum { KEEP_ARENA_SHARE = 64 }; /* one cache keeps at most this part of the arena */

void kmem_cache_keep(struct kmem_cache *c, unsigned objects)
{
	size_t most = ((size_t)c->mem->nr_pages << PAGE_SHIFT) / KEEP_ARENA_SHARE / c->stride;

	c->kept_max = (uint32_t)MIN((size_t)objects, most);
}

static void give_back_kept(struct kmem_cache *c)
{
	while (c->kept)
		slab_free(c, cache_unkeep(c));
}

bool slab_reclaim(struct mem *m)
{
	uint32_t before = m->free_pages;

	for (unsigned i = 0; i < MAX_CACHES; i++)
		if (m->caches[i].in_use)
			give_back_kept(&m->caches[i]);
	return m->free_pages != before;
}

static __attribute__((noinline)) void *alloc_slow(struct kmem_cache *c, enum mem_prio prio)
{
	struct mem *m = c->mem;
	void *obj = NULL;

	if (!mem_fault_injected(m))
		obj = c->kept ? cache_unkeep(c) : slab_alloc(c, prio);
	if (unlikely(!obj)) {
		m->failures++;
		return NULL;
	}
	c->live++;
	m->allocs++;
	mem_undefined(obj, c->size);
	return obj;
}

void *kmem_cache_alloc(struct kmem_cache *c, enum mem_prio prio)
{
	void *obj = cache_take(c);

	return likely(obj) ? obj : alloc_slow(c, prio);
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
	DEBUG_ASSERT(slab_of(c, obj));
	if (cache_leave(c, obj))
		return;
	c->live--;
	c->mem->frees++;
	slab_free(c, obj);
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	if (!c)
		return;
	ASSERT(c->live == 0);
	give_back_kept(c);
	while (!list_empty(&c->partial))
		slab_release(c, list_first_entry(&c->partial, struct page, list));
	c->in_use = false;
}
