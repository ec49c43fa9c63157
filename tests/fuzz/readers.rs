//! Every kind of file that a stranger may have made, with what reads it and what is then done with it.
//!
//! What a reader refuses is one line; it ends nothing, holds no more than follows the file's size, and comes to an end. What it
//! takes can be used.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mcsan::audio::segment::{Segment, Segmenter, Stretches};
use mcsan::audio::{PcmFormat, Stream, decode, read_pcm};
use mcsan::backend::Device;
use mcsan::backend::cpu::Cpu;
use mcsan::base::remedy::{Remedied, line};
use mcsan::base::tiles::TileChoice;
use mcsan::config::{Config, Settings, TileFile};
use mcsan::corpus::iemocap::IemocapClasses;
use mcsan::corpus::label_map::{Labels, MapSource};
use mcsan::corpus::msp_podcast::MspClasses;
use mcsan::corpus::{
    Alignment, Corpus, CorpusError, Split, ased, cremad, emodb, emovo, esd, folders, iemocap, list, manifest, meld, msp_podcast, nemo,
    ravdess, savee, tess,
};
use mcsan::dataset::{Dataset, DatasetError, FeatureMatrix, VectorTable};
use mcsan::experiment::against;
use mcsan::experiment::crossval::CrossValidation;
use mcsan::experiment::folds::{By, Folds};
use mcsan::experiment::gather::Gathered;
use mcsan::experiment::spec::Identity;
use mcsan::experiment::sweep::{Sweep, Trial};
use mcsan::profile::{Change, ProfileReport, compare, roofline};
use mcsan::report::run_html;
use mcsan::text::transcript::Transcript;
use mcsan::text::{OutOfVocabulary, TextTable, read_lines, tokenise};
use mcsan::train::packed::Packed;
use mcsan::train::run::Start;
use mcsan::train::{Checkpoint, Predictor, Session, Training, Weights};

use crate::bounds::within;

/// A kind of file.
pub struct Reader {
    /// The kind's name.
    pub name: &'static str,
    /// Where the file lies, in a folder with what is read beside it.
    pub file: &'static str,
    /// Reads it and uses what was read; a refusal is the line that the user sees.
    read: fn(At) -> Result<(), String>,
    /// Bytes that may be held whatever the file's size is.
    spare: usize,
    /// What such a file may hold.
    pub words: &'static [&'static str],
}

/// Of what is only read.
const SMALL: usize = 64 << 20;

/// Twenty minutes of samples, the longest recording that is read, as they grow: few bytes of FLAC can be that long.
const RECORDING: usize = SMALL + 3 * 20 * 60 * 16_000 * 4;

const AUDIO: &[&str] =
    &["RIFF", "WAVE", "fmt ", "data", "LIST", "fact", "FORM", "AIFF", "COMM", "SSND", "fLaC", "OggS", "ID3", "Xing", "ftyp", "moov"];
const TABLE: &[&str] =
    &[",", ";", "\t", "\"", "\"\"", "\r\n", "\u{feff}", "audio", "text", "label", "split", "train", "NaN", "-1", "sep=;", "\u{85}"];
const TRANSCRIPT: &[&str] = &["\n", "\r", "\t", "\0", "\u{feff}", "0001_000001", "Sad", "\u{4e2d}\u{7acb}"];
const CAPTIONS: &[&str] = &[
    "00:00:01,000 --> 00:00:02.000",
    "WEBVTT",
    "NOTE",
    "-->",
    "\n\n",
    "\r",
    "\u{feff}",
    "<i>",
    "<v Ann>",
    "{\\an8}",
    "&amp;",
    "99999:59:59,999999999",
    "-1",
    "NaN",
];
const JSON: &[&str] =
    &["null", "[]", "{}", "1e999", "-1", "18446744073709551615", "\"\"", "\\u0000", "[[[[[[[[", "true", "\n", "<script>", "<img src=x>"];
