/* SPDX-License-Identifier: BSD-2-Clause */
#include "general_name.h"

#include "../pool/scan.h"

#define TAG_NUMBER    0x1f
#define TAG_CONTEXT   0x80
#define TAG_CLASS     0xc0
#define TAG_CONS      0x20
#define EMPTY_NAME    2 /* bytes: SEQUENCE {} */
#define IPV4_BYTES    4
#define IPV6_BYTES    16
#define DEFINED_TYPES 9

enum use { IN_CERTIFICATE, IN_SUBTREE };

/* ---- Content, by type ------------------------------------------------------------------------ */

/* IA5String. NUL is a character of it that no name has, and that many readers stop at. */
static bool is_text(struct kt_der_view text, enum use use)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == 0 || text.data[i] >= 0x80)
			return false;
	return text.len > 0 || use == IN_SUBTREE;
}

static bool is_ip(struct kt_der_view ip, enum use use)
{
	size_t parts = use == IN_SUBTREE ? 2 : 1; /* the address, the mask */

	return ip.len == IPV4_BYTES * parts || ip.len == IPV6_BYTES * parts;
}

static bool is_explicit(struct kt_der_view *in, unsigned int number)
{
	struct kt_der_item outer, inner;

	return kt_der_expect(in, KT_DER_CONTEXT_CONS(number), &outer) &&
	       kt_der_read(&outer.content, &inner) && outer.content.len == 0;
}

/* SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY DEFINED BY type-id } */
static bool is_other_name(struct kt_der_view content)
{
	struct kt_der_item oid;

	return kt_der_expect(&content, KT_DER_OID, &oid) && kt_der_is_oid(oid.content) &&
	       is_explicit(&content, 0) && content.len == 0;
}

/* SEQUENCE { nameAssigner [0] DirectoryString OPTIONAL, partyName [1] DirectoryString } */
static bool is_edi_party(struct kt_der_view content)
{
	if (kt_der_next_is(&content, KT_DER_CONTEXT_CONS(0)) && !is_explicit(&content, 0))
		return false;
	return is_explicit(&content, 1) && content.len == 0;
}

/* ORAddress; nobody looks further into it. */
static bool is_x400(struct kt_der_view content)
{
	struct kt_der_item item;

	if (!kt_der_expect(&content, KT_DER_SEQUENCE, &item))
		return false;
	while (content.len > 0)
		if (!kt_der_read(&content, &item))
			return false;
	return true;
}

static bool is_directory(struct kt_der_view content, enum use use)
{
	return kt_scan_is_name(content.data, content.len) &&
	       (content.len > EMPTY_NAME || use == IN_SUBTREE);
}

static bool is_content(const struct kt_general_name *name, enum use use)
{
	switch (name->type) {
	case KT_GENERAL_OTHER:
		return is_other_name(name->content);
	case KT_GENERAL_EMAIL:
	case KT_GENERAL_DNS:
	case KT_GENERAL_URI:
		return is_text(name->content, use);
	case KT_GENERAL_X400:
		return is_x400(name->content);
	case KT_GENERAL_DIRECTORY:
		return is_directory(name->content, use);
	case KT_GENERAL_EDI_PARTY:
		return is_edi_party(name->content);
	case KT_GENERAL_IP:
		return is_ip(name->content, use);
	case KT_GENERAL_REGISTERED_ID:
		return kt_der_is_oid(name->content);
	}
	return false;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* IMPLICIT but for the Name, which is a CHOICE and hence EXPLICIT (X.680 §31.2.7). */
static bool is_constructed(unsigned int number)
{
	return number == KT_GENERAL_OTHER || number == KT_GENERAL_X400 ||
	       number == KT_GENERAL_DIRECTORY || number == KT_GENERAL_EDI_PARTY;
}

static bool is_tag(uint8_t tag)
{
	unsigned int number = tag & TAG_NUMBER;

	return (tag & TAG_CLASS) == TAG_CONTEXT && number < DEFINED_TYPES &&
	       !!(tag & TAG_CONS) == is_constructed(number);
}

static bool read_name(struct kt_der_view *in, enum use use, struct kt_general_name *ret_name)
{
	struct kt_general_name name;
	struct kt_der_view rest = *in;
	struct kt_der_item item;

	if (!kt_der_read(&rest, &item) || !is_tag(item.tag))
		return false;
	name.type = (enum kt_general_name_type)(item.tag & TAG_NUMBER);
	name.content = item.content;
	if (!is_content(&name, use))
		return false;
	*in = rest;
	*ret_name = name;
	return true;
}

bool kt_general_name_read(struct kt_der_view *in, struct kt_general_name *ret_name)
{
	return read_name(in, IN_CERTIFICATE, ret_name);
}

bool kt_general_name_read_base(struct kt_der_view *in, struct kt_general_name *ret_name)
{
	return read_name(in, IN_SUBTREE, ret_name);
}

bool kt_general_names_are_well_formed(struct kt_der_view names)
{
	struct kt_general_name name;

	if (names.len == 0)
		return false;
	while (names.len > 0)
		if (!kt_general_name_read(&names, &name))
			return false;
	return true;
}
