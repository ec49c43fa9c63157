//! From a recording on disk to mono samples at 16 kHz, and the settings of the MFCC front-end.

pub mod decode;
pub mod mfcc;
pub mod resample;

pub use decode::{AudioError, decode};
