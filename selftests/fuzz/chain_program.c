/* SPDX-License-Identifier: BSD-2-Clause */
#include "chain_program.h"

#include <string.h>

#include "chain_text.h"
#include "require.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NOW	     INT64_C(1780272000) /* 2026-06-01 00:00:00 UTC, as in chain_cert.c */

/* ---- Reading ----------------------------------------------------------------------------------
 */

static void begin_text(struct text *text, size_t count)
{
	memset(text, 0, sizeof *text);
	text->count = count;
	for (size_t i = 0; i < count; i++) {
		text->fields[i][SUBJECT] = text->fields[i][KEY] = (uint8_t)i;
		text->fields[i][ISSUER] = text->fields[i][SIGNER] =
			(uint8_t)(i + 1 < count ? i + 1 : i);
		text->fields[i][NAMES] = i ? 0 : 3;
		text->fields[i][KEY_USAGE] = i ? 1 : 0;
		text->fields[i][PURPOSES] = i ? 1 : 0;
		text->fields[i][SERIAL] = (uint8_t)(i + 1);
		text->order[i] = (uint8_t)i;
	}
}

static void swap_order(struct text *text, size_t a, size_t b)
{
	uint8_t before = text->order[a];

	text->order[a] = text->order[b];
	text->order[b] = before;
}

/* Returns how many bytes it took. */
static size_t read_step(const uint8_t *data, size_t size, struct text *text)
{
	size_t cert = (data[0] >> 5) % text->count;
	unsigned int field = data[0] & 31;

	if (field < CERT_FIELDS)
		text->fields[cert][field] = data[1];
	else if (field == COPY)
		memcpy(text->fields[cert], text->fields[data[1] % text->count], CERT_FIELDS);
	else if (field == SWAP)
		swap_order(text, cert, data[1] % text->count);
	else if (field == QUESTION)
		text->question[data[0] >> 5] = data[1];
	if (field != PATCH_SIGNED && field != PATCH_SENT)
		return 2;
	if (size >= 4 && text->patch_count < PATCHES_MAX)
		text->patches[text->patch_count++] =
			(struct patch){(uint8_t)cert, data[1], data[2], field == PATCH_SIGNED};
	return size < 4 ? size : 4;
}

static bool read_text(const uint8_t *data, size_t size, struct text *text)
{
	if (!size)
		return false;
	begin_text(text, 2 + data[0] % (CERTS_MAX - 1));
	data++;
	size--;
	while (size >= 2) {
		size_t taken = read_step(data, size, text);

		data += taken;
		size -= taken;
	}
	return true;
}

/* ---- Placing them -----------------------------------------------------------------------------
 */

static bool is_in(const struct text *text, size_t cert, enum place place)
{
	bool is_last = cert + 1 == text->count;
	bool usual = (place == TURN_SENT && !is_last) || (place == TURN_ANCHOR && is_last);

	return usual != !!(text->fields[cert][PLACE] & place);
}

static struct kt_constraints limits_of(uint8_t limits)
{
	static const char *const names[] = {NULL, "test", "b.test", "com"};

	return (struct kt_constraints){.purposes = ~limits & KT_PURPOSE_ANY,
				       .distrust_after =
					       limits & 4 ? 1500000000 : KT_DISTRUST_NEVER,
				       .permitted_dns = names[limits >> 3 & 3]};
}

static struct kt_snapshot *gather(const struct text *text, const struct program *program,
				  enum place place)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot = NULL;
	size_t count = 0;

	require(set != NULL);
	for (size_t i = 0; i < program->count; i++) {
		struct kt_constraints limits = limits_of(text->fields[i][LIMITS]);

		if (is_in(text, i, place))
			count +=
				!kt_anchor_set_add(set, program->certs[i].der,
						   program->certs[i].len, &limits, "fuzz", 0, NULL);
	}
	if (count)
		require(!kt_snapshot_build(set, "fuzz", "fuzz", 1, &snapshot, NULL));
	kt_anchor_set_free(set);
	return snapshot;
}

static void place_certs(const struct text *text, struct program *program)
{
	program->chain = (struct kt_chain){program->sent, 0};
	for (size_t i = 0; i < text->count; i++) {
		const struct program_cert *cert = &program->certs[text->order[i]];

		if (is_in(text, text->order[i], TURN_SENT))
			program->sent[program->chain.count++] =
				(struct kt_der){cert->der, cert->len};
	}
	program->anchors = gather(text, program, TURN_ANCHOR);
	program->intermediates = gather(text, program, TURN_INTERMEDIATE);
}

static const int64_t times[] = {NOW, NOW - 1, NOW + 1, NOW + 400000000, 0, NOW - 400000000};
static const struct {
	enum kt_name_type type;
	const char *name;
} asked[] = {
	{KT_NAME_DNS, "a.test"},   {KT_NAME_DNS, "c.b.test"},	{KT_NAME_DNS, "x.c.b.test"},
	{KT_NAME_IP, "192.0.2.1"}, {KT_NAME_EMAIL, "a@b.test"}, {KT_NAME_URI, "https://b.test/x"},
	{KT_NAME_NONE, NULL},	   {KT_NAME_DNS, "b.test"},
};

static struct kt_query question_of(const struct text *text, enum question name, enum question time)
{
	size_t about = text->question[name] % COUNT(asked);

	return (struct kt_query){
		.role = text->question[ROLE] & 1 ? KT_ROLE_CLIENT : KT_ROLE_SERVER,
		.time = times[text->question[time] % COUNT(times)],
		.name_type = asked[about].type,
		.name = asked[about].name,
		.policy = {.profile = (enum kt_profile)((text->question[ROLE] >> 1) % 3),
			   .path_max = text->question[LONGEST] % (KT_PATH_MAX + 1)}};
}

bool program_run(const uint8_t *data, size_t size, struct program *ret_program)
{
	static struct der made[CERTS_MAX];
	struct text text;

	if (!read_text(data, size, &text))
		return false;
	ret_program->count = text.count;
	for (size_t i = 0; i < text.count; i++)
		chain_cert_make(&text, i, &made[i], &ret_program->certs[i]);
	place_certs(&text, ret_program);
	ret_program->query = question_of(&text, NAME, TIME);
	ret_program->other = question_of(&text, OTHER_NAME, OTHER_TIME);
	ret_program->query.intermediates = ret_program->intermediates;
	ret_program->other.intermediates = ret_program->intermediates;
	return true;
}

void program_end(struct program *program)
{
	kt_snapshot_free(program->anchors);
	kt_snapshot_free(program->intermediates);
}
