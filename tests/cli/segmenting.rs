//! `predict --segments`: long recordings, folders of them, their transcripts, and what is written of them.

use std::fs;
use std::path::Path;

use hound::WavWriter;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::corpus::{CLASSES, MONO_16_KHZ, TINY, prepared, trained};
use crate::program::{Outcome, call, mcsan};

/// Seconds of the recording: silence but for two tones, of 0.8 and of 2 s.
const SECONDS: f32 = 6.0;
const TONES: [[f32; 2]; 2] = [[1.0, 1.8], [3.0, 5.0]];

/// A recording with pauses, `talk.wav`.
fn talk(folder: &Path) {
    let mut writer = WavWriter::create(folder.join("talk.wav"), MONO_16_KHZ).unwrap();
    for frame in 0..(SECONDS * 16_000.0) as usize {
        let seconds = frame as f32 / 16_000.0;
        let loud = TONES.iter().any(|[from, to]| (*from..*to).contains(&seconds));
        let tone = if loud { 0.3 * (seconds * std::f32::consts::TAU * if seconds < 2.0 { 620.0 } else { 210.0 }).sin() } else { 0.0 };
        writer.write_sample((32_767.0 * (tone + 0.0003 * (((frame * 7919) % 201) as f32 / 201.0 - 0.5))) as i16).unwrap();
    }
    writer.finalize().unwrap();
}

/// A part of a recording as a file of its own.
fn cut(folder: &Path, name: &str, [start, end]: [f64; 2]) {
    let samples: Vec<i16> = hound::WavReader::open(folder.join("talk.wav")).unwrap().samples().map(Result::unwrap).collect();
    let mut writer = WavWriter::create(folder.join(name), MONO_16_KHZ).unwrap();
    let place = |seconds: f64| (seconds * 16_000.0).round() as usize;
    samples[place(start)..place(end)].iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
}

/// A model of recordings alone, and one of both, with `talk.wav`.
fn heard() -> TempDir {
    let folder = prepared();
    let line = format!("train --data data.safetensors --out run --epochs 1 {TINY} --set model.variant=no_text --device cpu");
    mcsan(folder.path(), &line).succeeds();
    talk(folder.path());
    folder
}

fn read_and_heard() -> TempDir {
    let folder = trained();
    talk(folder.path());
    folder
}

