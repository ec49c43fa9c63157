"""The work of `cargo bench` in PyTorch: a training step, inference, the MFCC of long audio; one JSON line of seconds.

    python benches/pytorch_step.py --device cpu|cuda [--batch 32] [--frames 1000] [--words 50]
        [--ragged [--packed] [--parts 4]] [--mixed] [--compile] [--what step|infer|mfcc] [--hours 1]

The modules and parameters are those of `tests/pytorch/mcsan.py`; the forward pass here is the one that is quick in
PyTorch: no mask where all lengths are equal, fused attention and Adam. The batch is on the device before the clock runs.

Without `--ragged` every utterance has all frames and words. With it, lengths are those of `mcsan profile --shape ..,ragged`,
padded to the longest and masked; `--packed` lets the LSTMs skip the padding (without it their reverse direction starts
in it, which is cheaper to say and not the same result); `--parts N` sorts by length and cuts the batch in N parts, each padded
to its own longest, whose gradients sum up to the batch's.
"""

import argparse
import json
import resource
import signal
import statistics
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/pytorch"))
from mcsan import Mcsan, Settings, Stream, TextEncoder, position_embedding  # noqa: E402

SHORTEST = 9
SAMPLE_RATE = 16_000
CLIP_SECONDS = 5


def ragged_lengths(batch: int, most: int, least: int) -> list[int]:
    """IEMOCAP-like lengths, as INTERFACE's `ragged` draws them: mean 45 % of the maximum, the same everywhere."""
    stride = 1 if batch % 13 == 0 else 13

    def share(utterance: int) -> float:
        rank = (stride * utterance + (0 if stride == 1 else 5)) % batch
        return 1.0 if rank == batch - 1 else 0.1 + 0.9 * ((rank + 0.5) / batch) ** (11 / 7)

    return [max(least, round(share(utterance) * most)) for utterance in range(batch)]


@dataclass
class Rows:
    """Lengths of one modality at one rate; the masks are none where nothing is padded."""

    lengths: Tensor
    """`[batch]`, on the host, where packing wants it."""
    inside: Tensor | None
    """`[batch, longest, 1]`"""

    @classmethod
    def of(cls, lengths: list[int], device: str) -> "Rows":
        lengths = torch.tensor(lengths)
        longest = int(lengths.max())
        padded = bool((lengths < longest).any())
        return cls(lengths, (torch.arange(longest)[None] < lengths[:, None])[:, :, None].to(device) if padded else None)

    def keys(self) -> Tensor | None:
        """`[batch, 1, 1, longest]`: which keys may be seen."""
        return None if self.inside is None else self.inside.transpose(1, 2)[:, None]


