//! Shaders broken on purpose: a comparison proves something only if it can fail.

use crate::backend::gpu::shader::{Shader, ShaderVariant};

/// A small change of a shader that its kernel's comparison must see in every variant that runs.
#[derive(Clone, Copy)]
pub struct Sabotage {
    /// The shader that is broken.
    pub shader: &'static Shader,
    /// A part of the shader …
    pub part: &'static str,
    /// … and what stands there instead.
    pub instead: &'static str,
}

impl Sabotage {
    /// Puts `instead` in the place of every `part`.
    pub const fn new(shader: &'static Shader, part: &'static str, instead: &'static str) -> Self {
        Self { shader, part, instead }
    }

    /// The variants that hold the part, each with its broken source.
    pub fn broken(&self) -> Vec<(&'static ShaderVariant, String)> {
        let variants = self.shader.variants.iter().filter(|variant| variant.source.contains(self.part));
        variants.map(|variant| (variant, variant.source.replace(self.part, self.instead))).collect()
    }
}
