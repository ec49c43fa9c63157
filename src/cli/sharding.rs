//! `mcsan prepare --shards`: a data set in several files, by one command or by several that share the folder.
//!
//! Shards are made in a folder beside the index, each under a claim, so that commands with the same arguments divide them and what a
//! killed one has begun is made by another. Who finds all whole puts them in their places and writes the index; the others wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use super::arguments::Common;
use super::device::{self, AUTO, Device, on_device};
use super::output::{self, Kind};
use super::prepare::{Spools, Watch, Work, stopped};
use super::{Done, Failure, cannot_write, interrupt, ranks};
use crate::base::hash::{BASIS, fnv1a, mix, of_words};
use crate::corpus::{Corpus, FeatureSource, Utterance};
use crate::dataset::shards::{Belonging, Entry, FORMAT, INDEX, Index, Place, Shard, Shards};
use crate::dataset::store::Store;
use crate::dataset::{Dataset, DatasetError, Doubles, folder_of, replace_file};
use crate::prepare::{PrepareError, Whole, prepare_part};
use crate::text::TextTable;
use crate::train::claim::{Claim, Taken};

/// How often who waits looks again.
const LOOK: Duration = Duration::from_millis(300);
const KEPT: &str = "shards that are whole are kept";

/// Names of the files of a data set.
struct Names {
    index: PathBuf,
    /// Of each shard, in its place.
    shards: Vec<PathBuf>,
}

impl Names {
    fn of(out: &Path, count: usize) -> Self {
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let name = Path::new(name.strip_suffix(INDEX).unwrap_or(&name)).to_path_buf();
        let stem = name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let extension = name.extension().map_or("safetensors".into(), OsStr::to_string_lossy);
        let shard = |number: usize| out.with_file_name(format!("{stem}-{number:05}-of-{count:05}.{extension}"));
        Self { index: out.with_file_name(format!("{}{INDEX}", name.display())), shards: (1..=count).map(shard).collect() }
    }
}

/// Whether a data set in so many shards may be written to `out`.
///
/// # Errors
/// Something else that is there, by what it is.
pub(super) fn check(out: &Path, count: usize) -> Result<(), Failure> {
    let names = Names::of(out, count);
    fs::metadata(folder_of(&names.index)).map_err(cannot_write(&names.index))?;
    output::check(&names.index, Kind::Index)?;
    names.shards.iter().try_for_each(|shard| output::check(shard, Kind::Data))
}

/// Prepares what no other command does, and ends when the data set is whole.
pub(super) fn run(work: &Work<'_>, corpus: Corpus, text: TextTable, count: usize) -> Done {
    let (common, utterances) = (work.common, corpus.utterances.len());
    if count > utterances {
        let path = work.arguments.path.display();
        return Err(Failure(format!("{path}: its {utterances} utterances cannot fill {count} shards; take at most --shards {utterances}")));
    }
    let names = Names::of(&work.arguments.out, count);
    let plan = plan(work, &corpus, &text, count);
    let folder = names.index.with_file_name(format!(
        "{}.partial-{plan}",
        names.index.file_name().unwrap_or_default().to_string_lossy().trim_end_matches(INDEX)
    ));
    let mut making = Making { common, names, plan, folder, whole: Whole::of_parts(&corpus)?, device: None };
    making.note_others();
    let mut watch = Watch::new(common, utterances);
    let mut is_told = false;
    let data = loop {
        if making.is_done() {
            break None;
        }
        let mut all = true;
        for number in 1..=count {
            let range = (number - 1) * utterances / count..number * utterances / count;
            watch.before = range.start;
            if making.is_done() {
                break;
            }
            all &= making.is_whole(number) || making.make(work, (&corpus, &text), number, range, &mut watch)?;
        }
        if all {
            if let Some(data) = making.gather(work)? {
                break Some(data);
            }
            continue;
        }
        if !std::mem::replace(&mut is_told, true) {
            watch.bar.suspend(|| eprintln!("the other shards are being prepared by other commands"));
        }
        if interrupt::wish().load(Ordering::Relaxed) {
            return Err(stopped(&making.names.index, PrepareError::Write(ErrorKind::Interrupted.into()), KEPT));
        }
        thread::sleep(LOOK);
    };
    watch.bar.finish_and_clear();
    let data = match data {
        Some(data) => data,
        None => Dataset::load(&making.names.index)?,
    };
    if ranks::follows() {
        return Ok(std::process::ExitCode::SUCCESS);
    }
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let shards = making.names.shards.iter().zip(&data.shards).map(|(path, own)| (name(path), own.len()));
    work.report(&data, &making.names.index, &shards.collect::<Vec<_>>())
}

