/* SPDX-License-Identifier: BSD-2-Clause */
#include "identities.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

#define NAMES_TOLD 4

struct entry {
	const struct kt_config_listener *config;
	size_t count; /* of credentials */
	struct kt_credentials_slot *slot;
	pthread_mutex_t load_lock; /* one load at a time */
	pthread_mutex_t lock;	   /* what follows */
	uint64_t since_ns;
	struct kt_error last_error;
	/* One each, err 0: nothing to complain of. Replaced with both locks. */
	struct kt_error *staples;
};

struct kt_identities {
	size_t count;
	struct entry entries[];
};

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static char *format_day(int64_t seconds, char buf[static 24])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(buf, 24, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, 24, "?");
	return buf;
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* What one load comes to. */
struct loaded {
	struct kt_credentials **at;
	struct kt_error *staples;
	size_t count;
};

static void loaded_free(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->count; i++)
		kt_credentials_put(loaded->at[i]);
	free(loaded->at);
	free(loaded->staples);
}

static int load_one(const struct kt_config_credential *config, struct loaded *loaded,
		    struct kt_error *error)
{
	struct kt_credentials *credentials;
	int err = kt_credentials_load(config->certificate, config->key, &credentials, error);

	if (err)
		return err;
	if (config->ocsp)
		(void)!kt_credentials_staple(credentials, config->ocsp,
					     &loaded->staples[loaded->count]);
	loaded->at[loaded->count++] = credentials;
	return 0;
}

static int load_all(const struct entry *entry, struct loaded *ret_loaded, struct kt_error *error)
{
	struct loaded loaded = {.at = calloc(entry->count, sizeof *loaded.at),
				.staples = calloc(entry->count, sizeof *loaded.staples)};
	int err = 0;

	if (!loaded.at || !loaded.staples)
		err = kt_error_set(error, ENOMEM, entry->config->name, 0, "out of memory");
	for (size_t i = 0; i < entry->count && !err; i++)
		err = load_one(kt_config_credential_at(entry->config, i), &loaded, error);
	if (err)
		loaded_free(&loaded);
	else
		*ret_loaded = loaded;
	return err;
}

/* ---- Saying ---------------------------------------------------------------------------------- */

static void list_names(const struct kt_credentials *credentials, size_t count, char *buf,
		       size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < count && i < NAMES_TOLD && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : " for ",
					 kt_credentials_name(credentials, i));
	if (count > NAMES_TOLD && used < size)
		snprintf(buf + used, size - used, " and %zu more", count - NAMES_TOLD);
}

static void say_one(const struct entry *entry, const struct kt_credentials *credentials)
{
	struct kt_credentials_info info;
	char names[320], until[24];

	kt_credentials_describe(credentials, &info);
	list_names(credentials, info.names, names, sizeof names);
	kt_log(LOG_NOTICE, "listener %s: certificate \"%s\" (%s, until %s)%s", entry->config->name,
	       info.subject, info.key_type, format_day(info.not_after, until), names);
	if (info.reordered || info.left_out)
		kt_log(LOG_INFO,
		       "listener %s: \"%s\": %zu certificates are sent%s; %zu doubles or roots of "
		       "the "
		       "file are not",
		       entry->config->name, info.subject, info.sent,
		       info.reordered ? ", in order (which the file is not)" : "", info.left_out);
}

static void warn_of_one(const struct entry *entry, const struct kt_credentials *credentials,
			const struct kt_config_credential *config)
{
	int64_t now = (int64_t)time(NULL);
	struct kt_credentials_info info;
	char when[24];

	kt_credentials_describe(credentials, &info);
	if (info.exposed)
		kt_log(LOG_WARNING,
		       "listener %s: everybody on this machine may read the key in %s (chmod o= "
		       "that file; if others may have read it, get a new key)",
		       entry->config->name, config->key);
	if (info.not_after < now)
		kt_log(LOG_WARNING, "listener %s: certificate \"%s\" has EXPIRED at %s (renew it)",
		       entry->config->name, info.subject, format_day(info.not_after, when));
	else if (info.not_before > now)
		kt_log(LOG_WARNING, "listener %s: certificate \"%s\" is not valid before %s",
		       entry->config->name, info.subject, format_day(info.not_before, when));
	if (info.stapled && info.next_update <= now)
		kt_log(LOG_WARNING,
		       "listener %s: the OCSP response in %s is stale since %s, and is not sent "
		       "(fetch another)",
		       entry->config->name, config->ocsp, format_day(info.next_update, when));
}

static void say_all(const struct entry *entry, const struct kt_credentials_set *set)
{
	const struct kt_credentials *credentials;

	for (size_t i = 0; (credentials = kt_credentials_set_at(set, i)); i++) {
		say_one(entry, credentials);
		warn_of_one(entry, credentials, kt_config_credential_at(entry->config, i));
		if (!kt_credentials_set_reaches(set, i))
			kt_log(LOG_WARNING,
			       "listener %s: no client will get the certificate in %s: all its "
			       "names have one with that kind of key before it",
			       entry->config->name,
			       kt_config_credential_at(entry->config, i)->certificate);
	}
}

/* With load_lock. What was said of the load before is not said again. */
static void say_staples(const struct entry *entry, const struct loaded *loaded)
{
	char text[600];

	for (size_t i = 0; i < loaded->count; i++) {
		const struct kt_error *why = &loaded->staples[i];

		if (!why->err || (entry->staples && !strcmp(entry->staples[i].text, why->text)))
			continue;
		kt_log(LOG_WARNING, "listener %s: no OCSP response is sent: %s",
		       entry->config->name, kt_error_format(why, text, sizeof text));
	}
}

