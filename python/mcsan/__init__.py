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
import pathlib
from typing import Any, Callable, Iterable, Mapping, Sequence

import numpy as np

from . import _arrays, _mcsan
from ._command import run
from ._mcsan import Error, __version__, decode, tokens

__all__ = [
    "Error", "Predictor", "__version__", "check", "decode", "devices", "features", "prepare", "profile", "run", "tokens", "train",
]

_RATE = 16_000


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
    return _front_end(json.dumps(settings, sort_keys=True), device)(_arrays.samples(samples), rate)


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
            own["samples"] = _arrays.samples(own["samples"])
        elif self._own.hears:
            raise TypeError("samples: are missing; the model hears the recording itself")
        if own.get("text") is not None and not isinstance(own["text"], str):
            raise TypeError(f"text: is {type(own['text']).__name__}; give a str")
        if own.get("text") is None and self._own.reads_text:
            raise TypeError("text: is missing; the model reads what is said, \"\" where nothing is")
        if own.get("features") is not None:
            own["features"] = _arrays.matrix("features", own["features"])
        if own.get("streams"):
            own["streams"] = {name: _arrays.matrix(name, values) for name, values in own["streams"].items()}
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
          config: str | os.PathLike | None = None, recipe: bool = False, from_: str | os.PathLike | None = None,
          device: str | int | Sequence[str | int] | None = None, resume: bool = False,
          callback: Callable[[dict[str, Any]], Any] | None = None) -> dict[str, Any]:
    """Trains a model on a prepared file.

    out: the run folder; without one everything stays in memory. settings: as `mcsan config` names them
    (`{"train.epochs": 20, "model.system": "mdre"}`), over a TOML file `config`, over the system's published recipe where `recipe`, over the
    network of the run `from_`, which is trained further for the classes and words of the data.
    device: several (`["0", "1"]`) train one model together, each a part of every batch, and end in the bytes of one of them.
    callback: is told of each event, a dictionary whose `event` is start, step, epoch, split, plateau, stopped_early or test. Where it
    returns False, as at Ctrl-C, the training ends with a whole checkpoint, and goes on from there with `resume=True`.

    Returns `run`, `device` (the first), `ranks` (how many), `stopped`, `best_epoch`, `steps`, `test` (metrics, None without a test split) and `losses`, float32 `[steps]`.
    """
    assignments = [f"{key}={_toml(key, value)}" for key, value in (settings or {}).items()]
    listener = None if callback is None else lambda event: callback(json.loads(event))
    summary, losses = _mcsan.train(
        os.fspath(data), config and os.fspath(config), assignments, recipe, from_ and os.fspath(from_), out and os.fspath(out),
        _device(device), resume, listener)
    return {**json.loads(summary), "losses": losses}


def _device(device: Any) -> str | None:
    """A device, or several, as `--device` has them."""
    if device is None or isinstance(device, str):
        return device
    several = [device] if isinstance(device, (int, np.integer)) else device
    if not isinstance(several, Sequence) or not several or not all(isinstance(own, (str, int, np.integer)) for own in several):
        raise TypeError(f"device: is {device!r}; give a name, an index or a list of them")
    names = [str(own) for own in several]
    wrong = [own for own in names if len(names) > 1 and own != "cpu" and not own.isdecimal()]
    if wrong:
        raise Error(f"device: '{wrong[0]}' is no index; of several give indices, as mcsan.devices() lists them, or cpu")
    return ",".join(names)


def _toml(key: str, value: Any) -> str:
    """A setting's value as it is typed behind --set."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float, np.integer, np.floating)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(json.dumps(item) if isinstance(item, str) else _toml(key, item) for item in value) + "]"
    raise TypeError(f"{key}: is {type(value).__name__}; give a number, a text, a truth value or a list of them")


def prepare(layout: str | None = None, *arguments: str | os.PathLike, out: str | os.PathLike, samples: Iterable[Any] | None = None,
            rate: int | Sequence[int] = _RATE, features: Iterable[Any] | str | None = None, text: Iterable[str | None] | None = None,
            tokens: Iterable[Sequence[str]] | None = None, labels: Iterable[str | int | None] | None = None,
            splits: Iterable[str | None] | None = None, speakers: Iterable[str | int | None] | None = None,
            ids: Iterable[str | int] | None = None, streams: Mapping[str, Iterable[Any]] | None = None, name: str = "arrays",
            **options: Any) -> dict[str, Any]:
    """Turns a corpus into one prepared file; returns what it holds.

    A corpus on disk, as `mcsan prepare LAYOUT PATH --out FILE`: `prepare("manifest", "corpus.csv", out=...)`; layout is "manifest",
    "iemocap", "folders", ...

    Or arrays, a list of each with one entry an utterance: `prepare(samples=[...], labels=[...], text=[...], out=...)`.
    samples: mono floats in [-1, 1], at `rate` hertz, one for all or one for each. features: in their place matrices `[frames, columns]`
    (a str is the command's option: "htk").
    text: what is said; tokens: in its place lists of words as `tokens()` makes them. labels: names or numbers of classes, None where there
    is none. splits: train, validation, test, unlabelled or None. speakers, ids: names. streams: matrices or vectors by name
    (text_features, visual, prosody, functionals), None where an utterance has none. Recordings and matrices may come from a generator, so
    that one is held at a time; they go to disk beside `out` as they are, until the file is there. name: what the corpus is called.

    options: those of the command in either case (`vectors="glove.txt"`, `split="speaker"`, `coefficients=13`, `augment="noise=20dB"`).
    Raises Error or TypeError in one line that names the list and the place in it, and writes nothing then.
    """
    if isinstance(features, str):
        # The option of that name: whose MFCC.
        options["features"], features = features, None
    lists = dict(samples=samples, features=features, text=text, tokens=tokens, labels=labels, splits=splits, speakers=speakers, ids=ids,
                 streams=streams)
    if layout is not None:
        given = [own for own, values in lists.items() if values is not None]
        if given:
            raise TypeError(f"{given[0]}: is of a corpus of arrays, and '{layout}' names one on disk; give one of them")
        return run("prepare", layout, *arguments, out=out, **options)
    arrays = _arrays.Arrays(rate=rate, **lists)
    out = pathlib.Path(os.fspath(out))
    with arrays.laid_out(out, name) as manifest:
        try:
            return _arrays.without(manifest.parent, run("prepare", "manifest", manifest, out=out, **options))
        except Error as error:
            raise Error(_arrays.without(manifest.parent, str(error))) from None


def check(**options: Any) -> dict[str, Any]:
    """Compares kernels with the float64 reference on a device, as `mcsan check`: `kernels`, `passed`, `failed`, `device`."""
    return run("check", **options)


def profile(**options: Any) -> dict[str, Any]:
    """Times every kernel of a step, as `mcsan profile`: `profile(shape="batch=32,frames=1000,words=50,ragged")`."""
    return run("profile", **options)


def devices() -> list[dict[str, Any]]:
    """The graphics adapters, as `mcsan devices`."""
    return run("devices")["adapters"]
