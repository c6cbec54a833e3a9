/* SPDX-License-Identifier: MIT */
/*
 * fib_trie.c - longest-prefix match in a trie compressed by level and by path (I1).
 *
 * Level compression: a node decides FIB_STRIDE bits of the address at once, from bit `pos` (a multiple of the stride) on.  It holds
 * the prefixes of length pos to pos + 4 that begin with its key, as a bit map of the five upper levels of the binary tree below it
 * (bit (1 << l) - 1 + b for the l bits b), and its children as a bit map of the 32 paths out of it: a tree bitmap
 * (Eatherton, Varghese, Dittia: Tree Bitmap, 2004).  Both kinds of pointers stand packed in one array and are found by counting bits.
 * Path compression (Morrison: PATRICIA, 1968): a node that would hold no prefix and fewer than two children does not exist; a
 * child may lie several strides further down, and carries its key to be compared.
 *
 * So a look-up touches at most seven nodes, usually two or three, and a full table costs about one pointer a prefix.
 * Growing an array may fail and then changes nothing; shrinking happens in place.
 */
#include "ip/fib_trie.h"
#include <errno.h>
#include <string.h>

enum { PREFIX_LEVELS = FIB_STRIDE, SLOTS_MAX = 31 + 32 };

struct fib_node {
	uint32_t key;      /* first pos bits; the rest is zero */
	uint32_t prefixes; /* bit map, by level and bits */
	uint32_t children; /* bit map, by the next FIB_STRIDE bits */
	uint8_t pos;       /* 0, 5 ... 30 */
	uint8_t room;      /* entries of slot[] */
	void *slot[];      /* children, then values of prefixes, each in order of its bit */
};

static unsigned popcount(uint32_t v)
{
	return (unsigned)__builtin_popcount(v);
}

static uint32_t high_bits(unsigned n) /* mask of the n upper bits */
{
	return n ? ~UINT32_C(0) << (32 - n) : 0;
}

/* The stride of key at pos; behind the last bit of the address there are zeroes. */
static unsigned chunk(uint32_t key, unsigned pos)
{
	return (key << pos) >> (32 - FIB_STRIDE);
}

static unsigned prefix_bit(uint32_t key, unsigned pos, unsigned plen)
{
	unsigned level = plen - pos;
	return (1u << level) - 1 + (chunk(key, pos) >> (FIB_STRIDE - level));
}

/* Bits of the prefixes of a node that contain the stride c: one for each level. */
static uint32_t ancestors(unsigned c)
{
	return 1u | 1u << (1 + (c >> 4)) | 1u << (3 + (c >> 3)) | 1u << (7 + (c >> 2)) | 1u << (15 + (c >> 1));
}

static unsigned nr_slots(const struct fib_node *n)
{
	return popcount(n->children) + popcount(n->prefixes);
}
static unsigned child_index(const struct fib_node *n, unsigned c)
{
	return popcount(n->children & ((1u << c) - 1));
}
static unsigned prefix_index(const struct fib_node *n, unsigned bit)
{
	return popcount(n->children) + popcount(n->prefixes & ((1u << bit) - 1));
}
static struct fib_node *child_at(const struct fib_node *n, unsigned c)
{
	return n->slot[child_index(n, c)];
}

static struct fib_node *node_new(struct net *net, struct fib_trie *t, uint32_t key, unsigned pos, unsigned room)
{
	struct fib_node *n = net_alloc(net, sizeof(*n) + room * sizeof(void *), MEM_NORMAL);

	if (!n)
		return NULL;
	*n = (struct fib_node){.key = key & high_bits(pos), .pos = (uint8_t)pos, .room = (uint8_t)room};
	t->nodes++;
	return n;
}

static void node_free(struct net *net, struct fib_trie *t, struct fib_node *n)
{
	t->nodes--;
	net_free(net, n);
}

static void slot_open(struct fib_node *n, unsigned index, void *p)
{
	memmove(&n->slot[index + 1], &n->slot[index], (nr_slots(n) - index) * sizeof(void *));
	n->slot[index] = p;
}

static void slot_close(struct fib_node *n, unsigned index)
{
	memmove(&n->slot[index], &n->slot[index + 1], (nr_slots(n) - index - 1) * sizeof(void *));
}

/* Makes room for one more slot in *link, which may move.  -ENOMEM: unchanged. */
static int node_grow(struct net *net, struct fib_node **link)
{
	struct fib_node *n = *link;
	unsigned used = nr_slots(n);

	if (used < n->room)
		return 0;
	unsigned room = MIN(used + 1 + used / 4, (unsigned)SLOTS_MAX);
	struct fib_node *bigger = net_alloc(net, sizeof(*n) + room * sizeof(void *), MEM_NORMAL);
	if (!bigger)
		return -ENOMEM;
	memcpy(bigger, n, sizeof(*n) + used * sizeof(void *));
	bigger->room = (uint8_t)room;
	*link = bigger;
	net_free(net, n);
	return 0;
}

