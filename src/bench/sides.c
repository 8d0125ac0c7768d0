/* SPDX-License-Identifier: BSD-2-Clause */
#include "sides.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "find.h"
#include "serve_stock.h"

#define ARGUMENTS_MAX 12
#define SETTINGS_MAX  2
#define LACKS_MAX     3

enum place { IN_US, BESIDE_US, IN_PATH, AMONG_PEERS };

/* A part that not every build of a program has: by what its log says, why it is left out. */
struct lack {
	const char *words, *note;
};

struct side {
	const char *program; /* its file's name */
	enum place place;
	const char *version; /* the flag that makes it tell */
	/* In the directory of peers, without ".in"; written under these names. */
	const char *settings[SETTINGS_MAX];
	const char *environment; /* "NAME=value", with places; NULL: nothing is added */
	const char *arguments[ARGUMENTS_MAX]; /* with places to fill in (fill.h) */
	const char *mark;		      /* of errors in its log (server.h) */
	const char *ready;		      /* in its log, when it is (server.h) */
	struct lack lacks[LACKS_MAX];
};

#define GET_STREAM " (tools/deps bench; the package libnginx-mod-stream, or nginx-mod-stream)"

/* haproxy and hitch have no setting of their own against the tickets of TLS 1.3: libssl has. */
static const struct side sides[KT_BENCH_SIDES] = {
	[KT_BENCH_OURS] = {.program = "ktrustd",
			   .place = BESIDE_US,
			   .version = "--version",
			   .arguments = {"--control=@DIR@/ours.sock", "--workers=1",
					 "--drain-timeout=1s", "--listen=127.0.0.1:@PORT@",
					 "--backend=127.0.0.1:@BACKEND@",
					 "--certificate=@DIR@/server.pem", "--key=@DIR@/server.key",
					 "@MTLS@--pool=clients=file:@DIR@/ca.pem",
					 "@MTLS@--client-pool=clients",
					 "@MTLS@--client-auth=require",
					 "@PLAIN@--client-auth=none"}},
	[KT_BENCH_STOCK] = {.place = IN_US},
	[KT_BENCH_FIRST_PEER] =
		{.program = "nginx",
		 .place = IN_PATH,
		 .version = "-v",
		 .settings = {"nginx.conf"},
		 .arguments = {"-e", "stderr", "-c", "@DIR@/nginx.conf"},
		 .mark = "[emerg]",
		 .lacks = {{"unknown directive \"stream\"", "it has no stream module" GET_STREAM},
			   {"ngx_stream_module.so", "it cannot load its stream module" GET_STREAM},
			   {"requires ngx_stream_ssl_module",
			    "its stream module has no TLS" GET_STREAM}}},
	{.program = "haproxy",
	 .place = IN_PATH,
	 .version = "-v",
	 .settings = {"haproxy.cfg", "openssl.cnf"},
	 .environment = "OPENSSL_CONF=@DIR@/openssl.cnf",
	 .arguments = {"-db", "-f", "@DIR@/haproxy.cfg"},
	 .mark = "[ALERT]",
	 .lacks = {{"unknown keyword 'tune.ssl.cachesize'",
		    "it is built without OpenSSL (install one that has it)"}}},
	{.program = "hitch",
	 .place = IN_PATH,
	 .version = "--version",
	 .settings = {"hitch.conf", "openssl.cnf"},
	 .environment = "OPENSSL_CONF=@DIR@/openssl.cnf",
	 .arguments = {"--config=@DIR@/hitch.conf"},
	 /* The parent accepts until its worker has a socket of its own. */
	 .ready = "Process 0 online"},
	{.program = "stunnel",
	 .place = IN_PATH,
	 .version = "-version",
	 .settings = {"stunnel.conf"},
	 .arguments = {"@DIR@/stunnel.conf"},
	 .mark = "[!]"},
	{.program = "go-relay",
	 .place = AMONG_PEERS,
	 .version = "-version",
	 .environment = "GOMAXPROCS=1",
	 .arguments = {"-listen=127.0.0.1:@PORT@", "-backend=127.0.0.1:@BACKEND@",
		       "-certificate=@DIR@/server.pem", "-key=@DIR@/server.key",
		       "@MTLS@-client-ca=@DIR@/ca.pem", "@TICKETS@-tickets"}},
};

