//! Ranges that the types of the configuration do not express.

use super::{Config, ConfigError, Service};
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
        self.check_decisions()?;
        self.check_limits()
    }

    /// Checks what decisions fall back to.
    fn check_decisions(&self) -> Result<(), ConfigError> {
        let Self { demand, price, inventory, .. } = self;
        let (service, level) = match inventory.service {
            Service::Cycle(level) => ("inventory.service.cycle", level),
            Service::FillRate(level) => ("inventory.service.fill-rate", level),
        };
        let days = f64::from(limits::LEAD_TIME_DAYS);
        let horizon = f64::from(limits::HORIZON_DAYS);
        let most = f64::MAX;
        let ranges = [
            ("demand.lateness_days", demand.lateness_days.into(), 0.0, 365.0),
            ("demand.min_sale_days", demand.min_sale_days.into(), 1.0, days),
            ("demand.min_history_days", demand.min_history_days.into(), 1.0, days),
            ("demand.min_history_sales", demand.min_history_sales.into(), 1.0, days),
            ("demand.horizon_days", demand.horizon_days.into(), 7.0, horizon),
            ("price.largest_change", price.largest_change, 0.0, 10.0),
            ("price.extrapolation", price.extrapolation, 0.0, 10.0),
            ("price.competitor_max_age_days", price.competitor_max_age_days, 0.0, days),
            ("price.min_weeks", price.min_weeks.into(), 8.0, days),
            ("price.poisson_zero_share", price.poisson_zero_share, 0.0, 1.0),
            ("price.prior_elasticity", price.prior_elasticity, -8.0, -0.1),
            ("price.prior_deviation", price.prior_deviation, 0.01, 10.0),
            ("inventory.lead_time_days", inventory.lead_time_days, 0.0, days),
            ("inventory.lead_time_deviation_days", inventory.lead_time_deviation_days, 0.0, days),
            ("inventory.review_period_days", inventory.review_period_days, 0.0, horizon),
            ("inventory.order_cost", inventory.order_cost, 0.0, 1e9),
            ("inventory.holding_rate", inventory.holding_rate, f64::MIN_POSITIVE, 10.0),
            (
                "inventory.minimum_order_quantity",
                inventory.minimum_order_quantity,
                f64::MIN_POSITIVE,
                most,
            ),
            ("inventory.pack_size", inventory.pack_size, f64::MIN_POSITIVE, most),
            ("inventory.maximum_cover_days", inventory.maximum_cover_days, 1.0, most),
            (service, level, 0.01, 0.9999),
        ];
        for (key, value, lowest, highest) in ranges {
            if !(lowest..=highest).contains(&value) {
                let reason = format!("{value} is not within {lowest} and {highest}");
                return Err(ConfigError::Invalid { key, reason });
            }
        }
        if demand.methods.is_empty() {
            let reason = "must name at least one method".into();
            return Err(ConfigError::Invalid { key: "demand.methods", reason });
        }
        Ok(())
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
            ("admission.batch_streams", admission.batch_streams > 0),
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