const SHARDS: &[&str] = &[
    "{\"file\": \"d-00001-of-00002.safetensors\"}",
    "\"utterances\": ",
    "\"bytes\": ",
    "\"fingerprint\": \"\"",
    "\"plan\": \"\"",
    "../",
    "18446744073709551615",
    "null",
    "[]",
    "{",
];
const TOML: &[&str] = &[
    "[model]",
    "[train]",
    "[data]",
    "[run]",
    "hidden = ",
    "layers = ",
    "heads = ",
    "nan",
    "inf",
    "9223372036854775807",
    "\"\"\"",
    "= [",
    "\n",
];
const TENSORS: &[&str] = &[
    "__metadata__",
    "\"dtype\":\"F32\"",
    "\"F16\"",
    "\"I64\"",
    "\"shape\":[",
    "\"data_offsets\":[",
    "18446744073709551615",
    "null",
    "-1",
    "[]",
];

/// Declares the list.
macro_rules! readers {
    ($($name:literal: $file:literal, $read:expr, $spare:expr, $words:expr;)*) => {
        /// All of them.
        pub const READERS: &[Reader] = &[$(Reader { name: $name, file: $file, read: $read, spare: $spare, words: $words }),*];
    };
}

readers! {
    "wav": "a.wav", recording, RECORDING, AUDIO;
    "aiff": "a.aiff", recording, RECORDING, AUDIO;
    "flac": "a.flac", recording, RECORDING, AUDIO;
    "mp3": "a.mp3", recording, RECORDING, AUDIO;
    "ogg": "a.ogg", recording, RECORDING, AUDIO;
    "ogg-sealed": "a.unsealed", |at| recording(sealed_ogg(at)), RECORDING, AUDIO;
    "mp4": "a.m4a", recording, RECORDING, AUDIO;
    "mp4-multichannel": "a.m4a", recording, RECORDING, AUDIO;
    "alac": "a.m4a", recording, RECORDING, AUDIO;
    "aac": "a.aac", recording, RECORDING, AUDIO;
    "matroska": "a.mka", recording, RECORDING, AUDIO;
    "segments": "a.wav", segments, RECORDING, AUDIO;
    "transcript-srt": "a.srt", transcript, SMALL, CAPTIONS;
    "transcript-vtt": "a.vtt", transcript, SMALL, CAPTIONS;
    "transcript-ctm": "a.ctm", transcript, SMALL, &["a A 0.5 0.25 go", ";; ", "<eps>", "NaN", "-1", "1e99", "inf", "\u{85}", "\r"];
    "manifest": "manifest.csv", |at| corpus(manifest::read(&at.file)), SMALL, TABLE;
    "meld": "train_sent_emo.csv", |at| corpus(meld::read(&at.folder)), SMALL, TABLE;
    "nemo": "data.tsv", |at| corpus(nemo::read(&at.folder)), SMALL, TABLE;
    "msp-podcast": "labels_consensus.csv", |at| corpus(msp_podcast::read(&at.folder, MspClasses::Eight)), SMALL, TABLE;
    "esd-transcripts": "0001/0001.txt", |at| corpus(esd::read(&at.folder)), SMALL, TRANSCRIPT;
    "transcript": "calm/a.txt", |at| corpus(folders::read(&at.folder)), SMALL, TRANSCRIPT;
    "label-map": "labels.toml", label_map, SMALL, &["happy = ", "\"\"", "= [", "\n", "[table]", "angry"];
    "emobox": "ravdess_test_fold_1.jsonl", emobox, SMALL, JSON;
    "iemocap-labels": "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", iemocap, SMALL, TABLE;
    "iemocap-transcripts": "Session1/dialog/transcriptions/Ses01F_impro01.txt", iemocap, SMALL, TABLE;
    "cremad-actors": "VideoDemographics.csv", |at| corpus(cremad::read(&at.folder)), SMALL, TABLE;
    "file-names": "names", file_names, SMALL, TABLE;
    "list": "list.csv", listed, SMALL, TABLE;
    "texts": "texts.txt", texts, SMALL, &["\n", "\r", "\0", "\u{feff}", "Dr. ", "can't", "...", "\u{2019}", "-", "\u{301}", "😀"];
    "pcm": "a.raw", |at| pcm(at, PcmFormat::S16), RECORDING, &["RIFF", "fLaC"];
    "pcm-floats": "a.raw", |at| pcm(at, PcmFormat::F32), RECORDING, &["RIFF", "fLaC"];
    "features": "a.npy", features, SMALL, &["'descr'", "'<f2'", "'<f8'", "'fortran_order': True", "'shape': (", "18446744073709551615"];
    "vector-table": "prosody.csv", vector_table, SMALL, &["name", ";", ",", "'a'", "nan", "1e99", "?", "@relation r", "@attribute x numeric", "@data"];
    "alignment": "a.csv", alignment, SMALL, &["word", "start", "end", ",", ";", "1e99", "nan", "-1", "<s>", "GO(2)"];
    "alignment-sphinx": "a.wdseg", alignment, SMALL, &["SFrm", "Total", "\t", "4294967295", "-1", "<sil>", "++NOISE++", "GO(2)", "\u{85}"];
    "vectors": "vectors.txt", vectors, SMALL, &[" ", "\t", "\n", "NaN", "1e99", "\u{a0}", "\u{85}", "3 2"];
    "vectors-gzip": "vectors.gz", vectors, SMALL, &[];
    "vectors-zip": "vectors.zip", vectors, SMALL, &["PK\u{1}\u{2}", "PK\u{3}\u{4}", "PK\u{5}\u{6}"];
    "prepared": "data.safetensors", trained_on, SMALL, TENSORS;
    "prepared-header": "data.header", |at| trained_on(with_header(at)), SMALL, TENSORS;
    "shards": "d.safetensors.index.json", trained_on, SMALL, SHARDS;
    "shard": "d-00002-of-00002.safetensors", shard, SMALL, TENSORS;
    "checkpoint": "run/best.safetensors", prediction, SMALL, TENSORS;
    "checkpoint-header": "run/best.header", |at| prediction(with_header(at)), SMALL, TENSORS;
    "vocabulary": "run/vocabulary.safetensors", prediction, SMALL, TENSORS;
    "vocabulary-header": "run/vocabulary.header", |at| prediction(with_header(at)), SMALL, TENSORS;
    "last-checkpoint": "run/last.safetensors", resumed, SMALL, TENSORS;
    "last-checkpoint-header": "run/last.header", |at| resumed(with_header(at)), SMALL, TENSORS;
    "svm": "svm/best.safetensors", machine, SMALL, TENSORS;
    "svm-header": "svm/best.header", |at| machine(with_header(at)), SMALL, TENSORS;
    "calibration": "run/calibration.json", calibrated, SMALL, JSON;
    "packed": "m.mcsan", |at| predicts(said(Predictor::load(&at.file))?), SMALL, &["PK\u{1}\u{2}", "PK\u{3}\u{4}", "PK\u{5}\u{6}", "mcsan-run/1", "best.safetensors"];
    "packed-checkpoint": "c.mcsan", unpacked, SMALL, &["PK\u{1}\u{2}", "PK\u{3}\u{4}", "mcsan-run/1", "last.safetensors"];
    "weights": "weights.safetensors", weights, SMALL, TENSORS;
    "settings": "config.toml", settings, SMALL, TOML;
    "run-settings": "run/config.toml", report, SMALL, TOML;
    "run-log": "run/metrics.jsonl", report, SMALL, JSON;
    "run-result": "run/test.json", report, SMALL, JSON;
    "folds": "cv/folds.json", experiment, SMALL, JSON;
    "fold-result": "cv/fold-1/test.json", experiment, SMALL, JSON;
    "sweep": "sw/space.json", swept, SMALL, JSON;
    "failed-trial": "sw/trial-001/failed.json", swept, SMALL, JSON;
    "compared-result": "run/test.json", compared, SMALL, JSON;
    "resumed-log": "run/metrics.jsonl", resumed, SMALL, JSON;
    "report-data": "data.safetensors", report, SMALL, TENSORS;
    "claim": "claimed/.claim-0", claimed, SMALL, JSON;
    "profile": "profile.json", profile, SMALL, JSON;
    "tiles": "tiles.toml", tiles, SMALL, &["forward 1024x128x512 128x64", "backward_weight", "64x64-narrow", "= [", "4294967296"];
}

