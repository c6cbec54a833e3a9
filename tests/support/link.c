/* SPDX-License-Identifier: MIT */
/* link.c - a bottleneck in virtual time; see link.h. */
#include "link.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

struct link_frame {
	struct link_frame *next;
	uint64_t arrival_ns;
	size_t len;
	uint8_t bytes[];
};

/* CE, and the header checksum that goes with it (RFC 1624, by adding up anew). */
static bool mark(uint8_t *frame)
{
	uint8_t *ip = frame + 14;
	uint32_t sum = 0;

	if (frame[12] != 8 || frame[13] != 0 || !(ip[1] & 3))
		return false;
	ip[1] |= 3;
	ip[10] = ip[11] = 0;
	for (int i = 0; i < 4 * (ip[0] & 15); i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	return true;
}

static struct link_frame *copy_frame(const struct iovec *iov, int n)
{
	size_t len = 0, at = 0;
	struct link_frame *f;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	f = malloc(sizeof(*f) + len);
	CHECK(f);
	f->len = len;
	f->next = NULL;
	for (int i = 0; i < n; i++) {
		memcpy(f->bytes + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return f;
}

/* By arrival; a frame that arrives with another goes behind it.  Only a late one finds others behind itself. */
static void launch(struct link_way *w, struct link_frame *f, uint64_t arrival_ns)
{
	struct link_frame **at = &w->first;

	f->arrival_ns = arrival_ns;
	if (w->last && w->last->arrival_ns <= arrival_ns)
		at = &w->last->next;
	while (*at && (*at)->arrival_ns <= arrival_ns)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
	if (!f->next)
		w->last = f;
}

static void count(struct link_way *w, size_t len, uint64_t queue, uint64_t now)
{
	w->frames++;
	w->bytes += len;
	w->queue_sum += queue;
	w->queue_most = queue > w->queue_most ? queue : w->queue_most;
	w->burst = w->burst_ns == now ? w->burst + 1 : 1;
	w->burst_ns = now;
	w->burst_most = w->burst > w->burst_most ? w->burst : w->burst_most;
}

static int frame_out(void *ctx, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	struct link_way *w = ctx;
	const struct link *l = w->link;
	uint64_t now = l->s->now_ns, queue = impair_waiting_bytes(&w->line, now), arrival[2];
	struct link_frame *f = copy_frame(iov, n);
	bool dropped;

	(void)o;
	count(w, f->len, queue, now);
	unsigned copies = impair_frame(&w->line, now, f->len, arrival, &dropped);
	w->dropped += dropped;
	w->lost += !dropped && !copies;
	if (!dropped && l->c.mark_bytes && queue > l->c.mark_bytes && mark(f->bytes))
		w->marked++;
	if (copies == 2) {
		struct iovec again = {f->bytes, f->len};
		launch(w, copy_frame(&again, 1), arrival[1]);
	}
	if (copies)
		launch(w, f, arrival[0]);
	else
		free(f);
	return 0;
}

static uint64_t link_next(void *ctx)
{
	const struct link *l = ctx;
	uint64_t next = XMIT_NEVER;

	for (int i = 0; i < 2; i++)
		if (l->way[i].first && l->way[i].first->arrival_ns < next)
			next = l->way[i].first->arrival_ns;
	return next;
}

static void link_run(void *ctx)
{
	struct link *l = ctx;

	for (int i = 0; i < 2; i++) {
		struct link_way *w = &l->way[i];
		while (w->first && w->first->arrival_ns <= l->s->now_ns) {
			struct link_frame *f = w->first;
			struct iovec iov = {f->bytes, f->len};
			w->first = f->next;
			if (!w->first)
				w->last = NULL;
			if (xmit_packet_input(l->dev[w->to], &iov, 1, NULL))
				w->dropped++;
			free(f);
		}
	}
}

void link_init_pair(struct link *l, struct sim *s, uint64_t seed, const struct link_config *c)
{
	char cidr[32];

	memset(l, 0, sizeof(*l));
	l->s = s;
	l->c = *c;
	if (!l->c.queue_bytes)
		l->c.queue_bytes = 1 << 20;
	sim_init(s, seed);
	for (int i = 0; i < 2; i++) {
		struct link_way *w = &l->way[i];
		*w = (struct link_way){.link = l, .to = 1 - i};
		w->line = (struct impair){.faults = c->faults, .seed = seed * 2 + (uint64_t)i, .rate_bps = c->rate_bps, .delay_ns = c->delay_ns,
					  .queue_bytes = l->c.queue_bytes};
		w->line.faults.loss_ppm += i == 0 ? c->loss_ppm : 0;
		w->line.police_bps = i == 0 ? c->police_bps : 0;
		w->line.police_burst_bytes = c->police_burst_bytes;
		struct xmit_packet_config p = {.size = sizeof(p), .type = XMIT_DEV_ETHER, .mtu = 1500, .mac = {2, 0, 0, 0, 0, (uint8_t)(i + 1)},
					       .out = frame_out, .ctx = w, .features = XMIT_F_SG};
		sim_add_host(s, 0);
		l->dev[i] = xmit_packet_new(s->host[i], &p);
		CHECK(l->dev[i]);
		snprintf(cidr, sizeof(cidr), "192.0.2.%d/24", i + 1);
		CHECK(xmit_dev_up(l->dev[i]) == 0 && xmit_addr_add_text(l->dev[i], cidr) == 0);
		s->dev[i] = l->dev[i];
	}
	s->outside = (struct sim_outside){.next = link_next, .run = link_run, .ctx = l};
}

void link_reset_counts(struct link *l)
{
	struct link_way *w = &l->way[0];

	w->frames = w->bytes = w->dropped = w->lost = w->marked = w->queue_sum = w->queue_most = 0;
	w->burst = w->burst_most = 0;
}

void link_exit(struct link *l)
{
	for (int i = 0; i < 2; i++)
		while (l->way[i].first) {
			struct link_frame *f = l->way[i].first;
			l->way[i].first = f->next;
			free(f);
		}
}