fn predict(folder: &Path, arguments: &str) -> Outcome {
    mcsan(folder, &format!("predict --device cpu --run run {arguments}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// The one recording of a document.
fn recording(document: &Value) -> &Value {
    let recordings = document["recordings"].as_array().unwrap();
    assert_eq!(recordings.len(), 1);
    &recordings[0]
}

#[test]
fn each_segment_is_predicted_bit_for_bit_as_a_recording_of_its_own() {
    let folder = heard();
    let here = folder.path();
    let document = predict(here, "--audio talk.wav --segments voice --window 1.1 --overlap 0.25 --json").json();
    let found = recording(&document);
    let segments = found["segments"].as_array().unwrap();
    let times: Vec<[f64; 2]> = segments.iter().map(|segment| [number(&segment["start"]), number(&segment["end"])]).collect();
    // The second stretch lasts 2.2 s with its margins; its last two windows are equally long.
    let expected = [[0.89, 1.91], [2.89, 3.99], [3.74, 4.55], [4.3, 5.11]];
    assert_eq!(times.len(), 4, "{times:?}");
    assert!(times.iter().flatten().zip(expected.iter().flatten()).all(|(found, expected)| (found - expected).abs() < 0.03), "{times:?}");
    for (segment, times) in segments.iter().zip(&times) {
        cut(here, "part.wav", *times);
        let alone = predict(here, "--audio part.wav --json").json();
        assert_eq!((&segment["label"], &segment["probabilities"]), (&alone["label"], &alone["probabilities"]), "{times:?}");
    }
    let weights: Vec<f64> = times.iter().map(|[start, end]| end - start).collect();
    let mean = |class: &str| {
        let sum: f64 = segments.iter().zip(&weights).map(|(segment, weight)| number(&segment["probabilities"][class]) * weight).sum();
        sum / weights.iter().sum::<f64>()
    };
    for (class, ..) in CLASSES {
        assert!((number(&found["summary"]["probabilities"][class]) - mean(class)).abs() < 1e-12);
    }
    assert_eq!((number(&found["seconds"]), &found["summary"]["segments"]), (6.0, &json!(4)));
    assert!((number(&found["summary"]["covered"]) - 3.2).abs() < 0.05, "{found}");
    // Over all of it, and of raw samples the same.
    let windows = |audio: &str| predict(here, &format!("--audio {audio} --segments windows --window 2 --overlap 0.5 --json")).json();
    let all = windows("talk.wav");
    assert_eq!(
        recording(&all)["segments"].as_array().unwrap().iter().map(|one| number(&one["start"])).collect::<Vec<_>>(),
        [0.0, 1.5, 3.0, 4.25]
    );
}

#[test]
fn segments_are_written_as_csv_json_lines_and_rttm_and_drawn() {
    let folder = heard();
    let here = folder.path();
    let line = "--audio talk.wav --segments voice --window 2";
    let shown = predict(here, line).succeeds();
    assert!(
        shown.stderr.lines().any(|line| line.starts_with("talk.wav: ") && line.contains("3 segments over 3.2 of 6.0 s")),
        "{}",
        shown.stderr
    );
    let mut reader = csv::Reader::from_reader(shown.stdout.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["audio", "start", "end", "label", "angry", "calm", "glad"]);
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 3);
    // Twice: what it made itself it writes over.
    for _ in 0..2 {
        for out in ["s.csv", "s.jsonl", "s.rttm"] {
            let said = predict(here, &format!("{line} --out {out} --timeline t.svg")).succeeds().stdout;
            assert!(said.starts_with("talk.wav: ") && said.contains(" % █") && said.lines().count() == 4, "{said}");
        }
    }
    assert_eq!(fs::read_to_string(here.join("s.csv")).unwrap(), shown.stdout);
    for (line, record) in fs::read_to_string(here.join("s.jsonl")).unwrap().lines().zip(&records) {
        let object: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&object["audio"], &object["label"]), (&json!("talk.wav"), &json!(&record[3])));
        assert_eq!(number(&object["start"]), record[1].parse::<f64>().unwrap());
        assert_eq!(number(&object["probabilities"]["angry"]), record[4].parse::<f64>().unwrap());
    }
    let rttm = fs::read_to_string(here.join("s.rttm")).unwrap();
    for (line, record) in rttm.lines().zip(&records) {
        let fields: Vec<&str> = line.split(' ').collect();
        let [start, end]: [f64; 2] = [1, 2].map(|field| record[field].parse().unwrap());
        assert_eq!(fields[..3], ["SPEAKER", "talk", "1"]);
        assert_eq!((fields[3], fields[4], fields[7]), (&*format!("{start:.3}"), &*format!("{:.3}", end - start), &record[3]));
    }
    assert_eq!(rttm.lines().count(), 3);
    let svg = fs::read_to_string(here.join("t.svg")).unwrap();
    assert!(resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).is_ok());
    assert!(CLASSES.iter().all(|(name, ..)| svg.contains(&format!(">{name}</text>"))), "{svg}");
    predict(here, &format!("{line} --out s.csv --timeline t.png")).succeeds();
    assert!(fs::read(here.join("t.png")).unwrap().starts_with(b"\x89PNG"));
    // What others made stays.
    fs::write(here.join("gold.rttm"), "SPEAKER talk 1 0.000 1.000 <NA> <NA> ann <NA> <NA>\n").unwrap();
    fs::write(here.join("gold.jsonl"), "{\"audio_filepath\":\"a.wav\"}\n").unwrap();
    for out in ["gold.rttm", "gold.jsonl", "manifest.csv"] {
        let refused = predict(here, &format!("{line} --out {out}")).fails();
        assert!(refused.contains(&format!("{out}: is not a file of segments, so it is not written over")), "{refused}");
    }
}

