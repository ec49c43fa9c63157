//! Number formats, activations and sizes that settings and kernels share.

/// Longest supported hidden size of the LSTM: its state lies in 16 KiB of workgroup memory, eight sequences at a time.
pub const MAX_LSTM_HIDDEN: usize = 512;
/// Largest supported head size d_k.
pub const MAX_HEAD_SIZE: usize = 64;
/// Window and stride of the max-pool (1).
pub const POOL: u32 = 3;

/// What a matrix product applies to its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    None,
    Relu,
}

/// Setting `train.precision`: in which number format a matrix product takes its factors. Sums and everything else are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    #[default]
    F32,
    /// Both factors rounded to f16, the nearest even; beyond 65504 they become infinite.
    Mixed,
}
