//! Checks of ids and labels as callers send them.

use crate::{limits, rpc::status::Violation};

/// Collects what is wrong with a request, with the path of every field.
#[derive(Debug, Default)]
pub struct Checker {
    violations: Vec<Violation>,
}

/// The sum over all locations; never the id of one.
pub const EVERYWHERE: &str = "*";
/// The location of what names none.
pub const DEFAULT_LOCATION: &str = "default";
/// Violations reported of one request. Many clients refuse trailers of more than 8 KiB, and what
/// is beyond these would not help anybody.
const REPORTED: usize = 20;

impl Checker {
    /// Notes that `field` is wrong.
    pub fn violation(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.violations.len() < REPORTED {
            self.violations.push(Violation::new(field, description));
        }
    }

    /// Requires an id of 1 to 256 bytes without control characters.
    pub fn id(&mut self, field: impl FnOnce() -> String, id: &str) {
        if id.is_empty() {
            self.violation(field(), "must not be empty");
        } else if id.len() > limits::ID_BYTES {
            let bytes = id.len();
            self.violation(
                field(),
                format!("is {bytes} bytes long; at most {} are allowed", limits::ID_BYTES),
            );
        } else if id.bytes().any(|byte| byte.is_ascii_control()) {
            self.violation(field(), "must not contain control characters");
        }
    }

    /// Requires the id of one location: an id, and not `*`, which stands for all of them.
    pub fn location(&mut self, field: impl FnOnce() -> String, id: &str) {
        if id == EVERYWHERE {
            self.violation(field(), "must name one location; `*` stands for all of them");
        } else {
            self.id(field, id);
        }
    }

    /// Requires at most `limit` bytes.
    pub fn length(&mut self, field: impl FnOnce() -> String, text: &str, limit: usize) {
        if text.len() > limit {
            let bytes = text.len();
            self.violation(field(), format!("is {bytes} bytes long; at most {limit} are allowed"));
        }
    }

    /// Requires at most `limit` entries.
    pub fn count(&mut self, field: impl FnOnce() -> String, count: usize, limit: usize) {
        if count > limit {
            self.violation(field(), format!("has {count} entries; at most {limit} are allowed"));
        }
    }

    /// Whether nothing was wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    /// What was wrong.
    ///
    /// # Errors
    /// When anything was.
    pub fn finish(self) -> Result<(), crate::rpc::status::InvalidRequest> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(crate::rpc::status::InvalidRequest { violations: self.violations })
        }
    }
}
