//! Spectra over octaves, as sub-harmonic summation takes them (Hermes: "Measurement of pitch by subharmonic summation", JASA 83, 1988):
//! smoothed, laid out evenly in octaves by a cubic spline and weighted as the ear weights low frequencies. All of this is linear, and
//! what a bin adds to a point falls by a factor of 3.7 with each bin between them: a point is a sum over a few bins beside it.

use std::f64::consts::PI;

use super::PITCH;
use crate::audio::mfcc::SAMPLE_RATE;

/// First frequency of the octaves, in hertz; the last is half the sampling rate. There are as many points as bins.
pub(crate) const LOWEST: f64 = 25.0;
/// Octaves above [`LOWEST`] at which the ear's weight is ½, and how steeply it rises there: figures measured of openSMILE, which follows
/// Hermes' arc tangent.
const HALF_WEIGHT: f64 = 0.346_067_45;
const STEEPNESS: f64 = 3.0;
/// Bins that a point is a sum over; those beyond would add less than a hundred-millionth of theirs.
pub(crate) const BAND: usize = 32;
/// Harmonics that are summed, the fundamental among them.
pub(crate) const HARMONICS: usize = 15;

/// How many octaves there are.
pub(crate) fn span() -> f64 {
    (f64::from(SAMPLE_RATE) / 2.0 / LOWEST).log2()
}

/// Points an octave, as harmonics and the ear's weight count them: the last point counts as one step more.
fn points_an_octave() -> f64 {
    PITCH.bins() as f64 / span()
}

/// `[HARMONICS]`: points from the fundamental.
pub(crate) fn harmonics() -> Vec<u32> {
    (1..=HARMONICS).map(|number| ((number as f64).log2() * points_an_octave()) as u32).collect()
}

/// `[points]`, the first bin of which each point is made, and `[BAND, points]`, what it and those behind it are weighted by.
pub(crate) fn octaves() -> (Vec<u32>, Vec<f64>) {
    let points = PITCH.bins();
    // The lowest bin, whose frequency has no logarithm, lies an octave below the next.
    let knots = (0..points).map(|bin| (PITCH.resolution() * (bin as f64).max(0.5)).log2());
    let places = (0..points).map(|point| LOWEST.log2() + point as f64 * span() / (points - 1) as f64);
    let spline = Spline::new(knots.collect(), places.collect());
    let weight = |point: usize| 0.5 + (STEEPNESS * (point as f64 / points_an_octave() - HALF_WEIGHT)).atan() / PI;
    let ear: Vec<f64> = (0..points).map(weight).collect();
    let first = |place: &Place| (place.knot + 1).saturating_sub(BAND / 2).min(points - BAND);
    let firsts: Vec<usize> = spline.places.iter().map(first).collect();
    let mut weights = vec![0.0; BAND * points];
    for bin in 0..points {
        let mut alone = vec![0.0; points];
        alone[bin] = 1.0;
        for (point, value) in spline.at_places(&smoothed(&alone)).enumerate() {
            if (firsts[point]..firsts[point] + BAND).contains(&bin) {
                weights[(bin - firsts[point]) * points + point] = value * ear[point];
            }
        }
    }
    (firsts.into_iter().map(|first| first as u32).collect(), weights)
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
