//! Memory of large matrices: what one no longer needs, the next one takes.
//!
//! An allocator gives large pieces back to the system, which clears them page by page when they are asked for again; where it keeps
//! them, who asks for zeros has them cleared once more. Either takes longer than most kernels that only move numbers.
//!
//! Each thread keeps its own, in float32. Memory of float64, in which the reference says what must come out, is always new and NaN: an
//! element that a kernel forgets shows.

use std::any::{Any, TypeId};
use std::cell::RefCell;

use super::Real;

/// Elements from which on memory is kept; smaller pieces come back from the allocator as they are.
const LARGE: usize = 1 << 12;

/// Large pieces that are asked for before one that no one took is given back: those of a few training steps.
const PATIENCE: u64 = 2000;

#[derive(Default)]
struct Kept {
    /// From the smallest to the largest, each with what `asked` was when it came.
    pieces: Vec<(Vec<f32>, u64)>,
    /// Pieces that were asked for so far.
    asked: u64,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// So many elements of any value, of which the caller sets every one.
pub(super) fn unwritten<T: Real>(length: usize) -> Vec<T> {
    if !is_kept::<T>() {
        return vec![T::nan(); length];
    }
    let mut piece = if length < LARGE { None } else { KEPT.with_borrow_mut(|kept| kept.take(length)) };
    let piece = (&mut piece as &mut dyn Any).downcast_mut::<Option<Vec<T>>>().and_then(Option::take);
    piece.map_or_else(
        || vec![T::zero(); length],
        |mut values| {
            values.resize(length, T::zero());
            values
        },
    )
}

/// So many zeros.
pub(super) fn zeros<T: Real>(length: usize) -> Vec<T> {
    if length < LARGE || !is_kept::<T>() {
        return vec![T::zero(); length];
    }
    let mut values = unwritten(length);
    values.fill(T::zero());
    values
}

/// A copy of values.
pub(super) fn copied<T: Real>(values: &[T]) -> Vec<T> {
    let mut copy = unwritten(values.len());
    copy.copy_from_slice(values);
    copy
}

/// Takes memory that is needed no more.
pub(super) fn keep<T: Real>(mut values: Vec<T>) {
    if let Some(values) = (&mut values as &mut dyn Any).downcast_mut::<Vec<f32>>()
        && values.capacity() >= LARGE
    {
        let values = std::mem::take(values);
        // Where the thread ends, there is nothing any more that keeps it.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().put(values));
    }
}

/// Gives what this thread keeps back to the allocator.
pub(super) fn release() {
    let _ = KEPT.try_with(|kept| kept.borrow_mut().pieces.clear());
}

fn is_kept<T: Real>() -> bool {
    TypeId::of::<T>() == TypeId::of::<f32>()
}

impl Kept {
    /// How many pieces are smaller.
    fn place(&self, length: usize) -> usize {
        self.pieces.partition_point(|(values, _)| values.capacity() < length)
    }

    /// The smallest that is large enough and not more than twice as large. Where there is none, the next smaller one is given up for the
    /// new one that is made, so that there are no more of them than were needed at once.
    fn take(&mut self, length: usize) -> Option<Vec<f32>> {
        self.asked += 1;
        let place = self.place(length);
        if self.pieces.get(place).is_some_and(|(values, _)| values.capacity() <= 2 * length) {
            return Some(self.pieces.remove(place).0);
        }
        if let Some(smaller) = place.checked_sub(1) {
            self.pieces.remove(smaller);
        }
        None
    }

    fn put(&mut self, values: Vec<f32>) {
        let asked = self.asked;
        self.pieces.retain(|(_, since)| asked - since < PATIENCE);
        self.pieces.insert(self.place(values.capacity()), (values, asked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_where_it_is_large_enough() {
        release();
        keep(vec![1f32; 3 * LARGE]);
        keep(vec![2f32; LARGE]);
        assert_eq!(unwritten::<f32>(2 * LARGE), [1.0; 2 * LARGE]);
        assert_eq!(unwritten::<f32>(2 * LARGE), [0.0; 2 * LARGE], "the smaller one does not do");
        assert!(KEPT.with_borrow(|kept| kept.pieces.is_empty()), "and is given up");
    }

    #[test]
    fn what_is_much_too_large_stays_and_what_is_longer_again_is_set() {
        release();
        keep(vec![1f32; 8 * LARGE]);
        assert_eq!(unwritten::<f32>(LARGE), [0.0; LARGE]);
        let mut values = unwritten::<f32>(5 * LARGE);
        assert_eq!(values, [1.0; 5 * LARGE]);
        values.truncate(4 * LARGE);
        keep(values);
        let again = unwritten::<f32>(5 * LARGE);
        assert_eq!((again[4 * LARGE - 1], again[4 * LARGE], again.len()), (1.0, 0.0, 5 * LARGE));
        keep(again);
        assert_eq!(zeros::<f32>(4 * LARGE), [0.0; 4 * LARGE]);
        release();
    }

    #[test]
    fn what_no_one_takes_is_given_back() {
        release();
        keep(vec![1f32; 8 * LARGE]);
        (0..PATIENCE).for_each(|_| keep(unwritten::<f32>(LARGE)));
        assert_eq!(KEPT.with_borrow(|kept| kept.pieces.len()), 1);
        release();
    }

    #[test]
    fn float64_is_new_and_nan() {
        keep(vec![1f64; LARGE]);
        assert!([unwritten::<f64>(LARGE), unwritten(1)].concat().iter().all(|value| value.is_nan()));
        assert_eq!(zeros::<f64>(LARGE), [0.0; LARGE]);
        assert_eq!(copied(&[3.0; LARGE]), [3.0; LARGE]);
    }
}
