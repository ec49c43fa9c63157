//! Vectors for words that a file of vectors lacks: drawn at random, in the manner of those that it has.
//!
//! A component is drawn from the normal distribution with the mean and the (population) deviation that it has over the
//! vectors found for the corpus, each word counted once. The numbers are keyed by the word's bytes and by nothing else:
//! the same word gets the same vector in every corpus with the same found vectors, on every platform, whatever other
//! words are missing. Where no vector is found there is nothing to be like, and the words stay zero.

use crate::base::hash::fnv1a;
use crate::base::philox::Stream;
use crate::base::words::WordTable;

/// Random numbers for words, apart from other uses of the generator.
const STREAM: u64 = 0x776f_7264;

/// What `--oov` chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum OutOfVocabulary {
    /// No row: words without a vector are zeros
    #[default]
    Zero,
    /// A row each, drawn as the corpus' vectors are distributed
    Random,
}

/// Mean and deviation of every component.
pub(super) struct Distribution(Vec<(f64, f64)>);

impl Distribution {
    pub(crate) fn of(table: &WordTable) -> Self {
        let count = (table.values.len() / table.width.max(1)).max(1) as f64;
        let component = |column: usize| {
            let values = || table.values.iter().skip(column).step_by(table.width).map(|&value| f64::from(value));
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
            (mean, variance.sqrt())
        };
        Self((0..table.width).map(component).collect())
    }

    /// `[width]`: the vector of a word.
    pub(crate) fn draw(&self, word: &str) -> Vec<f32> {
        let stream = Stream { seed: fnv1a(word.as_bytes()), stream: STREAM };
        let value = |(index, &(mean, deviation)): (usize, &(f64, f64))| (mean + deviation * f64::from(stream.normal(index as u64))) as f32;
        self.0.iter().enumerate().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_vectors_are_distributed_as_those_found_and_keyed_by_the_word() {
        let table = WordTable { width: 2, values: vec![1.0, -4.0, 3.0, -4.0, 2.0, -4.0, 2.0, -4.0] };
        let distribution = Distribution::of(&table);
        let drawn: Vec<f64> = (0..10_000).map(|word| f64::from(distribution.draw(&word.to_string())[0])).collect();
        let mean = drawn.iter().sum::<f64>() / 1e4;
        let deviation = (drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 1e4).sqrt();
        // Of 10 000 draws, the mean strays by 0.007 and the deviation by 0.005.
        assert!((mean - 2.0).abs() < 0.03 && (deviation - 0.5f64.sqrt()).abs() < 0.02, "{mean} {deviation}");
        assert_eq!(distribution.draw("a")[1], -4.0);
        assert_eq!(distribution.draw("a"), distribution.draw("a"));
        assert_ne!(distribution.draw("a"), distribution.draw("b"));
    }

    #[test]
    fn a_word_is_drawn_the_same_on_every_platform() {
        let drawn = Distribution(vec![(0.0, 1.0); 4]).draw("Qwertzday");
        assert_eq!(drawn.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), [0xbf1a_e049, 0x3c6d_8d45, 0xbd1c_b5e2, 0x3f76_3fd5]);
    }

    #[test]
    fn without_a_vector_to_be_like_words_stay_zero() {
        assert_eq!(Distribution::of(&WordTable { width: 3, values: Vec::new() }).draw("a"), [0.0; 3]);
    }
}
