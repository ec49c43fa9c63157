//! Which variants a shader has, as `variants.toml` lists them. Their order there means nothing: all that is chosen among them is
//! chosen by name.

use std::collections::BTreeMap;

/// What shaders that are not listed have.
const DEFAULT: [&str; 1] = ["default"];

/// The variants of every shader.
pub struct Variants {
    listed: BTreeMap<String, Vec<String>>,
    default: Vec<String>,
}

impl Variants {
    /// Reads lists of variants; `shaders` are all that there are.
    ///
    /// # Errors
    /// A list of no shader, an empty one, and one with two variants that Rust would call the same.
    pub fn read<'a>(text: &str, shaders: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let listed: BTreeMap<String, Vec<String>> = toml::from_str(text).map_err(|error| format!("variants.toml: {error}"))?;
        let shaders: Vec<&str> = shaders.collect();
        for (shader, variants) in &listed {
            if !shaders.contains(&shader.as_str()) {
                return Err(format!("variants.toml: there is no shader {shader}"));
            }
            if variants.is_empty() {
                return Err(format!("variants.toml: {shader} has no variant"));
            }
            let mut names: Vec<String> = variants.iter().map(|variant| rust_name(variant)).collect();
            names.sort();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(format!("variants.toml: {shader} has {} twice", twice[0]));
            }
        }
        Ok(Self { listed, default: DEFAULT.map(String::from).into() })
    }

    /// Every condition that some variant turns on; one may come twice.
    pub fn conditions(&self) -> impl Iterator<Item = &str> {
        self.listed.values().flatten().flat_map(|variant| variant.split('+'))
    }

    /// The variants of a shader.
    pub fn of(&self, shader: &str) -> &[String] {
        self.listed.get(shader).unwrap_or(&self.default)
    }
}

/// A variant's or an entry point's name as Rust writes it: `vec4+tile64x64` is `Vec4Tile64x64`.
pub fn rust_name(name: &str) -> String {
    let words = name.split(['_', '+']).map(|word| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)));
    words.flatten().collect()
}
