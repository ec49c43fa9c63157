//! The prepared data set keeps what it is given, refuses what would mislead a kernel, and becomes batches.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::frame_values;
use mcsan::base::remedy::line;
use mcsan::base::streams::{AUDIO, Reading, Readings, TEXT};
use mcsan::base::words::OUT_OF_VOCABULARY;
use mcsan::base::words::WordTable;
use mcsan::config::Normalise;
use mcsan::corpus::{LeftOut, Split};
use mcsan::dataset::store::{self, Content, Dtype, Store, StoreError, Tensor};
use mcsan::dataset::{
    Batcher, DataStream, Dataset, DatasetError, Fitted, Frames, HostStream, Normalisation, Spool, TokenLists, UtteranceInfo,
};

/// All features of the recordings.
fn values(data: &Dataset) -> Vec<f32> {
    let audio = data.audio().unwrap();
    audio.rows(0..audio.count()).unwrap().to_vec()
}

/// Three utterances of 10, 2 and 0 frames of two coefficients, and of 2, 0 and 1 words.
fn dataset() -> Dataset {
    let info = |id: &str, split, speaker: &str| UtteranceInfo {
        id: id.into(),
        split,
        speaker: Some(speaker.into()),
        text: "Oh, \u{2018}no\u{2019}.".into(),
        ..UtteranceInfo::default()
    };
    let audio = Frames {
        columns: 2,
        values: (0..24).map(|value| value as f32 * value as f32).collect::<Vec<_>>().into(),
        offsets: vec![0, 10, 12, 12],
    };
    let text = TokenLists {
        tokens: vec![1, -1, 0],
        offsets: vec![0, 2, 2, 3],
        vectors: Some(WordTable { width: 3, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] }),
        vocabulary: vec!["no".into(), "oh".into()],
    };
    Dataset {
        classes: vec!["glad".into(), "sad".into()],
        streams: [(AUDIO, DataStream::Frames(audio)), (TEXT, DataStream::Tokens(text))].into(),
        labels: vec![1, 0, 1],
        utterances: vec![info("a", Some(Split::Train), "x"), info("b", Some(Split::Test), "y"), info("c", None, "x")],
        parts: Vec::new(),
        shards: Vec::new(),
        corpus: "talk".into(),
        feature_settings: serde_json::json!({"coefficients": 2}),
        front_ends: BTreeMap::from([("audio.prosody".into(), serde_json::json!({"from": "shs"}))]),
        left_out: vec![LeftOut { id: "d".into(), reason: "d.wav: is empty".into() }],
        other_labels: BTreeMap::from([("disgust".into(), 3)]),
        drawn: vec!["oh".into()],
    }
}

fn audio(dataset: &mut Dataset) -> &mut Frames {
    match dataset.streams.get_mut(AUDIO) {
        Some(DataStream::Frames(frames)) => frames,
        other => panic!("{other:?}"),
    }
}

fn text(dataset: &mut Dataset) -> &mut TokenLists {
    match dataset.streams.get_mut(TEXT) {
        Some(DataStream::Tokens(tokens)) => tokens,
        other => panic!("{other:?}"),
    }
}

/// What MCSAN reads.
fn readings(max_frames: usize) -> Readings {
    Readings::new(&[Reading::frames(AUDIO, 2), Reading::tokens(TEXT)], max_frames)
}

fn saved(folder: &Path, name: &str, dataset: &Dataset) -> PathBuf {
    let path = folder.join(name);
    dataset.save(&path).unwrap();
    path
}

/// The one line that a data set is refused with, on saving.
fn refusal(change: impl FnOnce(&mut Dataset)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut faulty = dataset();
    change(&mut faulty);
    let path = folder.path().join("talk.safetensors");
    let message = line(&faulty.save(&path).unwrap_err());
    assert!(message.contains("talk.safetensors") && !message.contains('\n'), "{message}");
    assert!(!path.exists(), "nothing is left of a refused file");
    message
}

