//! The Rust of a shader: its variants as an enum, its constants, its arguments and, for each entry point, the buffers it is launched
//! with. The types that it is written in are those of `src/backend/gpu/shader.rs`.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;

use naga::Module;
use naga::valid::ModuleInfo;

use super::reflect::{self, Binding};
use super::variants::rust_name;
use super::{requirements, uniformity};

type Failure = Box<dyn std::error::Error>;

/// A shader with all its variants.
pub struct Shader {
    pub name: String,
    pub variants: Vec<VariantModule>,
}

/// A variant, validated.
pub struct VariantModule {
    name: String,
    source: String,
    module: Module,
    info: ModuleInfo,
    /// Features beyond WebGPU's core, as Rust of `Requirement`.
    requirements: Vec<String>,
}

impl VariantModule {
    /// # Errors
    /// WGSL that naga refuses, and barriers that not all invocations reach.
    pub fn new(name: &str, source: String) -> Result<Self, Failure> {
        let (module, info) = requirements::read(&source, requirements::optional())?;
        uniformity::check(&module, &source)?;
        let requirements = requirements::of(&module, &info, &source)?;
        Ok(Self { name: name.into(), source, module, info, requirements })
    }

    fn bindings(&self, entry: usize) -> Result<Vec<Binding>, String> {
        reflect::bindings(&self.module, &self.info, entry)
    }

    /// The place of its entry point of a name.
    fn entry(&self, name: &str) -> Result<usize, String> {
        let place = self.module.entry_points.iter().position(|entry| entry.name == name);
        place.ok_or_else(|| format!("variant {} has no {name}", self.name))
    }

    /// Rust of what it is in the table of shaders.
    fn record(&self, entries: &[&str]) -> Result<String, Failure> {
        let Self { name, source, requirements, .. } = self;
        let mut footprints = String::new();
        for entry in entries {
            let place = self.entry(entry)?;
            let size = self.module.entry_points[place].workgroup_size;
            let memory = reflect::workgroup_memory(&self.module, &self.info, place);
            let entry = rust_name(entry);
            write!(footprints, "Footprint {{ entry: &{entry}::ENTRY, workgroup_size: {size:?}, workgroup_memory: {memory} }}, ")?;
        }
        // A page loads no text that it cannot run.
        let source = if is_for_browsers() && requirements.iter().any(|need| requirements::no_browser_has(need)) { "" } else { source };
        let requirements = requirements.join(", ");
        Ok(format!(
            "super::ShaderVariant {{ name: {name:?}, source: {source:?}, requirements: &[{requirements}], footprints: &[{footprints}] }}"
        ))
    }
}

/// Whether what is built is WebAssembly, whose adapters are a browser's.
fn is_for_browsers() -> bool {
    env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32")
}

impl Shader {
    /// The variant whose bindings and entry points stand for all: they may differ in constants and code alone.
    fn first(&self) -> &VariantModule {
        &self.variants[0]
    }

    fn entries(&self) -> Vec<&str> {
        self.first().module.entry_points.iter().map(|entry| &*entry.name).collect()
    }

    /// Its module.
    ///
    /// # Errors
    /// Variants that differ in what they are launched with or in nothing, and what has no Rust.
    pub fn generate(&self) -> Result<String, Failure> {
        for (number, variant) in self.variants.iter().enumerate() {
            if let Some(same) = self.variants[..number].iter().find(|other| other.source == variant.source) {
                return Err(format!("variants {} and {} are the same text", same.name, variant.name).into());
            }
        }
        let name = &self.name;
        let mut code = format!("/// `shaders/{name}`\npub mod {name} {{\n    use super::*;\n\n");
        self.generate_variants(&mut code)?;
        self.generate_constants(&mut code)?;
        self.generate_arguments(&mut code)?;
        self.generate_tables(&mut code)?;
        let entries = self.entries();
        for (place, entry) in entries.iter().enumerate() {
            self.generate_entry(&mut code, place, entry)?;
        }
        let names: String = entries.iter().map(|entry| format!("&{}::ENTRY, ", rust_name(entry))).collect();
        writeln!(code, "    pub static SHADER: Shader = Shader {{ name: {name:?}, entries: &[{names}], variants: &[")?;
        for variant in &self.variants {
            writeln!(code, "        {},", variant.record(&entries)?)?;
        }
        code += "    ] };\n}\n\n";
        Ok(code)
    }

