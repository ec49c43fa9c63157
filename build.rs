//! Makes the table of shaders: every variant of every file in `shaders/` is expanded (WESL imports and conditions),
//! parsed and validated by naga, searched for barriers in diverging control flow, and reflected into Rust. A kernel's bindings, arguments, workgroup size and workgroup
//! memory are thereby read from its WGSL and never kept in step by hand; a shader that does not validate does not build.

#[path = "build/requirements.rs"]
mod requirements;
#[path = "build/uniformity.rs"]
mod uniformity;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use naga::valid::{GlobalUse, ModuleInfo};
use naga::{AddressSpace, Module, Scalar, ScalarKind, StorageAccess, TypeInner};

type Failure = Box<dyn std::error::Error>;

fn main() {
    if let Err(failure) = make_table() {
        eprintln!("{failure}");
        std::process::exit(1);
    }
}

fn make_table() -> Result<(), Failure> {
    println!("cargo:rerun-if-changed=shaders");
    println!("cargo:rerun-if-changed=assets/demo");
    let root = Path::new("shaders");
    let variants: BTreeMap<String, Vec<String>> = toml::from_str(&fs::read_to_string(root.join("variants.toml"))?)?;
    let mut code = String::from("// Made by build.rs from shaders/*.wgsl and shaders/peaks/*.wgsl.\n\n");
    for (table, meaning, folder) in [
        ("SHADERS", "Every kernel's shader, by name.", None),
        ("PEAKS", "The shaders that measure what a device can do at best; no kernels.", Some("peaks")),
    ] {
        let mut files: Vec<PathBuf> =
            fs::read_dir(root.join(folder.unwrap_or("")))?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "wgsl"));
        files.sort();
        let mut list = String::new();
        for file in &files {
            let name = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a shader's file name is not UTF-8")?;
            let shader = Shader::compile(root, folder, name, variants.get(name).map_or(&[], Vec::as_slice))
                .map_err(|failure| format!("{}: {failure}", file.display()))?;
            shader.generate(&mut code)?;
            write!(list, "&{name}::SHADER, ")?;
        }
        writeln!(code, "/// {meaning}\npub static {table}: [&Shader; {}] = [{list}];\n", files.len())?;
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("shaders.rs"), code)?;
    Ok(())
}

/// A shader file with all its variants.
struct Shader {
    name: String,
    variants: Vec<Variant>,
}

struct Variant {
    name: String,
    source: String,
    module: Module,
    info: ModuleInfo,
    /// Features beyond WebGPU's core, as Rust of `Requirement`.
    requirements: Vec<String>,
}

