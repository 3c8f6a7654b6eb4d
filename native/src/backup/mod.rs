//! Saving the catalog itself, and making one from what was saved.
//!
//! A folder holds the backups of one catalog, numbered from 1. A full one has all pages of the database, an incremental one
//! those that differ from the backup before; the pieces go out before the manifest that names them, so a backup is there
//! whole or not at all.

mod manifest;
mod pages;

use std::collections::BTreeSet;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use deltalakedb_core::catalog::catalog_id;
use deltalakedb_core::{Error, ErrorKind, Result};

pub(crate) use manifest::Manifest;
use manifest::{Piece, manifest_name, parse_name};
use pages::{Split, failed, measure, merge, page_size, split};

use crate::database::{SqliteDatabase, check_integrity};
use crate::store::{Fetched, LogStore, Put, sweep_folder, temporary_file_in};

/// After so many backups that rest on one another comes a full one: a restore has all of them open.
const LONGEST_CHAIN: usize = 100;
/// Of a file that is called like a manifest, no more is read.
const MANIFEST_BYTES: u64 = 64 << 10;

/// How much a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Full,
    /// What changed since the last backup; all, where there is none.
    Incremental,
}

/// Saves the database as it is at one moment, and reads it back.
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) when the database is damaged, or a backup that this one would rest on;
/// [`Conflict`](ErrorKind::Conflict) when another backup was made meanwhile; those of the database and the store.
pub(crate) async fn back_up(
    database: &SqliteDatabase,
    folder: &LogStore,
    extent: Extent,
    now_ms: i64,
) -> Result<Manifest> {
    folder.make().await?;
    folder.sweep_temporary_files(now_ms).await?;
    let numbers = numbers(folder).await?;
    let id = catalog_id(database).await?;
    check_same_catalog(folder, numbers.last().copied(), &id).await?;
    // As large as the catalog: what a backup that was killed left there goes.
    let temporary_folder = std::env::temp_dir();
    sweep_folder(&temporary_folder)?;
    let copy = temporary_file_in(&temporary_folder)?;
    database.copy_to(copy.path())?;
    check_sound(copy.path(), "the catalog")?;
    // SQLite opened it by its name, and so it is read.
    let mut file = std::fs::File::open(copy.path()).map_err(failed)?;
    let page_size = page_size(&mut file)?;
    let mut chain = match (extent, numbers.last()) {
        (Extent::Incremental, Some(&last)) => chain(folder, last).await?,
        _ => Vec::new(),
    };
    if chain.len() >= LONGEST_CHAIN || chain.first().is_some_and(|base| base.page_size != page_size) {
        chain.clear();
    }
    let base_hashes = match chain.first() {
        Some(base) => Some(open_piece(folder, &base.hashes).await?),
        None => None,
    };
    let Split { image, pages, hashes } = split(file, page_size, base_hashes)?;
    let number = numbers.last().map_or(1, |last| last + 1);
    let pages = put_piece(folder, number, "pages", pages, now_ms).await?;
    let hashes = put_piece(folder, number, "hashes", hashes, now_ms).await?;
    let manifest = Manifest::new(number, id, chain.first(), now_ms, image, [pages, hashes]);
    chain.insert(0, manifest.clone());
    rebuild(folder, &chain, &mut std::io::sink()).await?;
    let (name, text) = (manifest_name(number), manifest.to_json()?);
    let put = folder.put_if_absent(&name, Fetched::Bytes(text.clone().into()), now_ms).await?;
    // It is this one's, when the answer to its put was lost and it was sent again.
    if put == Put::AlreadyThere && folder.fetch(&name).await?.into_bytes().await? != text {
        return Err(Error::new(ErrorKind::Conflict, format!("another backup {number} was made meanwhile"))
            .path(folder.url().as_str())
            .hint("that one is whole; run this again for a later one"));
    }
    delete_leftovers(folder, number).await?;
    Ok(manifest)
}

/// One catalog's backups lie in one folder: else a restore would make another one than was meant.
async fn check_same_catalog(folder: &LogStore, last: Option<u32>, id: &str) -> Result<()> {
    let Some(last) = last else { return Ok(()) };
    match read_manifest(folder, last).await {
        Ok(manifest) if manifest.catalog_id != id => {
            Err(Error::new(ErrorKind::Conflict, "the folder holds backups of another catalog")
                .path(folder.url().as_str())
                .hint("nothing was written; name a folder of this catalog's own"))
        }
        // A full backup may follow a damaged one.
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(()),
        checked => checked.map(drop),
    }
}

/// Writes the database of a backup, the last one without a number, to a new file.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when there is no such backup; [`Corrupt`](ErrorKind::Corrupt) when a piece of it is
/// missing or damaged; [`Conflict`](ErrorKind::Conflict) when the file is there. Nothing is at `path` then.
pub(crate) async fn restore(folder: &LogStore, number: Option<u32>, path: &Path) -> Result<Manifest> {
    let numbers = numbers(folder).await?;
    let number = number.or(numbers.last().copied()).filter(|number| numbers.contains(number)).ok_or_else(|| {
        let what = number.map_or("no backup".to_owned(), |number| format!("no backup {number}"));
        let hint = match (numbers.first(), numbers.last()) {
            (Some(first), Some(last)) => format!("there are those from {first} to {last}"),
            _ => "check the folder; `dl backup` makes one".to_owned(),
        };
        Error::new(ErrorKind::NotFound, format!("there is {what} in {}", folder.url())).hint(hint)
    })?;
    let chain = chain(folder, number).await?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What a restore that was killed left there.
    sweep_folder(parent)?;
    let temporary = temporary_file_in(parent)?;
    let mut out = BufWriter::with_capacity(1 << 18, temporary.as_file());
    rebuild(folder, &chain, &mut out).await?;
    out.flush().map_err(failed)?;
    drop(out);
    temporary.as_file().sync_all().map_err(failed)?;
    check_sound(temporary.path(), "the restored catalog")?;
    temporary.persist_noclobber(path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(ErrorKind::Conflict, "a file appeared there meanwhile").hint("nothing was written over")
        }
        _ => failed(error.error),
    })?;
    std::fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)?;
    manifest_of(&chain)
}

