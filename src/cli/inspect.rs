//! `mcsan inspect`

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::arguments::{Common, Inspect};
use super::{Done, tables};
use crate::base::columns;
use crate::base::streams::{AUDIO, TEXT};
use crate::base::utterances::NO_LABEL;
use crate::config::Settings;
use crate::corpus::Split;
use crate::corpus::published::{Comparison, Counted, Group, compare};
use crate::dataset::{DataStream, Dataset, Doubles, FeatureType, Frames, TokenLists, UtteranceInfo, Vectors};
use crate::text::tokenise;
use crate::train::metrics::shown_classes;

/// Bars of a histogram, and the widest of them in characters.
const BINS: usize = 10;
const BAR: usize = 40;
/// Utterances left out that are listed in the terminal; the JSON has all.
const SHOWN_LEFT_OUT: usize = 20;
/// Commonest missing words that are shown.
const SHOWN_WORDS: usize = 10;

pub(crate) fn run(common: &Common, arguments: &Inspect) -> Done {
    let data = Dataset::load(&arguments.data)?;
    common.note_cut(&data, &(0..data.len()).collect::<Vec<_>>(), &Settings::default());
    let summary = Summary::of(&data);
    common.note_conflicts(&data, &Doubles::of(&data)?, &BTreeMap::new());
    if common.json {
        common.print_json(summary.to_json(&data));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}: corpus '{}', {} utterances, {} classes", arguments.data.display(), data.corpus, data.len(), data.classes.len());
    summary.print(&data);
    Ok(ExitCode::SUCCESS)
}

/// What a type is called as it is typed.
fn dtype(kind: FeatureType) -> &'static str {
    match kind {
        FeatureType::F32 => "f32",
        FeatureType::F16 => "f16",
    }
}

/// What is counted of a data set.
struct Summary {
    /// Of each stream, its rows in every utterance.
    lengths: BTreeMap<String, Lengths>,
    words: Words,
    /// Each split that occurs, and the utterances of none, with their count of each class.
    splits: Vec<(&'static str, Vec<usize>)>,
    /// Beside what was published, where that is known.
    published: Option<Comparison>,
}

impl Summary {
    fn of(data: &Dataset) -> Self {
        let lengths = |(name, stream): (&str, &DataStream)| {
            (name.to_owned(), Lengths((0..data.len()).map(|utterance| stream.length(utterance, usize::MAX)).collect()))
        };
        let mut splits = Split::ALL.map(|split| (split.name(), data.class_counts(&data.split(split)))).to_vec();
        let unassigned: Vec<usize> = (0..data.len()).filter(|&utterance| data.utterances[utterance].split.is_none()).collect();
        splits.push(("none", data.class_counts(&unassigned)));
        splits.retain(|(_, counts)| counts.iter().sum::<usize>() > 0);
        let is_own = |(utterance, label): &(&UtteranceInfo, &u32)| **label != NO_LABEL && utterance.copy_of.is_none();
        let labelled = data.utterances.iter().zip(&data.labels).filter(is_own);
        let counted = labelled.map(|(utterance, &label)| Counted {
            id: &utterance.id,
            split: utterance.split,
            session: utterance.session.as_deref(),
            label: label as usize,
        });
        Self {
            lengths: data.streams.iter().map(lengths).collect(),
            words: Words::of(data),
            splits,
            published: compare(&data.corpus, &data.classes, counted),
        }
    }