/// Where a file lies.
struct At {
    /// With what is read beside it.
    folder: PathBuf,
    file: PathBuf,
}

impl Reader {
    /// Puts `bytes` where the reader finds them and has it read them. Returns the line that they are refused with, if they are.
    ///
    /// # Panics
    /// Where a bound is broken or a refusal is not one line.
    pub fn run(&self, folder: &Path, bytes: &[u8]) -> Option<String> {
        let at = At { folder: folder.into(), file: folder.join(self.file) };
        fs::write(&at.file, bytes).expect("the folder can be written to");
        let refusal = within(self.spare, bytes.len(), || (self.read)(at)).err()?;
        assert!(!refusal.is_empty() && !refusal.contains('\n'), "a refusal is one line: {refusal:?}");
        Some(refusal)
    }
}

fn said<T, E: Remedied>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| line(&error))
}

fn recording(at: At) -> Result<(), String> {
    let samples = said(decode(&at.file))?;
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample.is_finite()), "samples are finite, and there are some");
    Ok(())
}

/// What comes piece by piece is what is decoded whole, and every segment is a part of it.
fn segments(at: At) -> Result<(), String> {
    let samples = said(decode(&at.file))?;
    for stretches in [Stretches::Whole, Stretches::Voice { above: 3.0 }] {
        let mut segmenter = Segmenter::new(stretches, 0.05, 0.02).expect("these windows can be");
        let mut segments = Vec::new();
        for piece in Stream::of_file(&at.file) {
            segments.extend(segmenter.push(&said(piece)?));
        }
        segments.extend(segmenter.finish());
        let is_part = |segment: &Segment| samples[segment.start as usize..].starts_with(&segment.samples) && !segment.samples.is_empty();
        assert!(segments.iter().all(is_part), "a segment is a part of the recording");
        assert!(stretches != Stretches::Whole || !segments.is_empty(), "all of it lies in windows");
    }
    Ok(())
}

