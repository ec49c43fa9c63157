//! All parameters in one buffer: where each lies, what it is called, how it starts.
//!
//! A *block* is what a kernel reads as one matrix; it holds one PyTorch parameter or, for the LSTM, the same one of both
//! directions. Blocks start at multiples of `SLICE_ALIGNMENT`; the gaps stay zero under every optimiser.

use std::ops::Range;

pub use super::initial::{GruPart, Initial};
use super::trained::Trained;
use crate::backend::{Backend, Matrix, SLICE_ALIGNMENT, Sink, Write};
use crate::tape::{Tape, Var};

/// A parameter by its PyTorch name.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Unique within the model.
    pub name: String,
    /// As PyTorch has it.
    pub shape: Vec<usize>,
    /// First element in the buffer.
    pub offset: usize,
    /// How it starts where no weights are given.
    pub initial: Initial,
}

impl Parameter {
    /// Number of elements.
    pub fn len(&self) -> usize {
        elements(&self.shape)
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starting values from a seed; they depend on the name, not on what other parameters the model has.
    pub fn initial_values(&self, seed: u64) -> Vec<f32> {
        self.initial.values(&self.name, self.len(), seed)
    }
}

/// Elements of a parameter, and of all together, are not counted beyond these: no memory holds as many, and sums stay numbers.
const UNCOUNTED: [usize; 2] = [1 << (usize::BITS - 4), 1 << (usize::BITS - 2)];

/// Elements of a shape.
fn elements(shape: &[usize]) -> usize {
    shape.iter().fold(1, |count: usize, &size| count.saturating_mul(size)).min(UNCOUNTED[0])
}

/// A block of [`Parameters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block(usize);

/// The parameters of a model: what each is called and where it lies in the buffer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    all: Vec<Parameter>,
    /// First element and `[rows, columns]` of each block.
    blocks: Vec<(usize, [usize; 2])>,
    /// Of each block, how many parameters there are up to its end.
    ends: Vec<usize>,
    len: usize,
}

impl Parameters {
    /// Adds a block of one parameter; kernels see it as `[first dimension, the rest]`, vectors as `[1, n]`.
    pub fn add(&mut self, name: String, shape: &[usize], initial: Initial) -> Block {
        self.add_joined([name], shape, initial)
    }

    /// Adds a block of several parameters of the same shape, one after the other.
    pub fn add_joined<const N: usize>(&mut self, names: [String; N], shape: &[usize], initial: Initial) -> Block {
        let start = self.len();
        let count = elements(shape);
        self.len = (start + N * count).min(UNCOUNTED[1]);
        for (part, name) in names.into_iter().enumerate() {
            self.all.push(Parameter { name, shape: shape.to_vec(), offset: start + part * count, initial });
        }
        let matrix = if shape.len() == 1 { [1, N * count] } else { [N * shape[0], elements(&shape[1..])] };
        self.blocks.push((start, matrix));
        self.ends.push(self.all.len());
        Block(self.blocks.len() - 1)
    }

    /// Each of them, in the order of the buffer.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter> {
        self.all.iter()
    }

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.all.iter().find(|parameter| parameter.name == name)
    }

    /// Number of parameters that are trained, gaps not counted.
    pub fn count(&self) -> usize {
        self.all.iter().map(Parameter::len).fold(0, usize::saturating_add)
    }

    /// Elements of the buffer.
    pub fn len(&self) -> usize {
        self.len.next_multiple_of(SLICE_ALIGNMENT)
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Starting values of the whole buffer.
    pub fn initial_values(&self, seed: u64) -> Vec<f32> {
        self.assemble(|parameter| parameter.initial_values(seed))
    }

    /// The buffer with each parameter's values from `values`.
    pub fn assemble(&self, values: impl Fn(&Parameter) -> Vec<f32>) -> Vec<f32> {
        let mut buffer = vec![0.0; self.len()];
        for parameter in &self.all {
            buffer[parameter.offset..parameter.offset + parameter.len()].copy_from_slice(&values(parameter));
        }
        buffer
    }

    /// The parameters of each block, in the order of the buffer.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[Parameter]> {
        let firsts = std::iter::once(0).chain(self.ends.iter().copied());
        firsts.zip(&self.ends).map(|(first, &end)| &self.all[first..end])
    }

    /// Elements of each block, with the gap behind it.
    pub(super) fn block_ranges(&self) -> Vec<Range<usize>> {
        let ends = self.blocks.iter().skip(1).map(|(start, _)| *start).chain([self.len()]);
        self.blocks.iter().map(|(start, _)| *start).zip(ends).map(|(start, end)| start..end).collect()
    }

    /// Puts all blocks on a tape, with their gradients in the buffer of the same layout, set or added to.
    pub fn bind<B: Backend>(&self, tape: &mut Tape<'_, B>, values: &B::Tensor, gradients: &B::Tensor, write: Write) -> BoundParameters<B> {
        self.bind_where(tape, values, gradients, write, |_| true)
    }

    /// The same; of blocks that are not trained no gradient is wanted, and nothing is written.
    pub fn bind_trained<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        [values, gradients]: [&B::Tensor; 2],
        write: Write,
        trained: &Trained,
    ) -> BoundParameters<B> {
        self.bind_where(tape, values, gradients, write, |block| trained.is_trained(block))
    }

    fn bind_where<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        values: &B::Tensor,
        gradients: &B::Tensor,
        write: Write,
        is_wanted: impl Fn(usize) -> bool,
    ) -> BoundParameters<B> {
        let bind = |(block, &(start, shape)): (usize, &(usize, [usize; 2]))| {
            let value = values.slice(start, shape);
            match is_wanted(block) {
                true => tape.parameter(value, Sink { tensor: gradients.slice(start, shape), write }),
                false => tape.constant(value),
            }
        };
        BoundParameters(self.blocks.iter().enumerate().map(bind).collect())
    }

    /// Puts all blocks on a tape that wants no gradients.
    pub fn bind_constant<B: Backend>(&self, tape: &Tape<'_, B>, values: &B::Tensor) -> BoundParameters<B> {
        BoundParameters(self.blocks.iter().map(|&(start, shape)| tape.constant(values.slice(start, shape))).collect())
    }
}

impl<'p> IntoIterator for &'p Parameters {
    type Item = &'p Parameter;
    type IntoIter = std::slice::Iter<'p, Parameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The blocks of some parameters on a tape.
pub struct BoundParameters<B: Backend>(Vec<Var<B>>);

impl<B: Backend> std::ops::Index<Block> for BoundParameters<B> {
    type Output = Var<B>;

    fn index(&self, block: Block) -> &Var<B> {
        &self.0[block.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_do_not_overlap() {
        let mut parameters = Parameters::default();
        parameters.add("a".into(), &[5, 3], Initial::Constant(1.0));
        parameters.add_joined(["b".into(), "c".into()], &[7], Initial::Constant(2.0));
        let values = parameters.initial_values(0);
        assert_eq!(parameters.blocks, [(0, [5, 3]), (64, [1, 14])]);
        assert_eq!(values.len(), 128);
        assert_eq!(values.iter().sum::<f32>(), 15.0 + 28.0);
    }
}
