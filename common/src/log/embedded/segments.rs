//! The segments of a log: one is written, the older ones are only read.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{OpenError, segment::Segment};
use crate::log::Sequence;

/// Old segments kept open for readers that lag behind.
const OPEN_SEALED: usize = 2;
const TRIMMED: &str = "trimmed";

/// All segments, by position.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    state: Mutex<State>,
    /// Sealed segments that are open, the last used last. Held while one is being opened.
    open: Mutex<Vec<Arc<Segment>>>,
}

#[derive(Debug)]
struct State {
    sealed: Vec<Sealed>,
    active: Arc<Segment>,
}

#[derive(Clone, Copy, Debug)]
struct Sealed {
    first: Sequence,
    bytes: u64,
}

impl Segments {
    /// Opens the segments in `folder`, or creates the first.
    pub(super) fn open(folder: PathBuf) -> Result<Self, OpenError> {
        fs::create_dir_all(&folder).map_err(OpenError::io(&folder))?;
        let mut firsts = Vec::new();
        for entry in fs::read_dir(&folder).map_err(OpenError::io(&folder))? {
            let path = entry.map_err(OpenError::io(&folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(TRIMMED) || !Segment::is_created(&path) {
                // What a crash left of a removal, or of a creation that nothing relied on.
                fs::remove_dir_all(&path).map_err(OpenError::io(&path))?;
            } else if let Ok(first) = name.parse() {
                firsts.push(first);
            } else {
                let detail = format!("`{name}` is not a segment of a log; move it elsewhere");
                return Err(OpenError::Damaged { folder, detail });
            }
        }
        firsts.sort_unstable();
        let active = match firsts.pop() {
            None => Segment::create(path(&folder, 1), 1)?,
            Some(first) => Segment::open(path(&folder, first), first)?,
        };
        let sealed = firsts
            .into_iter()
            .map(|first| Sealed { first, bytes: file_bytes(&path(&folder, first)) })
            .collect();
        let state = Mutex::new(State { sealed, active: Arc::new(active) });
        Ok(Self { folder, state, open: Mutex::default() })
    }

    /// The segment that is written.
    pub(super) fn active(&self) -> Arc<Segment> {
        Arc::clone(&self.state.lock().active)
    }

    /// Begins a new segment at `first`; the active one is sealed.
    pub(super) fn rotate(&self, first: Sequence) -> Result<Arc<Segment>, OpenError> {
        let next = Arc::new(Segment::create(path(&self.folder, first), first)?);
        let mut state = self.state.lock();
        let sealed = std::mem::replace(&mut state.active, Arc::clone(&next));
        state.sealed.push(Sealed { first: sealed.first(), bytes: sealed.bytes() });
        Ok(next)
    }

    /// The segment that holds `position`, opened if necessary: this can take some 100 ms.
    /// `None` when it has been trimmed.
    pub(super) fn holding(&self, position: Sequence) -> Result<Option<Arc<Segment>>, OpenError> {
        let first = {
            let state = self.state.lock();
            if position >= state.active.first() {
                return Ok(Some(Arc::clone(&state.active)));
            }
            let following = state.sealed.partition_point(|sealed| sealed.first <= position);
            let Some(index) = following.checked_sub(1) else { return Ok(None) };
            state.sealed[index].first
        };
        let mut open = self.open.lock();
        if let Some(index) = open.iter().position(|segment| segment.first() == first) {
            let segment = open.remove(index);
            open.push(Arc::clone(&segment));
            return Ok(Some(segment));
        }
        if open.len() == OPEN_SEALED {
            open.remove(0);
        }
        let segment = match Segment::open(path(&self.folder, first), first) {
            Ok(segment) => Arc::new(segment),
            Err(_) if self.trimmed_through() >= first => return Ok(None),
            Err(error) => return Err(error),
        };
        open.push(Arc::clone(&segment));
        Ok(Some(segment))
    }

    /// Closes the old segment that ends at `last`, if one does: its reader moves on.
    pub(super) fn close_at_end(&self, last: Sequence) {
        let ended = {
            let state = self.state.lock();
            let following = state.sealed.iter().skip(1).map(|sealed| sealed.first);
            let mut following = following.chain([state.active.first()]);
            following
                .position(|first| first == last + 1)
                .and_then(|at| state.sealed.get(at).copied())
        };
        if let Some(ended) = ended {
            self.close(ended.first);
        }
    }

    fn close(&self, first: Sequence) {
        self.open.lock().retain(|segment| segment.first() != first);
    }

    /// Removes the segments that hold nothing after `through`, but never the active one.
    /// Returns the last position that is gone.
    pub(super) fn trim(&self, through: Sequence) -> Result<Sequence, OpenError> {
        loop {
            let first = {
                let mut state = self.state.lock();
                let Some(oldest) = state.sealed.first().copied() else { break };
                let next = state.sealed.get(1).map_or(state.active.first(), |sealed| sealed.first);
                if next > through.saturating_add(1) {
                    break;
                }
                state.sealed.remove(0);
                oldest.first
            };
            self.close(first);
            let (path, trimmed) =
                (path(&self.folder, first), self.folder.join(format!("{first:020}.{TRIMMED}")));
            fs::rename(&path, &trimmed).map_err(OpenError::io(&path))?;
            fs::remove_dir_all(&trimmed).map_err(OpenError::io(&trimmed))?;
        }
        Ok(self.trimmed_through())
    }

    /// The last position that is gone.
    pub(super) fn trimmed_through(&self) -> Sequence {
        let state = self.state.lock();
        state.sealed.first().map_or(state.active.first(), |sealed| sealed.first) - 1
    }

    /// Bytes of all data files.
    pub(super) fn bytes(&self) -> u64 {
        let state = self.state.lock();
        state.sealed.iter().map(|sealed| sealed.bytes).sum::<u64>() + state.active.bytes()
    }
}

fn path(folder: &Path, first: Sequence) -> PathBuf {
    folder.join(format!("{first:020}"))
}

fn file_bytes(segment: &Path) -> u64 {
    fs::metadata(segment.join("db")).map_or(0, |metadata| metadata.len())
}
