/* SPDX-License-Identifier: MIT */
/**
 * @file xmit.h
 * An instance of the stack: making one, running it, its clock, memory and settings.
 *
 * An instance does nothing by itself: no threads, no globals, no hidden system calls.  It works when called: a socket call
 * (xmit/socket.h) runs down to the driver at once; receiving, transmit completions and timers run in xmit_poll().  A usual loop:
 *
 *     for (;;) {
 *             while (xmit_poll(net, 64))
 *                     ;
 *             n = xmit_poll_fds(net, fds, MAX);
 *             poll(fds, n, milliseconds until xmit_next_deadline(net));
 *     }
 *
 * One thread at a time may be inside an instance; different instances are independent.
 * Unless said otherwise functions return 0 or a non-negative number, or -1 with errno set.
 */
#ifndef XMIT_XMIT_H
#define XMIT_XMIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define XMIT_API __attribute__((visibility("default")))
#else
#define XMIT_API
#endif

#define XMIT_NEVER UINT64_MAX /**< "no deadline", where a time in ns is expected */

typedef struct net xmit_net;            /**< an instance; opaque */
typedef struct net_device xmit_dev;     /**< a network device of an instance; opaque */
typedef struct sk_buff xmit_skb;        /**< a packet, as drivers see it; opaque */

struct pollfd;

/**
 * What an instance gets from its surroundings.  Every member may be left zero: the default (POSIX clock, getrandom, mmap, poll)
 * is then used.  `size` is sizeof(struct xmit_env) as the caller was compiled.
 */
struct xmit_env {
	size_t size;
	void *ctx; /**< passed to every function below */
	/** Monotonic time in nanoseconds; any epoch; must not go back. */
	uint64_t (*now_ns)(void *ctx);
	/** Wall-clock time in nanoseconds since 1970-01-01 UTC (SO_TIMESTAMP, capture files). */
	uint64_t (*realtime_ns)(void *ctx);
	/** Fills buf with n random bytes.  Secrets (ISNs, ports) come from here: unpredictable, except in simulations. */
	void (*random)(void *ctx, void *buf, size_t n);
	/** Reserves n bytes, zeroed, aligned to 256 KiB; NULL when it cannot.  Called once, from xmit_net_new(). */
	void *(*reserve)(void *ctx, size_t n);
	/** Gives back what reserve() gave. */
	void (*release)(void *ctx, void *p, size_t n);
	/** Tells the host that [p, p+n) (page-aligned, within reserve()'s) is not needed now and may read as zero.  May do nothing. */
	void (*discard)(void *ctx, void *p, size_t n);
	/**
	 * Waits until something may have happened (a descriptor of xmit_poll_fds() is ready, or a peer instance ran) or until
	 * until_ns (XMIT_NEVER: no limit).  Used only by blocking socket calls.  0; or -EINTR, which the call then returns.
	 */
	int (*wait)(void *ctx, xmit_net *net, uint64_t until_ns);
	/** One line of text without newline: what an administrator would want to know. */
	void (*log)(void *ctx, const char *line);
};

/** How to make an instance.  Zeroed members mean the default. */
struct xmit_config {
	size_t size;            /**< sizeof(struct xmit_config) */
	size_t memory_bytes;    /**< cap on all memory of the instance; default 256 MiB, least 1 MiB; rounded up to 256 KiB */
	unsigned max_files;     /**< descriptors; default 65,536, at most 4,194,304 */
	int first_fd;           /**< number of the lowest descriptor; default 0 */
	struct xmit_env env;    /**< env.size 0: all defaults */
};

/**
 * Makes an instance with device "lo" (127.0.0.1/8, up) and Linux's default settings.
 * @param config NULL for the defaults.
 * @return NULL with errno EINVAL (a member out of range) or ENOMEM.
 */
XMIT_API xmit_net *xmit_net_new(const struct xmit_config *config);

/** Closes every socket and device without ceremony (no FIN is sent) and frees the instance.  NULL is allowed. */
XMIT_API void xmit_net_free(xmit_net *net);

/**
 * Runs timers, reception and completions that are due, then the callbacks of sockets that became ready.
 * @param budget about how many packets to handle at most, 1 to 65,536; 0 means 300.
 * @return 1 when more is waiting, 0 when all that is due was done; -1 with EDEADLK when called from inside itself or a callback.
 */
XMIT_API int xmit_poll(xmit_net *net, int budget);

/** When xmit_poll() should be called next, in ns of env.now_ns: at or before now if work waits; XMIT_NEVER if only I/O can wake it. */
XMIT_API uint64_t xmit_next_deadline(xmit_net *net);

/**
 * Fills in the host descriptors (and events) on which the instance's devices wait.
 * @return how many there are; those beyond max are not stored.
 */
XMIT_API int xmit_poll_fds(xmit_net *net, struct pollfd *fds, int max);

/** xmit_poll() until the deadline now + timeout_ns, waiting by env.wait in between; 0 at the deadline, -1 with EINTR. */
XMIT_API int xmit_run(xmit_net *net, uint64_t timeout_ns);

/** The instance's clock, ns, read now. */
XMIT_API uint64_t xmit_now(xmit_net *net);

/** The instance's wall clock (env.realtime_ns), ns since 1970-01-01 UTC. */
XMIT_API uint64_t xmit_realtime(xmit_net *net);

/** Memory of the instance, bytes. */
struct xmit_memory {
	uint64_t cap_bytes, used_bytes, peak_bytes;
	uint64_t live_objects; /**< allocations not yet freed */
	uint64_t failures;     /**< allocations refused so far */
};
XMIT_API void xmit_memory(xmit_net *net, struct xmit_memory *m);

/** Test aid: the n-th allocation from now fails, once (0: off). */
XMIT_API void xmit_fail_allocation(xmit_net *net, uint64_t n);

/** The library's version, "0.1.0". */
XMIT_API const char *xmit_version(void);

#ifdef __cplusplus
}
#endif
#endif
