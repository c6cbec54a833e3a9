/* SPDX-License-Identifier: MIT */
/* The red-black tree keeps its rules and its order under insertion and removal in any order. */
#include "test.h"
#include "test_net.h"
#include "lib/rbtree.h"

enum { NODES = 1000 };

struct item {
	struct rb_node rb;
	uint32_t key, serial;
	bool in;
};

static struct item *item_of(struct rb_node *n) { return container_of(n, struct item, rb); }

static void insert(struct rb_root *root, struct item *it)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = it->key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_link_node(&it->rb, parent, link);
	rb_insert_color(&it->rb, root);
	it->in = true;
}

static void check_order(const struct rb_root *root, unsigned count)
{
	unsigned n = 0;

	assert_true(rb_is_valid(root));
	for (struct rb_node *it = rb_first(root), *prev = NULL; it; prev = it, it = rb_next(it), n++) {
		assert_ptr_equal(rb_prev(it), prev);
		if (prev)
			assert_true(item_of(prev)->key <= item_of(it)->key);
		if (!rb_next(it))
			assert_ptr_equal(rb_last(root), it);
	}
	assert_int_equal(n, count);
}

static void empty_tree(void **state)
{
	struct rb_root root = {NULL};

	(void)state;
	assert_true(rb_empty(&root));
	assert_null(rb_first(&root));
	assert_null(rb_last(&root));
	assert_true(rb_is_valid(&root));
}

static void random_operations_keep_the_rules(void **state)
{
	static struct item items[NODES];
	struct rb_root root = {NULL};
	uint64_t seed = 1;
	unsigned count = 0;

	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		items[i] = (struct item){.key = (uint32_t)(test_random(&seed) % 300), .serial = i};
	for (unsigned step = 0; step < 20 * NODES; step++) {
		struct item *it = &items[test_random(&seed) % NODES];
		if (it->in) {
			rb_erase(&it->rb, &root);
			it->in = false;
			count--;
		} else {
			insert(&root, it);
			count++;
		}
		if (step % 97 == 0)
			check_order(&root, count);
	}
	for (unsigned i = 0; i < NODES; i++) {
		if (!items[i].in)
			continue;
		rb_erase(&items[i].rb, &root);
		assert_true(rb_is_valid(&root));
	}
	assert_true(rb_empty(&root));
}

static void equal_keys_stay_in_order_of_insertion(void **state)
{
	struct item items[100];
	struct rb_root root = {NULL};
	unsigned i = 0;

	(void)state;
	for (i = 0; i < 100; i++) {
		items[i] = (struct item){.key = 7, .serial = i};
		insert(&root, &items[i]);
	}
	i = 0;
	for (struct rb_node *n = rb_first(&root); n; n = rb_next(n))
		assert_int_equal(item_of(n)->serial, i++);
}

static void broken_rules_are_noticed(void **state)
{
	struct item items[3];
	struct rb_root root = {NULL};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		items[i] = (struct item){.key = i};
		insert(&root, &items[i]);
	}
	items[1].rb.parent_color &= ~(uintptr_t)1; /* a red root */
	assert_false(rb_is_valid(&root));
	items[1].rb.parent_color |= 1;
	items[0].rb.parent_color |= 1; /* heights differ */
	assert_false(rb_is_valid(&root));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_tree),
		cmocka_unit_test(random_operations_keep_the_rules),
		cmocka_unit_test(equal_keys_stay_in_order_of_insertion),
		cmocka_unit_test(broken_rules_are_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
