//! `mcsan export`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use serde_json::json;

use super::arguments::Common;
use super::output::{self, Kind};
use super::{Done, Failure, cannot_write};
use crate::dataset::replace_file;
use crate::onnx;
use crate::train::{Checkpoint, run};

#[derive(Args)]
#[command(
    after_help = "Example: mcsan export --run runs/first --out weights.safetensors --onnx model.onnx",
    group = ArgGroup::new("formats").args(["out", "onnx"]).multiple(true).required(true)
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
}

pub(crate) fn run(common: &Common, arguments: &Export) -> Done {
    output::check_all([(arguments.out.as_ref(), Kind::Weights), (arguments.onnx.as_ref(), Kind::Onnx)])?;
    let checkpoint = Checkpoint::load(&arguments.run.join(run::files::BEST))?;
    let as_onnx = arguments.onnx.as_ref().map(|_| onnx::model(&checkpoint)).transpose();
    let as_onnx = as_onnx.map_err(|error| Failure::of(arguments.run.display(), error))?;
    let mut written = Vec::new();
    if let Some(path) = &arguments.out {
        checkpoint.export(path)?;
        written.push(path);
    }
    if let (Some(path), Some(bytes)) = (&arguments.onnx, as_onnx) {
        replace_file(path, |file| std::io::Write::write_all(file, &bytes)).map_err(cannot_write(path))?;
        written.push(path);
    }
    let parameters = checkpoint.count();
    if common.json {
        common.print_json(json!({ "parameters": parameters, "out": arguments.out, "onnx": arguments.onnx }));
    } else {
        written.iter().for_each(|path| println!("{}: {parameters} parameters", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}
