/* SPDX-License-Identifier: MIT */
/*
 * path.h - for the tests of the path (sim/test_path_*.c): a client on host 0 (192.0.2.1) and a server on host 1 (192.0.2.2), in virtual time, and
 * every frame of host 0's device, both ways, with its time and its first bytes.
 *
 * Frames are read by byte offsets, not by the stack's own header structures, so that an error in those does not hide itself.
 */
#ifndef XMIT_TESTS_PATH_H
#define XMIT_TESTS_PATH_H

#include "core/net.h"
#include "sim.h"
#include "tcp/tcp_internal.h"
#include "test.h"
#include "vfs/vfs_internal.h"
#include "xmit/trace.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

enum { PATH_KEPT = 4096, PATH_BYTES = 160, PATH_MSS = 1448 /* 1,500 less headers and timestamps */ };
enum { PF_FIN = 1, PF_SYN = 2, PF_RST = 4, PF_PSH = 8, PF_ACK = 16 };

struct frame {
	uint64_t time_ns;
	bool out;                /* sent by host 0 */
	uint32_t len;            /* bytes of the whole frame */
	const void *second_piece; /* where the second piece of memory lay: payload that was not copied */
	uint8_t b[PATH_BYTES];
};

/* True: this frame is lost.  nr counts the frames of that end from 0. */
typedef bool (*path_lose_fn)(const struct frame *f, int end, unsigned nr);

struct path {
	struct sim s;
	xmit_net *a, *b;
	int c, d;                /* the client's and the server's end of the connection */
	unsigned n;              /* frames seen; the first PATH_KEPT are kept */
	struct frame f[PATH_KEPT];
	path_lose_fn lose;
	unsigned passed[2];      /* frames of either end that lose() was asked about */
};
static struct path p;

static inline uint32_t be_at(const uint8_t *b, unsigned bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | *b++;
	return v;
}

/* --- reading a frame ---------------------------------------------------------------------------------------------------- */

static inline bool is_ip(const struct frame *f) { return be_at(f->b + 12, 2) == 0x0800; }
static inline bool is_arp(const struct frame *f) { return be_at(f->b + 12, 2) == 0x0806; }
static inline const uint8_t *ip_of(const struct frame *f) { return f->b + 14; }
static inline bool is_tcp(const struct frame *f) { return is_ip(f) && ip_of(f)[9] == 6; }
static inline unsigned ip_len(const struct frame *f) { return be_at(ip_of(f) + 2, 2); }
static inline const uint8_t *tcp_of(const struct frame *f) { return ip_of(f) + 4 * (ip_of(f)[0] & 15); }
static inline uint32_t seq_of(const struct frame *f) { return be_at(tcp_of(f) + 4, 4); }
static inline uint32_t ack_of(const struct frame *f) { return be_at(tcp_of(f) + 8, 4); }
static inline unsigned doff_of(const struct frame *f) { return 4u * (tcp_of(f)[12] >> 4); }
static inline uint8_t flags_of(const struct frame *f) { return tcp_of(f)[13]; }
static inline uint32_t window_of(const struct frame *f) { return be_at(tcp_of(f) + 14, 2); }
static inline unsigned payload_of(const struct frame *f) { return ip_len(f) - 4 * (ip_of(f)[0] & 15) - doff_of(f); }
/* The option's bytes, kind first; NULL: not there. */
static inline const uint8_t *option_of(const struct frame *f, uint8_t kind)
{
	const uint8_t *o = tcp_of(f) + 20, *end = tcp_of(f) + doff_of(f);

	while (o < end && *o) {
		if (*o == kind)
			return o;
		o += *o == 1 ? 1 : o[1];
	}
	return NULL;
}

