//! A log in a folder of this machine.

use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deltalakedb_core::log::parse_file_name;
use deltalakedb_core::{Error, ErrorKind, Result};

use super::location::check_name;
use super::{Fetched, Put};

/// What to do with a file of the same name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Keep,
    Replace,
}

const TEMPORARY_PREFIX: &str = ".dl-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Deletes the temporary files that dead processes left: a living one holds a lock on its own.
pub(super) fn sweep(folder: &Path) -> Result<()> {
    let failed = |error: io::Error| io_error("sweeping", folder, &error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(TEMPORARY_PREFIX) || !name.ends_with(TEMPORARY_SUFFIX) {
            continue;
        }
        // Opening a pipe would wait for its other end.
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // Another mirror may have been first.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// A new temporary file with a lock on it, where the file system has locks.
pub(super) fn temporary_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    loop {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY_PREFIX).suffix(TEMPORARY_SUFFIX);
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let temporary = builder.tempfile_in(folder)?;
        let _ = temporary.as_file().lock();
        // A sweep may have come in between.
        if temporary.path().exists() {
            return Ok(temporary);
        }
    }
}

pub(super) fn list(folder: &Path) -> Result<Vec<(String, u64, i64)>> {
    let failed = |error: io::Error| io_error("listing", folder, &error);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // A link counts as what it leads to. What is called like a part of the log must be a file: to pass it
        // over would show an older table.
        let path = entry.path();
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) if parse_file_name(&name).is_some() => return Err(not_a_file(&path, "it is no file")),
            Ok(_) => continue,
            // Gone since the folder was read: a temporary file, or an old commit that was cleaned up.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => continue,
            Err(error) if parse_file_name(&name).is_some() => return Err(not_a_file(&path, &error.to_string())),
            Err(_) => continue,
        };
        let modified = metadata.modified().map_err(failed)?;
        entries.push((name, metadata.len(), to_ms(modified)));
    }
    Ok(entries)
}

/// Whether a file is there: else an error.
pub(super) fn look_at(folder: &Path, name: &str) -> Result<()> {
    let path = path_of(folder, name)?;
    std::fs::metadata(&path).map(drop).map_err(|error| io_error("looking at", &path, &error))
}

/// The last bytes of a file.
pub(super) fn tail(folder: &Path, name: &str, bytes: u64) -> Result<Vec<u8>> {
    let path = path_of(folder, name)?;
    let failed = |error: io::Error| io_error("reading", &path, &error);
    let mut file = open_file(&path)?;
    let size = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(bytes))).map_err(failed)?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).map_err(failed)?;
    Ok(tail)
}

fn not_a_file(path: &Path, reason: &str) -> Error {
    Error::corrupt(format!("{} cannot be read as a part of the log: {reason}", path.display()))
        .path(path.display().to_string())
        .hint("restore the file")
}

pub(super) fn open(folder: &Path, name: &str) -> Result<File> {
    open_file(&path_of(folder, name)?)
}

/// Nothing but a file: pipes and devices may never end.
fn open_file(path: &Path) -> Result<File> {
    let failed = |error: io::Error| io_error("reading", path, &error);
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(not_a_file(path, "it is no file"));
    }
    File::open(path).map_err(failed)
}

/// Deletes a file; it may be gone already.
pub(super) fn delete(folder: &Path, name: &str) -> Result<()> {
    let path = path_of(folder, name)?;
    let failed = |error: io::Error| io_error("deleting", &path, &error);
    delete_hadoop_checksum(&path).map_err(failed)?;
    delete_if_there(&path).map_err(failed)
}

fn delete_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Deletes `.<name>.crc`, in which Spark, by Hadoop, keeps the checksum of a file that it wrote to a local folder: it does not
/// read another file of that name beside it. Without one it reads what is there.
fn delete_hadoop_checksum(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    delete_if_there(&path.with_file_name(format!(".{name}.crc")))
}

fn path_of(folder: &Path, name: &str) -> Result<PathBuf> {
    check_name(name)?;
    Ok(folder.join(name))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all())
}

/// Writes a file so that it is there whole or not at all, also after a power failure.
pub(super) fn put(
    folder: &Path,
    name: &str,
    content: Fetched,
    modified_ms: Option<i64>,
    existing: Existing,
) -> Result<Put> {
    let path = path_of(folder, name)?;
    let failed = |error: io::Error| io_error("writing", &path, &error);
    let parent = path.parent().unwrap_or(folder);
    if parent != folder && !parent.is_dir() {
        std::fs::create_dir_all(parent).and_then(|()| sync_folder(folder)).map_err(failed)?;
    }
    let mut temporary = temporary_file(folder).map_err(failed)?;
    io::copy(&mut content.into_reader(), &mut temporary).map_err(failed)?;
    if let Some(modified) = modified_ms.and_then(from_ms) {
        temporary.as_file().set_modified(modified).map_err(failed)?;
    }
    temporary.as_file().sync_all().map_err(failed)?;
    if existing == Existing::Replace || !path.exists() {
        delete_hadoop_checksum(&path).map_err(failed)?;
    }
    let persisted = match existing {
        Existing::Keep => temporary.persist_noclobber(&path),
        Existing::Replace => temporary.persist(&path),
    };
    match persisted {
        Ok(_) => {
            sync_folder(parent).map_err(failed)?;
            Ok(Put::Written)
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::AlreadyThere),
        Err(error) => Err(failed(error.error)),
    }
}

pub(super) fn io_error(doing: &str, path: &Path, error: &io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, "check the path"),
        io::ErrorKind::NotADirectory => (ErrorKind::Invalid, "name a folder"),
        // The kind for links in a circle has no stable name yet.
        kind if format!("{kind:?}") == "FilesystemLoop" => (ErrorKind::Invalid, "the links lead in a circle"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Denied, "check the permissions of the folder and its files")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Unavailable, "free some space and try again; nothing half-written was left in place")
        }
        // Too many open files: of the process, of the machine.
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => {
            (ErrorKind::Unavailable, "allow more open files (ulimit -n), and look who opens so many")
        }
        _ => (ErrorKind::Unavailable, "check the disk and try again"),
    };
    Error::new(kind, format!("{doing} {}: {error}", path.display())).path(path.display().to_string()).hint(hint)
}

fn to_ms(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

fn from_ms(ms: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(ms.unsigned_abs());
    if ms >= 0 { UNIX_EPOCH.checked_add(distance) } else { UNIX_EPOCH.checked_sub(distance) }
}
