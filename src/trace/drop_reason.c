/* SPDX-License-Identifier: MIT */
/* drop_reason.c - the reasons' names and sentences. */
#include "trace/drop_reason.h"

const char *skb_drop_reason_name(enum skb_drop_reason reason)
{
	static const char *const name[SKB_DROP_REASON_MAX] = {
		[SKB_CONSUMED] = "CONSUMED",
#define X(name, text) [SKB_DROP_REASON_##name] = #name,
		XMIT_DROP_REASONS(X)
#undef X
	};

	return (unsigned)reason < SKB_DROP_REASON_MAX ? name[reason] : "UNKNOWN";
}

const char *skb_drop_reason_text(enum skb_drop_reason reason)
{
	static const char *const sentence[SKB_DROP_REASON_MAX] = {
		[SKB_CONSUMED] = "not dropped: all went well",
#define X(name, text) [SKB_DROP_REASON_##name] = text,
		XMIT_DROP_REASONS(X)
#undef X
	};

	return (unsigned)reason < SKB_DROP_REASON_MAX ? sentence[reason] : "not a known reason";
}
