//! Attention layers (6–17): one modality's half of a cross layer, or a self layer.

use super::{Asking, Attended, Linear, Pass, ResidualNorm, Sequence};
use crate::backend::ops::{Attention, AttentionWeights};
use crate::backend::{Backend, Ragged};
use crate::base::numbers::{Activation, Precision};
use crate::model::parameters::Parameters;
use crate::tape::Var;

/// Sizes of an attention layer.
#[derive(Debug, Clone, Copy)]
pub struct AttentionSizes {
    /// Columns of its sequences, which the heads divide among them.
    pub width: usize,
    /// How many there are; they divide `width`.
    pub heads: usize,
    /// Columns between the two layers of the feed-forward part.
    pub feed_forward: usize,
    /// Whether queries, keys, values and their output have a bias.
    pub bias: bool,
    /// What q·k is multiplied with.
    pub scale: f32,
    /// Probability that an element of what the attention and the feed-forward part add is dropped.
    pub dropout: f32,
}

/// Queries, keys and values of one sequence (6–8, 15).
pub struct Projected<'a, B: Backend> {
    queries: Var<B>,
    keys: Var<B>,
    values: Var<B>,
    rows: &'a Ragged<B>,
}

/// A sequence that enters an attention layer, beside others that enter theirs.
pub struct Entering<'l, 'a, B: Backend> {
    /// The layer.
    pub layer: &'l AttentionLayer,
    /// Whose queries attend.
    pub sequence: Sequence<'a, B>,
    /// Which of those beside each other they attend to: itself in a self layer, the other modality in a cross layer, or each of the
    /// others, whose heads are then added up before W^O.
    pub sources: Vec<usize>,
    /// First of two places of dropout.
    pub place: u64,
}

/// One modality's half of a cross layer (6–14), or a self layer (15–17): projections, multi-head attention, residual and
/// LayerNorm, feed-forward, residual and LayerNorm.
#[derive(Debug, Clone)]
pub struct AttentionLayer {
    name: String,
    sizes: AttentionSizes,
    queries: Linear,
    keys: Linear,
    values: Linear,
    output: Linear,
    norm1: ResidualNorm,
    ff1: Linear,
    ff2: Linear,
    norm2: ResidualNorm,
}

impl AttentionLayer {
    /// Adds the parameters of its parts, under names that begin with `name`.
    pub fn new(parameters: &mut Parameters, name: &str, sizes: AttentionSizes) -> Self {
        let AttentionSizes { width, feed_forward, bias, .. } = sizes;
        let mut linear = |part: &str, shape, bias, activation| Linear::new(parameters, &format!("{name}.{part}"), shape, bias, activation);
        let queries = linear("q", [width, width], bias, Activation::None);
        let keys = linear("k", [width, width], bias, Activation::None);
        let values = linear("v", [width, width], bias, Activation::None);
        let output = linear("o", [width, width], bias, Activation::None);
        let ff1 = linear("ff1", [feed_forward, width], true, Activation::Relu);
        let ff2 = linear("ff2", [width, feed_forward], true, Activation::None);
        let norm1 = ResidualNorm::new(parameters, &format!("{name}.norm1"), width);
        let norm2 = ResidualNorm::new(parameters, &format!("{name}.norm2"), width);
        Self { name: name.into(), sizes, queries, keys, values, output, norm1, ff1, ff2, norm2 }
    }

