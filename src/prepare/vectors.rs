//! Vectors of recordings that we compute ourselves, see [`VectorFrontEnd`].

use rayon::prelude::*;

use super::recordings::frames_of;
use crate::audio::mfcc::MfccError;
use crate::audio::prosody::Prosody;
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
    /// On a backend.
    Mfcc(MfccTables<B>),
    /// On all cores.
    Shs(Box<Prosody>),
}

impl<B: Backend> VectorTables<B> {
    pub(crate) fn new(backend: &B, front_end: VectorFrontEnd) -> Result<Self, MfccError> {
        let tables = match front_end {
            VectorFrontEnd::Mfcc => Tables::Mfcc(MfccTables::new(backend, &VectorFrontEnd::mfcc())?),
            VectorFrontEnd::Shs => Tables::Shs(Box::default()),
        };
        Ok(Self { front_end, tables })
    }

    /// `[clips, columns]`
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub(crate) async fn extract(&self, backend: &B, clips: &[Vec<f32>]) -> Result<Vec<f32>, BackendError> {
        match &self.tables {
            Tables::Mfcc(tables) => {
                let (x, rows, _) = frames_of(backend, tables, clips);
                let vectors = backend.run(&Functionals { x, rows });
                Ok(as_f32(backend.read(&vectors).await?))
            }
            Tables::Shs(prosody) => Ok(clips.par_iter().map(|clip| prosody.functionals(clip)).collect::<Vec<_>>().concat()),
        }
    }
}
