//! The acoustic front-end as nodes: samples in, features out, as [`MfccSettings`] say.
//!
//! The Fourier transform is a product with the windowed cosines and sines, which every runtime has. All of it is in double precision
//! and its result is float, so that it lies no further from ours than ours does from float64.

use std::f64::consts::{LN_10, TAU};

use super::graph::{Graph, Value};
use super::proto::Attribute::{Integer, Integers};
use super::proto::{Element, Size};
use crate::audio::mfcc::{MfccSettings, Padding, SMALLEST_POWER};
use crate::backend::ops::{DeltaFilter, Edges};

/// Behind the last element of any axis.
const END: i64 = i64::MAX;

/// Features `[frames, columns]` of the input `samples`, float `[samples]`: mono, 16 kHz, in [-1, 1], one at least.
pub(super) fn features(graph: &mut Graph, settings: &MfccSettings) -> Value {
    let samples = graph.input("samples", Element::Float, &[Size::Free("samples")]);
    let raw = graph.cast(&samples, Element::Double);
    let mut front_end = FrontEnd { settings, graph };
    let framed = front_end.framing(&raw);
    let emphasised = front_end.emphasised(&raw);
    let power = front_end.power(&emphasised, &framed);
    let mut columns = if settings.is_spectrum() { power } else { front_end.cepstra(&power) };
    if settings.energy && !settings.is_spectrum() {
        columns = front_end.with_energy(&columns, &raw, &framed);
    }
    let all = front_end.with_deltas(&columns);
    graph.cast(&all, Element::Float)
}

/// Where frames lie: `[frames, transform]`, places in a recording, or where zeros stand before it in what these begin.
struct Framing {
    places: Value,
}

struct FrontEnd<'g> {
    settings: &'g MfccSettings,
    graph: &'g mut Graph,
}

