# SPDX-License-Identifier: BSD-2-Clause
#
# The demo's clients. Each connection leaves one line in $work/clients/*.tally, written from what the client itself saw:
#
#   PHASE OUTCOME BYTES_TO_SERVER BYTES_FROM_SERVER
#
# OUTCOME is "accepted" when a whole response with the right digest came, the verdict that the alert stands for when
# the server refused, else "broken", which no other side counts: the comparison then fails.
# shellcheck shell=bash disable=SC2154 # the demo sets these

tally_file() {
	mkdir -p "$work/clients"
	mktemp "$work/clients/XXXXXX.tally"
}

# Which verdict an alert stands for, from a client's own words (OpenSSL's, GnuTLS's).
verdict_of() {
	case $(tr 'A-Z\n' 'a-z ' <"$1") in
	*"unknown ca"*) echo unknown_issuer ;;
	*"certificate expired"* | *"certificate was expired"* | *"certificate has expired"*) echo expired ;;
	*"certificate required"* | *"certificate is required"*) echo no_certificate ;;
	*) echo broken ;;
	esac
}

same() { [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]; }

# The certificate of "client-a" for curl; nothing for "none".
curl_identity() {
	[ "$1" = none ] || echo --cert "$work/pki/$1.chain.pem" --key "$work/pki/$1.key"
}

# hold_open PHASE CA COUNT: slow downloads side by side, so that all are open at once.
hold_open() {
	local dir tally i code sent header body file
	dir=$(mktemp -d "$work/hold-XXXXXX")
	tally=$(tally_file)
	# shellcheck disable=SC2046 # two options and their values
	curl -sS --http1.1 -Z --parallel-immediate --parallel-max 300 -H 'Connection: close' \
		--cacert "$work/pki/server-ca.pem" $(curl_identity "client-$2") \
		-w '%{exitcode} %{size_request} %{size_header} %{size_download} %{filename_effective}\n' \
		-o "$dir/#1" "https://localhost:$port/slow/file?[1-$3]" >"$dir/log" 2>"$dir/err" || :
	while read -r code sent header body file; do
		if [ "$code" = 0 ] && same "$file" "$work/www/slow/file"; then
			echo "$1 accepted $sent $((header + body))"
		else
			echo "$1 broken $sent $((header + body))"
		fi
	done <"$dir/log" >"$tally"
}

# accepted_under VERSION COUNT: has the trace seen so many handshakes accepted under this version?
accepted_under() {
	[ "$(grep -s '"event":"handshake"' "$work/trace.jsonl" | grep '"accepted":true' |
		grep -c "\"pool_version\":$1[,}]")" -ge "$2" ]
}

request() { printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1"; }

# body FILE: what follows the empty line of an HTTP response.
body() { sed '1,/^\r$/d' "$1"; }

# complain RESPONSE ERRORS: a client that neither got all nor was refused; what it said tells why.
complain() {
	echo "demo: $(basename "$(dirname "$1")"): $(wc -c <"$1") bytes of a response, then: $(tail -n 3 "$2" | tr '\n' ' ')" >&2
}

# note_response PHASE RESPONSE ERRORS
note_response() {
	local outcome=broken
	if body "$2" | cmp -s - "$work/www/large"; then outcome=accepted; fi
	if [ $outcome = broken ] && [ ! -s "$2" ]; then outcome=$(verdict_of "$3"); fi
	[ $outcome != broken ] || complain "$2" "$3"
	echo "$1 $outcome $(request /large | wc -c) $(wc -c <"$2")" >"$(tally_file)"
}

by_openssl() {
	local dir
	dir=$(mktemp -d "$work/openssl-XXXXXX")
	request /large | timeout 120 openssl s_client -quiet -connect "127.0.0.1:$port" -servername localhost \
		-CAfile "$work/pki/server-ca.pem" -verify_return_error -cert "$work/pki/$2.chain.pem" \
		-key "$work/pki/$2.key" >"$dir/out" 2>"$dir/err" || :
	note_response "$1" "$dir/out" "$dir/err"
}

# gnutls-cli whose input has ended gives up after two seconds without data, however much is still to come. Its input
# stays open until it has seen the server's close.
by_gnutls() {
	local dir
	dir=$(mktemp -d "$work/gnutls-XXXXXX")
	timeout 120 gnutls-cli --logfile="$dir/err" --x509cafile="$work/pki/server-ca.pem" \
		--x509certfile="$work/pki/$2.chain.pem" --x509keyfile="$work/pki/$2.key" -p "$port" localhost \
		< <(request /large && exec sleep 120) >"$dir/out" 2>>"$dir/err" || :
	kill $! 2>"$dir/kill" || :
	note_response "$1" "$dir/out" "$dir/err"
}

by_curl_upload() {
	local dir code sent upload header body outcome=broken
	dir=$(mktemp -d "$work/upload-XXXXXX")
	# shellcheck disable=SC2046
	curl -sS --http1.1 -H 'Connection: close' -H 'Expect:' --cacert "$work/pki/server-ca.pem" $(curl_identity "$2") \
		-w '%{exitcode} %{size_request} %{size_upload} %{size_header} %{size_download}\n' -o /dev/null \
		-T "$work/www/large" "https://localhost:$port/up/${dir##*/}" >"$dir/log" 2>"$dir/err" || :
	read -r code sent upload header body <"$dir/log"
	if [ "$code" = 0 ] && same "$work/www/large" "$work/www/up/${dir##*/}"; then outcome=accepted; fi
	echo "$1 $outcome $((sent + upload)) $((header + body))" >"$(tally_file)"
}

# must_refuse IDENTITY COUNT: each by curl; what it saw is the alert.
must_refuse() {
	local dir i code
	for i in $(seq "$2"); do
		dir=$(mktemp -d "$work/refused-XXXXXX")
		code=0
		# shellcheck disable=SC2046
		curl -sS --http1.1 --cacert "$work/pki/server-ca.pem" $(curl_identity "$1") -o "$dir/out" \
			"https://localhost:$port/large" 2>"$dir/err" || code=$?
		if [ $code = 0 ]; then
			echo "- accepted 0 0"
		else
			echo "- $(verdict_of "$dir/err") 0 0"
		fi >"$(tally_file)"
	done
}

by_plain_http() {
	local i
	for i in $(seq "$1"); do
		if curl -sS -o /dev/null "http://localhost:$port/large" 2>/dev/null; then
			echo "- accepted 0 0"
		else
			echo "- plain_http 0 0"
		fi >"$(tally_file)"
	done
}

by_garbage() {
	local i
	for i in $(seq "$1"); do
		{ exec 9<>"/dev/tcp/127.0.0.1/$port" && head -c 100 /dev/zero >&9 && timeout 60 cat <&9 >/dev/null; } 2>/dev/null || :
		exec 9>&-
		echo "- not_tls 0 0" >"$(tally_file)"
	done
}
