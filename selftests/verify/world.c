/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include <ktrust/pool.h>

#define DAY   86400
#define BOTH  "clientAuth,serverAuth"
#define SGC   "msSGC,nsSGC"
#define POLICY "1.3.6.1.4.1.32473.2"
#define NOKID .no_akid = true, .no_skid = true
#define PAST  .not_before = -20 * DAY, .not_after = -10 * DAY
#define LATER .not_before = 10 * DAY, .not_after = 20 * DAY

#define ROOT(name, ...) {.options = {.cn = name, .ca = true, ##__VA_ARGS__}}
#define CA(by, name, ...) {.issuer = by, .options = {.cn = name, .ca = true, ##__VA_ARGS__}}
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
	enum cert key_of;
	struct pki_options options;
} recipes[CERT_COUNT] = {
	[ROOT_A] = ROOT("Root A"),
	[ROOT_B] = ROOT("Root B"),
	[ROOT_A_TWIN] = ROOT("Root A"),
	[ROOT_A_NOKID] = ROOT("Root A", NOKID),
	[ROOT_A_NEW] = {.key_of = ROOT_A, .options = {.cn = "Root A", .ca = true}},
	[ROOT_OLD] = ROOT("Root Old", PAST),
	[ROOT_FUTURE] = ROOT("Root Future", LATER),
	[ROOT_V1] = ROOT("Root V1", .version1 = true),
	[ROOT_NO_BC] = ROOT("Root No BC", .no_basic_constraints = true),
	[ROOT_NO_CERTSIGN] = ROOT("Root No CertSign", .key_usage = "cRLSign"),
	[ROOT_RSA1024] = ROOT("Root RSA 1024", .key = PKI_RSA1024),
	[ROOT_SHA1] = ROOT("Root SHA-1", .digest = "SHA1"),
	[ROOT_PATHLEN0] = ROOT("Root Pathlen 0", .has_pathlen = true),
	[ROOT_CLIENTS] = ROOT("Root Clients", .eku = "clientAuth"),
	[ROOT_PLAIN] = ROOT("Root Plain", NOKID),
	[ROOT_PLAIN_TWIN] = ROOT("Root Plain", NOKID),
	[ROOT_PLAIN_OLD] = ROOT("Root Plain", NOKID, PAST),
	[ROOT_PLAIN_ED] = ROOT("Root Plain", NOKID, .key = PKI_ED25519),
	[ROOT_CRITICAL] = ROOT("Root Critical", .unknown_critical = true),
	[ROOT_RSA2048] = ROOT("Root RSA 2048", .key = PKI_RSA2048),

	[INT_A] = CA(ROOT_A, "Int A"),
	[INT_A_BY_B] = {.issuer = ROOT_B, .key_of = INT_A, .options = {.cn = "Int A", .ca = true}},
	[INT_A_OLD] = {.issuer = ROOT_A, .key_of = INT_A,
		       .options = {.cn = "Int A", .ca = true, PAST}},
	[INT_A_FUTURE] = {.issuer = ROOT_A, .key_of = INT_A,
			  .options = {.cn = "Int A", .ca = true, LATER}},
	[INT_A_TWIN] = CA(ROOT_A, "Int A", NOKID),
	[INT_PLAIN] = CA(ROOT_A, "Int Plain", NOKID),
	[INT_PLAIN_TWIN] = CA(ROOT_A, "Int Plain", NOKID),
	[INT_OLD] = CA(ROOT_A, "Int Old", PAST),
	[INT_FUTURE] = CA(ROOT_A, "Int Future", LATER),
	[INT_NOT_CA] = {.issuer = ROOT_A, .options = {.cn = "Int Not CA", .key_usage = "keyCertSign"}},
	[INT_NO_CERTSIGN] = CA(ROOT_A, "Int No CertSign", .key_usage = "digitalSignature"),
	[INT_V1] = CA(ROOT_A, "Int V1", .version1 = true),
	[INT_PATHLEN0] = CA(ROOT_A, "Int Pathlen 0", .has_pathlen = true),
	[INT_UNDER_PATHLEN0] = CA(INT_PATHLEN0, "Int Under"),
	[INT_UNDER_ROOT_PATHLEN0] = CA(ROOT_PATHLEN0, "Int Under Root"),
	[INT_SERVERS] = CA(ROOT_A, "Int Servers", .eku = "serverAuth"),
	[INT_ANY_EKU] = CA(ROOT_A, "Int Any", .eku = "anyExtendedKeyUsage"),
	[INT_EMPTY_EKU] = CA(ROOT_A, "Int Empty", .eku = ""),
	[INT_PERMIT] = CA(ROOT_A, "Int Permit", .name_constraints = "permitted;DNS:good.test"),
	[INT_EXCLUDE] = CA(ROOT_A, "Int Exclude",
			   .name_constraints = "excluded;DNS:secret.good.test"),
	[INT_PERMIT_IP] = CA(ROOT_A, "Int Permit IP",
			     .name_constraints = "permitted;IP:192.0.2.0/255.255.255.0"),
	[INT_CRITICAL] = CA(ROOT_A, "Int Critical", .unknown_critical = true),
	[INT_SHA1] = CA(ROOT_A, "Int SHA-1", .digest = "SHA1"),
	[INT_RSA1024] = CA(ROOT_A, "Int RSA 1024", .key = PKI_RSA1024),
	[INT_ED25519] = CA(ROOT_A, "Int Ed25519", .key = PKI_ED25519),
	[INT_POLICY] = CA(ROOT_A, "Int Policy", .policies = POLICY,
			  .policy_constraints = "requireExplicitPolicy:0"),
	[INT_BARE_POLICY] = CA(ROOT_A, "Int Bare", .policy_constraints = "requireExplicitPolicy:0"),
	[ROOT_B_BY_A] = {.issuer = ROOT_A, .key_of = ROOT_B,
			 .options = {.cn = "Root B", .ca = true}},
	[INT_B] = CA(ROOT_B, "Int B"),
	[DEEP_1] = CA(ROOT_A, "Deep 1"),
	[DEEP_2] = CA(DEEP_1, "Deep 2"),
	[DEEP_3] = CA(DEEP_2, "Deep 3"),
	[DEEP_4] = CA(DEEP_3, "Deep 4"),
	[DEEP_5] = CA(DEEP_4, "Deep 5"),
	[DEEP_6] = CA(DEEP_5, "Deep 6"),
	[DEEP_7] = CA(DEEP_6, "Deep 7"),
	[DEEP_8] = CA(DEEP_7, "Deep 8"),

	[LEAF_A] = LEAF(ROOT_A, .ip = {"192.0.2.1", "2001:db8::1"}),
	[LEAF_B] = LEAF(ROOT_B),
	[LEAF_INT_A] = LEAF(INT_A),
	[LEAF_INT_B] = LEAF(INT_B),
	[LEAF_INT_PLAIN] = LEAF(INT_PLAIN),
	[LEAF_OLD] = LEAF(ROOT_A, PAST),
	[LEAF_FUTURE] = LEAF(ROOT_A, LATER),
	[LEAF_SELF] = LEAF(NONE),
	[LEAF_SELF_CA] = LEAF(NONE, .ca = true, .key_usage = "digitalSignature,keyCertSign"),
	[LEAF_CA] = LEAF(ROOT_A, .ca = true, .key_usage = "digitalSignature,keyCertSign"),
	[LEAF_CLIENT] = LEAF(ROOT_A, .eku = "clientAuth"),
	[LEAF_SERVER] = LEAF(ROOT_A, .eku = "serverAuth"),
	[LEAF_ANY_EKU] = LEAF(ROOT_A, .eku = "anyExtendedKeyUsage"),
	[LEAF_EMPTY_EKU] = LEAF(ROOT_A, .eku = ""),
	[LEAF_NO_EKU] = LEAF(ROOT_A, .eku = NULL),
	[LEAF_SGC] = LEAF(ROOT_A, .eku = SGC),
	[LEAF_NO_KU] = LEAF(ROOT_A, .key_usage = ""),
	[LEAF_KEY_AGREEMENT] = LEAF(ROOT_A, .key_usage = "keyAgreement"),
	[LEAF_KEY_ENCIPHERMENT] = LEAF(ROOT_A, .key_usage = "keyEncipherment"),
	[LEAF_CRITICAL] = LEAF(ROOT_A, .unknown_critical = true),
	[LEAF_CONSTRAINED] = LEAF(ROOT_A, .name_constraints = "permitted;DNS:good.test"),
	[LEAF_V1] = LEAF(ROOT_A, .version1 = true),
	[LEAF_V1_EXTENDED] = LEAF(ROOT_A, .version1_extended = true),
	[LEAF_RSA1024] = LEAF(ROOT_A, .key = PKI_RSA1024),
	[LEAF_RSA2048] = LEAF(ROOT_A, .key = PKI_RSA2048),
	[LEAF_ED25519] = LEAF(ROOT_A, .key = PKI_ED25519),
	[LEAF_SHA1] = LEAF(ROOT_A, .digest = "SHA1"),
	[LEAF_CN_ONLY] = {.issuer = ROOT_A, .options = {.cn = "good.test", .eku = BOTH}},
	[LEAF_PARTIAL] = LEAF(ROOT_A, .dns = {"w*.wild.test"}),
	[LEAF_EMAIL_URI] = {.issuer = ROOT_A,
			    .options = {.cn = "good.test", .uri = {"spiffe://good.test/x"},
					.email = {"me@good.test"}}},
	[LEAF_OF_ROOT_OLD] = LEAF(ROOT_OLD),
	[LEAF_OF_ROOT_FUTURE] = LEAF(ROOT_FUTURE),
	[LEAF_OF_ROOT_V1] = LEAF(ROOT_V1),
	[LEAF_OF_ROOT_NO_BC] = LEAF(ROOT_NO_BC),
	[LEAF_OF_ROOT_NO_CERTSIGN] = LEAF(ROOT_NO_CERTSIGN),
	[LEAF_OF_ROOT_RSA1024] = LEAF(ROOT_RSA1024),
	[LEAF_OF_ROOT_SHA1] = LEAF(ROOT_SHA1),
	[LEAF_OF_ROOT_CLIENTS] = LEAF(ROOT_CLIENTS),
	[LEAF_OF_ROOT_PLAIN] = LEAF(ROOT_PLAIN),
	[LEAF_OF_ROOT_CRITICAL] = LEAF(ROOT_CRITICAL),
	[LEAF_OF_ROOT_RSA2048] = LEAF(ROOT_RSA2048),
	[LEAF_OF_INT_OLD] = LEAF(INT_OLD),
	[LEAF_OF_INT_FUTURE] = LEAF(INT_FUTURE),
	[LEAF_OF_INT_NOT_CA] = LEAF(INT_NOT_CA),
	[LEAF_OF_INT_NO_CERTSIGN] = LEAF(INT_NO_CERTSIGN),
	[LEAF_OF_INT_V1] = LEAF(INT_V1),
	[LEAF_OF_INT_UNDER_PATHLEN0] = LEAF(INT_UNDER_PATHLEN0),
	[LEAF_OF_INT_PATHLEN0] = LEAF(INT_PATHLEN0),
	[LEAF_OF_INT_UNDER_ROOT_PATHLEN0] = LEAF(INT_UNDER_ROOT_PATHLEN0),
	[LEAF_OF_INT_SERVERS] = LEAF(INT_SERVERS),
	[LEAF_OF_INT_ANY_EKU] = LEAF(INT_ANY_EKU),
	[LEAF_OF_INT_EMPTY_EKU] = LEAF(INT_EMPTY_EKU),
	[LEAF_OF_INT_PERMIT] = LEAF(INT_PERMIT, .dns = {"good.test"}),
	[LEAF_OF_INT_PERMIT_OTHER] = LEAF(INT_PERMIT, .dns = {"other.test"}),
	[LEAF_OF_INT_EXCLUDE_WILD] = LEAF(INT_EXCLUDE, .dns = {"*.good.test"}),
	[LEAF_OF_INT_EXCLUDE_OTHER_WILD] = LEAF(INT_EXCLUDE, .dns = {"*.other.test"}),
	[LEAF_OF_INT_PERMIT_IP] = LEAF(INT_PERMIT_IP, .ip = {"192.0.2.7"}),
	[LEAF_OF_INT_PERMIT_IP_OTHER] = LEAF(INT_PERMIT_IP, .ip = {"198.51.100.7"}),
	[LEAF_OF_INT_CRITICAL] = LEAF(INT_CRITICAL),
	[LEAF_OF_INT_SHA1] = LEAF(INT_SHA1),
	[LEAF_OF_INT_RSA1024] = LEAF(INT_RSA1024),
	[LEAF_OF_INT_ED25519] = LEAF(INT_ED25519),
	[LEAF_OF_INT_POLICY] = LEAF(INT_POLICY, .policies = POLICY),
	[LEAF_OF_INT_POLICY_NONE] = LEAF(INT_POLICY),
	[LEAF_OF_INT_BARE_POLICY] = LEAF(INT_BARE_POLICY),
	[LEAF_OF_DEEP_7] = LEAF(DEEP_7),
	[LEAF_OF_DEEP_8] = LEAF(DEEP_8),
	[LEAF_OF_LEAF] = LEAF(LEAF_A, .cn = "leaf of leaf"),
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
	options.key_of = world_cert(world, recipes[cert].key_of);
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
