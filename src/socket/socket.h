/* SPDX-License-Identifier: MIT */
/*
 * socket.h - struct socket, what the user holds, and its operations by family and type (S1, first table).
 * All functions return >= 0 or -errno; the public xmit_* calls (vfs/) turn that into -1 and errno.
 */
#ifndef XMIT_SOCKET_SOCKET_H
#define XMIT_SOCKET_SOCKET_H

#include "core/sock.h"

enum socket_state { SS_FREE, SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING };

struct socket;
struct proto_ops {
	uint16_t family;
	int (*release)(struct socket *sock);
	int (*bind)(struct socket *sock, const struct sockaddr_any *addr, socklen_t len);
	int (*connect)(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags);
	int (*accept)(struct socket *sock, struct socket *newsock, int flags);
	int (*getname)(struct socket *sock, struct sockaddr_any *addr, int peer); /* length, or -errno */
	unsigned (*poll)(struct socket *sock);
	int (*ioctl)(struct socket *sock, unsigned long cmd, void *arg);
	int (*listen)(struct socket *sock, int backlog);
	int (*shutdown)(struct socket *sock, int how);
	int (*setsockopt)(struct socket *sock, int level, int name, const void *val, socklen_t len);
	int (*getsockopt)(struct socket *sock, int level, int name, void *val, socklen_t *len);
	ssize_t (*sendmsg)(struct socket *sock, struct msghdr_k *msg);
	ssize_t (*recvmsg)(struct socket *sock, struct msghdr_k *msg, int flags);
};

/* Who wants to know when something became true of the socket: its file (vfs/), which sets socket.wake and wake_ctx. */
typedef void (*socket_wake_fn)(void *ctx, unsigned poll_mask);

struct socket {
	uint8_t state;          /* enum socket_state */
	uint8_t type;           /* SOCK_* */
	uint16_t flags;
	const struct proto_ops *ops;
	struct sock *sk;        /* counted */
	struct net *net;
	socket_wake_fn wake;
	void *wake_ctx;
};

/* sock_create: -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -EINVAL, -ENOBUFS, -ENOMEM. */
int sock_create(struct net *net, int family, int type, int protocol, struct socket **res);
void sock_release(struct socket *sock);
struct socket *sock_alloc(struct net *net);               /* bare, for accept */
/* The policy check (a registered hook, none by default), then sock_sendmsg_nosec. */
ssize_t sock_sendmsg(struct socket *sock, struct msghdr_k *msg);
ssize_t sock_recvmsg(struct socket *sock, struct msghdr_k *msg, int flags);
int sock_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len); /* all levels */
int sock_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len);
void sock_init_data(struct socket *sock, struct sock *sk);  /* joins both halves, sets sk_wake and defaults */
void sock_graft(struct sock *sk, struct socket *parent);
void sock_orphan(struct sock *sk);
/* A policy over messages: returns 0 or -errno before any byte is taken (V2's policy check). */
typedef int (*socket_sendmsg_policy)(struct net *net, struct socket *sock, const struct msghdr_k *msg);
void sock_set_policy(struct net *net, socket_sendmsg_policy fn);

int sock_init(struct net *net);
void sock_exit(struct net *net);

#endif
