//! The table of shaders that `build/` reads from the WGSL, and the types it is written in.

use super::memory::{BufferRange, Tensor, Words};
use super::requirements::Requirement;

/// A file or a folder in `shaders/`, expanded.
pub struct Shader {
    /// The file's or the folder's, without `.wgsl`.
    pub name: &'static str,
    /// All ways to compile it; where there is one alone it is called `default`.
    pub variants: &'static [ShaderVariant],
    /// Its entry points, which all variants have.
    pub entries: &'static [&'static Entry],
}

/// One way to compile a shader: other constants, the same bindings.
#[derive(Debug)]
pub struct ShaderVariant {
    /// What tells it from the others, between plus signs: `vec4+tile64x64`.
    pub name: &'static str,
    /// The final WGSL.
    pub source: &'static str,
    /// What it uses beyond WebGPU's core.
    pub requirements: &'static [Requirement],
    /// Of each entry point of the shader.
    pub footprints: &'static [Footprint],
}

/// What an entry point of a variant takes of a device.
#[derive(Debug)]
pub struct Footprint {
    /// Which entry point.
    pub entry: &'static Entry,
    /// Invocations of a workgroup, `[x, y, z]`.
    pub workgroup_size: [u32; 3],
    /// In bytes.
    pub workgroup_memory: u32,
}

/// An entry point, the same in all variants.
#[derive(Debug)]
pub struct Entry {
    /// The name of the shader that it is in.
    pub shader: &'static str,
    /// Its function in the WGSL.
    pub name: &'static str,
    /// Storage buffers, besides the uniform arguments at binding 0.
    pub bindings: &'static [Binding],
}

/// A storage buffer of an entry point.
#[derive(Debug)]
pub struct Binding {
    /// Its `@binding` in group 0.
    pub index: u32,
    /// Its variable in the WGSL.
    pub name: &'static str,
    /// Whether the entry point reads it.
    pub readable: bool,
    /// Whether it is declared `read_write`.
    pub writable: bool,
}

/// The uniform arguments of a shader.
pub(crate) trait Arguments: bytemuck::Pod {
    /// Those that are whole numbers, by name.
    fn whole_numbers(&self) -> Vec<(&'static str, u32)>;

    /// Those of the part of a grid that begins at a workgroup `[y, z]`; none where the shader computes a grid whole alone.
    fn beginning_at(self, _first: [u32; 2]) -> Option<Self> {
        None
    }
}

/// What a shader works on at a time, where it has a variant for either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// Four numbers.
    Vec4,
    /// One number.
    Scalar,
}

impl Width {
    /// Four numbers where all sizes are multiples of four.
    pub(crate) fn of(sizes: &[usize]) -> Self {
        if sizes.iter().all(|size| size.is_multiple_of(4)) { Self::Vec4 } else { Self::Scalar }
    }

    /// How many numbers that are.
    pub(crate) fn numbers(self) -> usize {
        match self {
            Self::Vec4 => 4,
            Self::Scalar => 1,
        }
    }
}

/// The buffers of one dispatch, named as in the WGSL.
pub(crate) trait Launch {
    type Args: Arguments;
    /// The shader's variants by name.
    type Variant: Copy;
    const SHADER: &'static Shader;
    const ENTRY: &'static Entry;

    /// A variant in the table, and what the entry point takes in it.
    fn variant(variant: Self::Variant) -> (&'static ShaderVariant, &'static Footprint);

    /// What is bound, in the order of [`Entry::bindings`].
    fn buffers(&self) -> Vec<BufferRange>;
}

#[allow(missing_docs, reason = "documented in the WGSL that they are made from")]
mod generated {
    #[allow(unused_imports, reason = "for the variants that need something")]
    use super::Requirement;
    use super::{Arguments, Binding, BufferRange, Entry, Footprint, Launch, Shader, ShaderVariant, Tensor, Width, Words};

    include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
}

pub use generated::*;
