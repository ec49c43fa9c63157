//! Our prosodic contours and functionals against openSMILE's, on the reference and on every adapter, and of recordings of odd kinds.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use mcsan::audio::decode;
use mcsan::audio::prosody::{COLUMNS, CONTOURS, FUNCTIONALS};
use mcsan::backend::cpu::Cpu;
use mcsan::backend::ops::{CANDIDATE_COLUMNS, PitchTrack};
use mcsan::backend::{Backend, Ragged};
use mcsan::base::real::Real;
use mcsan::dataset::{DataStream, Dataset};
use mcsan::prepare::{Contours, ProsodyTables};

use crate::program::{default_adapter, mcsan, read_npy};

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

/// The five contours of each clip.
fn contours<B: Backend>(backend: &B, clips: &[Vec<f32>]) -> Vec<[Vec<f64>; 5]> {
    let contours = Contours::of(backend, &ProsodyTables::new(backend), clips);
    let read = |tensor| -> Vec<f64> { pollster::block_on(backend.read(tensor)).unwrap().into_iter().map(Real::as_f64).collect() };
    let (pitch, loudness) = (read(&contours.pitch), read(&contours.loudness));
    let rows = contours.pitch_rows.offsets.windows(2).zip(contours.loudness_rows.offsets.windows(2));
    let of_clip = |(pitch_rows, loudness_rows): (&[u32], &[u32])| {
        let [[from, to], [first, end]] = [pitch_rows, loudness_rows].map(|rows| [rows[0] as usize, rows[1] as usize]);
        let column = |place: usize| pitch[4 * from..4 * to].iter().skip(place).step_by(4).copied().collect();
        [column(0), column(1), column(2), column(3), loudness[first..end].to_vec()]
    };
    rows.map(of_clip).collect()
}

/// The functionals of each clip.
fn functionals<B: Backend>(backend: &B, clips: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let vectors = Contours::of(backend, &ProsodyTables::new(backend), clips).functionals(backend);
    let values = pollster::block_on(backend.read(&vectors)).unwrap();
    values.chunks_exact(COLUMNS).map(|row| row.iter().map(|&value| value.as_f32()).collect()).collect()
}

/// openSMILE's of a clip.
fn expected(name: &str) -> ([Vec<f64>; 5], Vec<f32>) {
    let read = |what: &str| read_npy(&file(&format!("tests/fixtures/prosody/{name}.{what}.npy"))).1;
    let (pitch, loudness) = (read("pitch"), read("loudness"));
    let column = |place: usize| pitch.iter().skip(place).step_by(4).map(|&value| value.into()).collect();
    ([column(0), column(1), column(2), column(3), loudness.into_iter().map(f64::from).collect()], read("functionals"))
}

fn is_as_open_smile<B: Backend>(backend: &B, device: &str) {
    let samples = clips().map(|(_, samples)| samples);
    let (all_contours, all_functionals) = (contours(backend, &samples), functionals(backend, &samples));
    for (clip, (name, _)) in clips().iter().enumerate() {
        let (contours, functionals) = expected(name);
        for (place, (own, theirs)) in all_contours[clip].iter().zip(&contours).enumerate() {
            let what = format!("{device}: {name}, {}", CONTOURS[place]);
            assert_eq!(own.len(), theirs.len(), "{what}");
            let mut largest = 0.0f64;
            for (frame, (&own, &theirs)) in own.iter().zip(theirs).enumerate() {
                let (is_loudness, is_relative) = (place == 4, place == 0 || place == 4);
                if own == 0.0 || theirs == 0.0 {
                    assert!(own == theirs || is_loudness && theirs < SILENCE, "{what} {frame}: {own} {theirs}");
                } else {
                    largest = largest.max((own - theirs).abs() / if is_relative { theirs } else { 1.0 });
                }
            }
            println!("{what}: {largest:.1e}");
            assert!(largest < AGREEMENT[place], "{what}: {largest}");
        }
        are_as_open_smiles(&all_functionals[clip], &functionals, &format!("{device}: {name}"));
    }
}

fn are_as_open_smiles(own: &[f32], functionals: &[f32], what: &str) {
    assert_eq!((own.len(), functionals.len()), (COLUMNS, COLUMNS));
    for (contour, (own, theirs)) in own.chunks_exact(7).zip(functionals.chunks_exact(7)).enumerate() {
        let mut largest = 0.0f32;
        for (place, (own, theirs_of)) in own.iter().zip(theirs).enumerate() {
            let apart = (own - theirs_of).abs() / theirs_of.abs().max(theirs[0]);
            largest = largest.max(apart);
            let allowed = AGREEMENT_OF_FUNCTIONALS[contour];
            assert!(apart < allowed, "{what}, {} of {}: {own} {theirs_of}", FUNCTIONALS[place], CONTOURS[contour]);
        }
        println!("{what}, functionals of {}: {largest:.1e}", CONTOURS[contour]);
    }
}

#[test]
fn contours_and_functionals_are_those_of_open_smile() {
    is_as_open_smile(&Cpu::<f64>::new(), "cpu in float64");
    on_every_device!("contours_and_functionals_are_those_of_open_smile", |backend, name| {
        is_as_open_smile(backend, name);
    });
}

