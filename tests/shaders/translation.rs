//! Every entry point as Vulkan, Metal, DX12 and GL get it: translated by naga as wgpu has it translated, with run-time checks
//! and without, and given to another compiler for that language. For Metal, of whose own there is none for this machine, see `metal.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use mcsan::backend::gpu::Requirement;
use mcsan::backend::gpu::shader::{Entry, ShaderVariant};
use naga::back::{glsl, hlsl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::ModuleInfo;
use naga::{Module, ResourceBinding, ShaderStage};

use super::tools::Tool;
use super::{entries, parse};

/// Run-time checks on and off: `wgpu::ShaderRuntimeChecks::checked()` and `unchecked()`, which set each of them alike.
const CHECKS: [bool; 2] = [true, false];

/// What is checked of addresses.
pub fn policies(checks: bool) -> BoundsCheckPolicies {
    let policy = if checks { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked };
    BoundsCheckPolicies { index: policy, buffer: policy, image_load: policy, binding_array: BoundsCheckPolicy::Unchecked }
}

/// Calls a translator for every entry point, with its module specialised as wgpu does, with checks and without.
pub fn each(mut translate: impl FnMut(&str, &ShaderVariant, &Entry, &Module, &ModuleInfo, bool)) {
    for (name, variant, entry) in entries() {
        let (module, info) = parse(variant.source);
        let stage = Some((ShaderStage::Compute, entry.name));
        let (module, info) = naga::back::pipeline_constants::process_overrides(&module, &info, stage, &Default::default()).unwrap();
        for checks in CHECKS {
            let name = format!("{name} {}", if checks { "checked" } else { "unchecked" });
            translate(&name, variant, entry, &module, &info, checks);
        }
    }
}

/// Whether a variant works with cooperative matrices, which Vulkan has from SPIR-V 1.6 on, Metal from 2.3, and the others not.
pub fn uses_matrices(variant: &ShaderVariant) -> bool {
    variant.requirements.iter().any(|need| matches!(need, Requirement::CooperativeMatrix { .. }))
}

/// Whether a variant works across subgroups, which the oldest Vulkan and DX12 have not.
pub fn uses_subgroups(variant: &ShaderVariant) -> bool {
    variant.requirements.contains(&Requirement::Subgroups)
}

/// Whether a variant works on 64-bit integers, which naga writes for no GL and glslang's HLSL does not know.
pub fn uses_int64(variant: &ShaderVariant) -> bool {
    variant.requirements.contains(&Requirement::Int64)
}

/// A binding of the one group.
pub fn bound(binding: u32) -> ResourceBinding {
    ResourceBinding { group: 0, binding }
}

/// The SPIR-V capabilities that wgpu's Vulkan devices always have.
const CAPABILITIES: [spv::Capability; 7] = [
    spv::Capability::Shader,
    spv::Capability::Matrix,
    spv::Capability::Sampled1D,
    spv::Capability::Image1D,
    spv::Capability::ImageQuery,
    spv::Capability::DerivativeControl,
    spv::Capability::StorageImageExtendedFormats,
];

#[test]
fn spirv_is_valid_for_the_oldest_and_the_newest_vulkan() {
    let validator = Tool::find("spirv-val", "SPIR-V of every entry point");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shader.spv");
    let mut count = 0;
    each(|name, variant, entry, module, info, checks| {
        for (version, target) in [((1, 0), "vulkan1.0"), ((1, 3), "vulkan1.1"), ((1, 6), "vulkan1.3")] {
            if uses_matrices(variant) && version < (1, 6) || uses_subgroups(variant) && version < (1, 3) {
                continue;
            }
            let zeros = match (checks, version) {
                (false, _) => spv::ZeroInitializeWorkgroupMemoryMode::None,
                (true, (1, 6)) => spv::ZeroInitializeWorkgroupMemoryMode::Native,
                (true, _) => spv::ZeroInitializeWorkgroupMemoryMode::Polyfill,
            };
            let options = spv::Options {
                lang_version: version,
                flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
                // A variant that needs more finds it on the devices that have it alone.
                capabilities: variant.requirements.is_empty().then(|| CAPABILITIES.into_iter().collect()),
                bounds_check_policies: policies(checks),
                zero_initialize_workgroup_memory: zeros,
                force_loop_bounding: checks,
                emit_int_div_checks: checks,
                ..Default::default()
            };
            let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.name.into() };
            let words = spv::write_vec(module, info, &options, Some(&pipeline)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(words.len() > 5 && words[0] == spirv_magic(), "{name}");
            if let Some(validator) = &validator {
                fs::write(&file, bytemuck::cast_slice(&words)).unwrap();
                let refusal = validator.refusal(&["--target-env", target], [&file]);
                if uses_matrices(variant) && refusal.as_deref().is_some_and(|text| text.contains(UNKNOWN_MATRICES)) {
                    println!("skipped: {name}: this spirv-val is older than cooperative matrices");
                    continue;
                }
                assert_eq!(refusal, None, "{name} for {target}");
            }
            count += 1;
        }
    });
    println!("{count} SPIR-V modules");
}

/// What a validator from before SPV_KHR_cooperative_matrix says of it.
const UNKNOWN_MATRICES: &str = "Invalid capability operand: 6022";

/// First word of a module.
fn spirv_magic() -> u32 {
    0x0723_0203
}

#[test]
fn glsl_compiles_for_gl_es_3_1_and_for_desktop_gl() {
    let compiler = Tool::find("glslangValidator", "GLSL of every entry point");
    let mut sources = BTreeMap::new();
    let mut count = 0;
    each(|name, variant, entry, module, info, checks| {
        if uses_matrices(variant) {
            return;
        }
        if uses_int64(variant) {
            println!("skipped: {name}: naga writes no 64-bit integers for GL, whose devices run another variant");
            return;
        }
        if variant.requirements.contains(&Requirement::F16) {
            println!("skipped: {name}: naga writes no f16 for GL, whose devices run another variant");
            return;
        }
        for version in [glsl::Version::Embedded { version: 310, is_webgl: false }, glsl::Version::Desktop(430), glsl::Version::Desktop(450)]
        {
            let bindings = entry.bindings.iter().enumerate().map(|(slot, binding)| (bound(binding.index), slot as u8));
            let options = glsl::Options {
                version,
                writer_flags: glsl::WriterFlags::ADJUST_COORDINATE_SPACE | glsl::WriterFlags::FORCE_POINT_SIZE,
                binding_map: bindings.chain([(bound(0), 0)]).collect(),
                zero_initialize_workgroup_memory: checks,
            };
            let pipeline = glsl::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.name.into(), multiview: None };
            // GL's own indexing rules stand in for naga's checks.
            let mut source = String::new();
            glsl::Writer::new(&mut source, module, info, &options, &pipeline, policies(false))
                .and_then(|mut writer| writer.write())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            sources.entry(source).or_insert_with(|| format!("{name} for {version}"));
            count += 1;
        }
    });
    println!("{count} GLSL shaders, {} that differ", sources.len());
    let Some(compiler) = compiler else { return };
    // All at once: to start the compiler takes longer than a shader does.
    let folder = tempfile::tempdir().unwrap();
    let files = sources.iter().map(|(source, name)| {
        let file = folder.path().join(name.replace(|letter: char| !letter.is_alphanumeric(), "-")).with_extension("comp");
        fs::write(&file, source).unwrap();
        file
    });
    assert_eq!(compiler.refusal(&[], files), None);
}

