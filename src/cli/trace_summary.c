/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* From the end: the version that is current is the one asked for. NULL: no memory. */
static struct kt_cli_tally *tally(struct kt_cli_tallies *tallies, const char *name,
				  uint64_t version)
{
	struct kt_cli_tally *grown, *made;

	for (size_t i = tallies->n; i-- > 0;)
		if (tallies->of[i].version == version && !strcmp(tallies->of[i].name, name))
			return &tallies->of[i];
	grown = reallocarray(tallies->of, tallies->n + 1, sizeof *grown);
	if (!grown)
		return NULL;
	tallies->of = grown;
	made = &grown[tallies->n++];
	*made = (struct kt_cli_tally){.version = version};
	snprintf(made->name, sizeof made->name, "%s", name);
	return made;
}

static void count(struct kt_cli_tally *tally, bool accepted)
{
	tally->handshakes++;
	tally->accepted += accepted;
}

static void add_ktls(struct kt_cli_trace_summary *summary, const struct kt_trace_event *event)
{
	uint8_t ktls = event->handshake->ktls;

	summary->ktls_tx += !!(ktls & KT_PROBE_KTLS_TX);
	summary->ktls_rx += !!(ktls & KT_PROBE_KTLS_RX);
	summary->ktls_both += ktls == (KT_PROBE_KTLS_TX | KT_PROBE_KTLS_RX);
	summary->kernel_agrees += ktls && event->kernel == KT_TRACE_KERNEL_AGREES;
	summary->kernel_differs += event->kernel == KT_TRACE_KERNEL_DIFFERS;
}

static int add_handshake(struct kt_cli_trace_summary *summary, const struct kt_trace_event *event)
{
	const struct kt_probe_handshake *handshake = event->handshake;
	struct kt_cli_tally *outcome = tally(&summary->outcomes, handshake->outcome, 0);
	/* No version: no verdict was taken. That is a row too. */
	struct kt_cli_tally *version =
		tally(&summary->versions, handshake->pool_version ? handshake->pool : "",
		      handshake->pool_version);

	if (!outcome || !version)
		return -ENOMEM;
	count(outcome, handshake->accepted);
	count(version, handshake->accepted);
	summary->handshakes++;
	summary->accepted += !!handshake->accepted;
	if (handshake->accepted)
		add_ktls(summary, event);
	return 0;
}

int kt_cli_trace_summary_add(struct kt_cli_trace_summary *summary,
			     const struct kt_trace_event *event)
{
	switch (event->kind) {
	case KT_EVENT_HANDSHAKE:
		return add_handshake(summary, event);
	case KT_EVENT_CONN_END:
		summary->ends++;
		summary->bytes_in += event->conn_end->bytes_in;
		summary->bytes_out += event->conn_end->bytes_out;
		return 0;
	case KT_EVENT_SOCKET_END:
		summary->ends++;
		summary->ends_by_kernel++;
		return 0;
	case KT_EVENT_PUBLISH:
		summary->publications++;
		return 0;
	default:
		return 0;
	}
}

void kt_cli_trace_summary_fini(struct kt_cli_trace_summary *summary)
{
	free(summary->outcomes.of);
	free(summary->versions.of);
}
