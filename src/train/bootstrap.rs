//! Confidence intervals by the bootstrap (Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979): of
//! each draw with replacement the figures are computed anew, and the interval lies between quantiles of what came out.
//!
//! Utterances of one speaker resemble each other, so what is drawn are whole speakers (the cluster bootstrap: Field & Welsh,
//! "Bootstrapping clustered data", JRSS B 2007). With few speakers the interval is rather too narrow than too wide.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::metrics::Accuracies;
use crate::base::philox::Stream;

/// Random streams of the draws start here, apart from those of runs and folds; one more for each draw.
const DRAW_STREAMS: u64 = 1 << 56;

/// What is drawn as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// All utterances of a speaker.
    Speaker,
    /// An utterance: where not every one says its speaker, or all have the same.
    Utterance,
}

impl Unit {
    /// In the plural, where there are several.
    pub fn words(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Speaker, 1) => "speaker",
            (Self::Speaker, _) => "speakers",
            (Self::Utterance, 1) => "utterance",
            (Self::Utterance, _) => "utterances",
        }
    }
}

/// Utterances, by what is drawn as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    /// What each is.
    pub unit: Unit,
    /// Places of each one's utterances, in the order of the first of them.
    members: Vec<Vec<usize>>,
}

impl Clusters {
    /// By speaker, where all utterances name theirs and there are two at least; else each utterance is one.
    pub fn by_speaker<'s>(speakers: impl IntoIterator<Item = Option<&'s str>>) -> Self {
        let speakers: Vec<Option<&str>> = speakers.into_iter().collect();
        let mut clusters: HashMap<&str, usize> = HashMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (place, speaker) in speakers.iter().enumerate() {
            let next = clusters.len();
            let cluster = *clusters.entry(speaker.unwrap_or_default()).or_insert(next);
            if cluster == members.len() {
                members.push(Vec::new());
            }
            members[cluster].push(place);
        }
        if members.len() > 1 && speakers.iter().all(Option::is_some) {
            return Self { unit: Unit::Speaker, members };
        }
        Self { unit: Unit::Utterance, members: (0..speakers.len()).map(|place| vec![place]).collect() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.members.len()
    }
}

/// The ends of an interval; in JSON `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.low, self.high].serialize(serializer)
    }
}

/// How often is drawn, and by which random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bootstrap {
    /// How many draws.
    pub draws: usize,
    /// The share of them that lies within the interval.
    pub level: f64,
    /// Of the random numbers: the same seed and clusters give the same draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { draws: 2000, level: 0.95, seed: 0 }
    }
}

impl Bootstrap {
    /// Places of draw `number` (from 0), as many clusters as there are; what is drawn twice stands there twice.
    pub fn draw(&self, clusters: &Clusters, number: usize) -> Vec<usize> {
        let stream = Stream { seed: self.seed, stream: DRAW_STREAMS + number as u64 };
        let members = &clusters.members;
        (0..members.len()).flat_map(|place| members[stream.below(place as u64, members.len())].iter().copied()).collect()
    }

    /// The intervals of WA, UA, weighted F1 and macro-F1, in this order, of tested utterances, each `[true class, predicted class]` of so
    /// many classes.
    pub fn of_accuracies(&self, clusters: &Clusters, tested: &[[usize; 2]], classes: usize) -> Option<[Interval; 4]> {
        self.intervals(clusters, |drawn| {
            let Accuracies { wa, ua, weighted_f1, macro_f1 } = Accuracies::of_pairs(drawn.iter().map(|&place| tested[place]), classes);
            [wa, ua, weighted_f1, macro_f1]
        })
    }

