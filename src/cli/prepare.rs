//! `mcsan prepare`

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::arguments::{Common, Prepare, SplitSource, vectors};
use super::device::{self, AUTO, on_device};
use super::notes::{Lacking, Note};
use super::output::{self, Kind};
use super::{Done, Failure, cannot_write, interrupt, tables};
use crate::audio::change::Changes;
use crate::audio::mfcc::{MfccSettings, SAMPLE_RATE};
use crate::audio::vectors::VectorFrontEnd;
use crate::base::choice::Choice;
use crate::base::setting::{Key, Section};
use crate::base::streams::{AUDIO, FUNCTIONALS, PROSODY, TEXT, VISUAL};
use crate::corpus::{Corpus, FeatureSource, LeftOut, Split, Utterance, emobox, split};
use crate::dataset::{DataStream, Dataset, Doubles, Frames, Spool};
use crate::experiment::folds::{PARTS, divide};
use crate::prepare::{PrepareError, RecordingEvent, prepare};
use crate::text::{Missing, TextTable};

/// The figure of the front-end that features from files have as well: when words are said is told by it.
const HOP: &str = "hop";
/// Commonest missing words that are shown.
const SHOWN_WORDS: usize = 10;
/// Recordings left out that are shown one by one; the notes of `--json` and the prepared file name them all.
const SHOWN_LEFT_OUT: usize = 20;

