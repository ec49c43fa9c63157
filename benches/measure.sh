#!/usr/bin/env bash
# Everything that a machine has to tell, in the order of its worth and beside PyTorch in turn: prints Markdown, and keeps it in
# FOLDER/measured.md line by line, beside drawings and profiles, so that what was measured before a cut is there.
#
#     benches/measure.sh [--minutes N] [FOLDER]
#
# --minutes N   takes no longer: each part has its share of what is left, is stopped when it overruns it, and what there was no time
#               for is named. Without it every part takes its time
#
# MCSAN   the command to measure; target/release/mcsan unless set
# DEVICE  as --device takes it, auto unless set; CUDA=1 puts PyTorch on the card
# CHIP    what the step is predicted on, as --predict takes it; by the adapter's name unless set
# PYTHON  a Python with PyTorch, and torchaudio for MFCC; without one its rows are missing
# BATCH, FRAMES, WORDS, HOURS   the step's sizes (256, 1000, 50) and the audio's length (1); STEPS timed after WARMUP (10, 3)
# MIXED=0                       leaves mixed precision out, which software adapters compute slowly
# BATCHES, LENGTHS              the values of the sweeps
set -uo pipefail
cd "$(dirname "$0")/.."
minutes=
if [ "${1:-}" = --minutes ]; then
    minutes=${2:-}
    case $minutes in
    "" | *[!0-9.]*) echo "measure.sh: --minutes '$minutes' is no number, for example 10" >&2 && exit 2 ;;
    esac
    shift 2
fi
out=${1:-measured}
mcsan=${MCSAN:-target/release/mcsan}
device=${DEVICE:-auto}
batch=${BATCH:-256} frames=${FRAMES:-1000} words=${WORDS:-50} hours=${HOURS:-1}
steps=(--steps "${STEPS:-10}" --warmup "${WARMUP:-3}")
shape=batch=$batch,frames=$frames,words=$words
ragged=$shape,ragged
mkdir -p "$out"

# Parts in the order of their worth, each with its share of the time where that is limited: what one does not need is left to those
# behind it. What compiles for the first time comes before what leaves shaders in the driver's cache.
parts="adapters:1 first_step:4 check:20 fixed:8 timed:10 pytorch_eager:5 pytorch_compiled:12 pytorch_mixed:12 robustness:8 mixed:6
       sweep:10 mfcc:6 utterance:4 padded:16 kernels:6"

title() { printf '\n### %s\n\n' "$1"; }

# Filters that end after what they read from, be it stopped.
lasting() { trap '' INT TERM HUP; }
# Indented, as Markdown shows what a program said.
quoted() {
    lasting
    while IFS= read -r line; do printf '    %s\n' "$line"; done
}
# Of cases that passed how many there were, of others what is said.
tallied() {
    lasting
    local passed=0
    while IFS= read -r line; do
        case $line in
        "ok "*) passed=$((passed + 1)) ;;
        *) printf '    %s\n' "$line" ;;
        esac
    done
    printf '    %s cases were well\n' "$passed"
}
# To the Markdown and to who waits for it.
keep() {
    lasting
    while IFS= read -r line; do printf '%s\n' "$line" | tee -a "$out/measured.md"; done
}

# Runs a command no longer than its part may, and says so where it fails.
limited() {
    local limit=0 code running
    if [ -n "$minutes" ]; then
        limit=$((part_end - SECONDS))
        [ "$limit" -gt 0 ] || { tell "$*" "was not begun, as its part's time was out" && return 1; }
    fi
    # No limit where it is 0.
    if command -v timeout >/dev/null; then
        timeout -k 5 "$limit" "$@" 2>"$out/errors.txt" &
    else
        perl -e 'alarm shift; exec @ARGV' "$limit" "$@" 2>"$out/errors.txt" &
    fi
    running=$!
    trap 'kill "$running"; exit 143' INT TERM HUP
    wait "$running"
    code=$?
    trap - INT TERM HUP
    case $code in
    0) ;;
    124 | 137 | 142) tell "$*" "was stopped after $limit s" ;;
    *) tell "$*" "ended with $code: $(grep -m 1 -E '^(error|mcsan): ' "$out/errors.txt" || tail -n 1 "$out/errors.txt")" ;;
    esac
    return "$code"
}
# Past the filters of whoever called.
tell() { printf '\n`%s` %s\n\n' "$1" "$2" >&3; }

profile() { limited $mcsan profile --device "$device" "$@"; }
torch() {
    [ -n "${PYTHON:-}" ] || return 0
    limited "$PYTHON" benches/pytorch_step.py --device "$([ -n "${CUDA:-}" ] && echo cuda || echo cpu)" \
        --batch "$batch" --frames "$frames" --words "$words" "$@" | quoted
}
step() { profile --shape "$1" "${steps[@]}" "${@:2}" | grep -E "takes|GPU|held" | quoted; }

# The chip that an adapter is, of those that there are figures of, by what was said of a profile on it.
chip_of() {
    case $1 in
    *H100*) echo h100 ;;
    *"7900 XTX"*) echo rx7900 ;;
    *"Apple M1 ("*) echo m1 ;;
    *A770*) echo arc ;;
    esac
}

