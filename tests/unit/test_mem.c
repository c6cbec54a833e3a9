/* SPDX-License-Identifier: MIT */
/* The arena: blocks, slabs, size classes, tables; the reserve; bounds; giving memory back; the n-th allocation failing. */
#include "env_posix.h"
#include "test.h"
#include "test_net.h"
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static uint64_t used(struct net *net)
{
	struct mem_stats st;

	mem_stats(net, &st);
	return st.used_bytes;
}

static uint64_t failures(struct net *net)
{
	struct mem_stats st;

	mem_stats(net, &st);
	return st.failures;
}

static void blocks_are_aligned_and_counted(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;
	uint64_t before = used(net);

	(void)state;
	for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
		uint8_t *p = page_alloc(net, order, MEM_NORMAL);
		size_t bytes = (size_t)PAGE_SIZE << order;
		assert_non_null(p);
		assert_int_equal(arena_offset(net, p) % bytes, 0);
		assert_ptr_equal(arena_at(net, arena_offset(net, p)), p);
		memset(p, 0x55, bytes);
		assert_int_equal(used(net), before + bytes);
		assert_int_equal(page_owner(net, p)->refs, 1);
		assert_ptr_equal(page_owner(net, p + bytes - 1), page_owner(net, p));
		frag_owner_get(page_owner(net, p + bytes / 2));
		page_put(net, p + bytes - 1);
		assert_int_equal(used(net), before + bytes);
		page_put(net, p);
		assert_int_equal(used(net), before);
	}
	test_net_free(tn);
}

static void buddies_merge_again(void **state)
{
	struct test_net *tn = test_net_new(4 * MIB, 2);
	struct net *net = &tn->net;
	void *page[1024], *block[16];
	unsigned n = 0, blocks, again;

	(void)state;
	for (blocks = 0; (block[blocks] = page_alloc(net, PAGE_MAX_ORDER, MEM_RESERVE)); blocks++)
		;
	for (unsigned i = 0; i < blocks; i++)
		page_put(net, block[i]);
	while ((page[n] = page_alloc(net, 0, MEM_RESERVE)))
		n++;
	assert_int_equal(mem_free_bytes(net), 0);
	for (unsigned i = 0; i < n; i++) { /* every seventh, so that neighbours go at different times */
		unsigned k = i * 7 % n;
		for (; !page[k]; k = (k + 1) % n)
			;
		page_put(net, page[k]);
		page[k] = NULL;
	}
	for (again = 0; (block[again] = page_alloc(net, PAGE_MAX_ORDER, MEM_RESERVE)); again++)
		;
	assert_int_equal(again, blocks);
	for (unsigned i = 0; i < again; i++)
		page_put(net, block[i]);
	test_net_free(tn);
}

static void reserve_is_for_those_who_must(void **state)
{
	struct test_net *tn = test_net_new(8 * MIB, 3);
	struct net *net = &tn->net;
	void *list = NULL, *p;
	unsigned reserved = 0;

	(void)state;
	while ((p = page_alloc(net, 0, MEM_NORMAL))) {
		*(void **)p = list;
		list = p;
	}
	assert_int_equal(mem_free_bytes(net), 64 * PAGE_SIZE); /* 1/32 of 2,048 pages */
	assert_null(net_alloc(net, 20000, MEM_NORMAL));
	assert_null(net_alloc_table(net, 2 * PAGE_SIZE));
	while ((p = page_alloc(net, 0, MEM_RESERVE))) {
		*(void **)p = list;
		list = p;
		reserved++;
	}
	assert_int_equal(reserved, 64);
	assert_int_equal(mem_free_bytes(net), 0);
	while (list) {
		p = list;
		list = *(void **)p;
		page_put(net, p);
	}
	test_net_free(tn);
}

