//! `mcsan prepare`

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::arguments::{Common, Prepare, SplitSource, vectors};
use super::device::{self, AUTO, on_device};
use super::notes::{Lacking, Note};
use super::output::{self, Kind};
use super::{Done, Failure, cannot_write, interrupt, sharding, tables};
use crate::audio::change::Changes;
use crate::audio::mfcc::{MfccSettings, SAMPLE_RATE};
use crate::audio::vectors::VectorFrontEnd;
use crate::base::choice::Choice;
use crate::base::setting::{Key, Section};
use crate::base::streams::{AUDIO, FUNCTIONALS, PROSODY, TEXT, VISUAL};
use crate::corpus::{Corpus, FeatureSource, LeftOut, Split, Utterance, emobox, split};
use crate::dataset::store::{LONGEST_HEADER, StoreError};
use crate::dataset::{DataStream, Dataset, Doubles, FeatureType, Frames, Spool};
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
    match arguments.shards {
        None => output::check(&arguments.out, Kind::Data)?,
        Some(count) => sharding::check(&arguments.out, count.into())?,
    }
    common.note_empty_bands(settings);
    let (mut corpus, division) = read_corpus(common, arguments)?;
    corpus.doubts.drain(..).for_each(|doubt| common.note(Note::Doubtful(doubt)));
    check_room(&corpus, arguments)?;
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
    let from_files = !corpus.features.is_empty();
    if from_files && common.typed.iter().any(|typed| typed == HOP) {
        corpus.feature_hop = Some(settings.hop);
    }
    let (root, lines) = (corpus.root.clone(), std::mem::take(&mut corpus.lines));
    let work = Work { common, arguments, settings, division, divided, root, lines, from_files, missing, started };
    match arguments.shards {
        None => work.one_file(corpus, text),
        Some(count) => sharding::run(&work, corpus, text, count.into()),
    }
}

/// Refuses a corpus whose utterances alone fill more than a file's header, before anything is computed.
fn check_room(corpus: &Corpus, arguments: &Prepare) -> Result<(), StoreError> {
    // What stands around what is said of an utterance, at least.
    const AROUND: &str =
        r#"{\"id\":\"\",\"split\":\"\",\"speaker\":\"\",\"session\":\"\",\"dialogue\":\"\",\"text\":\"\",\"audio\":\"\"},"#;
    let utterances = corpus.utterances.iter();
    let least: usize = utterances.map(|utterance| utterance.id.len() + utterance.text.len() + AROUND.len()).sum();
    let files = arguments.shards.map_or(1, usize::from);
    if (least / files) as u64 > LONGEST_HEADER { Err(StoreError::LongHeader { path: arguments.out.clone() }) } else { Ok(()) }
}

/// What is prepared, but for the corpus.
pub(super) struct Work<'a> {
    pub common: &'a Common,
    pub arguments: &'a Prepare,
    pub settings: &'a MfccSettings,
    pub division: Division,
    /// Whether the splits were made by speaker.
    pub divided: bool,
    root: PathBuf,
    lines: BTreeMap<String, u64>,
    pub from_files: bool,
    missing: Missing,
    started: Instant,
}

impl Work<'_> {
    fn one_file(&self, corpus: Corpus, text: TextTable) -> Done {
        let &Self { common, arguments, settings, .. } = self;
        let mut spools = Spools::beside(&arguments.out, arguments.dtype)?;
        let device = device::open(common, AUTO)?;
        eprintln!("preparing {} utterances on {}", corpus.utterances.len(), device.name());
        let mut watch = Watch::new(common, corpus.utterances.len());
        let allowed = arguments.allow_missing;
        let prepared = on_device!(device, |backend| pollster::block_on(prepare(
            backend,
            corpus,
            text,
            settings,
            allowed,
            &mut |stream, rows| spools.push(stream, rows),
            &mut |event| watch.see(&event)
        )));
        let Watch { bar, silent, doubles, .. } = watch;
        bar.finish_and_clear();
        let mut data = prepared.map_err(|error| stopped(&arguments.out, error, "nothing was written"))?;
        self.settle(&mut data, silent, &doubles)?;
        data.save_spooled(&arguments.out, spools.rows)?;
        self.report(&data, &arguments.out, &[])
    }

    /// Says what the data lack, makes the splits where they are to be made, and says what contradicts itself.
    pub(super) fn settle(&self, data: &mut Dataset, silent: Vec<String>, doubles: &Doubles) -> Result<(), Failure> {
        let &Self { common, division, divided, from_files, .. } = self;
        note_lacking(common, data, silent);
        common.note_own_vectors(data, |_| true);
        let front_end: Vec<String> = MfccSettings::KEYS.iter().map(Key::long).collect();
        if data.audio().is_none() {
            common.note_unused(&front_end, "no utterance has a recording");
        } else if from_files {
            let unused: Vec<String> = front_end.into_iter().filter(|option| option != HOP).collect();
            common.note_unused(&unused, "features come from files");
        }
        if !data.streams.iter().any(|(_, stream)| matches!(stream, DataStream::Frames(_))) {
            common.note_unused(&["dtype"], "there are no frames of features");
        }
        match division {
            Division::Given => {}
            Division::Made => {
                let by = if divided { "by speaker" } else { "at random, each class evenly" };
                if divided || divide(data, doubles, 0).is_ok() {
                    let [train, validation, test] = Split::ALL.map(|split| data.split(split).len());
                    common.note(Note::SplitsMade { by, train, validation, test });
                }
            }
            Division::Random { seed } => divide(data, doubles, seed).map_err(|_| {
                let utterances = data.len();
                Failure(format!(
                    "{}: its {utterances} utterances are of too few recordings to be divided 8 : 1 : 1, which needs {PARTS}; leave --split out",
                    self.root.display()
                ))
            })?,
        }
        common.note_conflicts(data, doubles, &self.lines);
        Ok(())
    }

    /// Says what was prepared: a file, or an index of shards.
    pub(super) fn report(&self, data: &Dataset, out: &Path, shards: &[(String, usize)]) -> Done {
        let Self { common, missing, from_files, .. } = self;
        let frames = data.audio().map_or(0, Frames::count);
        let tokens = data.streams.get(TEXT).map_or(0, DataStream::rows_of_all);
        let vocabulary = data.text().map_or(0, |text| text.vocabulary.len());
        // Of features from files it is not known how far their frames are apart.
        let speech_s = if *from_files { 0.0 } else { (frames * self.settings.hop) as f64 / f64::from(SAMPLE_RATE) };
        let seconds = self.started.elapsed().as_secs_f64();
        let [unlabelled, augmented] = [Split::Unlabelled, Split::Augmented].map(|split| data.split(split).len());
        let commonest: Vec<&String> = missing.commonest.iter().map(|(word, _)| word).take(SHOWN_WORDS).collect();
        if common.json {
            let mut report = json!({
                "out": out,
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
            });
            if !shards.is_empty() {
                report["shards"] = shards.iter().map(|(file, utterances)| json!({ "file": file, "utterances": utterances })).collect();
            }
            common.print_json(report);
            return Ok(ExitCode::SUCCESS);
        }
        println!("{}: {} utterances, {frames} frames, classes {}", out.display(), data.len(), tables::listed(&data.classes));
        if let (Some((first, _)), Some((last, _))) = (shards.first(), shards.last()) {
            println!("{} shards, {first} to {last}", shards.len());
        }
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
        if *from_files {
            println!("{} columns a frame, from files, in {seconds:.1} s", data.audio().map_or(0, |audio| audio.columns));
            return Ok(ExitCode::SUCCESS);
        }
        println!("{:.0} min of speech in {seconds:.1} s: {:.0} times as fast as it was spoken", speech_s / 60.0, speech_s / seconds);
        Ok(ExitCode::SUCCESS)
    }
}

