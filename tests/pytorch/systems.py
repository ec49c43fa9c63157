"""The systems that MCSAN is compared with, in PyTorch: the reference that `mcsan`'s numbers are compared with.

One utterance at a time, so that nothing is padded. Parameter names are those of `mcsan export`. The GRU is TensorFlow 1's, whose
reset gate stands before the product; `nn.GRU` has it behind.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mcsan


@dataclass(frozen=True)
class Sizes:
    """What the data decide."""

    coefficients: int = 40
    width: int = 12
    classes: int = 5
    pictures: int = 10
    functionals: int = 9


class Gru(nn.Module):
    """`r, u = σ(x W + h U + b)`, `c = tanh(x W_c + (r h) U_c + b_c)`, `h = u h + (1 - u) c`; gates in the order r, u, c."""

    def __init__(self, inputs: int, hidden: int, bidirectional: bool = False):
        super().__init__()
        self.hidden = hidden
        self.directions = ("", "_reverse") if bidirectional else ("",)
        for direction in self.directions:
            self.register_parameter(f"weight_ih_l0{direction}", nn.Parameter(torch.randn(3 * hidden, inputs) / inputs**0.5))
            self.register_parameter(f"weight_hh_l0{direction}", nn.Parameter(torch.randn(3 * hidden, hidden) / hidden**0.5))
            self.register_parameter(f"bias_l0{direction}", nn.Parameter(torch.randn(3 * hidden) / 2))

    def run(self, x: Tensor, direction: str) -> Tensor:
        weight = {name: getattr(self, f"{name}_l0{direction}") for name in ("weight_ih", "weight_hh", "bias")}
        h, size = x.new_zeros(self.hidden), self.hidden
        states = []
        for row in x if direction == "" else x.flip(0):
            z = weight["weight_ih"] @ row + weight["bias"]
            gates = torch.sigmoid(z[: 2 * size] + weight["weight_hh"][: 2 * size] @ h)
            r, u = gates[:size], gates[size:]
            c = torch.tanh(z[2 * size :] + weight["weight_hh"][2 * size :] @ (r * h))
            h = u * h + (1 - u) * c
            states.append(h)
        stacked = torch.stack(states)
        return stacked if direction == "" else stacked.flip(0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """States `[rows, directions · hidden]`, and the one that each direction ends with, side by side."""
        states = [self.run(x, direction) for direction in self.directions]
        ends = [state[-1 if number == 0 else 0] for number, state in enumerate(states)]
        return torch.cat(states, dim=1), torch.cat(ends)


def pool(query: Tensor, rows: Tensor) -> Tensor:
    return torch.softmax(rows @ query, dim=0) @ rows


def at_least_one(x: Tensor) -> Tensor:
    """A stream that an utterance lacks is one row of zeros."""
    return x if len(x) else x.new_zeros(1, x.shape[1])


class System(nn.Module):
    """`one` gives an utterance's logits from its frames, word vectors and, where it reads them, pictures."""

    def forward(self, *streams: list[Tensor]) -> Tensor:
        return torch.stack([self.one(*map(at_least_one, utterance)) for utterance in zip(*streams, strict=True)])

    forward_alone = forward


class Encoder(nn.Module):
    """Holds a `gru` or an `lstm`, and a `proj` before it."""


