/* SPDX-License-Identifier: MIT */
/*
 * fuzz_frame.c - frames from the wire, any bytes, into a host with sockets of every kind and state.
 *
 * Input:	mode, fail, then records of { what, length (2 bytes, big-endian), frame }
 * mode		bit 0: frames are mended as their record says; bit 1: device with offloads; bit 2: a connect() is under way;
 *		bit 3: 1 MiB of memory; bit 4: each frame comes with an offload header of 8 bytes in front; bit 5: the connection has timestamps and SACK;
 *		bit 6: frames are not handled one by one, but when time passes; bit 7: a host that does more: raw and ping sockets, a group, errors and
 *		ancillary data for UDP, small receive buffers, forwarding, software GSO
 * fail		the allocation that fails after the set-up; 0: none
 * what		bits 0 to 2: what the program does after the frame; 3 to 5: how much time passes; 6 and 7: how the frame is mended
 *
 * Mending gets a frame past the first checks: addresses, ports and sums are set right and sequence numbers are read as distances from where the
 * connection stands, so that a mutation lands near the window instead of four thousand million bytes away.
 */
#include "fuzz.h"
#include <netinet/in.h>
#include <poll.h>

const char fuzz_name[] = "frame";

enum { MODE_MEND = 1, MODE_OFFLOADS = 2, MODE_OPENING = 4, MODE_SMALL = 8, MODE_OFFLOAD_HEADER = 16, MODE_OPTIONS = 32, MODE_BATCH = 64, MODE_MORE = 128 };
enum { MEND_SUMS, MEND_CONNECTION, MEND_OPENING, MEND_BY_PROTOCOL };
enum { FRAME_MOST = 4096 };
enum { ALL_OFFLOADS = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_TSO | XMIT_F_RXCSUM | XMIT_F_GRO, SOFTWARE_GSO = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_GRO };

struct more { /* descriptors of MODE_MORE, else -1 */
	int raw_fd, ping_fd;
};

static void put_address(uint8_t *ip)
{
	wire_put32(ip + 12, WIRE_PEER_IP);
	wire_put32(ip + 16, WIRE_HOST_IP);
}

static void mend_options(const struct wire_tcp *t, uint8_t *tcp, size_t n)
{
	size_t hlen = (tcp[12] >> 4) * 4u;

	if (hlen > n)
		hlen = n;
	for (size_t at = WIRE_TCP; at + 1 < hlen && tcp[at];) {
		if (tcp[at] == 1) {
			at++;
			continue;
		}
		if (tcp[at + 1] < 2 || at + tcp[at + 1] > hlen)
			return;
		if (tcp[at] == 8 && tcp[at + 1] == 10) {
			wire_put32(tcp + at + 2, t->ts_val + (uint32_t)(int16_t)wire_get16(tcp + at + 4));
			wire_put32(tcp + at + 6, t->ts_ecr + (uint32_t)(int8_t)tcp[at + 9]);
		}
		if (tcp[at] == 5) /* blocks near what the host has in flight */
			for (size_t b = at + 2; b + 4 <= at + tcp[at + 1]; b += 4)
				wire_put32(tcp + b, t->rcv_nxt + (uint32_t)(int16_t)wire_get16(tcp + b + 2));
		at += tcp[at + 1];
	}
}

static void mend_segment(const struct wire_tcp *t, uint8_t *tcp, size_t n)
{
	if (n < WIRE_TCP)
		return;
	wire_put16(tcp, t->peer_port);
	wire_put16(tcp + 2, t->host_port);
	wire_put32(tcp + 4, t->snd_nxt + (uint32_t)(int16_t)wire_get16(tcp + 6));
	wire_put32(tcp + 8, t->rcv_nxt + (uint32_t)(int16_t)wire_get16(tcp + 10));
	mend_options(t, tcp, n);
}

/* An ICMP error quotes a packet that the host sent. */
static void mend_quote(const struct wire_peer *p, uint8_t *q, size_t n)
{
	const struct wire_tcp *t = p->opening_fd >= 0 && (q[1] & 1) ? &p->opening : &p->conn;

	if (n < WIRE_IP)
		return;
	wire_put32(q + 12, WIRE_HOST_IP);
	wire_put32(q + 16, WIRE_PEER_IP);
	size_t hlen = (q[0] & 15) * 4u;
	if (hlen < WIRE_IP || hlen + 8 > n)
		return;
	uint8_t *l4 = q + hlen;
	if (q[9] == IPPROTO_UDP) {
		wire_put16(l4, WIRE_UDP_PORT);
		wire_put16(l4 + 2, WIRE_PEER_UDP_PORT);
	} else if (q[9] == IPPROTO_TCP) {
		wire_put16(l4, t->host_port);
		wire_put16(l4 + 2, t->peer_port);
		wire_put32(l4 + 4, t->rcv_nxt + (uint32_t)(int16_t)wire_get16(l4 + 6));
	}
}