/// What ended a preparation; `kept` says what there is of it.
pub(super) fn stopped(out: &Path, error: PrepareError, kept: &str) -> Failure {
    match error {
        PrepareError::Write(error) if error.kind() == ErrorKind::Interrupted => {
            Failure(format!("{}: stopped; {kept}, call the same again", out.display()))
        }
        error => error.into(),
    }
}

/// Rows of frames on their way to a file, by stream; they end where the user stops the program.
pub(super) struct Spools<'a> {
    out: &'a Path,
    dtype: FeatureType,
    pub rows: BTreeMap<&'static str, Spool>,
}

impl<'a> Spools<'a> {
    pub(super) fn beside(out: &'a Path, dtype: FeatureType) -> Result<Self, Failure> {
        let _listens = interrupt::wish();
        let mut spools = Self { out, dtype, rows: BTreeMap::new() };
        spools.rows.insert(AUDIO, spools.spool().map_err(cannot_write(out))?);
        Ok(spools)
    }

    fn spool(&self) -> io::Result<Spool> {
        Ok(Spool::beside(self.out)?.of(self.dtype))
    }

    pub(super) fn push(&mut self, stream: &'static str, rows: &[f32]) -> io::Result<()> {
        if interrupt::wish().load(Ordering::Relaxed) {
            return Err(ErrorKind::Interrupted.into());
        }
        if !self.rows.contains_key(stream) {
            self.rows.insert(stream, self.spool()?);
        }
        self.rows.get_mut(stream).map_or(Ok(()), |spool| spool.push(rows))
    }
}

/// Who is told how a preparation goes on.
pub(super) struct Watch<'a> {
    common: &'a Common,
    pub bar: ProgressBar,
    /// Utterances that are prepared, and those before them.
    utterances: usize,
    pub before: usize,
    left_out: usize,
    silent: Vec<String>,
    doubles: Doubles,
}

impl<'a> Watch<'a> {
    pub(super) fn new(common: &'a Common, utterances: usize) -> Self {
        let bar = progress_bar(utterances);
        Self { common, bar, utterances, before: 0, left_out: 0, silent: Vec::new(), doubles: Doubles::default() }
    }

    pub(super) fn see(&mut self, event: &RecordingEvent<'_>) {
        let &mut Self { common, ref bar, utterances, left_out, .. } = self;
        match *event {
            RecordingEvent::Done(done) => bar.set_position((self.before + done) as u64),
            RecordingEvent::LeftOut(LeftOut { id, reason }) => {
                self.left_out += 1;
                let note = Note::LeftOut { id: id.clone(), reason: reason.clone() };
                if self.left_out <= SHOWN_LEFT_OUT {
                    bar.suspend(|| common.note(note));
                } else {
                    common.keep_note(note);
                }
            }
            RecordingEvent::Silent(silent) => self.silent = silent.to_vec(),
            RecordingEvent::Doubles(found) => self.doubles = found.clone(),
            RecordingEvent::Unaligned { without, differing } => {
                let of = utterances - left_out;
                bar.suspend(|| common.note(Note::Unaligned { of, without: without.to_vec(), differing: differing.to_vec() }))
            }
            RecordingEvent::Lacking { stream, utterances: lacking } => {
                bar.suspend(|| common.note(Note::LacksFeatures { stream, of: utterances - left_out, ids: lacking.to_vec() }))
            }
        }
    }
}

/// Where the splits come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Division {
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
