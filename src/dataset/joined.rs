//! Several data sets as one, in which each utterance still says of which it is.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::DatasetError;
use super::features::FeatureRows;
use super::prepared::{Dataset, Part, UtteranceInfo};
use super::streams::{DataStream, Frames, Streams, TokenLists, Vectors};
use crate::base::remedy::Preparation;
use crate::base::utterances::NO_LABEL;
use crate::base::words::WordTable;

/// A stream that a part lacks, so that the whole has none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LackedStream {
    /// Its name.
    pub stream: String,
    /// The file of the part.
    pub path: PathBuf,
}

/// A data set and the file that it was read from.
pub(crate) type Read = (PathBuf, Dataset);

impl Dataset {
    /// Joins data sets that have the same classes, by name, the first one's order being that of all. Ids, speakers, sessions and dialogues
    /// are those of one part each; words of one name are one word.
    ///
    /// # Errors
    /// [`DatasetError::NotAlike`], naming the file and the first one: other classes, or streams of one name that are no such.
    pub(crate) fn join(parts: Vec<Read>) -> Result<(Self, Vec<LackedStream>), DatasetError> {
        let names = names(&parts);
        let (mut streams, mut lacked) = (Streams::default(), Vec::new());
        let all = parts.iter().flat_map(|(_, data)| data.streams.iter().map(|(name, _)| name));
        for name in all.collect::<BTreeSet<_>>() {
            match parts.iter().find(|(_, data)| data.streams.get(name).is_none()) {
                Some((path, _)) => lacked.push(LackedStream { stream: name.to_owned(), path: path.clone() }),
                None => join_stream(name, &parts, &mut streams)?,
            }
        }
        let (mut labels, mut utterances, mut own, mut all_shards) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for ((path, data), name) in parts.iter().zip(&names) {
            let classes = places_of_classes(&parts[0], (path, data))?;
            let label = |&label: &u32| if label == NO_LABEL { label } else { classes[label as usize] };
            labels.extend(data.labels.iter().map(label));
            let first = utterances.len();
            utterances.extend(data.utterances.iter().map(|info| named(info, name)));
            let shifted = |shard: &Range<usize>| first + shard.start..first + shard.end;
            match data.shards.as_slice() {
                [] => all_shards.push(first..utterances.len()),
                shards => all_shards.extend(shards.iter().map(shifted)),
            }
            own.push(Part { name: name.clone(), utterances: first..utterances.len(), ..Part::default() });
        }
        let has_shards = parts.iter().any(|(_, data)| !data.shards.is_empty());
        let shards = if has_shards { all_shards } else { Vec::new() };
        let mut whole = Self { streams, labels, utterances, parts: own, shards, corpus: names.join(" + "), ..Self::default() };
        for (place, (_, data)) in parts.into_iter().enumerate() {
            if place == 0 {
                (whole.classes, whole.feature_settings, whole.front_ends) = (data.classes, data.feature_settings, data.front_ends);
            } else if whole.feature_settings.is_null() {
                whole.feature_settings = data.feature_settings;
            }
            whole.left_out.extend(data.left_out);
            data.other_labels.into_iter().for_each(|(label, count)| *whole.other_labels.entry(label).or_default() += count);
            whole.drawn.extend(data.drawn);
        }
        whole.front_ends.retain(|stream, _| whole.streams.get(stream).is_some());
        whole.drawn.sort_unstable();
        whole.drawn.dedup();
        Ok((whole, lacked))
    }
}

/// What each part is called: as its corpus where that tells them apart, else as its file, else by its number.
fn names(parts: &[Read]) -> Vec<String> {
    let corpora = parts.iter().map(|(_, data)| data.corpus.clone());
    let stem = |(path, _): &Read| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stems = parts.iter().map(stem);
    let numbers = (1..=parts.len()).map(|number| number.to_string());
    let is_unique = |names: &Vec<String>| names.iter().enumerate().all(|(place, name)| !name.is_empty() && !names[..place].contains(name));
    [corpora.collect(), stems.collect()].into_iter().find(is_unique).unwrap_or_else(|| numbers.collect())
}

/// What is known of an utterance, as of one part.
fn named(info: &UtteranceInfo, part: &str) -> UtteranceInfo {
    let of_part = |name: &String| format!("{part}/{name}");
    UtteranceInfo {
        id: of_part(&info.id),
        speaker: info.speaker.as_ref().map(of_part),
        session: info.session.as_ref().map(of_part),
        dialogue: info.dialogue.as_ref().map(of_part),
        copy_of: info.copy_of.as_ref().map(of_part),
        ..info.clone()
    }
}

fn not_alike(first: &Read, path: &Path, difference: String, remedy: Preparation) -> DatasetError {
    DatasetError::NotAlike { path: path.into(), first: first.0.clone(), difference, remedy }
}

/// Where a part's classes are among those of the first.
fn places_of_classes(first: &Read, (path, data): (&PathBuf, &Dataset)) -> Result<Vec<u32>, DatasetError> {
    let own = &first.1.classes;
    let place = |class: &String| own.iter().position(|other| other == class).map(|place| place as u32);
    let places: Option<Vec<u32>> = data.classes.iter().map(place).collect();
    places.filter(|places| places.len() == own.len()).ok_or_else(|| {
        let difference = format!("its classes are {}, there they are {}", data.classes.join(", "), own.join(", "));
        not_alike(first, path, difference, Preparation::Labels)
    })
}

