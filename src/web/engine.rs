//! Where a page computes: WebGPU, or the reference.

use std::rc::Rc;

use js_sys::{Array, Reflect};
use serde_json::json;
use wasm_bindgen::prelude::*;

use super::error::{Failure, refuse};
use super::values::object;
use crate::backend::gpu::{Gpu, Opening, Timing};
use crate::backend::{BackendError, Clock, Device, Executions, Storage, gpu};
use crate::base::clock::Instant;
use crate::on_device;

/// Whether the page has WebGPU at all: asking for it where there is none ends the program.
fn has_webgpu() -> bool {
    let global = js_sys::global();
    let navigator = Reflect::get(&global, &"navigator".into()).unwrap_or_default();
    let there = |of: &JsValue, name: &str| of.is_object() && Reflect::get(of, &name.into()).is_ok_and(|value| !value.is_undefined());
    there(&navigator, "gpu") && (there(&global, "Window") || there(&global, "WorkerGlobalScope"))
}

async fn adapters() -> Vec<wgpu::Adapter> {
    if has_webgpu() { gpu::adapters(gpu::instance()).await } else { Vec::new() }
}

/// Browsers may keep the name for themselves.
fn name(adapter: &wgpu::Adapter) -> String {
    match adapter.get_info().name {
        name if name.is_empty() => "WebGPU".into(),
        name => name,
    }
}

/// What the page can compute on besides the reference.
#[wasm_bindgen(skip_typescript)]
pub async fn devices() -> Array {
    let about = |adapter: &wgpu::Adapter| object(&json!({ "name": name(adapter), "software": gpu::is_software(adapter) }));
    adapters().await.iter().map(about).collect()
}

/// An open device.
#[wasm_bindgen(skip_typescript)]
pub struct Engine {
    device: Rc<Device>,
    name: String,
    notice: Option<String>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens `auto` (WebGPU where there is some, else the reference), `webgpu` or `cpu`.
    ///
    /// # Errors
    /// Another name; `webgpu` where there is none, or it cannot be opened.
    #[wasm_bindgen(skip_typescript)]
    pub async fn open(wanted: &str) -> Result<Engine, Failure> {
        let reference = |notice| Engine { device: Rc::new(Device::Cpu(Default::default())), name: "cpu".into(), notice };
        match wanted {
            "cpu" => return Ok(reference(None)),
            "auto" | "webgpu" => {}
            other => return Err(Failure::new(format!("'{other}' is no engine")).with("choose auto, webgpu or cpu")),
        }
        let opened = match adapters().await.first() {
            None if has_webgpu() => {
                Err(Failure::new("WebGPU is there, and no adapter of it").with("look for the browser's settings of graphics"))
            }
            None => Err(Failure::new("this browser has no WebGPU")),
            Some(adapter) => {
                let name = name(adapter);
                let opened = Gpu::open(adapter, Opening::default()).await.map_err(|error| refuse(&error));
                opened.map(|gpu| Engine { device: Rc::new(Device::Gpu(Box::new(gpu))), name, notice: None })
            }
        };
        match (opened, wanted) {
            (Ok(engine), _) => Ok(engine),
            (Err(failure), "auto") => Ok(reference(Some(format!("{}: the reference computes, which is slower", failure.message())))),
            (Err(failure), _) => Err(failure),
        }
    }

    /// The device's name.
    #[wasm_bindgen(getter, skip_typescript)]
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// `webgpu` or `cpu`.
    #[wasm_bindgen(getter, skip_typescript)]
    pub fn kind(&self) -> String {
        if matches!(*self.device, Device::Gpu(_)) { "webgpu".into() } else { "cpu".into() }
    }

    /// Why the reference computes, where another was looked for.
    #[wasm_bindgen(getter, skip_typescript)]
    pub fn notice(&self) -> Option<String> {
        self.notice.clone()
    }

    /// Why the device is lost, where it is.
    #[wasm_bindgen(getter, skip_typescript)]
    pub fn lost(&self) -> Option<String> {
        match on_device!(*self.device, |backend| backend.failure()) {
            Some(error @ BackendError::DeviceLost { .. }) => Some(error.to_string()),
            _ => None,
        }
    }
}

impl Engine {
    /// The device.
    pub(super) fn device(&self) -> Rc<Device> {
        Rc::clone(&self.device)
    }

    /// Forgets what failed before; a device that is lost stays so.
    pub(super) async fn recover(&self) -> Result<(), Failure> {
        match on_device!(*self.device, |backend| backend.failure()) {
            None => Ok(()),
            Some(error @ BackendError::DeviceLost { .. }) => Err(refuse(&error)),
            Some(_) => {
                on_device!(*self.device, |backend| backend.recover().await);
                Ok(())
            }
        }
    }
}

/// Nanoseconds from now on.
fn clock() -> Clock {
    let zero = Instant::now();
    Box::new(move || zero.elapsed().as_nanos() as f64)
}

/// Whether kernels are timed where they run. Else each is waited for by itself, and work has to be done once before, which compiles shaders
/// and whose results hold.
pub(super) fn has_clock(device: &Device) -> bool {
    match device {
        Device::Cpu(_) => true,
        Device::Gpu(gpu) => gpu.has_timestamps(),
    }
}

/// Times the kernels of a piece of work.
pub(super) fn start_timing(device: &Device) {
    match device {
        Device::Cpu(cpu) => cpu.start_profile(clock()),
        Device::Gpu(gpu) => {
            let timing = if gpu.has_timestamps() { Timing::Timestamps } else { Timing::Clock { repeats: 1 } };
            gpu.start_profile(timing, clock());
        }
    }
}

/// Ends that; what ran since.
pub(super) async fn finish_timing(device: &Device) -> Result<Executions, BackendError> {
    match device {
        Device::Cpu(cpu) => Ok(cpu.finish_profile()),
        Device::Gpu(gpu) => gpu.finish_profile().await,
    }
}
