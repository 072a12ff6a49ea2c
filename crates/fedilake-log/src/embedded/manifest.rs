//! Manifests: the small file in which fjall lists the tables of a keyspace.
//!
//! fjall keeps a checksum beside each manifest, but does not check it: a flipped bit becomes a missing table, or a
//! list of four billion tables. So the checksum is checked here, before fjall opens the store.
//!
//! ```text
//! keyspaces/N/current   number of the manifest (u64), its xxh3 (u128), 0 (u8); little-endian
//! keyspaces/N/vNUMBER   the manifest
//! ```
//!
//! This is fjall's disk format 3. A keyspace is created with both files, and a store is in place only when all are
//! there.

use std::fs;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::fault::from_io;
use crate::LogError;

/// Checks the manifests of all keyspaces in the store at `store`.
pub(super) fn check(store: &Path) -> Result<(), LogError> {
    let keyspaces = store.join("keyspaces");
    for entry in fs::read_dir(&keyspaces).map_err(|error| from_io("open", &keyspaces, error))? {
        let path = entry.map_err(|error| from_io("open", &keyspaces, error))?.path();
        if path.is_dir() {
            check_keyspace(&path)?;
        }
    }
    Ok(())
}

fn check_keyspace(keyspace: &Path) -> Result<(), LogError> {
    let current_path = keyspace.join("current");
    let current = fs::read(&current_path).map_err(|error| from_io("open", &current_path, error))?;
    let Some((number, checksum)) = decode(&current) else {
        return Err(damaged(&current_path, "it does not name a manifest"));
    };
    let path = keyspace.join(format!("v{number}"));
    let manifest = fs::read(&path).map_err(|error| from_io("open", &path, error))?;
    if xxh3_128(&manifest) == checksum { Ok(()) } else { Err(damaged(&path, "its checksum does not hold")) }
}

fn decode(current: &[u8]) -> Option<(u64, u128)> {
    let (number, rest) = current.split_first_chunk()?;
    let (checksum, _) = rest.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), u128::from_le_bytes(*checksum)))
}

fn damaged(path: &Path, why: &str) -> LogError {
    LogError::Damaged { at: path.display().to_string(), why: why.to_owned() }
}
