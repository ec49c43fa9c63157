//! Spectra over octaves, as they are prepared for sub-harmonic summation (Hermes: "Measurement of pitch by subharmonic summation", JASA
//! 83, 1988): what lies between the peaks is taken away, the rest smoothed, laid out evenly in octaves by a cubic spline and weighted as
//! the ear weights low frequencies.

use std::f64::consts::PI;

use super::frames::Shape;
use crate::audio::mfcc::SAMPLE_RATE;

/// First frequency of the octaves, in hertz; the last is half the sampling rate.
pub(super) const LOWEST: f64 = 25.0;
/// Bins on both sides of a peak that belong to it.
const BESIDE_PEAK: usize = 2;
/// Octaves above [`LOWEST`] at which the ear's weight is ½, and how steeply it rises there: figures measured of openSMILE, which follows
/// Hermes' arc tangent.
const HALF_WEIGHT: f64 = 0.346_067_45;
const STEEPNESS: f64 = 3.0;

/// Lays spectra out in octaves.
pub(super) struct Octaves {
    spline: Spline,
    /// `[points]`
    weights: Vec<f64>,
}

/// How many octaves there are.
fn span() -> f64 {
    (f64::from(SAMPLE_RATE) / 2.0 / LOWEST).log2()
}

/// Frequency of a place among `points`, which may lie between two.
pub(super) fn hertz(place: f64, points: usize) -> f64 {
    LOWEST * (place * span() / (points - 1) as f64).exp2()
}

/// Points an octave, as harmonics and the ear's weight count them: the last point counts as one step more.
pub(super) fn points_an_octave(points: usize) -> f64 {
    points as f64 / span()
}

impl Octaves {
    /// Of the spectra of frames of a shape; there are as many points as bins.
    pub(super) fn new(shape: Shape) -> Self {
        let points = shape.bins();
        // The lowest bin, whose frequency has no logarithm, lies an octave below the next.
        let knots = (0..points).map(|bin| (shape.resolution() * (bin as f64).max(0.5)).log2());
        let places = (0..points).map(|point| hertz(point as f64, points).log2());
        let weight = |point: usize| 0.5 + (STEEPNESS * (point as f64 / points_an_octave(points) - HALF_WEIGHT)).atan() / PI;
        Self { spline: Spline::new(knots.collect(), places.collect()), weights: (0..points).map(weight).collect() }
    }

    /// `[points]` of magnitudes `[bins]`.
    pub(super) fn of(&self, magnitudes: &[f64]) -> Vec<f64> {
        let mut peaks = magnitudes.to_vec();
        keep_peaks(&mut peaks);
        let peaks = smoothed(&peaks);
        self.spline.at_places(&peaks).zip(&self.weights).map(|(value, weight)| value.max(0.0) * weight).collect()
    }
}

/// Takes away what lies between two maxima, but for [`BESIDE_PEAK`] bins beside each.
fn keep_peaks(spectrum: &mut [f64]) {
    let mut previous = None;
    for bin in 0..spectrum.len() - 1 {
        if (bin == 0 || spectrum[bin - 1] < spectrum[bin]) && spectrum[bin] > spectrum[bin + 1] {
            let from = previous.map_or(bin, |previous: usize| previous + BESIDE_PEAK + 1);
            let to = bin.saturating_sub(BESIDE_PEAK);
            if from < to {
                spectrum[from..to].fill(0.0);
            }
            previous = Some(bin);
        }
    }
}

/// ¼, ½, ¼; the last bin stays, and a zero stands before the first.
fn smoothed(spectrum: &[f64]) -> Vec<f64> {
    let last = spectrum.len() - 1;
    let before = |bin: usize| if bin == 0 { 0.0 } else { spectrum[bin - 1] };
    let inner = (0..last).map(|bin| (before(bin) + 2.0 * spectrum[bin] + spectrum[bin + 1]) / 4.0);
    inner.chain([spectrum[last]]).collect()
}

/// A natural cubic spline through knots that stay, read at places that stay.
struct Spline {
    /// Of every knot but the first and last: what its place adds to the second derivative, and two factors of the elimination.
    knots: Vec<Knot>,
    /// One over the distance of each knot to the next.
    slopes: Vec<f64>,
    places: Vec<Place>,
}

struct Knot {
    /// Six over the distance of its neighbours, by what the elimination leaves on the diagonal.
    scale: f64,
    /// Share of that distance before it, the same way.
    before: f64,
    /// What the elimination leaves beside the diagonal.
    after: f64,
}

/// Where a place lies: behind which knot, and the weights of both knots' values and second derivatives.
struct Place {
    knot: usize,
    values: [f64; 2],
    curvatures: [f64; 2],
}

impl Spline {
    /// Knots and places rise; the places lie between the first knot and the last.
    fn new(knots: Vec<f64>, places: Vec<f64>) -> Self {
        let steps: Vec<f64> = knots.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut after = 0.0;
        let eliminated = steps.windows(2).map(|pair| {
            let both = pair[0] + pair[1];
            let share = pair[0] / both;
            let diagonal = share * after + 2.0;
            after = (share - 1.0) / diagonal;
            Knot { scale: 6.0 / both / diagonal, before: share / diagonal, after }
        });
        let eliminated = eliminated.collect();
        let place = |place: f64| {
            let knot = knots.partition_point(|&knot| knot <= place).clamp(1, steps.len()) - 1;
            let step = steps[knot];
            let to = (place - knots[knot]) / step;
            let from = 1.0 - to;
            let curvature = |share: f64| (share.powi(3) - share) * step * step / 6.0;
            Place { knot, values: [from, to], curvatures: [curvature(from), curvature(to)] }
        };
        let places = places.into_iter().map(place).collect();
        Self { places, knots: eliminated, slopes: steps.iter().map(|step| 1.0 / step).collect() }
    }

    /// The spline through `values`, one a knot, at every place.
    fn at_places<'s>(&'s self, values: &'s [f64]) -> impl Iterator<Item = f64> + 's {
        let mut curvatures = vec![0.0; values.len()];
        let mut before = 0.0;
        for (place, knot) in self.knots.iter().enumerate() {
            let slope = |step: usize| (values[step + 1] - values[step]) * self.slopes[step];
            before = knot.scale * (slope(place + 1) - slope(place)) - knot.before * before;
            curvatures[place + 1] = before;
        }
        for (place, knot) in self.knots.iter().enumerate().rev() {
            curvatures[place + 1] += knot.after * curvatures[place + 2];
        }
        self.places.iter().map(move |place| {
            let of = |numbers: &[f64], weights: [f64; 2]| numbers[place.knot] * weights[0] + numbers[place.knot + 1] * weights[1];
            of(values, place.values) + of(&curvatures, place.curvatures)
        })
    }
}
