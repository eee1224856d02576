//! What merchandisers want: items that are never recommended, always considered, raised or
//! lowered.
//!
//! Rules stand in every shard's directory. They are compiled when they change, and found by a
//! property that an item must have to match: most items match none, and are asked about none.

use std::{collections::HashMap, sync::Arc};

use mercer_common::rpc::status::InvalidRequest;
use mercer_proto::v1::{RecommendRule, recommend_rule};
use parking_lot::Mutex;
use prost_types::Timestamp;

use crate::{
    serve::{filter::Filter, property},
    shard::{ItemState, RecommendRules, ShardState},
};

/// Rules as a directory keeps them.
type Stored = Arc<RecommendRules>;

/// What a rule does to the items that match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    Exclude,
    /// With a score of at least this.
    Include(f64),
    /// Adds this share of the score's magnitude.
    Boost(f64),
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) action: Action,
    pub(super) filter: Filter,
    /// Nanoseconds since 1970.
    start: Option<i128>,
    end: Option<i128>,
    rule_set: String,
}

/// All rules, by id.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    /// Rules by a property that an item must have to match.
    by_property: HashMap<u64, Vec<u32>>,
    /// Rules that any item may match.
    others: Vec<u32>,
}

impl Rules {
    fn compile(stored: &Stored, currency: &str) -> Result<Self, InvalidRequest> {
        let mut compiled = Self::default();
        for (index, rule) in (0..).zip(stored.values()) {
            let rule = Rule::new(rule, currency)?;
            match rule.filter.properties() {
                Some(properties) => properties.into_iter().for_each(|property| {
                    compiled.by_property.entry(property).or_default().push(index);
                }),
                None => compiled.others.push(index),
            }
            compiled.rules.push(rule);
        }
        Ok(compiled)
    }
}

impl Rule {
    fn new(rule: &RecommendRule, currency: &str) -> Result<Self, InvalidRequest> {
        let broken = |problem: &str| {
            InvalidRequest::field("rules", format!("rule `{}` {problem}", rule.rule_id))
        };
        let filter = rule.filter.as_ref().ok_or_else(|| broken("has no filter"))?;
        let action = match rule.action {
            Some(recommend_rule::Action::Exclude(_)) => Action::Exclude,
            Some(recommend_rule::Action::Include(least)) => Action::Include(least),
            Some(recommend_rule::Action::Boost(share)) => Action::Boost(share),
            None => return Err(broken("does nothing")),
        };
        let nanos =
            |time: &Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
        Ok(Self {
            id: rule.rule_id.clone(),
            action,
            filter: Filter::new(filter, currency)?,
            start: rule.start_time.as_ref().map(nanos),
            end: rule.end_time.as_ref().map(nanos),
            rule_set: rule.rule_set.clone(),
        })
    }

    /// What cannot be checked, such as the price of an item without one, matches no rule but those
    /// that exclude: as under `not` in a filter, it is not let through.
    pub(super) fn matches(&self, item: &ItemState) -> bool {
        match self.action {
            Action::Exclude => !self.filter.rejects(item),
            Action::Include(_) | Action::Boost(_) => self.filter.admits(item),
        }
    }

    fn counts(&self, now: i128, rule_set: &str) -> bool {
        self.start.is_none_or(|start| start <= now)
            && self.end.is_none_or(|end| now < end)
            && (self.rule_set.is_empty() || self.rule_set == rule_set)
    }
}

/// The compiled form of the rules that were seen last.
#[derive(Debug, Default)]
pub(super) struct RulesCache(Mutex<Option<(Stored, Arc<Rules>)>>);

impl RulesCache {
    /// The rules that a shard knows.
    ///
    /// # Errors
    /// When a rule cannot be kept, for then nothing may be recommended.
    pub(super) fn of(
        &self,
        state: &ShardState,
        currency: &str,
    ) -> Result<Arc<Rules>, InvalidRequest> {
        let stored = state.directory().recommend_rules();
        if let Some((known, rules)) = &*self.0.lock()
            && Arc::ptr_eq(known, stored)
        {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(Rules::compile(stored, currency)?);
        *self.0.lock() = Some((Arc::clone(stored), Arc::clone(&rules)));
        Ok(rules)
    }
}

/// The rules that count in a call.
#[derive(Debug)]
pub(super) struct ActiveRules {
    rules: Arc<Rules>,
    is_active: Vec<bool>,
    /// None is active.
    is_empty: bool,
    includes: Vec<u32>,
    has_boosts: bool,
    /// Sum of the positive boosts.
    raise: f64,
}

impl ActiveRules {
    /// Selects the rules whose time it is from those without a rule set and those of `rule_set`.
    pub(super) fn new(rules: Arc<Rules>, now_ms: i64, rule_set: &str) -> Self {
        let now = i128::from(now_ms) * 1_000_000;
        let is_active: Vec<bool> =
            rules.rules.iter().map(|rule| rule.counts(now, rule_set)).collect();
        let (mut includes, mut has_boosts, mut raise) = (Vec::new(), false, 0.0);
        for ((index, rule), _) in (0..).zip(&rules.rules).zip(&is_active).filter(|one| *one.1) {
            match rule.action {
                Action::Exclude => {}
                Action::Include(_) => includes.push(index),
                Action::Boost(share) => {
                    has_boosts = true;
                    raise += share.max(0.0);
                }
            }
        }
        let is_empty = !is_active.contains(&true);
        Self { rules, is_active, is_empty, includes, has_boosts, raise }
    }

    /// The rules that make items candidates, by id.
    pub(super) fn includes(&self) -> impl Iterator<Item = &Rule> {
        self.includes.iter().map(|&index| &self.rules.rules[index as usize])
    }

    pub(super) fn has_boosts(&self) -> bool {
        self.has_boosts
    }

    /// What boosts cannot raise any score between `lowest` and `highest` above.
    pub(super) fn bound(&self, lowest: f64, highest: f64) -> f64 {
        // Convex in the score, so one of the ends is the highest.
        let raised = |score: f64| score + self.raise * score.abs();
        raised(lowest).max(raised(highest))
    }

    /// Puts the rules that an item matches into `matching`, by id.
    pub(super) fn find<'a>(&'a self, item: &ItemState, matching: &mut Vec<&'a Rule>) {
        matching.clear();
        if self.is_empty {
            return;
        }
        let rules = &*self.rules;
        let mut found: Vec<u32> = rules.others.clone();
        if !rules.by_property.is_empty() {
            for property in property::of(item) {
                found.extend(rules.by_property.get(&property).into_iter().flatten());
            }
        }
        found.retain(|&index| self.is_active[index as usize]);
        found.sort_unstable();
        found.dedup();
        let found = found.iter().map(|&index| &rules.rules[index as usize]);
        matching.extend(found.filter(|rule| rule.matches(item)));
    }
}
