/* SPDX-License-Identifier: MIT */
/*
 * filter.c - the seccomp filter of the program: which calls come to the supervisor.
 *
 * Only control calls do: reading and writing go to the placeholder natively, at the kernel's own speed.  A call is let through where its
 * arguments alone show that it cannot concern us (another address family, no address given, no flag that AF_UNIX would lose); where only
 * the descriptor could tell, the supervisor looks and continues it.  The calls of foreign architectures (i386, x32) and io_uring would pass
 * by the filter: both answer ENOSYS, after which programs use the ordinary way.  libseccomp writes the BPF program, launch.c installs it.
 */
#include "supervisor.h"

#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOW32 UINT64_C(0xffffffff) /* int arguments: the upper half of the register is undefined */

static int trap(scmp_filter_ctx ctx, int nr)
{
	return seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, nr, 0);
}

static int trap_if(scmp_filter_ctx ctx, int nr, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, nr, 1, &cmp);
}

static int add_rules(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET };
	static const scmp_datum_t flags[] = { MSG_MORE, MSG_OOB };
	static const int always[] = {
		SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(getsockname),
		SCMP_SYS(getpeername), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
		SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && !rc; i++)
		rc = trap_if(ctx, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, (scmp_datum_t)families[i]));
	for (size_t i = 0; i < ARRAY_SIZE(always) && !rc; i++)
		rc = trap(ctx, always[i]);
	if (!rc)
		rc = trap_if(ctx, SCMP_SYS(sendto), SCMP_A4(SCMP_CMP_NE, 0, 0));
	for (size_t i = 0; i < ARRAY_SIZE(flags) && !rc; i++) /* the placeholder would lose them */
		rc = trap_if(ctx, SCMP_SYS(sendto), SCMP_A3(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	if (!rc)
		rc = trap_if(ctx, SCMP_SYS(recvfrom), SCMP_A4(SCMP_CMP_NE, 0, 0));
	if (!rc) /* of a stream: discard, which the placeholder does not know */
		rc = trap_if(ctx, SCMP_SYS(recvfrom), SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_TRUNC, MSG_TRUNC));
	if (!rc) /* SIOC*: 0x89xx, and SIOCOUTQ which is a terminal's TIOCOUTQ */
		rc = trap_if(ctx, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32 & ~UINT64_C(0xff), 0x8900));
	if (!rc)
		rc = trap_if(ctx, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, 0x5411));
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
	return rc;
}

static int export(scmp_filter_ctx ctx, struct sock_filter **insns, unsigned short *n)
{
	struct stat st;
	int rc = -ENOMEM;
	int fd = memfd_create("filter", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (seccomp_export_bpf(ctx, fd) < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		goto out_close;
	*insns = malloc((size_t)st.st_size);
	if (!*insns)
		goto out_close;
	if (pread(fd, *insns, (size_t)st.st_size, 0) != st.st_size) {
		free(*insns);
		rc = -EIO;
		goto out_close;
	}
	*n = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	rc = 0;
out_close:
	close(fd);
	return rc;
}

int filter_build(struct sock_filter **insns, unsigned short *n)
{
	int rc = -ENOMEM;
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	if (!ctx)
		return rc;
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (!rc) /* a binary tree: calls that are not trapped pay a few comparisons only */
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!rc)
		rc = add_rules(ctx);
	if (!rc)
		rc = export(ctx, insns, n);
	seccomp_release(ctx);
	return rc;
}
