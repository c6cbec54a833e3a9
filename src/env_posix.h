/* SPDX-License-Identifier: MIT */
/* env_posix.h - the default surroundings of an instance on a POSIX system. */
#ifndef XMIT_ENV_POSIX_H
#define XMIT_ENV_POSIX_H

#include "xmit/xmit.h"

/* Puts the default into every member that is NULL. */
void env_fill_defaults(struct xmit_env *env);
/* The memory of struct net itself, zeroed; outside the arena, which it describes. */
void *env_alloc_instance(size_t n);
void env_free_instance(void *p, size_t n);

#endif
