//! The one table from errors to gRPC: code, stable reason, retry hint, field violations.

use std::{collections::HashMap, time::Duration};

use prost::Message as _;
pub use tonic::Code;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of Mercer's `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "mercer.v1";

/// One thing wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `events[3].item_id`.
    pub field: String,
    /// What is wrong and what would be right.
    pub description: String,
}

impl Violation {
    /// A violation of `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }
}

/// How a caller sees an error.
#[derive(Clone, Debug)]
pub struct Description {
    /// The gRPC code.
    pub code: Code,
    /// Stable name of the cause, in UPPER_SNAKE_CASE.
    pub reason: &'static str,
    /// When to try again; `None` when trying again does not help.
    pub retry_after: Option<Duration>,
    /// Fields at fault.
    pub violations: Vec<Violation>,
    /// Data about the cause, such as the shard.
    pub metadata: Vec<(&'static str, String)>,
}

impl Description {
    /// A description without retry hint, fields or data.
    #[must_use]
    pub const fn new(code: Code, reason: &'static str) -> Self {
        Self { code, reason, retry_after: None, violations: Vec::new(), metadata: Vec::new() }
    }

    /// Adds a retry hint.
    #[must_use]
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Adds data about the cause.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.metadata.push((key, value.to_string()));
        self
    }
}

/// An error that a caller of the API can meet.
pub trait Describe: std::error::Error {
    /// How the caller sees it.
    fn describe(&self) -> Description;

    /// The gRPC status, with `ErrorInfo`, `RetryInfo` and `BadRequest` details.
    fn to_status(&self) -> Status {
        let description = self.describe();
        let metadata: HashMap<String, String> =
            description.metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::new();
        details.set_error_info(description.reason, DOMAIN, metadata);
        if let Some(delay) = description.retry_after {
            details.set_retry_info(Some(delay));
        }
        for violation in description.violations {
            details.add_bad_request_violation(violation.field, violation.description);
        }
        Status::with_error_details(description.code, self.to_string(), details)
    }
}

/// A request that breaks the contract of its RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRequest {
    /// What is wrong, in the order of the fields; never empty.
    pub violations: Vec<Violation>,
}

impl InvalidRequest {
    /// One violation.
    pub fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { violations: vec![Violation::new(field, description)] }
    }
}

impl std::fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.violations.as_slice() {
            [] => write!(f, "invalid request"),
            [first, rest @ ..] => {
                write!(f, "{}: {}", first.field, first.description)?;
                if rest.is_empty() { Ok(()) } else { write!(f, " (and {} more)", rest.len()) }
            }
        }
    }
}

impl std::error::Error for InvalidRequest {}

impl Describe for InvalidRequest {
    fn describe(&self) -> Description {
        let mut description = Description::new(Code::InvalidArgument, "INVALID_REQUEST");
        description.violations.clone_from(&self.violations);
        description
    }
}

/// The `ErrorInfo` reason of a status, if it has one.
#[must_use]
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// What a status says about its cause under `key`, see [`Description::with`].
#[must_use]
pub fn datum(status: &Status, key: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.remove(key)
}

/// When a status says to try again, if it does.
#[must_use]
pub fn retry_after(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

/// The fields at fault that a status names.
#[must_use]
pub fn violations(status: &Status) -> Vec<Violation> {
    let fields = status.get_details_bad_request().map(|found| found.field_violations);
    fields
        .unwrap_or_default()
        .into_iter()
        .map(|found| Violation::new(found.field, found.description))
        .collect()
}

/// A status as a message, for answers within a stream.
#[must_use]
pub fn to_message(status: &Status) -> mercer_proto::google::rpc::Status {
    let details = mercer_proto::google::rpc::Status::decode(status.details())
        .map(|message| message.details)
        .unwrap_or_default();
    let code = i32::from(status.code());
    mercer_proto::google::rpc::Status { code, message: status.message().to_owned(), details }
}

/// The status behind [`to_message`].
#[must_use]
pub fn from_message(message: &mercer_proto::google::rpc::Status) -> Status {
    let code = Code::from(message.code);
    Status::with_details(code, message.message.clone(), message.encode_to_vec().into())
}
