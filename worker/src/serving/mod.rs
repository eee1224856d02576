//! Answers queries from the live state and the published version.
