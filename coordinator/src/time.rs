//! Times as the API says them.

use mercer_common::{clock::SharedClock, time::EventTime};
use prost_types::Timestamp;

/// The present.
pub(crate) fn now(clock: &SharedClock) -> Timestamp {
    let now = clock.now();
    Timestamp { seconds: now.as_second(), nanos: now.subsec_nanosecond() }
}

/// Milliseconds since 1970.
pub(crate) fn timestamp_ms(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1_000) * 1_000_000).expect("below 10^9");
    Timestamp { seconds: ms.div_euclid(1_000), nanos }
}

/// Seconds since 1990.
pub(crate) fn event_time(seconds: u32) -> Timestamp {
    Timestamp { seconds: EventTime(seconds).unix_seconds(), nanos: 0 }
}