class Mdre(System):
    def __init__(self, sizes: Sizes, hidden: int, attention: bool):
        super().__init__()
        self.attention = attention
        self.audio_encoder, self.text_encoder = Encoder(), Encoder()
        self.audio_encoder.gru = Gru(sizes.coefficients, hidden)
        self.text_encoder.gru = Gru(sizes.width, hidden)
        if attention:
            self.query = nn.Linear(hidden, hidden)
            self.classifier = nn.Linear(2 * hidden, sizes.classes)
        else:
            self.audio_projection = nn.Linear(hidden, hidden // 2)
            self.text_projection = nn.Linear(hidden, hidden // 2)
            self.classifier = nn.Linear(2 * (hidden // 2), sizes.classes)

    def one(self, audio: Tensor, text: Tensor) -> Tensor:
        _, a = self.audio_encoder.gru(audio)
        states, t = self.text_encoder.gru(text)
        if self.attention:
            query = self.query(a)
            return self.classifier(torch.cat([pool(query, states), query]))
        return self.classifier(torch.cat([self.audio_projection(a), self.text_projection(t)]))


class Mha(System):
    def __init__(self, sizes: Sizes, hidden: int, hops: int, projection: bool, cell: str = "gru"):
        super().__init__()
        self.chain, self.cell = hops, cell
        self.audio_encoder, self.text_encoder = Encoder(), Encoder()
        for encoder, inputs in ((self.audio_encoder, sizes.coefficients), (self.text_encoder, sizes.width)):
            encoder.proj = nn.Linear(inputs, hidden)
            if cell == "gru":
                encoder.gru = Gru(hidden, hidden, bidirectional=True)
            else:
                encoder.lstm = nn.LSTM(hidden, hidden, bidirectional=True)
        self.hops = nn.ModuleList(nn.Linear(2 * hidden, 2 * hidden) for _ in range(hops if projection else 0))
        self.classifier = nn.Linear(4 * hidden, sizes.classes)

    def one(self, audio: Tensor, text: Tensor) -> Tensor:
        encoded = []
        for encoder, x in ((self.audio_encoder, audio), (self.text_encoder, text)):
            projected = encoder.proj(x)
            if self.cell == "gru":
                states, last = encoder.gru(projected)
            else:
                states, (ends, _) = encoder.lstm(projected)
                last = ends.flatten()
            encoded.append((states + torch.cat([projected, projected], dim=1), last))
        newest = [last for _, last in encoded]
        for hop in range(self.chain):
            asking, asked = (0, 1) if hop % 2 == 0 else (1, 0)
            query = self.hops[hop](newest[asking]) if len(self.hops) else newest[asking]
            newest[asked] = pool(query, encoded[asked][0])
        return self.classifier(torch.cat(newest))


class Xu(System):
    def __init__(self, sizes: Sizes, dense: int, hidden: int, heads: int):
        super().__init__()
        width = 2 * hidden
        self.heads = heads
        self.audio_encoder, self.text_encoder, self.fusion, self.pooling = Encoder(), Encoder(), Encoder(), Encoder()
        self.audio_encoder.proj = nn.Linear(sizes.coefficients, dense)
        self.audio_encoder.gru = Gru(dense, hidden, bidirectional=True)
        self.text_encoder.gru = Gru(sizes.width, hidden, bidirectional=True)
        self.attention = nn.ModuleDict({name: nn.Linear(width, width) for name in "qkvo"})
        self.fusion.gru = Gru(2 * width, hidden, bidirectional=True)
        self.pooling.proj = nn.Linear(width, width)
        self.pooling.query = nn.Parameter(torch.randn(width) / 2)
        self.classifier = nn.Linear(width, sizes.classes)

    def one(self, audio: Tensor, text: Tensor) -> Tensor:
        states, _ = self.audio_encoder.gru(F.relu(self.audio_encoder.proj(audio)))
        words, _ = self.text_encoder.gru(text)
        q, k, v = (self.attention[name](x).unflatten(1, (self.heads, -1)).transpose(0, 1) for name, x in zip("qkv", (words, states, states)))
        weights = (q @ k.transpose(1, 2) / q.shape[2] ** 0.5).softmax(dim=2)
        attended = self.attention["o"]((weights @ v).transpose(0, 1).flatten(1))
        fused, _ = self.fusion.gru(torch.cat([attended, words], dim=1))
        scores = torch.tanh(self.pooling.proj(fused)) @ self.pooling.query
        return self.classifier(torch.softmax(scores, dim=0) @ fused)


class XuPaper(System):
    def __init__(self, sizes: Sizes, hidden: int):
        super().__init__()
        width = 2 * hidden
        self.audio_encoder, self.text_encoder, self.fusion, self.alignment = Encoder(), Encoder(), Encoder(), Encoder()
        self.audio_encoder.lstm = nn.LSTM(sizes.coefficients, hidden, bidirectional=True)
        self.text_encoder.lstm = nn.LSTM(sizes.width, hidden, bidirectional=True)
        self.alignment.audio = nn.Linear(width, 1, bias=False)
        self.alignment.text = nn.Linear(width, 1)
        self.fusion.lstm = nn.LSTM(2 * width, hidden, bidirectional=True)
        self.classifier = nn.Linear(width, sizes.classes)

    def one(self, audio: Tensor, text: Tensor) -> Tensor:
        states, _ = self.audio_encoder.lstm(audio)
        words, _ = self.text_encoder.lstm(text)
        scores = torch.tanh(self.alignment.audio(states).T + self.alignment.text(words))
        aligned = torch.softmax(scores, dim=1) @ states
        fused, _ = self.fusion.lstm(torch.cat([aligned, words], dim=1))
        return self.classifier(fused.amax(dim=0))


class Amh(System):
    CHAIN = (((0, 1), 2), ((1, 2), 0), ((0, 2), 1))

    def __init__(self, sizes: Sizes, hidden: int, visual_hidden: int, hops: int):
        super().__init__()
        widths, inputs = (hidden, hidden, visual_hidden), (sizes.coefficients, sizes.width, sizes.pictures)
        for name, width, columns in zip(("audio", "text", "visual"), widths, inputs, strict=True):
            encoder = Encoder()
            encoder.gru = Gru(columns, width)
            self.add_module(f"{name}_encoder", encoder)
        chain = [self.CHAIN[hop % 3] for hop in range(hops)]
        self.hops = nn.ModuleList(nn.Linear(sum(widths[one] for one in asking), widths[asked]) for asking, asked in chain)
        self.classifier = nn.Linear(sum(widths), sizes.classes)

    def one(self, audio: Tensor, text: Tensor, visual: Tensor) -> Tensor:
        encoders = (self.audio_encoder, self.text_encoder, self.visual_encoder)
        states, newest = map(list, zip(*(encoder.gru(x) for encoder, x in zip(encoders, (audio, text, visual)))))
        for hop, projection in enumerate(self.hops):
            asking, asked = self.CHAIN[hop % 3]
            newest[asked] = pool(projection(torch.cat([newest[one] for one in asking])), states[asked])
        return self.classifier(torch.cat(newest))


class Mcsan3(System):
    """MCSAN over three modalities: each attends to the other two, whose heads are added up before W^O, or in a layer for each."""

    MODALITIES = ("audio", "text", "visual")

    def __init__(self, sizes: Sizes, settings: mcsan.Settings, separate: bool):
        super().__init__()
        width = settings.hidden
        self.audio_encoder = mcsan.AudioEncoder(settings)
        self.text_encoder = mcsan.TextEncoder(sizes.width, settings)
        self.visual_encoder = mcsan.TextEncoder(width, settings)
        self.visual_encoder.proj = nn.Linear(sizes.pictures, width)
        pairs = [(receiver, giver) for receiver in self.MODALITIES for giver in self.MODALITIES if receiver != giver]
        # Name of a crossed sequence: its receiver, and the names of what it attends to.
        self.crossed = (
            {f"{r}_from_{g}": (r, [f"{g}_from_{r}"]) for r, g in pairs}
            if separate
            else {r: (r, [g for receiver, g in pairs if receiver == r]) for r in self.MODALITIES}
        )
        layers = range(settings.layers)
        self.cross = nn.ModuleList(nn.ModuleDict({name: mcsan.Stream(settings) for name in self.crossed}) for _ in layers)
        for modality in self.MODALITIES:
            self.add_module(f"self_{modality}", nn.ModuleList(mcsan.Stream(settings) for _ in layers))
        self.classifier = nn.Sequential(
            nn.Linear((len(self.crossed) + 3) * width, width), nn.ReLU(), nn.Linear(width, sizes.classes)
        )

    def one(self, audio: Tensor, text: Tensor, visual: Tensor) -> Tensor:
        encoded = {
            "audio": self.audio_encoder(mcsan.stack([audio], mcsan.FEWEST_FRAMES)),
            "text": self.text_encoder(mcsan.stack([text], 1)),
            "visual": self.visual_encoder(mcsan.stack([self.visual_encoder.proj(visual)], 1)),
        }
        encoded = {name: sequence.with_position_embedding() for name, sequence in encoded.items()}
        crossed = {name: encoded[receiver] for name, (receiver, _) in self.crossed.items()}
        for layer in self.cross:
            crossed = {name: attend(layer, name, givers, crossed) for name, (_, givers) in self.crossed.items()}
        reflected = []
        for name, x in encoded.items():
            for layer in self.get_submodule(f"self_{name}"):
                x = layer.attend(x, layer, x)
            reflected.append(x)
        pooled = [sequence.global_max() for sequence in [*crossed.values(), *reflected]]
        return self.classifier(torch.cat(pooled, dim=1))[0]


def attend(layer: nn.ModuleDict, name: str, givers: list[str], sequences: dict[str, mcsan.Sequence]) -> mcsan.Sequence:
    own, x = layer[name], sequences[name]
    q, heads = own.split_heads(own.q(x.rows)), 0
    for giver in givers:
        rows = sequences[giver].rows
        k, v = (own.split_heads(part(rows)) for part in (layer[giver].k, layer[giver].v))
        heads = heads + (q @ k.transpose(2, 3) * own.scale).softmax(dim=3) @ v
    middle = own.norm1(x.rows + own.o(heads.transpose(1, 2).flatten(2)))
    return mcsan.Sequence(own.norm2(middle + own.ff2(F.relu(own.ff1(middle)))), x.lengths)


class Can(System):
    def __init__(self, sizes: Sizes, hidden: int):
        super().__init__()
        self.audio_encoder, self.text_encoder = Encoder(), Encoder()
        self.audio_encoder.lstm = nn.LSTM(sizes.coefficients, hidden, bidirectional=True)
        self.text_encoder.lstm = nn.LSTM(sizes.width, hidden, bidirectional=True)
        self.audio_query = nn.Parameter(torch.randn(2 * hidden) / 2)
        self.text_query = nn.Parameter(torch.randn(2 * hidden) / 2)
        self.classifier = nn.Linear(8 * hidden, sizes.classes)

    def one(self, audio: Tensor, text: Tensor) -> Tensor:
        rows, _ = self.audio_encoder.lstm(audio)
        words, _ = self.text_encoder.lstm(text)
        frames, count = len(audio), len(text)
        begins = [word * frames // count for word in range(count + 1)]
        segments = torch.stack([rows[begin : max(end, begin + 1)].mean(dim=0) for begin, end in zip(begins, begins[1:])])
        of_audio = torch.softmax(segments @ self.audio_query, dim=0)
        of_text = torch.softmax(words @ self.text_query, dim=0)
        sums = [of_audio @ segments, of_text @ words, of_audio.detach() @ words, of_text.detach() @ segments]
        return self.classifier(torch.cat(sums))


class Cmkl(System):
    """The network over words; the SVM on its features is no part of it."""

    WIDTHS = (3, 4, 5)

    def __init__(self, sizes: Sizes, maps: int, features: int):
        super().__init__()
        self.text_encoder = Encoder()
        for width in self.WIDTHS:
            self.text_encoder.add_module(f"conv{width}", nn.Linear(width * sizes.width, maps))
        self.features = nn.Linear(len(self.WIDTHS) * maps, features)
        self.classifier = nn.Linear(features, sizes.classes)

    def one(self, audio: Tensor, text: Tensor) -> Tensor:
        text = F.pad(text, (0, 0, 0, max(self.WIDTHS[-1] - len(text), 0)))
        pooled = [
            F.relu(self.text_encoder.get_submodule(f"conv{width}")(text.unfold(0, width, 1).transpose(1, 2).flatten(1))).amax(dim=0)
            for width in self.WIDTHS
        ]
        return self.classifier(torch.tanh(self.features(torch.cat(pooled))))


class Liang(System):
    """Auto-encoders of functionals and words; `terms` is what the loss has besides the logits'."""

    def __init__(self, sizes: Sizes, hidden: int):
        super().__init__()

        def layers(*widths: int) -> list[nn.Module]:
            pairs = zip(widths, widths[1:])
            return [layer for one, other in pairs for layer in (nn.Linear(one, other), nn.ReLU())]

        self.text_encoder = Encoder()
        self.text_encoder.lstm = nn.LSTM(sizes.width, hidden, bidirectional=True)
        self.audio_encoder = nn.Sequential(*layers(sizes.functionals, 4 * hidden, 2 * hidden, hidden))
        self.audio_decoder = nn.Sequential(*layers(hidden, 2 * hidden, 4 * hidden, sizes.functionals)[:-1])
        self.text_decoder = nn.Sequential(*layers(hidden, 2 * hidden, sizes.width)[:-1])
        self.classifier = nn.Sequential(*layers(2 * hidden, hidden // 2, hidden // 8, sizes.classes)[:-1])
        # So that none of its few units is silent for all utterances.
        for layer in self.classifier[::2]:
            nn.init.constant_(layer.bias, 0.5)

    def forward(self, audio: list[Tensor], text: list[Tensor], functionals: Tensor) -> Tensor:
        text = [at_least_one(words) for words in text]
        both = [self.text_encoder.lstm(words)[0].unflatten(1, (2, -1)).mean(dim=1) for words in text]
        self.codes = self.audio_encoder(functionals), torch.stack([rows.max(dim=0).values for rows in both])
        self.targets = functionals, torch.stack([words.mean(dim=0) for words in text])
        return self.classifier(torch.cat(self.codes, dim=1))

    forward_alone = forward

    def terms(self, meant: Tensor) -> Tensor:
        """Those of the utterances that are `meant`, as one batch."""
        audio, text = (code[meant] for code in self.codes)
        functionals, means = (target[meant] for target in self.targets)
        squares = F.mse_loss(self.audio_decoder(audio), functionals) + F.mse_loss(self.text_decoder(text), means)
        half = len(audio) // 2
        return 0.2 * squares + 0.1 * mmd(audio, text) - 0.1 * mmd(audio[:half], text[half : 2 * half])


def mmd(x: Tensor, y: Tensor) -> Tensor:
    """Five Gaussian kernels, the narrowest a quarter of the mean squared distance of different rows, which counts as constant."""
    rows = torch.cat([x, y])
    squares = (rows[:, None] - rows[None]).square().sum(dim=2)
    count = len(rows)
    width = squares.detach().sum() / (count * count - count) / 4
    kernels = sum(torch.exp(-squares / (width * 2**number)) for number in range(5))
    signs = torch.cat([torch.ones(len(x)), -torch.ones(len(y))]).to(rows.dtype)
    return (kernels * signs[:, None] * signs[None]).sum() / len(x) ** 2


SMALL = {"model.hidden": 8, "model.heads": 2, "model.feed_forward": 12}


def small(layers: int) -> mcsan.Settings:
    return mcsan.Settings(width=12, classes=5, layers=layers, hidden=8, heads=2, feed_forward=12)


# Name of the case: its settings, and its network.
SYSTEM_CASES = {
    "mdre": ({"model.system": "mdre", "mdre.hidden": 9}, lambda sizes: Mdre(sizes, 9, attention=False)),
    "mdre_softmax": (
        {"model.system": "mdre", "mdre.hidden": 8, "mdre.loss": "softmax"},
        lambda sizes: Mdre(sizes, 8, attention=False),
    ),
    "mdrea": ({"model.system": "mdrea", "mdre.hidden": 12}, lambda sizes: Mdre(sizes, 12, attention=True)),
    "mha": ({"model.system": "mha", "mha.hidden": 6}, lambda sizes: Mha(sizes, 6, 2, projection=True)),
    "mha_chain": (
        {"model.system": "mha", "mha.hidden": 5, "mha.hops": 3, "mha.projection": False},
        lambda sizes: Mha(sizes, 5, 3, projection=False),
    ),
    "xu": (
        {"model.system": "xu", "xu.dense": 11, "xu.hidden": 5, "xu.heads": 2, "xu.dropout": 0.0},
        lambda sizes: Xu(sizes, 11, 5, 2),
    ),
    "amh": (
        {"model.system": "amh", "amh.hidden": 6, "amh.visual_hidden": 5, "amh.hops": 4},
        lambda sizes: Amh(sizes, 6, 5, 4),
    ),
    "mcsan3": (SMALL | {"model.system": "mcsan3", "model.layers": 2}, lambda sizes: Mcsan3(sizes, small(2), separate=False)),
    "mcsan3_separate": (
        SMALL | {"model.system": "mcsan3", "trimodal.cross": "separate"},
        lambda sizes: Mcsan3(sizes, small(1), separate=True),
    ),
    "can": ({"model.system": "can", "can.hidden": 7}, lambda sizes: Can(sizes, 7)),
    "mha_lstm": (
        {"model.system": "mha", "mha.hidden": 6, "mha.cell": "lstm"},
        lambda sizes: Mha(sizes, 6, 2, projection=True, cell="lstm"),
    ),
    "cmkl": ({"model.system": "cmkl", "cmkl.maps": 6, "cmkl.features": 10}, lambda sizes: Cmkl(sizes, 6, 10)),
    "xu_paper": (
        {"model.system": "xu", "xu.form": "paper", "xu.hidden": 6, "xu.dropout": 0.0},
        lambda sizes: XuPaper(sizes, 6),
    ),
    "liang": ({"model.system": "liang", "liang.hidden": 16}, lambda sizes: Liang(sizes, 16)),
    "liang_unlabelled": ({"model.system": "liang", "liang.hidden": 16}, lambda sizes: Liang(sizes, 16)),
}
WITHOUT_DROPOUT = {
    f"{section}.{modality}_dropout": 0.0 for section in ("mdre", "mha", "amh", "can") for modality in ("audio", "text")
} | {"amh.visual_dropout": 0.0, "cmkl.dropout": 0.0}


@dataclass
class SigmoidObjective:
    """The mean over utterances, by class weights, and over classes of the sigmoid's cross-entropy, with a smoothed target."""

    class_weights: list[float] | None = None
    label_smoothing: float = 0.0

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        classes = logits.shape[1]
        target = F.one_hot(labels, classes).to(logits.dtype) * (1 - self.label_smoothing) + self.label_smoothing / classes
        each = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=1)
        weights = torch.ones_like(each) if self.class_weights is None else logits.new_tensor(self.class_weights)[labels]
        return (weights * each).sum() / weights.sum()
