//! A case as a file for another tool: inputs, expected and computed outputs.
//!
//! `input.NAME` are F32 or U32, `expected.NAME` the reference's in F64, `got.NAME` the device's in F32; the metadata say what
//! made them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Case, Evidence, Origin, Output, Subject, Values};
use crate::dataset::store::{self, Content, Dtype, StoreError, Tensor};

/// Name of a case's file, `linear.rows=200,in=128,out=128.safetensors`; `variant` tells several runs of a case apart.
pub fn file_name<S: Subject>(case: &Case<S>, variant: &str) -> String {
    let case_name = match case.origin {
        Origin::Named => case.name(),
        Origin::Drawn => format!("{},seed={}", case.name(), case.seed),
    };
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "=,+-._".contains(letter);
    let safe: String = case_name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    format!("{}.{safe}{variant}.safetensors", case.kernel_name)
}

/// Writes a case's evidence; `device` and `shaders` say where `got` comes from.
///
/// # Errors
/// [`StoreError::Write`].
pub fn write<S: Subject>(path: &Path, case: &Case<S>, evidence: &Evidence, device: &str, shaders: &str) -> Result<(), StoreError> {
    let tolerance = case.shape.tolerance();
    let metadata = [
        ("format", "mcsan-check/1".to_owned()),
        ("kernel", case.kernel_name.to_owned()),
        ("case", case.name()),
        ("seed", case.seed.to_string()),
        ("options", case.options()),
        ("device", device.to_owned()),
        ("shaders", shaders.to_owned()),
        ("floor", tolerance.floor.to_string()),
        ("of_rms", tolerance.of_rms.to_string()),
        ("relative", tolerance.relative.to_string()),
    ];
    let metadata: BTreeMap<String, String> = metadata.map(|(key, value)| (key.to_owned(), value)).into();
    let got: Vec<Vec<f32>> = evidence.got.iter().map(|output| output.values.iter().map(|&value| value as f32).collect()).collect();
    let inputs = evidence.inputs.iter().map(|input| {
        let (dtype, bytes) = match &input.values {
            Values::Numbers(values) => (Dtype::F32, bytemuck::cast_slice(values)),
            Values::Words(words) => (Dtype::U32, bytemuck::cast_slice(words)),
        };
        Tensor { name: format!("input.{}", input.name), dtype, shape: input.shape.clone(), content: Content::Bytes(bytes) }
    });
    let expected = evidence.expected.iter().map(|Output { name, shape, values }| Tensor {
        name: format!("expected.{name}"),
        dtype: Dtype::F64,
        shape: shape.to_vec(),
        content: Content::Bytes(bytemuck::cast_slice(values)),
    });
    let got = evidence.got.iter().zip(&got).map(|(Output { name, shape, .. }, values)| Tensor::f32(format!("got.{name}"), shape, values));
    store::write(path, &metadata, &inputs.chain(expected).chain(got).collect::<Vec<_>>())
}
