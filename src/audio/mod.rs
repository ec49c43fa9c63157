//! From a recording on disk to mono samples at 16 kHz, the settings of the MFCC front-end, and prosody.

#[cfg(feature = "codecs")]
mod aac;
#[cfg(feature = "files")]
mod aiff;
#[cfg(feature = "codecs")]
mod bare;
#[cfg(feature = "files")]
pub mod change;
#[cfg(feature = "files")]
mod chunks;
#[cfg(feature = "codecs")]
mod compressed;
#[cfg(feature = "files")]
mod content;
#[cfg(feature = "files")]
pub mod decode;
#[cfg(feature = "files")]
mod error;
#[cfg(feature = "codecs")]
mod extent;
mod mel;
pub mod mfcc;
#[cfg(feature = "files")]
pub(crate) mod mono;
#[cfg(feature = "files")]
mod part;
#[cfg(feature = "files")]
mod pcm;
pub mod prosody;
#[cfg(feature = "files")]
pub(crate) mod resample;
#[cfg(feature = "files")]
pub mod segment;
#[cfg(feature = "files")]
mod stream;
pub mod vectors;
#[cfg(feature = "files")]
mod wav;
#[cfg(feature = "codecs")]
mod window;

#[cfg(feature = "files")]
pub use decode::decode;
#[cfg(feature = "files")]
pub use error::{AudioError, Format};
#[cfg(feature = "files")]
pub use pcm::{PcmFormat, read_pcm};
#[cfg(feature = "files")]
pub use stream::Stream;
