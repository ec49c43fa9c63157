//! A chip's compiler, by way of Vulkan: SPIR-V in, the driver's statistics and its listing out.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};

use ash::{khr, vk};
use mcsan::backend::gpu::shader::Entry;
use mcsan::backend::gpu::{Requirement, registers_of};

use super::Failure;

/// What a driver tells of a compiled entry point.
pub struct Compiled {
    /// Figures by the driver's names.
    pub statistics: BTreeMap<String, u64>,
    /// What the driver's compiler made of it step by step, as texts; none unless asked for.
    pub listings: Vec<String>,
}

impl Compiled {
    /// What the driver calls its figures.
    pub fn names(&self) -> String {
        self.statistics.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// The first device of the driver, opened as wgpu opens it. It lasts as long as the program.
pub struct Compiler {
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    features: vk::PhysicalDeviceFeatures,
    has_float16: bool,
    /// Sizes `[m, n, k]` of the cooperative matrices that it multiplies, and types of factors, what is added, and sums.
    matrices: Vec<([u32; 3], [vk::ComponentTypeKHR; 4])>,
    /// Name and version of the driver.
    pub driver: String,
    /// Registers of an invocation that kernels count on.
    pub registers: u32,
}

impl Compiler {
    /// Opens the device, `is_robust` with all the checks of addresses that there are.
    #[expect(unsafe_code)]
    pub fn open(is_robust: bool) -> Result<Self, Failure> {
        // SAFETY: the library is the system's Vulkan loader.
        let vulkan = unsafe { ash::Entry::load()? };
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        // SAFETY: what the description points to outlives the call.
        let instance = unsafe { vulkan.create_instance(&vk::InstanceCreateInfo::default().application_info(&application), None)? };
        // SAFETY: the instance is never destroyed.
        let physical = *unsafe { instance.enumerate_physical_devices()? }.first().ok_or("the driver shows no device")?;

        let mut offered_robustness = vk::PhysicalDeviceRobustness2FeaturesEXT::default();
        let mut offered_by_1_1 = vk::PhysicalDeviceVulkan11Features::default();
        let mut offered_by_1_2 = vk::PhysicalDeviceVulkan12Features::default();
        let mut offered = vk::PhysicalDeviceFeatures2::default()
            .push_next(&mut offered_robustness)
            .push_next(&mut offered_by_1_1)
            .push_next(&mut offered_by_1_2);
        // SAFETY: the chain outlives the call, and a driver of Vulkan 1.3 knows its structures or passes over them.
        unsafe { instance.get_physical_device_features2(physical, &mut offered) };
        let features = offered.features;
        let has_float16 = offered_by_1_2.shader_float16 == vk::TRUE && offered_by_1_1.storage_buffer16_bit_access == vk::TRUE;

        let mut driver = vk::PhysicalDeviceDriverProperties::default();
        let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
        // SAFETY: as above.
        unsafe { instance.get_physical_device_properties2(physical, &mut properties) };
        let (vendor, name) = (properties.properties.vendor_id, text(&properties.properties.device_name));
        let registers = registers_of(wgpu::DeviceType::DiscreteGpu, vendor, &name);
        let driver = text(&driver.driver_info);

        // SAFETY: the device is of this instance.
        let offered = unsafe { instance.enumerate_device_extension_properties(physical)? };
        let has_matrices = offered.iter().any(|extension| extension.extension_name_as_c_str() == Ok(khr::cooperative_matrix::NAME));
        let matrices = if has_matrices {
            let of_instance = khr::cooperative_matrix::Instance::new(&vulkan, &instance);
            // SAFETY: the device has the extension.
            let all = unsafe { of_instance.get_physical_device_cooperative_matrix_properties(physical)? };
            all.iter().map(|one| ([one.m_size, one.n_size, one.k_size], [one.a_type, one.b_type, one.c_type, one.result_type])).collect()
        } else {
            Vec::new()
        };

        let priorities = [1.0];
        let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&priorities)];
        let mut extensions = vec![khr::pipeline_executable_properties::NAME.as_ptr(), ash::ext::robustness2::NAME.as_ptr()];
        if has_matrices {
            extensions.push(khr::cooperative_matrix::NAME.as_ptr());
        }
        let wanted = vk::PhysicalDeviceFeatures::default()
            .robust_buffer_access(is_robust && features.robust_buffer_access == vk::TRUE)
            .shader_int64(features.shader_int64 == vk::TRUE);
        let mut robustness = vk::PhysicalDeviceRobustness2FeaturesEXT::default()
            .robust_buffer_access2(is_robust && offered_robustness.robust_buffer_access2 == vk::TRUE)
            .robust_image_access2(is_robust && offered_robustness.robust_image_access2 == vk::TRUE);
        let mut executables = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
        let mut since_1_1 = vk::PhysicalDeviceVulkan11Features::default().storage_buffer16_bit_access(has_float16);
        let mut since_1_2 = vk::PhysicalDeviceVulkan12Features::default().shader_float16(has_float16).vulkan_memory_model(has_matrices);
        let mut cooperative = vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(has_matrices);
        let mut since_1_3 = vk::PhysicalDeviceVulkan13Features::default().subgroup_size_control(true);
        let asked = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&extensions)
            .enabled_features(&wanted)
            .push_next(&mut robustness)
            .push_next(&mut executables)
            .push_next(&mut since_1_1)
            .push_next(&mut since_1_2)
            .push_next(&mut since_1_3);
        let asked = if has_matrices { asked.push_next(&mut cooperative) } else { asked };
        // SAFETY: what the description points to outlives the call; a feature or an extension that is missing is an error.
        let device = unsafe { instance.create_device(physical, &asked, None)? };
        let executables = khr::pipeline_executable_properties::Device::new(&instance, &device);
        Ok(Self { device, executables, features, has_float16, matrices, driver, registers })
    }

    /// Whether the device can take a variant that needs this.
    pub fn meets(&self, requirement: Requirement) -> bool {
        match requirement {
            Requirement::Subgroups => true,
            Requirement::Int64 => self.features.shader_int64 == vk::TRUE,
            Requirement::F16 => self.has_float16,
            Requirement::CooperativeMatrix { m, n, k, factors, sum } => {
                let [factors, sum] = [factors, sum].map(component);
                self.matrices.contains(&([m, n, k], [factors, factors, sum, sum]))
            }
        }
    }

    /// Compiles an entry point from its SPIR-V.
    #[expect(unsafe_code)]
    pub fn compile(&self, words: &[u32], entry: &Entry, with_listings: bool) -> Result<Compiled, Failure> {
        let bindings = layout(entry);
        let name = CString::new(entry.name)?;
        let mut wanted = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR;
        if with_listings {
            wanted |= vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
        }
        // SAFETY: naga's SPIR-V is valid, the layout has what it binds, and all that is made is of this device and never destroyed.
        let pipeline = unsafe {
            let module = self.device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(words), None)?;
            let set = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
            let sets = [self.device.create_descriptor_set_layout(&set, None)?];
            let layout = self.device.create_pipeline_layout(&vk::PipelineLayoutCreateInfo::default().set_layouts(&sets), None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE)
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&name);
            let description = vk::ComputePipelineCreateInfo::default().flags(wanted).stage(stage).layout(layout);
            let made = self.device.create_compute_pipelines(vk::PipelineCache::null(), &[description], None);
            made.map_err(|(_, error)| error)?[0]
        };
        // The statistics of the first executable: where a driver makes several, for other widths of a subgroup, the widest.
        let executable = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
        // SAFETY: the pipeline was made so that it has them.
        let statistics = unsafe { self.executables.get_pipeline_executable_statistics(&executable)? };
        let statistics = statistics.iter().map(|statistic| (text(&statistic.name), value(statistic))).collect();
        let listings = if with_listings { self.listings(&executable)? } else { Vec::new() };
        Ok(Compiled { statistics, listings })
    }

    /// The texts that a compiled executable keeps.
    #[expect(unsafe_code)]
    fn listings(&self, executable: &vk::PipelineExecutableInfoKHR) -> Result<Vec<String>, vk::Result> {
        let read = self.executables.fp().get_pipeline_executable_internal_representations_khr;
        // SAFETY: the first call tells how many there are and how long, the second fills as much.
        unsafe {
            let mut found = self.executables.get_pipeline_executable_internal_representations(executable)?;
            let mut texts: Vec<Vec<u8>> = found.iter().map(|one| vec![0; one.data_size]).collect();
            for (one, text) in found.iter_mut().zip(&mut texts) {
                one.p_data = text.as_mut_ptr().cast();
            }
            read(self.executables.device(), executable, &mut (found.len() as u32), found.as_mut_ptr()).result()?;
            Ok(texts.iter().map(|text| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned()).collect())
        }
    }
}

