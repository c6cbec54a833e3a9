/* SPDX-License-Identifier: MIT */
/*
 * impaired.c - one bulk flow over one impaired link, in real time: who sends, and who receives, is the kernel or we.
 *
 *	impaired SENDER RECEIVER [OPTION...]		SENDER, RECEIVER: kernel | xmit
 *	  --cc NAME		congestion control of the sender (cubic)
 *	  --rtt MS		there and back, half of it each way (20)
 *	  --rate MBIT		of the link, each way (20)
 *	  --queue BYTES		in front of it (one bandwidth-delay product, at least 30,000)
 *	  --loss PPM, --ack-loss PPM	of the frames with data, of those that come back (0)
 *	  --mask HEX:BITS	loses frame n of the data if bit n % BITS is set
 *	  --burst BAD:GOOD:LOSS	Gilbert-Elliott: chance (PPM) per frame to turn bad, to turn good again, and of loss while bad
 *	  --reorder PPM:MS, --duplicate PPM, --jitter MS	of the frames with data
 *	  --seconds S (5), --seed N (1), --pcap PREFIX, --trace
 *
 * The link is this process: what an end sends comes here, waits, is lost or not by its ordinal and the seed (tests/support/impair.h), and goes to
 * the other end.  An end that is the kernel is a namespace of its own with a TAP whose descriptor is here; one that is ours is an instance in
 * this process with a packet device.  No end has offloads: one frame is one packet, and one loss is one packet.  Neighbours are given, IPv6 is off,
 * so that only TCP counts.  Neither device holds a sender back: a TAP, as the packet device, is done with a frame when it has handed it over.
 *
 * The result is read off the link, by the same means for every pair: goodput is what the receiver acknowledged in the time from the SYN on.
 * Prints one line of JSON; late and late_us say how true to time the link was: frames handed over later than their moment by more than a
 * millisecond and a tenth of the round trip, and the latest of all.  --pcap writes PREFIX-sender.pcap (as sent, before the losses) and PREFIX-receiver.pcap (what arrived); --trace prints the
 * sender's window every 20 ms to stderr: s, cwnd, ssthresh, srtt us, rto us, unacked, lost, retrans, state.
 */
#define _GNU_SOURCE
#include "impair.h"
#include <xmit/control.h>
#include <xmit/dev.h>
#include <xmit/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SENDER, RECEIVER, PORT = 5001, MTU = 1500, FRAME_MOST = MTU + 64, CHUNK = 64 << 10, HELD_MOST = 65536, TRACE_MS = 20, PCAP_SNAP = 128 };
static const uint32_t address[2] = {0xc6120001, 0xc6120002}; /* 198.18.0.1, 198.18.0.2 */
static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

struct held {
	struct held *next;
	uint64_t arrival_ns;
	size_t len;
	uint8_t bytes[FRAME_MOST];
};
struct way { /* from end i to the other */
	struct impair line;
	struct held *first, *last, *spare;
	unsigned held;
};
struct end {
	bool ours;
	pid_t child;     /* the kernel's end: namespace and program */
	int tap, control;
	xmit_net *net;
	xmit_dev *dev;
	int fd;
	FILE *pcap;
};
static struct {
	const char *cc;
	double rtt_ms, rate_mbit, seconds;
	uint32_t queue, ack_loss_ppm;
	struct impair_faults faults; /* of the data */
	uint64_t seed;
	const char *pcap;
	bool trace;
} opt = {.cc = "cubic", .rtt_ms = 20, .rate_mbit = 20, .seconds = 5, .seed = 1};
static struct way way[2];
static struct end end[2];
static char chunk[CHUNK];
/* What was seen on the link. */
static uint64_t started_ns, data_frames, resent_frames, late_frames, latest_us;
static uint32_t isn, highest_sent, highest_acked;

