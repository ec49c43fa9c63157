//! Vectors of recordings that we compute ourselves, see [`VectorFrontEnd`].

use super::recordings::frames_of;
use crate::audio::mfcc::MfccError;
use crate::audio::vectors::VectorFrontEnd;
use crate::backend::ops::Functionals;
use crate::backend::{Backend, BackendError, MfccTables, as_f32};

/// What computes vectors of recordings on a backend.
pub(crate) struct VectorTables<B: Backend> {
    /// How.
    pub front_end: VectorFrontEnd,
    mfcc: MfccTables<B>,
}

impl<B: Backend> VectorTables<B> {
    pub(crate) fn new(backend: &B, front_end: VectorFrontEnd) -> Result<Self, MfccError> {
        Ok(Self { front_end, mfcc: MfccTables::new(backend, &front_end.mfcc())? })
    }

    /// `[clips, columns]`
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub(crate) async fn extract(&self, backend: &B, clips: &[Vec<f32>]) -> Result<Vec<f32>, BackendError> {
        let (x, rows, _) = frames_of(backend, &self.mfcc, clips);
        let vectors = backend.run(&Functionals { x, rows });
        Ok(as_f32(backend.read(&vectors).await?))
    }
}
