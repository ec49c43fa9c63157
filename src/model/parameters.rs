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

    /// The buffer in buckets of at least so many elements, but for the last one, from its end to its beginning: about as the way back ends
    /// gradients, for models lay parameters out in the order in which they use them. A bucket has whole modules, as far as the first parts of
    /// names tell them: none waits for a module of which it has a part.
    pub(crate) fn buckets(&self, least: usize) -> Vec<Range<usize>> {
        let module = |of: &[Parameter]| of.first().and_then(|parameter| parameter.name.split('.').next()).map(str::to_owned);
        let modules: Vec<Option<String>> = self.blocks().map(module).collect();
        let (mut buckets, mut end) = (Vec::new(), self.len());
        for (block, Range { start, .. }) in self.block_ranges().into_iter().enumerate().rev() {
            let begins = block == 0 || modules[block] != modules[block - 1];
            if begins && end > start && (end - start >= least || block == 0) {
                buckets.push(start..end);
                end = start;
            }
        }
        buckets
    }

    /// How many steps of a tape's way back are still to come when the gradients of a bucket are whole, where all blocks are bound on it.
    pub(crate) fn steps_left<B: Backend>(&self, bucket: &Range<usize>, bound: &BoundParameters<B>, tape: &Tape<'_, B>) -> usize {
        let of_bucket = self.blocks.iter().zip(&bound.0).filter(|((start, _), _)| bucket.contains(start));
        of_bucket.map(|(_, var)| tape.steps_left(var)).min().unwrap_or(usize::MAX)
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
    use crate::backend::Storage;
    use crate::backend::cpu::Cpu;
    use crate::tape::Mode;

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

    #[test]
    fn buckets_are_whole_modules_from_the_last_to_the_first() {
        let mut parameters = Parameters::default();
        for (name, count) in [("a", 5), ("b", 70), ("c", 64), ("d.weight", 1), ("d.bias", 1)] {
            parameters.add(name.into(), &[count], Initial::Constant(1.0));
        }
        for (least, expected) in [
            (0, vec![256..384, 192..256, 64..192, 0..64]),
            (129, vec![192..384, 0..192]),
            (200, vec![64..384, 0..64]),
            (1 << 20, std::iter::once(0..384).collect()),
        ] {
            assert_eq!(parameters.buckets(least), expected, "{least}");
        }
        assert_eq!(Parameters::default().buckets(1), []);
    }

    #[test]
    fn a_bucket_is_whole_when_its_first_use_has_been_gone_back_through() {
        let mut parameters = Parameters::default();
        for name in ["first", "last", "unused"] {
            parameters.add(name.into(), &[4], Initial::Constant(1.0));
        }
        let backend = Cpu::<f32>::default();
        let mut tape = Tape::new(&backend, Mode::Train);
        let [values, gradients] = [(); 2].map(|()| backend.zeros([1, parameters.len()]));
        let bound = parameters.bind(&mut tape, &values, &gradients, Write::Set);
        // Three steps: two take the first parameter, the one between them the last.
        let x = tape.add(&bound[Block(0)], &bound[Block(0)]);
        let x = tape.add(&x, &bound[Block(1)]);
        let y = tape.add(&x, &bound[Block(0)]);
        let left = |bucket| parameters.steps_left(&bucket, &bound, &tape);
        assert_eq!([left(128..192), left(64..128), left(64..192), left(0..128)], [3, 1, 1, 0]);
        let (mut told, read) = (Vec::new(), |start| backend.start_read(&gradients.slice(start, [1, 4])));
        let seed = backend.upload(&[1.0, 2.0, 3.0, 4.0], [1, 4]);
        tape.backward_telling(vec![(&y, seed)], &mut |left| told.push((left, read(0)[3], read(64)[3])));
        assert_eq!(told, [(3, 0.0, 0.0), (2, 4.0, 0.0), (1, 4.0, 4.0), (0, 12.0, 4.0)]);
    }
}
