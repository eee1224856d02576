//! Changes that keep what their records leave out, and what they clear nevertheless.

use std::collections::BTreeMap;

use mercer_common::{
    clearing::{Described, attribute},
    ids::Checker,
    limits,
};
use mercer_proto::v1::{Clearing, SupplyTerms};
use prost_types::FieldMask;

use super::{Ingest, IngestError, KEEPING_SINCE};

/// What becomes of the fields that the records of one call leave out.
pub(super) struct Keeping {
    /// They keep what is known, but for what is cleared.
    pub(super) keep_absent: bool,
    /// Entry and paths of each record that clears, by index of the record.
    clears: BTreeMap<usize, (usize, Vec<String>)>,
}

impl Ingest {
    /// Reads what a call of this many records says.
    ///
    /// # Errors
    /// When workers would not know what is meant. What is wrong with the call is told to `checker`.
    pub(super) fn keeping(
        &self,
        checker: &mut Checker,
        described: Described,
        keep_absent: bool,
        clears: Vec<Clearing>,
        records: usize,
    ) -> Result<Keeping, IngestError> {
        if keep_absent {
            self.needs_version(KEEPING_SINCE, "`keep_absent`")?;
        } else if !clears.is_empty() {
            checker.violation(
                "clears",
                "only with `keep_absent`; without it, fields that are left out are cleared as it is",
            );
        }
        let mut next = 0;
        let mut read = BTreeMap::new();
        for (entry, Clearing { index, paths }) in clears.into_iter().enumerate() {
            let index = index as usize;
            let field = || format!("clears[{entry}].index");
            if index >= records {
                checker.violation(field(), format!("is {index}; the call has {records} records"));
            } else if index < next {
                let last = next - 1;
                let problem = format!(
                    "is {index}, after {last}; entries are in ascending order, one for each record"
                );
                checker.violation(field(), problem);
            }
            next = next.max(index.saturating_add(1));
            check_paths(checker, described, entry, &paths);
            read.insert(index, (entry, paths));
        }
        Ok(Keeping { keep_absent, clears: read })
    }
}

impl Keeping {
    /// What is cleared of the record at `index`; `sets` tells whether it sets what is at a path.
    pub(super) fn clears(
        &mut self,
        checker: &mut Checker,
        index: usize,
        sets: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let Some((entry, mut paths)) = self.clears.remove(&index) else { return Vec::new() };
        for (number, path) in paths.iter().enumerate().filter(|(_, path)| sets(path)) {
            let problem =
                format!("`{path:.64}` is set in record {index}, too; leave out one of the two");
            checker.violation(format!("clears[{entry}].paths[{number}]"), problem);
        }
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// A mask says what is replaced, and `keep_absent` that what is given is.
    pub(super) fn excludes(&self, checker: &mut Checker, mask: Option<&FieldMask>) {
        if self.keep_absent && mask.is_some() {
            checker.violation(
                "update_mask",
                "must not come with `keep_absent`; leave out one of them",
            );
        }
    }
}

fn check_paths(checker: &mut Checker, described: Described, entry: usize, paths: &[String]) {
    let field = || format!("clears[{entry}].paths");
    if paths.is_empty() {
        checker.violation(field(), "must not be empty");
    }
    checker.count(field, paths.len(), limits::CLEARED_FIELDS);
    for (number, path) in paths.iter().enumerate().take(limits::CLEARED_FIELDS) {
        if !described.can_clear(path) {
            let possible: Vec<&str> = described.clearable().collect();
            let problem =
                format!("`{path:.64}` cannot be cleared; there are {}", possible.join(", "));
            checker.violation(format!("clears[{entry}].paths[{number}]"), problem);
        }
    }
}

/// Whether attributes hold one at `path`; one without a value says nothing.
pub(super) fn sets_attribute(attributes: &BTreeMap<String, String>, path: &str) -> bool {
    let says = |value: &String| !value.is_empty();
    match attribute(path) {
        Some(name) => attributes.get(name).is_some_and(says),
        None => path == "attributes" && attributes.values().any(says),
    }
}

/// Whether terms set what is at `path`.
pub(super) fn sets_terms(terms: Option<&SupplyTerms>, path: &str) -> bool {
    let Some(terms) = terms else { return false };
    match path {
        "terms" => *terms != SupplyTerms::default(),
        "terms.lead_time_days" => terms.lead_time_days.is_some(),
        "terms.lead_time_deviation_days" => terms.lead_time_deviation_days.is_some(),
        "terms.review_period_days" => terms.review_period_days.is_some(),
        "terms.order_cost" => terms.order_cost.is_some(),
        "terms.holding_rate" => terms.holding_rate.is_some(),
        "terms.minimum_order_quantity" => terms.minimum_order_quantity.is_some(),
        "terms.pack_size" => terms.pack_size.is_some(),
        "terms.maximum_cover_days" => terms.maximum_cover_days.is_some(),
        "terms.service" => terms.service.is_some(),
        _ => false,
    }
}
