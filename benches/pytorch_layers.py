"""The kernels of the systems that MCSAN is compared with, as layers in PyTorch: what `cargo bench --bench kernels` holds against them.

    python benches/pytorch_layers.py [--device cpu|cuda] [--batch 256] [--threads 1] [--seconds 2] [--only gru,windows]

One line a layer: its name and sizes as the bench has them, and the least and the median milliseconds of what the bench does, too: two
ways forward and back on the same leaves, whose gradients add up; one call of what has no leaves or is a loss. Gradients are matrices of
their own, as ours are: of a concatenation PyTorch hands out views, which are copied here.
Sequences are ragged as `mcsan profile --shape ..,ragged` draws them, and padded to the longest as PyTorch wants them; the GRU packs them.
PyTorch's own GRU has its reset gate behind the product: as much work, another result.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from pytorch_step import ragged_lengths

Work = Callable[[], Tensor | tuple[Tensor, ...]]


def random(*shape: int) -> Tensor:
    return torch.rand(shape, device=DEVICE) * 2 - 1


def wanted(*shape: int) -> Tensor:
    return random(*shape).requires_grad_()


def inside(lengths: list[int]) -> Tensor:
    """`[batch, longest]`: whether a row is one of the sequence's."""
    return torch.arange(max(lengths), device=DEVICE) < torch.tensor(lengths, device=DEVICE)[:, None]


def gru(batch: int, rows: int, inputs: int, hidden: int, both: bool) -> tuple[Work, list[Tensor]]:
    layer = nn.GRU(inputs, hidden, batch_first=True, bidirectional=both, device=DEVICE)
    x, lengths = wanted(batch, rows, inputs), torch.tensor(ragged_lengths(batch, rows, 1))
    packed = lambda: layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[0].data  # noqa: E731
    return packed, [x, *layer.parameters()]


