//! Launches of [`crate::backend::Backend::mfcc`].

use super::*;
use crate::audio::mfcc::Padding;
use crate::backend::MfccTables;
use shader::mfcc::{Args, CEPSTRA, Cepstrum, MelBands, Peak, Variant};

pub(in super::super) fn forward(
    gpu: &Gpu,
    samples: &Tensor,
    utterances: &Ragged<Gpu>,
    frames: &Ragged<Gpu>,
    tables: &MfccTables<Gpu>,
) -> Tensor {
    let settings = &tables.settings;
    let count = frames.rows();
    let [first_own, first_next] = settings.first_emphasis();
    let args = Args {
        frames: count as u32,
        transform: settings.transform as u32,
        log2_transform: settings.transform.ilog2(),
        hop: settings.hop as u32,
        mel_bands: settings.mel_bands as u32,
        coefficients: settings.coefficients as u32,
        top_db: settings.top_db,
        mirrored: flag(settings.padding() == Padding::Reflection),
        pre_emphasis: settings.pre_emphasis,
        first_own,
        first_next,
    };
    let variant = if gpu.is_software() { Variant::Software } else { Variant::Graphics };
    let ranges = paired_ranges(gpu, utterances, frames);
    let decibels = gpu.new_tensor([count, settings.mel_bands]);
    let launch = MelBands {
        samples,
        ranges: &ranges,
        frame_owners: &frames.owners,
        window: &tables.window,
        twiddles: &tables.twiddles,
        mel: &tables.mel,
        mel_ranges: &tables.mel_ranges,
        decibels: &decibels,
    };
    let transform = settings.transform as f64;
    gpu.dispatch_variant(variant, &launch, args, flat_grid(count, 1), count as f64 * 2.5 * transform * transform.log2());

    let peaks = gpu.new_tensor([utterances.batch(), 1]);
    let launch = Peak { ranges: &ranges, mel_decibels: &decibels, peaks: &peaks };
    gpu.dispatch_variant(variant, &launch, args, [utterances.batch() as u32, 1, 1], decibels.len() as f64);

    let result = gpu.new_tensor([count, settings.coefficients]);
    let launch =
        Cepstrum { frame_owners: &frames.owners, mel_decibels: &decibels, utterance_peaks: &peaks, dct: &tables.dct, result: &result };
    gpu.dispatch_variant(variant, &launch, args, flat_grid(count, CEPSTRA), 2.0 * (result.len() * settings.mel_bands) as f64);
    result
}
