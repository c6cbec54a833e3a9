/* SPDX-License-Identifier: MIT */
/**
 * @file socket.h
 * Sockets of an instance.  Same names, arguments, results and errno as the calls of Linux, with the instance in front;
 * descriptors are numbers of the instance's own table, not of the host's.  Addresses, messages, options and flags are
 * libc's (struct sockaddr_in, struct msghdr, SOL_SOCKET, IPPROTO_TCP, MSG_DONTWAIT ...).
 *
 * Blocking: a call on a descriptor without O_NONBLOCK runs the instance until it can go on, waiting by env.wait; inside a callback it
 * fails with EAGAIN instead.  SIGPIPE is never raised: EPIPE is returned.
 */
#ifndef XMIT_SOCKET_H
#define XMIT_SOCKET_H

#include "xmit/xmit.h"
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

XMIT_API int xmit_socket(xmit_net *net, int domain, int type, int protocol);
XMIT_API int xmit_bind(xmit_net *net, int fd, const struct sockaddr *addr, socklen_t len);
XMIT_API int xmit_listen(xmit_net *net, int fd, int backlog);
XMIT_API int xmit_accept(xmit_net *net, int fd, struct sockaddr *addr, socklen_t *len);
XMIT_API int xmit_accept4(xmit_net *net, int fd, struct sockaddr *addr, socklen_t *len, int flags);
XMIT_API int xmit_connect(xmit_net *net, int fd, const struct sockaddr *addr, socklen_t len);
XMIT_API int xmit_shutdown(xmit_net *net, int fd, int how);
XMIT_API int xmit_close(xmit_net *net, int fd);
XMIT_API int xmit_dup(xmit_net *net, int fd);
XMIT_API int xmit_dup2(xmit_net *net, int fd, int newfd);
XMIT_API int xmit_fcntl(xmit_net *net, int fd, int cmd, long arg); /**< F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD(_CLOEXEC) */
XMIT_API int xmit_ioctl(xmit_net *net, int fd, unsigned long request, void *arg); /**< FIONREAD/SIOCINQ, SIOCOUTQ, SIOCATMARK, FIONBIO, SIOCGIF* */
XMIT_API int xmit_getsockname(xmit_net *net, int fd, struct sockaddr *addr, socklen_t *len);
XMIT_API int xmit_getpeername(xmit_net *net, int fd, struct sockaddr *addr, socklen_t *len);
XMIT_API int xmit_getsockopt(xmit_net *net, int fd, int level, int name, void *val, socklen_t *len);
XMIT_API int xmit_setsockopt(xmit_net *net, int fd, int level, int name, const void *val, socklen_t len);

XMIT_API ssize_t xmit_read(xmit_net *net, int fd, void *buf, size_t n);
XMIT_API ssize_t xmit_readv(xmit_net *net, int fd, const struct iovec *iov, int iovcnt);
XMIT_API ssize_t xmit_write(xmit_net *net, int fd, const void *buf, size_t n);
XMIT_API ssize_t xmit_writev(xmit_net *net, int fd, const struct iovec *iov, int iovcnt);
XMIT_API off_t xmit_lseek(xmit_net *net, int fd, off_t offset, int whence); /**< a socket has no position: ESPIPE */
XMIT_API ssize_t xmit_recv(xmit_net *net, int fd, void *buf, size_t n, int flags);
XMIT_API ssize_t xmit_recvfrom(xmit_net *net, int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len);
XMIT_API ssize_t xmit_recvmsg(xmit_net *net, int fd, struct msghdr *msg, int flags);
XMIT_API ssize_t xmit_send(xmit_net *net, int fd, const void *buf, size_t n, int flags);
XMIT_API ssize_t xmit_sendto(xmit_net *net, int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len);
XMIT_API ssize_t xmit_sendmsg(xmit_net *net, int fd, const struct msghdr *msg, int flags);
struct xmit_mmsghdr { /**< laid out as Linux's struct mmsghdr */
	struct msghdr msg_hdr;
	unsigned int msg_len;
};
XMIT_API int xmit_sendmmsg(xmit_net *net, int fd, struct xmit_mmsghdr *msgs, unsigned n, int flags);
XMIT_API int xmit_recvmmsg(xmit_net *net, int fd, struct xmit_mmsghdr *msgs, unsigned n, int flags, uint64_t timeout_ns);
/** Sends n bytes of a host file from *offset (NULL: its own position) on; host_fd is a descriptor of the host. */
XMIT_API ssize_t xmit_sendfile(xmit_net *net, int fd, int host_fd, off_t *offset, size_t n);
/**
 * splice(2) between a stream socket and a pipe (or other stream) of the host: up to n bytes, as many as can be moved without waiting once some
 * were.  flags: XMIT_SPLICE_F_*; NONBLOCK is about the pipe, the socket waits unless its descriptor is O_NONBLOCK.
 * @return bytes; 0 at the end of the stream, or at the urgent mark unless the descriptor is O_NONBLOCK; -1 with EAGAIN (would wait), EINVAL (no stream) ...
 */
