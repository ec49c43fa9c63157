//! Every kind of file that a stranger may have made, with what reads it and what is then done with it.
//!
//! What a reader refuses is one line; it ends nothing, holds no more than follows the file's size, and comes to an end. What it
//! takes can be used.

mod corpora;
mod runs;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use mcsan::audio::PcmFormat;
use mcsan::base::remedy::{Remedied, line};
use mcsan::corpus::msp_podcast::MspClasses;
use mcsan::corpus::{cremad, esd, folders, manifest, meld, msp_podcast, nemo};
use mcsan::train::Predictor;

use crate::bounds::within;
use corpora::*;
use runs::*;
pub use runs::{identity, tiny, with_sweep};
use words::*;

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
