# SPDX-License-Identifier: BSD-2-Clause
#
# make              programs and libraries into build/
# make check        every test; see README.md. SAN=address or SAN=thread: the native ones, sanitized
# make check-kernels  the same, with the guest's part on each supported kernel, and clang's programs built
# make check-mutants  each safeguard listed in selftests/mutants has a test that fails without it
# make soak         ten minutes of swaps under load (SOAK_SECONDS=600)
# make tests        only builds the test programs (make -C selftests run_tests runs them)
# make peers        what `ktrust bench handshake` starts other servers with (GO=go)
# make examples     programs that use the library (tools/examples)
# make install      PREFIX=/usr/local DESTDIR= BINDIR= SBINDIR= LIBDIR= INCLUDEDIR= MANDIR= PKGCONFIGDIR= DATADIR=; make uninstall
# make demo         the whole way of a connection, with real clients
# Variables: V=1 (show commands), CC=clang, SAN=address|thread, WERROR=yes, EMBEDDED_ROOTS=no (programs carry no roots)

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
SAN ?=
WERROR ?=
EMBEDDED_ROOTS ?= yes

BUILD ?= build
O := $(BUILD)$(if $(SAN),/san-$(SAN))

comma := ,
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	$(if $(WERROR),-Werror)
SAN_FLAGS := $(if $(filter address,$(SAN)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined) \
	$(if $(filter thread,$(SAN)),-fsanitize=thread)

CFLAGS ?= -O2 -g
KT_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(SAN_FLAGS) -fPIC -fvisibility=hidden -pthread \
	-fno-omit-frame-pointer -Iinclude -D_GNU_SOURCE -D_FORTIFY_SOURCE=$(if $(SAN),0,2) \
	-DKT_EMBEDDED_ROOTS=$(if $(filter no,$(EMBEDDED_ROOTS)),0,1)
KT_LDFLAGS = $(LDFLAGS) $(SAN_FLAGS) -pthread -Wl,--as-needed

# ---- Sources, one list a room, sorted ---------------------------------------------------------

obj = $(patsubst %.c,$(O)/%.o,$(1))

SRC_error := src/error/error.c
SRC_pool := src/pool/base64.c src/pool/build.c src/pool/check.c src/pool/constraints.c \
	src/pool/content.c src/pool/der.c src/pool/describe.c src/pool/digest.c src/pool/gather.c \
	src/pool/image.c src/pool/memory.c src/pool/name.c src/pool/nss.c src/pool/nss_date.c \
	src/pool/nss_label.c src/pool/nss_names.c src/pool/nss_object.c src/pool/nss_text.c \
	src/pool/pem.c src/pool/pool.c src/pool/roots_age.c src/pool/run.c src/pool/scan.c src/pool/scan_crl.c src/pool/scan_time.c \
	src/pool/set.c \
	src/pool/slot.c src/pool/snapshot.c src/pool/source.c src/pool/source_certdata.c \
	src/pool/source_crl.c src/pool/source_dir.c src/pool/source_embedded.c \
	src/pool/source_file.c src/pool/source_system.c src/pool/transfer.c
# A pool's life
SRC_pool += src/pool/compare.c src/pool/file.c src/pool/guard.c src/pool/history.c src/pool/life.c \
	src/pool/manifest.c src/pool/renumber.c src/pool/signature.c src/pool/state.c src/pool/store.c \
	src/pool/store_state.c
# Names in certificates
SRC_verify_names := src/verify/allow.c src/verify/allowed.c src/verify/general_name.c src/verify/host.c \
	src/verify/mailbox.c src/verify/match.c src/verify/name_constraints.c src/verify/permitted_dns.c \
	src/verify/public_suffix.c src/verify/spiffe.c src/verify/subtree.c src/verify/uri.c \
	src/verify/web_names.c
# What was accepted before
SRC_verify_cache := src/verify/cache.c src/verify/signature_memo.c src/verify/siphash.c \
	src/verify/verdict_cache.c src/verify/ways.c
SRC_verify := $(SRC_verify_names) $(SRC_verify_cache) src/verify/algorithm.c src/verify/anchor_cache.c \
	src/verify/both.c src/verify/cert.c src/verify/crl_memory.c src/verify/crl_scope.c src/verify/crl_serials.c \
	src/verify/decision.c src/verify/decode.c src/verify/ecdsa.c src/verify/keys.c src/verify/library.c \
	src/verify/library_error.c src/verify/limits.c src/verify/path.c src/verify/policies.c \
	src/verify/revocation.c src/verify/rule.c src/verify/rules.c src/verify/signer.c \
	src/verify/subject.c src/verify/verdict.c src/verify/verify.c src/verify/web.c \
	src/verify/web_roots.c src/verify/x509.c src/verify/x509_der.c
SRC_ktls := src/ktls/crypto_info.c src/ktls/install.c src/ktls/probe.c src/ktls/record.c src/ktls/rekey.c \
	src/ktls/state.c src/ktls/ulp_info.c
# What its users read and write with
SRC_ktls += src/ktls/alert_name.c src/ktls/stream.c
SRC_handoff := src/handoff/accept.c src/handoff/read.c src/handoff/send.c src/handoff/utf8.c src/handoff/write.c
SRC_tls := src/tls/alert.c src/tls/ca_names.c src/tls/choose.c src/tls/context.c src/tls/decoded.c src/tls/describe.c \
	src/tls/describe_names.c src/tls/export.c \
	src/tls/failure.c src/tls/handshake.c src/tls/hello.c src/tls/peer.c src/tls/records.c src/tls/traffic.c src/tls/userspace.c
# What a side proves itself with
SRC_tls += src/tls/chain.c src/tls/credentials.c src/tls/credentials_set.c src/tls/credentials_slot.c \
	src/tls/describe_credentials.c src/tls/secret_file.c src/tls/serve.c src/tls/signing.c src/tls/staple.c
# For executables only; see the files.
SRC_tls_program := src/tls/asn1_x509.c src/tls/evp_digest.c src/tls/evp_kdf.c src/tls/evp_keymgmt.c src/tls/evp_pkey.c src/tls/fast_key.c src/tls/fast_keys.c \
	src/tls/shortcuts.c src/tls/tls13_kdf.c
SRC_engine_proxy := src/engine/proxy_v2_parse.c src/engine/proxy_v2_write.c
# What a client's side needs, that of `ktrust dial` too
SRC_engine_upstream := src/engine/address.c src/engine/tickets.c src/engine/upstream_proxy.c src/engine/upstream_url.c
SRC_engine := src/engine/alerts.c src/engine/backend.c src/engine/blocks.c src/engine/budget.c src/engine/close.c src/engine/conn.c \
	src/engine/conn_io.c src/engine/door.c src/engine/engine.c src/engine/event.c \
	src/engine/handoff.c src/engine/handshake.c src/engine/keys.c src/engine/listen.c src/engine/listener.c src/engine/names.c src/engine/network.c \
	src/engine/proxy.c $(SRC_engine_proxy) src/engine/relay.c src/engine/ring.c src/engine/slab.c src/engine/stats.c \
	$(SRC_engine_upstream) src/engine/target.c src/engine/watchdog.c src/engine/worker.c
SRC_trace := src/trace/ends.c src/trace/find.c src/trace/kernel.c src/trace/trace.c \
	src/trace/why.c
SRC_control := src/control/connection.c src/control/json.c src/control/listen.c \
	src/control/message.c
SRC_bench := src/bench/ask.c src/bench/backend.c src/bench/bulk.c src/bench/calls.c src/bench/chains.c src/bench/client.c src/bench/clock.c \
	src/bench/fill.c src/bench/find.c src/bench/handshake.c src/bench/idle.c src/bench/interrupt.c \
	src/bench/json.c src/bench/keys.c src/bench/kind.c src/bench/load.c src/bench/load_ours.c \
	src/bench/load_pace.c src/bench/load_stock.c src/bench/machine.c src/bench/material.c src/bench/parties.c \
	src/bench/pool.c src/bench/progress.c src/bench/readers.c src/bench/relay.c src/bench/roots.c \
	src/bench/run.c src/bench/scratch.c src/bench/serve_stock.c src/bench/server.c \
	src/bench/session.c src/bench/sides.c src/bench/stage.c src/bench/stats.c src/bench/svg.c \
	src/bench/swaps.c src/bench/table.c \
	src/bench/verify.c src/bench/verify_limit.c src/bench/verify_ours.c \
	src/bench/verify_rounds.c src/bench/verify_stock.c
SRC_config := src/daemon/config.c src/daemon/config_file.c src/daemon/config_value.c
SRC_daemon := $(SRC_config) src/daemon/files.c \
	src/daemon/gather.c src/daemon/identities.c src/daemon/listeners.c src/daemon/log.c src/daemon/main.c src/daemon/ops.c \
	src/daemon/ops_credentials.c src/daemon/ops_life.c src/daemon/ops_pool.c src/daemon/options.c src/daemon/pools.c \
	src/daemon/serve.c src/daemon/watch.c src/daemon/watcher.c
SRC_cli_trace := src/cli/escape.c src/cli/trace.c src/cli/trace_json.c src/cli/trace_summary.c \
	src/cli/trace_text.c src/cli/trace_words.c
SRC_cli := $(SRC_cli_trace) src/cli/ask.c src/cli/bench.c src/cli/conns.c src/cli/credentials.c src/cli/dial.c src/cli/dial_keys.c src/cli/dial_pump.c \
	src/cli/dial_race.c src/cli/dial_reach.c src/cli/dial_tell.c src/cli/dial_tls.c src/cli/dial_words.c src/cli/doctor.c \
	src/cli/main.c src/cli/pool.c src/cli/pool_diff.c src/cli/pool_life.c \
	src/cli/pool_manifest.c src/cli/pool_show.c src/cli/read.c src/cli/roots.c \
	src/cli/roots_print.c src/cli/stats.c src/cli/verify.c src/cli/verify_batch.c \
	src/cli/verify_case.c src/cli/verify_chain.c src/cli/verify_tell.c \
	src/cli/verify_trust.c src/cli/verify_words.c

LIB_ROOMS := error pool verify tls ktls handoff
LIB_SRC := $(foreach r,$(LIB_ROOMS),$(SRC_$(r)))
LIB_LIBS := -lssl -lcrypto -lpsl -lurcu-bp

# ---- Tests, one list a room, sorted: selftests/<room>/<name>.c is one program ------------------

TESTS_error := error/error
TESTS_pool := pool/bad_input pool/compare pool/crl pool/dir pool/faults pool/file pool/forged pool/image pool/lenient \
	pool/life pool/loaded pool/manifest pool/name pool/nss pool/nss_faults pool/nss_files pool/pem \
	pool/pool pool/scan pool/set pool/snapshot pool/source pool/source_faults pool/store pool/store_faults pool/system
TESTS_ktls := ktls/absent ktls/crypto_info ktls/injected ktls/interop ktls/kernel ktls/probe \
	ktls/record ktls/rekey ktls/state_injected ktls/stream ktls/ulp_info
TESTS_handoff := handoff/socket handoff/text
TESTS_tls := tls/between tls/between_keys tls/ca_names tls/choose tls/client tls/client_records tls/credentials tls/decoded tls/export tls/fast_keys tls/handshake tls/injected tls/memory tls/peer tls/records tls/resumption tls/several tls/shortcuts \
	tls/split tls/staple
TESTS_verify := verify/algorithm verify/allow verify/allowed verify/anchors verify/bytes verify/cache verify/cache_flood verify/cache_race verify/cases \
	verify/cert verify/general_name verify/host verify/keys verify/match \
	verify/memory verify/name_constraints verify/name_constraints_path verify/path verify/permitted_dns verify/public_suffix \
	verify/revocation verify/signature_memo verify/signer verify/siphash verify/tamper verify/threads \
	verify/verdict verify/verify verify/ways verify/web_names verify/web_roots
TESTS_trace := trace/ends trace/find trace/kernel trace/probes
TESTS_engine := engine/address engine/backend engine/blocks engine/budget engine/flood engine/handoff \
	engine/handshake engine/hostile engine/injected engine/injected_keys engine/limits engine/names \
	engine/origin engine/origin_proxied engine/proxy_in engine/proxy_out engine/proxy_v2 engine/rekey \
	engine/relay engine/relay_records engine/slab engine/soak engine/sockets engine/split engine/start \
	engine/threads engine/tickets engine/tight engine/upstream engine/watchdog
TESTS_control := control/control control/message
TESTS_config := daemon/config daemon/config_check daemon/config_refused
TESTS_daemon := $(TESTS_config) daemon/watch
TESTS_bench := bench/calls bench/chains bench/fill bench/load bench/report bench/roots bench/server bench/sides bench/stats
TESTS_cli := cli/dial_broken cli/dial_keys cli/dial_pump cli/dial_race cli/trace cli/trace_output

TEST_ROOMS := error pool verify tls ktls handoff engine trace control daemon bench cli
TESTS := $(foreach r,$(TEST_ROOMS),$(TESTS_$(r)))

# Shell tests below selftests/, run like the programs, natively and in the guest.
TESTS_sh := bench/handshake.test bench/relay.test cli/bench.test cli/dial.test cli/roots.test cli/verify.test daemon/allow.test daemon/budgets.test daemon/command.test daemon/credentials.test daemon/daemon.test \
	daemon/forbidden.test daemon/handoff.test daemon/interop.test daemon/life.test daemon/origin.test daemon/pools.test daemon/proxy.test daemon/rekey.test daemon/swaps.test daemon/watch.test tls/example.test \
	verify/limbo.test
# Of all these: what the guest cannot add to (tests of a kernel without kTLS, of what no kernel decides), or only there.
TESTS_native_only := $(TESTS_bench) bench/handshake.test cli/bench.test cli/roots.test cli/verify.test \
	daemon/allow.test daemon/budgets.test daemon/command.test daemon/credentials.test daemon/forbidden.test daemon/life.test daemon/pools.test daemon/proxy.test daemon/swaps.test \
	daemon/watch.test engine/watchdog ktls/absent pool/dir pool/loaded pool/nss_files verify/limbo.test \
	verify/web_roots
TESTS_guest_only :=
# What asks the kernel for nothing but memory, files and Unix sockets: in the guest of check-kernels only, so that
# check stays short.
TESTS_computing := $(TESTS_error) $(TESTS_pool) $(TESTS_verify) $(TESTS_tls) $(TESTS_control) cli/trace_output $(TESTS_daemon) \
	engine/address engine/names engine/proxy_v2 engine/slab engine/tickets engine/upstream handoff/text
# And what takes minutes there, and shows little that engine/origin does not.
TESTS_computing += cli/dial.test daemon/interop.test
# The guest needs root; without it, tools/check says so.
ROOT := $(filter 0,$(shell id -u))
# Shell tests of the house itself, which look at sources and tools: natively, without sanitizers.
TESTS_house := selftests/harness/harness.test selftests/house/failures.test selftests/house/guest-logs.test selftests/house/headers.test \
	selftests/house/includes.test selftests/house/install.test selftests/house/manual.test selftests/house/mutants.test \
	selftests/house/roots.test
# The guest's own, which starts eight of them; each check has started one, and run its tests in it.
check-kernels: TESTS_house += $(if $(ROOT),tools/guest.test)
# Those of a sanitized build.
TESTS_san := selftests/harness/sanitized.test
# Programs that shell tests run.
TEST_HELPERS := daemon/echo daemon/forbid daemon/greet daemon/hammer harness/broken trace/fire

# What test programs share; linked where used.
SRC_testlib := selftests/lib/der_writer.c selftests/lib/harness.c selftests/lib/harness_checks.c \
	selftests/lib/ktls_support.c selftests/lib/pki.c selftests/lib/pki_crl.c \
	selftests/lib/pki_extensions.c selftests/lib/pki_ocsp.c selftests/lib/pki_parts.c selftests/verify/words.c \
	selftests/verify/world.c

# What one test needs beside libktrust.a and the test library: objects of rooms outside the library
# (TEST_OBJ_<room>/<name> = $(call obj,src/...)) and libraries (TEST_LIBS_<room>/<name>).
TLS_LAB = $(call obj,selftests/tls/keys.c selftests/tls/lab.c)
$(foreach t,$(TESTS_tls),$(eval TEST_OBJ_$(t) = $$(TLS_LAB)))
TEST_OBJ_tls/between += $(call obj,$(SRC_tls_program))
TEST_OBJ_tls/between_keys += $(call obj,$(SRC_tls_program))
TEST_LIBS_tls/between_keys = $(call wrap,EVP_MD_CTX_copy_ex)
TEST_OBJ_tls/decoded += $(call obj,$(SRC_tls_program))
TEST_OBJ_tls/fast_keys += $(call obj,$(SRC_tls_program))
TEST_OBJ_tls/shortcuts += $(call obj,$(SRC_tls_program))
ENGINE_LAB = $(call obj,$(SRC_engine) selftests/engine/rig.c selftests/tls/keys.c selftests/tls/lab.c)
$(foreach t,$(TESTS_engine),$(eval TEST_OBJ_$(t) = $$(ENGINE_LAB)))
TEST_OBJ_engine/injected += $(call obj,selftests/engine/offloaded.c selftests/engine/stand_in.c)
TEST_OBJ_engine/injected_keys += $(call obj,selftests/engine/offloaded.c selftests/engine/stand_in.c)
TEST_OBJ_engine/watchdog += $(call obj,selftests/engine/offloaded.c selftests/engine/stand_in.c)
TEST_LIBS := -lssl -lcrypto -lpsl -lurcu-bp -luring -lbpf -ljansson -lm

# Calls that these tests answer themselves, to show what each answer leads to.
wrap = $(addprefix -Wl$(comma)--wrap=,$(1))
POOL_MAPS := kt_memory_reserve kt_memory_new kt_memory_map kt_memory_freeze kt_memory_unmap
POOL_INJECTED := malloc calloc realloc EVP_MD_CTX_new EVP_DigestInit_ex2 EVP_DigestUpdate EVP_DigestFinal_ex
TEST_LIBS_pool/faults := $(call wrap,$(POOL_INJECTED) free mmap mprotect madvise memfd_create fstat fcntl read pread pwrite \
	$(POOL_MAPS))
TEST_LIBS_pool/pool := $(call wrap,$(POOL_MAPS))
TEST_LIBS_pool/nss_faults := $(call wrap,$(POOL_INJECTED))
TEST_LIBS_pool/source_faults := $(call wrap,$(POOL_INJECTED) reallocarray strdup open openat fstat lstat fstatat read \
	fdopendir readdir)
TEST_LIBS_pool/store_faults := $(call wrap,write fsync renameat openat unlinkat)
TEST_LIBS_ktls/injected := $(call wrap,setsockopt connect poll sendmsg explicit_bzero __explicit_bzero_chk)
TEST_LIBS_ktls/rekey := $(call wrap,kt_ktls_install sendmsg explicit_bzero __explicit_bzero_chk)
TEST_LIBS_verify/memory := $(call wrap,malloc calloc)
TEST_LIBS_verify/revocation := $(call wrap,kt_crl_serials_new)
TEST_LIBS_verify/cache := $(call wrap,getrandom mmap)
TEST_LIBS_verify/cache_flood := $(TEST_LIBS_verify/cache)
TEST_LIBS_engine/injected := $(call wrap,kt_ktls_probe kt_ktls_supports kt_ktls_attach kt_ktls_install kt_conn_complete explicit_bzero __explicit_bzero_chk)
TEST_LIBS_engine/injected_keys := $(TEST_LIBS_engine/injected)
TEST_LIBS_engine/watchdog := $(TEST_LIBS_engine/injected) $(call wrap,io_uring_submit_and_wait io_uring_submit_and_wait_timeout \
	getsockopt setsockopt pthread_create)
TEST_LIBS_engine/blocks := $(call wrap,kt_blocks_grow)
TEST_LIBS_tls/injected := $(call wrap,SSL_CTX_set_verify SSL_CTX_set_cert_verify_callback)
TEST_LIBS_tls/fast_keys := $(call wrap,pthread_mutex_lock sched_setscheduler)
TEST_LIBS_handoff/socket := $(call wrap,kt_ktls_state)
TEST_LIBS_ktls/state_injected := $(call wrap,getsockopt socket send recv __recv_chk)
OBJ_trace_test = $(call obj,$(SRC_trace) selftests/trace/support.c)
TEST_OBJ_verify/cases = $(call obj,selftests/verify/case_file.c selftests/verify/case_openssl.c \
	selftests/verify/case_pki.c selftests/verify/case_words.c)
TEST_OBJ_trace/ends = $(call obj,$(SRC_trace))
TEST_OBJ_trace/find = $(OBJ_trace_test)
TEST_OBJ_trace/kernel = $(OBJ_trace_test)
TEST_OBJ_trace/probes = $(OBJ_trace_test)
TEST_OBJ_cli/dial_keys = $(call obj,src/cli/dial_keys.c)
DIAL_LAB = $(call obj,src/cli/dial_keys.c src/cli/dial_pump.c src/cli/dial_race.c src/cli/dial_reach.c src/cli/dial_tls.c \
	src/cli/dial_words.c $(SRC_engine_upstream))
TEST_OBJ_cli/dial_pump = $(TLS_LAB) $(DIAL_LAB)
TEST_OBJ_cli/dial_broken = $(DIAL_LAB)
TEST_OBJ_cli/dial_race = $(DIAL_LAB)
TEST_LIBS_cli/dial_broken := $(call wrap,recvmsg send kt_dial_keys_send)
TEST_LIBS_cli/dial_keys := $(call wrap,kt_ktls_install)
TEST_OBJ_cli/trace = $(OBJ_trace_test) $(call obj,$(SRC_cli_trace))
TEST_OBJ_cli/trace_output = $(call obj,$(SRC_trace) $(SRC_cli_trace))
TEST_OBJ_control/control = $(call obj,$(SRC_control))
TEST_OBJ_control/message = $(call obj,$(SRC_control))
TEST_OBJ_bench/calls = $(call obj,$(SRC_bench) $(SRC_control))
TEST_OBJ_bench/chains = $(call obj,$(SRC_bench) $(SRC_control))
TEST_OBJ_bench/fill = $(call obj,src/bench/fill.c)
TEST_OBJ_bench/load = $(call obj,$(SRC_bench) $(SRC_control))
TEST_OBJ_bench/server = $(call obj,$(SRC_bench) $(SRC_control))
TEST_OBJ_bench/sides = $(call obj,$(SRC_bench) $(SRC_control))
TEST_OBJ_bench/report = $(call obj,$(SRC_bench) $(SRC_control))
TEST_OBJ_bench/roots = $(call obj,src/bench/roots.c)
TEST_OBJ_bench/stats = $(call obj,src/bench/stats.c)
CONFIG_OBJ = $(call obj,$(SRC_config) src/daemon/options.c src/engine/names.c src/engine/network.c $(SRC_engine_upstream))
$(foreach t,$(TESTS_config),$(eval TEST_OBJ_$(t) = $$(CONFIG_OBJ)))
TEST_OBJ_daemon/watch = $(call obj,src/daemon/watch.c)
TEST_LIBS_daemon/watch := $(call wrap,read)

# ---- What is built ----------------------------------------------------------------------------

LIB_A := $(O)/libktrust.a
LIB_SO := $(O)/libktrust.so
# What is exported, and since when.
LIB_MAP := src/libktrust.map
VERSION := $(shell sed -n 's/^\#define KT_VERSION "\(.*\)"$$/\1/p' include/ktrust/version.h)
SONAME := libktrust.so.$(firstword $(subst ., ,$(VERSION)))
PROGRAMS := $(O)/ktrustd $(O)/ktrust
# Mozilla's roots, for programs only; see src/roots/README.md.
ROOTS_A := $(if $(filter no,$(EMBEDDED_ROOTS)),,$(O)/libktrust_roots.a)

.PHONY: all
all: $(LIB_A) $(LIB_SO) $(ROOTS_A) $(PROGRAMS)

$(O)/ktrustd: $(call obj,$(SRC_daemon) $(SRC_control) $(SRC_engine) $(SRC_tls_program)) $(ROOTS_A) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) -o $@ $^ $(LIB_LIBS) -luring -ljansson