fn transcript(at: At) -> Result<(), String> {
    let transcript = said(Transcript::read(&at.file))?;
    let words = transcript.words();
    assert!(
        !words.is_empty() && words.iter().all(|word| word.times[0] >= 0.0 && word.times[1] >= word.times[0] && word.times[1].is_finite())
    );
    assert_eq!(transcript.text(transcript.between(0.0, f64::MAX)).split_whitespace().count(), words.len());
    assert!(transcript.of_recording("a").is_ok() || transcript.names_recordings());
    Ok(())
}

/// Gives every page of an Ogg file the checksum that its content has: without one no decoder sees it.
fn sealed_ogg(at: At) -> At {
    let mut bytes = fs::read(&at.file).expect("it was written");
    let starts: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, window)| window == b"OggS").map(|(place, _)| place).collect();
    for start in starts {
        let page = &mut bytes[start..];
        let Some(&segments) = page.get(26) else { continue };
        let Some(lacing) = page.get(27..27 + usize::from(segments)) else { continue };
        let length = 27 + lacing.len() + lacing.iter().map(|&length| usize::from(length)).sum::<usize>();
        let Some(page) = page.get_mut(..length) else { continue };
        page[22..26].fill(0);
        let checksum = page.iter().fold(0u32, |sum, &byte| {
            (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| if sum >> 31 == 1 { sum << 1 ^ 0x04C1_1DB7 } else { sum << 1 })
        });
        page[22..26].copy_from_slice(&checksum.to_le_bytes());
    }
    let file = at.file.with_extension("ogg");
    fs::write(&file, bytes).expect("the folder can be written to");
    At { file, ..at }
}

