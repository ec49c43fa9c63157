//! What the bench is asked for.

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Compares the compilers' figures with the committed table.
    Compare,
    /// Makes the table anew.
    Write,
    /// Prints the figures of the chip whose driver the environment names, from a folder of SPIR-V.
    Print { chip: String, folder: String },
    /// `cargo bench -- NAME` gives every bench a choice among the others' cases: nothing here is meant.
    OfOthers(String),
}

impl Request {
    /// Reads the arguments that cargo passes on.
    ///
    /// # Errors
    /// How it is called.
    pub fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.filter(|argument| argument != "--bench").collect();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Self::Compare),
            ["--write"] => Ok(Self::Write),
            ["--chip", chip, folder] => Ok(Self::Print { chip: chip.into(), folder: folder.into() }),
            [name, ..] if !name.starts_with('-') => Ok(Self::OfOthers(name.into())),
            _ => Err("usage: offline [--write]".into()),
        }
    }
}
