//! The table of shaders that `build.rs` reads from the WGSL, and the types it is written in.

use super::memory::{BufferRange, Tensor, Words};
use super::requirements::Requirement;

/// A file in `shaders/`, expanded.
pub struct Shader {
    pub name: &'static str,
    /// The preferred first: a kernel that has no reason of its own takes the first that a device can run.
    pub variants: &'static [Variant],
    pub entries: &'static [&'static Entry],
}

/// One way to compile a shader: other constants, the same bindings.
pub struct Variant {
    pub name: &'static str,
    /// The final WGSL.
    pub source: &'static str,
    /// What it uses beyond WebGPU's core.
    pub requirements: &'static [Requirement],
}

/// An entry point and what it needs.
pub struct Entry {
    pub shader: &'static str,
    pub name: &'static str,
    /// Of each variant.
    pub workgroup_size: &'static [[u32; 3]],
    /// Bytes of workgroup memory, for each variant.
    pub workgroup_memory: &'static [u32],
    /// Storage buffers, besides the uniform arguments at binding 0.
    pub bindings: &'static [Binding],
}

/// A storage buffer of an entry point.
pub struct Binding {
    pub index: u32,
    pub name: &'static str,
    /// Whether the entry point reads it, and whether it writes it.
    pub readable: bool,
    pub writable: bool,
}

/// The uniform arguments of a shader.
pub trait Arguments: bytemuck::Pod {
    /// Those that are whole numbers, by name.
    fn whole_numbers(&self) -> Vec<(&'static str, u32)>;
}

/// The buffers of one dispatch, named as in the WGSL.
pub trait Launch {
    type Args: Arguments;
    const SHADER: &'static Shader;
    const ENTRY: &'static Entry;

    /// What is bound, in the order of [`Entry::bindings`].
    fn buffers(&self) -> Vec<BufferRange<'_>>;
}

#[allow(missing_docs, reason = "documented in the WGSL that they are made from")]
mod generated {
    #[allow(unused_imports, reason = "for the variants that need something")]
    use super::Requirement;
    use super::{Arguments, Binding, BufferRange, Entry, Launch, Shader, Tensor, Variant, Words};

    include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
}

pub use generated::*;