    /// The percentile interval of each figure of the drawn places; two runs' difference over the same utterances is a figure, too.
    /// `None` without draws, or where there are fewer than two clusters to draw from.
    pub fn intervals<const N: usize>(&self, clusters: &Clusters, figures: impl Fn(&[usize]) -> [f64; N]) -> Option<[Interval; N]> {
        if self.draws == 0 || clusters.count() < 2 {
            return None;
        }
        let drawn: Vec<[f64; N]> = (0..self.draws).map(|number| figures(&self.draw(clusters, number))).collect();
        let outside = (1.0 - self.level) / 2.0;
        Some(std::array::from_fn(|figure| {
            let mut values: Vec<f64> = drawn.iter().map(|values| values[figure]).collect();
            values.sort_by(f64::total_cmp);
            Interval { low: quantile(&values, outside), high: quantile(&values, 1.0 - outside) }
        }))
    }
}

/// A quantile of rising values, linear between two of them (Hyndman & Fan's type 7, as NumPy's).
fn quantile(values: &[f64], share: f64) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    // Between equals, their own bits.
    if below == above { below } else { below + (above - below) * place.fract() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975])
        let values = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.025, 1.075), (0.5, 3.0), (0.975, 7.7), (0.0, 1.0), (1.0, 8.0)] {
            assert!((quantile(&values, share) - expected).abs() < 1e-12, "{share}: {}", quantile(&values, share));
        }
        assert_eq!(quantile(&[0.25], 0.975), 0.25);
    }

    #[test]
    fn whole_speakers_are_drawn_and_the_same_seed_draws_the_same() {
        let clusters = Clusters::by_speaker(["b", "a", "b", "c", "b"].map(Some));
        assert_eq!((clusters.unit, clusters.count()), (Unit::Speaker, 3));
        let bootstrap = Bootstrap::default();
        for number in 0..50 {
            let drawn = bootstrap.draw(&clusters, number);
            let count = |place| drawn.iter().filter(|&&drawn| drawn == place).count();
            assert_eq!([count(0), count(0)], [count(2), count(4)], "b is drawn whole: {drawn:?}");
            assert_eq!(count(0) + count(1) + count(3), 3, "as many as there are: {drawn:?}");
        }
        let all = |seed| (0..9).map(|number| Bootstrap { seed, ..bootstrap }.draw(&clusters, number)).collect::<Vec<_>>();
        assert_eq!(all(4), all(4));
        assert_ne!(all(4), all(5));
    }

    #[test]
    fn without_speakers_utterances_are_drawn() {
        for speakers in [vec![None, None, None], vec![Some("a"), None, Some("b")], vec![Some("a"); 3]] {
            let clusters = Clusters::by_speaker(speakers);
            assert_eq!((clusters.unit, clusters.count()), (Unit::Utterance, 3));
        }
        assert_eq!(Bootstrap::default().intervals(&Clusters::by_speaker([None]), |_| [1.0]), None);
        let none = Bootstrap { draws: 0, ..Bootstrap::default() };
        assert_eq!(none.intervals(&Clusters::by_speaker([None, None]), |_| [1.0]), None);
    }

    /// Of utterances 0 and 1 drawn at random the share of ones is normal with deviation √(p q / n); where those of a speaker are all
    /// alike there are but as many as speakers.
    #[test]
    fn intervals_are_as_wide_as_theory_has_them_and_wider_by_speaker() {
        let right = |place: usize| f64::from((place / 10).is_multiple_of(2));
        let mean = |drawn: &[usize]| [drawn.iter().map(|&place| right(place)).sum::<f64>() / drawn.len() as f64];
        let width = |clusters: &Clusters| {
            let [Interval { low, high }] = Bootstrap::default().intervals(clusters, mean).unwrap();
            assert!(low < 0.5 && 0.5 < high);
            high - low
        };
        let names: Vec<String> = (0..400).map(|place| (place / 10).to_string()).collect();
        let by_utterance = width(&Clusters::by_speaker(vec![None; 400]));
        let by_speaker = width(&Clusters::by_speaker(names.iter().map(|name| Some(name.as_str()))));
        let theory = |n: f64| 2.0 * 1.96 * (0.25 / n).sqrt();
        assert!((by_utterance / theory(400.0) - 1.0).abs() < 0.08, "{by_utterance}");
        assert!((by_speaker / theory(40.0) - 1.0).abs() < 0.08, "{by_speaker}");
    }
}
