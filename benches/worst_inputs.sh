#!/usr/bin/env bash
# Counts the instructions of one call of each input of worst_inputs.rs, where the
# clock can't be trusted, and fails where one takes more than so many times what a
# normal refusal takes:
#
#   benches/worst_inputs.sh               # the guard, as CI runs it
#   benches/worst_inputs.sh --optimised   # the figures of docs/evidence/bounds.md
#   benches/worst_inputs.sh [--optimised] 8k access   # some groups
#
# Needs valgrind (Debian's package of that name). The guard takes the profile dev,
# which the tests have built already, and two processors about a minute. Code that
# is not optimised takes many more instructions beside those of aws-lc, which always
# is, so that multiples are larger; what they guard against, work that grows with the
# square of an input, is larger by far.
#
# Counts are the same from run to run to within 1 %. Valgrind shows the program a
# processor without SHA extensions, so that hashing a long token, which is a part of
# every normal refusal, takes more of it than in production: see docs/evidence/bounds.md.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    echo 'this needs valgrind: apt-get install valgrind' >&2
    exit 2
fi
profile=dev
most=12
if [ "${1-}" = --optimised ]; then
    shift
    profile=bench
    most=6
fi
groups=("$@")
if [ ${#groups[@]} = 0 ]; then
    groups=(8k 64k crowd access keys file)
fi

build=(cargo bench --locked --all-features --bench worst_inputs --no-run --profile "$profile")
bench=$("${build[@]}" 2>&1 | tee /dev/stderr | sed -n 's/.*Executable .*(\(.*\))/\1/p')
if [ -z "$bench" ]; then
    exit 2
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The instructions of each input of a group, in the order of the list.
count() {
    valgrind --tool=callgrind --callgrind-out-file="$scratch/$1" --dump-line=no \
        --zero-before=worst_inputs::counted --dump-after=worst_inputs::counted \
        "$bench" --once --only="$1" >"$scratch/$1.log" 2>&1 ||
        { cat "$scratch/$1.log" >&2; return 1; }
    "$bench" --list --only="$1" | while read -r name normal; do
        number=$((${number:-0} + 1))
        echo "$name $normal $(sed -n 's/^totals: //p' "$scratch/$1.$number")"
    done >"$scratch/$1.counts"
}
export bench scratch
export -f count
printf '%s\n' "${groups[@]}" | xargs -P "$(nproc)" -I{} bash -euo pipefail -c 'count {}'

for group in "${groups[@]}"; do cat "$scratch/$group.counts"; done | awk -v most="$most" '
    BEGIN { printf "%-32s %12s %9s %10s\n", "name", "instructions", "to floor", "to normal" }
    NF != 3 { print "no count: " $0; failed = 1; next }
    { count[$1] = $3; ratio = $3 / count[$2] }
    $1 != "floor" || !floor++ {
        mark = ""
        group = $1; sub(/_.*/, "", group)
        if ($1 != "floor" && ratio > worst[group]) worst[group] = ratio
        if (ratio > most) { mark = " !"; failed = 1 }
        printf "%-32s %12d %9.2f %10.2f%s\n", $1, $3, $3 / count["floor"], ratio, mark
    }
    END {
        if (failed) { print "more than " most " times a normal refusal" > "/dev/stderr"; exit 1 }
        for (group in worst) {
            printf "proof: bounds, the worst of %s: %.1f normal ones\n", group, worst[group]
        }
    }'
