//! Memory of the reference: the host's own.

use std::rc::Rc;

use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::Call;
use crate::backend::{Result, Storage};

impl<T: Real> Storage for Cpu<T> {
    type Element = T;
    type Tensor = CpuTensor<T>;
    type Words = Rc<[u32]>;
    type Readback = Vec<T>;

    fn device_name(&self) -> String {
        "cpu".to_owned()
    }

    fn upload(&self, values: &[f32], shape: [usize; 2]) -> CpuTensor<T> {
        CpuTensor::new(values.iter().copied().map(T::of_f32).collect(), shape)
    }

    fn upload_words(&self, words: &[u32]) -> Rc<[u32]> {
        words.into()
    }

    fn zeros(&self, shape: [usize; 2]) -> CpuTensor<T> {
        CpuTensor::new(vec![T::zero(); shape[0] * shape[1]], shape)
    }

    /// Filled with NaN: a kernel that forgets an element, or adds where it should set, shows.
    fn uninitialised(&self, shape: [usize; 2]) -> CpuTensor<T> {
        CpuTensor::new(vec![T::nan(); shape[0] * shape[1]], shape)
    }

    fn uninitialised_words(&self, count: usize) -> Rc<[u32]> {
        vec![u32::MAX; count].into()
    }

    fn submit(&self) {}

    fn start_read(&self, tensor: &CpuTensor<T>) -> Vec<T> {
        tensor.values().to_vec()
    }

    async fn finish_read(&self, readback: Vec<T>) -> Result<Vec<T>> {
        #[cfg(target_arch = "wasm32")]
        crate::base::turn::give().await;
        Ok(readback)
    }

    fn observe<R>(&self, describe: impl FnOnce() -> Call, call: impl FnOnce() -> R) -> R {
        self.time(describe, call)
    }
}
