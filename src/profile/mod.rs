//! Where the time of a step goes: every kernel timed, held against what the device can do at best.
//!
//! A piece of work ([`work`]: a training step, inference, the front-end, one kernel alone) runs on a [`Profiled`] backend,
//! first untouched for its wall time and then with its kernels timed (`measure()`): by the device's timestamps, or by the wall
//! clock where there are none. A `ProfileReport` groups the dispatches and compares their FLOP and bytes with the device's own
//! `Peaks`; a [`Sweep`] shows how a step's cost grows with a size of its batch. All wall clocks of this crate's profiles are here;
//! the backends only carry them.

mod chips;
mod compare;
mod kept;
mod measure;
mod peaks;
mod predict;
mod report;
mod roofline;
pub mod sweep;
mod sweep_plot;
mod terminal;
mod trace;
pub mod work;

pub(crate) use chips::{CHIPS, Chip};
pub(crate) use compare::confirm;
pub use compare::{Change, compare};
pub(crate) use measure::{Measurement, REPEATS, Stopwatch};
pub use measure::{Plan, Profiled};
pub(crate) use peaks::measure_peaks;
pub(crate) use predict::{BoundBy, Prediction, microseconds, predict};
pub use report::{ProfileReport, Quantiles};
pub use roofline::roofline;
pub(crate) use sweep::Sweep;
pub use sweep::sweep;
pub(crate) use sweep_plot::sweep_plot;
pub(crate) use trace::trace;
