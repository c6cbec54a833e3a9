/* SPDX-License-Identifier: MIT */
/*
 * mem.h - the memory of an instance: one reserved region (the arena), pages of it by a buddy allocator, objects of
 * fixed size by slab caches, the rest by size classes.
 *
 * Everything that an instance allocates comes out of its arena, whose size is the instance's cap; so the cap holds by
 * construction.  Untouched pages cost no resident memory; wholly free high-order blocks may be released to the host.
 * A page can be named by its offset in the arena, so that the arena can lie in a memfd and be shared or registered.
 *
 * The reserve: the last 1/32 of the arena (at least 64 pages) is granted only to MEM_RESERVE callers, so that an ACK, an
 * RST, an ARP packet and the retransmission of the head always find memory.
 *
 * Faults: mem_fail_nth() makes the n-th allocation from now fail, once; tests walk it over a whole run.
 */
#ifndef XMIT_CORE_MEM_H
#define XMIT_CORE_MEM_H

#include "lib/list.h"
#include <stdint.h>

struct net;

enum { PAGE_SHIFT = 12, PAGE_SIZE = 1 << PAGE_SHIFT, PAGE_MAX_ORDER = 6 /* blocks of 4 KB to 256 KB */ };

enum mem_prio {
	MEM_NORMAL,  /* fails when only the reserve is left */
	MEM_RESERVE, /* may use the reserve: ACK, RST, ARP, head retransmission */
};

/*
 * Whoever owns the bytes that a fragment points to.  Counted; at zero, release() is called once.
 * An arena page, user memory (zero-copy), a UMEM frame, an mbuf: all look like this.
 */
struct frag_owner {
	uint32_t refs;
	bool lent;              /* the user's memory: to be copied by who keeps it */
	bool copied;            /* ... and that has happened */
	void (*release)(struct frag_owner *owner);
};
static inline void frag_owner_get(struct frag_owner *o) { o->refs++; }
static inline void frag_owner_put(struct frag_owner *o)
{
	DEBUG_ASSERT(o->refs > 0);
	if (--o->refs == 0)
		o->release(o);
}

/* Page blocks: 2^order pages, naturally aligned within the arena. NULL when none (and the failure is counted). */
void *page_alloc(struct net *net, unsigned order, enum mem_prio prio);
/* The owner of the block that p (any address inside it) belongs to; refs is 1 after page_alloc. */
struct frag_owner *page_owner(struct net *net, const void *p);
/* Arena-wide: less than 1/8 of the instance's memory is free. */
bool net_under_memory_pressure(const struct net *net);
/* Order of the blocks that page fragments are cut from: 64 KB, 32 KB in an arena of less than 64 MB, one page while memory is short. */
unsigned page_frag_order(const struct net *net);
/* Drops one reference of the block that p lies in. */
void page_put(struct net *net, void *p);
/* Offset of an arena address from the arena's base, and back. */
uint64_t arena_offset(const struct net *net, const void *p);
void *arena_at(const struct net *net, uint64_t offset);

/* Slab cache: objects of one size, carved from page blocks.  Freed memory is poisoned in sanitizer builds. */
struct kmem_cache;
struct kmem_cache *kmem_cache_create(struct net *net, const char *name, size_t size, size_t align);
/* Up to so many freed objects stay at hand, whose taking and leaving then costs next to nothing.  For caches of the fast path. */
void kmem_cache_keep(struct kmem_cache *c, unsigned objects);
void kmem_cache_destroy(struct kmem_cache *c); /* ASSERTs that no object is left */
void *kmem_cache_alloc(struct kmem_cache *c, enum mem_prio prio); /* not zeroed */
void *kmem_cache_zalloc(struct kmem_cache *c, enum mem_prio prio);
void kmem_cache_free(struct kmem_cache *c, void *obj);

/* Size classes up to 8 KB, page blocks above, up to 256 KB.  NULL on failure.  Memory is 16-byte aligned. */
void *net_alloc(struct net *net, size_t n, enum mem_prio prio);
void *net_zalloc(struct net *net, size_t n, enum mem_prio prio);
void net_free(struct net *net, void *p); /* p may be NULL */
/* Bytes that an allocation of n really occupies. */
size_t net_alloc_size(size_t n);
/* A table of n zeroed bytes, any size (contiguous arena range); for hash tables made once at start. */
void *net_alloc_table(struct net *net, size_t n);
void net_free_table(struct net *net, void *p, size_t n);

/* Reserves the arena by env.reserve (cap: bytes, multiple of 256 KiB). 0 or -ENOMEM.  mem_exit gives it back. */
int mem_init(struct net *net, size_t cap);
void mem_exit(struct net *net);

struct mem_stats {
	uint64_t cap_bytes;      /* size of the arena */
	uint64_t used_bytes;     /* in page blocks handed out */
	uint64_t peak_bytes;     /* largest used_bytes */
	uint64_t allocs, frees;  /* objects and blocks; equal when nothing is left */
	uint64_t failures;       /* allocations refused, injected ones included */
};
void mem_stats(const struct net *net, struct mem_stats *st);
/* Bytes of pages that nobody holds, the reserve included. */
uint64_t mem_free_bytes(const struct net *net);
/* Prints every cache with live objects to the log; returns the number of live objects and blocks (leak check). */
uint64_t mem_report_live(struct net *net);
/* The n-th allocation from now (1: the next) returns NULL, once.  0: switched off. */
void mem_fail_nth(struct net *net, uint64_t n);

#endif