    fn to_json(&self, data: &Dataset) -> Value {
        let of_split = |(split, counts): &(&str, Vec<usize>)| {
            let classes: Map<_, _> = data.classes.iter().cloned().zip(counts.iter().map(|&count| json!(count))).collect();
            (split.to_string(), json!({ "utterances": counts.iter().sum::<usize>(), "classes": classes }))
        };
        let none = Lengths(vec![0; data.len()]);
        let mut summary = json!({
            "corpus": data.corpus,
            "utterances": data.len(),
            "classes": data.classes,
            "unlabelled": data.split(Split::Unlabelled).len(),
            "genders": genders(data),
            "augmented": data.split(Split::Augmented).len(),
            "splits": self.splits.iter().map(of_split).collect::<Map<_, _>>(),
            "frames": self.lengths.get(AUDIO).unwrap_or(&none).to_json(),
            "tokens": self.lengths.get(TEXT).unwrap_or(&none).to_json(),
            "streams": data.streams.iter().map(|(name, stream)| (name.into(), self.stream(name, stream))).collect::<Map<_, _>>(),
            "coefficients": data.audio().map_or(0, |audio| audio.columns),
            "word_width": data.text().and_then(|text| Some(text.vectors.as_ref()?.width)),
            "vocabulary": data.text().map_or(0, |text| text.vocabulary.len()),
            "drawn": data.drawn.len(),
            "out_of_vocabulary": self.words.share(),
            "commonest_missing": self.words.commonest.iter().take(SHOWN_WORDS).collect::<Vec<_>>(),
            "features": data.feature_settings,
            "front_ends": data.front_ends,
            "left_out": data.left_out,
            "other_labels": data.other_labels,
            "published": self.published.as_ref().map(|comparison| json!({
                "agrees": comparison.agrees(),
                "rows": comparison.rows,
                "absent": comparison.absent,
            })),
        });
        if !data.shards.is_empty() {
            summary["shards"] = data.shards.iter().map(Range::len).collect();
        }
        summary
    }

    /// Kind, width and lengths of a stream; the width of words that are learned is the model's.
    fn stream(&self, name: &str, stream: &DataStream) -> Value {
        let (kind, width, words) = match stream {
            DataStream::Frames(frames) => ("frames", Some(frames.columns), None),
            DataStream::Tokens(tokens) => ("tokens", tokens.vectors.as_ref().map(|vectors| vectors.width), Some(tokens.words())),
            DataStream::Vector(vectors) => ("vector", Some(vectors.columns), None),
        };
        let dtype = match stream {
            DataStream::Frames(Frames { values, .. }) | DataStream::Vector(Vectors { values, .. }) => Some(dtype(values.kind())),
            DataStream::Tokens(_) => None,
        };
        json!({ "kind": kind, "width": width, "words": words, "rows": self.lengths[name].to_json(), "dtype": dtype })
    }

    fn print(&self, data: &Dataset) {
        if let (Some(least), Some(most)) = (data.shards.iter().map(Range::len).min(), data.shards.iter().map(Range::len).max()) {
            println!("shards          {} of {least} to {most} utterances", data.shards.len());
        }
        for (name, stream) in data.streams.iter() {
            match (name, stream) {
                (AUDIO, DataStream::Frames(audio)) => {
                    let half = if audio.values.kind() == FeatureType::F16 { ", in half precision" } else { "" };
                    println!("features        {} a frame{half}; {}", audio.columns, settings(&data.feature_settings));
                }
                (TEXT, DataStream::Tokens(text)) => {
                    let vectors =
                        text.vectors.as_ref().map_or("trained with the model".into(), |vectors| format!("{} wide, frozen", vectors.width));
                    println!("vocabulary      {} words, vectors {vectors}", text.vocabulary.len());
                }
                _ => {
                    let own = data.front_ends.get(name).and_then(|own| own["from"].as_str());
                    let own = own.map_or_else(String::new, |own| format!(", our own, of {own}"));
                    println!("{name:15} {}{own}", described(stream));
                }
            }
        }
        println!("out of it       {:.2} % of the tokens{}", 100.0 * self.words.share(), self.words.commonest());
        if !data.drawn.is_empty() {
            println!("drawn           {} words have a vector drawn at random", data.drawn.len());
        }
        self.print_classes(data);
        if data.utterances.iter().any(|info| info.gender.is_some()) {
            let counts: Vec<String> = genders(data).iter().map(|(name, count)| format!("{count} {name}")).collect();
            println!("of genders: {}", tables::listed(&counts));
        }
        let unlabelled = data.split(Split::Unlabelled).len();
        if unlabelled > 0 {
            println!("and {unlabelled} without label, of the split unlabelled");
        }
        let augmented = data.split(Split::Augmented).len();
        if augmented > 0 {
            println!("and {augmented} copies with changed recordings, trained on where what they are copies of is");
        }
        for (place, (name, stream)) in data.streams.iter().filter(|(_, stream)| !matches!(stream, DataStream::Vector(_))).enumerate() {
            let lengths = &self.lengths[name];
            let gap = if place == 0 { "\n" } else { "" };
            println!("{gap}{} an utterance: {}\n{}", stream.unit(name), lengths.spread(), lengths.histogram());
        }
        if !data.other_labels.is_empty() {
            let labels: Vec<String> = data.other_labels.iter().map(|(label, count)| format!("{count} {label}")).collect();
            println!("of no chosen class, passed over: {}", tables::listed(&labels));
        }
        if let Some(comparison) = &self.published {
            print_comparison(comparison);
        }
        print_left_out(data);
    }

