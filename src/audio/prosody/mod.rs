//! Prosody of an utterance: five contours, a value every 10 ms, and seven functionals of each.
//!
//! The contours are those of the prosody set for MDRE (Yoon, Byun, Jung: "Multimodal Speech Emotion Recognition Using Audio and Text",
//! SLT 2018), which openSMILE computes; `tests/prosody.rs` holds them against it. They are computed on the host in f64: a tracker that
//! follows a few candidates from frame to frame is no work for a card.
//!
//! | contour | what | file |
//! | --- | --- | --- |
//! | F0 | fundamental frequency in hertz, 0 where nothing is voiced | `subharmonics`, `track` |
//! | log F0 | the same in semitones above 27.5 Hz, at least 1; 0 where nothing is voiced | |
//! | voicing | how far the sub-harmonic sum of the candidate stands above the mean, of the best where nothing is voiced | `subharmonics` |
//! | log HNR | harmonics-to-noise ratio in decibels, 0 where nothing is voiced | `harmonicity` |
//! | loudness | sum of 26 bands as they are heard | `loudness` |

mod frames;
mod functionals;
mod harmonicity;
mod loudness;
mod octaves;
mod subharmonics;
mod track;

use frames::{Frames, Shape, Window};
use harmonicity::Harmonicity;
use loudness::Loudness;
use subharmonics::Subharmonics;

/// Whose functionals they are, in the order of the result.
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
const PITCH: Shape = Shape { length: 880, transform: 1024, window: Window::Gauss { deviation: 0.4 } };
/// Root of the mean square of a windowed frame below which it has neither pitch nor voicing; its HNR is left, as openSMILE leaves it.
const QUIETEST: f64 = 0.0008;
/// Frequency of semitone 0.
const LOWEST_NOTE: f64 = 27.5;

/// The contours of an utterance, before they are smoothed. Loudness has frames of its own, which are shorter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contours {
    /// Hertz.
    pub f0: Vec<f64>,
    /// Semitones.
    pub log_f0: Vec<f64>,
    /// A share.
    pub voicing: Vec<f64>,
    /// Decibels.
    pub log_hnr: Vec<f64>,
    /// Of samples in -1 ..= 1.
    pub loudness: Vec<f64>,
}

/// What computes prosody: windows, tables and plans of transforms, made once.
pub struct Prosody {
    pitch: Frames,
    subharmonics: Subharmonics,
    harmonicity: Harmonicity,
    loudness: Loudness,
}

impl Default for Prosody {
    fn default() -> Self {
        let pitch = Frames::new(PITCH);
        let subharmonics = Subharmonics::new(PITCH);
        Self { pitch, subharmonics, harmonicity: Harmonicity::new(PITCH.transform), loudness: Loudness::default() }
    }
}

impl Prosody {
    /// The functionals of a recording, mono at 16 kHz: [`COLUMNS`] finite numbers, contour by contour.
    pub fn functionals(&self, samples: &[f32]) -> Vec<f32> {
        functionals::of(&self.contours(samples))
    }

    /// The contours of a recording, mono at 16 kHz. One that is shorter than a frame is followed by zeros.
    pub fn contours(&self, samples: &[f32]) -> Contours {
        let (mut candidates, mut ratios, mut is_quiet) = (Vec::new(), Vec::new(), Vec::new());
        self.pitch.each(samples, |root_mean_square, magnitudes| {
            let own = self.subharmonics.candidates(magnitudes);
            ratios.push(self.harmonicity.decibels(magnitudes, &own));
            candidates.push(own);
            is_quiet.push(root_mean_square < QUIETEST);
        });
        let mut contours = Contours { loudness: self.loudness.contour(samples), ..Contours::default() };
        for (frame, chosen) in track::voiced(&candidates).into_iter().enumerate() {
            let hertz = chosen.map(|chosen| candidates[frame][chosen].hertz).filter(|_| !is_quiet[frame]);
            contours.f0.push(hertz.unwrap_or(0.0));
            contours.log_f0.push(hertz.map_or(0.0, semitones));
            let voicing = candidates[frame].iter().map(|candidate| candidate.voicing);
            let voicing = chosen.map_or_else(|| voicing.fold(0.0, f64::max), |chosen| candidates[frame][chosen].voicing);
            contours.voicing.push(if is_quiet[frame] { 0.0 } else { voicing });
            contours.log_hnr.push(chosen.map_or(0.0, |chosen| ratios[frame][chosen]));
        }
        contours
    }
}

/// Semitones above [`LOWEST_NOTE`]; never 0, which stands for no pitch.
fn semitones(hertz: f64) -> f64 {
    (12.0 * (hertz / LOWEST_NOTE).log2()).max(1.0)
}
