//! The kernels as WGSL shaders on wgpu: Vulkan, Metal, DX12 or GL.
//!
//! [`Gpu`] is layers, each with state of its own, put together in `engine`: the open device, its limits and its first
//! failure (`device`); its memory (`memory`); what it is to do, as names, ranges and numbers (`recording`); compiled
//! variants (`pipelines`); times (`timing`); chosen tiles (`tiles`). `kernels/` decides what each shader gets; [`shader`]
//! is the table of shaders that `build/` reads from `shaders/`.
//!
//! Work is recorded and sent when that is asked for, when a result is waited for, or when it grows large. Nothing here blocks,
//! reads a clock or a file: one waits in async functions alone (`waiting`).

mod adapter;
mod counters;
mod device;
mod engine;
mod fault;
mod injection;
mod kernels;
mod memory;
mod opening;
mod pipelines;
mod recording;
mod requirements;
mod robustness;
pub mod shader;
mod tiles;
mod timing;
mod waiting;

pub use adapter::{adapters, describe, find, instance, is_of_fxc, is_software, slow_at_checks};
pub use counters::Counters;
pub use device::{SubmissionLimits, check_limits};
pub use engine::{Gpu, OwnShader, PlannedDispatch, Readback};
pub use injection::InjectedFault;
pub use memory::{BufferId, BufferRange, Tensor, Words};
pub use opening::{Checking, Opening};
pub use requirements::{Capabilities, Feature, MANY_REGISTERS, Requirement, check_requirements, registers_of};
pub use timing::Timing;

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

    fn largest_matrix(&self) -> Option<u64> {
        Some(self.largest_buffer())
    }

    fn upload(&self, values: &[f32], shape: [usize; 2]) -> Tensor {
        self.upload_tensor(values, shape)
    }

    fn upload_pieces<E>(
        &self,
        pieces: impl Iterator<Item = std::result::Result<Vec<f32>, E>>,
        shape: [usize; 2],
    ) -> std::result::Result<Tensor, E> {
        self.upload_tensor_in_pieces(pieces, shape)
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

    fn uninitialised_together(&self, shapes: &[[usize; 2]]) -> Vec<Tensor> {
        self.new_tensors(shapes)
    }

    fn uninitialised_words(&self, count: usize) -> Words {
        self.new_words(count)
    }

    fn submit(&self) {
        self.add_up();
        self.send();
    }

    fn start_read(&self, tensor: &Tensor) -> Readback {
        self.start(tensor)
    }

    async fn finish_read(&self, readback: Readback) -> Result<Vec<f32>> {
        self.finish(readback).await
    }

    fn failure(&self) -> Option<BackendError> {
        self.first_failure()
    }

    async fn recover(&self) {
        self.forget_failure().await;
    }

    async fn verify(&self) -> Result<()> {
        self.check_guards().await
    }
}

impl Backend for Gpu {}