    /// Projects each sequence to queries, keys and values, all at once.
    pub fn project<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, entering: &[Entering<'_, 'a, B>]) -> Vec<Projected<'a, B>> {
        // All queries, then all keys, then all values: a device then has three ranges of memory, which do not meet.
        let parts: [fn(&Self) -> &Linear; 3] = [|layer| &layer.queries, |layer| &layer.keys, |layer| &layer.values];
        let linears: Vec<_> = parts.iter().flat_map(|part| entering.iter().map(|one| (part(one.layer), &one.sequence.x))).collect();
        let projected = Linear::forward_together(pass, &linears);
        let of = |(number, one): (usize, &Entering<'_, 'a, B>)| {
            let [queries, keys, values] = [0, 1, 2].map(|part| projected[part * entering.len() + number].clone());
            Projected { queries, keys, values, rows: one.sequence.rows }
        };
        entering.iter().enumerate().map(of).collect()
    }

    /// With which weights the queries of one stream attend to the rows of another.
    pub(in crate::model) fn attended<'a, B: Backend>(
        &self,
        backend: &B,
        (by, own): (&'static str, &Projected<'a, B>),
        (over, source): (&'static str, &Projected<'a, B>),
    ) -> Attended<B::Tensor> {
        let weights = backend.run(&AttentionWeights(Attention {
            queries: own.queries.value.clone(),
            keys: source.keys.value.clone(),
            values: source.values.value.clone(),
            query_rows: own.rows.clone(),
            key_rows: source.rows.clone(),
            heads: self.sizes.heads,
            scale: self.sizes.scale,
            precision: Precision::F32,
        }));
        let rows = [own.rows, source.rows].map(Ragged::rows);
        Attended { by: Asking::Rows(by), over, heads: self.sizes.heads, rows, weights }
    }

    /// What the sequences become when the queries of each attend to its sources, all at once.
    pub fn attend<'a, B: Backend>(
        pass: &mut Pass<'_, 'a, B>,
        entering: &[Entering<'_, 'a, B>],
        projected: &[Projected<'a, B>],
    ) -> Vec<Sequence<'a, B>> {
        let pairs = entering.iter().enumerate().flat_map(|(own, one)| one.sources.iter().map(move |&source| (own, source)));
        let pairs: Vec<(usize, usize)> = pairs.collect();
        let precision = pass.tape.precision();
        let attention = |&(own, source): &(usize, usize)| {
            let AttentionSizes { heads, scale, .. } = entering[own].layer.sizes;
            let Projected { keys, values, rows, .. } = &projected[source];
            let [queries, keys, values] = [&projected[own].queries, keys, values].map(Clone::clone);
            let [query_rows, key_rows] = [projected[own].rows, rows].map(Ragged::clone);
            Attention { queries, keys, values, query_rows, key_rows, heads, scale, precision }
        };
        let attentions: Vec<_> = pairs.iter().map(attention).collect();
        let of_pairs = pass.tape.apply_together(&attentions, |number| format!("{}.attention", entering[pairs[number].0].layer.name));
        let mut attended: Vec<Var<B>> = Vec::new();
        for (&(own, _), x) in pairs.iter().zip(of_pairs) {
            match attended.get(own) {
                Some(before) => attended[own] = pass.tape.add(before, &x),
                None => attended.push(x),
            }
        }
        let attended = Self::linears(pass, entering, &attended, |layer| &layer.output);
        let attended = Self::drop_out(pass, entering, attended, 0);
        let residuals: Vec<Var<B>> = entering.iter().map(|one| one.sequence.x.clone()).collect();
        let middle = Self::norms(pass, entering, &attended, &residuals, |layer| &layer.norm1);
        let inner = Self::linears(pass, entering, &middle, |layer| &layer.ff1);
        let inner = Self::linears(pass, entering, &inner, |layer| &layer.ff2);
        let inner = Self::drop_out(pass, entering, inner, 1);
        let ending = Self::norms(pass, entering, &inner, &middle, |layer| &layer.norm2);
        entering.iter().zip(ending).map(|(one, x)| Sequence { x, rows: one.sequence.rows }).collect()
    }

    /// A part of each layer.
    fn linears<B: Backend>(
        pass: &mut Pass<'_, '_, B>,
        entering: &[Entering<'_, '_, B>],
        xs: &[Var<B>],
        part: impl Fn(&Self) -> &Linear,
    ) -> Vec<Var<B>> {
        let linears: Vec<_> = entering.iter().zip(xs).map(|(one, x)| (part(one.layer), x)).collect();
        Linear::forward_together(pass, &linears)
    }

    /// The same of sums with residuals.
    fn norms<B: Backend>(
        pass: &mut Pass<'_, '_, B>,
        entering: &[Entering<'_, '_, B>],
        xs: &[Var<B>],
        residuals: &[Var<B>],
        part: impl Fn(&Self) -> &ResidualNorm,
    ) -> Vec<Var<B>> {
        let norms: Vec<_> = entering.iter().zip(xs).zip(residuals).map(|((one, x), residual)| (part(one.layer), x, residual)).collect();
        ResidualNorm::forward_together(pass, &norms)
    }

    /// Dropout of each at its first or second place.
    fn drop_out<B: Backend>(pass: &mut Pass<'_, '_, B>, entering: &[Entering<'_, '_, B>], xs: Vec<Var<B>>, place: u64) -> Vec<Var<B>> {
        let one = |(one, x): (&Entering<'_, '_, B>, Var<B>)| {
            pass.drop_out(x, one.layer.sizes.dropout, one.place + place, one.sequence.rows.preceding.rows)
        };
        entering.iter().zip(xs).map(one).collect()
    }
}
