//! From a recording on disk to mono samples at 16 kHz, and the settings of the MFCC front-end.

#[cfg(feature = "codecs")]
mod aac;
#[cfg(feature = "codecs")]
mod compressed;
#[cfg(feature = "files")]
pub mod decode;
#[cfg(feature = "files")]
mod error;
mod mel;
pub mod mfcc;
#[cfg(feature = "files")]
pub(crate) mod mono;
#[cfg(feature = "files")]
pub(crate) mod pcm;
#[cfg(feature = "files")]
pub(crate) mod resample;

#[cfg(feature = "files")]
pub use decode::decode;
#[cfg(feature = "files")]
pub use error::AudioError;
#[cfg(feature = "files")]
pub(crate) use pcm::{PcmFormat, read_pcm};
