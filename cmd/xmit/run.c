/* SPDX-License-Identifier: MIT */
/*
 * run.c - xmit run: makes a stack and its device, runs the command on it (frontend/), reports, and ends as the command ended.
 */
#include "cmd.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../frontend/frontend.h"
#include "xmit/control.h"
#include "xmit/dev.h"
#include "xmit/trace.h"

#define TRACE_ORDER 18u /* records: 2^18 of 40 bytes */
#define WALK_ORDER 16u

/* The name is an abstract socket, held as long as we live: a second stack of the name is refused. */
static int claim_name(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "xmit/%s", name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) == 0)
		return 0;
	if (errno == EADDRINUSE)
		return complain("a stack named '%s' runs already: choose another --name", name);
	return complain("cannot claim the name '%s': %s", name, strerror(errno));
}

static int apply_sysctls(xmit_net *net, const struct run_options *o)
{
	char why[256] = "";

	for (unsigned i = 0; i < o->n_sysctls; i++) {
		if (xmit_sysctl_set(net, o->sysctls[i].name, o->sysctls[i].value, why, sizeof(why)) == 0)
			continue;
		if (errno == ENOENT)
			return complain("--sysctl: %s%s", why[0] ? why : "there is no setting ", why[0] ? "" : o->sysctls[i].name);
		return complain("--sysctl %s=%s: %s", o->sysctls[i].name, o->sysctls[i].value, why[0] ? why : strerror(errno));
	}
	return 0;
}

static int start_recording(xmit_net *net, const struct run_options *o, struct run_device *d)
{
	xmit_dev *dev = d->dev ? d->dev : xmit_dev_by_name(net, "lo");

	if (o->pcap && xmit_pcap_start(dev, o->pcap, 65535 + 64) < 0)
		return complain("cannot write the capture file %s: %s", o->pcap, strerror(errno));
	if ((o->trace || o->walk) && xmit_trace_start(net, o->trace ? TRACE_ORDER : WALK_ORDER) < 0)
		return complain("cannot start the trace: %s (it needs %u MB of --memory)", strerror(errno), o->trace ? 11 : 3);
	return 0;
}

static FILE *open_trace_file(const struct run_options *o)
{
	FILE *f = o->trace_file ? fopen(o->trace_file, "we") : stderr;

	if (!f)
		complain("cannot write the trace to %s: %s", o->trace_file, strerror(errno));
	return f;
}

static void report(xmit_net *net, const struct run_options *o, const struct frontend_result *r, FILE *trace)
{
	uint64_t next = r->trace_next;

	if (o->walk && r->walk)
		fputs(r->walk, stderr);
	else if (o->walk)
		complain("--walk: no data segment of the command was seen whole");
	if (o->trace)
		xmit_trace_print_from(net, &next, UINT_MAX, trace);
	if (o->stats)
		xmit_print_stats(net, stderr);
}

static int run_command(xmit_net *net, const struct run_options *o, const struct run_device *d, int *status)
{
	struct frontend_config cfg = { .net = net, .argv = o->command, .dev = d->dev, .addr = d->addr.addr, .prefix_len = d->addr.prefix_len,
				       .gateway = d->gateway, .walk = o->walk };
	struct frontend_result result;
	char why[512];
	FILE *trace = open_trace_file(o);

	if (!trace)
		return -1;
	cfg.trace = o->trace ? trace : NULL;
	int rc = frontend_run(&cfg, &result, why, sizeof(why));
	if (rc < 0) {
		complain("%s", why);
	} else if (result.exec_errno) {
		complain("cannot run %s: %s", o->command[0], strerror(result.exec_errno));
		*status = (result.exec_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC) << 8;
	} else {
		report(net, o, &result, trace);
		*status = result.wait_status;
	}
	free(result.walk);
	if (trace != stderr)
		fclose(trace);
	return rc;
}

/* Ends as the command did: with its exit code, or by its signal (without a core file of ours). */
static int end_like(int status)
{
	struct rlimit no_core = { 0, 0 };

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static xmit_net *make_stack(const struct run_options *o)
{
	struct xmit_config cfg = { .size = sizeof(cfg), .memory_bytes = o->memory_bytes };
	xmit_net *net = xmit_net_new(&cfg);

	if (!net)
		complain("cannot make the stack: %s", strerror(errno));
	return net;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o;
	struct run_device d = { 0 };
	char why[512];
	int status = EXIT_XMIT << 8;

	if (run_parse(argc, argv, &o) < 0)
		return EXIT_XMIT;
	if (o.help) {
		help_run(stdout);
		return EXIT_SUCCESS;
	}
	if (frontend_check(why, sizeof(why)) < 0) {
		complain("%s", why);
		return EXIT_XMIT;
	}
	if (o.name && claim_name(o.name) < 0)
		return EXIT_XMIT;
	xmit_net *net = make_stack(&o);
	if (!net)
		return EXIT_XMIT;
	if (apply_sysctls(net, &o) == 0 && run_open_device(net, &o, &d) == 0 && start_recording(net, &o, &d) == 0)
		if (run_command(net, &o, &d, &status) < 0)
			status = EXIT_XMIT << 8;
	xmit_net_free(net);
	return end_like(status);
}