fn check_sound(path: &Path, what: &str) -> Result<()> {
    match check_integrity(path)? {
        None => Ok(()),
        Some(found) => Err(Error::corrupt(format!("{what} is damaged: {found}"))
            .hint("no backup was made and nothing restored; take a backup from before")),
    }
}

/// The numbers of the backups that are there.
async fn numbers(folder: &LogStore) -> Result<BTreeSet<u32>> {
    let names = folder.list().await?;
    Ok(names
        .iter()
        .filter_map(|(name, ..)| parse_name(name).filter(|(_, is_manifest)| *is_manifest))
        .map(|(n, _)| n)
        .collect())
}

/// A backup and those that it rests on, down to a full one.
async fn chain(folder: &LogStore, number: u32) -> Result<Vec<Manifest>> {
    let mut chain: Vec<Manifest> = Vec::new();
    let mut next = Some(number);
    while let Some(number) = next {
        let manifest = read_manifest(folder, number).await?;
        if let Some(later) = chain.last()
            && (later.based_on_hash.as_ref() != Some(&manifest.hash) || later.page_size != manifest.page_size)
        {
            return Err(Error::corrupt(format!("backup {} rests on another backup {number}", later.number))
                .path(manifest_name(number))
                .hint("make a full backup, without --incremental"));
        }
        next = manifest.based_on;
        chain.push(manifest);
    }
    Ok(chain)
}

async fn read_manifest(folder: &LogStore, number: u32) -> Result<Manifest> {
    let name = manifest_name(number);
    let content = folder.fetch(&name).await.map_err(|error| missing(error, &name))?;
    let mut text = Vec::new();
    content.into_reader().take(MANIFEST_BYTES).read_to_end(&mut text).map_err(failed)?;
    Manifest::read(number, &text)
}

/// Writes the database that a chain comes to, after each piece was compared with its hash.
async fn rebuild(folder: &LogStore, chain: &[Manifest], out: &mut impl Write) -> Result<()> {
    let mut readers = Vec::new();
    for manifest in chain {
        readers.push(open_piece(folder, &manifest.pages).await?);
    }
    // The hashes are for later backups; one without them is not whole.
    if let Some(last) = chain.first() {
        open_piece(folder, &last.hashes).await?;
    }
    merge(&manifest_of(chain)?, readers, out)
}

fn manifest_of(chain: &[Manifest]) -> Result<Manifest> {
    chain.first().cloned().ok_or_else(|| Error::new(ErrorKind::Internal, "a chain of no backups"))
}

/// A piece, compared with what its manifest says of it.
async fn open_piece(folder: &LogStore, piece: &Piece) -> Result<Box<dyn Read + Send>> {
    let content = folder.fetch(&piece.name).await.map_err(|error| missing(error, &piece.name))?;
    let (content, (size, hash)) = match content {
        Fetched::File(mut file) => {
            let measured = measure(&mut file)?;
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            (Fetched::File(file), measured)
        }
        Fetched::Bytes(bytes) => {
            let measured = measure(bytes.as_ref())?;
            (Fetched::Bytes(bytes), measured)
        }
    };
    if (size, &hash) != (piece.size_bytes, &piece.hash) {
        return Err(Error::corrupt(format!(
            "{} is damaged: it has {size} bytes with hash {hash}, it was written with {} and {}",
            piece.name, piece.size_bytes, piece.hash
        ))
        .path(&piece.name)
        .hint("take an earlier backup (--backup), or make a full one"));
    }
    Ok(content.into_reader())
}

fn missing(error: Error, name: &str) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::corrupt(format!("{name} is missing"))
            .path(name)
            .hint("take an earlier backup (--backup), or make a full one"),
        _ => error,
    }
}

async fn put_piece(folder: &LogStore, number: u32, kind: &str, mut file: std::fs::File, now_ms: i64) -> Result<Piece> {
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let (size_bytes, hash) = measure(&mut file)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    // By its content: one of that name that is there already is the same, or is found to be damaged.
    let name = format!("{number:08}-{hash}.{kind}");
    folder.put_if_absent(&name, Fetched::File(file), now_ms).await?;
    Ok(Piece { name, size_bytes, hash })
}

/// Deletes pieces that no manifest names, up to this backup: their writers were killed, or were not the first.
async fn delete_leftovers(folder: &LogStore, number: u32) -> Result<()> {
    let mut named = BTreeSet::new();
    for number in numbers(folder).await? {
        // Whose manifest is damaged may be told of later; its pieces stay.
        let Ok(manifest) = read_manifest(folder, number).await else { return Ok(()) };
        named.extend([manifest.pages.name, manifest.hashes.name]);
    }
    for (name, ..) in folder.list().await? {
        let is_piece = parse_name(&name).is_some_and(|(of, is_manifest)| !is_manifest && of <= number);
        if is_piece && !named.contains(&name) {
            folder.delete(&name).await?;
        }
    }
    Ok(())
}
