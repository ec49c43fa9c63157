//! Every entry point that DX12 can have in DX12's own compilers: DXC, and FXC, which wgpu takes where there is no dxcompiler.dll.
//! They are programs of Windows: `.ci/directx` gets them, runs them in Wine and names them in `MCSAN_DIRECTX`. In every run the shaders are
//! searched for what FXC would take minutes for.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use naga::back::hlsl::ShaderModel;
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{AddressSpace, Block, Expression, Function, Handle, Module, Scalar, ScalarKind, Statement, TypeInner};

use super::translation::{each, to_hlsl, uses_int64, uses_matrices, uses_subgroups};
use super::{parse, variants};

/// Compiler, shader model, and whether with run-time checks. wgpu takes FXC with 5.1, DXC with the device's. FXC unrolls a loop that
/// naga bounds at run time by trying: the products' take it minutes, so that they are compiled there as users run them.
const WAYS: [(&str, ShaderModel, bool); 4] = [
    ("fxc", ShaderModel::V5_1, false),
    ("dxc", ShaderModel::V6_0, false),
    ("dxc", ShaderModel::V6_0, true),
    ("dxc", ShaderModel::V6_8, false),
];

/// Milliseconds of processor time that an entry point may take, where the slowest takes some 4,000: FXC takes minutes where it unrolls
/// what it should not.
const PATIENCE: u64 = 30_000;

/// A shader to compile: its file, and the line that asks for it, `COMPILER FILE ENTRY PROFILE`.
struct Job {
    file: String,
    line: String,
}

