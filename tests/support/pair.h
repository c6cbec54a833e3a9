/* SPDX-License-Identifier: MIT */
/* pair.h - for tests of two hosts on one link, in virtual time: client a (192.0.2.1) and server b (192.0.2.2), new for each case. */
#ifndef XMIT_TESTS_PAIR_H
#define XMIT_TESTS_PAIR_H

#include "sim.h"
#include "test.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static struct sim s;
static xmit_net *a, *b;

static int setup(void **state)
{
	(void)state;
	sim_init_pair(&s, 11, NULL);
	a = s.host[0];
	b = s.host[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_exit(&s);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
