//! Cases of `attention_weights`.

use std::fmt;

use super::{Attention, Scores};
use crate::backend::{Backend, ops};
use crate::check::compare::{Silence, Tolerance};
use crate::check::differentiable::Differentiable;
use crate::check::{Inputs, Recorded, Source, Subject};

/// The weights of an attention: its shapes and inputs, without the values.
#[derive(Debug, Clone)]
pub struct AttentionWeights(pub Attention);

impl fmt::Display for AttentionWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Subject for AttentionWeights {
    /// Those of `attention`.
    fn cases() -> Vec<Self> {
        Attention::cases().into_iter().map(Self).collect()
    }

    fn random(source: &mut Source) -> Self {
        Self(Attention::random(source))
    }

    /// A sum over d_k, an exp of about 1e-6 on some drivers and a sum over the keys; rounding of a score of 80 is 5e-6,
    /// and its exp is off by as much of itself.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(match self.0.scores {
            Scores::Usual | Scores::Infinite => 2e-5,
            Scores::Large => 2e-4,
        })
    }

    /// The weights of a query sum to 1, where there is one with a key.
    fn silence(&self) -> Silence {
        let mut pairs = self.0.queries.iter().zip(&self.0.keys);
        if pairs.all(|(&queries, &keys)| queries * keys == 0) { Silence::Right } else { Silence::Wrong }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let [query_rows, key_rows] = self.0.layout(inputs);
        let operands: Vec<B::Tensor> =
            self.0.leaves(source).iter().map(|leaf| inputs.matrix(&leaf.name, leaf.shape, &leaf.values)).collect();
        let attention = ops::Attention {
            queries: operands[0].clone(),
            keys: operands[1].clone(),
            values: operands[2].clone(),
            query_rows,
            key_rows,
            heads: self.0.heads,
            scale: self.0.scale(),
        };
        vec![Recorded::new("weights", inputs.backend.run(&ops::AttentionWeights(attention)))]
    }
}