    /// The variants as an enum, which leads to their records in the table.
    fn generate_variants(&self, code: &mut String) -> Result<(), Failure> {
        let alone = self.variants.len() == 1;
        let (default, mark) = if alone { (", Default", "#[default] ") } else { ("", "") };
        writeln!(code, "    /// How it is compiled.\n    #[derive(Debug, Clone, Copy, PartialEq, Eq{default})]\n    pub enum Variant {{")?;
        for variant in &self.variants {
            writeln!(code, "        /// `{}`\n        {mark}{},", variant.name, rust_name(&variant.name))?;
        }
        code.push_str(
            "    }
    impl From<Variant> for &'static super::ShaderVariant {
        fn from(variant: Variant) -> Self {
            &SHADER.variants[variant as usize]
        }
    }\n",
        );
        if ["vec4", "scalar"].iter().all(|width| self.variants.iter().any(|variant| variant.name == *width)) {
            code.push_str(
                "    impl From<Width> for Variant {
        fn from(width: Width) -> Self {
            match width {
                Width::Vec4 => Self::Vec4,
                Width::Scalar => Self::Scalar,
            }
        }
    }\n",
            );
        }
        Ok(())
    }

    /// The unsigned constants that all variants have: a number where they agree, else a function of the variant.
    fn generate_constants(&self, code: &mut String) -> Result<(), Failure> {
        let all: Vec<BTreeMap<String, u32>> = self.variants.iter().map(|variant| reflect::constants(&variant.module)).collect();
        let mut functions = String::new();
        for (name, value) in &all[0] {
            let values: Vec<u32> = all.iter().filter_map(|constants| constants.get(name).copied()).collect();
            if values.len() < all.len() {
                continue;
            }
            if values.iter().all(|other| other == value) {
                writeln!(code, "    #[allow(dead_code)]\n    pub const {name}: u32 = {value};")?;
                continue;
            }
            writeln!(functions, "        pub const fn {}(self) -> u32 {{\n            match self {{", name.to_lowercase())?;
            for (variant, value) in self.variants.iter().zip(values) {
                writeln!(functions, "                Self::{} => {value},", rust_name(&variant.name))?;
            }
            functions += "            }\n        }\n";
        }
        if !functions.is_empty() {
            write!(code, "    #[allow(dead_code)]\n    impl Variant {{\n{functions}    }}\n")?;
        }
        Ok(())
    }

    /// The uniform `args` as a Rust struct of the same layout.
    fn generate_arguments(&self, code: &mut String) -> Result<(), Failure> {
        let arguments = reflect::arguments(&self.first().module)?;
        if let Some(other) = self.variants.iter().find(|variant| reflect::arguments(&variant.module).as_ref() != Ok(&arguments)) {
            return Err(format!("variant {} takes other arguments than {}", other.name, self.first().name).into());
        }
        writeln!(code, "    #[repr(C)]\n    #[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]\n    pub struct Args {{")?;
        let mut whole_numbers = String::new();
        // They say which part of a grid a dispatch is: the engine's business.
        let firsts = ["first_group_y", "first_group_z"];
        let has_parts = firsts.iter().all(|first| arguments.iter().any(|(name, _)| name == first));
        for (name, kind) in &arguments {
            writeln!(code, "        pub {name}: {kind},")?;
            if *kind == "u32" && !firsts.contains(&name.as_str()) {
                write!(whole_numbers, "({name:?}, self.{name}), ")?;
            }
        }
        writeln!(
            code,
            "    }}\n    impl Arguments for Args {{\n        fn whole_numbers(&self) -> Vec<(&'static str, u32)> {{ \
             vec![{whole_numbers}] }}"
        )?;
        if has_parts {
            writeln!(
                code,
                "        fn beginning_at(self, [first_group_y, first_group_z]: [u32; 2]) -> Option<Self> {{ \
                 Some(Self {{ first_group_y, first_group_z, ..self }}) }}"
            )?;
        }
        writeln!(code, "    }}")?;
        Ok(())
    }

    /// The rows of storage buffers that are tables, as Rust structs of the same layout.
    fn generate_tables(&self, code: &mut String) -> Result<(), Failure> {
        for (name, members) in reflect::tables(&self.first().module) {
            writeln!(
                code,
                "    #[repr(C)]\n    #[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]\n    pub struct {name} {{"
            )?;
            for (member, kind) in members {
                writeln!(code, "        pub {member}: {kind},")?;
            }
            writeln!(code, "    }}")?;
        }
        Ok(())
    }

    /// The buffers of an entry point, the `place`-th of [`Shader::entries`].
    fn generate_entry(&self, code: &mut String, place: usize, entry: &str) -> Result<(), Failure> {
        let first = self.first();
        let mut bindings = first.bindings(first.entry(entry)?)?;
        for variant in &self.variants {
            let others = variant.bindings(variant.entry(entry)?)?;
            if !others.iter().map(Binding::place).eq(bindings.iter().map(Binding::place)) {
                return Err(format!("{entry}: variant {} binds other buffers than {}", variant.name, first.name).into());
            }
            bindings.iter_mut().zip(others).for_each(|(binding, other)| binding.readable |= other.readable);
        }
        let name = rust_name(entry);
        let (lifetime, anonymous) = if bindings.is_empty() { ("", "") } else { ("<'a>", "<'_>") };
        writeln!(code, "    /// Buffers of entry point `{entry}`.\n    pub struct {name}{lifetime} {{")?;
        for binding in &bindings {
            writeln!(code, "        pub {}: &'a {},", binding.name, binding.element)?;
        }
        writeln!(code, "    }}\n    impl{lifetime} {name}{lifetime} {{")?;
        let reflected: String = bindings
            .iter()
            .map(|Binding { index, name, readable, writable, .. }| {
                format!("Binding {{ index: {index}, name: {name:?}, readable: {readable}, writable: {writable} }}, ")
            })
            .collect();
        let shader = &self.name;
        writeln!(
            code,
            "        pub const ENTRY: Entry = Entry {{ shader: {shader:?}, name: {entry:?}, bindings: &[{reflected}] }};\n    }}"
        )?;
        let buffers: String = bindings.iter().map(|binding| format!("self.{}.buffer(), ", binding.name)).collect();
        writeln!(
            code,
            "    impl Launch for {name}{anonymous} {{
        type Args = Args;
        type Variant = Variant;
        const SHADER: &'static Shader = &SHADER;
        const ENTRY: &'static Entry = &{name}::ENTRY;
        fn variant(variant: Variant) -> (&'static super::ShaderVariant, &'static Footprint) {{
            let variant: &super::ShaderVariant = variant.into();
            (variant, &variant.footprints[{place}])
        }}
        fn buffers(&self) -> Vec<BufferRange> {{ vec![{buffers}] }}
    }}"
        )?;
        Ok(())
    }
}
