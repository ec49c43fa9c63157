//! Which device a command computes on.

use std::path::Path;

use super::Failure;
use super::arguments::{Common, Interface};
use super::notes::Note;
use crate::backend::Storage;
use crate::backend::cpu::Cpu;
use crate::backend::gpu::{self, Checking, Feature, Gpu, Opening};
use crate::base::numbers::Precision;
use crate::base::tiles::TileChoice;
use crate::config::Devices;

pub(super) use crate::backend::Device;
pub(super) use crate::on_device;

impl Interface {
    fn backends(self) -> wgpu::Backends {
        match self {
            Self::Vulkan => wgpu::Backends::VULKAN,
            Self::Metal => wgpu::Backends::METAL,
            Self::Dx12 => wgpu::Backends::DX12,
            Self::Gl => wgpu::Backends::GL,
        }
    }
}

/// Keeps Mesa's layer that asks the display server for the user's GPU from complaining, where there is no server to ask and nobody
/// has told it which: Vulkan's loader then leaves it out (`NODEVICE_SELECT`). To be called while the program has but one thread.
#[expect(unsafe_code)]
pub(super) fn quiet_drivers() {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_wayland = std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).is_absolute());
    if cfg!(unix) && !has_wayland && !["DISPLAY", "MESA_VK_DEVICE_SELECT", "DRI_PRIME"].into_iter().any(is_set) {
        // SAFETY: no other thread is there to read the environment meanwhile.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// How adapters are looked for: as the environment says (`WGPU_VALIDATION`, for one), and where `--backend` says.
pub(crate) fn instance(common: &Common) -> wgpu::InstanceDescriptor {
    instance_of(common.backend)
}

fn instance_of(interface: Option<Interface>) -> wgpu::InstanceDescriptor {
    let instance = gpu::instance().with_env();
    let backends = interface.map_or(instance.backends, Interface::backends);
    wgpu::InstanceDescriptor { backends, ..instance }
}

/// The device that is chosen where nobody says which.
pub(super) const AUTO: &str = "auto";
/// The one that is no adapter.
const CPU: &str = "cpu";

/// Opens what `--device` and `--backend` say, else what the settings say. [`AUTO`] is graphics hardware; where there is none it is
/// the CPU reference, which is faster than a software adapter, and a note says so.
pub(crate) fn open(common: &Common, setting: &str) -> Result<Device, Failure> {
    let wanted = wanted(common, setting);
    match find(common, wanted)? {
        Some(adapter) if wanted == AUTO && gpu::is_software(&adapter) => {
            common.note(Note::ReferenceIsFaster { adapter: gpu::describe(&adapter.get_info()) });
            Ok(reference(common))
        }
        Some(adapter) => Device::on(common, &adapter, Checking::Off),
        None => Ok(reference(common)),
    }
}

/// Why options of adapters have no effect.
pub(super) const REFERENCE: &str = "the CPU reference computes";

/// The CPU reference; says which options were of adapters alone.
pub(super) fn reference(common: &Common) -> Device {
    common.note_unused(&["without", "tiles"], REFERENCE);
    if common.execution.device.as_deref() == Some(CPU) {
        common.note_unused(&["backend"], REFERENCE);
    }
    keep_memory();
    Device::Cpu(Cpu::default())
}

/// Has the allocator keep what is freed: GNU's maps every matrix of megabytes anew, which the system clears page by page, a fifth of the
/// reference's time.
fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code)]
    // SAFETY: the function takes any numbers; those that it does not know how to follow change nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// As [`open`], for a run that goes on and was computed on `before`: [`AUTO`] is that device again, where it is still here.
pub(crate) fn open_again(common: &Common, setting: &str, before: &str) -> Result<Device, Failure> {
    if wanted(common, setting) != AUTO || common.execution.device.is_some() {
        return open(common, setting);
    }
    if before == Cpu::<f32>::default().device_name() {
        return Ok(reference(common));
    }
    let adapters = pollster::block_on(gpu::adapters(instance(common)));
    match adapters.iter().find(|adapter| before.starts_with(&gpu::describe(&adapter.get_info()))) {
        Some(adapter) => Device::on(common, adapter, Checking::Off),
        None => open(common, setting),
    }
}

/// Opens what `--device` and `--backend` say, else what the settings say, for commands that are about adapters: [`AUTO`] is the best
/// one, be it of software, which a note names; where there is none it is the CPU reference.
pub(crate) fn open_adapter(common: &Common, setting: &str) -> Result<Device, Failure> {
    match adapter(common, setting)? {
        None => Ok(reference(common)),
        Some(adapter) => Device::on(common, &adapter, Checking::Off),
    }
}

