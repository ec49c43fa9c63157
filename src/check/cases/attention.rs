//! Cases of `attention`.

use std::fmt;

use super::lengths::{Batch, Lengths, batch_of_one, total};
use super::products::PRECISIONS;
use super::suffix;
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::numbers::{MAX_HEAD_SIZE, Precision};
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
    /// Halfway between two of f16 where they lie from 1 on, and so rounded to the even one.
    Halfway,
    /// A value in the first utterance that f16 does not hold.
    Overflowing,
    /// A key of the first utterance whose scores are -inf and which no query sees, and one of the last whose scores are
    /// +inf and make NaN of that utterance's first head.
    Infinite,
}

const SCORES: &[(&str, Scores)] = &[
    ("large_scores", Scores::Large),
    ("halfway", Scores::Halfway),
    ("overflowing", Scores::Overflowing),
    ("infinite_scores", Scores::Infinite),
];

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
    pub precision: Precision,
}

impl Attention {
    fn new(queries: &[u32], keys: &[u32], width: usize, heads: usize) -> Self {
        Self { queries: queries.to_vec(), keys: keys.to_vec(), width, heads, scores: Scores::Usual, precision: Precision::F32 }
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
        write!(f, ",width={},heads={}{}{}", self.width, self.heads, suffix(SCORES, self.scores), suffix(PRECISIONS, self.precision))
    }
}

impl Subject for Attention {
    /// Sums over d_k and over the keys, an exp of about 1e-6 on some drivers, and score gradients that are the difference
    /// of numbers near 1, summed over the queries; rounding of a score of 80 is 5e-6, and
    /// its exp is off by as much of itself. In mixed precision a weight or a score's gradient that differs so may be rounded to the f16
    /// beside it, which is up to 1e-3 of itself away, and is then multiplied by a query or a key; few are, and without rounding all are. Of the
    /// norm of n results that is 1e-3 / √n for one of them. Of large scores a query has a weight or two that count, whose gradient may nearly
    /// vanish beside one such step: there each number is held alone.
    fn tolerance(&self) -> Tolerance {
        let is_large = self.scores == Scores::Large;
        match self.precision {
            Precision::F32 => {
                let (floor, of_rms) = if is_large { (5e-5, 2e-4) } else { (5e-6, 5e-5) };
                Tolerance { floor, ..Tolerance::of_rms(of_rms) }
            }
            Precision::Mixed if is_large => Tolerance { floor: 4e-3, ..Tolerance::of_rms(2e-4) },
            Precision::Mixed => {
                let pairs = self.queries.iter().zip(&self.keys).map(|(&queries, &keys)| f64::from(queries) * f64::from(keys));
                let weights = pairs.sum::<f64>() * self.heads as f64;
                Tolerance { floor: 1e-3, of_norm: 1e-4 + 2e-3 / weights.sqrt(), ..Tolerance::of_rms(2e-4) }
            }
        }
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
        let mixed = |attention| Self { precision: Precision::Mixed, ..attention };
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
            mixed(Self::new(&[15, 33, 7], &[110, 65, 30], 128, 8)),
            mixed(Self::new(&[63, 64, 65, 3], &[65, 1, 63, 64], 32, 2)),
            mixed(Self::new(&[3, 4, 2], &[5, 0, 7], 20, 4)),
            mixed(Self::new(&[18, 5], &[7, 21], 80, 2)),
            mixed(Self { scores: Scores::Large, ..Self::new(&[30, 17], &[66, 40], 64, 4) }),
            mixed(Self { scores: Scores::Halfway, ..Self::new(&[30, 17], &[66, 40], 64, 4) }),
            mixed(Self { scores: Scores::Overflowing, ..Self::new(&[9, 17], &[20, 16], 32, 2) }),
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
            precision: source.pick(&[Precision::F32, Precision::Mixed]),
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let batch = Batch::read(keys, "queries")?;
        let (queries, key_rows) = (batch.lengths(keys, "queries", 0, 111)?, batch.lengths(keys, "keys", 0, 111)?);
        let [width, heads] = [keys.number("width", 1, 128)?, keys.number("heads", 1, 8)?];
        let scores = keys.choice(SCORES, Scores::Usual)?;
        let precision = keys.choice(PRECISIONS, Precision::F32)?;
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
        if scores == Scores::Overflowing && key_rows[0] < 1 {
            return Err(SizeError::Misfit("overflowing spoils the first value; give the first utterance a key".into()));
        }
        Ok(Self { queries, keys: key_rows, width, heads, scores, precision })
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
            Scores::Usual | Scores::Halfway | Scores::Overflowing | Scores::Infinite => 1.5,
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
        let mut values = drawn("values", &self.keys, if self.scores == Scores::Halfway { 1.5 } else { 1.0 });
        match self.scores {
            Scores::Overflowing => values.values[0] = 7e4,
            // From 1 on f16 has ten bits after the point.
            Scores::Halfway => {
                let leaves = [&mut queries, &mut keys, &mut values];
                let odd = |value: f32| ((value * 1024.0).floor() + 0.5) / 1024.0;
                leaves.into_iter().flat_map(|leaf| &mut leaf.values).for_each(|value| *value = odd(*value));
            }
            Scores::Usual | Scores::Large | Scores::Infinite => {}
        }
        vec![queries, keys, values]
    }

    fn output(&self) -> [usize; 2] {
        [total(&self.queries), self.width]
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], [queries, keys]: &'a [Ragged<B>; 2]) -> Var<B> {
        tape.attention(&leaves[0], &leaves[1], &leaves[2], queries, keys, self.heads, self.scale())
    }
}