static void size_classes(void **state)
{
	struct test_net *tn = test_net_new(0, 4);
	struct net *net = &tn->net;

	(void)state;
	for (size_t n = 0; n <= (size_t)256 * 1024; n += n < 300 ? 1 : n / 13) {
		uint8_t *p = net_alloc(net, n, MEM_NORMAL);
		size_t room = net_alloc_size(n);
		assert_non_null(p);
		assert_true(room >= n && room >= 16);
		if (n >= 64 && n <= 4096)
			assert_true(room <= n + n / 4 + 16);
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_int_equal(net_alloc_size(room), room);
		memset(p, 0xaa, room);
		net_free(net, p);
		p = net_zalloc(net, n, MEM_NORMAL);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		net_free(net, p);
	}
	assert_null(net_alloc(net, (size_t)256 * 1024 + 1, MEM_NORMAL));
	net_free(net, NULL);
	test_net_free(tn);
}

static void slabs_waste_little_and_go_back(void **state)
{
	struct test_net *tn = test_net_new(0, 5);
	struct net *net = &tn->net;
	struct kmem_cache *c = kmem_cache_create(net, "test", 864, 8);
	enum { OBJECTS = 2000 };
	static void *obj[OBJECTS];
	uint64_t before = used(net);

	(void)state;
	for (unsigned i = 0; i < OBJECTS; i++) {
		obj[i] = kmem_cache_alloc(c, MEM_NORMAL);
		assert_non_null(obj[i]);
		assert_int_equal((uintptr_t)obj[i] % 8, 0);
		memset(obj[i], (int)i, 864);
	}
	assert_true(used(net) - before <= OBJECTS * (864 + 16) * 105 / 100 + 32768); /* 16: the sanitizer's red zone */
	for (unsigned i = 0; i < OBJECTS; i++) {
		assert_int_equal(((uint8_t *)obj[i])[863], (uint8_t)i);
		kmem_cache_free(c, obj[i]);
	}
	assert_true(used(net) - before <= 32768); /* one spare */
	kmem_cache_destroy(c);
	assert_int_equal(used(net), before);
	test_net_free(tn);
}

