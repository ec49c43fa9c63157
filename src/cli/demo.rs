//! `mcsan demo`

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use super::arguments::{Common, Demo};
use super::device::{self, AUTO, on_device};
use super::progress::Progress;
use super::{Done, Failure, cannot_write, output, tables};
use crate::audio::{decode, mfcc::MfccSettings};
use crate::config::Settings;
use crate::corpus::{Split, manifest};
use crate::prepare::prepare_held;
use crate::report;
use crate::text::TextTable;
use crate::train::{Predictor, Training};

/// Settings of the demonstration: short clips, few of them, so small batches.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.train.epochs = 16;
    settings.train.batch_size = 16;
    settings
}

/// Makes `mcsan-demo` in a folder or, where that exists, `mcsan-demo-2` and so on: what is there stays as it is.
fn new_folder(place: &Path) -> Result<PathBuf, Failure> {
    let mut number = 1;
    loop {
        let folder = place.join(if number == 1 { "mcsan-demo".into() } else { format!("mcsan-demo-{number}") });
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(cannot_write(&folder)(error)),
        }
    }
}

pub(crate) fn run(common: &Common, arguments: &Demo) -> Done {
    let started = Instant::now();
    if let Some(out) = &arguments.out {
        output::check_folder(out, |_| false)?;
    }
    let device = device::open(common, AUTO)?;
    let folder = match &arguments.out {
        Some(out) => out.clone(),
        None => new_folder(Path::new(""))?,
    };
    let corpus_folder = folder.join("corpus");
    let run_folder = folder.join("run");
    crate::demo::unpack(&corpus_folder).map_err(cannot_write(&corpus_folder))?;
    let corpus = manifest::read(&corpus_folder.join("manifest.csv"))?;
    let text = TextTable::learned(&corpus.utterances);
    eprintln!(
        "1. preparing {} clips of synthetic speech in {} emotions on {}",
        corpus.utterances.len(),
        corpus.classes.len(),
        device.name()
    );
    let mut progress = Progress::new(common);
    let settings = settings();
    let (finished, probabilities, clip) = on_device!(device, |backend| pollster::block_on(async {
        let data = prepare_held(backend, corpus.clone(), text, &MfccSettings::default()).await?;
        data.save(&folder.join("data.safetensors"))?;
        eprintln!("2. training MCSAN on them: audio and words, cross- and self-attention");
        let training = Training { settings, out: Some(run_folder.clone()), ..Training::of(&data) };
        let finished = training.run_on(backend, &mut |event| progress.show(&event)).await?;
        progress.finish();
        report::write_run(&run_folder, Some(&data))?;
        eprintln!("3. predicting one clip that it has never heard");
        let clip = corpus.utterances.iter().find(|utterance| utterance.split == Some(Split::Test));
        let clip = clip.ok_or_else(|| Failure("the embedded corpus has no test split".into()))?;
        let predictor = Predictor::load(&run_folder)?;
        let probabilities = predictor.predict(&device, &decode(&clip.audio)?, &clip.text).await?;
        Ok::<_, Failure>((finished, probabilities, clip))
    }))?;
    let test = finished.test.ok_or_else(|| Failure("the embedded corpus has no test split".into()))?;
    let report_file = run_folder.join(report::FILE);
    let seconds = started.elapsed().as_secs_f64();
    if common.json {
        let named: serde_json::Map<_, _> = corpus.classes.iter().cloned().zip(probabilities.iter().map(|&p| json!(p))).collect();
        common.print_json(json!({
            "device": device.to_json(),
            "seconds": seconds,
            "best_epoch": finished.best.epoch,
            "test": test.metrics,
            "report": report_file,
            "prediction": { "id": clip.id, "text": clip.text, "label": clip.label, "probabilities": named },
        }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nTest speakers and sentences that training never saw (epoch {} was best):", finished.best.epoch);
    println!("{}\n\n{}", tables::headline(&test.metrics), tables::details(&test.metrics));
    println!("\"{}\" — spoken in {}. The model says:\n{}\n", clip.text, clip.label, tables::probabilities(&corpus.classes, &probabilities));
    println!("Done in {seconds:.0} s on {}. The speech is synthetic and made to be learnt: text alone or sound alone", device.name());
    println!("leaves two or three emotions open, only both together decide (assets/demo/README.md).\n");
    println!("What to try next:");
    println!("  mcsan inspect {0}/data.safetensors; mcsan evaluate --run {0}/run --data {0}/data.safetensors", folder.display());
    println!("  mcsan devices                what this machine computes on");
    println!("  mcsan prepare manifest my.csv --out my.safetensors    a corpus of your own (columns audio, text, label)");
    println!("  mcsan train --data my.safetensors --out runs/first\n");
    println!("Report: {}", report_file.display());
    Ok(ExitCode::SUCCESS)
}
