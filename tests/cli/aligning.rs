//! When words are said: prepared, trained on, predicted from, and named where it cannot be.

use std::fs;

use mcsan::base::streams::{AUDIO, Reading, Readings, TEXT};
use mcsan::config::Normalise;
use mcsan::dataset::{Batcher, Dataset, Normalisation};
use tempfile::TempDir;

use super::corpus::{CLASSES, SPLITS, TINY, UTTERANCES, corpus};
use super::failures::refused;
use super::resuming::assert_same_run;
use crate::program::{call, mcsan};

/// Whose words have no file, and whose file has other words.
const WITHOUT: &str = "calm1";
const DIFFERING: &str = "glad2";

/// The corpus with times of its words in `times/`, named by recording.
fn with_times() -> TempDir {
    let folder = corpus();
    let times = folder.path().join("times");
    fs::create_dir(&times).unwrap();
    for (label, _, text) in CLASSES {
        for take in 0..SPLITS.len() {
            let id = format!("{label}{take}");
            let words = if id == DIFFERING { "other words" } else { text };
            let word = |(place, word): (usize, &str)| format!("{word},{},{}\n", 0.05 * place as f32, 0.05 * (place + 1) as f32);
            let rows: String = words.split(' ').map(|word| word.trim_end_matches([',', '!', '.'])).enumerate().map(word).collect();
            if id != WITHOUT {
                fs::write(times.join(format!("{id}.csv")), format!("word,start,end\n{rows}")).unwrap();
            }
        }
    }
    folder
}

const PREPARE: &str = "prepare manifest manifest.csv --vectors vectors.txt";

