/* SPDX-License-Identifier: MIT */
/*
 * packetdrill_driver.c - stands in for packetdrill: opens libxmit-packetdrill.so and plays conversations through its table.
 *
 * packetdrill is not packaged, so this is what holds the adapter to its contract (frontend/packetdrill/): calls and packets, virtual time,
 * the thread that blocks, descriptors, libc's names by LD_PRELOAD, the namespace's settings.  usage: packetdrill_driver LIBRARY
 * Each case has a fresh instance, in a process of its own; as root, in a network namespace of its own.
 */
#define _GNU_SOURCE
#include "../../frontend/packetdrill/interface.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { SKIPPED = 77, CASE_SECONDS = 60, FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, PORT = 8080, PEER_PORT = 40000, TCP_INFO_BYTES = 280 };

static struct packetdrill_interface t;
static const char *library;
static void *handle;

/* What the peer at the far end of the wire knows. */
static struct { uint32_t seq, ack; } peer;

/* A packet of the stack. */
struct seen { size_t n; long long usec; uint32_t seq, ack; uint8_t flags; size_t payload; bool timestamps; };

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			printf("# line %d: %s (errno %s)\n", __LINE__, #cond, strerror(errno)); \
			exit(1); \
		} \
	} while (0)

/* --- the wire -------------------------------------------------------------------------------------------------------- */

static uint32_t sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *p, unsigned v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v & 0xffff); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static uint16_t tcp_sum(const uint8_t *ip, const uint8_t *tcp, size_t n) { return fold(sum16(tcp, n, sum16(ip + 12, 8, 6 + (uint32_t)n))); }

/* A segment from 192.0.2.1 to 192.168.0.1 goes into the stack. */
static void peer_sends(uint8_t flags, size_t payload, const char *options)
{
	static uint8_t p[70000];
	size_t opt = options ? strlen(options) : 0, n = 40 + opt + payload;

	memset(p, 0, n);
	p[0] = 0x45;
	put16(p + 2, (unsigned)n);
	p[8] = 64, p[9] = 6;
	put32(p + 12, 0xc0000201), put32(p + 16, 0xc0a80001);
	put16(p + 10, fold(sum16(p, 20, 0)));
	put16(p + 20, PEER_PORT), put16(p + 22, PORT);
	put32(p + 24, peer.seq), put32(p + 28, flags & ACK ? peer.ack : 0);
	p[32] = (uint8_t)((20 + opt) / 4 << 4), p[33] = flags;
	put16(p + 34, 60000);
	if (opt)
		memcpy(p + 40, options, opt);
	put16(p + 36, tcp_sum(p, p + 20, n - 20));
	peer.seq += (uint32_t)payload + !!(flags & SYN) + !!(flags & FIN);
	CHECK(t.netdev_send(t.userdata, p, n) == 0);
}

static bool has_timestamps(const uint8_t *opt, const uint8_t *end)
{
	while (opt < end && *opt) {
		if (*opt == 8)
			return true;
		opt += *opt == 1 ? 1 : opt + 1 < end && opt[1] ? opt[1] : 2;
	}
	return false;
}

/* The next packet of the stack; n 0: there is none. */
static struct seen stack_sends(void)
{
	static uint8_t p[65536];
	struct seen s = {.n = sizeof(p)};

	CHECK(t.netdev_receive(t.userdata, p, &s.n, &s.usec) == 0);
	if (!s.n)
		return s;
	CHECK(s.n >= 40 && p[0] == 0x45 && fold(sum16(p, 20, 0)) == 0);
	const uint8_t *tcp = p + 20;
	CHECK(tcp_sum(p, tcp, s.n - 20) == 0);
	size_t hdr = (size_t)(tcp[12] >> 4) * 4;
	s.seq = get32(tcp + 4), s.ack = get32(tcp + 8), s.flags = tcp[13] & 0x3f;
	s.payload = s.n - 20 - hdr;
	s.timestamps = has_timestamps(tcp + 20, tcp + hdr);
	peer.ack = s.seq + (uint32_t)s.payload + !!(s.flags & SYN) + !!(s.flags & FIN);
	return s;
}

static long long now_us(void)
{
	struct timeval tv;

	CHECK(t.gettimeofday(t.userdata, &tv, NULL) == 0);
	return (long long)tv.tv_sec * 1000000 + tv.tv_usec;
}

static void start(const char *flags)
{
	void (*init)(const char *, struct packetdrill_interface *) = NULL;

	handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		printf("# %s\n", dlerror());
	CHECK(handle);
	*(void **)&init = dlsym(handle, "packetdrill_interface_init");
	CHECK(init);
	init(flags, &t);
	peer.seq = 1000;
}

