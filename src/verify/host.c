/* SPDX-License-Identifier: BSD-2-Clause */
#include "host.h"

#include "ascii.h"

/* ---- Syntax ---------------------------------------------------------------------------------- */

bool kt_host_next_label(struct kt_der_view *host, struct kt_der_view *ret_label)
{
	const uint8_t *dot;

	if (host->len == 0)
		return false;
	dot = memchr(host->data, '.', host->len);
	*ret_label = *host;
	if (dot)
		ret_label->len = (size_t)(dot - host->data);
	host->data += ret_label->len + !!dot;
	host->len -= ret_label->len + !!dot;
	return true;
}

static bool is_label(struct kt_der_view label, bool underscores)
{
	if (label.len == 0 || label.len > KT_HOST_LABEL_MAX || label.data[0] == '-' ||
	    label.data[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.data[i];

		if (!kt_ascii_is_letter(c) && !kt_ascii_is_digit(c) && c != '-' &&
		    !(underscores && c == '_'))
			return false;
	}
	return true;
}

static bool is_host(struct kt_der_view text, bool underscores)
{
	struct kt_der_view label;

	/* A dot at the end leaves no label behind it for the loop to find. */
	if (text.len == 0 || text.len > KT_HOST_MAX || text.data[text.len - 1] == '.')
		return false;
	while (kt_host_next_label(&text, &label))
		if (!is_label(label, underscores))
			return false;
	return true;
}

bool kt_host_is_name(struct kt_der_view text)
{
	return is_host(text, false);
}

bool kt_host_is_loose_name(struct kt_der_view text)
{
	return is_host(text, true);
}

bool kt_host_is_numeric(struct kt_der_view host)
{
	size_t i = host.len;

	while (i > 0 && kt_ascii_is_digit(host.data[i - 1]))
		i--;
	return i < host.len && (i == 0 || host.data[i - 1] == '.');
}

bool kt_host_strip_wildcard(struct kt_der_view *name)
{
	if (name->len < 2 || name->data[0] != '*' || name->data[1] != '.')
		return false;
	name->data += 2;
	name->len -= 2;
	return true;
}

/* ---- Comparison ------------------------------------------------------------------------------ */

bool kt_host_equal(struct kt_der_view a, struct kt_der_view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (kt_ascii_lower(a.data[i]) != kt_ascii_lower(b.data[i]))
			return false;
	return true;
}

void kt_host_copy_lower(struct kt_der_view host, char ret_text[static KT_HOST_MAX + 1])
{
	for (size_t i = 0; i < host.len; i++)
		ret_text[i] = (char)kt_ascii_lower(host.data[i]);
	ret_text[host.len] = '\0';
}

bool kt_host_is_below(struct kt_der_view host, struct kt_der_view domain)
{
	size_t above;

	if (host.len <= domain.len)
		return false;
	above = host.len - domain.len;
	return host.data[above - 1] == '.' &&
	       kt_host_equal((struct kt_der_view){host.data + above, domain.len}, domain);
}

bool kt_host_is_within(struct kt_der_view host, struct kt_der_view domain)
{
	return kt_host_equal(host, domain) || kt_host_is_below(host, domain);
}

bool kt_host_is_child(struct kt_der_view host, struct kt_der_view domain)
{
	struct kt_der_view label;

	return kt_host_next_label(&host, &label) && kt_host_equal(host, domain);
}
