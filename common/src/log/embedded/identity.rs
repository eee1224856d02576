//! Who owns the folder of a log, and which log it is.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::Path,
};

use uuid::Uuid;

use super::OpenError;
use crate::log::{Founding, LogIdentity};

const FILE: &str = "identity";
const LOCK: &str = "lock";
const MAGIC: &[u8; 8] = b"MERCERLG";
const FORMAT: u32 = 2;
/// Without the founding.
const BEFORE: u32 = 1;

/// Locks the folder against other processes; the lock lasts as long as the file is open.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(OpenError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path)(error)),
    }
}

/// What is known of a log before it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFolder {
    /// There is no log.
    Absent,
    /// A log of before its founding was stored with it.
    Unfounded {
        /// Identifies it.
        incarnation: u64,
    },
    /// A log, and how its records were split and hashed.
    Founded(LogIdentity),
}

/// Reads which log is in `folder` and changes nothing.
pub(super) fn look(folder: &Path) -> Result<LogFolder, OpenError> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => {
            let (incarnation, founding) = decode(&bytes).ok_or_else(|| unreadable(folder))?;
            Ok(match founding {
                None => LogFolder::Unfounded { incarnation },
                Some(founding) => {
                    let ancestors = Vec::new();
                    LogFolder::Founded(LogIdentity { incarnation, founding, ancestors })
                }
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if folder.join("segments").exists() {
                Err(missing(folder))
            } else {
                Ok(LogFolder::Absent)
            }
        }
        Err(error) => Err(OpenError::io(&path)(error)),
    }
}

/// The log in `folder`. A folder without one gets one of this founding, unless it holds data; a log of
/// before is given it.
pub(super) fn establish(
    folder: &Path,
    founding: &Founding,
    has_data: bool,
) -> Result<LogIdentity, OpenError> {
    let path = folder.join(FILE);
    let (incarnation, stored) = match fs::read(&path) {
        Ok(bytes) => decode(&bytes).ok_or_else(|| unreadable(folder))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !has_data => {
            (Uuid::new_v4().as_u64_pair().0, None)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing(folder)),
        Err(error) => return Err(OpenError::io(&path)(error)),
    };
    let founding = match stored {
        Some(stored) => stored,
        None => {
            let bytes = encode(incarnation, founding);
            write(folder, FILE, &bytes).map_err(OpenError::io(&path))?;
            founding.clone()
        }
    };
    Ok(LogIdentity { incarnation, founding, ancestors: Vec::new() })
}

fn unreadable(folder: &Path) -> OpenError {
    OpenError::Damaged { folder: folder.to_owned(), detail: format!("`{FILE}` cannot be read") }
}

fn missing(folder: &Path) -> OpenError {
    OpenError::Damaged {
        folder: folder.to_owned(),
        detail: format!("`{FILE}` is missing although there are segments"),
    }
}

fn encode(incarnation: u64, founding: &Founding) -> Vec<u8> {
    let Founding { shards, currency, time_zone, item_visit_key, user_visit_key } = founding;
    let mut bytes = Vec::new();
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(incarnation.to_le_bytes());
    bytes.extend(shards.to_le_bytes());
    bytes.extend(item_visit_key.to_le_bytes());
    bytes.extend(user_visit_key.to_le_bytes());
    for text in [currency, time_zone] {
        bytes.extend(u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u64, Option<Founding>)> {
    let (content, checksum) = bytes.split_last_chunk()?;
    if crc32fast::hash(content).to_le_bytes() != *checksum {
        return None;
    }
    let mut content = content.strip_prefix(MAGIC)?;
    let format = u32::from_le_bytes(*take(&mut content)?);
    let incarnation = u64::from_le_bytes(*take(&mut content)?);
    if format == BEFORE && content.is_empty() {
        return Some((incarnation, None));
    }
    let mut founding = Founding {
        shards: u16::from_le_bytes(*take(&mut content)?),
        item_visit_key: u64::from_le_bytes(*take(&mut content)?),
        user_visit_key: u64::from_le_bytes(*take(&mut content)?),
        currency: String::new(),
        time_zone: String::new(),
    };
    for text in [&mut founding.currency, &mut founding.time_zone] {
        let length = u16::from_le_bytes(*take(&mut content)?);
        let (stored, rest) = content.split_at_checked(length.into())?;
        *text = String::from_utf8(stored.to_owned()).ok()?;
        content = rest;
    }
    (format == FORMAT && content.is_empty()).then_some((incarnation, Some(founding)))
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_does_not_change() {
        let before = [
            b"MERCERLG".as_slice(),
            &[1, 0, 0, 0],
            &[0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01],
            &[0x0e, 0xdb, 0xee, 0x03],
        ]
        .concat();
        assert_eq!(decode(&before), Some((0x0123_4567_89ab_cdef, None)));
        assert_eq!(decode(&before[1..]), None);
        let founding = Founding::new(7, "EUR", "Europe/Berlin");
        let bytes = encode(5, &founding);
        assert_eq!(decode(&bytes), Some((5, Some(founding))));
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
    }
}
