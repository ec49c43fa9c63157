//! Every entry point as Metal gets it: written by naga as wgpu-hal has it written, within the limits that Metal has besides WebGPU's, and
//! its types and names looked at by clang, which is told by `metal.h` what Metal's library has. Metal's own compiler is on a Mac alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mcsan::backend::gpu::Requirement;
use mcsan::backend::gpu::shader::{Entry, ShaderVariant};
use naga::back::msl;
use naga::valid::ModuleInfo;
use naga::{Module, ShaderStage};

use super::tools::Tool;
use super::translation::{bound, each, policies, uses_int64, uses_matrices};

/// The versions of the language on macOS 10.13, 11, 12, 13 and 26.
const VERSIONS: [(u8, u8); 5] = [(2, 0), (2, 3), (2, 4), (3, 0), (4, 0)];
/// Buffers that an entry point of Metal has ("Metal Feature Set Tables").
const BUFFERS: usize = 31;
/// Bytes of workgroup memory, from Apple's fourth family and on every Mac.
const WORKGROUP_MEMORY: u32 = 32 << 10;

/// Whether wgpu lets a variant run on Metal of a version: 64-bit integers and matrices from 2.3 on, and of those the ones of 8 × 8.
fn runs(variant: &ShaderVariant, version: (u8, u8)) -> bool {
    let has = |need: &Requirement| !matches!(*need, Requirement::CooperativeMatrix { m, n, k, .. } if (m, n, k) != (8, 8, 8));
    variant.requirements.iter().all(has) && (version >= (2, 3) || !uses_int64(variant) && !uses_matrices(variant))
}

/// An entry point in Metal's language, with slots as wgpu gives them out: arguments, storage buffers by rising binding, their sizes.
fn to_msl(name: &str, entry: &Entry, module: &Module, info: &ModuleInfo, lang_version: (u8, u8), checks: bool) -> String {
    let buffer = |slot: usize, mutable| msl::BindTarget { buffer: Some(slot as u8), mutable, ..Default::default() };
    let mut bindings: Vec<_> = entry.bindings.iter().collect();
    bindings.sort_by_key(|binding| binding.index);
    let buffers = bindings.iter().enumerate().map(|(slot, binding)| (bound(binding.index), buffer(slot + 1, binding.writable)));
    let resources = msl::EntryPointResources {
        resources: buffers.chain([(bound(0), buffer(0, false))]).collect(),
        sizes_buffer: Some(bindings.len() as u8 + 1),
        ..Default::default()
    };
    let options = msl::Options {
        lang_version,
        per_entry_point_map: [(entry.name.into(), resources)].into(),
        fake_missing_bindings: false,
        spirv_cross_compatibility: false,
        bounds_check_policies: policies(checks),
        zero_initialize_workgroup_memory: checks,
        force_loop_bounding: checks,
        emit_int_div_checks: checks,
        ..Default::default()
    };
    let pipeline = msl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.name.into())), ..Default::default() };
    let (source, written) = msl::write_string(module, info, &options, &pipeline).unwrap_or_else(|error| panic!("{name}: {error}"));
    let function = written.entry_point_names[0].as_ref().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(source.contains(&format!("kernel void {function}(")), "{name}\n{source}");
    source
}

/// Clang as a reader of Metal's language, with the header in a folder; `None` where there is none.
struct Reader {
    clang: Tool,
    folder: tempfile::TempDir,
}

impl Reader {
    fn find(test: &str) -> Option<Self> {
        let clang = Tool::find_unasked("clang++", test)?;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("simd")).unwrap();
        fs::write(folder.path().join("metal_stdlib"), include_str!("metal.h")).unwrap();
        fs::write(folder.path().join("simd/simd.h"), "").unwrap();
        Some(Self { clang, folder })
    }

    /// Leaves a shader to be read.
    fn put(&self, name: &str, source: &str) -> std::path::PathBuf {
        let source = without_twins(source);
        let name: String = name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
        let path = self.folder.path().join(name).with_extension("metal");
        fs::write(&path, source).unwrap();
        path
    }

    /// What it says of shaders, where it does not take them all. Numbers with a point are floats in Metal, and an array of one element is
    /// how naga writes one whose length is not known.
    fn refusal(&self, files: &[impl AsRef<Path>]) -> Option<String> {
        let folder = self.folder.path().to_str().unwrap();
        let language = ["-x", "c++", "-std=c++17", "-fsyntax-only", "-Xclang", "-cl-single-precision-constant", "-I", folder];
        let warnings = ["-Werror", "-Wno-unknown-attributes", "-Wno-unused-value", "-Wno-array-bounds", "-Wno-user-defined-literals"];
        self.clang.refusal(&[&language[..], &warnings].concat(), files.iter().map(AsRef::as_ref))
    }
}

