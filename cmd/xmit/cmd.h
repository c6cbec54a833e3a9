/* SPDX-License-Identifier: MIT */
/* cmd.h - what the files of the program `xmit` share. */
#ifndef XMIT_CMD_CMD_H
#define XMIT_CMD_CMD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include "xmit/xmit.h"

enum { EXIT_XMIT = 125, EXIT_CANNOT_EXEC = 126, EXIT_NOT_FOUND = 127 }; /* our own failures, as env(1) and timeout(1) report theirs */

#define MAX_SYSCTLS 64

struct cidr {
	bool given;
	struct in_addr addr;
	unsigned prefix_len;
};

enum dev_kind { DEV_NONE, DEV_TAP, DEV_TUN, DEV_PACKET, DEV_PASST };

/* The options of `xmit run`, checked. */
struct run_options {
	enum dev_kind dev;
	const char *ifname;
	struct cidr host_addr, addr;
	struct in_addr gateway;
	bool has_gateway;
	unsigned mtu;                     /* 0: the device's default */
	struct { char name[64]; const char *value; } sysctls[MAX_SYSCTLS];
	unsigned n_sysctls;
	const char *pcap, *trace_file, *name;
	bool trace, walk, stats, help;
	size_t memory_bytes;              /* 0: default */
	char *const *command;             /* NULL-terminated */
};

/* What a device brought with it. */
struct run_device {
	xmit_dev *dev;                    /* NULL: none */
	pid_t passt;                      /* 0: not started */
	struct cidr addr;
	struct in_addr gateway;
	uint32_t window;                  /* most to be advertised, bytes; 0: no limit */
};

int cmd_run(int argc, char **argv);
int cmd_help(int argc, char **argv);
void help_usage(FILE *out);
void help_run(FILE *out);

/* Prints "xmit: ..." and the newline to stderr; returns -1. */
__attribute__((format(printf, 1, 2))) int complain(const char *fmt, ...);
/* The word of the NULL-terminated list nearest to `word`, or NULL when none is near. */
const char *nearest(const char *word, const char *const *list);

/* run_options.c: 0, or -1 after a message. */
int run_parse(int argc, char **argv, struct run_options *o);
/* run_dev.c: 0, or -1 after a message. */
int run_open_device(xmit_net *net, const struct run_options *o, struct run_device *d);
/* run_host.c: gives the host's end of a new interface its address and brings it up. */
int host_end_up(const char *ifname, const struct cidr *addr, unsigned mtu);
/* run_passt.c: starts passt; the connected descriptor, or -1 after a message. */
int passt_start(const struct cidr *addr, struct in_addr gateway, unsigned mtu, pid_t *pid);
/* The receive window, bytes, that lets passt lose nothing on its socket. */
uint32_t passt_window(int fd);

#endif
