//! What training changes of its batches by chance: frames and columns that are covered, words that are taken for unknown, utterances that
//! are mixed.
//!
//! Masks and words are drawn by step and utterance, wherever in a batch, or in which of its parts, an utterance stands; who is mixed with
//! whom, and how much, by the step.

use super::batch::{HostBatch, HostFrames, HostMasks, HostStream, HostTokens};
use super::mixup::HostMixup;
use crate::base::philox::Stream;
use crate::base::streams::AUDIO;
use crate::base::utterances::NO_LABEL;
use crate::base::words::OUT_OF_VOCABULARY;
use crate::config::{Settings, TrainSettings};

/// Random streams of what is covered, and of the words, start here, two a step.
const STREAMS: u64 = 1 << 56;

/// Random changes of the batch of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Augmentation {
    settings: TrainSettings,
    step: u64,
    /// Of the masks and of the words.
    streams: [Stream; 2],
}

impl Augmentation {
    /// That of step `step` (from 0) by `train.time_masks`, `train.frequency_masks`, `train.word_dropout` and `train.mixup`; none where
    /// all are off.
    pub fn of(settings: &Settings, step: u64) -> Option<Self> {
        let seed = settings.train.seed;
        let streams = [0, 1].map(|of| Stream { seed, stream: STREAMS | (step << 1) | of });
        settings.augments().then(|| Self { settings: settings.train.clone(), step, streams })
    }

    /// Changes a batch; of frames those of recordings alone, and mixed are utterances with a label.
    pub(crate) fn change(&self, batch: &mut HostBatch) {
        let HostBatch { utterances, labels, streams, mixup, .. } = batch;
        let TrainSettings { seed, mixup: alpha, .. } = self.settings;
        if alpha > 0.0 && !labels.contains(&NO_LABEL) {
            *mixup = Some(HostMixup::draw(alpha, seed, self.step, utterances.len()));
        }
        for (&name, stream) in streams {
            match stream {
                HostStream::Tokens(tokens) => self.drop_words(utterances, tokens),
                HostStream::Frames(frames) if name == AUDIO => self.cover(utterances, frames),
                HostStream::Frames(_) | HostStream::Vector(_) => {}
            }
        }
    }

    fn drop_words(&self, utterances: &[usize], tokens: &mut HostTokens) {
        let rate = self.settings.word_dropout;
        if rate == 0.0 {
            return;
        }
        let mut rest = tokens.tokens.as_mut_slice();
        for (&utterance, &length) in utterances.iter().zip(&tokens.lengths) {
            let own;
            (own, rest) = rest.split_at_mut(length as usize);
            for (place, token) in own.iter_mut().enumerate() {
                if f64::from(self.streams[1].uniform(((utterance as u64) << 32) | place as u64)) < rate {
                    *token = OUT_OF_VOCABULARY;
                }
            }
        }
    }

