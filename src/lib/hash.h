/* SPDX-License-Identifier: MIT */
/*
 * hash.h - keyed hashing.  hsiphash: SipHash-1-3 with a 64-bit key pair folded to 32 bits, for tables an attacker can
 * aim at; siphash: SipHash-2-4, for secrets that leave the host (ISN, cookies).  Aumasson and Bernstein, 2012.
 */
#ifndef XMIT_LIB_HASH_H
#define XMIT_LIB_HASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t key[2];
};

uint64_t siphash(const void *data, size_t len, const struct siphash_key *key);
uint32_t hsiphash(const void *data, size_t len, const struct siphash_key *key);
/* A cheap mix of three words and a seed (public-domain lookup3 final mix). */
static inline uint32_t hash_rol32(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }
static inline uint32_t jhash_3words(uint32_t a, uint32_t b, uint32_t c, uint32_t seed)
{
	a += 0xdeadbeef + 12 + seed;
	b += 0xdeadbeef + 12 + seed;
	c += 0xdeadbeef + 12 + seed;
	c ^= b; c -= hash_rol32(b, 14);
	a ^= c; a -= hash_rol32(c, 11);
	b ^= a; b -= hash_rol32(a, 25);
	c ^= b; c -= hash_rol32(b, 16);
	a ^= c; a -= hash_rol32(c, 4);
	b ^= a; b -= hash_rol32(a, 14);
	c ^= b; c -= hash_rol32(b, 24);
	return c;
}
/* Maps a 32-bit hash onto 0 .. n-1 without division. */
static inline uint32_t reciprocal_scale(uint32_t hash, uint32_t n) { return (uint32_t)(((uint64_t)hash * n) >> 32); }

#endif