/* ---- Publishing ------------------------------------------------------------------------------ */

static bool is_same(const struct kt_credentials_set *set, const struct loaded *loaded)
{
	struct kt_credentials_info old, new;

	for (size_t i = 0; i < loaded->count; i++) {
		kt_credentials_describe(kt_credentials_set_at(set, i), &old);
		kt_credentials_describe(loaded->at[i], &new);
		if (memcmp(old.digest, new.digest, sizeof old.digest) != 0)
			return false;
	}
	return true;
}

static void keep_staples(struct entry *entry, struct loaded *loaded)
{
	pthread_mutex_lock(&entry->lock);
	free(entry->staples);
	entry->staples = loaded->staples;
	pthread_mutex_unlock(&entry->lock);
	loaded->staples = NULL;
}

static int publish(struct entry *entry, const struct loaded *loaded, struct kt_error *error)
{
	struct kt_credentials_set *set;
	int err = kt_credentials_set_new(loaded->at, loaded->count, &set, error);

	if (err)
		return err;
	if (entry->slot)
		kt_credentials_slot_publish(entry->slot, set);
	else if (kt_credentials_slot_new(set, &entry->slot))
		err = kt_error_set(error, ENOMEM, entry->config->name, 0, "out of memory");
	if (!err) {
		pthread_mutex_lock(&entry->lock);
		entry->since_ns = realtime_ns();
		pthread_mutex_unlock(&entry->lock);
		say_all(entry, set);
	}
	kt_credentials_set_put(set);
	return err;
}

static bool is_unchanged(struct entry *entry, const struct loaded *loaded)
{
	struct kt_credentials_set *set;
	bool same;

	if (!entry->slot)
		return false;
	set = kt_credentials_slot_current(entry->slot);
	same = is_same(set, loaded);
	kt_credentials_set_put(set);
	return same;
}

/* With load_lock. */
static int load_and_publish(struct entry *entry, struct kt_error *error)
{
	struct loaded loaded;
	int err = load_all(entry, &loaded, error);

	if (err)
		return err;
	if (!is_unchanged(entry, &loaded))
		err = publish(entry, &loaded, error);
	if (!err) {
		say_staples(entry, &loaded);
		keep_staples(entry, &loaded);
	}
	loaded_free(&loaded);
	return err;
}

int kt_identities_load(struct kt_identities *identities, size_t listener)
{
	struct entry *entry = &identities->entries[listener];
	struct kt_error why = {0};
	char text[600];
	bool was_refused;
	int err;

	if (!entry->count)
		return 0;
	pthread_mutex_lock(&entry->load_lock);
	was_refused = entry->last_error.err; /* written under this lock alone */
	err = load_and_publish(entry, &why);
	if (err)
		kt_log(LOG_ERR,
		       "listener %s: certificates and keys not loaded, those before stay: %s",
		       entry->config->name, kt_error_format(&why, text, sizeof text));
	else if (was_refused)
		kt_log(LOG_INFO, "listener %s: certificates and keys are loaded again",
		       entry->config->name);
	pthread_mutex_lock(&entry->lock);
	entry->last_error = why;
	pthread_mutex_unlock(&entry->lock);
	pthread_mutex_unlock(&entry->load_lock);
	return err;
}

/* ---- Making ---------------------------------------------------------------------------------- */

int kt_identities_new(const struct kt_config *config, struct kt_identities **ret_identities,
		      struct kt_error *error)
{
	struct kt_identities *identities =
		calloc(1, sizeof *identities + config->listener_count * sizeof(struct entry));
	int err = 0;

	if (!identities)
		return kt_error_set(error, ENOMEM, "listeners", 0, "out of memory");
	while (identities->count < config->listener_count && !err) {
		struct entry *entry = &identities->entries[identities->count];

		entry->config = &config->listeners[identities->count++];
		while (kt_config_credential_at(entry->config, entry->count))
			entry->count++;
		pthread_mutex_init(&entry->load_lock, NULL);
		pthread_mutex_init(&entry->lock, NULL);
		if (entry->count)
			err = load_and_publish(entry, error);
	}
	if (err)
		kt_identities_free(identities);
	else
		*ret_identities = identities;
	return err;
}

void kt_identities_free(struct kt_identities *identities)
{
	if (!identities)
		return;
	for (size_t i = 0; i < identities->count; i++) {
		struct entry *entry = &identities->entries[i];

		kt_credentials_slot_free(entry->slot);
		free(entry->staples);
		pthread_mutex_destroy(&entry->load_lock);
		pthread_mutex_destroy(&entry->lock);
	}
	free(identities);
}

/* ---- Looking --------------------------------------------------------------------------------- */

struct kt_credentials_slot *kt_identities_slot(struct kt_identities *identities, size_t listener)
{
	return identities->entries[listener].slot;
}

void kt_identities_state(struct kt_identities *identities, size_t listener,
			 struct kt_identities_state *ret_state)
{
	struct entry *entry = &identities->entries[listener];

	ret_state->set = entry->slot ? kt_credentials_slot_current(entry->slot) : NULL;
	pthread_mutex_lock(&entry->lock);
	ret_state->since_ns = entry->since_ns;
	ret_state->last_error = entry->last_error;
	pthread_mutex_unlock(&entry->lock);
}

void kt_identities_staple_error(struct kt_identities *identities, size_t listener, size_t index,
				struct kt_error *ret_error)
{
	struct entry *entry = &identities->entries[listener];

	pthread_mutex_lock(&entry->lock);
	*ret_error = entry->staples[index];
	pthread_mutex_unlock(&entry->lock);
}
