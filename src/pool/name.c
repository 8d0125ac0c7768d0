/* SPDX-License-Identifier: BSD-2-Clause */
#include "name.h"

#include "scan.h"

#define TEXT_END     (-1)
#define TEXT_INVALID (-2)

/* A value being read as canonical text, one code point a call. */
struct text {
	struct kt_der_view rest;
	uint8_t tag;
	bool begun;   /* something but white space was delivered */
	int32_t held; /* the code point that a space was put before; TEXT_END: none */
};

struct attribute {
	struct kt_der_view type; /* content of the OID */
	struct kt_der_item value;
	bool is_text;  /* of a text type, and valid in it */
	uint64_t hash; /* 0: it was not asked for */
};

/* ---- Code points --------------------------------------------------------------------------- */

static bool is_text_tag(uint8_t tag)
{
	switch (tag) {
	case KT_DER_UTF8_STRING:
	case KT_DER_PRINTABLE_STRING:
	case KT_DER_T61_STRING:
	case KT_DER_IA5_STRING:
	case KT_DER_UNIVERSAL_STRING:
	case KT_DER_BMP_STRING:
		return true;
	default:
		return false;
	}
}

static bool is_code_point(uint32_t c)
{
	return c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);
}

static uint32_t take(struct kt_der_view *in)
{
	in->len--;
	return *in->data++;
}

static int32_t next_wide(struct kt_der_view *in, size_t width)
{
	uint32_t c = 0;

	if (in->len < width)
		return TEXT_INVALID;
	for (size_t i = 0; i < width; i++)
		c = c << 8 | take(in);
	return is_code_point(c) ? (int32_t)c : TEXT_INVALID;
}

/* What is not ASCII. RFC 3629: shortest form only. */
static int32_t next_utf8(struct kt_der_view *in)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint32_t c = take(in);
	size_t more;

	if (c >= 0xc0 && c < 0xe0)
		more = 1;
	else if (c >= 0xe0 && c < 0xf0)
		more = 2;
	else if (c >= 0xf0 && c < 0xf8)
		more = 3;
	else
		return TEXT_INVALID;
	if (in->len < more)
		return TEXT_INVALID;
	c &= 0x3f >> more;
	for (size_t i = 0; i < more; i++) {
		uint32_t byte = take(in);

		if ((byte & 0xc0) != 0x80)
			return TEXT_INVALID;
		c = c << 6 | (byte & 0x3f);
	}
	return c >= least[more] && is_code_point(c) ? (int32_t)c : TEXT_INVALID;
}

static int32_t next_code_point(struct kt_der_view *in, uint8_t tag)
{
	if (in->len == 0)
		return TEXT_END;
	if (tag == KT_DER_BMP_STRING)
		return next_wide(in, 2);
	if (tag == KT_DER_UNIVERSAL_STRING)
		return next_wide(in, 4);
	if (tag == KT_DER_UTF8_STRING && in->data[0] >= 0x80)
		return next_utf8(in);
	return (int32_t)take(in);
}

static bool is_ascii(struct kt_der_view bytes)
{
	uint8_t all = 0;

	for (size_t i = 0; i < bytes.len; i++)
		all |= bytes.data[i];
	return all < 0x80;
}

static bool is_valid_text(const struct kt_der_item *value)
{
	struct kt_der_view rest = value->content;
	int32_t c;

	if (!is_text_tag(value->tag))
		return false;
	/* Nearly every name; so much is known without looking at each code point. */
	if (value->tag == KT_DER_UTF8_STRING && is_ascii(rest))
		return true;
	do
		c = next_code_point(&rest, value->tag);
	while (c >= 0);
	return c == TEXT_END;
}

/* ---- Canonical text ------------------------------------------------------------------------ */

