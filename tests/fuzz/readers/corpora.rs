//! Recordings, transcripts, corpora, and files of features, words and times.

use std::fs;
use std::path::Path;

use mcsan::audio::segment::{Segment, Segmenter, Stretches};
use mcsan::audio::{PcmFormat, Stream, decode, read_pcm};
use mcsan::corpus::iemocap::IemocapClasses;
use mcsan::corpus::label_map::{Labels, MapSource};
use mcsan::corpus::{Alignment, Corpus, CorpusError, Split, ased, cremad, emodb, emovo, esd, folders, iemocap, list, ravdess, savee, tess};
use mcsan::dataset::{FeatureMatrix, VectorTable};
use mcsan::text::transcript::Transcript;
use mcsan::text::{OutOfVocabulary, TextTable, read_lines, tokenise};

use super::{At, said};

pub(super) fn recording(at: At) -> Result<(), String> {
    let samples = said(decode(&at.file))?;
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample.is_finite()), "samples are finite, and there are some");
    Ok(())
}

/// What comes piece by piece is what is decoded whole, and every segment is a part of it.
pub(super) fn segments(at: At) -> Result<(), String> {
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

pub(super) fn transcript(at: At) -> Result<(), String> {
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
pub(super) fn sealed_ogg(at: At) -> At {
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
pub(super) fn with_header(at: At) -> At {
    let header = fs::read(&at.file).expect("it was written");
    let body = fs::read(at.file.with_extension("body")).expect("it was staged");
    let file = at.file.with_extension("safetensors");
    fs::write(&file, [&(header.len() as u64).to_le_bytes(), header.as_slice(), &body].concat()).expect("the folder can be written to");
    At { file, ..at }
}

pub(super) fn corpus(read: Result<Corpus, CorpusError>) -> Result<(), String> {
    let corpus = said(read)?;
    assert!(!corpus.utterances.is_empty());
    let mut labelled = corpus.utterances.iter().zip(corpus.labels());
    assert!(labelled.all(|(utterance, label)| (label >= 0) != (utterance.split == Some(Split::Unlabelled))), "all others are of a class");
    let text = TextTable::learned(&corpus.utterances);
    assert_eq!(text.offsets.len(), corpus.utterances.len() + 1);
    Ok(())
}

pub(super) fn iemocap(at: At) -> Result<(), String> {
    corpus(iemocap::read(&at.folder, IemocapClasses::Seven))
}

/// Corpora that say everything by the names of their recordings: a line of the file is one.
pub(super) fn file_names(at: At) -> Result<(), String> {
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
pub(super) fn listed(at: At) -> Result<(), String> {
    for line in said(list::read(&at.file, &["audio", "text"]))? {
        let listed = said(line)?;
        assert!(listed.line > 0 && listed.path.is_some(), "every line has its recording");
    }
    Ok(())
}

/// A fold of EmoBox, beside the file that it trains by.
pub(super) fn emobox(at: At) -> Result<(), String> {
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
pub(super) fn label_map(at: At) -> Result<(), String> {
    let labels = said(Labels::read(&MapSource::File(at.file)))?;
    let [data, model] = [["happy", "sad", "angry"], ["joy", "sadness", "anger"]].map(|names| names.map(String::from));
    said(labels.check(&[&data, &model]))?;
    let map = said(labels.map(&data, &model))?;
    assert!(map.to.len() == 3 && map.to.iter().flatten().all(|&class| class < 3));
    Ok(())
}

pub(super) fn texts(at: At) -> Result<(), String> {
    let texts = said(read_lines(&at.file))?;
    let tokens: Vec<Vec<String>> = texts.iter().map(|text| tokenise(text)).collect();
    assert!(tokens.iter().flatten().all(|token| !token.is_empty()));
    Ok(())
}

pub(super) fn pcm(at: At, format: PcmFormat) -> Result<(), String> {
    let bytes = fs::read(&at.file).expect("it was written");
    let samples = said(read_pcm(&bytes[..], "standard input", format, 8000))?;
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample.is_finite()), "samples are finite, and there are some");
    Ok(())
}

pub(super) fn vector_table(at: At) -> Result<(), String> {
    let table = said(VectorTable::read(&at.file))?;
    let found = [table.of("a", Path::new("")), table.of("no", Path::new("clips/b.wav"))];
    assert!(found.into_iter().flatten().all(|vector| !vector.is_empty() && vector.iter().all(|value| value.is_finite())));
    Ok(())
}

pub(super) fn alignment(at: At) -> Result<(), String> {
    let alignment = said(Alignment::read(&at.file))?;
    let tokens = tokenise("Go, go away!");
    let times = alignment.times(&tokens);
    assert!(times.iter().flatten().all(|[start, end]| *start >= 0.0 && start <= end && end.is_finite()));
    assert!(times.is_none_or(|times| times.len() == tokens.len()), "a time for each token");
    Ok(())
}

pub(super) fn features(at: At) -> Result<(), String> {
    // Of one row it is a vector as well.
    let vector = FeatureMatrix::read_vector(&at.file);
    let matrix = said(FeatureMatrix::read(&at.file))?;
    assert!(vector.is_ok() == (matrix.rows() == 1));
    assert!(matrix.rows() > 0 && matrix.values.len() == matrix.rows() * matrix.columns, "whole rows, and there are some");
    assert!(matrix.values.iter().all(|value| value.is_finite()));
    Ok(())
}

pub(super) fn vectors(at: At) -> Result<(), String> {
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
