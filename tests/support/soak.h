/* SPDX-License-Identifier: MIT */
/*
 * soak.h - random scenarios (sim/test_soak.c): what a scenario is, random choices, and the applications of its connections (soak_apps.c).
 *
 * One scenario at a time: `soak`.  Progress comes from event callbacks alone, so a wakeup that is lost shows.
 */
#ifndef XMIT_TESTS_SOAK_H
#define XMIT_TESTS_SOAK_H

#include "sim.h"

enum { CONNS_MAX = 5, CHUNK_MAX = 100000, DESCRIPTION_MAX = 4096 };

enum ending { ORDERLY, CLOSED, RESET, LINGERED, SHUT_BOTH, SHUT_READ, ENDINGS };

struct conn;
struct end {
	struct conn *conn;
	xmit_net *net;
	int fd;                      /* -1: not yet, or closed */
	uint64_t pattern;            /* of what it sends */
	uint64_t bytes, sent, received;
	uint32_t write_most, read_most;
	uint32_t pauses_ppm;         /* of reads and writes, after which it stops for a while */
	uint64_t pause_most_ns, read_at_ns, write_at_ns;
	bool corks, more, in_place, shut, eof;
	int error;
};
struct conn {
	struct soak *soak;
	struct end end[2];           /* the client's, the server's */
	int server;                  /* which host */
	int listen_fd;
	uint64_t start_ns, accept_ns, abort_ns;
	enum ending ending;
	int aborter;
	bool started, aborted;
};
struct soak {
	struct sim sim;
	uint64_t random;
	int conns;
	struct conn conn[CONNS_MAX];
	char wrong[256];             /* the first thing that went wrong */
	char text[DESCRIPTION_MAX];
	size_t text_len;
};
extern struct soak soak;

/* --- random choices: all from soak.random ------------------------------------------------------------------------------------ */

uint64_t soak_draw(void);
uint64_t soak_below(uint64_t n);
bool soak_one_in(unsigned n);
/* Every order of magnitude as likely as the next. */
uint64_t soak_spread(uint64_t least, uint64_t most);

/* --- what is told ---------------------------------------------------------------------------------------------------------------- */

/* Adds to the scenario's description. */
void soak_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Notes the first thing that went wrong; error: an errno, or 0. */
void soak_wrong(const struct end *e, const char *what, int error);

/* --- the applications -------------------------------------------------------------------------------------------------------------- */

void soak_conn_start(struct conn *c);   /* listens and connects */
void soak_conn_accept(struct conn *c);  /* takes the connection if it is there and wanted */
void soak_conn_abort(struct conn *c);   /* breaks it off as c->ending says */
void soak_end_go_on(struct end *e);     /* reads and writes as far as it may */

#endif
