/* SPDX-License-Identifier: BSD-2-Clause */
#include "der_writer.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 2 /* bytes of tag and a short length */

void der_add(struct der *der, const void *bytes, size_t len)
{
	if (len > sizeof der->bytes - der->len)
		abort();
	if (len)
		memcpy(der->bytes + der->len, bytes, len);
	der->len += len;
}

size_t der_open(struct der *der, uint8_t tag)
{
	size_t mark = der->len;

	der_add(der, (const uint8_t[HEAD]){tag, 0}, HEAD);
	return mark;
}

void der_close(struct der *der, size_t mark)
{
	uint8_t *head = der->bytes + mark;
	size_t len = der->len - mark - HEAD;
	size_t more = len < 0x80 ? 0 : len < 0x100 ? 1 : 2;

	der_add(der, (const uint8_t[2]){0, 0}, more);
	memmove(head + HEAD + more, head + HEAD, len);
	head[1] = (uint8_t)(more ? 0x80 | more : len);
	if (more)
		head[1 + more] = (uint8_t)len;
	if (more == 2)
		head[2] = (uint8_t)(len >> 8);
}

void der_put(struct der *der, uint8_t tag, const void *content, size_t len)
{
	size_t mark = der_open(der, tag);

	der_add(der, content, len);
	der_close(der, mark);
}

static void add_part(struct der *der, struct der_part part)
{
	der_add(der, part.data, part.len);
}

/* ---- Certificates -----------------------------------------------------------------------------
 */

void der_extension(struct der *der, struct der_part oid, bool critical, struct der_part value)
{
	size_t mark = der_open(der, 0x30);

	der_put(der, 0x06, oid.data, oid.len);
	if (critical)
		der_put(der, 0x01, "\xff", 1);
	der_put(der, 0x04, value.data, value.len);
	der_close(der, mark);
}

static void add_time(struct der *der, const char *time)
{
	size_t len = strlen(time);

	der_put(der, len == 15 ? 0x18 : 0x17, time, len);
}

static void add_version(struct der *der, unsigned int version)
{
	const uint8_t number = (uint8_t)(version - 1);
	size_t mark;

	if (version == 1)
		return;
	mark = der_open(der, 0xa0);
	der_put(der, 0x02, &number, 1);
	der_close(der, mark);
}

static void add_extensions(struct der *der, struct der_part extensions)
{
	size_t mark;

	if (!extensions.len)
		return;
	mark = der_open(der, 0xa3);
	der_put(der, 0x30, extensions.data, extensions.len);
	der_close(der, mark);
}

void der_tbs(struct der *der, const struct der_certificate *certificate)
{
	size_t mark = der_open(der, 0x30), validity;

	add_version(der, certificate->version);
	der_put(der, 0x02, certificate->serial.data, certificate->serial.len);
	add_part(der, certificate->algorithm);
	add_part(der, certificate->issuer);
	validity = der_open(der, 0x30);
	add_time(der, certificate->not_before);
	add_time(der, certificate->not_after);
	der_close(der, validity);
	add_part(der, certificate->subject);
	add_part(der, certificate->spki);
	add_extensions(der, certificate->extensions);
	der_close(der, mark);
}

void der_signed(struct der *der, struct der_part tbs, struct der_part algorithm,
		struct der_part signature)
{
	size_t mark = der_open(der, 0x30), bits;

	add_part(der, tbs);
	add_part(der, algorithm);
	bits = der_open(der, 0x03);
	der_add(der, "", 1);
	add_part(der, signature);
	der_close(der, bits);
	der_close(der, mark);
}
