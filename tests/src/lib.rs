//! What Mercer's system tests share: clusters of processes to kill, folders to damage, seeded workloads,
//! and what a cluster must have applied.

pub mod answers;
pub mod applied;
pub mod catalogue;
pub mod decisions;
pub mod folder;
pub mod processes;
pub mod random;
pub mod reference;
pub mod sales;
pub mod single;
pub mod small_disk;
pub mod workload;

/// Whether the long form of a test follows in the same run, as it does in CI: the short one would tell
/// nothing more.
#[must_use]
pub fn long_form_follows() -> bool {
    let is_set = |name| std::env::var_os(name).is_some();
    is_set("LONG_TESTS_FOLLOW") && !is_set("MERCER_SLOW_TESTS")
}
