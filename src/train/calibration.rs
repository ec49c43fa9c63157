//! How far probabilities can be believed, and a temperature that makes them more believable.
//!
//! The expected calibration error is that of Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks" (ICML 2017),
//! equation (3), over M = 15 bins of one width: Σ_m n_m / n · |share of right ones - mean probability of the predicted class|. The Brier
//! score is Brier's own ("Verification of forecasts expressed in terms of probability", 1950), Σ_k (p_k - y_k)² over the classes, a mean
//! over the utterances, from 0 to 2. Temperature scaling (the same authors as the first, section 4.2) divides logits by T: p_k^(1/T),
//! made to sum to one; which class is the likeliest stays.

use serde::{Deserialize, Serialize};

use super::evaluate::Prediction;

/// Bins of the calibration error.
pub const BINS: usize = 15;

/// Temperatures that are looked for among; of predictions that are all right there is no best one.
pub const TEMPERATURES: [f64; 2] = [0.05, 20.0];

/// Predictions whose probability of the predicted class lies in (low, high].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// How many there are.
    pub utterances: usize,
    /// Mean probability of the predicted class; 0 where there is none.
    pub confidence: f64,
    /// The share of right ones; 0 where there is none.
    pub accuracy: f64,
}

/// How probabilities and frequencies agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error, a share of one.
    pub ece: f64,
    /// From 0, every prediction sure and right, to 2.
    pub brier: f64,
    /// Mean cross-entropy.
    pub loss: f64,
    /// [`BINS`] of them, rising.
    pub bins: Vec<Bin>,
}

/// Probabilities `[classes]` of an utterance and its true class.
pub type Judged<'p> = (&'p [f64], usize);

/// Predictions with their true classes; of what names none of the classes, nothing.
pub fn judged<'p, N: AsRef<str>>(predictions: &'p [Prediction], classes: &[N]) -> Vec<Judged<'p>> {
    let class = |name: &str| classes.iter().position(|class| class.as_ref() == name);
    predictions.iter().filter_map(|prediction| Some((prediction.probabilities.as_slice(), class(&prediction.label)?))).collect()
}

