//! What an operator should know of a process, coordinator or worker: how much space it has, what it
//! had to set aside, and whether somebody set the clock under it.

use std::{path::PathBuf, time::Duration};

use mercer_proto::v1::ProcessDescription;
use prost_types::Timestamp;

use crate::{
    clock::{SharedClock, WallClockWatch},
    set_aside::SetAside,
    space::{Floor, Measured},
};

/// Smaller steps of the wall clock are not shown.
const STEP: Duration = Duration::from_secs(60 * 60);

/// Memory of this process that is not swapped out, with what of mapped files lies in memory; `None` where
/// the system does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = resident.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1_024)
}

/// Looks at a process from within.
#[derive(Debug)]
pub struct Process {
    floors: Vec<Floor>,
    set_aside: Vec<PathBuf>,
    wall_clock: WallClockWatch,
}

impl Process {
    /// A process that writes where `floors` hold and sets things aside in these folders.
    #[must_use]
    pub fn new(clock: SharedClock, floors: Vec<Floor>, set_aside: Vec<PathBuf>) -> Self {
        Self { floors, set_aside, wall_clock: WallClockWatch::new(clock) }
    }

    /// How it is now. Blocks on the disk.
    #[must_use]
    pub fn describe(&self) -> ProcessDescription {
        let mut set_aside = SetAside::default();
        for folder in &self.set_aside {
            set_aside += SetAside::in_folder(folder);
        }
        let (folder, free_bytes, floor_bytes) = match self.least_space() {
            Some((floor, Measured { free_bytes, floor_bytes, .. })) => {
                (floor.folder().display().to_string(), free_bytes, floor_bytes)
            }
            None => (String::new(), 0, 0),
        };
        let step_ms = self.wall_clock.step_ms();
        let is_step = u128::from(step_ms.unsigned_abs()) > STEP.as_millis();
        ProcessDescription {
            folder,
            free_bytes,
            floor_bytes,
            set_aside_count: set_aside.count,
            set_aside_bytes: set_aside.bytes,
            oldest_set_aside_time: set_aside
                .oldest_seconds
                .map(|seconds| Timestamp { seconds, nanos: 0 }),
            wall_clock_step_ms: if is_step { step_ms } else { 0 },
        }
    }

    /// The folder whose file system has the least space. Of several folders on one, whose space changes
    /// from one look to the next, it is the one with the greatest floor, the first of equal ones.
    fn least_space(&self) -> Option<(&Floor, Measured)> {
        let mut least: Option<(&Floor, Measured)> = None;
        for floor in &self.floors {
            let Some(measured) = floor.measure() else { continue };
            let is_less = match &least {
                None => true,
                Some((_, least)) if least.device == measured.device => {
                    measured.floor_bytes > least.floor_bytes
                }
                Some((_, least)) => measured.free_bytes < least.free_bytes,
            };
            if is_less {
                least = Some((floor, measured));
            }
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::{
            Arc,
            atomic::{AtomicI64, Ordering},
        },
    };

    use super::*;
    use crate::{clock::Clock, config::FreeBytesFloor};

    /// An hour after it began, a wall clock that somebody has set.
    #[derive(Default)]
    struct SetClock {
        uptime_ms: AtomicI64,
        set_ms: AtomicI64,
    }

    impl Clock for SetClock {
        fn now(&self) -> jiff::Timestamp {
            let passed = self.uptime_ms.load(Ordering::SeqCst);
            let now_ms = 1_700_000_000_000 + passed + self.set_ms.load(Ordering::SeqCst);
            jiff::Timestamp::from_millisecond(now_ms).expect("in range")
        }

        fn uptime(&self) -> Duration {
            let passed = self.uptime_ms.load(Ordering::SeqCst);
            Duration::from_millis(passed.try_into().expect("positive"))
        }
    }

    #[test]
    fn tells_of_a_clock_that_was_set_by_more_than_an_hour() {
        const HOUR: i64 = 3_600_000;
        let clock = Arc::new(SetClock::default());
        let process = Process::new(Arc::clone(&clock) as _, Vec::new(), Vec::new());
        // Time that passes is no step.
        clock.uptime_ms.store(100 * HOUR, Ordering::SeqCst);
        for (set_ms, told_ms) in
            [(0, 0), (HOUR, 0), (-HOUR, 0), (HOUR + 1, HOUR + 1), (-48 * HOUR, -48 * HOUR), (2, 0)]
        {
            clock.set_ms.store(set_ms, Ordering::SeqCst);
            assert_eq!(process.describe().wall_clock_step_ms, told_ms);
        }
    }

    #[test]
    fn tells_what_is_free_and_what_was_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let shards = folder.path().join("shards");
        fs::create_dir(&shards).expect("created");
        fs::write(shards.join("00.snapshot.set-aside"), [0; 5]).expect("written");
        fs::write(folder.path().join("store.set-aside"), [0; 7]).expect("written");
        let floor = Floor::new("worker.x", folder.path(), FreeBytesFloor::Bytes(9));
        let folders = vec![folder.path().to_owned(), shards];
        let process = Process::new(Arc::new(SetClock::default()), vec![floor], folders);
        let told = process.describe();
        assert_eq!((told.set_aside_count, told.set_aside_bytes), (2, 12));
        assert!(told.oldest_set_aside_time.is_some_and(|time| time.seconds > 0));
        assert_eq!(
            (told.floor_bytes, told.folder.as_str()),
            (9, folder.path().to_str().expect("text"))
        );
        assert!(told.free_bytes > 0);
    }

    #[test]
    fn of_folders_on_one_disk_the_greatest_floor_decides() {
        let folder = tempfile::tempdir().expect("a folder");
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        for (floors, expected) in [((9, 9), &first), ((9, 10), &second), ((10, 9), &first)] {
            let floors = [(&first, floors.0), (&second, floors.1)].map(|(folder, bytes)| {
                Floor::new("worker.x", folder, FreeBytesFloor::Bytes(bytes))
            });
            let process = Process::new(Arc::new(SetClock::default()), floors.to_vec(), Vec::new());
            assert_eq!(process.describe().folder, expected.display().to_string());
        }
    }
}