static void die(const char *what)
{
	fprintf(stderr, "impaired: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --- captures ------------------------------------------------------------------------------------------------------------------- */

static FILE *pcap_open(const char *who)
{
	const uint32_t head[6] = {0xa1b23c4d, 2 | 4 << 16, 0, 0, PCAP_SNAP, 1};
	char path[512];

	snprintf(path, sizeof(path), "%s-%s.pcap", opt.pcap, who);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(head, sizeof(head), 1, f) != 1)
		die(path);
	return f;
}

static void pcap_write(FILE *f, const uint8_t *frame, size_t len)
{
	struct timespec ts;

	if (!f)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	uint32_t kept = len < PCAP_SNAP ? (uint32_t)len : PCAP_SNAP;
	const uint32_t head[4] = {(uint32_t)ts.tv_sec, (uint32_t)ts.tv_nsec, kept, (uint32_t)len};
	fwrite(head, sizeof(head), 1, f);
	fwrite(frame, kept, 1, f);
}

/* --- the link ------------------------------------------------------------------------------------------------------------------- */

static uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static bool is_tcp(const uint8_t *f, size_t len) { return len >= 54 && f[12] == 8 && f[13] == 0 && f[14 + 9] == IPPROTO_TCP; }

/* What the sender sends: new, or again? */
static void see_data(const uint8_t *f, size_t len)
{
	const uint8_t *tcp = f + 14 + 4 * (f[14] & 15);
	size_t total = (size_t)f[16] << 8 | f[17], payload = total - 4 * (f[14] & 15u) - 4u * (tcp[12] >> 4);
	uint32_t last = get32(tcp + 4) + (uint32_t)payload;

	(void)len;
	if (tcp[13] & TH_SYN) {
		isn = highest_sent = highest_acked = get32(tcp + 4) + 1;
		started_ns = started_ns ? started_ns : now_ns();
	}
	if (!payload)
		return;
	data_frames++;
	if ((int32_t)(last - highest_sent) > 0)
		highest_sent = last;
	else
		resent_frames++;
}

/* What the receiver says: counted when it leaves the receiver. */
static void see_ack(const uint8_t *f)
{
	const uint8_t *tcp = f + 14 + 4 * (f[14] & 15);
	uint32_t ack = get32(tcp + 8);

	if ((tcp[13] & TH_ACK) && started_ns && (int32_t)(ack - highest_acked) > 0)
		highest_acked = ack;
}

static struct held *hold(struct way *w)
{
	struct held *h = w->spare;

	if (h)
		w->spare = h->next;
	else if (w->held++ < HELD_MOST)
		h = malloc(sizeof(*h));
	if (!h)
		die("frames");
	h->next = NULL;
	return h;
}

/* By arrival; only a late frame finds others behind itself. */
static void launch(struct way *w, const uint8_t *f, size_t len, uint64_t arrival_ns)
{
	struct held *h = hold(w), **at = &w->first;

	h->arrival_ns = arrival_ns;
	h->len = len;
	memcpy(h->bytes, f, len);
	if (w->first && w->last->arrival_ns <= arrival_ns)
		at = &w->last->next;
	while (*at && (*at)->arrival_ns <= arrival_ns)
		at = &(*at)->next;
	h->next = *at;
	*at = h;
	if (!h->next)
		w->last = h;
}

/* A frame from end i. */
static void frame_from(int i, const uint8_t *f, size_t len)
{
	struct way *w = &way[i];
	uint64_t arrival[2];
	bool dropped;

	if (!is_tcp(f, len) || len > FRAME_MOST)
		return;
	pcap_write(end[i].pcap, f, len);
	if (i == SENDER)
		see_data(f, len);
	else
		see_ack(f);
	for (unsigned copies = impair_frame(&w->line, now_ns(), len, arrival, &dropped); copies; copies--)
		launch(w, f, len, arrival[copies - 1]);
}

static void deliver(int to, const struct held *h)
{
	struct iovec iov = {(void *)(uintptr_t)h->bytes, h->len};

	pcap_write(end[to].pcap, h->bytes, h->len);
	if (end[to].ours)
		xmit_packet_input(end[to].dev, &iov, 1, NULL);
	else if (write(end[to].tap, h->bytes, h->len) < 0 && errno != EAGAIN)
		die("TAP");
}

static void see_lateness(uint64_t late_us)
{
	late_frames += (double)late_us > 1000 + 100 * opt.rtt_ms;
	latest_us = late_us > latest_us ? late_us : latest_us;
}

static void deliver_due(uint64_t now)
{
	for (int i = 0; i < 2; i++)
		while (way[i].first && way[i].first->arrival_ns <= now) {
			struct held *h = way[i].first;
			see_lateness((now - h->arrival_ns) / 1000);
			deliver(1 - i, h);
			way[i].first = h->next;
			h->next = way[i].spare;
			way[i].spare = h;
		}
}

static void read_tap(int i)
{
	uint8_t f[FRAME_MOST];
	ssize_t n;

	while ((n = read(end[i].tap, f, sizeof(f))) > 0)
		frame_from(i, f, (size_t)n);
}

static void make_lines(void)
{
	for (int i = 0; i < 2; i++) {
		struct impair *l = &way[i].line;
		l->seed = opt.seed * 2 + (uint64_t)i;
		l->rate_bps = (uint64_t)(opt.rate_mbit * 1e6);
		l->delay_ns = (uint64_t)(opt.rtt_ms * 5e5);
		uint32_t bdp = (uint32_t)(opt.rate_mbit * 1e6 / 8 * opt.rtt_ms / 1000);
		l->queue_bytes = opt.queue ? opt.queue : bdp > 30000 ? bdp : 30000;
		l->faults = i == SENDER ? opt.faults : (struct impair_faults){.loss_ppm = opt.ack_loss_ppm};
	}
}

/* --- an end of the kernel's --------------------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			fprintf(stderr, "impaired: %s: %s\n", path, strerror(errno));
		close(fd);
	}
}

static struct sockaddr_in inet_address(int i, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address[i])}};

	return a;
}

static void set_up_interface(int i, struct ifreq *ifr)
{
	struct sockaddr_in a = inet_address(i, 0), mask = {.sin_family = AF_INET, .sin_addr = {htonl(0xffffff00)}}, peer = inet_address(1 - i, 0);
	struct arpreq arp = {.arp_flags = ATF_PERM | ATF_COM, .arp_ha = {.sa_family = ARPHRD_ETHER}};
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	ifr->ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr->ifr_hwaddr.sa_data, mac[i], 6);
	if (ioctl(s, SIOCSIFHWADDR, ifr))
		die("SIOCSIFHWADDR");
	memcpy(&ifr->ifr_addr, &a, sizeof(a));
	if (ioctl(s, SIOCSIFADDR, ifr))
		die("SIOCSIFADDR");
	memcpy(&ifr->ifr_netmask, &mask, sizeof(mask));
	if (ioctl(s, SIOCSIFNETMASK, ifr))
		die("SIOCSIFNETMASK");
	ifr->ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, ifr))
		die("SIOCSIFFLAGS");
	memcpy(&arp.arp_pa, &peer, sizeof(peer));
	memcpy(arp.arp_ha.sa_data, mac[1 - i], 6);
	memcpy(arp.arp_dev, ifr->ifr_name, sizeof(arp.arp_dev));
	if (ioctl(s, SIOCSARP, &arp))
		die("SIOCSARP");
	close(s);
}

/* A namespace with a TAP that has no offloads. */
static int make_namespace(int i)
{
	struct ifreq ifr = {.ifr_name = "tap0", .ifr_flags = IFF_TAP | IFF_NO_PI};

	if (unshare(CLONE_NEWNET))
		die("a network namespace (needs root)");
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr) || ioctl(tap, TUNSETOFFLOAD, 0))
		die("/dev/net/tun");
	set_up_interface(i, &ifr);
	return tap;
}

