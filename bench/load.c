/* SPDX-License-Identifier: MIT */
/*
 * load.c - the load of the benchmarks: one program over two socket interfaces, the kernel's and ours, so that both do the same work.
 *
 *	load STACK ROLE ...
 *	STACK: kernel | TAP,ADDR/PREFIX[,plain][,spin][,mem=MB]	(plain: no offloads; spin: never sleep; mem: the instance's cap)
 *	ROLE:  sink PORT | source PORT | echo PORT		servers, until killed
 *	       tx ADDR PORT SECONDS | rx ADDR PORT SECONDS	bulk to a sink, from a source
 *	       many ADDR PORT SECONDS CONNECTIONS		bulk to a sink over all of them; also peak resident memory, KB
 *	       rpc ADDR PORT SECONDS CONNECTIONS		64-byte requests to an echo server
 *	       pingpong ADDR PORT SECONDS			one byte there and back
 *	       connect ADDR PORT SECONDS rst|fin		connections one after the other, 16 at a time
 *
 * Clients print one line of JSON: what was done, seconds, CPU seconds of this process (user and system).
 */
#define _GNU_SOURCE
#include <xmit/control.h>
#include <xmit/dev.h>
#include <xmit/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, BUFFER = 128 << 10, MESSAGE = 64, CONNECTIONS_MOST = 4096, SAMPLES_MOST = 4 << 20, PARALLEL_CONNECTS = 16 };

static xmit_net *net; /* NULL: the kernel's sockets */
static int epfd;
static bool spin;
static char buffer[BUFFER];

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- the two interfaces -------------------------------------------------------------------------------------- */

static int sk_socket(void) { return net ? xmit_socket(net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) : socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); }
static int sk_close(int fd) { return net ? xmit_close(net, fd) : close(fd); }
static ssize_t sk_send(int fd, const void *p, size_t n) { return net ? xmit_send(net, fd, p, n, 0) : send(fd, p, n, MSG_NOSIGNAL); }
static ssize_t sk_recv(int fd, void *p, size_t n) { return net ? xmit_recv(net, fd, p, n, 0) : recv(fd, p, n, 0); }
static int sk_accept(int fd) { return net ? xmit_accept4(net, fd, NULL, NULL, SOCK_NONBLOCK) : accept4(fd, NULL, NULL, SOCK_NONBLOCK); }

static int sk_connect(int fd, const struct sockaddr_in *a)
{
	int r = net ? xmit_connect(net, fd, (const struct sockaddr *)a, sizeof(*a)) : connect(fd, (const struct sockaddr *)a, sizeof(*a));

	return r < 0 && errno == EINPROGRESS ? 0 : r;
}

static int sk_setsockopt(int fd, int level, int name, const void *v, socklen_t len)
{
	return net ? xmit_setsockopt(net, fd, level, name, v, len) : setsockopt(fd, level, name, v, len);
}

/* The same congestion control on both sides: the kernel's default may be another. */
static void use_cubic(int fd)
{
	if (sk_setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5))
		die("TCP_CONGESTION cubic");
}

static void watch(int fd, uint32_t events)
{
	if (net) {
		struct xmit_epoll_event ev = {events, (uint64_t)fd};
		if (xmit_epoll_ctl(net, epfd, XMIT_EPOLL_CTL_ADD, fd, &ev))
			die("epoll_ctl");
	} else {
		struct epoll_event ev = {.events = events, .data.fd = fd};
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev))
			die("epoll_ctl");
	}
}

