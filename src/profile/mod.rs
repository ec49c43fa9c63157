//! Where the time of a step goes: every kernel timed, held against what the device can do at best.
//!
//! A piece of work ([`work`]: a training step, inference, the front-end, one kernel alone) runs on a [`Profiled`] backend,
//! first untouched for its wall time and then with its kernels timed ([`measure()`]): by the device's timestamps, or by the wall
//! clock where there are none. A [`ProfileReport`] groups the dispatches and compares their FLOP and bytes with the device's own
//! [`Peaks`]; a [`Sweep`] shows how a step's cost grows with a size of its batch. All wall clocks of this crate's profiles are here;
//! the backends only carry them.

mod compare;
mod measure;
mod peaks;
mod report;
mod roofline;
mod sweep;
mod sweep_plot;
mod trace;
pub mod work;

pub use compare::{Change, compare};
pub use measure::{Measurement, Phase, Plan, Profiled, ProfiledStep, REPEATS, Stopwatch, measure};
pub use peaks::{Bound, Peaks, measure_peaks};
pub use report::{Dispatch, Figures, KernelRow, ProfileReport, Quantiles};
pub use roofline::roofline;
pub use sweep::{Line, Size, Sweep, SweepPoint, SweepReport, sweep};
pub use sweep_plot::sweep_plot;
pub use trace::trace;