    /// Park et al.'s draws: a width from 0 to the most, then the first place from all that leave room for it.
    fn cover(&self, utterances: &[usize], frames: &mut HostFrames) {
        let TrainSettings { time_masks, time_mask_frames, time_mask_share, frequency_masks, frequency_mask_columns, .. } = self.settings;
        if time_masks + frequency_masks == 0 {
            return;
        }
        let mut bounds = Vec::with_capacity(utterances.len() * (time_masks + frequency_masks));
        for (&utterance, &length) in utterances.iter().zip(&frames.lengths) {
            let most_frames = ((f64::from(length) * time_mask_share) as usize).min(time_mask_frames);
            let of_frames = std::iter::repeat_n((length as usize, most_frames), time_masks);
            let of_columns = std::iter::repeat_n((frames.columns, frequency_mask_columns.min(frames.columns)), frequency_masks);
            for (mask, (size, most)) in of_frames.chain(of_columns).enumerate() {
                let [width, first] = [0, 1].map(|number| ((utterance as u64) << 32) | (2 * mask as u64) | number);
                let width = self.streams[0].below(width, most + 1);
                let first = self.streams[0].below(first, size - width + 1);
                bounds.push([first as u32, (first + width) as u32]);
            }
        }
        frames.masks = Some(HostMasks { bounds, counts: [time_masks, frequency_masks] });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::base::streams::{Reading, Readings, TEXT};
    use crate::dataset::{BatchShape, Batcher, Dataset, Normalisation};

    /// A batch of the given utterances, changed as in a step.
    fn changed(utterances: &[usize], change: impl Fn(&mut TrainSettings), step: u64) -> HostBatch {
        static DATA: LazyLock<Dataset> = LazyLock::new(|| BatchShape { batch: 12, frames: 200, words: 30, ragged: true }.dataset());
        let readings = Readings::new(&[Reading::frames(AUDIO, 2), Reading::tokens(TEXT)], 1000);
        let mut batch = Batcher::new(&DATA, &Normalisation::None, readings).unwrap().batch(utterances).unwrap();
        let mut settings = Settings::default();
        change(&mut settings.train);
        if let Some(augmentation) = Augmentation::of(&settings, step) {
            augmentation.change(&mut batch);
        }
        batch
    }

    fn frames(batch: &HostBatch) -> &HostFrames {
        match &batch.streams[AUDIO] {
            HostStream::Frames(frames) => frames,
            _ => panic!("recordings are frames"),
        }
    }

    fn tokens(batch: &HostBatch) -> &HostTokens {
        match &batch.streams[TEXT] {
            HostStream::Tokens(tokens) => tokens,
            _ => panic!("words are tokens"),
        }
    }

    fn masked(train: &mut TrainSettings) {
        (train.time_masks, train.frequency_masks) = (3, 2);
    }

    #[test]
    fn masks_stay_within_an_utterance_and_what_may_be_covered_of_it() {
        let (mut widest, mut allowed) = ([0, 0], [0, 0]);
        for step in 0..200 {
            let batch = changed(&[3, 0, 11, 7], masked, step);
            let frames = frames(&batch);
            let masks = frames.masks.as_ref().unwrap();
            assert_eq!((masks.counts, masks.bounds.len()), ([3, 2], 20));
            for (own, &length) in masks.bounds.chunks_exact(5).zip(&frames.lengths) {
                for (place, &[first, end]) in own.iter().enumerate() {
                    let (size, most) = if place < 3 { (length, 70.min(length / 5)) } else { (40, 7) };
                    assert!(first <= end && end <= size && end - first <= most, "[{first}, {end}) of {size}");
                    let kind = usize::from(place >= 3);
                    (widest[kind], allowed[kind]) = (widest[kind].max(end - first), allowed[kind].max(most));
                }
            }
        }
        assert_eq!(widest, allowed);
    }

    #[test]
    fn what_is_drawn_is_the_utterance_s_wherever_it_stands() {
        let whole = changed(&[3, 0, 11, 7], masked, 5);
        let part = changed(&[11, 3], masked, 5);
        let bounds = |batch: &HostBatch| frames(batch).masks.clone().unwrap().bounds;
        assert_eq!(bounds(&whole)[10..15], bounds(&part)[..5]);
        assert_eq!(bounds(&whole)[..5], bounds(&part)[5..]);
        assert_ne!(bounds(&whole), bounds(&changed(&[3, 0, 11, 7], masked, 6)));
        let other_seed = |train: &mut TrainSettings| {
            masked(train);
            train.seed = 1;
        };
        assert_ne!(bounds(&whole), bounds(&changed(&[3, 0, 11, 7], other_seed, 5)));
    }

    #[test]
    fn a_share_of_the_words_becomes_unknown() {
        let dropped = |train: &mut TrainSettings| train.word_dropout = 0.25;
        let all: Vec<usize> = (0..12).collect();
        let (mut words, mut unknown) = (0, 0);
        for step in 0..50 {
            let (before, after) = (changed(&all, |_| (), step), changed(&all, dropped, step));
            for (before, after) in tokens(&before).tokens.iter().zip(&tokens(&after).tokens) {
                assert!(after == before || *after == OUT_OF_VOCABULARY);
                words += usize::from(*before != OUT_OF_VOCABULARY);
                unknown += usize::from(after != before);
            }
        }
        let share = unknown as f64 / words as f64;
        assert!((share - 0.25).abs() < 0.02, "{share}");
        // In a part of the batch the same.
        let (whole, part) = (changed(&all, dropped, 3), changed(&[11], dropped, 3));
        let last = *tokens(&part).lengths.first().unwrap() as usize;
        assert!(tokens(&whole).tokens.ends_with(&tokens(&part).tokens[..last]));
        assert_eq!(changed(&all, |_| (), 3), changed(&all, |_| (), 9));
    }
}
