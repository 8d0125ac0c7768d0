/* SPDX-License-Identifier: BSD-2-Clause */
#include "mutate_der.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/pool/der.h"
#include "../lib/der_writer.h"

#define NODES_MAX 1024
#define ROOMY	  (DER_MAX / 4) /* bytes of an input that is still mutated here */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

struct node {
	size_t parent; /* of the first: itself */
	uint8_t tag;
	struct kt_der_view tlv, content;
};

struct tree {
	struct node nodes[NODES_MAX];
	size_t count;
};

static size_t below(unsigned int *seed, size_t limit)
{
	return (size_t)rand_r(seed) % limit;
}

/* ---- Looking ----------------------------------------------------------------------------------
 */

static bool is_der(struct kt_der_view bytes)
{
	struct kt_der_item item;

	while (bytes.len && kt_der_read(&bytes, &item))
		;
	return !bytes.len;
}

/* Breadth first: the array is its own queue. */
static void add_children(struct tree *tree, size_t parent)
{
	struct kt_der_view in = tree->nodes[parent].content;
	uint8_t tag = tree->nodes[parent].tag;
	struct kt_der_item item;

	if (!(tag & 0x20) && tag != KT_DER_OCTET_STRING)
		return;
	if (!is_der(in))
		return;
	while (tree->count < NODES_MAX && kt_der_read(&in, &item))
		tree->nodes[tree->count++] =
			(struct node){parent, item.tag, item.tlv, item.content};
}

static bool read_tree(const uint8_t *data, size_t size, struct tree *ret_tree)
{
	struct kt_der_view in = {data, size};
	struct kt_der_item item;

	if (!kt_der_read(&in, &item) || in.len)
		return false;
	ret_tree->nodes[0] = (struct node){0, item.tag, item.tlv, item.content};
	ret_tree->count = 1;
	for (size_t i = 0; i < ret_tree->count; i++)
		add_children(ret_tree, i);
	return true;
}

/* ---- Changing ---------------------------------------------------------------------------------
 */

static void mutate_content(const struct node *node, struct der *to)
{
	static uint8_t content[DER_MAX];
	size_t len = node->content.len;

	if (len)
		memcpy(content, node->content.data, len);
	len = LLVMFuzzerMutate(content, len, len + 64);
	der_put(to, node->tag, content, len);
}

static void mutate_tag(const struct node *node, unsigned int *seed, struct der *to)
{
	static const uint8_t tags[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x14,
				       0x16, 0x17, 0x18, 0x1c, 0x1e, 0x30, 0x31, 0x80, 0x81,
				       0x82, 0x84, 0x86, 0x87, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4};

	der_put(to, tags[below(seed, sizeof tags)], node->content.data, node->content.len);
}

static void change(const struct tree *tree, size_t at, unsigned int *seed, struct der *to)
{
	const struct node *node = &tree->nodes[at];
	const struct node *other = &tree->nodes[below(seed, tree->count)];

	switch (below(seed, 8)) {
	case 0:
		break; /* it is gone */
	case 1:
		der_add(to, node->tlv.data, node->tlv.len);
		der_add(to, node->tlv.data, node->tlv.len);
		break;
	case 2:
		der_add(to, other->tlv.data, other->tlv.len);
		break;
	case 3:
		der_add(to, node->tlv.data, node->tlv.len);
		der_add(to, other->tlv.data, other->tlv.len);
		break;
	case 4:
		mutate_tag(node, seed, to);
		break;
	default:
		mutate_content(node, to);
	}
}

/* made in place of node, and so on outwards. */
static void rebuild(const struct tree *tree, size_t at, struct der *made)
{
	static struct der outer;

	while (at) {
		const struct node *node = &tree->nodes[at];
		const struct node *parent = &tree->nodes[node->parent];
		const uint8_t *end = node->tlv.data + node->tlv.len;
		size_t before = (size_t)(node->tlv.data - parent->content.data), mark;

		outer.len = 0;
		mark = der_open(&outer, parent->tag);
		der_add(&outer, parent->content.data, before);
		der_add(&outer, made->bytes, made->len);
		der_add(&outer, end, parent->content.len - before - node->tlv.len);
		der_close(&outer, mark);
		*made = outer;
		at = node->parent;
	}
}

size_t mutate_der(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static struct tree tree;
	static struct der made;
	size_t at;

	if (size > ROOMY || !below(&seed, 8) || !read_tree(data, size, &tree))
		return LLVMFuzzerMutate(data, size, max_size);
	at = below(&seed, tree.count);
	made.len = 0;
	change(&tree, at, &seed, &made);
	rebuild(&tree, at, &made);
	if (!made.len || made.len > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(data, made.bytes, made.len);
	return made.len;
}
