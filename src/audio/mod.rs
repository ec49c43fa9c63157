//! From a recording on disk to mono samples at 16 kHz, and the settings of the MFCC front-end.

mod aac;
mod compressed;
pub mod decode;
mod error;
mod mel;
pub mod mfcc;
pub mod mono;
pub mod pcm;
pub mod resample;

pub use decode::decode;
pub use error::AudioError;
pub use pcm::{PcmFormat, read_pcm};
