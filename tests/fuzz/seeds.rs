//! Files that are right, which the others are made from, and what is read beside them.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};
use mcsan::audio::mfcc::MfccSettings;
use mcsan::backend::Device;
use mcsan::backend::cpu::Cpu;
use mcsan::base::streams::{FUNCTIONALS, TEXT};
use mcsan::base::words::WordTable;
use mcsan::config::{Config, System};
use mcsan::corpus::{Split, manifest};
use mcsan::dataset::{BatchShape, DataStream, Dataset, Vectors};
use mcsan::experiment::crossval::CrossValidation;
use mcsan::experiment::folds::{By, Folds};
use mcsan::experiment::sweep::Failed;
use mcsan::prepare::prepare_held;
use mcsan::text::{OutOfVocabulary, TextTable};
use mcsan::train::calibration::Fitted;
use mcsan::train::packed::{CHECKPOINT, MODEL, pack};
use mcsan::train::{Checkpoint, Training};

use crate::readers::{Reader, identity, tiny, with_sweep};

const VECTORS: &str = "the 0.5 -0.25\nsea 1 2\nis 3 4e-2\nquiet 0 0\n. 1 1\nyou -1 -1\n";

/// A profile of two kernels.
const PROFILE: &str = r#"{"device": {"name": "cpu"}, "what": "train", "on": "batch=2", "warmup": 1, "steps": 2,
"step_ms": {"median": 2.5, "min": 2, "max": 3, "q1": 2.25, "q3": 2.75},
"timed_step_ms": {"median": 3, "min": 3, "max": 3, "q1": 3, "q3": 3},
"first_step_ms": 9.5, "compile_ms": 7, "gpu_ms": 1.5, "waiting_ms": 1, "clock": "wall", "longest_submission_ms": null,
"peaks": {"gflops": 100, "gbytes_per_s": 10},
"counters": {"dispatches": 2, "submissions": 1, "pipelines": 2, "uploads": 1, "uploaded_bytes": 8, "readbacks": 1, "read_bytes": 4,
"allocations": 0, "held_bytes": 64, "peak_bytes": 128},
"kernels": [{"name": "linear.forward", "dispatches": 1, "variants": ["tiled"], "ms": 1, "spread": {"median": 1, "min": 1, "max": 1, "q1": 1,
"q3": 1}, "gflop": 0.5, "gbyte": 0.01, "gflops": 50, "gbytes_per_s": 1, "of_peak": 0.5, "above_roof": false, "bound": "compute"},
{"name": "adam", "dispatches": 1, "ms": 0.5, "spread": {"median": 0.5, "min": 0.5, "max": 0.5, "q1": 0.5, "q3": 0.5}, "gflop": 0.001,
"gbyte": 0.004, "gflops": 2, "gbytes_per_s": 8, "of_peak": 0.8, "bound": "memory"}],
"each": [{"name": "adam", "variant": null, "grid": [1, 1, 1], "sizes": "n=4", "ms": 0.5, "spread": {"median": 0.5, "min": 0.5,
"max": 0.5, "q1": 0.5, "q3": 0.5}, "gflop": 0.001, "gbyte": 0.004, "gflops": 2, "gbytes_per_s": 8, "of_peak": 0.8, "bound": "memory"}]}"#;

