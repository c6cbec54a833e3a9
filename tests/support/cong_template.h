/* SPDX-License-Identifier: MIT */
/* cong_template.h - see cong_template.c. */
#ifndef XMIT_TESTS_CONG_TEMPLATE_H
#define XMIT_TESTS_CONG_TEMPLATE_H

#include "tcp/tcp_cong.h"

extern const struct tcp_congestion_ops tcp_template;

#endif
