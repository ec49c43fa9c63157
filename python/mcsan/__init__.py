"""mcsan: speech emotion recognition with parallel cross- and self-attention (MCSAN, Sun et al. 2021).

What computes are WGSL compute shaders on Vulkan, Metal or DX12, or, without a graphics adapter, the CPU reference.

>>> import mcsan
>>> mcsan.tokens("I can't believe it!")
['I', 'ca', "n't", 'believe', 'it', '!']

`device` is everywhere what `--device` is on the command line: "auto", "cpu", an adapter's index or a part of its name.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from . import _mcsan
from ._mcsan import Error, __version__, decode, tokens

__all__ = [
    "Error", "Predictor", "__version__", "check", "decode", "devices", "features", "prepare", "profile", "run", "tokens", "train",
]

_RATE = 16_000


def _samples(samples: Any) -> np.ndarray:
    """Mono samples as float32; no copy where they are that already."""
    array = np.asarray(samples)
    if array.ndim != 1:
        raise TypeError(f"samples: have {array.ndim} dimensions; give one channel, for example samples.mean(axis=...)")
    if array.dtype.kind != "f":
        raise TypeError(f"samples: are {array.dtype}; give floats in [-1, 1], of 16-bit integers samples / 32768")
    return np.ascontiguousarray(array, dtype=np.float32)


def _matrix(name: str, values: Any) -> np.ndarray:
    """Rows of float32; a vector is one row."""
    array = np.atleast_2d(np.asarray(values))
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: is {array.dtype} of {array.ndim} dimensions; give numbers, a row a frame")
    return np.ascontiguousarray(array, dtype=np.float32)


@functools.lru_cache(maxsize=8)
def _front_end(settings: str, device: str) -> _mcsan.FrontEnd:
    return _mcsan.FrontEnd(settings, device)


def features(samples: Any, rate: int = _RATE, *, device: str = "auto", **settings: Any) -> np.ndarray:
    """Features of a recording, by default 40 MFCC as librosa's.

    samples: mono, floats in [-1, 1]; `rate` in hertz, resampled to 16 kHz where it is another.
    settings: of the front-end as `mcsan features --help` lists them (`convention="htk"`, `coefficients=13`, `deltas=2`, ...).
    Returns float32 `[frames, columns]`, the frames a hop (10 ms) apart and centred.
    Raises Error for a setting out of its range or samples that are not finite, TypeError for anything but mono floats.
    """
    return _front_end(json.dumps(settings, sort_keys=True), device)(_samples(samples), rate)


class Predictor:
    """A trained model on a device.

    run: a run folder that `train` or `mcsan train` wrote. calibrated: with the temperature of `mcsan evaluate --calibrate`.
    """

    def __init__(self, run: str | os.PathLike, device: str = "auto", *, calibrated: bool = False) -> None:
        self._own = _mcsan.Predictor(os.fspath(run), device, calibrated)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of probabilities."""
        return self._own.classes

    @property
    def device(self) -> str:
        """The device's name."""
        return self._own.device

    @property
    def streams(self) -> dict[str, int]:
        """What the model reads beside recording and words, with its columns."""
        return self._own.streams

    def _utterance(self, utterance: Mapping[str, Any]) -> dict[str, Any]:
        own = dict(utterance)
        unknown = own.keys() - {"samples", "rate", "text", "features", "streams"}
        if unknown:
            raise TypeError(f"{sorted(unknown)[0]}: an utterance has samples, rate, text, features, streams")
        if own.get("samples") is not None:
            own["samples"] = _samples(own["samples"])
        elif self._own.hears:
            raise TypeError("samples: are missing; the model hears the recording itself")
        if own.get("text") is not None and not isinstance(own["text"], str):
            raise TypeError(f"text: is {type(own['text']).__name__}; give a str")
        if own.get("text") is None and self._own.reads_text:
            raise TypeError("text: is missing; the model reads what is said, \"\" where nothing is")
        if own.get("features") is not None:
            own["features"] = _matrix("features", own["features"])
        if own.get("streams"):
            own["streams"] = {name: _matrix(name, values) for name, values in own["streams"].items()}
        return own

    def predict(self, samples: Any = None, text: str | None = None, rate: int = _RATE, *, features: Any = None,
                streams: Mapping[str, Any] | None = None) -> np.ndarray:
        """Probability of each class, float64 `[classes]`.

        samples: mono floats at `rate` hertz; text: what is said. features: `[frames, columns]` for a model that was trained on another
        program's acoustic features; streams: by name what else it reads.
        """
        return self.predict_many([dict(samples=samples, text=text, rate=rate, features=features, streams=streams)])[0]

    def predict_many(self, utterances: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Probabilities of several utterances, float64 `[utterances, classes]`.

        Each is a mapping with what `predict` takes. A result is that of the utterance alone, whatever it is given with.
        """
        return self._own.predict([self._utterance(utterance) for utterance in utterances])

    def attention(self, samples: Any = None, text: str | None = None, rate: int = _RATE) -> dict[str, Any]:
        """Probabilities of one utterance with what attends to what.

        Returns `probabilities`, `words`, `known` (whether a word has a vector), `seconds_a_row` of the recording, and `layers`: each with
        `by`, `over` (streams) and `weights`, float32 `[heads, asking rows, asked rows]`, whose rows add up to 1.
        """
        probabilities, attention = self._own.attend(self._utterance(dict(samples=samples, text=text, rate=rate)))
        return {"probabilities": probabilities, **attention}


def train(data: str | os.PathLike, out: str | os.PathLike | None = None, *, settings: Mapping[str, Any] | None = None,
          config: str | os.PathLike | None = None, recipe: bool = False, device: str | None = None, resume: bool = False,
          callback: Callable[[dict[str, Any]], Any] | None = None) -> dict[str, Any]:
    """Trains a model on a prepared file.

    out: the run folder; without one everything stays in memory. settings: as `mcsan config` names them
    (`{"train.epochs": 20, "model.system": "mdre"}`), over a TOML file `config`, over the system's published recipe where `recipe`.
    callback: is told of each event, a dictionary whose `event` is start, step, epoch, split, plateau, stopped_early or test. Where it
    returns False, as at Ctrl-C, the training ends with a whole checkpoint, and goes on from there with `resume=True`.

    Returns `run`, `device`, `stopped`, `best_epoch`, `steps`, `test` (metrics, None without a test split) and `losses`, float32 `[steps]`.
    """
    assignments = [f"{key}={_toml(key, value)}" for key, value in (settings or {}).items()]
    listener = None if callback is None else lambda event: callback(json.loads(event))
    summary, losses = _mcsan.train(
        os.fspath(data), config and os.fspath(config), assignments, recipe, out and os.fspath(out), device, resume, listener)
    return {**json.loads(summary), "losses": losses}


def _toml(key: str, value: Any) -> str:
    """A setting's value as it is typed behind --set."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float, np.integer, np.floating)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(json.dumps(item) if isinstance(item, str) else _toml(key, item) for item in value) + "]"
    raise TypeError(f"{key}: is {type(value).__name__}; give a number, a text, a truth value or a list of them")


def run(*arguments: str | os.PathLike, **options: Any) -> dict[str, Any]:
    """Runs a command as a process of its own and returns what `--json` makes it print.

    `run("evaluate", run="runs/a", data="data.safetensors", by="speaker")` is `mcsan evaluate --run runs/a --data data.safetensors
    --by speaker --json`: `_` in a name stands for `-`, True is an option without a value, False and None leave one out, a list repeats
    it, and a `_` at the end is for Python's own words (`from_`). What it says besides goes to standard error. Raises Error with its line
    where it fails; of `check`, whose result says what failed, none.
    """
    line = [os.fspath(argument) for argument in arguments]
    for name, value in options.items():
        option = "--" + name.rstrip("_").replace("_", "-")
        values = value if isinstance(value, (list, tuple)) else [value]
        for value in values:
            if value is True:
                line.append(option)
            elif value is not False and value is not None:
                line.append(f"{option}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    process = subprocess.Popen([sys.executable, "-m", "mcsan", *line, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output, said = process.communicate()
    except KeyboardInterrupt:
        # The same Ctrl-C has reached the command, which ends whole.
        process.communicate()
        raise
    sys.stderr.write(said)
    if process.returncode != 0 and not output:
        lines = [line.removeprefix("mcsan: ").removeprefix("error: ") for line in said.splitlines() if line]
        usage = [line for line in said.splitlines() if line.startswith("error: ")]
        raise Error(usage[0].removeprefix("error: ") if usage else lines[-1] if lines else f"exit code {process.returncode}")
    return json.loads(output)


def prepare(layout: str, *arguments: str | os.PathLike, out: str | os.PathLike, **options: Any) -> dict[str, Any]:
    """Turns a corpus into one prepared file, as `mcsan prepare LAYOUT PATH --out FILE`; returns what it holds.

    layout: "manifest", "iemocap", "folders", ... ; options as the command has them (`vectors="glove.txt"`, `split="speaker"`).
    """
    return run("prepare", layout, *arguments, out=out, **options)


def check(**options: Any) -> dict[str, Any]:
    """Compares kernels with the float64 reference on a device, as `mcsan check`: `kernels`, `passed`, `failed`, `device`."""
    return run("check", **options)


def profile(**options: Any) -> dict[str, Any]:
    """Times every kernel of a step, as `mcsan profile`: `profile(shape="batch=32,frames=1000,words=50,ragged")`."""
    return run("profile", **options)


def devices() -> list[dict[str, Any]]:
    """The graphics adapters, as `mcsan devices`."""
    return run("devices")["adapters"]
