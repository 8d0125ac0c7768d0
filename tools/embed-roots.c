/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mozilla's certdata.txt as this tree keeps and compiles it.
 *
 *   embed-roots text VERSION DATE CERTDATA   prints what roots.txt is to say
 *   embed-roots code CERTDATA ROOTS_TXT      prints C that defines kt_embedded_roots; version and
 *                                            date are those that ROOTS_TXT says
 *
 * Status 2: usage or trouble, said on stderr. See src/roots/README.md.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ktrust/nss.h>
#include <ktrust/pool.h>
#include <ktrust/roots.h>

struct file {
	char *bytes;
	size_t len;
};

struct release {
	char version[32];
	char date[11]; /* YYYY-MM-DD */
	int64_t seconds;
};

struct list {
	struct kt_root *roots; /* der, subject and label are owned; subject is within der */
	size_t count;
	struct kt_error error;
	uint8_t digest[KT_DIGEST_LEN];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "embed-roots: %s: %s\n", what, why);
	exit(2);
}

static void *need(void *memory)
{
	if (!memory)
		die("memory", strerror(ENOMEM));
	return memory;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static struct file read_file(const char *path)
{
	FILE *in = fopen(path, "re");
	struct file file = {need(malloc(KT_NSS_TEXT_MAX + 2)), 0};

	if (!in)
		die(path, strerror(errno));
	file.len = fread(file.bytes, 1, KT_NSS_TEXT_MAX + 1, in);
	if (ferror(in))
		die(path, strerror(errno));
	fclose(in);
	file.bytes[file.len] = '\0';
	return file;
}

static int take(const struct kt_nss_root *root, void *arg)
{
	struct list *list = arg;
	struct kt_root *taken;
	uint8_t *der;

	if (root->trust == KT_NSS_UNKNOWN_CONSTRAINT)
		fprintf(stderr, "embed-roots: line %u: %s: not trusted: %s\n", root->line,
			root->label, root->reason);
	if (root->trust != KT_NSS_TRUSTED)
		return 0;
	list->roots = need(realloc(list->roots, (list->count + 1) * sizeof *list->roots));
	taken = &list->roots[list->count++];
	der = need(malloc(root->der_len));
	memcpy(der, root->der, root->der_len);
	*taken = (struct kt_root){
		.der = der,
		.der_len = root->der_len,
		.subject = (uint8_t *)memmem(der, root->der_len, root->subject, root->subject_len),
		.subject_len = root->subject_len,
		.label = need(strdup(root->label)),
		.constraints = root->constraints,
	};
	memcpy(taken->fingerprint, root->fingerprint, KT_DIGEST_LEN);
	return 0;
}

static void tell(const struct kt_error *error)
{
	char text[600];

	fprintf(stderr, "embed-roots: %s\n", kt_error_format(error, text, sizeof text));
	exit(2);
}

/*
 * What a snapshot of exactly these anchors has for a digest. Their constraints do not count as long
 * as a set does not hold any.
 */
static void roots_digest(const struct list *list, uint8_t ret_digest[KT_DIGEST_LEN])
{
	struct kt_anchor_set *set = need(kt_anchor_set_new());
	struct kt_snapshot *snapshot;
	struct kt_snapshot_info info;
	struct kt_error error;

	for (size_t i = 0; i < list->count; i++)
		if (kt_anchor_set_add_der(set, list->roots[i].der, list->roots[i].der_len,
					  "certdata", 0, &error))
			tell(&error);
	if (kt_snapshot_build(set, "embedded", "embedded", 1, &snapshot, &error))
		tell(&error);
	kt_snapshot_describe(snapshot, &info);
	memcpy(ret_digest, info.digest, KT_DIGEST_LEN);
	kt_snapshot_free(snapshot);
	kt_anchor_set_free(set);
}

static struct list read_certdata(const char *path)
{
	struct file file = read_file(path);
	struct list list = {0};

	if (kt_nss_parse(file.bytes, file.len, path, take, &list, NULL, &list.error))
		tell(&list.error);
	free(file.bytes);
	if (list.count == 0)
		die(path, "no root in it is trusted for servers");
	roots_digest(&list, list.digest);
	return list;
}

static void read_date(struct release *release)
{
	struct tm tm = {0};
	const char *end = strptime(release->date, "%Y-%m-%d", &tm);

	if (strlen(release->date) != 10 || !end || *end)
		die(release->date, "not a date (YYYY-MM-DD)");
	release->seconds = timegm(&tm);
}

static void read_release(const char *path, struct release *ret_release)
{
	struct file file = read_file(path);
	const char *line = strstr(file.bytes, "\nversion ");

	if (!line || sscanf(line, "\nversion %31[0-9.]\ndate %10[0-9-]\n", ret_release->version,
			    ret_release->date) != 2)
		die(path, "says no version and date (made by tools/update-roots?)");
	free(file.bytes);
	read_date(ret_release);
}

/* ---- Text ---------------------------------------------------------------------------------- */

static int by_label(const void *a, const void *b)
{
	const struct kt_root *x = a, *y = b;
	int order = strcmp(x->label, y->label);

	return order ? order : memcmp(x->fingerprint, y->fingerprint, KT_DIGEST_LEN);
}

static void print_hex(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
}

static void print_date(int64_t seconds, const char *format)
{
	time_t clock = (time_t)seconds;
	char text[32] = "?";
	struct tm tm;

	if (gmtime_r(&clock, &tm))
		strftime(text, sizeof text, format, &tm);
	fputs(text, stdout);
}

static void print_limits(const struct kt_constraints *constraints)
{
	const char *names = constraints->permitted_dns;
	bool dated = constraints->distrust_after != KT_DISTRUST_NEVER;

	if (dated) {
		fputs("issued-until=", stdout);
		print_date(constraints->distrust_after, "%Y-%m-%dT%H:%M:%SZ");
	}
	if (names) {
		fputs(dated ? ";names=" : "names=", stdout);
		for (; *names; names++)
			putchar(*names == ' ' ? ',' : *names);
	}
	if (!dated && !names)
		putchar('-');
}

static void print_root(const struct kt_root *root)
{
	const struct kt_anchor anchor = {.der = root->der,
					 .der_len = root->der_len,
					 .subject = root->subject,
					 .subject_len = root->subject_len};
	struct kt_anchor_text text;

	kt_anchor_describe(&anchor, &text);
	print_hex(root->fingerprint, KT_DIGEST_LEN);
	putchar(' ');
	print_date(text.not_after, "%Y-%m-%d");
	putchar(' ');
	print_limits(&root->constraints);
	printf(" %s\n", root->label);
}

static void print_text(struct list *list, const struct release *release)
{
	printf("# SPDX-License-Identifier: MPL-2.0\n"
	       "#\n"
	       "# Mozilla's roots that are trusted for servers, as programs carry them.\n"
	       "# Made from certdata.txt by tools/update-roots: change that, not this.\n"
	       "# A line a root: SHA-256, end of its validity, limits, label.\n"
	       "\n"
	       "version %s\ndate %s\ndigest ",
	       release->version, release->date);
	print_hex(list->digest, KT_DIGEST_LEN);
	printf("\nroots %zu\n\n", list->count);
	qsort(list->roots, list->count, sizeof list->roots[0], by_label);
	for (size_t i = 0; i < list->count; i++)
		print_root(&list->roots[i]);
}

/* ---- Code ---------------------------------------------------------------------------------- */

static int by_fingerprint(const void *a, const void *b)
{
	const struct kt_root *x = a, *y = b;

	return memcmp(x->fingerprint, y->fingerprint, KT_DIGEST_LEN);
}

static void print_bytes(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%u,%s", bytes[i], i % 24 == 23 ? "\n" : "");
}

/* Octal escapes have three digits and so end by themselves, other than hexadecimal ones. */
static void print_literal(const char *text)
{
	putchar('"');
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\' || *text == '?')
			printf("\\%03o", (unsigned char)*text);
		else
			putchar(*text);
	putchar('"');
}

static void print_constraints(const struct kt_constraints *constraints)
{
	printf("{KT_PURPOSE_SERVER, ");
	if (constraints->distrust_after == KT_DISTRUST_NEVER)
		printf("KT_DISTRUST_NEVER, ");
	else
		printf("%lld, ", (long long)constraints->distrust_after);
	if (constraints->permitted_dns)
		print_literal(constraints->permitted_dns);
	else
		printf("NULL");
	putchar('}');
}

static void print_code_of(const struct kt_root *root, size_t number)
{
	printf("\t{der_%zu, sizeof der_%zu, der_%zu + %td, %zu,\n{", number, number, number,
	       root->subject - root->der, root->subject_len);
	print_bytes(root->fingerprint, KT_DIGEST_LEN);
	printf("},\n");
	print_literal(root->label);
	printf(", ");
	print_constraints(&root->constraints);
	printf("},\n");
}

static void print_code(struct list *list, const struct release *release)
{
	printf("/* SPDX-License-Identifier: MPL-2.0 */\n"
	       "/* Made by tools/embed-roots from src/roots/certdata.txt. */\n"
	       "#include <ktrust/roots.h>\n\n");
	qsort(list->roots, list->count, sizeof list->roots[0], by_fingerprint);
	for (size_t i = 0; i < list->count; i++) {
		printf("static const uint8_t der_%zu[] = {\n", i);
		print_bytes(list->roots[i].der, list->roots[i].der_len);
		printf("};\n");
	}
	printf("\nstatic const struct kt_root roots[] = {\n");
	for (size_t i = 0; i < list->count; i++)
		print_code_of(&list->roots[i], i);
	printf("};\n\nconst struct kt_roots kt_embedded_roots = {\n");
	print_literal(release->version);
	printf(", %lld, roots, %zu,\n{", (long long)release->seconds, list->count);
	print_bytes(list->digest, KT_DIGEST_LEN);
	printf("}};\n");
}

/* ---- The whole ----------------------------------------------------------------------------- */

static void free_list(struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free((void *)(uintptr_t)list->roots[i].der);
		free((void *)(uintptr_t)list->roots[i].label);
	}
	free(list->roots);
}

static void take_release(const char *version, const char *date, struct release *ret_release)
{
	if (!version[0] || strlen(version) >= sizeof ret_release->version ||
	    strspn(version, "0123456789.") != strlen(version))
		die(version, "not a version (digits and dots)");
	snprintf(ret_release->version, sizeof ret_release->version, "%s", version);
	snprintf(ret_release->date, sizeof ret_release->date, "%s", date);
	read_date(ret_release);
}

int main(int argc, char **argv)
{
	struct release release = {0};
	struct list list;

	if (argc == 5 && !strcmp(argv[1], "text")) {
		take_release(argv[2], argv[3], &release);
		list = read_certdata(argv[4]);
		print_text(&list, &release);
	} else if (argc == 4 && !strcmp(argv[1], "code")) {
		read_release(argv[3], &release);
		list = read_certdata(argv[2]);
		print_code(&list, &release);
	} else {
		fprintf(stderr, "Usage: embed-roots text VERSION DATE CERTDATA\n"
				"       embed-roots code CERTDATA ROOTS_TXT\n");
		return 2;
	}
	free_list(&list);
	if (fflush(stdout) || ferror(stdout))
		die("standard output", "cannot be written");
	return 0;
}
