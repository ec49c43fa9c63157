from os import PathLike
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

__version__: str

class Error(RuntimeError): ...

class FrontEnd:
    device: str
    settings: str
    def __init__(self, settings: str, device: str) -> None: ...
    def __call__(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]: ...

class Predictor:
    device: str
    classes: list[str]
    streams: dict[str, int]
    hears: bool
    reads_text: bool
    feature_columns: int | None
    def __init__(self, run: str, device: str, calibrated: bool) -> None: ...
    def predict(self, utterances: list[dict[str, Any]]) -> NDArray[np.float64]: ...
    def attend(self, utterance: dict[str, Any]) -> tuple[NDArray[np.float64], dict[str, Any]]: ...

def main(arguments: list[str]) -> int: ...
def tokens(text: str) -> list[str]: ...
def decode(path: str | PathLike[str]) -> NDArray[np.float32]: ...
def train(
    data: str,
    config: str | None,
    assignments: list[str],
    recipe: bool,
    from_: str | None,
    out: str | None,
    device: str | None,
    resume: bool,
    callback: Callable[[str], Any] | None,
) -> tuple[str, NDArray[np.float32]]: ...
