"""A manifest corpus as `mcsan-dataset/1`: librosa's MFCCs, NLTK's tokens and GloVe's vectors, with MODEL.md's settings."""

import csv
import json
from pathlib import Path

import librosa
import numpy as np
from nltk.tokenize import word_tokenize

from dataset import FEATURES, Dataset

SAMPLE_RATE = 16_000

# Typographic signs that NLTK's rules do not know, among them the C1 controls that older copies of MELD hold for apostrophes.
PLAIN = str.maketrans({
    "\u2019": "'", "\u2018": "'", "\u0092": "'", "\u0091": "'", "\u201c": '"', "\u201d": '"',
    "\u2026": "...", "\u2014": "--", "\u2013": "-",
})  # fmt: skip


def mfcc(path: Path) -> np.ndarray:
    """`[frames, coefficients]`, frames = 1 + samples / hop."""
    samples, _ = librosa.load(path, sr=SAMPLE_RATE, mono=True)
    coefficients = librosa.feature.mfcc(
        y=samples,
        sr=SAMPLE_RATE,
        n_mfcc=FEATURES["coefficients"],
        n_mels=FEATURES["mel_bands"],
        n_fft=FEATURES["transform"],
        win_length=FEATURES["window"],
        hop_length=FEATURES["hop"],
        window="hann",
        center=True,
        pad_mode="constant",
        power=2.0,
        fmin=0.0,
        fmax=8000.0,
    )
    return np.ascontiguousarray(coefficients.T, dtype=np.float32)


def tokenize(text: str) -> list[str]:
    """NLTK's `word_tokenize`; where its Punkt data is not installed, without the split into sentences."""
    text = text.translate(PLAIN)
    try:
        return word_tokenize(text)
    except LookupError:
        return word_tokenize(text, preserve_line=True)


def read_tokens(path: Path | None) -> dict[str, list[str]]:
    """Ready-made tokens by text, from JSON lines with `text` and `tokens`."""
    if path is None:
        return {}
    with open(path, encoding="utf-8") as lines:
        return {entry["text"]: entry["tokens"] for entry in map(json.loads, lines)}


def read_vectors(path: Path, words: set[str]) -> dict[str, np.ndarray]:
    """GloVe's vectors of `words`; of a word given twice the first counts."""
    vectors = {}
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            word, *values = line.rstrip("\n").split(" ")
            if word in words and word not in vectors:
                vectors[word] = np.array(values, np.float32)
    return vectors


def prepare(manifest: Path, glove: Path, tokens: Path | None) -> Dataset:
    """Classes in alphabetical order. Words are looked up as written, then in lower case."""
    with open(manifest, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    ready = read_tokens(tokens)
    tokenized = [ready.get(row["text"]) or tokenize(row["text"]) for row in rows]
    words = {word for sentence in tokenized for word in sentence}
    vectors = read_vectors(glove, words | {word.lower() for word in words})

    vocabulary: dict[str, int] = {}

    def row_of(word: str) -> int:
        known = next((spelling for spelling in (word, word.lower()) if spelling in vectors), None)
        return -1 if known is None else vocabulary.setdefault(known, len(vocabulary))

    token_rows = [np.array([row_of(word) for word in sentence], np.int32) for sentence in tokenized]
    classes = sorted({row["label"] for row in rows})
    optional = ("split", "speaker", "session", "dialogue", "text", "audio")
    utterances = [
        {"id": row.get("id") or Path(row["audio"]).stem} | {name: row.get(name) or "" for name in optional} for row in rows
    ]
    return Dataset(
        classes=classes,
        audio=[mfcc(manifest.parent / row["audio"]) for row in rows],
        tokens=token_rows,
        vectors=np.stack([vectors[word] for word in vocabulary]),
        labels=np.array([classes.index(row["label"]) for row in rows], np.int32),
        metadata={"corpus": "manifest", "vocabulary": list(vocabulary), "utterances": utterances, "features": FEATURES},
    )
