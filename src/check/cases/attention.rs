//! Cases of `attention`.

use std::fmt;

use super::lengths::{Batch, Lengths, batch_of_one, total};
use super::suffix;
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::numbers::MAX_HEAD_SIZE;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// How unequal the attention weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// Queries and keys near 1.
    Usual,
    /// Scores up to some 80, where one key takes nearly all and exp overflows unless the maximum is taken off first.
    Large,
    /// A key of the first utterance whose scores are -inf and which no query sees, and one of the last whose scores are
    /// +inf and make NaN of that utterance's first head.
    Infinite,
}

const SCORES: &[(&str, Scores)] = &[("large_scores", Scores::Large), ("infinite_scores", Scores::Infinite)];

/// Multi-head attention (6–8, 15).
#[derive(Debug, Clone)]
pub struct Attention {
    /// Query rows of each utterance.
    pub queries: Vec<u32>,
    /// Key rows of each utterance.
    pub keys: Vec<u32>,
    pub width: usize,
    pub heads: usize,
    pub scores: Scores,
}

impl Attention {
    fn new(queries: &[u32], keys: &[u32], width: usize, heads: usize) -> Self {
        Self { queries: queries.to_vec(), keys: keys.to_vec(), width, heads, scores: Scores::Usual }
    }

    /// 1 / √d_k
    pub(super) fn scale(&self) -> f32 {
        1.0 / ((self.width / self.heads) as f32).sqrt()
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (queries, keys) = (Lengths(&self.queries), Lengths(&self.keys));
        write!(f, "{}queries={queries},keys={keys}", batch_of_one(&self.queries))?;
        write!(f, ",width={},heads={}{}", self.width, self.heads, suffix(SCORES, self.scores))
    }
}

impl Subject for Attention {
    /// Sums over d_k and over the keys, an exp of about 1e-6 on some drivers, and score gradients that are the difference
    /// of numbers near 1, summed over the queries; rounding of a score of 80 is 5e-6, and
    /// its exp is off by as much of itself.
    fn tolerance(&self) -> Tolerance {
        let (floor, of_rms) = match self.scores {
            Scores::Usual | Scores::Infinite => (5e-6, 5e-5),
            Scores::Large => (5e-5, 2e-4),
        };
        Tolerance { floor, ..Tolerance::of_rms(of_rms) }
    }

    /// The softmax over a single key is 1, whatever the query, and that of few queries with large scores nearly so.
    fn silence(&self) -> Silence {
        let pairs = self.queries.iter().zip(&self.keys);
        let choosing: u32 = pairs.filter(|&(_, &keys)| keys > 1).map(|(queries, _)| queries).sum();
        if choosing == 0 || (self.scores == Scores::Large && choosing < 20) { Silence::Right } else { Silence::Wrong }
    }
}

impl Suite for Attention {
    fn cases() -> Vec<Self> {
        let head_sizes = [4, 5, 8, 9, 16, 25, 32, 33, 64].map(|size| Self::new(&[18, 5], &[7, 21], 2 * size, 2));
        [
            Self::new(&[15, 33, 7], &[110, 65, 30], 128, 8),
            Self::new(&[129, 40], &[129, 40], 128, 8),
            Self::new(&[1], &[1], 128, 8),
            Self::new(&[1], &[40], 32, 4),
            Self::new(&[40], &[1], 32, 4),
            Self::new(&[1, 15, 16, 17], &[17, 16, 15, 1], 32, 4),
            Self::new(&[63, 64, 65, 3], &[65, 1, 63, 64], 32, 2),
            Self::new(&[129], &[130], 16, 1),
            Self::new(&[3, 4, 2], &[5, 0, 7], 32, 4),
            Self::new(&[3, 0, 4], &[2, 6, 1], 32, 4),
            Self::new(&[9, 14], &[11, 6], 20, 4),
            Self::new(&[70, 70], &[70, 70], 64, 1),
            Self { scores: Scores::Large, ..Self::new(&[30, 17], &[66, 40], 64, 4) },
            Self { scores: Scores::Infinite, ..Self::new(&[30, 5, 17], &[66, 9, 40], 64, 4) },
        ]
        .into_iter()
        .chain(head_sizes)
        .collect()
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let [queries, keys] = [(); 2].map(|()| {
            let longest = source.size(1, 140) as u32;
            source.lengths(batch, 0, longest)
        });
        let heads = source.between(1, 4);
        Self {
            queries,
            keys,
            width: heads * source.size(1, 64),
            heads,
            scores: source.pick(&[Scores::Usual, Scores::Usual, Scores::Large]),
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let batch = Batch::read(keys, "queries")?;
        let (queries, key_rows) = (batch.lengths(keys, "queries", 0, 111)?, batch.lengths(keys, "keys", 0, 111)?);
        let [width, heads] = [keys.number("width", 1, 128)?, keys.number("heads", 1, 8)?];
        let scores = keys.choice(SCORES, Scores::Usual)?;
        if !width.is_multiple_of(heads) {
            return Err(SizeError::Misfit(format!("width {width} does not divide into {heads} heads; choose a multiple")));
        }
        if width / heads > MAX_HEAD_SIZE {
            let wide = width / heads;
            return Err(SizeError::Misfit(format!("width of a head is {wide}; kernels take at most {MAX_HEAD_SIZE}")));
        }
        let ends = [key_rows[0], key_rows[key_rows.len() - 1]];
        if scores == Scores::Infinite && (key_rows.len() < 2 || ends.iter().any(|&keys| keys < 3)) {
            return Err(SizeError::Misfit("infinite_scores spoils the third key of the first utterance and of the last; give them".into()));
        }
        Ok(Self { queries, keys: key_rows, width, heads, scores })
    }

    fn largest(&self) -> u64 {
        total(&self.queries).max(total(&self.keys)) as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self::new(&[3, 0, 4], &[5, 2, 0], 15, 3), Self::new(&[6, 2], &[1, 9], 8, 1)])
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::attention::SHADER, "highest = new_highest;", "")];
}

impl TapeOperation for Attention {
    /// Query rows and key rows.
    type Constants<B: Backend> = [Ragged<B>; 2];

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> [Ragged<B>; 2] {
        [inputs.rows("query lengths", &self.queries), inputs.rows("key lengths", &self.keys)]
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let amplitude = match self.scores {
            Scores::Usual | Scores::Infinite => 1.5,
            Scores::Large => 8.0,
        };
        let mut drawn = |name, lengths: &[u32], amplitude| {
            let rows = total(lengths);
            Leaf::new(name, [rows, self.width], source.uniform(rows * self.width, amplitude))
        };
        let [mut queries, mut keys] =
            [("queries", &self.queries), ("keys", &self.keys)].map(|(name, lengths)| drawn(name, lengths, amplitude));
        if self.scores == Scores::Infinite {
            queries.values.iter_mut().step_by(self.width).for_each(|first| *first = first.abs() + 0.5);
            keys.values[2 * self.width] = f32::NEG_INFINITY;
            let last = keys.values.len() - 3 * self.width;
            keys.values[last] = f32::INFINITY;
        }
        vec![queries, keys, drawn("values", &self.keys, 1.0)]
    }

    fn output(&self) -> [usize; 2] {
        [total(&self.queries), self.width]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], [queries, keys]: &'a [Ragged<B>; 2]) -> Var<B> {
        tape.attention(&leaves[0], &leaves[1], &leaves[2], queries, keys, self.heads, self.scale())
    }
}
