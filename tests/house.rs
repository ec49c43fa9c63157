//! The drawing of the house in `src/lib.rs` and the imports in the sources: they must agree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules of the drawing, from the top floor down and from left to right: each may import those that come after it.
fn drawn() -> Vec<String> {
    let lib = std::fs::read_to_string("src/lib.rs").unwrap();
    let drawing = lib.split("```text").nth(1).and_then(|rest| rest.split("```").next()).expect("the drawing is a text block");
    let lines = drawing.lines().filter_map(|line| line.strip_prefix("//! ")).filter(|line| !line.starts_with(' '));
    let names = lines.flat_map(|line| line.split_whitespace().take_while(|word| word.ends_with('/') || word.ends_with(".rs")));
    names.map(|name| name.trim_end_matches('/').trim_end_matches(".rs").to_owned()).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The top module that a file of `src` belongs to.
fn module_of(file: &Path) -> String {
    let first = file.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The top modules that a source names after `crate::`, lists in braces included; comments do not count.
fn imports(source: &str) -> Vec<String> {
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let name = |text: &str| -> String { text.chars().take_while(|&letter| letter == '_' || letter.is_ascii_alphanumeric()).collect() };
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.push(name(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut start = 0;
                for (place, letter) in list.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        ',' if depth == 0 => {
                            found.push(name(list[start..place].trim()));
                            start = place + 1;
                        }
                        '}' if depth == 0 => {
                            found.push(name(list[start..place].trim()));
                            break;
                        }
                        '}' => depth -= 1,
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// Imports of `source`, a file of module `from`, that the drawing does not allow.
fn against_the_drawing(drawn: &[String], from: &str, source: &str) -> Vec<String> {
    let place = |module: &str| drawn.iter().position(|name| name == module);
    let Some(own) = place(from) else { return vec![format!("{from} is not drawn")] };
    let wrong = imports(source).into_iter().filter(|name| name != from);
    wrong.filter(|name| place(name).is_some_and(|other| other < own)).map(|name| format!("{from} imports {name}")).collect()
}

#[test]
fn imports_point_down_as_the_drawing_says() {
    let drawn = drawn();
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in rust_files(Path::new("src")) {
        let module = module_of(&file);
        if module == "lib" {
            continue;
        }
        let found = against_the_drawing(&drawn, &module, &std::fs::read_to_string(&file).unwrap());
        if !found.is_empty() {
            wrong.insert(file.display().to_string(), found);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_is_drawn_once() {
    let mut drawn = drawn();
    drawn.sort();
    let mut there: Vec<String> = std::fs::read_dir("src").unwrap().map(|entry| module_of(&entry.unwrap().path())).collect();
    there.retain(|name| name != "lib");
    there.sort();
    assert_eq!(drawn, there);
}

/// Cargo finds no tests by itself here: a file that no module names would never run.
#[test]
fn every_file_of_tests_belongs_to_a_program() {
    for file in rust_files(Path::new("tests")) {
        let (folder, name) = (file.parent().unwrap(), file.file_stem().unwrap().to_str().unwrap());
        let (folder, name) = match name {
            "main" | "house" => continue,
            "mod" => (folder.parent().unwrap(), folder.file_name().unwrap().to_str().unwrap()),
            _ => (folder, name),
        };
        let root = if folder.join("main.rs").exists() { "main.rs" } else { "mod.rs" };
        let declarations = std::fs::read_to_string(folder.join(root)).unwrap();
        let declared = declarations.lines().any(|line| line.trim_start_matches("pub ") == format!("mod {name};"));
        assert!(declared, "{} is not named in {}", file.display(), folder.join(root).display());
    }
}

#[test]
fn an_import_that_climbs_is_seen() {
    let drawn: Vec<String> = ["cli", "train", "base"].map(String::from).into();
    let climbing = "use crate::{base::hash, cli::Done};\n// crate::cli is only named here\nfn f() { crate::train::run() }";
    assert_eq!(against_the_drawing(&drawn, "base", climbing), ["base imports cli", "base imports train"]);
    assert!(against_the_drawing(&drawn, "cli", climbing).is_empty());
    assert_eq!(against_the_drawing(&drawn, "attic", climbing), ["attic is not drawn"]);
}

/// The library computes by what it is told; environment variables are the program's.
#[test]
fn only_the_program_reads_the_environment() {
    let mut found = Vec::new();
    for file in rust_files(Path::new("src")).into_iter().filter(|file| module_of(file) != "cli") {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        found.extend(
            code.filter(|line| line.contains("env::var") || line.contains("with_env(")).map(|line| format!("{}: {line}", file.display())),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn errors_of_the_library_name_no_option_and_no_command() {
    let mut found = Vec::new();
    for file in rust_files(Path::new("src")).into_iter().filter(|file| module_of(file) != "cli") {
        let text = std::fs::read_to_string(&file).unwrap();
        for message in text.split("#[error(").skip(1).filter_map(|rest| rest.split(")]").next()) {
            if message.contains(" --") || message.contains("mcsan ") {
                found.push(format!("{}: {message}", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "say it in src/cli/remedy.rs: {found:#?}");
}

/// What this program does itself is a value, which a caller can word or do; words alone are of what is done to a file elsewhere.
#[test]
fn remedies_in_words_are_of_files_that_others_made_and_name_no_option_and_no_command() {
    let mut found = Vec::new();
    for file in rust_files(Path::new("src")).into_iter().filter(|file| module_of(file) != "cli") {
        let reads_what_others_made = ["audio", "corpus", "dataset", "text"].contains(&module_of(&file).as_str());
        let words_remedies = file == Path::new("src/base/remedy.rs");
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            let advises = line.contains("Remedy::advice(");
            let names = (advises || words_remedies) && [" --", "\"--", "mcsan "].iter().any(|name| line.contains(name));
            if names || advises && !reads_what_others_made {
                found.push(format!("{}: {line}", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