    fn print_classes(&self, data: &Dataset) {
        let all: Vec<usize> = (0..data.classes.len()).map(|class| self.splits.iter().map(|(_, counts)| counts[class]).sum()).collect();
        let shown = shown_classes(&all);
        let names = tables::names(&data.classes, &shown);
        let width = names.iter().map(|name| columns::width(name)).fold(5, usize::max);
        let line = |name: &str, cell: &dyn Fn(&[usize]) -> usize| {
            let cells: String = self.splits.iter().map(|(_, counts)| format!("  {:>10}", cell(counts))).collect();
            println!("{}{cells}", columns::left(name, width));
        };
        println!("\n{:width$}{}", "class", self.splits.iter().map(|(split, _)| format!("  {split:>10}")).collect::<String>());
        for (&class, name) in shown.iter().zip(&names) {
            line(name, &|counts| counts[class]);
        }
        if shown.len() < all.len() {
            println!("and {} more classes, none of more utterances (--json has all)", all.len() - shown.len());
        }
        line("all", &|counts| counts.iter().sum());
    }
}

/// Utterances by the gender of who speaks.
fn genders(data: &Dataset) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for info in data.utterances.iter().filter(|info| info.copy_of.is_none()) {
        *counts.entry(info.gender.as_deref().unwrap_or("not known")).or_insert(0) += 1;
    }
    counts
}

/// A stream that a file brings besides ours, in a line.
fn described(stream: &DataStream) -> String {
    match stream {
        DataStream::Frames(frames) => format!("{} frames of {} columns", frames.count(), frames.columns),
        DataStream::Tokens(tokens) => format!("{} tokens of {} words", tokens.tokens.len(), tokens.words()),
        DataStream::Vector(vectors) => format!("a vector of {} columns an utterance", vectors.columns),
    }
}

/// The front-end's settings in a line.
fn settings(settings: &Value) -> String {
    match settings.as_object() {
        Some(settings) => {
            settings.iter().map(|(key, value)| format!("{key} {}", value.to_string().replace('"', ""))).collect::<Vec<_>>().join(", ")
        }
        None => "made by another program".into(),
    }
}

fn name(group: Group) -> String {
    match group {
        Group::Corpus => "in all".into(),
        Group::Split(split) => format!("in the {split} split"),
        Group::Session(session) => format!("in session {session}"),
    }
}

fn print_comparison(comparison: &Comparison) {
    if comparison.agrees() {
        println!("published       every count is the published one");
        return;
    }
    println!("published       these counts are not the published ones:");
    for row in comparison.differences().filter(|row| !comparison.absent.contains(&row.group)) {
        let class = row.class.as_deref().unwrap_or("all classes");
        println!("  {class}, {}: {} of {}", name(row.group), row.found, row.published);
    }
    for &group in &comparison.absent {
        let published = comparison.rows.iter().find(|row| row.group == group && row.class.is_none());
        println!("  nothing {}{}", name(group), published.map_or(String::new(), |row| format!(" (published: {})", row.published)));
    }
}