#[test]
fn each_segment_has_its_words_of_a_transcript() {
    let folder = read_and_heard();
    let here = folder.path();
    let needs = predict(here, "--audio talk.wav --segments voice").fails();
    assert!(needs.contains("run: its model needs words, too; give --transcript (.srt, .vtt or .ctm) besides"), "{needs}");
    let srt = "\u{feff}1\r\n00:00:01,000 --> 00:00:01,800\r\n<i>Go away,</i> you\r\n\r\n2\r\n00:00:02,300 --> 00:00:02,400\r\nunheard\r\n\r\n3\r\n\
               00:00:03,000 --> 00:00:05,000\r\nThe sea is quiet\r\n\r\n4\r\n00:00:09,000 --> 00:00:10,000\r\nlater\r\n";
    let vtt = "WEBVTT\n\n00:01.000 --> 00:01.800\nGo away, you\n\n00:02.300 --> 00:02.400\nunheard\n\n00:03.000 --> 00:05.000\n\
               <v Ann>The sea is quiet\n\n00:09.000 --> 00:10.000\nlater\n";
    let ctm = "talk A 1.0 0.2 Go\ntalk A 1.2 0.2 away,\ntalk B 1.5 0.2 you\ntalk A 2.3 0.1 unheard\ntalk A 3.1 0.2 The\ntalk A 3.6 0.2 sea\n\
               talk A 4.1 0.2 is\ntalk A 4.6 0.2 quiet\ntalk A 9 1 later\nother A 1 1 no\n";
    for (name, text) in [("t.srt", srt), ("t.vtt", vtt), ("t.ctm", ctm)] {
        fs::write(here.join(name), text).unwrap();
        let line = format!("--audio talk.wav --segments voice --window 4 --transcript {name} --json");
        let document = predict(here, &line).json();
        let segments = recording(&document)["segments"].as_array().unwrap();
        let said: Vec<&str> = segments.iter().map(|segment| segment["text"].as_str().unwrap()).collect();
        assert_eq!(said, ["Go away, you", "The sea is quiet"], "{name}");
        for (segment, text) in segments.iter().zip(said) {
            cut(here, "part.wav", [number(&segment["start"]), number(&segment["end"])]);
            let line = ["predict", "--device", "cpu", "--run", "run", "--audio", "part.wav", "--json", "--text", text];
            assert_eq!(segment["probabilities"], call(here, &line).json()["probabilities"], "{name}");
        }
        let unread = document["notes"].as_array().unwrap().iter().find(|note| note["kind"] == "unread").unwrap();
        assert_eq!((unread["of"].clone(), unread["words"].as_array().unwrap().len()), (json!(9), 2), "{unread}");
        let is_of_channels = |note: &&Value| note["kind"] == "several_channels" && note["channels"] == json!(["A", "B"]);
        assert_eq!(document["notes"].as_array().unwrap().iter().filter(is_of_channels).count(), usize::from(name == "t.ctm"));
    }
    // A segment without words is an utterance without words.
    fs::write(here.join("few.srt"), "1\n00:00:01,000 --> 00:00:01,800\ngo\n").unwrap();
    let document = predict(here, "--audio talk.wav --segments voice --window 4 --transcript few.srt --json").json();
    assert!(
        document["notes"].as_array().unwrap().iter().any(|note| note["kind"] == "without_words" && note["segments"] == 1),
        "{document}"
    );
    let segment = &recording(&document)["segments"][1];
    cut(here, "part.wav", [number(&segment["start"]), number(&segment["end"])]);
    let line = ["predict", "--device", "cpu", "--run", "run", "--audio", "part.wav", "--json", "--text", ""];
    assert_eq!(segment["probabilities"], call(here, &line).json()["probabilities"]);
    // Transcripts of other recordings.
    fs::write(here.join("later.srt"), "1\n00:10:00,000 --> 00:10:01,000\ngo\n").unwrap();
    fs::write(here.join("other.ctm"), "one A 1 1 no\ntwo A 1 1 no\n").unwrap();
    fs::write(here.join("notes.txt"), "Go away").unwrap();
    for (name, told) in [
        ("later.srt", "later.srt: its first word is said at 600.00 s, and talk.wav ends at 6.00 s; give the transcript of this recording"),
        ("other.ctm", "other.ctm: has no words of 'talk', but of one, two; name the recording as it is there"),
        ("notes.txt", "notes.txt: is neither .srt, .vtt nor .ctm; give a transcript as SubRip, WebVTT or CTM"),
        ("absent.srt", "absent.srt: cannot be read"),
    ] {
        let refused = predict(here, &format!("--audio talk.wav --segments voice --transcript {name} --out no.csv")).fails();
        assert!(refused.contains(told), "{refused}");
        assert!(!here.join("no.csv").exists());
    }
}