XMIT_API ssize_t xmit_splice_to(xmit_net *net, int fd, int host_fd, size_t n, unsigned flags);
XMIT_API ssize_t xmit_splice_from(xmit_net *net, int fd, int host_fd, size_t n, unsigned flags);
enum { XMIT_SPLICE_F_NONBLOCK = 2, XMIT_SPLICE_F_MORE = 4 }; /* values of Linux's SPLICE_F_* */

/**
 * Sends up to n bytes which fill() writes straight into stack memory: one copy, done by the caller's own means (read(), recv()).
 * fill returns the bytes it wrote (at most what was asked), 0 when it has no more, or -errno.
 * @return bytes queued; -1 with EAGAIN (no room in the send buffer), EPIPE ..., or fill's error if nothing was queued.
 */
XMIT_API ssize_t xmit_send_fill(xmit_net *net, int fd, ssize_t (*fill)(void *ctx, void *dst, size_t n), void *ctx, size_t n, int flags);
/**
 * Received bytes in place: fills iov with up to max pieces at the head of the receive queue, nothing is consumed.  They stay valid until the
 * next call on this descriptor or xmit_poll().  @return pieces; 0 at end of stream; -1 with EAGAIN, ECONNRESET ...  Streams only.
 */
XMIT_API int xmit_recv_iov(xmit_net *net, int fd, struct iovec *iov, int max);
/** Consumes n bytes that xmit_recv_iov() showed. */
XMIT_API int xmit_recv_skip(xmit_net *net, int fd, size_t n);

/** poll() over descriptors of the instance.  timeout_ms -1: no limit, 0: do not wait. */
XMIT_API int xmit_poll_sockets(xmit_net *net, struct pollfd *fds, unsigned n, int timeout_ms);

/** Events by epoll's rules: level, edge, oneshot, exclusive; values of EPOLLIN ... are those of Linux. */
struct xmit_epoll_event {
	uint32_t events;
	uint64_t data;
};
enum { XMIT_EPOLL_CTL_ADD = 1, XMIT_EPOLL_CTL_DEL = 2, XMIT_EPOLL_CTL_MOD = 3 };
enum {
	XMIT_EPOLLIN = 0x001, XMIT_EPOLLPRI = 0x002, XMIT_EPOLLOUT = 0x004, XMIT_EPOLLERR = 0x008, XMIT_EPOLLHUP = 0x010,
	XMIT_EPOLLRDNORM = 0x040, XMIT_EPOLLWRNORM = 0x100, XMIT_EPOLLRDHUP = 0x2000,
	XMIT_EPOLLEXCLUSIVE = 1 << 28, XMIT_EPOLLONESHOT = 1 << 30,
};
#define XMIT_EPOLLET (UINT32_C(1) << 31)
XMIT_API int xmit_epoll_create(xmit_net *net);
XMIT_API int xmit_epoll_ctl(xmit_net *net, int epfd, int op, int fd, const struct xmit_epoll_event *ev);
XMIT_API int xmit_epoll_wait(xmit_net *net, int epfd, struct xmit_epoll_event *ev, int max, int timeout_ms);

/**
 * Calls back when events of fd become true (edge: once per change), last thing in xmit_poll().  The callback may make any
 * non-blocking call, close fd included, but not xmit_poll().  cb NULL: no more.
 */
typedef void (*xmit_event_cb)(xmit_net *net, int fd, uint32_t events, void *ctx);
XMIT_API int xmit_set_event_cb(xmit_net *net, int fd, xmit_event_cb cb, void *ctx);

