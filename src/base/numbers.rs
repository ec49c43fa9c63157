//! Number formats, activations and sizes that settings and kernels share.

use super::choice::choices;

/// Longest supported hidden size of the LSTM: its state lies in 16 KiB of workgroup memory, eight sequences at a time.
pub(crate) const MAX_LSTM_HIDDEN: usize = 512;
/// The same of the GRU: two vectors of four sequences lie in 16 KiB.
pub(crate) const MAX_GRU_HIDDEN: usize = 512;
/// Largest supported head size d_k.
pub(crate) const MAX_HEAD_SIZE: usize = 64;
/// Window and stride of the max-pool (1).
pub const POOL: u32 = 3;

choices! {
    /// What a matrix product applies to its result.
    pub enum Activation {
        /// Nothing.
        None = "none",
        /// max(x, 0).
        Relu = "relu",
        /// tanh x.
        Tanh = "tanh",
    }
}

impl Activation {
    /// Whether gradients need its result.
    pub(crate) fn is_there(self) -> bool {
        self != Self::None
    }
}

choices! {
    /// In which number format a matrix product takes its factors. Sums and everything else are f32.
    pub enum Precision {
        /// As they are.
        F32 = "f32",
        /// Both factors rounded to f16, the nearest even; beyond 65504 they become infinite.
        Mixed = "mixed",
    }
}

choices! {
    /// What a network is trained to make small.
    pub enum Loss {
        /// Softmax cross-entropy (20).
        Softmax = "softmax",
        /// The mean of a sigmoid cross-entropy for each class.
        Sigmoid = "sigmoid",
    }
}
