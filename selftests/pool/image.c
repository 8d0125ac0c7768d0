/* SPDX-License-Identifier: BSD-2-Clause */
/* Images that come from elsewhere: other processes, files, and hostile hands. */
#include "roots.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/pool/digest.h"
#include "../../src/pool/image.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

FIXTURE(image)
{
	struct roots roots;
	struct kt_snapshot *snapshot; /* of three anchors, two of one name and two with limits */
	uint8_t *copy;		      /* of its bytes, to be spoiled */
	size_t len;
};

static void limit(struct kt_anchor_set *set, const uint8_t *der, size_t len, const char *names)
{
	const struct kt_constraints constraints = {KT_PURPOSE_SERVER, 1700000000, names};

	ASSERT_EQ(0, kt_anchor_set_add(set, der, len, &constraints, "test", 1, NULL));
}

static void add_crls(struct kt_anchor_set *set, struct roots *roots)
{
	const struct pki_cert *ca = pki_make_ca(roots->pki, NULL, "Revoker");

	for (int i = 0; i < 2; i++) {
		struct pki_der crl = pki_make_crl(ca, &(struct pki_crl){.next_update = 1000 + i});

		ASSERT_EQ(0, kt_anchor_set_add_crl(set, crl.data, crl.len, "test", 1, NULL));
		free(crl.data);
	}
}

FIXTURE_SETUP(image)
{
	struct kt_anchor_set *set;

	roots_init(&self->roots);
	set = roots_set(&self->roots, 1, 1);
	limit(set, roots_numbered(&self->roots, 2), self->roots.template_len, "example.org");
	limit(set, roots_keyed(&self->roots, 2, 1), self->roots.template_len,
	      "a.example b.example");
	add_crls(set, &self->roots);
	self->snapshot = build(set, 5);
	kt_anchor_set_free(set);
	self->len = self->snapshot->image_len;
	self->copy = malloc(self->len);
	ASSERT_NE(NULL, self->copy);
	memcpy(self->copy, self->snapshot, self->len);
}

FIXTURE_TEARDOWN(image)
{
	free(self->copy);
	kt_snapshot_free(self->snapshot);
	roots_fini(&self->roots);
}

static int memfd_of(const void *bytes, size_t len, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)len, write(fd, bytes, len));
	if (seals)
		ASSERT_EQ(0, fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static int map_bytes(const void *bytes, size_t len, struct kt_error *error)
{
	struct kt_snapshot *snapshot = NULL;
	int fd = memfd_of(bytes, len, SEALS);
	int ret = kt_snapshot_map(fd, &snapshot, error);

	close(fd);
	EXPECT_EQ(ret == 0, snapshot != NULL);
	kt_snapshot_free(snapshot);
	return ret;
}

/* What a forger does, who can compute every digest. */
static void sign(uint8_t *copy)
{
	struct kt_snapshot *image = (struct kt_snapshot *)copy;
	struct kt_digest digest;

	ASSERT_EQ(0, kt_digest_init(&digest));
	ASSERT_EQ(0, kt_image_digest(&digest, image, image->digest));
	ASSERT_EQ(0, kt_image_checksum(&digest, image, image->checksum));
	kt_digest_fini(&digest);
}

/* ---- Out and in again ---------------------------------------------------------------------- */

TEST_F(image, memfd_is_sealed_and_holds_the_same_bytes)
{
	int fd = kt_snapshot_to_memfd(self->snapshot);
	uint8_t *bytes = malloc(self->len);
	struct stat st;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, bytes);
	EXPECT_EQ(SEALS | F_SEAL_SEAL, fcntl(fd, F_GET_SEALS) & (SEALS | F_SEAL_SEAL));
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(-1, pwrite(fd, "", 1, 0));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(self->len, st.st_size);
	ASSERT_EQ((ssize_t)self->len, pread(fd, bytes, self->len, 0));
	EXPECT_EQ(0, memcmp(bytes, self->copy, self->len));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_CUR));
	free(bytes);
	close(fd);
}

TEST_F(image, maps_from_a_sealed_memfd)
{
	int fd = kt_snapshot_to_memfd(self->snapshot);
	struct kt_snapshot *mapped = NULL;
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_snapshot_map(fd, &mapped, &error))
	{
		TH_LOG("%s", error.text);
	}
	close(fd);
	EXPECT_NE(self->snapshot, mapped);
	EXPECT_EQ(0, memcmp(mapped, self->snapshot, self->len));
	kt_snapshot_free(mapped);
}