@dataclass
class Part:
    """Some utterances, padded to the longest of them."""

    audio: Tensor
    text: Tensor
    labels: Tensor
    pooled: Rows
    frames: Rows
    words: Rows
    share: float
    """Of the batch."""

    @classmethod
    def drawn(cls, frames: list[int], words: list[int], whole: int, device: str) -> "Part":
        batch = len(frames)

        def matrix(lengths: list[int], columns: int) -> Tensor:
            rows = torch.randn(batch, max(lengths), columns)
            rows[torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None]] = 0
            return rows.to(device)

        return cls(
            audio=matrix(frames, 40),
            text=matrix(words, 300),
            labels=torch.randint(7, (batch,)).to(device),
            pooled=Rows.of([length // 3 for length in frames], device),
            frames=Rows.of([length // 9 for length in frames], device),
            words=Rows.of(words, device),
            share=batch / whole,
        )


class Quick(torch.nn.Module):
    """The forward pass of [`Mcsan`] on tensors that are padded already."""

    def __init__(self, packed: bool):
        super().__init__()
        self.net = Mcsan(Settings())
        self.packed = packed
        self.register_buffer("positions", position_embedding(1024, 128).float())

    def forward(self, part: Part) -> Tensor:
        net = self.net
        audio = self.convolved(part).transpose(1, 2)
        audio = self.positioned(self.recurrent(net.audio_encoder, audio, part.frames))
        text = self.positioned(self.recurrent(net.text_encoder, part.text, part.words))
        layer = net.cross[0]
        streams = [
            (self.attend(layer.audio, audio, layer.text, text, part.words), part.frames),
            (self.attend(layer.text, text, layer.audio, audio, part.frames), part.words),
            (self.attend(net.self_audio[0], audio, net.self_audio[0], audio, part.frames), part.frames),
            (self.attend(net.self_text[0], text, net.self_text[0], text, part.words), part.words),
        ]
        return net.classifier(torch.cat([global_max(x, rows) for x, rows in streams], dim=1))

    def convolved(self, part: Part) -> Tensor:
        """`[batch, channels, rows]`"""
        encoder = self.net.audio_encoder
        x = F.max_pool1d(encoder.conv1(part.audio.transpose(1, 2)), 3)
        if part.pooled.inside is not None:
            x = x * part.pooled.inside.transpose(1, 2)
        return F.max_pool1d(encoder.conv2(x), 3)

    def recurrent(self, encoder: TextEncoder, x: Tensor, rows: Rows) -> Tensor:
        if self.packed:
            packed = pack_padded_sequence(x, rows.lengths, batch_first=True, enforce_sorted=False)
            y, _ = pad_packed_sequence(encoder.lstm(packed)[0], batch_first=True)
        else:
            y, _ = encoder.lstm(x)
        ahead, reverse = y.chunk(2, dim=2)
        return (ahead + reverse) / 2

    def positioned(self, x: Tensor) -> Tensor:
        return x + self.positions[: x.shape[1]]

    @staticmethod
    def attend(stream: Stream, x: Tensor, source: Stream, y: Tensor, rows: Rows) -> Tensor:
        q, k, v = stream.split_heads(stream.q(x)), source.split_heads(source.k(y)), source.split_heads(source.v(y))
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=rows.keys(), scale=stream.scale)
        middle = stream.norm1(x + stream.o(heads.transpose(1, 2).flatten(2)))
        return stream.norm2(middle + stream.ff2(F.relu(stream.ff1(middle))))


def global_max(x: Tensor, rows: Rows) -> Tensor:
    return (x if rows.inside is None else x.masked_fill(~rows.inside, -torch.inf)).max(dim=1).values


def parts_of(options: argparse.Namespace) -> list[Part]:
    if options.ragged:
        frames = ragged_lengths(options.batch, options.frames, SHORTEST)
        words = ragged_lengths(options.batch, options.words, 1)
    else:
        frames, words = [options.frames] * options.batch, [options.words] * options.batch
    order = sorted(range(options.batch), key=lambda utterance: frames[utterance]) if options.parts > 1 else range(options.batch)
    pieces = torch.tensor(list(order)).chunk(options.parts)
    of = lambda lengths, piece: [lengths[utterance] for utterance in piece.tolist()]  # noqa: E731
    return [Part.drawn(of(frames, piece), of(words, piece), options.batch, options.device) for piece in pieces]


def work(options: argparse.Namespace):
    """What is timed, as a function."""
    if options.what == "mfcc":
        return mfcc(options)
    model = Quick(options.packed).to(options.device)
    forward = torch.compile(model) if options.compile else model
    mixed = torch.autocast(options.device, torch.bfloat16) if options.mixed else nullcontext()
    parts = parts_of(options)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step():
        optimiser.zero_grad()
        for part in parts:
            with mixed:
                loss = F.cross_entropy(forward(part).float(), part.labels) * part.share
            loss.backward()
        optimiser.step()

    def infer():
        with torch.inference_mode(), mixed:
            for part in parts:
                forward(part).cpu()

    return step if options.what == "step" else infer


def mfcc(options: argparse.Namespace):
    """Clips of five seconds, a minute at a time."""
    from torchaudio.transforms import MFCC

    spectrum = dict(n_fft=512, win_length=400, hop_length=160, n_mels=128, norm="slaney", mel_scale="slaney", pad_mode="constant")
    transform = MFCC(SAMPLE_RATE, 40, melkwargs=spectrum).to(options.device)
    minute = torch.randn(60 // CLIP_SECONDS, CLIP_SECONDS * SAMPLE_RATE, device=options.device)

    def run():
        with torch.inference_mode():
            for _ in range(max(1, round(60 * options.hours))):
                transform(minute)

    return run


class Terminated(Exception):
    """The signal with which `timeout` ends a program."""


def measure(run, options: argparse.Namespace) -> dict:
    """Times `run`; of a program that is terminated the runs so far."""

    def terminate(*_):
        raise Terminated

    wait = torch.cuda.synchronize if options.device == "cuda" else lambda: None
    wall, user = [], []
    signal.signal(signal.SIGTERM, terminate)
    try:
        for turn in range(options.warm_up + options.runs):
            before, started = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
            run()
            wait()
            if turn >= options.warm_up:
                wall.append(time.perf_counter() - started)
                user.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - before)
    except Terminated:
        if not user:
            sys.exit("terminated before the first timed run")
    return {"runs": len(user), "median": statistics.median(wall), "min": min(wall), "user_min": min(user)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--what", choices=["step", "infer", "mfcc"], default="step")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--words", type=int, default=50)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--ragged", action="store_true")
    parser.add_argument("--packed", action="store_true")
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--mixed", action="store_true", help="bfloat16 where autocast sees fit")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--runs", type=int, default=20)
    return parser.parse_args()


def main():
    options = arguments()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    figures = measure(work(options), options)
    name = torch.cuda.get_device_name() if options.device == "cuda" else f"cpu, {options.threads} threads"
    print(json.dumps({"pytorch": torch.__version__, "name": name, **vars(options), **figures}))


if __name__ == "__main__":
    main()
