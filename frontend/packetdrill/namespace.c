/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - the settings of the network namespace, in which scripts set sysctls, become those of the instance.
 *
 * Scripts run sysctl(8), tc(8), ip(8) and the like, which change the namespace that packetdrill runs in.  It is read at the start, when a
 * socket is made, and whenever a command has ended since (seen by the resources that ended children used, which one cheap call tells).
 * Each setting that /proc/sys/net and the instance both have is handed over when its text changed; what the instance refuses is said on stderr.
 */
#include "adapter.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Not taken over: the machine's memory stands behind the kernel's limits, the instance's arena behind these; the last can only be read. */
static const char *const own[] = {"net.ipv4.tcp_mem", "net.ipv4.udp_mem", "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_max_orphans",
	"net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_available_congestion_control"};
static const char *const folders[] = {"net/ipv4", "net/core", "net/ipv4/route"};

static bool is_own(const char *name)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcmp(own[i], name))
			return true;
	return false;
}

/* The value without its newline; false: cannot be read. */
static bool read_proc(const char *name, char *value, size_t room)
{
	char path[96] = "/proc/sys/";
	size_t at = strlen(path);

	for (const char *p = name; *p && at < sizeof(path) - 1; p++)
		path[at++] = *p == '.' ? '/' : *p;
	path[at] = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, value, room - 1);
	close(fd);
	if (n < 0)
		return false;
	while (n > 0 && isspace((unsigned char)value[n - 1]))
		n--;
	value[n] = 0;
	return true;
}

static void find_settings(struct adapter *a, const char *folder)
{
	char path[64], value[SETTING_BYTES];
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/sys/%s", folder);
	DIR *d = opendir(path);
	if (!d)
		return;
	while ((e = readdir(d)) && a->n_settings < SETTINGS_MOST) {
		struct setting *s = &a->setting[a->n_settings];
		int n = snprintf(s->name, sizeof(s->name), "%s/%s", folder, e->d_name);
		if (e->d_name[0] == '.' || n >= (int)sizeof(s->name))
			continue;
		for (char *p = s->name; *p; p++)
			*p = *p == '/' ? '.' : *p;
		if (is_own(s->name) || xmit_sysctl_get(a->net, s->name, value, sizeof(value)) < 0)
			continue;
		s->value[0] = 0;
		a->n_settings++;
	}
	closedir(d);
}

static bool is_congestion_control(const struct setting *s) { return !strcmp(s->name, "net.ipv4.tcp_congestion_control"); }

/*
 * A namespace cannot choose an algorithm that the machine reserves to its administrator, so a script that asked for cubic still reads the
 * machine's default.  bbr as the default therefore stands for the one of the flags.
 */
static const char *wanted_value(const struct adapter *a, const struct setting *s)
{
	return is_congestion_control(s) && !strcmp(s->value, "bbr") ? a->flags.cc : s->value;
}

static void apply(struct adapter *a, const struct setting *s)
{
	char why[200] = "";
	const char *value = wanted_value(a, s);

	if (xmit_sysctl_set(a->net, s->name, value, why, sizeof(why)))
		fprintf(stderr, "xmit-packetdrill: %s=%s: %s\n", s->name, value, why[0] ? why : strerror(errno));
}

static void read_settings(struct adapter *a)
{
	char value[SETTING_BYTES];

	for (unsigned i = 0; i < a->n_settings; i++) {
		struct setting *s = &a->setting[i];
		if (!read_proc(s->name, value, sizeof(value)) || !strcmp(value, s->value) || !value[0])
			continue;
		memcpy(s->value, value, sizeof(value));
		apply(a, s);
	}
}

void namespace_read(struct adapter *a)
{
	struct likeness like = {0};
	struct in_addr addr;
	unsigned bits;

	getrusage(RUSAGE_CHILDREN, &a->children);
	read_settings(a);
	if (a->found_dev && metrics_were_flushed())
		xmit_tcp_metrics_flush(a->net);
	if (a->dev && a->flags.dev[0] && likeness_read(a->flags.dev, &like, &addr, &bits))
		likeness_apply(a, &like);
}

void namespace_look(struct adapter *a)
{
	struct rusage now;

	getrusage(RUSAGE_CHILDREN, &now);
	if (now.ru_minflt != a->children.ru_minflt || now.ru_nvcsw != a->children.ru_nvcsw)
		namespace_read(a);
}

void namespace_init(struct adapter *a)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		find_settings(a, folders[i]);
	namespace_read(a);
}
