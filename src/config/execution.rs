//! Where and how fast a run computes: settings that decide none of its results.

use serde::{Deserialize, Serialize};

use crate::base::choice::choices;
use crate::base::setting::{Kind, SettingType, settings};
use crate::base::tiles::TileChoice;

choices! {
    /// What chooses tiles.
    pub enum TileRule {
        /// Timed on graphics hardware, fixed on software adapters, and where FXC takes seconds for each shader that would be timed.
        Auto = "auto",
        /// Each is timed where its product first comes.
        Timed = "timed",
        /// By the sizes of the product alone.
        Fixed = "fixed",
    }
}

choices! {
    /// In which order ranks add their gradients.
    pub enum Sum {
        /// In the order of the batch's parts: the same bits on any number of ranks.
        Ordered = "ordered",
        /// As the MPI library does it: bits depend on how many ranks there are, and on the library.
        Fastest = "fastest",
    }
}

/// How the tiles of matrix products are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tiles {
    /// By a rule.
    By(TileRule),
    /// These, and the others as by [`TileRule::Auto`].
    Chosen(Vec<TileChoice>),
}

impl SettingType for Tiles {
    const KIND: Kind = Kind::Text;
}

settings! {
    /// Where and how fast a run computes.
    pub struct Execution in "run" {
        /// where to compute: auto (graphics hardware, or without it the CPU reference), cpu (the reference), an adapter's index, or a
        /// part of its name; for 'train' also several like 0,1 or all, which train together
        device: String = "auto".into();
            words("auto, all, cpu, an index, a part of a name or indices like 0,1 in quotes"), flag("DEVICE"), resumable;
        /// how the tiles of matrix products on graphics hardware are chosen, which changes no result: timed once and kept in the
        /// user's cache folder, or fixed; auto times on graphics hardware alone, and not where FXC compiles; a run lists what was timed
        tiles: Tiles = Tiles::By(TileRule::Auto);
            words("auto, timed, fixed or a list of choices like [\"forward 8192x128x512 128x64\"]"), flag("CHOICE"), resumable;
        /// how ranks add their gradients where an MPI launcher started several; only 'train' does
        sum: Sum = Sum::Ordered; flag("ORDER"), resumable;
    }
}

impl Execution {
    /// The device that a model is used on where nobody says it: of several the first.
    pub fn first_device(&self) -> &str {
        let all = self.device.as_str();
        match Devices::of(all) {
            Devices::One(_) => all,
            Devices::All => "auto",
            Devices::Several(_) => all.split(',').next().unwrap_or(all).trim(),
        }
    }
}

/// What `run.device` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Devices {
    /// One, by name.
    One(String),
    /// Every adapter of hardware.
    All,
    /// These, as [`Device::open`](crate::backend::Device::open) takes them; one may be named twice.
    Several(Vec<String>),
}

impl Devices {
    /// Numbers and `cpu` between commas are several; a name may have commas, too.
    pub fn of(text: &str) -> Self {
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let is_one = |name: &&str| *name == "cpu" || name.parse::<usize>().is_ok();
        match names.len() {
            _ if text == "all" => Self::All,
            2.. if names.iter().all(is_one) => Self::Several(names.into_iter().map(str::to_owned).collect()),
            _ => Self::One(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_devices_are_told_from_a_name_with_commas() {
        let several = |names: &[&str]| Devices::Several(names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(Devices::of("0,1"), several(&["0", "1"]));
        assert_eq!(Devices::of("cpu, cpu,3"), several(&["cpu", "cpu", "3"]));
        assert_eq!(Devices::of("all"), Devices::All);
        for name in ["auto", "0", "cpu", "llvmpipe (LLVM 15.0.6, 128 bits)", "0,", ",", "cpu,all"] {
            assert_eq!(Devices::of(name), Devices::One(name.into()));
        }
        for (device, first) in [("cpu,0", "cpu"), ("all", "auto"), ("RTX, new", "RTX, new")] {
            assert_eq!(Execution { device: device.into(), ..Execution::default() }.first_device(), first);
        }
    }
}
