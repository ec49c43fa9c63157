//! `mcsan prepare --shards`: a data set in several files is what it is in one, whoever has made them; and features in half precision.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use mcsan::dataset::{Dataset, FeatureType};
use serde_json::{Value, json};

use super::corpus::{TINY, UTTERANCES, corpus, prepared};
use super::resuming::assert_same_run;
use crate::program::mcsan;

const PREPARE: &str = "prepare manifest manifest.csv --vectors vectors.txt --device cpu";
const INDEX: &str = "s.safetensors.index.json";

fn load(folder: &Path, name: &str) -> Dataset {
    Dataset::load(&folder.join(name)).unwrap()
}

fn shards(count: usize) -> String {
    format!("{PREPARE} --out s.safetensors --shards {count}")
}

fn shard(number: usize, count: usize) -> String {
    format!("s-{number:05}-of-{count:05}.safetensors")
}

/// Everything in a folder whose name begins so, by name.
fn files(folder: &Path, start: &str) -> BTreeMap<String, Vec<u8>> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let named = all.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    named.filter(|(name, _)| name.starts_with(start)).map(|(name, path)| (name, fs::read(path).unwrap_or_default())).collect()
}

fn start(folder: &Path, arguments: &str) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mcsan"));
    program.args(arguments.split_whitespace()).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    program.spawn().unwrap()
}

/// That shards hold what one file holds.
fn assert_same_data(folder: &Path, one: &str, index: &str) {
    let [one, mut whole] = [one, index].map(|name| load(folder, name));
    assert_eq!(one.fingerprint().unwrap(), whole.fingerprint().unwrap());
    whole.shards.clear();
    assert_eq!(one, whole);
}

#[test]
fn a_data_set_in_shards_is_the_one_of_a_single_file_and_trains_to_the_same_bytes() {
    let data = prepared();
    let folder = data.path();
    let report = mcsan(folder, &format!("{} --json", shards(4))).json();
    assert_eq!((&report["out"], &report["utterances"]), (&json!(INDEX), &json!(UTTERANCES)));
    let utterances: Vec<&Value> = report["shards"].as_array().unwrap().iter().map(|shard| &shard["utterances"]).collect();
    assert_eq!(utterances, [3, 4, 4, 4]);
    assert_eq!(files(folder, "s").into_keys().collect::<Vec<_>>(), [shard(1, 4), shard(2, 4), shard(3, 4), shard(4, 4), INDEX.into()]);
    assert_same_data(folder, "data.safetensors", INDEX);
    assert_eq!(load(folder, &shard(2, 4)).utterances, load(folder, "data.safetensors").utterances[3..7]);
    let [one, several] = ["data.safetensors", INDEX].map(|name| mcsan(folder, &format!("inspect {name} --json")).json());
    assert_eq!(several["shards"], json!([3, 4, 4, 4]));
    for (key, value) in one.as_object().unwrap() {
        assert_eq!(value, &several[key], "{key}");
    }

    let train = |data: &str, out: &str, more: &str| mcsan(folder, &format!("train --data {data} --out {out} {TINY} --device cpu {more}"));
    train("data.safetensors", "one", "--epochs 2").succeeds();
    train(INDEX, "several", "--epochs 1").succeeds();
    train(INDEX, "several", "--epochs 2 --resume").succeeds();
    assert_same_run(folder, "one", "several");
    let tested = |data: &str| mcsan(folder, &format!("evaluate --run one --data {data} --device cpu --json")).json();
    assert_eq!(tested("data.safetensors"), tested(INDEX));
}

