//! The folder `deploy/`: its units, its compose file and its runbooks are read, and what they say is
//! run: the same commands and probes, as processes, with paths and ports of the test's own. A runbook
//! is followed line by line after the harm that it is for was done.

mod checks;
mod compose;
mod machine;
mod page;
mod runbooks;
mod unit;

use std::path::{Path, PathBuf};

/// `mercer`, built for these tests.
const BINARY: &str = env!("CARGO_BIN_EXE_mercer-node");

/// The folder that is tested.
fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("deploy")
}
