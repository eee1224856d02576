//! Who is in the cluster, who holds which shard, and which version serves.
//!
//! Owns the metadata keys `cluster/*` (but `cluster/apply-version`), `workers/*`, `placement`,
//! `versions/*` and `current`, and keeps a copy of them in memory. Every change is a compare-and-set first and becomes visible
//! here afterwards. Never touches the log. Proven by the `tests` beside each module.

pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod membership;
pub(crate) mod placement;
pub(crate) mod record;
pub(crate) mod versions;
pub(crate) mod worker_versions;
pub(crate) mod workers;
