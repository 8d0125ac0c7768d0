/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include <ktrust/pool.h>

#define DAY   86400
#define BOTH  "clientAuth,serverAuth"
#define NOKID .no_akid = true, .no_skid = true
#define PAST  .not_before = -20 * DAY, .not_after = -10 * DAY

#define ROOT(name, ...) {.options = {.cn = name, .ca = true, ##__VA_ARGS__}}
#define LEAF(by, ...)                                                                              \
	{.issuer = by, .options = {.cn = "leaf", .dns = {"good.test", "*.wild.test"}, .eku = BOTH, \
				   ##__VA_ARGS__}}

/* A later member of the list replaces the default, as LEAF(ROOT_A, .eku = "") does. */
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif

static const struct {
	enum cert issuer; /* NONE: self-signed */
	struct pki_options options;
} recipes[CERT_COUNT] = {
	[ROOT_A] = ROOT("Root A"),
	[ROOT_B] = ROOT("Root B"),
	[ROOT_A_NOKID] = ROOT("Root A", NOKID),
	[ROOT_PLAIN] = ROOT("Root Plain", NOKID),
	[ROOT_PLAIN_TWIN] = ROOT("Root Plain", NOKID),
	[INT_A] = {.issuer = ROOT_A, .options = {.cn = "Int A", .ca = true}},
	[LEAF_A] = LEAF(ROOT_A, .ip = {"192.0.2.1", "2001:db8::1"}),
	[LEAF_B] = LEAF(ROOT_B),
	[LEAF_INT_A] = LEAF(INT_A),
	[LEAF_OLD] = LEAF(ROOT_A, PAST),
	[LEAF_CRITICAL] = LEAF(ROOT_A, .unknown_critical = true),
	[LEAF_ED25519] = LEAF(ROOT_A, .key = PKI_ED25519),
	[LEAF_EMAIL_URI] = {.issuer = ROOT_A,
			    .options = {.cn = "good.test", .uri = {"spiffe://good.test/x"},
					.email = {"me@good.test"}}},
	[LEAF_OF_ROOT_PLAIN] = LEAF(ROOT_PLAIN),
};

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "world: %s\n", what);
	abort();
}

void world_init(struct world *world)
{
	*world = (struct world){.pki = pki_new()};
}

void world_free(struct world *world)
{
	pki_free(world->pki);
}

const struct pki_cert *world_cert(struct world *world, enum cert cert)
{
	struct pki_options options;

	if (cert == NONE)
		return NULL;
	if (world->made[cert])
		return world->made[cert];
	options = recipes[cert].options;
	need(options.cn, "no recipe for this certificate");
	world->made[cert] =
		pki_make(world->pki, world_cert(world, recipes[cert].issuer), &options);
	return world->made[cert];
}

struct kt_snapshot *world_snapshot(struct world *world, const enum cert *anchors, size_t max,
				   uint64_t version)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot = NULL;
	struct kt_error error;

	need(set, "kt_anchor_set_new");
	for (size_t i = 0; i < max && anchors[i] != NONE; i++) {
		const struct pki_cert *cert = world_cert(world, anchors[i]);

		need(!kt_anchor_set_add_der(set, cert->der, cert->der_len, "world", 0, &error),
		     "kt_anchor_set_add_der");
	}
	need(!kt_snapshot_build(set, "test", "made", version, &snapshot, &error),
	     "kt_snapshot_build");
	kt_anchor_set_free(set);
	return snapshot;
}

size_t world_chain(struct world *world, const enum cert *certs, size_t max, struct kt_der *ret_der)
{
	size_t count = 0;

	for (; count < max && certs[count] != NONE; count++) {
		const struct pki_cert *cert = world_cert(world, certs[count]);

		ret_der[count] = (struct kt_der){cert->der, cert->der_len};
	}
	return count;
}