static int wait_xmit(struct epoll_event *out, int timeout_ms)
{
	struct xmit_epoll_event ev[EVENTS];
	struct pollfd fds[8];

	for (int round = 0;; round++) {
		int more = xmit_poll(net, 0);
		int n = xmit_epoll_wait(net, epfd, ev, EVENTS, 0);
		for (int i = 0; i < n; i++) {
			out[i].events = ev[i].events;
			out[i].data.fd = (int)ev[i].data;
		}
		if (n || more > 0 || (round && timeout_ms >= 0))
			return n;
		if (spin)
			continue;
		uint64_t deadline = xmit_next_deadline(net), now = xmit_now(net);
		int ms = timeout_ms;
		if (deadline <= now)
			continue;
		if (deadline != XMIT_NEVER && (ms < 0 || deadline - now < (uint64_t)ms * 1000000))
			ms = (int)((deadline - now + 999999) / 1000000);
		poll(fds, (nfds_t)xmit_poll_fds(net, fds, 8), ms);
	}
}

static int wait_events(struct epoll_event *ev, int timeout_ms)
{
	if (net)
		return wait_xmit(ev, timeout_ms);
	int n = epoll_wait(epfd, ev, EVENTS, spin ? 0 : timeout_ms);
	return n < 0 ? 0 : n;
}

static void open_stack(char *spec)
{
	if (!strncmp(spec, "kernel", 6)) {
		spin = strstr(spec, ",spin") != NULL;
		epfd = epoll_create1(0);
		return;
	}
	char *tap = strtok(spec, ","), *cidr = strtok(NULL, ","), *flag;
	struct xmit_tap_config c = {.size = sizeof(c), .ifname = tap};
	struct xmit_config config = {.size = sizeof(config)};
	while ((flag = strtok(NULL, ","))) {
		c.no_offload |= !strcmp(flag, "plain");
		spin |= !strcmp(flag, "spin");
		if (!strncmp(flag, "mem=", 4))
			config.memory_bytes = (size_t)atoi(flag + 4) << 20;
	}
	net = xmit_net_new(&config);
	xmit_dev *dev = net && cidr ? xmit_tap_new(net, &c) : NULL;
	if (!dev || xmit_dev_up(dev) || xmit_addr_add_text(dev, cidr))
		die("device");
	/* As the kernel's of both namespaces (bench/run): else TIME_WAIT fills the port range, and that would be measured. */
	if (xmit_sysctl_set(net, "net.ipv4.tcp_max_tw_buckets", "1000", NULL, 0))
		die("tcp_max_tw_buckets");
	epfd = xmit_epoll_create(net);
}

/* --- measuring --------------------------------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(const char *what, double amount, double seconds, double cpu_s)
{
	printf("{\"%s\": %.0f, \"seconds\": %.6f, \"cpu\": %.6f}\n", what, amount, seconds, cpu_s);
}

/* --- servers ----------------------------------------------------------------------------------------------------- */

static int listen_on(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = sk_socket(), one = 1;

	use_cubic(fd); /* accepted sockets inherit it */
	sk_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (net ? xmit_bind(net, fd, (struct sockaddr *)&a, sizeof(a)) || xmit_listen(net, fd, 4096)
		: bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 4096))
		die("listen");
	watch(fd, EPOLLIN);
	return fd;
}

/* One round of service; false: the connection is over. */
static bool serve(int fd, char role)
{
	for (int i = 0; i < 16; i++) {
		ssize_t n;
		if (role == 'o') { /* source */
			n = sk_send(fd, buffer, BUFFER);
		} else {
			n = sk_recv(fd, buffer, BUFFER);
			if (n == 0)
				return false;
			if (n > 0 && role == 'e' && sk_send(fd, buffer, (size_t)n) != n)
				return false;
			/* A short read has emptied the queue. */
			if (n > 0 && n < BUFFER)
				return true;
		}
		if (n < 0)
			return errno == EAGAIN;
	}
	return true;
}

__attribute__((noreturn)) static void server(const char *role, const char *port)
{
	int listener = listen_on(port), one = 1;
	char kind = role[0] == 'e' ? 'e' : role[1];

	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct epoll_event ev[EVENTS];
		int n = wait_events(ev, -1);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;
			if (fd != listener) {
				if (!serve(fd, kind))
					sk_close(fd);
				continue;
			}
			while ((fd = sk_accept(listener)) >= 0) {
				sk_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
				watch(fd, kind == 'o' ? EPOLLOUT : EPOLLIN);
			}
		}
	}
}