static void give_fd(int control, int fd)
{
	union { char b[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c;
	struct iovec iov = {"f", 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	*h = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (sendmsg(control, &m, 0) != 1)
		die("sendmsg");
}

static int take_fd(int control)
{
	union { char b[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
	int fd;

	if (recvmsg(control, &m, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&m))
		exit(1); /* the child has said why */
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void print_info(uint32_t cwnd, uint32_t ssthresh, uint32_t srtt, uint32_t rto, uint32_t unacked, uint32_t lost, uint32_t retrans, unsigned state)
{
	static uint64_t first_ns;
	uint64_t now = now_ns();

	first_ns = first_ns ? first_ns : now;
	fprintf(stderr, "%.3f %u %u %u %u %u %u %u %u\n", (double)(now - first_ns) / 1e9, cwnd, ssthresh, srtt, rto, unacked, lost, retrans, state);
}

static void kernel_sends(void)
{
	struct sockaddr_in a = inet_address(RECEIVER, PORT);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval tick = {0, TRACE_MS * 1000};

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, opt.cc, (socklen_t)strlen(opt.cc)))
		die(opt.cc);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	if (opt.trace)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof(tick));
	uint64_t printed = 0;
	while (send(fd, chunk, opt.trace ? 1448 : sizeof(chunk), 0) > 0 || errno == EAGAIN) {
		struct tcp_info t;
		socklen_t len = sizeof(t);
		if (!opt.trace || now_ns() - printed < TRACE_MS * UINT64_C(1000000) || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &len))
			continue;
		printed = now_ns();
		print_info(t.tcpi_snd_cwnd, t.tcpi_snd_ssthresh, t.tcpi_rtt, t.tcpi_rto, t.tcpi_unacked, t.tcpi_lost, t.tcpi_retrans, t.tcpi_ca_state);
	}
}

static int kernel_listens(void)
{
	struct sockaddr_in a = inet_address(RECEIVER, PORT);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) || listen(l, 1))
		die("listen");
	return l;
}

