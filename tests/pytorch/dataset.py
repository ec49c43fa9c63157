"""Reading and writing `mcsan-dataset/1`, and safetensors files with the same bytes every time.

The `safetensors` package writes metadata in an order that changes from run to run; fixtures must not change when they are
made again, so the container (a length, a JSON header, the data) is written here and read by the package.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

DTYPES = {"float64": "F64", "int64": "I64", "float32": "F32", "int32": "I32"}

# The default front-end, as a data set names it in its metadata `features`.
FEATURES = {"coefficients": 40, "mel_bands": 128, "window": 400, "transform": 512, "hop": 160, "top_db": 80.0}


def save(path: Path, tensors: dict[str, Tensor | np.ndarray], metadata: dict[str, str]) -> None:
    """Writes a safetensors file: widest types first, so that every tensor is aligned, then by name."""
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, str(arrays[name].dtype), name))
    header, end = {"__metadata__": dict(sorted(metadata.items()))}, 0
    for name in names:
        array = arrays[name]
        header[name] = {"dtype": DTYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    encoded = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    encoded += b" " * (-len(encoded) % 8)
    with open(path, "wb") as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        for name in names:
            file.write(arrays[name].tobytes())


@dataclass
class Dataset:
    """Utterance u has the features `audio[u]: [frames, coefficients]`, the word rows `tokens[u]` (-1: none) and `labels[u]` (-1: none)."""

    classes: list[str]
    audio: list[np.ndarray]
    tokens: list[np.ndarray]
    vectors: np.ndarray
    labels: np.ndarray
    metadata: dict[str, object] = field(default_factory=dict)
    # Features of pictures, `[pictures, columns]` each, where there are some.
    visual: list[np.ndarray] | None = None
    # `[utterances, columns]`, where there are some.
    functionals: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def splits(self) -> list[str]:
        return [utterance["split"] for utterance in self.metadata["utterances"]]

    def words(self, utterance: int) -> np.ndarray:
        """`[tokens, width]`: the vectors, zeros for a word out of vocabulary."""
        rows = self.tokens[utterance]
        return np.where((rows >= 0)[:, None], self.vectors[rows], np.float32(0))

    def batch(self, utterances, dtype=torch.float32) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Features, word vectors and labels of these utterances, as `mcsan.Mcsan` takes them."""
        audio = [torch.tensor(self.audio[u], dtype=dtype) for u in utterances]
        text = [torch.tensor(self.words(u), dtype=dtype) for u in utterances]
        return audio, text, torch.tensor(self.labels[list(utterances)], dtype=torch.int64)

    def pictures(self, utterances, dtype=torch.float32) -> list[Tensor]:
        return [torch.tensor(self.visual[u], dtype=dtype) for u in utterances]

    def save(self, path: Path) -> None:
        visual = {} if self.visual is None else {
            "visual.features": np.concatenate(self.visual).astype(np.float32),
            "visual.offsets": offsets(self.visual),
        }
        functionals = {} if self.functionals is None else {"audio.functionals.values": self.functionals.astype(np.float32)}
        tensors = visual | functionals | {
            "audio.features": np.concatenate(self.audio).astype(np.float32),
            "audio.offsets": offsets(self.audio),
            "text.tokens": np.concatenate(self.tokens).astype(np.int32),
            "text.offsets": offsets(self.tokens),
            "text.vectors": self.vectors.astype(np.float32),
            "labels": np.asarray(self.labels, np.int32),
        }
        metadata = {"format": "mcsan-dataset/1", "classes": json.dumps(self.classes)}
        for name, value in self.metadata.items():
            metadata[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        save(path, tensors, metadata)


def offsets(sequences: list[np.ndarray]) -> np.ndarray:
    """`[len(sequences) + 1]`: where each starts when they lie one after another."""
    return np.cumsum([0] + [len(sequence) for sequence in sequences]).astype(np.int64)


def load(path: Path) -> Dataset:
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    if metadata.get("format") != "mcsan-dataset/1":
        raise ValueError(f"{path}: not an mcsan-dataset/1 file")
    structured = {name: json.loads(metadata[name]) for name in ("vocabulary", "utterances", "features") if name in metadata}
    return Dataset(
        classes=json.loads(metadata["classes"]),
        audio=np.split(tensors["audio.features"].astype(np.float32), tensors["audio.offsets"][1:-1]),
        tokens=np.split(tensors["text.tokens"], tensors["text.offsets"][1:-1]),
        vectors=tensors["text.vectors"],
        labels=tensors["labels"],
        metadata={"corpus": metadata.get("corpus", "")} | structured,
    )
