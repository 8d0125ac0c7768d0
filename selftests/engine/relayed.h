/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to a backend, whose two ends are the test's: with records in userspace, and with the
 * kernel's where there is kTLS.
 *
 * Set-up that fails ends the test (ASSERT). Threads: as rig.h.
 */
#ifndef KTRUST_SELFTESTS_ENGINE_RELAYED_H
#define KTRUST_SELFTESTS_ENGINE_RELAYED_H

#include <unistd.h>

#include "rig.h"

#define ALERT_INTERNAL_ERROR 80

FIXTURE(relay)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
	int backend;
};

FIXTURE_VARIANT(relay)
{
	enum kt_ktls_mode ktls;
	uint16_t version;
};

FIXTURE_VARIANT_ADD(relay, tls13_userspace){.ktls = KT_KTLS_OFF, .version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(relay, tls12_userspace){.ktls = KT_KTLS_OFF, .version = KT_TLS_1_2};
FIXTURE_VARIANT_ADD(relay, tls13_ktls){.ktls = KT_KTLS_AUTO, .version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(relay, tls12_ktls){.ktls = KT_KTLS_AUTO, .version = KT_TLS_1_2};

FIXTURE_SETUP(relay)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .backend_rcvbuf = 8192});
	self->backend = -1;
	self->context = client_context(&(struct client_options){
		.version = variant->version,
		.cert = self->rig.lab.client,
	});
	peer_connect(&self->peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&self->peer));
	self->backend = rig_accept(&self->rig);
}

FIXTURE_TEARDOWN(relay)
{
	peer_fini(&self->peer);
	if (self->backend >= 0)
		close(self->backend);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static inline void close_backend(FIXTURE_DATA(relay) * self)
{
	close(self->backend);
	self->backend = -1;
}

static inline void close_peer(FIXTURE_DATA(relay) * self)
{
	close(self->peer.fd);
	self->peer.fd = -1;
}

/* What a client hears when the other side broke: an alert where we can send one. */
static inline void expect_no_clean_end(FIXTURE_DATA(relay) * self,
				       const FIXTURE_VARIANT(relay) * variant)
{
	char byte;

	if (variant->ktls == KT_KTLS_OFF) {
		EXPECT_EQ(PEER_EOF, peer_read(&self->peer, &byte, 1));
	} else {
		EXPECT_EQ(PEER_FAILED, peer_read(&self->peer, &byte, 1));
		EXPECT_EQ(ALERT_INTERNAL_ERROR, self->peer.client.alert);
	}
}

#endif