$(O)/ktrust: $(call obj,$(SRC_cli) $(SRC_control) $(SRC_trace) $(SRC_bench) $(SRC_engine_upstream)) $(ROOTS_A) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) -o $@ $^ $(LIB_LIBS) -ljansson -lbpf -lm

$(LIB_A): $(call obj,$(LIB_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIB_SO): $(call obj,$(LIB_SRC)) $(LIB_MAP)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(LIB_MAP) -o $@ $(filter %.o,$^) $(LIB_LIBS)
	$(Q)ln -sf libktrust.so $(O)/$(SONAME)

$(O)/tools/embed-roots: $(O)/tools/embed-roots.o $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) -o $@ $^ $(LIB_LIBS)

$(O)/roots/roots.c: $(O)/tools/embed-roots src/roots/certdata.txt src/roots/roots.txt
	$(call say,ROOTS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(O)/tools/embed-roots code src/roots/certdata.txt src/roots/roots.txt >$@

$(O)/roots/roots.o: $(O)/roots/roots.c
	$(call say,CC,$@)
	$(Q)$(CC) $(KT_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/libktrust_roots.a: $(O)/roots/roots.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Rewritten when the compiler or its flags are others than last time.
$(O)/flags: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(CC) $(KT_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(KT_CFLAGS)' >$@

.PHONY: FORCE
FORCE:

$(O)/%.o: %.c Makefile $(O)/flags
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(KT_CFLAGS) -MMD -MP -c -o $@ $<

# Readers of a pool; see the file.
$(call obj,src/pool/slot.c): private KT_CFLAGS += -ftls-model=initial-exec

# ---- BPF --------------------------------------------------------------------------------------

# One object for all kernels (CO-RE), inside a header for src/trace. Its compiler is clang, whatever CC is.
# The headers of this machine's C library come last: <linux/types.h> wants <asm/types.h> from there.
BPF_ARCH := $(patsubst riscv64,riscv,$(patsubst ppc64le,powerpc,$(patsubst s390x,s390,$(patsubst \
	aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m))))))
BPF_CFLAGS = -O2 -g -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -Wall $(if $(WERROR),-Werror) -Iinclude \
	-idirafter /usr/include/$(shell gcc -print-multiarch 2>/dev/null || echo $$(uname -m)-linux-gnu)
BPF_SKEL := $(O)/bpf/ktrust.skel.h

$(O)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

$(call obj,$(SRC_trace)): private KT_CFLAGS += -I$(O)
$(call obj,$(SRC_trace)): | $(BPF_SKEL)

.SECONDARY: $(O)/bpf/ktrust.bpf.o

# ---- Installing -------------------------------------------------------------------------------

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
DATADIR ?= $(PREFIX)/share/ktrust
INSTALL ?= install
HEADERS := $(sort $(wildcard include/ktrust/*.h))
INSTALLED = $(SBINDIR)/ktrustd $(BINDIR)/ktrust $(addprefix $(LIBDIR)/,libktrust.so.$(VERSION) $(SONAME) libktrust.so \
	libktrust.a libktrust_roots.a) $(PKGCONFIGDIR)/ktrust.pc $(HEADERS:include/%=$(INCLUDEDIR)/%) \
	$(MANDIR)/man1/ktrust.1 $(MANDIR)/man8/ktrustd.8 $(DATADIR)/seccomp-io_uring.json
# A directory as the .pc file names it, so that who moves the tree has to change one line of it.
below_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))

.PHONY: install uninstall
install: all
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL) -d $(sort $(dir $(addprefix $(DESTDIR),$(INSTALLED))))
	$(Q)$(INSTALL) -m 755 $(O)/ktrustd $(DESTDIR)$(SBINDIR)/ktrustd
	$(Q)$(INSTALL) -m 755 $(O)/ktrust $(DESTDIR)$(BINDIR)/ktrust
	$(Q)$(INSTALL) -m 755 $(LIB_SO) $(DESTDIR)$(LIBDIR)/libktrust.so.$(VERSION)
	$(Q)ln -sf libktrust.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libktrust.so
	$(Q)$(INSTALL) -m 644 $(LIB_A) $(ROOTS_A) $(DESTDIR)$(LIBDIR)
	$(Q)$(INSTALL) -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/ktrust
	$(Q)$(INSTALL) -m 644 tools/man/ktrust.1 $(DESTDIR)$(MANDIR)/man1/ktrust.1
	$(Q)$(INSTALL) -m 644 tools/man/ktrustd.8 $(DESTDIR)$(MANDIR)/man8/ktrustd.8
	$(Q)$(INSTALL) -m 644 tools/seccomp-io_uring.json $(DESTDIR)$(DATADIR)/seccomp-io_uring.json
	$(Q)sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(call below_prefix,$(LIBDIR))|' \
		-e 's|@INCLUDEDIR@|$(call below_prefix,$(INCLUDEDIR))|' tools/ktrust.pc.in >$(DESTDIR)$(PKGCONFIGDIR)/ktrust.pc
	$(Q)chmod 644 $(DESTDIR)$(PKGCONFIGDIR)/ktrust.pc

uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	for dir in $(DESTDIR)$(INCLUDEDIR)/ktrust $(DESTDIR)$(DATADIR); do \
		[ ! -d $$dir ] || rmdir --ignore-fail-on-non-empty $$dir; \
	done

# ---- Examples ---------------------------------------------------------------------------------

# Programs of the library's users: its public headers and what it exports is all they have.
EXAMPLES := $(O)/examples/client $(O)/examples/epoll-server $(O)/examples/handoff-server
.PHONY: examples
examples: $(EXAMPLES)

$(O)/examples/client: $(call obj,tools/examples/client.c)
$(O)/examples/handoff-server: $(call obj,tools/examples/handoff-server.c)
$(O)/examples/epoll-server: $(call obj,tools/examples/epoll-server.c tools/examples/connection.c)

$(EXAMPLES): $(LIB_SO)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(KT_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB_SO) -Wl,-rpath,'$$ORIGIN/..'

# ---- Tests ------------------------------------------------------------------------------------

TESTLIB_A := $(O)/selftests/libtest.a
TEST_BIN := $(addprefix $(O)/selftests/,$(TESTS) $(TEST_HELPERS))

$(TESTLIB_A): $(call obj,$(SRC_testlib))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

.SECONDEXPANSION:
$(TEST_BIN): $(O)/selftests/%: $(O)/selftests/%.o $$(TEST_OBJ_$$*) $(TESTLIB_A) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) -o $@ $^ $(TEST_LIBS_$*) $(TEST_LIBS)

$(addprefix $(O)/selftests/,$(TESTS_trace) cli/trace): | $(O)/selftests/trace/fire
$(O)/selftests/pool/loaded: | $(LIB_SO)

.PHONY: tests
tests: $(TEST_BIN) $(EXAMPLES) $(O)/tools/embed-roots $(O)/tools/pki

# For selftests/Makefile
.PHONY: list-tests
list-tests:
	@echo $(TESTS) $(TESTS_sh)

# ---- Checks -----------------------------------------------------------------------------------

export KT_BUILD := $(O)
export KT_SAN := $(SAN)
export KT_TESTS_NATIVE = $(filter-out $(TESTS_guest_only),$(TESTS) $(TESTS_sh)) $(if $(SAN),$(TESTS_san),$(TESTS_house))
export KT_TESTS_GUEST = $(filter-out $(NOT_IN_GUEST),$(TESTS) $(TESTS_sh))
NOT_IN_GUEST = $(TESTS_native_only) $(TESTS_computing)
export KT_TESTS_BESIDE = $(filter $(KT_TESTS_NATIVE),$(TESTS_error) $(TESTS_pool) $(TESTS_verify) $(TESTS_tls) $(TESTS_control) \
	verify/limbo.test cli/verify.test cli/roots.test $(filter-out %/failures.test,$(filter selftests/house/%,$(TESTS_house))))
export CC CLANG

KERNELS := 6.12
check-kernels: KERNELS := 6.12 6.1 7.3
check-kernels: NOT_IN_GUEST = $(TESTS_native_only)
# Records in userspace are no other there; they have been looked at natively.
check: export KT_GUEST_WITHOUT := *userspace*

# Sanitized programs are slow, and what they say must fail a test.
SAN_ENV_address := ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
SAN_ENV_thread := TSAN_OPTIONS=suppressions=$(CURDIR)/selftests/tsan.supp:second_deadlock_stack=1
SAN_ENV := $(if $(SAN),KT_TEST_TIMEOUT_SCALE=4 $(SAN_ENV_$(SAN)))

JOBS := $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
SUBMAKE = $(MAKE) --no-print-directory $(JOBS) WERROR=yes

# What runs is what gcc made. clang gets to see what is made for users in check, where it reads only: what it complains
# about it does while it reads. check-kernels has all of its code, the tests' too, and links it.
.PHONY: check check-kernels check-build check-clang check-fuzz check-headers check-includes check-mutants check-deps
check: check-fuzz
check-kernels: check-clang
check check-kernels: check-build
	$(Q)$(SAN_ENV) tools/check $(if $(SAN),,$(KERNELS))

check-build: check-deps
	+$(Q)$(SUBMAKE) all tests $(if $(SAN),,clang-warnings)

check-clang: check-build
	$(if $(SAN),,+$(Q)$(SUBMAKE) CC=$(CLANG) BUILD=$(BUILD)/clang all tests)

# Each fuzzer over its seeds and on for a second: what broke their build, or a seed, is seen.
check-fuzz: check-build
	$(if $(SAN),,+$(Q)$(SUBMAKE) fuzz-smoke FUZZ_SMOKE_SECONDS=1 FUZZ_QUIET=-verbosity=0)

# Status 2: no apt here. Its list has been shown, and the packages may be there.
check-deps:
	$(Q)tools/deps build check $(if $(SAN),,$(if $(ROOT),guest)) || [ $$? -eq 2 ]

CLANG_READS := $(patsubst %.c,$(O)/clang-reads/%.ok,$(shell find src tools -name '*.c' | sort))
.PHONY: clang-warnings
clang-warnings: $(CLANG_READS)

$(O)/clang-reads/%.ok: %.c Makefile $(O)/flags
	$(call say,CLANG,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(KT_CFLAGS) -fsyntax-only -MMD -MP -MF $(@:.ok=.d) -MT $@ $<
	$(Q)touch $@

$(SRC_trace:%.c=$(O)/clang-reads/%.ok): private KT_CFLAGS += -I$(O)
$(SRC_trace:%.c=$(O)/clang-reads/%.ok): | $(BPF_SKEL)

# Long evidence, not for CI: clients at full speed while their pool is swapped, natively and with kernel TLS.
SOAK_SECONDS ?= 600
SOAK_GUEST_SECONDS ?= 180
.PHONY: soak
soak: check-build
	$(Q)KT_SWAPS_SECONDS=$(SOAK_SECONDS) selftests/daemon/swaps.test
	$(Q)tools/guest --timeout $$(($(SOAK_GUEST_SECONDS) * 4 + 300)) -- env KT_SWAPS_SECONDS=$(SOAK_GUEST_SECONDS) \
		selftests/daemon/swaps.test

.PHONY: demo
demo:
	$(Q)tools/deps build demo $(if $(ROOT),guest) || [ $$? -eq 2 ]
	+$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)tools/demo

check-headers: all
	$(Q)prove selftests/house/headers.test

check-includes:
	$(Q)tools/check-includes

check-mutants:
	$(Q)tools/mutants

# ---- Tools ------------------------------------------------------------------------------------

# The test PKI on the command line, for the demo and for shell tests.
$(O)/tools/pki: $(O)/tools/pki.o $(call obj,selftests/lib/pki.c selftests/lib/pki_crl.c selftests/lib/pki_extensions.c \
		selftests/lib/pki_ocsp.c selftests/lib/pki_parts.c)
	$(call say,LD,$@)
	$(Q)$(CC) $(KT_LDFLAGS) -o $@ $^ -lcrypto

# What `ktrust bench handshake` starts other servers with. Go's is built where Go is: it takes a while the first time.
GO ?= go
PEERS := haproxy.cfg.in hitch.conf.in nginx.conf.in openssl.cnf.in stunnel.conf.in
HAVE_GO = $(shell command -v $(GO) 2>/dev/null)
.PHONY: peers
peers: $(PEERS:%=$(O)/peers/%) $(if $(HAVE_GO),$(O)/peers/go-relay)
all: $(PEERS:%=$(O)/peers/%)

$(O)/peers/%.in: tools/peers/%.in
	$(call say,COPY,$@)
	$(Q)mkdir -p $(@D)
	$(Q)cp $< $@

# A client for daemon/interop.test. Made here, so that no compiler runs in the guest.
tests: $(if $(HAVE_GO),$(O)/selftests/daemon/go-client)

# Nothing of the network: the standard library is all it takes.
$(O)/peers/go-relay: tools/peers/relay.go
$(O)/selftests/daemon/go-client: selftests/daemon/clients/client.go
$(O)/peers/go-relay $(O)/selftests/daemon/go-client:
	$(call say,GO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)HOME=$${HOME:-$(abspath $(O))} GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0 $(GO) build -trimpath -o $@ $<

# ---- Fuzzing: make fuzz-smoke takes two minutes, make fuzz FUZZ_MINUTES=… for each --------------

FUZZERS := cert chain config crl der engine handoff image manifest name nss pem proxy tls upstream
FUZZ_MINUTES ?= 10
FUZZ_SMOKE_SECONDS := 10
FUZZ_FLAGS = -std=gnu11 -O1 -gline-tables-only $(WARN) -D_GNU_SOURCE -Iinclude -pthread -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_BIN := $(FUZZERS:%=$(BUILD)/fuzz/%)
fuzz_obj = $(patsubst %.c,$(BUILD)/fuzz/%.o,$(1))

$(BUILD)/fuzz/%.o: %.c Makefile
	$(call say,FUZZCC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

FUZZ_SRC_names = $(SRC_verify_names) src/verify/algorithm.c src/verify/cert.c
FUZZ_SRC_der_mutations := selftests/fuzz/mutate_der.c selftests/lib/der_writer.c
FUZZ_SRC_cert := $(SRC_verify) selftests/fuzz/foreign.c $(FUZZ_SRC_der_mutations)
FUZZ_SRC_chain := $(SRC_verify) selftests/fuzz/chain_cert.c selftests/fuzz/chain_program.c \
	selftests/fuzz/foreign.c selftests/lib/der_writer.c selftests/verify/words.c
FUZZ_SRC_config := $(SRC_config) src/engine/names.c src/engine/network.c \
	$(SRC_engine_upstream) $(FUZZ_SRC_names)
FUZZ_SRC_crl := $(SRC_verify) $(FUZZ_SRC_der_mutations)
FUZZ_SRC_engine := $(SRC_verify) $(SRC_tls) $(SRC_ktls) $(SRC_handoff) $(SRC_engine) $(SRC_testlib) \
	selftests/engine/rig.c selftests/engine/stand_in.c selftests/fuzz/engine_answers.c selftests/fuzz/engine_play.c selftests/fuzz/engine_stage.c \
	selftests/fuzz/engine_tls_side.c selftests/tls/keys.c selftests/tls/lab.c
FUZZ_LIBS_engine := -luring $(call wrap,kt_ring_wait kt_ktls_probe kt_ktls_attach kt_ktls_install kt_conn_complete \
	kt_door_accepted kt_blocks_grow clock_gettime malloc calloc realloc)
FUZZ_SRC_handoff := src/handoff/read.c src/handoff/utf8.c src/handoff/write.c
FUZZ_SRC_name := $(FUZZ_SRC_names) selftests/verify/words.c
FUZZ_SRC_proxy := $(SRC_engine_proxy)
FUZZ_SRC_upstream := $(SRC_engine_upstream)
FUZZ_SRC_tls := $(SRC_verify) $(SRC_tls) $(SRC_ktls) $(SRC_testlib) \
	selftests/tls/keys.c selftests/tls/lab.c

$(FUZZ_BIN): $(BUILD)/fuzz/%: $(BUILD)/fuzz/selftests/fuzz/%.o $(call fuzz_obj,$(SRC_error) $(SRC_pool)) \
		$$(call fuzz_obj,$$(FUZZ_SRC_$$*))
	$(call say,FUZZLD,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIB_LIBS) $(FUZZ_LIBS_$*)

# New inputs are kept under build/; the committed seeds are read only.
run_fuzzer = mkdir -p $(BUILD)/fuzz/corpus/$(1) && $(BUILD)/fuzz/$(1) -max_total_time=$(2) \
	-timeout=10 -rss_limit_mb=1024 $(or $(FUZZ_QUIET),-print_final_stats=1) \
	-artifact_prefix=$(BUILD)/fuzz/$(1)- $(BUILD)/fuzz/corpus/$(1) selftests/fuzz/corpus/$(1)

FUZZ_SMOKES := $(FUZZERS:%=fuzz-smoke-%)
.PHONY: fuzz fuzz-smoke $(FUZZ_SMOKES)
fuzz-smoke: $(FUZZ_SMOKES)

$(FUZZ_SMOKES): fuzz-smoke-%: $(BUILD)/fuzz/%
	$(call say,FUZZ,$*)
	$(Q)$(call run_fuzzer,$*,$(FUZZ_SMOKE_SECONDS))

fuzz: $(FUZZ_BIN)
	$(Q)$(foreach f,$(FUZZERS),$(call run_fuzzer,$(f),$$(($(FUZZ_MINUTES) * 60))) &&) true

.PHONY: clean
clean:
	rm -rf $(BUILD)

# What the compilers noted beside every object they made here, whatever list it came from.
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
