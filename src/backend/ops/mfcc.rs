//! MFCC (MODEL.md "Acoustic features", [`Convention`](crate::audio::mfcc::Convention)): pre-emphasis, window, power spectrum, mel
//! filters, decibels with a floor `top_db` below the utterance's own maximum, orthonormal DCT-II, HTK's lifter; log energy in place of
//! c0 where it is wanted. Or the power spectrum alone. Takes finite samples.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, MfccTables, Ragged, Storage, Work};

/// `[frames, coefficients]` of recordings, of spectra `[frames, bins]`, with `1 + samples / hop` frames an utterance.
pub struct Mfcc<B: Storage, T> {
    /// `[total samples, 1]`, laid out by `utterances`.
    pub samples: T,
    /// Layout of the samples.
    pub utterances: Ragged<B>,
    /// Lays out the result.
    pub frames: Ragged<B>,
    /// The front-end's constants.
    pub tables: MfccTables<B>,
}

impl<B: Storage> Mfcc<B, Shape> {
    /// Power spectra, of which so many columns are kept: a real transform of N numbers takes 5/2 N log₂ N.
    fn spectra(&self, columns: usize) -> Work {
        let transform = self.tables.settings.transform as f64;
        Work::elementwise(2.5 * transform * transform.log2(), self.frames.rows(), self.samples.len() + self.frames.rows() * columns)
    }

    /// Power spectra by themselves.
    pub fn power_spectra(&self) -> Work {
        self.spectra(self.tables.settings.bins())
    }

    /// Power spectra and mel bands.
    pub fn mel_bands(&self) -> Work {
        self.spectra(self.tables.settings.mel_bands)
    }

    /// Log energies: a square and a sum of each sample in a frame.
    pub fn energies(&self) -> Work {
        Work::elementwise(2.0 * self.tables.settings.window as f64, self.frames.rows(), self.samples.len() + self.frames.rows())
    }

    /// The mel bands' cosine transform.
    pub fn cepstra(&self) -> Work {
        let settings = &self.tables.settings;
        let [bands, cepstra] = [settings.mel_bands, settings.coefficients].map(|columns| self.frames.rows() * columns);
        Work::products(2.0 * (cepstra * settings.mel_bands) as f64, bands + cepstra)
    }
}

impl<B: Storage, T> Operation<B> for Mfcc<B, T> {
    const KERNEL: &'static str = "mfcc";
    type Operand = T;
    type On<U> = Mfcc<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Mfcc<B, U> {
        let Self { samples, utterances, frames, tables } = self;
        Mfcc { samples: form(samples), utterances: utterances.clone(), frames: frames.clone(), tables: tables.clone() }
    }

    fn results(of: &Mfcc<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.frames.rows(), of.tables.settings.static_columns()]), ())
    }

    fn sizes(of: &Mfcc<B, Shape>) -> Sizes {
        let settings = &of.tables.settings;
        vec![("frames", of.frames.rows()), ("transform", settings.transform), ("mel_bands", settings.mel_bands)]
    }

    fn work(of: &Mfcc<B, Shape>) -> Work {
        let settings = &of.tables.settings;
        if settings.is_spectrum() {
            return of.power_spectra();
        }
        // The bands between the two parts need not leave the chip, nor are samples read twice for their energy.
        let bands = 2 * of.frames.rows() * settings.mel_bands;
        let cepstra = of.mel_bands() + of.cepstra() - Work::elementwise(0.0, 0, bands);
        let twice = Work::elementwise(0.0, 0, of.samples.len() + of.frames.rows());
        if settings.energy { cepstra + of.energies() - twice } else { cepstra }
    }
}