#[test]
fn dxc_and_fxc_take_every_entry_point_within_seconds() {
    let Some(compilers) = std::env::var_os("MCSAN_DIRECTX") else {
        println!("skipped: MCSAN_DIRECTX names no compilers: dxc_and_fxc_take_every_entry_point_within_seconds");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut jobs, mut written) = (Vec::new(), BTreeSet::new());
    each(|name, variant, entry, module, info, checks| {
        for (compiler, shader_model, checked) in WAYS {
            let too_new = shader_model < ShaderModel::V6_0 && (uses_subgroups(variant) || uses_int64(variant));
            if checked != checks || uses_matrices(variant) || too_new {
                continue;
            }
            let (source, entry_point) = to_hlsl(name, entry, module, info, shader_model, checks);
            let profile = format!("cs_{}", shader_model.to_str());
            // What of a shader all its variants have alike.
            if !written.insert((profile.clone(), source.clone())) {
                continue;
            }
            let file = format!("{} {compiler} {profile}.hlsl", name.replace('.', " ")).replace(' ', "-");
            fs::write(folder.path().join(&file), source).unwrap();
            jobs.push(Job { line: format!("{compiler} {file} {entry_point} {profile}\n"), file });
        }
    });
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let answers: Vec<String> = std::thread::scope(|scope| {
        let start = |part: usize| {
            let list: String = jobs.iter().skip(part).step_by(processors).map(|job| job.line.as_str()).collect();
            let (compilers, folder) = (&compilers, folder.path());
            scope.spawn(move || compile(compilers, folder, &format!("list{part}"), &list))
        };
        let started: Vec<_> = (0..processors).map(start).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let answers: Vec<&str> = answers.iter().flat_map(|answer| answer.lines()).collect();
    let failures: Vec<String> = jobs.iter().filter_map(|job| refusal(job, &answers)).collect();
    assert!(failures.is_empty(), "{}\n{}", failures.join("\n"), answers.join("\n"));
    println!("{} HLSL shaders", jobs.len());
}

/// What the compilers say of a list of jobs.
fn compile(compilers: &OsStr, folder: &Path, name: &str, list: &str) -> String {
    fs::write(folder.join(name), list).unwrap();
    let output = Command::new(compilers).arg(name).current_dir(folder).output().expect("MCSAN_DIRECTX starts");
    assert!(output.status.success(), "{:?}: {}", compilers, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Why a job counts as failed, if it does: `taken FILE MILLISECONDS` is what a compiler says of a shader that it takes.
fn refusal(job: &Job, answers: &[&str]) -> Option<String> {
    let start = format!("taken {} ", job.file);
    match answers.iter().find_map(|line| line.strip_prefix(&start)) {
        None => Some(format!("{}: refused", job.file)),
        Some(milliseconds) => {
            let took: u64 = milliseconds.trim().parse().expect("milliseconds");
            (took > PATIENCE).then(|| format!("{}: {took} ms of processor time", job.file))
        }
    }
}

/// A module's functions and entry points with what naga knows of them, and what they are called.
fn functions<'m>(module: &'m Module, info: &'m ModuleInfo) -> impl Iterator<Item = (&'m Function, &'m FunctionInfo, String)> {
    let functions = module.functions.iter().map(|(handle, function)| (function, &info[handle]));
    let entries = module.entry_points.iter().enumerate().map(|(index, entry)| (&entry.function, info.get_entry_point(index)));
    let name = |function: &Function| function.name.clone().unwrap_or_else(|| "an entry point".into());
    functions.chain(entries).map(move |(function, types)| (function, types, name(function)))
}

/// What a local vector that something points to is of, or a column of a local matrix.
fn of_local_vector(module: &Module, inner: &TypeInner) -> Option<Scalar> {
    match *inner {
        TypeInner::Pointer { base, space: AddressSpace::Function | AddressSpace::Private } => match module.types[base].inner {
            TypeInner::Vector { scalar, .. } => Some(scalar),
            _ => None,
        },
        TypeInner::ValuePointer { size: Some(_), scalar, space: AddressSpace::Function | AddressSpace::Private } => Some(scalar),
        _ => None,
    }
}

/// Whether something points to a local matrix.
fn is_local_matrix(module: &Module, inner: &TypeInner) -> bool {
    let TypeInner::Pointer { base, space: AddressSpace::Function | AddressSpace::Private } = *inner else { return false };
    matches!(module.types[base].inner, TypeInner::Matrix { .. })
}

/// The functions of a module that write a vector's component, or a matrix' column, by a variable.
fn writers(module: &Module, info: &ModuleInfo) -> Vec<String> {
    let writes = |(function, types, _): &(&Function, &FunctionInfo, String)| {
        let mut stores = Vec::new();
        collect_stores(&function.body, &mut stores);
        stores.into_iter().any(|pointer| match function.expressions[pointer] {
            Expression::Access { base, .. } => {
                let inner = types[base].ty.inner_with(&module.types);
                of_local_vector(module, inner).is_some() || is_local_matrix(module, inner)
            }
            _ => false,
        })
    };
    functions(module, info).filter(writes).map(|(_, _, name)| name).collect()
}

/// The functions of a module that read a component of a vector of floats by a variable, for which FXC multiplies the vector by a row of
/// the identity: a component that is not finite makes NaN of all others. Vectors in storage and workgroup memory are read by address.
fn readers(module: &Module, info: &ModuleInfo) -> Vec<String> {
    let reads = |(function, types, _): &(&Function, &FunctionInfo, String)| {
        function.expressions.iter().any(|(_, expression)| {
            let Expression::Access { base, .. } = *expression else { return false };
            let scalar = match *types[base].ty.inner_with(&module.types) {
                TypeInner::Vector { scalar, .. } => Some(scalar),
                ref inner => of_local_vector(module, inner),
            };
            scalar.is_some_and(|scalar| scalar.kind == ScalarKind::Float)
        })
    };
    functions(module, info).filter(reads).map(|(_, _, name)| name).collect()
}

/// What a block stores through.
fn collect_stores(block: &Block, stores: &mut Vec<Handle<Expression>>) {
    for statement in block {
        match statement {
            Statement::Store { pointer, .. } => stores.push(*pointer),
            Statement::Block(inner) => collect_stores(inner, stores),
            Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(|part| collect_stores(part, stores)),
            Statement::Switch { cases, .. } => cases.iter().for_each(|case| collect_stores(&case.body, stores)),
            Statement::Loop { body, continuing, .. } => [body, continuing].into_iter().for_each(|part| collect_stores(part, stores)),
            _ => {}
        }
    }
}

#[test]
fn no_shader_that_fxc_gets_writes_a_vector_by_a_variable() {
    for (shader, variant) in variants() {
        if !uses_matrices(variant) && !uses_subgroups(variant) && !uses_int64(variant) {
            let (module, info) = parse(variant.source);
            assert_eq!(writers(&module, &info), [""; 0], "{}.{}", shader.name, variant.name);
        }
    }
}

#[test]
fn no_shader_that_fxc_gets_reads_a_vector_by_a_variable() {
    let mut found = Vec::new();
    for (shader, variant) in variants() {
        if !uses_matrices(variant) && !uses_subgroups(variant) && !uses_int64(variant) {
            let (module, info) = parse(variant.source);
            found.extend(readers(&module, &info).into_iter().map(|function| format!("{}.{}: {function}", shader.name, variant.name)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_vector_written_by_a_variable_is_found_wherever_it_lies() {
    let found = |kind: &str, place: &str| {
        let source = format!(
            "struct Own {{ first: vec4<u32> }}
            fn fill() {{ var x: {kind}; for (var i = 0u; i < 4u; i++) {{ {place}; }} }}
            @compute @workgroup_size(1) fn main() {{ fill(); }}"
        );
        let (module, info) = parse(&source);
        writers(&module, &info)
    };
    assert_eq!(found("vec4<f32>", "x[i] = 1.0"), ["fill"]);
    assert_eq!(found("Own", "if (i > 1u) { x.first[i] += 1u; }"), ["fill"]);
    assert_eq!(found("array<vec4<f32>, 4>", "x[1][i] = 1.0"), ["fill"]);
    assert_eq!(found("mat4x4<f32>", "x[i] = vec4<f32>()"), ["fill"]);
    assert_eq!(found("mat4x4<f32>", "x[2][i] = 1.0"), ["fill"]);
    assert_eq!(found("array<vec4<f32>, 4>", "x[i] = vec4<f32>()"), [""; 0]);
    assert_eq!(found("vec4<f32>", "x.y = f32(i)"), [""; 0]);
}

#[test]
fn a_vector_read_by_a_variable_is_found_wherever_it_lies() {
    let found = |place: &str| {
        let source = format!(
            "@group(0) @binding(0) var<storage, read_write> all: array<vec4<f32>>;
            var<workgroup> tile: array<vec4<f32>, 4>;
            fn read(i: u32, given: vec4<f32>) -> f32 {{
                var x = given; var rows: array<vec4<f32>, 4>; var m: mat4x4<f32>;
                x.x = 1.0; rows[0] = x; m[0] = x;
                return {place};
            }}
            @compute @workgroup_size(1) fn main() {{ all[0].x = read(1u, all[1]); tile[0] = all[0]; }}"
        );
        let (module, info) = parse(&source);
        readers(&module, &info)
    };
    for place in ["given[i]", "x[i]", "rows[1][i]", "m[1][i]", "(given + x)[i]"] {
        assert_eq!(found(place), ["read"], "{place}");
    }
    for place in ["given.y", "x[1]", "rows[i].x", "m[i].x", "all[i].x", "all[1][i]", "tile[1][i]"] {
        assert_eq!(found(place), [""; 0], "{place}");
    }
}
