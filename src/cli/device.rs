//! Which device a command computes on.

use super::Failure;
use super::arguments::{Common, Interface};
use super::notes::Note;
use crate::backend::cpu::Cpu;
use crate::backend::gpu::{self, Checking, Feature, Gpu, Opening};
use crate::base::numbers::Precision;

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

/// How adapters are looked for: as the environment says (`WGPU_VALIDATION`, for one), and where `--backend` says.
pub(crate) fn instance(common: &Common) -> wgpu::InstanceDescriptor {
    let instance = gpu::instance().with_env();
    let backends = common.backend.map_or(instance.backends, Interface::backends);
    wgpu::InstanceDescriptor { backends, ..instance }
}

/// Opens what `--device` and `--backend` say, else what the settings say; `auto` without an adapter is the CPU reference.
pub(crate) fn open(common: &Common, setting: &str, checking: Checking) -> Result<Device, Failure> {
    match adapter(common, setting)? {
        None => Ok(Device::Cpu(Cpu::default())),
        Some(adapter) => Device::on(common, &adapter, checking),
    }
}

/// The adapter that [`open`] opens, none for the CPU reference; says what a user did not ask for.
pub(crate) fn adapter(common: &Common, setting: &str) -> Result<Option<wgpu::Adapter>, Failure> {
    let wanted = common.execution.device.as_deref().unwrap_or(setting);
    if wanted == "cpu" {
        return Ok(None);
    }
    let found = pollster::block_on(gpu::find(wanted, instance(common)))?;
    match found.as_ref().map(wgpu::Adapter::get_info) {
        None => common.note(Note::NoAdapter),
        Some(info) if info.device_type == wgpu::DeviceType::Cpu => {
            common.note(Note::SoftwareAdapter { adapter: gpu::describe(&info) });
        }
        Some(_) => {}
    }
    Ok(found)
}

/// As [`open`], but where no device is named and only a software adapter exists, the CPU reference, which is faster.
pub(crate) fn open_fast(common: &Common) -> Result<Device, Failure> {
    let device = open(common, "auto", Checking::Off)?;
    match &device {
        Device::Gpu(gpu) if common.execution.device.is_none() && gpu.info().device_type == wgpu::DeviceType::Cpu => {
            common.note(Note::ReferenceIsFaster);
            Ok(Device::Cpu(Cpu::default()))
        }
        _ => Ok(device),
    }
}

impl Device {
    /// Opens an adapter, without what `--without` says.
    pub(super) fn on(common: &Common, adapter: &wgpu::Adapter, checking: Checking) -> Result<Self, Failure> {
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
