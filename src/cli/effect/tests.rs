//! Every option is walked: it has an effect, is refused, or something says that it has none.

use super::*;
use crate::backend::cpu::Cpu;
use crate::base::streams::{FUNCTIONALS, PROSODY, StreamShape};
use crate::config::{Config, keys};
use crate::dataset::BatchShape;
use crate::train::Training;
use std::collections::BTreeSet;

/// Why an option has an effect whenever it is taken.
#[derive(Clone, Copy)]
enum Why {
    /// Nothing takes it away.
    Always,
    /// With these arguments, with which it would have none, it is refused.
    Refused(&'static [&'static str]),
    /// Where it has none, a note says so, or the command fails: `tests/cli/effects.rs` tries it, of settings the test below.
    Said,
}
use Why::{Always, Refused, Said};

const FRONT_END: [&str; 7] = ["features", "deltas", "window-length", "window", "transform", "hop", "pre-emphasis"];
const SETTINGS: [&str; 14] = [
    "config",
    "set",
    "recipe",
    "epochs",
    "steps",
    "order",
    "balance",
    "seed",
    "freeze",
    "weights",
    "from",
    "normalisation",
    "precision",
    "checkpoint-every",
];

/// Every command with its own options.
fn table() -> Vec<(&'static str, Vec<(&'static str, Why)>)> {
    let front_end =
        |why, of_cepstra: [(&'static str, Why); 5]| [FRONT_END.map(|option| (option, why)).to_vec(), of_cepstra.to_vec()].concat();
    let settings = || SETTINGS.map(|option| (option, Said)).to_vec();
    let always = |options: &[&'static str]| options.iter().map(|&option| (option, Always)).collect::<Vec<_>>();
    let devices = ("devices", Refused(&["--data d --out o --devices 0,1 --fold 1", "--data d --out o --devices 0,1 --device 0"]));
    let map = ("map", Refused(&["--data d --out o --map auto"]));
    let experiment = || [always(&["data", "out", "folds", "by", "emobox", "fold", "seeds"]), vec![devices, map], settings()].concat();
    let comparing = [
        ("data", Always),
        ("out", Always),
        ("folds", Refused(&["--data d --out o --systems mcsan --split given --folds 3"])),
        ("by", Refused(&["--data d --out o --systems mcsan --split given --by speaker"])),
        ("emobox", Refused(&["--data d --out o --systems mcsan --split given --emobox f"])),
        ("fold", Refused(&["--data d --out o --systems mcsan --split given --fold 1"])),
        ("devices", Refused(&["--data d --out o --systems mcsan --devices 0,1 --fold 1"])),
        ("map", Refused(&["--data d --out o --systems mcsan --map auto"])),
        ("systems", Refused(&["--data d --out o --systems mcsan,mcsan"])),
        ("seeds", Always),
        ("split", Always),
    ];
    let matrix = [
        ("data", Refused(&["--data a.safetensors --out o", "--data a/x.safetensors,b/x.safetensors --out o"])),
        ("out", Always),
        ("map", Always),
        ("devices", Refused(&["--data a,b --out o --devices 0,1 --device 0"])),
        ("seeds", Always),
    ];
    let sweeping = [
        ("data", Always),
        ("out", Always),
        ("folds", Refused(&["--data d --out o --grid train.lr=1 --split given --folds 3"])),
        ("by", Refused(&["--data d --out o --grid train.lr=1 --split given --by speaker"])),
        ("emobox", Refused(&["--data d --out o --grid train.lr=1 --split given --emobox f"])),
        ("fold", Refused(&["--data d --out o --grid train.lr=1 --fold 1"])),
        ("devices", Refused(&["--data d --out o --grid train.lr=1 --devices 0,1 --device 0"])),
        ("map", Refused(&["--data d --out o --grid train.lr=1 --map auto"])),
        ("seeds", Always),
        ("grid", Always),
        ("random", Always),
        ("halving", Always),
        ("split", Always),
    ];
    let measuring = [
        ("data", Refused(&["--from a --data d", "--what prepare --data d", "--shape batch=2 --data d", "--kernel linear --data d"])),
        ("shape", Refused(&["--from a --shape batch=2", "--what prepare --shape batch=2"])),
        ("kernel", Refused(&["--from a --kernel linear", "--what train --kernel linear"])),
        ("what", Refused(&["--from a --what train", "--kernel linear --what train"])),
        ("seconds", Refused(&["--from a --seconds 1", "--seconds 1", "--what inference --seconds 1"])),
        ("manifest", Refused(&["--from a --manifest m", "--manifest m", "--what prepare --seconds 1 --manifest m"])),
        ("sweep", Refused(&["--from a --sweep batch=1,2,3", "--data d --sweep batch=1,2,3"])),
        ("plot", Refused(&["--plot p.svg"])),
        ("steps", Refused(&["--from a --steps 3"])),
        ("warmup", Refused(&["--from a --warmup 3"])),
        ("clock", Refused(&["--from a --clock wall", "--sweep batch=1,2,3 --clock wall"])),
        ("each", Refused(&["--from a --each", "--sweep batch=1,2,3 --each"])),
        (
            "roofline",
            Refused(&[
                "--sweep batch=1,2,3 --roofline r.svg",
                "--kernel linear --shape in=1 --shape in=2 --roofline r.svg",
                "--predict m1 --roofline r.svg",
            ]),
        ),
        ("trace", Refused(&["--from a --trace t", "--kernel linear --shape in=1 --shape in=2 --trace t"])),
        ("compare", Refused(&["--sweep batch=1,2,3 --compare b"])),
        ("predict", Refused(&["--from a --predict m1", "--kernel linear --predict m1", "--sweep batch=1,2,3 --predict m1"])),
        ("from", Always),
        ("config", Refused(&["--from a --config c"])),
        ("set", Refused(&["--from a --set train.lr=1"])),
    ];
    let checking = [
        ("kernel", Refused(&["--model --kernel linear"])),
        ("case", Refused(&["--model --case a", "--fuzz 1 --case a", "--kernel linear --fuzz-seed 1 --case a"])),
        ("seed", Refused(&["--list --seed 1", "--kernel linear --fuzz-seed 1 --seed 1"])),
        ("list", Refused(&["--model --list", "--fuzz 1 --list"])),
        ("fuzz", Refused(&["--model --fuzz 1"])),
        ("fuzz-seed", Refused(&["--fuzz-seed 1", "--kernel linear --fuzz 1 --fuzz-seed 1"])),
        ("shaders", Refused(&["--list --shaders both"])),
        ("dump", Refused(&["--list --dump d", "--model --dump d"])),
        ("model", Always),
        ("shape", Refused(&["--shape batch=2"])),
        ("config", Said),
        ("set", Said),
    ];
    let preparing = [
        ("classes", Refused(&["emodb . --out d --classes a,b"])),
        ("unlabelled", Refused(&["emodb . --out d --unlabelled"])),
        ("split", Always),
        ("split-seed", Refused(&["emodb . --out d --split-seed 3", "emodb . --out d --split own --split-seed 3"])),
        ("emobox-split", Refused(&["emodb . --out d --split own --emobox-split f"])),
        ("out", Always),
        ("vectors", Always),
        ("oov", Refused(&["emodb . --out d --oov random", "emodb . --out d --vectors none --oov random"])),
        ("audio-features", Always),
        ("visual-features", Always),
        ("prosody", Refused(&["emodb . --out d --prosody shs --audio-features f"])),
        ("functionals", Refused(&["emodb . --out d --functionals mfcc --audio-features f"])),
        ("align", Always),
        ("text-features", Always),
        ("augment", Refused(&["emodb . --out d --audio-features f --augment speed=0.9"])),
        ("shards", Always),
        ("dtype", Always),
        ("limit", Always),
        ("allow-missing", Always),
    ];
    let prepared_cepstra = [
        ("coefficients", Refused(&["emodb . --out d --features spectrum --coefficients 13"])),
        ("mel-bands", Refused(&["emodb . --out d --features spectrum --mel-bands 26"])),
        ("top-db", Refused(&["emodb . --out d --features spectrum --top-db 60"])),
        ("lifter", Refused(&["emodb . --out d --features spectrum --lifter 22"])),
        ("energy", Refused(&["emodb . --out d --features spectrum --energy"])),
    ];
    let cepstra = [
        ("coefficients", Refused(&["--audio a --out o --features spectrum --coefficients 13"])),
        ("mel-bands", Refused(&["--audio a --out o --features spectrum --mel-bands 26"])),
        ("top-db", Refused(&["--audio a --out o --features spectrum --top-db 60"])),
        ("lifter", Refused(&["--audio a --out o --features spectrum --lifter 22"])),
        ("energy", Refused(&["--audio a --out o --features spectrum --energy"])),
    ];
    let learning = [
        ("data", Always),
        ("out", Refused(&["--data d --overfit-one-batch --out r"])),
        ("resume", Refused(&["--data d --overfit-one-batch --resume", "--data d --out r --seeds 2 --resume"])),
        ("seeds", Refused(&["--data d --overfit-one-batch --seeds 2"])),
        ("overfit-one-batch", Always),
    ];
    let evaluating = vec![
        ("bootstrap-seed", Refused(&["--run r --data d --bootstrap 0 --bootstrap-seed 3"])),
        ("calibrate", Refused(&["--run r --data d --map auto --calibrate"])),
        ("calibrated", Refused(&["--run r --data d --calibrate --calibrated"])),
    ];
    let predicting = [
        ("run", Always),
        ("calibrated", Always),
        ("audio", Refused(&["--run r --list l --audio a"])),
        ("audio-features", Refused(&["--run r --list l --audio-features a.npy", "--run r --audio a --audio-features a.npy"])),
        ("visual-features", Refused(&["--run r --list l --visual-features a.npy"])),
        ("prosody", Refused(&["--run r --list l --prosody a.npy"])),
        ("functionals", Refused(&["--run r --list l --functionals a.npy"])),
        ("align", Refused(&["--run r --list l --align a.csv"])),
        ("text-features", Refused(&["--run r --list l --text-features a.npy", "--run r --text t --text-features a.npy"])),
        ("text", Refused(&["--run r --list l --text a"])),
        ("list", Always),
        ("attention", Refused(&["--run r --list l --attention a.svg", "--run r --audio-features a.npy --attention a.svg"])),
        ("heads", Refused(&["--run r --text a --heads all"])),
        ("pcm-rate", Refused(&["--run r --audio a --pcm-rate 8000", "--run r --list l --pcm-rate 8000"])),
        ("pcm-format", Refused(&["--run r --audio a --pcm-format f32"])),
        ("segments", Refused(&["--run r --text t --segments voice", "--run r --audio a --attention a.svg --segments voice"])),
        ("window", Refused(&["--run r --audio a --window 3"])),
        ("overlap", Refused(&["--run r --audio a --overlap 1"])),
        ("voice-db", Refused(&["--run r --audio a --voice-db 6", "--run r --audio a --segments windows --voice-db 6"])),
        ("transcript", Refused(&["--run r --audio a --transcript t.srt"])),
        ("out", Refused(&["--run r --audio a --out o.csv"])),
        ("timeline", Refused(&["--run r --audio a --timeline t.svg"])),
    ];
    vec![
        ("devices", vec![]),
        ("demo", always(&["out"])),
        ("prepare", [preparing.to_vec(), front_end(Said, prepared_cepstra)].concat()),
        ("inspect", vec![]),
        ("train", [learning.to_vec(), vec![map], settings()].concat()),
        ("evaluate", [always(&["run", "data", "split", "map", "by", "bootstrap", "predictions", "confusion"]), evaluating].concat()),
        ("crossval", experiment()),
        ("ablate", [experiment(), always(&["rows"])].concat()),
        ("compare", [comparing.to_vec(), settings()].concat()),
        ("matrix", [matrix.to_vec(), settings()].concat()),
        ("sweep", [sweeping.to_vec(), settings()].concat()),
        ("predict", predicting.to_vec()),
        (
            "export",
            [
                always(&["run", "out", "onnx", "web"]),
                vec![
                    ("from", Refused(&["--run r --out w.safetensors --from samples"])),
                    ("batch", Refused(&["--run r --out w.safetensors --batch"])),
                ],
            ]
            .concat(),
        ),
        ("card", always(&["run", "data", "out"])),
        (
            "report",
            [
                always(&["data", "out", "compare"]),
                vec![("run", Refused(&["--compare a b --run r"])), ("map", Refused(&["--run r --data d --map auto"]))],
            ]
            .concat(),
        ),
        ("features", [always(&["audio", "out"]), front_end(Always, cepstra)].concat()),
        ("tokens", [always(&["list", "vectors"]), vec![("text", Refused(&["--list l --text a"]))]].concat()),
        ("gradients", [always(&["data", "weights", "out", "utterances"]), settings()[..2].to_vec()].concat()),
        ("check", checking.to_vec()),
        ("profile", measuring.to_vec()),
        ("shaders", always(&["out"])),
        ("config", vec![]),
        ("completions", vec![]),
        ("man", always(&["out"])),
    ]
}

#[test]
fn of_every_option_it_is_known_why_it_has_an_effect() {
    let longs = |command: &clap::Command| -> BTreeSet<String> {
        command.get_arguments().filter_map(|option| option.get_long().map(str::to_owned)).collect()
    };
    let program = Options::command();
    // Those of every command are placed by `Command::unused`.
    assert_eq!(longs(&program), [&DEVICE[..], &[TILES, SUM, JSON]].concat().into_iter().map(str::to_owned).collect());
    let table = table();
    let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(names, table.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (command, (name, options)) in program.get_subcommands().zip(table) {
        assert_eq!(longs(command), options.iter().map(|(option, _)| (*option).to_owned()).collect(), "mcsan {name}");
        for (option, why) in options {
            let lines = if let Refused(lines) = why { lines } else { &[] };
            for line in lines {
                let words = ["mcsan", name].into_iter().chain(line.split_whitespace());
                let told = Options::read(words).err().unwrap_or_else(|| panic!("mcsan {name} {line}: is taken")).to_string();
                assert!(told.contains(&format!("--{option}")), "mcsan {name} {line}: {told}");
            }
        }
    }
}

/// Values of which an option takes one at least.
const VALUES: [&str; 9] = ["1", "batch=2,frames=9,words=1", "batch=1,2,3", "auto", "adam", "m1", "a.svg", "a.csv", "mcsan"];

#[test]
fn an_option_of_another_is_refused_without_it_whatever_else_is_typed() {
    let program = Options::command();
    let mut told = 0;
    for (command, (name, options)) in program.get_subcommands().zip(table()) {
        let lines = options.iter().flat_map(|(_, why)| if let Refused(lines) = why { *lines } else { &[] });
        for line in lines {
            let begun: Vec<&str> = ["mcsan", name].into_iter().chain(line.split_whitespace()).collect();
            let refusal = Options::read(&begun).err().unwrap().to_string();
            let Some((whole, _)) = refusal.split_once(", which is not given").filter(|_| refusal.contains(" is of --")) else { continue };
            let whole = whole.rsplit("--").next().unwrap();
            for other in command.get_arguments().filter(|other| other.get_long().is_some_and(|long| long != whole)) {
                let long = format!("--{}", other.get_long().unwrap());
                let possible = other.get_possible_values();
                let possible = possible.iter().map(|value| value.get_name());
                let values = possible.chain(VALUES).take(if other.get_action().takes_values() { usize::MAX } else { 1 });
                for value in values.filter(|_| !begun.contains(&long.as_str())) {
                    let value = other.get_action().takes_values().then_some(value);
                    let words = begun.iter().copied().chain([long.as_str()]).chain(value);
                    assert!(Options::read(words).is_err(), "mcsan {name} {line} {long} {value:?} is taken");
                    told += 1;
                }
            }
        }
    }
    assert!(told > 500, "{told} lines were tried");
}

#[test]
fn numbers_below_zero_and_texts_that_begin_with_a_dash_are_values() {
    for command in Options::command().get_subcommands() {
        // What stands behind an option that wants an equals sign is none of its value.
        let takes = |option: &&Arg| option.get_long().is_some() && option.get_action().takes_values() && !option.is_require_equals_set();
        for option in command.get_arguments().filter(takes) {
            let (name, long) = (command.get_name(), format!("--{}", option.get_long().unwrap()));
            let told = Options::read(["mcsan", name, &long, "-1"]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!told.contains("unexpected argument"), "mcsan {name} {long} -1: {told}");
        }
    }
    for text in ["- No!", "-5", "-- what?", "-No"] {
        for line in [&["predict", "--run", "r", "--text"][..], &["tokens", "--text"]] {
            let words = ["mcsan"].iter().chain(line).chain([&text]);
            assert!(Options::read(words).is_ok(), "{line:?} {text}");
        }
    }
    let forgotten = Options::read(["mcsan", "tokens", "--text", "--json"]).err().unwrap().to_string();
    assert!(forgotten.contains("invalid value '--json' for '--text <TEXT>': is an option"), "{forgotten}");
}

#[test]
fn what_is_typed_is_told_from_what_is_not() {
    let typed = |line: &str| Options::read(line.split_whitespace()).unwrap_or_else(|error| panic!("{error}")).common.typed;
    assert_eq!(typed("mcsan features --audio a --out b --hop 160 --device cpu"), ["device", "audio", "out", "hop"]);
    assert_eq!(typed("mcsan --json config"), ["json"]);
}

/// Another value of every setting, of those that a run of a few steps can show.
fn other(key: &str) -> &'static str {
    match key {
        "model.system" => "mdre",
        "model.variant" => "no_self",
        "model.layers" => "2",
        "model.hidden" => "8",
        "model.heads" => "2",
        "model.feed_forward" => "5",
        "model.attention_bias" => "false",
        "model.scale" => "model",
        "model.conv_activation" => "relu",
        "model.dropout" => "0.5",
        "model.word_width" => "7",
        "model.tune_words" => "true",
        "data.normalise" => "none",
        "data.max_frames" => "20",
        "train.epochs" => "1",
        "train.steps" => "1",
        "train.batch_size" => "2",
        "mdre.hidden" | "mha.hidden" | "amh.hidden" | "amh.visual_hidden" | "can.hidden" => "6",
        "cmkl.maps" | "cmkl.features" => "9",
        "cmkl.dropout" => "0.3",
        "cmkl.c" => "2",
        "cmkl.subset" => "20",
        "mdre.audio_dropout" | "mha.audio_dropout" | "amh.audio_dropout" | "can.audio_dropout" => "0.2",
        "mdre.text_dropout" | "mha.text_dropout" | "amh.text_dropout" | "can.text_dropout" | "amh.visual_dropout" => "0.1",
        "mdre.loss" => "softmax",
        "liang.hidden" => "8",
        "liang.mmd" | "liang.mse" => "0.4",
        "liang.unpaired" => "none",
        "liang.output_relu" => "true",
        "liang.unlabelled" => "false",
        "liang.from_epoch" => "1",
        "mha.hops" | "amh.hops" => "3",
        "xu.form" => "paper",
        "xu.dense" | "xu.hidden" => "8",
        "xu.heads" => "4",
        "xu.dropout" => "0.1",
        "can.auxiliary" => "0.5",
        "trimodal.cross" => "separate",
        "mha.projection" => "false",
        "mha.cell" => "lstm",
        "mha.prosody" | "amh.prosody" => "true",
        "train.order" => "grouped",
        "train.validate_every" => "0.5",
        "train.balance" => "corpus",
        "train.seed" => "5",
        "train.optimizer" => "sgd",
        "train.lr" => "0.01",
        "train.rates" => "classifier=0.5",
        "train.freeze" => "classifier",
        "train.schedule" => "cosine",
        "train.plateau_factor" | "train.average" => "0.75",
        "train.plateau_patience" => "1",
        "train.warmup_steps" => "2",
        "train.beta1" | "train.beta2" => "0.5",
        "train.epsilon" | "train.weight_decay" | "train.label_smoothing" => "0.1",
        "train.clip_norm" | "train.clip_tensors" | "train.clip_values" => "1e-3",
        "train.class_weights" => "[1,2,3,4,5,6,7]",
        "train.precision" => "mixed",
        "train.time_masks" | "train.frequency_masks" | "train.time_mask_frames" => "2",
        "train.time_mask_share" | "train.word_dropout" | "train.mixup" => "0.4",
        "train.frequency_mask_columns" => "20",
        key => panic!("{key} has no other value here: a setting is to be tried, and what it depends on to be said"),
    }
}

/// What is not seen in the weights of a few steps: which epoch is the best, files, and what changes roundings alone.
const UNSEEN: [&str; 4] = ["train.checkpoint_every", "train.patience", "train.selection", "train.accumulate"];

#[test]
fn settings_that_change_nothing_are_those_that_are_said() {
    let shape = BatchShape { batch: 6, frames: 40, words: 4, ragged: true };
    let further = [(PROSODY, StreamShape::Vector { columns: 3 }), (FUNCTIONALS, StreamShape::Vector { columns: 5 })];
    let mut data = shape.dataset_with(&further);
    let bases: [(&[&str], bool); 9] = [
        (&[], true),
        (&["model.variant=no_audio", "model.dropout=0.5", "train.order=given"], true),
        (&["model.system=mdre", "train.order=replacement"], true),
        (&["model.system=can", "train.time_masks=1", "train.frequency_masks=1"], true),
        (&["model.system=xu", "xu.form=paper", "xu.hidden=4"], true),
        (&["model.system=liang"], true),
        (&["train.optimizer=sgd", "model.variant=no_audio", "model.heads=1"], false),
        (&["model.variant=no_text", "model.conv_activation=relu"], false),
        (&["model.system=mha"], false),
    ];
    let small = [
        "mdre.hidden=4",
        "mha.hidden=4",
        "can.hidden=4",
        "liang.hidden=16",
        "model.hidden=4",
        "model.heads=4",
        "model.feed_forward=4",
        "model.word_width=4",
        "train.epochs=2",
        "train.batch_size=4",
    ];
    let weights = |settings: &Settings, data: &Dataset| {
        let run = Training { settings: settings.clone(), ..Training::of(data) };
        let finished = pollster::block_on(run.run_on(&Cpu::<f32>::default(), &mut |_| ())).unwrap();
        (finished.best.parameters, finished.losses)
    };
    for (base, vectors) in bases {
        let crate::dataset::DataStream::Tokens(text) = data.streams.get_mut("text").unwrap() else { panic!("text is of tokens") };
        if !vectors {
            (text.vectors, text.vocabulary) = (None, (0..3000).map(|word| word.to_string()).collect());
        }
        let assigned = |more: &[String]| {
            let all = small.iter().chain(base).map(|&assignment| assignment.to_owned()).chain(more.iter().cloned());
            Config::default().assign(&all.collect::<Vec<_>>()).unwrap().settings
        };
        let usual = assigned(&[]);
        let before = weights(&usual, &data);
        for key in keys().map(|key| key.name).filter(|key| !UNSEEN.contains(key) && !key.starts_with("run.")) {
            let changed = assigned(&[format!("{key}={}", other(key))]);
            if changed == usual {
                continue;
            }
            let purpose = Purpose::Training { steps_an_epoch: Some(2), folds: false, validation: false };
            let of = Use { purpose, drawn: false, vectors, words: true, unlabelled: false, corpora: false, shards: false };
            let said = changed.without_effect(&usual, of);
            let changes = weights(&changed, &data) != before;
            assert_eq!(said.is_empty(), changes, "{key} = {} over {base:?}: {said:?}", other(key));
        }
    }
}