/// Puts a header before the tensors that were staged for it, with the length that it has: without it nothing behind is read.
fn with_header(at: At) -> At {
    let header = fs::read(&at.file).expect("it was written");
    let body = fs::read(at.file.with_extension("body")).expect("it was staged");
    let file = at.file.with_extension("safetensors");
    fs::write(&file, [&(header.len() as u64).to_le_bytes(), header.as_slice(), &body].concat()).expect("the folder can be written to");
    At { file, ..at }
}

fn corpus(read: Result<Corpus, CorpusError>) -> Result<(), String> {
    let corpus = said(read)?;
    assert!(!corpus.utterances.is_empty());
    let mut labelled = corpus.utterances.iter().zip(corpus.labels());
    assert!(labelled.all(|(utterance, label)| (label >= 0) != (utterance.split == Some(Split::Unlabelled))), "all others are of a class");
    let text = TextTable::learned(&corpus.utterances);
    assert_eq!(text.offsets.len(), corpus.utterances.len() + 1);
    Ok(())
}

fn iemocap(at: At) -> Result<(), String> {
    corpus(iemocap::read(&at.folder, IemocapClasses::Seven))
}

/// Corpora that say everything by the names of their recordings: a line of the file is one.
fn file_names(at: At) -> Result<(), String> {
    let names = fs::read(&at.file).expect("it was written");
    let names = String::from_utf8_lossy(&names);
    let names: Vec<String> = names.lines().take(20).map(|name| name.replace(['/', '\\', '\0'], "_")).collect();
    let read = |recordings: &str, read: fn(&Path) -> Result<Corpus, CorpusError>| {
        let folder = at.folder.join("corpus");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join(recordings)).expect("the folder can be written to");
        for name in &names {
            // What the system takes for no name is none.
            let _ = fs::write(folder.join(recordings).join(name), "");
        }
        corpus(read(&folder))
    };
    // The folder of each is in its own layout.
    let results = [
        read("wav", emodb::read),
        read("Actor_01", ravdess::read),
        read("AudioWAV", cremad::read),
        read("OAF_angry", tess::read),
        read("DC", savee::read),
        read("f1", emovo::read),
        read("01Neutral", ased::read),
        read("Sad", esd::read),
        read("Sad", folders::read),
    ];
    results.into_iter().collect()
}

/// What is to be predicted; each of its lines is taken or refused by itself.
fn listed(at: At) -> Result<(), String> {
    for line in said(list::read(&at.file, &["audio", "text"]))? {
        let listed = said(line)?;
        assert!(listed.line > 0 && listed.path.is_some(), "every line has its recording");
    }
    Ok(())
}

/// A fold of EmoBox, beside the file that it trains by.
fn emobox(at: At) -> Result<(), String> {
    let spoken = |name: &str| mcsan::corpus::Utterance {
        id: name.into(),
        audio: format!("{name}.wav").into(),
        text: String::new(),
        label: "calm".into(),
        split: None,
        speaker: None,
        session: None,
        dialogue: None,
    };
    let mut corpus = Corpus::new("ravdess", &at.folder, ["a", "b", "c"].map(spoken).to_vec());
    let divided = said(mcsan::corpus::emobox::divide(&mut corpus, &at.folder))?;
    assert!(divided.splits.iter().sum::<usize>() + divided.unlisted == 3);
    Ok(())
}

