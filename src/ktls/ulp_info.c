/* SPDX-License-Identifier: BSD-2-Clause */
#include "ulp_info.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/tls.h>
#include <stdint.h>
#include <string.h>

#include <ktrust/ktls.h>

struct span {
	const uint8_t *at; /* NULL: no such attribute */
	size_t len;
};

/* The first attribute of this type within a list, without its header. */
static struct span find(struct span list, unsigned int type)
{
	struct nlattr attr;

	while (list.len >= NLA_HDRLEN) {
		memcpy(&attr, list.at, sizeof attr);
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > list.len)
			break;
		if ((attr.nla_type & NLA_TYPE_MASK) == type)
			return (struct span){list.at + NLA_HDRLEN, attr.nla_len - NLA_HDRLEN};

		size_t step = NLA_ALIGN(attr.nla_len);

		if (step >= list.len)
			break;
		list.at += step;
		list.len -= step;
	}
	return (struct span){0};
}

/* TLS_CONF_BASE says that records are left to userspace; software and devices both count. */
static unsigned int bit_if_offloaded(struct span tls, unsigned int type, unsigned int bit)
{
	struct span found = find(tls, type);
	uint16_t conf = TLS_CONF_BASE;

	if (found.len >= sizeof conf)
		memcpy(&conf, found.at, sizeof conf);
	return conf > TLS_CONF_BASE ? bit : 0;
}

int kt_ktls_read_ulp_info(const void *attributes, size_t len, unsigned int *ret_bits)
{
	struct span ulp = find((struct span){attributes, len}, INET_DIAG_ULP_INFO);
	struct span tls = find(ulp, INET_ULP_INFO_TLS);

	if (!tls.at)
		return -ENODATA;
	*ret_bits = bit_if_offloaded(tls, TLS_INFO_TXCONF, KT_KTLS_TX) |
		    bit_if_offloaded(tls, TLS_INFO_RXCONF, KT_KTLS_RX);
	return 0;
}
