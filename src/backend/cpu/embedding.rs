//! Word vectors: row r is `table[ids[r]]`, zeros where the word has none. The gradient of a table's row is the sum of
//! the gradients of the rows that used it, in their order.

use super::memory::{unwritten, zeros};
use super::wide::add;
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, Embedding, Run};
use crate::backend::{Matrix, Sink};
use crate::base::words::OUT_OF_VOCABULARY;

impl<T: Real> Run<Embedding<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Embedding<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let Embedding { table, tokens } = of;
        let y = forward(&table.values(), &tokens.ids, table.columns());
        (CpuTensor::new(y, [tokens.rows, table.columns()]), ())
    }
}

impl<T: Real> Differentiate<Embedding<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &Embedding<Self, CpuTensor<T>>,
        (): &(),
        dy: &CpuTensor<T>,
        sinks: &Embedding<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        if let Some(sink) = &sinks.table {
            let dtable = backward(&dy.values(), &of.tokens.occurrence_offsets, &of.tokens.occurrences, dy.columns());
            sink.store(dtable);
        }
    }
}

/// `table: [words, width]`, `ids: [rows]` → `[rows, width]`.
pub(crate) fn forward<T: Real>(table: &[T], ids: &[u32], width: usize) -> Vec<T> {
    let mut y = unwritten(ids.len() * width);
    for (row, &id) in y.chunks_exact_mut(width).zip(ids) {
        match id {
            OUT_OF_VOCABULARY => row.fill(T::zero()),
            id => row.copy_from_slice(&table[id as usize * width..][..width]),
        }
    }
    y
}

/// `dy: [rows, width]`; the rows that used word w are `occurrences[offsets[w]..offsets[w + 1]]` → `[words, width]`.
pub(crate) fn backward<T: Real>(dy: &[T], offsets: &[u32], occurrences: &[u32], width: usize) -> Vec<T> {
    let mut dtable = zeros((offsets.len() - 1) * width);
    for (sums, range) in dtable.chunks_exact_mut(width).zip(offsets.windows(2)) {
        for &row in &occurrences[range[0] as usize..range[1] as usize] {
            add(&dy[row as usize * width..][..width], sums);
        }
    }
    dtable
}
