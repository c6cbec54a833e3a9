/* SPDX-License-Identifier: MIT */
/* run_options.c - the options of xmit run: reading and checking them, with a message that says what would be right. */
#include "cmd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

static int parse_number(const char *what, const char *text, unsigned long min, unsigned long max, unsigned long *res)
{
	char *end;

	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || v < min || v > max)
		return complain("%s '%s': a number from %lu to %lu is wanted", what, text, min, max);
	*res = v;
	return 0;
}

static int parse_memory(const char *text, size_t *res)
{
	char *end;

	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' || *end == 'g' ? 30 : 0;
	if (shift)
		end++;
	if (errno || end == text || *end || *text == '-' || v > (SIZE_MAX >> shift) || (v << shift) < (1u << 20))
		return complain("--memory '%s': bytes are wanted, at least 1M; for instance 64M", text);
	*res = (size_t)(v << shift);
	return 0;
}

static int parse_addr(const char *what, const char *text, struct in_addr *res)
{
	if (inet_pton(AF_INET, text, res) == 1 && res->s_addr)
		return 0;
	if (strchr(text, '/'))
		return complain("%s '%s': an address without prefix length is wanted, for instance 192.0.2.1", what, text);
	return complain("%s '%s': not an IPv4 address; for instance 192.0.2.1", what, text);
}

static int parse_cidr(const char *what, const char *text, struct cidr *res)
{
	char addr[INET_ADDRSTRLEN] = "";
	const char *slash = strchr(text, '/');
	unsigned long len;
	char *end;

	if (!slash)
		return complain("%s '%s': the prefix length is missing; for instance %s/24", what, text, text);
	if ((size_t)(slash - text) < sizeof(addr))
		memcpy(addr, text, (size_t)(slash - text));
	if (inet_pton(AF_INET, addr, &res->addr) != 1 || !res->addr.s_addr)
		return complain("%s '%s': not an IPv4 address; for instance 192.0.2.2/24", what, text);
	errno = 0;
	len = strtoul(slash + 1, &end, 10);
	if (errno || end == slash + 1 || *end || slash[1] == '-' || len < 1 || len > 32)
		return complain("%s '%s': the prefix length must be from 1 to 32; for instance %s/24", what, text, addr);
	res->prefix_len = (unsigned)len;
	res->given = true;
	return 0;
}

static int parse_dev(const char *text, struct run_options *o)
{
	static const struct { const char *prefix; enum dev_kind kind; } kinds[] = {
		{ "tap:", DEV_TAP }, { "tun:", DEV_TUN }, { "packet:", DEV_PACKET },
	};

	if (o->dev != DEV_NONE)
		return complain("--dev '%s': there can be only one device", text);
	if (!strcmp(text, "passt")) {
		o->dev = DEV_PASST;
		return 0;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].prefix);
		if (strncmp(text, kinds[i].prefix, n))
			continue;
		o->dev = kinds[i].kind;
		o->ifname = text + n;
		if (!*o->ifname || strlen(o->ifname) >= IF_NAMESIZE || strpbrk(o->ifname, "/ \t%"))
			return complain("--dev '%s': the interface name must be of 1 to %d letters, without space, / and %%", text, IF_NAMESIZE - 1);
		return 0;
	}
	if (!strcmp(text, "tap") || !strcmp(text, "tun") || !strcmp(text, "packet"))
		return complain("--dev '%s': the interface is missing; for instance %s:%s", text, text, !strcmp(text, "packet") ? "eth0" : "x0");
	return complain("--dev '%s': unknown; it must be tap:NAME, tun:NAME, packet:IFACE or passt", text);
}

static int parse_sysctl(const char *text, struct run_options *o)
{
	const char *eq = strchr(text, '=');

	if (!eq || eq == text || !eq[1])
		return complain("--sysctl '%s': NAME=VALUE is wanted, for instance net.ipv4.tcp_sack=0", text);
	if (o->n_sysctls == MAX_SYSCTLS)
		return complain("--sysctl '%s': more than %d of them", text, MAX_SYSCTLS);
	size_t n = (size_t)(eq - text);
	if (n >= sizeof(o->sysctls[0].name))
		return complain("--sysctl '%s': no setting has so long a name", text);
	memcpy(o->sysctls[o->n_sysctls].name, text, n);
	o->sysctls[o->n_sysctls].name[n] = '\0';
	o->sysctls[o->n_sysctls++].value = eq + 1;
	return 0;
}

static int parse_name(const char *text, struct run_options *o)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (!*text || strlen(text) > 32 || strspn(text, letters) != strlen(text))
		return complain("--name '%s': 1 to 32 letters, digits, '.', '_' and '-' are wanted", text);
	o->name = text;
	return 0;
}

