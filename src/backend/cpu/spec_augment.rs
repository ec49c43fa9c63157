//! Zeros where a mask covers the frames or the columns of an utterance.

use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{Run, SpecAugment};

impl<T: Real> Run<SpecAugment<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &SpecAugment<Self, CpuTensor<T>>) -> ((), ()) {
        let SpecAugment { x, rows, masks } = of;
        let shape = [x.columns(), masks.frames, masks.columns];
        cover(&mut x.values_mut(), &rows.offsets, &masks.bounds, shape);
        ((), ())
    }
}

/// `x: [rows, width]`, `offsets: [batch + 1]`, `bounds: [batch, frames + columns, 2]`.
fn cover<T: Real>(x: &mut [T], offsets: &[u32], bounds: &[u32], [width, frames, columns]: [usize; 3]) {
    if frames + columns == 0 {
        return;
    }
    for (rows, own) in offsets.windows(2).zip(bounds.chunks_exact(2 * (frames + columns))) {
        let utterance = &mut x[rows[0] as usize * width..rows[1] as usize * width];
        let (of_frames, of_columns) = own.split_at(2 * frames);
        for mask in of_frames.chunks_exact(2) {
            utterance[mask[0] as usize * width..mask[1] as usize * width].fill(T::zero());
        }
        for mask in of_columns.chunks_exact(2) {
            utterance.chunks_exact_mut(width).for_each(|row| row[mask[0] as usize..mask[1] as usize].fill(T::zero()));
        }
    }
}
