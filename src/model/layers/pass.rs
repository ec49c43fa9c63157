//! What every layer is handed: the tape, the parameters on it, dropout, and who watches attention.

use crate::backend::{Backend, Matrix, Ragged};
use crate::base::philox::Stream;
use crate::model::Batch;
use crate::model::loss::{Term, Terms};
use crate::model::mixing::Mixing;
use crate::model::parameters::BoundParameters;
use crate::tape::{Tape, Var};

/// One forward pass: the tape, the parameters on it, and dropout where it is on.
pub struct Pass<'t, 'a, B: Backend> {
    /// What the layers are recorded on.
    pub tape: &'t mut Tape<'a, B>,
    /// All of the model's, on that tape.
    pub parameters: &'t BoundParameters<B>,
    /// `None` where nothing is dropped: outside of training.
    pub dropout: Option<Dropout>,
    /// Where the weights of attention go, for who wants to see them; without it those that nothing else needs are not computed.
    pub watched: Option<Vec<Attended<B::Tensor>>>,
    /// Where the further terms of the loss go, for who trains; without it what they alone need is not computed.
    pub terms: Option<Terms<B>>,
    /// How the vectors were mixed that the classifier was given, once they were ([`Pass::mix`]): so is the loss of the logits.
    pub mixing: Option<&'a Mixing<B>>,
}

/// How much of each row of a stream was taken, by what asked. `W` holds the weights: on a device, or on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Attended<W> {
    /// What asked.
    pub by: Asking,
    /// The stream whose rows were asked.
    pub over: &'static str,
    /// Of the layer; 1 where one query asked.
    pub heads: usize,
    /// Rows that asked and rows that were asked, of all utterances together.
    pub rows: [usize; 2],
    /// Utterance after utterance `[heads, asking rows, asked rows]`; the sum over those that were asked is 1.
    pub weights: W,
}

/// What asks in attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asking {
    /// Every row of a stream.
    Rows(&'static str),
    /// One query an utterance, in words.
    Query(String),
}

/// Dropout of one training step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Of the run.
    pub seed: u64,
    /// Number of the training step.
    pub step: u64,
    /// Number of the next place in the network.
    place: u64,
}

impl Dropout {
    /// Dropout for a step.
    pub fn new(seed: u64, step: u64) -> Self {
        Self { seed, step, place: 0 }
    }
}

/// Random streams of dropout start here; those of the starting values are hashes, those of the shuffle are small.
const DROPOUT_STREAMS: u64 = 1 << 62;

impl<'a, B: Backend> Pass<'_, 'a, B> {
    /// The vectors `[batch, any]` that the classifier is given, mixed where the batch is (`train.mixup`).
    pub fn mix(&mut self, x: Var<B>, batch: &'a Batch<B>) -> Var<B> {
        let Some(mixing) = &batch.mixing else { return x };
        self.mixing = Some(mixing);
        mixing.apply(self.tape, &x)
    }
}

impl<B: Backend> Pass<'_, '_, B> {
    /// Keeps the weights of attention where someone wants to see them; `of` computes those that nothing else needs.
    pub(in crate::model) fn watch(&mut self, of: impl FnOnce(&B) -> Attended<B::Tensor>) {
        if let Some(watched) = &mut self.watched {
            watched.push(of(self.tape.backend()));
        }
    }

    /// Drops elements with probability `rate`, in [0, 1), where dropout is on; every `place` in the network draws from a stream of its
    /// own, and from that what belongs to the rows after the `preceding` ones of the batch's earlier parts.
    pub(in crate::model) fn drop_out(&mut self, x: Var<B>, rate: f32, place: u64, preceding: usize) -> Var<B> {
        let Some(dropout) = self.dropout.filter(|_| rate > 0.0) else { return x };
        let stream = Stream { seed: dropout.seed, stream: DROPOUT_STREAMS | (dropout.step << 16) | place };
        let first = preceding * x.value.columns();
        let kept = self.tape.dropout(&x, rate, stream, first);
        self.tape.named(kept, format_args!("dropout.{}", place + 1))
    }

    /// Whether further terms of the loss are asked for.
    pub fn wants_terms(&self) -> bool {
        self.terms.is_some()
    }

    /// Adds a term to the loss, times `weight`; does nothing where none is asked for.
    pub fn add_term(&mut self, weight: f32, term: Term<B>) {
        if let Some(terms) = &mut self.terms {
            terms.push((weight, term));
        }
    }

    /// A vector an utterance, `[batch, columns]`, with a share of its elements dropped, at a place of its own where it is above 0.
    pub(in crate::model) fn dropped_vectors(&mut self, x: Var<B>, rate: f32, rows: &Ragged<B>) -> Var<B> {
        if rate == 0.0 {
            return x;
        }
        let place = self.take_places(1);
        self.drop_out(x, rate, place, rows.preceding.sequences)
    }

    /// The first of `count` places of dropout that no other part of the network has.
    pub(in crate::model) fn take_places(&mut self, count: u64) -> u64 {
        let Some(dropout) = &mut self.dropout else { return 0 };
        let first = dropout.place;
        dropout.place += count;
        first
    }
}
