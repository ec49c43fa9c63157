//! Pipelines: those that a submission is the first to need are compiled together, when it is sent.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use super::device::OpenDevice;
use super::shader::{Entry, Shader, ShaderVariant};

/// An entry point of a shader's variant.
#[derive(Clone, Copy)]
pub(super) struct EntryPoint {
    pub shader: &'static Shader,
    pub entry: &'static Entry,
    pub variant: &'static ShaderVariant,
}

/// Shader and variant.
type ModuleKey = (&'static str, &'static str);
/// Shader and entry point: variants bind the same.
type LayoutKey = (&'static str, &'static str);
/// Shader, entry point, variant.
type PipelineKey = (&'static str, &'static str, &'static str);

impl EntryPoint {
    fn module_key(&self) -> ModuleKey {
        (self.shader.name, self.variant.name)
    }

    fn layout_key(&self) -> LayoutKey {
        (self.shader.name, self.entry.name)
    }

    fn key(&self) -> PipelineKey {
        (self.shader.name, self.entry.name, self.variant.name)
    }
}

/// The pipelines of a device.
pub(super) struct Pipelines {
    /// Whether shaders check their indices and loops as they run.
    checks: bool,
    compiled: RefCell<Compiled>,
    /// Sources that stand in for the built-in ones.
    substitutes: HashMap<ModuleKey, String>,
}

/// What was compiled so far.
#[derive(Default)]
struct Compiled {
    layouts: HashMap<LayoutKey, wgpu::BindGroupLayout>,
    /// WGSL that is parsed and validated.
    modules: HashMap<ModuleKey, wgpu::ShaderModule>,
    pipelines: HashMap<PipelineKey, wgpu::ComputePipeline>,
}

impl Pipelines {
    pub(crate) fn new(checks: bool) -> Self {
        Self { checks, compiled: RefCell::default(), substitutes: HashMap::new() }
    }

    /// The pipeline of an entry point that was compiled, and the layout of what it binds.
    pub(crate) fn get(&self, point: &EntryPoint) -> Option<(wgpu::ComputePipeline, wgpu::BindGroupLayout)> {
        let compiled = self.compiled.borrow();
        Some((compiled.pipelines.get(&point.key())?.clone(), compiled.layouts.get(&point.layout_key())?.clone()))
    }

    /// Compiles `source` in place of a variant.
    pub(crate) fn substitute(&mut self, shader: &'static Shader, variant: &'static ShaderVariant, source: String) {
        let module = (shader.name, variant.name);
        self.substitutes.insert(module, source);
        let compiled = self.compiled.get_mut();
        compiled.modules.remove(&module);
        compiled.pipelines.retain(|&(shader, _, variant), _| (shader, variant) != module);
    }

    /// The variants that pipelines were made from.
    pub(crate) fn variants(&self) -> BTreeSet<ModuleKey> {
        self.compiled.borrow().pipelines.keys().map(|&(shader, _, variant)| (shader, variant)).collect()
    }

    /// Compiles what was not compiled before.
    pub(crate) fn compile(&self, device: &OpenDevice, needed: impl Iterator<Item = EntryPoint>) {
        let Compiled { layouts, modules, pipelines } = &mut *self.compiled.borrow_mut();
        let mut missing: Vec<EntryPoint> = needed.filter(|point| !pipelines.contains_key(&point.key())).collect();
        missing.sort_by_key(EntryPoint::key);
        missing.dedup_by_key(|point| point.key());
        for point in &missing {
            layouts.entry(point.layout_key()).or_insert_with(|| layout(device.wgpu(), point.entry));
        }
        let mut unread = missing.clone();
        unread.retain(|point| !modules.contains_key(&point.module_key()));
        unread.sort_by_key(EntryPoint::module_key);
        unread.dedup_by_key(|point| point.module_key());
        // A GL context is one thread's at a time.
        let make_at_once = device.info().backend != wgpu::Backend::Gl;
        let (checks, substitutes) = (self.checks, &self.substitutes);
        let device_of_all = device.wgpu();
        let made = make_all(make_at_once, &unread, |point| module(device_of_all, point, substitutes.get(&point.module_key()), checks));
        modules.extend(unread.iter().map(EntryPoint::module_key).zip(made));
        let made = make_all(make_at_once, &missing, |point| {
            let layout = layouts.get(&point.layout_key());
            modules.get(&point.module_key()).map(|module| pipeline(device_of_all, point, layout, module, checks))
        });
        device.count(|counters| counters.pipelines += missing.len() as u64);
        pipelines.extend(missing.iter().map(EntryPoint::key).zip(made).filter_map(|(key, made)| Some((key, made?))));
    }
}

/// Makes one of each, in order, `at_once` on all cores. The backend's one use of threads: in a browser, whose objects stay on
/// their thread, one is made after the other.
#[cfg(feature = "threads")]
fn make_all<T: Sync, M: Send>(at_once: bool, of: &[T], make: impl Fn(&T) -> M + Send + Sync) -> Vec<M> {
    use rayon::prelude::*;
    if at_once { of.par_iter().map(make).collect() } else { of.iter().map(make).collect() }
}

#[cfg(not(feature = "threads"))]
fn make_all<T, M>(_: bool, of: &[T], make: impl Fn(&T) -> M) -> Vec<M> {
    of.iter().map(make).collect()
}

/// The layout of what an entry point binds: its arguments at 0, then its storage buffers.
fn layout(device: &wgpu::Device, entry: &Entry) -> wgpu::BindGroupLayout {
    let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
    let layout_entry = |binding, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let mut entries = vec![layout_entry(0, wgpu::BufferBindingType::Uniform, true)];
    entries.extend(entry.bindings.iter().map(|binding| layout_entry(binding.index, storage(!binding.writable), false)));
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(entry.name), entries: &entries })
}

/// Parses and validates a variant, or what stands in for it.
#[expect(unsafe_code)]
fn module(device: &wgpu::Device, point: &EntryPoint, substitute: Option<&String>, checks: bool) -> wgpu::ShaderModule {
    let source = substitute.map_or(point.variant.source, String::as_str);
    let descriptor = wgpu::ShaderModuleDescriptor { label: Some(point.shader.name), source: wgpu::ShaderSource::Wgsl(source.into()) };
    if checks {
        return device.create_shader_module(descriptor);
    }
    // SAFETY: every index is bounded by the arguments that the launches compute from the tensors' shapes, and every loop by
    // such an argument; the suite runs all cases with checks, guard words and poisoned outputs.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

fn pipeline(
    device: &wgpu::Device,
    point: &EntryPoint,
    layout: Option<&wgpu::BindGroupLayout>,
    module: &wgpu::ShaderModule,
    checks: bool,
) -> wgpu::ComputePipeline {
    let label = Some(point.entry.name);
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor { label, bind_group_layouts: &[layout], immediate_size: 0 });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layout),
        module,
        entry_point: label,
        compilation_options: wgpu::PipelineCompilationOptions { zero_initialize_workgroup_memory: checks, ..Default::default() },
        cache: None,
    })
}