/// Puts what is read beside such a file into the folder, and returns some that are right, or at least the first.
pub fn stage(reader: &Reader, folder: &Path) -> Vec<Vec<u8>> {
    let path = folder.join(reader.file);
    fs::create_dir_all(folder).expect("the folder can be written to");
    match reader.name {
        "wav" | "segments" => wavs(),
        "transcript-srt" => texts(&[
            "\u{feff}1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}<i>Go</i> away\r\n\r\n2\r\n00:01:00,000 --> 00:01:01,000\r\nno &amp; no\r\n",
        ]),
        "transcript-vtt" => texts(&[
            "WEBVTT\n\nNOTE by hand\n\nintro\n00:01.000 --> 00:02.500 align:start\n<v Ann>Go <00:01.500>away\n\n01:00:00.000 --> 01:00:01.000\nno\n",
        ]),
        "transcript-ctm" => texts(&[";; by hand\na A 0.50 0.25 go 0.9\na B 0.40 0.10 no 0.5 lex spk1\nb 1 0 1 <eps>\n"]),
        "aiff" => recorded(&["tests/fixtures/audio/tone.aiff"]),
        "flac" => recorded(&["assets/demo/clips/ann_bad17_intense.flac"]),
        "mp3" => recorded(&["tests/fixtures/audio/tone.mp3"]),
        "ogg" | "ogg-sealed" => recorded(&["tests/fixtures/audio/tone.ogg", "tests/fixtures/audio/opus.ogg"]),
        "mp4" => recorded(&["tests/fixtures/audio/tone.m4a"]),
        "mp4-multichannel" => recorded(&["tests/fixtures/audio/six.m4a"]),
        "alac" => recorded(&["tests/fixtures/audio/alac.m4a"]),
        "aac" => recorded(&["tests/fixtures/audio/tone.aac"]),
        "matroska" => recorded(&["tests/fixtures/audio/tone.mka"]),
        "manifest" => texts(&[
            "id,audio,text,label,split,speaker,session,dialogue\na,a.wav,\"Go, you \"\"liar\"\"!\",angry,train,s1,1,d1\nb,b.wav,,calm,test,s2,1,d1\n",
            "audio;text;label\r\na.wav;Go away;angry\r\nb.wav;The sea;calm\r\n",
            "audio\ttext\tlabel\na.wav\tGo away\tangry\nb.wav\tThe sea\tcalm\n",
        ]),
        "alignment" => texts(&["word,start,end\n<s>,0,0.1\nGO,0.1,0.3\ngo(2),0.3,0.5\naway,0.5,1.25\n"]),
        "alignment-sphinx" => {
            texts(&["SFrm EFrm SegAScr Word\n0 9 -77 <s>\n10 29 -3 GO\n30 49 -5 GO(2)\n50 124 -9 AWAY\n Total score: -94\n"])
        }
        "meld" => meld(folder),
        "iemocap-labels" | "iemocap-transcripts" => iemocap(reader, folder),
        "emobox" => {
            let line =
                |name: &str| format!("{{\"key\": \"ravdess-{name}\", \"wav\": \"downloads/ravdess/{name}.wav\", \"length\": 3.5}}\n");
            fs::write(folder.join("ravdess_train_fold_1.jsonl"), line("a") + &line("b")).expect("the folder can be written to");
            texts(&[&(line("c") + "\n" + &line("d"))])
        }
        "label-map" => texts(&["happy = \"joy\"\nsad = \"sadness\"\n\"angry\" = \"\"\n"]),
        "nemo" => {
            recordings(folder, &["samples/WR0_surprised_64.wav", "samples/EB0_neutral_13.wav"]);
            let head = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n";
            let rows =
                "WR0_surprised_64.wav\tsurprised\tUcho.\tucho\t        WR0\tmale\t23\nEB0_neutral_13.wav\tneutral\tX\tx\tEB0\tfemale\t27\n";
            texts(&[&format!("{head}{rows}")])
        }
        "msp-podcast" => {
            recordings(folder, &["Audios/MSP-PODCAST_0001_0001.wav", "Audios/MSP-PODCAST_0001_0002.wav"]);
            let head = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n";
            let rows = "MSP-PODCAST_0001_0001.wav,N,3,4,5,127,Male,Test1\nMSP-PODCAST_0001_0002.wav,C,3,4,5,Unknown,Male,Train\n";
            texts(&[&format!("{head}{rows}")])
        }
        "esd-transcripts" => {
            recordings(folder, &["0001/Neutral/0001_000001.wav", "0001/Sad/0001_001051.wav"]);
            texts(&[
                "0001_000001\tHow far?\tNeutral\r\n0001_001051 No. Sad\r\n",
                "\u{feff}0001_000001\t\u{6253}\u{8fdc}\t\u{4e2d}\u{7acb}\n",
            ])
        }
        "transcript" => {
            recordings(folder, &["calm/a.wav", "angry/b.wav"]);
            texts(&["\u{feff}Well,\r\nyou know.\n"])
        }
        "cremad-actors" => {
            fs::write(folder.join("1001_DFA_ANG_XX.wav"), "").expect("the folder can be written to");
            texts(&["ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n1002,21,Female,Caucasian,Not Hispanic\n"])
        }
        "file-names" => texts(&[
            "03a01Fa.wav\n03a01Nc.wav\n03-01-05-01-01-01-01.wav\n03-01-01-01-01-01-02.wav\n1001_DFA_ANG_XX.wav\n1002_IEO_SAD_HI.wav\n\
             OAF_back_ps.wav\nYAF_dog_sad.wav\na01.wav\nKL_su15.wav\ndis-f1-b1.wav\nn1-01-02-01-33.wav\n0011_001051.wav\n",
        ]),
        "list" => texts(&["id,audio,text,speaker\na,a.wav,\"Go, you \"\"liar\"\"!\",s1\nb,b.wav,,s2\n", "audio;text\r\na.wav;Go away\r\n"]),
        "texts" => texts(&["\u{feff}Dr. Geller can\u{2019}t. Stop!\r\n\nOh no (\"never\")...\n", "Go\rNo\r"]),
        "pcm" => vec![(0..800i16).flat_map(|place| (place * 40).to_le_bytes()).collect()],
        "pcm-floats" => vec![(0..800).flat_map(|place| (place as f32 * 0.1).sin().to_le_bytes()).collect()],
        "features" => {
            let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 6), }\n";
            let head = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
            vec![head.into_iter().chain((0..30).flat_map(|place| (place as f32 * 0.1).sin().to_le_bytes())).collect()]
        }
        "vector-table" => texts(&[
            "name;frameTime;x;y\n'wavs/a.wav';0.0;1.5;2\n'b';0.0;-3e-2;4\n",
            "@relation r\n@attribute name string\n@attribute x numeric\n@attribute e {a,b}\n@data\n'a',1.5,a\n'b',2,?\n",
        ]),
        "profile" => texts(&[PROFILE]),
        "tiles" => {
            let choices = r#"["forward 1024x128x512 128x64", "backward_weight 64x4x8 64x64-narrow"]"#;
            texts(&[&format!("device = \"one\"\nshaders = \"0\"\ntiles = {choices}\n")])
        }
        "vectors" => texts(&[VECTORS, &format!("6 2\n{VECTORS}")]),
        "vectors-gzip" => vec![gzip(VECTORS)],
        "vectors-zip" => vec![zip(VECTORS)],
        name => {
            if name.starts_with("svm") {
                run_with_machine(folder)
            } else {
                run(folder)
            }
            if name.ends_with("-header") {
                return vec![split(&path)];
            }
            vec![fs::read(&path).expect("the run made it")]
        }
    }
}

