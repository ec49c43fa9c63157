//! Which adapters there are, and which one a user means.

use crate::backend::{BackendError, Result};

/// How adapters are looked for: in every graphics interface, and with what the interfaces check by themselves in debug builds
/// alone. A program whose user may say otherwise by the environment (`WGPU_BACKEND`, `WGPU_VALIDATION` and others) adds `with_env()`.
pub fn instance() -> wgpu::InstanceDescriptor {
    let flags = if cfg!(debug_assertions) { wgpu::InstanceFlags::debugging() } else { wgpu::InstanceFlags::empty() };
    wgpu::InstanceDescriptor { flags, ..wgpu::InstanceDescriptor::new_without_display_handle() }
}

/// All adapters that can run compute shaders: those of GL last, and of either kind discrete GPUs before integrated ones before
/// software.
pub async fn adapters(instance: wgpu::InstanceDescriptor) -> Vec<wgpu::Adapter> {
    let backends = instance.backends;
    let (flags, backend_options) = (instance.flags, instance.backend_options.clone());
    let mut adapters = wgpu::Instance::new(instance).enumerate_adapters(backends).await;
    let lacks_dx12 = !adapters.iter().any(|adapter| adapter.get_info().backend == wgpu::Backend::Dx12);
    if cfg!(windows) && lacks_dx12 && backends.contains(wgpu::Backends::DX12) {
        adapters.extend(of_fxc(flags, backend_options).await);
    }
    adapters.retain(can_run);
    adapters.sort_by_key(|adapter| rank(&adapter.get_info()));
    adapters
}

/// Adapters of DX12 below shader model 6, of which wgpu offers none where it finds DXC and nobody chose a compiler: FXC's.
async fn of_fxc(flags: wgpu::InstanceFlags, mut backend_options: wgpu::BackendOptions) -> Vec<wgpu::Adapter> {
    let backends = wgpu::Backends::DX12;
    if !matches!(backend_options.dx12.shader_compiler, wgpu::Dx12Compiler::Auto) {
        return Vec::new();
    }
    backend_options.dx12.shader_compiler = wgpu::Dx12Compiler::Fxc;
    let instance = wgpu::InstanceDescriptor { backends, flags, backend_options, ..instance() };
    wgpu::Instance::new(instance).enumerate_adapters(backends).await
}

fn can_run(adapter: &wgpu::Adapter) -> bool {
    let limits = adapter.limits();
    let needed = wgpu::Limits::default();
    adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        && limits.max_storage_buffers_per_shader_stage >= needed.max_storage_buffers_per_shader_stage
        && limits.max_compute_invocations_per_workgroup >= needed.max_compute_invocations_per_workgroup
        && limits.max_compute_workgroup_storage_size >= needed.max_compute_workgroup_storage_size
}

fn rank(info: &wgpu::AdapterInfo) -> (bool, u8) {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    (info.backend == wgpu::Backend::Gl, kind)
}

/// The compiler of an adapter's shaders, where it takes minutes for run-time checks: Mesa's GL, or [FXC](is_of_fxc).
pub fn slow_at_checks(adapter: &wgpu::Adapter) -> Option<&'static str> {
    match adapter.get_info().backend {
        wgpu::Backend::Gl => Some("GL"),
        _ => is_of_fxc(adapter).then_some("FXC"),
    }
}

/// Whether FXC compiles an adapter's shaders, which wgpu takes for DX12 where it finds no DXC, whose shaders alone have subgroups.
pub fn is_of_fxc(adapter: &wgpu::Adapter) -> bool {
    adapter.get_info().backend == wgpu::Backend::Dx12 && !adapter.features().contains(wgpu::Features::SUBGROUP)
}

/// Whether an adapter is none of hardware, but a processor's cores behind a graphics interface.
pub fn is_software(adapter: &wgpu::Adapter) -> bool {
    adapter.get_info().device_type == wgpu::DeviceType::Cpu
}

/// The adapter that `wanted` means: `auto`, the best, which may be one of software, or none; a number among [`adapters`]; or a
/// part of a name. Drivers of GL, which may write to standard error whoever looks for them, are asked only where no other
/// interface has it, or for `auto` none of hardware.
///
/// # Errors
/// [`BackendError::NoAdapter`] where a named adapter does not exist.
pub async fn find(wanted: &str, instance: wgpu::InstanceDescriptor) -> Result<Option<wgpu::Adapter>> {
    let gl = instance.backends & wgpu::Backends::GL;
    let options = (instance.flags, instance.backend_options.clone());
    let mut found = adapters(wgpu::InstanceDescriptor { backends: instance.backends - gl, ..instance }).await;
    let satisfied = place(wanted, &found).is_some_and(|place| wanted != "auto" || !is_software(&found[place]));
    if !satisfied && !gl.is_empty() {
        let (flags, backend_options) = options;
        let gl = wgpu::InstanceDescriptor { backends: gl, flags, backend_options, ..self::instance() };
        found.extend(adapters(gl).await);
    }
    match place(wanted, &found) {
        Some(place) => Ok(Some(found.swap_remove(place))),
        None if wanted == "auto" => Ok(None),
        None => {
            let names: Vec<String> = found.iter().map(|adapter| adapter.get_info().name).collect();
            let found = if names.is_empty() { "none".into() } else { names.join(", ") };
            Err(BackendError::NoAdapter { wanted: wanted.into(), found })
        }
    }
}

/// Which of some adapters is meant.
fn place(wanted: &str, adapters: &[wgpu::Adapter]) -> Option<usize> {
    if wanted == "auto" {
        let hardware = adapters.iter().position(|adapter| !is_software(adapter));
        return hardware.or((!adapters.is_empty()).then_some(0));
    }
    if let Ok(index) = wanted.parse::<usize>() {
        return (index < adapters.len()).then_some(index);
    }
    // Of every name nothing is a part, and so may a comma be.
    if !wanted.contains(char::is_alphanumeric) {
        return None;
    }
    let part = wanted.to_lowercase();
    adapters.iter().position(|adapter| adapter.get_info().name.to_lowercase().contains(&part))
}

/// One line that names an adapter with its interface and driver.
pub fn describe(info: &wgpu::AdapterInfo) -> String {
    format!("{} ({}, {})", info.name, info.backend, [info.driver.as_str(), info.driver_info.as_str()].join(" ").trim())
}
