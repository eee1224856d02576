//! Whole data folders under the real binary: damaged file by file, copied while they are in use,
//! restored in part, on a disk that fills up or fails, and of the release before. A folder either
//! serves everything that was acknowledged in it, or its start is refused by name and changes
//! nothing that is truth.

mod copies;
mod damage;
mod earlier;
mod failing_sync;
mod full;
mod producer;
mod restored;
mod shop;

/// `mercer`, built for these tests.
const BINARY: &str = env!("CARGO_BIN_EXE_mercer-node");

/// Whether everything is to be tried, and not a sample alone.
fn is_slow() -> bool {
    std::env::var_os("MERCER_SLOW_TESTS").is_some()
}