/* Options of our own, at level XMIT_SOL_XMIT. */
enum { XMIT_SOL_XMIT = 0x786d };
enum {
	/** int, on a TCP or UDP socket before listen()/bind(): take every destination address and port that comes in by a device;
	 *  accepted sockets tell the original destination by getsockname(). */
	XMIT_SO_ACCEPT_ANY = 1,
	/** uint64_t, read only: the socket's cookie, which names it in traces. Same as SO_COOKIE. */
	XMIT_SO_COOKIE = 2,
};

/* What libc's headers may lack; Linux's values.  (TCP_* as <netinet/tcp.h>; do not include both after this with other values.) */
enum {
	XMIT_TCP_NODELAY = 1, XMIT_TCP_MAXSEG = 2, XMIT_TCP_CORK = 3, XMIT_TCP_KEEPIDLE = 4, XMIT_TCP_KEEPINTVL = 5,
	XMIT_TCP_KEEPCNT = 6, XMIT_TCP_SYNCNT = 7, XMIT_TCP_LINGER2 = 8, XMIT_TCP_DEFER_ACCEPT = 9, XMIT_TCP_WINDOW_CLAMP = 10,
	XMIT_TCP_INFO = 11, XMIT_TCP_QUICKACK = 12, XMIT_TCP_CONGESTION = 13, XMIT_TCP_MD5SIG = 14, XMIT_TCP_USER_TIMEOUT = 18,
	XMIT_TCP_FASTOPEN = 23, XMIT_TCP_TIMESTAMP = 24, XMIT_TCP_NOTSENT_LOWAT = 25, XMIT_TCP_CC_INFO = 26,
	XMIT_TCP_SAVE_SYN = 27, XMIT_TCP_SAVED_SYN = 28, XMIT_TCP_FASTOPEN_CONNECT = 30, XMIT_TCP_MD5SIG_EXT = 32, XMIT_TCP_FASTOPEN_KEY = 33, XMIT_TCP_FASTOPEN_NO_COOKIE = 34,
	XMIT_TCP_RTO_MAX_MS = 44, XMIT_TCP_RTO_MIN_US = 45, XMIT_TCP_DELACK_MAX_US = 46,
	XMIT_TCP_INQ = 36,
};

/** TCP_INFO, laid out as Linux's struct tcp_info.  Times in microseconds unless named _ms-like by Linux (last_*: ms). */
struct xmit_tcp_info {
	uint8_t tcpi_state, tcpi_ca_state, tcpi_retransmits, tcpi_probes, tcpi_backoff, tcpi_options;
	uint8_t tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4;
	uint8_t tcpi_delivery_rate_app_limited : 1, tcpi_fastopen_client_fail : 2;
	uint32_t tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss;
	uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_fackets;
	uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv;
	uint32_t tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar, tcpi_snd_ssthresh, tcpi_snd_cwnd, tcpi_advmss, tcpi_reordering;
	uint32_t tcpi_rcv_rtt, tcpi_rcv_space, tcpi_total_retrans;
	uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate, tcpi_bytes_acked, tcpi_bytes_received;
	uint32_t tcpi_segs_out, tcpi_segs_in, tcpi_notsent_bytes, tcpi_min_rtt, tcpi_data_segs_in, tcpi_data_segs_out;
	uint64_t tcpi_delivery_rate, tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited;
	uint32_t tcpi_delivered, tcpi_delivered_ce;
	uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
	uint32_t tcpi_dsack_dups, tcpi_reord_seen, tcpi_rcv_ooopack, tcpi_snd_wnd, tcpi_rcv_wnd, tcpi_rehash;
	uint16_t tcpi_total_rto, tcpi_total_rto_recoveries;
	uint32_t tcpi_total_rto_time;
	/* Accurate ECN (RFC 9768). */
	uint32_t tcpi_received_ce, tcpi_delivered_e1_bytes, tcpi_delivered_e0_bytes, tcpi_delivered_ce_bytes;
	uint32_t tcpi_received_e1_bytes, tcpi_received_e0_bytes, tcpi_received_ce_bytes;
	uint32_t tcpi_ecn_mode : 2, tcpi_accecn_opt_seen : 2, tcpi_accecn_fail_mode : 4, tcpi_options2 : 24;
};

#ifdef __cplusplus
}
#endif
#endif