/// Which class is which, of a corpus and a model.
fn label_map(at: At) -> Result<(), String> {
    let labels = said(Labels::read(&MapSource::File(at.file)))?;
    let [data, model] = [["happy", "sad", "angry"], ["joy", "sadness", "anger"]].map(|names| names.map(String::from));
    said(labels.check(&[&data, &model]))?;
    let map = said(labels.map(&data, &model))?;
    assert!(map.to.len() == 3 && map.to.iter().flatten().all(|&class| class < 3));
    Ok(())
}

fn texts(at: At) -> Result<(), String> {
    let texts = said(read_lines(&at.file))?;
    let tokens: Vec<Vec<String>> = texts.iter().map(|text| tokenise(text)).collect();
    assert!(tokens.iter().flatten().all(|token| !token.is_empty()));
    Ok(())
}

fn pcm(at: At, format: PcmFormat) -> Result<(), String> {
    let bytes = fs::read(&at.file).expect("it was written");
    let samples = said(read_pcm(&bytes[..], "standard input", format, 8000))?;
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample.is_finite()), "samples are finite, and there are some");
    Ok(())
}

fn vector_table(at: At) -> Result<(), String> {
    let table = said(VectorTable::read(&at.file))?;
    let found = [table.of("a", Path::new("")), table.of("no", Path::new("clips/b.wav"))];
    assert!(found.into_iter().flatten().all(|vector| !vector.is_empty() && vector.iter().all(|value| value.is_finite())));
    Ok(())
}

fn alignment(at: At) -> Result<(), String> {
    let alignment = said(Alignment::read(&at.file))?;
    let tokens = tokenise("Go, go away!");
    let times = alignment.times(&tokens);
    assert!(times.iter().flatten().all(|[start, end]| *start >= 0.0 && start <= end && end.is_finite()));
    assert!(times.is_none_or(|times| times.len() == tokens.len()), "a time for each token");
    Ok(())
}

fn features(at: At) -> Result<(), String> {
    // Of one row it is a vector as well.
    let vector = FeatureMatrix::read_vector(&at.file);
    let matrix = said(FeatureMatrix::read(&at.file))?;
    assert!(vector.is_ok() == (matrix.rows() == 1));
    assert!(matrix.rows() > 0 && matrix.values.len() == matrix.rows() * matrix.columns, "whole rows, and there are some");
    assert!(matrix.values.iter().all(|value| value.is_finite()));
    Ok(())
}

fn vectors(at: At) -> Result<(), String> {
    let spoken = |text: &str| mcsan::corpus::Utterance {
        id: "a".into(),
        audio: "a.wav".into(),
        text: text.into(),
        label: "calm".into(),
        split: None,
        speaker: None,
        session: None,
        dialogue: None,
    };
    let utterances = [spoken("The sea is quiet."), spoken("You liar!")];
    let table = said(TextTable::with_vectors(&utterances, &at.file, OutOfVocabulary::Random))?;
    let vectors = table.vectors.expect("a file of vectors gives vectors");
    assert_eq!(vectors.values.len(), vectors.width * table.vocabulary.len());
    assert!(vectors.values.iter().all(|value| value.is_finite()));
    Ok(())
}

/// Settings of a network that computes in no time.
pub fn tiny() -> Settings {
    let mut settings = Settings::default();
    (settings.model.hidden, settings.model.heads, settings.model.feed_forward, settings.model.word_width) = (2, 1, 2, 2);
    (settings.train.epochs, settings.train.batch_size) = (1, 2);
    settings
}

fn trained_on(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.file))?;
    said(data.fingerprint())?;
    assert!((0..data.len()).all(|utterance| data.is_labelled(utterance) == data.class_of(utterance).is_some()));
    let training = Training { settings: tiny(), ..Training::of(&data) };
    let finished = said(pollster::block_on(training.run(&Device::Cpu(Cpu::default()))))?;
    assert!(finished.losses.iter().all(|loss| loss.is_finite()), "a training that ends has learned: {:?}", finished.losses);
    Ok(())
}