/// Puts empty recordings into the folder.
fn recordings(folder: &Path, files: &[&str]) {
    for file in files.iter().map(|file| folder.join(file)) {
        fs::create_dir_all(file.parent().unwrap_or(folder)).expect("the folder can be written to");
        fs::write(file, "").expect("the folder can be written to");
    }
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn recorded(paths: &[&str]) -> Vec<Vec<u8>> {
    let read = |path: &&str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a recording of the repository");
    paths.iter().map(read).collect()
}

/// A twentieth of a second in every width, whole numbers and floats, one channel and two.
fn wavs() -> Vec<Vec<u8>> {
    let kinds = [(8, SampleFormat::Int, 1), (16, SampleFormat::Int, 1), (24, SampleFormat::Int, 2), (32, SampleFormat::Float, 1)];
    kinds
        .map(|(bits_per_sample, sample_format, channels)| wav(WavSpec { channels, sample_rate: 8000, bits_per_sample, sample_format }, 400))
        .into()
}

fn wav(spec: WavSpec, frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = WavWriter::new(Cursor::new(&mut bytes), spec).expect("memory can be written to");
    for place in 0..frames * usize::from(spec.channels) {
        let sample = (place as f32 * 0.1).sin();
        match spec.sample_format {
            SampleFormat::Float => writer.write_sample(sample),
            SampleFormat::Int => writer.write_sample((sample * 100.0) as i32),
        }
        .expect("memory can be written to");
    }
    writer.finalize().expect("memory can be written to");
    bytes
}

fn meld(folder: &Path) -> Vec<Vec<u8>> {
    let clips = folder.join("train_splits");
    fs::create_dir_all(&clips).expect("the folder can be written to");
    for name in ["dia0_utt0.mp4", "dia0_utt1.mp4"] {
        fs::write(clips.join(name), "").expect("the folder can be written to");
    }
    let head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n";
    let rows =
        "1,\"Oh, it\u{92}s you\",Ross,neutral,neutral,0,0,8,21,\"00:16:16,059\",\"00:16:21,731\"\n2,No!,Ann,anger,negative,0,1,8,21,a,b\n";
    texts(&[&format!("{head}{rows}")])
}

fn iemocap(reader: &Reader, folder: &Path) -> Vec<Vec<u8>> {
    let labels = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n\
        [6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\nC-E2:\tNeutral;\t()\n\
        [10.0100 - 11.3925]\tSes01F_impro01_M000\tang\t[2.5000, 2.5000, 2.5000]\n";
    let said = "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me. [LAUGHTER]\nSes01F_impro01_M000 [010.0100-011.3925]: No!\nM: sorry\n";
    for (file, text) in [("EmoEvaluation", labels), ("transcriptions", said)] {
        let path = folder.join("Session1/dialog").join(file);
        fs::create_dir_all(&path).expect("the folder can be written to");
        fs::write(path.join("Ses01F_impro01.txt"), text).expect("the folder can be written to");
    }
    let recordings = folder.join("Session1/sentences/wav/Ses01F_impro01");
    fs::create_dir_all(&recordings).expect("the folder can be written to");
    for side in ['F', 'M'] {
        fs::write(recordings.join(format!("Ses01F_impro01_{side}000.wav")), "").expect("the folder can be written to");
    }
    texts(&[if reader.name == "iemocap-labels" { labels } else { said }])
}

fn gzip(text: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text.as_bytes()).and_then(|()| writer.finish()).expect("memory can be written to")
}

fn zip(text: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("vectors.txt", zip::write::SimpleFileOptions::default()).expect("memory can be written to");
    writer.write_all(text.as_bytes()).expect("memory can be written to");
    writer.finish().expect("memory can be written to").into_inner()
}

/// The header of a file of tensors; what is behind it goes to a file of its own.
fn split(header: &Path) -> Vec<u8> {
    let bytes = fs::read(header.with_extension("safetensors")).expect("the run made it");
    let (length, rest) = bytes.split_first_chunk().expect("the length comes first");
    let (text, body) = rest.split_at(u64::from_le_bytes(*length) as usize);
    fs::write(header.with_extension("body"), body).expect("the folder can be written to");
    text.to_vec()
}

/// A corpus of nine short tones, prepared; a run on it; weights, settings and three folds of it, the first of which is done.
fn run(folder: &Path) {
    let spec = WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut list = "audio,text,label,split,speaker\n".to_owned();
    for place in 0..9 {
        let (label, split) = (["angry", "calm"][place % 2], ["train", "train", "validation", "test"][place % 4]);
        fs::write(folder.join(format!("{place}.wav")), wav(spec, 1500 + 100 * place)).expect("the folder can be written to");
        list += &format!("{place}.wav,The sea is quiet.,{label},{split},s{}\n", place % 3);
    }
    fs::write(folder.join("manifest.csv"), list).expect("the folder can be written to");
    fs::write(folder.join("vectors.txt"), VECTORS).expect("the folder can be written to");
    let corpus = manifest::read(&folder.join("manifest.csv")).expect("the manifest is right");
    let text = TextTable::with_vectors(&corpus.utterances, &folder.join("vectors.txt"), OutOfVocabulary::Random);
    let front_end = MfccSettings { coefficients: 2, mel_bands: 4, ..MfccSettings::default() };
    let cpu = Cpu::<f32>::default();
    let prepared = prepare_held(&cpu, corpus, text.expect("the vectors are right"), &front_end);
    let data = pollster::block_on(prepared).expect("the recordings are right");
    data.save(&folder.join("data.safetensors")).expect("the folder can be written to");

    let shards = ["d-00001-of-00002.safetensors", "d-00002-of-00002.safetensors"].map(|name| {
        data.save(&folder.join(name)).expect("the folder can be written to");
        format!(r#"{{"file": "{name}", "utterances": 9, "bytes": {}}}"#, fs::metadata(folder.join(name)).expect("it is there").len())
    });
    let index = format!(r#"{{"format": "mcsan-shards/1", "corpus": "manifest", "shards": [{}]}}"#, shards.join(", "));
    fs::write(folder.join("d.safetensors.index.json"), index).expect("the folder can be written to");

    train(&data, &folder.join("run"));
    let config = Config::from(tiny());
    fs::write(folder.join("config.toml"), config.to_toml()).expect("the folder can be written to");
    let best = Checkpoint::load(&folder.join("run/best.safetensors")).expect("the run is right");
    let judged: [(&[f64], usize); 2] = [(&[0.6, 0.4], 0), (&[0.7, 0.3], 1)];
    Fitted::of(&best, &judged).save(&folder.join("run")).expect("the folder can be written to");
    best.export(&folder.join("weights.safetensors")).expect("the folder can be written to");
    for (file, members) in [("m.mcsan", &MODEL[..]), ("c.mcsan", &CHECKPOINT)] {
        let packed = pack(&folder.join("run"), members).expect("the run is right");
        fs::write(folder.join(file), packed).expect("the folder can be written to");
    }

    fs::create_dir(folder.join("claimed")).expect("the folder can be written to");
    let holder = r#"{"format":"mcsan-claim/1","host":"node7","process":7,"place":"1/2","numbers":"1/pid:[3]","claim":"4-0"}"#;
    fs::write(folder.join("claimed/.claim-0"), holder).expect("the folder can be written to");

    let folds = Folds::assign_count(&data, By::Random, 3, 0).expect("nine can be divided by three");
    let experiment = folder.join("cv");
    let identity = identity(&data).expect("the data are read");
    CrossValidation::open(&data, &identity, config, &folds, &experiment).expect("the folder is new");
    train(&folds.dataset(&data, 1), &experiment.join("fold-1"));
    with_sweep(folder, &data, |sweep| {
        sweep.agree().expect("the folder is new");
        let trial = &sweep.trials[0];
        fs::create_dir_all(sweep.folder.join(&trial.name)).expect("the folder can be written to");
        sweep.fail(trial, &Failed { seed: 1, fold: 2, error: "the loss is NaN".into() }).expect("the folder can be written to");
    });
}

/// A run of cMKL.
fn run_with_machine(folder: &Path) {
    let mut data = BatchShape { batch: 6, frames: 9, words: 3, ragged: false }.dataset();
    let Some(DataStream::Tokens(text)) = data.streams.get_mut(TEXT) else { panic!("text is of tokens") };
    text.vectors = Some(WordTable { width: 1, values: (0..3000).map(|word| word as f32 / 3000.0).collect() });
    let functionals = (0..18).map(|place| (place * 7 % 11) as f32).collect::<Vec<_>>();
    data.streams.insert(FUNCTIONALS, DataStream::Vector(Vectors { columns: 3, values: functionals.into() }));
    let mut settings = tiny();
    settings.model.system = System::Cmkl;
    (settings.cmkl.maps, settings.cmkl.features) = (1, 2);
    let training = Training { settings, out: Some(folder.join("svm")), ..Training::of(&data) };
    pollster::block_on(training.run(&Device::Cpu(Cpu::default()))).expect("the training goes well");
}

fn train(data: &Dataset, out: &Path) {
    let training = Training { settings: tiny(), out: Some(out.into()), ..Training::of(data) };
    let finished = pollster::block_on(training.run(&Device::Cpu(Cpu::default()))).expect("the training goes well");
    assert!(finished.test.is_some(), "{} is tested", data.split(Split::Test).len());
}
