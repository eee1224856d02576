//! How far a worker has applied the log, carried by every answer of it to the coordinator.
//!
//! A worker can have applied nothing that its log does not hold. An answer that says so comes from
//! another history, and must not be passed on.

use tonic::metadata::{MetadataMap, MetadataValue};

use crate::log::Sequence;

/// Header with the position in decimal.
const APPLIED: &str = "mercer-applied";

/// Names the highest position that the answering worker has applied.
pub fn set_applied(metadata: &mut MetadataMap, position: Sequence) {
    metadata.insert(APPLIED, MetadataValue::from(position));
}

/// The highest position that the answering worker has applied; 0 when it does not say.
#[must_use]
pub fn applied(metadata: &MetadataMap) -> Sequence {
    let position = metadata.get(APPLIED).and_then(|value| value.to_str().ok()?.parse().ok());
    position.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_carry_a_position() {
        let mut metadata = MetadataMap::new();
        assert_eq!(applied(&metadata), 0);
        set_applied(&mut metadata, u64::MAX);
        assert_eq!(applied(&metadata), u64::MAX);
    }
}
