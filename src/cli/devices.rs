//! `mcsan devices`

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::arguments::Common;
use super::{Done, device};
use crate::backend::gpu::{self, Capabilities, Feature, check_limits, check_requirements, shader};

/// Optional features that a shader or the program may use, and their names.
const FEATURES: [(&str, wgpu::Features); 7] = [
    ("f16", wgpu::Features::SHADER_F16),
    ("int64", wgpu::Features::SHADER_INT64),
    ("subgroups", wgpu::Features::SUBGROUP),
    ("pipeline_cache", wgpu::Features::PIPELINE_CACHE),
    ("timestamps", wgpu::Features::TIMESTAMP_QUERY),
    ("timestamps_in_passes", wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
    ("cooperative_matrices", wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
];

pub(crate) fn run(common: &Common) -> Done {
    let adapters = pollster::block_on(gpu::adapters(device::instance(common)));
    adapters.iter().for_each(|adapter| common.note_fxc(adapter));
    let described: Vec<Value> = adapters.iter().enumerate().map(|(index, adapter)| describe(index, adapter, &common.without)).collect();
    if common.json {
        common.print_json(json!({ "devices": described, "fallback": "cpu" }));
        return Ok(ExitCode::SUCCESS);
    }
    for (device, adapter) in described.iter().zip(&adapters) {
        show(device, adapter, &common.without);
    }
    println!("cpu  the CPU reference (--device cpu)");
    if adapters.is_empty() {
        let more = if cfg!(target_os = "linux") { "; on Debian, 'apt-get install mesa-vulkan-drivers' gives a software one" } else { "" };
        println!("No graphics adapter was found{more}.");
    }
    Ok(ExitCode::SUCCESS)
}

fn show(device: &Value, adapter: &wgpu::Adapter, without: &[Feature]) {
    let (info, limits, capabilities) = (adapter.get_info(), adapter.limits(), Capabilities::of(adapter).without(without));
    println!("{}  {}", device["index"], gpu::describe(&info));
    println!(
        "   {}, workgroup memory {} KiB, largest binding {} MiB",
        device["type"].as_str().unwrap_or_default(),
        limits.max_compute_workgroup_storage_size >> 10,
        limits.max_storage_buffer_binding_size >> 20
    );
    for (name, feature) in FEATURES {
        let offered = match name {
            _ if !capabilities.features.contains(feature) => "no".into(),
            "subgroups" => format!("of {} to {}", info.subgroup_min_size, info.subgroup_max_size),
            "cooperative_matrices" => matrices(&capabilities).join(", "),
            _ => "yes".into(),
        };
        println!("   {:22} {offered}", name.replace('_', " "));
    }
    let beyond = device["limits_beyond_webgpu_default"].as_object().map_or(0, Map::len);
    println!("   {:22} {beyond} (--json lists them)", "above default limits");
    println!("   kernels that fit: {} of {}", device["kernels_that_fit"], device["kernels"]);
    let mut plain = true;
    for (shader, variant) in variants().filter(|(_, variant)| !variant.requirements.is_empty()) {
        plain = false;
        let verdict = reason(shader, variant, &limits, &capabilities).unwrap_or_else(|| "used".into());
        println!("   {:22} {verdict}", format!("{}.{}", shader.name, variant.name));
    }
    if plain {
        println!("   no kernel uses an optional feature");
    }
}

fn variants() -> impl Iterator<Item = (&'static shader::Shader, &'static shader::ShaderVariant)> {
    shader::SHADERS.into_iter().flat_map(|shader| shader.variants.iter().map(move |variant| (shader, variant)))
}

/// Why a variant cannot run; `None` where it can.
fn reason(shader: &shader::Shader, variant: &shader::ShaderVariant, limits: &wgpu::Limits, capabilities: &Capabilities) -> Option<String> {
    let fits = variant.footprints.iter().try_for_each(|footprint| check_limits(footprint, limits));
    check_requirements(shader, variant, capabilities).and(fits).err().map(|error| error.to_string())
}

/// The shapes and types of cooperative matrices that are offered.
fn matrices(capabilities: &Capabilities) -> Vec<String> {
    let name = |kind: wgpu::CooperativeScalarType| format!("{kind:?}").to_lowercase();
    let shape = |offered: &wgpu::CooperativeMatrixProperties| {
        let wgpu::CooperativeMatrixProperties { m_size, n_size, k_size, ab_type, cr_type, .. } = *offered;
        format!("{m_size}x{n_size}x{k_size} {} to {}", name(ab_type), name(cr_type))
    };
    capabilities.matrices.iter().map(shape).collect()
}

fn describe(index: usize, adapter: &wgpu::Adapter, without: &[Feature]) -> Value {
    let (info, limits, capabilities) = (adapter.get_info(), adapter.limits(), Capabilities::of(adapter).without(without));
    let mut beyond = Map::new();
    limits.check_limits_with_fail_fn(&wgpu::Limits::default(), false, |name, offered, _| {
        beyond.insert(name.into(), offered.into());
    });
    let mut features: Map<String, Value> =
        FEATURES.iter().map(|&(name, feature)| (name.into(), capabilities.features.contains(feature).into())).collect();
    features.insert("subgroup_size".into(), json!([info.subgroup_min_size, info.subgroup_max_size]));
    features.insert("cooperative_matrices".into(), matrices(&capabilities).into());
    let opened = capabilities.clone().used().features;
    let used: Vec<&str> = FEATURES.iter().filter(|(_, feature)| opened.contains(*feature)).map(|(name, _)| *name).collect();
    let entries = || shader::SHADERS.iter().flat_map(|shader| shader.entries.iter().map(move |entry| (shader, entry.name)));
    let fits = |&(shader, name): &(&&shader::Shader, &str)| {
        let footprints = shader.variants.iter().flat_map(|variant| variant.footprints);
        footprints.filter(|footprint| footprint.entry.name == name).all(|footprint| check_limits(footprint, &limits).is_ok())
    };
    let variants: Vec<Value> = variants()
        .map(|(shader, variant)| {
            let lacks = reason(shader, variant, &limits, &capabilities);
            let needs: Vec<String> = variant.requirements.iter().map(ToString::to_string).collect();
            json!({ "kernel": shader.name, "variant": variant.name, "needs": needs, "runs": lacks.is_none(), "why_not": lacks })
        })
        .collect();
    json!({
        "index": index,
        "name": info.name,
        "type": format!("{:?}", info.device_type),
        "backend": info.backend.to_string(),
        "driver": format!("{} {}", info.driver, info.driver_info).trim(),
        "limits": {
            "max_buffer_size": limits.max_buffer_size,
            "max_storage_buffer_binding_size": limits.max_storage_buffer_binding_size,
            "max_storage_buffers_per_shader_stage": limits.max_storage_buffers_per_shader_stage,
            "max_compute_workgroup_storage_size": limits.max_compute_workgroup_storage_size,
            "max_compute_invocations_per_workgroup": limits.max_compute_invocations_per_workgroup,
        },
        "limits_beyond_webgpu_default": beyond,
        "features": features,
        "features_used": used,
        "kernels": entries().count(),
        "kernels_that_fit": entries().filter(fits).count(),
        "variants": variants,
    })
}
