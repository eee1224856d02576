//! Who owns the folder of a log, and which log it is.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::Path,
};

use uuid::Uuid;

use super::OpenError;

const FILE: &str = "identity";
const LOCK: &str = "lock";
const MAGIC: &[u8; 8] = b"MERCERLG";
const FORMAT: u32 = 1;
const LENGTH: usize = 8 + 4 + 8 + 4;

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

/// The number of the log in `folder`. A folder without one gets one, unless it holds data.
pub(super) fn incarnation(folder: &Path, has_data: bool) -> Result<u64, OpenError> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => decode(&bytes).ok_or_else(|| OpenError::Damaged {
            folder: folder.to_owned(),
            detail: format!("`{FILE}` cannot be read"),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !has_data => {
            let (incarnation, _) = Uuid::new_v4().as_u64_pair();
            write(folder, &encode(incarnation)).map_err(OpenError::io(&path))?;
            Ok(incarnation)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::Damaged {
            folder: folder.to_owned(),
            detail: format!("`{FILE}` is missing although there are segments"),
        }),
        Err(error) => Err(OpenError::io(&path)(error)),
    }
}

fn encode(incarnation: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(incarnation.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<u64> {
    let incarnation = u64::from_le_bytes(bytes.get(12..20)?.try_into().ok()?);
    (encode(incarnation) == bytes).then_some(incarnation)
}

fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{FILE}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(FILE))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_does_not_change() {
        let bytes = encode(0x0123_4567_89ab_cdef);
        assert_eq!(
            bytes,
            [
                b"MERCERLG".as_slice(),
                &[1, 0, 0, 0],
                &[0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01],
                &[0x0e, 0xdb, 0xee, 0x03],
            ]
            .concat()
        );
        assert_eq!(decode(&bytes), Some(0x0123_4567_89ab_cdef));
        assert_eq!(decode(&bytes[1..]), None);
    }
}
