//! The figures that results are told by.

use crate::train::Metrics;

/// A figure of a run's results, a share of one.
#[derive(Clone, Copy)]
pub(super) struct Figure {
    /// In CSV and JSON.
    pub key: &'static str,
    /// Where shown.
    pub title: &'static str,
    /// Its value.
    pub of: fn(&Metrics) -> f64,
}

pub(super) const WA: Figure = Figure { key: "wa", title: "WA", of: |metrics| metrics.wa };
pub(super) const UA: Figure = Figure { key: "ua", title: "UA", of: |metrics| metrics.ua };
pub(super) const MACRO_F1: Figure = Figure { key: "macro_f1", title: "macro F1", of: |metrics| metrics.macro_f1 };
pub(super) const WEIGHTED_F1: Figure = Figure { key: "weighted_f1", title: "weighted F1", of: |metrics| metrics.weighted_f1 };

/// All of them, in the order in which they are shown.
pub(super) const FIGURES: [Figure; 4] = [WA, UA, WEIGHTED_F1, MACRO_F1];
