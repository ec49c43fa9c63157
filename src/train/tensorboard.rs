//! TensorBoard event files: scalars over steps.
//!
//! A file is a row of TFRecords: length u64, masked CRC of the length u32, data, masked CRC of the data u32, all
//! little-endian; the mask is `rotate_right(crc32c, 15) + 0xa282ead8`. Data is a protobuf `Event`: wall time (1, double), step
//! (2, varint), then one of file version (3, string), summary (5) or session log (7). A summary has values (1) of tag (1,
//! string) and number (2, float). A session log of status START (1) makes TensorBoard forget what an interrupted run wrote
//! of that step and later ones.

use crate::base::clock::{SystemTime, UNIX_EPOCH};
use crate::base::files::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What the first event of a file must say.
const VERSION: &str = "brain.Event:2";

/// An event file that grows.
pub(super) struct EventFile {
    file: File,
}

impl EventFile {
    /// Makes a new event file in `folder`.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        files::create_dir_all(folder)?;
        let seconds = now() as u64;
        // TensorBoard reads the files in the order of their names; two may be of the same second.
        let fresh = (0..)
            .map(|number| folder.join(format!("events.out.tfevents.{seconds:010}.mcsan.{number:03}")))
            .find(|path| !files::exists(path));
        let mut file = Self { file: File::create_new(fresh.unwrap_or_else(|| folder.into()))? };
        file.file.write_all(&record(&event(now(), 0, &text(3, VERSION.as_bytes()))))?;
        Ok(file)
    }

    /// As [`EventFile::create`], of a run that goes on from `step`.
    pub(crate) fn resume(folder: &Path, step: u64) -> io::Result<Self> {
        const START: u64 = 1;
        let mut file = Self::create(folder)?;
        file.file.write_all(&record(&event(now(), step, &text(7, &varint_field(1, START)))))?;
        Ok(file)
    }

    /// Adds scalars of a step.
    pub(crate) fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> io::Result<()> {
        let value = |&(tag, value): &(&str, f64)| text(1, &[text(1, tag.as_bytes()), float_field(2, value as f32)].concat());
        let summary: Vec<u8> = values.iter().flat_map(value).collect();
        // In one piece, so that a killed program leaves whole records.
        self.file.write_all(&record(&event(now(), step, &text(5, &summary))))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// A protobuf `Event` with its one content.
fn event(wall_time: f64, step: u64, content: &[u8]) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend(wall_time.to_le_bytes());
    event.extend(varint_field(2, step));
    event.extend(content);
    event
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn varint_field(number: u8, value: u64) -> Vec<u8> {
    [vec![number << 3], varint(value)].concat()
}

fn float_field(number: u8, value: f32) -> Vec<u8> {
    [vec![number << 3 | 5], value.to_le_bytes().to_vec()].concat()
}

/// A field of bytes: a string or a message.
fn text(number: u8, bytes: &[u8]) -> Vec<u8> {
    [vec![number << 3 | 2], varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length).to_le_bytes(), data, &masked_crc(data).to_le_bytes()].concat()
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data of the records of a file; every length and checksum is looked at.
    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let crc = |range: std::ops::Range<usize>| u32::from_le_bytes(bytes[range].try_into().unwrap());
            assert_eq!(crc(8..12), masked_crc(&bytes[..8]));
            assert_eq!(crc(12 + length..16 + length), masked_crc(&bytes[12..12 + length]));
            all.push(bytes[12..12 + length].to_vec());
            bytes = &bytes[16 + length..];
        }
        all
    }

    #[test]
    fn records_of_a_file_have_their_lengths_checksums_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::resume(folder.path(), 300).unwrap();
        file.scalars(300, &[("loss", 0.5), ("validation/ua", 0.25)]).unwrap();
        EventFile::create(folder.path()).unwrap();
        let mut paths: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert_eq!(paths.len(), 2, "a second file of the same second has a name of its own");
        let records = records(&std::fs::read(&paths[0]).unwrap());
        // Wall time is nine bytes, then the step: 2 << 3, and 0 or 300 as a varint.
        assert_eq!(records[0][9..], [&[0x10, 0, 0x1a, 13], VERSION.as_bytes()].concat());
        assert_eq!(records[1][9..], [0x10, 0xac, 0x02, 0x3a, 2, 0x08, 1]);
        let value = |tag: &str, number: f32| {
            let inner = [&[0x0a, tag.len() as u8], tag.as_bytes(), &[0x15], &number.to_le_bytes()].concat();
            [&[0x0a, inner.len() as u8], &inner[..]].concat()
        };
        let summary = [value("loss", 0.5), value("validation/ua", 0.25)].concat();
        assert_eq!(records[2][9..], [&[0x10, 0xac, 0x02, 0x2a, summary.len() as u8], &summary[..]].concat());
    }

    /// The check value of CRC-32C for the digits 1 to 9, masked by hand.
    #[test]
    fn the_checksum_is_crc32c_masked() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0xe306_9283u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }
}