/* Both need room. */
static void add_prefix(struct fib_node *n, uint32_t key, unsigned plen, void *value)
{
	unsigned bit = prefix_bit(key, n->pos, plen);

	slot_open(n, prefix_index(n, bit), value);
	n->prefixes |= 1u << bit;
}
static void add_child(struct fib_node *n, struct fib_node *child)
{
	unsigned c = chunk(child->key, n->pos);

	slot_open(n, child_index(n, c), child);
	n->children |= 1u << c;
}

static struct fib_node *leaf_new(struct net *net, struct fib_trie *t, uint32_t key, unsigned plen, void *value)
{
	struct fib_node *n = node_new(net, t, key, plen / FIB_STRIDE * FIB_STRIDE, 1);

	if (n)
		add_prefix(n, key, plen, value);
	return n;
}

/* The position at which a prefix kept at position `target` parts from node n, or where it would stand above n; n->pos or more: it does not. */
static unsigned parting_pos(const struct fib_node *n, uint32_t key, unsigned target)
{
	uint32_t diff = (key ^ n->key) & high_bits(MIN((unsigned)n->pos, target));
	unsigned common = diff ? (unsigned)__builtin_clz(diff) : target;

	return common / FIB_STRIDE * FIB_STRIDE;
}

/* Puts a node at pos above *link, to hold the prefix or a new leaf with it. */
static int split_above(struct net *net, struct fib_trie *t, struct fib_node **link, unsigned pos, uint32_t key, unsigned plen, void *value)
{
	bool here = plen < pos + FIB_STRIDE;
	struct fib_node *m = node_new(net, t, key, pos, 2), *leaf = NULL;

	if (!m)
		return -ENOMEM;
	if (here) {
		add_child(m, *link);
		add_prefix(m, key, plen, value);
	} else {
		leaf = leaf_new(net, t, key, plen, value);
		if (!leaf) {
			node_free(net, t, m);
			return -ENOMEM;
		}
		add_child(m, *link);
		add_child(m, leaf);
	}
	*link = m;
	return 0;
}

static int insert(struct net *net, struct fib_trie *t, uint32_t key, unsigned plen, void *value)
{
	const unsigned target = plen / FIB_STRIDE * FIB_STRIDE;
	struct fib_node **link = &t->root;

	while (*link) {
		struct fib_node *n = *link;
		unsigned pos = parting_pos(n, key, target);

		if (pos < n->pos)
			return split_above(net, t, link, pos, key, plen, value);
		if (n->pos == target) {
			if (n->prefixes & 1u << prefix_bit(key, n->pos, plen))
				return -EEXIST;
			if (node_grow(net, link))
				return -ENOMEM;
			add_prefix(*link, key, plen, value);
			return 0;
		}
		unsigned c = chunk(key, n->pos);
		if (!(n->children & 1u << c)) {
			struct fib_node *leaf = leaf_new(net, t, key, plen, value);
			if (!leaf)
				return -ENOMEM;
			if (node_grow(net, link)) {
				node_free(net, t, leaf);
				return -ENOMEM;
			}
			add_child(*link, leaf);
			return 0;
		}
		link = (struct fib_node **)&n->slot[child_index(n, c)];
	}
	*link = leaf_new(net, t, key, plen, value);
	return *link ? 0 : -ENOMEM;
}

int fib_trie_insert(struct net *net, struct fib_trie *t, uint32_t key, unsigned plen, void *value)
{
	int err = insert(net, t, key, plen, value);

	if (!err)
		t->prefixes++;
	return err;
}

/* The node that would hold the prefix; links[0 .. *depth - 1] lead to it from the root.  NULL: none. */
static struct fib_node *find_node(const struct fib_trie *t, uint32_t key, unsigned plen, struct fib_node **links[], unsigned *depth)
{
	const unsigned target = plen / FIB_STRIDE * FIB_STRIDE;
	struct fib_node **link = (struct fib_node **)&t->root;

	for (*depth = 0; *link; ) {
		struct fib_node *n = *link;
		if (n->pos > target || (key & high_bits(n->pos)) != n->key)
			return NULL;
		links[(*depth)++] = link;
		if (n->pos == target)
			return n;
		unsigned c = chunk(key, n->pos);
		if (!(n->children & 1u << c))
			return NULL;
		link = (struct fib_node **)&n->slot[child_index(n, c)];
	}
	return NULL;
}

void **fib_trie_slot(const struct fib_trie *t, uint32_t key, unsigned plen)
{
	struct fib_node **links[FIB_TRIE_DEPTH];
	unsigned depth;
	struct fib_node *n = find_node(t, key, plen, links, &depth);

	if (!n)
		return NULL;
	unsigned bit = prefix_bit(key, n->pos, plen);
	return n->prefixes & 1u << bit ? &n->slot[prefix_index(n, bit)] : NULL;
}

