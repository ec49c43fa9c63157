"""Trains the reference network on a manifest corpus, the yardstick for `mcsan train` on the same data.

    python tests/pytorch/baseline.py --manifest CORPUS.csv --vectors GLOVE.txt [--tokens T.jsonl] [--dataset OUT.safetensors]
    python tests/pytorch/baseline.py --prepared DATA.safetensors

Adam, the z-score of each coefficient over the training split, the order shuffled in every epoch. Of each seed's epochs the one
with the best validation UA counts; what the best validation WA would have chosen is printed beside it. Needs `torch`,
`numpy`, `safetensors`, and for `--manifest` also `librosa` and `nltk`.
"""

import argparse
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from dataset import Dataset, load
from mcsan import Mcsan, Settings


@dataclass
class Metrics:
    wa: float
    ua: float
    weighted_f1: float
    loss: float

    def __str__(self) -> str:
        return f"WA {self.wa:.4f}  UA {self.ua:.4f}  weighted F1 {self.weighted_f1:.4f}  loss {self.loss:.4f}"


def metrics(logits: torch.Tensor, labels: torch.Tensor) -> Metrics:
    """WA is the accuracy, UA the mean recall of the classes that occur."""
    classes = logits.shape[1]
    confusion = torch.bincount(labels * classes + logits.argmax(dim=1), minlength=classes**2).reshape(classes, classes).double()
    right, support, predicted = confusion.diagonal(), confusion.sum(dim=1), confusion.sum(dim=0)
    f1 = 2 * right / (support + predicted).clamp(min=1)
    occurring = support > 0
    return Metrics(
        wa=(right.sum() / support.sum()).item(),
        ua=(right / support)[occurring].mean().item(),
        weighted_f1=((f1 * support).sum() / support.sum()).item(),
        loss=F.cross_entropy(logits, labels).item(),
    )


def normalise(dataset: Dataset, training: list[int], max_frames: int) -> None:
    """Cuts to `max_frames`, then the z-score of each coefficient over all training frames (deviation of the population)."""
    audio = [features[:max_frames] for features in dataset.audio]
    frames = np.concatenate([audio[u] for u in training]).astype(np.float64)
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    dataset.audio = [((features - mean) / deviation).astype(np.float32) for features in audio]


def evaluate(model: Mcsan, dataset: Dataset, utterances: list[int], batch_size: int) -> Metrics:
    with torch.no_grad():
        batches = [dataset.batch(utterances[i : i + batch_size]) for i in range(0, len(utterances), batch_size)]
        logits = torch.cat([model(audio, text) for audio, text, _ in batches])
        return metrics(logits, torch.cat([labels for _, _, labels in batches]))


def train(dataset: Dataset, splits: dict[str, list[int]], options: argparse.Namespace, seed: int) -> list[tuple[Metrics, Metrics]]:
    """Validation and test metrics after each epoch. The seed fixes the initial weights and the orders."""
    torch.manual_seed(seed)
    model = Mcsan(Settings(classes=len(dataset.classes), width=dataset.vectors.shape[1], variant=options.variant))
    updates = torch.optim.Adam(model.parameters(), lr=options.lr)
    history = []
    for epoch in range(1, options.epochs + 1):
        started, total = time.perf_counter(), 0.0
        order = torch.randperm(len(splits["train"])).tolist()
        for start in range(0, len(order), options.batch_size):
            audio, text, labels = dataset.batch([splits["train"][i] for i in order[start : start + options.batch_size]])
            loss = F.cross_entropy(model(audio, text), labels)
            updates.zero_grad()
            loss.backward()
            updates.step()
            total += loss.item() * len(labels)
        validation, test = (evaluate(model, dataset, splits[name], options.batch_size) for name in ("validation", "test"))
        history.append((validation, test))
        seconds = time.perf_counter() - started
        print(f"  epoch {epoch:2}: training loss {total / len(order):.4f}; validation {validation}; {seconds:.1f} s", flush=True)
    return history


def best_test(history: list[tuple[Metrics, Metrics]], by: str) -> tuple[int, Metrics]:
    """The earliest epoch (from 1) whose validation figure `by` is highest, and its test metrics."""
    epoch = max(range(len(history)), key=lambda e: getattr(history[e][0], by))
    return epoch + 1, history[epoch][1]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, help="an mcsan-dataset/1 file with splits, in place of a manifest")
    parser.add_argument("--manifest", type=Path, help="CSV with audio, text, label, split")
    parser.add_argument("--vectors", type=Path, help="GloVe text file")
    parser.add_argument("--tokens", type=Path, help="JSON lines with text and tokens, used before NLTK")
    parser.add_argument("--dataset", type=Path, help="write the prepared data here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variant", default="full")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--max-frames", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.prepared is None and (options.manifest is None or options.vectors is None):
        parser.error("give --prepared, or --manifest and --vectors")
    return options


def read_dataset(options: argparse.Namespace) -> Dataset:
    if options.prepared is not None:
        return load(options.prepared)
    from corpus import prepare

    dataset = prepare(options.manifest, options.vectors, options.tokens)
    if options.dataset is not None:
        dataset.save(options.dataset)
    return dataset


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    dataset = read_dataset(options)
    splits = {name: [u for u, split in enumerate(dataset.splits) if split == name] for name in ("train", "validation", "test")}
    normalise(dataset, splits["train"], options.max_frames)
    words = np.concatenate(dataset.tokens)
    print(
        f"{len(dataset)} utterances ({', '.join(f'{len(u)} {name}' for name, u in splits.items())}), classes {dataset.classes}, "
        f"{sum(map(len, dataset.audio))} frames, {len(words)} tokens, {np.mean(words < 0):.2%} out of vocabulary"
    )

    results = {"ua": [], "wa": []}
    for seed in options.seeds:
        print(f"seed {seed}, {options.variant}")
        history = train(dataset, splits, options, seed)
        for by, chosen in results.items():
            epoch, test = best_test(history, by)
            chosen.append(test)
            print(f"seed {seed}: test at epoch {epoch:2} (best validation {by.upper()}): {test}", flush=True)
    for by, chosen in results.items():
        figures = np.array([astuple(test) for test in chosen])
        spread = "  ".join(f"{f.name} {m:.4f} ± {s:.4f}" for f, m, s in zip(fields(Metrics), figures.mean(0), figures.std(0)))
        print(f"mean of {len(chosen)} seeds, chosen by validation {by.upper()}: {spread}")


if __name__ == "__main__":
    main()
