/* SPDX-License-Identifier: MIT */
/* user_addr.h - socket addresses on their way in and out of the calls. */
#ifndef XMIT_VFS_USER_ADDR_H
#define XMIT_VFS_USER_ADDR_H

#include "core/uapi.h"
#include <string.h>

/* An address given by the user; what he did not give reads as zero. */
static inline int move_addr_to_kernel(const struct sockaddr *addr, socklen_t len, struct sockaddr_any *a)
{
	if (len > sizeof(a->storage))
		return -EINVAL;
	if (len && !addr)
		return -EFAULT;
	memset(a, 0, sizeof(*a));
	if (len)
		memcpy(a, addr, len);
	return 0;
}

/* An address of n bytes for the user: cut to *len, which then tells its whole length. */
static inline int move_addr_to_user(const struct sockaddr_any *a, socklen_t n, struct sockaddr *addr, socklen_t *len)
{
	if (!len)
		return -EFAULT;
	if (*len > INT32_MAX)
		return -EINVAL;
	if (*len && n) {
		if (!addr)
			return -EFAULT;
		memcpy(addr, a, *len < n ? *len : n);
	}
	*len = n;
	return 0;
}

#endif
