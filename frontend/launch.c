/* SPDX-License-Identifier: MIT */
/*
 * launch.c - starting the command under the filter, and passing signals and its end on.
 *
 * The child installs the filter, which makes the listener descriptor, and writes its number into a pipe; the parent takes it with
 * pidfd_getfd (a call that passed it over would itself be trapped by the new filter).  Then the child closes its own and executes
 * the command; a second pipe, closed by the exec, tells whether that worked.
 *
 * Root keeps its right to run set-user-id programs; anybody else must give it up (NO_NEW_PRIVS) for a filter to be allowed.
 *
 * Signals sent to us by another process go on to the command; those of the terminal reach it by itself, being of the same process group.
 * When the command is stopped (Ctrl-Z) we stop too, so that the shell sees it.  We adopt orphans of the command: they stay reachable
 * for pidfd_getfd under Yama, and are reaped here.  The command does not outlive us.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static const int taken_signals[] = { SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH };

static void taken_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(taken_signals); i++)
		sigaddset(set, taken_signals[i]);
}

void launch_restore_signals(void)
{
	sigset_t set;

	taken_set(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int install_filter(struct sock_filter *insns, unsigned short n)
{
	struct sock_fprog prog = { .len = n, .filter = insns };
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);

	if (fd < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	return fd < 0 ? -errno : fd;
}

struct handshake {
	int number[2];  /* child to parent: the listener's number or -errno */
	int go[2];      /* parent to child: closed when the listener was taken */
	int result[2];  /* child to parent: errno of a failed exec */
};

__attribute__((noreturn)) static void child(struct handshake *hs, char *const *argv, struct sock_filter *insns, unsigned short n,
					     const sigset_t *mask, pid_t parent)
{
	char byte;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigprocmask(SIG_SETMASK, mask, NULL);
	close(hs->go[1]);
	int listener = install_filter(insns, n);
	if (write(hs->number[1], &listener, sizeof(listener)) != (ssize_t)sizeof(listener) || listener < 0)
		_exit(127);
	if (read(hs->go[0], &byte, 1) != 0)
		_exit(127);
	close(listener);
	execvp(argv[0], argv);
	err = errno;
	if (write(hs->result[1], &err, sizeof(err)) != (ssize_t)sizeof(err))
		_exit(126);
	_exit(127);
}

static void close_pair(int fds[2])
{
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static int take_listener(struct supervisor *sup, struct handshake *hs, char *why, size_t why_len)
{
	int number;

	close(hs->number[1]);
	hs->number[1] = -1;
	if (read(hs->number[0], &number, sizeof(number)) != (ssize_t)sizeof(number))
		number = -ECHILD;
	if (number == -EBUSY) {
		snprintf(why, why_len, "this process runs under a seccomp supervisor already (xmit inside xmit, or a container's): "
			 "only one is possible");
		return -1;
	}
	if (number < 0) {
		snprintf(why, why_len, "cannot install the seccomp filter: %s", strerror(-number));
		return -1;
	}
	int fd = fetch_fd(sup, sup->command, number);
	if (fd < 0) {
		snprintf(why, why_len, "cannot take over the seccomp listener: %s%s", strerror(-fd),
			 fd == -EPERM ? " (ptrace of own children is forbidden here: see /proc/sys/kernel/yama/ptrace_scope)" : "");
		return -1;
	}
	int rc = notify_open(sup, fd);
	if (rc < 0) {
		snprintf(why, why_len, "cannot listen to the program's calls: %s", strerror(-rc));
		return -1;
	}
	return 0;
}

static int watch_signals(struct supervisor *sup, const sigset_t *set)
{
	sup->signal_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sup->signal_fd < 0)
		return -errno;
	return source_add(sup, sup->signal_fd, EPOLLIN, &sup->signal_src);
}

int launch(struct supervisor *sup, char *const *argv, struct frontend_result *result, char *why, size_t why_len)
{
	struct handshake hs = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct sock_filter *insns = NULL;
	unsigned short n = 0;
	sigset_t set, old;
	int err, rc = filter_build(&insns, &n);

	if (rc < 0) {
		snprintf(why, why_len, "cannot build the seccomp filter: %s", strerror(-rc));
		return -1;
	}
	rc = -1;
	taken_set(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe2(hs.number, O_CLOEXEC) < 0 || pipe2(hs.go, O_CLOEXEC) < 0 || pipe2(hs.result, O_CLOEXEC) < 0 ||
	    watch_signals(sup, &set) < 0) {
		snprintf(why, why_len, "cannot start the command: %s", strerror(errno));
		goto out;
	}
	pid_t parent = getpid();
	fflush(NULL);
	sup->command = fork();
	if (sup->command == 0)
		child(&hs, argv, insns, n, &old, parent);
	if (sup->command < 0) {
		snprintf(why, why_len, "cannot fork: %s", strerror(errno));
		sup->command = 0;
		goto out;
	}
	if (take_listener(sup, &hs, why, why_len) < 0) {
		kill(sup->command, SIGKILL);
		waitpid(sup->command, NULL, 0);
		goto out;
	}
	close_pair(hs.go);
	close(hs.result[1]);
	hs.result[1] = -1;
	if (read(hs.result[0], &err, sizeof(err)) == (ssize_t)sizeof(err))
		result->exec_errno = err;
	rc = 0;
out:
	close_pair(hs.number);
	close_pair(hs.go);
	close_pair(hs.result);
	free(insns);
	return rc;
}

static void reap(struct supervisor *sup)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != sup->command)
			continue;
		if (WIFSTOPPED(status)) {
			kill(getpid(), SIGSTOP);
			kill(sup->command, SIGCONT);
			continue;
		}
		sup->wait_status = status;
		sup->command = 0;
		sup->command_gone = true;
	}
}

void launch_signals_ready(struct supervisor *sup, struct source *src, uint32_t events)
{
	struct signalfd_siginfo si;

	(void)src, (void)events;
	while (read(sup->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap(sup);
		else if (sup->command && si.ssi_code <= 0) /* sent by a process, not by the terminal */
			kill(sup->command, (int)si.ssi_signo);
	}
}
