/* SPDX-License-Identifier: MIT */
/*
 * mem.c - an instance's memory as its callers see it: the arena's making, size classes, tables, statistics, faults.
 *
 * Layout of the arena: struct mem, struct page for every page, one byte of block order for every page, then the pages that are
 * handed out (page.c).  Size classes are slab caches (slab.c), four to a doubling, so that at most a fifth is lost.
 */
#include "core/mem_internal.h"
#include "core/sock.h"

enum { LARGEST_CLASS = 8192 };

/* 16, 32, 48, 64, then 80, 96, 112, 128, then 160 ... 4096, then 6144 and 8192 (the two between would waste their slabs). */
static unsigned size_class_of(size_t n)
{
	if (n <= 64)
		return (unsigned)((n + 15) / 16) - (n != 0);
	if (n > 4096)
		return n <= 6144 ? NR_SIZE_CLASSES - 2 : NR_SIZE_CLASSES - 1;
	unsigned top = 31 - (unsigned)__builtin_clz((unsigned)n - 1);
	return 4 + (top - 6) * 4 + (((unsigned)n - 1) >> (top - 2) & 3);
}

static size_t size_of_class(unsigned class)
{
	if (class < 4)
		return 16 * (class + 1);
	if (class >= NR_SIZE_CLASSES - 2)
		return class == NR_SIZE_CLASSES - 2 ? 6144 : LARGEST_CLASS;
	unsigned top = 6 + (class - 4) / 4;
	return ((size_t)1 << top) + ((size_t)((class - 4) % 4 + 1) << (top - 2));
}

static unsigned order_of(size_t n)
{
	unsigned order = 0;

	while (((size_t)PAGE_SIZE << order) < n)
		order++;
	return order;
}

bool mem_fault(struct mem *m) { return --m->fail_nth == 0; }

static bool size_classes_init(struct mem *m)
{
	for (unsigned i = 0; i < NR_SIZE_CLASSES; i++) {
		m->size_class[i] = cache_setup(m, "size class", size_of_class(i), 16);
		if (!m->size_class[i])
			return false;
	}
	return true;
}

int mem_init(struct net *net, size_t cap)
{
	uint8_t *base = net->env.reserve(net->env.ctx, cap);
	uint32_t nr_pages = (uint32_t)(cap >> PAGE_SHIFT);

	if (!base)
		return -ENOMEM;
	ASSERT(((uintptr_t)base & (((size_t)PAGE_SIZE << PAGE_MAX_ORDER) - 1)) == 0);
	struct mem *m = (struct mem *)(void *)base;
	size_t pages_at = ALIGN_UP(sizeof(*m), (size_t)64);
	size_t map_at = pages_at + nr_pages * sizeof(struct page);

	memset(m, 0, sizeof(*m));
	m->net = net;
	m->base = base;
	m->pages = (struct page *)(void *)(base + pages_at);
	m->order_map = base + map_at;
	m->nr_pages = nr_pages;
	m->first_page = (uint32_t)((map_at + nr_pages + PAGE_SIZE - 1) >> PAGE_SHIFT);
	buddy_init(m);
	if (!size_classes_init(m)) {
		net->env.release(net->env.ctx, base, cap);
		return -ENOMEM;
	}
	net->mem = m;
	return 0;
}

void mem_exit(struct net *net)
{
	struct mem *m = net->mem;

	if (!m)
		return;
	mem_unpoison(m->base, (size_t)m->touched_end << PAGE_SHIFT);
	net->mem = NULL;
	net->env.release(net->env.ctx, m->base, (size_t)m->nr_pages << PAGE_SHIFT);
}

/* More than a size class holds: a block of its own. */
static void *alloc_block(struct mem *m, size_t n, enum mem_prio prio, enum page_content *content)
{
	struct page *pg = NULL;

	if (!mem_fault_injected(m) && n <= (size_t)PAGE_SIZE << PAGE_MAX_ORDER)
		pg = buddy_alloc(m, order_of(n), prio, PAGE_BLOCK, content);
	if (!pg) {
		m->failures++;
		return NULL;
	}
	pg->owner = (struct frag_owner){.refs = 1};
	m->allocs++;
	if (!content) /* who asks for it reads it */
		mem_undefined(page_address(m, pg), n);
	return page_address(m, pg);
}