static void random_objects_do_not_overlap(void **state)
{
	struct test_net *tn = test_net_new(2 * MIB, 6);
	struct net *net = &tn->net;
	enum { SLOTS = 400 };
	static struct { uint8_t *p; size_t n; uint8_t mark; } slot[SLOTS];
	uint64_t seed = 7;

	(void)state;
	for (unsigned step = 0; step < 40000; step++) {
		unsigned i = (unsigned)(test_random(&seed) % SLOTS);
		if (slot[i].p) {
			for (size_t k = 0; k < slot[i].n; k++)
				assert_int_equal(slot[i].p[k], slot[i].mark);
			net_free(net, slot[i].p);
			slot[i].p = NULL;
			continue;
		}
		slot[i].n = 1 + test_random(&seed) % (step % 50 ? 3000 : 40000);
		slot[i].mark = (uint8_t)step;
		slot[i].p = net_alloc(net, slot[i].n, MEM_NORMAL);
		if (slot[i].p)
			memset(slot[i].p, slot[i].mark, slot[i].n);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		net_free(net, slot[i].p);
	test_net_free(tn);
}

static void tables_of_any_size(void **state)
{
	static const size_t sizes[] = {1, 4096, 5000, 256 * 1024, 256 * 1024 + 1, 700000, 3 * MIB};
	struct test_net *tn = test_net_new(0, 8);
	struct net *net = &tn->net;
	uint64_t before = used(net);

	(void)state;
	for (int round = 0; round < 2; round++) /* the second time they are not fresh, and must be zeroed */
		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			uint8_t *p = net_alloc_table(net, sizes[i]);
			assert_non_null(p);
			assert_int_equal(used(net) - before, (sizes[i] + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(p[k], 0);
			memset(p, 0xee, sizes[i]);
			net_free_table(net, p, sizes[i]);
			assert_int_equal(used(net), before);
		}
	assert_null(net_alloc_table(net, 16 * MIB));
	void *most[64];
	unsigned n = 0; /* with all untouched space gone, a row of largest blocks is found among the freed ones */
	while ((most[n] = page_alloc(net, PAGE_MAX_ORDER, MEM_NORMAL)))
		n++;
	for (unsigned i = 0; i < n; i++)
		page_put(net, most[i]);
	void *p = net_alloc_table(net, 5 * MIB);
	assert_non_null(p);
	net_free_table(net, p, 5 * MIB);
	assert_int_equal(used(net), before);
	test_net_free(tn);
}

static void freed_blocks_are_given_to_the_host_later(void **state)
{
	struct test_net *tn = test_net_new(0, 9);
	struct net *net = &tn->net;
	void *block[8];
	uint64_t now = tn->clock_ns;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		block[i] = page_alloc(net, PAGE_MAX_ORDER, MEM_NORMAL);
	assert_true(timers_next_deadline(net) == TIME_NEVER);
	for (unsigned i = 0; i < 8; i++)
		page_put(net, block[i]);
	assert_int_equal(tn->discarded_bytes, 0); /* not at the free itself */
	for (int s = 1; s <= 4; s++) {
		test_net_set_time(tn, now + (uint64_t)s * 2 * NSEC_PER_SEC);
		timers_run(net, 100);
	}
	assert_int_equal(tn->discarded_bytes, 8 * 256 * 1024);
	assert_true(timers_next_deadline(net) == TIME_NEVER);
	uint8_t *p = net_zalloc(net, 256 * 1024, MEM_NORMAL); /* a discarded block need not be zero */
	for (unsigned i = 0; i < 256 * 1024; i += 512)
		assert_int_equal(p[i], 0);
	net_free(net, p);
	test_net_free(tn);
}

static void nth_allocation_fails_once(void **state)
{
	struct test_net *tn = test_net_new(0, 10);
	struct net *net = &tn->net;
	uint64_t before = failures(net), live = mem_report_live(net);
	void *p[3];

	(void)state;
	mem_fail_nth(net, 2);
	p[0] = net_alloc(net, 100, MEM_NORMAL);
	p[1] = page_alloc(net, 0, MEM_RESERVE);
	p[2] = net_alloc(net, 100, MEM_NORMAL);
	assert_non_null(p[0]);
	assert_null(p[1]);
	assert_non_null(p[2]);
	assert_int_equal(failures(net), before + 1);
	xmit_fail_allocation(net, 1);
	mem_fail_nth(net, 0);
	net_free(net, p[0]);
	p[0] = net_alloc(net, 100, MEM_NORMAL);
	assert_non_null(p[0]);
	assert_true(mem_report_live(net) == live + 2);
	assert_true(tn->log_lines > 0);
	net_free(net, p[0]);
	net_free(net, p[2]);
	test_net_free(tn);
}

static void smallest_instance_works(void **state)
{
	struct test_net *tn = test_net_new(MIB, 11);
	struct net *net = &tn->net;
	struct xmit_memory m;
	void *list = NULL, *p;

	(void)state;
	while ((p = net_alloc(net, 1500, MEM_NORMAL))) {
		*(void **)p = list;
		list = p;
	}
	xmit_memory(net, &m);
	assert_int_equal(m.cap_bytes, MIB);
	assert_true(m.used_bytes <= m.cap_bytes && m.peak_bytes >= m.used_bytes && m.used_bytes > MIB * 3 / 4);
	assert_int_equal(m.failures, 1);
	while (list) {
		p = list;
		list = *(void **)p;
		net_free(net, p);
	}
	test_net_free(tn);
}

static void random_numbers_come_from_the_instance(void **state)
{
	struct test_net *a = test_net_new(0, 12), *b = test_net_new(0, 12);
	uint32_t seen = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		uint32_t v = net_random_u32(&a->net);
		assert_int_equal(v, net_random_u32(&b->net));
		assert_true(net_random_below(&a->net, 10) < 10);
		net_random_u32(&b->net);
		seen |= v;
	}
	assert_int_equal(seen, UINT32_MAX);
	test_net_free(a);
	test_net_free(b);
}

static void log_is_rate_limited(void **state)
{
	struct test_net *tn = test_net_new(0, 13);

	(void)state;
	for (int i = 0; i < 25; i++)
		net_log(&tn->net, "line %d", i);
	assert_int_equal(tn->log_lines, 10);
	assert_string_equal(tn->last_log, "line 9");
	test_net_set_time(tn, tn->clock_ns + 2 * NSEC_PER_SEC);
	net_log(&tn->net, "later");
	assert_int_equal(tn->log_lines, 12); /* "15 messages left out" first */
	assert_string_equal(tn->last_log, "later");
	test_net_free(tn);
}

/* Bytes of from..to for which the host was asked for huge pages, or -1: it has none, or does not tell. */
static long long huge_bytes(uintptr_t from, uintptr_t to)
{
	FILE *f = access("/sys/kernel/mm/transparent_hugepage", F_OK) ? NULL : fopen("/proc/self/smaps", "r");
	uintptr_t lo = 0, hi = 0, a, b;
	bool told = false;
	long long bytes = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &a, &b) == 2) {
			lo = a;
			hi = b;
		}
		if (strncmp(line, "VmFlags:", 8))
			continue;
		told = true;
		if (lo < to && hi > from && strstr(line, " hg"))
			bytes += (long long)(MIN(hi, to) - MAX(lo, from));
	}
	if (f)
		fclose(f);
	return told ? bytes : -1;
}

