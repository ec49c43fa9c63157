"""Makes `tests/fixtures/`: `python tests/pytorch/fixtures.py`. What each file holds stands in `tests/fixtures/README.md`.

Running it twice on one machine gives the same bytes. Other machines may round the float32 runs differently, which moves the
`distance.*` tensors; everything else comes from float64 and moves in its last digits only.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from curves import save_curves
from dataset import FEATURES, Dataset, save
from gradients import Objective, proven_gradients
from mcsan import Mcsan, Settings
from systems import SYSTEM_CASES, WITHOUT_DROPOUT, Amh, Liang, Mcsan3, SigmoidObjective, Sizes, System

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"

SMALL = Settings(width=12, classes=5, hidden=16, heads=2, feed_forward=32)
SMALL_SETTINGS = {"model.hidden": 16, "model.heads": 2, "model.feed_forward": 32}

CLASS_WEIGHTS = [0.5, 1.0, 2.0, 0.75, 1.5]

# Name of the case: what it sets beyond `SMALL_SETTINGS`.
SMALL_CASES = {
    "full": {},
    "no_audio": {"model.variant": "no_audio"},
    "no_text": {"model.variant": "no_text"},
    "no_self": {"model.variant": "no_self"},
    "no_cross": {"model.variant": "no_cross"},
    "cross_self": {"model.variant": "cross_self"},
    "self_cross": {"model.variant": "self_cross"},
    "two_layers": {"model.layers": 2},
    "three_layers": {"model.layers": 3},
    "no_attention_bias": {"model.attention_bias": False},
    "scale_model": {"model.scale": "model"},
    "conv_relu": {"model.conv_activation": "relu"},
    "weighted_smoothed": {"train.class_weights": CLASS_WEIGHTS, "train.label_smoothing": 0.1},
    "single_utterance": {},
}


def synthetic_dataset(seed: int, lengths: list[tuple[int, int]], width: int, words: int, classes: list[str]) -> Dataset:
    """`lengths`: (frames, tokens). Features are N(0, 1), like z-scored MFCCs; vectors N(0, 0.4), like GloVe's."""
    rng = np.random.default_rng(seed)
    tokens = [rng.integers(0, words, size=count).astype(np.int32) for _, count in lengths]
    tokens[0][1] = -1
    return Dataset(
        classes=classes,
        audio=[rng.normal(0, 1, (frames, 40)).astype(np.float32) for frames, _ in lengths],
        tokens=tokens,
        vectors=rng.normal(0, 0.4, (words, width)).astype(np.float32),
        labels=rng.permutation(np.arange(len(lengths)) % len(classes)).astype(np.int32),
    )


def small_dataset() -> Dataset:
    """Uneven lengths; 9 frames leave one row, 4 are padded to 9, one utterance has no token, one a word out of vocabulary."""
    lengths = [(27, 5), (9, 3), (40, 6), (4, 2), (19, 0), (14, 4)]
    dataset = synthetic_dataset(1, lengths, 12, 16, ["anger", "joy", "neutral", "sadness", "surprise"])
    vocabulary = [f"word{row}" for row in range(16)]
    dataset.metadata = {
        "corpus": "synthetic",
        "vocabulary": vocabulary,
        "features": FEATURES,
        "utterances": [
            {
                "id": f"utterance{u}",
                "split": "train",
                "speaker": f"speaker{u % 2}",
                "session": "1",
                "dialogue": f"dialogue{u // 3}",
                "text": " ".join("unknown" if row < 0 else vocabulary[row] for row in dataset.tokens[u]),
                "audio": f"utterance{u}.wav",
            }
            for u in range(len(dataset))
        ],
    }
    return dataset


def settings_as_arguments(settings: dict[str, object]) -> str:
    """A JSON array of what follows `--set`: KEY=VALUE with TOML's spelling of values, words unquoted."""
    spelled = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    return json.dumps([f"{key}={value}" for key, value in spelled.items()])


def section(settings: dict[str, object], name: str) -> dict[str, object]:
    """The settings of `model` or `train`, by their names without it."""
    return {key.removeprefix(f"{name}."): value for key, value in settings.items() if key.startswith(f"{name}.")}


