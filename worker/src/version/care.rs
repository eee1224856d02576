//! Looks after the versions of a worker while it runs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::OpenVersions;

/// Read again in one go.
const STEP: u64 = 1 << 20;
/// Time between two looks for damaged versions that are due.
const MEND_EVERY: Duration = Duration::from_secs(1);
/// However little is to be read in a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// Reads what versions serve from again, `bytes_per_second`, and opens damaged versions when
/// their files are sound, until `stop`.
pub(crate) async fn care(
    versions: Arc<OpenVersions>,
    bytes_per_second: u64,
    stop: CancellationToken,
) {
    let mut scrubs = interval(pause(bytes_per_second));
    let mut mends = interval(MEND_EVERY);
    for ticks in [&mut scrubs, &mut mends] {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        let versions = Arc::clone(&versions);
        let work = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = mends.tick() => tokio::task::spawn_blocking(move || versions.mend(Instant::now())),
            _ = scrubs.tick(), if bytes_per_second > 0 => {
                tokio::task::spawn_blocking(move || versions.scrub(STEP))
            }
        };
        // A version that is large takes long to open; a worker that stops does not wait for it.
        tokio::select! {
            () = stop.cancelled() => return,
            outcome = work => if let Err(error) = outcome {
                tracing::error!(%error, "looking after versions panicked");
            }
        }
    }
}

/// Between two steps.
fn pause(bytes_per_second: u64) -> Duration {
    let seconds = STEP as f64 / bytes_per_second.max(1) as f64;
    Duration::from_secs_f64(seconds).clamp(Duration::from_millis(1), LONGEST_PAUSE)
}