static void kernel_child(int i, int control)
{
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int tap = make_namespace(i), l = i == RECEIVER ? kernel_listens() : -1;
	give_fd(control, tap);
	close(tap);
	if (read(control, &go, 1) != 1)
		exit(1);
	if (i == SENDER) {
		kernel_sends();
	} else {
		int c = accept(l, NULL, NULL);
		while (recv(c, chunk, sizeof(chunk), 0) > 0)
			;
	}
	pause();
}

static void make_kernel_end(int i)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	end[i].child = fork();
	if (end[i].child < 0)
		die("fork");
	if (!end[i].child) {
		close(pair[0]);
		kernel_child(i, pair[1]);
		exit(0);
	}
	close(pair[1]);
	end[i].control = pair[0];
	end[i].tap = take_fd(pair[0]);
	fcntl(end[i].tap, F_SETFL, O_NONBLOCK);
}

/* --- an end of ours --------------------------------------------------------------------------------------------------------------- */

static int frame_out(void *ctx, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	uint8_t f[FRAME_MOST];
	size_t len = 0;

	(void)o;
	for (int i = 0; i < n && len + iov[i].iov_len <= sizeof(f); len += iov[i++].iov_len)
		memcpy(f + len, iov[i].iov_base, iov[i].iov_len);
	frame_from((int)((struct end *)ctx - end), f, len);
	return 0;
}

static void make_our_end(int i)
{
	struct xmit_packet_config c = {.size = sizeof(c), .type = XMIT_DEV_ETHER, .mtu = MTU, .features = XMIT_F_SG, .out = frame_out, .ctx = &end[i]};
	struct in_addr peer = {htonl(address[1 - i])};
	char cidr[32];

	memcpy(c.mac, mac[i], 6);
	snprintf(cidr, sizeof(cidr), "198.18.0.%d/24", i + 1);
	end[i].net = xmit_net_new(NULL);
	end[i].dev = end[i].net ? xmit_packet_new(end[i].net, &c) : NULL;
	if (!end[i].dev || xmit_dev_set_features(end[i].dev, XMIT_F_SG) || xmit_dev_up(end[i].dev) || xmit_addr_add_text(end[i].dev, cidr) ||
	    xmit_neigh_add(end[i].dev, peer, mac[1 - i]))
		die("our end");
}

static void we_send(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	(void)events;
	(void)ctx;
	while (xmit_send(net, fd, chunk, sizeof(chunk), 0) > 0)
		;
}

static void we_receive(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	(void)events;
	(void)ctx;
	while (xmit_recv(net, fd, chunk, sizeof(chunk), 0) > 0)
		;
}

static void we_accept(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	int c = xmit_accept4(net, fd, NULL, NULL, SOCK_NONBLOCK);

	(void)events;
	if (c >= 0) {
		xmit_set_event_cb(net, c, we_receive, ctx);
		we_receive(net, c, 0, ctx);
	}
}