/// A data set in the making.
struct Making<'a> {
    common: &'a Common,
    names: Names,
    /// What it is prepared of and by.
    plan: String,
    /// Where its shards are made.
    folder: PathBuf,
    whole: Whole,
    /// Once there is something to compute.
    device: Option<Device>,
}

impl Making<'_> {
    /// Whether the index lists shards of this plan, which are all there.
    fn is_done(&self) -> bool {
        let index = Index::read(&self.names.index).ok().flatten();
        let is_own = index.is_some_and(|index| index.plan.as_ref() == Some(&self.plan) && index.shards.len() == self.names.shards.len());
        is_own && (1..=self.names.shards.len()).all(|number| self.is_own(&self.names.shards[number - 1], number))
    }

    /// Where a shard is that was made; none where it is to be.
    fn place_of(&self, number: usize) -> Option<PathBuf> {
        [self.made(number), self.names.shards[number - 1].clone()].into_iter().find(|path| self.is_own(path, number))
    }

    fn is_whole(&self, number: usize) -> bool {
        self.place_of(number).is_some()
    }

    /// Whether a file is a shard of this plan.
    fn is_own(&self, path: &Path, number: usize) -> bool {
        let place = Store::open(path).ok().and_then(|store| Place::of(&store).ok().flatten());
        place.is_some_and(|place| place == self.place(number))
    }

    fn place(&self, number: usize) -> Place {
        Place { number, of: self.names.shards.len(), plan: self.plan.clone() }
    }

    /// Where a shard waits until all are made.
    fn made(&self, number: usize) -> PathBuf {
        self.folder.join(self.names.shards[number - 1].file_name().unwrap_or_default())
    }

    /// Claims a folder in the one where shards are made; none where another command has it, or has just removed all.
    fn claim(&self, name: &str) -> Result<Option<Claim>, Failure> {
        match Claim::take(&self.folder.join(name)) {
            Ok(Taken::By(claim)) => Ok(Some(claim)),
            Ok(Taken::Elsewhere(_)) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_done() => Ok(None),
            Err(error) => Err(cannot_write(&self.folder)(error)),
        }
    }

    /// Makes a shard, unless another command is at it.
    fn make(
        &mut self,
        work: &Work<'_>,
        (corpus, text): (&Corpus, &TextTable),
        number: usize,
        utterances: Range<usize>,
        watch: &mut Watch<'_>,
    ) -> Result<bool, Failure> {
        let Some(claim) = self.claim(&format!("{number:05}"))? else { return Ok(false) };
        // It may have been made between the look and the claim, and all of them put in their places.
        if self.is_done() {
            drop(claim);
            self.clear();
            return Ok(true);
        }
        if self.is_whole(number) {
            return Ok(true);
        }
        let (path, count) = (self.made(number), self.names.shards.len());
        let device = match self.device.take() {
            Some(device) => device,
            None => device::open(self.common, AUTO)?,
        };
        watch.bar.suspend(|| eprintln!("preparing shard {number} of {count}, {} utterances, on {}", utterances.len(), device.name()));
        let mut spools = Spools::beside(&path, work.arguments.dtype)?;
        let (part, tokens) = (part(corpus, utterances.clone(), number == 1), text.part(utterances));
        let allowed = work.arguments.allow_missing;
        let prepared = on_device!(device, |backend| pollster::block_on(prepare_part(
            backend,
            part,
            tokens,
            work.settings,
            (&self.whole, allowed),
            &mut |stream, rows| spools.push(stream, rows),
            &mut |event| watch.see(&event)
        )));
        let (data, recordings) = prepared.map_err(|error| match error {
            PrepareError::NothingLeft { first } => {
                let reason = first.unwrap_or_else(|| "it has copies alone, of recordings that cannot be used".into());
                let out = self.names.index.display();
                Failure(format!("{out}: nothing is left of shard {number} of {count} ({reason}); take fewer --shards"))
            }
            error => stopped(&self.names.index, error, KEPT),
        })?;
        self.device = Some(device);
        self.whole.missing += data.left_out.len();
        let recordings = recordings.into_iter().map(|recording| recording.map_or(0, |hash| hash as i64)).collect();
        match data.save_spooled_shard(&path, spools.rows, Some(&Belonging { place: self.place(number), recordings })) {
            // Who was away for long finds that others have made all.
            Err(_) if self.is_done() => Ok(true),
            saved => Ok(saved.map(|()| true)?),
        }
    }

    /// Puts the shards in their places and writes the index; none where another command does.
    fn gather(&self, work: &Work<'_>) -> Result<Option<Dataset>, Failure> {
        let Some(claim) = self.claim("index")? else {
            thread::sleep(LOOK);
            return Ok(None);
        };
        if self.is_done() {
            drop(claim);
            self.clear();
            return Ok(None);
        }
        let (mut data, mut entries, recordings) = self.read()?;
        let missing = data.left_out.len();
        let most = work.arguments.allow_missing.of(self.whole.listed);
        if missing > most {
            let first = data.left_out.first().map(|first| first.reason.clone()).unwrap_or_default();
            return Err(PrepareError::TooManyMissing { first, missing, listed: self.whole.listed, most }.into());
        }
        let is_own = |utterance: usize| data.utterances[utterance].copy_of.is_none();
        let is_silent = |&utterance: &usize| recordings[utterance] == Some(0) && !work.from_files && is_own(utterance);
        let silent = (0..data.len()).filter(is_silent).map(|utterance| data.utterances[utterance].id.clone()).collect();
        let hashes: Vec<Option<u64>> = recordings.iter().map(|hash| hash.filter(|&hash| hash != 0).map(|hash| hash as u64)).collect();
        let doubles = if recordings.iter().all(Option::is_none) { Doubles::default() } else { Doubles::of_hashes(&hashes) };
        work.settle(&mut data, silent, &doubles)?;
        self.divide(&data, &mut entries)?;
        for (number, place) in (1..).zip(&self.names.shards) {
            let made = self.made(number);
            if made.exists() {
                fs::rename(&made, place).map_err(cannot_write(place))?;
            }
        }
        let before = Index::read(&self.names.index).ok().flatten();
        let index = Index { format: FORMAT.to_string(), plan: Some(self.plan.clone()), corpus: data.corpus.clone(), shards: entries };
        let text = index.to_json().map_err(|error| Failure::of(self.names.index.display(), error))?;
        replace_file(&self.names.index, |writer| writer.write_all(text.as_bytes())).map_err(cannot_write(&self.names.index))?;
        self.remove_former(before.iter().flat_map(|index| &index.shards).map(|entry| entry.file.as_str()).collect());
        drop(claim);
        let _stays_otherwise = fs::remove_dir_all(&self.folder);
        Ok(Some(data))
    }

    /// All shards together, what the index says of each, and of each utterance the number of its recording, where there is any.
    #[expect(clippy::type_complexity, reason = "three lists that are read at once")]
    fn read(&self) -> Result<(Dataset, Vec<Entry>, Vec<Option<i64>>), Failure> {
        let (mut all, mut entries, mut recordings) = (Shards::default(), Vec::new(), Vec::new());
        for (number, place) in (1..).zip(&self.names.shards) {
            let path = self.place_of(number).unwrap_or_else(|| place.clone());
            let shard = Shard::load(&path)?;
            let own = shard.belonging.as_ref().map_or(&[][..], |belonging| &belonging.recordings);
            recordings.extend((0..shard.data.len()).map(|utterance| own.get(utterance).copied()));
            entries.push(entry(place, &shard));
            all.push(path, shard.data)?;
        }
        Ok((all.into_data(), entries, recordings))
    }

    /// Writes those shards anew whose utterances are of other splits in the whole.
    fn divide(&self, data: &Dataset, entries: &mut [Entry]) -> Result<(), DatasetError> {
        for (place, own) in data.shards.iter().enumerate() {
            let path = self.place_of(place + 1).unwrap_or_else(|| self.names.shards[place].clone());
            let wanted = || data.utterances[own.clone()].iter().map(|info| info.split);
            if Dataset::splits_of(&path)?.into_iter().eq(wanted()) {
                continue;
            }
            let mut shard = Shard::load(&path)?;
            shard.data.utterances.iter_mut().zip(wanted()).for_each(|(info, split)| info.split = split);
            shard.save(&path)?;
            entries[place] = entry(&self.names.shards[place], &shard);
        }
        Ok(())
    }

    /// Removes shards that are of none any more: those of a former index, and others of the same name and another number.
    fn remove_former(&self, listed: BTreeSet<&str>) {
        let own: BTreeSet<&OsStr> = self.names.shards.iter().filter_map(|path| path.file_name()).collect();
        let all = fs::read_dir(folder_of(&self.names.index)).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.file_name()));
        for name in all.filter(|name| !own.contains(name.as_os_str())) {
            let text = name.to_string_lossy();
            if !listed.contains(&*text) && !self.is_numbered(&text) {
                continue;
            }
            let path = self.names.index.with_file_name(&name);
            let is_shard = Store::open(&path).is_ok_and(|store| matches!(Place::of(&store), Ok(Some(_))));
            if is_shard && fs::remove_file(&path).is_ok() {
                eprintln!("{}: removed, a shard of data that were there before", path.display());
            }
        }
    }

    /// Whether a name is that of a shard of this data set, of whatever number.
    fn is_numbered(&self, name: &str) -> bool {
        let Some(own) = self.names.shards.first().and_then(|path| path.file_name()?.to_str()) else { return false };
        let Some((stem, extension)) = own.split_once("-00001-of-") else { return false };
        let extension = &extension[5..];
        let numbers = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(extension)?.split_once("-of-"));
        numbers
            .is_some_and(|(number, of)| [number, of].iter().all(|part| part.len() == 5 && part.bytes().all(|byte| byte.is_ascii_digit())))
    }

    /// Removes what is left of the folder where shards were made, once it is empty of them.
    fn clear(&self) {
        let folders = fs::read_dir(&self.folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        folders.for_each(|folder| drop(fs::remove_dir(folder)));
        let _stays_otherwise = fs::remove_dir(&self.folder);
    }

    /// Says where shards lie that were made with other arguments and never finished.
    fn note_others(&self) {
        let Some(name) = self.folder.file_name().and_then(OsStr::to_str) else { return };
        let Some((start, _)) = name.rsplit_once('-') else { return };
        for entry in fs::read_dir(folder_of(&self.folder)).into_iter().flatten().flatten() {
            let other = entry.file_name().to_string_lossy().into_owned();
            if other != name && other.strip_prefix(start).is_some_and(|rest| rest.starts_with('-')) {
                let path = self.folder.with_file_name(&other);
                eprintln!("{}: holds shards of other arguments; remove it if no command is at work there", path.display());
            }
        }
    }
}

