/* SPDX-License-Identifier: MIT */
/* splicing.c - splice() between a TCP socket and a pipe, sendfile() to it: by state, flag, urgent mark and what is there. */
#include "calls.h"
#include <signal.h>
#include <unistd.h>

enum { PEEK_OFF = 42, SPLICE_NONBLOCK = 2, SPLICE_MORE = 4 };

#ifdef CALLS_KERNEL
#include <sys/sendfile.h>
#define x_splice_to(fd, host, n, flags) splice(fd, NULL, host, NULL, n, flags)
#define x_splice_from(fd, host, n, flags) splice(host, NULL, fd, NULL, n, flags)
#define x_sendfile(fd, host, offset, n) sendfile(fd, host, offset, n)
#else
#define x_splice_to(fd, host, n, flags) xmit_splice_to(net, fd, host, n, flags)
#define x_splice_from(fd, host, n, flags) xmit_splice_from(net, fd, host, n, flags)
#define x_sendfile(fd, host, offset, n) xmit_sendfile(net, fd, host, offset, n)
#endif

static char label[96];
#define L(...) (snprintf(label, sizeof(label), __VA_ARGS__), label)

static void send_text(int fd, const char *text, int flags)
{
	if (X(send, fd, text, strlen(text), flags | MSG_NOSIGNAL) != (ssize_t)strlen(text))
		note("send", "%s", error_name(errno));
	settle();
}

/* A pipe, emptied into the transcript. */
static void show_pipe(const char *what, int fd)
{
	char buf[256];
	ssize_t n = read(fd, buf, sizeof(buf));

	note(what, "in the pipe: %.*s", (int)(n > 0 ? n : 0), buf);
}

static void to_pipe(const char *what, int fd, const int pipe_fds[2], size_t n, unsigned flags)
{
	R(what, x_splice_to(fd, pipe_fds[1], n, flags));
	show_pipe(what, pipe_fds[0]);
}

