//! A machine of two classes by sequential minimal optimisation, the pair of each step chosen by second-order information (Fan, Chen, Lin:
//! Working Set Selection Using Second Order Information for Training Support Vector Machines, JMLR 2005).
//!
//! maximise `Σ αᵢ - ½ Σ αᵢ αⱼ yᵢ yⱼ K(xᵢ, xⱼ)` with `0 ≤ αᵢ ≤ C` and `Σ αᵢ yᵢ = 0`

use std::collections::HashMap;
use std::rc::Rc;

use super::{GoingOn, Interrupted, go_on};

/// How far from the optimum's conditions the worst pair may be.
const GAP: f64 = 1e-4;
/// Curvature of a pair that has none.
const LEAST_CURVATURE: f64 = 1e-12;
/// Steps between two looks whether to go on.
const LOOK_EVERY: u64 = 1024;
/// Most bytes of rows that are kept.
pub(super) const KEPT_BYTES: usize = 1 << 28;

/// A kernel over some samples, computed row by row.
pub trait Kernel {
    /// How many samples there are.
    fn samples(&self) -> usize;

    /// `K(x, x)` of each.
    fn diagonal(&self) -> Vec<f32>;

    /// `K(x, ·)` of one with every sample.
    fn row(&self, sample: usize) -> Vec<f32>;
}

/// Rows of a kernel, each computed when it is asked for; those that were used last are kept.
pub struct Rows<'k, K> {
    kernel: &'k K,
    /// With when it was used last.
    kept: HashMap<usize, (u64, Rc<[f32]>)>,
    most: usize,
    clock: u64,
}

impl<'k, K: Kernel> Rows<'k, K> {
    /// None yet.
    pub fn of(kernel: &'k K) -> Self {
        // A step needs two.
        let most = (KEPT_BYTES / (size_of::<f32>() * kernel.samples().max(1))).max(2);
        Self { kernel, kept: HashMap::new(), most, clock: 0 }
    }

    /// `K(x, ·)` of one sample with every sample.
    pub fn get(&mut self, sample: usize) -> Rc<[f32]> {
        self.clock += 1;
        if let Some((used, row)) = self.kept.get_mut(&sample) {
            *used = self.clock;
            return Rc::clone(row);
        }
        if self.kept.len() >= self.most {
            let oldest = self.kept.iter().min_by_key(|(_, (used, _))| *used).map(|(&sample, _)| sample);
            oldest.and_then(|oldest| self.kept.remove(&oldest));
        }
        let row: Rc<[f32]> = self.kernel.row(sample).into();
        self.kept.insert(sample, (self.clock, Rc::clone(&row)));
        row
    }
}

/// A machine of two classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Of each sample, from 0 to C.
    pub alpha: Vec<f64>,
    /// b of `Σ αᵢ yᵢ K(xᵢ, x) + b`, whose sign is the class.
    pub bias: f64,
    /// The dual's maximum.
    pub objective: f64,
}

impl Solution {
    /// `Σ αᵢ`.
    pub fn total(&self) -> f64 {
        self.alpha.iter().sum()
    }
}

/// Solves the machine of samples with the signs 1 and -1, from `start`, another solution's α for the same signs and C, or from nothing.
/// Where all signs are alike, it says so of every sample.
///
/// # Errors
/// [`Interrupted`]
pub fn solve<K: Kernel>(
    rows: &mut Rows<'_, K>,
    signs: &[f64],
    c: f64,
    start: Option<&[f64]>,
    going_on: GoingOn<'_>,
) -> Result<Solution, Interrupted> {
    let diagonal = rows.kernel.diagonal();
    let mut alpha = start.map_or_else(|| vec![0.0; signs.len()], <[f64]>::to_vec);
    // y minus the decision value without b: what b would have to be for a sample to lie on its margin.
    let mut margin = signs.to_vec();
    for sample in (0..signs.len()).filter(|&sample| alpha[sample] > 0.0) {
        let step = alpha[sample] * signs[sample];
        margin.iter_mut().zip(rows.get(sample).iter()).for_each(|(margin, &k)| *margin -= step * f64::from(k));
    }
    let may_rise = |alpha: &[f64], t: usize| if signs[t] > 0.0 { alpha[t] < c } else { alpha[t] > 0.0 };
    let may_fall = |alpha: &[f64], t: usize| if signs[t] > 0.0 { alpha[t] > 0.0 } else { alpha[t] < c };
    let mut steps = 0u64;
    loop {
        if steps.is_multiple_of(LOOK_EVERY) {
            go_on(going_on)?;
        }
        steps += 1;
        let mut rising = None;
        let [mut highest, mut lowest] = [f64::NEG_INFINITY, f64::INFINITY];
        for (t, &margin) in margin.iter().enumerate() {
            if margin > highest && may_rise(&alpha, t) {
                (highest, rising) = (margin, Some(t));
            }
            if margin < lowest && may_fall(&alpha, t) {
                lowest = margin;
            }
        }
        let Some(i) = rising.filter(|_| highest - lowest >= GAP) else {
            let bias = bias(&alpha, &margin, c, [highest, lowest]);
            let objective =
                alpha.iter().zip(signs).zip(&margin).map(|((alpha, sign), margin)| alpha * (1.0 + sign * margin)).sum::<f64>() / 2.0;
            return Ok(Solution { alpha, bias, objective });
        };
        let of_i = rows.get(i);
        let curvature = |t: usize| {
            let curvature = f64::from(diagonal[i]) + f64::from(diagonal[t]) - 2.0 * f64::from(of_i[t]);
            if curvature > 0.0 { curvature } else { LEAST_CURVATURE }
        };
        let (mut most, mut j) = (0.0, i);
        for t in (0..signs.len()).filter(|&t| margin[t] < highest && may_fall(&alpha, t)) {
            let gain = (highest - margin[t]).powi(2) / curvature(t);
            if gain > most {
                (most, j) = (gain, t);
            }
        }
        // y_i α_i rises by as much as y_j α_j falls.
        let room = |t: usize, upwards: bool| if (signs[t] > 0.0) == upwards { c - alpha[t] } else { alpha[t] };
        let rooms = [room(i, true), room(j, false)];
        let length = ((highest - margin[j]) / curvature(j)).min(rooms[0]).min(rooms[1]);
        for (t, upwards, room) in [(i, true, rooms[0]), (j, false, rooms[1])] {
            let grows = (signs[t] > 0.0) == upwards;
            // A bound is reached exactly, whatever rounding would make of it.
            alpha[t] = match (length >= room, grows) {
                (true, true) => c,
                (true, false) => 0.0,
                (false, true) => alpha[t] + length,
                (false, false) => alpha[t] - length,
            };
        }
        let of_j = rows.get(j);
        margin.iter_mut().zip(of_i.iter().zip(of_j.iter())).for_each(|(margin, (&k_i, &k_j))| {
            *margin -= length * (f64::from(k_i) - f64::from(k_j));
        });
    }
}

/// b: the mean over the samples on their margin; where none is, the middle of what the others allow.
fn bias(alpha: &[f64], margin: &[f64], c: f64, [highest, lowest]: [f64; 2]) -> f64 {
    let free: Vec<f64> = alpha.iter().zip(margin).filter(|&(&alpha, _)| alpha > 0.0 && alpha < c).map(|(_, &margin)| margin).collect();
    if !free.is_empty() {
        return free.iter().sum::<f64>() / free.len() as f64;
    }
    match (highest.is_finite(), lowest.is_finite()) {
        (true, true) => f64::midpoint(highest, lowest),
        (true, false) => highest,
        (false, true) => lowest,
        (false, false) => 0.0,
    }
}
