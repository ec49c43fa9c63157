//! `mcsan shaders`

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Shaders};
use super::{Done, cannot_write, output};
use crate::backend::gpu::shader::{SHADERS, Shader, ShaderVariant};
use crate::dataset::replace_file;

pub(crate) fn run(common: &Common, arguments: &Shaders) -> Done {
    let file_name = |shader: &Shader, variant: &ShaderVariant| {
        if shader.variants.len() == 1 { format!("{}.wgsl", shader.name) } else { format!("{}.{}.wgsl", shader.name, variant.name) }
    };
    let of_shader = |shader: &'static Shader| shader.variants.iter().map(move |variant| (file_name(shader, variant), variant.source));
    let files: Vec<(String, &str)> = SHADERS.iter().flat_map(|shader| of_shader(shader)).collect();
    output::check_folder(&arguments.out, |name| files.iter().any(|(own, _)| own == name))?;
    std::fs::create_dir_all(&arguments.out).map_err(cannot_write(&arguments.out))?;
    for (name, source) in &files {
        let path = arguments.out.join(name);
        replace_file(&path, |file| file.write_all(source.as_bytes())).map_err(cannot_write(&path))?;
    }
    let written: Vec<String> = files.into_iter().map(|(name, _)| name).collect();
    if common.json {
        common.print_json(json!({ "shaders": written }));
    } else {
        println!("{} shaders written to {}", written.len(), arguments.out.display());
    }
    Ok(ExitCode::SUCCESS)
}
