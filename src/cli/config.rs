//! `mcsan config`

use std::process::ExitCode;

use serde_json::json;

use super::Done;
use super::arguments::Common;
use crate::config::{Config, keys};

pub(crate) fn run(common: &Common) -> Done {
    let defaults = Config::default();
    if common.json {
        let settings: Vec<_> = keys()
            .map(|key| json!({ "key": key.name, "default": defaults.value(key), "allowed": key.allowed(), "meaning": key.meaning }))
            .collect();
        common.print_json(json!({ "settings": settings }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("# Every setting with its default: a file for --config, or KEY=VALUE for --set.");
    let mut section = "";
    for key in keys() {
        let (own_section, name) = key.parts();
        if own_section != section {
            println!("\n[{own_section}]");
            section = own_section;
        }
        println!("# {} ({})\n{name} = {}", key.meaning, key.allowed(), defaults.value(key));
    }
    Ok(ExitCode::SUCCESS)
}
