/* SPDX-License-Identifier: BSD-2-Clause */
/* Roots to load, and a file of them that both sides read. */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ktrust/roots.h>
#include <openssl/pem.h>

#include "scratch.h"

#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"

static int refuse(int err, const char *what, struct kt_error *error)
{
	return kt_error_set(error, err, what, 0, "%s", strerror(err));
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, bytes, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		bytes += put;
		len -= (size_t)put;
	}
	return 0;
}

static int write_file(struct kt_bench_material *material, struct kt_error *error)
{
	const struct kt_bench_roots *roots = &material->roots;
	int ret;

	material->fd = memfd_create("ktrust-bench-roots", MFD_CLOEXEC);
	if (material->fd < 0)
		return refuse(errno, "memfd_create", error);
	snprintf(material->path, sizeof material->path, "/proc/self/fd/%d", material->fd);
	ret = write_all(material->fd, roots->pem, roots->count * roots->pem_len);
	return ret ? refuse(-ret, material->path, error) : 0;
}

static struct kt_bench_material *new_material(void)
{
	struct kt_bench_material *material = calloc(1, sizeof *material);

	if (material)
		material->fd = -1;
	return material;
}

int kt_bench_material_make(size_t size, const struct kt_bench_options *options, void **ret_state,
			   struct kt_error *error)
{
	struct kt_bench_material *material = new_material();
	int ret;

	(void)options;
	if (!material)
		return refuse(ENOMEM, "roots", error);
	material->count = size;
	ret = kt_bench_roots_make(&material->roots, size, error);
	if (ret == 0)
		ret = write_file(material, error);
	if (ret) {
		kt_bench_material_free(material);
		return ret;
	}
	*ret_state = material;
	return 0;
}

/* As a memfd too, so that a disk cannot come into it. */
static int copy_file(struct kt_bench_material *material, const char *path, struct kt_error *error)
{
	char *text;
	size_t len;
	int ret = kt_bench_read_text(path, &text, &len, error);

	if (ret)
		return ret;
	material->roots = (struct kt_bench_roots){.pem = text, .pem_len = len, .count = 1};
	return write_file(material, error);
}

/* The same from roots that the program carries. */
static int write_pem(struct kt_bench_material *material, const struct kt_roots *roots,
		     struct kt_error *error)
{
	BIO *out = BIO_new(BIO_s_mem());
	bool done = out != NULL;
	char *text = NULL;
	long len = 0;

	for (size_t i = 0; done && i < roots->count; i++)
		done = PEM_write_bio(out, PEM_STRING_X509, "", roots->roots[i].der,
				     (long)roots->roots[i].der_len) > 0;
	if (done)
		len = BIO_get_mem_data(out, &text);
	text = done ? strndup(text, (size_t)len) : NULL;
	BIO_free(out);
	if (!text)
		return refuse(ENOMEM, "roots", error);
	material->roots = (struct kt_bench_roots){.pem = text, .pem_len = (size_t)len, .count = 1};
	return write_file(material, error);
}

int kt_bench_material_mozilla(size_t size, const struct kt_bench_options *options, void **ret_state,
			      struct kt_error *error)
{
	struct kt_bench_material *material = new_material();
	int ret;

	(void)size;
	if (!material)
		return refuse(ENOMEM, "roots", error);
	if (options->roots || !options->embedded)
		ret = copy_file(material, options->roots ? options->roots : SYSTEM_ROOTS, error);
	else
		ret = write_pem(material, options->embedded, error);
	if (ret) {
		kt_bench_material_free(material);
		return ret;
	}
	*ret_state = material;
	return 0;
}

void kt_bench_material_free(void *state)
{
	struct kt_bench_material *material = state;

	if (material->fd >= 0)
		close(material->fd);
	kt_bench_roots_fini(&material->roots);
	free(material);
}
