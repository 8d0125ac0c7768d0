/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of an origin, which is plain, and the server over TLS behind it, both the test's: with
 * records in userspace, and with the kernel's where there is kTLS.
 *
 * Set-up that fails ends the test (ASSERT). Threads: as rig.h.
 */
#ifndef KTRUST_SELFTESTS_ENGINE_ORIGINS_H
#define KTRUST_SELFTESTS_ENGINE_ORIGINS_H

#include <unistd.h>

#include "rig.h"

FIXTURE(origin)
{
	struct rig rig;
	bool started;
	const struct pki_cert *card;
	SSL_CTX *context; /* of the server */
	struct peer server;
	int client; /* plain */
};

FIXTURE_VARIANT(origin)
{
	enum kt_ktls_mode ktls;
	uint16_t version;
};

FIXTURE_VARIANT_ADD(origin, tls13_userspace){.ktls = KT_KTLS_OFF, .version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(origin, tls12_userspace){.ktls = KT_KTLS_OFF, .version = KT_TLS_1_2};
FIXTURE_VARIANT_ADD(origin, tls13_ktls){.ktls = KT_KTLS_REQUIRE, .version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(origin, tls12_ktls){.ktls = KT_KTLS_REQUIRE, .version = KT_TLS_1_2};

FIXTURE_SETUP(origin)
{
	self->server.fd = -1;
	self->client = -1;
	if (variant->ktls != KT_KTLS_OFF && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
}

static inline void hang_up(FIXTURE_DATA(origin) * self)
{
	if (self->client >= 0)
		close(self->client);
	self->client = -1;
}

static inline void end_server(FIXTURE_DATA(origin) * self)
{
	if (self->server.fd >= 0)
		peer_fini(&self->server);
	self->server.fd = -1;
}

FIXTURE_TEARDOWN(origin)
{
	hang_up(self);
	end_server(self);
	SSL_CTX_free(self->context);
	if (self->started)
		rig_fini(&self->rig);
}

static inline void start(FIXTURE_DATA(origin) * self, const FIXTURE_VARIANT(origin) * variant,
			 struct rig_options options)
{
	options.ktls = variant->ktls;
	options.origin = true;
	rig_init(&self->rig, &options);
	self->started = true;
	self->card = pki_make(self->rig.lab.pki, self->rig.lab.ca,
			      &(struct pki_options){.cn = "server.test",
						    .dns = {"server.test"},
						    .ip = {"192.0.2.7", "2001:db8::7"},
						    .eku = "serverAuth"});
	self->context = server_context(
		&(struct client_options){.version = variant->version, .cert = self->card});
}

static inline void call(FIXTURE_DATA(origin) * self)
{
	self->client = tcp_connect(&self->rig.address);
}

#endif
