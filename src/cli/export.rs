//! `mcsan export`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::json;

use super::arguments::Common;
use super::evaluate::check_run;
use super::output::{self, Kind};
use super::{Done, Failure, cannot_write};
use crate::base::streams::AUDIO;
use crate::dataset::replace_file;
use crate::onnx::{self, Form, NoForm};
use crate::train::vocabulary::{self, FrontEnd, Vocabulary};
use crate::train::{Checkpoint, Predictor, RunFault, TrainError, packed, run};

#[derive(Args)]
#[command(
    after_help = "Examples: mcsan export --run runs/first --out weights.safetensors --onnx model.onnx\n          \
                  mcsan export --run runs/first --onnx model.onnx --from samples --batch\n          \
                  mcsan export --run runs/first --web model.mcsan",
    group = ArgGroup::new("formats").args(["out", "onnx", "web"]).multiple(true).required(true)
)]
pub(crate) struct Export {
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// The weights under PyTorch's names and in its layout, to be read by --weights, Python's safetensors, …
    #[arg(long, value_name = "W.safetensors")]
    out: Option<PathBuf>,
    /// The model for onnxruntime: features and words of one utterance in, logits out
    #[arg(long, value_name = "M.onnx")]
    onnx: Option<PathBuf>,
    /// The model in one file, for the page in a browser, and for 'mcsan predict --run'
    #[arg(long, value_name = "M.mcsan")]
    web: Option<PathBuf>,
    /// What the ONNX file takes of sound [default: features]
    #[arg(long, value_name = "INPUT")]
    from: Option<Source>,
    /// The ONNX file takes a batch: padded utterances, and the lengths of each
    #[arg(long)]
    batch: bool,
}

/// What an ONNX file takes of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    /// Acoustic features, as 'mcsan features' writes them
    Features,
    /// The recording, mono, 16 kHz: the front-end is part of the file
    Samples,
}

/// The model as ONNX, with what the run knows of its inputs.
fn as_onnx(arguments: &Export, checkpoint: &Checkpoint) -> Result<Vec<u8>, Failure> {
    let path = arguments.run.join(vocabulary::FILE);
    let failed = |error: NoForm| Failure::of(arguments.run.display(), error);
    let vocabulary = match Vocabulary::load(&path) {
        // What is not known is not said.
        Err(TrainError::Run { fault: RunFault::NoFrontEnd, .. }) if arguments.from != Some(Source::Samples) => {
            return onnx::model_in(checkpoint, &Form { batch: arguments.batch, ..Form::default() }).map_err(failed);
        }
        vocabulary => vocabulary?,
    };
    let samples = match (arguments.from, &vocabulary.front_end) {
        (Some(Source::Samples), FrontEnd::Mfcc(settings)) => Some(settings),
        (Some(Source::Samples), FrontEnd::Files { .. }) if checkpoint.readings().has(AUDIO) => {
            let line = "its acoustic features come from files, so that samples say nothing; leave --from samples out";
            return Err(Failure(format!("{}: {line}", path.display())));
        }
        _ => None,
    };
    let metadata = [
        ("front_end", vocabulary.feature_settings.to_string()),
        ("front_ends", json!(vocabulary.front_ends).to_string()),
        ("words", json!(vocabulary.words).to_string()),
    ];
    onnx::model_in(checkpoint, &Form { batch: arguments.batch, samples, metadata: &metadata }).map_err(failed)
}

/// The model in one file; one that could not be used there is refused here.
fn as_file(run: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = packed::pack(run, &packed::MODEL)?;
    Predictor::packed(run, &bytes)?;
    Ok(bytes)
}

pub(crate) fn run(common: &Common, arguments: &Export) -> Done {
    output::check_all([
        (arguments.out.as_ref(), Kind::Weights),
        (arguments.onnx.as_ref(), Kind::Onnx),
        (arguments.web.as_ref(), Kind::Packed),
    ])?;
    check_run(&arguments.run)?;
    let checkpoint = Checkpoint::load(&arguments.run.join(run::files::BEST))?;
    let as_onnx = arguments.onnx.as_ref().map(|_| as_onnx(arguments, &checkpoint)).transpose()?;
    let as_file = arguments.web.as_ref().map(|_| as_file(&arguments.run)).transpose()?;
    let mut written = Vec::new();
    if let Some(path) = &arguments.out {
        checkpoint.export(path)?;
        written.push(path);
    }
    if let (Some(path), Some(bytes)) = (&arguments.onnx, as_onnx) {
        replace_file(path, |file| std::io::Write::write_all(file, &bytes)).map_err(cannot_write(path))?;
        written.push(path);
    }
    if let (Some(path), Some(bytes)) = (&arguments.web, as_file) {
        replace_file(path, |file| std::io::Write::write_all(file, &bytes)).map_err(cannot_write(path))?;
        written.push(path);
    }
    let parameters = checkpoint.count();
    if common.json {
        common.print_json(json!({ "parameters": parameters, "out": arguments.out, "onnx": arguments.onnx, "web": arguments.web }));
    } else {
        written.iter().for_each(|path| println!("{}: {parameters} parameters", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}