impl FrontEnd<'_> {
    fn node(&mut self, operation: &str, inputs: &[&Value]) -> Value {
        self.graph.add(operation, inputs, &[])
    }

    fn row(&mut self, row: i64) -> Value {
        self.graph.integers(&format!("row.{row}"), &[row])
    }

    fn first_axis(&mut self) -> Value {
        self.graph.integers("axes.first", &[0])
    }

    fn second_axis(&mut self) -> Value {
        self.graph.integers("axes.second", &[1])
    }

    /// Number of elements along the first axis, `[1]`.
    fn count(&mut self, x: &Value) -> Value {
        self.graph.add("Shape", &[x], &[Integer("start", 0), Integer("end", 1)])
    }

    /// `0, 1, …` below a number `[1]`.
    fn numbers_to(&mut self, count: &Value) -> Value {
        let axis = self.first_axis();
        let to = self.node("Squeeze", &[count, &axis]);
        let [from, step] = [("zero", 0), ("one", 1)].map(|(name, value)| self.graph.integer(name, value));
        self.node("Range", &[&from, &to, &step])
    }

    /// Columns `from..to` of a matrix.
    fn columns(&mut self, x: &Value, from: usize, to: i64) -> Value {
        let [from, to] = [from as i64, to].map(|row| self.row(row));
        let axis = self.second_axis();
        self.node("Slice", &[x, &from, &to, &axis])
    }

    /// Elements or rows `from..to`; from the end where `to` is negative.
    fn part(&mut self, x: &Value, from: i64, to: i64) -> Value {
        let [from, to] = [from, to].map(|row| self.row(row));
        let axis = self.first_axis();
        self.node("Slice", &[x, &from, &to, &axis])
    }

    /// A frame begins every `hop` samples, and is as long as the transform.
    fn framing(&mut self, raw: &Value) -> Framing {
        let (transform, hop) = (self.settings.transform as i64, self.row(self.settings.hop as i64));
        let count = self.count(raw);
        let steps = self.node("Div", &[&count, &hop]);
        let one = self.row(1);
        let frames = self.node("Add", &[&steps, &one]);
        let numbers = self.numbers_to(&frames);
        let begins = self.node("Mul", &[&numbers, &hop]);
        let axis = self.second_axis();
        let begins = self.node("Unsqueeze", &[&begins, &axis]);
        // Zeros are put before the recording; what is mirrored is found by where it lies.
        let first = if self.settings.padding() == Padding::Zeros { 0 } else { -transform / 2 };
        let within = self.graph.integers("front_end.within", &(0..transform).map(|n| first + n).collect::<Vec<_>>());
        let places = self.node("Add", &[&begins, &within]);
        if self.settings.padding() == Padding::Zeros {
            return Framing { places };
        }
        let two = self.row(2);
        let last = self.node("Sub", &[&count, &one]);
        let period = self.node("Mul", &[&two, &last]);
        let period = self.node("Max", &[&period, &one]);
        let around = self.node("Mod", &[&places, &period]);
        let back = self.node("Sub", &[&period, &around]);
        Framing { places: self.node("Min", &[&around, &back]) }
    }

    /// A recording's frames, `[frames, transform]`.
    fn framed(&mut self, x: &Value, framed: &Framing) -> Value {
        let x = match self.settings.padding() {
            Padding::Reflection => x.clone(),
            Padding::Zeros => {
                let half = self.settings.transform as i64 / 2;
                let pads = self.graph.integers("front_end.zeros", &[half, half]);
                self.node("Pad", &[x, &pads])
            }
        };
        self.graph.add("Gather", &[&x, &framed.places], &[Integer("axis", 0)])
    }

    /// `x[n] - c x[n - 1]`, the first sample by its own rule.
    fn emphasised(&mut self, raw: &Value) -> Value {
        let settings = self.settings;
        if settings.pre_emphasis == 0.0 {
            return raw.clone();
        }
        let [own, next] = settings.first_emphasis().map(f64::from);
        // Of a single sample x the second is made up so that the rule leaves x: (1 - own) x / next.
        let made_up = if next == 0.0 { 0.0 } else { (1.0 - own) / next };
        let first = self.part(raw, 0, 1);
        let factor = self.graph.doubles("front_end.second", &[1], &[made_up]);
        let second = self.node("Mul", &[&first, &factor]);
        let two = self.part(raw, 0, 2);
        let two = self.graph.add("Concat", &[&two, &second], &[Integer("axis", 0)]);
        let two = self.part(&two, 0, 2);
        let rule = self.graph.doubles("front_end.first", &[2], &[own, next]);
        let two = self.node("Mul", &[&two, &rule]);
        let axis = self.first_axis();
        let head = self.graph.add("ReduceSum", &[&two, &axis], &[Integer("keepdims", 1)]);
        let strength = self.graph.doubles("front_end.emphasis", &[1], &[f64::from(settings.pre_emphasis)]);
        let before = self.part(raw, 0, -1);
        let before = self.node("Mul", &[&before, &strength]);
        let after = self.part(raw, 1, END);
        let rest = self.node("Sub", &[&after, &before]);
        self.graph.add("Concat", &[&head, &rest], &[Integer("axis", 0)])
    }

    /// Power spectra `[frames, bins]`.
    fn power(&mut self, x: &Value, framed: &Framing) -> Value {
        let frames = self.framed(x, framed);
        let (transform, bins) = (self.settings.transform, self.settings.bins());
        let window = self.settings.window();
        let mut waves = Vec::with_capacity(transform * 2 * bins);
        for (n, window) in window.iter().enumerate() {
            let angle = |bin: usize| TAU * ((n * bin) % transform) as f64 / transform as f64;
            waves.extend((0..bins).map(|bin| window * angle(bin).cos()));
            waves.extend((0..bins).map(|bin| window * angle(bin).sin()));
        }
        let waves = self.graph.doubles("front_end.transform", &[transform, 2 * bins], &waves);
        let spectrum = self.node("MatMul", &[&frames, &waves]);
        let squares = self.node("Mul", &[&spectrum, &spectrum]);
        let real = self.columns(&squares, 0, bins as i64);
        let imaginary = self.columns(&squares, bins, END);
        self.node("Add", &[&real, &imaginary])
    }

    /// Mel bands in decibels, none further below the loudest than `top_db`, and their cosine transform.
    fn cepstra(&mut self, power: &Value) -> Value {
        let (bands, bins, coefficients) = (self.settings.mel_bands, self.settings.bins(), self.settings.coefficients);
        let filters = transposed(&self.settings.mel_filters(), bins);
        let filters = self.graph.doubles("front_end.mel", &[bins, bands], &filters);
        let energies = self.node("MatMul", &[power, &filters]);
        let smallest = self.graph.double("front_end.smallest", f64::from(SMALLEST_POWER));
        let energies = self.node("Max", &[&energies, &smallest]);
        let logarithms = self.node("Log", &[&energies]);
        let ten = self.graph.double("front_end.decibels", 10.0 / LN_10);
        let decibels = self.node("Mul", &[&logarithms, &ten]);
        let loudest = self.graph.add("ReduceMax", &[&decibels], &[Integers("axes", vec![0, 1]), Integer("keepdims", 1)]);
        let range = self.graph.double("front_end.top_db", f64::from(self.settings.top_db));
        let lowest = self.node("Sub", &[&loudest, &range]);
        let decibels = self.node("Max", &[&decibels, &lowest]);
        let cosines = self.graph.doubles("front_end.dct", &[bands, coefficients], &transposed(&self.settings.dct(), bands));
        self.node("MatMul", &[&decibels, &cosines])
    }

    /// The log energy of what the window covers in place of the first column.
    fn with_energy(&mut self, cepstra: &Value, raw: &Value, framed: &Framing) -> Value {
        let frames = self.framed(raw, framed);
        let begin = self.settings.window_begin();
        let covered = self.columns(&frames, begin, (begin + self.settings.window) as i64);
        let squares = self.node("Mul", &[&covered, &covered]);
        let axis = self.second_axis();
        let energy = self.graph.add("ReduceSum", &[&squares, &axis], &[Integer("keepdims", 1)]);
        let smallest = self.graph.double("front_end.smallest", f64::from(SMALLEST_POWER));
        let energy = self.node("Max", &[&energy, &smallest]);
        let energy = self.node("Log", &[&energy]);
        let rest = self.columns(cepstra, 1, END);
        self.graph.add("Concat", &[&energy, &rest], &[Integer("axis", 1)])
    }

    /// The columns and their differences over time side by side.
    fn with_deltas(&mut self, x: &Value) -> Value {
        let Some(DeltaFilter { orders, edges, taps: (taps, width) }) = DeltaFilter::of(self.settings, |taps, width| (taps, width)) else {
            return x.clone();
        };
        let filters: Vec<&[f64]> = taps.chunks_exact(width).collect();
        let places = self.filter_places(x, width, edges);
        let first = self.filtered(x, &places, filters[0], 0);
        let mut all = vec![x.clone(), first.clone()];
        if orders > 1 {
            all.push(match filters[..] {
                [only] => self.filtered(&first, &places, only, 0),
                _ => self.filtered(x, &places, filters[1], 1),
            });
        }
        self.graph.add("Concat", &all.iter().collect::<Vec<_>>(), &[Integer("axis", 1)])
    }

    /// Which frames a filter takes of each, `[frames, width]`.
    fn filter_places(&mut self, x: &Value, width: usize, edges: Edges) -> Value {
        let (half, zero) = (self.row(width as i64 / 2), self.row(0));
        let count = self.count(x);
        let numbers = self.numbers_to(&count);
        let axis = self.second_axis();
        let numbers = self.node("Unsqueeze", &[&numbers, &axis]);
        let first = self.node("Sub", &[&numbers, &half]);
        let within = self.graph.integers("front_end.taps", &(0..width as i64).collect::<Vec<_>>());
        let one = self.row(1);
        let last = self.node("Sub", &[&count, &one]);
        let places = self.node("Add", &[&first, &within]);
        let places = self.node("Max", &[&places, &zero]);
        let repeated = self.node("Min", &[&places, &last]);
        if edges == Edges::Repeated {
            return repeated;
        }
        let width = self.row(width as i64);
        let last = self.node("Sub", &[&count, &width]);
        let first = self.node("Max", &[&first, &zero]);
        let first = self.node("Min", &[&first, &last]);
        let shifted = self.node("Add", &[&first, &within]);
        let is_long = self.node("GreaterOrEqual", &[&count, &width]);
        self.node("Where", &[&is_long, &shifted, &repeated])
    }

    /// A filter over frames.
    fn filtered(&mut self, x: &Value, places: &Value, taps: &[f64], order: usize) -> Value {
        let gathered = self.graph.add("Gather", &[x, places], &[Integer("axis", 0)]);
        let taps = self.graph.doubles(&format!("front_end.delta.{order}"), &[1, taps.len(), 1], taps);
        let weighted = self.node("Mul", &[&gathered, &taps]);
        let axis = self.second_axis();
        self.graph.add("ReduceSum", &[&weighted, &axis], &[Integer("keepdims", 0)])
    }
}

/// A matrix of so many columns with its rows as columns.
fn transposed(values: &[f64], columns: usize) -> Vec<f64> {
    let rows = values.len() / columns;
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}
