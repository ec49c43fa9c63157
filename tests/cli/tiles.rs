//! `--tiles`: how the tiles of matrix products are chosen changes no byte of a run but the list in its settings.

use std::fs;
use std::path::Path;

use super::corpus::{TINY, prepared};
use super::training::assert_same_results;
use crate::program::{default_adapter, mcsan};

/// A training by the shaders for graphics hardware, on whatever adapter there is.
fn train(folder: &Path, more: &str) -> String {
    mcsan(folder, &format!("train --data data.safetensors --device 0 --without subgroups {TINY} {more}")).succeeds().stderr
}

/// The setting as TOML writes it.
fn setting(run: &Path) -> String {
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    config.lines().find_map(|line| line.strip_prefix("tiles = ")).unwrap().to_owned()
}

#[test]
fn timed_and_fixed_tiles_give_the_same_run_and_are_kept() {
    if default_adapter("timed tiles").is_none() {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    train(here, "--epochs 2 --out fixed --tiles fixed");
    assert_eq!(setting(&here.join("fixed")), "\"auto\"");

    train(here, "--epochs 2 --out timed --tiles kept/tiles.toml");
    assert_same_results(here, "timed", "fixed");
    let kept = here.join("kept").join("tiles.toml");
    let text = fs::read_to_string(&kept).unwrap();
    let count = text.lines().filter(|line| line.trim().starts_with("\"forward ")).count();
    assert!(count > 0, "{text}");
    let listed = setting(&here.join("timed"));
    assert!(listed.starts_with("[\"forward "), "{listed}");
    assert_eq!(listed.matches("\"forward ").count(), count, "{listed}\n{text}");

    // Known choices are taken and nothing is timed, so nothing is written.
    let tiles = ["128x128", "64x64-narrow", "64x64", "32x32"];
    let turned = |text: &str| tiles.iter().fold(text.to_owned(), |text, tile| text.replace(&format!(" {tile}\""), " 128x64\""));
    assert_ne!(turned(&text), text, "some product is too small for so large a tile");
    fs::write(&kept, turned(&text)).unwrap();
    train(here, "--epochs 2 --out again --tiles kept/tiles.toml");
    assert_eq!(fs::read_to_string(&kept).unwrap(), turned(&text));
    assert_eq!(setting(&here.join("again")), turned(&listed));
    assert_same_results(here, "again", "fixed");

    // A run that goes on has the tiles that it began with, and ends in the same bytes.
    train(here, "--epochs 1 --out resumed --tiles kept/tiles.toml");
    train(here, "--epochs 2 --out resumed --resume");
    assert_eq!(setting(&here.join("resumed")), turned(&listed));
    assert_same_results(here, "resumed", "fixed");
}

#[test]
fn a_file_of_choices_that_is_broken_or_cannot_be_written_is_no_failure() {
    if default_adapter("broken tiles").is_none() {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    // Cut short; a file that is none of tiles would not be written over.
    fs::write(here.join("broken.toml"), "# The tiles that this device computes\ntiles = [\"forward 1x1x1\"").unwrap();
    train(here, "--epochs 2 --out broken --tiles broken.toml");
    assert!(fs::read_to_string(here.join("broken.toml")).unwrap().contains("\"forward "), "the broken file is made anew");

    // A folder stands where the file is to be.
    fs::create_dir(here.join("taken")).unwrap();
    let said = train(here, "--epochs 2 --out taken_run --tiles taken");
    assert_eq!(said.matches("tiles cannot be kept").count(), 1, "{said}");
    assert_same_results(here, "taken_run", "broken");
}
