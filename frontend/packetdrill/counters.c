/* SPDX-License-Identifier: MIT */
/*
 * counters.c - the instance's counters for nstat(8), which scripts run: files laid out as /proc/net/netstat and /proc/net/snmp.
 *
 * nstat reads the files that PROC_NET_NETSTAT and PROC_NET_SNMP name.  Ours lie in memory and are reached by way of /proc/PID/fd; the names in them are
 * the kernel's own list, each with the instance's count (0 where it has no such counter).  They are written anew after each call that may have counted.
 */
#include "adapter.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILE_BYTES = 32768, LOW_FDS = 256 };

static int make_file(const char *variable)
{
	char path[64];
	int fd = memfd_create(variable, MFD_CLOEXEC), high;

	if (fd < 0)
		return -1;
	/* Low numbers are for the sockets. */
	high = fcntl(fd, F_DUPFD_CLOEXEC, LOW_FDS);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), high);
	if (high >= 0)
		setenv(variable, path, 1);
	return high;
}

void counters_init(struct adapter *a)
{
	a->netstat_fd = make_file("PROC_NET_NETSTAT");
	a->snmp_fd = make_file("PROC_NET_SNMP");
	counters_write(a);
}

void counters_free(struct adapter *a)
{
	if (a->netstat_fd >= 0)
		close(a->netstat_fd);
	if (a->snmp_fd >= 0)
		close(a->snmp_fd);
}

/* One group, "TcpExt: NAME NAME ...": its names again, then its counts. */
static void write_group(struct adapter *a, char *names, FILE *out)
{
	char *save, *group = strtok_r(names, ": ", &save), key[128];
	const char *name;

	if (!group)
		return;
	fprintf(out, "%s:", group);
	while ((name = strtok_r(NULL, ": ", &save))) {
		snprintf(key, sizeof(key), "%s%s", group, name);
		fprintf(out, " %llu", (unsigned long long)xmit_counter(a->net, key, NULL));
	}
	fputc('\n', out);
}

static void write_counters(struct adapter *a, FILE *names, FILE *out)
{
	static _Thread_local char line[FILE_BYTES];

	for (bool of_names = true; fgets(line, sizeof(line), names); of_names = !of_names) {
		line[strcspn(line, "\n")] = 0;
		if (!of_names)
			continue;
		fprintf(out, "%s\n", line);
		write_group(a, line, out);
	}
}

static void write_file(struct adapter *a, int fd, const char *kernels)
{
	char *text = NULL;
	size_t n = 0;
	FILE *names = fopen(kernels, "re"), *out = names ? open_memstream(&text, &n) : NULL;

	if (out) {
		write_counters(a, names, out);
		fclose(out);
		if (pwrite(fd, text, n, 0) == (ssize_t)n && ftruncate(fd, (off_t)n)) {
			/* the rest of an older text stays: nothing reads it before the next time */
		}
		free(text);
	}
	if (names)
		fclose(names);
}

void counters_write(struct adapter *a)
{
	if (a->netstat_fd >= 0)
		write_file(a, a->netstat_fd, "/proc/net/netstat");
	if (a->snmp_fd >= 0)
		write_file(a, a->snmp_fd, "/proc/net/snmp");
}