#[test]
fn hlsl_compiles_for_shader_models_5_1_and_6_0() {
    let compiler = Tool::find("glslangValidator", "HLSL of every entry point");
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("shader.hlsl"), folder.path().join("shader.spv"));
    let mut compiled = BTreeSet::new();
    let mut count = 0;
    each(|name, variant, entry, module, info, checks| {
        if uses_matrices(variant) {
            return;
        }
        for shader_model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_0] {
            if (uses_subgroups(variant) || uses_int64(variant)) && shader_model < hlsl::ShaderModel::V6_0 {
                continue;
            }
            let (source, entry_point) = to_hlsl(name, entry, module, info, shader_model, checks);
            if uses_int64(variant) {
                println!("skipped: {name} for {shader_model:?} is written and not compiled: glslang's HLSL has no 64-bit integers");
            } else if let Some(compiler) = compiler.as_ref().filter(|_| compiled.insert(source.clone())) {
                fs::write(&file, with_array_zeros(&source)).unwrap();
                let options = ["-D", "-V", "--target-env", "vulkan1.1", "-S", "comp", "-e", &entry_point, "-o", out.to_str().unwrap()];
                assert_eq!(compiler.refusal(&options, [&file]), None, "{name} for {shader_model:?}\n{source}");
            }
            count += 1;
        }
    });
    println!("{count} HLSL shaders, {} that differ", compiled.len());
}