/// naga writes what loads a matrix once for each address space, which Metal tells apart by the type of what is loaded, and the header does
/// not: the second is left out.
fn without_twins(source: &str) -> String {
    const LOAD: &str = " NagaCooperativeLoad(const ";
    let parts = source.split_inclusive("\n}\n");
    let mut kept: Vec<&str> = Vec::new();
    let spaceless = |part: &str| part.trim_start().replace("const device ", "const ").replace("const threadgroup ", "const ");
    let is_twin = |part: &str, kept: &[&str]| part.contains(LOAD) && kept.iter().any(|other| spaceless(other).ends_with(&spaceless(part)));
    for part in parts {
        if !is_twin(part, &kept) {
            kept.push(part);
        }
    }
    kept.concat()
}

#[test]
fn metal_shaders_have_the_types_and_names_that_metal_has() {
    let reader = Reader::find("metal_shaders_have_the_types_and_names_that_metal_has");
    let mut sources = BTreeMap::new();
    let mut count = 0;
    each(|name, variant, entry, module, info, checks| {
        for version in VERSIONS.into_iter().filter(|version| runs(variant, *version)) {
            let source = to_msl(name, entry, module, info, version, checks);
            // The first line names the version.
            let (_, body) = source.split_once('\n').unwrap();
            sources.entry(body.to_owned()).or_insert_with(|| format!("{name} {version:?}"));
            count += 1;
        }
    });
    println!("{count} Metal shaders, {} that differ", sources.len());
    let Some(reader) = reader else { return };
    let files: Vec<_> = sources.iter().map(|(source, name)| reader.put(name, source)).collect();
    let parts = files.chunks(files.len().div_ceil(4));
    let refusals: Vec<Option<String>> = std::thread::scope(|scope| {
        let started: Vec<_> = parts.map(|part| scope.spawn(|| reader.refusal(part))).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(refusals.into_iter().flatten().collect::<String>(), "");
}

#[test]
fn a_metal_shader_with_a_wrong_type_or_name_is_refused() {
    let Some(reader) = Reader::find("a_metal_shader_with_a_wrong_type_or_name_is_refused") else { return };
    let with = |line: &str| {
        let source = format!(
            "#include <metal_stdlib>\n#include <simd/simd.h>\nusing metal::uint;\n\
             kernel void main_(device metal::float4& x [[buffer(0)]], constant uint& n [[buffer(1)]]) {{\n\
             metal::float4 a = x; metal::uint4 b = metal::uint4(n);\n{line}\nx = a;\n}}\n"
        );
        reader.refusal(&[reader.put("shader", &source)])
    };
    for right in [
        "a = a * 2.0 + metal::float4(b);",
        "a = metal::float4(a.xy, n, 1.0);",
        "a = metal::select(a, metal::float4 {}, a < 1.0);",
        "a.x = metal::min(1.0, a.y);",
    ] {
        assert_eq!(with(right), None, "{right}");
    }
    for (wrong, said) in [
        ("a = a + b;", "invalid operands"),
        ("a = b;", "no viable"),
        ("a = metal::hypotenuse(a);", "no member named 'hypotenuse'"),
        ("metal::simdgroup_float16x16 m;", "no type named"),
        ("n = 1u;", "const-qualified"),
        ("a = as_type<metal::float4>(b.x);", "bits are kept"),
        ("a = metal::select(a, a, b);", "no matching function"),
        ("metal::float2x4 m = metal::float4x2 {};", "no viable conversion"),
    ] {
        let refusal = with(wrong).unwrap_or_default();
        assert!(refusal.contains(said), "{wrong}: {refusal}");
    }
}

#[test]
fn entry_points_keep_metals_limits() {
    for (shader, variant) in super::variants() {
        for footprint in variant.footprints.iter().filter(|_| runs(variant, (4, 0))) {
            let (entry, [x, y, z]) = (footprint.entry, footprint.workgroup_size);
            let place = format!("{}.{} {}", shader.name, variant.name, entry.name);
            // The arguments, and the sizes of the buffers.
            assert!(entry.bindings.len() + 2 <= BUFFERS, "{place}: {} buffers", entry.bindings.len());
            assert!(footprint.workgroup_memory.next_multiple_of(16) <= WORKGROUP_MEMORY, "{place}: {} bytes", footprint.workgroup_memory);
            assert!(x * y * z <= 1024, "{place}: {x} × {y} × {z} invocations");
        }
    }
}
