//! What a folder holds that is to be written to.

use std::path::Path;

use super::files;

/// The first name in a folder, in their order, that is not one of those `own`. Hidden names do not count: systems leave them
/// everywhere, and nothing writes over them. `None` also of a folder that is not there.
pub(crate) fn first_foreign(folder: &Path, own: impl Fn(&str) -> bool) -> Option<String> {
    let names = files::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    names.filter(|name| !name.starts_with('.') && !own(name)).min()
}