#[test]
fn what_is_saved_is_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let with_vectors = dataset();
    assert_eq!(Dataset::load(&saved(folder.path(), "a", &with_vectors)).unwrap(), with_vectors);
    let mut learned = with_vectors;
    text(&mut learned).vectors = None;
    assert_eq!(Dataset::load(&saved(folder.path(), "b", &learned)).unwrap(), learned);
    assert_eq!(learned.text().unwrap().words(), 2);
}

#[test]
fn spooled_features_give_the_file_that_held_ones_give() {
    let folder = tempfile::tempdir().unwrap();
    let held = fs::read(saved(folder.path(), "held", &dataset())).unwrap();
    let path = folder.path().join("spooled");
    let mut spool = Spool::beside(&path).unwrap();
    for rows in values(&dataset()).chunks(6) {
        spool.push(rows).unwrap();
    }
    let mut without = dataset();
    audio(&mut without).values = Default::default();
    without.save_spooled(&path, [(AUDIO, spool)].into()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), held);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn equal_data_sets_give_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let first = fs::read(saved(folder.path(), "a", &dataset())).unwrap();
    for _ in 0..8 {
        assert_eq!(fs::read(saved(folder.path(), "b", &dataset())).unwrap(), first);
    }
}

#[test]
fn tensors_start_at_multiples_of_their_element() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let bytes = [7u8; 3];
    let tensors = [
        Tensor { name: "a".into(), dtype: Dtype::U8, shape: vec![3], content: Content::Bytes(&bytes) },
        Tensor::f32("b", &[1], &[1.0]),
        Tensor::i64("c", &[2], &[1, 2]),
    ];
    store::write(&path, &BTreeMap::new(), &tensors).unwrap();
    let file = fs::read(&path).unwrap();
    let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    assert_eq!(header % 8, 0);
    assert_eq!(file.len(), 8 + header + 16 + 4 + 3);
    assert_eq!(&file[8 + header..], [1i64.to_le_bytes().as_slice(), &2i64.to_le_bytes(), &1f32.to_le_bytes(), &bytes].concat());
    let store = Store::open(&path).unwrap();
    assert_eq!(store.names(), ["a", "b", "c"]);
    assert_eq!(store.tensor("b").unwrap().shaped(&[1]).unwrap().floats().unwrap(), [1.0]);
    assert_eq!(store.tensor("c").unwrap().integers().unwrap(), [1, 2]);
}

#[test]
fn a_file_of_another_program_needs_only_the_required_entries() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let halves: Vec<u8> = [0x3C00u16, 0x4000, 0x4200, 0x4400].into_iter().flat_map(u16::to_le_bytes).collect();
    let tensors = [
        Tensor { name: "audio.features".into(), dtype: Dtype::F16, shape: vec![2, 2], content: Content::Bytes(&halves) },
        Tensor::i64("audio.offsets", &[3], &[0, 1, 2]),
        Tensor::i32("text.tokens", &[2], &[4, -1]),
        Tensor::i64("text.offsets", &[3], &[0, 2, 2]),
        Tensor::i64("labels", &[2], &[0, 0]),
    ];
    let metadata = BTreeMap::from([("format".into(), "mcsan-dataset/1".into()), ("classes".into(), "[\"n\"]".into())]);
    store::write(&path, &metadata, &tensors).unwrap();
    let dataset = Dataset::load(&path).unwrap();
    assert_eq!(values(&dataset), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!((dataset.utterances[1].id.as_str(), dataset.utterances[1].split), ("1", None));
    assert_eq!((dataset.text().unwrap().words(), dataset.training()), (5, vec![0, 1]));
}