static const char *const names[KT_BENCH_SIDES] = {"ours", "stock", "limit", KT_BENCH_PEER_NAMES};

/* ---- Finding --------------------------------------------------------------------------------- */

static bool find_peers(const struct kt_bench_options *options, char path[static PATH_MAX])
{
	if (!options->peers)
		return kt_bench_beside("peers", path);
	return snprintf(path, PATH_MAX, "%s", options->peers) < PATH_MAX;
}

/* False: it is not among the peers' files. */
static bool look_for(const struct kt_bench_found *found, const char *name, const char *ending,
		     int mode, char path[static PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s%s", found->peers, name, ending) < PATH_MAX &&
	       !access(path, mode);
}

static int not_there(struct kt_bench_found *found, const char *fmt, const char *name)
{
	snprintf(found->note, sizeof found->note, fmt, name);
	return -ENOENT;
}

static int find_ours(const struct kt_bench_options *options, struct kt_bench_found *found,
		     struct kt_error *error)
{
	const char *name = sides[KT_BENCH_OURS].program;

	if (options->ktrustd)
		snprintf(found->program, sizeof found->program, "%s", options->ktrustd);
	else if ((!kt_bench_beside(name, found->program) || access(found->program, X_OK)) &&
		 !kt_bench_find_program(name, found->program))
		return kt_error_set(error, ENOENT, name, 0,
				    "it is neither beside this program nor in $PATH (name its file "
				    "with --ktrustd FILE)");
	if (access(found->program, X_OK))
		return kt_error_set(error, errno, found->program, 0, "%s", strerror(errno));
	return 0;
}

static int find_peer(const struct side *side, struct kt_bench_found *found)
{
	char path[PATH_MAX];

	if (side->place == IN_PATH && !kt_bench_find_program(side->program, found->program))
		return not_there(found, "%s is not installed (tools/deps bench)", side->program);
	if (side->place == AMONG_PEERS && !look_for(found, side->program, "", X_OK, found->program))
		return not_there(found, "%s is not built (make peers, where Go is installed)",
				 side->program);
	for (size_t i = 0; i < SETTINGS_MAX && side->settings[i]; i++)
		if (!look_for(found, side->settings[i], ".in", R_OK, path))
			return not_there(found, "no %s.in (--peers DIR)", side->settings[i]);
	return 0;
}

int kt_bench_side_find(size_t number, const struct kt_bench_options *options,
		       struct kt_bench_found *ret_found, struct kt_error *error)
{
	const struct side *side = &sides[number];
	struct kt_bench_found found = {.named = options->peers != NULL};
	int ret = 0;

	if (side->place == BESIDE_US)
		ret = find_ours(options, &found, error);
	else if (side->place != IN_US)
		ret = find_peers(options, found.peers) ? find_peer(side, &found) : -ENOENT;
	if (ret == 0 && side->version)
		kt_bench_ask_version(found.program, side->version, found.note, sizeof found.note);
	*ret_found = found;
	return ret;
}

/* ---- Starting -------------------------------------------------------------------------------- */

/* One of its settings, filled in, under its name in the directory. */
static int write_settings(const char *side, const char *name, const struct kt_bench_found *found,
			  const struct kt_bench_scratch *scratch,
			  const struct kt_bench_values *values, struct kt_error *error)
{
	char path[PATH_MAX], *template = NULL, *text = NULL;
	size_t len;
	int ret;

	if (!look_for(found, name, ".in", R_OK, path))
		return kt_error_set(error, errno, path, 0, "%s", strerror(errno));
	ret = kt_bench_read_text(path, &template, &len, error);
	if (ret == 0)
		ret = kt_bench_fill(template, values, side, &text, error);
	if (ret == 0)
		ret = kt_bench_scratch_write(scratch, name, text, error);
	free(template);
	free(text);
	/* Those that several share are the same for all. */
	return ret == -EEXIST ? 0 : ret;
}

/* argv of the program; each but the first is to be freed, also after a failure. */
static int fill_arguments(const struct side *side, const struct kt_bench_found *found,
			  const struct kt_bench_values *values,
			  char *argv[static ARGUMENTS_MAX + 2], struct kt_error *error)
{
	size_t count = 1;
	int ret = 0;

	argv[0] = (char *)found->program;
	for (size_t i = 0; ret == 0 && i < ARGUMENTS_MAX && side->arguments[i]; i++) {
		ret = kt_bench_fill(side->arguments[i], values, side->program, &argv[count], error);
		if (ret)
			break;
		/* One whose condition does not hold. */
		if (!argv[count][0])
			free(argv[count]);
		else
			count++;
	}
	argv[count] = NULL;
	return ret;
}

static void free_arguments(char *argv[static ARGUMENTS_MAX + 2])
{
	for (size_t i = 1; argv[i]; i++)
		free(argv[i]);
}

static int run_program(const struct side *side, const struct kt_bench_found *found,
		       const struct kt_bench_values *values, int cpu,
		       struct kt_bench_server *server, struct kt_error *error)
{
	char *argv[ARGUMENTS_MAX + 2], *environment = NULL;
	struct kt_bench_command command = {.argv = argv, .cpu = cpu};
	int ret = fill_arguments(side, found, values, argv, error);

	if (ret == 0 && side->environment)
		ret = kt_bench_fill(side->environment, values, server->name, &environment, error);
	command.environment = environment;
	if (ret == 0)
		ret = kt_bench_server_start(server, &command, error);
	free_arguments(argv);
	free(environment);
	return ret;
}

static const char *find_lack(const struct side *side, const struct kt_bench_server *server)
{
	for (size_t i = 0; i < LACKS_MAX && side->lacks[i].words; i++)
		if (kt_bench_server_said(server, side->lacks[i].words))
			return side->lacks[i].note;
	return NULL;
}

/* err: what its start ended with, and error with it; returned, or -ENOTSUP as the header has it. */
static int leave_out(const struct side *side, const struct kt_bench_server *server, int err,
		     struct kt_bench_found *found, const struct kt_error *error)
{
	const char *lack;

	if ((side->place != IN_PATH && side->place != AMONG_PEERS) ||
	    (err != -ECHILD && err != -ETIMEDOUT))
		return err;
	lack = find_lack(side, server);
	if (!lack && found->named)
		return err;
	snprintf(found->note, sizeof found->note, "%s", lack ? lack : error->text);
	return -ENOTSUP;
}

int kt_bench_side_start(size_t number, struct kt_bench_found *found,
			const struct kt_bench_scratch *scratch,
			const struct kt_bench_values *values, int cpu,
			struct kt_bench_server *ret_server, struct kt_error *error)
{
	const struct side *side = &sides[number];
	struct kt_bench_server server = {.name = names[number],
					 .mark = side->mark,
					 .ready = side->ready,
					 .port = values->port};
	struct kt_bench_command stock = {
		.serve = kt_bench_serve_stock, .arg = (void *)values, .cpu = cpu};
	int ret = 0;

	snprintf(server.log, sizeof server.log, "%s/%s.log", scratch->path, server.name);
	for (size_t i = 0; ret == 0 && i < SETTINGS_MAX && side->settings[i]; i++)
		ret = write_settings(server.name, side->settings[i], found, scratch, values, error);
	if (ret == 0 && side->place == IN_US)
		ret = kt_bench_server_start(&server, &stock, error);
	else if (ret == 0)
		ret = run_program(side, found, values, cpu, &server, error);
	if (ret)
		return leave_out(side, &server, ret, found, error);
	*ret_server = server;
	return 0;
}