/// A shard beside a right one, by their index.
fn shard(at: At) -> Result<(), String> {
    trained_on(At { file: at.folder.join("d.safetensors.index.json"), folder: at.folder })
}

fn prediction(at: At) -> Result<(), String> {
    predicts(said(Predictor::load(&at.folder.join("run")))?)
}

/// A run that was packed, and goes on in a folder of its own.
fn unpacked(at: At) -> Result<(), String> {
    let bytes = fs::read(&at.file).expect("the file is there");
    let packed = said(Packed::read(&at.file, &bytes))?;
    let copy = at.folder.join("unpacked");
    let _ = fs::remove_dir_all(&copy);
    said(packed.unpack(&copy))?;
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let training = Training { settings: tiny(), out: Some(copy), start: Start::Resume, ..Training::of(&data) };
    said(pollster::block_on(training.run(&Device::Cpu(Cpu::default())))).map(drop)
}

fn predicts(predictor: Predictor) -> Result<(), String> {
    let samples: Vec<f32> = (0..1600).map(|place| (place as f32 * 0.1).sin()).collect();
    let predicted = pollster::block_on(predictor.predict(&Device::Cpu(Cpu::default()), &samples, "The sea is quiet."));
    let probabilities = said(predicted)?;
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6, "probabilities sum to one: {probabilities:?}");
    Ok(())
}

fn calibrated(at: At) -> Result<(), String> {
    let predictor = said(Predictor::load_calibrated(&at.folder.join("run")))?;
    let samples: Vec<f32> = (0..1600).map(|place| (place as f32 * 0.1).sin()).collect();
    let predicted = pollster::block_on(predictor.predict(&Device::Cpu(Cpu::default()), &samples, "The sea is quiet."));
    let sum: f64 = said(predicted)?.iter().sum();
    assert!((sum - 1.0).abs() < 1e-6, "probabilities sum to one at every temperature: {sum}");
    Ok(())
}

fn machine(at: At) -> Result<(), String> {
    let checkpoint = said(Checkpoint::load(&at.file))?;
    if let Some(machine) = &checkpoint.machine {
        assert_eq!(machine.decide(&vec![0.5; machine.columns()]).len(), checkpoint.classes.len());
    }
    Ok(())
}

/// A run that goes on from its last checkpoint, in a copy of its folder.
fn resumed(at: At) -> Result<(), String> {
    let (run, copy) = (at.folder.join("run"), at.folder.join("copy"));
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).expect("the folder can be written to");
    for file in ["config.toml", "metrics.jsonl", "vocabulary.safetensors", "best.safetensors", "last.safetensors"] {
        fs::copy(run.join(file), copy.join(file)).expect("the run is there");
    }
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let training = Training { settings: tiny(), out: Some(copy), start: Start::Resume, ..Training::of(&data) };
    said(pollster::block_on(training.run(&Device::Cpu(Cpu::default())))).map(drop)
}

/// A run in a folder that another process left long ago.
fn claimed(at: At) -> Result<(), String> {
    let folder = at.folder.join("claimed");
    let bytes = fs::read(&at.file).expect("it was written");
    fs::remove_dir_all(&folder).and_then(|()| fs::create_dir(&folder)).expect("the folder can be written to");
    fs::write(&at.file, bytes).expect("the folder can be written to");
    let left = File::options().write(true).open(&at.file).expect("it was written");
    left.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("a file's time can be set");
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let training = Training { settings: tiny(), out: Some(folder), ..Training::of(&data) };
    said(pollster::block_on(training.run(&Device::Cpu(Cpu::default()))))?;
    assert!(!at.file.exists(), "what is taken over is removed");
    Ok(())
}

