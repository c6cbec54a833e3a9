/* SPDX-License-Identifier: MIT */
/*
 * sim.h - networks of instances in virtual time, for tests: hosts on one clock, joined by vnic links.
 *
 * The clock only moves in sim_step(), to the earliest deadline of any host; so a run is a pure function of its seed.  A failing
 * test prints the seed by sim_describe().
 */
#ifndef XMIT_TESTS_SIM_H
#define XMIT_TESTS_SIM_H

#include "xmit/control.h"
#include "xmit/dev.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"
#include <stdbool.h>

enum { SIM_HOSTS_MAX = 8 };

struct sim {
	uint64_t now_ns;
	uint64_t seed, random;
	int hosts;
	xmit_net *host[SIM_HOSTS_MAX];
	struct sim_env { struct sim *sim; int index; } env[SIM_HOSTS_MAX];
	xmit_dev *dev[SIM_HOSTS_MAX];
	int log_lines;
	bool in_step;
	/* Something between the hosts that has times of its own (link.h); run() does what is due, next() says when again. */
	struct sim_outside { uint64_t (*next)(void *ctx); void (*run)(void *ctx); void *ctx; } outside;
};

void sim_init(struct sim *s, uint64_t seed);
/* A new host with the given memory cap (0: default); returns its index. */
int sim_add_host(struct sim *s, size_t memory_bytes);
/* Two hosts on one link: 192.0.2.1/24 on host 0, 192.0.2.2/24 on host 1. link NULL: default vnic. */
void sim_init_pair(struct sim *s, uint64_t seed, const struct xmit_vnic_config *link);
void sim_init_pair_mem(struct sim *s, uint64_t seed, const struct xmit_vnic_config *link, size_t mem0, size_t mem1);
/* Runs all hosts until none has work at this moment, then moves the clock to the next deadline, at most to limit_ns. False: limit. */
bool sim_step(struct sim *s, uint64_t limit_ns);
/* Steps for a duration. */
void sim_run(struct sim *s, uint64_t duration_ns);
/* Steps until cond; false after limit_ns of virtual time. */
bool sim_run_until(struct sim *s, bool (*cond)(void *ctx), void *ctx, uint64_t limit_ns);
void sim_exit(struct sim *s);
uint64_t sim_random(struct sim *s);
/* Frees the hosts after asserting that closing everything leaves nothing alive. */
#define SIM_SEC UINT64_C(1000000000)
#define SIM_MS UINT64_C(1000000)

struct sockaddr_in sim_addr(int host, uint16_t port); /* 192.0.2.(host+1) */

/* One bulk transfer: `bytes` of a pattern made from seed from one host to another, contents compared. */
struct sim_flow {
	struct sim *sim;
	int from, to;
	uint64_t bytes, sent, received;
	uint64_t pattern;
	int listen_fd, send_fd, recv_fd;
	size_t chunk;
	uint16_t port;
	bool done, failed, shut;
	int error;
	uint64_t started_ns, finished_ns;
};
/* Starts it; it goes on by itself inside sim_step() (event callbacks). */
void sim_flow_start(struct sim_flow *f, struct sim *s, int from, int to, uint16_t port, uint64_t bytes);
bool sim_flow_done(void *flow);
/* Tries again what an error (ENOBUFS) may have stopped. */
void sim_flow_poke(struct sim_flow *f);
void sim_flow_close(struct sim_flow *f);

#endif
