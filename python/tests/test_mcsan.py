"""The module against the command, librosa and PyTorch."""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest
from conftest import CLASSES, RATE, SETTINGS, tone

import mcsan
from mcsan import _command


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
    # Trainings get longer until one takes as long as several beats.
    epochs, took = 6, 0
    while took < 0.2:
        begun = time.monotonic()
        mcsan.train(data, settings={**SETTINGS, "train.epochs": epochs}, device="cpu")
        ended = time.monotonic()
        epochs, took = 4 * epochs, ended - begun
    over.set()
    thread.join()
    assert len([moment for moment in beats if begun < moment < ended]) > 3


@pytest.mark.skipif(os.name == "nt", reason="signals of its own")
def begin(script):
    # Tests begun in the background of a shell ignore interrupts, and what they begin would, too.
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", script], preexec_fn=heard, **pipes)


def test_ctrl_c_ends_a_training_with_a_whole_checkpoint(data, tmp_path):
    script = f"""
import mcsan
from mcsan import _command
def told(event):
    print(event["event"], flush=True)
mcsan.train({str(data)!r}, {str(tmp_path / "run")!r}, settings={dict(SETTINGS, **{"train.epochs": 100000})!r}, device="cpu", callback=told)
"""
    process = begin(script)
    while process.stdout.readline().strip() != "epoch":
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
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


def utterances():
    """Recordings of two classes with their words, as arrays."""
    samples = [tone(hertz, seed=number) for number in range(12) for hertz, _ in CLASSES.values()]
    return dict(samples=samples, labels=[*CLASSES] * 12, text=[words for _, words in CLASSES.values()] * 12)


def told(path):
    return mcsan.run("inspect", path)


def test_arrays_are_prepared_as_the_files_that_hold_them(corpus, data, run, tmp_path):
    # 16 bits, as in the files.
    given = utterances()
    given["samples"] = [(samples * 32767).astype("<i2") / np.float32(32768) for samples in given["samples"]]
    splits = [split for number in range(12) for split in ["train" if number < 8 else "validation" if number < 10 else "test"] * 2]
    out = tmp_path / "arrays.safetensors"
    found = mcsan.prepare(**given, splits=splits, out=out, device="cpu", coefficients=13)
    assert found["utterances"] == 24 and found["classes"] == ["high", "low"] and found["left_out"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["arrays.safetensors"]
    mcsan.train(out, tmp_path / "run", settings=SETTINGS, device="cpu")
    best = [(folder / "best.safetensors").read_bytes() for folder in (tmp_path / "run", run)]
    assert best[0] == best[1]
    # From a generator, at rates of their own, with speakers; the split is made by them.
    doubled = (tone(300.0 + place, 0.2, rate=32_000 if place % 2 else 16_000) for place in range(12))
    made = tmp_path / "made.safetensors"
    mcsan.prepare(samples=doubled, rate=[16_000, 32_000] * 6, labels=np.array([0, 1] * 6), text=None, speakers=list("abcdef") * 2,
                  ids=[f"u{place}" for place in range(12)], out=made, device="cpu", name="notebook")
    about = told(made)
    assert about["corpus"] == "notebook" and about["classes"] == ["0", "1"] and [split["utterances"] for split in about["splits"].values()] == [2, 8, 2]


def test_matrices_stand_in_place_of_recordings_and_words(tmp_path):
    random = np.random.default_rng(2)
    out = tmp_path / "own.safetensors"
    found = mcsan.prepare(
        features=[random.normal(size=(9 + place, 5)).astype(np.float16) for place in range(6)], labels=["a", "b"] * 3, out=out, device="cpu",
        streams={"text_features": [random.normal(size=(3, 4)) for _ in range(6)], "prosody": [None, *random.normal(size=(5, 3))]})
    assert found["utterances"] == 6 and found["frames"] == sum(range(9, 15)) and found["tokens"] == 18
    words = mcsan.prepare(tokens=[["I", "ca", "n't"], ["so"]] * 3, labels=["a", None] * 3, out=tmp_path / "words.safetensors", device="cpu")
    assert words["tokens"] == 12 and words["unlabelled"] == 3 and words["frames"] == 0


def test_a_training_starts_from_another_and_several_devices_are_one(data, run, tmp_path):
    further = mcsan.train(data, tmp_path / "further", settings={"train.epochs": 1, "train.batch_size": 8}, from_=run, device="cpu")
    assert not further["stopped"] and further["ranks"] == 1
    command("train", "--data", data, "--from", run, "--out", tmp_path / "typed", "--device", "cpu", "--epochs", "1", "--set",
            "train.batch_size=8")
    assert (tmp_path / "further/best.safetensors").read_bytes() == (tmp_path / "typed/best.safetensors").read_bytes()
    events = []
    both = mcsan.train(data, tmp_path / "both", settings=SETTINGS, device=["cpu", "cpu"], callback=events.append)
    mcsan.train(data, tmp_path / "alone", settings={**SETTINGS, "train.accumulate": 2}, device="cpu")
    assert both["ranks"] == 2 and len([event for event in events if event["event"] == "step"]) == 4
    assert (tmp_path / "both/best.safetensors").read_bytes() == (tmp_path / "alone/best.safetensors").read_bytes()
    with pytest.raises(mcsan.Error, match="rank 1: no adapter matches '99'"):
        mcsan.train(data, settings=SETTINGS, device=["cpu", "99"])


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        (dict(labels=None), TypeError, "labels: are missing"),
        (dict(labels="low"), TypeError, "labels: is str"),
        (dict(labels=["low"] * 3), mcsan.Error, "has 24 entries, and there are 3 labels"),
        (dict(text=["so"]), mcsan.Error, "text: has 1 entries, and there are 24 labels"),
        (dict(labels=[1.5] * 24), TypeError, "labels[0]: is float"),
        (dict(samples=[np.zeros(9, np.int16)] * 24), TypeError, "samples[0]: are int16"),
        (dict(samples=[np.zeros((9, 2))] * 24), TypeError, "samples[0]: have 2 dimensions"),
        (dict(samples=[[0.0, [1.0]]] * 24), TypeError, "samples[0]: is no array of numbers"),
        (dict(samples=[np.full(9, np.nan)] * 24), mcsan.Error, "samples[0][0]: is nan, no finite number"),
        (dict(samples=[np.zeros(0)] * 24), mcsan.Error, "samples[0]: has no number"),
        (dict(samples=(np.zeros(9) for _ in range(3))), mcsan.Error, "samples: has 3 entries"),
        (dict(samples=None, text=None), TypeError, "samples: are missing"),
        (dict(rate=0), mcsan.Error, "rate[0]: is 0"),
        (dict(rate=[16_000]), mcsan.Error, "rate: has 1 entries, of 24 utterances"),
        (dict(rate=16_000.5), TypeError, "rate[0]: is 16000.5"),
        (dict(splits=["dev"] * 24), mcsan.Error, "splits[0]: is 'dev'; give one of train"),
        (dict(labels=[None] * 24, splits=["test"] * 24), mcsan.Error, "labels[0]: is empty, of the split 'test'"),
        (dict(ids=["a"] * 24), mcsan.Error, "ids[1]: 'a' is that of ids[0], too"),
        (dict(text=None, tokens=[["can't"]] * 24), mcsan.Error, "tokens[0][0]: \"can't\" would be read as 'ca'"),
        (dict(tokens=[["so"]] * 24), TypeError, "tokens: stand in place of text"),
        (dict(features=[[0.0]] * 24), TypeError, "features: stand in place of samples"),
        (dict(samples=None, features=[np.zeros((2, 3)), np.zeros((2, 4))] * 12), mcsan.Error, "features[1]: has 4 columns, those before it 3"),
        (dict(streams={"face": []}), TypeError, "streams: there is no 'face'"),
        (dict(streams={"prosody": [np.zeros((2, 3))] * 24}), mcsan.Error, "streams['prosody'][0]: has 2 rows"),
        (dict(layout="manifest"), TypeError, "samples: is of a corpus of arrays, and 'manifest' names one on disk"),
        (dict(coefficients=0), mcsan.Error, "features: 0 coefficients of 128 mel bands"),
    ],
)
def test_wrong_lists_are_one_clear_line_and_nothing_is_written(changed, error, words, tmp_path):
    layout = changed.pop("layout", None)
    with pytest.raises(error) as raised:
        mcsan.prepare(layout, **{**utterances(), **changed}, out=tmp_path / "out.safetensors", device="cpu")
    assert words in str(raised.value) and "\n" not in str(raised.value) and str(tmp_path) not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="signals of its own")
