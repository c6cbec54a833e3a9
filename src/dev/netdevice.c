/* SPDX-License-Identifier: MIT */
/*
 * netdevice.c - devices: making, finding, up and down, carrier, MTU, features, removal (D1).
 *
 * A device is made down.  Up: the driver's open(), its NAPIs enabled, queueing activated, NETDEV_UP told.  Down is the reverse, and
 * afterwards nothing of the device is in flight: qdiscs are dropped (DEV_READY), the driver's stop() has given every skb back
 * and these are freed, NAPIs are off the poll list, the backlog has none of its packets.  Only then NETDEV_DOWN is told.
 *
 * The struct is counted (dev_hold): routes and neighbours may keep it for a while after xmit_dev_free(), which takes it out of every table and
 * ends the driver; for them it is a device that is down.  skb->dev is not counted: skbs leave with the device.
 *
 * The public functions of xmit/dev.h for users stand here, those for drivers in dev_driver.c and skb_api.c.
 */
#include "dev/netdev_internal.h"
#include "dev/softirq.h"
#include "core/sysctl.h"
#include "wire/arp.h"
#include <limits.h>
#include <poll.h>
#include <stdio.h>

static const struct sysctl_entry core_sysctls[] = {
	{.name = "net.core.dev_weight", .type = SYSCTL_INT, .offset = offsetof(struct netdev_state, sysctl_dev_weight), .count = 1, .min = 1, .max = 65536},
	{.name = "net.core.netdev_budget", .type = SYSCTL_INT, .offset = offsetof(struct netdev_state, sysctl_netdev_budget), .count = 1, .min = 1, .max = 65536},
	{.name = "net.core.netdev_max_backlog", .type = SYSCTL_INT, .offset = offsetof(struct netdev_state, sysctl_netdev_max_backlog), .count = 1, .min = 0, .max = INT_MAX},
};

int netdev_init(struct net *net)
{
	struct netdev_state *ns = net_zalloc(net, sizeof(*ns), MEM_NORMAL);
	int err;

	if (!ns)
		return -ENOMEM;
	net->netdev = ns;
	list_init(&ns->devices);
	list_init(&ns->notifiers);
	ns->completed_tail = &ns->completed;
	ns->sysctl_netdev_max_backlog = 1000;
	ns->sysctl_netdev_budget = 300;
	ns->sysctl_dev_weight = 64;
	err = dev_rx_init(net);
	if (err)
		goto free_state;
	err = sysctl_register(net, ns, core_sysctls, ARRAY_SIZE(core_sysctls));
	if (err)
		goto exit_rx;
	return 0;

exit_rx:
	dev_rx_exit(net);
free_state:
	net->netdev = NULL;
	net_free(net, ns);
	return err;
}

struct list_head *netdev_list(struct net *net) { return &net->netdev->devices; }

struct sk_buff *dev_tx_completed(struct net *net)
{
	struct netdev_state *ns = net->netdev;
	struct sk_buff *skb = ns->completed;

	if (!skb)
		return NULL;
	ns->completed = skb->next;
	if (!ns->completed)
		ns->completed_tail = &ns->completed;
	skb->next = NULL;
	return skb;
}

static void free_completed(struct net *net)
{
	struct sk_buff *skb;

	while ((skb = dev_tx_completed(net)))
		skb_consume(skb);
}

void netdev_shutdown(struct net *net)
{
	struct net_device *dev;

	for_each_netdev(net, dev)
		xmit_dev_down(dev);
	free_completed(net);
}

void netdev_exit(struct net *net)
{
	struct netdev_state *ns = net->netdev;
	struct net_device *dev, *tmp;

	list_for_each_entry_safe(dev, tmp, &ns->devices, list)
		xmit_dev_free(dev);
	free_completed(net);
	dev_rx_exit(net);
	net->netdev = NULL;
	net_free(net, ns);
}

/* --- notification ---------------------------------------------------------------------------------------------- */

void register_netdevice_notifier(struct net *net, struct netdev_notifier *nb)
{
	list_add_tail(&nb->list, &net->netdev->notifiers);
}

static void tell(struct net_device *dev, enum netdev_event event)
{
	struct netdev_notifier *nb;

	list_for_each_entry(nb, &dev->net->netdev->notifiers, list)
		nb->fn(dev, event);
}

void netdev_forget_upper(struct net *net)
{
	struct netdev_state *ns = net->netdev;

	list_init(&ns->notifiers);
	list_init(&ns->offloads);
	list_init(&ns->ptype_all);
	for (unsigned i = 0; i < PTYPE_HASH_SIZE; i++)
		list_init(&ns->ptype[i]);
}

/* --- finding --------------------------------------------------------------------------------------------------- */

struct net_device *dev_get_by_index(struct net *net, int ifindex)
{
	struct net_device *dev;

