//! Which adapters there are, and which one a user means.

use crate::backend::{BackendError, Result};

/// How adapters are looked for: in every graphics interface, and with what the interfaces check by themselves in debug builds
/// alone. A program whose user may say otherwise by the environment (`WGPU_BACKEND`, `WGPU_VALIDATION` and others) adds `with_env()`.
pub fn instance() -> wgpu::InstanceDescriptor {
    let flags = if cfg!(debug_assertions) { wgpu::InstanceFlags::debugging() } else { wgpu::InstanceFlags::empty() };
    wgpu::InstanceDescriptor { flags, ..wgpu::InstanceDescriptor::new_without_display_handle() }
}

/// All adapters that can run compute shaders, best first: discrete GPUs before integrated ones before software, and
/// each interface of the platform before GL.
pub async fn adapters(instance: wgpu::InstanceDescriptor) -> Vec<wgpu::Adapter> {
    let backends = instance.backends;
    let mut adapters = wgpu::Instance::new(instance).enumerate_adapters(backends).await;
    adapters.retain(can_run);
    adapters.sort_by_key(|adapter| rank(&adapter.get_info()));
    adapters
}

fn can_run(adapter: &wgpu::Adapter) -> bool {
    let limits = adapter.limits();
    let needed = wgpu::Limits::default();
    adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        && limits.max_storage_buffers_per_shader_stage >= needed.max_storage_buffers_per_shader_stage
        && limits.max_compute_invocations_per_workgroup >= needed.max_compute_invocations_per_workgroup
        && limits.max_compute_workgroup_storage_size >= needed.max_compute_workgroup_storage_size
}

fn rank(info: &wgpu::AdapterInfo) -> (u8, bool) {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    (kind, info.backend == wgpu::Backend::Gl)
}

/// The adapter that `wanted` means: `auto`, the best, of which there may be none; a number among [`adapters`]; or a part of a name.
///
/// # Errors
/// [`BackendError::NoAdapter`] where a named adapter does not exist.
pub async fn find(wanted: &str, instance: wgpu::InstanceDescriptor) -> Result<Option<wgpu::Adapter>> {
    let mut adapters = adapters(instance).await;
    let place = if wanted == "auto" {
        if adapters.is_empty() {
            return Ok(None);
        }
        Some(0)
    } else if let Ok(index) = wanted.parse::<usize>() {
        (index < adapters.len()).then_some(index)
    } else {
        let part = wanted.to_lowercase();
        adapters.iter().position(|adapter| adapter.get_info().name.to_lowercase().contains(&part))
    };
    match place {
        Some(place) => Ok(Some(adapters.swap_remove(place))),
        None => {
            let names: Vec<String> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
            let found = if names.is_empty() { "none".into() } else { names.join(", ") };
            Err(BackendError::NoAdapter { wanted: wanted.into(), found })
        }
    }
}

/// One line that names an adapter with its interface and driver.
pub fn describe(info: &wgpu::AdapterInfo) -> String {
    format!("{} ({}, {})", info.name, info.backend, [info.driver.as_str(), info.driver_info.as_str()].join(" ").trim())
}
