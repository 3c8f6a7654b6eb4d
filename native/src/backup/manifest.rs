//! What a backup is, and what its pieces are called.

use deltalakedb_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

const FORMAT: u32 = 1;

/// A backup. It is there when its manifest is, which is written last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) number: u32,
    /// Which catalog it is of.
    pub(crate) catalog_id: String,
    /// The backup that it has the other pages from; `None`: it is a full one.
    pub(crate) based_on: Option<u32>,
    /// The hash of that one's database.
    pub(crate) based_on_hash: Option<String>,
    pub(crate) created_at_ms: i64,
    pub(crate) page_size: u32,
    pub(crate) page_count: u32,
    /// Of the whole database file.
    pub(crate) hash: String,
    /// The pages that this backup has.
    pub(crate) pages: Piece,
    /// The hashes of all pages of the database, to find what changes after it.
    pub(crate) hashes: Piece,
    /// Of the manifest, without this field.
    checksum: String,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    pub(crate) hash: String,
}

/// What a database is, by its pages.
pub(crate) struct Image {
    pub(crate) page_size: u32,
    pub(crate) page_count: u32,
    pub(crate) hash: String,
}

impl Manifest {
    pub(crate) fn new(
        number: u32,
        catalog_id: String,
        base: Option<&Manifest>,
        created_at_ms: i64,
        image: Image,
        [pages, hashes]: [Piece; 2],
    ) -> Self {
        let Image { page_size, page_count, hash } = image;
        Manifest {
            format: FORMAT,
            number,
            catalog_id,
            based_on: base.map(|base| base.number),
            based_on_hash: base.map(|base| base.hash.clone()),
            created_at_ms,
            page_size,
            page_count,
            hash,
            pages,
            hashes,
            checksum: String::new(),
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        u64::from(self.page_size) * u64::from(self.page_count)
    }

    pub(crate) fn kind(&self) -> &'static str {
        if self.based_on.is_some() { "incremental" } else { "full" }
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        let internal = |error: serde_json::Error| Error::new(ErrorKind::Internal, error.to_string());
        let sealed = Manifest { checksum: self.checksum()?, ..self.clone() };
        serde_json::to_vec_pretty(&sealed).map_err(internal)
    }

    fn checksum(&self) -> Result<String> {
        let bare = Manifest { checksum: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&bare).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        Ok(hex(XxHash3_128::oneshot(&text)))
    }

    /// Reads the manifest of a backup.
    pub(crate) fn read(number: u32, text: &[u8]) -> Result<Self> {
        let name = manifest_name(number);
        let damaged = |why: String| {
            Error::corrupt(format!("{name} is damaged: {why}")).path(&name).hint("take an earlier backup (--backup)")
        };
        let manifest: Manifest = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(Error::new(ErrorKind::Unsupported, format!("{name} has format {}", manifest.format))
                .hint("a newer release wrote it"));
        }
        let is_base_before = manifest.based_on.is_none_or(|base| base < number);
        let is_page_size = manifest.page_size.is_power_of_two() && (512..=65_536).contains(&manifest.page_size);
        if manifest.checksum != manifest.checksum()? || manifest.number != number || !is_base_before || !is_page_size {
            return Err(damaged("it is not what was written".into()));
        }
        Ok(manifest)
    }
}

pub(crate) fn manifest_name(number: u32) -> String {
    format!("{number:08}.json")
}

/// The number of the backup that a manifest or piece belongs to, and whether it is a manifest.
pub(crate) fn parse_name(name: &str) -> Option<(u32, bool)> {
    let (digits, rest) = name.split_at_checked(8)?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    match rest {
        ".json" => Some((number, true)),
        rest if rest.starts_with('-') && (rest.ends_with(".pages") || rest.ends_with(".hashes")) => {
            Some((number, false))
        }
        _ => None,
    }
}

pub(crate) fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}
