//! The kernels as WGSL shaders on wgpu: Vulkan, Metal, DX12 or GL.
//!
//! [`Gpu`] allocates, records and submits; `kernels/` decides what each shader gets; [`shader`] is the table of shaders
//! that `build/` reads from `shaders/`. Work is recorded as commands and sent when that is asked for, when a
//! result is waited for, or when it grows large.

mod adapter;
mod buffers;
mod counters;
mod device;
mod dispatch;
mod kernels;
mod memory;
mod pipelines;
mod profiler;
mod readback;
mod recording;
mod requirements;
pub mod shader;
mod tiles;

pub use adapter::{AdapterChoice, adapters, describe, find};
pub use counters::Counters;
pub use device::{Checking, Gpu, Opening};
pub use dispatch::check_limits;
pub use memory::{BufferRange, Tensor, Words};
pub use profiler::Timing;
pub use readback::Readback;
pub use requirements::{Capabilities, Feature, Requirement, check_requirements};

use super::{Backend, BackendError, Result, Storage};
use crate::base::tiles::TileChoice;

impl Storage for Gpu {
    type Element = f32;
    type Tensor = Tensor;
    type Words = Words;
    type Readback = Readback;

    fn device_name(&self) -> String {
        self.describe()
    }

    fn tiles(&self) -> Vec<TileChoice> {
        self.chosen_tiles()
    }

    fn upload(&self, values: &[f32], shape: [usize; 2]) -> Tensor {
        self.upload_tensor(values, shape)
    }

    fn upload_words(&self, words: &[u32]) -> Words {
        self.upload_list(words)
    }

    fn zeros(&self, shape: [usize; 2]) -> Tensor {
        let tensor = self.new_tensor(shape);
        self.clear(&tensor);
        tensor
    }

    fn uninitialised(&self, shape: [usize; 2]) -> Tensor {
        self.new_tensor(shape)
    }

    fn uninitialised_words(&self, count: usize) -> Words {
        self.new_words(count)
    }

    fn submit(&self) {
        self.send();
    }

    fn start_read(&self, tensor: &Tensor) -> Readback {
        self.start(tensor)
    }

    async fn finish_read(&self, readback: Readback) -> Result<Vec<f32>> {
        self.finish(readback).await
    }

    fn failure(&self) -> Option<BackendError> {
        self.fault.get()
    }

    fn recover(&self) {
        self.forget_failure();
    }

    async fn verify(&self) -> Result<()> {
        self.check_guards().await
    }
}

impl Backend for Gpu {}