fn weights(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let cpu = Cpu::<f32>::default();
    said(Session::new(&cpu, &tiny(), &data, &data.training(), Weights::File(&at.file))).map(drop)
}

fn settings(at: At) -> Result<(), String> {
    let config = said(Config::default().load(&at.file, &[]))?;
    fs::write(&at.file, config.to_toml()).expect("the folder can be written to");
    assert_eq!(Config::default().load(&at.file, &[]).expect("what is written is read"), config);
    Ok(())
}

fn report(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let page = said(run_html(&at.folder.join("run"), Some(&data)))?;
    assert!(!page.contains("<script") && !page.contains("<img"), "a report runs nothing and fetches nothing");
    is_drawn(&page);
    Ok(())
}

/// Everything in a picture has its place: an attribute that tells of numbers has them.
fn is_drawn(page: &str) {
    let attributes = page.split("=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let is_number = |part: &str| !["NaN", "inf", "-inf"].contains(&part);
    for attribute in attributes {
        let is_whole = attribute.split([' ', ',', '(', ')', 'M', 'L', 'h', 'v', 'H', 'V', 'z']).all(is_number);
        assert!(is_whole, "what is drawn has a place: {attribute}");
    }
}

/// Three folds, the first of which is done.
fn experiment(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    let identity = said(identity(&data))?;
    let folds = said(Folds::assign_count(&data, By::Random, 3, 0))?;
    let opened = said(CrossValidation::open(&data, &identity, Config::from(tiny()), &folds, &at.folder.join("cv")))?;
    said(Gathered::read(&opened)).map(drop)
}

/// A sweep of two trials over those folds, of which `of` is told.
pub fn with_sweep<T>(folder: &Path, data: &Dataset, of: impl FnOnce(&Sweep<'_>) -> T) -> T {
    let (identity, base) = (identity(data).expect("the data are read"), Config::from(tiny()));
    let folds = Folds::assign_count(data, By::Random, 3, 0).expect("nine can be divided by three");
    let key = mcsan::config::keys().find(|key| key.name == "train.lr").expect("there is one");
    let trial = |number: usize| Trial::of(number, vec![(key, (0.5 + number as f64).into())], base.clone());
    let trials = vec![trial(0).expect("a rate can be that"), trial(1).expect("a rate can be that")];
    let folder = folder.join("sw");
    of(&Sweep { data, identity: &identity, folds: &folds, folder: &folder, seeds: 1, trials, keys: vec![key], eta: None, base })
}

fn swept(at: At) -> Result<(), String> {
    let data = said(Dataset::load(&at.folder.join("data.safetensors")))?;
    with_sweep(&at.folder, &data, |sweep| {
        said(sweep.agree())?;
        said(sweep.gather()).map(drop)
    })
}

/// A run against itself: nothing differs.
fn compared(at: At) -> Result<(), String> {
    let run = at.folder.join("run");
    let comparison = said(against::compare(&run, &run, None))?;
    is_drawn(&comparison.page);
    Ok(())
}

/// A profile that is shown, drawn, and compared with itself.
fn profile(at: At) -> Result<(), String> {
    let kept = said(ProfileReport::read(&at.file))?;
    is_drawn(&roofline(&kept));
    let lines = compare(&kept, &kept).iter().map(Change::line).count();
    assert!(lines > 0 && kept.terminal().lines().count() > lines, "there is a line a kernel, and some besides");
    Ok(())
}

fn tiles(at: At) -> Result<(), String> {
    let file = TileFile::read(&at.file).ok_or("is none")?;
    for choice in file.tiles {
        assert_eq!(choice.to_string().parse::<TileChoice>().ok(), Some(choice), "a choice is read as it is written");
    }
    Ok(())
}

/// Which data set an experiment is of.
pub fn identity(data: &Dataset) -> Result<Identity, DatasetError> {
    Ok(Identity { corpus: data.corpus.clone(), utterances: data.len(), fingerprint: data.fingerprint()? })
}
