//! Functionals of contours, see [`super::FUNCTIONALS`].

use super::Contours;

/// Of each contour in turn.
pub(super) fn of(contours: &Contours) -> Vec<f32> {
    let Contours { f0, log_f0, voicing, log_hnr, loudness } = contours;
    let where_there = [f0, log_f0, voicing, log_hnr].map(|contour| {
        let there = |&value: &f64| value != 0.0;
        smoothed(contour, there).into_iter().filter(there).collect()
    });
    where_there.into_iter().chain([smoothed(loudness, |_| true)]).flat_map(functionals).map(|value| value as f32).collect()
}

/// The mean of every three neighbours that take part, the ends repeated; what takes no part stays.
fn smoothed(contour: &[f64], takes_part: impl Fn(&f64) -> bool) -> Vec<f64> {
    let mean = |place: usize| {
        let neighbours = [place.saturating_sub(1), place, (place + 1).min(contour.len() - 1)].map(|place| contour[place]);
        let (sum, count) =
            neighbours.iter().filter(|value| takes_part(value)).fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        if takes_part(&contour[place]) { sum / count } else { contour[place] }
    };
    (0..contour.len()).map(mean).collect()
}

fn functionals(mut values: Vec<f64>) -> [f64; 7] {
    if values.is_empty() {
        return [0.0; 7];
    }
    let count = values.len() as f64;
    let sum_of = |of: &dyn Fn(f64, f64) -> f64| values.iter().enumerate().map(|(time, &value)| of(time as f64, value)).sum::<f64>();
    let (mean, middle) = (sum_of(&|_, value| value) / count, (count - 1.0) / 2.0);
    let deviation = (sum_of(&|_, value| (value - mean).powi(2)) / count).sqrt();
    let spread = sum_of(&|time, _| (time - middle).powi(2));
    let slope = if spread == 0.0 { 0.0 } else { sum_of(&|time, value| (time - middle) * (value - mean)) / spread };
    // Decibels may add up to nothing, and then have no centre.
    let centroid = if mean == 0.0 { 0.0 } else { sum_of(&|time, value| time * value) / mean / count / count };
    values.sort_by(f64::total_cmp);
    let [low, high] = [0.1, 0.9].map(|share| percentile(&values, share));
    [deviation, mean, slope, centroid, low, high, high - low]
}

/// Of sorted values, between two in proportion.
fn percentile(values: &[f64], share: f64) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let below = place as usize;
    let above = (below + 1).min(values.len() - 1);
    values[below] + (place - below as f64) * (values[above] - values[below])
}
