//! Launches of [`AdditiveAlignment`] and its gradients, over blocks of an utterance's words, or of its frames.

use super::*;
use crate::backend::ops::{AdditiveAlignment, Differentiate};
use shader::additive_alignment::{Args, BLOCK, BackwardFrameScores, BackwardFrames, BackwardWordScores, Forward, WORKGROUP};

/// Whose rows blocks are made of.
#[derive(Clone, Copy)]
enum Side {
    Words,
    Frames,
}

/// Of each block (first word, end, first frame, end): at most BLOCK rows of one side and all of the other's.
fn blocks_of(side: Side, of: &AdditiveAlignment<Gpu, Tensor>) -> Vec<u32> {
    let mut blocks = Vec::new();
    for (words, frames) in of.word_rows.offsets.windows(2).zip(of.frame_rows.offsets.windows(2)) {
        let own = if matches!(side, Side::Words) { words } else { frames };
        for begin in (own[0]..own[1]).step_by(BLOCK as usize) {
            let end = own[1].min(begin + BLOCK);
            blocks.extend(match side {
                Side::Words => [begin, end, frames[0], frames[1]],
                Side::Frames => [words[0], words[1], begin, end],
            });
        }
    }
    blocks
}

/// The blocks of one side on the device, and their number.
fn blocks(gpu: &Gpu, side: Side, of: &AdditiveAlignment<Gpu, Tensor>) -> (Words, usize) {
    let (name, own) = match side {
        Side::Words => ("blocks of words", &of.word_rows),
        Side::Frames => ("blocks of frames", &of.frame_rows),
    };
    let blocks = gpu.derive_list(name, [&of.word_rows.device_offsets, &of.frame_rows.device_offsets], || blocks_of(side, of));
    (blocks, own.lengths().map(|length| length.div_ceil(BLOCK) as usize).sum())
}

fn arguments(of: &AdditiveAlignment<Gpu, Tensor>, blocks: usize, accumulate: u32) -> (Width, Args) {
    let width = of.frames.columns();
    (Width::of(&[width]), Args { blocks: blocks as u32, width: width as u32, accumulate })
}

impl Run<AdditiveAlignment<Self, Tensor>> for Gpu {
    fn forward(&self, of: &AdditiveAlignment<Self, Tensor>) -> (Tensor, ()) {
        let (y, ()) = self.results(of);
        let (blocks, count) = blocks(self, Side::Words, of);
        let AdditiveAlignment { word_scores, frame_scores, frames, .. } = of;
        let (width, args) = arguments(of, count, 0);
        let launch = Forward { blocks: &blocks, word_scores, frame_scores, frames, y: &y };
        let grid = row_grid(y.columns() / width.numbers(), WORKGROUP, count, 1);
        self.dispatch_variant(width, &launch, args, grid, work(of));
        (y, ())
    }
}

impl Differentiate<AdditiveAlignment<Self, Tensor>> for Gpu {
    fn backward(&self, of: &AdditiveAlignment<Self, Tensor>, (): &(), dy: &Tensor, sinks: &AdditiveAlignment<Self, Option<Sink<Tensor>>>) {
        let AdditiveAlignment { word_scores, frame_scores, frames, .. } = of;
        let (word_blocks, word_count) = blocks(self, Side::Words, of);
        let (frame_blocks, frame_count) = blocks(self, Side::Frames, of);
        // Σ e and δ of each word, which the frames' gradients take.
        let statistics = self.new_tensor([word_scores.rows(), 2]);
        let sink = self.sink(&sinks.word_scores, word_scores);
        let (width, args) = arguments(of, word_count, sink.accumulates());
        let launch = BackwardWordScores {
            blocks: &word_blocks,
            word_scores,
            frame_scores,
            frames,
            y_gradient: dy,
            word_gradient: &sink.tensor,
            statistics_out: &statistics,
        };
        self.dispatch_variant(width, &launch, args, row_grid(1, 1, word_count, 1), ops::backward_work(of, sinks));
        if let Some(sink) = &sinks.frame_scores {
            let (width, args) = arguments(of, frame_count, sink.accumulates());
            let launch = BackwardFrameScores {
                blocks: &frame_blocks,
                word_scores,
                frame_scores,
                frames,
                y_gradient: dy,
                statistics: &statistics,
                frame_gradient: &sink.tensor,
            };
            self.dispatch_variant(width, &launch, args, row_grid(1, 1, frame_count, 1), None);
        }
        if let Some(sink) = &sinks.frames {
            let (width, args) = arguments(of, frame_count, sink.accumulates());
            let launch = BackwardFrames {
                blocks: &frame_blocks,
                word_scores,
                frame_scores,
                y_gradient: dy,
                statistics: &statistics,
                frames_gradient: &sink.tensor,
            };
            let grid = row_grid(frames.columns() / width.numbers(), WORKGROUP, frame_count, 1);
            self.dispatch_variant(width, &launch, args, grid, None);
        }
    }
}
