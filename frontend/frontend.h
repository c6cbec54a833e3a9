/* SPDX-License-Identifier: MIT */
/*
 * frontend.h - the universal front end: runs an unmodified command with its internet sockets on an xmit stack.
 *
 * cmd/xmit/run.c makes the stack and its device, then calls frontend_run(), which returns when the command has ended and
 * what it left queued was sent.  Nothing here is part of libxmit; it stands on include/xmit/ alone.
 */
#ifndef XMIT_FRONTEND_FRONTEND_H
#define XMIT_FRONTEND_FRONTEND_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include "xmit/xmit.h"

struct frontend_config {
	xmit_net *net;
	char *const *argv;         /* the command, NULL-terminated; argv[0] is looked up in PATH */
	xmit_dev *dev;             /* the device beside lo, told to the program by netlink; may be NULL */
	struct in_addr addr;       /* its address, 0: none */
	unsigned prefix_len;
	struct in_addr gateway;    /* 0: none */
	bool walk;                 /* keep the walk of one data segment */
	FILE *trace;               /* where the records go while the command runs; NULL: nowhere.  Recording goes on after the walk then */
};

struct frontend_result {
	int wait_status;           /* of the command, as from waitpid() */
	int exec_errno;            /* not 0: the command could not be started, and why */
	uint64_t trace_next;       /* with config->trace: the record from which on the caller prints the rest */
	char *walk;                /* text of the walk (free() it); NULL: none was seen */
};

/* Looks whether this kernel has all that is needed.  0, or -1 with a sentence in why. */
int frontend_check(char *why, size_t why_len);
/* Runs the command to its end.  0, or -1 with a sentence in why when it could not be started. */
int frontend_run(const struct frontend_config *config, struct frontend_result *result, char *why, size_t why_len);

#endif
