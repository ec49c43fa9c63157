//! `mcsan devices`

use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Interface};
use super::{Done, print_json};
use crate::backend::gpu::{self, check_limits, shader};

pub fn run(common: &Common) -> Done {
    let adapters = pollster::block_on(gpu::adapters(common.backend.map(Interface::backends)));
    let described: Vec<serde_json::Value> = adapters.iter().enumerate().map(|(index, adapter)| describe(index, adapter)).collect();
    if common.json {
        print_json(&json!({ "devices": described, "fallback": "cpu" }));
        return Ok(ExitCode::SUCCESS);
    }
    for (device, adapter) in described.iter().zip(&adapters) {
        let limits = adapter.limits();
        println!("{}  {}", device["index"], gpu::describe(&adapter.get_info()));
        println!(
            "   {}, workgroup memory {} KiB, largest binding {} MiB",
            device["type"].as_str().unwrap_or_default(),
            limits.max_compute_workgroup_storage_size >> 10,
            limits.max_storage_buffer_binding_size >> 20
        );
        println!("   kernels that fit: {} of {}", device["kernels_that_fit"], device["kernels"]);
    }
    println!("cpu  the CPU reference (--device cpu)");
    if adapters.is_empty() {
        println!("No graphics adapter was found; on Debian, 'apt-get install mesa-vulkan-drivers' gives a software one.");
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> serde_json::Value {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let features = adapter.features();
    let entries = || shader::SHADERS.iter().flat_map(|shader| shader.entries);
    let fits = |entry: &&&shader::Entry| (0..entry.workgroup_memory.len()).all(|variant| check_limits(entry, variant, &limits).is_ok());
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
        "features": {
            "subgroups": features.contains(wgpu::Features::SUBGROUP),
            "f16": features.contains(wgpu::Features::SHADER_F16),
            "timestamps": features.contains(wgpu::Features::TIMESTAMP_QUERY),
            "cooperative_matrices": features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
        },
        "features_used": [],
        "kernels": entries().count(),
        "kernels_that_fit": entries().filter(fits).count(),
    })
}
