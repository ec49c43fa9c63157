//! Every entry point that DX12 can have in DX12's own compilers: DXC, and FXC, which wgpu takes where there is no dxcompiler.dll.
//! They are programs of Windows: `.ci/directx` gets them, runs them in Wine and names them in `MCSAN_DIRECTX`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use naga::back::hlsl::ShaderModel;

use super::translation::{each, to_hlsl, uses_int64, uses_matrices, uses_subgroups};

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