static void mend_by_protocol(const struct wire_peer *p, uint8_t protocol, uint8_t *l4, size_t n)
{
	if (protocol == IPPROTO_UDP && n >= WIRE_UDP) {
		wire_put16(l4, WIRE_PEER_UDP_PORT);
		wire_put16(l4 + 2, WIRE_UDP_PORT);
	} else if (protocol == IPPROTO_TCP && n >= WIRE_TCP) {
		wire_put16(l4 + 2, WIRE_TCP_PORT); /* any source port: mostly for the listener */
	} else if (protocol == IPPROTO_ICMP && n > WIRE_ICMP) {
		mend_quote(p, l4 + WIRE_ICMP, n - WIRE_ICMP);
	}
}

static void mend(const struct wire_peer *p, uint8_t *f, size_t n, unsigned how)
{
	uint8_t *ip = f + WIRE_ETH;

	if (n < WIRE_ETH)
		return;
	memcpy(f, xmit_dev_mac(p->dev), 6);
	if (n < WIRE_ETH + WIRE_IP || wire_get16(f + 12) != 0x0800)
		return;
	size_t hlen = (ip[0] & 15) * 4u, left = n - WIRE_ETH;
	if (how != MEND_SUMS && hlen <= left) {
		put_address(ip);
		if (how == MEND_CONNECTION)
			mend_segment(&p->conn, ip + hlen, left - hlen);
		else if (how == MEND_OPENING)
			mend_segment(&p->opening, ip + hlen, left - hlen);
		else
			mend_by_protocol(p, ip[9], ip + hlen, left - hlen);
	}
	wire_fix_sums(f, n);
}

static bool read_offload(struct fuzz_input *in, struct xmit_offload *o)
{
	uint8_t b[8] = {0};

	fuzz_bytes(in, b, sizeof(b));
	*o = (struct xmit_offload){.needs_csum = b[0] & 1, .csum_valid = b[0] & 2, .ecn = b[0] & 4, .gso = (uint8_t)(b[0] >> 4), .csum_start = b[1],
				   .csum_offset = b[2], .gso_size = wire_get16(b + 4), .hdr_len = wire_get16(b + 6)};
	if (b[0] & 8) { /* out of all bounds */
		o->csum_start = wire_get16(b + 1);
		o->csum_offset = wire_get16(b + 2);
	}
	return b[0] != 0;
}

static void receive_all(struct wire_peer *p, int fd)
{
	uint8_t buf[4096];

	while (fd >= 0 && xmit_recv(p->net, fd, buf, sizeof(buf), 0) > 0)
		;
}

static void receive_in_place(struct wire_peer *p, int fd)
{
	struct iovec iov[4];
	size_t bytes = 0;
	int n = xmit_recv_iov(p->net, fd, iov, 4);

	for (int i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	if (n > 0)
		xmit_recv_skip(p->net, fd, bytes - bytes / 3);
}

/* With its ancillary data, and from the error queue. */
static void receive_messages(struct wire_peer *p, int fd)
{
	union {
		char bytes[512];
		struct cmsghdr align;
	} control;
	uint8_t buf[512];

	for (int flags = 0; flags <= MSG_ERRQUEUE; flags += MSG_ERRQUEUE) {
		struct sockaddr_in from;
		struct iovec iov = {buf, sizeof(buf)};
		struct msghdr msg = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				     .msg_controllen = sizeof(control)};
		xmit_recvmsg(p->net, fd, &msg, flags);
	}
}

static void look_at(struct wire_peer *p, int fd)
{
	struct xmit_tcp_info info;
	socklen_t len = sizeof(info);
	struct pollfd poll = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};

	xmit_getsockopt(p->net, fd, IPPROTO_TCP, XMIT_TCP_INFO, &info, &len);
	xmit_poll_sockets(p->net, &poll, 1, 0);
}

static void act_more(struct wire_peer *p, const struct more *more, unsigned what)
{
	receive_messages(p, p->udp_fd);
	receive_messages(p, more->raw_fd);
	receive_messages(p, more->ping_fd);
	if (what == 1)
		receive_in_place(p, p->conn_fd);
	look_at(p, p->conn_fd);
}

