/* SPDX-License-Identifier: MIT */
/* tcp_fastopen_state.h - what an instance keeps for Fast Open; private to tcp_fastopen*.c. */
#ifndef XMIT_TCP_TCP_FASTOPEN_STATE_H
#define XMIT_TCP_TCP_FASTOPEN_STATE_H

#include "tcp/tcp_fastopen.h"

enum { FASTOPEN_CACHE_SIZE = 256, FASTOPEN_CACHE_WAYS = 4 };

/* What a client knows of a server. */
struct fastopen_server {
	be32 saddr, daddr;
	uint64_t used_ns;                /* last set; 0: free */
	struct tcp_fastopen_cookie cookie;
	uint16_t mss;                    /* of its last SYN-ACK; 0: not known */
	uint8_t try_exp;                 /* ask by the drafts' option next time: 1; that has failed too: 2 */
	uint8_t syn_loss;
};

struct tcp_fastopen_state {
	struct tcp_fastopen_keys keys;
	struct fastopen_server *cache;   /* FASTOPEN_CACHE_SIZE entries, made with the first that is set; NULL: nothing known */
	uint32_t blackhole_times;        /* how often in a row the client was switched off */
	uint64_t blackhole_ns;           /* when, the last time */
};

#endif
