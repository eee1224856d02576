//! Rules for recommendations, which stand in every shard.

use std::collections::HashSet;

use jiff::Timestamp;
use mercer_common::{ids::Checker, limits};
use mercer_proto::{
    internal::mutation,
    v1::{MutationResponse, RecommendRule, SetRulesRequest, recommend_rule::Action},
};
use prost::Message as _;

use super::{
    Ingest, IngestError,
    mutation::{Destination, Mutations},
};
use crate::validate::{above, filter, within};

/// The most that a rule may raise the score that an included item stands above.
const INCLUDE: f64 = 1e6;
/// The most that a boost may raise a score, as a share of its magnitude.
const BOOST: f64 = 10.0;

impl Ingest {
    pub(crate) async fn set_rules(
        &self,
        mut request: SetRulesRequest,
    ) -> Result<MutationResponse, IngestError> {
        let bytes = request.encoded_len();
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        let SetRulesRequest { rules, removed_rule_ids: removed, .. } = request;
        if rules.is_empty() && removed.is_empty() {
            checker.violation("rules", "must not be empty unless removed_rule_ids are set");
        }
        checker.count(|| "rules".into(), rules.len(), limits::RECOMMEND_RULES.records);
        if bytes > limits::RECOMMEND_RULES.bytes {
            let limit = limits::RECOMMEND_RULES.bytes;
            checker.violation("rules", format!("take {bytes} bytes; at most {limit} are kept"));
        }
        checker.count(|| "removed_rule_ids".into(), removed.len(), limits::RECOMMEND_RULES.records);
        let mut mutations = Mutations::new();
        let mut ids = HashSet::new();
        for (index, rule_id) in
            removed.into_iter().enumerate().take(limits::RECOMMEND_RULES.records)
        {
            checker.known_id(|| format!("removed_rule_ids[{index}]"), &rule_id);
            ids.insert(rule_id.clone());
            // First, so that they leave room for the others.
            let kind = mutation::Kind::RemoveRecommendRule(rule_id);
            mutations.push((Destination::Everywhere, kind));
        }
        for (index, rule) in rules.into_iter().enumerate().take(limits::RECOMMEND_RULES.records) {
            let path = format!("rules[{index}]");
            check_rule(&mut checker, &path, &rule, &self.context.currency);
            if !ids.insert(rule.rule_id.clone()) {
                checker.violation(format!("{path}.rule_id"), "must stand in the call once");
            }
            let kind = mutation::Kind::SetRecommendRule(rule);
            mutations.push((Destination::Everywhere, kind));
        }
        self.mutate(checker, origin, mutations, bytes).await
    }
}

fn check_rule(checker: &mut Checker, path: &str, rule: &RecommendRule, currency: &str) {
    let field = |name: &str| format!("{path}.{name}");
    checker.id(|| field("rule_id"), &rule.rule_id);
    match rule.action {
        Some(Action::Exclude(true)) => {}
        Some(Action::Exclude(false)) => {
            checker.violation(field("exclude"), "must be true when it is set");
        }
        Some(Action::Include(strength)) => {
            above(checker, || field("include"), Some(strength), INCLUDE);
        }
        Some(Action::Boost(share)) => {
            within(checker, || field("boost"), Some(share), -1.0..=BOOST);
        }
        None => checker.violation(path, "must exclude, include or boost"),
    }
    if rule.filter.is_none() {
        checker.violation(field("filter"), "must have a condition");
    }
    filter(checker, &field("filter"), rule.filter.as_ref(), currency);
    let mut time = |name, time: Option<prost_types::Timestamp>| {
        let time = time?;
        let instant = Timestamp::new(time.seconds, time.nanos).ok().filter(|_| time.nanos >= 0);
        if instant.is_none() {
            checker.violation(field(name), "is no time");
        }
        instant
    };
    let (start, end) = (time("start_time", rule.start_time), time("end_time", rule.end_time));
    if start.zip(end).is_some_and(|(start, end)| start >= end) {
        checker.violation(field("end_time"), "must lie after start_time");
    }
    if !rule.rule_set.is_empty() {
        checker.id(|| field("rule_set"), &rule.rule_set);
    }
}
