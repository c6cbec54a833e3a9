/* SPDX-License-Identifier: MIT */
/* md5.h - the MD5 message digest (RFC 1321), for TCP-MD5 (RFC 2385) alone: it is no longer a good hash. */
#ifndef XMIT_LIB_MD5_H
#define XMIT_LIB_MD5_H

#include <stddef.h>
#include <stdint.h>

enum { MD5_DIGEST_BYTES = 16 };

struct md5 {
	uint32_t state[4];
	uint64_t bytes;        /* taken so far */
	uint8_t block[64];     /* the last bytes % 64 of them */
};

void md5_init(struct md5 *m);
void md5_update(struct md5 *m, const void *data, size_t n);
void md5_final(struct md5 *m, uint8_t digest[MD5_DIGEST_BYTES]); /* m is then to be initialised anew */

#endif
