/* SPDX-License-Identifier: MIT */
/* The route trie against a plain list: random insertions, deletions and look-ups, invariants, order of the walk, allocations that fail. */
#include "ip/fib_trie.h"
#include "test.h"
#include "test_net.h"
#include <errno.h>

enum { PREFIXES = 1500, ROUNDS = 60000 };

static struct model {
	uint32_t key;
	unsigned plen;
	bool in;
} model[PREFIXES];
static unsigned model_n;

static uint32_t mask_of(unsigned plen)
{
	return plen ? ~UINT32_C(0) << (32 - plen) : 0;
}

/* Keys that share long prefixes, so that all shapes of the trie appear. */
static uint32_t random_key(uint64_t *rnd, unsigned plen)
{
	uint32_t key = (uint32_t)test_random(rnd);

	switch (test_random(rnd) % 4) {
	case 0:
		key &= 0x0f0000ff;
		break;
	case 1:
		key = 0xc0000200 | (key & 0xff);
		break;
	case 2:
		key = 0x0a000000 | (key & 0xffff);
		break;
	}
	return key & mask_of(plen);
}

static bool model_has(uint32_t key, unsigned plen)
{
	for (unsigned i = 0; i < PREFIXES; i++)
		if (model[i].in && model[i].key == key && model[i].plen == plen)
			return true;
	return false;
}

static void check_lookup(const struct fib_trie *t, uint32_t addr)
{
	struct fib_trie_cursor cur;
	unsigned longer = 33;
	struct model *best;

	fib_trie_match(t, addr, &cur);
	do {
		best = NULL;
		for (unsigned i = 0; i < PREFIXES; i++) {
			struct model *m = &model[i];
			if (m->in && m->plen < longer && (addr & mask_of(m->plen)) == m->key && (!best || m->plen > best->plen))
				best = m;
		}
		assert_ptr_equal(fib_trie_next(&cur), best);
		if (best)
			longer = best->plen;
	} while (best);
}

struct walk {
	unsigned n;
	uint32_t key;
	unsigned plen;
};

static int walk_one(void *ctx, uint32_t key, unsigned plen, void *value)
{
	struct walk *w = ctx;
	const struct model *m = value;

	assert_int_equal(m->key, key);
	assert_int_equal(m->plen, plen);
	if (w->n++)
		assert_true(key > w->key || (key == w->key && plen > w->plen));
	w->key = key;
	w->plen = plen;
	return 0;
}

static void change_one(struct net *net, struct fib_trie *t, uint64_t *rnd)
{
	struct model *m = &model[test_random(rnd) % PREFIXES];

	if (m->in) {
		assert_ptr_equal(fib_trie_remove(net, t, m->key, m->plen), m);
		m->in = false;
		model_n--;
		return;
	}
	m->plen = (unsigned)(test_random(rnd) % 33);
	m->key = random_key(rnd, m->plen);
	bool duplicate = model_has(m->key, m->plen);
	if (test_random(rnd) % 8 == 0)
		mem_fail_nth(net, 1 + test_random(rnd) % 3);
	int err = fib_trie_insert(net, t, m->key, m->plen, m);
	mem_fail_nth(net, 0);
	if (duplicate)
		assert_int_equal(err, -EEXIST);
	else
		assert_true(err == 0 || err == -ENOMEM);
	m->in = !err;
	model_n += m->in;
}

static void random_against_model(void **state)
{
	struct test_net *tn = test_net_new(0, 7);
	struct net *net = &tn->net;
	struct fib_trie t = {0};
	uint64_t rnd = 1;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		change_one(net, &t, &rnd);
		if (i % 64)
			continue;
		assert_true(fib_trie_is_valid(&t));
		assert_int_equal(t.prefixes, model_n);
		check_lookup(&t, (uint32_t)test_random(&rnd));
		check_lookup(&t, model[test_random(&rnd) % PREFIXES].key ^ (uint32_t)(test_random(&rnd) & 7));
		struct walk w = {0};
		assert_int_equal(fib_trie_walk(&t, walk_one, &w), 0);
		assert_int_equal(w.n, model_n);
	}
	for (unsigned i = 0; i < PREFIXES; i++) {
		if (!model[i].in)
			continue;
		void **slot = fib_trie_slot(&t, model[i].key, model[i].plen);
		assert_non_null(slot);
		assert_ptr_equal(*slot, &model[i]);
		assert_ptr_equal(fib_trie_remove(net, &t, model[i].key, model[i].plen), &model[i]);
		assert_null(fib_trie_remove(net, &t, model[i].key, model[i].plen));
	}
	assert_null(t.root);
	assert_int_equal(t.nodes, 0);
	test_net_free(tn);
}

/* A hundred thousand /24: what one prefix costs, and that freeing the trie frees all of it. */
static void size_of_a_full_table(void **state)
{
	enum { N = 100000 };
	struct test_net *tn = test_net_new((size_t)64 << 20, 7);
	struct fib_trie t = {0};
	struct mem_stats before, after;
	static int value;

	(void)state;
	mem_stats(&tn->net, &before);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(fib_trie_insert(&tn->net, &t, (0x01000000u + i * 41u) << 8 | (i * 41u) >> 24 << 8, 24, &value), 0);
	mem_stats(&tn->net, &after);
	assert_true((after.used_bytes - before.used_bytes) / N < 64);
	assert_true(fib_trie_is_valid(&t));
	fib_trie_free(&tn->net, &t);
	test_net_free(tn);
}

static void edges(void **state)
{
	struct test_net *tn = test_net_new(0, 7);
	struct fib_trie t = {0};
	int zero, host, all;

	(void)state;
	assert_null(fib_trie_longest(&t, 0));
	assert_int_equal(fib_trie_insert(&tn->net, &t, 0, 0, &zero), 0);
	assert_int_equal(fib_trie_insert(&tn->net, &t, 0, 32, &host), 0);
	assert_int_equal(fib_trie_insert(&tn->net, &t, UINT32_MAX, 32, &all), 0);
	assert_ptr_equal(fib_trie_longest(&t, 0), &host);
	assert_ptr_equal(fib_trie_longest(&t, 1), &zero);
	assert_ptr_equal(fib_trie_longest(&t, UINT32_MAX), &all);
	assert_ptr_equal(fib_trie_longest(&t, UINT32_MAX - 1), &zero);
	assert_null(fib_trie_remove(&tn->net, &t, 0, 31));
	fib_trie_free(&tn->net, &t);
	test_net_free(tn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges),
		cmocka_unit_test(random_against_model),
		cmocka_unit_test(size_of_a_full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
