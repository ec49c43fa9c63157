//! That the Vulkan validation layer, where `.ci/run` has it watch the suite, would say something: one mistake of each kind is
//! made on purpose and must stand in its log. `MCSAN_VALIDATION_LOG` names the file that the layer writes.

use std::time::{Duration, Instant};

use wgpu::hal::api::Vulkan;

/// The first Vulkan device; wgpu itself lets no such mistake through, so they are made beneath it.
fn device() -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::InstanceDescriptor { backends: wgpu::Backends::VULKAN, ..mcsan::backend::gpu::instance() };
    let adapters = pollster::block_on(mcsan::backend::gpu::adapters(instance));
    pollster::block_on(adapters[0].request_device(&Default::default())).unwrap()
}

fn buffer(device: &wgpu::Device) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::COPY_DST;
    device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 256, usage, mapped_at_creation: false })
}

/// What Vulkan forbids, as sizes of fills of one buffer, and how the layer calls it: a fill of no bytes, and two fills of the
/// same bytes with no barrier between them.
const MISTAKES: [(&[u64], &str); 2] = [(&[0], "VUID-vkCmdFillBuffer-size-00026"), (&[256, 256], "SYNC-HAZARD-WRITE-AFTER-WRITE")];

#[expect(unsafe_code)]
fn fill(device: &wgpu::Device, buffer: &wgpu::Buffer, sizes: &[u64]) -> wgpu::CommandBuffer {
    let mut encoder = device.create_command_encoder(&Default::default());
    // SAFETY: the commands are wrong for the layer to see; a driver takes them without harm.
    unsafe {
        let raw = device.as_hal::<Vulkan>().unwrap().raw_device().clone();
        let buffer = buffer.as_hal::<Vulkan>().unwrap().raw_handle();
        encoder.as_hal_mut::<Vulkan, _, _>(|commands| {
            let commands = commands.unwrap().raw_handle();
            sizes.iter().for_each(|&size| raw.cmd_fill_buffer(commands, buffer, 0, size, 0));
        });
    }
    encoder.finish()
}

#[test]
fn the_validation_layer_reports_a_wrong_command_and_a_missing_barrier() {
    let Some(log) = std::env::var_os("MCSAN_VALIDATION_LOG") else {
        println!("skipped: MCSAN_VALIDATION_LOG is not set: the validation layer's self-check");
        return;
    };
    let (device, queue) = device();
    let said = || std::fs::read_to_string(&log).unwrap();
    assert_eq!(said(), "", "the layer has nothing to say yet");
    let buffer = buffer(&device);
    for (sizes, message) in MISTAKES {
        queue.submit([fill(&device, &buffer, sizes)]);
        device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        // The log may be at the other end of a pipe.
        let patience = Instant::now() + Duration::from_secs(10);
        while !said().contains(message) {
            assert!(Instant::now() < patience, "no {message} in the log:\n{}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