#[test]
fn a_folder_is_predicted_recording_by_recording_and_what_is_wrong_is_named() {
    let folder = heard();
    let here = folder.path();
    fs::create_dir_all(here.join("many/deep")).unwrap();
    fs::create_dir_all(here.join("words")).unwrap();
    fs::create_dir_all(here.join("none")).unwrap();
    for name in ["many/b.wav", "many/deep/a.wav"] {
        fs::copy(here.join("talk.wav"), here.join(name)).unwrap();
    }
    fs::write(here.join("many/readme.txt"), "no recording").unwrap();
    let line = "--audio many --segments voice --window 4";
    let document = predict(here, &format!("{line} --json")).json();
    let names: Vec<&str> = document["recordings"].as_array().unwrap().iter().map(|one| one["audio"].as_str().unwrap()).collect();
    assert_eq!(names, ["many/b.wav", "many/deep/a.wav"]);
    assert_eq!(document["recordings"][0]["segments"], document["recordings"][1]["segments"]);
    assert_eq!(document["notes"][0]["files"], json!(["many/readme.txt"]), "{document}");
    predict(here, &format!("{line} --out all.rttm")).succeeds();
    let rttm = fs::read_to_string(here.join("all.rttm")).unwrap();
    assert!(rttm.lines().count() == 4 && rttm.contains("SPEAKER deep/a 1 "), "{rttm}");
    let refused = predict(here, &format!("{line} --timeline t.svg")).fails();
    assert!(refused.contains("--timeline draws one recording, and many holds 2; give one of them to --audio"), "{refused}");
    fs::write(here.join("t.srt"), "1\n00:00:01,000 --> 00:00:01,800\ngo\n").unwrap();
    let refused = predict(here, &format!("{line} --transcript t.srt")).fails();
    assert!(refused.contains("t.srt: does not say which of 2 recordings it is of"), "{refused}");
    // One that is damaged and one without its transcript: the others are there all the same.
    let whole = fs::read(here.join("talk.wav")).unwrap();
    fs::write(here.join("many/c.wav"), &whole[..whole.len() / 2]).unwrap();
    for name in ["a", "c"] {
        fs::copy(here.join("t.srt"), here.join(format!("words/{name}.srt"))).unwrap();
    }
    let outcome = predict(here, &format!("{line} --transcript words"));
    assert_eq!(outcome.code, Some(1));
    let told = ["words: holds no b.srt, .vtt or .ctm", "many/c.wav: holds 47", "2 of 3 recordings could not be predicted"];
    assert!(
        told.iter().all(|part| outcome.stderr.lines().any(|line| line.starts_with("mcsan: ") && line.contains(part))),
        "{}",
        outcome.stderr
    );
    let records: Vec<&str> = outcome.stdout.lines().skip(1).collect();
    assert!(records.len() == 2 && records.iter().all(|line| line.starts_with("many/deep/a.wav,")), "{}", outcome.stdout);
    // Transcripts beside their recordings are none that are passed over; of one name twice, both have their extensions.
    fs::copy(here.join("t.srt"), here.join("many/deep/a.srt")).unwrap();
    fs::copy(here.join("many/b.wav"), here.join("many/b.flac")).unwrap();
    fs::remove_file(here.join("many/c.wav")).unwrap();
    let outcome = predict(here, &format!("{line} --out all.rttm")).succeeds();
    assert!(outcome.stderr.contains("2 files are passed over, no recording by the name: "), "{}", outcome.stderr);
    let rttm = fs::read_to_string(here.join("all.rttm")).unwrap();
    assert!(["b.wav", "b.flac", "deep/a.wav"].iter().all(|name| rttm.contains(&format!("SPEAKER {name} 1 "))), "{rttm}");
    let beside = predict(here, &format!("{line} --transcript many")).stderr;
    assert!(beside.contains("1 file is passed over, no recording by the name: many/readme.txt"), "{beside}");
    // Of recordings of one name in several folders, words are looked for by their folders too, and never those of another.
    fs::remove_file(here.join("many/b.flac")).unwrap();
    fs::copy(here.join("talk.wav"), here.join("many/deep/b.wav")).unwrap();
    let words = |said: &str| format!("1\n00:00:01,000 --> 00:00:01,800\n{said}\n");
    fs::write(here.join("words/b.srt"), words("upper")).unwrap();
    let outcome = predict(here, &format!("{line} --transcript words"));
    let told = "words: holds no deep/b.srt, .vtt or .ctm; add one, or leave the recording out";
    assert!(outcome.code == Some(1) && outcome.stderr.contains(told), "{}", outcome.stderr);
    fs::create_dir(here.join("words/deep")).unwrap();
    fs::write(here.join("words/deep/b.srt"), words("lower")).unwrap();
    fs::write(here.join("all.ctm"), "a A 1 0.8 go\nb A 1 0.8 upper\ndeep/b A 1 0.8 lower\n").unwrap();
    for name in ["words", "all.ctm"] {
        let lines = predict(here, &format!("{line} --transcript {name}")).succeeds().stdout;
        let said = |recording: &str, word: &str| lines.lines().any(|line| line.starts_with(recording) && line.ends_with(word));
        assert!(said("many/b.wav,", ",upper") && said("many/deep/b.wav,", ",lower") && said("many/deep/a.wav,", ",go"), "{lines}");
    }
    for (name, why) in [("none", "is empty"), ("run", "none of its ")] {
        let refused = predict(here, &format!("--audio {name} --segments voice")).fails();
        assert!(refused.contains(&format!("{name}: holds no recording ({why}")), "{refused}");
    }
}