	for_each_netdev(net, dev)
		if (dev->ifindex == ifindex)
			return dev;
	return NULL;
}

struct net_device *dev_get_by_name(struct net *net, const char *name)
{
	struct net_device *dev;

	for_each_netdev(net, dev)
		if (!strncmp(dev->name, name, IFNAMSIZ_))
			return dev;
	return NULL;
}

static xmit_dev *found(struct net_device *dev)
{
	if (!dev)
		errno = ENODEV;
	return dev;
}

xmit_dev *xmit_dev_by_name(xmit_net *net, const char *name) { return found(name ? dev_get_by_name(net, name) : NULL); }
xmit_dev *xmit_dev_by_index(xmit_net *net, int ifindex) { return found(dev_get_by_index(net, ifindex)); }

/* --- making ---------------------------------------------------------------------------------------------------- */

static bool dev_valid_name(const char *name)
{
	size_t n = name ? strlen(name) : 0;

	if (!n || n >= IFNAMSIZ_ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name <= ' ' || *name == 0x7f)
			return false;
	return true;
}

/* Fills in out from a name in which one "%d" stands for the first free number. */
static int dev_choose_name(struct net *net, const char *name, char out[IFNAMSIZ_])
{
	const char *percent;
	char full[IFNAMSIZ_ + 16];

	if (!dev_valid_name(name))
		return -EINVAL;
	percent = strchr(name, '%');
	if (!percent) {
		strcpy(out, name);
		return dev_get_by_name(net, name) ? -EEXIST : 0;
	}
	if (percent[1] != 'd' || strchr(percent + 2, '%'))
		return -EINVAL;
	for (unsigned i = 0; i < 65536; i++) {
		snprintf(full, sizeof(full), "%.*s%u%s", (int)(percent - name), name, i, percent + 2);
		if (strlen(full) >= IFNAMSIZ_)
			break;
		if (!dev_get_by_name(net, full)) {
			strcpy(out, full);
			return 0;
		}
	}
	return -ENFILE;
}

/* What a super-segment device must have besides. */
static uint32_t fix_features(uint32_t f)
{
	if (!(f & XMIT_F_SG) || !(f & XMIT_F_CSUM))
		f &= ~(uint32_t)(XMIT_F_TSO | XMIT_F_TSO6 | XMIT_F_GSO_UDP);
	return f;
}

static void dev_setup_link(struct net_device *dev, const struct xmit_dev_desc *d)
{
	static const uint8_t none[ETH_ALEN];

	switch (d->type) {
	case XMIT_DEV_ETHER:
		dev->type = ARPHRD_ETHER;
		dev->flags = IFF_BROADCAST_ | IFF_MULTICAST_;
		break;
	case XMIT_DEV_LOOPBACK:
		dev->type = ARPHRD_LOOPBACK;
		dev->flags = IFF_LOOPBACK_;
		dev->loopback = true;
		break;
	case XMIT_DEV_NONE:
		dev->type = ARPHRD_NONE;
		dev->flags = IFF_POINTOPOINT_ | IFF_NOARP_ | IFF_MULTICAST_;
		return;
	}
	dev->hard_header_len = ETH_HLEN;
	dev->header_ops = &eth_header_ops;
	memset(dev->broadcast, d->type == XMIT_DEV_ETHER ? 0xff : 0, ETH_ALEN);
	memcpy(dev->dev_addr, d->mac, ETH_ALEN);
	if (d->type == XMIT_DEV_ETHER && !memcmp(d->mac, none, ETH_ALEN)) {
		dev->net->env.random(dev->net->env.ctx, dev->dev_addr, ETH_ALEN);
		dev->dev_addr[0] = (uint8_t)((dev->dev_addr[0] & ~1u) | 2); /* unicast, locally administered */
	}
}

static bool mtu_valid(const struct net_device *dev, unsigned mtu)
{
	return mtu >= ETH_MIN_MTU && mtu <= (dev->loopback ? 65536u : ETH_MAX_MTU);
}

static int dev_poll(struct napi_struct *napi, int budget)
{
	return napi->dev->ops->poll(napi->dev, napi->queue, budget);
}

static void dev_setup_queues(struct net_device *dev)
{
	for (unsigned i = 0; i < dev->num_tx_queues; i++) {
		dev->tx[i].dev = dev;
		dev->tx[i].index = (uint16_t)i;
		napi_init(&dev->napi[i], dev, i, dev_poll);
	}
}

static int check_desc(const struct xmit_dev_desc *d)
{
	if (!d || d->size != sizeof(*d) || !d->ops || d->ops->size < offsetof(struct xmit_dev_ops, poll) || !d->ops->start_xmit)
		return -EINVAL;
	if (d->type != XMIT_DEV_ETHER && d->type != XMIT_DEV_NONE && d->type != XMIT_DEV_LOOPBACK)
		return -EINVAL;
	if (d->tx_queues > MAX_TX_QUEUES || d->needed_headroom > 32 || (d->mac[0] & 1))
		return -EINVAL;
	return 0;
}

