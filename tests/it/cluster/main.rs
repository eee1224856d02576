//! Whole clusters of processes, from the outside: what callers and operators rely on.

mod backup;
mod blanks;
mod damage;
mod experiments;
mod failures;
mod ids;
mod metadata;
mod methods;
mod restored;
mod secret;
mod shapes;

/// `mercer`, built for these tests.
const BINARY: &str = env!("CARGO_BIN_EXE_mercer-node");
