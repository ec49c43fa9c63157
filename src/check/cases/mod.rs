//! The cases of each kernel: the paper's shapes (width 128, 8 heads, feed-forward 512, MFCC-40, 300 numbers a word),
//! length 1, lengths around the edges of tiles, a batch of one, unequal lengths, and each kernel's own corners.

mod attention;
mod attention_weights;
mod bilstm;
mod features;
mod lookup;
mod loss;
mod optimiser;
mod products;
mod rows;

use std::fmt;

use super::compare::Silence;

pub use attention::{Attention, Scores};
pub use attention_weights::AttentionWeights;
pub use bilstm::{Bilstm, Gates};
pub use features::{Deltas, Mfcc, ZScore};
pub use lookup::{Embedding, PositionEmbedding};
pub use loss::{ClassWeights, CrossEntropy, Logits};
pub use optimiser::{Accumulate, Adam, GradientNorm, Last, LossScale, Sgd};
pub use products::{Bias, ConvPool, Linear};
pub use rows::{Dropout, GlobalMax, ResidualNorm, Rows};

/// Lengths on either side of the edges of tiles and workgroups.
const EDGES: [usize; 8] = [1, 15, 16, 17, 63, 64, 65, 129];

/// What values a kernel sees that chooses, by a maximum or a ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Equals are rare.
    Even,
    /// Few different values: most maxima are shared, and the earliest has to win.
    Ties,
    /// A NaN and both infinities among them.
    NotFinite,
    /// Finite numbers that f16 cannot hold among them; as good as `Even` where there are no products.
    Overflowing,
    /// Numbers that a device may take for zero among them, but nothing that such a zero would choose otherwise.
    Denormal,
}

/// A denormal number.
const DENORMAL: f32 = 1e-40;

impl Spread {
    /// Results are NaN, or gradients that not everything reaches.
    fn silence(self) -> Silence {
        if matches!(self, Self::NotFinite | Self::Overflowing) { Silence::Right } else { Silence::Wrong }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Even => "",
            Self::Ties => ",ties",
            Self::NotFinite => ",not_finite",
            Self::Overflowing => ",overflowing",
            Self::Denormal => ",denormal",
        }
    }
}

/// Lengths of sequences in a case's name, `3+0+17`.
struct Lengths<'a>(&'a [u32]);

impl fmt::Display for Lengths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, length)| write!(f, "{}{length}", if index == 0 { "" } else { "+" }))
    }
}

/// Rows of sequences of the given lengths.
fn total(lengths: &[u32]) -> usize {
    lengths.iter().sum::<u32>() as usize
}
