/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket addresses as text. */
#include "engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define HOST_MAX (KT_HOST_SIZE - 1)

static int parse_unix(const char *path, struct kt_address *ret_address, struct kt_error *error)
{
	struct kt_address made = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&made.addr;
	size_t len = strlen(path);

	if (!len)
		return kt_error_set(error, EINVAL, "unix:", 0, "no path after \"unix:\"");
	if (len >= sizeof un->sun_path)
		return kt_error_set(error, ENAMETOOLONG, path, 0,
				    "a Unix socket's path may have %zu bytes (use a shorter one)",
				    sizeof un->sun_path - 1);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len + 1);
	made.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	*ret_address = made;
	return 0;
}

/* Where the host ends and the port begins; host is without its brackets. forms: what is right. */
static int split(const char *text, const char *forms, char host[static HOST_MAX + 1],
		 const char **ret_port, struct kt_error *error)
{
	const char *begin = text, *end, *colon;

	if (text[0] == '[') {
		begin = text + 1;
		end = strchr(begin, ']');
		colon = end && end[1] == ':' ? end + 1 : NULL;
	} else {
		end = colon = strchr(text, ':');
		if (colon && strchr(colon + 1, ':'))
			return kt_error_set(error, EINVAL, text, 0,
					    "an IPv6 address is written [ADDRESS]:PORT");
	}
	if (!colon)
		return kt_error_set(error, EINVAL, text, 0, "not an address (write %s)", forms);
	if ((size_t)(end - begin) > HOST_MAX)
		return kt_error_set(error, ENAMETOOLONG, "", 0, "a host name may have %d bytes",
				    HOST_MAX);
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	*ret_port = colon + 1;
	return 0;
}

static int parse_port(const char *text, const char *where, uint16_t *ret_port,
		      struct kt_error *error)
{
	size_t len = strlen(text);
	unsigned long port = 0;

	if (len && len <= 5 && strspn(text, "0123456789") == len)
		port = strtoul(text, NULL, 10);
	else
		port = UINT16_MAX + 1UL;
	if (port > UINT16_MAX)
		return kt_error_set(error, EINVAL, where, 0, "a port is a number from 0 to 65535");
	*ret_port = (uint16_t)port;
	return 0;
}

static bool kernel_has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void any_address(uint16_t port, struct kt_address *ret_address)
{
	struct kt_address made = {0};

	if (kernel_has_ipv6()) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&made.addr;

		in6->sin6_family = AF_INET6;
		in6->sin6_addr = in6addr_any;
		in6->sin6_port = htons(port);
		made.len = sizeof *in6;
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&made.addr;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		made.len = sizeof *in;
	}
	*ret_address = made;
}

static bool is_among(const struct addrinfo *one, const struct kt_address *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (one->ai_addrlen == addresses[i].len &&
		    !memcmp(one->ai_addr, &addresses[i].addr, one->ai_addrlen))
			return true;
	return false;
}

static int resolve(const char *host, uint16_t port, size_t room, struct kt_address *ret_addresses,
		   size_t *ret_count, struct kt_error *error)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	size_t count = 0;
	char service[6];
	int err;

	snprintf(service, sizeof service, "%u", (unsigned int)port);
	err = getaddrinfo(host, service, &hints, &found);
	if (err)
		return kt_error_set(error, EHOSTUNREACH, host, 0,
				    "the name does not resolve: %s (write a numeric address?)",
				    gai_strerror(err));
	for (const struct addrinfo *one = found; one && count < room; one = one->ai_next) {
		if (is_among(one, ret_addresses, count))
			continue;
		ret_addresses[count] = (struct kt_address){.len = one->ai_addrlen};
		memcpy(&ret_addresses[count++].addr, one->ai_addr, one->ai_addrlen);
	}
	freeaddrinfo(found);
	*ret_count = count;
	return 0;
}

int kt_addresses_parse(const char *text, size_t room, struct kt_address *ret_addresses,
		       size_t *ret_count, struct kt_error *error)
{
	char host[HOST_MAX + 1];
	const char *port_text = NULL;
	uint16_t port = 0;
	int err;

	if (!strncmp(text, "unix:", 5)) {
		err = parse_unix(text + 5, ret_addresses, error);
		if (!err)
			*ret_count = 1;
		return err;
	}
	err = split(text, "HOST:PORT, [v6]:PORT or unix:PATH", host, &port_text, error);
	if (err)
		return err;
	err = parse_port(port_text, text, &port, error);
	if (err)
		return err;
	if (host[0])
		return resolve(host, port, room, ret_addresses, ret_count, error);
	any_address(port, ret_addresses);
	*ret_count = 1;
	return 0;
}

int kt_address_parse(const char *text, struct kt_address *ret_address, struct kt_error *error)
{
	size_t count;

	return kt_addresses_parse(text, 1, ret_address, &count, error);
}

int kt_address_split(const char *text, char ret_host[static KT_HOST_SIZE], uint16_t *ret_port,
		     struct kt_error *error)
{
	char host[KT_HOST_SIZE];
	const char *port_text = NULL;
	uint16_t port = 0;
	int err = split(text, "HOST:PORT or [v6]:PORT", host, &port_text, error);

	if (!err)
		err = parse_port(port_text, text, &port, error);
	if (err)
		return err;
	if (!host[0] || !port)
		return kt_error_set(error, EINVAL, text, 0,
				    "a host and a port other than 0 are needed (write HOST:PORT)");
	strcpy(ret_host, host);
	*ret_port = port;
	return 0;
}

static void format_in(const struct sockaddr_in *in, char buf[static KT_ADDRESS_TEXT_MAX])
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
	snprintf(buf, KT_ADDRESS_TEXT_MAX, "%s:%u", host, (unsigned int)ntohs(in->sin_port));
}

static void format_in6(const struct sockaddr_in6 *in6, char buf[static KT_ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
	snprintf(buf, KT_ADDRESS_TEXT_MAX, "[%s]:%u", host, (unsigned int)ntohs(in6->sin6_port));
}

char *kt_address_format(const struct kt_address *address, char buf[static KT_ADDRESS_TEXT_MAX])
{
	switch (address->len ? address->addr.ss_family : AF_UNSPEC) {
	case AF_INET:
		format_in((const struct sockaddr_in *)&address->addr, buf);
		break;
	case AF_INET6:
		format_in6((const struct sockaddr_in6 *)&address->addr, buf);
		break;
	case AF_UNIX:
		snprintf(buf, KT_ADDRESS_TEXT_MAX, "unix:%s",
			 ((const struct sockaddr_un *)&address->addr)->sun_path);
		break;
	default:
		snprintf(buf, KT_ADDRESS_TEXT_MAX, "-");
	}
	return buf;
}
