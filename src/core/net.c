/* SPDX-License-Identifier: MIT */
/* net.c - services of the instance itself: random numbers and the log. */
#include "core/net.h"
#include <stdarg.h>
#include <stdio.h>

enum { LOG_LINES_PER_SECOND = 10, LOG_LINE_BYTES = 256 };

uint32_t net_random_u32(struct net *net)
{
	struct random_pool *pool = &net->random;

	if (unlikely(!pool->left)) {
		net->env.random(net->env.ctx, pool->word, sizeof(pool->word));
		pool->left = ARRAY_SIZE(pool->word);
	}
	uint32_t v = pool->word[--pool->left];
	pool->word[pool->left] = 0; /* what was given out cannot be read back later */
	return v;
}

void net_log(struct net *net, const char *fmt, ...)
{
	struct log_limit *limit = &net->log;
	char line[LOG_LINE_BYTES];
	va_list ap;

	if (!net->env.log)
		return;
	if (net->now_ns - limit->window_ns >= NSEC_PER_SEC) {
		if (limit->left_out) {
			snprintf(line, sizeof(line), "%u messages left out", (unsigned)limit->left_out);
			net->env.log(net->env.ctx, line);
		}
		*limit = (struct log_limit){.window_ns = net->now_ns};
	}
	if (limit->lines >= LOG_LINES_PER_SECOND) {
		limit->left_out++;
		return;
	}
	limit->lines++;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	net->env.log(net->env.ctx, line);
}
