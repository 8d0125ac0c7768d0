/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets to backends and targets that cannot be made: of a family that the process may not use, as
 * systemd's RestrictAddressFamilies= has it. (Without descriptors: limits.c.)
 */
#include "rig.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

FIXTURE(sockets)
{
	struct rig rig;
	SSL_CTX *context;
	/* Backends or targets, in the order in which they are tried. */
	struct kt_address addresses[2];
};

FIXTURE_VARIANT(sockets)
{
	bool origin;
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(sockets, to_backends_userspace){.ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(sockets, to_backends_ktls){.ktls = KT_KTLS_AUTO};
FIXTURE_VARIANT_ADD(sockets, to_targets){.origin = true, .ktls = KT_KTLS_OFF};

FIXTURE_SETUP(sockets)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
}

FIXTURE_TEARDOWN(sockets)
{
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

/* For this thread, and those that it starts from now on: the engine's. */
static void forbid_ipv6(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

	ASSERT_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT_EQ(0, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	ASSERT_GT(0, socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ASSERT_EQ(EAFNOSUPPORT, errno);
}

static void be_forbidden(struct kt_address *ret_address)
{
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_address_parse("[::1]:9", ret_address, &error));
}

static void start(FIXTURE_DATA(sockets) * self, const FIXTURE_VARIANT(sockets) * variant,
		  size_t count)
{
	const struct pki_cert *card;

	rig_init(&self->rig,
		 &(struct rig_options){.ktls = variant->ktls,
				       .client_auth = variant->origin ? KT_CLIENT_AUTH_NONE
								      : KT_CLIENT_AUTH_REQUIRE,
				       .origin = variant->origin,
				       .backends = self->addresses,
				       .backend_count = count});
	if (!variant->origin) {
		self->context =
			client_context(&(struct client_options){.cert = self->rig.lab.client});
		return;
	}
	card = pki_make(self->rig.lab.pki, self->rig.lab.ca,
			&(struct pki_options){
				.cn = "server.test", .dns = {"server.test"}, .eku = "serverAuth"});
	self->context = server_context(&(struct client_options){.cert = card});
}

static uint64_t counted(FIXTURE_DATA(sockets) * self, const FIXTURE_VARIANT(sockets) * variant)
{
	return variant->origin ? rig_outcomes(&self->rig, "no_socket")
			       : rig_ends(&self->rig, "no_socket");
}

/* No clean end: an alert where records are the kernel's, FIN without close_notify elsewhere. */
static void expect_end_of_client(FIXTURE_DATA(sockets) * self,
				 const FIXTURE_VARIANT(sockets) * variant)
{
	struct peer peer;
	char byte;

	peer_connect(&peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&peer));
	if (variant->ktls == KT_KTLS_OFF) {
		EXPECT_EQ(PEER_EOF, peer_read(&peer, &byte, 1));
	} else {
		EXPECT_EQ(PEER_FAILED, peer_read(&peer, &byte, 1));
		EXPECT_EQ(80, peer.client.alert);
	}
	peer_fini(&peer);
}

static void expect_none(FIXTURE_DATA(sockets) * self, const FIXTURE_VARIANT(sockets) * variant)
{
	if (variant->origin) {
		int client = tcp_connect(&self->rig.address);

		EXPECT_EQ(-ECONNRESET, recv_end(client));
		close(client);
	} else {
		expect_end_of_client(self, variant);
	}
}

static void expect_service(FIXTURE_DATA(sockets) * self, const FIXTURE_VARIANT(sockets) * variant,
			   int listening)
{
	struct peer peer;
	char text[4];
	int plain = -1;

	if (variant->origin) {
		plain = tcp_connect(&self->rig.address);
		peer_serve(&peer, accept4(listening, NULL, NULL, SOCK_CLOEXEC), self->context);
	} else {
		peer_connect(&peer, &self->rig, self->context);
	}
	ASSERT_EQ(1, peer_handshake(&peer));
	if (!variant->origin)
		plain = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_LE(0, plain);
	peer_write(&peer, "ping", 4);
	recv_exactly(plain, text, 4);
	EXPECT_EQ(0, memcmp("ping", text, 4));
	close(plain);
	peer_fini(&peer);
}

TEST_F(sockets, that_cannot_be_made_name_the_end)
{
	forbid_ipv6();
	be_forbidden(&self->addresses[0]);
	start(self, variant, 1);
	for (unsigned int i = 1; i <= 3; i++) {
		expect_none(self, variant);
		WAIT_UNTIL(counted(self, variant) >= i);
		EXPECT_EQ(i, counted(self, variant));
	}
}

/* It counts as one that was tried: the one that does not answer before it is asked again. */
TEST_F(sockets, that_cannot_be_made_keep_no_other_from_being_served)
{
	int other = bind_port(&self->addresses[0]);

	forbid_ipv6();
	be_forbidden(&self->addresses[1]);
	start(self, variant, 2);
	expect_none(self, variant);
	WAIT_UNTIL(counted(self, variant) >= 1);
	ASSERT_EQ(0, listen(other, 16));
	expect_service(self, variant, other);
	EXPECT_EQ(1, counted(self, variant));
	close(other);
}

TEST_F(sockets, that_cannot_be_made_give_way_to_the_next)
{
	forbid_ipv6();
	be_forbidden(&self->addresses[0]);
	start(self, variant, 2);
	expect_service(self, variant, self->rig.backend);
	EXPECT_EQ(0, counted(self, variant));
}

TEST_HARNESS_MAIN
