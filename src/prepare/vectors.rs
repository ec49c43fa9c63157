//! Vectors of recordings that we compute ourselves, see [`VectorFrontEnd`].

use super::prosody::{Contours, ProsodyTables};
use super::recordings::frames_of;
use crate::audio::mfcc::MfccError;
use crate::audio::vectors::VectorFrontEnd;
use crate::backend::ops::Functionals;
use crate::backend::{Backend, BackendError, MfccTables, as_f32};

/// What computes vectors of recordings.
pub(crate) struct VectorTables<B: Backend> {
    /// How.
    pub front_end: VectorFrontEnd,
    tables: Tables<B>,
}

enum Tables<B: Backend> {
    Mfcc(MfccTables<B>),
    Shs(ProsodyTables<B>),
}

impl<B: Backend> VectorTables<B> {
    pub(crate) fn new(backend: &B, front_end: VectorFrontEnd) -> Result<Self, MfccError> {
        let tables = match front_end {
            VectorFrontEnd::Mfcc => Tables::Mfcc(MfccTables::new(backend, &VectorFrontEnd::mfcc())?),
            VectorFrontEnd::Shs => Tables::Shs(ProsodyTables::new(backend)),
        };
        Ok(Self { front_end, tables })
    }

    /// `[clips, columns]`
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub(crate) async fn extract(&self, backend: &B, clips: &[Vec<f32>]) -> Result<Vec<f32>, BackendError> {
        let vectors = match &self.tables {
            Tables::Mfcc(tables) => {
                let (x, rows, _) = frames_of(backend, tables, clips);
                backend.run(&Functionals { x, rows })
            }
            Tables::Shs(tables) => Contours::of(backend, tables, clips).functionals(backend),
        };
        Ok(as_f32(backend.read(&vectors).await?))
    }
}