TEST_F(image, unsealed_memfd_is_eperm)
{
	static const int too_few[] = {0, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_GROW,
				      F_SEAL_WRITE | F_SEAL_SHRINK, F_SEAL_GROW | F_SEAL_SHRINK};

	for (size_t i = 0; i < sizeof too_few / sizeof too_few[0]; i++) {
		struct kt_snapshot *mapped = NULL;
		struct kt_error error = {0};
		int fd = memfd_of(self->copy, self->len, too_few[i]);

		EXPECT_EQ(-EPERM, kt_snapshot_map(fd, &mapped, &error));
		EXPECT_EQ(EPERM, error.err);
		EXPECT_NULL(mapped);
		close(fd);
	}
}

/* On tmpfs and elsewhere alike: both may be behind /tmp and the current directory. */
TEST_F(image, file_is_copied_so_that_later_changes_do_not_show)
{
	static const char *const places[] = {"/tmp", "/dev/shm", "/var/tmp"};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct kt_snapshot *mapped = NULL;
		char path[64];
		int fd;

		snprintf(path, sizeof path, "%s/ktrust-image.XXXXXX", places[i]);
		fd = mkstemp(path);
		if (fd < 0 && errno == ENOENT)
			continue;
		ASSERT_LE(0, fd);
		ASSERT_EQ((ssize_t)self->len, write(fd, self->copy, self->len));
		ASSERT_EQ(0, kt_snapshot_map(fd, &mapped, NULL));
		ASSERT_EQ(1, pwrite(fd, "x", 1, 0));
		ASSERT_EQ(0, ftruncate(fd, 0));
		EXPECT_EQ(0, memcmp(mapped, self->copy, self->len));
		kt_snapshot_free(mapped);
		unlink(path);
		close(fd);
	}
}

TEST_F(image, what_is_no_file_is_refused)
{
	struct kt_snapshot *mapped = NULL;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EINVAL, kt_snapshot_map(pipes[0], &mapped, NULL));
	close(pipes[0]);
	EXPECT_EQ(-EBADF, kt_snapshot_map(pipes[0], &mapped, NULL));
	close(pipes[1]);
	EXPECT_NULL(mapped);
}

/* ---- Another process ----------------------------------------------------------------------- */

static void send_fd(int socket, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = "x", .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof control.bytes};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
	ASSERT_EQ(1, sendmsg(socket, &msg, 0));
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof control.bytes};
	int fd;

	ASSERT_EQ(1, recvmsg(socket, &msg, MSG_CMSG_CLOEXEC));
	ASSERT_NE(NULL, CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
	return fd;
}

static void put(int socket, const void *bytes, size_t len)
{
	ASSERT_EQ((ssize_t)len, send(socket, bytes, len, 0));
}

/* All that the functions tell of a snapshot, as bytes into a socket. */
static void tell_all(const struct kt_snapshot *snapshot, int socket)
{
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	put(socket, info.pool, strlen(info.pool));
	put(socket, &info.version, sizeof info.version);
	put(socket, &info.created_ns, sizeof info.created_ns);
	put(socket, info.digest, KT_DIGEST_LEN);
	for (size_t i = 0; i < info.anchors; i++) {
		struct kt_anchor anchor, found;
		size_t cursor = 0;

		ASSERT_EQ(0, kt_snapshot_anchor(snapshot, i, &anchor));
		put(socket, anchor.der, anchor.der_len);
		put(socket, anchor.identity, KT_DIGEST_LEN);
		ASSERT_EQ(0, kt_snapshot_find_fingerprint(snapshot, anchor.fingerprint, &found));
		put(socket, found.spki, found.spki_len);
		put(socket, found.key_id, found.key_id_len);
		while (kt_snapshot_find_subject(snapshot, anchor.subject, anchor.subject_len,
						&cursor, &found) == 0)
			put(socket, found.fingerprint, KT_DIGEST_LEN);
	}
	shutdown(socket, SHUT_WR);
}

static size_t read_all(int socket, uint8_t *to, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while ((got = read(socket, to + len, size - len)) > 0)
		len += (size_t)got;
	ASSERT_EQ(0, got);
	return len;
}

