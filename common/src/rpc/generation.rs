//! A worker's generation, carried by every call between it and the coordinator.
//!
//! Every registration gives a worker a higher one, which outlives restarts of the coordinator.
//! Both sides refuse calls of another generation, so that a process that was replaced, or whose
//! shards were assigned anew, serves nothing.

use thiserror::Error;
use tonic::{
    Code, Request,
    metadata::{Ascii, MetadataMap, MetadataValue},
};

use super::status::{Describe, Description};

/// Header with the generation in decimal.
pub const GENERATION: &str = "mercer-generation";
/// Header with the id of the calling worker.
pub const WORKER: &str = "mercer-worker";
/// Reason of [`StaleGeneration`].
pub const STALE_GENERATION: &str = "STALE_GENERATION";

/// A call of another generation.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the call is of generation {found:?}, but this is {own}; register again")]
pub struct StaleGeneration {
    /// As called; `None` when the header is missing.
    pub found: Option<u64>,
    /// Generation that is served.
    pub own: u64,
}

impl Describe for StaleGeneration {
    fn describe(&self) -> Description {
        Description::new(Code::FailedPrecondition, STALE_GENERATION).with("generation", self.own)
    }
}

/// Names the generation in an outgoing request.
pub fn set_generation<T>(request: &mut Request<T>, generation: u64) {
    request.metadata_mut().insert(GENERATION, MetadataValue::from(generation));
}

/// Names the calling worker in an outgoing request.
///
/// # Errors
/// When the id has other characters than visible ASCII.
pub fn set_worker<T>(
    request: &mut Request<T>,
    worker_id: &str,
) -> Result<(), tonic::metadata::errors::InvalidMetadataValue> {
    let value: MetadataValue<Ascii> = worker_id.parse()?;
    request.metadata_mut().insert(WORKER, value);
    Ok(())
}

/// The generation that a call names.
#[must_use]
pub fn generation(metadata: &MetadataMap) -> Option<u64> {
    metadata.get(GENERATION)?.to_str().ok()?.parse().ok()
}

/// The worker that a call names.
#[must_use]
pub fn worker(metadata: &MetadataMap) -> Option<&str> {
    metadata.get(WORKER)?.to_str().ok()
}

/// Refuses a call of another generation than `own`.
///
/// # Errors
/// [`StaleGeneration`].
pub fn check_generation(metadata: &MetadataMap, own: u64) -> Result<(), StaleGeneration> {
    let found = generation(metadata);
    if found == Some(own) { Ok(()) } else { Err(StaleGeneration { found, own }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_generation_is_refused() {
        let mut request = Request::new(());
        assert_eq!(
            check_generation(request.metadata(), 7),
            Err(StaleGeneration { found: None, own: 7 })
        );
        set_generation(&mut request, 7);
        set_worker(&mut request, "worker-1").expect("ASCII");
        assert_eq!(check_generation(request.metadata(), 7), Ok(()));
        assert_eq!(worker(request.metadata()), Some("worker-1"));
        let stale = check_generation(request.metadata(), 8).expect_err("stale");
        assert_eq!(
            super::super::status::reason(&stale.to_status()).as_deref(),
            Some(STALE_GENERATION)
        );
        assert!(set_worker(&mut request, "a\nb").is_err());
    }
}
