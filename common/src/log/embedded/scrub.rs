//! Reads the segments that are not written any more, slowly and again and again, so that damage is
//! found while there is still another copy, and not when a worker needs them.

use std::{
    io,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use zstd::bulk::Decompressor;

use super::{
    Shared,
    segments::{Sealed, Segment},
};
use crate::log::LogError;

/// Time between two rounds through all segments.
const ROUND: Duration = Duration::from_secs(6 * 60 * 60);

/// The thread that reads; dropping it ends it.
#[derive(Debug)]
pub(super) struct Scrubber {
    stop: Arc<Stop>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits so long; whether the end was asked for.
    fn wait(&self, time: Duration) -> bool {
        let mut asked = self.asked.lock();
        if !*asked {
            self.changed.wait_for(&mut asked, time);
        }
        *asked
    }
}

impl Scrubber {
    /// Starts reading `bytes_a_second`; none when that is 0.
    pub(super) fn start(shared: &Arc<Shared>, bytes_a_second: u64) -> io::Result<Option<Self>> {
        if bytes_a_second == 0 {
            return Ok(None);
        }
        let stop = Arc::new(Stop::default());
        // The log closes when its owner drops it, whatever the thread does then.
        let log = Arc::downgrade(shared);
        let thread = thread::Builder::new().name("log-scrub".into()).spawn({
            let stop = Arc::clone(&stop);
            move || while !round(&log, &stop, bytes_a_second) && !stop.wait(ROUND) {}
        })?;
        Ok(Some(Self { stop, thread: Some(thread) }))
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        *self.stop.asked.lock() = true;
        self.stop.changed.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that reads old segments has panicked");
        }
    }
}

/// Reads all segments once; whether the end was asked for.
fn round(log: &Weak<Shared>, stop: &Stop, bytes_a_second: u64) -> bool {
    let Some(sealed) = log.upgrade().map(|shared| shared.segments.sealed()) else { return true };
    let mut found = Vec::new();
    for segment in sealed {
        match read(log, stop, segment, bytes_a_second) {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => found.push(error),
        }
    }
    if let Some(shared) = log.upgrade() {
        shared.damage.lock().clear();
        for error in found {
            shared.report_damage(&error);
        }
    }
    false
}

/// Reads a segment; whether the end was asked for.
fn read(
    log: &Weak<Shared>,
    stop: &Stop,
    sealed: Sealed,
    bytes_a_second: u64,
) -> Result<bool, LogError> {
    let mut decompressor = Decompressor::new()
        .map_err(|error| LogError::Damaged { sequence: sealed.first, detail: error.to_string() })?;
    let mut segment = None;
    let mut position = sealed.first;
    while position <= sealed.last {
        let Some(shared) = log.upgrade() else { return Ok(true) };
        if shared.segments.trimmed_through() >= sealed.last {
            return Ok(false);
        }
        let open = match segment.take() {
            Some(open) => open,
            None => Segment::open(&*shared.disk, shared.segments.path(sealed.first), sealed.last)?,
        };
        let extent = open.extent(position);
        open.read(extent, &mut decompressor)?;
        position = extent.last + 1;
        segment = Some(open);
        drop(shared);
        let nanoseconds = (extent.end - extent.offset).saturating_mul(1_000_000_000);
        if stop.wait(Duration::from_nanos(nanoseconds / bytes_a_second)) {
            return Ok(true);
        }
    }
    Ok(false)
}
