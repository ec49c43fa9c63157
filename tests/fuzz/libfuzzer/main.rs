//! One of the readers, by the name in `MCSAN_FUZZ_READER`, under libFuzzer: `run` builds and starts it.

#![no_main]

#[path = "../bounds.rs"]
mod bounds;
#[path = "../readers/mod.rs"]
mod readers;

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

use readers::{READERS, Reader};

#[global_allocator]
static ALLOCATOR: bounds::Counted = bounds::Counted;

/// The reader, and the folder that holds what is read beside the file.
static CHOSEN: OnceLock<(&Reader, PathBuf)> = OnceLock::new();

fn choose() {
    let name = env::var("MCSAN_FUZZ_READER").expect("MCSAN_FUZZ_READER names a reader");
    let reader = READERS.iter().find(|reader| reader.name == name).unwrap_or_else(|| panic!("no reader is called {name}"));
    let folder = env::var_os("MCSAN_FUZZ_STAGE").expect("MCSAN_FUZZ_STAGE names what was staged").into();
    // libFuzzer's own ends the program at every panic, also those of decoders that the library catches.
    std::panic::set_hook(Box::new(|_| ()));
    CHOSEN.set((reader, folder)).unwrap_or_else(|_| panic!("it is chosen once"));
}

fuzz_target!(init: choose(), |bytes: &[u8]| {
    let (reader, folder) = CHOSEN.get().expect("libFuzzer starts with it");
    if let Err(cause) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.run(folder, bytes))) {
        let told = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
        eprintln!("{}: {}", reader.name, told.unwrap_or("it panics"));
        std::process::abort();
    }
});
