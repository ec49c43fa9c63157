//! A corpus of fifteen short tones in three classes, small enough that a test makes its own.

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};
use tempfile::TempDir;

use crate::program::mcsan;

/// Names, sorted as in the prepared file; pitch in hertz; what is said.
pub const CLASSES: [(&str, f32, &str); 3] =
    [("angry", 620.0, "Go away, you liar!"), ("calm", 210.0, "The sea is quiet today."), ("glad", 1480.0, "What a lovely Qwertzday")];

/// Split of the utterances of every class: three to train on, one each for validation and test.
pub const SPLITS: [&str; 5] = ["train", "train", "train", "validation", "test"];

pub const UTTERANCES: usize = CLASSES.len() * SPLITS.len();

/// Words of the transcripts with a vector: all but one.
const KNOWN_WORDS: [&str; 16] =
    ["go", "away", ",", "you", "liar", "!", "the", "sea", "is", "quiet", "today", ".", "what", "a", "lovely", "unused"];

/// Width of the word vectors.
pub const WORD_WIDTH: usize = 8;

/// Settings of a model that trains in no time.
pub const TINY: &str = "--set model.hidden=16 --set model.heads=2 --set model.feed_forward=32 --set train.batch_size=4";

pub const MONO_16_KHZ: WavSpec = WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
const STEREO_44_KHZ: WavSpec = WavSpec { channels: 2, sample_rate: 44_100, bits_per_sample: 24, sample_format: SampleFormat::Int };

/// The corpus: `manifest.csv`, `vectors.txt` and recordings in `audio/`.
pub fn corpus() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("audio")).unwrap();
    let mut manifest = "id,audio,text,label,split,speaker\n".to_owned();
    for (label, pitch, text) in CLASSES {
        for (take, split) in SPLITS.into_iter().enumerate() {
            let spec = if label == "glad" && take == 1 { STEREO_44_KHZ } else { MONO_16_KHZ };
            let seconds = 0.3 + 0.05 * take as f32;
            tone(&folder.path().join(format!("audio/{label}{take}.wav")), spec, pitch * (1.0 + 0.03 * take as f32), seconds);
            manifest += &format!("{label}{take},audio/{label}{take}.wav,\"{text}\",{label},{split},speaker{take}\n");
        }
    }
    fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
    let vector =
        |row: usize| (0..WORD_WIDTH).map(|column| format!(" {:.2}", (row * 7 + column * 13) as f32 % 1.9 - 0.95)).collect::<String>();
    let vectors: String = KNOWN_WORDS.iter().enumerate().map(|(row, word)| format!("{word}{}\n", vector(row))).collect();
    fs::write(folder.path().join("vectors.txt"), vectors).unwrap();
    folder
}

/// The corpus and `data.safetensors` of it.
pub fn prepared() -> TempDir {
    let folder = corpus();
    mcsan(folder.path(), "prepare manifest manifest.csv --vectors vectors.txt --out data.safetensors --device cpu").succeeds();
    folder
}

/// The corpus, its prepared file, and a model trained for two epochs in `run`.
pub fn trained() -> TempDir {
    let folder = prepared();
    mcsan(folder.path(), &format!("train --data data.safetensors --out run --epochs 2 {TINY} --device cpu")).succeeds();
    folder
}

/// A tone with an overtone and a little hiss, so that no coefficient is the same everywhere.
pub fn tone(path: &Path, spec: WavSpec, pitch: f32, seconds: f32) {
    let full_scale = ((1i64 << (spec.bits_per_sample - 1)) - 1) as f32;
    let mut writer = WavWriter::create(path, spec).unwrap();
    for frame in 0..(seconds * spec.sample_rate as f32) as usize {
        let phase = TAU * pitch * frame as f32 / spec.sample_rate as f32;
        let hiss = ((frame * 7919) % 201) as f32 / 201.0 - 0.5;
        let sample = 0.25 * phase.sin() + 0.1 * (2.0 * phase).sin() + 0.01 * hiss;
        for _ in 0..spec.channels {
            writer.write_sample((sample * full_scale) as i32).unwrap();
        }
    }
    writer.finalize().unwrap();
}
