/* SPDX-License-Identifier: MIT */
/* impair.c - the fate of frames on a bad link; see impair.h. */
#include "impair.h"

enum draw { DRAW_LOSS, DRAW_STATE, DRAW_BAD_LOSS, DRAW_DUPLICATE, DRAW_REORDER, DRAW_JITTER, DRAWS = 8 };

/* splitmix64 (Steele, Lea, Flood 2014), by index: each decision about each frame has a number of its own. */
static uint64_t draw(const struct impair *i, enum draw which)
{
	uint64_t z = i->seed * UINT64_C(0xd1342543de82ef95) + (i->ordinal * DRAWS + which + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool happens(const struct impair *i, enum draw which, uint32_t ppm) { return ppm && draw(i, which) % 1000000 < ppm; }

static bool is_lost(struct impair *i)
{
	const struct impair_faults *f = &i->faults;

	if (happens(i, DRAW_STATE, i->bad ? f->to_good_ppm : f->to_bad_ppm))
		i->bad = !i->bad;
	if (i->bad && happens(i, DRAW_BAD_LOSS, f->bad_loss_ppm))
		return true;
	if (f->mask_bits && (f->lost_mask >> (i->ordinal % f->mask_bits) & 1))
		return true;
	return happens(i, DRAW_LOSS, f->loss_ppm);
}

uint64_t impair_waiting_bytes(const struct impair *i, uint64_t now_ns)
{
	if (!i->rate_bps || i->free_ns <= now_ns)
		return 0;
	return (uint64_t)((double)(i->free_ns - now_ns) * (double)i->rate_bps / 8e9);
}

static uint64_t arrival(struct impair *i)
{
	const struct impair_faults *f = &i->faults;
	uint64_t t = i->free_ns + i->delay_ns;

	if (happens(i, DRAW_REORDER, f->reorder_ppm)) {
		i->late++;
		return t + f->reorder_ns;
	}
	if (f->jitter_ns)
		t += draw(i, DRAW_JITTER) % (f->jitter_ns + 1);
	if (t < i->latest_ns)
		t = i->latest_ns;
	i->latest_ns = t;
	return t;
}

/* A burst of zero is an empty bucket that never fills. */
static bool is_policed(struct impair *i, uint64_t now_ns, size_t len)
{
	if (!i->police_bps)
		return false;
	if (!i->policed_ns)
		i->tokens_bytes = i->police_burst_bytes;
	else
		i->tokens_bytes += (double)(now_ns - i->policed_ns) * (double)i->police_bps / 8e9;
	if (i->tokens_bytes > i->police_burst_bytes)
		i->tokens_bytes = i->police_burst_bytes;
	i->policed_ns = now_ns;
	if (i->tokens_bytes < (double)len) {
		i->policed++;
		return true;
	}
	i->tokens_bytes -= (double)len;
	return false;
}

unsigned impair_frame(struct impair *i, uint64_t now_ns, size_t len, uint64_t arrival_ns[2], bool *dropped)
{
	uint64_t waiting = impair_waiting_bytes(i, now_ns);
	bool lost = is_lost(i) || is_policed(i, now_ns, len);
	unsigned copies = 0;

	*dropped = i->rate_bps && waiting + len > i->queue_bytes;
	if (*dropped) {
		i->dropped++;
	} else {
		i->free_ns = (i->free_ns > now_ns ? i->free_ns : now_ns) + (i->rate_bps ? len * 8 * UINT64_C(1000000000) / i->rate_bps : 0);
		if (lost)
			i->lost++;
		else
			arrival_ns[copies++] = arrival(i);
	}
	if (copies && happens(i, DRAW_DUPLICATE, i->faults.duplicate_ppm)) {
		arrival_ns[1] = arrival_ns[0];
		copies++;
		i->doubled++;
	}
	i->ordinal++;
	return copies;
}
