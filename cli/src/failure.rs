//! What a failed command says: what happened, which fields are wrong, what to do next.

use std::{fmt::Write as _, io};

use anyhow::Error;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use mercer_common::{config::ConfigError, escape};

use crate::{
    client::{NoMercer, Unreachable},
    commands::config,
    import::Unresolved,
};

/// The message for stderr, without a trailing newline. Messages quote what others sent or named;
/// each stands on one line, escaped.
pub(crate) fn explain(error: &Error) -> String {
    let mut text = format!("error: {}", escape::text(&causes(error)));
    for line in error.chain().filter_map(|cause| cause.downcast_ref()).flat_map(more_lines) {
        let _ = write!(text, "\n  {}", escape::text(&line));
    }
    let status = error.chain().find_map(|cause| cause.downcast_ref::<Status>());
    if let Some(bad_request) = status.and_then(Status::get_details_bad_request) {
        // A single violation is the message already.
        if bad_request.field_violations.len() > 1 {
            for violation in bad_request.field_violations {
                let line = format!("{}: {}", violation.field, violation.description);
                let _ = write!(text, "\n  {}", escape::text(&line));
            }
        }
    }
    let next = match status {
        Some(status) => next_step(status),
        None if error.chain().any(|cause| cause.is::<Unreachable>()) => Some(
            "Start one with `mercer up --data-dir DIR`, or name another with --endpoint.".into(),
        ),
        None if error.chain().any(|cause| cause.is::<NoMercer>()) => Some(
            "`mercer up` says where it serves; name that address with --endpoint or MERCER_ENDPOINT."
                .into(),
        ),
        None if error.chain().any(is_taken_address) => Some(
            "Another process listens there; choose another address, such as --listen 127.0.0.1:0."
                .into(),
        ),
        None => error
            .chain()
            .find_map(|cause| cause.downcast_ref::<ConfigError>())
            .map(|error| config::advice(error).into()),
    };
    if let Some(next) = next {
        let _ = write!(text, "\n{next}");
    }
    text
}

/// The chain of causes in one line, each said once.
fn causes(error: &Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let message = match cause.downcast_ref::<Status>() {
            Some(status) if status.message().is_empty() => code_name(status.code()).to_owned(),
            Some(status) => status.message().to_owned(),
            None => match cause.downcast_ref::<Unresolved>() {
                Some(unresolved) => unresolved.lines().swap_remove(0),
                None => cause.to_string(),
            },
        };
        if !text.contains(&message) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&message);
        }
        if cause.is::<Status>() {
            break;
        }
    }
    text
}

/// What is said of the columns of a file below the first line.
fn more_lines(unresolved: &Unresolved) -> Vec<String> {
    unresolved.lines().split_off(1)
}

fn next_step(status: &Status) -> Option<String> {
    if let Some(info) = status.get_details_error_info()
        && matches!(info.reason.as_str(), "NOT_TRAINED" | "ALGORITHM_NOT_TRAINED")
    {
        if status.message().contains("mercer train") {
            return None;
        }
        let named = info.metadata.get("algorithm").or(info.metadata.get("kind"));
        let kind = named.map_or("all", String::as_str);
        return Some(format!("Train it: `mercer train {} --wait`.", escape::text(kind)));
    }
    let refused = status.get_details_bad_request();
    let refused = refused.iter().flat_map(|request| &request.field_violations);
    if refused.into_iter().any(|violation| violation.field.starts_with("tokens")) {
        return Some("Tokens are what answers with `--output json` have under `token`.".into());
    }
    if status.get_details_error_info().is_some_and(|info| info.reason == "LOG_OPENING") {
        return Some("It answers by itself when that is done.".into());
    }
    if let Some(delay) = status.get_details_retry_info().and_then(|info| info.retry_delay) {
        return Some(format!(
            "Try again in {:.1} s; `mercer status` shows the cluster.",
            delay.as_secs_f64()
        ));
    }
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded => {
            Some("`mercer status` shows which worker is missing or behind.".into())
        }
        Code::Unimplemented => {
            Some("The server does not know this call; is it another version of Mercer?".into())
        }
        _ => None,
    }
}

fn is_taken_address(cause: &(dyn std::error::Error + 'static)) -> bool {
    let error = cause.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

fn code_name(code: Code) -> &'static str {
    code.description()
}

#[cfg(test)]
mod tests {
    use mercer_common::rpc::status::{Describe as _, InvalidRequest, Violation};

    use super::*;

    #[test]
    fn lists_field_violations() {
        let invalid = InvalidRequest {
            violations: vec![Violation::new("n", "is 5000"), Violation::new("user_id", "is empty")],
        };
        let error = Error::from(invalid.to_status()).context("recommending");
        assert_eq!(
            explain(&error),
            "error: recommending: n: is 5000 (and 1 more)\n  n: is 5000\n  user_id: is empty"
        );
    }

    #[test]
    fn what_is_said_of_columns_has_lines_and_names_stay_on_theirs() {
        let columns = vec!["a".to_owned(), "two\nlines".to_owned()];
        let what = "f.csv has no column `x`".to_owned();
        let error = Error::from(Unresolved::NoColumn { what, columns }).context("reading");
        let expected = "error: reading: f.csv has no column `x`\n  it has: a, two\\u{a}lines";
        assert_eq!(explain(&error), expected);
    }

    #[test]
    fn never_prints_the_debug_form_of_a_status() {
        let text = explain(&Error::from(Status::unavailable("shard 3 is not served")));
        assert!(text.starts_with("error: shard 3 is not served\n"), "{text}");
        assert!(!text.contains("metadata"), "{text}");
    }
}