/// The adapter that [`open_adapter`] opens, none for the CPU reference.
pub(crate) fn adapter(common: &Common, setting: &str) -> Result<Option<wgpu::Adapter>, Failure> {
    let wanted = wanted(common, setting);
    let found = find(common, wanted)?;
    if let Some(adapter) = found.as_ref().filter(|adapter| wanted == AUTO && gpu::is_software(adapter)) {
        common.note(Note::SoftwareAdapter { adapter: gpu::describe(&adapter.get_info()) });
    }
    Ok(found)
}

pub(super) fn wanted<'w>(common: &'w Common, setting: &'w str) -> &'w str {
    common.execution.device.as_deref().unwrap_or(setting)
}

/// The adapter of a name, none for the CPU reference; says where there is none.
fn find(common: &Common, wanted: &str) -> Result<Option<wgpu::Adapter>, Failure> {
    if wanted == CPU {
        return Ok(None);
    }
    if !matches!(Devices::of(wanted), Devices::One(_)) {
        return Err(Failure(format!(
            "--device {wanted}: on several devices at once 'mcsan train' trains one model, and 'mcsan crossval' and its like train several \
             with --devices; name one"
        )));
    }
    let found = pollster::block_on(gpu::find(wanted, instance(common)))?;
    if found.is_none() {
        common.note(Note::NoAdapter);
    }
    Ok(found)
}

/// The numbers of the adapters of hardware, as `--device` takes them; those of GL, which has the others' devices again, are left out
/// unless it alone was asked for.
pub(super) fn hardware(common: &Common) -> Vec<String> {
    let instance = instance(common);
    let backends = match instance.backends - wgpu::Backends::GL {
        none if none.is_empty() => instance.backends,
        others => others,
    };
    let adapters = pollster::block_on(gpu::adapters(wgpu::InstanceDescriptor { backends, ..instance }));
    let hardware = adapters.iter().enumerate().filter(|(_, adapter)| !gpu::is_software(adapter));
    hardware.map(|(place, _)| place.to_string()).collect()
}

/// Opens the device of a name that is one of several.
pub(super) fn open_named(common: &Common, name: &str) -> Result<Device, Failure> {
    match find(common, name)? {
        Some(adapter) => Device::on(common, &adapter, Checking::Off),
        None => Ok(reference(common)),
    }
}

/// Opens a device by name for a thread of its own, which says nothing.
pub(super) fn open_alone(name: &str, interface: Option<Interface>, without: Vec<Feature>) -> Result<Device, Failure> {
    if name == CPU {
        return Ok(Device::Cpu(Cpu::default()));
    }
    let found = pollster::block_on(gpu::find(name, instance_of(interface)))?;
    let opening = Opening { checking: Checking::Off, limits: None, without };
    match found {
        Some(adapter) => Ok(Device::Gpu(Box::new(pollster::block_on(Gpu::open(&adapter, opening))?))),
        None => Ok(Device::Cpu(Cpu::default())),
    }
}

impl Device {
    /// Takes tiles that another device of its kind was timed with.
    pub(super) fn take_tiles(&self, tiles: &[TileChoice]) {
        if let Self::Gpu(gpu) = self {
            gpu.take_tiles(tiles.iter().copied());
        }
    }

    /// Opens an adapter, without what `--without` says.
    pub(super) fn on(common: &Common, adapter: &wgpu::Adapter, checking: Checking) -> Result<Self, Failure> {
        common.note_fxc(adapter);
        let opening = Opening { checking, limits: None, without: common.without.clone() };
        Ok(Self::Gpu(Box::new(pollster::block_on(Gpu::open(adapter, opening))?)))
    }

    /// Says where mixed precision brings no speed.
    pub(super) fn explain(&self, common: &Common, precision: Precision) {
        let lacks = match self {
            Self::Cpu(_) => Some("the CPU reference has no matrix units".to_owned()),
            Self::Gpu(gpu) => gpu.lacks_for_mixed().map(|need| format!("the device lacks {need}")),
        };
        if let Some(lacks) = lacks.filter(|_| precision == Precision::Mixed) {
            common.note(Note::MixedIsNotFaster { lacks });
        }
    }

    /// What is shown and stored of the device.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Cpu(_) => serde_json::json!({ "name": "cpu", "backend": "reference", "driver": "" }),
            Self::Gpu(gpu) => {
                let info = gpu.info();
                let names = |features: &[Feature]| features.iter().map(|feature| feature.name()).collect::<Vec<_>>();
                serde_json::json!({
                    "name": info.name,
                    "backend": info.backend.to_string(),
                    "driver": format!("{} {}", info.driver, info.driver_info).trim(),
                    "features": names(&gpu.fast_paths()),
                    "without": names(gpu.without()),
                })
            }
        }
    }
}
