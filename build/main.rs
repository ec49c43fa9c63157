//! Makes the table of shaders: every variant of every shader in `shaders/` is expanded (WESL imports and conditions),
//! parsed and validated by naga, searched for barriers in diverging control flow, and reflected into Rust. A kernel's bindings,
//! arguments, constants, workgroup size and workgroup memory are thereby read from its WGSL and never kept in step by hand; a
//! shader that does not validate does not build.

mod expand;
mod generate;
mod reflect;
mod requirements;
mod uniformity;
mod variants;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use expand::Texts;
use generate::Shader;
use variants::Variants;

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
    let kernels = Texts::all(root, None)?;
    let peaks = Texts::all(root, Some("peaks"))?;
    let shaders = kernels.iter().chain(&peaks).map(|texts| &*texts.shader);
    let listed = Variants::read(&fs::read_to_string(root.join("variants.toml"))?, shaders)?;
    let mut code = String::from("// Made by build/main.rs from shaders/.\n\n");
    for (table, meaning, shaders) in [
        ("SHADERS", "Every kernel's shader, by name.", &kernels),
        ("PEAKS", "The shaders that measure what a device can do at best; no kernels.", &peaks),
    ] {
        let mut list = String::new();
        for texts in shaders {
            let shader = compile(texts, &listed).map_err(|failure| format!("{}: {failure}", texts.shader))?;
            code += &shader;
            write!(list, "&{}::SHADER, ", texts.shader)?;
        }
        writeln!(code, "/// {meaning}\npub static {table}: [&Shader; {}] = [{list}];\n", shaders.len())?;
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("shaders.rs"), code)?;
    Ok(())
}

/// Expands, validates and reflects every variant of a shader; returns its Rust.
fn compile(texts: &Texts, listed: &Variants) -> Result<String, Failure> {
    let one = |name: &String| -> Result<_, Failure> {
        let source = texts.expand(name, listed.conditions())?;
        generate::VariantModule::new(name, source).map_err(|failure| format!("variant {name}: {failure}").into())
    };
    Shader { name: texts.shader.clone(), variants: listed.of(&texts.shader).iter().map(one).collect::<Result<_, _>>()? }.generate()
}
