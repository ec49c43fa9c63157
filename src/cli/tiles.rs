//! `--tiles`: which tiles matrix products are computed with on graphics hardware, and the file that timed choices are kept in.

use std::convert::Infallible;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{env, fs};

use super::Failure;
use super::arguments::Common;
use super::device::Device;
use super::notes::Note;
use super::output::{self, Kind};
use crate::backend::Storage;
use crate::backend::gpu::{self, Gpu, shader};
use crate::base::hash::fnv1a;
use crate::base::tiles::TileChoice;
use crate::config::{TileFile, TileRule, Tiles};
use crate::dataset::replace_file;
use crate::profile::Stopwatch;

/// What `--tiles` says.
#[derive(Debug, Clone)]
pub(crate) enum TileSource {
    By(TileRule),
    /// Timed, and kept here.
    File(PathBuf),
}

impl FromStr for TileSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(toml::Value::from(text).try_into().map_or_else(|_| Self::File(text.into()), Self::By))
    }
}

impl Device {
    /// Chooses the tiles for some work that is to come, where `--tiles`, else the setting says so: takes those that are known,
    /// goes through the work without doing it, and times the others that it needs. New choices are kept in the file.
    pub(crate) fn tune(&self, common: &Common, setting: &Tiles, work: impl AsyncFnOnce(&Gpu)) -> Result<(), Failure> {
        let Self::Gpu(gpu) = self else { return Ok(()) };
        let (rule, listed) = match setting {
            Tiles::By(rule) => (*rule, &[][..]),
            Tiles::Chosen(choices) => (TileRule::Auto, &choices[..]),
        };
        let (rule, file) = match &common.execution.tiles {
            None => (rule, None),
            Some(TileSource::By(rule)) => (*rule, None),
            Some(TileSource::File(path)) => {
                // Where they cannot be kept a note says so at the end.
                if !path.is_dir() {
                    output::check(path, Kind::Tiles)?;
                }
                (TileRule::Timed, Some(path.clone()))
            }
        };
        if rule == TileRule::Fixed {
            return Ok(());
        }
        if rule == TileRule::Auto && (gpu.info().device_type == wgpu::DeviceType::Cpu || gpu.is_of_fxc()) {
            gpu.take_tiles(listed.iter().copied());
            return Ok(());
        }
        let device = gpu::describe(gpu.info());
        let path = file.or_else(|| Some(cache_folder()?.join("mcsan").join(file_name(&device))));
        let known = path.as_deref().and_then(|path| read(path, &device)).unwrap_or_default();
        let kept = known.len();
        gpu.take_tiles(known);
        gpu.take_tiles(listed.iter().copied());
        pollster::block_on(async {
            let ((), products) = gpu.rehearse(work(gpu)).await;
            if products.is_empty() {
                common.note_unused(&["tiles"], "there is no matrix product to compute");
            }
            gpu.tune(&products, &Stopwatch::start().clock()).await
        })?;
        let tiles = gpu.tiles();
        if let Some(path) = path.filter(|_| tiles.len() > kept)
            && let Err(error) = write(&path, &TileFile { device, shaders: shaders(), tiles })
        {
            common.note(Note::TilesNotKept { path: path.display().to_string(), error: error.to_string() });
        }
        Ok(())
    }
}

/// What the file holds; nothing where it is none, or of another device or other shaders.
fn read(path: &Path, device: &str) -> Option<Vec<TileChoice>> {
    let file = TileFile::read(path)?;
    (file.device == device && file.shaders == shaders()).then_some(file.tiles)
}

fn write(path: &Path, content: &TileFile) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let text = toml::to_string_pretty(content).map_err(io::Error::other)?;
    let head = "# The tiles that this device computes matrix products with the fastest. mcsan makes this file; it may be deleted.\n";
    replace_file(path, |file| write!(file, "{head}{text}"))
}

/// Tells apart shaders whose times do not compare, by the text of all variants.
fn shaders() -> String {
    let text: String = shader::linear::SHADER.variants.iter().map(|variant| variant.source).collect();
    format!("{:016x}", fnv1a(text.as_bytes()))
}

/// `tiles-nvidia-h100-vulkan-….toml`
fn file_name(device: &str) -> String {
    let words = device.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    format!("tiles-{}.toml", words.collect::<Vec<_>>().join("-").to_lowercase())
}

/// The user's folder for what can be made again.
fn cache_folder() -> Option<PathBuf> {
    let folder = |variable: &str| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = || match env::consts::OS {
        "windows" => folder("LOCALAPPDATA"),
        "macos" => Some(folder("HOME")?.join("Library").join("Caches")),
        _ => Some(folder("HOME")?.join(".cache")),
    };
    folder("XDG_CACHE_HOME").or_else(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_for_its_device_and_its_shaders_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("tiles.toml");
        let tiles = vec!["forward 1024x128x512 128x64".parse().unwrap(), "backward_weight 64x4x8 64x64-narrow".parse().unwrap()];
        let kept = TileFile { device: "one".into(), shaders: shaders(), tiles };
        write(&path, &kept).unwrap();
        assert_eq!(read(&path, "one").as_ref(), Some(&kept.tiles));
        assert_eq!(read(&path, "other"), None);
        write(&path, &TileFile { shaders: "other".into(), ..kept }).unwrap();
        assert_eq!(read(&path, "one"), None);
        for text in ["", "tiles = 3", "device = \"one\"\nshaders = \"\"\ntiles = [\"forward\"]", "\u{0}"] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path, "one"), None, "'{text}'");
        }
    }

    #[test]
    fn a_devices_file_is_named_after_it() {
        assert_eq!(file_name("NVIDIA H100 80GB (vulkan, NVIDIA 550.54.15)"), "tiles-nvidia-h100-80gb-vulkan-nvidia-550-54-15.toml");
    }
}
