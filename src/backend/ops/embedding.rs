//! Word vectors: row `ids[r]` of the table for each row r; zeros where the word has no vector. The way back: each row of the table
//! sums the gradients of the rows that used it, in their order. Each element by itself, as IEEE 754 has it.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};
use crate::base::words::OUT_OF_VOCABULARY;

/// → `[rows, width]`.
pub struct Embedding<B: Storage, T> {
    /// `[words, width]`
    pub table: T,
    /// Which rows of it.
    pub tokens: Tokens<B>,
}

/// Tokens of a batch and, for the gradient, where each row of the table occurs.
pub struct Tokens<B: Storage> {
    /// `[rows]`: row of the vector table, [`OUT_OF_VOCABULARY`] where the word has none.
    pub ids: B::Words,
    /// `[table rows + 1]`: range in `occurrences` of each row of the table.
    pub occurrence_offsets: B::Words,
    /// Rows of the batch that use a table row, in rising order.
    pub occurrences: B::Words,
    /// How many tokens there are.
    pub rows: usize,
    /// What they are.
    pub chosen: Chosen,
}

/// Which rows of a table tokens are: a backend without numbers knows them by this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Those of a list.
    Listed,
    /// The first of every sequence of a ragged matrix.
    FirstRows,
    /// The last.
    LastRows,
}

impl<B: Storage> Tokens<B> {
    /// Uploads tokens for a table of `table_rows` vectors.
    pub fn new(backend: &B, ids: &[u32], table_rows: usize) -> Self {
        let mut offsets = vec![0u32; table_rows + 1];
        for &id in ids.iter().filter(|&&id| id != OUT_OF_VOCABULARY) {
            offsets[id as usize + 1] += 1;
        }
        for row in 0..table_rows {
            offsets[row + 1] += offsets[row];
        }
        let mut next = offsets.clone();
        let mut occurrences = vec![0u32; offsets[table_rows] as usize];
        for (position, &id) in ids.iter().enumerate().filter(|&(_, &id)| id != OUT_OF_VOCABULARY) {
            occurrences[next[id as usize] as usize] = position as u32;
            next[id as usize] += 1;
        }
        Self {
            ids: backend.upload_words(ids),
            occurrence_offsets: backend.upload_words(&offsets),
            occurrences: backend.upload_words(&occurrences),
            rows: ids.len(),
            chosen: Chosen::Listed,
        }
    }

    /// The first row of every sequence, where a ragged matrix is the table; a sequence without rows has none.
    pub fn first_rows(backend: &B, rows: &Ragged<B>) -> Self {
        Self { chosen: Chosen::FirstRows, ..Self::of_sequences(backend, rows, |first, _| first) }
    }

    /// The last row of every sequence, likewise.
    pub fn last_rows(backend: &B, rows: &Ragged<B>) -> Self {
        Self { chosen: Chosen::LastRows, ..Self::of_sequences(backend, rows, |_, end| end - 1) }
    }

    fn of_sequences(backend: &B, rows: &Ragged<B>, choose: impl Fn(u32, u32) -> u32) -> Self {
        let one = |range: &[u32]| if range[0] < range[1] { choose(range[0], range[1]) } else { OUT_OF_VOCABULARY };
        let ids: Vec<u32> = rows.offsets.windows(2).map(one).collect();
        Self::new(backend, &ids, rows.rows())
    }
}

impl<B: Storage> Clone for Tokens<B> {
    fn clone(&self) -> Self {
        let Self { ids, occurrence_offsets, occurrences, rows, chosen } = self;
        let [ids, occurrence_offsets, occurrences] = [ids, occurrence_offsets, occurrences].map(B::Words::clone);
        Self { ids, occurrence_offsets, occurrences, rows: *rows, chosen: *chosen }
    }
}

impl<B: Storage, T> Operation<B> for Embedding<B, T> {
    const KERNEL: &'static str = "embedding";
    type Operand = T;
    type On<U> = Embedding<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> Embedding<B, U> {
        Embedding { table: form(&self.table), tokens: self.tokens.clone() }
    }

    fn results(of: &Embedding<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.tokens.rows, of.table.columns()]), ())
    }

    fn sizes(of: &Embedding<B, Shape>) -> Sizes {
        vec![("rows", of.tokens.rows), ("words", of.table.rows()), ("width", of.table.columns())]
    }

    /// Of the table only the rows that occur.
    fn work(of: &Embedding<B, Shape>) -> Work {
        Work::elementwise(0.0, 0, of.tokens.rows + 2 * of.tokens.rows * of.table.columns())
    }
}

impl<B: Storage, T> Differentiable<B> for Embedding<B, T> {
    fn backward_work(of: &Embedding<B, Shape>, _: &Embedding<B, bool>) -> Work {
        let count = of.tokens.rows * of.table.columns();
        Work::elementwise(1.0, count, of.tokens.rows + count + of.table.len())
    }
}