def layers(batch: int) -> Iterator[tuple[str, Work, list[Tensor]]]:
    for rows, inputs, hidden, both in ((111, 120, 200, False), (50, 300, 100, True)):
        sizes = f"rows={rows},in={inputs},hidden={hidden}{',both' if both else ''}"
        yield f"gru batch={batch},{sizes},ragged", *gru(batch, rows, inputs, hidden, both)

    words, x = sum(ragged_lengths(batch, 50, 1)), wanted(batch, 50, 128)
    yield f"windows batch={batch},rows=50,size=5,ragged", lambda: x.unfold(1, 5, 1).flatten(2).contiguous(), [x]

    lengths = ragged_lengths(words, 20, 1)
    frames, owners = wanted(sum(lengths), 200), torch.arange(words, device=DEVICE).repeat_interleave(torch.tensor(lengths, device=DEVICE))
    counts = torch.tensor(lengths, device=DEVICE)[:, None]
    yield (
        f"segment_mean batch={words},lengths=20,ragged",
        lambda: torch.zeros(words, 200, device=DEVICE).index_add(0, owners, frames) / counts,
        [frames],
    )

    rows, query, alpha, scores = wanted(batch, 333, 400), wanted(batch, 400), wanted(batch, 333), wanted(batch, 333)
    mask = inside(ragged_lengths(batch, 333, 1))
    yield f"row_scores batch={batch},rows=333,width=400,ragged", lambda: (rows @ query[:, :, None])[:, :, 0], [rows, query]
    yield (
        f"segment_softmax batch={batch},rows=333,ragged",
        lambda: scores.masked_fill(~mask, -torch.inf).softmax(dim=1),
        [scores],
    )
    yield f"weighted_sum batch={batch},rows=333,width=400,ragged", lambda: (alpha[:, None] @ rows)[:, 0], [alpha, rows]

    pooled = sum(length // 9 for length in ragged_lengths(batch, 1000, 9))
    first, second, both = wanted(pooled, 200), wanted(pooled, 200), wanted(pooled, 400)
    yield f"concat rows={pooled},columns=200+200", lambda: torch.cat([first, second], dim=1), [first, second]
    yield f"columns rows={pooled},first=100,columns=200", lambda: both[:, 100:300].contiguous(), [both]

    yield from mcsan_layers(batch, pooled)

    logits, labels = wanted(batch, 7), torch.randint(7, (batch,), device=DEVICE)
    target = F.one_hot(labels, 7).float()
    yield (
        f"sigmoid_cross_entropy batch={batch}",
        lambda: F.binary_cross_entropy_with_logits(logits, target),
        [logits],
    )
    guess, truth = wanted(batch, 1582), random(batch, 1582)
    yield f"mse rows={batch},width=1582", lambda: F.mse_loss(guess, truth), [guess]
    one, other = wanted(batch, 128), wanted(batch, 128)
    yield f"mmd rows={batch}", lambda: discrepancy(one, other), [one, other]

    word_scores, frame_scores, spoken = wanted(batch, 50, 1), wanted(batch, 1, 700), wanted(batch, 700, 200)
    heard = inside(ragged_lengths(batch, 700, 1))[:, None]
    yield (
        f"additive_alignment batch={batch},words=50,frames=700,ragged",
        lambda: torch.tanh(word_scores + frame_scores).masked_fill(~heard, -torch.inf).softmax(dim=2) @ spoken,
        [word_scores, frame_scores, spoken],
    )
    contours = random(batch, 1000, 120)
    yield f"functionals batch={batch},frames=1000", lambda: functionals(contours), []

    table, tokens = wanted(3000, 300), torch.randint(3000, (words,), device=DEVICE)
    yield f"embedding rows={words}", lambda: F.embedding(tokens, table), [table]


def mcsan_layers(batch: int, pooled: int) -> Iterator[tuple[str, Work, list[Tensor]]]:
    """Those that MCSAN itself has; convolution and attention compute on the padding, the LSTM is packed."""
    for inputs, outputs, through in ((128, 128, None), (128, 512, F.relu), (512, 128, None)):
        x, weight, bias = wanted(pooled, inputs), wanted(outputs, inputs), wanted(outputs)
        product = lambda x=x, weight=weight, bias=bias, through=through: (through or (lambda y: y))(F.linear(x, weight, bias))  # noqa: E731
        yield f"linear rows={pooled},in={inputs},out={outputs}{',relu' if through else ''}", product, [x, weight, bias]

    for frames, inputs in ((1000, 40), (333, 128)):
        x, layer = wanted(batch, inputs, frames), nn.Conv1d(inputs, 128, 3, padding=1, device=DEVICE)
        convolved = lambda x=x, layer=layer: F.max_pool1d(layer(x), 3)  # noqa: E731
        yield f"conv_pool batch={batch},frames={frames},in={inputs},out=128,ragged", convolved, [x, *layer.parameters()]

    for rows, inputs in ((111, 128), (50, 300)):
        layer = nn.LSTM(inputs, 128, batch_first=True, bidirectional=True, device=DEVICE)
        x, lengths = wanted(batch, rows, inputs), torch.tensor(ragged_lengths(batch, rows, 1))
        mean = lambda x=x, layer=layer, lengths=lengths: (  # noqa: E731
            layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[0].data.unflatten(1, (2, 128)).mean(dim=1)
        )
        yield f"bilstm batch={batch},rows={rows},in={inputs},ragged", mean, [x, *layer.parameters()]

    for queries in (111, 50):
        q, k, v = (wanted(batch, 8, rows, 16) for rows in (queries, 111, 111))
        mask = inside(ragged_lengths(batch, 111, 1))[:, None, None]
        attention = lambda q=q, k=k, v=v, mask=mask: F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # noqa: E731
        yield f"attention batch={batch},queries={queries},keys=111,ragged", attention, [q, k, v]

    x, residual, scale, shift = wanted(pooled, 128), wanted(pooled, 128), wanted(128), wanted(128)
    yield f"residual_norm rows={pooled}", lambda: F.layer_norm(x + residual, (128,), scale, shift), [x, residual, scale, shift]


def discrepancy(first: Tensor, second: Tensor) -> Tensor:
    """Of five widths, doubled from the mean distance / 4 on, which is held constant."""
    both = torch.cat([first, second])
    count = len(both)
    distances = (both[:, None] - both[None]).pow(2).sum(dim=2)
    width = distances.detach().sum() / (count * count - count) / 4
    kernels = sum(torch.exp(-distances / (width * 2**step)) for step in range(5))
    half = count // 2
    within = kernels[:half, :half] + kernels[half:, half:]
    return (within - kernels[:half, half:] - kernels[half:, :half]).mean()


def functionals(x: Tensor) -> Tensor:
    """Of each column of `[batch, rows, columns]`: moments, extremes, quartiles, slope."""
    rows = x.shape[1]
    mean = x.mean(dim=1, keepdim=True)
    centred = x - mean
    variance = centred.square().mean(dim=1)
    skewness = centred.pow(3).mean(dim=1) / variance.pow(1.5)
    kurtosis = centred.pow(4).mean(dim=1) / variance.square()
    ordered = x.sort(dim=1).values
    quartiles = [ordered[:, (rows - 1) * quarter // 4] for quarter in (1, 2, 3)]
    along = torch.arange(rows, device=DEVICE) - (rows - 1) / 2
    slope = along @ centred / along.square().sum()
    spread = quartiles[2] - quartiles[0]
    least, greatest = ordered[:, 0], ordered[:, -1]
    return torch.cat([mean[:, 0], variance.sqrt(), skewness, kurtosis, least, greatest, quartiles[1], spread, slope], dim=1)


def clips(elements: int) -> Iterator[tuple[str, Work, list[Tensor]]]:
    """Gradients of as many elements as MCSAN has, in place, of a few tensors."""
    parameters = [nn.Parameter(random(size)) for size in (elements // 2, elements // 4, elements // 8, elements // 8)]
    for parameter in parameters:
        parameter.grad = random(len(parameter))

    def by_tensor() -> Tensor:
        for parameter in parameters:
            nn.utils.clip_grad_norm_([parameter], 1.0)
        return parameters[0]

    def by_value() -> Tensor:
        nn.utils.clip_grad_value_(parameters, 0.5)
        return parameters[0]

    optimiser = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def adam() -> Tensor:
        optimiser.step()
        return parameters[0]

    yield "adam", adam, []
    yield "clip_values", by_value, []
    yield "clip_tensors", by_tensor, []


def run(work: Work, leaves: list[Tensor], gradient: Tensor | None) -> None:
    if not leaves:
        work()
    else:
        twice = 1 if gradient is None else 2
        for own in torch.autograd.grad([work() for _ in range(twice)], leaves, [gradient] * twice):
            own.contiguous()
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def measure(work: Work, leaves: list[Tensor], seconds: float) -> list[float]:
    result = work()
    gradient = random(*result.shape) if leaves and result.dim() else None
    for _ in range(3):
        run(work, leaves, gradient)
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        run(work, leaves, gradient)
        times.append(1e3 * (time.perf_counter() - start))
    return times


def main() -> None:
    for name, work, leaves in (*layers(ARGUMENTS.batch), *clips(1_600_000)):
        if ARGUMENTS.only and name.split()[0] not in ARGUMENTS.only.split(","):
            continue
        times = measure(work, leaves, ARGUMENTS.seconds)
        print(f"{name:60} {min(times):9.3f} {statistics.median(times):9.3f} ms of {len(times)}")


PARSER = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
PARSER.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
PARSER.add_argument("--batch", type=int, default=256)
PARSER.add_argument("--threads", type=int, default=1)
PARSER.add_argument("--seconds", type=float, default=2.0)
PARSER.add_argument("--only", default="")

if __name__ == "__main__":
    ARGUMENTS = PARSER.parse_args()
    DEVICE = ARGUMENTS.device
    torch.set_num_threads(ARGUMENTS.threads)
    torch.manual_seed(0)
    main()