fn entry(place: &Path, shard: &Shard) -> Entry {
    Entry {
        file: place.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        utterances: Some(shard.data.len()),
        bytes: Some(shard.bytes),
        fingerprint: Some(shard.fingerprint.clone()),
    }
}

/// Some utterances of a corpus, that follow on one another, with what belongs to them; the first has what is of the whole.
fn part(corpus: &Corpus, utterances: Range<usize>, is_first: bool) -> Corpus {
    let utterances = corpus.utterances[utterances].to_vec();
    // Of copies, what belongs to those that they are copies of.
    let ids: BTreeSet<&str> = utterances.iter().flat_map(|own| [own.id.as_str(), corpus.own_id(own)]).collect();
    fn kept<V: Clone>(of: &BTreeMap<String, V>, ids: &BTreeSet<&str>) -> BTreeMap<String, V> {
        ids.iter().filter_map(|&id| of.get_key_value(id)).map(|(id, value)| (id.clone(), value.clone())).collect()
    }
    let further = corpus.further.iter().map(|(&stream, source)| match source {
        FeatureSource::Files(files) => (stream, FeatureSource::Files(kept(files, &ids))),
        source => (stream, source.clone()),
    });
    Corpus {
        name: corpus.name.clone(),
        root: corpus.root.clone(),
        classes: corpus.classes.clone(),
        left_out: if is_first { corpus.left_out.clone() } else { Vec::new() },
        other_labels: if is_first { corpus.other_labels.clone() } else { BTreeMap::new() },
        features: kept(&corpus.features, &ids),
        feature_hop: corpus.feature_hop,
        further: further.collect(),
        alignments: kept(&corpus.alignments, &ids),
        genders: kept(&corpus.genders, &ids),
        copies: kept(&corpus.copies, &ids),
        utterances,
        ..Corpus::default()
    }
}