/// An entry point in HLSL, and what it is called there.
pub fn to_hlsl(
    name: &str,
    entry: &Entry,
    module: &Module,
    info: &ModuleInfo,
    shader_model: hlsl::ShaderModel,
    checks: bool,
) -> (String, String) {
    let options = hlsl::Options {
        shader_model,
        binding_map: registers(entry, checks),
        fake_missing_bindings: false,
        special_constants_binding: Some(hlsl::BindTarget { register: 1, ..Default::default() }),
        zero_initialize_workgroup_memory: checks,
        restrict_indexing: checks,
        force_loop_bounding: checks,
        ..Default::default()
    };
    let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.name.into())) };
    let mut source = String::new();
    let written =
        hlsl::Writer::new(&mut source, &options, &pipeline).write(module, info, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    let entry_point = written.entry_point_names[0].as_ref().unwrap_or_else(|error| panic!("{name}: {error}"));
    (source, entry_point.clone())
}

/// Registers as wgpu gives them out: one constant buffer, then read-only and writable buffers by rising binding.
fn registers(entry: &Entry, checks: bool) -> hlsl::BindingMap {
    let mut next = [0, 0];
    let arguments = (bound(0), hlsl::BindTarget { restrict_indexing: checks, ..Default::default() });
    let buffers = entry.bindings.iter().map(|binding| {
        let register = next[usize::from(binding.writable)];
        next[usize::from(binding.writable)] += 1;
        (bound(binding.index), hlsl::BindTarget { register, restrict_indexing: checks, ..Default::default() })
    });
    buffers.chain([arguments]).collect()
}

/// The same HLSL with arrays of zeros made by functions: glslang lacks `(T[N])0`, a scalar cast to an array, which is what
/// naga writes for them.
fn with_array_zeros(source: &str) -> String {
    let mut kinds = BTreeSet::new();
    let mut body = String::new();
    let mut rest = source;
    while let Some(end) = rest.find("])0") {
        let (before, after) = (&rest[..end], &rest[end + 3..]);
        let start = before.rfind('(').expect("a cast begins");
        let (element, counts) = before[start + 1..].split_once('[').expect("a cast to an array");
        body += &format!("{}zeros_{element}_{}()", &before[..start], counts.replace("][", "_"));
        kinds.insert((element, counts));
        rest = after;
    }
    let function = |&(element, counts): &(&str, &str)| {
        let name = format!("{element}_{}", counts.replace("][", "_"));
        let levels = counts.split("][").enumerate();
        let loops: String =
            levels.clone().map(|(level, count)| format!("for (uint i{level} = 0u; i{level} < {count}u; i{level}++) ")).collect();
        let place: String = levels.map(|(level, _)| format!("[i{level}]")).collect();
        format!(
            "typedef {element} all_{name}[{counts}];
            all_{name} zeros_{name}() {{
                all_{name} all;
                {loops}{{ all{place} = ({element})0; }}
                return all;
            }}\n"
        )
    };
    let body = body + rest;
    // An element may be a struct: those come first.
    let after_structs = body.rfind("\n};\n").map_or(0, |end| end + "\n};\n".len());
    let (structs, code) = body.split_at(after_structs);
    structs.to_owned() + &kinds.iter().map(function).collect::<String>() + code
}
