//! A sled database of results: how blocks get into it, and whether they are all there.
//!
//! sled drops what it cannot read when it opens, without a word. So a shard that is complete says
//! how many blocks it has, between which keys, and a digest of them, and all of it is read when
//! the database is opened.

use std::{
    collections::BTreeMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::Duration,
};

use mercer_common::slot::{ShardId, Subject, slot};
use xxhash_rust::xxh3::Xxh3;

use super::ResultsError;
use crate::{
    artifact::Records,
    store::{block, is_locked},
};

const FORMAT: u8 = 2;
const CACHE_BYTES: u64 = 16 << 20;
/// Bytes from which a block is stored.
const BLOCK: usize = 16 << 10;
const SHARD: u8 = 0xff;
/// How often, and how long apart, the lock is tried: sled releases it a moment after closing.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_DELAY: Duration = Duration::from_millis(20);

/// A database, and of the shards that are complete the artifact each came from.
pub(super) type Loaded = (sled::Db, BTreeMap<ShardId, String>);

/// What a complete shard consists of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Complete {
    blocks: u32,
    /// The sum of the digests of all blocks.
    digest: u128,
    first: Vec<u8>,
    last: Vec<u8>,
    /// The artifact that it was loaded from.
    path: String,
}

/// Opens a database, waiting for an earlier owner in this process to let go of it, and reads it.
/// The inner error says why it must be built again.
pub(super) fn open(folder: &Path) -> Result<Result<Loaded, String>, ResultsError> {
    let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    for _ in 0..LOCK_ATTEMPTS {
        // sled panics on some kinds of damage.
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Err(_) => return Ok(Err("it cannot be recovered".into())),
            Ok(Ok(db)) => {
                let checked = catch_unwind(AssertUnwindSafe(|| complete_shards(&db)));
                return Ok(match checked {
                    Ok(loaded) => loaded.map(|loaded| (db, loaded)),
                    Err(_) => {
                        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
                        Err("it cannot be read".into())
                    }
                });
            }
            Ok(Err(error)) if is_locked(&error) => thread::sleep(LOCK_DELAY),
            Ok(Err(error)) => return Ok(Err(error.to_string())),
        }
    }
    let source = io::Error::new(io::ErrorKind::WouldBlock, "it is in use by another process");
    Err(ResultsError::Io { action: "open", path: folder.to_owned(), source })
}

/// The shards that are complete, all of whose blocks were read. Blocks that belong to none of them go:
/// a load that was interrupted left them, and may have been one of other results.
fn complete_shards(db: &sled::Db) -> Result<BTreeMap<ShardId, String>, String> {
    let mut shards = BTreeMap::new();
    let mut extents = Vec::new();
    for entry in db.scan_prefix([SHARD]) {
        let (key, value) = entry.map_err(|error| error.to_string())?;
        let shard = key[1..].try_into().map(ShardId::from_be_bytes);
        let (Ok(shard), Some(complete)) = (shard, Complete::decode(&value)) else {
            return Err(of_another_format(&value));
        };
        complete.check(db, shard)?;
        if complete.blocks > 0 {
            extents.push(complete.first..=complete.last);
        }
        shards.insert(shard, complete.path);
    }
    for key in db.range(..[SHARD]).keys() {
        let key = key.map_err(|error| error.to_string())?;
        let is_stray = !extents.iter().any(|extent| extent.contains(&key.to_vec()));
        if is_stray {
            db.remove(key).map_err(|error| error.to_string())?;
        }
    }
    Ok(shards)
}

fn of_another_format(value: &[u8]) -> String {
    match value.first() {
        Some(format) if *format > FORMAT => format!(
            "a newer release wrote it: it has format {format}, and {FORMAT} is the newest that is known here"
        ),
        _ => "it has another format".into(),
    }
}