static void dev_insert(struct net_device *dev)
{
	struct netdev_state *ns = dev->net->netdev;

	dev->ifindex = ++ns->last_ifindex;
	list_add_tail(&dev->list, &ns->devices);
	dev->registered = true;
	dev->refcnt = 1;
}

static struct net_device *dev_build(struct net *net, const struct xmit_dev_desc *d, int *err)
{
	struct net_device *dev = net_zalloc(net, sizeof(*dev), MEM_NORMAL);

	*err = -ENOMEM;
	if (!dev)
		return NULL;
	dev->net = net;
	list_init(&dev->list);
	memcpy(&dev->own_ops, d->ops, MIN(d->ops->size, sizeof(dev->own_ops)));
	dev->ops = &dev->own_ops;
	dev_setup_link(dev, d);
	dev->mtu = d->mtu ? d->mtu : dev->loopback ? 65536 : ETH_DATA_LEN;
	dev->num_tx_queues = d->tx_queues ? d->tx_queues : 1;
	dev->tx_queue_len = d->tx_queue_len ? d->tx_queue_len : 1000;
	dev->needed_headroom = (uint16_t)d->needed_headroom;
	dev->cut_frames = (uint16_t)MIN(d->cut_frames, (unsigned)GSO_MAX_SEGS);
	dev->hw_features = dev->features = fix_features(d->features | (dev->loopback ? 0 : XMIT_F_GRO)); /* GRO needs nothing of the device */
	dev->gso_max_size = GSO_MAX_SIZE;
	dev->gso_max_segs = GSO_MAX_SEGS;
	dev->carrier = true;
	dev_setup_queues(dev);
	*err = mtu_valid(dev, dev->mtu) ? dev_choose_name(net, d->name, dev->name) : -EINVAL;
	if (*err)
		goto free_dev;
	dev->priv = net_zalloc(net, d->priv_size ? d->priv_size : 1, MEM_NORMAL);
	if (dev->priv)
		return dev;
	*err = -ENOMEM;
free_dev:
	net_free(net, dev);
	return NULL;
}

xmit_dev *xmit_dev_new(xmit_net *net, const struct xmit_dev_desc *desc)
{
	struct net_device *dev;
	int err = check_desc(desc);

	if (err)
		goto fail;
	dev = dev_build(net, desc, &err);
	if (!dev)
		goto fail;
	err = desc->init ? desc->init(dev, desc->init_arg) : 0;
	if (err)
		goto free_dev;
	err = net->sched_ops->attach(dev);
	if (err)
		goto destroy;
	dev_insert(dev);
	tell(dev, NETDEV_REGISTER);
	return dev;

destroy:
	if (dev->ops->destroy)
		dev->ops->destroy(dev);
free_dev:
	net_free(net, dev->priv);
	net_free(net, dev);
fail:
	errno = -err;
	return NULL;
}

void dev_put(struct net_device *dev)
{
	DEBUG_ASSERT(dev->refcnt > 0);
	if (--dev->refcnt == 0) {
		ASSERT(!dev->registered);
		net_free(dev->net, dev);
	}
}

void xmit_dev_free(xmit_dev *dev)
{
	struct net *net;

	if (!dev || !dev->registered)
		return;
	net = dev->net;
	xmit_dev_down(dev);
	dev->registered = false;
	tell(dev, NETDEV_UNREGISTER);
	xmit_dev_tap(dev, NULL, NULL);
	list_del_init(&dev->list);
	if (net->sched_ops)
		net->sched_ops->detach(dev);
	if (dev->ops->destroy)
		dev->ops->destroy(dev);
	page_frag_release(net, &dev->rx_frag);
	net_free(net, dev->priv);
	dev->priv = NULL;
	dev_put(dev);
}

/* --- up and down ----------------------------------------------------------------------------------------------- */

static int fail_with(int err)
{
	errno = -err;
	return -1;
}

int xmit_dev_up(xmit_dev *dev)
{
	int err;

	if (!dev->registered)
		return fail_with(-ENODEV);
	if (netif_running(dev))
		return 0;
	for (unsigned i = 0; i < dev->num_tx_queues; i++)
		dev->tx[i].state = 0;
	err = dev->ops->open ? dev->ops->open(dev) : 0;
	if (err)
		return fail_with(err);
	dev->flags |= IFF_UP_ | (dev->carrier ? IFF_RUNNING_ : 0);
	if (dev->carrier)
		dev->net->sched_ops->activate(dev);
	tell(dev, NETDEV_UP);
	for (unsigned i = 0; i < dev->num_tx_queues; i++)
		napi_schedule(&dev->napi[i]); /* what came while it was down */
	return 0;
}

