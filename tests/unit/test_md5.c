/* SPDX-License-Identifier: MIT */
/* test_md5.c - MD5 against RFC 1321 A.5; TCP-MD5 digests against segments that Linux 6.18 signed. */
#include "tcp/tcp_md5.h"
#include "test.h"

static void hex_of(const uint8_t *d, char *text)
{
	for (int i = 0; i < MD5_DIGEST_BYTES; i++)
		sprintf(text + 2 * i, "%02x", d[i]);
}

static void rfc1321_test_suite(void **state)
{
	static const struct { const char *text, *digest; } suite[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"a", "0cc175b9c0f1b6a831c399e269772661"},
		{"abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(suite); i++) {
		size_t n = strlen(suite[i].text);
		/* In one go, and in two at every place. */
		for (size_t cut = 0; cut <= n; cut++) {
			struct md5 m;
			uint8_t digest[MD5_DIGEST_BYTES];
			char text[33];
			md5_init(&m);
			md5_update(&m, suite[i].text, cut);
			md5_update(&m, suite[i].text + cut, n - cut);
			md5_final(&m, digest);
			hex_of(digest, text);
			assert_string_equal(text, suite[i].digest);
		}
	}
}

/* A SYN that Linux signed for 127.0.0.1, from its TCP header on. */
static void digests_are_linuxs(void **state)
{
	static const uint8_t syn[] = {
		0xd7, 0xcc, 0x1f, 0x90, 0x7c, 0x5f, 0x5e, 0xeb, 0x00, 0x00, 0x00, 0x00, 0xd0, 0x02, 0xff, 0xd7, 0xfe, 0x3c, 0x00, 0x00, 0x01, 0x01, 0x13, 0x12,
		0x5c, 0x1f, 0x71, 0xbd, 0xaa, 0x40, 0xfe, 0x58, 0x87, 0xc3, 0x73, 0xc5, 0x5d, 0x4d, 0xda, 0x9e, 0x02, 0x04, 0xff, 0xd7, 0x01, 0x01, 0x04, 0x02,
		0x01, 0x03, 0x03, 0x0a,
	};
	struct tcp_md5_key key = {.len = 16, .key = "a key of 16 byte"};
	const struct tcphdr *th = (const struct tcphdr *)(const void *)syn;
	be32 loopback = cpu_to_be32(0x7f000001);
	uint8_t digest[MD5_DIGEST_BYTES];

	(void)state;
	assert_ptr_equal(tcp_md5_option(th), syn + 24);
	tcp_md5_hash(digest, &key, loopback, loopback, th, NULL);
	assert_memory_equal(digest, syn + 24, sizeof(digest));
	key.key[3] ^= 1;
	tcp_md5_hash(digest, &key, loopback, loopback, th, NULL);
	assert_memory_not_equal(digest, syn + 24, sizeof(digest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rfc1321_test_suite), cmocka_unit_test(digests_are_linuxs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
