//! Cases of `mse`.

use std::fmt;

use super::losses::{Loss, LossObjective};
use super::spread::SPREADS;
use super::{Spread, suffix};
use crate::backend::gpu::shader;
use crate::backend::{Backend, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::Leaf;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Mean squared error and its gradient.
#[derive(Debug, Clone)]
pub struct Mse {
    pub rows: usize,
    pub width: usize,
    /// Numbers of the batch that this is a part of.
    pub total: Option<usize>,
    pub spread: Spread,
}

/// That of the loss.
const WEIGHT: f32 = 0.2;

/// What gradients are multiplied with.
const SCALE: f32 = 1024.0;

impl fmt::Display for Mse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},width={}", self.rows, self.width)?;
        self.total.map_or(Ok(()), |total| write!(f, ",of={total}"))?;
        f.write_str(&suffix(SPREADS, self.spread))
    }
}

impl Subject for Mse {
    /// A sum of squares, all of one sign.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(5e-6)
    }

    fn silence(&self) -> Silence {
        self.spread.silence()
    }
}

impl Suite for Mse {
    fn cases() -> Vec<Self> {
        let error = |rows, width| Self { rows, width, total: None, spread: Spread::Even };
        vec![error(128, 300), error(1, 7), Self { total: Some(9000), ..error(33, 65) }, Self { spread: Spread::NotFinite, ..error(9, 300) }]
    }

    fn random(source: &mut Source) -> Self {
        let total = source.pick(&[None, Some(10_000)]);
        Self { rows: source.size(1, 70), width: source.size(1, 130), total, spread: Spread::Even }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let above_zero = |text: &str| text.parse().ok().filter(|&number: &usize| number > 0);
        Ok(Self {
            rows: keys.number("rows", 1, 32)?,
            width: keys.number("width", 1, 300)?,
            total: keys.read("of", "whole number above 0", above_zero)?,
            spread: Spread::read(keys, &[Spread::NotFinite])?,
        })
    }

    fn largest(&self) -> u64 {
        self.rows as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        LossObjective::proved([None, Some(50)].map(|total| Self { rows: 4, width: 5, total, spread: Spread::Even }))
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::mse::SHADER, "loss[0] = args.share", "loss[0] = 1.001 * args.share"),
        Sabotage::new(&shader::mse::SHADER, "scale = 2.0", "scale = 2.001"),
    ];
}

impl Loss for Mse {
    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let mut x = source.uniform(self.rows * self.width, 1.0);
        if self.spread == Spread::NotFinite {
            source.spoil(&mut x);
        }
        vec![Leaf::new("x", [self.rows, self.width], x)]
    }

    fn record<'a, B: Backend>(&self, leaves: &[Leaf], scale: f32, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let target = Source::new(self.rows as u64).uniform(self.rows * self.width, 1.0);
        let error = ops::Mse {
            x: inputs.leaf(&leaves[0]),
            target: inputs.matrix("target", [self.rows, self.width], &target),
            scaling: inputs.matrix("loss scale", [1, 3], &[scale, 0.0, 0.0]),
            weight: WEIGHT,
            total: self.total,
        };
        let backend = inputs.backend;
        Box::new(move || {
            let (loss, gradient) = backend.run(&error);
            vec![Recorded::new("loss", loss), Recorded::new("gradient of x", gradient)]
        })
    }
}

impl<B: Backend> Record<B> for Mse {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        self.record(&self.leaves(source), SCALE, inputs)
    }
}
