//! The parts of a score: by source, then history item; then properties and rules.

use mercer_algorithms::recommend::score;
use mercer_common::slot::ShardId;
use mercer_proto::{
    internal::SourceQuery,
    v1::{
        Reason,
        reason::{Code, Kind},
    },
};

use super::{
    call::{Call, profile},
    code,
    judge::Found,
};
use crate::{
    domain::recommend::sources::{Source, SourceFactors},
    version::OpenSet,
};

/// How far the parts of a product may be from it, which is computed in single precision.
const ROUNDING: f64 = 1e-3;

/// Explains the results of a call.
pub(super) struct Explainer<'a> {
    call: &'a Call,
    /// Index of each source of factors, and by result what each item of the profile adds.
    factors: Vec<(usize, Vec<Vec<f64>>)>,
}

impl<'a> Explainer<'a> {
    /// What is computed for all results at once.
    pub(super) fn new(call: &'a Call, results: &[Found]) -> Self {
        let Some(set) = call.set.as_deref().filter(|_| call.request.explain) else {
            return Self { call, factors: Vec::new() };
        };
        let rows: Vec<u32> = results.iter().map(|found| found.row.unwrap_or_default()).collect();
        let mut factors = Vec::new();
        for (index, query, source) in call.sources(set) {
            if let Source::Factors(_, side) = source
                && let Some(known) = SourceFactors::new(set, &query.algorithm, side)
            {
                factors.push((index, known.contributions(&query.rows, &query.weights, &rows)));
            }
        }
        Self { call, factors }
    }

    /// The five largest parts of result number `at`; of the others those that are no history item,
    /// and for each source the history items together.
    pub(super) fn reasons(&self, at: usize, shard: ShardId, found: &Found) -> Vec<Reason> {
        let call = self.call;
        if !call.request.explain {
            return Vec::new();
        }
        let mut parts = Vec::new();
        if let Some((set, row)) = call.set.as_deref().zip(found.row).filter(|_| found.is_scored) {
            for (index, query, source) in call.sources(set) {
                let of_factors = self.factors.iter().find(|(of, _)| *of == index);
                let of_factors = of_factors.map(|(_, parts)| parts[at].as_slice());
                let parts_of = Parts { call, set, shard, row, index, query, of_factors };
                parts_of.add(source, &mut parts);
            }
        }
        parts.extend(found.parts.iter().cloned());
        let contributions: Vec<f64> = parts.iter().map(|part| part.contribution).collect();
        let score::Reasons { largest, rest } = score::reasons(&contributions);
        let mut take = |&(index, _): &(usize, f64)| std::mem::take(&mut parts[index]);
        let mut reasons: Vec<Reason> = largest.iter().map(&mut take).collect();
        let mut others: Vec<Reason> = Vec::new();
        for part in rest.iter().map(take) {
            if part.kind() != Kind::HistoryItem {
                reasons.push(part);
            } else if let Some(other) = others.iter_mut().find(|other| other.name == part.name) {
                other.contribution += part.contribution;
            } else {
                others.push(Reason {
                    kind: Kind::Other.into(),
                    code: Code::RestOfHistory.into(),
                    item_id: String::new(),
                    contrary: false,
                    ..part
                });
            }
        }
        reasons.extend(others.into_iter().filter(|other| other.contribution != 0.0));
        reasons
    }
}

/// What one source says of one item.
struct Parts<'a> {
    call: &'a Call,
    set: &'a OpenSet,
    shard: ShardId,
    row: u32,
    index: usize,
    query: &'a SourceQuery,
    of_factors: Option<&'a [f64]>,
}

impl Parts<'_> {
    fn add(&self, source: Source<'_>, parts: &mut Vec<Reason>) {
        let (query, row) = (self.query, self.row);
        let rows = self.set.items().shard_rows(self.shard);
        let candidate = row - rows.start;
        match source {
            Source::Neighbours(model) => {
                let Some(postings) = model.postings(self.shard) else { return };
                let of_items = score::explain(postings, profile(query), candidate);
                let raw = of_items.iter().fold(0.0, |sum, part| sum + part);
                let code = code::of_neighbours(&query.algorithm);
                self.add_items(code, raw, 1.0, &of_items, parts);
            }
            Source::Factors(_, side) => {
                let start = row as usize * side.dimensions();
                let factors = &side.factors()[start..start + side.dimensions()];
                let raw = score::product(factors, &query.vector);
                let of_items = self.of_factors.unwrap_or_default();
                let sum: f64 = of_items.iter().sum();
                if (sum - raw).abs() <= ROUNDING * raw.abs() && sum != 0.0 {
                    self.add_items(Code::FitsLikingFor, raw, raw / sum, of_items, parts);
                } else {
                    parts.push(self.whole(Kind::Source, Code::FitsHistory, raw));
                }
            }
            Source::Users(..) => {
                let code = Code::ChosenBySimilarUsers;
                parts.push(self.whole(Kind::Users, code, self.listed()));
            }
            Source::Repurchase(_) => {
                parts.push(self.whole(Kind::Source, Code::DueAgain, self.listed()));
            }
            Source::Items(scores) => {
                let raw = f64::from(scores.view()[row as usize]);
                parts.push(self.whole(Kind::Source, code::of_scores(&query.algorithm), raw));
            }
        }
    }

    /// What the items of the profile add; `scale` times their parts add up to `raw`.
    fn add_items(
        &self,
        code: Code,
        raw: f64,
        scale: f64,
        of_items: &[f64],
        parts: &mut Vec<Reason>,
    ) {
        let query = self.query;
        let mix = self.call.mix.as_ref();
        let gain = mix.map_or(1.0, |mix| mix.gain(self.index, raw, query.scale)) * scale;
        let name = if mix.is_some() { query.algorithm.as_str() } else { "" };
        for ((&item, weight), part) in query.rows.iter().zip(&query.weights).zip(of_items) {
            if *part != 0.0 {
                parts.push(Reason {
                    kind: Kind::HistoryItem.into(),
                    code: code.into(),
                    // What the user thinks of the one item aside.
                    contrary: scale * part * f64::from(*weight) < 0.0,
                    item_id: self.set.items().id(item).to_owned(),
                    contribution: gain * part,
                    name: name.to_owned(),
                    ..Reason::default()
                });
            }
        }
    }

    /// The score that the user's shard has given the item.
    fn listed(&self) -> f64 {
        let found = self.query.rows.binary_search(&self.row);
        found.map_or(0.0, |at| f64::from(self.query.weights[at]))
    }

    /// A source that does not speak of single items.
    fn whole(&self, kind: Kind, code: Code, raw: f64) -> Reason {
        let mix = self.call.mix.as_ref();
        let contribution =
            mix.map_or(raw, |mix| mix.sources[self.index].part(raw, self.query.scale));
        Reason {
            kind: kind.into(),
            code: code.into(),
            contrary: raw < 0.0,
            name: self.query.algorithm.clone(),
            contribution,
            ..Reason::default()
        }
    }
}
