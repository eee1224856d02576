//! Runs training tasks: artifacts in, artifacts out.