/* What the program that owns the sockets does next. */
static void act(struct wire_peer *p, unsigned what)
{
	static const uint8_t bytes[20000];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	uint8_t buf[2048];
	ssize_t n;
	int fd;

	switch (what) {
	case 1:
		receive_all(p, p->conn_fd);
		receive_all(p, p->opening_fd);
		break;
	case 2:
	case 3:
		xmit_send(p->net, p->conn_fd, bytes, what == 2 ? 100 : sizeof(bytes), 0);
		break;
	case 4:
		xmit_shutdown(p->net, p->conn_fd, SHUT_WR);
		break;
	case 5:
		xmit_close(p->net, p->conn_fd);
		p->conn_fd = -1;
		break;
	case 6:
		n = xmit_recvfrom(p->net, p->udp_fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
		if (n >= 0)
			xmit_sendto(p->net, p->udp_fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
		break;
	case 7:
		fd = xmit_accept4(p->net, p->listen_fd, NULL, NULL, SOCK_NONBLOCK);
		receive_all(p, fd);
		if (fd >= 0)
			xmit_close(p->net, fd);
		break;
	}
	/* Closed and refused descriptors answer EBADF: that too must do no harm. */
}

static void set(struct wire_peer *p, int fd, int level, int name, int value)
{
	xmit_setsockopt(p->net, fd, level, name, &value, sizeof(value));
}

static struct more set_up_more(struct wire_peer *p)
{
	static const uint8_t echo[8] = {8};
	struct ip_mreq group = {.imr_multiaddr = {htonl(0xe9fc0001)}, .imr_interface = {htonl(WIRE_HOST_IP)}}; /* 233.252.0.1 */
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(WIRE_PEER_IP)}};
	struct more more = {.raw_fd = xmit_socket(p->net, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP),
			    .ping_fd = xmit_socket(p->net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP)};

	set(p, p->udp_fd, IPPROTO_IP, IP_RECVERR, 1);
	set(p, p->udp_fd, IPPROTO_IP, IP_PKTINFO, 1);
	set(p, p->udp_fd, IPPROTO_IP, IP_RECVTTL, 1);
	set(p, p->udp_fd, IPPROTO_IP, IP_RECVTOS, 1);
	set(p, p->udp_fd, IPPROTO_IP, IP_RECVOPTS, 1);
	set(p, p->udp_fd, IPPROTO_IP, IP_RETOPTS, 1);
	set(p, p->udp_fd, SOL_SOCKET, SO_TIMESTAMP, 1);
	set(p, p->listen_fd, SOL_SOCKET, SO_RCVBUF, 4096);
	set(p, p->listen_fd, IPPROTO_IP, IP_RECVERR, 1);
	xmit_setsockopt(p->net, p->udp_fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group));
	xmit_sysctl_set(p->net, "net.ipv4.ip_forward", "1", NULL, 0);
	p->forwards = true;
	xmit_sendto(p->net, more.ping_fd, echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to));
	wire_settle(p);
	return more;
}

static void one_record(struct wire_peer *p, struct fuzz_input *in, unsigned mode, const struct more *more)
{
	static uint8_t frame[FRAME_MOST];
	struct xmit_offload o;
	uint8_t what = fuzz_u8(in);
	size_t len = fuzz_u16(in);
	bool offload = (mode & MODE_OFFLOAD_HEADER) && read_offload(in, &o);

	len = fuzz_bytes(in, frame, len < sizeof(frame) ? len : sizeof(frame));
	if (mode & MODE_MEND)
		mend(p, frame, len, what >> 6);
	wire_queue(p, frame, len, offload ? &o : NULL);
	if (!(mode & MODE_BATCH) || (what & 7))
		wire_settle(p);
	act(p, what & 7);
	if (mode & MODE_MORE)
		act_more(p, more, what & 7);
	if (fuzz_time(what >> 3))
		wire_run(p, fuzz_time(what >> 3));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 1, 3, 3, 7};
	static struct wire_peer p;
	struct fuzz_input in = {data, size};
	unsigned mode = fuzz_u8(&in), fail = fuzz_u8(&in);

	struct more more = {-1, -1};

	wire_init(&p, 1, mode & MODE_SMALL ? 1 << 20 : 0, mode & MODE_OFFLOADS ? (mode & MODE_MORE ? SOFTWARE_GSO : ALL_OFFLOADS) : 0);
	if (mode & MODE_MORE)
		more = set_up_more(&p);
	wire_establish(&p, 4000, options, mode & MODE_OPTIONS ? sizeof(options) : 4);
	if (mode & MODE_OPENING)
		wire_open(&p, 9);
	xmit_fail_allocation(p.net, fail);
	while (in.left)
		one_record(&p, &in, mode, &more);
	wire_run(&p, 2 * SIM_SEC);
	wire_exit(&p);
	return 0;
}
