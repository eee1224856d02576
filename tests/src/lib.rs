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