/// A number of everything that shards follow from: of the corpus' list, its files' sizes and times, and what is made of them.
fn plan(work: &Work<'_>, corpus: &Corpus, text: &TextTable, count: usize) -> String {
    let mut hash = BASIS;
    let mut add = |text: &str| hash = mix(mix(hash, text.len() as u64), fnv1a(text.as_bytes()));
    let (dtype, division) = (work.arguments.dtype, work.division);
    add(&format!("{} {count} {dtype:?} {division:?} {:?}", env!("CARGO_PKG_VERSION"), work.settings.recorded()));
    add(&format!("{} {:?} {:?} {:?}", corpus.name, corpus.classes, corpus.left_out, corpus.other_labels));
    let file = |path: &Path| {
        let about = fs::metadata(path).ok().map(|about| {
            let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            (about.len(), modified.map(|time| time.as_nanos()))
        });
        format!("{} {about:?}", path.strip_prefix(&corpus.root).unwrap_or(path).display())
    };
    for utterance in &corpus.utterances {
        let Utterance { id, audio, text, label, split, speaker, session, dialogue } = utterance;
        add(&format!("{id}\0{text}\0{label}\0{split:?}{speaker:?}{session:?}{dialogue:?}{:?}", corpus.genders.get(id)));
        add(&file(audio));
    }
    let sources = corpus.further.iter().flat_map(|(stream, source)| match source {
        FeatureSource::Files(files) => files.iter().map(|(id, path)| (format!("{stream} {id}"), Some(path.as_path()))).collect(),
        FeatureSource::Table(path) => vec![(stream.to_string(), Some(path.as_path()))],
        FeatureSource::Recordings(front_end) => vec![(format!("{stream} {}", front_end.recorded()), None)],
    });
    let named = |kind: &'static str, files: &'_ BTreeMap<String, PathBuf>| -> Vec<(String, PathBuf)> {
        files.iter().map(|(id, path)| (format!("{kind} {id}"), path.clone())).collect()
    };
    let besides = [named("features", &corpus.features), named("alignment", &corpus.alignments)].concat();
    for (name, path) in sources.chain(besides.iter().map(|(name, path)| (name.clone(), Some(path.as_path())))) {
        add(&name);
        path.iter().for_each(|path| add(&file(path)));
    }
    text.vocabulary.iter().for_each(|word| add(word));
    let vectors = text.vectors.as_ref().map_or(0, |table| of_words(bytemuck::cast_slice(&table.values)));
    format!("{:016x}", mix(hash, vectors))
}
