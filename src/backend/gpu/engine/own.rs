//! Compute shaders that are not this crate's, on its tensors: so they can be compared with a reference as its own are.

use super::Gpu;
use crate::backend::gpu::memory::BufferRange;

/// An entry point of one's own WGSL, compiled.
pub struct OwnShader {
    pipeline: wgpu::ComputePipeline,
}

impl Gpu {
    /// Compiles an entry point of WGSL that uses storage buffers of group 0, numbered from 0 on. What is wrong with it is the
    /// failure that the next read returns.
    pub fn compile(&self, wgsl: &str, entry_point: &str) -> OwnShader {
        let device = self.device.wgpu();
        let label = Some(entry_point);
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(wgsl.into()) });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: None,
            module: &module,
            entry_point: label,
            compilation_options: Default::default(),
            cache: None,
        });
        OwnShader { pipeline }
    }

    /// Runs a shader over `groups` workgroups, after all that was recorded before; `buffers` are bound in the order of their
    /// numbers. Sizes are to be passed in a buffer: `arrayLength` counts what lies behind a tensor, padding and guard words.
    pub fn run(&self, shader: &OwnShader, buffers: &[BufferRange], groups: [u32; 3]) {
        self.add_up();
        self.send();
        self.memory.flush_lists(&self.device);
        let named: Option<Vec<wgpu::Buffer>> = buffers.iter().map(|range| self.memory.buffer(range.buffer)).collect();
        // A shader that did not compile has no layout to ask for.
        let Some(named) = named.filter(|_| self.device.failure().is_none()) else { return };
        let entries: Vec<_> = (0..)
            .zip(buffers.iter().zip(&named))
            .map(|(binding, (range, buffer))| {
                let size = wgpu::BufferSize::new(self.memory.bound_bytes(*range, buffer));
                let bound = wgpu::BufferBinding { buffer, offset: range.offset, size };
                wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(bound) }
            })
            .collect();
        let layout = shader.pipeline.get_bind_group_layout(0);
        let group = self.device.wgpu().create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
        let mut encoder = self.device.wgpu().create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&shader.pipeline);
        pass.set_bind_group(0, &group, &[]);
        let [x, y, z] = groups;
        pass.dispatch_workgroups(x, y, z);
        drop(pass);
        self.memory.submitted();
        self.device.queue().submit([encoder.finish()]);
        self.device.count(|counters| {
            counters.dispatches += 1;
            counters.submissions += 1;
        });
    }
}