static void start_our_end(int i)
{
	struct sockaddr_in a = inet_address(RECEIVER, PORT);
	struct end *e = &end[i];

	e->fd = xmit_socket(e->net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (i == RECEIVER) {
		if (xmit_bind(e->net, e->fd, (struct sockaddr *)&a, sizeof(a)) || xmit_listen(e->net, e->fd, 1) ||
		    xmit_set_event_cb(e->net, e->fd, we_accept, NULL))
			die("listen");
		return;
	}
	if (xmit_setsockopt(e->net, e->fd, IPPROTO_TCP, XMIT_TCP_CONGESTION, opt.cc, (socklen_t)strlen(opt.cc)))
		die(opt.cc);
	if (xmit_set_event_cb(e->net, e->fd, we_send, NULL) || (xmit_connect(e->net, e->fd, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS))
		die("connect");
}

static void trace_ours(uint64_t now)
{
	static uint64_t next_ns;
	struct xmit_tcp_info t;
	socklen_t len = sizeof(t);

	if (!opt.trace || !end[SENDER].ours || now < next_ns || xmit_getsockopt(end[SENDER].net, end[SENDER].fd, IPPROTO_TCP, XMIT_TCP_INFO, &t, &len))
		return;
	next_ns = now + TRACE_MS * UINT64_C(1000000);
	print_info(t.tcpi_snd_cwnd, t.tcpi_snd_ssthresh, t.tcpi_rtt, t.tcpi_rto, t.tcpi_unacked, t.tcpi_lost, t.tcpi_retrans, t.tcpi_ca_state);
}

/* --- running ----------------------------------------------------------------------------------------------------------------------- */

static uint64_t next_event(uint64_t until)
{
	uint64_t next = until;

	for (int i = 0; i < 2; i++) {
		uint64_t t = way[i].first ? way[i].first->arrival_ns : XMIT_NEVER;
		next = t < next ? t : next;
		t = end[i].ours ? xmit_next_deadline(end[i].net) : XMIT_NEVER;
		next = t < next ? t : next;
	}
	return next;
}

static void wait_for(uint64_t next)
{
	struct pollfd fds[2];
	nfds_t n = 0;
	uint64_t now = now_ns(), left = next > now ? next - now : 0;
	struct timespec ts = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};

	for (int i = 0; i < 2; i++)
		if (!end[i].ours)
			fds[n++] = (struct pollfd){.fd = end[i].tap, .events = POLLIN};
	ppoll(fds, n, &ts, NULL);
}

static void run(void)
{
	uint64_t began = now_ns(), seconds_ns = (uint64_t)(opt.seconds * 1e9), until;

	do {
		for (int i = 0; i < 2; i++)
			if (!end[i].ours)
				read_tap(i);
		deliver_due(now_ns());
		for (int i = 0; i < 2; i++)
			while (end[i].ours && xmit_poll(end[i].net, 0) > 0)
				;
		trace_ours(now_ns());
		until = started_ns ? started_ns + seconds_ns : began + 5 * UINT64_C(1000000000);
		wait_for(next_event(until));
	} while (now_ns() < until);
	if (!started_ns) {
		errno = ETIMEDOUT;
		die("no SYN came");
	}
}

/* --mask, --burst and --reorder: numbers with a colon between.  False: not so many. */
static bool read_faults(int option, const char *text)
{
	struct impair_faults *f = &opt.faults;
	unsigned long long mask;
	double ms;

	switch (option) {
	case 'm':
		if (sscanf(text, "%llx:%u", &mask, &f->mask_bits) != 2 || !f->mask_bits || f->mask_bits > 64)
			return false;
		f->lost_mask = mask;
		return true;
	case 'b':
		return sscanf(text, "%u:%u:%u", &f->to_bad_ppm, &f->to_good_ppm, &f->bad_loss_ppm) == 3;
	default:
		if (sscanf(text, "%u:%lf", &f->reorder_ppm, &ms) != 2 || ms < 0)
			return false;
		f->reorder_ns = (uint64_t)(ms * 1e6);
		return true;
	}
}

static void options(int argc, char **argv)
{
	static const struct option names[] = {
		{"cc", 1, 0, 'c'}, {"rtt", 1, 0, 'd'}, {"rate", 1, 0, 'r'}, {"queue", 1, 0, 'q'}, {"loss", 1, 0, 'l'}, {"ack-loss", 1, 0, 'a'},
		{"mask", 1, 0, 'm'},
		{"burst", 1, 0, 'b'}, {"reorder", 1, 0, 'o'}, {"duplicate", 1, 0, 'u'}, {"jitter", 1, 0, 'j'}, {"seconds", 1, 0, 's'}, {"seed", 1, 0, 'n'}, {"pcap", 1, 0, 'p'}, {"trace", 0, 0, 't'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (c) {
		case 'c': opt.cc = optarg; break;
		case 'd': opt.rtt_ms = atof(optarg); break;
		case 'r': opt.rate_mbit = atof(optarg); break;
		case 'q': opt.queue = (uint32_t)atol(optarg); break;
		case 'm':
		case 'b':
		case 'o':
			if (!read_faults(c, optarg)) {
				fprintf(stderr, "impaired: '%s' is no value of that option\n", optarg);
				exit(2);
			}
			break;
		case 'u': opt.faults.duplicate_ppm = (uint32_t)atol(optarg); break;
		case 'j': opt.faults.jitter_ns = (uint64_t)(atof(optarg) * 1e6); break;
		case 'l': opt.faults.loss_ppm = (uint32_t)atol(optarg); break;
		case 'a': opt.ack_loss_ppm = (uint32_t)atol(optarg); break;
		case 's': opt.seconds = atof(optarg); break;
		case 'n': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'p': opt.pcap = optarg; break;
		case 't': opt.trace = true; break;
		default: exit(2);
		}
	for (int i = 0; i < 2; i++) {
		const char *who = argc - optind == 2 ? argv[optind + i] : "";
		end[i].ours = !strcmp(who, "xmit");
		if (!end[i].ours && strcmp(who, "kernel")) {
			fprintf(stderr, "usage: impaired kernel|xmit kernel|xmit [--cc NAME] [--rtt MS] [--rate MBIT] [--queue BYTES] [--loss PPM] "
					"[--ack-loss PPM] [--mask HEX:BITS] [--burst BAD:GOOD:LOSS] [--reorder PPM:MS] [--duplicate PPM] [--jitter MS] [--seconds S] [--seed N] [--pcap PREFIX] [--trace]\n");
			exit(2);
		}
	}
	if (opt.rate_mbit <= 0 || opt.rtt_ms < 0 || opt.seconds <= 0) {
		fprintf(stderr, "impaired: rate, rtt or seconds out of range\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct sched_param rr = {.sched_priority = 1};

	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	/* Delays should be the link's, not the scheduler's, where we may. */
	sched_setscheduler(0, SCHED_RR, &rr);
	prctl(PR_SET_TIMERSLACK, 1);
	make_lines();
	for (int i = 0; i < 2; i++) {
		end[i].pcap = opt.pcap ? pcap_open(i == SENDER ? "sender" : "receiver") : NULL;
		if (end[i].ours)
			make_our_end(i);
		else
			make_kernel_end(i);
	}
	for (int i = RECEIVER; i >= SENDER; i--) {
		if (end[i].ours)
			start_our_end(i);
		else if (write(end[i].control, "g", 1) != 1)
			die("control");
	}
	run();
	for (int i = 0; i < 2; i++) {
		if (end[i].child) {
			kill(end[i].child, SIGKILL);
			waitpid(end[i].child, NULL, 0);
		}
		xmit_net_free(end[i].net);
		if (end[i].pcap)
			fclose(end[i].pcap);
	}
	printf("{\"bytes\": %u, \"seconds\": %g, \"frames\": %llu, \"resent\": %llu, \"lost\": %llu, \"overflowed\": %llu, "
	       "\"late\": %llu, \"late_us\": %llu}\n", highest_acked - isn, opt.seconds,
	       (unsigned long long)data_frames, (unsigned long long)resent_frames, (unsigned long long)way[0].line.lost,
	       (unsigned long long)way[0].line.dropped, (unsigned long long)late_frames, (unsigned long long)latest_us);
	return 0;
}
