//! Arithmetic and memory traffic of an operation, whatever runs it.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// What an operation's equation asks for. What an implementation computes again, or moves between its own passes, does not count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// FLOP of matrix products; a multiplication with its addition counts as two. Where there are any, what surrounds them (a
    /// bias, an activation, the gates of an LSTM) is not counted.
    pub products: f64,
    /// FLOP of kernels without products: so many an element.
    pub elementwise: f64,
    /// Compulsory traffic: each number that has to be read or written at all, once, four bytes each.
    pub bytes: f64,
}

impl Work {
    /// Matrix products of so many FLOP that read and write so many numbers.
    pub(crate) fn products(flop: f64, numbers: usize) -> Self {
        Self { products: flop, elementwise: 0.0, bytes: 4.0 * numbers as f64 }
    }

    /// `flop` for each of `count` elements, and so many numbers read and written.
    pub(crate) fn elementwise(flop: f64, count: usize, numbers: usize) -> Self {
        Self { products: 0.0, elementwise: flop * count as f64, bytes: 4.0 * numbers as f64 }
    }

    /// All its FLOP.
    pub fn flop(&self) -> f64 {
        self.products + self.elementwise
    }

    /// A part of it.
    pub(crate) fn share(self, part: f64) -> Self {
        Self { products: part * self.products, elementwise: part * self.elementwise, bytes: part * self.bytes }
    }
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            products: self.products + other.products,
            elementwise: self.elementwise + other.elementwise,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sub for Work {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + other.share(-1.0)
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(works: I) -> Self {
        works.fold(Self::default(), Add::add)
    }
}
