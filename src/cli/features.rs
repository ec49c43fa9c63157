//! `mcsan features`

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Features};
use super::device::{self, AUTO, on_device};
use super::output::{self, Kind};
use super::{Done, Failure, cannot_write};
use crate::audio::decode;
use crate::backend::MfccTables;
use crate::dataset::replace_file;
use crate::prepare::{PrepareError, extract};

pub(crate) fn run(common: &Common, arguments: &Features) -> Done {
    let settings = arguments.front_end.settings()?;
    output::check(&arguments.out, Kind::Features)?;
    common.note_empty_bands(settings);
    let samples = decode(&arguments.audio)?;
    let device = device::open(common, AUTO)?;
    let (values, frames) = on_device!(device, |backend| pollster::block_on(async {
        let tables = MfccTables::new(backend, settings)?;
        let extracted = extract(backend, &tables, std::slice::from_ref(&samples)).await;
        Ok::<_, Failure>(extracted.map_err(|error| PrepareError::of_recording(error, &arguments.audio))?)
    }))?;
    let shape = [frames[0], settings.columns()];
    replace_file(&arguments.out, |file| {
        file.write_all(&npy_header(shape))?;
        values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
    })
    .map_err(cannot_write(&arguments.out))?;
    if common.json {
        common.print_json(json!({ "out": arguments.out, "shape": shape, "samples": samples.len() }));
    } else {
        println!("{}: {} frames of {} columns", arguments.out.display(), shape[0], shape[1]);
    }
    Ok(ExitCode::SUCCESS)
}

/// The head of a NumPy file of version 1.0 with a matrix of little-endian float32 in rows; the values begin at a multiple of
/// 64 bytes.
fn npy_header(shape: [usize; 2]) -> Vec<u8> {
    let [rows, columns] = shape;
    let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}, ), }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    let length = (header.len() + 2 + dictionary.len() + 1).next_multiple_of(64) - header.len() - 2;
    header.extend((length as u16).to_le_bytes());
    header.extend(format!("{dictionary:<width$}\n", width = length - 1).into_bytes());
    header
}