#[test]
fn several_commands_divide_the_shards_and_a_killed_one_s_are_made_by_another() {
    let data = corpus();
    let folder = data.path();
    mcsan(folder, &shards(5)).succeeds();
    let expected = files(folder, "s");
    let clear = || expected.keys().for_each(|name| fs::remove_file(folder.join(name)).unwrap());

    clear();
    let all: Vec<Child> = (0..3).map(|_| start(folder, &shards(5))).collect();
    all.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
    assert!(files(folder, "s") == expected, "{:?}", files(folder, "s").keys());

    clear();
    let mut killed = start(folder, &shards(5));
    let made = || {
        let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let partial = folders.filter(|path| path.to_str().is_some_and(|path| path.contains(".partial-")));
        partial.flat_map(|path| fs::read_dir(path).into_iter().flatten()).any(|entry| entry.unwrap().path().extension().is_some())
    };
    while !made() && killed.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let again = mcsan(folder, &shards(5)).succeeds();
    assert!(again.stderr.matches("preparing shard").count() < 5, "{}", again.stderr);
    assert!(files(folder, "s") == expected);

    // What is whole stays; what is gone alone is made.
    fs::remove_file(folder.join(shard(2, 5))).unwrap();
    let again = mcsan(folder, &shards(5)).succeeds();
    assert_eq!(again.stderr.matches("preparing shard").count(), 1, "{}", again.stderr);
    assert!(!mcsan(folder, &shards(5)).succeeds().stderr.contains("preparing shard"));
    assert!(files(folder, "s") == expected);
}

