/* SPDX-License-Identifier: MIT */
/* The cursor over the user's memory: every way of cutting it up gives the same bytes. */
#include "core/iov_iter.h"
#include "test.h"
#include "test_net.h"

enum { BYTES = 1000 };

static uint8_t bytes[BYTES], out[BYTES];

/* Cuts bytes[] into pieces, empty ones among them. */
static size_t cut(struct iovec *iov, size_t max, uint64_t seed)
{
	size_t at = 0, n = 0;

	while (at < BYTES && n < max - 1) {
		size_t len = test_random(&seed) % 4 ? test_random(&seed) % 120 : 0;
		len = MIN(len, BYTES - at);
		iov[n++] = (struct iovec){bytes + at, len};
		at += len;
	}
	iov[n++] = (struct iovec){bytes + at, BYTES - at};
	return n;
}

static void prepare(void)
{
	uint64_t seed = 1;

	for (unsigned i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)test_random(&seed);
	memset(out, 0, sizeof(out));
}

static void copies_out_of_pieces(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct iovec iov[64];
		struct iov_iter it;
		uint64_t r = seed;
		size_t at = 0;

		prepare();
		iov_iter_init(&it, iov, cut(iov, 64, seed), BYTES);
		while (it.count) {
			size_t n = 1 + test_random(&r) % 200;
			n = MIN(n, it.count);
			csum32 sum = 0;
			if (test_random(&r) & 1) {
				assert_int_equal(copy_from_iter(out + at, n, &it), n);
			} else {
				assert_int_equal(csum_and_copy_from_iter(out + at, n, &sum, &it), n);
				assert_int_equal(csum_fold(sum), csum_fold(csum_partial(bytes + at, n, 0)));
			}
			at += n;
			if (test_random(&r) % 5 == 0) { /* a failed send takes some back */
				size_t back = test_random(&r) % (at + 1);
				assert_true(iov_iter_revert(&it, back));
				at -= back;
			}
			if (test_random(&r) % 5 == 0 && it.count) {
				size_t skip = test_random(&r) % it.count;
				memcpy(out + at, bytes + at, skip);
				iov_iter_advance(&it, skip);
				at += skip;
			}
			assert_int_equal(at + it.count, BYTES);
		}
		assert_memory_equal(out, bytes, BYTES);
		assert_int_equal(copy_from_iter(out, 1, &it), 0);
	}
}

static void copies_into_pieces(void **state)
{
	uint8_t source[BYTES];
	struct iovec iov[64];
	struct iov_iter it;
	size_t at = 0;

	(void)state;
	prepare();
	memcpy(source, bytes, BYTES);
	memset(bytes, 0, BYTES);
	iov_iter_init(&it, iov, cut(iov, 64, 3), BYTES);
	for (size_t n = 1; it.count; n += 3)
		at += copy_to_iter(source + at, MIN(n, BYTES - at), &it);
	assert_int_equal(at, BYTES);
	assert_memory_equal(source, bytes, BYTES);
}

static void count_bounds_the_vector(void **state)
{
	struct iovec iov = {bytes, BYTES};
	struct iov_iter it;

	(void)state;
	prepare();
	iov_iter_init(&it, &iov, 1, 10);
	assert_int_equal(copy_from_iter(out, 100, &it), 10);
	assert_int_equal(it.count, 0);
}

struct source {
	size_t at, end, chunk;
};
static ssize_t from_source(void *ctx, void *dst, size_t n)
{
	struct source *s = ctx;

	n = MIN(MIN(n, s->chunk), s->end - s->at);
	memcpy(dst, bytes + s->at, n);
	s->at += n;
	return (ssize_t)n;
}
static ssize_t always_fails(void *ctx, void *dst, size_t n)
{
	(void)ctx;
	(void)dst;
	(void)n;
	return -5;
}

static void fill_writes_in_place_and_may_be_short(void **state)
{
	struct source s = {0, 700, 33};
	struct iov_iter it;
	csum32 sum = 0;

	(void)state;
	prepare();
	iov_iter_fill_init(&it, from_source, &s, BYTES);
	assert_int_equal(copy_from_iter(out, 400, &it), 400);
	assert_int_equal(it.count, BYTES - 400);
	assert_int_equal(csum_and_copy_from_iter(out + 400, 600, &sum, &it), 300);
	assert_memory_equal(out, bytes, 700);
	assert_int_equal(csum_fold(sum), csum_fold(csum_partial(bytes + 400, 300, 0)));
	assert_false(iov_iter_revert(&it, 1));
	assert_true(iov_iter_revert(&it, 0));
	iov_iter_fill_init(&it, always_fails, NULL, 10);
	assert_int_equal(copy_from_iter(out, 10, &it), 0);
	assert_int_equal(it.count, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_out_of_pieces),
		cmocka_unit_test(copies_into_pieces),
		cmocka_unit_test(count_bounds_the_vector),
		cmocka_unit_test(fill_writes_in_place_and_may_be_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
