//! Joins compared with plain loops.