#[test]
fn a_file_that_is_no_data_set_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.safetensors");
    let refusal = || {
        let message = line(&Dataset::load(&path).unwrap_err());
        assert!(message.contains("talk.safetensors") && !message.contains('\n'), "{message}");
        message
    };
    assert!(refusal().contains("cannot be read"));
    let (cut, text) = ("is not a whole safetensors file", "is a text, perhaps a manifest");
    for (content, part) in [
        (&b""[..], cut),
        (b"\x09\0\0", cut),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{}", cut),
        (b"short", text),
        (b"id,audio,text,label\na,b,c,d\n", text),
    ] {
        fs::write(&path, content).unwrap();
        let found = refusal();
        assert!(found.contains(part), "{content:?}: {found}");
    }
    store::write(&path, &BTreeMap::new(), &[]).unwrap();
    assert!(refusal().contains("is of format 'none', not 'mcsan-dataset/1'"));

    let whole = fs::read(saved(folder.path(), "whole", &dataset())).unwrap();
    for length in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(refusal().contains("is not a whole safetensors file"), "{length} bytes");
    }
}

#[test]
fn a_file_that_could_not_be_read_again_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.safetensors");
    let metadata = BTreeMap::from([("utterances".to_owned(), "x".repeat(100_000_000))]);
    let told = line(&store::write(&path, &metadata, &[]).unwrap_err());
    assert!(
        told.ends_with(
            "long.safetensors: would have a header of more than 100 MB, which no reader takes; divide it into shards, or into more of them"
        ),
        "{told}"
    );
    assert!(!path.exists());
}

