"""A corpus of arrays: recordings or features, labels and transcripts as a notebook has them, laid out as the command reads them."""

from __future__ import annotations

import contextlib
import csv
import pathlib
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np

from ._mcsan import Error, tokens as _tokens

SPLITS = ("train", "validation", "test", "unlabelled")
# Of a stream of features, whether an utterance has one row of it.
STREAMS = {"audio_features": False, "text_features": False, "visual": False, "prosody": True, "functionals": True}


def _array(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise TypeError(f"{name}: is no array of numbers ({error})") from None


def samples(samples: Any, name: str = "samples") -> np.ndarray:
    """Mono samples as float32; no copy where they are that already."""
    array = _array(name, samples)
    if array.ndim != 1:
        raise TypeError(f"{name}: have {array.ndim} dimensions; give one channel, for example samples.mean(axis=...)")
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: are {array.dtype}; give floats in [-1, 1], of 16-bit integers samples / 32768")
    return np.ascontiguousarray(array, dtype=np.float32)


def matrix(name: str, values: Any) -> np.ndarray:
    """Rows of float32; a vector is one row."""
    array = np.atleast_2d(_array(name, values))
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: is {array.dtype} of {array.ndim} dimensions; give numbers, a row a frame")
    return np.ascontiguousarray(array, dtype=np.float32)


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    if array.size == 0:
        raise Error(f"{name}: has no number ({' × '.join(map(str, array.shape))})")
    # Of what is finite the sum is; a sum beyond float32 is looked at again.
    with np.errstate(over="ignore", invalid="ignore"):
        is_finite = np.isfinite(array.sum(dtype=np.float64))
    if not is_finite and not (known := np.isfinite(array)).all():
        place = tuple(int(index) for index in np.argwhere(~known)[0])
        raise Error(f"{name}{''.join(f'[{index}]' for index in place)}: is {array[place]}, no finite number")
    return array


def _text(name: str, value: Any) -> str:
    """A name or a sentence; a number of a class or speaker is its digits, and None nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_)):
        return str(int(value))
    raise TypeError(f"{name}: is {type(value).__name__}; give a str")


def _sentence(name: str, words: Any) -> str:
    """A text that is read as these tokens."""
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise TypeError(f"{name}: is {type(words).__name__}; give a list of its tokens, or sentences as text=")
    words = [_text(f"{name}[{place}]", word) for place, word in enumerate(words)]
    text = " ".join(words)
    read = _tokens(text)
    if read != words:
        place = next((place for place, (own, other) in enumerate(zip(words, read)) if own != other), min(len(words), len(read)))
        own, other = (repr(of[place]) if place < len(of) else "nothing" for of in (words, read))
        raise Error(f"{name}[{place}]: {own} would be read as {other}; give text=, or vectors of your own tokens as "
                    "streams={'text_features': ...}")
    return text


def _rates(rate: Any, count: int) -> list[int]:
    each = [rate] * count if np.ndim(rate) == 0 else list(rate)
    if len(each) != count:
        raise Error(f"rate: has {len(each)} entries, of {count} utterances; give one for all, or one for each")
    for place, own in enumerate(each):
        if isinstance(own, (bool, np.bool_)) or not isinstance(own, (int, float, np.integer, np.floating)) or own != int(own):
            raise TypeError(f"rate[{place}]: is {own!r}; give whole hertz")
        if own <= 0:
            raise Error(f"rate[{place}]: is {int(own)}; give hertz above 0")
    return [int(own) for own in each]


def _write_wav(path: pathlib.Path, array: np.ndarray, rate: int) -> None:
    """Mono float32; what is written is the array's own memory."""
    array = array.astype("<f4", copy=False)
    with open(path, "wb") as file:
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + array.nbytes, b"WAVE", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32,
                               b"data", array.nbytes))
        file.write(array)


