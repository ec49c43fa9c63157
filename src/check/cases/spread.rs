//! What values a kernel sees that chooses, by a maximum or a ReLU.

use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Silence;

/// A denormal number.
pub(super) const DENORMAL: f32 = 1e-40;

/// What values a kernel sees that chooses, by a maximum or a ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Equals are rare.
    Even,
    /// Few different values: most maxima are shared, and the earliest has to win.
    Ties,
    /// A NaN and both infinities among them.
    NotFinite,
    /// Finite numbers that f16 cannot hold among them; as good as `Even` where there are no products.
    Overflowing,
    /// Numbers that a device may take for zero among them, but nothing that such a zero would choose otherwise.
    Denormal,
}

impl Spread {
    /// Results are NaN, or gradients that not everything reaches.
    pub(super) fn silence(self) -> Silence {
        if matches!(self, Self::NotFinite | Self::Overflowing) { Silence::Right } else { Silence::Wrong }
    }

    /// One of those that a kernel's inputs may have; even where nothing is said.
    pub(super) fn read(keys: &mut Keys<'_>, uneven: &[Self]) -> Result<Self, SizeError> {
        let words: Vec<_> = SPREADS.iter().copied().filter(|(_, spread)| uneven.contains(spread)).collect();
        keys.choice(&words, Self::Even)
    }
}

/// What a case's name says of the values.
pub(super) const SPREADS: &[(&str, Spread)] =
    &[("ties", Spread::Ties), ("not_finite", Spread::NotFinite), ("overflowing", Spread::Overflowing), ("denormal", Spread::Denormal)];
