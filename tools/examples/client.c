/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client: sends what it reads, and prints what a server answers that anchors of one's own choice
 * vouch for. Blocking sockets and records in userspace, to show the way of a client alone.
 *
 *	cc client.c $(pkg-config --cflags --libs ktrust) -o client
 *	echo hello | ./client localhost 8443 file:server-cas.pem client.pem client.key
 *	printf 'HEAD / HTTP/1.0\r\n\r\n' | ./client www.example.org 443 system
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ktrust/credentials.h>
#include <ktrust/pool.h>
#include <ktrust/tls.h>
#include <ktrust/verify.h>

#define BUFFER 16384 /* bytes: the plain text of a record */

static bool fail(const char *what, const char *why)
{
	fprintf(stderr, "client: %s: %s\n", what, why);
	return false;
}

static bool complain(const struct kt_error *error)
{
	char text[600];

	fprintf(stderr, "client: %s\n", kt_error_format(error, text, sizeof text));
	return false;
}

static bool load(const char *source, struct kt_pool **ret_pool)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_pool_change change;
	struct kt_error error = {.err = ENOMEM, .text = "out of memory"};
	bool good = set && !kt_anchor_set_add_source(set, source, NULL, &error) &&
		    !kt_pool_new("servers", ret_pool, &error) &&
		    !kt_pool_commit(*ret_pool, set, source, &change, &error);

	kt_anchor_set_free(set);
	return good || complain(&error);
}

/*
 * Servers of the web have to keep the CA/Browser Baseline Requirements; a CA of one's own often
 * falls short of these in form. What was chosen for the web alone is what vouches for servers only.
 */
static enum kt_profile profile_for(const char *source)
{
	return kt_source_purposes(source) == KT_PURPOSE_SERVER ? KT_PROFILE_WEB
							       : KT_PROFILE_RFC5280;
}

static bool make_context(struct kt_pool *pool, enum kt_profile profile, const char *chain,
			 const char *key, struct kt_tls_context **ret_context)
{
	struct kt_tls_context_options options = {.peer_role = KT_ROLE_SERVER,
						 .pool = pool,
						 .policy.profile = profile,
						 .no_export = true};
	struct kt_error error = {.err = ENOMEM, .text = "out of memory"};
	bool good = !chain || !kt_credentials_load(chain, key, &options.credentials, &error);

	good = good && !kt_tls_context_new(&options, ret_context, &error);
	kt_credentials_put(options.credentials); /* the context has a reference of its own */
	return good || complain(&error);
}

static int connect_to(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *address;
	int err = getaddrinfo(host, port, &hints, &found), fd = -1;

	if (err) {
		fail(host, gai_strerror(err));
		return -1;
	}
	for (address = found; address && fd < 0; address = address->ai_next) {
		fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen)) {
			err = errno;
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	if (fd < 0)
		fail(host, strerror(err ? err : errno));
	return fd;
}

static bool is_address(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool send_output(struct kt_tls *tls, int fd)
{
	const uint8_t *data;
	size_t len;

	while ((len = kt_tls_output(tls, &data))) {
		ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);

		if (sent < 0)
			return fail("send", strerror(errno));
		kt_tls_output_done(tls, (size_t)sent);
	}
	return true;
}

/* An enum kt_tls_status, or negative. Never more than kt_tls_want says is read. */
static int receive(struct kt_tls *tls, int fd)
{
	uint8_t buffer[BUFFER];
	size_t want = kt_tls_want(tls);
	ssize_t got = recv(fd, buffer, want < BUFFER ? want : BUFFER, 0);

	if (got < 0)
		return -errno;
	if (got)
		return kt_tls_input(tls, buffer, (size_t)got);
	kt_tls_input_eof(tls); /* names the failure of a handshake */
	return KT_TLS_FAILED;
}

static bool shake(struct kt_tls *tls, int fd)
{
	int status = kt_tls_start(tls);

	/* The output of a failure is an alert, which the server should get. */
	while (send_output(tls, fd) && status == KT_TLS_AGAIN)
		status = receive(tls, fd);
	if (status == KT_TLS_DONE)
		return true;
	return fail("handshake", status == KT_TLS_FAILED ? kt_tls_failure(tls) : "interrupted");
}

/*
 * All of standard input, and that nothing follows. Nothing is read meanwhile: made for requests,
 * not for more than sockets hold, which a server may stop to read while nobody takes its answers.
 */
static bool send_all(struct kt_tls *tls, int fd)
{
	uint8_t buffer[BUFFER];
	size_t got;

	while ((got = fread(buffer, 1, sizeof buffer, stdin)))
		if (kt_tls_write(tls, buffer, got) || !send_output(tls, fd))
			return fail("send", "failed");
	return !kt_tls_close_notify(tls) && send_output(tls, fd);
}

/* What was decrypted is taken before more is fed. */
static bool print_all(struct kt_tls *tls, int fd)
{
	uint8_t buffer[BUFFER];
	ssize_t got;

	while ((got = kt_tls_read(tls, buffer, sizeof buffer))) {
		if (got > 0)
			fwrite(buffer, 1, (size_t)got, stdout);
		else if (got != -EAGAIN)
			return fail("receive", kt_tls_failure(tls));
		else if (receive(tls, fd) != KT_TLS_DONE)
			return fail("receive", "cut off: the server did not say that this is all");
		if (!send_output(tls, fd))
			return false;
	}
	return true;
}

static bool talk(struct kt_tls_context *context, const char *host, const char *port)
{
	struct kt_tls_options options = {.name_type = is_address(host) ? KT_NAME_IP : KT_NAME_DNS,
					 .name = host};
	struct kt_tls *tls = NULL;
	int fd = connect_to(host, port);
	bool good = fd >= 0;

	if (good && kt_tls_new(context, &options, &tls))
		good = fail(host, "cannot be the name of a server");
	good = good && shake(tls, fd) && send_all(tls, fd) && print_all(tls, fd);
	kt_tls_free(tls);
	if (fd >= 0)
		close(fd);
	return good;
}

int main(int argc, char **argv)
{
	struct kt_tls_context *context = NULL;
	struct kt_pool *pool = NULL;
	bool good;

	if (argc != 4 && argc != 6) {
		fprintf(stderr, "Usage: client HOST PORT SOURCE [CHAIN KEY]\n");
		return 2;
	}
	good = load(argv[3], &pool) &&
	       make_context(pool, profile_for(argv[3]), argv[4], argc == 6 ? argv[5] : NULL,
			    &context) &&
	       talk(context, argv[1], argv[2]);
	kt_tls_context_free(context);
	kt_pool_free(pool);
	return good ? 0 : 1;
}
