//! A map of attention's weights: what stands on its sides, and the mean of heads that it shows.

use super::{Heads, LONGEST_WORD};
use crate::base::columns::shorten;
use crate::base::streams::{TEXT, VISUAL};
use crate::model::layers::{Asking, Attended};
use crate::train::Attention;

/// What a side of a map counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The words of the transcript.
    Words,
    /// The recording's rows, in time.
    Sound,
    /// The pictures, one after the other.
    Pictures,
    /// Nothing: a single query asked.
    One,
}

impl Side {
    fn of(stream: &str) -> Self {
        match stream {
            TEXT => Self::Words,
            VISUAL => Self::Pictures,
            _ => Self::Sound,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Sound => "sound",
            Self::Pictures => "pictures",
            Self::One => "query",
        }
    }
}

/// Weights `[vertical, horizontal]`, the largest of them, and what is said above.
pub(super) struct Map {
    pub caption: String,
    pub vertical: Side,
    pub horizontal: Side,
    /// Rows and columns.
    pub size: [usize; 2],
    pub weights: Vec<f64>,
    pub largest: f64,
}

impl Map {
    /// The mean of some heads, which `name` says; words stand on the vertical side, time on the horizontal one.
    fn of(attended: &Attended<Vec<f32>>, heads: &[usize], name: &str) -> Self {
        let over = Side::of(attended.over);
        let by = match attended.by {
            Asking::Rows(stream) => Side::of(stream),
            Asking::Query(_) => Side::One,
        };
        let rank = |side| match side {
            Side::Words => 0,
            Side::One => 1,
            Side::Pictures => 2,
            Side::Sound => 3,
        };
        let [asking, asked] = attended.rows;
        let is_turned = rank(over) < rank(by);
        let (vertical, horizontal, size) = if is_turned { (over, by, [asked, asking]) } else { (by, over, [asking, asked]) };
        let weight = |head: usize, row: usize, column: usize| {
            let (by, over) = if is_turned { (column, row) } else { (row, column) };
            f64::from(attended.weights[(head * asking + by) * asked + over])
        };
        let mean = |place: usize| {
            let (row, column) = (place / size[1], place % size[1]);
            heads.iter().map(|&head| weight(head, row, column)).sum::<f64>() / heads.len() as f64
        };
        let weights: Vec<f64> = (0..size[0] * size[1]).map(mean).collect();
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let caption = match &attended.by {
            Asking::Rows(_) => {
                let sums = if is_turned { "column" } else { "row" };
                format!("{} to {}, {name}: each {sums} sums to 1", by.noun(), over.noun())
            }
            Asking::Query(query) => format!("{query} over the {}: sums to 1", over.noun()),
        };
        Self { caption, vertical, horizontal, size, weights, largest }
    }

    /// All of an utterance, those of the same head beside each other.
    pub fn all(attention: &Attention, heads: Heads) -> Vec<Self> {
        let layers = &attention.layers;
        let most = layers.iter().map(|layer| layer.heads).max().unwrap_or(0);
        match heads {
            Heads::Mean => {
                let mean = |layer: &Attended<_>| {
                    let heads: Vec<usize> = (0..layer.heads).collect();
                    let name = if layer.heads == 1 { "one head".to_owned() } else { format!("mean of {} heads", layer.heads) };
                    Self::of(layer, &heads, &name)
                };
                layers.iter().map(mean).collect()
            }
            Heads::All => {
                let of_head = |head: usize| {
                    let layers = layers.iter().filter(move |layer| head < layer.heads);
                    layers.map(move |layer| Self::of(layer, &[head], &format!("head {}", head + 1)))
                };
                (0..most).flat_map(of_head).collect()
            }
        }
    }

    /// What is written beside its rows, and whether the model knows it.
    pub fn labels(&self, attention: &Attention) -> Vec<(String, bool)> {
        let Attention { words, known, .. } = attention;
        match self.vertical {
            Side::Words if words.len() == self.size[0] => {
                words.iter().map(|word| shorten(word, LONGEST_WORD)).zip(known.iter().copied()).collect()
            }
            Side::Words if words.is_empty() && self.size[0] == 1 => vec![("(no word)".to_owned(), false)],
            Side::One => vec![(String::new(), true)],
            // Rows of features have no words.
            Side::Words | Side::Pictures | Side::Sound => (1..=self.size[0]).map(|row| (row.to_string(), true)).collect(),
        }
    }
}