/* Frames of host 0, from number `from` on: how many TCP segments with payload it sent, and of these bytes. */
static inline unsigned data_segments(unsigned from, uint64_t *bytes)
{
	unsigned segs = 0;

	if (bytes)
		*bytes = 0;
	for (unsigned i = from; i < p.n && i < PATH_KEPT; i++) {
		if (!p.f[i].out || !is_tcp(&p.f[i]) || !payload_of(&p.f[i]))
			continue;
		segs++;
		if (bytes)
			*bytes += payload_of(&p.f[i]);
	}
	return segs;
}

/* The nth frame (from 0) from `from` on that host 0 sent (out) or got, TCP, with all of these flags; fails if there is none. */
static inline const struct frame *nth_tcp(unsigned from, unsigned nth, bool out, uint8_t flags)
{
	for (unsigned i = from; i < p.n && i < PATH_KEPT; i++)
		if (p.f[i].out == out && is_tcp(&p.f[i]) && (flags_of(&p.f[i]) & flags) == flags && !nth--)
			return &p.f[i];
	fail_msg("no such segment");
	return NULL;
}

static inline const struct frame *nth_data(unsigned from, unsigned nth)
{
	for (unsigned i = from; i < p.n && i < PATH_KEPT; i++)
		if (p.f[i].out && is_tcp(&p.f[i]) && payload_of(&p.f[i]) && !nth--)
			return &p.f[i];
	fail_msg("no such segment with data");
	return NULL;
}

/* --- the network ---------------------------------------------------------------------------------------------------------- */

static inline void path_read(struct frame *f, const struct iovec *iov, int n)
{
	unsigned have = 0;

	f->second_piece = n > 1 ? iov[1].iov_base : NULL;
	for (int i = 0; i < n; i++) {
		size_t take = iov[i].iov_len < PATH_BYTES - have ? iov[i].iov_len : PATH_BYTES - have;
		memcpy(f->b + have, iov[i].iov_base, take);
		have += (unsigned)take;
		f->len += (uint32_t)iov[i].iov_len;
	}
}

static inline void path_tap(void *ctx, const struct iovec *iov, int n, bool out, uint64_t time_ns)
{
	(void)ctx;
	if (!n)
		return;
	if (p.n < PATH_KEPT) {
		struct frame *f = &p.f[p.n];
		*f = (struct frame){.time_ns = time_ns, .out = out};
		path_read(f, iov, n);
	}
	p.n++;
}

static inline bool path_lost(void *ctx, int end, uint64_t ordinal, const struct iovec *iov, int n)
{
	struct frame f = {.out = end == 0};

	(void)ctx;
	(void)ordinal;
	if (!p.lose)
		return false;
	path_read(&f, iov, n);
	return p.lose(&f, end, p.passed[end]++);
}

/* From now on frames are lost as lose() says; NULL: none. */
static inline void path_lose(path_lose_fn lose)
{
	p.lose = lose;
	p.passed[0] = p.passed[1] = 0;
}

static inline void path_link(const struct xmit_vnic_config *link)
{
	struct xmit_vnic_config l = *link;

	l.size = sizeof(l);
	l.lose = path_lost;
	p.n = 0;
	p.lose = NULL;
	sim_init_pair(&p.s, 7, &l);
	p.a = p.s.host[0];
	p.b = p.s.host[1];
	assert_int_equal(xmit_dev_tap(p.s.dev[0], path_tap, NULL), 0);
}

