# SPDX-License-Identifier: BSD-2-Clause
#
# The demo's table: what clients, trace, daemon and kernel counted, each from its own source, and whether they agree.
# shellcheck shell=bash disable=SC2154 # the demo sets these

# "TlsTxSw TlsRxSw", zeros where the kernel has no TLS.
kernel_counts() {
	awk '$1 == "TlsTxSw" { tx = $2 } $1 == "TlsRxSw" { rx = $2 } END { print tx + 0, rx + 0 }' /proc/net/tls_stat 2>/dev/null ||
		echo 0 0
}

agree=yes

# row TITLE CLIENTS TRACE DAEMON KERNEL: "-" where that side cannot know.
row() {
	local verdict=agree first= value
	for value in "${@:2}"; do
		[ "$value" != - ] || continue
		: "${first:=$value}"
		[ "$value" = "$first" ] || verdict=DIFFERS
	done
	[ $verdict = agree ] || agree=no
	printf '  %-34s %12s %12s %12s %12s  %s\n' "$1" "$2" "$3" "$4" "$5" "$verdict"
}

from_clients() { cat "$work"/clients/*.tally | awk "$1"; }
from_trace() { jq -s "$1" "$work/trace.jsonl"; }
from_daemon() { jq "$1" "$work/stats.json"; }

tally() {
	local outcome version
	local -a before after
	read -ra before <<<"$kernel_before"
	read -ra after <<<"$kernel_after"
	local tx=$((after[0] - before[0])) rx=$((after[1] - before[1]))

	printf '  %-34s %12s %12s %12s %12s\n' '' clients trace daemon kernel
	row "TCP connections" "$(from_clients 'END { print NR }')" \
		"$(from_trace '[.[] | select(.event == "handshake")] | length')" "$(from_daemon .accepted)" -
	for outcome in $({
		jq -r '.outcomes | keys[]' "$work/stats.json"
		jq -r 'select(.event == "handshake") | .outcome' "$work/trace.jsonl"
		from_clients '{ print $2 }'
	} | sort -u); do
		row "handshakes: $outcome" "$(from_clients "\$2 == \"$outcome\" { n++ } END { print n + 0 }")" \
			"$(from_trace "[.[] | select(.event == \"handshake\" and .outcome == \"$outcome\")] | length")" \
			"$(from_daemon ".outcomes[\"$outcome\"] // 0")" -
	done
	for version in 1 2 3; do
		row "accepted under clients@$version" \
			"$(from_clients "\$1 == $version && \$2 == \"accepted\" { n++ } END { print n + 0 }")" \
			"$(from_trace "[.[] | select(.event == \"handshake\" and .accepted and .pool_version == $version)] | length")" \
			"$(from_daemon "[.versions[] | select(.version == $version) | .handshakes] | add // 0")" -
	done
	row "records in the kernel: sending" - "$(from_trace '[.[] | select(.event == "handshake" and .ktls_tx)] | length')" \
		"$(from_daemon .ktls_tx)" "$(kernel_column "$tx")"
	row "records in the kernel: receiving" - "$(from_trace '[.[] | select(.event == "handshake" and .ktls_rx)] | length')" \
		"$(from_daemon .ktls_rx)" "$(kernel_column "$rx")"
	row "bytes to clients" "$(from_clients '{ n += $4 } END { print n + 0 }')" \
		"$(from_trace '[.[] | select(.event == "end") | .bytes_out] | add // 0')" "$(from_daemon .bytes_out)" -
	row "bytes from clients" "$(from_clients '$2 == "accepted" { n += $3 } END { print n + 0 }')" \
		"$(from_trace '[.[] | select(.event == "end") | .bytes_in] | add // 0')" "$(from_daemon .bytes_in)" -
	row "pool publications" - "$(from_trace '[.[] | select(.event == "publish")] | length')" 2 -
	row "ends of connections" - "$(from_trace '[.[] | select(.event == "end")] | length')" "$(from_daemon .ended)" -
	row "events lost by the trace" - "$(from_trace '[.[] | select(.event == "summary") | .lost] | add // 0')" 0 -
	conclude
}

kernel_column() {
	[ -e /proc/net/tls_stat ] && echo "$1" || echo -
}

conclude() {
	local accepted share
	accepted=$(from_daemon .handshakes_ok)
	share=$(from_daemon "if .handshakes_ok > 0 then (.ktls_tx + .ktls_rx) * 50 / .handshakes_ok else 0 end")
	echo
	echo "  $accepted handshakes accepted, $share % of their record directions in the kernel."
	if [ $agree = yes ]; then
		echo "  All sides agree, and every byte arrived (compared by SHA-256)."
	else
		echo "  THE SIDES DISAGREE."
		return 1
	fi
}