/* Nothing of the parent's snapshot is there but what comes by the socket. */
static void be_the_other_process(int socket, struct kt_snapshot *parents, size_t len)
{
	struct kt_snapshot *mapped = NULL;
	int fd = receive_fd(socket);

	/* Its place is taken, so that the memfd has to be mapped elsewhere. */
	kt_snapshot_free(parents);
	ASSERT_EQ((void *)parents, mmap(parents, len, PROT_NONE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	ASSERT_EQ(0, kt_snapshot_map(fd, &mapped, NULL));
	close(fd);
	put(socket, &mapped, sizeof mapped);
	tell_all(mapped, socket);
	kt_snapshot_free(mapped);
}

TEST_F(image, another_process_reads_the_same)
{
	static uint8_t ours[65536], theirs[65536];
	struct kt_snapshot *their_address;
	size_t our_len, their_len;
	int sockets[2], own[2];
	int fd, status;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, own));
	fd = kt_snapshot_to_memfd(self->snapshot);
	ASSERT_LE(0, fd);
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0) {
		close(fd);
		close(sockets[0]);
		be_the_other_process(sockets[1], self->snapshot, self->len);
		_exit(0);
	}
	close(sockets[1]);
	send_fd(sockets[0], fd);
	close(fd);
	ASSERT_EQ((ssize_t)sizeof their_address,
		  recv(sockets[0], &their_address, sizeof their_address, MSG_WAITALL));
	their_len = read_all(sockets[0], theirs, sizeof theirs);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	tell_all(self->snapshot, own[0]);
	our_len = read_all(own[1], ours, sizeof ours);
	EXPECT_NE(self->snapshot, their_address);
	EXPECT_LT(3 * self->roots.template_len, our_len);
	ASSERT_EQ(our_len, their_len);
	EXPECT_EQ(0, memcmp(ours, theirs, our_len));
}

/* ---- Hostile images ------------------------------------------------------------------------ */

TEST_F_TIMEOUT(image, every_changed_byte_is_refused, 60)
{
	for (size_t at = 0; at < self->len; at++) {
		for (unsigned int bit = 0; bit < 8; bit += 7) {
			struct kt_error error = {0};

			self->copy[at] ^= (uint8_t)(1u << bit);
			EXPECT_EQ(-EBADMSG, map_bytes(self->copy, self->len, &error))
			{
				TH_LOG("bit %u of byte %zu", bit, at);
			}
			EXPECT_EQ(EBADMSG, error.err);
			self->copy[at] ^= (uint8_t)(1u << bit);
		}
	}
	EXPECT_EQ(0, map_bytes(self->copy, self->len, NULL));
}

/* Else there is nothing that a forger could digest. */
static bool names_are_within(const struct kt_snapshot *image)
{
	const struct kt_image_entry *entries = kt_image_entries(image);

	for (uint32_t i = 0; i < image->anchors; i++)
		if (entries[i].names_offset > image->image_len ||
		    entries[i].names_len > image->image_len - entries[i].names_offset)
			return false;
	return true;
}

/* Also by someone who can make all checksums good again. */
TEST_F_TIMEOUT(image, every_changed_byte_of_the_index_is_refused_though_signed, 60)
{
	struct kt_snapshot *image = (struct kt_snapshot *)self->copy;

	for (size_t at = sizeof *image; at < image->der_offset; at++) {
		for (unsigned int bit = 0; bit < 8; bit += 7) {
			self->copy[at] ^= (uint8_t)(1u << bit);
			if (names_are_within(image))
				sign(self->copy);
			EXPECT_EQ(-EBADMSG, map_bytes(self->copy, self->len, NULL))
			{
				TH_LOG("bit %u of byte %zu", bit, at);
			}
			self->copy[at] ^= (uint8_t)(1u << bit);
		}
	}
	sign(self->copy);
	EXPECT_EQ(0, map_bytes(self->copy, self->len, NULL));
}

TEST_F_TIMEOUT(image, every_cut_is_refused, 60)
{
	for (size_t len = 0; len < self->len; len++) {
		EXPECT_EQ(-EBADMSG, map_bytes(self->copy, len, NULL))
		{
			TH_LOG("cut at %zu", len);
		}
	}
}

TEST_F(image, bytes_behind_it_are_refused)
{
	uint8_t *longer = calloc(1, self->len + 1);

	ASSERT_NE(NULL, longer);
	memcpy(longer, self->copy, self->len);
	EXPECT_EQ(-EBADMSG, map_bytes(longer, self->len + 1, NULL));
	((struct kt_snapshot *)longer)->image_len++;
	sign(longer);
	EXPECT_EQ(-EBADMSG, map_bytes(longer, self->len + 1, NULL));
	free(longer);
}

static void expect_refusal(uint8_t *copy, size_t len, const char *says)
{
	struct kt_error error = {0};

	EXPECT_EQ(-EBADMSG, map_bytes(copy, len, &error));
	EXPECT_NE(NULL, strstr(error.text, says))
	{
		TH_LOG("\"%s\" does not say \"%s\"", error.text, says);
	}
}

