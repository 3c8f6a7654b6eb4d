//! Copying and listing folders.

use std::fs;
use std::path::Path;

use crate::tools::{Result, at};

/// The names in a folder, sorted.
pub(super) fn file_names(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir).map_err(at("listing", dir))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(at("listing", dir))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Copies a folder with all that is in it.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(at("creating", to))?;
    for entry in fs::read_dir(from).map_err(at("listing", from))? {
        let entry = entry.map_err(at("listing", from))?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &copy)?;
        } else {
            copy_file(&source, &copy)?;
        }
    }
    Ok(())
}

/// Copies the modification time too, as it is a commit's time where the log has none.
fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(at("copying", from))?;
    let modified = fs::metadata(from).and_then(|metadata| metadata.modified());
    let file = fs::File::options().write(true).open(to).map_err(at("opening", to))?;
    modified.and_then(|time| file.set_modified(time)).map_err(at("dating", to))
}
