/* SPDX-License-Identifier: MIT */
/* compiler.h - the few compiler idioms that the rest of the tree leans on. */
#ifndef XMIT_LIB_COMPILER_H
#define XMIT_LIB_COMPILER_H

#include "lib/prove.h"
#include <assert.h>
#include <stddef.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b)) /* arguments are evaluated twice: no side effects */
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define ALIGN_UP(n, a) (((n) + (a)-1) & ~((a)-1)) /* a: a power of two */
#define ALWAYS_INLINE inline __attribute__((always_inline)) /* for loops around a function pointer that is constant at each use */
#define PACKED __attribute__((packed))
#define HOT_ALIGNED __attribute__((aligned(64)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Hides a length from the compiler, which then calls memset() or memcpy(): they beat the string instruction it puts in where it knows a bound. */
static inline size_t not_constant(size_t n)
{
	__asm__("" : "+r"(n));
	return n;
}

/*
 * Assertions in three costs.  ASSERT stays in every build: it guards what would corrupt memory.
 * DEBUG_ASSERT checks O(1) conditions on the fast path, in debug and sanitizer builds.
 * EXPENSIVE_ASSERT may walk a structure (the _is_valid functions), in sanitizer builds only.
 */
#define ASSERT(cond) \
	do { \
		if (unlikely(!(cond))) \
			xmit_assert_fail(#cond, __FILE__, __LINE__); \
	} while (0)
#if defined(XMIT_DEBUG)
#define DEBUG_ASSERT(cond) ASSERT(cond)
#else
#define DEBUG_ASSERT(cond) ((void)sizeof(!(cond)))
#endif
#if defined(XMIT_DEBUG) && XMIT_DEBUG > 1
#define EXPENSIVE_ASSERT(cond) ASSERT(cond)
#else
#define EXPENSIVE_ASSERT(cond) ((void)sizeof(!(cond)))
#endif

/* Prints the condition and aborts; defined in lib/assert.c. */
__attribute__((noreturn, cold)) void xmit_assert_fail(const char *cond, const char *file, int line);

#endif
