/* SPDX-License-Identifier: MIT */
/*
 * run_passt.c - starting passt, the way out without privilege.
 *
 * passt runs as our child in the foreground and speaks QEMU's stream framing over one end of a socket pair that it inherits (--fd); so
 * there is no socket file to find or to leave behind, and it ends when we do.  It is told the addresses that the stack uses, hence no
 * DHCP is needed.  What it says goes to a memory file, shown only if it ends at once.
 *
 * passt sends as much as our receive windows allow at once, without waiting; what the socket has no room for is lost.  If those were the
 * last bytes of a window, nothing follows that would tell of it, and passt repeats them after 2 seconds.  The room is net.core.wmem_max's
 * affair unless we are root, with Debian's default 416 KB.  So the windows are kept small (passt_window): four connections that
 * receive at full speed fit into the socket with its overhead; with more of them that happens yet.
 */
#include "cmd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EARLY_END_MS 100
#define PASST_FD 3
#define SOCKET_BYTES (4 << 20)
#define WINDOWS 8u /* in the socket; half of it may be overhead */
#define LEAST_WINDOW 16384u
#define UNSCALED 65535u

__attribute__((noreturn)) static void exec_passt(int fd, int log, const struct cidr *addr, struct in_addr gateway, unsigned mtu)
{
	char a[INET_ADDRSTRLEN], g[INET_ADDRSTRLEN], prefix[16], mtu_text[16], fd_text[16];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	inet_ntop(AF_INET, &addr->addr, a, sizeof(a));
	inet_ntop(AF_INET, &gateway, g, sizeof(g));
	snprintf(prefix, sizeof(prefix), "%u", addr->prefix_len);
	snprintf(mtu_text, sizeof(mtu_text), "%u", mtu);
	snprintf(fd_text, sizeof(fd_text), "%d", PASST_FD);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpgid(0, 0); /* Ctrl-C is for the command */
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	if (fd == PASST_FD)
		fcntl(fd, F_SETFD, 0);
	else
		dup2(fd, PASST_FD);
	execlp("passt", "passt", "--foreground", "--stderr", "--ipv4-only", "--fd", fd_text, "--address", a, "--netmask", prefix, "--gateway", g,
	       "--mtu", mtu_text, (char *)NULL);
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXEC);
}

static void show_log(int log)
{
	char buf[2048];
	ssize_t n = pread(log, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return;
	buf[n] = '\0';
	fputs(buf, stderr);
}

/* True: it runs yet, a moment after it was started. */
static bool still_runs(pid_t pid, int *status)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (pidfd < 0)
		return true;
	int n = poll(&p, 1, EARLY_END_MS);
	close(pidfd);
	return n <= 0 || waitpid(pid, status, 0) != pid;
}

/* As much of it as net.core.wmem_max allows, or all for root. */
static void give_room(int fd)
{
	int bytes = SOCKET_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

uint32_t passt_window(int fd)
{
	int bytes = 0;
	uint32_t share, window = UNSCALED;
	socklen_t len = sizeof(bytes);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len) < 0) /* both ends have the same */
		return UNSCALED;
	share = (uint32_t)bytes / WINDOWS;
	if (share <= UNSCALED)
		return share < LEAST_WINDOW ? LEAST_WINDOW : share;
	while (window <= share / 2) /* whole powers: auto-tuning grows a window up to what its scale allows */
		window *= 2;
	return window;
}

int passt_start(const struct cidr *addr, struct in_addr gateway, unsigned mtu, pid_t *pid)
{
	int pair[2], status = 0, log = memfd_create("passt", MFD_CLOEXEC);

	if (log < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		if (log >= 0)
			close(log);
		return complain("cannot start passt: %s", strerror(errno));
	}
	give_room(pair[0]);
	give_room(pair[1]);
	*pid = fork();
	if (*pid == 0)
		exec_passt(pair[1], log, addr, gateway, mtu);
	close(pair[1]);
	if (*pid < 0)
		complain("cannot start passt: %s", strerror(errno));
	else if (still_runs(*pid, &status)) {
		close(log);
		return pair[0];
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND) {
		complain("--dev passt: the program passt is not installed (Debian: apt-get install passt)");
	} else {
		show_log(log);
		complain("--dev passt: passt ended at once");
	}
	*pid = 0;
	close(pair[0]);
	close(log);
	return -1;
}
