/* SPDX-License-Identifier: MIT */
/* socket_internal.h - the socket layer's state of an instance, and what its files call of each other. */
#ifndef XMIT_SOCKET_SOCKET_INTERNAL_H
#define XMIT_SOCKET_SOCKET_INTERNAL_H

#include "ip/ip.h"
#include "socket/socket.h"

/* Linux's numbers of options that some libc lack. */
#ifndef SO_SNDBUFFORCE
#define SO_SNDBUFFORCE 32
#endif
#ifndef SO_RCVBUFFORCE
#define SO_RCVBUFFORCE 33
#endif
#ifndef SO_MARK
#define SO_MARK 36
#endif
#ifndef SO_PROTOCOL
#define SO_PROTOCOL 38
#endif
#ifndef SO_DOMAIN
#define SO_DOMAIN 39
#endif
#ifndef SO_RXQ_OVFL
#define SO_RXQ_OVFL 40
#endif
#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL 46
#endif
#ifndef SO_MAX_PACING_RATE
#define SO_MAX_PACING_RATE 47
#endif
#ifndef SO_INCOMING_CPU
#define SO_INCOMING_CPU 49
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef SO_TIMESTAMPNS
#define SO_TIMESTAMPNS 35
#endif
#ifndef SO_TIMESTAMPING
#define SO_TIMESTAMPING 37
#endif
enum { SO_TIMESTAMP_NEW_ = 63, SO_TIMESTAMPNS_NEW_ = 64, SO_TIMESTAMPING_NEW_ = 65 };
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif
#ifndef SO_BINDTODEVICE
#define SO_BINDTODEVICE 25
#endif
#ifndef SO_NO_CHECK
#define SO_NO_CHECK 11
#endif

enum { /* SO_SNDBUF and SO_RCVBUF go no lower, bytes: two small skbs with their overhead, as Linux has it on 64 bits */
	SOCK_MIN_SNDBUF = 4608,
	SOCK_MIN_RCVBUF = 2304,
};

struct netns_sock {
	socket_sendmsg_policy policy;      /* NULL: everything passes */
	struct kmem_cache *socket_cache;
	/* sysctls net.core.*, bytes */
	int32_t sysctl_wmem_max, sysctl_wmem_default, sysctl_rmem_default, sysctl_optmem_max;
};

/* sock_timestamps.c: setting all of these options; reading the int ones (false: name is none of them); reading SO_TIMESTAMPING.  0 or -errno. */
int sock_set_timestamps(struct sock *sk, int name, int val);
bool sock_timestamp_option(const struct sock *sk, int name, int *v);
int sock_get_timestamping(const struct sock *sk, int name, void *val, socklen_t *len);

/* V1, V2, S1: the user's bytes on their way down, len of them, named by their place in the sock's stream. */
void sock_trace_slow(const struct sock *sk, enum trace_point point, size_t len);
static inline void sock_trace(const struct sock *sk, enum trace_point point, size_t len)
{
	if (unlikely(sk->sk_net->trace.on))
		sock_trace_slow(sk, point, len);
}

/* --- af_inet.c, af_inet6.c, inet_addr.c --- */
extern const struct proto_ops inet_stream_ops, inet_dgram_ops, inet_sockraw_ops;
extern const struct proto_ops inet6_stream_ops, inet6_dgram_ops;
int inet_create(struct net *net, struct socket *sock, int family, int protocol);
ssize_t inet_sendmsg_fastopen(struct socket *sock, struct msghdr_k *msg); /* inet_connect.c */
int inet_release(struct socket *sock);
int inet_bind(struct socket *sock, const struct sockaddr_any *addr, socklen_t len);
int inet_stream_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags);
int inet_dgram_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags);
int inet_accept(struct socket *sock, struct socket *newsock, int flags);
int inet_getname(struct socket *sock, struct sockaddr_any *addr, int peer);
unsigned inet_poll(struct socket *sock);
int inet_listen(struct socket *sock, int backlog);
int inet_shutdown(struct socket *sock, int how);
ssize_t inet_sendmsg(struct socket *sock, struct msghdr_k *msg);
ssize_t inet_recvmsg(struct socket *sock, struct msghdr_k *msg, int flags);
int sock_common_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len);
int sock_common_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len);
int inet_ioctl(struct socket *sock, unsigned long cmd, void *arg);
int inet_ifioctl(struct net *net, unsigned long cmd, void *arg); /* SIOCGIF*; -ENOTTY for others */

/* --- sock_options.c --- */
int sol_socket_setsockopt(struct socket *sock, int name, const void *val, socklen_t len);
int sol_socket_getsockopt(struct socket *sock, int name, void *val, socklen_t *len);
/* Copies an option's value out, cut to *len, which then says how much it is. */
int sock_opt_out(void *val, socklen_t *len, const void *v, socklen_t n);
/*
 * SO_RCVTIMEO and SO_SNDTIMEO come in two layouts: the old number with two longs, the new one with two 64-bit words; which of them libc
 * means by the name depends on its time_t.
 */
static inline bool sock_timeo_is_rcv(int name) { return name == SO_RCVTIMEO || name == 20 || name == 66; }
static inline bool sock_timeo_is_snd(int name) { return name == SO_SNDTIMEO || name == 21 || name == 67; }
static inline bool sock_timeo_is_new(int name) { return name == 66 || name == 67; }
/* An int option's value; -EINVAL when too short, -EFAULT. */
int sock_opt_int(const void *val, socklen_t len, int *v);

#endif
