//! WebGPU's default limits: kept by a variant of every shader in the table, and enough to run every kernel's cases.

use mcsan::backend::BackendError;
use mcsan::backend::gpu::shader::{Footprint, SHADERS};
use mcsan::backend::gpu::{self, Feature, Gpu, Opening, check_limits};
use mcsan::check::{Kernel, check};
use mcsan::config::Settings;
use mcsan::dataset::BatchShape;
use mcsan::train::{Event, Training};

use super::parse;
use crate::common::adapters;

/// Bytes of the uniform arguments of a shader.
fn uniform_bytes(source: &str) -> Vec<u32> {
    let (module, _) = parse(source);
    let uniforms = module.global_variables.iter().filter(|(_, variable)| variable.space == naga::AddressSpace::Uniform);
    uniforms.map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx())).collect()
}

/// What of an entry point is beyond WebGPU's defaults, besides what [`check_limits`] compares before a pipeline exists.
fn beyond(footprint: &Footprint) -> Option<String> {
    let limits = wgpu::Limits::default();
    if let Err(error) = check_limits(footprint, &limits) {
        return Some(error.to_string());
    }
    let Footprint { entry, workgroup_size: [x, y, z], .. } = *footprint;
    let highest = entry.bindings.iter().map(|binding| binding.index).max().unwrap_or(0);
    let checks = [
        (x <= limits.max_compute_workgroup_size_x, "workgroup size in x"),
        (y <= limits.max_compute_workgroup_size_y, "workgroup size in y"),
        (z <= limits.max_compute_workgroup_size_z, "workgroup size in z"),
        (highest < limits.max_bindings_per_bind_group, "number of a binding"),
    ];
    checks.iter().find(|(kept, _)| !kept).map(|(_, what)| format!("{} {}: {what}", entry.shader, entry.name))
}

#[test]
fn a_variant_of_every_shader_keeps_webgpus_default_limits_and_needs_no_feature() {
    let limits = wgpu::Limits::default();
    for shader in SHADERS {
        let mut reasons = Vec::new();
        let keeps = shader.variants.iter().any(|variant| {
            let found: Vec<String> = variant.footprints.iter().filter_map(beyond).collect();
            let uniforms = uniform_bytes(variant.source);
            let small = uniforms.len() == 1
                && u64::from(uniforms[0]) <= limits.max_uniform_buffer_binding_size
                && limits.max_dynamic_uniform_buffers_per_pipeline_layout >= 1;
            let keeps = found.is_empty() && small && variant.requirements.is_empty();
            reasons.extend(found);
            keeps
        });
        assert!(keeps, "{}: {reasons:?}", shader.name);
    }
}

/// Adapters that capabilities WebGPU's defaults, which wgpu's GL does not.
fn default_adapters(test: &str) -> Vec<wgpu::Adapter> {
    let (can, cannot): (Vec<_>, Vec<_>) =
        adapters().into_iter().partition(|adapter| wgpu::Limits::default().check_limits(&adapter.limits()));
    for adapter in cannot {
        println!("skipped: {test}: less than WebGPU's default limits on {}", gpu::describe(&adapter.get_info()));
    }
    if can.is_empty() {
        assert!(std::env::var_os("MCSAN_REQUIRE_ADAPTER").is_none(), "{test}: no adapter, but MCSAN_REQUIRE_ADAPTER is set");
        println!("skipped: no adapter: {test}");
    }
    can
}

#[test]
fn every_case_passes_on_a_device_opened_with_webgpus_default_limits() {
    for adapter in default_adapters("WebGPU's default limits") {
        let opening = Opening { limits: Some(wgpu::Limits::default()), ..Opening::default() };
        let gpu = pollster::block_on(Gpu::open(&adapter, opening)).unwrap();
        println!("WebGPU's default limits on {}", gpu::describe(gpu.info()));
        for case in Kernel::ALL.iter().flat_map(|kernel| kernel.cases()) {
            let report = pollster::block_on(check(&gpu, &case)).unwrap_or_else(|error| panic!("{case}: {error}"));
            assert!(report.passed(), "{case}: {:?}", report.agreement);
        }
    }
}

#[test]
fn a_device_with_too_little_workgroup_memory_refuses_the_kernel_by_name() {
    for adapter in default_adapters("too little workgroup memory") {
        let limits = wgpu::Limits { max_compute_workgroup_storage_size: 1024, ..wgpu::Limits::default() };
        // The variant for software adapters needs none.
        let opening = Opening { limits: Some(limits), without: vec![Feature::Subgroups], ..Opening::default() };
        let gpu = pollster::block_on(Gpu::open(&adapter, opening)).unwrap();
        let error = pollster::block_on(Kernel::Linear.cases()[0].run(&gpu)).unwrap_err();
        assert!(matches!(error, BackendError::Limit { kernel: "linear", what: "workgroup memory in bytes", .. }), "{error}");
    }
}

#[test]
fn the_papers_configuration_trains_on_a_device_opened_with_webgpus_default_limits() {
    // A batch of lengths as IEMOCAP has them.
    let settings = Settings::default();
    let shape = BatchShape { batch: settings.train.batch_size, frames: settings.data.max_frames, words: 50, ragged: true };
    let data = shape.dataset();
    // The first is enough: what fits a device's limits is no matter of its interface.
    for adapter in default_adapters("the paper's configuration").into_iter().take(1) {
        let [ours, expected] = [Some(wgpu::Limits::default()), None].map(|limits| {
            let gpu = pollster::block_on(Gpu::open(&adapter, Opening { limits, ..Opening::default() })).unwrap();
            let mut settings = settings.clone();
            settings.train.steps = 1;
            let mut split = None;
            let mut observe = |event: Event<'_>| {
                if let Event::Split { parts, .. } = event {
                    split = Some(parts);
                }
            };
            let finished = pollster::block_on(Training { settings, ..Training::of(&data) }.run_on(&gpu, &mut observe)).unwrap();
            println!("WebGPU's default limits: loss {}, parts {split:?}, on {}", finished.losses[0], gpu::describe(gpu.info()));
            finished.losses[0]
        });
        assert!(ours.is_finite() && ((ours - expected) / expected).abs() < 1e-5, "{ours} {expected}");
    }
}
