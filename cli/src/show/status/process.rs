//! What is wrong with a process and where it writes, in words.

use jiff::{SignedDuration, Timestamp};
use mercer_proto::v1::ProcessDescription;
use serde::Serialize;

use crate::show::output::{self, time};

/// A coordinator or worker.
#[derive(Debug, Serialize)]
pub(super) struct Process {
    folder: String,
    free_bytes: u64,
    floor_bytes: u64,
    set_aside_count: u64,
    set_aside_bytes: u64,
    oldest_set_aside: Option<String>,
    #[serde(skip)]
    oldest_seconds: i64,
    wall_clock_step_ms: i64,
}

impl Process {
    pub(super) fn new(process: ProcessDescription) -> Self {
        let oldest = process.oldest_set_aside_time.as_ref();
        Self {
            oldest_set_aside: oldest.map(time),
            oldest_seconds: oldest.map_or(0, |oldest| oldest.seconds),
            folder: process.folder,
            free_bytes: process.free_bytes,
            floor_bytes: process.floor_bytes,
            set_aside_count: process.set_aside_count,
            set_aside_bytes: process.set_aside_bytes,
            wall_clock_step_ms: process.wall_clock_step_ms,
        }
    }

    /// What is free, if the file system tells.
    pub(super) fn free(&self) -> String {
        if self.folder.is_empty() { String::new() } else { output::bytes(self.free_bytes) }
    }

    /// What an operator should do something about, a line each. `refused` is what it does not do
    /// while it is low on space.
    pub(super) fn complaints(&self, refused: &str, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        if self.free_bytes < self.floor_bytes {
            lines.push(format!(
                "low on space, {refused}: {} are free in {}, and {} must stay free",
                output::bytes(self.free_bytes),
                self.folder,
                output::bytes(self.floor_bytes),
            ));
        }
        if self.set_aside_count > 0 {
            let what = match self.set_aside_count {
                1 => "1 file or folder was".to_owned(),
                count => format!("{} files or folders were", output::count(count)),
            };
            let age =
                now.duration_since(Timestamp::from_second(self.oldest_seconds).unwrap_or(now));
            lines.push(format!(
                "{what} set aside, {}, the first {} ago; remove *.set-aside when nobody misses anything",
                output::bytes(self.set_aside_bytes),
                rough(age),
            ));
        }
        let step = SignedDuration::from_millis(self.wall_clock_step_ms);
        if !step.is_zero() {
            let direction = if step.is_positive() { "ahead" } else { "back" };
            let size = rough(step.abs());
            lines
                .push(format!("the wall clock was set {direction} by {size} since it was started"));
        }
        lines
    }
}

/// A duration in the largest unit that it has one of.
fn rough(duration: SignedDuration) -> String {
    let minutes = duration.as_mins();
    let (number, unit) = match minutes {
        ..=0 => return "less than a minute".to_owned(),
        1..60 => (minutes, "minute"),
        60..1_440 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_and_nothing_else() {
        let now = Timestamp::from_second(1_700_000_000).expect("in range");
        let well = ProcessDescription {
            folder: "/data".into(),
            free_bytes: 2 << 30,
            floor_bytes: 1 << 30,
            ..Default::default()
        };
        assert_eq!(Process::new(well.clone()).complaints("no jobs", now), [""; 0]);
        let bad = ProcessDescription {
            free_bytes: 12 << 20,
            set_aside_count: 3,
            set_aside_bytes: 1_536,
            oldest_set_aside_time: Some(prost_types::Timestamp {
                seconds: 1_700_000_000 - 4 * 86_400 - 5,
                nanos: 0,
            }),
            wall_clock_step_ms: -2 * 3_600_000,
            ..well
        };
        assert_eq!(
            Process::new(bad).complaints("no jobs", now),
            [
                "low on space, no jobs: 12.0 MiB are free in /data, and 1.0 GiB must stay free",
                "3 files or folders were set aside, 1.5 KiB, the first 4 days ago; remove *.set-aside when nobody misses anything",
                "the wall clock was set back by 2 hours since it was started",
            ]
        );
    }

    #[test]
    fn durations_are_rough() {
        let shown = [-5, 59, 60, 3_599, 3_600, 86_400, 400_000]
            .map(|seconds| rough(SignedDuration::from_secs(seconds)));
        let minutes = ["less than a minute", "less than a minute", "1 minute", "59 minutes"];
        assert_eq!(shown[..4], minutes);
        assert_eq!(shown[4..], ["1 hour", "1 day", "4 days"]);
    }
}
