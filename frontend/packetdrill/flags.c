/* SPDX-License-Identifier: MIT */
/* flags.c - what --so_flags say: NAME=VALUE, separated by commas.  doc/packetdrill.md lists them. */
#include "adapter.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MTU_LEAST = 68, MTU_MOST = 65535, FLAG_BYTES = 300 };

static bool complain(char *why, size_t n, const char *text, const char *what)
{
	snprintf(why, n, "--so_flags: '%s': %s", text, what);
	return false;
}

static bool copy(char *to, size_t room, const char *from)
{
	size_t n = strlen(from);

	if (!n || n >= room)
		return false;
	memcpy(to, from, n + 1);
	return true;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, 10);
	return !errno && end != text && !*end && *text != '-' && *v >= least && *v <= most;
}

static bool one_flag(struct flags *f, const char *name, const char *value, char *why, size_t n)
{
	uint64_t v;

	if (!strcmp(name, "local")) {
		if (f->n_local == ADDRS_MOST || !copy(f->local[f->n_local], sizeof(f->local[0]), value))
			return complain(why, n, value, "local=ADDRESS/BITS is wanted, at most 8 of them");
		f->n_local++;
		return true;
	}
	if (!strcmp(name, "mtu")) {
		if (!number(value, MTU_LEAST, MTU_MOST, &v))
			return complain(why, n, value, "mtu takes 68 to 65535");
		f->mtu = (unsigned)v;
		return true;
	}
	if (!strcmp(name, "seed"))
		return number(value, 0, UINT64_MAX, &f->seed) || complain(why, n, value, "seed takes a number");
	if (!strcmp(name, "dev"))
		return copy(f->dev, sizeof(f->dev), value) || complain(why, n, value, "no interface has such a name");
	if (!strcmp(name, "cc"))
		return copy(f->cc, sizeof(f->cc), value) || complain(why, n, value, "no congestion control has such a name");
	if (!strcmp(name, "pcap"))
		return copy(f->pcap, sizeof(f->pcap), value) || complain(why, n, value, "the file's name is too long");
	return complain(why, n, name, "there are local, mtu, dev, cc, seed and pcap");
}

bool flags_parse(struct flags *f, const char *text, char *why, size_t n)
{
	char flag[FLAG_BYTES];

	*f = (struct flags){.dev = "tun0", .cc = "cubic", .seed = 1};
	while (text && *text) {
		size_t len = strcspn(text, ",");
		if (len >= sizeof(flag))
			return complain(why, n, text, "too long");
		memcpy(flag, text, len);
		flag[len] = 0;
		text += len + (text[len] == ',');
		char *eq = strchr(flag, '=');
		if (!eq)
			return complain(why, n, flag, "NAME=VALUE is wanted");
		*eq = 0;
		if (!one_flag(f, flag, eq + 1, why, n))
			return false;
	}
	return true;
}
