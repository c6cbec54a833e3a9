/* SPDX-License-Identifier: MIT */
/*
 * md5.c - the MD5 message digest, from RFC 1321: the message is padded with a one bit, zeros and its length in bits to whole blocks of 64 bytes; each
 * block goes through 64 steps in four rounds.  Words are little-endian, whatever the host.
 */
#include "lib/md5.h"
#include <string.h>

/* T[i] = floor(2^32 * abs(sin(i + 1))), i in radians (RFC 1321 3.4). */
static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
	0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
	0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
	0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
	0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
	0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
static const uint8_t shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t le32_at(const uint8_t *p) { return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0]; }
static uint32_t rotate_left(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

/* The function of the step's round over b, c, d; and which word of the block it takes. */
static uint32_t mix(unsigned i, uint32_t b, uint32_t c, uint32_t d, unsigned *word)
{
	switch (i / 16) {
	case 0:
		*word = i;
		return (b & c) | (~b & d);
	case 1:
		*word = (5 * i + 1) % 16;
		return (b & d) | (c & ~d);
	case 2:
		*word = (3 * i + 5) % 16;
		return b ^ c ^ d;
	default:
		*word = 7 * i % 16;
		return c ^ (b | ~d);
	}
}

static void take_block(struct md5 *m, const uint8_t *p)
{
	uint32_t a = m->state[0], b = m->state[1], c = m->state[2], d = m->state[3];

	for (unsigned i = 0; i < 64; i++) {
		unsigned word;
		uint32_t f = mix(i, b, c, d, &word) + a + sines[i] + le32_at(p + 4 * word);
		a = d;
		d = c;
		c = b;
		b += rotate_left(f, shifts[i / 16][i % 4]);
	}
	m->state[0] += a;
	m->state[1] += b;
	m->state[2] += c;
	m->state[3] += d;
}

void md5_init(struct md5 *m)
{
	*m = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_update(struct md5 *m, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t have = (size_t)(m->bytes % sizeof(m->block)), room = sizeof(m->block) - have;

	m->bytes += n;
	if (n >= room && have) {
		memcpy(m->block + have, p, room);
		take_block(m, m->block);
		p += room;
		n -= room;
		have = 0;
	}
	for (; n >= sizeof(m->block); p += sizeof(m->block), n -= sizeof(m->block))
		take_block(m, p);
	if (n)
		memcpy(m->block + have, p, n);
}

void md5_final(struct md5 *m, uint8_t digest[MD5_DIGEST_BYTES])
{
	static const uint8_t padding[64] = {0x80};
	uint64_t bits = m->bytes * 8;
	size_t have = (size_t)(m->bytes % 64);
	uint8_t length[8];

	for (unsigned i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> 8 * i);
	md5_update(m, padding, have < 56 ? 56 - have : 120 - have);
	md5_update(m, length, sizeof(length));
	for (unsigned i = 0; i < MD5_DIGEST_BYTES; i++)
		digest[i] = (uint8_t)(m->state[i / 4] >> 8 * (i % 4));
}
