//! `mcsan config`

use std::process::ExitCode;

use serde_json::json;

use super::arguments::Common;
use super::{Done, print_json};
use crate::config::keys::{KEYS, default_of};

pub fn run(common: &Common) -> Done {
    if common.json {
        let settings: Vec<_> = KEYS
            .iter()
            .map(|key| json!({ "key": key.name, "default": default_of(key), "allowed": key.allowed, "meaning": key.meaning }))
            .collect();
        print_json(&json!({ "settings": settings }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("# Every setting with its default: a file for --config, or KEY=VALUE for --set.");
    let mut section = "";
    for key in KEYS {
        let (own_section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if own_section != section {
            println!("\n[{own_section}]");
            section = own_section;
        }
        println!("# {} ({})\n{name} = {}", key.meaning, key.allowed, default_of(key));
    }
    Ok(ExitCode::SUCCESS)
}
