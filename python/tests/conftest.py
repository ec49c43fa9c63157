"""A small corpus of tones and words, prepared and trained once."""

import csv
import wave

import numpy as np
import pytest

import mcsan

RATE = 16_000
CLASSES = {"low": (120.0, "all is quiet"), "high": (900.0, "what a day")}


def tone(hertz: float, seconds: float = 0.3, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """A tone with noise, float32 in [-1, 1]."""
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(size=time.size)
    return (0.3 * np.sin(2 * np.pi * hertz * time) + 0.02 * noise).astype(np.float32)


def write(path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A manifest of 24 utterances of two classes."""
    folder = tmp_path_factory.mktemp("corpus")
    with open(folder / "manifest.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["audio", "text", "label", "split"])
        for number in range(12):
            split = "train" if number < 8 else "validation" if number < 10 else "test"
            for label, (hertz, text) in CLASSES.items():
                write(folder / f"{label}{number}.wav", tone(hertz, seed=number))
                rows.writerow([f"{label}{number}.wav", text, label, split])
    return folder / "manifest.csv"


@pytest.fixture(scope="session")
def data(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "data.safetensors"
    told = mcsan.prepare("manifest", corpus, out=out, device="cpu", coefficients=13)
    assert told["utterances"] == 24
    return out


SETTINGS = {"model.hidden": 16, "model.heads": 2, "model.feed_forward": 32, "train.epochs": 2, "train.batch_size": 8}


@pytest.fixture(scope="session")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    summary = mcsan.train(data, out, settings=SETTINGS, device="cpu")
    assert not summary["stopped"] and summary["test"]["utterances"] == 4
    return out
