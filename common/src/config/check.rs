//! Ranges that the types of the configuration do not express.

use super::{Config, ConfigError};
use crate::limits;

/// Longest duration that can be configured: a day.
const LONGEST_SECONDS: f64 = 86_400.0;

impl Config {
    /// Checks ranges that the types do not express.
    ///
    /// # Errors
    /// The first value out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let invalid = |key, reason: String| Err(ConfigError::Invalid { key, reason });
        let cluster = &self.cluster;
        if !(1..=limits::SHARDS).contains(&cluster.shards) {
            return invalid(
                "cluster.shards",
                format!("{} is not 1 to {}", cluster.shards, limits::SHARDS),
            );
        }
        if !(1..=cluster.shards).contains(&cluster.workers) {
            let reason =
                format!("{} is not 1 to cluster.shards = {}", cluster.workers, cluster.shards);
            return invalid("cluster.workers", reason);
        }
        if cluster.currency.len() != 3 || !cluster.currency.bytes().all(|b| b.is_ascii_uppercase())
        {
            return invalid(
                "cluster.currency",
                format!("`{}` is not an ISO 4217 code", cluster.currency),
            );
        }
        if let Err(error) = jiff::tz::TimeZone::get(&cluster.time_zone) {
            return invalid("cluster.time_zone", error.to_string());
        }
        let id = self.worker.id.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        if !(1..=63).contains(&id.len()) || !id.iter().all(is_plain) {
            let reason = "must be 1 to 63 letters, digits, `-`, `_` and `.`".into();
            return invalid("worker.id", reason);
        }
        self.artifacts.folder()?;
        let recommend = &self.recommend;
        if !(1..=2_000).contains(&recommend.history_cap) {
            return invalid(
                "recommend.history_cap",
                format!("{} is not 1 to 2,000", recommend.history_cap),
            );
        }
        if !(1..=1_000).contains(&recommend.top_k) {
            return invalid("recommend.top_k", format!("{} is not 1 to 1,000", recommend.top_k));
        }
        if !(recommend.half_life_days >= 0.0 && recommend.half_life_days.is_finite()) {
            return invalid("recommend.half_life_days", "must be 0 or above".into());
        }
        if !recommend.weights.by_type().iter().all(|weight| weight.is_finite()) {
            return invalid("recommend.weights", "must be finite".into());
        }
        self.check_limits()
    }

    /// Checks durations and counts.
    fn check_limits(&self) -> Result<(), ConfigError> {
        let (admission, training) = (&self.admission, &self.training);
        for (key, seconds) in [
            ("coordinator.worker_timeout_seconds", self.coordinator.worker_timeout_seconds),
            ("worker.snapshot_seconds", self.worker.snapshot_seconds),
            ("admission.default_deadline_seconds", admission.default_deadline_seconds),
        ] {
            if !(seconds > 0.0 && seconds <= LONGEST_SECONDS) {
                let reason = format!("{seconds} is not above 0 and at most {LONGEST_SECONDS}");
                return Err(ConfigError::Invalid { key, reason });
            }
        }
        for (key, positive) in [
            ("worker.snapshot_records", self.worker.snapshot_records > 0),
            ("training.keep_versions", training.keep_versions > 0),
            ("training.task_attempts", training.task_attempts > 0),
            ("admission.concurrency", admission.concurrency > 0),
            ("admission.ingest_streams", admission.ingest_streams > 0),
            ("admission.ingest_bytes", admission.ingest_bytes >= limits::MESSAGE_BYTES),
        ] {
            if !positive {
                let least = if key == "admission.ingest_bytes" { limits::MESSAGE_BYTES } else { 1 };
                let reason = format!("must be at least {least}");
                return Err(ConfigError::Invalid { key, reason });
            }
        }
        Ok(())
    }
}