/// Vulkan's name of a type of matrices' elements.
fn component(of: wgpu::CooperativeScalarType) -> vk::ComponentTypeKHR {
    match of {
        wgpu::CooperativeScalarType::F32 => vk::ComponentTypeKHR::FLOAT32,
        wgpu::CooperativeScalarType::F16 => vk::ComponentTypeKHR::FLOAT16,
        wgpu::CooperativeScalarType::I32 => vk::ComponentTypeKHR::SINT32,
        wgpu::CooperativeScalarType::U32 => vk::ComponentTypeKHR::UINT32,
    }
}

/// What an entry point binds: its arguments at 0, then its storage buffers.
fn layout(entry: &Entry) -> Vec<vk::DescriptorSetLayoutBinding<'static>> {
    let one = |binding, kind| {
        let one = vk::DescriptorSetLayoutBinding::default().binding(binding).descriptor_type(kind);
        one.descriptor_count(1).stage_flags(vk::ShaderStageFlags::COMPUTE)
    };
    let storage = entry.bindings.iter().map(|binding| one(binding.index, vk::DescriptorType::STORAGE_BUFFER));
    std::iter::once(one(0, vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC)).chain(storage).collect()
}

/// A text in a field of fixed length.
#[expect(unsafe_code)]
fn text(field: &[c_char]) -> String {
    // SAFETY: Vulkan ends each with a zero.
    unsafe { CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned()
}

/// A statistic as a whole number.
#[expect(unsafe_code)]
fn value(statistic: &vk::PipelineExecutableStatisticKHR) -> u64 {
    // SAFETY: the format says which of them it is.
    unsafe {
        match statistic.format {
            vk::PipelineExecutableStatisticFormatKHR::FLOAT64 => statistic.value.f64 as u64,
            vk::PipelineExecutableStatisticFormatKHR::BOOL32 => statistic.value.b32.into(),
            _ => statistic.value.u64,
        }
    }
}
