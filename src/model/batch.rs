//! A batch on a device.

use std::collections::BTreeMap;

use super::mixing::Mixing;
use crate::backend::ops::{GroupStatistics, Masks, Segments, SpecAugment, Tokens, ZScore};
use crate::backend::{Backend, Preceding, Ragged};
use crate::base::numbers::POOL;
use crate::base::utterances::NO_LABEL;
use crate::dataset::{Aligned, BatchStatistics, HostBatch, HostFrames, HostRows, HostStream, HostTokens, HostVectors, covered};
use crate::tape::{Tape, Var};

/// Some utterances, one after the other, as the network reads them.
pub struct Batch<B: Backend> {
    /// Those that the model reads.
    pub streams: BTreeMap<&'static str, BatchStream<B>>,
    /// `[batch]`: index into the classes; `None` where not all have a label.
    pub labels: Option<B::Words>,
    /// Of streams that are aligned with another, `[rows]`: which rows of that each of theirs covers, first and end.
    pub covered: BTreeMap<&'static str, Vec<[u32; 2]>>,
    /// How they are mixed, where they are.
    pub mixing: Option<Mixing<B>>,
}

/// A stream of a batch.
pub enum BatchStream<B: Backend> {
    /// Ragged frames.
    Frames(FrameInput<B>),
    /// Ragged tokens.
    Tokens(TokenInput<B>),
    /// A vector an utterance.
    Vector(VectorInput<B>),
}

/// Ragged frames.
pub struct FrameInput<B: Backend> {
    /// `[any, columns]`: the frames before normalisation, which may lie among those of the whole data set.
    pub values: B::Tensor,
    /// `[batch]`: row of `values` that an utterance begins with.
    pub first_rows: B::Words,
    /// Rows of the frames, after the first pool, after the second, …; as many pools as the model asked for.
    pub rows: Vec<Ragged<B>>,
    /// The z-score of each utterance's group.
    pub normalisation: GroupStatistics<B>,
    /// What is covered of them, where something is.
    pub masks: Option<Masks<B>>,
}

/// Ragged tokens.
pub struct TokenInput<B: Backend> {
    /// Of all utterances, one after the other.
    pub tokens: Tokens<B>,
    /// Where each utterance's tokens lie.
    pub rows: Ragged<B>,
    /// The frozen word vectors, `[words, width]`; without a row where the table is trained.
    pub vectors: B::Tensor,
}

/// A vector an utterance.
pub struct VectorInput<B: Backend> {
    /// `[batch, columns]`, before normalisation.
    pub values: B::Tensor,
    /// One an utterance.
    pub rows: Ragged<B>,
    /// The z-score of each utterance's group.
    pub normalisation: GroupStatistics<B>,
}

impl<B: Backend> Batch<B> {
    /// Uploads a batch; the device has the frozen word vectors of each stream of tokens, and the rows of streams that it keeps.
    pub(crate) fn upload(
        backend: &B,
        host: &HostBatch,
        vectors: &BTreeMap<&'static str, B::Tensor>,
        kept: &BTreeMap<&'static str, B::Tensor>,
    ) -> Self {
        let input = |(&name, stream): (&&'static str, &HostStream)| {
            let input = match stream {
                HostStream::Frames(frames) => BatchStream::Frames(FrameInput::upload(backend, frames, kept.get(name))),
                HostStream::Tokens(tokens) => {
                    let vectors = vectors.get(name).cloned().unwrap_or_else(|| backend.upload(&[], [0, 0]));
                    BatchStream::Tokens(TokenInput::upload(backend, tokens, vectors))
                }
                HostStream::Vector(vectors) => BatchStream::Vector(VectorInput::upload(backend, vectors)),
            };
            (name, input)
        };
        let streams = host.streams.iter().map(input).collect();
        let labels = (!host.labels.contains(&NO_LABEL)).then(|| backend.upload_words(&host.labels));
        let mixing = host.mixup.as_ref().map(|mixup| Mixing::upload(backend, mixup, &host.labels));
        Self { streams, labels, covered: host.covered.clone(), mixing }
    }

    /// The rows of `frames` that each of a stream covers: as the data say it, else evenly.
    pub(crate) fn segments(&self, backend: &B, stream: &str, rows: &Ragged<B>, frames: &Ragged<B>) -> Segments<B> {
        let bounds = self.covered.get(stream).cloned().unwrap_or_else(|| {
            let lengths = rows.lengths().zip(frames.lengths());
            covered(lengths.map(|(words, frames)| Aligned { words: words as usize, frames: frames as usize, times: None }), 1.0)
        });
        let [starts, ends] = [0, 1].map(|end| bounds.iter().map(|bounds| bounds[end]).collect::<Vec<_>>());
        Segments::new(backend, &starts, &ends, frames.rows())
    }

    /// The frames of that name.
    ///
    /// # Panics
    /// Where the batch has none: the model did not say that it reads them.
    pub fn frames(&self, name: &str) -> &FrameInput<B> {
        match self.streams.get(name) {
            Some(BatchStream::Frames(frames)) => frames,
            _ => panic!("the model reads frames '{name}' without saying so"),
        }
    }

    /// The tokens of that name.
    ///
    /// # Panics
    /// Where the batch has none: the model did not say that it reads them.
    pub fn tokens(&self, name: &str) -> &TokenInput<B> {
        match self.streams.get(name) {
            Some(BatchStream::Tokens(tokens)) => tokens,
            _ => panic!("the model reads tokens '{name}' without saying so"),
        }
    }

