/* SPDX-License-Identifier: MIT */
/*
 * test.h - the test framework as the tests see it: cmocka, or, in cross builds where cmocka has no package, the few macros of it that
 * we use, with the same names and the same closing lines.
 */
#ifndef XMIT_TESTS_TEST_H
#define XMIT_TESTS_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef XMIT_HAVE_CMOCKA
#include <cmocka.h>

/* XMIT_TEST_CASE=name (or a pattern with * and ?): only that case runs. */
__attribute__((constructor)) static void choose_case(void)
{
	if (getenv("XMIT_TEST_CASE"))
		cmocka_set_test_filter(getenv("XMIT_TEST_CASE"));
}
#else

struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	int (*setup)(void **state);
	int (*teardown)(void **state);
};

static jmp_buf mini_fail_jump;

static inline void mini_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "[  ERROR   ] %s:%d: %s\n", file, line, what);
	longjmp(mini_fail_jump, 1);
}

static inline void mini_fail_pair(const char *file, int line, const char *what, unsigned long long a, unsigned long long b)
{
	fprintf(stderr, "[  ERROR   ] %s:%d: %s: %llu (0x%llx) and %llu (0x%llx)\n", file, line, what, a, a, b, b);
	longjmp(mini_fail_jump, 1);
}

#define cmocka_unit_test(f) {#f, f, NULL, NULL}
#define cmocka_unit_test_teardown(f, t) {#f, f, NULL, t}
#define cmocka_unit_test_setup_teardown(f, s, t) {#f, f, s, t}
#define fail() mini_fail(__FILE__, __LINE__, "fail()")
#define fail_msg(...) (fprintf(stderr, __VA_ARGS__), mini_fail(__FILE__, __LINE__, "fail_msg()"))
#define assert_true(c) ((c) ? (void)0 : mini_fail(__FILE__, __LINE__, #c " is not true"))
#define assert_false(c) ((c) ? mini_fail(__FILE__, __LINE__, #c " is not false") : (void)0)
#define assert_null(p) assert_true((p) == NULL)
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define mini_compare(a, b, op) \
	do { \
		unsigned long long mini_a = (unsigned long long)(a), mini_b = (unsigned long long)(b); \
		if (!(mini_a op mini_b)) \
			mini_fail_pair(__FILE__, __LINE__, #a " " #op " " #b, mini_a, mini_b); \
	} while (0)
#define assert_int_equal(a, b) mini_compare(a, b, ==)
#define assert_int_not_equal(a, b) mini_compare(a, b, !=)
#define assert_in_range(v, lo, hi) \
	do { \
		unsigned long long mini_v = (unsigned long long)(v); /* once, as cmocka does: v may have effects */ \
		unsigned long long mini_lo = (unsigned long long)(lo), mini_hi = (unsigned long long)(hi); \
		if (mini_v < mini_lo || mini_v > mini_hi) \
			mini_fail_pair(__FILE__, __LINE__, #v " in " #lo " to " #hi, mini_v, mini_v < mini_lo ? mini_lo : mini_hi); \
	} while (0)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)
#define assert_memory_not_equal(a, b, n) assert_true(memcmp(a, b, n) != 0)
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)

/* In a function of its own: nothing here is changed between setjmp and a longjmp. */
static inline bool mini_passes(const struct CMUnitTest *t)
{
	void *state = NULL;

	if (setjmp(mini_fail_jump))
		return false;
	if (t->setup)
		t->setup(&state);
	t->test(&state);
	if (t->teardown)
		t->teardown(&state);
	return true;
}

static inline int mini_run(const struct CMUnitTest *tests, size_t n)
{
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		printf("[ RUN      ] %s\n", tests[i].name);
		fflush(stdout);
		bool ok = mini_passes(&tests[i]);
		printf("[  %s ] %s\n", ok ? "     OK" : "FAILED ", tests[i].name);
		failed += !ok;
	}
	printf("[  PASSED  ] %zu test(s).\n", n - failed);
	return (int)failed;
}
#define cmocka_run_group_tests(tests, setup, teardown) mini_run(tests, sizeof(tests) / sizeof((tests)[0]))

#endif

/* A public call that fails with this errno. */
#define FAILS(call, err) \
	do { \
		errno = 0; \
		assert_int_equal((call), -1); \
		assert_int_equal(errno, err); \
	} while (0)

#endif