TEST_F(image, forged_headers_are_refused)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *says;
	} forgeries[] = {
		{0, 'k', "not a snapshot"},
		{offsetof(struct kt_snapshot, byte_order), 1, "byte order"},
		{offsetof(struct kt_snapshot, format), 1, "format"},
		{offsetof(struct kt_snapshot, image_len), 0, "length"},
		{offsetof(struct kt_snapshot, version), 0, "version is 0"},
		{offsetof(struct kt_snapshot, anchors), 0, "number of its anchors"},
		{offsetof(struct kt_snapshot, anchors) + 2, 0x11, "number of its anchors"},
		{offsetof(struct kt_snapshot, anchors), 4, "offset"},
		{offsetof(struct kt_snapshot, entries_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, by_name_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, crls_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, by_identity_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, by_key_id_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, names_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, crls), 1, "offset"},
		{offsetof(struct kt_snapshot, crls) + 2, 1, "number of its CRLs"},
		{offsetof(struct kt_snapshot, crl_policy), 2, "policy"},
		{offsetof(struct kt_snapshot, der_offset) + 3, 1, "does not fit"},
		{offsetof(struct kt_snapshot, reserved), 1, "reserved"},
		{offsetof(struct kt_snapshot, pool), '/', "name"},
		{offsetof(struct kt_snapshot, pool), 0, "padded"},
		{offsetof(struct kt_snapshot, source) - 1, 'x', "padded"},
		{offsetof(struct kt_snapshot, source) + KT_SOURCE_MAX, 'x', "padded"},
		{offsetof(struct kt_snapshot, checksum), 0xff, "checksum"},
		{offsetof(struct kt_snapshot, created_ns), 0xff, "checksum"},
	};
	uint8_t *good = malloc(self->len);

	ASSERT_NE(NULL, good);
	memcpy(good, self->copy, self->len);
	for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
		if (self->copy[forgeries[i].at] == forgeries[i].value)
			self->copy[forgeries[i].at] ^= 1;
		else
			self->copy[forgeries[i].at] = forgeries[i].value;
		expect_refusal(self->copy, self->len, forgeries[i].says);
		memcpy(self->copy, good, self->len);
	}
	free(good);
}

static struct kt_image_entry *entries_of(uint8_t *copy)
{
	return (struct kt_image_entry *)(copy + ((struct kt_snapshot *)copy)->entries_offset);
}

static uint32_t *numbers_at(uint8_t *copy, uint64_t offset)
{
	return (uint32_t *)(copy + offset);
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t was = *a;

	*a = *b;
	*b = was;
}

TEST_F(image, forged_digest_is_refused)
{
	struct kt_snapshot *image = (struct kt_snapshot *)self->copy;
	struct kt_digest digest;

	image->digest[0] ^= 1;
	ASSERT_EQ(0, kt_digest_init(&digest));
	ASSERT_EQ(0, kt_image_checksum(&digest, image, image->checksum));
	kt_digest_fini(&digest);
	expect_refusal(self->copy, self->len, "digest");
}

TEST_F(image, forged_entries_are_refused)
{
	struct kt_image_entry *entries = entries_of(self->copy), was = entries[1];

	entries[1].der_len = UINT32_MAX;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "place");
	entries[1] = was;
	entries[1].der_offset = UINT64_MAX;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "place");
	entries[1] = was;
	entries[1].subject_len++;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
	entries[1] = was;
	entries[1].identity[0] ^= 1;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
	entries[1] = was;
	entries[1].reserved = 1;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
	entries[1] = was;
	entries[1].distrust_after ^= 1;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
	entries[1] = was;
	entries[1].purposes = 0;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "constraints");
	entries[1] = was;
	entries[2].fingerprint[0] = 0;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "order");
}

/* The same anchor twice is out of order. */
TEST_F(image, doubled_anchor_is_refused)
{
	struct kt_image_entry *entries = entries_of(self->copy);
	struct kt_image_entry was = entries[1];

	ASSERT_EQ(entries[0].der_len, was.der_len);
	memcpy(self->copy + was.der_offset, self->copy + entries[0].der_offset, was.der_len);
	entries[1] = entries[0];
	entries[1].der_offset = was.der_offset;
	entries[1].names_offset = was.names_offset;
	entries[1].names_len = was.names_len;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "order");
}