static int listener(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	CHECK(fd > 2 && fd < 64); /* a live descriptor of the host, and a low one */
	CHECK(syscall(SYS_fcntl, fd, F_GETFD) >= 0);
	CHECK(t.bind(t.userdata, fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(t.listen(t.userdata, fd, 5) == 0);
	return fd;
}

static const char SYN_OPTIONS[] = "\x02\x04\x03\xe8\x01\x01\x08\x0a\x01\x01\x01\x01\x01\x01\x01\x01"; /* MSS 1000, timestamps */

static void handshake(void)
{
	peer_sends(SYN, 0, "\x02\x04\x03\xe8");
	struct seen s = stack_sends();
	CHECK(s.n && s.flags == (SYN | ACK) && s.ack == peer.seq);
	peer_sends(ACK, 0, NULL);
}

/* A connection: the descriptor of our end. */
static int connected(void)
{
	int l = listener();

	handshake();
	int fd = t.accept(t.userdata, l, NULL, NULL);
	CHECK(fd > 2 && fd != l);
	return fd;
}

/* --- cases ------------------------------------------------------------------------------------------------------------- */

static void conversation(void)
{
	char buf[2000];

	start("local=192.168.0.1/16");
	int fd = connected();
	peer_sends(ACK | PSH, 500, NULL);
	CHECK(t.read(t.userdata, fd, buf, sizeof(buf)) == 500);
	CHECK(t.write(t.userdata, fd, buf, 700) == 700);
	struct seen s = stack_sends();
	CHECK(s.payload == 700 || (s.payload == 0 && (s = stack_sends()).payload == 700)); /* an ACK may go first */
	CHECK(s.ack == peer.seq && (s.flags & PSH));
	peer_sends(ACK, 0, NULL);
	CHECK(t.close(t.userdata, fd) == 0);
	CHECK(syscall(SYS_fcntl, fd, F_GETFD) == -1 && errno == EBADF); /* the placeholder went with it */
	s = stack_sends();
	CHECK(s.flags & FIN);
	peer_sends(ACK | FIN, 0, NULL);
	s = stack_sends();
	CHECK(s.flags == ACK && s.ack == peer.seq);
}

static void errors(void)
{
	int v = 0;

	start(NULL);
	int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, 0);
	CHECK(t.read(t.userdata, fd, &v, 1) == -1 && errno == ENOTCONN);
	CHECK(t.setsockopt(t.userdata, fd, SOL_SOCKET, 9999, &v, sizeof(v)) == -1 && errno == ENOPROTOOPT);
	CHECK(t.socket(t.userdata, AF_INET, 99, 0) == -1 && errno == EINVAL);
	CHECK(t.close(t.userdata, fd) == 0);
	CHECK(t.close(t.userdata, fd) == -1 && errno == EBADF);
}

static void pieces_are_segments(void)
{
	static char buf[4000];

	start(NULL);
	int fd = connected();
	CHECK(t.write(t.userdata, fd, buf, sizeof(buf)) == sizeof(buf));
	for (int i = 0; i < 4; i++)
		CHECK(stack_sends().payload == 1000);
}

static void time_is_virtual(void)
{
	struct timespec from, to;
	char c = 0;

	start(NULL);
	clock_gettime(CLOCK_MONOTONIC, &from);
	int fd = connected();
	long long began = now_us(), next = now_us();
	CHECK(next > began && next - began < 100); /* it moves a little with each reading */
	CHECK(t.usleep(t.userdata, 5000000) == 0);
	next = now_us();
	CHECK(next - began >= 5000000 && next - began < 5000100);
	CHECK(t.write(t.userdata, fd, &c, 1) == 1);
	struct seen first = stack_sends(), again = stack_sends(), third = stack_sends();
	CHECK(first.payload == 1 && again.seq == first.seq && third.seq == first.seq); /* retransmissions, each later */
	CHECK(again.usec - first.usec >= 200000 && third.usec - again.usec >= 2 * 200000);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK(to.tv_sec - from.tv_sec < 4); /* far less than the virtual time */
}

static void no_packet_is_told(void)
{
	start(NULL);
	listener();
	CHECK(stack_sends().n == 0);
}

struct blocked { int fd, tid; ssize_t got; long long ended_us; int done; };

static void *reader(void *arg)
{
	struct blocked *b = arg;
	char buf[100];

	__atomic_store_n(&b->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	b->got = t.read(t.userdata, b->fd, buf, sizeof(buf));
	int err = errno;
	b->ended_us = now_us();
	if (b->got < 0)
		b->got = -err;
	__atomic_store_n(&b->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* As packetdrill does: the state in /proc. */
static bool sleeps(int tid)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	const char *end = strrchr(text, ')');
	return end && end[2] == 'S';
}

static void start_reader(struct blocked *b, pthread_t *thread)
{
	CHECK(pthread_create(thread, NULL, reader, b) == 0);
	for (int i = 0; i < 10000 && !(__atomic_load_n(&b->tid, __ATOMIC_SEQ_CST) && sleeps(b->tid)); i++)
		usleep(1000);
	CHECK(b->tid && sleeps(b->tid) && !b->done);
}

static void a_thread_blocks(void)
{
	pthread_t thread;

	start(NULL);
	struct blocked b = {.fd = connected()};
	start_reader(&b, &thread);
	long long began = now_us();
	t.usleep(t.userdata, 300000);
	CHECK(!b.done);
	peer_sends(ACK | PSH, 60, NULL);
	long long came = now_us();
	t.usleep(t.userdata, 2000000); /* time goes on before the other thread has read the clock */
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(b.got == 60 && b.ended_us >= began + 300000 && b.ended_us <= came + 100);
}

static void the_end_interrupts(void)
{
	pthread_t thread;

	start(NULL);
	struct blocked b = {.fd = connected()};
	start_reader(&b, &thread);
	t.free(t.userdata);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(b.got == -EINTR);
}

static void epoll_and_poll(void)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, got[2];

	start(NULL);
	int fd = connected(), ep = t.epoll_create(t.userdata, 1);
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
	CHECK(ep > 2 && t.epoll_ctl(t.userdata, ep, EPOLL_CTL_ADD, fd, &ev) == 0);
	CHECK(t.epoll_wait(t.userdata, ep, got, 2, 0) == 0);
	CHECK(t.poll(t.userdata, &p, 1, 0) == 1 && p.revents == POLLOUT);
	peer_sends(ACK, 10, NULL);
	CHECK(t.epoll_wait(t.userdata, ep, got, 2, 0) == 1 && got[0].events == EPOLLIN && got[0].data.u64 == ev.data.u64);
	long long began = now_us();
	p.events = POLLPRI;
	CHECK(t.poll(t.userdata, &p, 1, 250) == 0); /* the driver's own waiting is virtual too */
	CHECK(now_us() - began >= 250000);
	CHECK(t.close(t.userdata, ep) == 0);
}

static void spliced(void)
{
	char buf[300] = {0};
	int fds[2];
	loff_t none = 0;

	start(NULL);
	int fd = connected();
	CHECK(t.pipe(t.userdata, fds) == 0);
	peer_sends(ACK | PSH, 300, NULL);
	CHECK(t.splice(t.userdata, fd, &none, fds[1], &none, 100, 0) == 100);
	CHECK(t.splice(t.userdata, fd, NULL, fds[1], NULL, 1000, 0) == 200);
	CHECK(t.read(t.userdata, fds[0], buf, sizeof(buf)) == 300);
	CHECK(t.write(t.userdata, fds[1], buf, 250) == 250);
	CHECK(t.splice(t.userdata, fds[0], &none, fd, &none, 1000, 0) == 250);
	struct seen s = stack_sends();
	while (s.n && !s.payload)
		s = stack_sends();
	CHECK(s.payload == 250);
}

static void by_libc_names(void)
{
	uint8_t info[TCP_INFO_BYTES], mem[36];
	socklen_t len = sizeof(info);
	char name[] = "/tmp/xmit-driver-XXXXXX";
	off_t offset = 5;
	int file = mkstemp(name);

	CHECK(file >= 0 && unlink(name) == 0 && ftruncate(file, 100) == 0);
	start(NULL);
	int fd = connected();
	CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0 && len == TCP_INFO_BYTES && info[0] == TCP_ESTABLISHED);
	len = sizeof(mem);
	CHECK(getsockopt(fd, SOL_SOCKET, 55 /* SO_MEMINFO */, mem, &len) == 0 && len == sizeof(mem));
	len = sizeof(info);
	CHECK(getsockopt(fd, IPPROTO_TCP, 26 /* TCP_CC_INFO */, info, &len) == 0);
	CHECK(sendfile(fd, file, &offset, 50) == 50 && offset == 55);
	CHECK(stack_sends().payload == 50);
	CHECK(getsockopt(file, SOL_SOCKET, SO_ERROR, info, &len) == -1 && errno == ENOTSOCK); /* not ours: the kernel's answer */
	CHECK(close(fd) == 0 && close(file) == 0);
	CHECK(stack_sends().flags & (FIN | RST));
	CHECK(t.close(t.userdata, fd) == -1 && errno == EBADF);
}

/* Once more, with the library in LD_PRELOAD. */
static void preloaded(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (SANITIZED) {
		printf("skip - preloaded: a sanitizer's own functions stand in libc's place\n");
		exit(SKIPPED);
	}
	CHECK(n > 0);
	self[n] = 0;
	CHECK(setenv("LD_PRELOAD", library, 1) == 0);
	execl(self, self, library, "by_libc_names", NULL);
	CHECK(!"exec");
}

/* --- the namespace ----------------------------------------------------------------------------------------------------- */

static bool own_namespace;

static void need_namespace(const char *name)
{
	if (own_namespace)
		return;
	printf("skip - %s: no right to make a network namespace\n", name);
	exit(SKIPPED);
}

static void settings_are_taken_over(void)
{
	need_namespace(__func__);
	start(NULL);
	listener();
	peer_sends(SYN, 0, SYN_OPTIONS);
	CHECK(stack_sends().timestamps);
	CHECK(system("echo 0 > /proc/sys/net/ipv4/tcp_timestamps") == 0); /* as a script's command does, in the middle */
	peer_sends(RST, 0, NULL);
	peer.seq += 100000;
	peer_sends(SYN, 0, SYN_OPTIONS);
	struct seen s = stack_sends();
	CHECK(s.n && s.flags == (SYN | ACK) && !s.timestamps);
}

static void tun_is_copied(void)
{
	static char buf[1000];
	struct seen s;

	need_namespace(__func__);
	if (access("/dev/net/tun", W_OK)) {
		printf("skip - %s: no /dev/net/tun\n", __func__);
		exit(SKIPPED);
	}
	CHECK(system("ip link set lo up && ip tuntap add tun0 mode tun && ip addr add 192.168.0.1/16 dev tun0 && ip link set tun0 up mtu 640") == 0);
	start(NULL);
	int fd = connected();
	CHECK(system("grep -q ':1F90 .* 0A ' /proc/net/tcp") == 0); /* the listener is shown */
	CHECK(t.write(t.userdata, fd, buf, sizeof(buf)) == sizeof(buf));
	CHECK(stack_sends().payload == 600 && stack_sends().payload == 400); /* its MTU */
	peer_sends(ACK, 0, NULL);
	if (system("command -v tc > /dev/null"))
		return;
	CHECK(system("tc qdisc add dev tun0 root pfifo limit 0") == 0); /* nothing passes */
	CHECK(t.write(t.userdata, fd, buf, 100) == 100);
	t.usleep(t.userdata, 400000);
	CHECK(system("tc qdisc replace dev tun0 root pfifo limit 100") == 0);
	long long passes = now_us();
	s = stack_sends();
	CHECK(s.payload == 100 && s.usec >= passes);
}

static void counters_are_told(void)
{
	char text[32768] = "";
	unsigned long long opened = 0;

	start(NULL);
	connected();
	const char *path = getenv("PROC_NET_SNMP");
	CHECK(path);
	FILE *f = fopen(path, "r");
	CHECK(f);
	while (fgets(text, sizeof(text), f))
		if (sscanf(text, "Tcp: %*u %*u %*u %*d %*u %llu", &opened) == 1)
			break;
	fclose(f);
	CHECK(opened == 1); /* PassiveOpens */
}

static void bad_flags(void)
{
	start("local=192.168.0.1/16,nonsense=1"); /* does not come back */
}

/* --- running them --------------------------------------------------------------------------------------------------------- */

static const struct { const char *name; void (*run)(void); int status; } cases[] = {
	{"conversation", conversation, 0}, {"errors", errors, 0}, {"pieces_are_segments", pieces_are_segments, 0},
	{"time_is_virtual", time_is_virtual, 0}, {"no_packet_is_told", no_packet_is_told, 0}, {"a_thread_blocks", a_thread_blocks, 0},
	{"the_end_interrupts", the_end_interrupts, 0}, {"epoll_and_poll", epoll_and_poll, 0}, {"spliced", spliced, 0}, {"preloaded", preloaded, 0},
	{"settings_are_taken_over", settings_are_taken_over, 0}, {"tun_is_copied", tun_is_copied, 0}, {"counters_are_told", counters_are_told, 0},
	{"bad_flags", bad_flags, 1},
};

/* In a child: a failed CHECK, a crash and a hang end that alone.  free() is part of every case that did not call it. */
static bool run_case(unsigned i)
{
	int status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(CASE_SECONDS);
		own_namespace = unshare(CLONE_NEWNET) == 0;
		cases[i].run();
		if (cases[i].run != the_end_interrupts)
			t.free(t.userdata);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		return true;
	bool ok = WIFEXITED(status) && WEXITSTATUS(status) == cases[i].status;
	printf("%s - %s\n", ok ? "ok" : "not ok", cases[i].name);
	return ok;
}

int main(int argc, char **argv)
{
	bool ok = true;

	if (argc < 2) {
		fprintf(stderr, "usage: packetdrill_driver LIBRARY\n");
		return 2;
	}
	library = argv[1];
	if (argc > 2) { /* preloaded() */
		by_libc_names();
		t.free(t.userdata);
		return 0;
	}
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok &= run_case(i);
	return !ok;
}
