/* SPDX-License-Identifier: MIT */
/* main.c - runs every case, or those named on the command line, or lists them (--list); what they share (calls.h). */
#include "calls.h"

static const char *now_running;

#ifndef CALLS_KERNEL
xmit_net *net;

void settle(void)
{
	while (xmit_poll(net, 0) > 0)
		;
}
#else
void settle(void) {} /* loopback delivers within the call */
#endif

static const struct { int error; const char *name; } errors[] = {
#define E(e) {e, #e}
	E(EPERM), E(EINTR), E(EIO), E(EBADF), E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(EEXIST), E(ENODEV), E(EINVAL), E(EMFILE), E(ENOTTY), E(ESPIPE),
	E(EPIPE), E(EDOM), E(ERANGE), E(ENOTSOCK), E(EDESTADDRREQ), E(EMSGSIZE), E(EPROTO), E(EPROTOTYPE), E(ENOPROTOOPT), E(EPROTONOSUPPORT),
	E(ESOCKTNOSUPPORT), E(EOPNOTSUPP), E(EAFNOSUPPORT), E(EADDRINUSE), E(EADDRNOTAVAIL), E(ENETDOWN), E(ENETUNREACH), E(ECONNABORTED), E(ECONNRESET),
	E(ENOBUFS), E(EISCONN), E(ENOTCONN), E(ETIMEDOUT), E(ECONNREFUSED), E(EHOSTUNREACH), E(EALREADY), E(EINPROGRESS), E(ENOENT), E(EBUSY),
#undef E
};

const char *error_name(int error)
{
	static char other[32];

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (errors[i].error == error)
			return errors[i].name;
	snprintf(other, sizeof(other), "errno %d", error);
	return other;
}

void note(const char *label, const char *format, ...)
{
	va_list ap;

	printf("%s %s: ", now_running, label);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

long told(const char *label, long value)
{
	int error = errno;

	settle();
	if (value == -1)
		note(label, "%s", error_name(error));
	else
		note(label, "%ld", value);
	errno = error;
	return value;
}

struct sockaddr_in lo(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

int tcp(void) { return X(socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); }
int udp(void) { return X(socket, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0); }

int set_int(int fd, int level, int name, int value) { return X(setsockopt, fd, level, name, &value, sizeof(value)); }

int get_int(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return X(getsockopt, fd, level, name, &v, &len) ? -1 : v;
}

void done_with(int fd)
{
	X(close, fd);
	settle();
}

int udp_bound(uint16_t port)
{
	struct sockaddr_in a = lo(port);
	int fd = udp();

	if (X(bind, fd, SA(a)))
		note("bind", "%s", error_name(errno));
	return fd;
}

int listener(uint16_t port)
{
	struct sockaddr_in a = lo(port);
	int fd = tcp();

	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (X(bind, fd, SA(a)) || X(listen, fd, 5))
		note("listener", "%s", error_name(errno));
	return fd;
}

struct ends connection(uint16_t port)
{
	struct sockaddr_in a = lo(port);
	struct ends e = {.c = tcp()};
	int l = listener(port);

	X(connect, e.c, SA(a));
	settle();
	e.d = X(accept4, l, NULL, NULL, SOCK_NONBLOCK);
	if (e.d < 0)
		note("connection", "%s", error_name(errno));
	settle();
	done_with(l);
	return e;
}

void show_poll(const char *label, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | 0x2000};
	static const struct { int bit; const char *name; } names[] = {
		{POLLIN, "IN"}, {POLLPRI, "PRI"}, {POLLOUT, "OUT"}, {POLLERR, "ERR"}, {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"}, {0x40, "RDNORM"},
		{0x80, "RDBAND"}, {0x100, "WRNORM"}, {0x200, "WRBAND"}, {0x2000, "RDHUP"}};
	char text[128] = "";

	settle();
	x_poll(&p, 1, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (p.revents & names[i].bit)
			strcat(strcat(text, " "), names[i].name);
	note(label, "poll%s", text);
}

static void name_text(char *text, size_t n, const struct sockaddr_in *a, socklen_t len)
{
	char ip[INET_ADDRSTRLEN];
	unsigned port = ntohs(a->sin_port);

	inet_ntop(AF_INET, &a->sin_addr, ip, sizeof(ip));
	if (port >= 32768)
		snprintf(text, n, "%s:some (%u, %u)", ip, a->sin_family, (unsigned)len);
	else
		snprintf(text, n, "%s:%u (%u, %u)", ip, port, a->sin_family, (unsigned)len);
}

void show_names(const char *label, int fd)
{
	struct sockaddr_in a = {0};
	char own[64], peer[64];
	socklen_t len = sizeof(a);

	if (X(getsockname, fd, (struct sockaddr *)&a, &len))
		snprintf(own, sizeof(own), "%s", error_name(errno));
	else
		name_text(own, sizeof(own), &a, len);
	len = sizeof(a);
	memset(&a, 0, sizeof(a));
	if (X(getpeername, fd, (struct sockaddr *)&a, &len))
		snprintf(peer, sizeof(peer), "%s", error_name(errno));
	else
		name_text(peer, sizeof(peer), &a, len);
	note(label, "own %s, peer %s", own, peer);
}

void show_state(const char *label, int fd)
{
	show_names(label, fd);
	show_poll(label, fd);
	int e = get_int(fd, SOL_SOCKET, SO_ERROR);
	note(label, "SO_ERROR %s, then %d", e ? error_name(e) : "0", get_int(fd, SOL_SOCKET, SO_ERROR));
	show_poll(label, fd);
}

#ifndef CALLS_KERNEL
/* The limits of buffers are this machine's; here they shall be the same. */
static void as_the_kernel(const char *name, const char *path)
{
	char value[128] = "";
	FILE *f = fopen(path, "r");

	if (!f || !fgets(value, sizeof(value), f) || xmit_sysctl_set(net, name, value, NULL, 0))
		fprintf(stderr, "%s: cannot be taken over: %s\n", name, strerror(errno));
	if (f)
		fclose(f);
}
#endif

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	const struct calls_case *const sets[] = {
		stream_cases, stream_io_cases, binding_cases, datagram_cases, control_cases, raw_cases, option_cases, setting_cases, urgent_cases, receiving_cases,
		report_cases, rare_cases, splice_cases, zerocopy_cases,
	};

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
			for (const struct calls_case *t = sets[i]; t->name; t++)
				printf("%s\n", t->name);
		return 0;
	}
#ifndef CALLS_KERNEL
	struct xmit_config c = {.size = sizeof(c), .memory_bytes = 64 << 20, .first_fd = 3};
	net = xmit_net_new(&c);
	if (!net)
		return 1;
	as_the_kernel("net.core.rmem_max", "/proc/sys/net/core/rmem_max");
	as_the_kernel("net.core.wmem_max", "/proc/sys/net/core/wmem_max");
	as_the_kernel("net.ipv4.tcp_rmem", "/proc/sys/net/ipv4/tcp_rmem");
	as_the_kernel("net.ipv4.tcp_wmem", "/proc/sys/net/ipv4/tcp_wmem");
#endif
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		for (const struct calls_case *t = sets[i]; t->name; t++) {
			if (!wanted(t->name, argc, argv))
				continue;
			now_running = t->name;
			t->run();
		}
	}
#ifndef CALLS_KERNEL
	xmit_net_free(net);
#endif
	return 0;
}