static inline int path_listen(uint16_t port)
{
	struct sockaddr_in addr = sim_addr(1, port);
	int l = xmit_socket(p.b, AF_INET, SOCK_STREAM, 0), one = 1;

	assert_true(l >= 0);
	assert_int_equal(xmit_setsockopt(p.b, l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(xmit_bind(p.b, l, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(xmit_listen(p.b, l, 8), 0);
	return l;
}

/* p.c and p.d, connected, and nothing on its way. */
static inline void path_join(int l, int c, uint16_t port)
{
	struct sockaddr_in addr = sim_addr(1, port);

	p.c = c;
	assert_int_equal(xmit_connect(p.a, p.c, (struct sockaddr *)&addr, sizeof(addr)), 0);
	p.d = xmit_accept(p.b, l, NULL, NULL);
	assert_true(p.d >= 0);
	sim_run(&p.s, SIM_SEC);
}

static inline void path_connect(void)
{
	int l = path_listen(80);

	path_join(l, xmit_socket(p.a, AF_INET, SOCK_STREAM, 0), 80);
	xmit_close(p.b, l);
}

/*
 * The usual start: a link without offloads (each frame a segment, sums complete), one way delay_ns, a connection over it.  Ten
 * gigabits: frames arrive one by one, so that the receiver's merging (GRO) does not hide them from each other.
 */
#define PATH_PLAIN .features = XMIT_VNIC_NO_OFFLOAD, .rate_bps = UINT64_C(10000000000)
static inline void path_plain(uint64_t delay_ns)
{
	path_link(&(struct xmit_vnic_config){PATH_PLAIN, .delay_ns = delay_ns});
	path_connect();
}

static inline int path_end(void **state)
{
	(void)state;
	sim_exit(&p.s);
	return 0;
}

static inline struct sock *sk_of(xmit_net *net, int fd)
{
	struct file *f;
	int err;
	struct socket *sock = sockfd_lookup_light(net, fd, &f, &err);

	assert_non_null(sock);
	fput(f);
	return sock->sk;
}
static inline struct tcp_sock *tp_of(xmit_net *net, int fd) { return tcp_sk(sk_of(net, fd)); }

static inline void set_opt(xmit_net *net, int fd, int level, int name, int v)
{
	assert_int_equal(xmit_setsockopt(net, fd, level, name, &v, sizeof(v)), 0);
}

static inline void set_sysctl(xmit_net *net, const char *name, const char *value)
{
	assert_int_equal(xmit_sysctl_set(net, name, value, NULL, 0), 0);
}

/* A counter that exists. */
static inline uint64_t count_of(xmit_net *net, const char *name)
{
	bool known;
	uint64_t v = xmit_counter(net, name, &known);

	assert_true(known);
	return v;
}

/* Reads all that is there; bytes. */
static inline size_t drain(xmit_net *net, int fd)
{
	static char buf[65536];
	size_t got = 0;
	ssize_t n;

	while ((n = xmit_recv(net, fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	return got;
}

/* --- for TCP ---------------------------------------------------------------------------------------------------------------- */

/* Fills the send buffer and lets time pass; the reader reads. */
static inline void stream_for(uint64_t ns)
{
	static char big[1 << 16];
	uint64_t until = p.s.now_ns + ns;

	do {
		while (xmit_send(p.a, p.c, big, sizeof(big), MSG_DONTWAIT) > 0)
			;
		drain(p.b, p.d);
	} while (sim_step(&p.s, until) || p.s.now_ns < until);
}

static inline void congestion(int fd, const char *name)
{
	assert_int_equal(xmit_setsockopt(p.a, fd, IPPROTO_TCP, XMIT_TCP_CONGESTION, name, (socklen_t)strlen(name)), 0);
}

static inline bool lose_all_tcp(const struct frame *f, int end, unsigned nr)
{
	(void)end;
	(void)nr;
	return is_tcp(f);
}

/* Once lose_next_segment() was called: the next segment that has not been sent yet is lost the first time. */
static uint32_t lost_seq;
static bool lost_once;
static inline bool lose_lost_seq_once(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	if (end || !is_tcp(f) || !payload_of(f) || lost_once || seq_of(f) != lost_seq)
		return false;
	return lost_once = true;
}

static inline void lose_next_segment(void)
{
	lost_once = false;
	lost_seq = tp_of(p.a, p.c)->snd_nxt;
	path_lose(lose_lost_seq_once);
}

/* A path test is set up by itself; its network ends here. */
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, path_end)

#endif
