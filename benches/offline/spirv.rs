//! The entry points that graphics hardware runs, as SPIR-V: what wgpu has naga write for a device with Vulkan 1.3 and trusted
//! shaders.

use std::path::Path;

use mcsan::backend::gpu::shader::{Entry, SHADERS, ShaderVariant};
use naga::ShaderStage;
use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

use super::Failure;

/// The variants that graphics hardware runs by default, and in mixed precision.
pub fn variants() -> impl Iterator<Item = (&'static ShaderVariant, &'static [&'static Entry])> {
    let of_hardware = |variant: &&ShaderVariant| !variant.name.split('+').any(|part| part == "software");
    SHADERS.iter().flat_map(move |shader| shader.variants.iter().filter(of_hardware).map(|variant| (variant, shader.entries)))
}

/// The file of an entry point of a variant.
pub fn file_name(variant: &ShaderVariant, entry: &Entry) -> String {
    format!("{}.{}.{}.spv", entry.shader, variant.name, entry.name)
}

/// Writes a file for each entry point into a folder.
pub fn write_all(folder: &Path) -> Result<(), Failure> {
    for (variant, entries) in variants() {
        let module = naga::front::wgsl::parse_str(variant.source)?;
        let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module)?;
        for entry in entries {
            let words = written(&module, &info, entry.name)?;
            std::fs::write(folder.join(file_name(variant, entry)), bytemuck::cast_slice(&words))?;
        }
    }
    Ok(())
}

/// One entry point's words.
fn written(module: &naga::Module, info: &ModuleInfo, entry: &str) -> Result<Vec<u32>, Failure> {
    let stage = ShaderStage::Compute;
    let (module, info) = naga::back::pipeline_constants::process_overrides(module, info, Some((stage, entry)), &Default::default())?;
    let unchecked = BoundsCheckPolicy::Unchecked;
    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        capabilities: None,
        bounds_check_policies: BoundsCheckPolicies { index: unchecked, buffer: unchecked, image_load: unchecked, binding_array: unchecked },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: stage, entry_point: entry.into() };
    Ok(spv::write_vec(&module, &info, &options, Some(&pipeline))?)
}