pub(crate) fn run(common: &Common, arguments: &Prepare) -> Done {
    let started = Instant::now();
    let settings = arguments.front_end.settings()?;
    output::check(&arguments.out, Kind::Data)?;
    common.note_empty_bands(settings);
    let (mut corpus, division) = read_corpus(common, arguments)?;
    corpus.doubts.drain(..).for_each(|doubt| common.note(Note::Doubtful(doubt)));
    let has_word_files = corpus.further.contains_key(TEXT);
    let file_of_vectors = vectors(&arguments.vectors).filter(|_| !has_word_files);
    if has_word_files {
        common.note_unused(&["vectors", "oov"], "features of the words come from files");
    }
    let mut text = match file_of_vectors {
        Some(path) => TextTable::with_vectors(&corpus.utterances, path, arguments.oov)?,
        None => TextTable::learned(&corpus.utterances),
    };
    let missing = if has_word_files { Missing::default() } else { text.missing.clone() };
    if let Some(path) = file_of_vectors.filter(|_| missing.is_most()) {
        let (missing_words, words) = (missing.commonest.len(), missing.words);
        common.note(Note::FewVectors { path: path.into(), missing: missing.missing, tokens: missing.tokens, missing_words, words });
    }
    // The words are those of the whole corpus, as long as it is not divided by who made it.
    let divided = division == Division::Made && split::by_speaker(&mut corpus, 0).is_ok();
    add_copies(common, arguments, &mut corpus, &mut text, division)?;
    let root = corpus.root.clone();
    let lines = std::mem::take(&mut corpus.lines);
    let from_files = !corpus.features.is_empty();
    if from_files && common.typed.iter().any(|typed| typed == HOP) {
        corpus.feature_hop = Some(settings.hop);
    }
    let wish = interrupt::wish();
    let mut spools = BTreeMap::new();
    spools.insert(AUDIO, Spool::beside(&arguments.out).map_err(cannot_write(&arguments.out))?);
    let device = device::open(common, AUTO)?;
    eprintln!("preparing {} utterances on {}", corpus.utterances.len(), device.name());

    let utterance_count = corpus.utterances.len();
    let bar = progress_bar(utterance_count);
    let mut left_out = 0;
    let (mut silent, mut doubles) = (Vec::new(), Doubles::default());
    let mut observe = |event: RecordingEvent<'_>| match event {
        RecordingEvent::Done(done) => bar.set_position(done as u64),
        RecordingEvent::LeftOut(LeftOut { id, reason }) => {
            left_out += 1;
            let note = Note::LeftOut { id: id.clone(), reason: reason.clone() };
            if left_out <= SHOWN_LEFT_OUT {
                bar.suspend(|| common.note(note));
            } else {
                common.keep_note(note);
            }
        }
        RecordingEvent::Silent(utterances) => silent = utterances.to_vec(),
        RecordingEvent::Doubles(found) => doubles = found.clone(),
        RecordingEvent::Unaligned { without, differing } => {
            let of = utterance_count - left_out;
            bar.suspend(|| common.note(Note::Unaligned { of, without: without.to_vec(), differing: differing.to_vec() }))
        }
        RecordingEvent::Lacking { stream, utterances } => {
            bar.suspend(|| common.note(Note::LacksFeatures { stream, of: utterance_count - left_out, ids: utterances.to_vec() }))
        }
    };
    let mut write = |stream: &'static str, rows: &[f32]| {
        if wish.load(Ordering::Relaxed) {
            return Err(ErrorKind::Interrupted.into());
        }
        match spools.entry(stream) {
            Entry::Occupied(spool) => spool.into_mut().push(rows),
            Entry::Vacant(place) => place.insert(Spool::beside(&arguments.out)?).push(rows),
        }
    };
    let allowed = arguments.allow_missing;
    let data =
        on_device!(device, |backend| pollster::block_on(prepare(backend, corpus, text, settings, allowed, &mut write, &mut observe)));
    bar.finish_and_clear();
    let mut data = data.map_err(|error| match error {
        PrepareError::Write(error) if error.kind() == ErrorKind::Interrupted => {
            Failure(format!("{}: stopped; nothing was written, call the same again", arguments.out.display()))
        }
        error => error.into(),
    })?;
    note_lacking(common, &data, silent);
    common.note_own_vectors(&data, |_| true);
    let front_end: Vec<String> = MfccSettings::KEYS.iter().map(Key::long).collect();
    if data.audio().is_none() {
        common.note_unused(&front_end, "no utterance has a recording");
    } else if from_files {
        let unused: Vec<String> = front_end.into_iter().filter(|option| option != HOP).collect();
        common.note_unused(&unused, "features come from files");
    }
    match division {
        Division::Given => {}
        Division::Made => {
            let by = if divided { "by speaker" } else { "at random, each class evenly" };
            if divided || divide(&mut data, &doubles, 0).is_ok() {
                let [train, validation, test] = Split::ALL.map(|split| data.split(split).len());
                common.note(Note::SplitsMade { by, train, validation, test });
            }
        }
        Division::Random { seed } => divide(&mut data, &doubles, seed).map_err(|_| {
            let utterances = data.len();
            Failure(format!(
                "{}: its {utterances} utterances are of too few recordings to be divided 8 : 1 : 1, which needs {PARTS}; leave --split out",
                root.display()
            ))
        })?,
    }
    common.note_conflicts(&data, &doubles, &lines);
    data.save_spooled(&arguments.out, spools)?;

    let frames = data.audio().map_or(0, Frames::count);
    let tokens = data.streams.get(TEXT).map_or(0, DataStream::rows_of_all);
    let vocabulary = data.text().map_or(0, |text| text.vocabulary.len());
    // Of features from files it is not known how far their frames are apart.
    let speech_s = if from_files { 0.0 } else { (frames * settings.hop) as f64 / f64::from(SAMPLE_RATE) };
    let seconds = started.elapsed().as_secs_f64();
    let [unlabelled, augmented] = [Split::Unlabelled, Split::Augmented].map(|split| data.split(split).len());
    let commonest: Vec<&String> = missing.commonest.iter().map(|(word, _)| word).take(SHOWN_WORDS).collect();
    if common.json {
        common.print_json(json!({
            "out": arguments.out,
            "utterances": data.len(),
            "classes": data.classes,
            "frames": frames,
            "tokens": tokens,
            "vocabulary": vocabulary,
            "out_of_vocabulary": missing.share(),
            "commonest_missing": commonest,
            "unlabelled": unlabelled,
            "augmented": augmented,
            "left_out": data.left_out,
            "other_labels": data.other_labels,
            "speech_s": speech_s,
            "seconds": seconds,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}: {} utterances, {frames} frames, classes {}", arguments.out.display(), data.len(), tables::listed(&data.classes));
    match data.streams.frames(TEXT) {
        Some(words) => println!("{tokens} tokens of {} columns, from files", words.columns),
        None => println!("{tokens} tokens, {:.2} % out of vocabulary {commonest:?}", 100.0 * missing.share()),
    }
    if unlabelled > 0 {
        println!("{unlabelled} utterances have no label");
    }
    if augmented > 0 {
        println!("{augmented} of them are copies with changed recordings, to be trained on where what they are copies of is");
    }
    if !data.other_labels.is_empty() {
        let labels: Vec<String> = data.other_labels.iter().map(|(label, count)| format!("{count} {label}")).collect();
        println!("of no chosen class, passed over: {}", tables::listed(&labels));
    }
    if !data.left_out.is_empty() {
        println!("{} utterances left out ('mcsan inspect' names them)", data.left_out.len());
    }
    if from_files {
        println!("{} columns a frame, from files, in {seconds:.1} s", data.audio().map_or(0, |audio| audio.columns));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{:.0} min of speech in {seconds:.1} s: {:.0} times as fast as it was spoken", speech_s / 60.0, speech_s / seconds);
    Ok(ExitCode::SUCCESS)
}

/// Where the splits come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Division {
    /// They are there, or are not to be.
    Given,
    /// They are to be made, the corpus naming none.
    Made,
    /// They are to be made at random.
    Random { seed: u64 },
}

/// The corpus as the arguments want it.
fn read_corpus(common: &Common, arguments: &Prepare) -> Result<(Corpus, Division), Failure> {
    let layout = arguments.layout().unwrap_or_else(|usage| usage.exit());
    let mut corpus = layout.read(&arguments.path)?;
    if let Some(folder) = &arguments.emobox_split {
        let divided = emobox::divide(&mut corpus, folder)?;
        common.note(Note::DividedByEmoBox(divided));
    }
    if arguments.split == Some(SplitSource::Speaker) {
        split::by_speaker(&mut corpus, arguments.split_seed.unwrap_or(0))?;
    }
    for (folder, take) in [
        (&arguments.audio_features, Corpus::take_features_from as fn(&mut Corpus, &Path)),
        (&arguments.text_features, Corpus::take_text_features_from),
    ] {
        if let Some(folder) = folder {
            if !folder.is_dir() {
                return Err(Failure(format!("{}: is no folder; give the one that holds the files of features", folder.display())));
            }
            take(&mut corpus, folder);
        }
    }
    if let Some(folder) = &arguments.align {
        if !folder.is_dir() {
            return Err(Failure(format!("{}: is no folder; give the one that holds a file of times an utterance", folder.display())));
        }
        corpus.take_alignments_from(folder);
        if corpus.alignments.is_empty() {
            let path = folder.display();
            return Err(Failure(format!("{path}: has no file of an utterance; name them ID.csv or ID.wdseg, by ids or recordings")));
        }
    }
    let further = [(VISUAL, &arguments.visual_features), (PROSODY, &arguments.prosody), (FUNCTIONALS, &arguments.functionals)];
    for (stream, path) in further.into_iter().filter_map(|(stream, path)| Some((stream, path.as_ref()?))) {
        if let Some(front_end) = path.to_str().and_then(|word| VectorFrontEnd::named(stream, word)) {
            if path.exists() {
                let word = front_end.word();
                return Err(Failure(format!(
                    "{word}: is a file here and a word for our own '{stream}'; write ./{word} for the file, or rename it"
                )));
            }
            corpus.further.insert(stream, FeatureSource::Recordings(front_end));
            continue;
        }
        if !path.exists() {
            return Err(Failure(format!("{}: there is no such file or folder; check the path", path.display())));
        }
        corpus.take_further_from(stream, path);
    }
    if let Some(limit) = arguments.limit {
        corpus.utterances.truncate(limit);
        corpus.left_out.clear();
    }
    let labelled = || corpus.utterances.iter().filter(|each| each.split != Some(Split::Unlabelled));
    let is_undivided = layout.is_own() && labelled().all(|each| each.split.is_none());
    let is_large = labelled().count() >= PARTS;
    let division = match arguments.split {
        Some(SplitSource::Random) => Division::Random { seed: arguments.split_seed.unwrap_or(0) },
        None if is_undivided && is_large && arguments.emobox_split.is_none() => Division::Made,
        _ => Division::Given,
    };
    Ok((corpus, division))
}

/// Adds the copies that are asked for: of what is not to be validated or tested on, as far as it is known before recordings are read.
fn add_copies(common: &Common, arguments: &Prepare, corpus: &mut Corpus, text: &mut TextTable, division: Division) -> Result<(), Failure> {
    let Some(Changes(changes)) = &arguments.augment else { return Ok(()) };
    if !corpus.features.is_empty() {
        common.note_unused(&["augment"], "features come from files");
        return Ok(());
    }
    let is_given = division == Division::Given;
    let wanted = |utterance: &Utterance| !is_given || !matches!(utterance.split, Some(Split::Validation | Split::Test));
    let of = corpus.add_copies(changes, wanted).map_err(|id| {
        Failure(format!("{}: an utterance is called '{id}', as the copy of another would be; rename it", arguments.path.display()))
    })?;
    if of.is_empty() {
        common.note_unused(&["augment"], "no utterance that is trained on has a recording");
    }
    text.repeat(&of);
    Ok(())
}

/// Says what kind of stream the data are without, or as good as.
fn note_lacking(common: &Common, data: &Dataset, silent: Vec<String>) {
    let recordings = data.len() - data.split(Split::Augmented).len();
    let all = silent.len() == recordings;
    if data.audio().is_none() {
        common.note(Note::Without(Lacking::Recordings));
    } else if all {
        common.note(Note::Without(Lacking::Sound));
    } else if !silent.is_empty() {
        common.note(Note::Silent { utterances: silent, of: recordings });
    }
    if data.streams.get(TEXT).is_none() {
        common.note(Note::Without(Lacking::Words));
    }
}

fn progress_bar(clips: usize) -> ProgressBar {
    let bar = ProgressBar::new(clips as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} clips  {per_sec}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
