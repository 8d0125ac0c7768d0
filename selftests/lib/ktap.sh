# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# For shell tests: source this, call expect or refuse for each claim, end with ktap_end. The plan comes last,
# so a script that dies on the way has none and is failed by its reader.
#
# expect NAME COMMAND...   COMMAND succeeds
# refuse NAME COMMAND...   COMMAND fails, by itself and not by a signal
# ktap_skip NAME WHY       one claim that cannot be tried here
# ktap_skip_all WHY        the same for the whole script, before anything else; leaves

ktap_count=0
ktap_failed=0
echo "TAP version 13"

ktap_result() {
	ktap_count=$((ktap_count + 1))
	echo "$1 $ktap_count $2"
	[ "$1" = ok ] || ktap_failed=1
}

ktap_run() {
	ktap_status=0
	ktap_output=$("$@" 2>&1) || ktap_status=$?
}

ktap_complain() {
	printf '%s\n' "$ktap_output" | sed 's/^/#   /'
	ktap_result "not ok" "$1"
}

expect() {
	ktap_name=$1
	shift
	ktap_run "$@"
	[ $ktap_status -ne 0 ] || { ktap_result ok "$ktap_name"; return; }
	echo "# status $ktap_status from: $*"
	ktap_complain "$ktap_name"
}

refuse() {
	ktap_name=$1
	shift
	ktap_run "$@"
	if [ $ktap_status -gt 0 ] && [ $ktap_status -lt 126 ]; then
		ktap_result ok "$ktap_name"
		return
	fi
	echo "# status $ktap_status, not a refusal, from: $*"
	ktap_complain "$ktap_name"
}

ktap_skip() {
	ktap_result ok "$1 # SKIP $2"
}

ktap_skip_all() {
	echo "1..0 # SKIP $1"
	[ -z "${KSFT_EXIT_SKIP:-}" ] || exit 4
	exit 0
}

ktap_end() {
	echo "1..$ktap_count"
	[ $ktap_count -gt 0 ] || exit 1
	exit $ktap_failed
}
