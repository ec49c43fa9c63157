//! The shaders everywhere: what becomes of them on Vulkan, Metal, DX12, GL and WebGPU, whether a second compiler takes them,
//! whether their barriers are reached by all, whether they fit the smallest device, and which tool sees which mistake.
//!
//! | mistake | seen by |
//! | --- | --- |
//! | a wrong result | the kernel's comparison with its reference (`tests/kernels.rs`) |
//! | a missing barrier | the same, on a device: no compiler and no validation layer looks for it ([`mistakes`]) |
//! | a barrier that only some invocations reach | the build ([`barriers`]) and Tint ([`tint`]); naga lets it through |
//! | more workgroup memory than there is | `check_limits` before a pipeline exists ([`limits`]) and Tint ([`tint`]); naga lets it through |
//! | an index out of bounds, a stray write | run-time checks and guard words (`tests/kernels.rs`) |
//! | a wrong Vulkan command, a missing barrier between dispatches | Vulkan's validation layer (`.ci/validation`, `tests/validation.rs`) |
//! | a name that a target keeps for itself | the names held against the lists of its words ([`names`]) |
//! | what DX12 refuses, or compiles for minutes | its compilers, where they can be had; a known cause is searched for ([`directx`]) |
//! | a type or a name that Metal has not | a C++ compiler that is told what Metal has ([`metal`]); Metal's own is on a Mac alone |
//! | a feature that the device lacks | `check_requirements` before a pipeline exists ([`requirements`]) |

mod barriers;
mod build;
mod directx;
mod limits;
mod metal;
mod mistakes;
mod names;
mod numbers;
mod requirements;
mod tint;
mod tools;
mod translation;

use mcsan::backend::gpu::shader::{Entry, SHADERS, Shader, ShaderVariant};

/// Every variant of every shader.
pub fn variants() -> impl Iterator<Item = (&'static Shader, &'static ShaderVariant)> {
    SHADERS.iter().flat_map(|shader| shader.variants.iter().map(move |variant| (*shader, variant)))
}

/// Every entry point of every variant of every shader, with the name that failures go by.
pub fn entries() -> impl Iterator<Item = (String, &'static ShaderVariant, &'static Entry)> {
    variants().flat_map(|(shader, variant)| {
        shader.entries.iter().map(move |entry| (format!("{}.{} {}", shader.name, variant.name, entry.name), variant, *entry))
    })
}

/// WGSL as naga reads and validates it, with every feature that a variant may need.
pub fn parse(source: &str) -> (naga::Module, naga::valid::ModuleInfo) {
    let module = naga::front::wgsl::parse_str(source).unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
    let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    let info = validator.validate(&module).unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
    (module, info)
}