impl Shader {
    /// `folder` is the one below `root` that holds the file, where there is one.
    fn compile(root: &Path, folder: Option<&str>, name: &str, variants: &[String]) -> Result<Self, Failure> {
        let module = folder.map_or(name.to_owned(), |folder| format!("{folder}::{name}"));
        let default = [String::from("default")];
        let names = if variants.is_empty() { &default[..] } else { variants };
        let variants = names.iter().map(|variant| Variant::compile(root, &module, variant, names)).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), variants })
    }

    /// The variant whose bindings and entry points stand for all: they may differ in constants and code alone.
    fn first(&self) -> &Variant {
        &self.variants[0]
    }

    fn generate(&self, code: &mut String) -> Result<(), Failure> {
        writeln!(code, "/// `shaders/{}.wgsl`\npub mod {} {{\n    use super::*;\n", self.name, self.name)?;
        self.generate_constants(code)?;
        self.generate_numbers(code)?;
        self.first().generate_args(code)?;
        let mut entries = String::new();
        for (index, entry) in self.first().module.entry_points.iter().enumerate() {
            self.generate_entry(code, index)?;
            write!(entries, "&{}::ENTRY, ", pascal_case(&entry.name))?;
        }
        let variants: String = self
            .variants
            .iter()
            .map(|variant| {
                format!(
                    "Variant {{ name: {:?}, source: {:?}, requirements: &[{}] }}, ",
                    variant.name,
                    variant.source,
                    variant.requirements.join(", ")
                )
            })
            .collect();
        writeln!(
            code,
            "    pub static SHADER: Shader = Shader {{ name: {:?}, variants: &[{variants}], entries: &[{entries}] }};\n}}\n",
            self.name
        )?;
        Ok(())
    }

    /// The unsigned constants that all variants have (tile sizes and the like): one number where they agree, else one of each.
    fn generate_constants(&self, code: &mut String) -> Result<(), Failure> {
        for (name, value) in self.first().constants() {
            let values: Vec<u32> = self.variants.iter().filter_map(|variant| variant.constants().get(&name).copied()).collect();
            if values.len() < self.variants.len() {
                continue;
            }
            if values.iter().all(|&other| other == value) {
                writeln!(code, "    #[allow(dead_code)]\n    pub const {name}: u32 = {value};")?;
            } else {
                writeln!(code, "    #[allow(dead_code)]\n    pub const {name}: [u32; {}] = {values:?};", values.len())?;
            }
        }
        Ok(())
    }

    /// The variants' numbers by name, for launches that choose among them.
    fn generate_numbers(&self, code: &mut String) -> Result<(), Failure> {
        writeln!(code, "    /// Places of the variants.\n    #[allow(dead_code)]\n    pub mod variant {{")?;
        for (number, variant) in self.variants.iter().enumerate() {
            writeln!(code, "        pub const {}: usize = {number};", variant.name.to_uppercase().replace('+', "_"))?;
        }
        writeln!(code, "    }}")?;
        Ok(())
    }

    fn generate_entry(&self, code: &mut String, index: usize) -> Result<(), Failure> {
        let first = self.first();
        let entry = &first.module.entry_points[index];
        let mut bindings = first.bindings(index)?;
        let (mut sizes, mut memory) = (Vec::new(), Vec::new());
        for variant in &self.variants {
            let same_name = |other: &naga::EntryPoint| other.name == entry.name;
            let place = variant
                .module
                .entry_points
                .iter()
                .position(same_name)
                .ok_or_else(|| format!("variant {} has no {}", variant.name, entry.name))?;
            let others = variant.bindings(place)?;
            if !others.iter().map(BindingInfo::place).eq(bindings.iter().map(BindingInfo::place)) {
                return Err(format!("{}: variant {} binds other buffers than {}", entry.name, variant.name, first.name).into());
            }
            bindings.iter_mut().zip(others).for_each(|(binding, other)| binding.readable |= other.readable);
            sizes.push(variant.module.entry_points[place].workgroup_size);
            memory.push(variant.workgroup_memory(place));
        }
        let name = pascal_case(&entry.name);
        let lifetime = if bindings.is_empty() { "" } else { "<'a>" };
        let anonymous = if bindings.is_empty() { "" } else { "<'_>" };
        writeln!(code, "    /// Buffers of entry point `{}`.\n    pub struct {name}{lifetime} {{", entry.name)?;
        for binding in &bindings {
            writeln!(code, "        pub {}: &'a {},", binding.name, binding.element)?;
        }
        writeln!(code, "    }}\n    impl{lifetime} {name}{lifetime} {{")?;
        let reflected: String = bindings
            .iter()
            .map(|binding| {
                let BindingInfo { index, name, readable, writable, .. } = binding;
                format!("Binding {{ index: {index}, name: {name:?}, readable: {readable}, writable: {writable} }}, ")
            })
            .collect();
        writeln!(
            code,
            "        pub const ENTRY: Entry = Entry {{ shader: {:?}, name: {:?}, workgroup_size: &{sizes:?}, workgroup_memory: &{memory:?}, \
             bindings: &[{reflected}] }};\n    }}",
            self.name, entry.name
        )?;
        let buffers: String = bindings.iter().map(|binding| format!("self.{}.buffer(), ", binding.name)).collect();
        writeln!(
            code,
            "    impl Launch for {name}{anonymous} {{\n        type Args = Args;\n        const SHADER: &'static Shader = &SHADER;\n        \
             const ENTRY: &'static Entry = &{name}::ENTRY;\n        fn buffers(&self) -> Vec<BufferRange<'_>> {{ vec![{buffers}] }}\n    }}"
        )?;
        Ok(())
    }
}

/// A storage buffer of an entry point.
struct BindingInfo {
    index: u32,
    name: String,
    readable: bool,
    writable: bool,
    /// Rust type of what is bound: floats, and words of 64 bits that stand for two, are tensors, everything else words.
    element: &'static str,
}

impl BindingInfo {
    /// What variants must agree on.
    fn place(&self) -> (u32, &str, bool, &str) {
        (self.index, &self.name, self.writable, self.element)
    }
}

