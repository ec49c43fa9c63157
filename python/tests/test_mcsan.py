"""The module against the command, librosa and PyTorch."""

import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import RATE, SETTINGS, tone

import mcsan


def command(*arguments, code=0):
    """What the command prints."""
    line = [sys.executable, "-m", "mcsan", *map(str, arguments)]
    process = subprocess.run(line, capture_output=True, text=True)
    assert process.returncode == code, process.stderr
    return process.stdout if code == 0 else process.stderr


def test_the_command_is_in_the_wheel():
    assert command("--version").split() == ["mcsan", mcsan.__version__]
    assert "one clear" not in command("train", "--data", "nowhere.safetensors", "--out", "x", code=1)
    assert command("nonsense", code=2).startswith("error:")


def test_features_are_those_of_librosa():
    librosa = pytest.importorskip("librosa")
    for hertz, hop in ((200.0, 160), (3000.0, 80)):
        samples = tone(hertz, seconds=0.7)
        ours = mcsan.features(samples, hop=hop, device="cpu")
        theirs = librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=40, n_fft=512, win_length=400, hop_length=hop, n_mels=128).T
        assert ours.dtype == np.float32 and ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 2e-3


def test_features_follow_settings_and_rate():
    samples = tone(400.0)
    assert mcsan.features(samples, coefficients=13, deltas=2, device="cpu").shape == (31, 39)
    doubled = tone(400.0, rate=2 * RATE)
    assert mcsan.features(doubled, 2 * RATE, device="cpu").shape == (31, 40)
    assert np.array_equal(mcsan.features(samples.astype(np.float64), device="cpu"), mcsan.features(samples, device="cpu"))


def test_a_decoded_recording_has_the_command_s_features(corpus, tmp_path):
    recording = corpus.parent / "low0.wav"
    command("features", "--audio", recording, "--out", tmp_path / "own.npy", "--device", "cpu")
    assert np.array_equal(mcsan.features(mcsan.decode(recording), device="cpu"), np.load(tmp_path / "own.npy"))


def test_tokens():
    assert mcsan.tokens("I can't believe it!") == ["I", "ca", "n't", "believe", "it", "!"]


def test_predictions_are_the_command_s(run, corpus):
    predictor = mcsan.Predictor(run, "cpu")
    assert predictor.classes == ["high", "low"]
    recording = corpus.parent / "high3.wav"
    alone = predictor.predict(mcsan.decode(recording), "what a day")
    told = json.loads(command("predict", "--run", run, "--audio", recording, "--text", "what a day", "--device", "cpu", "--json"))
    assert alone == pytest.approx([told["probabilities"][name] for name in predictor.classes], abs=1e-12)
    assert alone.sum() == pytest.approx(1.0)
    several = predictor.predict_many([dict(samples=tone(300.0, 0.5), text="so"), dict(samples=mcsan.decode(recording), text="what a day")])
    assert np.array_equal(several[1], alone)


def test_attention_adds_up_to_one(run):
    found = mcsan.Predictor(run, "cpu").attention(tone(300.0), "all is quiet")
    assert found["words"] == ["all", "is", "quiet"] and found["known"] == [True] * 3
    assert found["layers"]
    for layer in found["layers"]:
        assert np.allclose(layer["weights"].sum(axis=2), 1.0, atol=1e-5)


def test_a_training_tells_how_it_goes_on_and_is_the_command_s(data, run, tmp_path):
    events = []
    summary = mcsan.train(data, tmp_path / "run", settings=SETTINGS, device="cpu", callback=events.append)
    kinds = [event["event"] for event in events]
    assert kinds == ["start", "step", "step", "epoch", "step", "step", "epoch", "test"]
    assert summary["losses"] == pytest.approx([event["loss"] for event in events if event["event"] == "step"])
    own, other, typed = (folder / "best.safetensors" for folder in (tmp_path / "run", run, tmp_path / "typed"))
    assert own.read_bytes() == other.read_bytes()
    sets = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    command("train", "--data", data, "--out", tmp_path / "typed", "--device", "cpu", *sets)
    assert own.read_bytes() == typed.read_bytes()


def test_false_stops_a_training_and_resuming_ends_in_the_same_bytes(data, run, tmp_path):
    out = tmp_path / "run"
    stopped = mcsan.train(data, out, settings=SETTINGS, device="cpu", callback=lambda event: event["event"] != "epoch")
    assert stopped["stopped"] and stopped["steps"] == 2
    finished = mcsan.train(data, out, resume=True, device="cpu")
    assert not finished["stopped"]
    assert (out / "best.safetensors").read_bytes() == (run / "best.safetensors").read_bytes()


def test_what_a_callback_raises_comes_out_and_the_run_is_whole(data, tmp_path):
    def broken(event):
        raise ValueError("of my own")

    with pytest.raises(ValueError, match="of my own"):
        mcsan.train(data, tmp_path / "run", settings=SETTINGS, device="cpu", callback=broken)
    assert not mcsan.train(data, tmp_path / "run", settings=SETTINGS, resume=True, device="cpu")["stopped"]


def test_other_threads_run_while_one_trains(data, tmp_path):
    beats, over = [], threading.Event()

    def beat():
        while not over.wait(0.01):
            beats.append(time.monotonic())

    thread = threading.Thread(target=beat)
    thread.start()
    mcsan.train(data, settings={**SETTINGS, "train.epochs": 6}, device="cpu")
    over.set()
    thread.join()
    assert len(beats) > 3


