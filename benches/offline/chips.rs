//! The chips whose drivers' compilers run without them: Mesa's, over a kernel module that a shim of `mesa-drm-shim` stands in for.

use std::path::PathBuf;

/// A chip, and what its driver calls the figures that are compared.
pub struct Chip {
    /// As the table names it.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// The driver, as its manifest in `icd.d` is called.
    driver: &'static str,
    /// The kernel module that is stood in for.
    module: &'static str,
    /// What has the shim be this chip, and the driver take it.
    settings: &'static [(&'static str, &'static str)],
    /// Registers of an invocation; of a subgroup where it holds several numbers in one.
    pub registers: &'static [&'static str],
    /// Registers moved to memory and back, or instructions that move them.
    pub spills: &'static [&'static str],
    /// Memory for what registers do not hold or cannot index, in bytes of an invocation, of a wave on AMD; Turnip tells none.
    pub scratch: &'static [&'static str],
    pub instructions: &'static str,
    /// Whether the listing is one that `listing` reads.
    pub has_listing: bool,
    /// Whether the driver is asked to check addresses, as wgpu asks it to.
    pub is_robust: bool,
    /// Whether factors of cooperative matrices take twice the registers, since each half of a subgroup has all of them.
    pub copies_factors: bool,
}

/// AMD's, which differ by the generation alone.
const fn amd(name: &'static str, description: &'static str, settings: &'static [(&'static str, &'static str)]) -> Chip {
    Chip {
        name,
        description,
        driver: "radeon",
        module: "amdgpu",
        settings,
        registers: &["VGPRs"],
        spills: &["Spilled SGPRs", "Spilled VGPRs"],
        scratch: &["Scratch size"],
        instructions: "Instructions",
        has_listing: false,
        is_robust: true,
        copies_factors: true,
    }
}

/// Of each maker one or two, in the order of the table.
pub const CHIPS: [Chip; 6] = [
    amd("navi21", "RDNA 2, RADV", &[("AMDGPU_GPU_ID", "navi21")]),
    amd("navi31", "RDNA 3, RADV", &[("AMDGPU_GPU_ID", "navi31")]),
    Chip {
        name: "gh100",
        description: "NVIDIA Hopper, NVK",
        driver: "nouveau",
        module: "nouveau",
        // NVK takes what it was not tried on where this is asked for.
        settings: &[("NOUVEAU_CHIPSET", "180"), ("NVK_I_WANT_A_BROKEN_VULKAN_DRIVER", "1")],
        registers: &["Number of GPRs"],
        spills: &["Spills to memory", "Fills from memory"],
        scratch: &["SLM size"],
        instructions: "Instruction count",
        has_listing: true,
        // NVK checks each number of a vec4 by itself, four loads for one. It stands in for NVIDIA's own compiler, of which that is not
        // known.
        is_robust: false,
        copies_factors: false,
    },
    Chip {
        name: "m1",
        description: "Apple M1, Honeykrisp",
        driver: "asahi",
        module: "asahi",
        settings: &[],
        registers: &["GPRs"],
        spills: &["Spills", "Fills"],
        scratch: &["Scratch"],
        instructions: "Instructions",
        has_listing: false,
        is_robust: true,
        copies_factors: false,
    },
    Chip {
        name: "a740",
        description: "Adreno 740, Turnip",
        driver: "freedreno",
        module: "freedreno",
        settings: &[("FD_GPU_ID", "740")],
        registers: &["Registers used"],
        spills: &["STP Count", "LDP Count"],
        scratch: &[],
        instructions: "Instruction Count",
        has_listing: false,
        is_robust: true,
        copies_factors: false,
    },
    Chip {
        name: "dg2",
        description: "Intel Arc, ANV",
        driver: "intel",
        module: "intel",
        settings: &[("INTEL_STUB_GPU_PLATFORM", "dg2")],
        registers: &["Max live registers"],
        spills: &["Spills", "Fills"],
        scratch: &["Scratch Memory Size"],
        instructions: "Instructions",
        has_listing: false,
        is_robust: true,
        copies_factors: false,
    },
];

impl Chip {
    /// What a program's environment needs for its Vulkan to be this chip's; nothing where the shim or the driver is not installed.
    pub fn environment(&self) -> Option<Vec<(&'static str, String)>> {
        let shim = format!("lib{}_noop_drm_shim.so", self.module);
        let shim = libraries().map(|folder| folder.join(&shim)).find(|path| path.exists())?;
        let manifest = PathBuf::from(format!("/usr/share/vulkan/icd.d/{}_icd.json", self.driver));
        let shown = |path: PathBuf| path.display().to_string();
        let mut environment = vec![
            ("LD_PRELOAD", shown(shim)),
            ("VK_DRIVER_FILES", shown(manifest.exists().then_some(manifest)?)),
            ("MESA_SHADER_CACHE_DISABLE", "true".into()),
        ];
        environment.extend(self.settings.iter().map(|&(name, value)| (name, value.into())));
        Some(environment)
    }
}

/// Folders of libraries, one for each processor family on Debian.
fn libraries() -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path())
}