class Arrays:
    """The utterances: what was given by its name, checked as far as it can be before anything is written."""

    def __init__(self, *, samples: Any, rate: Any, features: Any, text: Any, tokens: Any, labels: Any, splits: Any, speakers: Any, ids: Any,
                 streams: Mapping[str, Any] | None) -> None:
        if samples is not None and features is not None:
            raise TypeError("features: stand in place of samples; give one of them")
        if text is not None and tokens is not None:
            raise TypeError("tokens: stand in place of text; give one of them")
        if streams is not None and not isinstance(streams, Mapping):
            raise TypeError(f"streams: is {type(streams).__name__}; give a dict of lists of matrices by name")
        self.samples = samples
        self.streams = {**({} if features is None else {"audio_features": features}), **(streams or {})}
        unknown = sorted(set(self.streams) - set(STREAMS))
        if unknown:
            raise TypeError(f"streams: there is no '{unknown[0]}', but {', '.join(name for name in STREAMS if name != 'audio_features')}")
        if samples is None and text is None and tokens is None and not {"audio_features", "text_features"} & set(self.streams):
            raise TypeError("samples: are missing; give samples, features, text or tokens, a list with one for each utterance")
        if labels is None:
            raise TypeError("labels: are missing; give a list with a class for each utterance, None where it has none")
        columns = {"labels": labels, "text": text, "tokens": tokens, "splits": splits, "speakers": speakers, "ids": ids}
        for name, values in {**columns, "samples": samples, **self.streams}.items():
            if values is not None and (isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable)):
                raise TypeError(f"{self._shown(name)}: is {type(values).__name__}; give a list with one for each utterance")
        columns = {name: list(values) for name, values in columns.items() if values is not None}
        self.count = len(columns["labels"])
        for name, values in {**columns, "samples": samples, **self.streams}.items():
            if isinstance(values, Sized):
                self._expect(name, len(values))
        self.rates = _rates(rate, self.count)
        self.columns = self._columns(columns)

    @staticmethod
    def _shown(name: str) -> str:
        return "features" if name == "audio_features" else f"streams['{name}']" if name in STREAMS else name

    def _expect(self, name: str, found: int) -> None:
        if found != self.count:
            raise Error(f"{self._shown(name)}: has {found} entries, and there are {self.count} labels; give one for each utterance")

    def _columns(self, given: dict[str, list[Any]]) -> dict[str, list[str]]:
        """What stands in the table of the utterances, beside what is in files."""
        def texts(name: str, of: Any = _text) -> list[str]:
            return [of(f"{name}[{place}]", value) for place, value in enumerate(given[name])]

        columns = {"id": texts("ids") if "ids" in given else [str(place) for place in range(self.count)], "label": texts("labels")}
        seen: dict[str, int] = {}
        for place, own in enumerate(columns["id"]):
            if not own.strip():
                raise Error(f"ids[{place}]: is empty; give each utterance a name of its own")
            if seen.setdefault(own.strip(), place) != place:
                raise Error(f"ids[{place}]: '{own}' is that of ids[{seen[own.strip()]}], too; give each utterance a name of its own")
        if "text" in given:
            columns["text"] = texts("text")
        if "tokens" in given:
            columns["text"] = texts("tokens", _sentence)
        if "speakers" in given:
            columns["speaker"] = texts("speakers")
        splits = texts("splits") if "splits" in given else [""] * self.count
        for place, (split, label) in enumerate(zip(splits, columns["label"])):
            if split not in ("", *SPLITS):
                raise Error(f"splits[{place}]: is '{split}'; give one of {', '.join(SPLITS)} or None")
            if not label.strip():
                if split not in ("", "unlabelled"):
                    raise Error(f"labels[{place}]: is empty, of the split '{split}'; give its class, or the split 'unlabelled'")
                splits[place] = "unlabelled"
        if any(splits):
            columns["split"] = splits
        return columns

    def _each(self, name: str, values: Iterable[Any]) -> Iterator[Any]:
        """Its values one by one, as many as there are utterances."""
        place = 0
        for place, value in enumerate(values, 1):
            if place > self.count:
                break
            yield value
        self._expect(name, place)

    def _files(self, folder: pathlib.Path) -> dict[str, list[str]]:
        """Writes a file for each recording and matrix; their names, by column."""
        files: dict[str, list[str]] = {}
        if self.samples is not None:
            files["audio"] = [f"{place}.wav" for place in range(self.count)]
            for place, values in enumerate(self._each("samples", self.samples)):
                name = f"samples[{place}]"
                _write_wav(folder / files["audio"][place], _finite(name, samples(values, name)), self.rates[place])
        for stream, given in self.streams.items():
            files[stream], columns, optional = [], None, stream not in ("audio_features", "text_features")
            for place, values in enumerate(self._each(stream, given)):
                name = f"{self._shown(stream)}[{place}]"
                if values is None and optional:
                    files[stream].append("")
                    continue
                array = _finite(name, matrix(name, values))
                if STREAMS[stream] and len(array) != 1:
                    raise Error(f"{name}: has {len(array)} rows; give one vector an utterance")
                columns = columns or array.shape[1]
                if array.shape[1] != columns:
                    raise Error(f"{name}: has {array.shape[1]} columns, those before it {columns}; give all of one width")
                files[stream].append(f"{place}-{stream}.npy")
                np.save(folder / files[stream][-1], array[0] if STREAMS[stream] else array)
        return files

    @contextlib.contextmanager
    def laid_out(self, out: pathlib.Path, name: str) -> Iterator[pathlib.Path]:
        """A manifest of the utterances, in a folder beside `out` that is gone afterwards."""
        beside = out.parent if out.parent.is_dir() else None
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".arrays", dir=beside) as folder:
            columns = {**self.columns, **self._files(pathlib.Path(folder))}
            manifest = pathlib.Path(folder) / f"{name}.csv"
            with open(manifest, "w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file)
                rows.writerow(columns)
                rows.writerows(zip(*columns.values()))
            yield manifest


def without(folder: pathlib.Path, told: Any) -> Any:
    """What the command tells, the files in the folder by their names alone."""
    if isinstance(told, str):
        return told.replace(f"{folder}/", "").replace(f"{folder}\\", "")
    if isinstance(told, dict):
        return {key: without(folder, value) for key, value in told.items()}
    return [without(folder, value) for value in told] if isinstance(told, list) else told
