/* SPDX-License-Identifier: MIT */
/*
 * xmit.c - makes and frees an instance: every layer's init in the order of the path, from the ground up.
 *
 * A layer's init allocates its per-instance state and registers its ways up with the layer below; exits run in reverse.  This
 * is the only file that knows all layers.
 */
#include "core/net.h"
#include "core/skbuff.h"
#include "core/sysctl.h"
#include "dev/netdevice.h"
#include "dev/softirq.h"
#include "drivers/drivers.h"
#include "env_posix.h"
#include "ip/ip.h"
#include "neigh/neighbour.h"
#include "netfilter/netfilter.h"
#include "sched/sch_generic.h"
#include "socket/socket.h"
#include "tcp/tcp.h"
#include "udp/udp.h"
#include "vfs/file.h"
#include "xmit/control.h"
#include <errno.h>

enum {
	MEMORY_DEFAULT = 256 << 20, /* bytes */
	MEMORY_LEAST = 1 << 20,
	MEMORY_GRANULE = 256 << 10,
	FILES_DEFAULT = 65536,
	FILES_MOST = 4194304,
};

struct layer {
	int (*init)(struct net *net);
	void (*exit)(struct net *net);
};

static const struct layer layers[] = {
	{timers_init, timers_exit}, {sysctl_init, sysctl_exit}, {skb_init, skb_exit},   {softirq_init, softirq_exit},
	{netdev_init, netdev_exit}, {sched_init, sched_exit},   {neigh_init, neigh_exit}, {netfilter_init, netfilter_exit},
	{ipv4_init, ipv4_exit},     {tcp_init, tcp_exit},       {udp_init, udp_exit},   {sock_init, sock_exit},
	{vfs_init, vfs_exit},
};

static void exit_layers(struct net *net, size_t n)
{
	while (n-- > 0)
		layers[n].exit(net);
}

static int init_layers(struct net *net)
{
	for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
		int err = layers[i].init(net);
		if (err) {
			exit_layers(net, i);
			return err;
		}
	}
	return 0;
}

static int add_loopback(struct net *net)
{
	xmit_dev *lo = xmit_loopback_new(net);

	if (!lo || xmit_addr_add_text(lo, "127.0.0.1/8") || xmit_dev_up(lo))
		return -errno;
	return 0;
}

/* Members that the caller's struct does not reach (an older size) or left zero get their defaults. */
static int read_config(const struct xmit_config *in, struct xmit_config *out)
{
	*out = (struct xmit_config){0};
	if (in) {
		if (in->size < sizeof(size_t) || in->size > sizeof(*out) || in->env.size > sizeof(out->env))
			return -EINVAL;
		memcpy(out, in, in->size);
	}
	if (!out->memory_bytes)
		out->memory_bytes = MEMORY_DEFAULT;
	if (!out->max_files)
		out->max_files = FILES_DEFAULT;
	if (out->memory_bytes < MEMORY_LEAST || out->max_files > FILES_MOST || out->first_fd < 0)
		return -EINVAL;
	out->memory_bytes = ALIGN_UP(out->memory_bytes, (size_t)MEMORY_GRANULE);
	return 0;
}

xmit_net *xmit_net_new(const struct xmit_config *config)
{
	struct xmit_config c;
	struct xmit_env env;
	int err = read_config(config, &c);

	if (err)
		goto fail;
	env = c.env;
	env_fill_defaults(&env);
	err = -ENOMEM;
	struct net *net = env_alloc_instance(sizeof(*net));
	if (!net)
		goto fail;
	net->env = env;
	net->max_files = c.max_files;
	net->first_fd = c.first_fd;
	net->cookie_next = 1;
	net_clock_update(net);
	net->env.random(net->env.ctx, &net->hash_key, sizeof(net->hash_key));
	err = mem_init(net, c.memory_bytes);
	if (err)
		goto free_instance;
	err = init_layers(net);
	if (err)
		goto free_memory;
	err = add_loopback(net);
	if (err)
		goto exit_layers;
	return net;

exit_layers:
	net->dying = true;
	netdev_shutdown(net);
	exit_layers(net, ARRAY_SIZE(layers));
free_memory:
	mem_exit(net);
free_instance:
	env_free_instance(net, sizeof(*net));
fail:
	errno = -err;
	return NULL;
}

void xmit_net_free(xmit_net *net)
{
	if (!net)
		return;
	net->dying = true;
	netdev_shutdown(net);
	exit_layers(net, ARRAY_SIZE(layers));
	trace_exit(net);
	uint64_t leaked = mem_report_live(net);
	if (leaked)
		net_log(net, "xmit_net_free: %llu objects leaked (listed above); please report this", (unsigned long long)leaked);
	mem_exit(net);
	env_free_instance(net, sizeof(*net));
}

uint64_t xmit_now(xmit_net *net)
{
	net_clock_update(net);
	return net->now_ns;
}

uint64_t xmit_realtime(xmit_net *net)
{
	return net->env.realtime_ns(net->env.ctx);
}

const char *xmit_version(void)
{
	return XMIT_VERSION;
}