#[test]
fn windows_that_a_model_cannot_read_and_recordings_without_voice_are_said() {
    let folder = heard();
    let here = folder.path();
    let refused = predict(here, "--audio talk.wav --segments windows --window 12").fails();
    assert!(refused.contains("--window 12: the model of run reads 9.99 s of a segment and would cut the rest; give less"), "{refused}");
    for (options, told) in [
        ("--segments windows --window 1 --overlap 1", "windows of 1 s that overlap by 1 s do not go on by 0.01 s at least"),
        ("--segments windows --window 0.01", "0.01 s is no length of a window"),
        ("--segments windows --window inf", "inf s is no length of a window"),
        ("--segments windows --overlap -1", "overlap by -1 s"),
        ("--segments windows --overlap nan", "overlap by NaN s"),
        ("--segments voice --voice-db -3", "voice stands out by 0 to 60 dB, not -3"),
        ("--segments voice --out a.txt", "ends neither in .csv, .jsonl nor in .rttm"),
    ] {
        let outcome = predict(here, &format!("--audio talk.wav {options}"));
        assert!(outcome.code == Some(2) && outcome.stderr.contains(told), "{options}: {}", outcome.stderr);
    }
    // Before an hour is spent on it.
    let refused = predict(here, "--audio absent.wav --segments voice --out absent/s.csv").fails();
    assert!(refused.contains("absent/s.csv: cannot be written (its folder is not there); check that its folder exists"), "{refused}");
    let mut writer = WavWriter::create(here.join("silence.wav"), MONO_16_KHZ).unwrap();
    (0..16_000).for_each(|_| writer.write_sample(0i16).unwrap());
    writer.finalize().unwrap();
    let outcome = predict(here, "--audio silence.wav --segments voice --out s.csv --timeline s.svg").succeeds();
    assert!(outcome.stderr.contains("silence.wav: no voice was found in 1.0 s"), "{}", outcome.stderr);
    assert_eq!(
        (outcome.stdout.as_str(), fs::read_to_string(here.join("s.csv")).unwrap().lines().count()),
        ("silence.wav: no segment in 1.0 s\n", 1)
    );
    let document = predict(here, "--audio silence.wav --segments voice --json").json();
    assert_eq!(recording(&document)["summary"], json!({ "segments": 0, "covered": 0.0, "label": null, "probabilities": null }));
    assert_eq!(recording(&predict(here, "--audio silence.wav --segments windows --json").json())["summary"]["segments"], 1);
}

#[test]
fn a_recording_that_is_too_long_to_be_read_whole_is_predicted() {
    let folder = heard();
    let here = folder.path();
    let spec = hound::WavSpec { bits_per_sample: 8, ..MONO_16_KHZ };
    let mut writer = WavWriter::create(here.join("long.wav"), spec).unwrap();
    for frame in 0..21 * 60 * 16_000usize {
        let is_loud = frame / 16_000 % 60 == 50;
        writer.write_sample(if is_loud { (60.0 * (frame as f32 * 0.1).sin()) as i8 } else { 0 }).unwrap();
    }
    writer.finalize().unwrap();
    let refused = predict(here, "--audio long.wav").fails();
    assert!(
        refused.contains("lasts longer than 20 minutes; cut it into utterances ('mcsan predict --segments' takes it as it is)"),
        "{refused}"
    );
    let document = predict(here, "--audio long.wav --segments voice --json").json();
    let found = recording(&document);
    assert_eq!((number(&found["seconds"]), &found["summary"]["segments"]), (1260.0, &json!(21)));
    assert!((number(&found["segments"][20]["start"]) - 1249.9).abs() < 0.03, "{found}");
}