fn print_left_out(data: &Dataset) {
    if data.left_out.is_empty() {
        return;
    }
    println!("left out        {} utterances of the corpus:", data.left_out.len());
    for utterance in data.left_out.iter().take(SHOWN_LEFT_OUT) {
        println!("  {}: {}", utterance.id, utterance.reason);
    }
    if data.left_out.len() > SHOWN_LEFT_OUT {
        println!("  and {} more (--json names them all)", data.left_out.len() - SHOWN_LEFT_OUT);
    }
}

/// Tokens that no vector was found for, be it that one was drawn.
struct Words {
    tokens: usize,
    missing: usize,
    /// Which words these are and how often each occurs, the commonest first; of a file whose texts are known.
    commonest: Vec<(String, usize)>,
}

impl Words {
    fn of(data: &Dataset) -> Self {
        let drawn: HashSet<&str> = data.drawn.iter().map(String::as_str).collect();
        let none = TokenLists::default();
        let text = data.text().unwrap_or(&none);
        let is_drawn = |row: i32| text.vocabulary.get(row as usize).is_some_and(|word| drawn.contains(word.as_str()));
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut missing = 0;
        for (utterance, info) in data.utterances.iter().enumerate() {
            let rows = data.text().map_or(&[][..], |text| text.of(utterance));
            let without: Vec<usize> = (0..rows.len()).filter(|&token| rows[token] < 0 || is_drawn(rows[token])).collect();
            missing += without.len();
            // Another program may tokenise otherwise: then the words are not known.
            let words = if without.is_empty() { Vec::new() } else { tokenise(&info.text) };
            for token in without.into_iter().filter(|_| words.len() == rows.len()) {
                *counts.entry(words[token].clone()).or_default() += 1;
            }
        }
        let mut commonest: Vec<(String, usize)> = counts.into_iter().collect();
        commonest.sort_by_key(|&(_, count)| Reverse(count));
        Self { tokens: text.tokens.len(), missing, commonest }
    }

    fn share(&self) -> f64 {
        self.missing as f64 / self.tokens.max(1) as f64
    }

    fn commonest(&self) -> String {
        let words: Vec<&str> = self.commonest.iter().map(|(word, _)| word.as_str()).take(SHOWN_WORDS).collect();
        if words.is_empty() { String::new() } else { format!(", most often {}", words.join(" ")) }
    }
}

/// Lengths of the utterances.
struct Lengths(Vec<usize>);

impl Lengths {
    fn least(&self) -> usize {
        self.0.iter().copied().min().unwrap_or(0)
    }

    fn most(&self) -> usize {
        self.0.iter().copied().max().unwrap_or(0)
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<usize>() as f64 / self.0.len().max(1) as f64
    }

    /// Bins of equal width over all lengths: first length of each, its end, and how many utterances it has.
    fn bins(&self) -> Vec<(usize, usize, usize)> {
        let (least, most) = (self.least(), self.most());
        let width = (most - least + 1).div_ceil(BINS).max(1);
        let mut bins: Vec<_> = (least..=most).step_by(width).map(|start| (start, (start + width).min(most + 1), 0)).collect();
        for length in &self.0 {
            bins[(length - least) / width].2 += 1;
        }
        bins
    }

    fn spread(&self) -> String {
        format!("{} to {}, mean {:.1}", self.least(), self.most(), self.mean())
    }

    fn histogram(&self) -> String {
        let bins = self.bins();
        let tallest = bins.iter().map(|&(.., count)| count).max().unwrap_or(0).max(1);
        let line = |&(start, end, count): &(usize, usize, usize)| {
            format!("  {:>6} to {:<6} {count:>6} {}\n", start, end - 1, "█".repeat((count * BAR).div_ceil(tallest)))
        };
        bins.iter().map(line).collect()
    }

    fn to_json(&self) -> Value {
        let bins: Vec<Value> =
            self.bins().into_iter().map(|(from, to, count)| json!({ "from": from, "to": to, "utterances": count })).collect();
        json!({ "min": self.least(), "mean": self.mean(), "max": self.most(), "histogram": bins })
    }
}
