//! Weights of a sum of kernels by SimpleMKL (Rakotomamonjy, Bach, Canu, Grandvalet: SimpleMKL, JMLR 2008): the weights, not negative and
//! of sum 1, that make the machines' objective least, by reduced gradients. The machines of all classes have them in common.

use super::kernels::KernelFamily;
use super::smo::{Rows, Solution, solve};
use super::{GoingOn, Interrupted};

/// Share of the objective that the dual may lie below it at the end.
const GAP: f64 = 0.01;
/// Weights below this are zero.
const LEAST_WEIGHT: f64 = 1e-8;
/// Share of a step's interval that its length is searched to.
const LINE_SEARCH: f64 = 0.01;
/// Descents at most: the gap is met after a few dozen.
const MOST_DESCENTS: usize = 500;

/// Weights and what they reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// `[kernels]`
    pub weights: Vec<f64>,
    /// Sum over the classes of their machines' objectives.
    pub objective: f64,
    /// How far it may be above the least one, as a share of it.
    pub gap: f64,
}

/// The machines of all classes with some weights.
#[derive(Clone)]
struct Point {
    weights: Vec<f64>,
    machines: Vec<Solution>,
    objective: f64,
}

struct Problem<'p> {
    family: &'p KernelFamily,
    signs: &'p [Vec<f64>],
    c: f64,
    going_on: GoingOn<'p>,
}

/// Learns the weights of a family's kernels; `signs`: 1 and -1, `[classes][samples]`.
///
/// # Errors
/// [`Interrupted`]
pub fn learn(family: &KernelFamily, signs: &[Vec<f64>], c: f64, going_on: GoingOn<'_>) -> Result<Learned, Interrupted> {
    let problem = Problem { family, signs, c, going_on };
    let kernels = family.kernels();
    let mut point = problem.at(vec![1.0 / kernels as f64; kernels], None)?;
    let mut gap = f64::INFINITY;
    for _ in 0..MOST_DESCENTS {
        let forms = problem.forms(&point);
        gap = gap_of(&point, &forms);
        if gap < GAP {
            break;
        }
        let next = problem.descend(&point, &forms)?;
        if next.objective >= point.objective {
            break;
        }
        point = next;
    }
    Ok(Learned { weights: point.weights, objective: point.objective, gap })
}

/// What is left between the objective and the dual with the same α, as a share; `forms`: half of each kernel's quadratic form.
fn gap_of(point: &Point, forms: &[f64]) -> f64 {
    let total: f64 = point.machines.iter().map(Solution::total).sum();
    let greatest = forms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if point.objective > 0.0 { (point.objective + greatest - total) / point.objective } else { 0.0 }
}

