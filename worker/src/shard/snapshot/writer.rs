//! Writes a snapshot, slot by slot.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use mercer_common::log::Epoch;
use mercer_proto::internal::{SlotSection, SnapshotBase, SnapshotHeader};
use prost::Message as _;
use zstd::bulk::Compressor;

use super::file::{FORMAT, FRAME_BYTES, HEADER_BYTES, SnapshotError, Stamp, name, sync_folder};
use crate::shard::ShardState;

/// Speed matters more than the last percent: histories compress well at any level.
const COMPRESSION: i32 = 1;

/// Writes a snapshot; nobody sees it before it is whole and durable.
pub(super) struct Writer {
    temporary: PathBuf,
    /// Its tables serve all slots.
    compressor: Compressor<'static>,
    file: BufWriter<File>,
    header: SnapshotHeader,
    bytes: u64,
}

impl Writer {
    /// Starts a snapshot of `state`; the watermark is where the state stands now.
    pub(super) fn start(
        folder: &Path,
        stamp: &Stamp,
        state: &ShardState,
    ) -> Result<Self, SnapshotError> {
        let (shard, watermark) = (state.shard(), state.applied());
        let header = SnapshotHeader {
            format: FORMAT,
            incarnation: stamp.incarnation,
            shard: shard.into(),
            shard_count: stamp.layout.shards().into(),
            watermark,
            slots: u32::try_from(state.slots.len()).expect("at most 4,096"),
            highest: watermark,
            apply_version: state.apply_version,
            ..SnapshotHeader::default()
        };
        let temporary = folder.join(format!("{shard:02}-{watermark}.temporary"));
        let failed = |error| SnapshotError::Io { path: temporary.clone(), error };
        let file = File::create(&temporary).map_err(failed)?;
        let compressor = Compressor::new(COMPRESSION).map_err(failed)?;
        let file = BufWriter::new(file);
        let mut writer = Self { temporary, compressor, file, header, bytes: 0 };
        // Until the header is written, its frame has no valid checksum.
        writer.put(&[0xff; HEADER_BYTES])?;
        let base = SnapshotBase {
            dedup: Some(state.dedup.encode()),
            directory: Some(state.directory.encode()),
            retractions: state.retractions.encode(),
            ledgers_since_ms: state.ledgers_since_ms,
        };
        writer.frame(&base.encode_to_vec())?;
        Ok(writer)
    }

    /// Adds the next slot.
    pub(super) fn slot(&mut self, section: &SlotSection) -> Result<(), SnapshotError> {
        self.header.highest = self.header.highest.max(section.sequence);
        let payload = self.compressor.compress(&section.encode_to_vec());
        let payload = payload.map_err(|error| self.io(error))?;
        self.frame(&payload)
    }

    /// Makes the snapshot durable under its name and returns that with its size. In `epoch` the log
    /// had been read when the last slot was copied.
    pub(super) fn finish(mut self, epoch: Epoch) -> Result<(PathBuf, u64), SnapshotError> {
        self.header.epoch = epoch.to_bytes();
        let mut header = Vec::with_capacity(HEADER_BYTES);
        push_frame(&mut header, &self.header.encode_to_vec()).map_err(|error| self.io(error))?;
        if header.len() > HEADER_BYTES {
            return Err(self.io(io::ErrorKind::FileTooLarge.into()));
        }
        header.resize(HEADER_BYTES, 0);
        let shard = self.header.shard.try_into().expect("the state's shard");
        let path = self.temporary.with_file_name(name(shard, epoch, self.header.watermark));
        let result = (|| {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header)?;
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            fs::rename(&self.temporary, &path)?;
            sync_folder(&path)
        })();
        match result {
            Ok(()) => Ok((path, self.bytes)),
            Err(error) => Err(self.io(error)),
        }
    }

    fn frame(&mut self, payload: &[u8]) -> Result<(), SnapshotError> {
        push_frame(&mut self.file, payload).map_err(|error| self.io(error))?;
        self.bytes += 8 + payload.len() as u64;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.file.write_all(bytes).map_err(|error| self.io(error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn io(&self, error: io::Error) -> SnapshotError {
        SnapshotError::Io { path: self.temporary.clone(), error }
    }
}

impl Drop for Writer {
    /// Leaves nothing behind of a snapshot that was given up or failed: on a full disk each attempt
    /// would take more. A complete one has another name by now.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

fn push_frame(file: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).ok().filter(|&length| length <= FRAME_BYTES);
    let length = length.ok_or(io::ErrorKind::FileTooLarge)?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(&crc32fast::hash(payload).to_le_bytes())?;
    file.write_all(payload)
}
