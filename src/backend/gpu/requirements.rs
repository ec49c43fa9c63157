//! What a shader's variant needs of a device beyond WebGPU's core, and whether a device has it.

use std::fmt;
use std::str::FromStr;

use super::robustness;
use super::shader::{SHADERS, Shader, ShaderVariant};
use crate::backend::{BackendError, Result};

/// An optional feature of a device: it makes the work faster or its profile finer, and a device can be opened without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Operations across a subgroup.
    Subgroups,
    /// 16-bit floats.
    F16,
    /// 64-bit integers, which move two floats at a time.
    Int64,
    /// Products of small matrices that a subgroup holds together.
    CooperativeMatrices,
    /// The device's clock, for a profile.
    Timestamps,
    /// The driver's own checks of addresses, which shaders that stay within their buffers do not need.
    Robustness,
    /// 255 registers of an invocation, which kernels fill that hold weights or large tiles there; with fewer, compilers put what is
    /// too much into memory.
    Registers,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Subgroups, Self::F16, Self::Int64, Self::CooperativeMatrices, Self::Timestamps, Self::Robustness, Self::Registers];

    /// As `--without` takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Subgroups => "subgroups",
            Self::F16 => "f16",
            Self::Int64 => "int64",
            Self::CooperativeMatrices => "cooperative-matrices",
            Self::Timestamps => "timestamps",
            Self::Robustness => "robustness",
            Self::Registers => "registers",
        }
    }

    /// What of a device it stands for; of robustness and registers nothing, as wgpu does not let one choose.
    pub(crate) fn features(self) -> wgpu::Features {
        match self {
            Self::Subgroups => wgpu::Features::SUBGROUP,
            Self::F16 => wgpu::Features::SHADER_F16,
            Self::Int64 => wgpu::Features::SHADER_INT64,
            Self::CooperativeMatrices => wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
            Self::Timestamps => wgpu::Features::TIMESTAMP_QUERY.union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
            Self::Robustness | Self::Registers => wgpu::Features::empty(),
        }
    }

    /// Whether an adapter has it.
    pub(super) fn is_of(self, adapter: &wgpu::Adapter) -> bool {
        match self {
            Self::Robustness => robustness::is_asked_of(adapter),
            Self::Registers => Capabilities::of(adapter).has_many_registers(),
            _ => adapter.features().intersects(self.features()),
        }
    }
}

/// Registers of an invocation on processors of AMD and NVIDIA, …
pub const MANY_REGISTERS: u32 = 255;
/// … on Apple's and those of telephones, …
const HALF: u32 = 128;
/// … and on Intel's: as many, of which its compiler keeps some for what it loads ahead, so that what needs more moves to memory and back
/// (`benches/offline.csv`).
const INTELS: u32 = 96;

/// Registers of an invocation that kernels can count on, by a vendor's number on PCI and an adapter's name: Metal tells no number. What a
/// software adapter keeps is in memory anyway.
pub fn registers_of(device_type: wgpu::DeviceType, vendor: u32, name: &str) -> u32 {
    match vendor {
        _ if device_type == wgpu::DeviceType::Cpu => MANY_REGISTERS,
        0x1002 | 0x10de => MANY_REGISTERS,
        0x8086 => INTELS,
        _ if name.starts_with("Intel") => INTELS,
        _ => HALF,
    }
}

/// Registers of an invocation, in a subgroup of 32, that 16 × 16 numbers of f16 take as a factor of cooperative matrices: AMD's RDNA 3 has
/// all of them in either half of a subgroup.
pub(super) fn registers_of_a_factor(vendor: u32) -> u32 {
    if vendor == 0x1002 { 8 } else { 4 }
}

impl FromStr for Feature {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|feature| feature.name() == name)
            .ok_or_else(|| BackendError::UnknownFeature { name: name.into(), known: Self::ALL.map(Self::name).join(", ") })
    }
}

/// An optional feature that a variant's WGSL uses, as `build/` finds by asking naga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// 16-bit floats.
    F16,
    /// 64-bit integers.
    Int64,
    /// Operations across a subgroup.
    Subgroups,
    /// Products of m × k and k × n matrices that a subgroup holds together.
    CooperativeMatrix {
        /// Rows of the first factor and of the sum.
        m: u32,
        /// Columns of the second factor and of the sum.
        n: u32,
        /// Columns of the first factor, rows of the second.
        k: u32,
        /// Type of the factors' elements.
        factors: wgpu::CooperativeScalarType,
        /// Type of the sum's elements.
        sum: wgpu::CooperativeScalarType,
    },
}

