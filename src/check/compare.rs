//! The comparator: says whether numbers are what the reference says, and where they are not.
//!
//! Non-finite numbers must agree in place and kind; what float32 cannot hold counts as infinite. For each other element
//! `|got - expected| ≤ floor + of_rms · rms(expected) + relative · |expected|`, and the smallest normal float32 beside
//! that, because devices may take denormal numbers for zero; and `‖got - expected‖ ≤ of_norm · ‖expected‖` of an output. Expected results that are zero everywhere prove nothing and are refused,
//! unless a case says that zero is right.

use std::fmt;

use serde::Serialize;

use super::Output;

/// How far a result may be from the reference's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// In the result's own unit.
    pub floor: f64,
    /// Of the expected result's root mean square: rounding of a sum is as large as what was summed, however small the
    /// sum itself is.
    pub of_rms: f64,
    /// Of the expected element.
    pub relative: f64,
    /// Of the norm of the expected result, what that of all differences may be: where few elements may be far off, and no more than few.
    pub of_norm: f64,
}

impl Tolerance {
    /// One or two rounded operations, of which WGSL allows a division 2.5 units in the last place, 3e-7; the sum of two
    /// numbers may nearly cancel.
    pub const ROUNDING: Self = Self::of_rms(5e-7);

    /// `of_rms` of the result's size and as much of each element.
    pub const fn of_rms(of_rms: f64) -> Self {
        Self { floor: 0.0, of_rms, relative: of_rms, of_norm: f64::INFINITY }
    }
}

/// Whether an expected result may be zero everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// A result of zeros means a case that proves nothing.
    Wrong,
    /// Some gradient vanishes, as that of a softmax over a single key; what is left of it is rounding of inputs near 1.
    Right,
}

/// What a device may lose of an element by taking denormal numbers for zero.
const FLUSHED: f64 = f32::MIN_POSITIVE as f64;

/// Root mean square up to which a result counts as zero.
const SILENT: f64 = 1e-9;

/// The element that is furthest from the reference's, measured by its bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worst {
    /// The name of the output that it is in.
    pub output: String,
    /// Row-major.
    pub index: usize,
    /// The same as `[row, column]`, where the output is a matrix.
    pub place: Option<[usize; 2]>,
    /// What the reference computed, in float64.
    pub expected: f64,
    /// What the backend computed.
    pub got: f64,
    /// What `|got - expected|` may be.
    pub bound: f64,
    /// `|got - expected|` over its bound; infinite where only one of both is finite.
    pub of_bound: f64,
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.output, self.index)?;
        if let Some([row, column]) = self.place {
            write!(f, " = [row {row}, column {column}]")?;
        }
        write!(f, ": got {}, expected {}", self.got, self.expected)?;
        if self.of_bound.is_finite() { write!(f, " ± {:.1e}", self.bound) } else { Ok(()) }
    }
}

/// Result of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Largest `|got - expected|` of the finite elements.
    pub max_abs: f64,
    /// Largest `‖got - expected‖ / ‖expected‖` of the outputs that are not silent.
    pub rel_l2: f64,
    /// Largest `|got - expected|` that any element is allowed; what it may be depends on the element.
    pub bound: f64,
    /// Whether every element is within its bound, and nothing else is wrong.
    pub pass: bool,
    /// Elements compared.
    pub elements: usize,
    /// Elements outside their bound.
    pub outside: usize,
    /// The element nearest to its bound, or furthest beyond it; none where there was none to measure.
    pub worst: Option<Worst>,
    /// Why it failed.
    pub reason: Option<String>,
}

impl Agreement {
    /// Fails it; the first reason stays.
    pub(crate) fn fail(&mut self, reason: impl Into<String>) {
        self.pass = false;
        self.reason.get_or_insert_with(|| reason.into());
    }
}

/// Compares all outputs of a case.
pub fn compare(expected: &[Output], got: &[Output], tolerance: Tolerance, silence: Silence) -> Agreement {
    let mut agreement = Agreement { max_abs: 0.0, rel_l2: 0.0, bound: 0.0, pass: true, elements: 0, outside: 0, worst: None, reason: None };
    let names = |outputs: &[Output]| outputs.iter().map(|output| output.name.clone()).collect::<Vec<_>>();
    if expected.is_empty() {
        agreement.fail("the case has no output");
    }
    if names(expected) != names(got) {
        agreement.fail(format!("outputs {:?}, expected {:?}", names(got), names(expected)));
        return agreement;
    }
    for (expected, got) in expected.iter().zip(got) {
        compare_output(expected, got, tolerance, silence, &mut agreement);
    }
    if let Some(worst) = agreement.worst.as_ref().filter(|_| agreement.outside > 0) {
        let reason = format!("{worst}; {} of {} elements are outside their bound", agreement.outside, agreement.elements);
        agreement.fail(reason);
    }
    agreement
}

fn compare_output(expected: &Output, got: &Output, tolerance: Tolerance, silence: Silence, agreement: &mut Agreement) {
    let name = &expected.name;
    if expected.values.len() != got.values.len() {
        return agreement.fail(format!("{name}: {} elements, expected {}", got.values.len(), expected.values.len()));
    }
    let pairs = || expected.values.iter().copied().zip(got.values.iter().copied());
    let finite = || pairs().filter(|(want, have)| is_finite(*want) && have.is_finite());
    let root_mean_square = |squares: f64| (squares / finite().count().max(1) as f64).sqrt();
    let size = root_mean_square(finite().map(|(want, _)| want * want).sum());
    let error = root_mean_square(finite().map(|(want, have)| (have - want).powi(2)).sum());
    let scale = match (size > SILENT, silence) {
        (true, _) => {
            agreement.rel_l2 = agreement.rel_l2.max(error / size);
            if error / size > tolerance.of_norm {
                let (off, most) = (error / size, tolerance.of_norm);
                agreement.fail(format!("{name}: all differences together are {off:.1e} of the expected result, of at most {most:.1e}"));
            }
            size
        }
        (false, Silence::Right) => 1.0,
        (false, Silence::Wrong) => {
            agreement.fail(format!("{name}: all expected values are near zero"));
            1.0
        }
    };
    let [rows, columns] = expected.shape;
    let is_matrix = rows > 1 && columns > 1;
    for (index, (want, have)) in pairs().enumerate() {
        agreement.elements += 1;
        let (difference, bound) = match (is_finite(want) && have.is_finite(), alike(want, have)) {
            (true, _) => ((have - want).abs(), FLUSHED + tolerance.floor + tolerance.of_rms * scale + tolerance.relative * want.abs()),
            (false, true) => continue,
            (false, false) => (f64::INFINITY, 0.0),
        };
        if difference.is_finite() {
            agreement.max_abs = agreement.max_abs.max(difference);
            agreement.bound = agreement.bound.max(bound);
        }
        let of_bound = if difference == 0.0 { 0.0 } else { difference / bound };
        agreement.outside += usize::from(of_bound > 1.0);
        if agreement.worst.as_ref().is_none_or(|worst| of_bound > worst.of_bound) {
            let place = is_matrix.then(|| [index / columns, index % columns]);
            agreement.worst = Some(Worst { output: name.clone(), index, place, expected: want, got: have, bound, of_bound });
        }
    }
}

/// Whether float32 holds a number of the reference's.
fn is_finite(expected: f64) -> bool {
    (expected as f32).is_finite()
}

/// Whether two numbers, not both finite, are both NaN or the same infinity.
fn alike(expected: f64, got: f64) -> bool {
    (expected.is_nan() && got.is_nan()) || f64::from(expected as f32) == got
}
