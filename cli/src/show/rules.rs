//! Merchandisers' rules as they are shown.

use jiff::Timestamp;
use mercer_proto::v1::{RecommendRule, recommend_rule::Action};
use serde::Serialize;

use super::filter;
use crate::show::output;

#[derive(Debug, Serialize)]
pub(crate) struct Rules {
    pub(crate) rules: Vec<RuleRow>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RuleRow {
    rule_id: String,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    /// Conditions as typed.
    filter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    rule_set: String,
}

impl RuleRow {
    pub(crate) fn new(rule: RecommendRule) -> Self {
        let (action, value) = match rule.action {
            Some(Action::Exclude(_)) => ("exclude", None),
            Some(Action::Include(score)) => ("include", Some(score)),
            Some(Action::Boost(share)) => ("boost", Some(share)),
            None => ("none", None),
        };
        let time = |time: Option<prost_types::Timestamp>| {
            let time = time?;
            Timestamp::new(time.seconds, time.nanos).ok().map(|time| time.to_string())
        };
        Self {
            rule_id: rule.rule_id,
            action,
            value,
            filter: rule.filter.as_ref().map(filter::show).unwrap_or_default(),
            from: time(rule.start_time),
            to: time(rule.end_time),
            rule_set: rule.rule_set,
        }
    }
}

impl Rules {
    pub(crate) fn table(&self) -> String {
        if self.rules.is_empty() {
            return "no rules; `mercer rules set --help` says how to set one".into();
        }
        let rows = self.rules.iter().map(|rule| {
            vec![
                rule.rule_id.clone(),
                rule.action.to_owned(),
                rule.value.map_or_else(String::new, |value| format!("{value:+}")),
                rule.filter.clone(),
                rule.from.clone().unwrap_or_default(),
                rule.to.clone().unwrap_or_default(),
                rule.rule_set.clone(),
            ]
        });
        output::table(&["rule", "action", ">by", "items", "from", "to", "rule set"], rows)
    }
}
