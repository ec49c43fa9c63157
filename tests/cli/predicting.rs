//! `predict` with lists, raw samples and models of one modality, and its pictures.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use mcsan::audio::decode;
use mcsan::backend::cpu::Cpu;
use mcsan::train::{Predictor, Spoken};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::commands::keys;
use super::corpus::{CLASSES, TINY, prepared, trained};
use crate::program::{Outcome, call, mcsan};

/// `predict` on the processor in a folder, with a text that may hold spaces.
fn predict(folder: &Path, arguments: &[&str]) -> Outcome {
    call(folder, &[&["predict", "--device", "cpu"], arguments].concat())
}

/// As [`predict`], with bytes on standard input.
fn predict_pipe(folder: &Path, arguments: &[&str], bytes: &[u8]) -> Outcome {
    let fixed = ["predict", "--device", "cpu", "--run", "run", "--text", "go", "--json", "--audio", "-"];
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mcsan"));
    command.current_dir(folder).args(fixed).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may refuse what it gets before it has read all of it.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), bytes);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { line: format!("{arguments:?}"), code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The corpus and a model of a variant in `run`.
fn trained_variant(variant: &str) -> TempDir {
    let folder = prepared();
    let arguments = format!("train --data data.safetensors --out run --epochs 1 {TINY} --set model.variant={variant} --device cpu");
    mcsan(folder.path(), &arguments).succeeds();
    folder
}

/// A list of every clip, with a text each; clips of different lengths stand side by side.
fn write_list(folder: &Path) -> Vec<(String, &'static str)> {
    let clips: Vec<(String, &str)> =
        (0..5).flat_map(|take| CLASSES.map(|(name, _, text)| (format!("audio/{name}{take}.wav"), text))).collect();
    let lines: String = clips.iter().map(|(audio, text)| format!("{audio},\"{text}\"\n")).collect();
    fs::write(folder.join("list.csv"), format!("audio,text\n{lines}")).unwrap();
    clips
}

fn documents(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

#[test]
fn every_line_of_a_list_is_predicted_bit_for_bit_as_it_is_alone() {
    let folder = trained();
    let clips = write_list(folder.path());
    let listed = documents(&predict(folder.path(), &["--run", "run", "--list", "list.csv", "--json"]).succeeds().stdout);
    assert_eq!(listed.len(), clips.len());
    for (line, (audio, text)) in listed.iter().zip(&clips) {
        assert_eq!(keys(line), ["audio", "label", "probabilities"]);
        assert_eq!(line["audio"], *audio);
        let alone = predict(folder.path(), &["--run", "run", "--audio", audio, "--text", text, "--json"]).json();
        assert_eq!((&line["label"], &line["probabilities"]), (&alone["label"], &alone["probabilities"]), "{audio}");
    }
}

#[test]
fn a_list_becomes_a_csv_with_a_column_for_each_class() {
    let folder = trained();
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    fs::write(folder.path().join("elsewhere/list.csv"), "text,id,audio\n\"Go, away\",\"a,1\",../audio/calm4.wav\n,b,../audio/glad1.wav\n")
        .unwrap();
    let outcome = predict(folder.path(), &["--run", "run", "--list", "elsewhere/list.csv"]).succeeds();
    let mut reader = csv::Reader::from_reader(outcome.stdout.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["id", "audio", "label", "angry", "calm", "glad"]);
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.iter().map(|record| &record[0]).collect::<Vec<_>>(), ["a,1", "b"]);
    for record in &records {
        let probabilities: Vec<f64> = record.iter().skip(3).map(|field| field.parse().unwrap()).collect();
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{record:?}");
        let largest = (0..3).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap();
        assert_eq!(&record[2], CLASSES[largest].0);
    }
}

#[test]
fn lines_that_cannot_be_read_are_named_and_the_others_predicted() {
    let folder = trained();
    fs::write(folder.path().join("broken.wav"), b"RIFF").unwrap();
    let list = "audio,text\naudio/calm4.wav,go\nabsent.wav,go\nbroken.wav,go\n,go\naudio/glad1.wav,away\n";
    fs::write(folder.path().join("list.csv"), list).unwrap();
    let outcome = predict(folder.path(), &["--run", "run", "--list", "list.csv", "--json"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let audios: Vec<Value> = documents(&outcome.stdout).into_iter().map(|line| line["audio"].clone()).collect();
    assert_eq!(audios, [json!("audio/calm4.wav"), json!("audio/glad1.wav")]);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{}", outcome.stderr);
    let expected = ["line 3: absent.wav: cannot be read", "line 4: broken.wav: ", "list.csv, line 5: no audio", "3 of 5 listed utterances"];
    assert!(lines.iter().zip(expected).all(|(line, part)| line.starts_with("mcsan: ") && line.contains(part)), "{}", outcome.stderr);
}

#[test]
fn a_column_of_a_list_that_is_nearly_one_that_is_read_is_said() {
    let folder = trained();
    fs::write(folder.path().join("list.csv"), "Audio;Text;Speaker\naudio/calm1.wav;go;a\n").unwrap();
    let line = predict(folder.path(), &["--run", "run", "--list", "list.csv"]).fails();
    assert!(
        line.contains("list.csv: has no column 'audio' (found: Audio, Text, Speaker); name 'Audio' in the first line 'audio'"),
        "{line}"
    );
    fs::write(folder.path().join("list.csv"), "audio;text;Speaker\naudio/calm1.wav;go;a\n").unwrap();
    let told = predict(folder.path(), &["--run", "run", "--list", "list.csv"]).succeeds().stderr;
    assert!(told.contains("list.csv: the column \"Speaker\" is not read; name it 'speaker', if it is that"), "{told}");
}

#[test]
fn raw_samples_on_standard_input_are_predicted_as_the_same_samples_in_a_file() {
    let folder = trained();
    let file = predict(folder.path(), &["--run", "run", "--audio", "audio/calm4.wav", "--text", "go", "--json"]).json();
    let samples = decode(&folder.path().join("audio/calm4.wav")).unwrap();
    let integers: Vec<u8> = samples.iter().flat_map(|sample| ((sample * 32768.0) as i16).to_le_bytes()).collect();
    let floats: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert_eq!(predict_pipe(folder.path(), &[], &integers).json(), file);
    assert_eq!(predict_pipe(folder.path(), &["--pcm-format", "f32"], &floats).json(), file);
    // Twice the rate is half the length and another pitch.
    assert_ne!(predict_pipe(folder.path(), &["--pcm-rate", "32000"], &integers).json(), file);
}

#[test]
fn raw_samples_that_are_none_are_refused() {
    let folder = trained();
    let nan: Vec<u8> = [0.5f32, f32::NAN].iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let wav = fs::read(folder.path().join("audio/calm4.wav")).unwrap();
    let cases: [(&[&str], &[u8], &str); 5] = [
        (&[], &[], "holds no samples"),
        (&[], &[1, 2, 3], "ends within a sample"),
        (&[], &wav, "starts as a file with a header"),
        (&["--pcm-format", "f32"], &nan, "the sample of frame 1, channel 0 is NaN"),
        (&["--pcm-rate", "10"], &[0; 64], "the sampling rate is 10 Hz"),
    ];
    for (arguments, bytes, part) in cases {
        let line = predict_pipe(folder.path(), arguments, bytes).fails();
        assert!(line.contains("standard input") && line.contains(part), "{line}");
    }
}

#[test]
fn a_model_of_text_alone_takes_text_alone() {
    let folder = trained_variant("no_audio");
    let alone = predict(folder.path(), &["--run", "run", "--text", "Go away!", "--json"]).json();
    assert!(CLASSES.iter().any(|(name, ..)| alone["label"] == *name));
    let other = predict(folder.path(), &["--run", "run", "--text", "The sea is quiet", "--json"]).json();
    assert_ne!(alone["probabilities"], other["probabilities"]);
    let both = predict(folder.path(), &["--run", "run", "--text", "Go away!", "--audio", "absent.wav", "--json"]);
    assert!(both.stderr.contains("--audio is not used: the model of run needs --text alone"), "{}", both.stderr);
    let both = both.json();
    assert_eq!(both["probabilities"], alone["probabilities"]);
    let notes: Vec<_> = both["notes"].as_array().unwrap().iter().filter(|note| note["kind"] == "not_used").collect();
    assert!(notes.len() == 1 && notes[0]["option"] == "--audio" && notes[0]["needs"] == "--text alone", "{both}");
    assert_eq!(notes[0]["text"], "--audio is not used: the model of run needs --text alone");
    let missing = predict(folder.path(), &["--run", "run", "--audio", "audio/calm4.wav"]);
    assert!(missing.stderr.contains("run: its model needs --text alone; give --text too"), "{}", missing.stderr);
    assert_eq!(missing.code, Some(1));
    fs::write(folder.path().join("list.csv"), "text\nGo away!\nThe sea is quiet\n").unwrap();
    let listed = documents(&predict(folder.path(), &["--run", "run", "--list", "list.csv", "--json"]).succeeds().stdout);
    assert_eq!(listed.iter().map(|line| &line["probabilities"]).collect::<Vec<_>>(), [&alone["probabilities"], &other["probabilities"]]);
    assert_eq!(listed[0]["text"], "Go away!");
}

#[test]
fn a_model_of_audio_alone_takes_audio_alone() {
    let folder = trained_variant("no_text");
    let alone = predict(folder.path(), &["--run", "run", "--audio", "audio/calm4.wav", "--json"]).json();
    let other = predict(folder.path(), &["--run", "run", "--audio", "audio/glad4.wav", "--json"]).json();
    assert_ne!(alone["probabilities"], other["probabilities"]);
    let missing = predict(folder.path(), &["--run", "run", "--text", "go"]);
    assert!(missing.stderr.contains("needs --audio alone; give --audio too"), "{}", missing.stderr);
    fs::write(folder.path().join("list.csv"), "audio\naudio/calm4.wav\n").unwrap();
    let listed = documents(&predict(folder.path(), &["--run", "run", "--list", "list.csv", "--json"]).succeeds().stdout);
    assert_eq!(listed[0]["probabilities"], alone["probabilities"]);
    let refused = predict(folder.path(), &["--run", "run", "--audio", "audio/calm4.wav", "--attention", "a.svg"]).fails();
    assert!(refused.contains("no cross-attention"), "{refused}");
    assert!(!folder.path().join("a.svg").exists());
}

#[test]
fn a_model_of_both_says_so_when_one_is_missing() {
    let folder = trained();
    for (given, value, missing) in [("--text", "go", "--audio"), ("--audio", "audio/calm4.wav", "--text")] {
        let line = predict(folder.path(), &["--run", "run", given, value]).fails();
        assert!(line.contains(&format!("run: its model needs both --audio and --text; give {missing} too")), "{line}");
    }
    fs::write(folder.path().join("list.csv"), "audio\naudio/calm4.wav\n").unwrap();
    let line = predict(folder.path(), &["--run", "run", "--list", "list.csv"]).fails();
    assert!(line.contains("list.csv: has no column 'text'"), "{line}");
    let usage = predict(folder.path(), &["--run", "run"]);
    assert_eq!(usage.code, Some(2), "{}", usage.stderr);
    let usage = predict(folder.path(), &["--run", "run", "--text", "go", "--attention", "a.jpeg"]);
    assert!(usage.code == Some(2) && usage.stderr.contains("neither in .svg nor in .png"), "{}", usage.stderr);
}

#[test]
fn a_picture_shows_every_word_and_changes_no_probability() {
    let folder = trained();
    let clip = ["--run", "run", "--audio", "audio/calm4.wav", "--text", "Go <away> & \"Qwertzday\"!", "--json"];
    let plain = predict(folder.path(), &clip).json();
    for heads in ["mean", "all"] {
        let drawn = predict(folder.path(), &[&clip[..], &["--attention", "a.svg", "--heads", heads]].concat()).json();
        assert_eq!(drawn, plain);
        let svg = fs::read_to_string(folder.path().join("a.svg")).unwrap();
        let tree = resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default());
        assert!(tree.is_ok(), "{:?}", tree.err());
        let maps = if heads == "mean" { 1 } else { 2 };
        for word in ["Go", "&lt;", "away", "&amp;", "Qwertzday", "!"] {
            let shown = svg.matches(&format!(">{word}</text>")).count();
            assert_eq!(shown, 2 * maps, "{word}, {heads}");
        }
        assert_eq!(svg.matches("words to sound").count() + svg.matches("sound to words").count(), 2 * maps);
    }
}

#[test]
fn attention_weights_sum_to_one_over_what_is_attended_to() {
    let folder = trained();
    let predictor = Predictor::load(&folder.path().join("run")).unwrap();
    let backend = Cpu::<f32>::default();
    let mut inference = predictor.on(&backend).unwrap();
    let samples = decode(&folder.path().join("audio/calm4.wav")).unwrap();
    for (text, words) in [("Go away, you liar!", 6), ("Qwertzday", 1), ("", 0)] {
        let utterance = Spoken { samples: Some(samples.clone()), text: Some(text.to_owned()), ..Spoken::default() };
        let (probabilities, attention) = pollster::block_on(inference.attend(&utterance)).unwrap();
        assert_eq!(pollster::block_on(inference.predict(&[utterance])).unwrap(), [probabilities]);
        assert_eq!((attention.words.len(), attention.known.len(), attention.frames), (words, words, 9), "{text}");
        // Half a second: 51 frames of 10 ms, whose pools leave 17 and then 5 rows.
        let rows: Vec<_> = attention.layers.iter().map(|layer| (layer.over, layer.heads, layer.rows)).collect();
        assert_eq!((samples.len(), rows), (8000, vec![("audio", 2, [words.max(1), 5]), ("text", 2, [5, words.max(1)])]));
        for layer in &attention.layers {
            let sums: Vec<f32> = layer.weights.chunks_exact(layer.rows[1]).map(|row| row.iter().sum()).collect();
            assert_eq!(sums.len(), 2 * layer.rows[0]);
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
        }
    }
    assert!(pollster::block_on(inference.predict(&[])).unwrap().is_empty());
    let deaf = pollster::block_on(inference.predict(&[Spoken { text: Some("go".into()), ..Spoken::default() }]));
    assert!(deaf.unwrap_err().to_string().contains("needs audio"));
}

#[test]
fn a_picture_is_drawn_as_png_as_well() {
    let folder = trained();
    let clip = ["--run", "run", "--audio", "audio/calm4.wav", "--text", "Go away, Jürgen", "--attention", "a.png"];
    predict(folder.path(), &clip).succeeds();
    let pixels = resvg::tiny_skia::Pixmap::decode_png(&fs::read(folder.path().join("a.png")).unwrap()).unwrap();
    assert!(pixels.width() > 1000 && pixels.height() > 300, "{} x {}", pixels.width(), pixels.height());
    let colours: std::collections::BTreeSet<[u8; 3]> =
        pixels.pixels().iter().map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
    assert!(colours.len() > 30, "{} colours", colours.len());
}