#[test]
fn words_cut_the_recordings_where_they_are_said() {
    let folder = with_times();
    let here = folder.path();
    let prepared = mcsan(here, &format!("{PREPARE} --align times --out data.safetensors --device cpu")).succeeds();
    let note = "the words of 2 of 15 utterances are spread evenly over their recordings: 1 without a file of times: calm1; 1 whose file has \
                other words: glad2";
    assert!(prepared.stderr.contains(note), "{}", prepared.stderr);
    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    let column = |(number, line): (usize, &str)| match line.split_once(',') {
        Some((id, _)) if number > 0 && id != WITHOUT => format!("{line},times/{id}.csv\n"),
        _ => format!("{line},{}\n", if number == 0 { "align" } else { "" }),
    };
    fs::write(here.join("column.csv"), manifest.lines().enumerate().map(column).collect::<String>()).unwrap();
    mcsan(here, "prepare manifest column.csv --vectors vectors.txt --device cpu --out column.safetensors").succeeds();

    let data = Dataset::load(&here.join("data.safetensors")).unwrap();
    let (times, text) = (data.streams.times(TEXT).unwrap(), data.text().unwrap());
    let by_column = Dataset::load(&here.join("column.safetensors")).unwrap();
    let bits = |times: &[[f32; 2]]| times.as_flattened().iter().map(|seconds| seconds.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(by_column.streams.times(TEXT).unwrap()), bits(times));
    let place = |id: &str| data.utterances.iter().position(|utterance| utterance.id == id).unwrap();
    let of = |id: &str| &times[text.offsets[place(id)]..text.offsets[place(id) + 1]];
    // "Go away, you liar!": the comma and the exclamation mark are where the words before them end.
    let angry = [[0.0, 0.05], [0.05, 0.1], [0.1, 0.1], [0.1, 0.15], [0.15, 0.2], [0.2, 0.2]];
    assert!(of("angry0").as_flattened().iter().zip(angry.as_flattened()).all(|(a, b): (&f32, &f32)| (a - b).abs() < 1e-6));
    assert!([WITHOUT, DIFFERING].iter().all(|id| of(id).as_flattened().iter().all(|seconds| seconds.is_nan())));

    // Of frames ten milliseconds apart; of calm1's six tokens and F frames those from ⌊i F / 6⌋ on.
    let readings = Readings::new(&[Reading::frames(AUDIO, 0), Reading::tokens(TEXT).aligned_with(AUDIO)], 1000);
    let all: Vec<usize> = (0..UTTERANCES).collect();
    let normalisation = Normalisation::fit(Normalise::None, &data, &all, &readings).unwrap();
    let batch = Batcher::new(&data, &normalisation, readings).unwrap().batch(&[place("angry0"), place(WITHOUT)]).unwrap();
    let [first, second] = [place("angry0"), place(WITHOUT)].map(|place| data.streams.get(AUDIO).unwrap().length(place, 1000) as u32);
    let covered = &batch.covered[TEXT];
    assert_eq!(covered[..6], [[0, 5], [5, 10], [10, 11], [10, 15], [15, 20], [20, 21]]);
    assert_eq!(covered[6..].iter().map(|bounds| bounds[0] - first).collect::<Vec<_>>(), (0..6).map(|i| i * second / 6).collect::<Vec<_>>());

    let train = format!("train --data data.safetensors --device cpu --epochs 3 {TINY} --set model.system=can --set can.hidden=10");
    mcsan(here, &format!("{train} --out whole")).succeeds();
    mcsan(here, &format!("{train} --out halved --steps 4")).succeeds();
    mcsan(here, &format!("{train} --out halved --resume --set train.steps=0")).succeeds();
    assert_same_run(here, "whole", "halved");
    mcsan(here, &format!("{PREPARE} --out evenly.safetensors --device cpu")).succeeds();
    refused(&folder, "train --data evenly.safetensors --out halved --resume", &["halved"]);

    let said = ["predict", "--run", "whole", "--device", "cpu", "--json", "--audio", "audio/glad4.wav", "--text", CLASSES[2].2];
    let probability = |more: &[&str]| call(here, &[&said[..], more].concat()).json()["probabilities"]["glad"].as_f64().unwrap();
    let (aligned, evenly) = (probability(&["--align", "times/glad4.csv"]), probability(&[]));
    assert_ne!(aligned, evenly);
    assert_eq!(probability(&["--align", "times/glad2.csv"]), evenly);
    let test: serde_json::Value = serde_json::from_str(&fs::read_to_string(here.join("whole/test.json")).unwrap()).unwrap();
    let glad = test["predictions"].as_array().unwrap().iter().find(|one| one["id"] == "glad4").unwrap();
    assert!((glad["probabilities"][2].as_f64().unwrap() - aligned).abs() < 1e-5, "{glad} {aligned}");
    let text = CLASSES[2].2;
    let list = format!("audio,text,align\naudio/glad4.wav,{text},times/glad4.csv\naudio/glad4.wav,{text},times/glad2.csv\n");
    fs::write(here.join("list.csv"), list).unwrap();
    let listed = mcsan(here, "predict --run whole --list list.csv --device cpu --json").succeeds();
    let found: Vec<serde_json::Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!([&found[0], &found[1]].map(|line| line["probabilities"]["glad"].as_f64().unwrap()), [aligned, evenly]);
    assert!(listed.stderr.contains("the words of 1 of 2 utterances are spread evenly"), "{}", listed.stderr);

    fs::write(here.join("times/glad4.csv"), "word,start,end\nWhat,9,9.5\n").unwrap();
    let late = ["glad4.csv, line 2: begins at 9 s, and the recording's frames end at 0."];
    refused(&folder, &format!("{PREPARE} --align times --out late.safetensors"), &late);
    let listed = mcsan(here, "predict --run whole --list list.csv --device cpu");
    assert!(listed.code == Some(1) && listed.stderr.contains(&format!("line 2: times/{}", late[0])), "{}", listed.stderr);
    refused(&folder, "predict --run whole --audio audio/glad4.wav --text What --align times/glad4.csv", &late);
    refused(&folder, &format!("{PREPARE} --align audio --out none"), &["audio: has no file of an utterance; name them ID.csv or ID.wdseg"]);
}
