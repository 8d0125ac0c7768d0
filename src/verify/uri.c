/* SPDX-License-Identifier: BSD-2-Clause */
#include "uri.h"

#include <string.h>

#include "ascii.h"
#include "host.h"

static bool is_hex(uint8_t c)
{
	return kt_ascii_is_digit(c) || (kt_ascii_lower(c) >= 'a' && kt_ascii_lower(c) <= 'f');
}

static struct kt_der_view take(struct kt_der_view *in, size_t len)
{
	struct kt_der_view taken = {in->data, len};

	in->data += len;
	in->len -= len;
	return taken;
}

/* RFC 3986 §2: reserved, unreserved, and percent with two digits. */
static bool is_of_uri_characters(struct kt_der_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '%') {
			if (text.len - i < 3 || !is_hex(text.data[i + 1]) ||
			    !is_hex(text.data[i + 2]))
				return false;
		} else if (!kt_ascii_is_letter(c) && !kt_ascii_is_digit(c) &&
			   !kt_ascii_is_one_of(c, "-._~:/?#[]@!$&'()*+,;=")) {
			return false;
		}
	}
	return true;
}

/* ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) ":" */
static bool read_scheme(struct kt_der_view *in, struct kt_der_view *ret_scheme)
{
	size_t len = 0;

	if (in->len == 0 || !kt_ascii_is_letter(in->data[0]))
		return false;
	while (len < in->len &&
	       (kt_ascii_is_letter(in->data[len]) || kt_ascii_is_digit(in->data[len]) ||
		kt_ascii_is_one_of(in->data[len], "+-.")))
		len++;
	if (len == in->len || in->data[len] != ':')
		return false;
	*ret_scheme = take(in, len);
	take(in, 1);
	return true;
}

static bool is_port(struct kt_der_view port)
{
	if (port.len > 0 && port.data[0] != ':')
		return false;
	for (size_t i = 1; i < port.len; i++)
		if (!kt_ascii_is_digit(port.data[i]))
			return false;
	return true;
}

/* "[" … "]" or everything up to a colon. */
static size_t host_len(struct kt_der_view authority)
{
	bool literal = authority.len > 0 && authority.data[0] == '[';
	size_t len = 0;

	while (len < authority.len && authority.data[len] != (literal ? ']' : ':'))
		len++;
	return len + (literal && len < authority.len);
}

static bool is_host(struct kt_der_view host)
{
	size_t from = 0, to = host.len;

	if (host.len > 0 && host.data[0] == '[') {
		if (host.len < 3 || host.data[host.len - 1] != ']')
			return false;
		from++;
		to--;
	}
	for (size_t i = from; i < to; i++)
		if (kt_ascii_is_one_of(host.data[i], "@[]"))
			return false;
	return true;
}

/* in: behind the two slashes. */
static bool read_authority(struct kt_der_view in, struct kt_uri *uri)
{
	struct kt_der_view authority = {in.data, 0};

	while (authority.len < in.len && !kt_ascii_is_one_of(in.data[authority.len], "/?#"))
		authority.len++;
	uri->host = take(&in, host_len(authority));
	uri->rest = in;
	authority.data += uri->host.len;
	authority.len -= uri->host.len;
	return is_host(uri->host) && is_port(authority);
}

bool kt_uri_read(struct kt_der_view text, struct kt_uri *ret_uri)
{
	struct kt_uri uri = {0};

	if (!is_of_uri_characters(text) || !read_scheme(&text, &uri.scheme) || text.len == 0)
		return false;
	if (text.len >= 2 && !memcmp(text.data, "//", 2)) {
		take(&text, 2);
		if (!read_authority(text, &uri))
			return false;
	} else {
		uri.rest = text;
	}
	*ret_uri = uri;
	return true;
}

bool kt_uri_equal(const struct kt_uri *a, const struct kt_uri *b)
{
	return kt_host_equal(a->scheme, b->scheme) && !a->host.data == !b->host.data &&
	       kt_host_equal(a->host, b->host) && kt_der_equal(a->rest, b->rest);
}
