//! Inputs by which nothing is decided that rounding could decide otherwise: drawn until the reference makes the same of them when each
//! number is a little different.

use crate::check::Source;

/// Draws at most; what has not settled by then stays.
const DRAWS: usize = 50;
/// Inputs a little different that are tried.
const TRIALS: usize = 12;

/// Draws inputs until what `outcome` makes of them moves by no more than `apart` where numbers move by `amplitude` of the largest.
pub(super) fn settled(
    source: &mut Source,
    [amplitude, apart]: [f64; 2],
    mut draw: impl FnMut(&mut Source) -> Vec<f32>,
    outcome: impl Fn(&[f32]) -> Vec<f64>,
) -> Vec<f32> {
    let mut drawn = draw(source);
    for _ in 1..DRAWS {
        let expected = outcome(&drawn);
        let largest = drawn.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        let stays = (0..TRIALS).all(|_| {
            let moved = source.uniform(drawn.len(), 1.0);
            // Zeros stay: they say that nothing is there.
            let moved =
                drawn.iter().zip(moved).map(|(&value, by)| if value == 0.0 { value } else { value + amplitude as f32 * largest * by });
            let got = outcome(&moved.collect::<Vec<_>>());
            got.iter().zip(&expected).all(|(got, want)| (got - want).abs() <= apart * want.abs().max(1.0))
        });
        if stays {
            break;
        }
        drawn = draw(source);
    }
    drawn
}
