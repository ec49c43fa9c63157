//! What training changes by chance, and the average of weights, on every device.

use mcsan::backend::{Storage, as_f32};
use mcsan::config::Settings;
use mcsan::dataset::{Augmentation, BatchShape};
use mcsan::tape::{Mode, Tape};
use mcsan::train::{Session, Weights};

fn small() -> Settings {
    let mut settings = Settings::default();
    (settings.model.hidden, settings.model.heads, settings.model.feed_forward) = (8, 2, 8);
    settings
}

#[test]
fn what_is_covered_reaches_the_network_as_zeros_and_nothing_else_does() {
    let data = BatchShape { batch: 6, frames: 90, words: 5, ragged: true }.dataset();
    let mut settings = small();
    (settings.train.time_masks, settings.train.frequency_masks) = (2, 1);
    let utterances = [4, 0, 3];
    on_every_device!("what is covered", |backend, name| {
        let session = Session::new(backend, &settings, &data, &utterances, Weights::Drawn).unwrap();
        let normalised = |step: Option<u64>| {
            let augmentation = step.and_then(|step| Augmentation::of(&settings, step));
            let batch = session.batches.augmented(&utterances, augmentation.as_ref()).unwrap();
            let frames = batch.frames("audio");
            let x = frames.normalised(&mut Tape::new(backend, Mode::Train));
            let values = as_f32(pollster::block_on(backend.read(&x.value)).unwrap());
            (values, frames.rows[0].offsets.to_vec())
        };
        let (whole, offsets) = normalised(None);
        for step in 0..4 {
            let (covered, _) = normalised(Some(step));
            let mut zeros = 0;
            for (own, rows) in offsets.windows(2).enumerate() {
                let elements = 40 * rows[0] as usize..40 * rows[1] as usize;
                let is_zero: Vec<bool> = covered[elements.clone()].iter().map(|&value| value == 0.0).collect();
                let rows = is_zero.len() / 40;
                let frame = |row: usize| (0..40).all(|column| is_zero[40 * row + column]);
                let column = |column: usize| (0..rows).all(|row| is_zero[40 * row + column]);
                for (place, (&zero, (&before, &after))) in
                    is_zero.iter().zip(whole[elements.clone()].iter().zip(&covered[elements.clone()])).enumerate()
                {
                    // A zero is of a frame or of a column that is covered as a whole.
                    assert!(!zero || before == 0.0 || frame(place / 40) || column(place % 40), "{name}: utterance {own}, {place}");
                    assert!(zero || before.to_bits() == after.to_bits(), "{name}: utterance {own}, {place}");
                    zeros += usize::from(zero);
                }
            }
            assert!(zeros > 0 && zeros < whole.len() / 2, "{name}: {zeros}");
        }
    });
}

#[test]
fn the_average_of_the_weights_follows_them_by_its_decay() {
    let data = BatchShape { batch: 6, frames: 40, words: 5, ragged: true }.dataset();
    let mut settings = small();
    settings.train.average = 0.25;
    let utterances: Vec<usize> = (0..6).collect();
    on_every_device!("the average of the weights", |backend, name| {
        let session = Session::new(backend, &settings, &data, &utterances, Weights::Drawn).unwrap();
        let mut trainer = session.trainer();
        let drawn = pollster::block_on(session.network().read_weights()).unwrap();
        let mut expected: Vec<f64> = drawn.into_iter().map(f64::from).collect();
        for step in 1..=6 {
            pollster::block_on(trainer.train_in_parts(&session.batches, &utterances, 1)).unwrap();
            let weights = pollster::block_on(trainer.network().read_weights()).unwrap();
            let decay = f64::min(0.25, (1.0 + step as f64) / (10.0 + step as f64));
            expected.iter_mut().zip(&weights).for_each(|(average, &weight)| *average += (1.0 - decay) * (f64::from(weight) - *average));
            let average = pollster::block_on(trainer.result().read_weights()).unwrap();
            let apart = average.iter().zip(&expected).map(|(&ours, &expected)| (f64::from(ours) - expected).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-6, "{name}: {apart} after step {step}");
            assert_ne!(average, weights, "{name}");
        }
    });
}