impl Requirement {
    /// The device feature that it stands for.
    pub fn feature(self) -> wgpu::Features {
        let feature = match self {
            Self::F16 => Feature::F16,
            Self::Int64 => Feature::Int64,
            Self::Subgroups => Feature::Subgroups,
            Self::CooperativeMatrix { .. } => Feature::CooperativeMatrices,
        };
        feature.features()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F16 => f.write_str("f16"),
            Self::Int64 => f.write_str("int64"),
            Self::Subgroups => f.write_str("subgroups"),
            Self::CooperativeMatrix { m, n, k, factors, sum } => {
                let name = |kind: &wgpu::CooperativeScalarType| format!("{kind:?}").to_lowercase();
                write!(f, "cooperative matrices {m}x{n}x{k} {} to {}", name(factors), name(sum))
            }
        }
    }
}

/// The optional features and matrix shapes of an adapter or an open device.
#[derive(Debug, Clone, Default)]
pub struct Capabilities {
    /// Optional features, as flags of wgpu.
    pub features: wgpu::Features,
    /// Sizes and types of the cooperative matrices that it multiplies.
    pub matrices: Vec<wgpu::CooperativeMatrixProperties>,
    /// Registers of an invocation.
    pub registers: u32,
}

impl Capabilities {
    /// All that an adapter has.
    pub fn of(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let registers = registers_of(info.device_type, info.vendor, &info.name);
        Self { features: adapter.features(), matrices: adapter.cooperative_matrix_properties(), registers }
    }

    /// The same and matrices of so many rows and columns, f16 to f32.
    pub(crate) fn with_matrices(mut self, size: u32) -> Self {
        let needed = [Feature::Subgroups, Feature::F16, Feature::CooperativeMatrices];
        needed.into_iter().for_each(|feature| self.features |= feature.features());
        self.matrices.push(wgpu::CooperativeMatrixProperties {
            m_size: size,
            n_size: size,
            k_size: size,
            ab_type: wgpu::CooperativeScalarType::F16,
            cr_type: wgpu::CooperativeScalarType::F32,
            saturating_accumulation: false,
        });
        self
    }

    /// What is left without some features.
    pub fn without(mut self, features: &[Feature]) -> Self {
        features.iter().for_each(|feature| self.features.remove(feature.features()));
        if features.contains(&Feature::Registers) {
            self.registers = self.registers.min(HALF);
        }
        self
    }

    /// Whether it has [`Feature::Registers`].
    pub(crate) fn has_many_registers(&self) -> bool {
        self.registers >= MANY_REGISTERS
    }

    /// The part of it that some shader's variant uses: what a device is opened with.
    pub fn used(mut self) -> Self {
        let needs = SHADERS.iter().flat_map(|shader| shader.variants).flat_map(|variant| variant.requirements);
        self.features &= needs.fold(wgpu::Features::empty(), |all, need| all | need.feature());
        self
    }

    /// Whether it has what a variant needs.
    pub fn meets(&self, need: Requirement) -> bool {
        let shape = match need {
            Requirement::CooperativeMatrix { m, n, k, factors, sum } => self.matrices.iter().any(|offered| {
                [offered.m_size, offered.n_size, offered.k_size] == [m, n, k] && offered.ab_type == factors && offered.cr_type == sum
            }),
            _ => true,
        };
        shape && self.features.contains(need.feature())
    }

    /// What a variant needs and this lacks.
    pub(crate) fn lacks(&self, variant: &ShaderVariant) -> Option<Requirement> {
        variant.requirements.iter().copied().find(|&requirement| !self.meets(requirement))
    }
}

/// Compares what a variant needs with what a device offers.
///
/// # Errors
/// [`BackendError::Feature`].
pub fn check_requirements(shader: &Shader, variant: &ShaderVariant, capabilities: &Capabilities) -> Result<()> {
    match capabilities.lacks(variant) {
        None => Ok(()),
        Some(need) => Err(BackendError::Feature { kernel: shader.name, variant: variant.name, feature: need.to_string() }),
    }
}