def test_ctrl_c_ends_a_command_whole_and_a_command_ends_with_python(data, tmp_path):
    def begin_training(out):
        script = f"import mcsan; mcsan.run('train', data={str(data)!r}, out={str(out)!r}, device='cpu', epochs=100000, set=['model.hidden=16',"
        process = begin(script + "'model.heads=2'])")
        while not (out / "last.safetensors").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        return process

    process = begin_training(tmp_path / "stopped")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert "KeyboardInterrupt" in said and not list((tmp_path / "stopped").glob(".claim*"))
    process = begin_training(tmp_path / "killed")
    process.kill()
    process.wait()
    begun = time.monotonic()
    while list((tmp_path / "killed").glob(".claim*")):
        assert time.monotonic() - begun < 60, "the command ends with the one that started it"
        time.sleep(0.01)


def test_a_command_is_heard_to_its_end_when_nobody_hears_python(monkeypatch):
    class Closed:
        def write(self, said):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    lines = iter([*(f"epoch {epoch}\n" for epoch in range(1000)), "mcsan: why\n", "and more\n"])
    kept = []
    _command._said(types.SimpleNamespace(stderr=lines), kept)
    assert next(lines, None) is None and kept == ["mcsan: why\n", "and more\n"]
    assert str(_command._fault(kept, 1)) == "why"


def test_a_file_of_its_name_is_not_taken_for_it(tmp_path, monkeypatch):
    (tmp_path / "mcsan.py").write_text("raise SystemExit('another')")
    monkeypatch.chdir(tmp_path)
    assert mcsan.check(list=True, kernel="global_max", device="cpu")


def test_an_older_python_is_told_which_it_takes():
    assert importlib.metadata.metadata("mcsan")["Requires-Python"] == ">=3.10"
