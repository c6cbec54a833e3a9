/* SPDX-License-Identifier: MIT */
/* mem_internal.h - the arena's book-keeping, shared by page.c (blocks), slab.c (objects) and mem.c (the rest). */
#ifndef XMIT_CORE_MEM_INTERNAL_H
#define XMIT_CORE_MEM_INTERNAL_H

#include "core/mem.h"
#include "core/net.h"
#include "core/timer.h"
#include <errno.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define MEM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM_ASAN 1
#endif
#endif
#ifdef MEM_ASAN
#include <sanitizer/asan_interface.h>
#define mem_poison(p, n) __asan_poison_memory_region(p, n)
#define mem_unpoison(p, n) __asan_unpoison_memory_region(p, n)
enum { SLAB_REDZONE = 16 };
#else
#define mem_poison(p, n) ((void)(p), (void)(n))
#define mem_unpoison(p, n) ((void)(p), (void)(n))
enum { SLAB_REDZONE = 0 };
#endif

/* In memory-sanitizer builds what was just handed out counts as not initialised: reading it before it is written is an error. */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define mem_undefined(p, n) __msan_poison(p, n)
#endif
#endif
#ifndef mem_undefined
#define mem_undefined(p, n) ((void)(p), (void)(n))
#endif

enum page_type { PAGE_NONE = 0 /* never used, or tail of a block */, PAGE_FREE, PAGE_BLOCK, PAGE_SLAB, PAGE_TABLE };
enum page_content { CONTENT_ZERO = 0, CONTENT_DISCARDED, CONTENT_DIRTY }; /* of a free block; grows when merged */
enum { MAX_CACHES = 96, MAX_BLOCK_PAGES = 1 << PAGE_MAX_ORDER, NR_SIZE_CLASSES = 30 };

/* One per page of the arena; only that of a block's first page is in use. */
struct page {
	struct frag_owner owner; /* PAGE_BLOCK: references; must be first */
	struct list_head list;   /* free list, or the cache's partial slabs */
	void *freelist;          /* PAGE_SLAB: freed objects, linked through their first word */
	struct kmem_cache *cache;
	struct mem *mem;
	uint16_t inuse, carved;  /* PAGE_SLAB: objects in use; objects ever handed out */
	uint8_t order, type, content;
	uint8_t freed_round;     /* PAGE_FREE: mem.discard_round when freed */
} HOT_ALIGNED;

struct kmem_cache {
	struct mem *mem;
	uintptr_t slab_mask;    /* address of an object -> address of its slab */
	uint32_t size, stride;  /* bytes asked for; from one object to the next */
	uint16_t per_slab;
	uint8_t order;
	bool in_use;
	struct list_head partial; /* slabs with a free object; at most one of them wholly free */
	uint64_t live, slabs;
	void *kept;               /* freed objects at hand, linked through their first word */
	uint32_t nr_kept, kept_max;
	const char *name;
};

struct mem {
	struct net *net;
	uint8_t *base;           /* the arena; everything in this struct lies in it too */
	struct page *pages;
	uint8_t *order_map;      /* per page: order of the block it belongs to */
	uint32_t nr_pages, first_page; /* pages before first_page hold the book-keeping */
	uint32_t virgin, virgin_end;   /* never touched yet: [virgin, virgin_end), multiples of MAX_BLOCK_PAGES */
	uint32_t touched_end;          /* no page at or behind this was ever handed out */
	uint32_t free_pages, reserve_pages, used_pages, peak_pages;
	uint32_t nonempty;             /* bit per order: free[order] is not empty */
	struct list_head free[PAGE_MAX_ORDER + 1];
	struct list_head kept;         /* free blocks of frag_order that are not merged */
	uint32_t nr_kept, kept_most;
	uint8_t frag_order;            /* of page fragments' blocks, while memory is not short */
	uint64_t allocs, frees, failures, fail_nth;
	struct timer_list discard_timer;
	uint32_t dirty_high_pages;     /* in dirty free blocks of DISCARD_ORDER and above */
	uint8_t discard_round;
	struct kmem_cache *size_class[NR_SIZE_CLASSES];
	struct kmem_cache caches[MAX_CACHES];
};

static inline uint32_t page_index(const struct mem *m, const void *p) { return (uint32_t)(((uintptr_t)p - (uintptr_t)m->base) >> PAGE_SHIFT); }
static inline void *page_address(const struct mem *m, const struct page *pg) { return m->base + ((size_t)(pg - m->pages) << PAGE_SHIFT); }
/* The first page of the block that p lies in. */
static inline struct page *head_page(const struct mem *m, const void *p)
{
	uint32_t i = page_index(m, p);
	DEBUG_ASSERT((const uint8_t *)p >= m->base && i < m->nr_pages);
	return &m->pages[i & ~((1u << m->order_map[i]) - 1)];
}
/* Counts one allocation down; true when a test wants it to fail. */
bool mem_fault(struct mem *m);
static inline bool mem_fault_injected(struct mem *m) { return unlikely(m->fail_nth) && mem_fault(m); }

/* page.c: blocks without counting allocations.  *content (may be NULL) tells what the block holds. */
struct page *buddy_alloc(struct mem *m, unsigned order, enum mem_prio prio, enum page_type type, enum page_content *content);
void buddy_free(struct mem *m, struct page *pg);
/* `pages` contiguous pages behind each other, as PAGE_TABLE; *zero: they read as zero. */
void *buddy_alloc_range(struct mem *m, uint32_t pages, bool *zero);
void buddy_free_range(struct mem *m, void *p, uint32_t pages);
void buddy_init(struct mem *m);

/* slab.c */
struct kmem_cache *cache_setup(struct mem *m, const char *name, size_t size, size_t align);
static inline void *cache_unkeep(struct kmem_cache *c)
{
	void *obj = c->kept;

	mem_unpoison(obj, c->size);
	c->kept = *(void **)obj;
	c->nr_kept--;
	mem_undefined(obj, c->size);
	return obj;
}
/* The fast halves of kmem_cache_alloc() and _free(): NULL or false, with nothing done, where those must do it. */
static inline void *cache_take(struct kmem_cache *c)
{
	if (unlikely(!c->kept || c->mem->fail_nth))
		return NULL;
	c->live++;
	c->mem->allocs++;
	return cache_unkeep(c);
}
static inline bool cache_leave(struct kmem_cache *c, void *obj)
{
	if (unlikely(c->nr_kept >= c->kept_max))
		return false;
	c->live--;
	c->mem->frees++;
	*(void **)obj = c->kept;
	c->kept = obj;
	c->nr_kept++;
	mem_poison(obj, c->size);
	return true;
}
bool slab_reclaim(struct mem *m); /* what caches keep at hand goes back to its slabs; true: pages became free by it */

#endif
