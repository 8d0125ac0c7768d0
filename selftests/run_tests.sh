#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run_tests.sh PROGRAM...: KTAP for a list of programs as the kernel's kselftest runner prints it: each program's own
# KTAP indented as comments, then its result; status 4 is a skip, `timeout=` in settings is a program's limit in
# seconds. Unlike that runner, this one fails when a program fails, and when its KTAP is not what its plan says.
set -u

cd "$(dirname "$0")" || exit 1
export KSFT_EXIT_SKIP=1
KT_BUILD=$(cd .. && realpath "${KT_BUILD:-build}") || exit 1
export KT_BUILD
limit_s=45
# shellcheck disable=SC1091
[ ! -f settings ] || limit_s=$(sed -n 's/^timeout=//p' settings)
failed=0 number=0
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT

# Status 0 must mean: a plan, as many results, none failed.
sound() {
	awk '/^1\.\.[0-9]+/ { plans++; plan = substr($1, 4) }
	     /^ok [0-9]/ { results++ }
	     /^not ok/ { bad++ }
	     END { exit !(plans == 1 && plan > 0 && results == plan && !bad) }' "$1"
}

say() { echo "$1 $number selftests: ktrust: $name$2"; }

run() {
	local rc=0
	timeout --kill-after=5 "$limit_s" "$program" </dev/null >"$output" 2>&1 || rc=$?
	sed 's/^/# /' "$output"
	case $rc in
	0)
		if sound "$output"; then say ok ""; return; fi
		say "not ok" " # its KTAP does not hold what its plan says" ;;
	4) say ok " # SKIP"; return ;;
	124) say "not ok" " # TIMEOUT $limit_s seconds" ;;
	*) say "not ok" " # exit=$rc" ;;
	esac
	failed=1
}

echo "TAP version 13"
echo "1..$#"
[ $# -gt 0 ] || failed=1
for program in "$@"; do
	name=$program
	number=$((number + 1))
	case $program in
	/*) ;;
	*.test) program=./$program ;;
	*) program=$KT_BUILD/selftests/$program ;;
	esac
	echo "# timeout set to $limit_s"
	echo "# selftests: ktrust: $name"
	run
done
exit $failed
