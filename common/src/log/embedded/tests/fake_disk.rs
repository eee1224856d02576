//! A file system in memory that fails when it is told to, and on a power cut loses, tears and
//! reorders what was not synced: of a file's content page by page, of a folder name by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    clock::SystemClock,
    log::embedded::{
        EmbeddedLog, EmbeddedLogOptions, OpenError,
        disk::{Disk, DiskFile, Listed},
    },
    space::Space,
};

/// Where the log is on it.
pub(super) const FOLDER: &str = "/shop/log";
const PAGE: usize = 4 << 10;

/// splitmix64.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// A kind of operation that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Create,
    Write,
    Sync,
    Allocate,
    Rename,
    SyncFolder,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    content: Vec<u8>,
    /// What a power cut leaves for certain.
    durable: Vec<u8>,
    /// Pages written since the last sync.
    dirty: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    /// Names as a power cut leaves them for certain.
    durable_names: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    /// Operations that fail, and with what.
    failing: BTreeMap<Operation, ErrorKind>,
    /// Operations until the power is cut; none afterwards.
    operations_left: Option<u64>,
    /// A failed sync loses what was dirty, as Linux does: memory keeps it and calls it clean.
    off: bool,
    /// A file that takes no writes.
    refusing: Option<(usize, ErrorKind)>,
    /// Bytes of all files that have a name, at most.
    capacity: Option<u64>,
}

/// The file system.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct FakeFile {
    state: Arc<Mutex<State>>,
    inode: usize,
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl State {
    /// Counts an operation that changes something; an error when it is to fail.
    fn change(&mut self, operation: Operation) -> io::Result<()> {
        if let Some(left) = &mut self.operations_left {
            if *left == 0 {
                self.off = true;
            }
            *left = left.saturating_sub(1);
        }
        if self.off {
            return Err(off());
        }
        match self.failing.get(&operation) {
            Some(kind) => Err((*kind).into()),
            None => Ok(()),
        }
    }

    /// Bytes that can still be written.
    fn free(&self) -> u64 {
        let Some(capacity) = self.capacity else { return u64::MAX };
        let used = self.names.values().map(|inode| self.inodes[*inode].content.len() as u64);
        capacity.saturating_sub(used.sum())
    }

    /// The length that a file gets that should have `end` bytes; shorter when the disk is full.
    fn grown(&self, inode: usize, end: usize) -> (usize, io::Result<()>) {
        let length = self.inodes[inode].content.len();
        let more = end.saturating_sub(length);
        match usize::try_from(self.free()) {
            Ok(free) if free < more => (length + free, Err(ErrorKind::StorageFull.into())),
            Ok(_) | Err(_) => (end.max(length), Ok(())),
        }
    }
}

impl FakeDisk {
    /// Cuts the power after so many changing operations.
    pub(super) fn cut_after(&self, operations: u64) {
        self.state.lock().operations_left = Some(operations);
    }

    /// Whether the power has been cut.
    pub(super) fn is_off(&self) -> bool {
        self.state.lock().off
    }

    /// Makes operations of a kind fail from now on.
    pub(super) fn fail(&self, operation: Operation, kind: ErrorKind) {
        self.state.lock().failing.insert(operation, kind);
    }

    /// Lets all files have so many bytes together.
    pub(super) fn limit(&self, capacity: u64) {
        self.state.lock().capacity = Some(capacity);
    }

    /// Bytes of all files.
    pub(super) fn used(&self) -> u64 {
        self.files().values().map(|content| content.len() as u64).sum()
    }

    /// Makes writes to one file fail from now on.
    pub(super) fn refuse(&self, path: &Path, kind: ErrorKind) {
        let mut state = self.state.lock();
        state.refusing = state.names.get(path).map(|inode| (*inode, kind));
    }

    /// Makes nothing fail any more.
    pub(super) fn heal(&self) {
        let mut state = self.state.lock();
        state.failing.clear();
        state.refusing = None;
    }

    /// The disk as it is when the power is back.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Self {
        let state = self.state.lock();
        let mut names = state.durable_names.clone();
        let changed: BTreeSet<&PathBuf> = state
            .names
            .keys()
            .chain(state.durable_names.keys())
            .filter(|path| state.names.get(*path) != state.durable_names.get(*path))
            .collect();
        for path in changed {
            if random.below(2) == 0 {
                match state.names.get(path) {
                    Some(inode) => names.insert(path.clone(), *inode),
                    None => names.remove(path),
                };
            }
        }
        let inodes = state.inodes.iter().map(|inode| torn(inode, random)).collect();
        let folders = state.folders.clone();
        let state =
            State { inodes, durable_names: names.clone(), names, folders, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The content of all files.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state.lock();
        let mut files = BTreeMap::new();
        for (path, inode) in &state.names {
            files.insert(path.clone(), state.inodes[*inode].content.clone());
        }
        files
    }

    fn open_file(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.state.lock().names.get(path).copied();
        let inode = inode.ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(FakeFile { state: Arc::clone(&self.state), inode }))
    }
}

