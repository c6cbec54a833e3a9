/* SPDX-License-Identifier: MIT */
/*
 * rbtree.h - intrusive red-black tree.  The caller walks down to find the place, links the node, then rebalances:
 *
 *	struct rb_node **link = &root->node, *parent = NULL;
 *	while (*link) { parent = *link; link = less(new, parent) ? &parent->left : &parent->right; }
 *	rb_link_node(&new->rb, parent, link);
 *	rb_insert_color(&new->rb, root);
 */
#ifndef XMIT_LIB_RBTREE_H
#define XMIT_LIB_RBTREE_H

#include "lib/compiler.h"
#include <stdbool.h>
#include <stdint.h>

struct rb_node {
	uintptr_t parent_color; /* parent pointer, bit 0 set: black */
	struct rb_node *left, *right;
};
struct rb_root {
	struct rb_node *node; /* NULL: empty */
};

static inline bool rb_empty(const struct rb_root *r) { return !r->node; }
static inline struct rb_node *rb_parent(const struct rb_node *n) { return (struct rb_node *)(n->parent_color & ~(uintptr_t)1); }
static inline void rb_link_node(struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->parent_color = (uintptr_t)parent;
	n->left = n->right = NULL;
	*link = n;
}
void rb_insert_color(struct rb_node *n, struct rb_root *root);
void rb_erase(struct rb_node *n, struct rb_root *root);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
/* True when colours, heights and parent links are those of a red-black tree. */
bool rb_is_valid(const struct rb_root *root);

#endif
