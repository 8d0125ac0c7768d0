/* SPDX-License-Identifier: BSD-2-Clause */
#include "offloaded.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/engine/worker.h"
#include "stand_in.h"

struct kernel kernel;

int __wrap_kt_ktls_probe(struct kt_ktls_support *ret_support);
bool __real_kt_ktls_supports(const struct kt_ktls_support *support, uint16_t version,
			     enum kt_cipher cipher);
bool __wrap_kt_ktls_supports(const struct kt_ktls_support *support, uint16_t version,
			     enum kt_cipher cipher);
int __wrap_kt_ktls_attach(int fd);
int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key);
void __real_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags);
void __wrap_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags);
void __real_explicit_bzero(void *at, size_t len);
void __wrap_explicit_bzero(void *at, size_t len);
void __wrap___explicit_bzero_chk(void *at, size_t len, size_t room);

int __wrap_kt_ktls_probe(struct kt_ktls_support *ret_support)
{
	stand_in_support(kernel.rekey, ret_support);
	return 0;
}

bool __wrap_kt_ktls_supports(const struct kt_ktls_support *support, uint16_t version,
			     enum kt_cipher cipher)
{
	kernel.offloads = true;
	return __real_kt_ktls_supports(support, version, cipher);
}

/* It stays open: another thread's it is. */
static void reset(int fd)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	ASSERT_EQ(0, connect(fd, &nobody, sizeof nobody));
}

/* Not once the peer's FIN is here (net/tls/tls_main.c: tls_init). */
int __wrap_kt_ktls_attach(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	if (kernel.attach_resets && kernel.offloads)
		reset(kernel.attach_resets);
	if (kernel.attach_err)
		return kernel.attach_err;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return -errno;
	return info.tcpi_state == TCP_ESTABLISHED ? 0 : -ENOTCONN;
}

int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key)
{
	(void)fd;
	(void)version;
	(void)cipher;
	if (kernel.installs < INSTALLS_MAX)
		kernel.installed[kernel.installs] = (struct installed){direction, *key};
	return ++kernel.installs == kernel.install_fails ? kernel.install_err : 0;
}

/* What was read stands for it. */
static int read_nothing(struct kt_conn *conn, int res)
{
	if (kernel.empty_reads) {
		kernel.empty_reads--;
		stand_in_label(conn, KT_RECORD_DATA);
		return -EAGAIN;
	}
	if (kernel.part_reads) {
		kernel.part_reads--;
		return -EAGAIN;
	}
	return res;
}

void __wrap_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags)
{
	const struct kt_worker *worker = conn->worker;

	if (conn->ktls && (conn->tls || conn->out))
		kernel.kept++;
	/* Whoever names one operation hears no number (io_uring_prep_cancel(3)). */
	if (op == KT_OP_CLIENT_CANCEL && res > 0)
		kernel.searches++;
	if (kernel.header_err && op == KT_OP_BACKEND_SEND && conn->state == KT_CONN_CONNECT) {
		res = kernel.header_err;
		kernel.header_err = 0;
	}
	if (conn->ktls && kernel.res && kernel.op == (int)op && conn->state == KT_CONN_RELAY) {
		res = kernel.res;
		kernel.res = 0;
		kernel.used++;
	} else if (conn->ktls && op == KT_OP_CLIENT_RECV && res > 0 && kernel.type) {
		stand_in_label(conn, (uint8_t)kernel.type);
		kernel.type = 0;
		if (kernel.empty)
			res = 0;
		kernel.empty = false;
	}
	if (conn->ktls && op == KT_OP_CLIENT_RECV && res > 0)
		res = read_nothing(conn, res);
	if (kernel.starved && conn->state == KT_CONN_REACH && op == KT_OP_CLIENT_RECV &&
	    res == -ECANCELED) {
		kernel.starved = false;
		res = -ENOBUFS;
	}
	if (op == KT_OP_CLIENT_SEND && kernel.delay && kt_conn_keys_sending(conn)) {
		kernel.delay = false;
		kernel.delayed_res = res;
		kernel.delayed = true;
		return;
	}
	__real_kt_conn_complete(conn, op, res, stand_in_flags(conn, res, flags));
	if (kernel.delayed) {
		kernel.delayed = false;
		__real_kt_conn_complete(conn, KT_OP_CLIENT_SEND, kernel.delayed_res, 0);
	}
	kernel.held = worker->blocks.taken;
}