static int set_option(struct run_options *o, const char *opt, const char *val)
{
	unsigned long v = 0;
	int rc;

	if (!strcmp(opt, "--dev"))
		return parse_dev(val, o);
	if (!strcmp(opt, "--host-addr"))
		return parse_cidr(opt, val, &o->host_addr);
	if (!strcmp(opt, "--addr"))
		return parse_cidr(opt, val, &o->addr);
	if (!strcmp(opt, "--gateway")) {
		o->has_gateway = true;
		return parse_addr(opt, val, &o->gateway);
	}
	if (!strcmp(opt, "--mtu")) {
		rc = parse_number(opt, val, 68, 65535, &v);
		o->mtu = (unsigned)v;
		return rc;
	}
	if (!strcmp(opt, "--sysctl"))
		return parse_sysctl(val, o);
	if (!strcmp(opt, "--memory"))
		return parse_memory(val, &o->memory_bytes);
	if (!strcmp(opt, "--name"))
		return parse_name(val, o);
	o->pcap = val; /* --pcap, the last of those with a value */
	return *val ? 0 : complain("--pcap: a file name is wanted");
}

static int set_flag(struct run_options *o, const char *opt)
{
	if (!strcmp(opt, "--walk"))
		o->walk = true;
	else if (!strcmp(opt, "--stats"))
		o->stats = true;
	else
		o->help = true;
	return 0;
}

static bool in_list(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

static bool same_net(struct in_addr a, struct in_addr b, unsigned prefix_len)
{
	return !((ntohl(a.s_addr) ^ ntohl(b.s_addr)) & (~UINT32_C(0) << (32 - prefix_len)));
}

/* What fits together, and what not. */
static int check(const struct run_options *o)
{
	char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];

	if (o->dev == DEV_NONE && (o->addr.given || o->has_gateway || o->host_addr.given || o->mtu))
		return complain("%s needs --dev: tap:NAME, tun:NAME, packet:IFACE or passt", o->addr.given ? "--addr" : o->has_gateway ?
				"--gateway" : o->mtu ? "--mtu" : "--host-addr");
	if (o->dev != DEV_NONE && o->dev != DEV_PASST && !o->addr.given)
		return complain("--dev needs an address for this end too; for instance --addr 192.0.2.2/24");
	if (o->host_addr.given && o->dev != DEV_TAP && o->dev != DEV_TUN)
		return complain("--host-addr is for the host's end of a TAP or TUN: --dev tap:NAME or tun:NAME");
	if (o->host_addr.given && o->host_addr.addr.s_addr == o->addr.addr.s_addr)
		return complain("--host-addr and --addr are the same address: each end needs its own");
	if (o->has_gateway && o->addr.given && !same_net(o->gateway, o->addr.addr, o->addr.prefix_len))
		return complain("--gateway %s is not in the network of --addr %s/%u", inet_ntop(AF_INET, &o->gateway, a, sizeof(a)),
				inet_ntop(AF_INET, &o->addr.addr, b, sizeof(b)), o->addr.prefix_len);
	return 0;
}

static int unknown_option(const char *opt, const char *const *all)
{
	const char *near = nearest(opt, all);

	if (near)
		return complain("unknown option '%s': did you mean %s?", opt, near);
	return complain("unknown option '%s'; see xmit help run", opt);
}

int run_parse(int argc, char **argv, struct run_options *o)
{
	static const char *const with_value[] = { "--dev", "--host-addr", "--addr", "--gateway", "--mtu", "--sysctl", "--memory", "--name",
						  "--pcap", NULL };
	static const char *const flags[] = { "--walk", "--stats", "--help", "-h", NULL };
	static const char *const all[] = { "--dev", "--host-addr", "--addr", "--gateway", "--mtu", "--sysctl", "--memory", "--name", "--pcap",
					   "--trace", "--walk", "--stats", "--help", NULL };
	int i;

	memset(o, 0, sizeof(*o));
	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		char opt[32] = "";
		const char *eq = strchr(argv[i], '='), *val = eq ? eq + 1 : NULL;
		size_t n = eq ? (size_t)(eq - argv[i]) : strlen(argv[i]);

		if (argv[i][0] != '-')
			return complain("'%s' stands where an option is expected: write -- before the command, as in xmit run --dev tap:x0 "
					"--addr 192.0.2.2/24 -- %s", argv[i], argv[i]);
		if (n >= sizeof(opt))
			return unknown_option(argv[i], all);
		memcpy(opt, argv[i], n);
		if (!strcmp(opt, "--trace")) {
			o->trace = true;
			if (!val && i + 1 < argc && argv[i + 1][0] != '-')
				val = argv[++i];
			o->trace_file = val;
			continue;
		}
		if (in_list(opt, flags)) {
			if (val)
				return complain("%s takes no value", opt);
			set_flag(o, opt);
			continue;
		}
		if (!in_list(opt, with_value))
			return unknown_option(opt, all);
		if (!val && (i + 1 >= argc || !strcmp(argv[i + 1], "--")))
			return complain("%s needs a value; see xmit help run", opt);
		if (!val)
			val = argv[++i];
		if (set_option(o, opt, val) < 0)
			return -1;
	}
	if (o->help)
		return 0;
	if (i >= argc)
		return complain("the command is missing: xmit run [options] -- COMMAND [ARGUMENT...]");
	if (i + 1 >= argc)
		return complain("no command stands behind --: xmit run [options] -- COMMAND [ARGUMENT...]");
	o->command = argv + i + 1;
	return check(o);
}
