/* SPDX-License-Identifier: MIT */
/* byteorder.h - wire-order (big-endian) integers: their types, conversion, unaligned access. */
#ifndef XMIT_WIRE_BYTEORDER_H
#define XMIT_WIRE_BYTEORDER_H

#include <stdint.h>
#include <string.h>

/* Integers in network byte order.  Under sparse they do not mix with host integers. */
#ifdef __CHECKER__
#define WIRE_TYPE __attribute__((bitwise))
#else
#define WIRE_TYPE
#endif
typedef uint16_t WIRE_TYPE be16;
typedef uint32_t WIRE_TYPE be32;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CPU_TO_BE16(x) ((be16)__builtin_bswap16((uint16_t)(x)))
#define CPU_TO_BE32(x) ((be32)__builtin_bswap32((uint32_t)(x)))
#else
#define CPU_TO_BE16(x) ((be16)(uint16_t)(x))
#define CPU_TO_BE32(x) ((be32)(uint32_t)(x))
#endif

static inline be16 cpu_to_be16(uint16_t v) { return CPU_TO_BE16(v); }
static inline be32 cpu_to_be32(uint32_t v) { return CPU_TO_BE32(v); }
static inline uint16_t be16_to_cpu(be16 v) { return (uint16_t)CPU_TO_BE16(v); }
static inline uint32_t be32_to_cpu(be32 v) { return (uint32_t)CPU_TO_BE32(v); }

static inline uint16_t get_be16(const void *p)
{
	be16 v;
	memcpy(&v, p, sizeof(v));
	return be16_to_cpu(v);
}

static inline uint32_t get_be32(const void *p)
{
	be32 v;
	memcpy(&v, p, sizeof(v));
	return be32_to_cpu(v);
}

static inline void put_be16(void *p, uint16_t v)
{
	be16 w = cpu_to_be16(v);
	memcpy(p, &w, sizeof(w));
}

static inline void put_be32(void *p, uint32_t v)
{
	be32 w = cpu_to_be32(v);
	memcpy(p, &w, sizeof(w));
}

#endif
