# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# For the shell tests of ktrustd and ktrust, sourced from the top of the tree: daemons, clients, a backend, a PKI and
# files that are no pools, all in $dir, which goes with the test.
#
# shellcheck disable=SC2034,SC2317 # used by those who source it
. selftests/lib/ktap.sh

build=$(realpath "${KT_BUILD:-build}")
ktrustd=$build/ktrustd
ktrust=$build/ktrust
limit_s=$((20 * ${KT_TEST_TIMEOUT_SCALE:-1}))
dir=$(mktemp -d /tmp/ktrust-daemon-XXXXXX) || exit 1
chmod 755 "$dir"
pids=()
clean_up() { { kill -9 "${pids[@]}"; wait; } 2>/dev/null; rm -rf "$dir"; }
trap clean_up EXIT

# Nothing ever comes through this pipe: reading it with a limit is a pause between two looks at a condition.
exec {silence}<> <(:)

until_true() { # COMMAND...
	local end=$((SECONDS + limit_s))
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "# waited too long for: $*"; return 1; }
		read -rt 0.05 -u "$silence"
	done
	return 0 # not that of the last pause
}

# A program has a time limit; a function is one of ours and sets its own.
limited() {
	if [ "$(type -t "$1")" = function ]; then "$@"; else timeout "$limit_s" "$@"; fi
}

# says STATUS PATTERN COMMAND...: it ends with that status and its output matches (extended regular expression).
says() {
	local want=$1 pattern=$2 got status=0
	shift 2
	got=$(limited "$@" 2>&1) || status=$?
	printf '%s\n' "$got" | tee -a "$dir/said.log"
	[ "$status" -eq "$want" ] && grep -Eq -- "$pattern" <<<"$got"
}

# json EXPRESSION COMMAND...: it succeeds, its output is JSON, and the Perl expression is true of it ($_).
json() {
	local expression=$1 got
	shift
	got=$(limited "$@") || return 1
	printf '%s\n' "$got" | tee -a "$dir/said.log"
	perl -MJSON::PP -e '$_ = decode_json(join "", <STDIN>); exit !eval $ARGV[0]' "$expression" <<<"$got"
}

# start NAME FLAG...: a daemon; sets name, pid, log, sock, and port once it is ready. Waits until it is, or gone.
start() {
	name=$1
	log=$dir/$name.log
	sock=$dir/$name.sock
	shift
	"${as[@]}" "$ktrustd" --control "$sock" "$@" >"$log" 2>&1 &
	pid=$!
	pids+=("$pid")
	until_true settled
	port=$(sed -n 's/^ktrustd: listener main: .*:\([0-9]*\) -> .*/\1/p' "$log")
}
as=()

settled() { logged ': ready$' || gone; }
gone() { ! kill -0 "$pid" 2>/dev/null; }
logged() { grep -Eqs -- "$1" "$log"; }

# ended: waits for the daemon, sets status.
ended() {
	until_true gone || kill -9 "$pid"
	wait "$pid" 2>/dev/null
	status=$?
}

ended_well() { cat "$log"; [ "$status" -eq 0 ]; }

stop() { # SIGNAL
	kill "-$1" "$pid"
	ended
}

k() { "$ktrust" "$@" --control "$sock"; }
ktrust_says() { says "$1" "$2" "$ktrust" "${@:3}" --control "$sock"; }
ktrust_json() { json "$1" "$ktrust" "${@:2}" --control "$sock" --json; }

# refuses_to_start NAME PATTERN FLAG...: ends with status 2 and says why.
refuses_to_start() {
	says 2 "$2" "$ktrustd" --control "$dir/$1.sock" "${@:3}"
}

# What clients are told besides.
client_flags=()

# connect NAME [CERTIFICATE [SNI]]: a client that stays; what is written to descriptor $client goes through it.
connect() {
	mkfifo "$dir/$1.in"
	openssl s_client -quiet -no_ign_eof -connect "127.0.0.1:$port" -CAfile "$dir/a.pem" \
		-cert "$dir/${2:-client}.chain.pem" -key "$dir/${2:-client}.key" ${3:+-servername "$3"} \
		"${client_flags[@]}" <"$dir/$1.in" >"$dir/$1.out" 2>"$dir/$1.err" &
	client_pid=$!
	pids+=("$client_pid")
	exec {client}>"$dir/$1.in"
}

echoes() { # NAME TEXT: what is sent comes back
	echo "$2" >&"$client"
	until_true grep -q "$2" "$dir/$1.out"
}

disconnect() { exec {client}>&-; }

# try [CERTIFICATE [SNI]]: a client that connects and leaves; its status is openssl's.
try() {
	echo | timeout "$limit_s" openssl s_client -connect "127.0.0.1:$port" -CAfile "$dir/a.pem" \
		-cert "$dir/${1:-client}.chain.pem" -key "$dir/${1:-client}.key" -verify_return_error \
		${2:+-servername "$2"} "${client_flags[@]}"
}

counted() { # EXPRESSION: stats come to hold it
	until_true ktrust_json "$1" stats >/dev/null
}

# raw LINE...: each to the control socket, and the replies.
raw() {
	timeout "$limit_s" perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => shift) or exit 1;
		print $s "$_\n" for @ARGV; shutdown $s, 1; print while <$s>' "$sock" "$@"
}

has_ktls() {
	[ -n "${KT_TEST_GUEST:-}" ] || { modprobe -q tls 2>/dev/null; grep -qw tls /proc/sys/net/ipv4/tcp_available_ulp; }
}
# Linux 6.14 brought new keys for TLS 1.3 to the kernel.
can_rekey() { has_ktls && printf '6.14\n%s\n' "$(uname -r)" | sort -VC; }


# ---- What all need ---------------------------------------------------------------------------------------------------

pki() { # FILES ARGUMENT...
	"$build/tools/pki" "${@:2}" --out "$dir/$1" || exit 1
}
pki a ca --cn "CA A"
pki b ca --cn "CA B"
pki server leaf --ca "$dir/a" --cn server --dns localhost --eku server
pki client leaf --ca "$dir/a" --cn client --dns client.test --eku client
pki stranger leaf --ca "$dir/b" --cn stranger --dns stranger.test --eku client

cat "$dir/a.pem" "$dir/b.pem" >"$dir/ab.pem"
: >"$dir/empty.pem"
printf 'no certificate\nin here\n' >"$dir/text.pem"
head -c -40 "$dir/ab.pem" >"$dir/truncated.pem"
sed '3s/./!/5' "$dir/a.pem" >"$dir/malformed.pem"
cp "$dir/a.pem" "$dir/pool.pem"

# backend: starts one, sets backend_pid and backend_port.
backend() {
	rm -f "$dir/backend"
	"$build/selftests/daemon/echo" >"$dir/backend" &
	backend_pid=$!
	pids+=("$backend_pid")
	until_true test -s "$dir/backend"
	read -r backend_port <"$dir/backend"
}
backend
dead_port=$backend_port
kill "$backend_pid"
wait "$backend_pid" 2>/dev/null
backend

with_pool=(--pool "clients=file:$dir/pool.pem")
with_listener=(--listen 127.0.0.1:0 --backend "127.0.0.1:$backend_port" --certificate "$dir/server.chain.pem"
	--key "$dir/server.key" --client-pool clients)
with_all=("${with_pool[@]}" "${with_listener[@]}")

no_key_was_said() {
	local line
	[ "$(grep -vc -e ----- "$dir/server.key")" -gt 1 ] || return 1
	while read -r line; do
		! grep -rF -e "$line" --include='*.log' "$dir" || return 1
	done < <(grep -hv -e ----- "$dir"/*.key)
}
