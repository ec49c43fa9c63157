//! Work on slices, on all cores where the feature `threads` is there, else one part after the other under the same names. Parts
//! are cut and put together in the same way, so the results have the same bits.

#[cfg(feature = "threads")]
pub(crate) use rayon::prelude::*;

/// Least items of a thread, for `with_min_len`: so many that their work, of which each is `work`, is worth `enough`. Where there is one
/// thread, all of them: the caller's own does as well as another.
pub(crate) fn least(work: usize, enough: usize) -> usize {
    #[cfg(feature = "threads")]
    if rayon::current_num_threads() == 1 {
        return usize::MAX;
    }
    enough.div_ceil(work.max(1))
}
#[cfg(not(feature = "threads"))]
pub(crate) use sequential::*;

/// The part of rayon's names that is used here, for std's iterators.
#[cfg(not(feature = "threads"))]
mod sequential {
    use std::ops::Range;
    use std::slice::{Chunks, ChunksExact, ChunksExactMut, ChunksMut, Iter, Windows};

    /// Parts of a slice.
    pub(crate) trait ParallelSlice<T> {
        /// Its elements.
        fn par_iter(&self) -> Iter<'_, T>;
        /// Parts of `size` elements, the last one of what is left.
        fn par_chunks(&self, size: usize) -> Chunks<'_, T>;
        /// Parts of exactly `size` elements.
        fn par_chunks_exact(&self, size: usize) -> ChunksExact<'_, T>;
        /// Every `size` elements that follow each other.
        fn par_windows(&self, size: usize) -> Windows<'_, T>;
    }

    impl<T> ParallelSlice<T> for [T] {
        fn par_iter(&self) -> Iter<'_, T> {
            self.iter()
        }

        fn par_chunks(&self, size: usize) -> Chunks<'_, T> {
            self.chunks(size)
        }

        fn par_chunks_exact(&self, size: usize) -> ChunksExact<'_, T> {
            self.chunks_exact(size)
        }

        fn par_windows(&self, size: usize) -> Windows<'_, T> {
            self.windows(size)
        }
    }

    /// Parts of a slice that may be written.
    pub(crate) trait ParallelSliceMut<T> {
        /// Parts of `size` elements, the last one of what is left.
        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T>;
        /// Parts of exactly `size` elements.
        fn par_chunks_exact_mut(&mut self, size: usize) -> ChunksExactMut<'_, T>;
    }

    impl<T> ParallelSliceMut<T> for [T] {
        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T> {
            self.chunks_mut(size)
        }

        fn par_chunks_exact_mut(&mut self, size: usize) -> ChunksExactMut<'_, T> {
            self.chunks_exact_mut(size)
        }
    }

    /// Ranges of indices.
    pub(crate) trait IntoParallelIterator {
        /// The indices.
        fn into_par_iter(self) -> Range<usize>;
    }

    impl IntoParallelIterator for Range<usize> {
        fn into_par_iter(self) -> Range<usize> {
            self
        }
    }

    /// What rayon's iterators call otherwise than std's.
    pub(crate) trait ParallelIterator: Iterator + Sized {
        /// Each item as several, in order.
        fn flat_map_iter<I: IntoIterator>(self, map: impl FnMut(Self::Item) -> I) -> impl Iterator<Item = I::Item> {
            self.flat_map(map)
        }

        /// Least items of a thread.
        fn with_min_len(self, _: usize) -> Self {
            self
        }
    }

    impl<I: Iterator> ParallelIterator for I {}
}
