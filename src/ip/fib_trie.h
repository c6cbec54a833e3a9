/* SPDX-License-Identifier: MIT */
/* fib_trie.h - a map from IPv4 prefixes to pointers with longest-prefix match.  No knowledge of routes. */
#ifndef XMIT_IP_FIB_TRIE_H
#define XMIT_IP_FIB_TRIE_H

#include "core/net.h"

enum {
	FIB_STRIDE = 5,      /* bits of the address that one node decides */
	FIB_TRIE_DEPTH = 7,  /* nodes at positions 0, 5 ... 30 */
};

struct fib_node;
struct fib_trie {
	struct fib_node *root;  /* NULL: empty */
	uint32_t prefixes, nodes;
};

/* Addresses are in host order; bits behind plen must be zero; plen 0 to 32; value is never NULL. */
/* 0, -EEXIST, or -ENOMEM with the trie unchanged. */
int fib_trie_insert(struct net *net, struct fib_trie *t, uint32_t key, unsigned plen, void *value);
/* Takes the prefix out and returns its value; NULL when it is not there.  Never fails for lack of memory. */
void *fib_trie_remove(struct net *net, struct fib_trie *t, uint32_t key, unsigned plen);
/* Where the value of exactly this prefix stands, NULL if it is not there.  Valid until the trie is changed. */
void **fib_trie_slot(const struct fib_trie *t, uint32_t key, unsigned plen);

/* All prefixes that contain an address, the longest first. */
struct fib_trie_cursor {
	const struct fib_node *node[FIB_TRIE_DEPTH];
	uint32_t left[FIB_TRIE_DEPTH]; /* matching prefixes of the node not given out yet */
	unsigned depth;
};
void fib_trie_match(const struct fib_trie *t, uint32_t addr, struct fib_trie_cursor *c);
void *fib_trie_next(struct fib_trie_cursor *c); /* NULL: no more */
static inline void *fib_trie_longest(const struct fib_trie *t, uint32_t addr)
{
	struct fib_trie_cursor c;
	fib_trie_match(t, addr, &c);
	return fib_trie_next(&c);
}

/* Calls fn for each prefix in order of (address, length) until it returns non-zero, which is then returned.  fn must not change the trie. */
int fib_trie_walk(const struct fib_trie *t, int (*fn)(void *ctx, uint32_t key, unsigned plen, void *value), void *ctx);
/* Frees the nodes; the values are the caller's. */
void fib_trie_free(struct net *net, struct fib_trie *t);
/* Checks every invariant; for tests and EXPENSIVE_ASSERT. */
bool fib_trie_is_valid(const struct fib_trie *t);

#endif
