//! What becomes of a candidate when its live item is looked at.

use std::cell::LazyCell;

use mercer_algorithms::recommend::hybrid::{ItemFacts, MixFeature};
use mercer_common::{
    money::in_units,
    slot::{Subject, slot},
};
use mercer_proto::v1::{
    Reason, Source,
    reason::{Code, Kind as Part},
};

use super::{call::Call, code};
use crate::{
    domain::recommend::rules::{Action, Rule},
    shard::{ItemState, PriceRange, ShardState},
};

/// An item that may be recommended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) score: f64,
    pub(super) slot: u16,
    pub(super) id: String,
    /// Row of the version; `None` for an item that it does not know.
    pub(super) row: Option<u32>,
    pub(super) source: Source,
    pub(super) title: String,
    /// Whether sources scored it.
    pub(super) is_scored: bool,
    /// What properties of the item and rules added, when that is asked for.
    pub(super) parts: Vec<Reason>,
}

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    /// The better, the less: by score, then by slot and id.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_score = other.score.total_cmp(&self.score);
        by_score.then(self.slot.cmp(&other.slot)).then_with(|| self.id.cmp(&other.id))
    }
}

/// What an item comes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) score: f64,
    source: Source,
    /// Sources scored it.
    is_scored: bool,
}

/// Judges the items of a shard.
pub(super) struct Judge<'a> {
    call: &'a Call,
    /// How little and how much live properties of items can add.
    features: (f64, f64),
    /// Rules that the item matches, and what properties and rules added: of the last one.
    matching: Vec<&'a Rule>,
    parts: Vec<Added<'a>>,
}

/// What a property of an item or a rule added to its score.
struct Added<'a> {
    part: Part,
    code: Code,
    contrary: bool,
    name: &'a str,
    contribution: f64,
}

impl<'a> Added<'a> {
    fn feature(feature: &MixFeature, contribution: f64) -> Self {
        Self {
            part: Part::Feature,
            code: code::of_feature(feature.feature),
            // Below the mean: what is added is the weight times how far above it the item is.
            contrary: contribution * feature.weight < 0.0,
            name: feature.feature.name(),
            contribution,
        }
    }

    fn rule(rule: &'a Rule, contribution: f64) -> Self {
        let contrary = contribution < 0.0;
        Self { part: Part::Rule, code: Code::Rule, contrary, name: &rule.id, contribution }
    }

    fn reason(&self) -> Reason {
        Reason {
            kind: self.part.into(),
            code: self.code.into(),
            contrary: self.contrary,
            name: self.name.to_owned(),
            contribution: self.contribution,
            ..Reason::default()
        }
    }
}

impl<'a> Judge<'a> {
    pub(super) fn new(call: &'a Call, state: &ShardState) -> Self {
        let features = feature_bounds(call, state.list_prices);
        Self { call, features, matching: Vec::new(), parts: Vec::new() }
    }

    /// Whether the order of candidates by what the version says is the final one.
    pub(super) fn keeps_order(&self) -> bool {
        self.features == (0.0, 0.0) && !self.call.rules.has_boosts()
    }

    /// What no score can exceed that begins between `lowest` and `highest`; includes aside.
    pub(super) fn bound(&self, lowest: f64, highest: f64) -> f64 {
        let (least, most) = self.features;
        self.call.rules.bound(lowest + least, highest + most)
    }

    /// Whether the item may be recommended, seen and denied items aside.
    pub(super) fn admits(&mut self, item: &ItemState) -> bool {
        self.call.admits(item) && {
            self.call.rules.find(item, &mut self.matching);
            !self.matching.iter().any(|rule| rule.action == Action::Exclude)
        }
    }

    /// What the item comes to, unless it must not be recommended or nothing speaks for it. `base`
    /// is what the version says of it.
    pub(super) fn judge(
        &mut self,
        item: &ItemState,
        row: Option<u32>,
        base: Option<f64>,
    ) -> Option<Verdict> {
        self.parts.clear();
        if !self.admits(item) {
            return None;
        }
        // Alone, a source speaks for what it scores above 0; in a mix all candidates compare.
        let base = base.filter(|&base| self.call.mix.is_some() || base > 0.0);
        let score = base.map(|base| self.adjusted(item, row, base));
        let least = self.matching.iter().filter_map(|rule| match rule.action {
            Action::Include(least) => Some((least, *rule)),
            Action::Exclude | Action::Boost(_) => None,
        });
        // The first of equal ones.
        let least = least.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let is_scored = score.is_some();
        match least {
            Some((least, rule)) if score.is_none_or(|score| score < least) => {
                let raised = least - score.unwrap_or_default();
                self.parts.push(Added::rule(rule, raised));
                Some(Verdict { score: least, source: Source::Rule, is_scored })
            }
            _ => Some(Verdict { score: score?, source: Source::Algorithm, is_scored }),
        }
    }

    /// The item that was judged last, as a result.
    pub(super) fn found(&self, item: &ItemState, row: Option<u32>, verdict: Verdict) -> Found {
        let Verdict { score, source, is_scored } = verdict;
        let explained = if self.call.request.explain { &self.parts[..] } else { &[] };
        Found {
            score,
            slot: slot(Subject::Item, item.id()),
            id: item.id().to_owned(),
            row,
            source,
            title: item.title().to_owned(),
            is_scored,
            parts: explained.iter().map(Added::reason).collect(),
        }
    }

    /// Adds live properties of the item, then boosts.
    fn adjusted(&mut self, item: &ItemState, row: Option<u32>, base: f64) -> f64 {
        let call = self.call;
        let mut score = base;
        if call.request.explain
            && let Some((set, row)) = call.set.as_ref().zip(row)
        {
            let known = call.features_of_version(set.items().popularity()[row as usize]);
            self.parts.extend(known.map(|(feature, part)| Added::feature(feature, part)));
        }
        let facts = LazyCell::new(|| facts(item));
        for feature in call.live_features() {
            let added = feature.part(&facts);
            score += added;
            self.parts.push(Added::feature(feature, added));
        }
        let magnitude = score.abs();
        for rule in &self.matching {
            if let Action::Boost(share) = rule.action {
                score += share * magnitude;
                self.parts.push(Added::rule(rule, share * magnitude));
            }
        }
        score
    }
}

/// What a mix weighs as it is now.
fn facts(item: &ItemState) -> ItemFacts {
    let in_stock = item.stock().iter().any(|stock| stock.on_hand > 0.0);
    ItemFacts {
        price: item.list_price_micros().map(in_units),
        in_stock: (!item.stock().is_empty()).then_some(in_stock),
        ..ItemFacts::default()
    }
}

/// The least and the most that the live properties of any item add. Each property rises with what it
/// is computed from, so its ends are those of its range, or nothing where unknown.
fn feature_bounds(call: &Call, prices: PriceRange) -> (f64, f64) {
    let (least, most) = prices.ends().unzip();
    let ends = [(least, false), (most, true)].map(|(micros, in_stock)| ItemFacts {
        price: micros.map(in_units),
        in_stock: Some(in_stock),
        ..ItemFacts::default()
    });
    let mut bounds = (0.0, 0.0);
    for feature in call.live_features() {
        let parts = ends.map(|facts| feature.part(&facts));
        bounds.0 += parts[0].min(parts[1]).min(0.0);
        bounds.1 += parts[0].max(parts[1]).max(0.0);
    }
    bounds
}