impl Calibration {
    /// Of predictions; without any, zeros.
    pub fn of(predictions: &[Judged<'_>]) -> Self {
        let mut bins: Vec<Bin> = (0..BINS)
            .map(|bin| Bin {
                low: bin as f64 / BINS as f64,
                high: (bin + 1) as f64 / BINS as f64,
                utterances: 0,
                confidence: 0.0,
                accuracy: 0.0,
            })
            .collect();
        let (mut brier, mut loss) = (0.0, 0.0);
        for &(probabilities, truth) in predictions {
            let (predicted, confidence) = largest(probabilities);
            let bin = &mut bins[((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1];
            bin.utterances += 1;
            bin.confidence += confidence;
            bin.accuracy += f64::from(u8::from(predicted == truth));
            brier += probabilities.iter().enumerate().map(|(class, p)| (p - f64::from(u8::from(class == truth))).powi(2)).sum::<f64>();
            loss -= probabilities[truth].max(f64::MIN_POSITIVE).ln();
        }
        let count = predictions.len().max(1) as f64;
        for bin in &mut bins {
            let own = bin.utterances.max(1) as f64;
            (bin.confidence, bin.accuracy) = (bin.confidence / own, bin.accuracy / own);
        }
        let ece = bins.iter().map(|bin| bin.utterances as f64 / count * (bin.accuracy - bin.confidence).abs()).sum();
        Self { ece, brier: brier / count, loss: loss / count, bins }
    }
}

/// The likeliest class, the first of equals, and its probability.
fn largest(probabilities: &[f64]) -> (usize, f64) {
    (1..probabilities.len()).fold((0, probabilities.first().copied().unwrap_or(0.0)), |best, class| {
        if probabilities[class] > best.1 { (class, probabilities[class]) } else { best }
    })
}

/// Probabilities at another temperature.
pub fn at_temperature(probabilities: &[f64], temperature: f64) -> Vec<f64> {
    let (_, highest) = largest(probabilities);
    let powers: Vec<f64> = probabilities.iter().map(|p| (p / highest).powf(1.0 / temperature)).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The temperature of the least cross-entropy on some predictions, which are not those that it is reported on; `None` without any.
/// The cross-entropy is convex in 1/T, and its slope, Σ (mean of log p by the tempered probabilities - log p of the true class), is
/// halved upon until nothing changes.
pub fn fit_temperature(predictions: &[Judged<'_>]) -> Option<f64> {
    if predictions.is_empty() {
        return None;
    }
    let log = |p: f64| p.max(f64::MIN_POSITIVE).ln();
    let slope = |inverse: f64| -> f64 {
        let of = |&(probabilities, truth): &Judged<'_>| {
            let tempered = at_temperature(probabilities, 1.0 / inverse);
            tempered.iter().zip(probabilities).map(|(tempered, &p)| tempered * log(p)).sum::<f64>() - log(probabilities[truth])
        };
        predictions.iter().map(of).sum()
    };
    let [coldest, hottest] = TEMPERATURES;
    let (mut low, mut high) = (1.0 / hottest, 1.0 / coldest);
    if slope(low) >= 0.0 {
        return Some(hottest);
    }
    if slope(high) <= 0.0 {
        return Some(coldest);
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    Some(2.0 / (low + high))
}

#[cfg(feature = "files")]
pub use file::{FILE, Fitted};

/// `calibration.json` of a run folder.
#[cfg(feature = "files")]
mod file {
    use std::io::{ErrorKind, Write};
    use std::path::Path;

    use serde::{Deserialize, Serialize};

    use super::{Calibration, Judged, TEMPERATURES, at_temperature, fit_temperature};
    use crate::base::format::Format;
    use crate::base::hash::{fnv1a, mix, of_words};
    use crate::base::input;
    use crate::dataset::replace_file;
    use crate::train::{Checkpoint, RunFault, TrainError};

    /// The file's name in a run folder.
    pub const FILE: &str = "calibration.json";
    const FORMAT: Format = Format::new("mcsan-calibration", 1);

    /// A temperature that was fitted for a model.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub struct Fitted {
        format: String,
        /// What logits are divided by.
        pub temperature: f64,
        /// Utterances of the validation split that it was fitted on.
        pub utterances: usize,
        /// On those, before.
        pub before: Calibration,
        /// On those, at the temperature.
        pub after: Calibration,
        /// Which model.
        model: String,
    }

    /// Tells models apart.
    fn identity(checkpoint: &Checkpoint) -> String {
        let weights = of_words(bytemuck::cast_slice(&checkpoint.parameters));
        format!("{:016x}", mix(weights, fnv1a(checkpoint.config().to_toml().as_bytes())))
    }

    impl Fitted {
        /// The temperature of the least cross-entropy on a model's predictions of a validation split; 1 without any.
        pub fn of(checkpoint: &Checkpoint, validation: &[Judged<'_>]) -> Self {
            let temperature = fit_temperature(validation).unwrap_or(1.0);
            let tempered: Vec<Vec<f64>> = validation.iter().map(|(own, _)| at_temperature(own, temperature)).collect();
            let after: Vec<Judged<'_>> = tempered.iter().map(Vec::as_slice).zip(validation.iter().map(|(_, truth)| *truth)).collect();
            let (before, after) = (Calibration::of(validation), Calibration::of(&after));
            Self { format: FORMAT.to_string(), temperature, utterances: validation.len(), before, after, model: identity(checkpoint) }
        }

        /// Whether the temperature is one of the ends of those that were looked among.
        pub fn is_at_an_end(&self) -> bool {
            TEMPERATURES.contains(&self.temperature)
        }

        /// Writes it to a run's folder.
        ///
        /// # Errors
        /// [`RunFault::Full`]
        pub fn save(&self, run: &Path) -> Result<(), TrainError> {
            let path = run.join(FILE);
            let full = |error: std::io::Error| TrainError::Run {
                path: path.clone(),
                fault: RunFault::Full { reason: error.to_string(), kept: None },
            };
            let text = serde_json::to_string_pretty(self).map_err(|error| full(error.into()))? + "\n";
            replace_file(&path, |file| file.write_all(text.as_bytes())).map_err(full)
        }

        /// What a run's folder has of its model.
        ///
        /// # Errors
        /// [`RunFault::NotCalibrated`] where there is none, one of another model than the folder's, or none that can be read.
        pub fn load(run: &Path, checkpoint: &Checkpoint) -> Result<Self, TrainError> {
            let path = run.join(FILE);
            let refused = |reason: String| TrainError::Run { path: path.clone(), fault: RunFault::NotCalibrated { reason } };
            let text = match input::text(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(refused("is not there".into())),
                Err(error) => return Err(refused(format!("cannot be read ({error})"))),
                Ok(text) => text,
            };
            Self::read(&text, &path, checkpoint)
        }

        /// The same of a file's text; `path` is what errors name.
        ///
        /// # Errors
        /// [`RunFault::NotCalibrated`]
        pub fn read(text: &str, path: &Path, checkpoint: &Checkpoint) -> Result<Self, TrainError> {
            let refused = |reason: String| TrainError::Run { path: path.into(), fault: RunFault::NotCalibrated { reason } };
            FORMAT.version_of_json(text).map_err(|newer| TrainError::Run { path: path.into(), fault: newer.into() })?;
            let fitted: Self = serde_json::from_str(text).map_err(|error| refused(format!("is no {FORMAT} ({error})")))?;
            let [coldest, hottest] = TEMPERATURES;
            if FORMAT.version_of(&fitted.format) == Ok(None) || !(coldest..=hottest).contains(&fitted.temperature) {
                return Err(refused(format!("is no {FORMAT} with a temperature from {coldest} to {hottest}")));
            }
            if fitted.model != identity(checkpoint) {
                return Err(refused("is of another model than the run's".into()));
            }
            Ok(fitted)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: two sure and right, one sure and wrong, one unsure.
    #[test]
    fn errors_agree_with_a_hand_count() {
        let rows = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.6, 0.4]];
        let predictions: Vec<Judged<'_>> = rows.iter().map(|row| row.as_slice()).zip([0, 0, 0, 0]).collect();
        let Calibration { ece, brier, loss, bins } = Calibration::of(&predictions);
        // 0.9 lies in (13/15, 14/15], three utterances, two of them right; 0.6 in (8/15, 9/15].
        assert_eq!((bins[13].utterances, bins[8].utterances), (3, 1));
        assert!((ece - (3.0 * (0.9 - 2.0 / 3.0) + (1.0 - 0.6)) / 4.0).abs() < 1e-12, "{ece}");
        assert!((brier - (2.0 * 0.02 + 1.62 + 0.32) / 4.0).abs() < 1e-12, "{brier}");
        let expected = -(2.0 * 0.9f64.ln() + 0.1f64.ln() + 0.6f64.ln()) / 4.0;
        assert!((loss - expected).abs() < 1e-12, "{loss}");
        assert_eq!(Calibration::of(&[]).ece, 0.0);
    }

    #[test]
    fn the_ends_of_bins_are_their_upper_ones() {
        let rows = [[1.0, 0.0], [0.8, 0.2], [0.5, 0.5]];
        let predictions: Vec<Judged<'_>> = rows.iter().map(|row| (row.as_slice(), 0)).collect();
        let bins = Calibration::of(&predictions).bins;
        let filled: Vec<usize> = (0..BINS).filter(|&bin| bins[bin].utterances > 0).collect();
        assert_eq!(filled, [7, 11, 14], "0.5 lies within (7/15, 8/15], 0.8 = 12/15 ends the twelfth");
    }

    /// Labels drawn as probabilities say, then made too sure by a known temperature, which is found again.
    #[test]
    fn a_known_temperature_is_found_again_and_the_classes_stay() {
        let stream = crate::base::philox::Stream { seed: 3, stream: 0 };
        let mut rows = Vec::new();
        for utterance in 0..4000u64 {
            let logits: Vec<f64> = (0..3).map(|class| f64::from(stream.normal(4 * utterance + class))).collect();
            let powers: Vec<f64> = logits.iter().map(|logit| logit.exp()).collect();
            let honest: Vec<f64> = powers.iter().map(|power| power / powers.iter().sum::<f64>()).collect();
            let drawn = f64::from(stream.uniform(1_000_000 + utterance));
            let truth = usize::from(drawn > honest[0]) + usize::from(drawn > honest[0] + honest[1]);
            rows.push((at_temperature(&honest, 0.4), truth));
        }
        let predictions: Vec<Judged<'_>> = rows.iter().map(|(row, truth)| (row.as_slice(), *truth)).collect();
        let temperature = fit_temperature(&predictions).unwrap();
        assert!((temperature / 2.5 - 1.0).abs() < 0.06, "{temperature}");
        let cooled: Vec<Vec<f64>> = rows.iter().map(|(row, _)| at_temperature(row, temperature)).collect();
        assert!(cooled.iter().zip(&rows).all(|(after, (before, _))| largest(after).0 == largest(before).0));
        let after: Vec<Judged<'_>> = cooled.iter().zip(&rows).map(|(row, (_, truth))| (row.as_slice(), *truth)).collect();
        let [before, after] = [&predictions, &after].map(|predictions| Calibration::of(predictions));
        assert!(after.ece < before.ece / 3.0 && after.loss < before.loss, "{} {}", before.ece, after.ece);
    }

    #[test]
    fn without_an_optimum_the_end_is_taken() {
        assert_eq!(fit_temperature(&[(&[0.6, 0.4], 0)]), Some(TEMPERATURES[0]));
        assert_eq!(fit_temperature(&[(&[0.6, 0.4], 1)]), Some(TEMPERATURES[1]));
        assert_eq!(fit_temperature(&[]), None);
        assert_eq!(at_temperature(&[1.0, 0.0], 20.0), [1.0, 0.0]);
    }
}
