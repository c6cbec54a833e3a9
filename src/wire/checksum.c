/* SPDX-License-Identifier: MIT */
/*
 * checksum.c - summing blocks of bytes (RFC 1071), eight bytes at a time.
 *
 * One's complement addition is the same in any word size whose halves are folded in the end, and in either byte order, so native
 * 64-bit words are added with the carry brought round.  Bytes that do not fill a word are padded with zeros behind.
 */
#include "wire/checksum.h"
#include "lib/compiler.h"

#if defined(__SANITIZE_ADDRESS__)
#define CSUM_CHECKED_LOADS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define CSUM_CHECKED_LOADS 1
#endif
#endif

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline csum32 fold64(uint64_t s)
{
	s = (s & 0xffffffffu) + (s >> 32);
	s = (s & 0xffffffffu) + (s >> 32);
	return (csum32)s;
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__ILP32__) && !defined(CSUM_CHECKED_LOADS)
enum { CHUNK = 128 };

/* n chunks at p, n > 0.  Compilers make no carry chain from C; one halves the instructions (lea and dec leave the carry alone). */
static inline uint64_t add_chunks(uint64_t s, const uint8_t *p, size_t n)
{
	__asm__("clc\n1:\tadcq 0(%1), %0\n\tadcq 8(%1), %0\n\tadcq 16(%1), %0\n\tadcq 24(%1), %0\n\t"
		"adcq 32(%1), %0\n\tadcq 40(%1), %0\n\tadcq 48(%1), %0\n\tadcq 56(%1), %0\n\t"
		"adcq 64(%1), %0\n\tadcq 72(%1), %0\n\tadcq 80(%1), %0\n\tadcq 88(%1), %0\n\t"
		"adcq 96(%1), %0\n\tadcq 104(%1), %0\n\tadcq 112(%1), %0\n\tadcq 120(%1), %0\n\t"
		"leaq 128(%1), %1\n\tdecq %2\n\tjnz 1b\n\tadcq $0, %0"
		: "+r"(s), "+r"(p), "+r"(n)
		:
		: "cc", "memory");
	return s;
}

static inline uint64_t add32_bytes(uint64_t s, const uint8_t *p)
{
	__asm__("addq 0(%1), %0\n\tadcq 8(%1), %0\n\tadcq 16(%1), %0\n\tadcq 24(%1), %0\n\tadcq $0, %0"
		: "+r"(s)
		: "r"(p), "m"(*(const uint8_t(*)[32])p)
		: "cc");
	return s;
}
#else
enum { CHUNK = 64 };

static inline uint64_t add_chunks(uint64_t s, const uint8_t *p, size_t n)
{
	for (const uint8_t *end = p + n * CHUNK; p != end; p += CHUNK)
		for (int i = 0; i < CHUNK; i += 8)
			s = add_carry(s, load64(p + i));
	return s;
}

static inline uint64_t add32_bytes(uint64_t s, const uint8_t *p)
{
	for (int i = 0; i < 32; i += 8)
		s = add_carry(s, load64(p + i));
	return s;
}
#endif

csum32 csum_partial(const void *data, size_t n, csum32 sum)
{
	const uint8_t *p = data;
	uint64_t s = sum;

	if (n >= CHUNK) {
		s = add_chunks(s, p, n / CHUNK);
		p += n - n % CHUNK;
		n %= CHUNK;
	}
	for (; n >= 32; p += 32, n -= 32)
		s = add32_bytes(s, p);
	for (; n >= 8; p += 8, n -= 8)
		s = add_carry(s, load64(p));
	if (n) {
		uint64_t last = 0;
		memcpy(&last, p, n);
		s = add_carry(s, last);
	}
	return fold64(s);
}

csum32 csum_partial_copy(const void *src, void *dst, size_t n, csum32 sum)
{
	/* Blocks that stay in the first-level cache: the vectorised memcpy and the carry chain cost less than one loop doing both. */
	enum { BLOCK = 4096 };
	const uint8_t *from = src;
	uint8_t *to = dst;

	while (n) {
		size_t part = MIN(n, (size_t)BLOCK);
		memcpy(to, from, part);
		sum = csum_partial(to, part, sum);
		from += part;
		to += part;
		n -= part;
	}
	return sum;
}
