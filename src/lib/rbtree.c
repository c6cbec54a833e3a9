/* SPDX-License-Identifier: MIT */
/*
 * rbtree.c - red-black trees: rebalancing after insertion and removal, walking in order.
 *
 * Written from Guibas and Sedgewick, "A dichromatic framework for balanced trees" (1978), and Cormen et al., chapter 13.  The colour
 * stands in bit 0 of the parent pointer (1: black); a missing child counts as black.
 */
#include "lib/rbtree.h"

static bool is_black(const struct rb_node *n) { return !n || (n->parent_color & 1); }
static void set_black(struct rb_node *n) { n->parent_color |= 1; }
static void set_red(struct rb_node *n) { n->parent_color &= ~(uintptr_t)1; }
static void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_color = (uintptr_t)parent | (n->parent_color & 1);
}

/* Puts `to` (may be NULL) into the place that `from` has below its parent. */
static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *from, struct rb_node *to)
{
	if (!parent)
		root->node = to;
	else if (parent->left == from)
		parent->left = to;
	else
		parent->right = to;
	if (to)
		set_parent(to, parent);
}

static void rotate_left(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *up = n->right;

	n->right = up->left;
	if (up->left)
		set_parent(up->left, n);
	replace_child(root, rb_parent(n), n, up);
	up->left = n;
	set_parent(n, up);
}

static void rotate_right(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *up = n->left;

	n->left = up->right;
	if (up->right)
		set_parent(up->right, n);
	replace_child(root, rb_parent(n), n, up);
	up->right = n;
	set_parent(n, up);
}

void rb_insert_color(struct rb_node *n, struct rb_root *root)
{
	struct rb_node *parent;

	while ((parent = rb_parent(n)) && !is_black(parent)) {
		struct rb_node *grand = rb_parent(parent); /* a red node is never the root */
		bool left = parent == grand->left;
		struct rb_node *uncle = left ? grand->right : grand->left;

		if (!is_black(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grand);
			n = grand;
			continue;
		}
		if (left) {
			if (n == parent->right) {
				rotate_left(root, parent);
				parent = n;
			}
			set_black(parent);
			set_red(grand);
			rotate_right(root, grand);
		} else {
			if (n == parent->left) {
				rotate_right(root, parent);
				parent = n;
			}
			set_black(parent);
			set_red(grand);
			rotate_left(root, grand);
		}
		break;
	}
	set_black(root->node);
}

/* n (may be NULL) below parent lacks one black node compared with its sibling. */
static void erase_fixup(struct rb_root *root, struct rb_node *n, struct rb_node *parent)
{
	while (parent && is_black(n)) {
		bool left = n == parent->left;
		struct rb_node *sib = left ? parent->right : parent->left;

		if (!is_black(sib)) {
			set_black(sib);
			set_red(parent);
			if (left)
				rotate_left(root, parent);
			else
				rotate_right(root, parent);
			sib = left ? parent->right : parent->left;
		}
		if (is_black(sib->left) && is_black(sib->right)) {
			set_red(sib);
			n = parent;
			parent = rb_parent(n);
			continue;
		}
		struct rb_node *far = left ? sib->right : sib->left;
		if (is_black(far)) {
			set_black(left ? sib->left : sib->right);
			set_red(sib);
			if (left)
				rotate_right(root, sib);
			else
				rotate_left(root, sib);
			sib = left ? parent->right : parent->left;
			far = left ? sib->right : sib->left;
		}
		sib->parent_color = (sib->parent_color & ~(uintptr_t)1) | (parent->parent_color & 1);
		set_black(parent);
		set_black(far);
		if (left)
			rotate_left(root, parent);
		else
			rotate_right(root, parent);
		return;
	}
	if (n)
		set_black(n);
}

void rb_erase(struct rb_node *n, struct rb_root *root)
{
	struct rb_node *child, *parent;
	bool was_black;

	if (n->left && n->right) {
		/* The successor takes n's place and colour; the hole is where the successor was. */
		struct rb_node *next = n->right;
		while (next->left)
			next = next->left;
		was_black = is_black(next);
		child = next->right;
		parent = rb_parent(next);
		if (parent == n) {
			parent = next;
		} else {
			replace_child(root, parent, next, child);
			next->right = n->right;
			set_parent(n->right, next);
		}
		next->left = n->left;
		set_parent(n->left, next);
		replace_child(root, rb_parent(n), n, next);
		next->parent_color = n->parent_color;
	} else {
		was_black = is_black(n);
		child = n->left ? n->left : n->right;
		parent = rb_parent(n);
		replace_child(root, parent, n, child);
	}
	if (was_black)
		erase_fixup(root, child, parent);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *up;

	if (n->right) {
		for (up = n->right; up->left; up = up->left)
			;
		return up;
	}
	while ((up = rb_parent(n)) && n == up->right)
		n = up;
	return up;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	struct rb_node *up;

	if (n->left) {
		for (up = n->left; up->right; up = up->right)
			;
		return up;
	}
	while ((up = rb_parent(n)) && n == up->left)
		n = up;
	return up;
}

/* Black height of the tree below n, or -1 when a rule is broken. */
static int black_height(const struct rb_node *n, const struct rb_node *parent)
{
	if (!n)
		return 0;
	if (rb_parent(n) != parent || (!is_black(n) && (!is_black(n->left) || !is_black(n->right))))
		return -1;
	int left = black_height(n->left, n), right = black_height(n->right, n);
	if (left < 0 || left != right)
		return -1;
	return left + is_black(n);
}

bool rb_is_valid(const struct rb_root *root) { return is_black(root->node) && black_height(root->node, NULL) >= 0; }