#[test]
fn a_missing_misshapen_or_mistyped_tensor_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let metadata = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
        let required = [("format", "mcsan-dataset/1"), ("classes", "[\"n\"]")];
        required.iter().chain(entries).map(|&(key, value)| (key.into(), value.into())).collect()
    };
    let features = [0.5f32, 1.0];
    let tensors = [
        Tensor::f32("audio.features", &[2, 1], &features),
        Tensor::i64("audio.offsets", &[2], &[0, 2]),
        Tensor::i32("text.tokens", &[0], &[]),
        Tensor::i64("text.offsets", &[2], &[0, 0]),
        Tensor::i32("labels", &[1], &[0]),
    ];
    let load = |metadata: &BTreeMap<String, String>, tensors: &[Tensor<'_>]| {
        store::write(&path, metadata, tensors).unwrap();
        Dataset::load(&path).map_err(|error| line(&error))
    };
    assert!(load(&metadata(&[]), &tensors).is_ok());
    for missing in 0..tensors.len() {
        let rest: Vec<Tensor<'_>> = tensors.iter().enumerate().filter(|&(place, _)| place != missing).map(|(_, t)| t.clone()).collect();
        let message = load(&metadata(&[]), &rest).unwrap_err();
        assert!(message.contains(&format!("has no tensor '{}'", tensors[missing].name)), "{message}");
    }
    let with = |replacement: Tensor<'static>| {
        tensors.iter().map(|t| if t.name == replacement.name { replacement.clone() } else { t.clone() }).collect::<Vec<_>>()
    };
    let refused = |replacement| load(&metadata(&[]), &with(replacement)).unwrap_err();
    assert!(refused(Tensor::f32("audio.features", &[2], &[0.0; 2])).contains("has the shape [2], not 2 dimensions"));
    assert!(refused(Tensor::i64("audio.offsets", &[3], &[0, 1, 2])).contains("has the shape [3], not [2]"));
    assert!(refused(Tensor::f32("labels", &[1], &[0.0])).contains("is of type F32, not I32 or I64"));
    assert!(refused(Tensor::i32("audio.features", &[2, 1], &[0, 0])).contains("is of type I32, not F32 or F16"));

    let refused = |key, value| load(&metadata(&[(key, value)]), &tensors).unwrap_err();
    assert!(refused("classes", "n").contains("metadata 'classes' is not the JSON"));
    assert!(refused("utterances", "[]").contains("has 0 entries for 1 utterances"));
    assert!(refused("utterances", r#"[{"id": "a", "split": "dev"}]"#).contains("unknown split 'dev'"));
    assert!(load(&metadata(&[("utterances", r#"[{"id": "a", "split": null, "mood": 3}]"#)]), &tensors).is_ok());
}

#[test]
fn numbers_that_would_mislead_a_kernel_name_their_utterance() {
    assert!(
        refusal(|d| audio(d).values = (0..24).map(|place| if place == 21 { f32::NAN } else { 0.5 }).collect::<Vec<_>>().into())
            .contains("audio.features, utterance b: coefficient 1 of frame 0 is NaN")
    );
    assert!(refusal(|d| text(d).tokens[2] = 2).contains("text.tokens, utterance c: token 2"));
    assert!(refusal(|d| text(d).tokens[0] = -2).contains("text.tokens, utterance a: token -2"));
    assert!(refusal(|d| d.labels[1] = 2).contains("labels, utterance b: label 2"));
    assert!(refusal(|d| audio(d).offsets = vec![0, 12, 10, 12]).contains("audio.offsets, utterance b: starts at row 12 and ends at 10"));
    assert!(refusal(|d| audio(d).offsets[0] = 1).contains("utterance a: starts at row 1"));
    assert!(refusal(|d| text(d).offsets[3] = 4).contains("text.offsets: the last offset is 4, there are 3 rows"));
    assert!(refusal(|d| text(d).vectors.as_mut().unwrap().values[4] = f32::INFINITY).contains("the vector of the word 'oh' holds inf"));
    assert!(refusal(|d| text(d).vocabulary.push("x".into())).contains("2 rows for a vocabulary of 3"));
    assert!(refusal(|d| *d = Dataset::default()).contains("there are no utterances"));
}

#[test]
fn a_file_that_cannot_be_written_says_so() {
    let error = dataset().save(Path::new("nowhere/talk.safetensors")).unwrap_err();
    assert!(matches!(error, DatasetError::Store(StoreError::Write { .. })), "{error}");
}

#[test]
fn each_group_is_normalised_to_zero_mean_and_unit_deviation() {
    let dataset = dataset();
    for (by, max_frames) in [(Normalise::Corpus, 1000), (Normalise::Utterance, 7), (Normalise::Speaker, 7)] {
        let all: Vec<usize> = (0..dataset.len()).collect();
        let readings = readings(max_frames);
        let normalisation = Normalisation::fit(by, &dataset, &all, &readings).unwrap();
        let groups = normalisation.groups(&dataset, AUDIO, &readings).unwrap();
        let audio = dataset.audio().unwrap();
        for group in 0..groups.mean.len() / 2 {
            let (mean, reciprocal) = groups.statistics(group);
            let members = all.iter().filter(|&&utterance| groups.members[utterance] == group);
            let rows: Vec<f32> = members.flat_map(|&u| audio.rows(audio.of(u, max_frames)).unwrap().to_vec()).collect();
            let frames: Vec<&[f32]> = rows.chunks(2).collect();
            for column in 0..2 {
                let scores: Vec<f32> = frames.iter().map(|frame| (frame[column] - mean[column]) * reciprocal[column]).collect();
                let count = scores.len() as f32;
                let centre = scores.iter().sum::<f32>() / count;
                let spread = scores.iter().map(|score| score * score).sum::<f32>() / count;
                assert!(frames.is_empty() || (centre.abs() < 1e-5 && (spread - 1.0).abs() < 1e-4), "{by:?}: {centre}, {spread}");
            }
        }
    }
}

#[test]
fn corpus_statistics_see_the_training_split_alone_and_survive_a_checkpoint() {
    let dataset = dataset();
    let normalisation = Normalisation::fit(Normalise::Corpus, &dataset, &dataset.training(), &readings(3)).unwrap();
    let Normalisation::Corpus(fitted) = &normalisation else { panic!("{normalisation:?}") };
    assert_eq!(fitted.get(AUDIO).unwrap().mean, [20.0 / 3.0, 35.0 / 3.0]);
    let json = serde_json::to_string(&normalisation).unwrap();
    assert_eq!(serde_json::from_str::<Normalisation>(&json).unwrap(), normalisation);
    assert!(matches!(Normalisation::fit(Normalise::Corpus, &dataset, &[], &readings(3)), Err(DatasetError::NoTraining)));
}

#[test]
fn a_coefficient_that_does_not_vary_is_only_centred() {
    let mut dataset = dataset();
    audio(&mut dataset).values = vec![3.0; 24].into();
    let groups = Normalisation::Utterance(Fitted::default()).groups(&dataset, AUDIO, &readings(1000)).unwrap();
    assert_eq!(groups.statistics(0), (&[3.0, 3.0][..], &[1.0, 1.0][..]));
    assert_eq!(groups.statistics(2), (&[0.0, 0.0][..], &[1.0, 1.0][..]));
}

#[test]
fn a_speaker_that_is_not_named_cannot_be_normalised_by() {
    let mut dataset = dataset();
    dataset.utterances[1].speaker = None;
    let error = Normalisation::Speaker.groups(&dataset, AUDIO, &readings(1000)).unwrap_err();
    assert!(error.to_string().contains("utterance b names no speaker"), "{error}");
}

#[test]
fn a_batch_is_cut_padded_to_an_exact_zero_score_and_keeps_its_order() {
    let dataset = dataset();
    let normalisation = Normalisation::fit(Normalise::Speaker, &dataset, &[], &readings(9)).unwrap();
    let batch = Batcher::new(&dataset, &normalisation, readings(9)).unwrap().batch(&[2, 1, 0]).unwrap();
    let [HostStream::Frames(frames), HostStream::Tokens(tokens)] = [AUDIO, TEXT].map(|name| &batch.streams[name]) else {
        panic!("{:?}", batch.streams)
    };
    assert_eq!(frames.lengths, [9, 9, 9]);
    assert_eq!(tokens.tokens, [0, OUT_OF_VOCABULARY, 1, OUT_OF_VOCABULARY]);
    assert_eq!(tokens.lengths, [1, 1, 2]);
    assert_eq!(batch.labels, [1, 0, 1]);
    assert_eq!(frames.statistics.groups, [0, 1, 0]);
    assert_eq!(frames.statistics.mean.len(), 4);
    let features = values(&dataset);
    assert_eq!(frame_values(frames)[36..], features[..18], "the longest is cut to nine frames");
    assert_eq!(frame_values(frames)[18..22], features[20..24]);
    let score = |row: usize, column: usize| {
        let group = frames.statistics.groups[row / 9] as usize;
        let of = |values: &[f32]| values[group * 2 + column];
        (frame_values(frames)[row * 2 + column] - of(&frames.statistics.mean)) * of(&frames.statistics.reciprocal_deviation)
    };
    for row in (0..9).chain(11..18) {
        assert_eq!((score(row, 0), score(row, 1)), (0.0, 0.0), "padding row {row}");
    }
}

/// A file that is opened and then made another is no source of numbers any more, and no reason to end by a signal.
#[test]
fn a_file_that_is_shortened_or_changed_while_it_is_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), "a", &dataset());
    let whole = fs::read(&path).unwrap();
    let longer = [&whole[..], b"more"].concat();
    for content in [&whole[..whole.len() / 2], &[], &longer] {
        fs::write(&path, &whole).unwrap();
        let data = Dataset::load(&path).unwrap();
        assert_eq!(values(&data), values(&dataset()));
        fs::write(&path, content).unwrap();
        let readings = readings(9);
        let told = line(&data.audio().unwrap().rows(0..2).unwrap_err());
        assert!(told.starts_with(&format!("{}: was changed or shortened while it was in use; restore it", path.display())), "{told}");
        assert!(Normalisation::fit(Normalise::Corpus, &data, &data.training(), &readings).is_err());
        assert!(Batcher::new(&data, &Normalisation::None, readings).unwrap().batch(&[0]).is_err());
        assert!(data.fingerprint().is_err() && data.save(&folder.path().join("b")).is_err());
        assert!(!folder.path().join("b").exists());
    }
    // A file in its place is another file: the one that is open stays as it was.
    fs::write(&path, &whole).unwrap();
    let data = Dataset::load(&path).unwrap();
    saved(folder.path(), "other", &Dataset { corpus: "other".into(), ..dataset() });
    fs::rename(folder.path().join("other"), &path).unwrap();
    assert_eq!(values(&data), values(&dataset()));
}