/* --- clients ----------------------------------------------------------------------------------------------------- */

static int connect_to(const struct sockaddr_in *a, uint32_t events)
{
	int fd = sk_socket(), one = 1;

	use_cubic(fd);
	sk_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fd < 0 || sk_connect(fd, a))
		die("connect");
	watch(fd, events);
	return fd;
}

static int bulk(const struct sockaddr_in *a, double seconds, bool send)
{
	int fd = connect_to(a, send ? EPOLLOUT : EPOLLIN);
	struct epoll_event ev[EVENTS];
	double bytes = 0, start = now(), cpu0 = cpu(), t;

	while ((t = now()) < start + seconds) {
		if (!wait_events(ev, 100))
			continue;
		for (int i = 0; i < 16; i++) {
			ssize_t n = send ? sk_send(fd, buffer, BUFFER) : sk_recv(fd, buffer, BUFFER);
			if (n <= 0 && errno != EAGAIN && errno != ENOTCONN)
				die("transfer");
			if (n <= 0)
				break;
			bytes += (double)n;
		}
	}
	report("bytes", bytes, t - start, cpu() - cpu0);
	sk_close(fd);
	return 0;
}

/* Opens them a few at a time, so that no SYN meets a full queue; each has its first request out when this returns. */
static void open_all(const struct sockaddr_in *a, int *fds, int connections)
{
	struct epoll_event ev[EVENTS];

	for (int opened = 0; opened < connections;) {
		int batch = connections - opened < 64 ? connections - opened : 64, started = 0;
		for (int i = 0; i < batch; i++)
			fds[opened + i] = connect_to(a, EPOLLIN);
		for (bool sent[64] = {false}; started < batch;) {
			for (int i = 0; i < batch; i++) {
				if (sent[i] || sk_send(fds[opened + i], buffer, MESSAGE) != MESSAGE)
					continue;
				sent[i] = true;
				started++;
			}
			wait_events(ev, 1);
		}
		opened += batch;
	}
}

