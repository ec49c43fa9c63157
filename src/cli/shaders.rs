//! `mcsan shaders`

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Shaders};
use super::{Done, cannot_write};
use crate::backend::gpu::shader;
use crate::dataset::replace_file;

pub(crate) fn run(common: &Common, arguments: &Shaders) -> Done {
    std::fs::create_dir_all(&arguments.out).map_err(cannot_write(&arguments.out))?;
    let mut written = Vec::new();
    for shader in shader::SHADERS {
        for variant in shader.variants {
            let name =
                if shader.variants.len() == 1 { format!("{}.wgsl", shader.name) } else { format!("{}.{}.wgsl", shader.name, variant.name) };
            let path = arguments.out.join(&name);
            replace_file(&path, |file| file.write_all(variant.source.as_bytes())).map_err(cannot_write(&path))?;
            written.push(name);
        }
    }
    if common.json {
        common.print_json(json!({ "shaders": written }));
    } else {
        println!("{} shaders written to {}", written.len(), arguments.out.display());
    }
    Ok(ExitCode::SUCCESS)
}