impl Variant {
    fn compile(folder: &Path, shader: &str, name: &str, all: &[String]) -> Result<Self, Failure> {
        let mut compiler = wesl::Wesl::new(folder);
        // naga knows more extensions than WESL, and validates the result.
        compiler.set_options(wesl::CompileOptions { validate: false, ..Default::default() });
        for other in all.iter().flat_map(|variant| variant.split('+')) {
            compiler.set_feature(other, name.split('+').any(|part| part == other));
        }
        // A variant that shares no text with the others has a file of its own.
        let own_folder = name.split('+').find(|part| folder.join(part).join(shader).with_extension("wgsl").exists());
        let module = own_folder.map_or(format!("package::{shader}"), |own| format!("package::{own}::{shader}"));
        let source = compiler.compile(&module.parse()?).map_err(|failure| failure.to_string())?.to_string();
        let (module, info) = requirements::read(&source, requirements::optional())?;
        uniformity::check(&module, &source)?;
        let requirements = requirements::of(&module, &info, &source)?;
        Ok(Self { name: name.to_owned(), source, module, info, requirements })
    }

    fn constants(&self) -> BTreeMap<String, u32> {
        let value = |init| match self.module.global_expressions[init] {
            naga::Expression::Literal(naga::Literal::U32(value)) => Some(value),
            _ => None,
        };
        self.module
            .constants
            .iter()
            .filter_map(|(_, constant)| {
                let name = constant.name.as_deref()?;
                // Imported constants carry their module's path in lower case before their own name.
                let own = name.trim_start_matches(|letter: char| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit());
                Some((own.to_owned(), value(constant.init)?))
            })
            .collect()
    }

    /// The uniform `args` as a Rust struct of the same layout: scalars of four bytes, so there is no padding.
    fn generate_args(&self, code: &mut String) -> Result<(), Failure> {
        let (_, args) =
            self.module.global_variables.iter().find(|(_, variable)| variable.space == AddressSpace::Uniform).ok_or("no uniform `args`")?;
        let TypeInner::Struct { members, .. } = &self.module.types[args.ty].inner else {
            return Err("`args` is not a struct".into());
        };
        writeln!(code, "    #[repr(C)]\n    #[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]\n    pub struct Args {{")?;
        let mut whole_numbers = String::new();
        for member in members {
            let member_name = member.name.as_deref().ok_or("a member of `args` has no name")?;
            let kind = match self.module.types[member.ty].inner {
                TypeInner::Scalar(Scalar::U32) => "u32",
                TypeInner::Scalar(Scalar::F32) => "f32",
                _ => return Err("`args` may hold u32 and f32 alone".into()),
            };
            writeln!(code, "        pub {member_name}: {kind},")?;
            if kind == "u32" {
                write!(whole_numbers, "({member_name:?}, self.{member_name}), ")?;
            }
        }
        writeln!(
            code,
            "    }}\n    impl Arguments for Args {{\n        fn whole_numbers(&self) -> Vec<(&'static str, u32)> {{ vec![{whole_numbers}] }}\n    }}"
        )?;
        Ok(())
    }

    /// Storage buffers that an entry point uses, by rising index.
    fn bindings(&self, entry: usize) -> Result<Vec<BindingInfo>, Failure> {
        let uses = self.info.get_entry_point(entry);
        let mut bindings = Vec::new();
        for (handle, variable) in self.module.global_variables.iter().filter(|&(handle, _)| !uses[handle].is_empty()) {
            let AddressSpace::Storage { access } = variable.space else { continue };
            let place = variable.binding.ok_or("a storage buffer without @binding")?;
            let TypeInner::Array { base, .. } = self.module.types[variable.ty].inner else {
                return Err("a storage buffer that is no array".into());
            };
            bindings.push(BindingInfo {
                index: place.binding,
                name: variable.name.clone().ok_or("a storage buffer without a name")?,
                readable: uses[handle].contains(GlobalUse::READ),
                writable: access.contains(StorageAccess::STORE),
                element: match self.module.types[base].inner.scalar() {
                    Some(Scalar { kind: ScalarKind::Float, .. } | Scalar::U64) => "Tensor",
                    _ => "Words",
                },
            });
        }
        bindings.sort_by_key(|binding| binding.index);
        Ok(bindings)
    }

    /// Bytes of workgroup memory that an entry point uses.
    fn workgroup_memory(&self, entry: usize) -> u32 {
        let uses = self.info.get_entry_point(entry);
        let context = self.module.to_ctx();
        self.module
            .global_variables
            .iter()
            .filter(|(handle, variable)| variable.space == AddressSpace::WorkGroup && !uses[*handle].is_empty())
            .map(|(_, variable)| self.module.types[variable.ty].inner.size(context).next_multiple_of(16))
            .sum()
    }
}

fn pascal_case(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}
