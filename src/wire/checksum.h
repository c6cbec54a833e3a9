/* SPDX-License-Identifier: MIT */
/*
 * checksum.h - the Internet checksum (RFC 1071), incremental update (RFC 1624), pseudo-headers.
 *
 * A "sum" (csum32) is a 32-bit partial one's complement sum over 16-bit words as they lie in memory, not folded.
 * A value stored into a header is folded and complemented (csum_fold) and is written as it is: no byte swap.
 */
#ifndef XMIT_WIRE_CHECKSUM_H
#define XMIT_WIRE_CHECKSUM_H

#include "wire/byteorder.h"
#include <stddef.h>

typedef uint32_t csum32;

/* Adds n bytes at p to sum.  p may be unaligned, n may be odd. */
csum32 csum_partial(const void *p, size_t n, csum32 sum);
/* memcpy(dst, src, n) and csum_partial(src, n, sum) in one pass. */
csum32 csum_partial_copy(const void *src, void *dst, size_t n, csum32 sum);

static inline csum32 csum_add(csum32 a, csum32 b)
{
	a += b;
	return a + (a < b);
}
static inline csum32 csum_sub(csum32 a, csum32 b) { return csum_add(a, ~b); }
/* The sum of a block that starts at an odd offset of the whole is byte-swapped. */
static inline csum32 csum_shift(csum32 s, size_t offset)
{
	return (offset & 1) ? ((s & 0xff00ff00u) >> 8) | ((s & 0x00ff00ffu) << 8) : s;
}
static inline csum32 csum_block_add(csum32 s, csum32 s2, size_t offset) { return csum_add(s, csum_shift(s2, offset)); }
static inline csum32 csum_block_sub(csum32 s, csum32 s2, size_t offset) { return csum_block_add(s, ~s2, offset); }
static inline csum32 csum_unfold(uint16_t n) { return n; }
static inline uint16_t csum_fold(csum32 s)
{
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}
/* IPv4 pseudo-header sum (RFC 793 3.1): len is the transport length in bytes. */
static inline csum32 csum_tcpudp_nofold(be32 saddr, be32 daddr, uint32_t len, uint8_t proto, csum32 sum)
{
	uint64_t s = sum;
	s += (uint32_t)saddr;
	s += (uint32_t)daddr;
	s += (uint32_t)cpu_to_be32(len + proto); /* same as be16(len) + be16(proto) modulo 2^16-1 */
	s = (s & 0xffffffffu) + (s >> 32);
	s = (s & 0xffffffffu) + (s >> 32);
	return (csum32)s;
}
static inline uint16_t csum_tcpudp_magic(be32 saddr, be32 daddr, uint32_t len, uint8_t proto, csum32 sum)
{
	return csum_fold(csum_tcpudp_nofold(saddr, daddr, len, proto, sum));
}
/* IPv4 header checksum over ihl (at least 5) 32-bit words; 0 when the stored checksum is right. */
static inline uint16_t ip_fast_csum(const void *iph, unsigned ihl)
{
	const uint8_t *p = iph;
	uint32_t w[5];
	uint64_t s;

	memcpy(w, p, sizeof(w));
	s = (uint64_t)w[0] + w[1] + w[2] + w[3] + w[4];
	for (unsigned i = 5; i < ihl; i++) {
		memcpy(w, p + 4 * i, sizeof(w[0]));
		s += w[0];
	}
	s = (s & 0xffffffffu) + (s >> 32);
	return csum_fold(csum_add((csum32)s, (csum32)(s >> 32)));
}
/* RFC 1624: the stored checksum *sum after a 16- or 32-bit field changed. */
static inline void csum_replace2(uint16_t *sum, be16 from, be16 to)
{
	*sum = csum_fold(csum_add(csum_sub((csum32)(uint16_t)~*sum, (csum32)(uint16_t)from), (csum32)(uint16_t)to));
}
static inline void csum_replace4(uint16_t *sum, be32 from, be32 to)
{
	*sum = csum_fold(csum_add(csum_sub((csum32)(uint16_t)~*sum, (csum32)from), (csum32)to));
}

#endif