def save_small_case(name: str, settings: dict[str, object], dataset: Dataset, seed: int) -> None:
    torch.manual_seed(seed)
    model = Mcsan(Settings(width=12, classes=5, **section(settings, "model")))
    utterances = range(2, 3) if name == "single_utterance" else range(len(dataset))
    save_gradients(name, model, settings, dataset, utterances, Objective(**section(settings, "train")))


def save_system_case(name: str, settings: dict[str, object], model: System, dataset: Dataset) -> None:
    """One of the systems that MCSAN is compared with; `WITHOUT_DROPOUT` besides."""
    is_sigmoid = str(settings["model.system"]).startswith("mdre") and settings.get("mdre.loss") != "softmax"
    objective = (SigmoidObjective if is_sigmoid else Objective)(**section(settings, "train"))
    if isinstance(model, (Amh, Mcsan3)):
        dataset = with_pictures(dataset)
    utterances = range(len(dataset))
    if isinstance(model, Liang):
        dataset, utterances = partly_unlabelled(dataset), LABELLED if name == "liang" else utterances
    save_gradients(name, model, settings | WITHOUT_DROPOUT, dataset, utterances, objective)


def with_pictures(dataset: Dataset) -> Dataset:
    """The same with pictures of every utterance but one."""
    rng = np.random.default_rng(7)
    return replace(dataset, visual=[rng.normal(0, 1, (count, 10)).astype(np.float32) for count in (5, 1, 3, 0, 2, 4)])


# Those of `partly_unlabelled` with a label.
LABELLED = range(1, 5)


def partly_unlabelled(dataset: Dataset) -> Dataset:
    """The same with functionals, and without the labels of the first and the last utterance."""
    rng = np.random.default_rng(8)
    has_label = [u in LABELLED for u in range(len(dataset))]
    utterances = [
        utterance | {"split": "train" if known else "unlabelled"}
        for utterance, known in zip(dataset.metadata["utterances"], has_label, strict=True)
    ]
    return replace(
        dataset,
        labels=np.where(has_label, dataset.labels, -1).astype(np.int32),
        functionals=rng.normal(0, 1, (len(dataset), 9)).astype(np.float32),
        metadata=dataset.metadata | {"utterances": utterances},
    )


def data_file(dataset: Dataset) -> str:
    """What the data set with what it has is called."""
    with_more = "_visual" if dataset.visual is not None else "_unlabelled" if dataset.functionals is not None else ""
    return f"small{with_more}.dataset.safetensors"


def save_gradients(
    name: str, model: nn.Module, settings: dict[str, object], dataset: Dataset, utterances: range, objective: Objective | SigmoidObjective
) -> None:
    exact, distances = proven_gradients(model, dataset, utterances, objective)

    tensors = {f"weight.{parameter}": weight.detach() for parameter, weight in model.named_parameters()}
    tensors |= {f"grad.{parameter}": gradient.float() for parameter, gradient in exact.parameters.items()}
    tensors |= {"logits": exact.logits.float(), "loss": exact.loss} | distance_tensors(distances)
    save(FIXTURES / f"{name}.safetensors", tensors, case_metadata(settings, data_file(dataset), utterances))
    report(name, distances)


def full_size_weights(model: Mcsan) -> None:
    """Fills `model` with weights that any language can repeat from names and indices alone.

    For element i (row-major, from 0) of the parameter called `name`, in arithmetic modulo 2^64:

        key = FNV-1a of the name's UTF-8 bytes: key = 0xCBF29CE484222325, then per byte key = (key XOR byte) * 0x100000001B3
        z = key + (i + 1) * 0x9E3779B97F4A7C15
        z = (z XOR z >> 30) * 0xBF58476D1CE4E5B9        the finaliser of splitmix64
        z = (z XOR z >> 27) * 0x94D049BB133111EB
        z = z XOR z >> 31
        s = 2 * (z >> 40) / 2^24 - 1                    in [-1, 1), exact in float64 (and in float32)

    The weight is s * bound, the product in float64 then rounded to float32, with PyTorch's bound:

        lstm.*                              1 / sqrt(hidden)
        conv1, conv2 weight and bias        1 / sqrt(in_channels * 3)
        every linear layer, weight and bias 1 / sqrt(in_features)

    except for `norm1` and `norm2`, whose weight is 1 + 0.1 * s and whose bias is 0.1 * s.
    """
    for name, parameter in model.named_parameters():
        signed = signed_uniform(name, parameter.numel())
        owner, kind = name.rsplit(".", 1)
        if owner.endswith(("norm1", "norm2")):
            values = 0.1 * signed + (1.0 if kind == "weight" else 0.0)
        elif owner.endswith("lstm"):
            values = signed * (1 / math.sqrt(model.settings.hidden))
        else:
            values = signed * (1 / math.sqrt(model.get_parameter(f"{owner}.weight")[0].numel()))
        parameter.data = torch.from_numpy(values.astype(np.float32)).reshape(parameter.shape)


