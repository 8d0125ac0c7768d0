/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust dial: what became of it, as JSON. */
#include "dial.h"

#include <stdio.h>

#include "cli.h"
#include "trace.h"
#include "verify.h"

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *protocol(const struct kt_tls_info *info)
{
	char word[KT_CLI_WORD_LEN];

	return info->version ? json_string(kt_cli_trace_protocol(info->version, word))
			     : json_null();
}

static json_t *verdict_object(const struct kt_tls_info *info)
{
	const struct kt_verdict *verdict = &info->verdict;
	char hex[2 * KT_DIGEST_LEN + 1];
	bool accepted = verdict->code == KT_ACCEPTED;

	if (!info->verified)
		return json_null();
	kt_cli_trace_hex(verdict->anchor, KT_DIGEST_LEN, hex);
	return json_pack("{s:s, s:o, s:i, s:o, s:o, s:i, s:I}", "verdict",
			 kt_verdict_name(verdict->code), "rule", kt_cli_rule_json(verdict->rule),
			 "depth", verdict->depth, "anchor",
			 accepted ? json_string(hex) : json_null(), "anchor_name",
			 accepted ? json_string(verdict->anchor_name) : json_null(), "alert",
			 (int)kt_verdict_alert(verdict->code), "duration_ns",
			 (json_int_t)verdict->duration_ns);
}

void kt_dial_tell_json(const struct kt_dial *dial, const struct kt_error *error)
{
	const struct kt_tls_info *info = &dial->info;
	json_t *object =
		json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "target",
			  dial->target, "name", dial->name, "accepted", !error->err, "error",
			  error->err ? json_string(error->text) : json_null(), "peer",
			  text_or_null(info->peer), "protocol", protocol(info), "cipher",
			  text_or_null(info->cipher_name ? info->cipher_name : ""), "alpn",
			  text_or_null(info->alpn), "ktls_tx", dial->offloaded, "ktls_rx",
			  dial->offloaded, "verdict", verdict_object(info));

	if (!object || json_dumpf(object, stderr, JSON_COMPACT))
		fputs("{\"accepted\":false,\"error\":\"out of memory\"}", stderr);
	fputc('\n', stderr);
	json_decref(object);
}