#[test]
fn prepared_prosody_is_that_of_open_smile() {
    let test = "prepared_prosody_is_that_of_open_smile";
    let devices = ["--device cpu", ""].into_iter().filter(|device| !device.is_empty() || default_adapter(test).is_some());
    for device in devices {
        let folder = tempfile::tempdir().unwrap();
        let names = ["glide", "vowel"];
        let row = |name: &str| format!("{name},{},go,calm\n", file(&format!("tests/fixtures/prosody/{name}.wav")).display());
        let rows: String = names.map(row).concat();
        fs::write(folder.path().join("manifest.csv"), format!("id,audio,text,label\n{rows}")).unwrap();
        mcsan(folder.path(), &format!("prepare manifest manifest.csv --prosody shs --out d {device}")).succeeds();
        let data = Dataset::load(&folder.path().join("d")).unwrap();
        let Some(DataStream::Vector(vectors)) = data.streams.get("audio.prosody") else { panic!("{:?}", data.streams) };
        for (place, name) in names.iter().enumerate() {
            let (own, (_, expected)) = (vectors.of(place).unwrap(), expected(name));
            are_as_open_smiles(&own, &expected, &format!("prepare {device}, {name}"));
        }
    }
}

/// What is chosen among candidates may fall otherwise where rounding decides it: in no frame of these, nor of 24,670 of RAVDESS
/// (`benches/RESULTS.md`).
#[test]
fn the_same_frames_are_voiced_on_every_device() {
    let clips = clips().map(|(_, samples)| samples);
    let expected = contours(&Cpu::<f64>::new(), &clips);
    on_every_device!("the_same_frames_are_voiced_on_every_device", |backend, name| {
        for (own, expected) in contours(backend, &clips).iter().zip(&expected) {
            for (frame, (own, expected)) in own[0].iter().zip(&expected[0]).enumerate() {
                assert!((own - expected).abs() <= 1e-5 * expected, "{name}, frame {frame}: {own} Hz, not {expected} Hz");
            }
        }
    });
}

#[test]
fn the_pitch_of_a_glide_is_its_frequency() {
    let [(_, glide), ..] = clips();
    let [f0, ..] = &contours(&Cpu::<f32>::new(), &[glide])[0];
    // Where the swell begins and ends, a frame's loudest part is not its middle.
    for (frame, f0) in f0.iter().enumerate().take(70).skip(5) {
        let middle = (frame * 160 + 440) as f64 / 16_000.0;
        let true_f0 = 110.0 * (1.125 * middle / 0.8).exp2();
        assert!((f0 / true_f0 - 1.0).abs() < 0.01, "frame {frame}: {f0} Hz, not {true_f0} Hz");
    }
}

#[test]
fn prosody_of_odd_recordings_is_finite_and_of_silence_nothing() {
    let tone = |amplitude: f64, hertz: f64| -> Vec<f32> {
        (0..8000).map(|n| (amplitude * (TAU * hertz * f64::from(n) / 16_000.0).sin()) as f32).collect()
    };
    let mut click = vec![0.0; 4000];
    click[2000] = 1.0;
    let odd = [
        vec![0.7],
        vec![1.0; 500],
        vec![-1.0; 4000],
        click,
        tone(1.0, 100.0),
        tone(1e-30, 200.0),
        tone(1e-42, 200.0),
        tone(1e15, 300.0),
        tone(0.5, 7999.0),
    ];
    on_every_device!("prosody_of_odd_recordings_is_finite_and_of_silence_nothing", |backend, name| {
        let silence = [1, 319, 879, 880, 16_000].map(|length| vec![0.0; length]);
        for (own, silence) in functionals(backend, &silence).iter().zip(&silence) {
            assert_eq!(own, &[0.0; COLUMNS], "{name}: {} zeros", silence.len());
        }
        let together = functionals(backend, &odd);
        for (place, (own, samples)) in together.iter().zip(&odd).enumerate() {
            assert!(own.iter().all(|value| value.is_finite()), "{name}, {place}: {own:?}");
            assert_eq!(own, &functionals(backend, std::slice::from_ref(samples))[0], "{name}, {place}");
        }
    });
}

/// The contours of one recording's candidates.
fn track<B: Backend>(backend: &B, candidates: &[f32]) -> Vec<B::Element> {
    let frames = candidates.len() / CANDIDATE_COLUMNS;
    let candidates = backend.upload(candidates, [frames, CANDIDATE_COLUMNS]);
    let track = backend.run(&PitchTrack { candidates, frames: Ragged::new(backend, &[frames as u32]) });
    pollster::block_on(backend.read(&track)).unwrap()
}

/// A path of 20 minutes goes through several dispatches; costs do not lose their last digits on the way.
#[test]
fn the_pitch_of_a_long_recording_is_that_of_each_of_its_parts() {
    // A voice that rises, beside it its octave, and then nothing.
    let frame = |frame: usize| {
        let hertz = 120.0 + frame as f32;
        let mut row = [0.0; CANDIDATE_COLUMNS];
        if frame < 60 {
            row[..2].copy_from_slice(&[2.0 * hertz, hertz]);
            row[4..6].copy_from_slice(&[0.7 + 0.003 * frame as f32, 0.85]);
        }
        row[12] = 0.1;
        row
    };
    let part: Vec<f32> = (0..100).flat_map(frame).collect();
    let parts = 1200;
    on_every_device!("the_pitch_of_a_long_recording_is_that_of_each_of_its_parts", |backend, name| {
        let track = track(backend, &part.repeat(parts));
        let mut each = track.chunks_exact(4 * 100);
        let first = each.next().unwrap();
        assert_eq!(first.iter().step_by(4).filter(|&&f0| f0 > 0.0).count(), 60, "{name}: {first:?}");
        assert!(each.all(|other| other == first), "{name}");
    });
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
        functionals(&Cpu::<f32>::new(), &[decode(&path).unwrap()])[0][1]
    };
    let [low, high] = [8000, 16_000].map(mean_f0);
    assert!((high - 150.0).abs() < 0.5 && (low - high).abs() < 0.5, "{low} Hz, {high} Hz");
}