static bool is_space(int32_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int32_t fold(int32_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static struct text text_of(const struct kt_der_item *value)
{
	return (struct text){.rest = value->content, .tag = value->tag, .held = TEXT_END};
}

/* Only for text that is_valid_text. */
static int32_t next_canonical(struct text *text)
{
	bool spaces = false;
	int32_t c = text->held;

	if (c != TEXT_END) {
		text->held = TEXT_END;
		return c;
	}
	for (c = next_code_point(&text->rest, text->tag); is_space(c);
	     c = next_code_point(&text->rest, text->tag))
		spaces = true;
	if (c == TEXT_END)
		return TEXT_END;
	c = fold(c);
	if (!spaces || !text->begun) {
		text->begun = true;
		return c;
	}
	text->held = c;
	return ' ';
}

static bool text_equal(const struct kt_der_item *a, const struct kt_der_item *b)
{
	struct text left = text_of(a), right = text_of(b);
	int32_t c;

	do {
		c = next_canonical(&left);
		if (c != next_canonical(&right))
			return false;
	} while (c != TEXT_END);
	return true;
}

/* ---- Attributes and RDNs ------------------------------------------------------------------- */

/* Only for what kt_scan_is_name accepted: the structure is known to be there. */
static bool next_attribute(struct kt_der_view *set, struct attribute *ret_attribute)
{
	struct kt_der_item pair, type, value;

	if (!kt_der_read(set, &pair) || !kt_der_read(&pair.content, &type) ||
	    !kt_der_read(&pair.content, &value))
		return false;
	*ret_attribute = (struct attribute){
		.type = type.content,
		.value = value,
		.is_text = is_valid_text(&value),
	};
	return true;
}

#define FNV_OFFSET 0xcbf29ce484222325u
#define FNV_PRIME  0x00000100000001b3u

static uint64_t add_word(uint64_t hash, uint64_t word)
{
	return (hash ^ word) * FNV_PRIME;
}

static uint64_t add_bytes(uint64_t hash, struct kt_der_view bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = add_word(hash, bytes.data[i]);
	return add_word(hash, 0x100);
}

/* FNV's high bits are slow to change: spread them (the finalizer of splitmix64). */
static uint64_t spread(uint64_t hash)
{
	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
	return hash ^ hash >> 31;
}

static uint64_t attribute_hash(const struct attribute *attribute)
{
	uint64_t hash = add_bytes(FNV_OFFSET, attribute->type);
	struct text text;
	int32_t c;

	if (!attribute->is_text)
		return spread(add_bytes(hash, attribute->value.tlv));
	text = text_of(&attribute->value);
	while ((c = next_canonical(&text)) != TEXT_END)
		hash = add_word(hash, (uint64_t)c);
	return spread(hash);
}

static bool attribute_equal(const struct attribute *a, const struct attribute *b)
{
	if (a->hash != b->hash || !kt_der_equal(a->type, b->type) || a->is_text != b->is_text)
		return false;
	if (a->is_text)
		return text_equal(&a->value, &b->value);
	return kt_der_equal(a->value.tlv, b->value.tlv);
}

/* False: the set has more than KT_NAME_SET_MAX attributes. */
static bool read_set(struct kt_der_view set, struct attribute *attributes, size_t *ret_count)
{
	size_t count = 0;

	while (set.len > 0) {
		if (count == KT_NAME_SET_MAX || !next_attribute(&set, &attributes[count]))
			return false;
		count++;
	}
	/* Of several, each meets each: hashes keep that from costing a comparison a pair. */
	for (size_t i = 0; count > 1 && i < count; i++)
		attributes[i].hash = attribute_hash(&attributes[i]);
	*ret_count = count;
	return true;
}

/* Each of a has a partner of its own in b; with equal counts that is equality of sets. */
static bool relative_name_equal(struct kt_der_view a, struct kt_der_view b)
{
	struct attribute left[KT_NAME_SET_MAX], right[KT_NAME_SET_MAX];
	bool taken[KT_NAME_SET_MAX] = {false};
	size_t count, other, j;

	if (kt_der_equal(a, b))
		return true;
	if (!read_set(a, left, &count) || !read_set(b, right, &other) || count != other)
		return false;
	for (size_t i = 0; i < count; i++) {
		for (j = 0; j < count; j++)
			if (!taken[j] && attribute_equal(&left[i], &right[j]))
				break;
		if (j == count)
			return false;
		taken[j] = true;
	}
	return true;
}

/* Text that readers agree about: printable ASCII and white space. */
static bool is_plain(const struct attribute *attribute)
{
	struct kt_der_view rest = attribute->value.content;
	int32_t c;

	if (!attribute->is_text)
		return false;
	do
		c = next_code_point(&rest, attribute->value.tag);
	while ((c >= ' ' && c <= '~') || is_space(c));
	return c == TEXT_END;
}

static bool relative_name_may_equal(struct kt_der_view a, struct kt_der_view b)
{
	struct attribute left[KT_NAME_SET_MAX], right[KT_NAME_SET_MAX];
	size_t count, other;
	bool plain = true;

	if (!read_set(a, left, &count) || !read_set(b, right, &other))
		return true;
	if (count != other)
		return false;
	for (size_t i = 0; i < count; i++)
		plain = plain && is_plain(&left[i]) && is_plain(&right[i]);
	if (plain)
		return relative_name_equal(a, b);
	return count != 1 || kt_der_equal(left[0].type, right[0].type);
}

typedef bool relation_fn(struct kt_der_view a, struct kt_der_view b);

/* Takes the RDNs of base off the front of name, both what is in the SEQUENCE, as long as they
 * agree. */
static bool skip(struct kt_der_view *name, struct kt_der_view base, relation_fn *agree)
{
	struct kt_der_item left, right;

	while (base.len > 0)
		if (!kt_der_read(name, &left) || !kt_der_read(&base, &right) ||
		    !agree(left.content, right.content))
			return false;
	return true;
}

/* What is in the SEQUENCE. */
static bool open_name(struct kt_der_view name, struct kt_der_view *ret_content)
{
	struct kt_der_item item;

	if (!kt_scan_is_name(name.data, name.len) || !kt_der_read(&name, &item))
		return false;
	*ret_content = item.content;
	return true;
}

bool kt_name_equal(struct kt_der_view a, struct kt_der_view b)
{
	struct kt_der_view left, right;

	if (kt_der_equal(a, b))
		return true;
	return open_name(a, &left) && open_name(b, &right) &&
	       skip(&left, right, relative_name_equal) && left.len == 0;
}

bool kt_name_is_within(struct kt_der_view name, struct kt_der_view base)
{
	struct kt_der_view left, right;

	return open_name(name, &left) && open_name(base, &right) &&
	       skip(&left, right, relative_name_equal);
}

bool kt_name_may_be_within(struct kt_der_view name, struct kt_der_view base)
{
	struct kt_der_view left, right;

	return !open_name(name, &left) || !open_name(base, &right) ||
	       skip(&left, right, relative_name_may_equal);
}

/* ---- All attributes ------------------------------------------------------------------------ */

struct kt_name_walk kt_name_walk(struct kt_der_view name)
{
	struct kt_name_walk walk = {0};

	open_name(name, &walk.sequence);
	return walk;
}

bool kt_name_walk_next(struct kt_name_walk *walk, struct kt_name_attribute *ret_attribute)
{
	struct kt_der_item set;
	struct attribute attribute;

	if (walk->set.len == 0) {
		if (!kt_der_read(&walk->sequence, &set))
			return false;
		walk->set = set.content;
	}
	if (!next_attribute(&walk->set, &attribute))
		return false;
	*ret_attribute = (struct kt_name_attribute){attribute.type, attribute.value};
	return true;
}

static bool is_comparable_set(struct kt_der_view set)
{
	struct attribute attribute;
	size_t count = 0;

	while (next_attribute(&set, &attribute))
		if (++count > KT_NAME_SET_MAX ||
		    (is_text_tag(attribute.value.tag) && !attribute.is_text))
			return false;
	return true;
}

bool kt_name_is_comparable(struct kt_der_view name)
{
	struct kt_der_view rest;
	struct kt_der_item set;

	if (!open_name(name, &rest))
		return false;
	while (kt_der_read(&rest, &set))
		if (!is_comparable_set(set.content))
			return false;
	return true;
}

/* ---- Hash ---------------------------------------------------------------------------------- */

/* A sum, since an RDN is a set: the order of its attributes does not count. */
static uint64_t relative_name_hash(struct kt_der_view set)
{
	struct attribute attribute;
	uint64_t sum = 0;

	while (next_attribute(&set, &attribute))
		sum += attribute_hash(&attribute);
	return sum;
}

uint64_t kt_name_hash(struct kt_der_view name)
{
	uint64_t hash = FNV_OFFSET;
	struct kt_der_item item;
	struct kt_der_view rest;

	if (!kt_scan_is_name(name.data, name.len) || !kt_der_read(&name, &item))
		return spread(add_bytes(hash, name));
	rest = item.content;
	while (kt_der_read(&rest, &item))
		hash = add_word(hash, relative_name_hash(item.content));
	return spread(hash);
}

int32_t kt_name_next_code_point(struct kt_der_view *in, uint8_t tag)
{
	return is_text_tag(tag) ? next_code_point(in, tag) : TEXT_INVALID;
}

static struct kt_der_item utf8_of(struct kt_der_view text)
{
	return (struct kt_der_item){.tag = KT_DER_UTF8_STRING, .content = text};
}

bool kt_name_is_utf8(struct kt_der_view text)
{
	const struct kt_der_item value = utf8_of(text);

	return is_valid_text(&value);
}

bool kt_name_value_is(const struct kt_der_item *value, struct kt_der_view text)
{
	const struct kt_der_item other = utf8_of(text);

	return is_valid_text(value) && text_equal(value, &other);
}
