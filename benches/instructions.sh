#!/usr/bin/env bash
# Counts the instructions of one call of each contender of per_request.rs, where
# the clock can't be trusted, and fails where one takes more than 5 % more than
# instructions.txt says. For a person to run, not for CI:
#
#   benches/instructions.sh               # all, about three minutes
#   benches/instructions.sh NAME…         # these
#   benches/instructions.sh --write       # all, and renews instructions.txt
#
# Needs valgrind (Debian's package of that name). Only what is timed is counted:
# no key is generated and no token minted in it. Of a contender that checks a
# signature the floor is taken off, so that a twentieth of this crate's own work
# can't hide behind the check.
#
# Counts are the same from run to run to within 1 %, but only on one processor
# and with one compiler: valgrind shows the program a processor without AVX-512
# and ADX, so aws-lc takes another path than in production, and whatever a count
# says about time, it says of that one.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly known=benches/instructions.txt
readonly rounds=5
readonly calls=$((64 * rounds)) # CALLS in common/scene.rs
readonly tolerance=5            # per cent

if ! command -v valgrind >/dev/null; then
    echo 'this needs valgrind: apt-get install valgrind' >&2
    exit 2
fi
write=false
if [ "${1-}" = --write ]; then
    write=true
    shift
fi

build=(cargo bench --locked --all-features --bench per_request --no-run)
bench=$("${build[@]}" 2>&1 | tee /dev/stderr | sed -n 's/.*Executable .*(\(.*\))/\1/p')
if [ -z "$bench" ]; then
    exit 2
fi

# Instructions per call, rounded down.
count() {
    local collected
    collected=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        --toggle-collect='*measured*' "$bench" --only="$1" --rounds=$rounds 2>&1 |
        sed -n 's/.*Collected : //p')
    echo $((collected / calls))
}

names=("$@")
if [ ${#names[@]} = 0 ]; then
    mapfile -t names < <("$bench" --list | grep -vxE 'floor|jsonwebtoken_decode|no_layer')
fi

floor=$(count floor)
failed=false
lines=()
printf '%-22s %12s %12s %12s %8s\n' name instructions own known change
for name in "${names[@]}"; do
    all=$(count "$name")
    own=$((all > floor ? all - floor : all))
    before=$(sed -n "s/^$name //p" "$known" 2>/dev/null || true)
    change=
    if [ -n "$before" ]; then
        change=$(awk "BEGIN { printf \"%+.1f %%\", ($own / $before - 1) * 100 }")
        if ((own * 100 > before * (100 + tolerance))); then
            failed=true
            change+=' !'
        fi
    fi
    printf '%-22s %12d %12d %12s %8s\n' "$name" "$all" "$own" "${before:--}" "${change:--}"
    lines+=("$name $own")
done

if $write; then
    {
        echo '# Instructions per call beyond the floor. Renewed by instructions.sh --write.'
        printf '%s\n' "${lines[@]}"
    } >"$known"
elif $failed; then
    echo "more than $tolerance % above $known" >&2
    exit 1
fi
