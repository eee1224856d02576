//! Which rows of a call the server refused.

use std::collections::BTreeMap;

use mercer_common::rpc::status::reason;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Whether a refusal is about what was sent, and not about the connection or the cluster.
pub(super) fn is_about_rows(status: &Status) -> bool {
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange => true,
        Code::ResourceExhausted => reason(status).as_deref() == Some("BOUND_REACHED"),
        _ => false,
    }
}

/// The records that are named, with field and problem: `events[3].item_id` is the fourth.
pub(super) fn named(status: &Status, records: usize) -> BTreeMap<usize, (String, String)> {
    let mut named = BTreeMap::new();
    let Some(request) = status.get_details_bad_request() else { return named };
    for violation in request.field_violations {
        let Some((_, rest)) = violation.field.split_once('[') else { continue };
        let Some((index, field)) = rest.split_once(']') else { continue };
        let Some(index) = index.parse().ok().filter(|&index: &usize| index < records) else {
            continue;
        };
        let field = field.trim_start_matches('.').to_owned();
        named.entry(index).or_insert((field, violation.description));
    }
    named
}

#[cfg(test)]
mod tests {
    use mercer_common::rpc::status::{Describe as _, InvalidRequest, Violation};

    use super::*;

    #[test]
    fn records_are_found_by_the_path_of_the_field() {
        let violations = vec![
            Violation::new("stock[1].on_hand", "is wrong"),
            Violation::new("stock[1].as_of", "is wrong, too"),
            Violation::new("stock[30].on_hand", "is beyond"),
            Violation::new("stock", "is too much"),
        ];
        let status = InvalidRequest { violations }.to_status();
        let found = named(&status, 3);
        assert_eq!(found, [(1, ("on_hand".to_owned(), "is wrong".to_owned()))].into());
        assert!(is_about_rows(&status) && !is_about_rows(&Status::unavailable("away")));
        assert!(!is_about_rows(&Status::internal("broken")));
    }
}