void *net_alloc(struct net *net, size_t n, enum mem_prio prio)
{
	if (likely(n <= LARGEST_CLASS))
		return kmem_cache_alloc(net->mem->size_class[size_class_of(n)], prio);
	return alloc_block(net->mem, n, prio, NULL);
}

void *net_zalloc(struct net *net, size_t n, enum mem_prio prio)
{
	enum page_content content = CONTENT_DIRTY;
	void *p;

	if (n > LARGEST_CLASS)
		p = alloc_block(net->mem, n, prio, &content);
	else
		p = net_alloc(net, n, prio);
	if (p && content != CONTENT_ZERO)
		memset(p, 0, n);
	return p;
}

void net_free(struct net *net, void *p)
{
	struct mem *m = net->mem;

	if (!p)
		return;
	struct page *pg = head_page(m, p);
	if (likely(pg->type == PAGE_SLAB)) {
		kmem_cache_free(pg->cache, p);
		return;
	}
	ASSERT(pg->type == PAGE_BLOCK && pg->owner.refs == 1 && p == page_address(m, pg));
	m->frees++;
	buddy_free(m, pg);
}

size_t net_alloc_size(size_t n)
{
	return n <= LARGEST_CLASS ? size_of_class(size_class_of(n)) : (size_t)PAGE_SIZE << order_of(n);
}

static uint32_t table_pages(size_t n) { return n ? (uint32_t)((n + PAGE_SIZE - 1) >> PAGE_SHIFT) : 1; }

void *net_alloc_table(struct net *net, size_t n)
{
	struct mem *m = net->mem;
	void *p = NULL;
	bool zero = false;

	if (!mem_fault_injected(m) && n <= (size_t)m->nr_pages << PAGE_SHIFT)
		p = buddy_alloc_range(m, table_pages(n), &zero);
	if (!p) {
		m->failures++;
		return NULL;
	}
	m->allocs++;
	if (!zero)
		memset(p, 0, n);
	return p;
}

void net_free_table(struct net *net, void *p, size_t n)
{
	if (!p)
		return;
	net->mem->frees++;
	buddy_free_range(net->mem, p, table_pages(n));
}

void mem_stats(const struct net *net, struct mem_stats *st)
{
	const struct mem *m = net->mem;

	*st = (struct mem_stats){
		.cap_bytes = (uint64_t)m->nr_pages << PAGE_SHIFT,
		.used_bytes = (uint64_t)m->used_pages << PAGE_SHIFT,
		.peak_bytes = (uint64_t)m->peak_pages << PAGE_SHIFT,
		.allocs = m->allocs,
		.frees = m->frees,
		.failures = m->failures,
	};
}

uint64_t mem_free_bytes(const struct net *net) { return (uint64_t)net->mem->free_pages << PAGE_SHIFT; }
bool net_under_memory_pressure(const struct net *net) { return net->mem->free_pages < net->mem->nr_pages / 8; }
void mem_fail_nth(struct net *net, uint64_t n) { net->mem->fail_nth = n; }

uint64_t mem_report_live(struct net *net)
{
	const struct mem *m = net->mem;
	uint64_t live = m->allocs - m->frees, objects = 0;
	char line[128];

	for (unsigned i = 0; i < MAX_CACHES; i++) {
		const struct kmem_cache *c = &m->caches[i];
		if (!c->in_use || !c->live)
			continue;
		objects += c->live;
		snprintf(line, sizeof(line), "memory: %llu live in cache \"%s\" of %u bytes", (unsigned long long)c->live, c->name,
			 (unsigned)c->size);
		if (net->env.log)
			net->env.log(net->env.ctx, line);
	}
	if (live > objects && net->env.log) {
		snprintf(line, sizeof(line), "memory: %llu page blocks and tables live", (unsigned long long)(live - objects));
		net->env.log(net->env.ctx, line);
	}
	return live;
}

void xmit_memory(xmit_net *net, struct xmit_memory *out)
{
	struct mem_stats st;

	mem_stats(net, &st);
	*out = (struct xmit_memory){
		.cap_bytes = st.cap_bytes,
		.used_bytes = st.used_bytes,
		.peak_bytes = st.peak_bytes,
		.live_objects = st.allocs - st.frees,
		.failures = st.failures,
	};
}

void xmit_fail_allocation(xmit_net *net, uint64_t n) { mem_fail_nth(net, n); }