@pytest.mark.skipif(os.name == "nt", reason="signals of its own")
def test_ctrl_c_ends_a_training_with_a_whole_checkpoint(data, tmp_path):
    script = f"""
import mcsan
def told(event):
    print(event["event"], flush=True)
mcsan.train({str(data)!r}, {str(tmp_path / "run")!r}, settings={dict(SETTINGS, **{"train.epochs": 100000})!r}, device="cpu", callback=told)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.stdout.readline().strip() != "epoch":
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    assert "KeyboardInterrupt" in process.stderr.read()
    process.wait(60)
    assert (tmp_path / "run" / "last.safetensors").exists()


def test_kernels_are_checked_and_profiled():
    checked = mcsan.check(kernel="global_max", device="cpu")
    assert checked["failed"] == 0 and checked["passed"] == len(checked["kernels"]) > 0
    profiled = mcsan.profile(kernel="global_max", shape="batch=2,rows=9,columns=8", device="cpu", steps=1, warmup=0)
    assert {kernel["name"] for kernel in profiled["kernels"]} == {"global_max.forward", "global_max.backward"}


def test_exported_weights_give_pytorch_the_same_probabilities(corpus, tmp_path):
    torch = pytest.importorskip("torch")
    load = pytest.importorskip("safetensors.torch").load_file
    page = pathlib.Path(__file__).parents[2] / "tests" / "pytorch" / "mcsan.py"
    if not page.exists():
        pytest.skip("the network in PyTorch is not in this package")
    specification = importlib.util.spec_from_file_location("network", page)
    network = sys.modules["network"] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(network)

    random = np.random.default_rng(1)
    vectors = {word: random.normal(size=6).round(3) for word in "all is quiet what a day".split()}
    (tmp_path / "vectors.txt").write_text("".join(f"{word} {' '.join(map(str, vector))}\n" for word, vector in vectors.items()))
    data, run = tmp_path / "data.safetensors", tmp_path / "run"
    mcsan.prepare("manifest", corpus, out=data, vectors=tmp_path / "vectors.txt", coefficients=13, device="cpu")
    mcsan.train(data, run, settings={**SETTINGS, "data.normalise": "none"}, device="cpu")
    mcsan.run("export", run=run, out=tmp_path / "weights.safetensors")

    settings = network.Settings(coefficients=13, width=6, classes=2, hidden=16, heads=2, feed_forward=32)
    model = network.Mcsan(settings).double()
    model.load_state_dict({name: weight.double() for name, weight in load(tmp_path / "weights.safetensors").items()})
    predictor = mcsan.Predictor(run, "cpu")
    for hertz, text in ((150.0, "all is quiet"), (800.0, "what a quiet day")):
        samples = tone(hertz, 0.5)
        frames = torch.from_numpy(mcsan.features(samples, coefficients=13, device="cpu")).double()
        words = torch.tensor(np.array([vectors[word] for word in mcsan.tokens(text)]))
        with torch.no_grad():
            theirs = model([frames], [words]).softmax(dim=1)[0].numpy()
        assert np.abs(predictor.predict(samples, text) - theirs).max() < 1e-5


def test_the_guide_s_lines_run(corpus, tmp_path, monkeypatch):
    guide = pathlib.Path(__file__).parents[2] / "GUIDE.md"
    if not guide.exists():
        pytest.skip("the guide is not in this package")
    lines = guide.read_text().split("```python\n")[1].split("```")[0]
    (tmp_path / "corpus").symlink_to(corpus.parent)
    (tmp_path / "new.wav").symlink_to(corpus.parent / "low0.wav")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCSAN_DEVICE", "cpu")
    names = {}
    exec(lines.replace('"train.epochs": 2', '"model.hidden": 16, "model.heads": 2, "train.epochs": 1'), names)
    assert names["figures"]["utterances"] == 16 and not names["summary"]["stopped"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mcsan.features([[0.0, 0.1]]), TypeError, "2 dimensions"),
        (lambda: mcsan.features(np.zeros(100, np.int16)), TypeError, "int16"),
        (lambda: mcsan.features(["a"]), TypeError, "floats"),
        (lambda: mcsan.features(np.full(400, np.nan, np.float32), device="cpu"), mcsan.Error, "NaN"),
        (lambda: mcsan.features(np.zeros(0, np.float32), device="cpu"), mcsan.Error, "there are none"),
        (lambda: mcsan.features(tone(300.0), device="cpu", coefficients=0), mcsan.Error, "coefficients"),
        (lambda: mcsan.features(tone(300.0), device="cpu", coefficient=3), mcsan.Error, "coefficient"),
        (lambda: mcsan.Predictor("nowhere", "cpu"), mcsan.Error, "nowhere"),
        (lambda: mcsan.train("nowhere.safetensors", device="cpu"), mcsan.Error, "nowhere.safetensors"),
        (lambda: mcsan.train("x", settings={"train.lr": {}}), TypeError, "train.lr"),
        (lambda: mcsan.train("x", settings={"train.lrr": 1}), mcsan.Error, "train.lr"),
        (lambda: mcsan.run("inspect", "nowhere.safetensors"), mcsan.Error, "nowhere.safetensors"),
        (lambda: mcsan.run("inspect", speed=3), mcsan.Error, "--speed"),
        (lambda: mcsan.decode("nowhere.wav"), mcsan.Error, "nowhere.wav"),
    ],
)
def test_wrong_input_is_one_clear_line(call, error, words):
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_wrong_utterances_are_refused(run):
    predictor = mcsan.Predictor(run, "cpu")
    for utterance, words in [
        (dict(text="so"), "samples"),
        (dict(samples=tone(300.0)), "text"),
        (dict(samples=tone(300.0), text=3), "text: is int"),
        (dict(samples=tone(300.0), text="so", words="so"), "words"),
        (dict(samples=tone(300.0), text="so", streams={"visual": [[0.0]]}), "visual"),
    ]:
        with pytest.raises(TypeError, match=words):
            predictor.predict_many([utterance])
