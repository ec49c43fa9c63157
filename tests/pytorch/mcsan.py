"""MCSAN (Sun, Liu, Tao, Lian, ICASSP 2021) in PyTorch: the reference that `mcsan`'s numbers are compared with.

Numbers in parentheses are the paper's equations. Parameter names are those of `mcsan export`, so a state dict and an
exported file are the same thing.

A batch is two lists of matrices, one per utterance: `audio[u]: [frames, coefficients]`, `text[u]: [tokens, width]`. The
network pads them to the longest and masks, so that every result equals the utterance's alone; `forward_alone` takes one
utterance at a time, where there is nothing to mask, and `fixtures.py` asserts that the two agree.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

VARIANTS = ("full", "no_audio", "no_text", "no_self", "no_cross", "cross_self", "self_cross")

# Two poolings of three must leave a row.
FEWEST_FRAMES = 9


@dataclass(frozen=True)
class Settings:
    """The model's settings by the names of `--set model.NAME=VALUE`; `coefficients`, `width`, `classes` come from the data."""

    coefficients: int = 40
    width: int = 300
    classes: int = 7
    variant: str = "full"
    layers: int = 1
    hidden: int = 128
    heads: int = 8
    feed_forward: int = 512
    attention_bias: bool = True
    scale: str = "head"
    conv_activation: str = "none"

    def __post_init__(self):
        assert self.variant in VARIANTS, self.variant
        assert self.scale in ("head", "model"), self.scale
        assert self.conv_activation in ("none", "relu"), self.conv_activation
        assert self.hidden % self.heads == 0

    @property
    def modalities(self) -> tuple[str, ...]:
        return {"no_audio": ("text",), "no_text": ("audio",)}.get(self.variant, ("audio", "text"))

    @property
    def has_cross(self) -> bool:
        return self.variant not in ("no_audio", "no_text", "no_cross")

    @property
    def has_self(self) -> bool:
        return self.variant != "no_self"

    @property
    def pooled_streams(self) -> int:
        """How many sequences reach the global max-pool."""
        return {"full": 4, "no_audio": 1, "no_text": 1}.get(self.variant, 2)


@dataclass
class Sequence:
    """`rows: [batch, longest, channels]`, of which utterance u has the first `lengths[u]`; what follows is undefined."""

    rows: Tensor
    lengths: Tensor

    def inside(self) -> Tensor:
        """`[batch, longest]`: true for the rows that belong to the utterance."""
        return torch.arange(self.rows.shape[1])[None, :] < self.lengths[:, None]

    def with_position_embedding(self) -> "Sequence":
        _, longest, channels = self.rows.shape
        return Sequence(self.rows + position_embedding(longest, channels).to(self.rows.dtype), self.lengths)

    def global_max(self) -> Tensor:
        """`[batch, channels]`; `max` (unlike `amax`) gives the whole gradient to the earliest of equal rows."""
        return self.rows.masked_fill(~self.inside()[:, :, None], -math.inf).max(dim=1).values


def stack(matrices: list[Tensor], fewest: int) -> Sequence:
    """Pads with zeros at the end; an utterance with fewer than `fewest` rows owns the zeros that fill it up."""
    matrices = [F.pad(m, (0, 0, 0, max(0, fewest - len(m)))) for m in matrices]
    return Sequence(pad_sequence(matrices, batch_first=True), torch.tensor([len(m) for m in matrices]))