fn join_stream(name: &str, parts: &[Read], into: &mut Streams) -> Result<(), DatasetError> {
    let first = &parts[0];
    let refused = |path: &PathBuf, difference: String, remedy| Err(not_alike(first, path, difference, remedy));
    let streams: Vec<(&PathBuf, &DataStream)> = parts.iter().filter_map(|(path, data)| Some((path, data.streams.get(name)?))).collect();
    let kind = |stream: &DataStream| std::mem::discriminant(stream);
    for (path, stream) in &streams {
        if kind(stream) != kind(streams[0].1) {
            return refused(path, format!("its '{name}' is of another kind"), Preparation::FrontEnd);
        }
        if stream.columns() != streams[0].1.columns() {
            let [own, there] = [*stream, streams[0].1].map(|stream| stream.columns().unwrap_or(0));
            return refused(path, format!("its '{name}' has {own} columns, there are {there}"), Preparation::FrontEnd);
        }
    }
    let values: FeatureRows = streams.iter().map(|(_, stream)| stream.values().cloned().unwrap_or_default()).collect();
    let columns = streams[0].1.columns().unwrap_or(0);
    let joined = match streams[0].1 {
        DataStream::Frames(_) => DataStream::Frames(Frames { columns, values, offsets: offsets(&streams) }),
        DataStream::Vector(_) => DataStream::Vector(Vectors { columns, values }),
        DataStream::Tokens(_) => DataStream::Tokens(tokens(name, parts, offsets(&streams))?),
    };
    if parts.iter().any(|(_, data)| data.streams.times(name).is_some()) {
        let unknown = |data: &Dataset| vec![[f32::NAN; 2]; data.streams.get(name).map_or(0, DataStream::rows_of_all)];
        let times = parts.iter().flat_map(|(_, data)| data.streams.times(name).map_or_else(|| unknown(data), <[_]>::to_vec));
        into.set_times(name, times.collect());
    }
    into.insert(name, joined);
    Ok(())
}

/// Where each utterance's rows begin in the rows of all.
fn offsets(streams: &[(&PathBuf, &DataStream)]) -> Vec<usize> {
    let mut all = vec![0];
    for (_, stream) in streams {
        let before = all.last().copied().unwrap_or(0);
        all.extend(stream.offsets().iter().skip(1).map(|offset| before + offset));
    }
    all
}

/// Words of several parts as one table.
#[derive(Default)]
struct Table<'t> {
    rows: HashMap<&'t str, i32>,
    vocabulary: Vec<String>,
    values: Vec<f32>,
    count: i32,
}

impl<'t> Table<'t> {
    fn push(&mut self, word: Option<&'t str>, vector: &[f32]) -> i32 {
        let row = self.count;
        if let Some(word) = word {
            self.rows.insert(word, row);
            self.vocabulary.push(word.to_owned());
        }
        self.values.extend_from_slice(vector);
        self.count += 1;
        row
    }
}

/// The tokens of all, as rows of one table.
fn tokens(name: &str, parts: &[Read], offsets: Vec<usize>) -> Result<TokenLists, DatasetError> {
    fn lists<'p>(name: &str, (_, data): &'p Read) -> Option<&'p TokenLists> {
        data.streams.tokens(name)
    }
    let width = |part| lists(name, part).and_then(|lists| lists.vectors.as_ref()).map(|table| table.width);
    // Without names of words each part has rows of its own.
    let is_named = |part: &&Read| lists(name, part).is_some_and(|lists| lists.words() == lists.vocabulary.len());
    let unnamed = parts.iter().find(|part| !is_named(part));
    let refused = |(path, _): &Read, difference: String, remedy| Err(not_alike(&parts[0], path, difference, remedy));
    if let (Some(part), None) = (unnamed, width(&parts[0])) {
        let difference = format!("the words of '{name}' have no names, by which tables to be trained are joined");
        return refused(part, difference, Preparation::WordVectors);
    }
    // A vector that was drawn follows from its corpus; the first one stands.
    let is_drawn = |word: &str| parts.iter().any(|(_, data)| data.drawn.iter().any(|drawn| drawn == word));
    let (mut table, mut tokens) = (Table::default(), Vec::new());
    for part in parts {
        let Some(lists) = lists(name, part) else { continue };
        if width(part) != width(&parts[0]) {
            let shown = |part| width(part).map_or("no vectors".into(), |width| format!("vectors of {width} numbers"));
            return refused(part, format!("its words have {}, there {}", shown(part), shown(&parts[0])), Preparation::Vectors);
        }
        let mut rows = Vec::with_capacity(lists.words());
        for row in 0..lists.words() {
            let word = lists.vocabulary.get(row).map(String::as_str).filter(|_| unnamed.is_none());
            let vector = lists.vectors.as_ref().map_or(&[][..], |table| &table.values[row * table.width..][..table.width]);
            match word.and_then(|word| Some((word, *table.rows.get(word)?))) {
                None => rows.push(table.push(word, vector)),
                Some((word, place)) => {
                    if vector != &table.values[place as usize * vector.len()..][..vector.len()] && !is_drawn(word) {
                        return refused(part, format!("the word '{word}' has another vector"), Preparation::Vectors);
                    }
                    rows.push(place);
                }
            }
        }
        tokens.extend(lists.tokens.iter().map(|&token| usize::try_from(token).map_or(-1, |row| rows[row])));
    }
    let Table { vocabulary, values, .. } = table;
    Ok(TokenLists { tokens, offsets, vectors: width(&parts[0]).map(|width| WordTable { width, values }), vocabulary })
}