TEST_F(image, forged_certificate_is_refused)
{
	struct kt_image_entry *entry = entries_of(self->copy);
	struct kt_der_view der = {self->copy + entry->der_offset, entry->der_len};
	struct kt_digest digest;
	uint8_t sum[KT_DIGEST_LEN];

	self->copy[entry->der_offset + 1] ^= 1;
	expect_refusal(self->copy, self->len, "certificate in it was changed");
	/* One that is none, with the right fingerprint for it. */
	ASSERT_EQ(0, kt_digest_init(&digest));
	do {
		self->copy[entry->der_offset + entry->der_len - 1]++;
		ASSERT_EQ(0, kt_digest_of(&digest, &der, 1, sum));
	} while (memcmp(sum, entry[1].fingerprint, sizeof sum) >= 0);
	memcpy(entry->fingerprint, sum, sizeof sum);
	kt_digest_fini(&digest);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "DER sequence");
}

TEST_F(image, forged_index_of_names_is_refused)
{
	uint32_t *order = numbers_at(self->copy, self->snapshot->by_name_offset);
	uint32_t was[3];

	memcpy(was, order, sizeof was);
	order[2] = 3;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "names points outside");
	memcpy(order, was, sizeof was);
	order[0] = order[1];
	sign(self->copy);
	expect_refusal(self->copy, self->len, "names is not in order");
	/* Each of the two swaps of neighbours: one is of equal names, one of different ones. */
	for (size_t i = 0; i < 2; i++) {
		memcpy(order, was, sizeof was);
		swap(&order[i], &order[i + 1]);
		sign(self->copy);
		expect_refusal(self->copy, self->len, "names is not in order");
	}
}

TEST_F(image, forged_index_of_identities_is_refused)
{
	uint32_t *order = numbers_at(self->copy, self->snapshot->by_identity_offset);
	uint32_t was[3];

	memcpy(was, order, sizeof was);
	order[0] = UINT32_MAX;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "identities points outside");
	memcpy(order, was, sizeof was);
	order[0] = order[1];
	sign(self->copy);
	expect_refusal(self->copy, self->len, "identities is not in order");
	memcpy(order, was, sizeof was);
	swap(&order[0], &order[1]);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "identities is not in order");
}

TEST_F(image, forged_index_of_key_ids_is_refused)
{
	uint32_t *order = numbers_at(self->copy, self->snapshot->by_key_id_offset);
	uint32_t was[3];

	memcpy(was, order, sizeof was);
	order[0] = UINT32_MAX;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "key identifiers points outside");
	memcpy(order, was, sizeof was);
	order[0] = order[1];
	sign(self->copy);
	expect_refusal(self->copy, self->len, "key identifiers is not in order");
	memcpy(order, was, sizeof was);
	swap(&order[0], &order[2]);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "key identifiers is not in order");
}

/* The first entry that has names. */
static struct kt_image_entry *limited_entry(uint8_t *copy)
{
	struct kt_image_entry *entry = entries_of(copy);

	while (!entry->names_len)
		entry++;
	return entry;
}

TEST_F(image, forged_names_are_refused)
{
	struct kt_image_entry *entry = limited_entry(self->copy), was = *entry;
	char *names = (char *)self->copy + entry->names_offset, first = names[0];

	entry->names_offset++;
	expect_refusal(self->copy, self->len, "names is not in its place");
	*entry = was;
	entry->names_len = UINT32_MAX;
	expect_refusal(self->copy, self->len, "names is not in its place");
	entry->names_len = was.names_len - 1;
	expect_refusal(self->copy, self->len, "names is not in its place");
	*entry = was;
	names[0] = 'A';
	sign(self->copy);
	expect_refusal(self->copy, self->len, "constraints of an anchor");
	names[0] = first;
	names[2] = 'f'; /* in its form, but not what the identity covers */
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
}

TEST_F(image, forged_crls_are_refused)
{
	struct kt_image_crl *crls =
		(struct kt_image_crl *)(self->copy + self->snapshot->crls_offset);
	struct kt_image_crl was = crls[0];

	ASSERT_EQ(2, self->snapshot->crls);
	crls[0].der_offset++;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "CRL is not in its place");
	crls[0] = was;
	crls[0].next_update--;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say what a CRL says");
	crls[0] = was;
	/* Still the lower one of the two, then the higher one. */
	memset(crls[0].fingerprint, 0, KT_DIGEST_LEN);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "CRL in it was changed");
	crls[0] = was;
	memset(crls[1].fingerprint, 0, KT_DIGEST_LEN);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "CRLs are not in order");
}

TEST_HARNESS_MAIN
