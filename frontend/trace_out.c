/* SPDX-License-Identifier: MIT */
/*
 * trace_out.c - the text of --trace, written while the program runs.
 *
 * The stack's ring of records is the buffer: each round writes what has come since, a few lines at a time (CHUNK), and only while the file
 * takes it without blocking.  So a reader that keeps up loses nothing, however long the run, and one that does not costs the program
 * nothing: what the ring overwrites meanwhile is counted, and said in a line where it is missing.  A file that fails (its reader has
 * gone) ends the trace, not the program.  What is left at the end is written by the one who called (cmd/xmit/run.c), who may wait.
 */
#include "supervisor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "xmit/trace.h"

#define CHUNK PIPE_BUF /* bytes: a pipe that reports POLLOUT takes so much */
#define CHUNK_LINES 24 /* none longer than 160 bytes */
#define LOOK_AGAIN_NS (10 * NSEC_PER_MSEC)

struct trace_out {
	int fd;
	uint64_t next;             /* record, counted from the start */
	size_t len, written;       /* of text */
	FILE *text_file;           /* writes into text */
	char text[CHUNK];
};

int trace_out_open(struct supervisor *sup)
{
	struct trace_out *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->text_file = fmemopen(t->text, sizeof(t->text), "w");
	if (!t->text_file) {
		free(t);
		return -ENOMEM;
	}
	t->fd = fileno(sup->config->trace);
	signal(SIGPIPE, SIG_IGN);
	sup->trace = t;
	return 0;
}

static void fill_text(struct supervisor *sup, struct trace_out *t)
{
	rewind(t->text_file);
	xmit_trace_print_from(sup->net, &t->next, CHUNK_LINES, t->text_file);
	fflush(t->text_file);
	t->len = (size_t)ftell(t->text_file);
	t->written = 0;
}

/* False: the file takes no more now, or for ever. */
static bool write_text(struct supervisor *sup, struct trace_out *t)
{
	struct pollfd p = { .fd = t->fd, .events = POLLOUT };

	if (poll(&p, 1, 0) <= 0)
		return false;
	ssize_t n = write(t->fd, t->text + t->written, t->len - t->written);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		xmit_trace_stop(sup->net);
		t->next = UINT64_MAX;
		t->len = t->written = 0;
		return false;
	}
	t->written += n > 0 ? (size_t)n : 0;
	return t->written == t->len;
}

void trace_out_round(struct supervisor *sup)
{
	struct trace_out *t = sup->trace;

	do {
		if (t->written == t->len)
			fill_text(sup, t);
	} while (t->written < t->len && write_text(sup, t));
}

uint64_t trace_out_next_look(const struct supervisor *sup)
{
	return sup->trace->written < sup->trace->len ? sup->now_ns + LOOK_AGAIN_NS : XMIT_NEVER;
}

uint64_t trace_out_close(struct supervisor *sup)
{
	struct trace_out *t = sup->trace;
	uint64_t next = t->next;

	fwrite(t->text + t->written, 1, t->len - t->written, sup->config->trace);
	fclose(t->text_file);
	free(t);
	sup->trace = NULL;
	return next;
}
