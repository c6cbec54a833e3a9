/* SPDX-License-Identifier: MIT */
/* Checksums against a sum taken two bytes at a time, at every length and alignment, and incremental updates (RFC 1624). */
#include "test.h"
#include "test_net.h"
#include "wire/checksum.h"

/* RFC 1071, word by word in network order; the folded complement in network order. */
static uint16_t slow_checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static uint16_t in_network_order(uint16_t stored) { return get_be16(&stored); }

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)test_random(&seed);
}

static void every_length_and_alignment(void **state)
{
	uint8_t buf[700], copy[700];

	(void)state;
	fill(buf, sizeof(buf), 1);
	for (size_t start = 0; start < 9; start++)
		for (size_t n = 0; n + start <= sizeof(buf); n += n < 160 ? 1 : 37) {
			uint16_t want = slow_checksum(buf + start, n);
			assert_int_equal(in_network_order(csum_fold(csum_partial(buf + start, n, 0))), want);
			memset(copy, 0, sizeof(copy));
			assert_int_equal(in_network_order(csum_fold(csum_partial_copy(buf + start, copy, n, 0))), want);
			assert_memory_equal(copy, buf + start, n);
		}
}

static void long_blocks_and_carries(void **state)
{
	static uint8_t buf[70000], copy[70000];

	(void)state;
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(csum_fold(csum_partial(buf, sizeof(buf), 0xffffffff)), 0);
	fill(buf, sizeof(buf), 2);
	assert_int_equal(in_network_order(csum_fold(csum_partial(buf, sizeof(buf), 0))), slow_checksum(buf, sizeof(buf)));
	assert_int_equal(csum_fold(csum_partial_copy(buf, copy, sizeof(buf), 0)), csum_fold(csum_partial(buf, sizeof(buf), 0)));
	assert_memory_equal(buf, copy, sizeof(buf));
}

static void blocks_add_up(void **state)
{
	uint8_t buf[333];

	(void)state;
	fill(buf, sizeof(buf), 3);
	for (size_t cut = 1; cut < sizeof(buf); cut++) /* at the ends 0 may come out as -0 */ {
		csum32 a = csum_partial(buf, cut, 0), b = csum_partial(buf + cut, sizeof(buf) - cut, 0);
		csum32 whole = csum_partial(buf, sizeof(buf), 0);
		assert_int_equal(csum_fold(csum_block_add(a, b, cut)), csum_fold(whole));
		assert_int_equal(csum_fold(csum_block_sub(whole, b, cut)), csum_fold(a));
	}
}

static void ip_header(void **state)
{
	/* The header of RFC 1071's folklore: 192.168.0.1 to 192.168.0.199, checksum 0xb861. */
	uint8_t h[20] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
	uint16_t sum = ip_fast_csum(h, 5);

	(void)state;
	assert_int_equal(in_network_order(sum), 0xb861);
	memcpy(h + 10, &sum, 2);
	assert_int_equal(ip_fast_csum(h, 5), 0);
}

static void pseudo_header(void **state)
{
	uint8_t buf[12 + 8] = {198, 51, 100, 1, 192, 0, 2, 9, 0, 17, 0, 8, 0x13, 0x88, 0x00, 0x35, 0, 8, 0, 0};
	be32 saddr, daddr;

	(void)state;
	memcpy(&saddr, buf, 4);
	memcpy(&daddr, buf + 4, 4);
	uint16_t sum = csum_tcpudp_magic(saddr, daddr, 8, 17, csum_partial(buf + 12, 8, 0));
	assert_int_equal(in_network_order(sum), slow_checksum(buf, sizeof(buf)));
}

static void incremental_update(void **state)
{
	uint8_t buf[20];
	uint64_t seed = 4;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		fill(buf, sizeof(buf), seed++);
		memset(buf + 10, 0, 2);
		uint16_t sum = ip_fast_csum(buf, 5);
		be32 from32, to32 = (be32)test_random(&seed);
		be16 from16, to16 = (be16)test_random(&seed);
		memcpy(&from32, buf + 12, 4);
		memcpy(buf + 12, &to32, 4);
		csum_replace4(&sum, from32, to32);
		memcpy(&from16, buf + 8, 2);
		memcpy(buf + 8, &to16, 2);
		csum_replace2(&sum, from16, to16);
		assert_int_equal(sum, ip_fast_csum(buf, 5));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_and_alignment), cmocka_unit_test(long_blocks_and_carries), cmocka_unit_test(blocks_add_up),
		cmocka_unit_test(ip_header), cmocka_unit_test(pseudo_header), cmocka_unit_test(incremental_update),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