#[test]
fn splits_made_by_chance_and_what_is_left_out_are_those_of_one_file() {
    let data = corpus();
    let folder = data.path();
    let manifest = fs::read_to_string(folder.join("manifest.csv")).unwrap();
    let bare: String = manifest.lines().map(|line| line.rsplitn(3, ',').last().unwrap().to_owned() + "\n").collect();
    fs::write(folder.join("manifest.csv"), bare).unwrap();
    // One recording under two names is in one split.
    fs::copy(folder.join("audio/calm0.wav"), folder.join("audio/glad4.wav")).unwrap();
    fs::write(folder.join("audio/angry2.wav"), "a letter").unwrap();
    for more in ["--allow-missing 1", "--allow-missing 1 --split random --split-seed 3", "--allow-missing 1 --dtype f16"] {
        let one = mcsan(folder, &format!("{PREPARE} --out data.safetensors {more} --json")).json();
        let several = mcsan(folder, &format!("{} {more} --json", shards(3))).json();
        assert_same_data(folder, "data.safetensors", INDEX);
        assert_eq!(one["left_out"], several["left_out"]);
        let told = |report: &Value| {
            let notes = report["notes"].as_array().unwrap().iter().filter(|note| note["kind"] != "left_out");
            notes.map(|note| note["text"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(told(&one), told(&several), "{more}");
    }
    let line = mcsan(folder, &format!("{PREPARE} --out t.safetensors --shards 3 --allow-missing 0")).fails();
    assert!(line.contains("(1 of 15 utterances cannot be used, at most 0 may be)"), "{line}");
}

#[test]
fn changed_copies_stand_behind_the_utterances_of_all_shards_as_in_one_file() {
    let data = corpus();
    let folder = data.path();
    fs::write(folder.join("audio/angry2.wav"), "a letter").unwrap();
    let more = "--allow-missing 1 --augment speed=0.9,noise=20dB";
    let one = mcsan(folder, &format!("{PREPARE} --out data.safetensors {more} --json")).json();
    let several = mcsan(folder, &format!("{} {more} --json", shards(4))).json();
    assert!(one["augmented"].as_u64().unwrap() > 10 && one["augmented"] == several["augmented"], "{one}");
    let told = |report: &Value| report["notes"].as_array().unwrap().iter().map(|note| note["text"].clone()).collect::<Vec<_>>();
    assert_eq!(told(&one), told(&several));
    assert_same_data(folder, "data.safetensors", INDEX);
    // The last one has copies alone, and is a data set of its own all the same.
    let [whole, last] = [INDEX, &shard(4, 4)].map(|name| load(folder, name));
    assert!(last.utterances.iter().all(|info| info.copy_of.is_some()) && whole.utterances.ends_with(&last.utterances));
    mcsan(folder, &format!("inspect {}", shard(4, 4))).succeeds();
    let train = |data: &str, out: &str| mcsan(folder, &format!("train --data {data} --out {out} {TINY} --device cpu --epochs 1"));
    train("data.safetensors", "one").succeeds();
    train(INDEX, "several").succeeds();
    assert_same_run(folder, "one", "several");
    let line = train(&shard(4, 4), "copies").fails();
    println!("{line}");
    assert!(line.starts_with("mcsan: "), "{line}");
    // Without what they are copies of they are refused.
    let listed: Vec<Value> = [2, 3, 4].iter().map(|&number| json!({ "file": shard(number, 4) })).collect();
    fs::write(folder.join("less.index.json"), json!({ "format": "mcsan-shards/1", "shards": listed }).to_string()).unwrap();
    let line = mcsan(folder, "inspect less.index.json").fails();
    println!("{line}");
    assert!(line.contains("less.index.json") && line.contains("which does not stand before it"), "{line}");
    // By speaker, too: the words and the splits are those of the whole.
    let more = "--allow-missing 1 --augment gain=6dB --split random --split-seed 2";
    mcsan(folder, &format!("{PREPARE} --out data.safetensors {more}")).succeeds();
    mcsan(folder, &format!("{} {more}", shards(3))).succeeds();
    assert_same_data(folder, "data.safetensors", INDEX);
}

#[test]
fn shards_are_found_by_what_people_call_them_and_are_given_once() {
    let data = prepared();
    let folder = data.path();
    mcsan(folder, &shards(2)).succeeds();
    let [first, second] = [1, 2].map(|number| shard(number, 2));
    let line = mcsan(folder, "inspect s.safetensors").fails();
    assert!(line.ends_with("mcsan: s.safetensors: is in shards; give s.safetensors.index.json"), "{line}");
    let train = |data: &str| mcsan(folder, &format!("train {data} --out new --steps 1 {TINY} --device cpu"));
    for (data, given) in
        [(format!("--data {INDEX} --data {second}"), [INDEX, &second]), (format!("--data {first} --data {INDEX}"), [&first, INDEX])]
    {
        let line = train(&data).fails();
        let shard = given.into_iter().find(|name| *name != INDEX).unwrap();
        let said = format!("the utterances of {shard} are in {} and in {}; give one of them", given[0], given[1]);
        assert!(line.contains(&said) && !folder.join("new").exists(), "{line}");
    }
    let line = mcsan(folder, &format!("matrix --data {INDEX},{second} --out new {TINY} --device cpu")).fails();
    assert!(line.contains(&format!("the utterances of {second} are in {INDEX} and in {second}")), "{line}");
    // A shard by itself is a data set, and not the whole.
    let alone = format!("{second} is shard 2 of 2: without the index the others are not read");
    let said = |data: &str| {
        let outcome = mcsan(folder, &format!("crossval {data} --out new --folds 999 --device cpu"));
        outcome.stderr.contains(&alone)
    };
    assert!(said(&format!("--data {second}")) && !said(&format!("--data {INDEX}")) && !said(&format!("--data {first} --data {second}")));
    #[cfg(unix)]
    {
        fs::create_dir(folder.join("links")).unwrap();
        std::os::unix::fs::symlink(format!("../{INDEX}"), folder.join("links/data.json")).unwrap();
        assert_same_data(folder, "data.safetensors", "links/data.json");
    }
}

#[test]
fn a_shard_that_is_not_the_one_of_the_index_is_refused_by_name() {
    let data = corpus();
    let folder = data.path();
    mcsan(folder, &shards(3)).succeeds();
    mcsan(folder, &format!("{PREPARE} --out other.safetensors --shards 3 --limit 12")).succeeds();
    let right = files(folder, "s");
    let refused = |change: &dyn Fn(), wanted: &str| {
        change();
        let line = mcsan(folder, &format!("inspect {INDEX}")).fails();
        assert!(line.contains(wanted), "{line}\n{wanted}");
        right.iter().for_each(|(name, content)| fs::write(folder.join(name), content).unwrap());
    };
    let path = |number| folder.join(shard(number, 3));
    let listed = format!("({INDEX} lists it)");
    let name = shard(2, 3);
    refused(&|| fs::remove_file(path(2)).unwrap(), &format!("mcsan: {name}: is missing {listed}; put it back, or prepare the data again"));
    let copy = |from: &Path| assert!(fs::copy(from, path(2)).unwrap() > 0);
    refused(&|| copy(&path(1)), &format!("{name}: is shard 1 of 3, not this one {listed}; put the right one"));
    let other = folder.join("other-00002-of-00003.safetensors");
    refused(&|| copy(&other), &format!("{name}: is of other data, or was prepared otherwise {listed}"));
    let change = |from_end: usize| {
        let mut bytes = right[&name].clone();
        let place = bytes.len() - from_end;
        bytes[place] ^= 1;
        fs::write(path(2), bytes).unwrap();
    };
    refused(&|| change(3), &format!("{name}: was changed: its content is not what the index says {listed}"));
    refused(&|| change(right[&name].len() - 400), &format!("{name}: was changed: its content is not what the index says {listed}"));
    refused(&|| fs::write(path(2), &right[&name][..900]).unwrap(), &format!("{name}: has 900 bytes, not {} {listed}", right[&name].len()));
    let index = String::from_utf8(right[INDEX].clone()).unwrap();
    let write = |text: &str| fs::write(folder.join(INDEX), text).unwrap();
    refused(&|| write(&index[..200]), &format!("{INDEX}: is no whole index of shards"));
    refused(&|| write(&index.replace(&name, "../x.safetensors")), "lists '../x.safetensors', which is no name of a file beside it");
    refused(&|| write(&index.replace(&name, &shard(1, 3))), &format!("lists '{}' twice", shard(1, 3)));
    refused(&|| write(r#"{"format": "mcsan-shards/1", "shards": []}"#), "lists no shards");
    refused(&|| write(&index.replace("shards/1", "shards/2")), "was written by a newer mcsan (version 2 of mcsan-shards");
    refused(&|| write(r#"{"format": "mcsan-folds/1"}"#), "is of format 'mcsan-folds/1', not 'mcsan-shards/1'");

    // Of another program's index names are enough.
    let plain = json!({ "format": "mcsan-shards/1", "shards": [{ "file": shard(1, 3) }, { "file": shard(3, 3) }] });
    write(&plain.to_string());
    assert_eq!(load(folder, INDEX).shards, [0..5, 5..10]);
}

#[test]
fn what_lies_in_the_place_of_shards_is_told_or_replaced_whole() {
    let data = corpus();
    let folder = data.path();
    fs::write(folder.join(shard(2, 3)), "notes").unwrap();
    let line = mcsan(folder, &shards(3)).fails();
    assert!(line.contains(&format!("{}: is not a prepared file, so it is not written over", shard(2, 3))), "{line}");
    fs::remove_file(folder.join(shard(2, 3))).unwrap();
    fs::write(folder.join(INDEX), "{\"weight_map\": {}}").unwrap();
    let line = mcsan(folder, &shards(3)).fails();
    assert!(line.contains(&format!("{INDEX}: is not an index of shards, so it is not written over")), "{line}");
    fs::remove_file(folder.join(INDEX)).unwrap();

    let line = mcsan(folder, &shards(16)).fails();
    assert!(line.ends_with("its 15 utterances cannot fill 16 shards; take at most --shards 15"), "{line}");
    let line = mcsan(folder, &format!("{PREPARE} --out none/s.safetensors --shards 2")).fails();
    assert!(line.contains("none/s.safetensors.index.json: cannot be written"), "{line}");

    mcsan(folder, &shards(5)).succeeds();
    mcsan(folder, &format!("{PREPARE} --out s-more.safetensors --shards 2")).succeeds();
    fs::create_dir(folder.join("s.safetensors.partial-0123456789abcdef")).unwrap();
    let outcome = mcsan(folder, &shards(3)).succeeds();
    assert!(outcome.stderr.contains("partial-0123456789abcdef: holds shards of other arguments"), "{}", outcome.stderr);
    fs::remove_dir(folder.join("s.safetensors.partial-0123456789abcdef")).unwrap();
    let more = ["s-more-00001-of-00002.safetensors", "s-more-00002-of-00002.safetensors", "s-more.safetensors.index.json"];
    let mut names: Vec<String> = (1..=3).map(|number| shard(number, 3)).chain(more.map(str::to_owned)).chain([INDEX.to_owned()]).collect();
    names.sort();
    assert_eq!(files(folder, "s").into_keys().collect::<Vec<_>>(), names);
    assert_eq!(load(folder, INDEX).len(), UTTERANCES);
}

#[test]
fn the_order_of_shards_is_resumed_and_of_few_shards_is_that_of_one_file() {
    let data = prepared();
    let folder = data.path();
    mcsan(folder, &shards(7)).succeeds();
    let train = |data: &str, out: &str, more: &str| mcsan(folder, &format!("train --data {data} --out {out} {TINY} --device cpu {more}"));
    train(INDEX, "whole", "--epochs 2 --order shards").succeeds();
    train(INDEX, "parts", "--epochs 1 --order shards").succeeds();
    train(INDEX, "parts", "--epochs 2 --order shards --resume").succeeds();
    assert_same_run(folder, "whole", "parts");
    train(INDEX, "shuffled", "--epochs 2").succeeds();
    let last = |run: &str| Checkpoint::of(&fs::read(folder.join(run).join("last.safetensors")).unwrap());
    assert_ne!(last("whole"), last("shuffled"));
    let outcome = train("data.safetensors", "one", "--epochs 2 --order shards").succeeds();
    assert!(outcome.stderr.contains("train.order has no effect: the data are in no more shards"), "{}", outcome.stderr);
    assert_eq!(last("one"), last("shuffled"));
}

/// A checkpoint's tensors, without what its settings say.
#[derive(Debug, PartialEq)]
struct Checkpoint(Vec<u8>);

impl Checkpoint {
    fn of(bytes: &[u8]) -> Self {
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self(bytes[8 + header..].to_vec())
    }
}

#[test]
fn half_precision_halves_the_file_and_rounds_by_no_more_than_it_says() {
    let data = prepared();
    let folder = data.path();
    mcsan(folder, &format!("{PREPARE} --out half.safetensors --dtype f16")).succeeds();
    let [single, half] = ["data.safetensors", "half.safetensors"].map(|name| load(folder, name));
    let rows = |data: &Dataset| data.audio().unwrap().values.clone();
    assert_eq!([&single, &half].map(|data| rows(data).kind()), [FeatureType::F32, FeatureType::F16]);
    let [singles, halves] = [&single, &half].map(|data| rows(data).read(0..rows(data).len()).unwrap().into_owned());
    assert!(singles.iter().zip(&halves).any(|(single, half)| single != half));
    for (single, half) in singles.iter().zip(&halves) {
        let most = (single.abs() / 2048.0).max(2f32.powi(-25));
        assert!((single - half).abs() <= most, "{single} became {half}");
    }
    let bytes = |name: &str| fs::metadata(folder.join(name)).unwrap().len();
    let saved = bytes("data.safetensors") - bytes("half.safetensors");
    assert!(saved.abs_diff(2 * singles.len() as u64) < 64, "{saved}");
    assert_eq!(single.streams.tokens("text"), half.streams.tokens("text"));

    // Written again, it is the same file.
    half.save(&folder.join("again.safetensors")).unwrap();
    assert_eq!(fs::read(folder.join("half.safetensors")).unwrap(), fs::read(folder.join("again.safetensors")).unwrap());
    mcsan(folder, &format!("train --data half.safetensors --out run --epochs 2 {TINY} --device cpu")).succeeds();

    // What half precision cannot hold is told by its place, and nothing is written.
    fs::create_dir(folder.join("features")).unwrap();
    for (place, info) in single.utterances.iter().enumerate() {
        let value = if place == 7 { 70_000.0 } else { 65_504.0 };
        let path = folder.join(format!("features/{}.safetensors", info.id));
        write_matrix(&path, [1.0, 2.0, place as f32, value]);
    }
    let call = format!("{PREPARE} --out large.safetensors --audio-features features");
    let line = mcsan(folder, &format!("{call} --dtype f16")).fails();
    let id = &single.utterances[7].id;
    let wanted =
        format!("large.safetensors: audio.features, utterance {id}: coefficient 1 of frame 1 is 70000, half precision ends at 65504");
    assert!(line.contains(&wanted), "{line}");
    assert!(!folder.join("large.safetensors").exists());
    mcsan(folder, &call).succeeds();
}

/// A file of one matrix, `[2, 2]`.
fn write_matrix(path: &Path, values: [f32; 4]) {
    let header = r#"{"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    let header = format!("{header:<64}");
    let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &values].concat()).unwrap();
}