/* Not all zeros before. */
static bool holds_something(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i])
			return true;
	return false;
}

void __wrap_explicit_bzero(void *at, size_t len)
{
	const struct kt_traffic_secrets *secrets = at;

	if (len == sizeof *secrets && holds_something(secrets->tx, sizeof secrets->tx) &&
	    holds_something(secrets->rx, sizeof secrets->rx))
		kernel.wiped++;
	__real_explicit_bzero(at, len);
}

void __wrap___explicit_bzero_chk(void *at, size_t len, size_t room)
{
	EXPECT_LE(len, room);
	__wrap_explicit_bzero(at, len);
}
/* ---- A connection to a backend --------------------------------------------------------------- */

void open_rig(struct setting *setting, const struct rig_options *options, uint16_t version)
{
	rig_init(&setting->rig, options);
	setting->backend = -1;
	setting->context = client_context(&(struct client_options){.version = version});
	peer_connect(&setting->peer, &setting->rig, setting->context);
}

void exchange(struct setting *setting)
{
	uint64_t out = rig_stats(&setting->rig).bytes_out;
	char byte;

	send_all(setting->peer.fd, "u", 1);
	recv_exactly(setting->backend, &byte, 1);
	send_all(setting->backend, "d", 1);
	recv_exactly(setting->peer.fd, &byte, 1);
	EXPECT_EQ('d', byte);
	/* and the engine knows of it */
	WAIT_UNTIL(rig_stats(&setting->rig).bytes_out >= out + 1);
}

void open_setting(struct setting *setting, const struct rig_options *options, uint16_t version)
{
	open_rig(setting, options, version);
	ASSERT_EQ(1, peer_handshake(&setting->peer));
	setting->backend = rig_accept(&setting->rig);
	exchange(setting);
}

void close_setting(struct setting *setting)
{
	peer_fini(&setting->peer);
	if (setting->backend >= 0)
		close(setting->backend);
	SSL_CTX_free(setting->context);
	rig_fini(&setting->rig);
}

ssize_t rest(struct setting *setting, uint8_t *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = recv(setting->peer.fd, buf + len, size - len, 0)) > 0)
		len += (size_t)n;
	return (ssize_t)len;
}

void expect_alert(struct setting *setting, uint8_t alert)
{
	uint8_t buf[16];
	ssize_t len = rest(setting, buf, sizeof buf);

	if (!alert) {
		EXPECT_EQ(0, len);
		return;
	}
	ASSERT_EQ(2, len);
	EXPECT_EQ(2, buf[0]);
	EXPECT_EQ(alert, buf[1]);
}

void client_says(struct setting *setting, uint8_t type, const void *content, size_t len)
{
	kernel.empty = !len;
	kernel.type = type;
	send_all(setting->peer.fd, len ? content : "", len ? len : 1);
	WAIT_UNTIL(!kernel.type);
}

void expect_end(struct setting *setting, const char *end)
{
	EXPECT_EQ(-ECONNRESET, recv_end(setting->backend));
	close(setting->peer.fd);
	setting->peer.fd = -1;
	rig_await_ends(&setting->rig, end, 1);
}

/* ---- A connection to an origin --------------------------------------------------------------- */

void open_outgoing(struct outgoing *outgoing, const struct kt_upstream_options *upstream)
{
	struct rig_options options = {.ktls = KT_KTLS_REQUIRE,
				      .origin = true,
				      .upstream = upstream,
				      .connect_timeout_ms = 200};
	const struct pki_cert *card;

	kernel.rekey = true;
	rig_init(&outgoing->rig, &options);
	card = pki_make(outgoing->rig.lab.pki, outgoing->rig.lab.ca,
			&(struct pki_options){
				.cn = "server.test", .dns = {"server.test"}, .eku = "serverAuth"});
	outgoing->context =
		server_context(&(struct client_options){.version = KT_TLS_1_3, .cert = card});
	ASSERT_EQ(1, SSL_CTX_set_num_tickets(outgoing->context, 0));
	outgoing->client = tcp_connect(&outgoing->rig.address);
}

void close_outgoing(struct outgoing *outgoing)
{
	close(outgoing->client);
	SSL_CTX_free(outgoing->context);
	rig_fini(&outgoing->rig);
}
