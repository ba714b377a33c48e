#!/usr/bin/env bash
# Counts the instructions that refusing an access token takes, for tokens that are
# right to various degrees, and fails where any two counts differ. For a person to
# run, not for CI. Needs valgrind (Debian's package of that name).
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    echo 'this needs valgrind: apt-get install valgrind' >&2
    exit 2
fi
build=(cargo bench --locked --all-features --bench wrong_token --no-run)
bench=$("${build[@]}" 2>&1 | tee /dev/stderr | sed -n 's/.*Executable .*(\(.*\))/\1/p')
if [ -z "$bench" ]; then
    exit 2
fi

counts=()
printf '%-14s %6s %14s\n' 'digits right' place 'instructions'
for place in 0 3 7; do
    for digits in 0 1 2 16 32 62 63; do
        count=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null \
            --toggle-collect='*measured*' "$bench" "$digits" "$place" 2>&1 |
            sed -n 's/.*Collected : //p')
        printf '%-14d %6d %14d\n' "$digits" "$place" "$count"
        counts+=("$count")
    done
done
if [ "$(printf '%s\n' "${counts[@]}" | sort -u | wc -l)" != 1 ]; then
    echo 'the counts differ' >&2
    exit 1
fi