adapters() {
    title "Adapters"
    limited $mcsan devices | quoted
}

first_step() {
    title "First step, which compiles; then with what the driver kept"
    for _ in 1 2; do
        profile --shape "$ragged" --steps 1 --warmup 0 | grep "the first took" | quoted
    done
}

check() {
    title "Every kernel against the reference"
    limited $mcsan check --device "$device" | tallied
}

fixed() {
    title "A training step of $ragged, tiles fixed; what was predicted beside it"
    local chip=${CHIP:-}
    profile --shape "$ragged" "${steps[@]}" --json >"$out/step.json" || return
    [ -n "$chip" ] || chip=$(chip_of "$(grep '^profiling' "$out/errors.txt")")
    limited $mcsan profile --from "$out/step.json" --roofline "$out/roofline.svg" | quoted
    if [ -n "$chip" ]; then
        echo
        profile --predict "$chip" --shape "$ragged" --compare "$out/step.json" | quoted
    else
        printf '\nNothing is predicted for this adapter; CHIP names one that is like it.\n'
    fi
}

timed() {
    title "The same, tiles timed"
    step "$ragged" --tiles timed
}

# The same step in PyTorch, in four parts sorted by length.
pytorch() {
    [ -n "${PYTHON:-}" ] || return 0
    title "The same in PyTorch, $1"
    torch --ragged --parts 4 "${@:2}"
}
pytorch_eager() { pytorch eager; }
pytorch_compiled() { pytorch compiled --compile; }
pytorch_mixed() {
    pytorch "mixed precision" --mixed
    torch --ragged --parts 4 --mixed --compile
}

robustness() {
    title "Without the driver's checks of addresses, with them, without"
    step "$ragged" --without robustness
    step "$ragged"
    step "$ragged" --without robustness
}

mixed() {
    [ "${MIXED:-1}" = 1 ] || return 0
    title "In mixed precision"
    step "$ragged" --set train.precision=mixed
}

sweep() {
    title "Growth with the batch and with the frames"
    profile --shape "$ragged" --sweep "batch=${BATCHES:-8,16,32,64,128,256,512,1024}" --plot "$out/batch.svg" --steps 3 --warmup 1 | quoted
    profile --shape "$shape" --sweep "frames=${LENGTHS:-100,200,400,600,800,1000}" --plot "$out/frames.svg" --steps 3 --warmup 1 | quoted
}

mfcc() {
    title "MFCC of $hours h of audio"
    profile --what prepare --seconds "$(awk "BEGIN {print 3600 * $hours}")" "${steps[@]}" | tail -n 6 | quoted
    torch --what mfcc --hours "$hours"
}

utterance() {
    title "One utterance of 450 frames and 15 words"
    profile --what inference --shape batch=1,frames=450,words=15 "${steps[@]}" | grep takes | quoted
    batch=1 frames=450 words=15 torch --what infer
}

padded() {
    title "A training step of $shape, padded; PyTorch in between"
    profile --shape "$shape" "${steps[@]}" --roofline "$out/roofline-padded.svg" | quoted
    torch
    step "$shape" --tiles timed
    torch
    [ "${MIXED:-1}" = 1 ] || return 0
    step "$shape" --set train.precision=mixed
    torch --mixed
    torch --mixed --compile
}

kernels() {
    title "The tuned kernels alone, at the step's shapes"
    # Rows that the convolutions leave of a ragged batch: a ninth of 45 % of its frames.
    local rows=$((batch * frames * 45 / 900)) sizes
    for sizes in "inputs=128,outputs=128" "inputs=128,outputs=512" "inputs=512,outputs=128" "inputs=128,outputs=1024"; do
        profile --kernel linear --shape "rows=$rows,$sizes" "${steps[@]}" | grep -E "^linear|roofs" | quoted
    done
}

# What has not ended is named.
name_left() {
    [ -z "$left" ] || printf '\nLeft, as %s: %s\n' "$1" "$(printf '%s\n' $left | cut -d: -f1 | paste -s -d ' ' -)" | keep
}
cut_off() {
    kill -- "-$job" && wait
    name_left "this was cut off"
    exit 143
}

trap cut_off INT TERM HUP
SECONDS=0
end=$(awk "BEGIN {print int(60 * ${minutes:-0} + 0.5)}")
: >"$out/measured.md"
printf '## %s · %s\n' "$(date +%F)" "$(uname -srm), $(getconf _NPROCESSORS_ONLN) cores" | keep
left=$parts
for part in $parts; do
    if [ -n "$minutes" ]; then
        [ "$SECONDS" -lt "$end" ] || break
        shares=$(printf '%s\n' $left | awk -F: '{sum += $2} END {print sum}')
        part_end=$((SECONDS + ((end - SECONDS) * ${part#*:} + shares - 1) / shares))
    fi
    # A job with a process group of its own, to be stopped with all that it runs.
    set -m
    "${part%:*}" 3>&1 | keep &
    set +m
    job=$(jobs -p)
    wait
    left=$(printf '%s\n' $left | tail -n +2)
done
name_left "the time was out"