def signed_uniform(name: str, count: int) -> np.ndarray:
    """`[count]` float64 in [-1, 1), see `full_size_weights`."""
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = (key ^ byte) * 0x100000001B3 % 2**64
    # uint64 arrays wrap around, as the formula wants.
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    z = z ^ z >> np.uint64(31)
    return 2 * (z >> np.uint64(40)).astype(np.float64) / 2**24 - 1


def save_full_size() -> None:
    """The paper's model; of each gradient its norm and up to 48 elements. The data set holds only what is required."""
    lengths = [(1000, 50), (9, 1), (5, 0), (450, 15)]
    classes = ["frustration", "neutral", "anger", "sadness", "excitement", "happiness", "surprise"]
    dataset = synthetic_dataset(2, lengths, 300, 40, classes)
    dataset.save(FIXTURES / "full_size.dataset.safetensors")

    model = Mcsan(Settings())
    assert sum(p.numel() for p in model.parameters()) == 1_628_935
    full_size_weights(model)
    utterances = range(len(dataset))
    exact, distances = proven_gradients(model, dataset, utterances, Objective())

    tensors = {"logits": exact.logits.float(), "loss": exact.loss} | distance_tensors(distances)
    rng = np.random.default_rng(3)
    for name, gradient in exact.parameters.items():
        flat = gradient.flatten()
        index = torch.from_numpy(np.sort(rng.choice(len(flat), size=min(48, len(flat)), replace=False)))
        tensors |= {f"norm.{name}": flat.norm().reshape(1), f"index.{name}": index, f"sample.{name}": flat[index]}
    metadata = case_metadata({}, "full_size.dataset.safetensors", utterances)
    first = {name: weight.detach().flatten()[:4].tolist() for name, weight in model.named_parameters()}
    metadata["first_weights"] = json.dumps(first)
    save(FIXTURES / "full_size.safetensors", tensors, metadata)
    report("full_size", distances)


def distance_tensors(distances: dict[str, float]) -> dict[str, Tensor]:
    return {f"distance.{name}": torch.tensor([value], dtype=torch.float32) for name, value in distances.items()}


def case_metadata(settings: dict[str, object], dataset: str, utterances: range) -> dict[str, str]:
    arguments = settings_as_arguments(settings)
    return {"settings": arguments, "dataset": dataset, "utterances": f"{utterances.start}..{utterances.stop}"}


def report(name: str, distances: dict[str, float]) -> None:
    relative = {key: value for key, value in distances.items() if not key.endswith(".k.bias")}
    worst = max(relative, key=relative.get)
    parameters = sorted(value for key, value in relative.items() if key not in ("logits", "loss"))
    print(
        f"{name}: float32 lies {parameters[0]:.1e} to {parameters[-1]:.1e} from float64 in the gradients, "
        f"{distances['logits']:.1e} in the logits, {distances['loss']:.1e} in the loss; worst {worst}"
    )


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    FIXTURES.mkdir(exist_ok=True)
    dataset = small_dataset()
    for one in (dataset, with_pictures(dataset), partly_unlabelled(dataset)):
        one.save(FIXTURES / data_file(one))
    for seed, (name, settings) in enumerate(SMALL_CASES.items()):
        save_small_case(name, SMALL_SETTINGS | settings, dataset, seed)
    for seed, (name, (settings, network)) in enumerate(SYSTEM_CASES.items()):
        torch.manual_seed(100 + seed)
        save_system_case(name, settings, network(Sizes()), dataset)
    save_full_size()
    save_curves(FIXTURES / "curves.safetensors", SMALL, dataset, settings_as_arguments(SMALL_SETTINGS))


if __name__ == "__main__":
    main()
