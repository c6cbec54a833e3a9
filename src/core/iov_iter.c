/* SPDX-License-Identifier: MIT */
/* iov_iter.c - moving bytes between the user's memory and the stack's, and the cursor that remembers where we are (V2). */
#include "core/iov_iter.h"
#include "lib/compiler.h"
#include <string.h>

void iov_iter_init(struct iov_iter *it, const struct iovec *iov, size_t nr_segs, size_t count)
{
	*it = (struct iov_iter){.type = ITER_IOVEC, .count = count};
	it->iov = iov;
	it->nr_segs = nr_segs;
	it->iov_offset = 0;
}

void iov_iter_fill_init(struct iov_iter *it, ssize_t (*fill)(void *, void *, size_t), void *ctx, size_t count)
{
	*it = (struct iov_iter){.type = ITER_FILL, .count = count};
	it->fill = fill;
	it->ctx = ctx;
}

/* The contiguous bytes at the cursor, at most n; NULL: the vector holds no more, or the user gave NULL: a short copy, so EFAULT. */
static uint8_t *segment(struct iov_iter *it, size_t n, size_t *part)
{
	while (it->nr_segs && it->iov_offset == it->iov->iov_len) {
		it->iov++;
		it->nr_segs--;
		it->iov_offset = 0;
	}
	if (!it->nr_segs || unlikely(!it->iov->iov_base))
		return NULL;
	*part = MIN(n, it->iov->iov_len - it->iov_offset);
	return (uint8_t *)it->iov->iov_base + it->iov_offset;
}

/* Asks the callback until n bytes are there, it has no more, or fails. */
static size_t fill_bytes(uint8_t *dst, size_t n, struct iov_iter *it)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = it->fill(it->ctx, dst + done, n - done);
		if (got <= 0)
			break;
		ASSERT((size_t)got <= n - done);
		done += (size_t)got;
	}
	it->count -= done;
	return done;
}

size_t copy_from_iter(void *dst, size_t n, struct iov_iter *it)
{
	size_t done = 0, part;
	const uint8_t *p;

	n = MIN(n, it->count);
	if (it->type == ITER_FILL)
		return fill_bytes(dst, n, it);
	for (; done < n && (p = segment(it, n - done, &part)); done += part) {
		memcpy((uint8_t *)dst + done, p, part);
		it->iov_offset += part;
	}
	it->count -= done;
	return done;
}

size_t copy_to_iter(const void *src, size_t n, struct iov_iter *it)
{
	size_t done = 0, part;
	uint8_t *p;

	if (it->type == ITER_FILL)
		return 0; /* a source only */
	n = MIN(n, it->count);
	for (; done < n && (p = segment(it, n - done, &part)); done += part) {
		memcpy(p, (const uint8_t *)src + done, part);
		it->iov_offset += part;
	}
	it->count -= done;
	return done;
}

size_t csum_and_copy_from_iter(void *dst, size_t n, csum32 *sum, struct iov_iter *it)
{
	size_t done = 0, part;
	const uint8_t *p;

	n = MIN(n, it->count);
	if (it->type == ITER_FILL) {
		done = fill_bytes(dst, n, it);
		*sum = csum_partial(dst, done, *sum);
		return done;
	}
	for (; done < n && (p = segment(it, n - done, &part)); done += part) {
		csum32 s = csum_partial_copy(p, (uint8_t *)dst + done, part, 0);
		*sum = csum_block_add(*sum, s, done);
		it->iov_offset += part;
	}
	it->count -= done;
	return done;
}

void iov_iter_advance(struct iov_iter *it, size_t n)
{
	size_t part;

	n = MIN(n, it->count);
	it->count -= n;
	if (it->type == ITER_FILL)
		return;
	for (; n && segment(it, n, &part); n -= part)
		it->iov_offset += part;
}

bool iov_iter_revert(struct iov_iter *it, size_t n)
{
	if (it->type == ITER_FILL)
		return n == 0;
	it->count += n;
	while (n > it->iov_offset) {
		n -= it->iov_offset;
		it->iov--;
		it->nr_segs++;
		it->iov_offset = it->iov->iov_len;
	}
	it->iov_offset -= n;
	return true;
}
