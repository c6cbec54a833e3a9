/* SPDX-License-Identifier: MIT */
/* zerocopy.h - sending from the user's memory, and telling when it may be used again (zerocopy.c). */
#ifndef XMIT_IP_ZEROCOPY_H
#define XMIT_IP_ZEROCOPY_H

#include "ip/ip.h"

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

/* The owner of a call's frags, one reference the caller's; NULL: no memory, or too many notifications wait (ENOBUFS). */
struct frag_owner *msg_zerocopy_start(struct sock *sk);
/* The call is over and gives its reference back; sent false: it queued nothing and does not count. */
void msg_zerocopy_end(struct frag_owner *owner, bool sent);
/* A call whose bytes were all copied: it is told at once. */
void msg_zerocopy_all_copied(struct sock *sk);

#endif
