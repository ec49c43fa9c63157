//! Our prosodic contours and functionals against openSMILE's, and of recordings of odd kinds.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use mcsan::audio::decode;
use mcsan::audio::prosody::{COLUMNS, CONTOURS, Contours, FUNCTIONALS, Prosody};

use crate::program::read_npy;

/// Largest differences from openSMILE's contours, which are f32: of F0 and loudness relative, of the others as they are.
const AGREEMENT: [f64; 5] = [1e-5, 1e-4, 1e-3, 1e-3, 1e-4];
/// The loudness that openSMILE gives silence, which for us has none; the loudest frames have some 50.
const SILENCE: f64 = 0.03;
/// Largest differences of each contour's functionals, relative to the value or, where it is larger, to the contour's deviation.
const AGREEMENT_OF_FUNCTIONALS: [f32; 5] = [1e-5, 1e-5, 2e-4, 1e-5, 2e-3];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The clips of `make.py`.
fn clips() -> [(&'static str, Vec<f32>); 3] {
    let synthetic = |name| (name, decode(&file(&format!("tests/fixtures/prosody/{name}.wav"))).unwrap());
    let speech = decode(&file("assets/demo/clips/ann_good01_lively.flac")).unwrap();
    [synthetic("glide"), synthetic("vowel"), ("ann_good01_lively", [speech, vec![0.0; 1600]].concat())]
}

fn listed(contours: Contours) -> [Vec<f64>; 5] {
    let Contours { f0, log_f0, voicing, log_hnr, loudness } = contours;
    [f0, log_f0, voicing, log_hnr, loudness]
}

/// openSMILE's of a clip.
fn expected(name: &str) -> ([Vec<f64>; 5], Vec<f32>) {
    let read = |what: &str| read_npy(&file(&format!("tests/fixtures/prosody/{name}.{what}.npy"))).1;
    let (pitch, loudness) = (read("pitch"), read("loudness"));
    let column = |place: usize| pitch.iter().skip(place).step_by(4).map(|&value| value.into()).collect();
    ([column(0), column(1), column(2), column(3), loudness.into_iter().map(f64::from).collect()], read("functionals"))
}

#[test]
fn contours_and_functionals_are_those_of_open_smile() {
    let prosody = Prosody::default();
    for (name, samples) in clips() {
        let (contours, functionals) = expected(name);
        for (place, (own, theirs)) in listed(prosody.contours(&samples)).iter().zip(&contours).enumerate() {
            assert_eq!(own.len(), theirs.len(), "{name}, {}", CONTOURS[place]);
            let mut largest = 0.0f64;
            for (frame, (&own, &theirs)) in own.iter().zip(theirs).enumerate() {
                let (is_loudness, is_relative) = (place == 4, place == 0 || place == 4);
                if own == 0.0 || theirs == 0.0 {
                    assert!(own == theirs || is_loudness && theirs < SILENCE, "{name}, {} {frame}: {own} {theirs}", CONTOURS[place]);
                } else {
                    largest = largest.max((own - theirs).abs() / if is_relative { theirs } else { 1.0 });
                }
            }
            println!("{name}, {}: {largest:.1e}", CONTOURS[place]);
            assert!(largest < AGREEMENT[place], "{name}, {}: {largest}", CONTOURS[place]);
        }

        let own = prosody.functionals(&samples);
        assert_eq!((own.len(), functionals.len()), (COLUMNS, COLUMNS));
        for (contour, (own, theirs)) in own.chunks_exact(7).zip(functionals.chunks_exact(7)).enumerate() {
            for (place, (own, theirs_of)) in own.iter().zip(theirs).enumerate() {
                let apart = (own - theirs_of).abs() / theirs_of.abs().max(theirs[0]);
                assert!(
                    apart < AGREEMENT_OF_FUNCTIONALS[contour],
                    "{name}, {} of {}: {own} {theirs_of}",
                    FUNCTIONALS[place],
                    CONTOURS[contour]
                );
            }
        }
    }
}

#[test]
fn the_pitch_of_a_glide_is_its_frequency() {
    let [(_, glide), ..] = clips();
    let f0 = Prosody::default().contours(&glide).f0;
    // Where the swell begins and ends, a frame's loudest part is not its middle.
    for (frame, f0) in f0.iter().enumerate().take(70).skip(5) {
        let middle = (frame * 160 + 440) as f64 / 16_000.0;
        let true_f0 = 110.0 * (1.125 * middle / 0.8).exp2();
        assert!((f0 / true_f0 - 1.0).abs() < 0.01, "frame {frame}: {f0} Hz, not {true_f0} Hz");
    }
}

#[test]
fn prosody_of_odd_recordings_is_finite_and_of_silence_nothing() {
    let prosody = Prosody::default();
    for length in [1, 319, 879, 880, 16_000] {
        assert_eq!(prosody.functionals(&vec![0.0; length]), [0.0; COLUMNS], "{length} zeros");
    }
    let tone = |amplitude: f64, hertz: f64| -> Vec<f32> {
        (0..8000).map(|n| (amplitude * (TAU * hertz * f64::from(n) / 16_000.0).sin()) as f32).collect()
    };
    let mut click = vec![0.0; 4000];
    click[2000] = 1.0;
    let odd =
        [vec![0.7], vec![1.0; 500], vec![-1.0; 4000], click, tone(1.0, 100.0), tone(1e-30, 200.0), tone(1e15, 300.0), tone(0.5, 7999.0)];
    for (place, samples) in odd.iter().enumerate() {
        let functionals = prosody.functionals(samples);
        assert!(functionals.iter().all(|value| value.is_finite()), "{place}: {functionals:?}");
        assert_eq!(functionals, prosody.functionals(samples), "{place}");
    }
}

/// Recordings of other rates are resampled before: their pitch is the same.
#[test]
fn the_pitch_of_a_recording_of_8_khz_is_that_of_16_khz() {
    let folder = tempfile::tempdir().unwrap();
    let mean_f0 = |rate: u32| {
        let path = folder.path().join(format!("{rate}.wav"));
        let spec = hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for n in 0..rate / 2 {
            let voice: f64 = (1..9).map(|harmonic| (TAU * 150.0 * f64::from(harmonic * n) / f64::from(rate)).sin() / 9.0).sum();
            writer.write_sample((voice * 32_767.0) as i16).unwrap();
        }
        writer.finalize().unwrap();
        Prosody::default().functionals(&decode(&path).unwrap())[1]
    };
    let [low, high] = [8000, 16_000].map(mean_f0);
    assert!((high - 150.0).abs() < 0.5 && (low - high).abs() < 0.5, "{low} Hz, {high} Hz");
}