int xmit_dev_down(xmit_dev *dev)
{
	if (!netif_running(dev))
		return 0;
	dev->flags &= ~(uint32_t)(IFF_UP_ | IFF_RUNNING_);
	if (dev->net->sched_ops)
		dev->net->sched_ops->deactivate(dev);
	for (unsigned i = 0; i < dev->num_tx_queues; i++)
		napi_disable(&dev->napi[i]);
	if (dev->ops->stop)
		dev->ops->stop(dev);
	for (unsigned i = 0; i < dev->num_tx_queues; i++)
		dev->tx[i].state = 0;
	dev_rx_purge(dev);
	free_completed(dev->net);
	tell(dev, NETDEV_DOWN);
	return 0;
}

void xmit_dev_carrier(xmit_dev *dev, bool on)
{
	if (dev->carrier == on)
		return;
	dev->carrier = on;
	if (!netif_running(dev))
		return;
	if (on) {
		dev->flags |= IFF_RUNNING_;
		dev->net->sched_ops->activate(dev);
	} else {
		dev->flags &= ~(uint32_t)IFF_RUNNING_;
		if (dev->net->sched_ops)
			dev->net->sched_ops->deactivate(dev);
	}
	tell(dev, NETDEV_CHANGE);
}

/* --- properties ------------------------------------------------------------------------------------------------ */

int xmit_dev_index(const xmit_dev *dev) { return dev->ifindex; }
const char *xmit_dev_name(const xmit_dev *dev) { return dev->name; }
const uint8_t *xmit_dev_mac(const xmit_dev *dev) { return dev->dev_addr; }
bool xmit_dev_is_ethernet(const xmit_dev *dev) { return dev->header_ops == &eth_header_ops; }
unsigned xmit_dev_mtu(const xmit_dev *dev) { return dev->mtu; }
uint32_t xmit_dev_features(const xmit_dev *dev) { return dev->features; }

int xmit_dev_set_mtu(xmit_dev *dev, unsigned mtu)
{
	int err;

	if (!mtu_valid(dev, mtu))
		return fail_with(-EINVAL);
	if (mtu == dev->mtu)
		return 0;
	err = dev->ops->change_mtu ? dev->ops->change_mtu(dev, mtu) : 0;
	if (err)
		return fail_with(err);
	dev->mtu = mtu;
	tell(dev, NETDEV_CHANGEMTU);
	return 0;
}

int xmit_dev_set_features(xmit_dev *dev, uint32_t features)
{
	if (features & ~dev->hw_features)
		return fail_with(-EINVAL);
	features = fix_features(features);
	if (features == dev->features)
		return 0;
	for (unsigned i = 0; i < dev->num_tx_queues; i++)
		napi_gro_flush(&dev->napi[i]);
	dev->features = features;
	tell(dev, NETDEV_CHANGE);
	return 0;
}

void xmit_dev_stats(xmit_dev *dev, struct xmit_dev_stats *st)
{
	*st = dev->stats;
	if (dev->ops->get_stats && dev->registered)
		dev->ops->get_stats(dev, st);
}

int xmit_dev_tap(xmit_dev *dev, void (*fn)(void *ctx, const struct iovec *iov, int n, bool out, uint64_t time_ns), void *ctx)
{
	if (dev->tap_fn)
		dev->tap_fn(dev->tap_ctx, NULL, 0, false, dev->net->now_ns);
	dev->tap_fn = fn;
	dev->tap_ctx = ctx;
	return 0;
}

/* --- what softirq.c asks all devices ---------------------------------------------------------------------------- */

void netdev_ask_ready(struct net *net)
{
	struct net_device *dev;

	for_each_netdev(net, dev) {
		if (!netif_running(dev))
			continue;
		if ((dev->ops->ready && dev->ops->ready(dev)) || (dev->ops->next_event && dev->ops->next_event(dev) <= net->now_ns))
			for (unsigned i = 0; i < dev->num_tx_queues; i++)
				napi_schedule(&dev->napi[i]);
	}
}

uint64_t netdev_next_event(struct net *net)
{
	uint64_t next = TIME_NEVER;
	struct net_device *dev;

	for_each_netdev(net, dev) {
		if (netif_running(dev) && dev->ops->next_event) {
			uint64_t t = dev->ops->next_event(dev);

			next = MIN(next, t);
		}
	}
	return next;
}

int netdev_fill_fds(struct net *net, struct pollfd *fds, int max)
{
	struct net_device *dev;
	int n = 0;

	for_each_netdev(net, dev)
		if (netif_running(dev) && dev->ops->fds)
			n += n < max ? dev->ops->fds(dev, fds + n, max - n) : dev->ops->fds(dev, NULL, 0);
	return n;
}
