//! What must hold of a checkpoint before anything is computed with it: its file may have come from anywhere.

use super::Checkpoint;
use super::checkpoint::Progress;
use crate::base::streams::StreamShape;
use crate::dataset::{Normalisation, check_classes};

impl Checkpoint {
    /// Compares what the file says with itself; that all numbers are finite was seen when they were read.
    ///
    /// # Errors
    /// What contradicts what, in words.
    pub(super) fn validate(&self) -> Result<(), String> {
        check_classes(&self.classes).map_err(|problem| format!("metadata 'classes' {problem}"))?;
        if self.classes.len() != self.dimensions.classes {
            return Err(format!("names {} classes for a network of {}", self.classes.len(), self.dimensions.classes));
        }
        let by = self.settings.data.normalise;
        if self.normalisation.by() != by {
            return Err(format!("metadata 'normalisation' is not by {by}, as 'settings' say"));
        }
        self.validate_streams()?;
        // Every epoch has a step.
        if self.epoch > self.step {
            return Err(format!("has finished {} epochs after {} steps", self.epoch, self.step));
        }
        self.progress.as_ref().map_or(Ok(()), |progress| self.validate_progress(progress))
    }

    /// Whether each stream that the network reads has a width, and statistics of that width where it is to have some.
    fn validate_streams(&self) -> Result<(), String> {
        for reading in self.readings().iter() {
            let name = reading.stream;
            let shape = self.dimensions.streams.get(name).copied().filter(|&shape| reading.kind.suits(shape));
            let (columns, fitted) = match (shape, &self.normalisation) {
                (Some(StreamShape::Tokens { width, .. }), _) => (width, None),
                (Some(StreamShape::Frames { columns }), Normalisation::Corpus(fitted)) => (columns, Some(fitted)),
                (Some(StreamShape::Frames { columns }), _) => (columns, None),
                (Some(StreamShape::Vector { columns }), Normalisation::Corpus(fitted) | Normalisation::Utterance(fitted)) => {
                    (columns, Some(fitted))
                }
                (Some(StreamShape::Vector { columns }), _) => (columns, None),
                (None, _) => (0, None),
            };
            if columns == 0 {
                return Err(format!("metadata 'dimensions' has no {} '{name}' of any width, which the network reads", reading.kind.name()));
            }
            let Some(fitted) = fitted else { continue };
            let statistics = fitted.get(name).ok_or_else(|| format!("metadata 'normalisation' has nothing of '{name}'"))?;
            statistics.validate(columns).map_err(|problem| format!("metadata 'normalisation' of '{name}' {problem}"))?;
        }
        Ok(())
    }

    fn validate_progress(&self, progress: &Progress) -> Result<(), String> {
        let Progress { best_epoch, tally, scaling, .. } = progress;
        if *best_epoch > self.epoch {
            return Err(format!("metadata 'progress' has its best epoch, {best_epoch}, behind the last, {}", self.epoch));
        }
        if !tally.is_of(self.classes.len()) {
            return Err(format!("metadata 'progress' has counted no predictions of {} classes", self.classes.len()));
        }
        let steps = 0.0..=self.step as f32;
        match scaling {
            Some(state) if !(state.iter().all(|number| number.is_finite()) && state[0] > 0.0 && steps.contains(&state[2])) => {
                Err(format!("metadata 'progress' has a loss scale that cannot be, {state:?}"))
            }
            _ => Ok(()),
        }
    }
}
