/* SPDX-License-Identifier: MIT */
/* SipHash against the vectors of its paper (key 00..0f, message 00..n-1). */
#include "test.h"
#include "lib/hash.h"

static const struct siphash_key paper_key = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};

static void siphash_reference_vectors(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} vector[] = {
		{0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)}, {2, UINT64_C(0x0d6c8009d9a94f5a)},
		{3, UINT64_C(0x85676696d7fb7e2d)}, {7, UINT64_C(0xab0200f58b01d137)}, {8, UINT64_C(0x93f5f5799a932462)},
		{15, UINT64_C(0xa129ca6149be45e5)}, {16, UINT64_C(0x3f2acc7f57c29bdb)}, {63, UINT64_C(0x958a324ceb064572)},
	};
	uint8_t message[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	for (unsigned i = 0; i < sizeof(vector) / sizeof(vector[0]); i++)
		assert_true(siphash(message, vector[i].len, &paper_key) == vector[i].hash);
}

static void hsiphash_depends_on_every_bit(void **state)
{
	uint8_t message[21] = {0};
	uint32_t plain = hsiphash(message, sizeof(message), &paper_key);
	struct siphash_key other = paper_key;

	(void)state;
	for (unsigned bit = 0; bit < 8 * sizeof(message); bit++) {
		message[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(hsiphash(message, sizeof(message), &paper_key), plain);
		message[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	other.key[1] ^= 1;
	assert_int_not_equal(hsiphash(message, sizeof(message), &other), plain);
}

static void reciprocal_scale_stays_below_n(void **state)
{
	(void)state;
	assert_int_equal(reciprocal_scale(0, 10), 0);
	assert_int_equal(reciprocal_scale(UINT32_MAX, 10), 9);
	assert_int_equal(reciprocal_scale(UINT32_MAX, 1), 0);
	assert_int_not_equal(jhash_3words(1, 2, 3, 4), jhash_3words(1, 2, 3, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_reference_vectors),
		cmocka_unit_test(hsiphash_depends_on_every_bit),
		cmocka_unit_test(reciprocal_scale_stays_below_n),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
