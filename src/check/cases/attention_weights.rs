//! Cases of `attention_weights`.

use std::fmt;

use super::{Attention, Scores};
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::numbers::Precision;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::TapeOperation;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// The weights of an attention: its shapes and inputs, without the values.
#[derive(Debug, Clone)]
pub struct AttentionWeights(pub Attention);

impl fmt::Display for AttentionWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Subject for AttentionWeights {
    /// A sum over d_k, an exp of about 1e-6 on some drivers and a sum over the keys; rounding of a score of 80 is 5e-6,
    /// and its exp is off by as much of itself.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(match self.0.scores {
            Scores::Usual | Scores::Halfway | Scores::Overflowing | Scores::Infinite => 2e-5,
            Scores::Large => 2e-4,
        })
    }

    /// The weights of a query sum to 1, where there is one with a key.
    fn silence(&self) -> Silence {
        let mut pairs = self.0.queries.iter().zip(&self.0.keys);
        if pairs.all(|(&queries, &keys)| queries * keys == 0) { Silence::Right } else { Silence::Wrong }
    }
}

impl Suite for AttentionWeights {
    /// Those of `attention`.
    fn cases() -> Vec<Self> {
        Attention::cases().into_iter().filter(|attention| attention.precision == Precision::F32).map(Self).collect()
    }

    fn random(source: &mut Source) -> Self {
        Self(Attention { precision: Precision::F32, ..Attention::random(source) })
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let attention = Attention::read(keys)?;
        if attention.precision == Precision::Mixed {
            return Err(SizeError::Misfit("weights for pictures are made in f32; leave mixed out".into()));
        }
        Ok(Self(attention))
    }

    fn largest(&self) -> u64 {
        self.0.heads as u64
            * self.0.queries.iter().zip(&self.0.keys).map(|(&queries, &keys)| u64::from(queries) * u64::from(keys)).sum::<u64>()
    }

    fn gradient() -> Gradient {
        Gradient::None("the weights are for pictures; training never asks for them")
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::attention_weights::SHADER, "/ total", "/ (1.001 * total)")];
}

impl<B: Backend> Record<B> for AttentionWeights {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let [query_rows, key_rows] = self.0.constants(inputs);
        let operands: Vec<B::Tensor> = self.0.leaves(source).iter().map(|leaf| inputs.leaf(leaf)).collect();
        let [queries, keys, values] = [0, 1, 2].map(|operand| operands[operand].clone());
        let (heads, scale, precision, backend) = (self.0.heads, self.0.scale(), self.0.precision, inputs.backend);
        let weights = ops::AttentionWeights(ops::Attention { queries, keys, values, query_rows, key_rows, heads, scale, precision });
        Box::new(move || vec![Recorded::new("weights", backend.run(&weights))])
    }
}
