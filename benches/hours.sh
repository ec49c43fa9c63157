#!/usr/bin/env bash
# What a corpus of many hours costs in memory: a manifest of HOURS hours, 10 s an utterance, is prepared in shards of half precision, and one
# epoch is trained in the order of shards. Prints a row of a Markdown table for each: times, largest memory, sizes.
#
#     benches/hours.sh FOLDER HOURS…
#
# MCSAN    the command to measure; target/release/mcsan unless set
# FILES=1  takes the features of a file, which every utterance names, and no recording: what is measured then is all but decoding and MFCC
# SHARDS, HOP, COLUMNS   40, 640 samples (40 ms) and 13 unless set: 1,000 hours are 2.4 GB then
# STEPS    stops the training after so many
#
# Every hour's clips are one file under many names, so that the disk holds a few, and the files are removed again.
set -euo pipefail
folder=${1:?a folder for data}
shift
mcsan=$(realpath "${MCSAN:-target/release/mcsan}")
shards=${SHARDS:-40} hop=${HOP:-640} columns=${COLUMNS:-13}
mkdir -p "$folder"
cd "$folder"

# 16 clips of 10 s that differ: noise of 16 bits at 16 kHz behind a WAV header; or a file of features of as many frames.
u32() { printf "\\x$(printf %02x $(($1 & 255)))\\x$(printf %02x $(($1 >> 8 & 255)))\\x$(printf %02x $(($1 >> 16 & 255)))\\x$(printf %02x $(($1 >> 24)))"; }
bytes=320000
for clip in $(seq 0 15); do
    {
        printf RIFF && u32 $((bytes + 36)) && printf 'WAVEfmt ' && u32 16 && printf '\1\0\1\0' && u32 16000 && u32 32000 && printf '\2\0\20\0data' && u32 $bytes
        head -c $bytes /dev/urandom
    } >"clip$clip.wav"
done
"$mcsan" features --audio clip0.wav --out clip0.npy --hop "$hop" --coefficients "$columns" --device cpu

seconds() { awk -F'[:)] ' '/Elapsed/ { n = split($NF, t, ":"); s = 0; for (i = 1; i <= n; i++) s = 60 * s + t[i]; print s }' "$1"; }
memory() { awk '/Maximum resident/ { printf "%d", $NF / 1024 }' "$1"; }
say() { printf '| %s ' "$@" && echo '|'; }
say hours utterances data prepare 'most memory' 'train an epoch' steps 'most memory'
say --- --- --- --- --- --- --- ---
for hours; do
    utterances=$((360 * hours))
    awk -v n=$utterances -v files="${FILES:-}" 'BEGIN {
        print "id,audio,text,label,split,speaker" (files ? ",audio_features" : "")
        for (i = 0; i < n; i++)
            printf "u%06d,clip%d.wav,the sea is quiet today,%s,%s,s%d%s\n", i, i % 16, i % 3 ? "calm" : "angry",
                "train", i % 500, (files ? ",clip0.npy" : "")
    }' >manifest.csv
    rm -rf d-*.safetensors d.safetensors* run
    /usr/bin/time -v -o prepare.time "$mcsan" prepare manifest manifest.csv --out d.safetensors --shards "$shards" --dtype f16 --hop "$hop" \
        $([ -n "${FILES:-}" ] || echo --coefficients "$columns") --device cpu >prepare.log 2>&1 || { tail -1 prepare.log && exit 1; }
    size=$(cat d-*.safetensors | wc -c | awk '{ printf "%.2f", $1 / 1e9 }')
    /usr/bin/time -v -o train.time "$mcsan" train --data d.safetensors.index.json --out run --epochs 1 --order shards --device cpu \
        ${STEPS:+--steps $STEPS} --set model.hidden=8 --set model.heads=2 --set model.feed_forward=8 --set model.word_width=8 --set data.max_frames=25 \
        >train.log 2>&1 || { tail -1 train.log && exit 1; }
    say "$hours" "$utterances" "$size GB" "$(seconds prepare.time) s" "$(memory prepare.time) MB" "$(seconds train.time) s" \
        "$(grep -c '"step"' run/metrics.jsonl)" "$(memory train.time) MB"
done
rm -rf d-*.safetensors d.safetensors* run clip*.wav clip0.npy manifest.csv
