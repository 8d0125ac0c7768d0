/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection through an engine on its stage (engine_stage.h): the two that it stands between,
 * and what must be so whatever they do. The TLS side is plain OpenSSL until it has said Finished;
 * what it says from then on is sealed here (selftests/tls/keys.h), or, where the engine offloads,
 * put on the socket as it is. The plain side is a backend, or an origin's client.
 *
 * Application data is a pattern by position, so that it is known what each side may see.
 */
#ifndef KTRUST_FUZZ_ENGINE_PLAY_H
#define KTRUST_FUZZ_ENGINE_PLAY_H

#include "engine_stage.h"

enum play_cert { CERT_NONE, CERT_GOOD, CERT_STRANGER, CERT_EXPIRED, CERTS };
enum play_version { VERSION_1_3, VERSION_1_2, VERSION_ANY, VERSIONS };

#define EXTRAS_MAX 4

/* Seeds of the patterns */
#define PLAY_UP	  17
#define PLAY_DOWN 71

#define PLAY_READ_MAX (64u << 10) /* bytes */

struct play {
	struct stage *stage;
	enum play_cert cert;
	enum play_version version;
	bool small_buffers;

	/* ---- The TLS side ---- */
	int tls; /* -1: none (yet) */
	struct client client;
	bool has_client;
	bool is_broken;	     /* OpenSSL met an error */
	bool tls_ended;	     /* FIN or RST was read */
	uint64_t tls_heard;  /* bytes */
	uint64_t segment_at; /* of the bytes of an offloaded socket, those heard */
	struct wire said;    /* handshake, as it was meant */
	struct wire sent;    /* as it went */
	struct wire pending; /* `read` of it have been sent */
	size_t finished_at;  /* bytes of said up to Finished; 0: not yet */
	struct kt_traffic keys;
	struct client secrets; /* as they were then */

	/* ---- The plain side ---- */
	int plain;		   /* -1: none (yet) */
	bool plain_ended;	   /* FIN was read, or a reset was met */
	uint8_t header[16 + 1024]; /* PROXY */
	size_t header_len;

	/* ---- What was said and heard, bytes ---- */
	uint64_t up_said, up_heard, down_said, down_heard;
	uint64_t up_at_close; /* up_said at close_notify */
	bool up_closed, down_closed;
	bool down_over;	      /* the engine has said its last */
	unsigned int anchors; /* 1: ca, 2: other_ca: trusted at some time */
	bool answered;	      /* as a proxy; or the PROXY header was said */
	bool swapped;

	/* Something was done that may keep them from being heard. */
	bool is_disturbed;
	unsigned int oddities; /* KeyUpdates, data records that may be empty: not too many */

	int extras[EXTRAS_MAX];
	struct kt_engine_stats before;
	int lowest_free; /* descriptor */
};

void play_begin(struct play *play, struct stage *stage);
/*
 * Whoever still can says all that there is to say, and goodbye. Undisturbed: all of it arrives, and
 * is known to be all.
 */
void play_end_properly(struct play *play, bool undisturbed);
/* Everything ends; checks that it does, and that all was as it may be. */
void play_end(struct play *play);

/* Let the engine work, and see whom it connected to. */
void play_settle(struct play *play);

/* These bytes are the pattern's, from its offset `at` on. */
void play_expect_pattern(const uint8_t *data, size_t len, uint64_t at, uint8_t seed);

/* ---- engine_tls_side.c ----------------------------------------------------------------------- */

/* Hear what came, and let OpenSSL answer into pending. */
void play_turn(struct play *play);
/* At most len bytes of what is pending go out. False: nothing went. */
bool play_send(struct play *play, size_t len);
/* Turns until nothing moves. */
void play_pump(struct play *play);

/* Bytes into pending as they are. */
void play_add(struct play *play, const void *data, size_t len);
/* A record of the authenticated TLS side; of data there are `len` bytes of the pattern. */
void play_record(struct play *play, uint8_t type, const uint8_t *content, size_t len);

/* The proxy's words, good ones with how 0; or a PROXY header of that kind. */
void play_answer(struct play *play, uint8_t how);

/* ---- The others ------------------------------------------------------------------------------ */

void play_plain_read(struct play *play);
void play_plain_say(struct play *play, size_t len);
void play_plain_close(struct play *play);
void play_plain_reset(struct play *play);
void play_tls_reset(struct play *play);

/* The receiver of connections takes what there is, and closes it. */
void play_take_over(void);

/* The clients' pool trusts the other of two. */
void play_swap(struct play *play);

#endif
