//! Ranges that the types of the configuration do not express.

use super::{Config, ConfigError, RecommendConfig, Service};
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
        let is_plain = id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
        if !(1..=63).contains(&id.len()) || !is_plain {
            let reason = "must be 1 to 63 letters, digits, `-`, `_` and `.`".into();
            return invalid("worker.id", reason);
        }
        self.artifacts.folder()?;
        self.check_recommend()?;
        self.check_decisions()?;
        self.check_limits()
    }

    /// Checks how recommendations are trained.
    fn check_recommend(&self) -> Result<(), ConfigError> {
        let recommend = &self.recommend;
        let RecommendConfig { similarity, factors, linear, transitions, .. } = recommend;
        let RecommendConfig { content, trends, repurchase, learn, .. } = recommend;
        let days = f64::from(limits::LEAD_TIME_DAYS);
        let (least, most) = (f64::MIN_POSITIVE, 1e9);
        let neighbours = f64::from(limits::NEIGHBOURS);
        let events = learn.events as f64;
        check_ranges(&[
            ("recommend.history_cap", recommend.history_cap.into(), 1.0, 2_000.0),
            ("recommend.top_k", recommend.top_k.into(), 1.0, neighbours),
            ("recommend.half_life_days", recommend.half_life_days, 0.0, f64::MAX),
            ("recommend.similarity.shrinkage", similarity.shrinkage, 0.0, most),
            ("recommend.similarity.alpha", similarity.alpha, 0.01, 10.0),
            ("recommend.similarity.beta", similarity.beta, 0.0, 10.0),
            ("recommend.similarity.asymmetry", similarity.asymmetry, 0.0, 1.0),
            ("recommend.similarity.bm25_k1", similarity.bm25_k1, least, 1_000.0),
            ("recommend.similarity.bm25_b", similarity.bm25_b, 0.0, 1.0),
            (
                "recommend.similarity.user_neighbours",
                similarity.user_neighbours.into(),
                1.0,
                neighbours,
            ),
            ("recommend.factors.dimensions", factors.dimensions.into(), 1.0, 512.0),
            ("recommend.factors.iterations", factors.iterations.into(), 1.0, 100.0),
            ("recommend.factors.unobserved_weight", factors.unobserved_weight, 0.0, most),
            ("recommend.factors.regularization", factors.regularization, 0.0, most),
            ("recommend.factors.frequency_exponent", factors.frequency_exponent, 0.0, 2.0),
            ("recommend.factors.steps", factors.steps.into(), 1.0, 100.0),
            ("recommend.factors.neighbours", factors.neighbours.into(), 1.0, neighbours),
            ("recommend.linear.ease_regularization", linear.ease_regularization, least, most),
            ("recommend.linear.exact_items", linear.exact_items.into(), 0.0, 50_000.0),
            ("recommend.linear.neighbourhood", linear.neighbourhood.into(), 1.0, 2_000.0),
            ("recommend.linear.slim_l1", linear.slim_l1, 0.0, most),
            ("recommend.linear.slim_l2", linear.slim_l2, least, most),
            ("recommend.transitions.decay", transitions.decay, 0.0, 1.0),
            ("recommend.transitions.max_gap", transitions.max_gap.into(), 1.0, 2_000.0),
            ("recommend.transitions.min_support", transitions.min_support.into(), 1.0, most),
            ("recommend.content.min_items", content.min_items.into(), 1.0, most),
            ("recommend.content.max_share", content.max_share, least, 1.0),
            ("recommend.content.attribute_weight", content.attribute_weight, 0.0, 1_000.0),
            ("recommend.content.embedding_weight", content.embedding_weight, 0.0, 1.0),
            ("recommend.trends.fresh_half_life_days", trends.fresh_half_life_days, 0.01, days),
            ("recommend.trends.window_days", trends.window_days, 0.01, days),
            ("recommend.trends.new_days", trends.new_days, 0.01, days),
            ("recommend.repurchase.half_life_days", repurchase.half_life_days, 0.0, most),
            ("recommend.repurchase.horizon_days", repurchase.horizon_days, 0.01, days),
            ("recommend.repurchase.due_exponent", repurchase.due_exponent, 0.0, 100.0),
            ("recommend.learn.users", learn.users.into(), 1.0, 1e6),
            ("recommend.learn.events", events, 1.0, 1e9),
            ("recommend.learn.length", learn.length.into(), 1.0, f64::from(limits::RESULTS)),
            ("recommend.learn.holdout_days", learn.holdout_days, 0.0, days),
        ])?;
        let invalid = |key, reason: &str| Err(ConfigError::Invalid { key, reason: reason.into() });
        if !recommend.weights.by_type().iter().all(|weight| weight.is_finite()) {
            return invalid("recommend.weights", "must be finite");
        }
        if learn.sources.is_empty() {
            return invalid("recommend.learn.sources", "must name at least one algorithm");
        }
        Ok(())
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
        check_ranges(&[
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
            ("inventory.order_cost", inventory.order_cost.unwrap_or_default(), 0.0, 1e9),
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
        ])?;
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
            ("admission.longest_deadline_seconds", admission.longest_deadline_seconds),
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
            ("admission.connections", admission.connections > 0),
            ("admission.concurrency", admission.concurrency > 0),
            ("admission.ingest_streams", admission.ingest_streams > 0),
            ("admission.batch_streams", admission.batch_streams > 0),
        ] {
            if !positive {
                return Err(ConfigError::Invalid { key, reason: "must be at least 1".into() });
            }
        }
        let least = limits::MESSAGE_BYTES;
        for (key, bytes) in [
            ("admission.body_bytes", admission.body_bytes),
            ("admission.ingest_bytes", admission.ingest_bytes),
        ] {
            if bytes < least {
                let reason = format!("must be at least {least}, the bytes of one request");
                return Err(ConfigError::Invalid { key, reason });
            }
        }
        Ok(())
    }
}

/// Checks that every value lies between the two that follow it, both included.
fn check_ranges(ranges: &[(&'static str, f64, f64, f64)]) -> Result<(), ConfigError> {
    for &(key, value, lowest, highest) in ranges {
        if !(lowest..=highest).contains(&value) {
            let reason = format!("{value} is not within {lowest} and {highest}");
            return Err(ConfigError::Invalid { key, reason });
        }
    }
    Ok(())
}
