//! `mcsan predict`

use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Predict};
use super::device::{self, on_device};
use super::{Done, print_json};
use crate::audio::decode;
use crate::backend::gpu::Checking;
use crate::train::Predictor;

pub fn run(common: &Common, arguments: &Predict) -> Done {
    let predictor = Predictor::load(&arguments.run)?;
    let samples = decode(&arguments.audio)?;
    let device = device::open(common, &predictor.checkpoint.settings.run.device, Checking::Off)?;
    let probabilities = on_device!(device, |backend| pollster::block_on(predictor.predict(backend, &samples, &arguments.text)))?;
    let classes = &predictor.checkpoint.classes;
    let best = (1..classes.len()).fold(0, |best, class| if probabilities[class] > probabilities[best] { class } else { best });
    if common.json {
        let named: serde_json::Map<_, _> = classes.iter().cloned().zip(probabilities.iter().map(|&p| json!(p))).collect();
        print_json(&json!({ "label": classes[best], "probabilities": named }));
    } else {
        println!("{}", lines(classes, &probabilities));
    }
    Ok(ExitCode::SUCCESS)
}

/// The classes from the likeliest to the least likely, with bars.
pub fn lines(classes: &[String], probabilities: &[f64]) -> String {
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let width = classes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let line = |class: usize| {
        let share = probabilities[class];
        format!("{:width$} {:5.1} % {}", classes[class], 100.0 * share, "█".repeat((share * 40.0).round() as usize))
    };
    order.into_iter().map(line).collect::<Vec<_>>().join("\n")
}
