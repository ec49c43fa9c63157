//! Memory of the reference: the host's own.

use std::rc::Rc;

use super::memory::{release, unwritten, zeros};
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
        let mut elements = unwritten(values.len());
        elements.iter_mut().zip(values).for_each(|(element, &value)| *element = T::of_f32(value));
        CpuTensor::new(elements, shape)
    }

    fn upload_words(&self, words: &[u32]) -> Rc<[u32]> {
        words.into()
    }

    fn zeros(&self, shape: [usize; 2]) -> CpuTensor<T> {
        CpuTensor::new(zeros(shape[0] * shape[1]), shape)
    }

    fn uninitialised(&self, shape: [usize; 2]) -> CpuTensor<T> {
        CpuTensor::uninitialised(shape)
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

    async fn recover(&self) {
        release();
    }

    fn observe<R>(&self, describe: impl FnOnce() -> Call, call: impl FnOnce() -> R) -> R {
        self.time(describe, call)
    }
}
