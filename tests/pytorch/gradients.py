"""One batch's logits, loss and gradients in float64 and float32, and how far honest float32 lies from float64."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataset import Dataset


@dataclass
class Objective:
    """Softmax cross-entropy (20), the mean over the batch, with `torch.nn.functional.cross_entropy`'s options."""

    class_weights: list[float] | None = None
    label_smoothing: float = 0.0

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        weights = None if self.class_weights is None else torch.tensor(self.class_weights, dtype=logits.dtype)
        return F.cross_entropy(logits, labels, weight=weights, label_smoothing=self.label_smoothing)


@dataclass
class Gradients:
    logits: Tensor
    loss: Tensor
    parameters: dict[str, Tensor]

    def named(self) -> dict[str, Tensor]:
        return {"logits": self.logits, "loss": self.loss} | self.parameters


def gradients(model: nn.Module, dataset: Dataset, utterances: range, objective: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype, alone: bool) -> Gradients:
    """`model`'s float32 weights, converted to `dtype`; `alone` computes each utterance on its own."""
    model = copy.deepcopy(model).to(dtype)
    audio, text, labels = dataset.batch(utterances, dtype)
    pictures = [] if dataset.visual is None else [dataset.pictures(utterances, dtype)]
    functionals = [] if dataset.functionals is None else [torch.tensor(dataset.functionals[list(utterances)], dtype=dtype)]
    logits = (model.forward_alone if alone else model)(audio, text, *pictures, *functionals)
    known = labels >= 0
    loss = objective(logits[known], labels[known])
    if hasattr(model, "terms"):
        # Utterances without label are a batch of their own.
        loss = loss + sum(model.terms(meant) for meant in (known, ~known) if meant.any())
    loss.backward()
    # A query over a single key has no influence, and torch may leave its gradient out; it is zero.
    parameters = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()}
    return Gradients(logits.detach(), loss.detach().reshape(1), parameters)


def distance(name: str, computed: Tensor, exact: Tensor) -> float:
    """‖computed − exact‖ / ‖exact‖; for a `k.bias`, whose exact gradient is zero, the largest magnitude computed."""
    if name.endswith(".k.bias"):
        return computed.abs().max().item()
    return ((computed.double() - exact).norm() / exact.norm()).item()


def proven_gradients(model: nn.Module, dataset: Dataset, utterances: range, objective: Callable[[Tensor, Tensor], Tensor]) -> tuple[Gradients, dict[str, float]]:
    """The float64 run, and `distance` of float32 from it by name (parameters, `logits`, `loss`).

    Both ways through the network are taken in both precisions. In float64 they must agree; of the two float32 runs the
    further one counts, since a single one can be close by luck.
    """

    def run(dtype: torch.dtype, alone: bool) -> Gradients:
        return gradients(model, dataset, utterances, objective, dtype, alone)

    exact = run(torch.float64, alone=True)
    for name, tensor in run(torch.float64, alone=False).named().items():
        apart = distance(name, tensor, exact.named()[name])
        assert apart < 1e-12, f"{name}: padded and lone utterances differ by {apart:e}"

    float32 = [run(torch.float32, alone).named() for alone in (True, False)]
    distances = {name: max(distance(name, g[name], tensor) for g in float32) for name, tensor in exact.named().items()}
    for name, apart in distances.items():
        assert apart < 1e-4, f"{name}: float32 lies {apart:e} from float64"
    return exact, distances
