//! From the texts in `shaders/` to the WGSL of a variant.
//!
//! A shader is a file `NAME.wgsl`, or a folder `NAME/` whose variants have texts of their own: what they share, bindings and arguments
//! above all, stands in `interface.wgsl`; a variant's text is the file named like a part of its name (`plain.wgsl`,
//! `software.wgsl`), and `graphics.wgsl` where there is none.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Failure;

/// The texts of a shader.
pub struct Texts {
    pub shader: String,
    root: PathBuf,
    /// The module of a single file, or of the folder of its variants' texts.
    module: String,
    in_folder: bool,
}

impl Texts {
    /// All shaders in `root`, or in one of its folders, by name.
    pub fn all(root: &Path, folder: Option<&str>) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root.join(folder.unwrap_or("")))? {
            let path = entry?.path();
            let in_folder = path.join("interface.wgsl").exists();
            if let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
                && (in_folder || path.extension().is_some_and(|extension| extension == "wgsl"))
            {
                let module = folder.map_or(name.into(), |folder| format!("{folder}::{name}"));
                found.push(Self { shader: name.into(), root: root.into(), module, in_folder });
            }
        }
        found.sort_by(|a, b| a.shader.cmp(&b.shader));
        Ok(found)
    }

    /// The WGSL of a variant. The parts of its name, which + joins, turn on the conditions of these names; the others of `conditions`,
    /// which are all that there are, are off.
    ///
    /// # Errors
    /// What WESL refuses, an unknown condition too.
    pub fn expand<'a>(&self, variant: &str, conditions: impl Iterator<Item = &'a str>) -> Result<String, Failure> {
        let mut compiler = wesl::Wesl::new(&self.root);
        // naga knows more extensions than WESL, and validates the result.
        compiler.set_options(wesl::CompileOptions { validate: false, ..Default::default() });
        // What is imported keeps its name, by which bindings and constants are known to Rust; naga refuses two of one name.
        compiler.set_mangler(wesl::ManglerKind::None);
        compiler.set_missing_feature_behavior(wesl::Feature::Error);
        for condition in conditions {
            compiler.set_feature(condition, variant.split('+').any(|own| own == condition));
        }
        let module = format!("package::{}{}", self.module, self.own_text(variant));
        Ok(compiler.compile(&module.parse()?).map_err(|failure| failure.to_string())?.to_string())
    }

    /// Where in the shader's folder, if it has one, the text of a variant stands.
    fn own_text(&self, variant: &str) -> String {
        if !self.in_folder {
            return String::new();
        }
        let exists = |part: &&str| self.root.join(&self.shader).join(part).with_extension("wgsl").exists();
        format!("::{}", variant.split('+').find(exists).unwrap_or("graphics"))
    }
}
