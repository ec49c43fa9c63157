"""Loss curves of the small full model: the loss before each update, the whole data set as one batch in its given order."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dataset import Dataset, save
from gradients import Objective
from mcsan import Mcsan, Settings

# Relative size of float32's rounding, as noise on the gradients.
ROUNDING = 1e-7
SEEDS = range(12)
NOISE_SEEDS = range(4)


@dataclass
class Optimiser:
    """An optimiser's settings by the names of `--set train.NAME=VALUE`; no clipping where `clip_norm` is infinite."""

    optimizer: str
    lr: float
    steps: int
    weight_decay: float = 0.0
    clip_norm: float = math.inf

    def build(self, model: Mcsan) -> torch.optim.Optimizer:
        """AdamW without decay is Adam; its defaults are (0.9, 0.999, 1e-8). Decay applies to every parameter."""
        if self.optimizer == "adam":
            return torch.optim.AdamW(model.parameters(), lr=self.lr, weight_decay=self.weight_decay, foreach=False)
        assert self.weight_decay == 0
        return torch.optim.SGD(model.parameters(), lr=self.lr, foreach=False)

    def arguments(self, batch_size: int) -> list[str]:
        arguments = [f"train.optimizer={self.optimizer}", f"train.lr={self.lr}", f"train.batch_size={batch_size}", "data.normalise=none"]
        if self.weight_decay:
            arguments.append(f"train.weight_decay={self.weight_decay}")
        if math.isfinite(self.clip_norm):
            arguments.append(f"train.clip_norm={self.clip_norm}")
        return arguments


CURVES = {
    "sgd": Optimiser("sgd", lr=0.05, steps=20),
    "adam": Optimiser("adam", lr=0.001, steps=20),
    "adamw_clip": Optimiser("adam", lr=0.001, steps=10, weight_decay=0.1, clip_norm=0.5),
}


@dataclass
class Curve:
    losses: np.ndarray
    norms: np.ndarray
    weights: dict[str, torch.Tensor]


def initial_model(settings: Settings, seed: int) -> Mcsan:
    torch.manual_seed(seed)
    return Mcsan(settings)


def train(model: Mcsan, dataset: Dataset, optimiser: Optimiser, dtype: torch.dtype, noise: np.random.Generator | None = None) -> Curve:
    """Trains `model` in place; `noise` shakes each gradient by `ROUNDING` of its tensor's root mean square."""
    model = model.to(dtype)
    audio, text, labels = dataset.batch(range(len(dataset)), dtype)
    updates = optimiser.build(model)
    losses, norms = [], []
    for _ in range(optimiser.steps):
        updates.zero_grad()
        loss = Objective()(model(audio, text), labels)
        loss.backward()
        if noise is not None:
            for parameter in model.parameters():
                size = ROUNDING * parameter.grad.norm() / math.sqrt(parameter.numel())
                parameter.grad += size * torch.from_numpy(noise.normal(size=parameter.shape))
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), optimiser.clip_norm, foreach=False).item())
        updates.step()
        losses.append(loss.item())
    return Curve(np.array(losses), np.array(norms), {name: p.detach() for name, p in model.named_parameters()})


def deviation(curve: Curve, other: Curve) -> float:
    """The largest relative difference of two curves' losses."""
    return float(np.max(np.abs(curve.losses - other.losses) / curve.losses))


def sensitivity(settings: Settings, dataset: Dataset, seed: int, optimiser: Optimiser) -> float:
    """How far noise of rounding's size on the gradients moves the curve from this seed's weights, at worst."""

    def run(noise: np.random.Generator | None) -> Curve:
        return train(initial_model(settings, seed), dataset, optimiser, torch.float64, noise)

    exact = run(None)
    return max(deviation(exact, run(np.random.default_rng(n))) for n in NOISE_SEEDS)


def save_curves(path: Path, settings: Settings, dataset: Dataset, arguments: str) -> None:
    """Of the seeds tried, takes the one whose Adam curve rounding moves least: an arg-max that flips is amplified."""
    moved = {seed: sensitivity(settings, dataset, seed, CURVES["adam"]) for seed in SEEDS}
    seed = min(moved, key=moved.get)
    print("curves: Adam's sensitivity to rounding by seed:", ", ".join(f"{s}: {m:.1e}" for s, m in moved.items()))

    tensors = {f"weight.{name}": p.detach() for name, p in initial_model(settings, seed).named_parameters()}
    metadata = {"settings": arguments, "dataset": "small.dataset.safetensors", "utterances": f"0..{len(dataset)}", "seed": str(seed)}
    for name, optimiser in CURVES.items():
        exact, float32 = (train(initial_model(settings, seed), dataset, optimiser, dtype) for dtype in (torch.float64, torch.float32))
        moves = {"rounding": sensitivity(settings, dataset, seed, optimiser), "float32": deviation(exact, float32)}
        tensors |= {name: exact.losses, f"{name}_f32": float32.losses, f"{name}_norms": exact.norms}
        if name != "adamw_clip":
            tensors |= {f"final_{name}.{parameter}": weight.float() for parameter, weight in exact.weights.items()}
        metadata |= {name: json.dumps(optimiser.arguments(len(dataset))), f"{name}_deviation": json.dumps(moves)}
        print(
            f"{name}: loss {exact.losses[0]:.6f} to {exact.losses[-1]:.6f}, gradient norms {exact.norms.min():.3f} to "
            f"{exact.norms.max():.3f}; noise moves it by {moves['rounding']:.1e}, float32 by {moves['float32']:.1e}"
        )
    save(path, tensors, metadata)
