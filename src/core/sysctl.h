/* SPDX-License-Identifier: MIT */
/*
 * sysctl.h - the registry of settings, under Linux's names ("net.ipv4.tcp_sack") with Linux's defaults and ranges.
 * A layer registers a static table whose entries point at members of its per-instance state.
 */
#ifndef XMIT_CORE_SYSCTL_H
#define XMIT_CORE_SYSCTL_H

#include "core/net.h"

struct sysctl_entry {
	const char *name;    /* "net.ipv4.tcp_sack" */
	enum { SYSCTL_INT, SYSCTL_INT_VEC, SYSCTL_ULONG_VEC, SYSCTL_STRING, SYSCTL_CUSTOM } type;
	size_t offset;       /* of the member in the state given at registration: int32_t, uint64_t or char[len] */
	unsigned count;      /* members of a vector; bytes of a string buffer */
	int64_t min, max;    /* allowed range of each member */
	/* Optional: runs after a successful write; -errno undoes it, as a wrong number does.  SYSCTL_CUSTOM: parses and stores by itself. */
	int (*changed)(struct net *net, const struct sysctl_entry *e, const char *text);
	int (*show)(struct net *net, const struct sysctl_entry *e, char *buf, size_t n); /* SYSCTL_CUSTOM only */
};

/* Both live as long as the instance. -ENOMEM. */
int sysctl_register(struct net *net, void *state, const struct sysctl_entry *table, unsigned n);
/* 0; -ENOENT no such name; -EINVAL not a number or out of range; why (may be NULL) gets a sentence of at most 200 bytes. */
int sysctl_set(struct net *net, const char *name, const char *value, char *why, size_t why_len);
/* Length written (as snprintf), -ENOENT. */
int sysctl_get(struct net *net, const char *name, char *buf, size_t n);
/* Calls fn for every entry in order of name. */
void sysctl_for_each(struct net *net, void (*fn)(void *ctx, const char *name, const char *value), void *ctx);
int sysctl_init(struct net *net);
void sysctl_exit(struct net *net);

#endif
