//! Devices whose driver does not check addresses.
//!
//! wgpu asks Vulkan's drivers to keep every load and store within its buffer (`robustBufferAccess2`), also for shaders that are known
//! to stay there by themselves; what that costs is the driver's affair: a vec4 may become four loads, each with a comparison.

/// Drivers that are asked so: Vulkan's, on the systems where wgpu has it.
#[cfg(any(windows, target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod vulkan {
    use ash::vk;
    use wgpu::hal::api::Vulkan;

    /// Whether the driver of an adapter is asked to check addresses.
    #[expect(unsafe_code)]
    pub(crate) fn is_asked_of(adapter: &wgpu::Adapter) -> bool {
        // SAFETY: what is looked at is not destroyed.
        let adapter = unsafe { adapter.as_hal::<Vulkan>() };
        adapter.is_some_and(|adapter| adapter.physical_device_capabilities().supports_extension(ash::ext::robustness2::NAME))
    }

    /// Opens a device as wgpu does, but does not ask its driver to check addresses: for shaders that are trusted.
    ///
    /// # Errors
    /// Why it cannot be opened.
    #[expect(unsafe_code)]
    pub(crate) fn open_without(
        adapter: &wgpu::Adapter,
        descriptor: &wgpu::DeviceDescriptor,
    ) -> Result<(wgpu::Device, wgpu::Queue), String> {
        if !descriptor.required_limits.check_limits(&adapter.limits()) {
            return Err("the adapter offers less than the limits asked for".into());
        }
        // SAFETY: what is looked at is not destroyed.
        let inner = unsafe { adapter.as_hal::<Vulkan>() }.ok_or("the adapter is not Vulkan's")?;
        let extensions = inner.required_device_extensions(descriptor.required_features);
        let mut features = inner.physical_device_features(&extensions, descriptor.required_features);
        let core = vk::PhysicalDeviceFeatures { robust_buffer_access: vk::FALSE, ..features.get_core() };
        // The family that wgpu takes, which has compute shaders on every driver of graphics hardware.
        let family = 0;
        let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&[1.0])];
        let names: Vec<_> = extensions.iter().map(|name| name.as_ptr()).collect();
        let creation = features.add_to_device_create(vk::DeviceCreateInfo::default());
        let creation = creation.queue_create_infos(&queues).enabled_extension_names(&names).enabled_features(&core);
        let mut next = creation.p_next.cast_mut().cast::<vk::BaseOutStructure>();
        // SAFETY: the chain consists of fields of `features`, which is ours and which nothing else looks at meanwhile.
        while let Some(structure) = unsafe { next.as_mut() } {
            if structure.s_type == vk::StructureType::PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT {
                // SAFETY: the type says what it is.
                unsafe { (*next.cast::<vk::PhysicalDeviceRobustness2FeaturesEXT>()).robust_buffer_access2 = vk::FALSE };
            }
            next = structure.p_next;
        }
        let (instance, physical) = (inner.shared_instance().raw_instance(), inner.raw_physical_device());
        // SAFETY: the description is wgpu's own but for two features less, which no other needs, and outlives the call.
        let device = unsafe { instance.create_device(physical, &creation, None) }.map_err(|error| error.to_string())?;
        let (features, limits, hints) = (descriptor.required_features, &descriptor.required_limits, &descriptor.memory_hints);
        // SAFETY: the device is of this adapter, with its extensions and this family of queues, and from here on wgpu's.
        let device = unsafe { inner.device_from_raw(device, None, &extensions, features, limits, hints, family, 0) };
        let device = device.map_err(|error| error.to_string())?;
        // SAFETY: the device was made from this adapter with these features.
        unsafe { adapter.create_device_from_hal(device, descriptor) }.map_err(|error| error.to_string())
    }
}

#[cfg(any(windows, target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) use vulkan::{is_asked_of, open_without};

#[cfg(not(any(windows, target_os = "linux", target_os = "android", target_os = "freebsd")))]
mod elsewhere {
    pub(crate) fn is_asked_of(_: &wgpu::Adapter) -> bool {
        false
    }

    pub(crate) fn open_without(_: &wgpu::Adapter, _: &wgpu::DeviceDescriptor) -> Result<(wgpu::Device, wgpu::Queue), String> {
        Err("no driver here is asked to check addresses".into())
    }
}

#[cfg(not(any(windows, target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(super) use elsewhere::{is_asked_of, open_without};