impl Problem<'_> {
    /// Solves the machines, from those of another point.
    fn at(&self, weights: Vec<f64>, from: Option<&Point>) -> Result<Point, Interrupted> {
        let sum = self.family.sum(&weights);
        let mut rows = Rows::of(&sum);
        let mut solve = |(class, signs): (usize, &Vec<f64>)| {
            let start = from.map(|point| point.machines[class].alpha.as_slice());
            solve(&mut rows, signs, self.c, start, self.going_on)
        };
        let machines = self.signs.iter().enumerate().map(&mut solve).collect::<Result<Vec<_>, _>>()?;
        Ok(Point { objective: machines.iter().map(|machine| machine.objective).sum(), machines, weights })
    }

    /// `½ Σ_c Σ_ij α_i α_j y_i y_j K_m`: the objective falls by as much for each unit of a kernel's weight.
    fn forms(&self, point: &Point) -> Vec<f64> {
        let factors =
            |(machine, signs): (&Solution, &Vec<f64>)| machine.alpha.iter().zip(signs).map(|(alpha, sign)| alpha * sign).collect();
        let factors: Vec<Vec<f64>> = point.machines.iter().zip(self.signs).map(factors).collect();
        self.family.quadratic_forms(&factors).into_iter().map(|form| form / 2.0).collect()
    }

    /// Goes along the reduced gradient: as far as weights are zeroed while the objective falls, then to its least on the rest.
    fn descend(&self, from: &Point, forms: &[f64]) -> Result<Point, Interrupted> {
        let mut direction = reduced(&from.weights, forms);
        let mut point = from.clone();
        loop {
            let steps = (0..direction.len()).filter(|&kernel| direction[kernel] < 0.0);
            let length = |kernel: &usize| point.weights[*kernel] / -direction[*kernel];
            let Some(first) = steps.min_by(|a, b| length(a).total_cmp(&length(b))) else { return Ok(point) };
            let most = length(&first);
            let mut ahead = along(&point.weights, &direction, most);
            ahead[first] = 0.0;
            let ahead = self.at(cleaned(ahead), Some(&point))?;
            if ahead.objective >= point.objective {
                return self.search(point, &direction, most);
            }
            point = ahead;
            // The others go on as they did; what the zeroed one gave is taken from the greatest.
            direction.iter_mut().zip(&point.weights).filter(|(_, weight)| **weight == 0.0).for_each(|(step, _)| *step = step.max(0.0));
            balance(&mut direction, &point.weights);
        }
    }

    /// Golden section search on the way from a point, which is returned where nothing on it is lower.
    fn search(&self, from: Point, direction: &[f64], most: f64) -> Result<Point, Interrupted> {
        let ratio = (5f64.sqrt() - 1.0) / 2.0;
        let at = |length: f64, near: &Point| self.at(cleaned(along(&from.weights, direction, length)), Some(near));
        let [mut low, mut high] = [0.0, most];
        let mut inner = [most * (1.0 - ratio), most * ratio];
        let mut points = [at(inner[0], &from)?, at(inner[1], &from)?];
        while high - low > LINE_SEARCH * most {
            if points[0].objective <= points[1].objective {
                (high, inner[1]) = (inner[1], inner[0]);
                inner[0] = high - ratio * (high - low);
                let new = at(inner[0], &points[0])?;
                let [old, _] = points;
                points = [new, old];
            } else {
                (low, inner[0]) = (inner[0], inner[1]);
                inner[1] = low + ratio * (high - low);
                let new = at(inner[1], &points[1])?;
                let [_, old] = points;
                points = [old, new];
            }
        }
        let [first, second] = points;
        let best = if first.objective <= second.objective { first } else { second };
        Ok(if best.objective < from.objective { best } else { from })
    }
}

/// The reduced gradient's way down: weights stay of sum 1, and zeros that would fall stay zero.
fn reduced(weights: &[f64], forms: &[f64]) -> Vec<f64> {
    let greatest = greatest(weights);
    let difference = |kernel: usize| {
        let down = forms[kernel] - forms[greatest];
        if weights[kernel] <= 0.0 && down < 0.0 { 0.0 } else { down }
    };
    let mut direction: Vec<f64> = (0..weights.len()).map(difference).collect();
    balance(&mut direction, weights);
    direction
}

/// Has the greatest weight give what the others take.
fn balance(direction: &mut [f64], weights: &[f64]) {
    let greatest = greatest(weights);
    direction[greatest] = 0.0;
    direction[greatest] = -direction.iter().sum::<f64>();
}

fn greatest(weights: &[f64]) -> usize {
    (1..weights.len()).fold(0, |best, kernel| if weights[kernel] > weights[best] { kernel } else { best })
}

fn along(weights: &[f64], direction: &[f64], length: f64) -> Vec<f64> {
    weights.iter().zip(direction).map(|(weight, direction)| weight + length * direction).collect()
}

/// Zeros what is below the least weight; of sum 1 again.
fn cleaned(weights: Vec<f64>) -> Vec<f64> {
    let kept = weights.into_iter().map(|weight| if weight < LEAST_WEIGHT { 0.0 } else { weight });
    let kept: Vec<f64> = kept.collect();
    let sum: f64 = kept.iter().sum();
    kept.into_iter().map(|weight| weight / sum).collect()
}