    /// The vectors of that name.
    ///
    /// # Panics
    /// Where the batch has none: the model did not say that it reads them.
    pub fn vectors(&self, name: &str) -> &VectorInput<B> {
        match self.streams.get(name) {
            Some(BatchStream::Vector(vectors)) => vectors,
            _ => panic!("the model reads vectors '{name}' without saying so"),
        }
    }

    /// Says that this is a part of a batch and comes after utterances with so many rows of each stream: it then draws the random
    /// numbers that it would in the whole.
    pub(crate) fn follow(&mut self, sequences: usize, rows_before: impl Fn(&str) -> Vec<usize>) {
        for (name, stream) in &mut self.streams {
            let layouts: Vec<&mut Ragged<B>> = match stream {
                BatchStream::Frames(frames) => frames.rows.iter_mut().collect(),
                BatchStream::Tokens(tokens) => vec![&mut tokens.rows],
                BatchStream::Vector(vectors) => vec![&mut vectors.rows],
            };
            let lengths = rows_before(name);
            for (pools, layout) in layouts.into_iter().enumerate() {
                let window = (POOL as usize).pow(pools as u32);
                layout.preceding = Preceding { rows: lengths.iter().map(|length| length / window).sum(), sequences };
            }
        }
    }
}

impl<B: Backend> FrameInput<B> {
    /// Of frames `[frames, columns]` that are those of the batch alone.
    pub(crate) fn new(values: B::Tensor, rows: Vec<Ragged<B>>, normalisation: GroupStatistics<B>) -> Self {
        Self { values, first_rows: rows[0].device_offsets.clone(), rows, normalisation, masks: None }
    }

    /// `kept`: the rows of the whole data set, where the batch says which it takes of them.
    fn upload(backend: &B, host: &HostFrames, kept: Option<&B::Tensor>) -> Self {
        let HostFrames { columns, rows: host_rows, lengths, statistics, pools, masks } = host;
        let rows = pooled_rows(backend, lengths, *pools);
        let normalisation = z_score(backend, statistics, *columns);
        let masks = masks.as_ref().map(|masks| Masks::new(backend, &masks.bounds, masks.counts, lengths, *columns));
        match (host_rows, kept) {
            (HostRows::Values(values), _) => {
                Self { masks, ..Self::new(backend.upload(values, [values.len() / columns, *columns]), rows, normalisation) }
            }
            (HostRows::Kept(first_rows), Some(kept)) => {
                Self { values: kept.clone(), first_rows: backend.upload_words(first_rows), rows, normalisation, masks }
            }
            (HostRows::Kept(_), None) => panic!("a batch takes rows that the device does not keep"),
        }
    }

    /// The frames, normalised, with zeros for what is covered.
    pub fn normalised(&self, tape: &mut Tape<'_, B>) -> Var<B> {
        let Self { values, first_rows, rows, normalisation, masks } = self;
        let (x, first_rows, rows) = (values.clone(), first_rows.clone(), rows[0].clone());
        let y = tape.z_score(&ZScore { x, first_rows, rows: rows.clone(), statistics: normalisation.clone() });
        if let Some(masks) = masks {
            tape.backend().run(&SpecAugment { x: y.value.clone(), rows, masks: masks.clone() });
        }
        y
    }
}

impl<B: Backend> TokenInput<B> {
    fn upload(backend: &B, host: &HostTokens, vectors: B::Tensor) -> Self {
        Self { tokens: Tokens::new(backend, &host.tokens, host.words), rows: Ragged::new(backend, &host.lengths), vectors }
    }

    /// The tokens' vectors, of a table that is trained or, without one, of the frozen.
    pub fn embedded<'a>(&'a self, tape: &mut Tape<'a, B>, table: Option<&Var<B>>) -> Var<B> {
        let frozen = tape.constant(self.vectors.clone());
        tape.embedding(table.unwrap_or(&frozen), &self.tokens)
    }
}

impl<B: Backend> VectorInput<B> {
    fn upload(backend: &B, host: &HostVectors) -> Self {
        let HostVectors { columns, values, statistics } = host;
        let batch = values.len() / columns;
        Self {
            values: backend.upload(values, [batch, *columns]),
            rows: Ragged::new(backend, &vec![1; batch]),
            normalisation: z_score(backend, statistics, *columns),
        }
    }

    /// The vectors, normalised.
    pub fn normalised(&self, tape: &mut Tape<'_, B>) -> Var<B> {
        let Self { values, rows, normalisation } = self;
        let (x, first_rows) = (values.clone(), rows.device_offsets.clone());
        tape.z_score(&ZScore { x, first_rows, rows: rows.clone(), statistics: normalisation.clone() })
    }
}

/// Layouts of sequences before, between and after `pools` pools.
pub(crate) fn pooled_rows<B: Backend>(backend: &B, lengths: &[u32], pools: u32) -> Vec<Ragged<B>> {
    let mut layouts = vec![Ragged::new(backend, lengths)];
    for pool in 0..pools as usize {
        layouts.push(layouts[pool].pooled(backend, POOL));
    }
    layouts
}

fn z_score<B: Backend>(backend: &B, statistics: &BatchStatistics, columns: usize) -> GroupStatistics<B> {
    let groups = statistics.mean.len() / columns;
    GroupStatistics {
        groups: backend.upload_words(&statistics.groups),
        mean: backend.upload(&statistics.mean, [groups, columns]),
        reciprocal_deviation: backend.upload(&statistics.reciprocal_deviation, [groups, columns]),
    }
}