/* Another machine's code, run by an emulator: its memory is not what smaps tells of. */
static bool emulated(void)
{
#if defined(__x86_64__) /* all others are built by cross/ to run under qemu-user */
	return false;
#else
	return true;
#endif
}

/* The host's: megabytes in transfer lie in huge pages, what every instance touches does not. */
static void the_middle_of_an_arena_is_huge(void **state)
{
	struct xmit_env env = {.size = sizeof(env)};
	uint8_t *large, *small;
	long long of_large, of_small, of_ends;

	(void)state;
	env_fill_defaults(&env);
	large = env.reserve(env.ctx, 64 * MIB);
	small = env.reserve(env.ctx, 4 * MIB);
	assert_non_null(large);
	assert_non_null(small);
	assert_int_equal((uintptr_t)large % (256 << 10), 0);
	assert_int_equal((uintptr_t)small % (256 << 10), 0);
	of_large = huge_bytes((uintptr_t)large, (uintptr_t)large + 64 * MIB);
	of_ends = huge_bytes((uintptr_t)large, (uintptr_t)large + 3 * MIB / 2) + huge_bytes((uintptr_t)large + 62 * MIB, (uintptr_t)large + 64 * MIB);
	of_small = huge_bytes((uintptr_t)small, (uintptr_t)small + 4 * MIB);
	env.release(env.ctx, large, 64 * MIB);
	env.release(env.ctx, small, 4 * MIB);
	if (of_large <= 0 && emulated()) /* the emulator has no huge pages to advise */
		return;
	if (of_large < 0)
		return;
	assert_in_range(of_large, 60 * MIB, 61 * MIB);
	assert_int_equal(of_ends, 0);
	assert_int_equal(of_small, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_aligned_and_counted),
		cmocka_unit_test(buddies_merge_again),
		cmocka_unit_test(reserve_is_for_those_who_must),
		cmocka_unit_test(size_classes),
		cmocka_unit_test(slabs_waste_little_and_go_back),
		cmocka_unit_test(random_objects_do_not_overlap),
		cmocka_unit_test(tables_of_any_size),
		cmocka_unit_test(freed_blocks_are_given_to_the_host_later),
		cmocka_unit_test(the_middle_of_an_arena_is_huge),
		cmocka_unit_test(nth_allocation_fails_once),
		cmocka_unit_test(smallest_instance_works),
		cmocka_unit_test(random_numbers_come_from_the_instance),
		cmocka_unit_test(log_is_rate_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
