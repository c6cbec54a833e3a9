/* SPDX-License-Identifier: MIT */
/* hash.c - SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012), in its 2-4 and 1-3 forms. */
#include "lib/hash.h"
#include <string.h>

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rol64(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

static inline uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline void sip_round(struct sip_state *s)
{
	s->v0 += s->v1; s->v1 = rol64(s->v1, 13); s->v1 ^= s->v0; s->v0 = rol64(s->v0, 32);
	s->v2 += s->v3; s->v3 = rol64(s->v3, 16); s->v3 ^= s->v2;
	s->v0 += s->v3; s->v3 = rol64(s->v3, 21); s->v3 ^= s->v0;
	s->v2 += s->v1; s->v1 = rol64(s->v1, 17); s->v1 ^= s->v2; s->v2 = rol64(s->v2, 32);
}

static inline uint64_t sip(const uint8_t *p, size_t len, const struct siphash_key *key, int c_rounds, int d_rounds)
{
	struct sip_state s = {
		.v0 = UINT64_C(0x736f6d6570736575) ^ key->key[0], .v1 = UINT64_C(0x646f72616e646f6d) ^ key->key[1],
		.v2 = UINT64_C(0x6c7967656e657261) ^ key->key[0], .v3 = UINT64_C(0x7465646279746573) ^ key->key[1],
	};
	uint64_t last = (uint64_t)len << 56;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t m = load_le64(p);
		s.v3 ^= m;
		for (int i = 0; i < c_rounds; i++)
			sip_round(&s);
		s.v0 ^= m;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= last;
	for (int i = 0; i < c_rounds; i++)
		sip_round(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	for (int i = 0; i < d_rounds; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash(const void *data, size_t len, const struct siphash_key *key) { return sip(data, len, key, 2, 4); }

uint32_t hsiphash(const void *data, size_t len, const struct siphash_key *key)
{
	uint64_t h = sip(data, len, key, 1, 3);
	return (uint32_t)(h ^ (h >> 32));
}
