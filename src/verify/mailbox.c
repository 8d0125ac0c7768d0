/* SPDX-License-Identifier: BSD-2-Clause */
#include "mailbox.h"

#include <string.h>

#include "ascii.h"
#include "host.h"

#define LOCAL_MAX 64 /* bytes (RFC 5321 §4.5.3.1.1) */

/* atext (RFC 5322 §3.2.3) */
static bool is_atom_char(uint8_t c)
{
	return kt_ascii_is_letter(c) || kt_ascii_is_digit(c) ||
	       kt_ascii_is_one_of(c, "!#$%&'*+-/=?^_`{|}~");
}

static bool is_dot_string(struct kt_der_view local)
{
	bool at_start = true;

	for (size_t i = 0; i < local.len; i++) {
		bool dot = local.data[i] == '.';

		if (dot ? at_start : !is_atom_char(local.data[i]))
			return false;
		at_start = dot;
	}
	return !at_start && local.len <= LOCAL_MAX;
}

bool kt_mailbox_read(struct kt_der_view text, struct kt_mailbox *ret_mailbox)
{
	const uint8_t *at = text.len ? memchr(text.data, '@', text.len) : NULL;
	struct kt_mailbox mailbox;

	if (!at)
		return false;
	mailbox.local = (struct kt_der_view){text.data, (size_t)(at - text.data)};
	mailbox.host = (struct kt_der_view){at + 1, text.len - mailbox.local.len - 1};
	if (!is_dot_string(mailbox.local) || !kt_host_is_name(mailbox.host))
		return false;
	*ret_mailbox = mailbox;
	return true;
}

bool kt_mailbox_equal(const struct kt_mailbox *a, const struct kt_mailbox *b)
{
	return kt_der_equal(a->local, b->local) && kt_host_equal(a->host, b->host);
}