static int nonblocking_pipe(int fds[2])
{
	if (pipe(fds))
		return -1;
	return fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

/* In each state of a socket. */
static void splice_states(void)
{
	struct sockaddr_in a = lo(1700);
	struct linger none = {1, 0};
	int p[2], q[2], l = listener(1700), fd = tcp();

	signal(SIGPIPE, SIG_IGN);
	nonblocking_pipe(p);
	nonblocking_pipe(q);
	for (int state = 0; state < 9; state++) {
		struct ends e = connection(1701);
		int of = state == 0 ? fd : state == 1 ? l : e.d;
		if (state == 3)
			X(shutdown, e.c, SHUT_WR);
		else if (state == 4)
			X(shutdown, e.d, SHUT_WR);
		else if (state == 5)
			X(shutdown, e.d, SHUT_RD);
		else if (state == 6)
			send_text(e.c, "abc", 0), X(shutdown, e.d, SHUT_RD);
		else if (state == 7)
			X(setsockopt, e.c, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), X(close, e.c);
		else if (state == 8)
			send_text(e.c, "abcdef", 0), X(shutdown, e.c, SHUT_WR);
		settle();
		for (unsigned flags = 0; flags < 8; flags += 2) {
			to_pipe(L("state %d, to, flags %u", state, flags), of, p, 2, flags);
			to_pipe(L("state %d, to, none", state), of, p, 0, flags);
			R(L("state %d, from an empty pipe", state), x_splice_from(of, q[0], 5, flags | SPLICE_NONBLOCK));
			if (write(q[1], "xyz", 3) != 3)
				return;
			R(L("state %d, from", state), x_splice_from(of, q[0], 2, flags));
			R(L("state %d, from, none", state), x_splice_from(of, q[0], 0, flags));
			show_pipe(L("state %d, left", state), q[0]);
		}
		show_state("then", of);
		if (state != 7)
			done_with(e.c);
		done_with(e.d);
	}
	X(connect, fd, SA(a));
	done_with(fd);
	done_with(l);
	for (int i = 0; i < 2; i++)
		close(p[i]), close(q[i]);
}

static void splice_urgent(void)
{
	int p[2];

	nonblocking_pipe(p);
	for (int way = 0; way < 8; way++) {
		struct ends e = connection((uint16_t)(1710 + way));
		set_int(e.d, SOL_SOCKET, SO_OOBINLINE, way & 1);
		set_int(e.d, SOL_SOCKET, PEEK_OFF, 1);
		send_text(e.c, "abU", MSG_OOB);
		send_text(e.c, "cdef", 0);
		if (way & 2) {
			char byte;
			R("urgent", X(recv, e.d, &byte, 1, MSG_OOB));
		}
		for (int i = 0; i < 4; i++)
			to_pipe(L("way %d, call %d", way, i), e.d, p, way & 4 ? 3 : 40, 0);
		note("peek offset", "%d", get_int(e.d, SOL_SOCKET, PEEK_OFF));
		char buf[16];
		R("read", X(recv, e.d, buf, 16, 0));
		to_pipe(L("way %d, rest", way), e.d, p, 40, 0);
		done_with(e.c);
		to_pipe("FIN", e.d, p, 40, 0);
		done_with(e.d);
		e = connection((uint16_t)(1710 + way));
		set_int(e.d, SOL_SOCKET, SO_OOBINLINE, way & 1);
		if (way & 4)
			X(fcntl, e.d, F_SETFL, 0);
		send_text(e.c, "abU", MSG_OOB);
		to_pipe(L("way %d, to the mark", way), e.d, p, 40, 0);
		to_pipe(L("way %d, at the mark", way), e.d, p, 40, 0);
		send_text(e.c, "c", 0);
		to_pipe(L("way %d, data behind it", way), e.d, p, 40, 0);
		done_with(e.c);
		to_pipe(L("way %d, FIN behind it", way), e.d, p, 40, 0);
		done_with(e.d);
	}
	close(p[0]);
	close(p[1]);
}

static void splice_ends(void)
{
	struct ends e = connection(1720);
	struct timeval tv = {0, 4000};
	int p[2], file = fileno(tmpfile());

	signal(SIGPIPE, SIG_IGN);
	nonblocking_pipe(p);
	R("bad fd", x_splice_to(9999, p[1], 1, 0));
	R("bad pipe", x_splice_to(e.d, -1, 1, 0));
	R("bad pipe", x_splice_from(e.d, -1, 1, 0));
	X(fcntl, e.d, F_SETFL, 0);
	X(setsockopt, e.d, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	R("waits", x_splice_to(e.d, p[1], 5, 0));
	R("does not wait for the pipe", x_splice_to(e.d, p[1], 5, SPLICE_NONBLOCK));
	set_int(e.d, SOL_SOCKET, SO_RCVLOWAT, 10);
	send_text(e.c, "abc", 0);
	R("below SO_RCVLOWAT", x_splice_to(e.d, p[1], 5, 0));
	show_pipe("below SO_RCVLOWAT", p[0]);
	close(p[1]);
	R("no writer any more", x_splice_from(e.c, p[0], 5, 0));
	int fresh = tcp();
	R("no writer any more, new", x_splice_from(fresh, p[0], 5, 0));
	done_with(fresh);
	R("into a pipe's reading end", x_splice_to(e.d, p[0], 5, SPLICE_NONBLOCK));
	close(p[0]);
	nonblocking_pipe(p);
	close(p[0]);
	send_text(e.c, "abc", 0);
	R("no reader any more", x_splice_to(e.d, p[1], 5, 0));
	close(p[1]);
	/* sendfile() */
	off_t offset = 2, far = 100, negative = -1;
	R("file", (int)write(file, "0123456789", 10));
	R("at the end", x_sendfile(e.c, file, NULL, 5));
	R("offset", x_sendfile(e.c, file, &offset, 5));
	note("offset", "%ld", (long)offset);
	R("to the end", x_sendfile(e.c, file, &offset, 50));
	note("offset", "%ld", (long)offset);
	R("behind the end", x_sendfile(e.c, file, &far, 50));
	R("negative", x_sendfile(e.c, file, &negative, 50));
	R("none", x_sendfile(e.c, file, &offset, 0));
	R("bad file", x_sendfile(e.c, -1, NULL, 5));
	R("bad socket", x_sendfile(9999, file, NULL, 5));
	offset = 0;
	R("shut", X(shutdown, e.c, SHUT_WR));
	offset = 0;
	R("after that", x_sendfile(e.c, file, &offset, 5));
	int fd = tcp();
	R("new", x_sendfile(fd, file, &offset, 5));
	done_with(fd);
	done_with(e.c);
	done_with(e.d);
}

const struct calls_case splice_cases[] = {
	{"splice_states", splice_states}, {"splice_urgent", splice_urgent}, {"splice_ends", splice_ends}, {NULL, NULL},
};