/* Takes away nodes that no longer hold a prefix or join two paths, from links[depth - 1] upward. */
static void compress(struct net *net, struct fib_trie *t, struct fib_node **links[], unsigned depth)
{
	while (depth--) {
		struct fib_node *n = *links[depth];

		if (n->prefixes || popcount(n->children) > 1)
			return;
		if (n->children) {
			*links[depth] = n->slot[0];
			node_free(net, t, n);
			return;
		}
		if (depth) {
			struct fib_node *parent = *links[depth - 1];
			unsigned c = chunk(n->key, parent->pos);
			slot_close(parent, child_index(parent, c));
			parent->children &= ~(1u << c);
		} else {
			t->root = NULL;
		}
		node_free(net, t, n);
	}
}

void *fib_trie_remove(struct net *net, struct fib_trie *t, uint32_t key, unsigned plen)
{
	struct fib_node **links[FIB_TRIE_DEPTH];
	unsigned depth;
	struct fib_node *n = find_node(t, key, plen, links, &depth);

	if (!n)
		return NULL;
	unsigned bit = prefix_bit(key, n->pos, plen);
	if (!(n->prefixes & 1u << bit))
		return NULL;
	unsigned index = prefix_index(n, bit);
	void *value = n->slot[index];
	slot_close(n, index);
	n->prefixes &= ~(1u << bit);
	t->prefixes--;
	compress(net, t, links, depth);
	return value;
}

void fib_trie_match(const struct fib_trie *t, uint32_t addr, struct fib_trie_cursor *cur)
{
	cur->depth = 0;
	for (const struct fib_node *n = t->root; n; ) {
		if ((addr & high_bits(n->pos)) != n->key)
			return;
		unsigned c = chunk(addr, n->pos);
		uint32_t hit = n->prefixes & ancestors(c);
		if (hit) {
			cur->node[cur->depth] = n;
			cur->left[cur->depth++] = hit;
		}
		if (!(n->children & 1u << c) || (cur->depth && PROVE_BREAKS("I1")))
			return;
		n = child_at(n, c);
	}
}

void *fib_trie_next(struct fib_trie_cursor *cur)
{
	if (!cur->depth)
		return NULL;
	const struct fib_node *n = cur->node[cur->depth - 1];
	uint32_t *left = &cur->left[cur->depth - 1];
	unsigned bit = 31u - (unsigned)__builtin_clz(*left); /* longer prefixes have higher bits */

	*left &= ~(1u << bit);
	if (!*left)
		cur->depth--;
	return n->slot[prefix_index(n, bit)];
}

typedef int (*walk_fn)(void *ctx, uint32_t key, unsigned plen, void *value);

/* The binary tree below n, from level bits downward, in pre-order: that is the order of (address, length). */
static int walk_level(const struct fib_node *n, unsigned level, unsigned bits, walk_fn fn, void *ctx)
{
	if (level == PREFIX_LEVELS) {
		if (!(n->children & 1u << bits))
			return 0;
		return walk_level(child_at(n, bits), 0, 0, fn, ctx);
	}
	unsigned bit = (1u << level) - 1 + bits;
	if (n->prefixes & 1u << bit) {
		uint32_t key = n->key;
		if (level)
			key |= (uint32_t)bits << (32 - level) >> n->pos;
		int r = fn(ctx, key, n->pos + level, n->slot[prefix_index(n, bit)]);
		if (r)
			return r;
	}
	int r = walk_level(n, level + 1, bits * 2, fn, ctx);
	return r ? r : walk_level(n, level + 1, bits * 2 + 1, fn, ctx);
}

int fib_trie_walk(const struct fib_trie *t, walk_fn fn, void *ctx)
{
	return t->root ? walk_level(t->root, 0, 0, fn, ctx) : 0;
}

static void free_below(struct net *net, struct fib_trie *t, struct fib_node *n)
{
	for (unsigned i = 0; i < popcount(n->children); i++)
		free_below(net, t, n->slot[i]);
	node_free(net, t, n);
}

void fib_trie_free(struct net *net, struct fib_trie *t)
{
	if (t->root)
		free_below(net, t, t->root);
	*t = (struct fib_trie){0};
}

static bool node_is_valid(const struct fib_node *n, uint32_t *prefixes, uint32_t *nodes)
{
	if (n->pos % FIB_STRIDE || n->pos > 30 || (n->key & ~high_bits(n->pos)) || nr_slots(n) > n->room || n->prefixes >> 31)
		return false;
	if (!n->prefixes && popcount(n->children) < 2)
		return false;
	if (n->pos == 30 && n->children)
		return false;
	*prefixes += popcount(n->prefixes);
	++*nodes;
	for (unsigned c = 0; c < 32; c++) {
		if (!(n->children & 1u << c))
			continue;
		const struct fib_node *child = child_at(n, c);
		if (child->pos <= n->pos || (child->key & high_bits(n->pos)) != n->key || chunk(child->key, n->pos) != c ||
		    !node_is_valid(child, prefixes, nodes))
			return false;
	}
	return true;
}

bool fib_trie_is_valid(const struct fib_trie *t)
{
	uint32_t prefixes = 0, nodes = 0;

	if (t->root && !node_is_valid(t->root, &prefixes, &nodes))
		return false;
	return prefixes == t->prefixes && nodes == t->nodes;
}
