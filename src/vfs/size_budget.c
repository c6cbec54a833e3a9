/* SPDX-License-Identifier: MIT */
/* size_budget.c - holds what an idle established TCP connection costs (DESIGN.md, Size): socket, sock and file together. */
#include "socket/socket.h"
#include "tcp/tcp_internal.h"
#include "vfs/file.h"

/* 19 in a slab of 16 KiB (core/slab.c): as few bytes more are lost to rounding as there can be. */
static_assert(sizeof(struct tcp_sock) <= 856, "what few connections need belongs to sock_ext or tcp_ext");
static_assert(sizeof(struct tcp_sock) + sizeof(struct socket) + sizeof(struct file) <= 1024,
	      "an idle TCP connection fits in 1,024 bytes: attach what is needed only while active");
