//! What the cases of recurrences share: how far their gates are driven, and what follows from it.

use super::lengths::total;
use crate::base::numbers::Precision;
use crate::base::sizes::SizeError;
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::Leaf;

/// How far the gates are driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gates {
    /// Inputs near 1.
    Usual,
    /// Inputs up to 50: most gates are shut or open, and exp overflows where it is written carelessly.
    Saturated,
    /// Inputs up to 1e8: every gate is shut or open. Shaders take no sigmoid for less than that of -30, 1e-13.
    Extreme,
    /// A NaN in the first sequence, which the others do not see.
    NotFinite,
}

pub(super) const GATES: &[(&str, Gates)] =
    &[("saturated", Gates::Saturated), ("extreme", Gates::Extreme), ("not_finite", Gates::NotFinite)];

impl Gates {
    pub(super) fn amplitude(self) -> f32 {
        match self {
            Self::Usual | Self::NotFinite => 1.0,
            Self::Saturated => 50.0,
            Self::Extreme => 1e8,
        }
    }

    /// Sums of 300 terms, then a sigmoid and a tanh of about 1e-6 on some drivers; the state forgets, so the steps'
    /// errors do not pile up. In mixed precision a gate's gradient that differs so may be rounded to the f16 beside it, which
    /// is `f16_apart` away, and devices may take denormal ones for zero. Where gates are driven to 50, rounding of what drives them is
    /// 50 times as large, and so is what rounding of a gate that is nearly 1 or -1, as small as it is, makes of a weight's gradient.
    pub(super) fn tolerance(self, precision: Precision, f16_apart: f64) -> Tolerance {
        if precision == Precision::Mixed {
            return Tolerance { floor: f16_apart, ..Tolerance::of_rms(2e-4) };
        }
        let (floor, of_rms) = match self {
            Self::Usual | Self::NotFinite => (2e-6, 5e-5),
            Self::Saturated => (5e-5, 5e-4),
            Self::Extreme => (2e-6, 5e-4),
        };
        Tolerance { floor, ..Tolerance::of_rms(of_rms) }
    }

    /// A single step has no h_{t-1} for the recurrent weights to see, and gates that are shut or open pass no gradient.
    pub(super) fn silence(self, lengths: &[u32], hidden: usize) -> Silence {
        let is_shut = match self {
            Self::Usual => false,
            Self::Saturated => hidden < 8 || lengths.iter().map(|length| length.saturating_sub(1)).sum::<u32>() < 10,
            Self::Extreme | Self::NotFinite => true,
        };
        if is_shut || lengths.iter().all(|&length| length <= 1) { Silence::Right } else { Silence::Wrong }
    }

    /// The inputs, with a NaN in their second row where there is to be one.
    pub(super) fn spoiled(self, mut x: Leaf) -> Leaf {
        if self == Self::NotFinite {
            let inputs = x.shape[1];
            x.values[inputs] = f32::NAN;
        }
        x
    }

    /// Whether there is such a row.
    pub(super) fn spoil_what_is_there(self, lengths: &[u32]) -> Result<(), SizeError> {
        if self == Self::NotFinite && total(lengths) < 2 {
            return Err(SizeError::Misfit("not_finite spoils the second row; give at least two".into()));
        }
        Ok(())
    }
}
