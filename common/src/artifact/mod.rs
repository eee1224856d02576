//! Artifacts: immutable, checksummed files that training writes and serving maps.
