/* SPDX-License-Identifier: MIT */
/* snmp.c - names of counters, and reading counters and drop reasons by name (control.h). */
#include "core/net.h"
#include "xmit/control.h"
#include <inttypes.h>
#include <string.h>

/* The names nstat prints: those of Linux's TcpExt group carry its name in front. */
enum { FIRST_TCPEXT = MIB_SyncookiesSent, LAST_TCPEXT = MIB_TCPPLBRehash, TCPEXT_PREFIX_LEN = 6 };

const char *snmp_counter_name(unsigned counter)
{
	static const char *const name[MIB_MAX] = {
#define X(name) "TcpExt" #name,
		XMIT_SNMP_COUNTERS(X)
#undef X
	};

	if (counter >= MIB_MAX)
		return NULL;
	return name[counter] + (counter >= FIRST_TCPEXT && counter <= LAST_TCPEXT ? 0 : TCPEXT_PREFIX_LEN);
}

uint64_t xmit_counter(xmit_net *net, const char *name, bool *known)
{
	for (unsigned i = 0; i < MIB_MAX; i++) {
		if (strcmp(name, snmp_counter_name(i)) != 0)
			continue;
		if (known)
			*known = true;
		return net->mib.counter[i];
	}
	if (known)
		*known = false;
	return 0;
}

uint64_t xmit_drops(xmit_net *net, const char *reason)
{
	for (unsigned i = SKB_CONSUMED + 1; i < SKB_DROP_REASON_MAX; i++)
		if (!strcmp(reason, skb_drop_reason_name((enum skb_drop_reason)i)))
			return net->trace.drops[i];
	return 0;
}

void xmit_print_stats(xmit_net *net, FILE *out)
{
	for (unsigned i = 0; i < MIB_MAX; i++)
		if (net->mib.counter[i])
			fprintf(out, "%-32s%-16" PRIu64 "\n", snmp_counter_name(i), net->mib.counter[i]);
	for (unsigned i = SKB_CONSUMED + 1; i < SKB_DROP_REASON_MAX; i++)
		if (net->trace.drops[i])
			fprintf(out, "drop:%-27s%-16" PRIu64 "%s\n", skb_drop_reason_name((enum skb_drop_reason)i), net->trace.drops[i],
				skb_drop_reason_text((enum skb_drop_reason)i));
}
