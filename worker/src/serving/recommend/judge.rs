//! What becomes of a candidate when its live item is looked at.

use mercer_algorithms::recommend::hybrid::{Feature, ItemFacts};
use mercer_common::slot::{Kind, slot};
use mercer_proto::v1::{Reason, Source, reason};

use super::call::Call;
use crate::{
    serving::rules::{Action, Rule},
    shard::{ItemState, ShardState},
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
    /// How little and how much properties of items can add.
    features: (f64, f64),
    /// Rules that the item matches, and what properties and rules added: of the last one.
    matching: Vec<&'a Rule>,
    parts: Vec<(reason::Kind, &'a str, f64)>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(call: &'a Call, state: &ShardState) -> Self {
        let most = state.by_popularity().next().map_or(0, ItemState::popularity);
        let features = feature_bounds(call, most);
        Self { call, features, matching: Vec::new(), parts: Vec::new() }
    }

    /// Notes that no item that is left is more popular than this.
    pub(super) fn limit_popularity(&mut self, most: u64) {
        self.features = feature_bounds(self.call, most);
    }

    /// Whether the order of candidates by what sources say is the final one.
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
    /// is what sources say of it.
    pub(super) fn judge(&mut self, item: &ItemState, base: Option<f64>) -> Option<Verdict> {
        self.parts.clear();
        if !self.admits(item) {
            return None;
        }
        // Alone, a source speaks for what it scores above 0; in a mix all candidates compare.
        let base = base.filter(|&base| self.call.mix.is_some() || base > 0.0);
        let score = base.map(|base| self.adjusted(item, base));
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
                self.parts.push((reason::Kind::Rule, &rule.id, raised));
                Some(Verdict { score: least, source: Source::Rule, is_scored })
            }
            _ => Some(Verdict { score: score?, source: Source::Algorithm, is_scored }),
        }
    }

    /// The item that was judged last, as a result.
    pub(super) fn found(&self, item: &ItemState, row: Option<u32>, verdict: Verdict) -> Found {
        let Verdict { score, source, is_scored } = verdict;
        let explained = if self.call.request.explain { &self.parts[..] } else { &[] };
        let part = |&(kind, name, contribution): &(reason::Kind, &str, f64)| Reason {
            kind: kind.into(),
            name: name.to_owned(),
            contribution,
            ..Reason::default()
        };
        Found {
            score,
            slot: slot(Kind::Item, item.id()),
            id: item.id().to_owned(),
            row,
            source,
            title: item.title().to_owned(),
            is_scored,
            parts: explained.iter().map(part).collect(),
        }
    }

    /// Adds properties of the item, then boosts.
    fn adjusted(&mut self, item: &ItemState, base: f64) -> f64 {
        let call = self.call;
        let mut score = base;
        if let Some(mix) = &call.mix
            && !mix.features.is_empty()
        {
            let facts = facts(item);
            for feature in &mix.features {
                let added = feature.part(&facts);
                score += added;
                self.parts.push((reason::Kind::Feature, feature.feature.name(), added));
            }
        }
        let magnitude = score.abs();
        for rule in &self.matching {
            if let Action::Boost(share) = rule.action {
                score += share * magnitude;
                self.parts.push((reason::Kind::Rule, &rule.id, share * magnitude));
            }
        }
        score
    }
}

/// What a mix weighs beside sources, as it is now.
fn facts(item: &ItemState) -> ItemFacts {
    let in_stock = item.stock().iter().any(|stock| stock.on_hand > 0.0);
    ItemFacts {
        popularity: item.popularity(),
        #[expect(clippy::cast_precision_loss, reason = "to the millionth below 9e9")]
        price: item.list_price_micros().map(|micros| micros as f64 / 1e6),
        in_stock: (!item.stock().is_empty()).then_some(in_stock),
    }
}

/// The least and the most that the properties of any item add whose popularity is at most `most`.
/// Each property rises with what it is computed from, so its ends are those of its range, or
/// nothing where unknown.
fn feature_bounds(call: &Call, most: u64) -> (f64, f64) {
    let Some(mix) = &call.mix else { return (0.0, 0.0) };
    let ends = [
        ItemFacts { popularity: 0, price: Some(0.0), in_stock: Some(false) },
        ItemFacts { popularity: most, price: Some(i64::MAX as f64 / 1e6), in_stock: Some(true) },
    ];
    let mut bounds = (0.0, 0.0);
    for feature in &mix.features {
        let parts = ends.map(|facts| feature.part(&facts));
        let always_known = feature.feature == Feature::LogPopularity;
        let unknown = if always_known { parts[0] } else { 0.0 };
        bounds.0 += parts[0].min(parts[1]).min(unknown);
        bounds.1 += parts[0].max(parts[1]).max(unknown);
    }
    bounds
}