/// Some of the pages that were not synced, and the length of before or after.
fn torn(inode: &Inode, random: &mut Random) -> Inode {
    let mut content = inode.durable.clone();
    for page in &inode.dirty {
        let begin = page * PAGE;
        let end = (begin + PAGE).min(inode.content.len());
        if begin >= end || random.below(2) == 0 {
            continue;
        }
        // A page may be written in part: devices write sectors.
        let sectors = (end - begin).div_ceil(512) as u64;
        let written = match random.below(3) {
            0 => begin + (random.below(sectors + 1) as usize * 512).min(end - begin),
            _ => end,
        };
        if content.len() < written {
            content.resize(written, 0);
        }
        content[begin..written].copy_from_slice(&inode.content[begin..written]);
    }
    if inode.content.len() != inode.durable.len() && random.below(2) == 0 {
        content.resize(inode.content.len(), 0);
    }
    Inode { durable: content.clone(), content, dirty: BTreeSet::new() }
}

impl Disk for FakeDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let state = self.state.lock();
        if !state.folders.contains(folder) {
            return Err(ErrorKind::NotFound.into());
        }
        let within = state.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        let listed = within.map(|(path, inode)| Listed {
            name: path.file_name().expect("a name").to_string_lossy().into_owned(),
            is_file: true,
            bytes: state.inodes[*inode].content.len() as u64,
        });
        Ok(listed.collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open_file(path)
    }

    fn open_writable(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open_file(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        {
            let mut state = self.state.lock();
            state.change(Operation::Create)?;
            let inode = state.inodes.len();
            state.inodes.push(Inode::default());
            state.names.insert(path.to_owned(), inode);
        }
        self.open_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(Operation::Rename)?;
        let inode = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(Operation::Rename)?;
        state.names.remove(path).map(|_| ()).ok_or(ErrorKind::NotFound.into())
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(Operation::Create)?;
        state.folders.insert(folder.to_owned());
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(Operation::SyncFolder)?;
        let State { names, durable_names, .. } = &mut *state;
        durable_names.retain(|path, _| path.parent() != Some(folder));
        let within = names.iter().filter(|(path, _)| path.parent() == Some(folder));
        durable_names.extend(within.map(|(path, inode)| (path.clone(), *inode)));
        Ok(())
    }

    fn space(&self, _folder: &Path) -> io::Result<Space> {
        let state = self.state.lock();
        let total_bytes = state.capacity.unwrap_or(u64::MAX);
        Ok(Space { free_bytes: state.free(), total_bytes, device: 0 })
    }
}

impl DiskFile for FakeFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state.lock().inodes[self.inode].content.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.state.lock();
        if state.off {
            return Err(off());
        }
        let content = &state.inodes[self.inode].content;
        let begin = usize::try_from(offset).expect("small").min(content.len());
        let end = (begin + buffer.len()).min(content.len());
        buffer[..end - begin].copy_from_slice(&content[begin..end]);
        Ok(end - begin)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut outcome = state.change(Operation::Write);
        if let Some((inode, kind)) = state.refusing
            && inode == self.inode
        {
            return Err(kind.into());
        }
        let begin = usize::try_from(offset).expect("small");
        // A write that fails may have written the beginning.
        let mut written = if outcome.is_ok() { bytes.len() } else { bytes.len() / 2 };
        let (length, grown) = state.grown(self.inode, begin + written);
        written = written.min(length.saturating_sub(begin));
        outcome = outcome.and(grown);
        if written == 0 {
            return outcome;
        }
        let inode = &mut state.inodes[self.inode];
        let end = begin + written;
        if inode.content.len() < end {
            inode.content.resize(end, 0);
        }
        inode.content[begin..end].copy_from_slice(&bytes[..written]);
        inode.dirty.extend(begin / PAGE..end.div_ceil(PAGE));
        outcome
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let outcome = state.change(Operation::Sync);
        let was_off = state.off;
        let inode = &mut state.inodes[self.inode];
        if outcome.is_ok() {
            inode.durable = inode.content.clone();
        }
        if !was_off {
            // After a failure, too: the system calls the pages clean and forgets the error.
            inode.dirty.clear();
        }
        outcome
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(Operation::Allocate)?;
        let length = usize::try_from(length).expect("small");
        let (length, outcome) = state.grown(self.inode, length);
        let inode = &mut state.inodes[self.inode];
        inode.content.resize(length.max(inode.content.len()), 0);
        outcome
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(Operation::Write)?;
        let length = usize::try_from(length).expect("small");
        let inode = &mut state.inodes[self.inode];
        inode.content.truncate(length);
        inode.dirty.retain(|page| page * PAGE < length);
        Ok(())
    }

    fn forget_cached(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let inode = &mut state.inodes[self.inode];
        // What is clean is read from the device; what is dirty stays.
        if inode.dirty.is_empty() {
            inode.content = inode.durable.clone();
        }
        Ok(())
    }
}

/// Opens the log on a disk.
pub(super) fn open_on(
    disk: &FakeDisk,
    options: EmbeddedLogOptions,
) -> Result<EmbeddedLog, OpenError> {
    let (disk, clock) = (Arc::new(disk.clone()), Arc::new(SystemClock));
    EmbeddedLog::open_on(disk, clock, Path::new(FOLDER), &super::founding(), options, None)
}