static long peak_resident_kb(void)
{
	char line[256];
	long kb = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static int many(const struct sockaddr_in *a, double seconds, int connections)
{
	static int fds[CONNECTIONS_MOST];
	struct epoll_event ev[EVENTS];
	double bytes = 0, least = 1e18, t;
	static double of[1 << 20];

	for (int i = 0; i < connections; i++)
		fds[i] = connect_to(a, EPOLLOUT);
	double start = now();
	while ((t = now()) < start + seconds) {
		int n = wait_events(ev, 100);
		for (int i = 0; i < n; i++) {
			ssize_t w = sk_send(ev[i].data.fd, buffer, BUFFER / 2);
			if (w > 0) {
				bytes += (double)w;
				of[ev[i].data.fd] += (double)w;
			} else if (w < 0 && errno != EAGAIN && errno != ENOTCONN && errno != ENOBUFS && errno != ENOMEM) {
				die("send");
			}
		}
	}
	for (int i = 0; i < connections; i++)
		least = of[fds[i]] < least ? of[fds[i]] : least;
	printf("{\"bytes\": %.0f, \"least\": %.0f, \"seconds\": %.6f, \"rss_kb\": %ld}\n", bytes, least, t - start, peak_resident_kb());
	return 0;
}

static int rpc(const struct sockaddr_in *a, double seconds, int connections)
{
	static int fds[CONNECTIONS_MOST], got[1 << 20];
	struct epoll_event ev[EVENTS];
	double requests = 0, t;

	open_all(a, fds, connections);
	double start = now(), cpu0 = cpu();
	while ((t = now()) < start + seconds) {
		int n = wait_events(ev, 100);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;
			ssize_t r = sk_recv(fd, buffer, BUFFER);
			if (r == 0 || (r < 0 && errno != EAGAIN))
				die("receive");
			if (r > 0 && (got[fd] += (int)r) >= MESSAGE) {
				got[fd] -= MESSAGE;
				requests++;
				if (sk_send(fd, buffer, MESSAGE) != MESSAGE)
					die("send");
			}
		}
	}
	report("requests", requests, t - start, cpu() - cpu0);
	return 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int pingpong(const struct sockaddr_in *a, double seconds)
{
	static double sample[SAMPLES_MOST];
	int fd = connect_to(a, EPOLLIN), n = 0;
	struct epoll_event ev[EVENTS];
	double start = now(), cpu0 = cpu(), t;
	char byte = 1;

	while (sk_send(fd, &byte, 1) != 1)
		wait_events(ev, 1);
	while (sk_recv(fd, &byte, 1) != 1)
		wait_events(ev, 1);
	while ((t = now()) < start + seconds && n < SAMPLES_MOST) {
		if (sk_send(fd, &byte, 1) != 1)
			die("send");
		while (sk_recv(fd, &byte, 1) != 1)
			wait_events(ev, 1000);
		sample[n++] = now() - t;
	}
	double took = now() - start;
	qsort(sample, (size_t)n, sizeof(sample[0]), compare_doubles);
	printf("{\"pings\": %d, \"p50_us\": %.3f, \"p99_us\": %.3f, \"seconds\": %.6f, \"cpu\": %.6f}\n", n, sample[n / 2] * 1e6,
	       sample[(long)n * 99 / 100] * 1e6, took, cpu() - cpu0);
	return 0;
}

static int connects(const struct sockaddr_in *a, double seconds, bool reset)
{
	struct linger hard = {1, 0};
	struct epoll_event ev[EVENTS];
	double done = 0, start = now(), cpu0 = cpu(), t;

	for (int i = 0; i < PARALLEL_CONNECTS; i++)
		connect_to(a, EPOLLOUT);
	while ((t = now()) < start + seconds) {
		int n = wait_events(ev, 100);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd, err = 0;
			socklen_t len = sizeof(err);
			if (net)
				xmit_getsockopt(net, fd, SOL_SOCKET, SO_ERROR, &err, &len);
			else
				getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
			if (err) {
				errno = err;
				die("connection");
			}
			if (reset)
				sk_setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
			sk_close(fd);
			done++;
			connect_to(a, EPOLLOUT);
		}
	}
	report("connections", done, t - start, cpu() - cpu0);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	if (argc < 4)
		goto usage;
	signal(SIGPIPE, SIG_IGN);
	open_stack(argv[1]);
	if (!strcmp(argv[2], "sink") || !strcmp(argv[2], "source") || !strcmp(argv[2], "echo"))
		server(argv[2], argv[3]);
	if (argc < 6 || inet_pton(AF_INET, argv[3], &a.sin_addr) != 1)
		goto usage;
	a.sin_port = htons((uint16_t)atoi(argv[4]));
	double seconds = atof(argv[5]);
	if (!strcmp(argv[2], "tx") || !strcmp(argv[2], "rx"))
		return bulk(&a, seconds, argv[2][0] == 't');
	if (!strcmp(argv[2], "many") && argc == 7 && atoi(argv[6]) > 0 && atoi(argv[6]) <= CONNECTIONS_MOST)
		return many(&a, seconds, atoi(argv[6]));
	if (!strcmp(argv[2], "rpc") && argc == 7 && atoi(argv[6]) > 0 && atoi(argv[6]) <= CONNECTIONS_MOST)
		return rpc(&a, seconds, atoi(argv[6]));
	if (!strcmp(argv[2], "pingpong"))
		return pingpong(&a, seconds);
	if (!strcmp(argv[2], "connect") && argc == 7)
		return connects(&a, seconds, !strcmp(argv[6], "rst"));
usage:
	fprintf(stderr, "usage: load kernel|TAP,ADDR/PREFIX[,plain][,spin] sink|source|echo PORT | tx|rx|pingpong ADDR PORT SECONDS |\n"
			"       rpc|many ADDR PORT SECONDS CONNECTIONS | connect ADDR PORT SECONDS rst|fin\n");
	return 2;
}
