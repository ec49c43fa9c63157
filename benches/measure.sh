#!/usr/bin/env bash
# Everything that RESULTS.md keeps of a machine, in one go and beside PyTorch in turn: prints Markdown, leaves drawings.
#
#     benches/measure.sh [FOLDER]
#
# MCSAN   the command to measure; target/release/mcsan unless set
# DEVICE  as --device takes it, auto unless set; CUDA=1 puts PyTorch on the card
# PYTHON  a Python with PyTorch; without one its rows are missing
# BATCH, FRAMES, WORDS, HOURS   the step's sizes (256, 1000, 50) and the audio's length (1); STEPS timed after WARMUP (10, 3)
# MIXED=0                       leaves mixed precision out, which software adapters compute slowly
# BATCHES, LENGTHS              the values of the sweeps
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-measured}
mcsan=${MCSAN:-target/release/mcsan}
device=${DEVICE:-auto}
batch=${BATCH:-256} frames=${FRAMES:-1000} words=${WORDS:-50} hours=${HOURS:-1}
steps=(--steps "${STEPS:-10}" --warmup "${WARMUP:-3}")
shape=batch=$batch,frames=$frames,words=$words
mkdir -p "$out"

# What could not be measured is said, beside the Markdown.
tell() { echo "not measured: $1: $(tail -n 1 "$out/errors.txt")" >&2; }
# A profile of it, without what it says on the way.
profile() { $mcsan profile --device "$device" "$@" 2>"$out/errors.txt" || tell "$*"; }
title() { printf '\n### %s\n\n' "$1"; }
# Indented, as Markdown shows what a program said.
quoted() { sed 's/^/    /'; }
torch() {
    [ -n "${PYTHON:-}" ] || return 0
    "$PYTHON" benches/pytorch_step.py --device "$([ -n "${CUDA:-}" ] && echo cuda || echo cpu)" --batch "$batch" --frames "$frames" --words "$words" "$@" 2>"$out/errors.txt" | quoted || tell "PyTorch $*"
}

printf '## %s · %s\n\n' "$(date +%F)" "$(uname -srm), $(nproc) cores"
$mcsan devices | quoted

title "First step, which compiles; then with what the driver kept"
for _ in 1 2; do
    profile --shape "$shape,ragged" --steps 1 --warmup 0 | grep "the first took" | quoted
done

title "A training step of $shape: ragged, padded; mixed precision; PyTorch in between"
for way in ,ragged ""; do
    parts=(--ragged --parts 4)
    [ -n "$way" ] || parts=()
    profile --shape "$shape$way" "${steps[@]}" --roofline "$out/roofline${way/,/-}.svg" | quoted
    torch "${parts[@]}"
    profile --shape "$shape$way" "${steps[@]}" --tiles timed | grep -E "takes|GPU|held" | quoted
    torch "${parts[@]}"
    [ "${MIXED:-1}" = 1 ] || continue
    profile --shape "$shape$way" "${steps[@]}" --set train.precision=mixed | grep -E "takes|held" | quoted
    torch "${parts[@]}" --mixed
    torch "${parts[@]}" --mixed --compile
done

title "One utterance of 450 frames and 15 words"
profile --what inference --shape batch=1,frames=450,words=15 "${steps[@]}" | grep takes | quoted
batch=1 frames=450 words=15 torch --what infer

title "MFCC of $hours h of audio"
profile --what prepare --seconds "$(awk "BEGIN {print 3600 * $hours}")" "${steps[@]}" | tail -n 6 | quoted
torch --what mfcc --hours "$hours"

title "Growth with the batch and with the frames"
profile --shape "$shape,ragged" --sweep "batch=${BATCHES:-8,16,32,64,128,256,512,1024}" --plot "$out/batch.svg" --steps 3 --warmup 1 | quoted
profile --shape "$shape" --sweep "frames=${LENGTHS:-100,200,400,600,800,1000}" --plot "$out/frames.svg" --steps 3 --warmup 1 | quoted

title "The tuned kernels alone, at the step's shapes"
# Rows that the convolutions leave of a ragged batch: a ninth of 45 % of its frames.
rows=$((batch * frames * 45 / 900))
for sizes in "inputs=128,outputs=128" "inputs=128,outputs=512" "inputs=512,outputs=128" "inputs=128,outputs=1024"; do
    profile --kernel linear --shape "rows=$rows,$sizes" "${steps[@]}" | grep -E "^linear|roofs" | quoted
done