/// Stores the records of a shard, durably.
pub(super) fn load(
    db: &sled::Db,
    shard: ShardId,
    records: &Records,
    path: &str,
) -> Result<(), sled::Error> {
    let mut complete = Complete { path: path.to_owned(), ..Complete::default() };
    let mut block = Vec::with_capacity(2 * BLOCK);
    let mut first = None;
    for index in 0..records.len() {
        let id = records.id(index);
        first.get_or_insert_with(|| key(id));
        block::push(&mut block, id, records.bytes(index));
        if block.len() >= BLOCK || index + 1 == records.len() {
            let key = first.take().expect("set with the first record of the block");
            complete.add(&key, &block);
            db.insert(key, block.as_slice())?;
            block.clear();
        }
    }
    // Blocks reach the file before the word that they are complete.
    db.flush()?;
    db.insert(shard_key(shard), complete.encode())?;
    db.flush()?;
    Ok(())
}

impl Complete {
    /// Adds the next block.
    fn add(&mut self, key: &[u8], block: &[u8]) {
        if self.blocks == 0 {
            self.first = key.to_owned();
        }
        self.last = key.to_owned();
        self.blocks += 1;
        self.digest = self.digest.wrapping_add(digest(key, block));
    }

    /// Reads all blocks.
    fn check(&self, db: &sled::Db, shard: ShardId) -> Result<(), String> {
        let mut found = Self { path: self.path.clone(), ..Self::default() };
        if self.blocks > 0 {
            for entry in db.range(self.first.as_slice()..=self.last.as_slice()) {
                let (key, block) = entry.map_err(|error| error.to_string())?;
                found.add(&key, &block);
            }
        }
        if found == *self {
            return Ok(());
        }
        Err(format!(
            "of shard {shard} it has {} of {} blocks as written",
            found.blocks, self.blocks
        ))
    }

    /// Format 2 as one byte, number of blocks (u32), digest (u128), the first and the last key
    /// (length as u16, then bytes), path of the artifact. Numbers are little endian.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.blocks.to_le_bytes());
        bytes.extend(self.digest.to_le_bytes());
        for key in [&self.first, &self.last] {
            let length = u16::try_from(key.len()).expect("ids have at most 256 bytes");
            bytes.extend(length.to_le_bytes());
            bytes.extend(key);
        }
        bytes.extend(self.path.as_bytes());
        bytes
    }

    /// Inverse of [`Self::encode`]; `None` for any other format, format 1 included, which said
    /// nothing of the blocks.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(&[FORMAT])?;
        let (blocks, bytes) = bytes.split_first_chunk()?;
        let (digest, mut bytes) = bytes.split_first_chunk()?;
        let mut keys = [Vec::new(), Vec::new()];
        for key in &mut keys {
            let (length, rest) = bytes.split_first_chunk()?;
            let (found, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
            *key = found.to_owned();
            bytes = rest;
        }
        let [first, last] = keys;
        Some(Self {
            blocks: u32::from_le_bytes(*blocks),
            digest: u128::from_le_bytes(*digest),
            first,
            last,
            path: std::str::from_utf8(bytes).ok()?.to_owned(),
        })
    }
}

fn digest(key: &[u8], block: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(block);
    hasher.digest128()
}

/// Where the block that begins with an item is.
pub(super) fn key(id: &str) -> Vec<u8> {
    [&slot(Subject::Item, id).to_be_bytes(), id.as_bytes()].concat()
}

fn shard_key(shard: ShardId) -> Vec<u8> {
    [&[SHARD], shard.to_be_bytes().as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_does_not_change() {
        let complete =
            Complete { blocks: 258, digest: 3, first: vec![4, 5], last: vec![6], path: "p".into() };
        let digest = [&[3][..], &[0; 15]].concat();
        let golden = [&[2, 2, 1, 0, 0][..], &digest, &[2, 0, 4, 5], &[1, 0, 6], b"p"].concat();
        assert_eq!(complete.encode(), golden);
        assert_eq!(Complete::decode(&golden), Some(complete));
        assert_eq!(Complete::decode(b"\x01a path"), None);
        assert_eq!(Complete::decode(&golden[..24]), None);
    }
}
