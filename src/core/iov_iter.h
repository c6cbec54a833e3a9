/* SPDX-License-Identifier: MIT */
/*
 * iov_iter.h - a cursor over the user's memory (V2).  Every way in (write, writev, sendmsg ...) makes one of these.
 *
 * ITER_IOVEC walks an array of struct iovec.  ITER_FILL asks a callback to write the bytes straight to their destination
 * (a pipe or socket read into stack memory): it is what lets a front end keep to one copy.
 */
#ifndef XMIT_CORE_IOV_ITER_H
#define XMIT_CORE_IOV_ITER_H

#include "wire/checksum.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

enum iter_type { ITER_IOVEC, ITER_FILL };

struct iov_iter {
	enum iter_type type;
	size_t count;              /* bytes left */
	union {
		struct {
			const struct iovec *iov;
			size_t nr_segs;
			size_t iov_offset; /* into iov[0] */
		};
		struct {
			/* Writes up to n bytes to dst; returns how many, 0 at end, or -errno. */
			ssize_t (*fill)(void *ctx, void *dst, size_t n);
			void *ctx;
		};
	};
};

void iov_iter_init(struct iov_iter *it, const struct iovec *iov, size_t nr_segs, size_t count);
void iov_iter_fill_init(struct iov_iter *it, ssize_t (*fill)(void *, void *, size_t), void *ctx, size_t count);
/* Copies n bytes (n <= count) out of or into the user's memory and advances.  Returns the bytes moved: fewer only for ITER_FILL. */
size_t copy_from_iter(void *dst, size_t n, struct iov_iter *it);
size_t copy_to_iter(const void *src, size_t n, struct iov_iter *it);
/* copy_from_iter that also adds the bytes to *sum, as a block starting at even offset. */
size_t csum_and_copy_from_iter(void *dst, size_t n, csum32 *sum, struct iov_iter *it);
void iov_iter_advance(struct iov_iter *it, size_t n);
/* Goes back n bytes of what was consumed (ITER_IOVEC only; false for ITER_FILL). */
bool iov_iter_revert(struct iov_iter *it, size_t n);

#endif