def position_embedding(length: int, channels: int) -> Tensor:
    """`[length, channels]` float64: sin(p / 10000^(2i/d)) in column 2i, the cosine in column 2i + 1."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    even = torch.arange(0, channels, 2, dtype=torch.float64)
    angle = position / 10000 ** (even / channels)
    return torch.stack([angle.sin(), angle.cos()], dim=2).reshape(length, channels)


class TextEncoder(nn.Module):
    """BiLSTM (2, 4) whose output is the mean of both directions (3, 5)."""

    def __init__(self, width: int, settings: Settings):
        super().__init__()
        self.lstm = nn.LSTM(width, settings.hidden, batch_first=True, bidirectional=True)

    def forward(self, x: Sequence) -> Sequence:
        packed = pack_padded_sequence(x.rows, x.lengths, batch_first=True, enforce_sorted=False)
        both, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        forward, backward = both.chunk(2, dim=2)
        return Sequence((forward + backward) / 2, x.lengths)


class AudioEncoder(TextEncoder):
    """Two ConvBlocks (1), then the BiLSTM."""

    def __init__(self, settings: Settings):
        super().__init__(settings.hidden, settings)
        self.conv1 = nn.Conv1d(settings.coefficients, settings.hidden, 3, padding=1)
        self.conv2 = nn.Conv1d(settings.hidden, settings.hidden, 3, padding=1)
        self.activation = F.relu if settings.conv_activation == "relu" else lambda x: x

    def forward(self, x: Sequence) -> Sequence:
        return super().forward(self.conv_block(self.conv2, self.conv_block(self.conv1, x)))

    def conv_block(self, conv: nn.Conv1d, x: Sequence) -> Sequence:
        """The convolution sees zeros outside the utterance; only whole windows are pooled."""
        inside = x.rows.masked_fill(~x.inside()[:, :, None], 0.0)
        y = F.max_pool1d(self.activation(conv(inside.transpose(1, 2))), kernel_size=3, stride=3)
        return Sequence(y.transpose(1, 2), x.lengths // 3)


class Stream(nn.Module):
    """One modality's part of an attention layer: its projections, norms and feed-forward network."""

    def __init__(self, settings: Settings):
        super().__init__()
        d = settings.hidden
        self.q, self.k, self.v, self.o = (nn.Linear(d, d, bias=settings.attention_bias) for _ in range(4))
        self.norm1 = nn.LayerNorm(d)
        self.ff1 = nn.Linear(d, settings.feed_forward)
        self.ff2 = nn.Linear(settings.feed_forward, d)
        self.norm2 = nn.LayerNorm(d)
        self.heads = settings.heads
        self.scale = 1 / math.sqrt(d // settings.heads if settings.scale == "head" else d)

    def split_heads(self, x: Tensor) -> Tensor:
        """`[batch, length, d]` to `[batch, heads, length, d / heads]`."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def attend(self, x: Sequence, source: "Stream", y: Sequence) -> Sequence:
        """This stream's rows `x` query the rows `y` of stream `source`, projected by its keys and values (6–14)."""
        q, k, v = self.split_heads(self.q(x.rows)), source.split_heads(source.k(y.rows)), source.split_heads(source.v(y.rows))
        scores = (q @ k.transpose(2, 3)) * self.scale
        weights = scores.masked_fill(~y.inside()[:, None, None, :], -math.inf).softmax(dim=3)
        heads = (weights @ v).transpose(1, 2).flatten(2)
        middle = self.norm1(x.rows + self.o(heads))
        return Sequence(self.norm2(middle + self.ff2(F.relu(self.ff1(middle)))), x.lengths)


class CrossLayer(nn.Module):
    """Each modality queries the other; both read the layer's inputs (6–14)."""

    def __init__(self, settings: Settings):
        super().__init__()
        self.audio = Stream(settings)
        self.text = Stream(settings)

    def forward(self, audio: Sequence, text: Sequence) -> tuple[Sequence, Sequence]:
        return self.audio.attend(audio, self.text, text), self.text.attend(text, self.audio, audio)


class Mcsan(nn.Module):
    def __init__(self, settings: Settings):
        super().__init__()
        self.settings = settings
        layers = range(settings.layers)
        if "audio" in settings.modalities:
            self.audio_encoder = AudioEncoder(settings)
        if "text" in settings.modalities:
            self.text_encoder = TextEncoder(settings.width, settings)
        if settings.has_cross:
            self.cross = nn.ModuleList(CrossLayer(settings) for _ in layers)
        if settings.has_self:
            for modality in settings.modalities:
                self.add_module(f"self_{modality}", nn.ModuleList(Stream(settings) for _ in layers))
        self.classifier = nn.Sequential(
            nn.Linear(settings.pooled_streams * settings.hidden, settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, settings.classes),
        )

    def forward(self, audio: list[Tensor], text: list[Tensor]) -> Tensor:
        """Logits `[batch, classes]`."""
        streams = {}
        if "audio" in self.settings.modalities:
            streams["audio"] = self.audio_encoder(stack(audio, FEWEST_FRAMES))
        if "text" in self.settings.modalities:
            streams["text"] = self.text_encoder(stack(text, 1))

        match self.settings.variant:
            case "full":
                pooled = [*self.cross_module(streams).values(), *self.self_module(streams).values()]
            case "no_self":
                pooled = self.cross_module(streams).values()
            case "no_audio" | "no_text" | "no_cross":
                pooled = self.self_module(streams).values()
            case "cross_self":
                pooled = self.self_module(self.cross_module(streams)).values()
            case "self_cross":
                pooled = self.cross_module(self.self_module(streams)).values()
        return self.classifier(torch.cat([sequence.global_max() for sequence in pooled], dim=1))

    def forward_alone(self, audio: list[Tensor], text: list[Tensor]) -> Tensor:
        """The same logits, every utterance computed on its own."""
        return torch.cat([self([a], [t]) for a, t in zip(audio, text, strict=True)])

    def cross_module(self, streams: dict[str, Sequence]) -> dict[str, Sequence]:
        audio, text = streams["audio"].with_position_embedding(), streams["text"].with_position_embedding()
        for layer in self.cross:
            audio, text = layer(audio, text)
        return {"audio": audio, "text": text}

    def self_module(self, streams: dict[str, Sequence]) -> dict[str, Sequence]:
        """One stack of layers (15–17) per modality."""
        outputs = {}
        for modality, x in streams.items():
            x = x.with_position_embedding()
            for layer in self.get_submodule(f"self_{modality}"):
                x = layer.attend(x, layer, x)
            outputs[modality] = x
        return outputs
