//! Prosody of an utterance: five contours, a value every 10 ms, and seven functionals of each.
//!
//! The contours are those of the prosody set for MDRE (Yoon, Byun, Jung: "Multimodal Speech Emotion Recognition Using Audio and Text",
//! SLT 2018), which openSMILE computes; `tests/prosody.rs` holds them against it. Here is what they are made by, in f64;
//! [`crate::prepare::Contours`] computes them on a backend by the kernels of the table.
//!
//! | contour | what | kernel |
//! | --- | --- | --- |
//! | F0 | fundamental frequency in hertz, 0 where nothing is voiced | `pitch_candidates`, `pitch_track` |
//! | log F0 | the same in semitones above 27.5 Hz, at least 1; 0 where nothing is voiced | |
//! | voicing | how far the sub-harmonic sum of the candidate stands above the mean, of the best where nothing is voiced | |
//! | log HNR | harmonics-to-noise ratio in decibels, 0 where nothing is voiced | |
//! | loudness | sum of 26 bands as they are heard | `loudness` |

mod frames;
mod loudness;
mod octaves;

pub use frames::Frames;
pub use loudness::LOUDNESS;
pub(crate) use loudness::{BANDS, COMPRESSION as LOUDNESS_COMPRESSION, loudness_bands};
pub(crate) use octaves::{BAND, HARMONICS, LOWEST, harmonics, octaves, span};

use frames::Window;

/// Whose functionals they are, in the order of the result; all but loudness have the frames of the pitch.
pub const CONTOURS: [&str; 5] = ["f0", "log_f0", "voicing", "log_hnr", "loudness"];

/// What is taken of a contour, in the order of the result.
///
/// Contours are smoothed first, by the mean of three frames, the ends repeated. Of all but loudness what is zero takes no part in means,
/// and the functionals are those of what is left, put together; all are 0 where nothing is. The deviation is divided by the number of
/// frames, the slope of the regression line is that of a frame, the centroid `Σ t x(t) / Σ x(t)` a share of the length, and a percentile
/// lies between two values in proportion.
pub const FUNCTIONALS: [&str; 7] = ["deviation", "mean", "slope", "centroid", "percentile_10", "percentile_90", "percentile_range"];

/// Columns of a vector.
pub const COLUMNS: usize = CONTOURS.len() * FUNCTIONALS.len();

/// Frames of which the pitch is sought: 55 ms.
pub const PITCH: Frames = Frames { length: 880, transform: 1024, window: Window::Gauss };
/// Root of the mean square of a windowed frame below which it has neither pitch nor voicing; its HNR is left, as openSMILE leaves it.
pub(crate) const QUIETEST: f64 = 0.0008;
/// Frequency of semitone 0.
pub(crate) const LOWEST_NOTE: f64 = 27.5;
