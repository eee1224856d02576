//! The parts of a score: by source, then history item; then properties and rules.

use mercer_algorithms::recommend::score;
use mercer_common::slot::ShardId;
use mercer_proto::{
    internal::SourceQuery,
    v1::{Reason, reason::Kind},
};

use super::{
    call::{Call, profile},
    candidates::{of_shard, product},
    judge::Found,
};
use crate::{serving::sources::Source, version::OpenSet};

/// The five largest parts of a result, and one for the rest.
pub(super) fn reasons(call: &Call, shard: ShardId, found: &Found) -> Vec<Reason> {
    let mut parts = Vec::new();
    if let Some((set, row)) = call.set.as_deref().zip(found.row).filter(|_| found.is_scored) {
        for (index, query, source) in call.sources(set) {
            let parts_of = Parts { call, set, shard, row, index, query };
            parts_of.add(source, &mut parts);
        }
    }
    parts.extend(found.parts.iter().cloned());
    let contributions: Vec<f64> = parts.iter().map(|part| part.contribution).collect();
    let score::Reasons { largest, other } = score::reasons(&contributions);
    let mut reasons: Vec<Reason> =
        largest.into_iter().map(|(index, _)| std::mem::take(&mut parts[index])).collect();
    if other != 0.0 {
        let kind = Kind::Other.into();
        reasons.push(Reason { kind, contribution: other, ..Reason::default() });
    }
    reasons
}

/// What one source says of one item.
struct Parts<'a> {
    call: &'a Call,
    set: &'a OpenSet,
    shard: ShardId,
    row: u32,
    index: usize,
    query: &'a SourceQuery,
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
                let gain = self
                    .call
                    .mix
                    .as_ref()
                    .map_or(1.0, |mix| mix.gain(self.index, raw, query.scale));
                let name = if self.call.mix.is_some() { query.algorithm.as_str() } else { "" };
                for (&item, part) in query.rows.iter().zip(of_items) {
                    if part != 0.0 {
                        parts.push(Reason {
                            kind: Kind::HistoryItem.into(),
                            item_id: self.set.items().id(item).to_owned(),
                            contribution: gain * part,
                            name: name.to_owned(),
                            ..Reason::default()
                        });
                    }
                }
            }
            Source::Factors(_, side) => {
                let range = rows.start as usize..rows.end as usize;
                let raw = product(of_shard(side, &range), candidate, &query.vector);
                parts.push(self.whole(Kind::Source, raw));
            }
            Source::Users(..) => parts.push(self.whole(Kind::Users, self.listed())),
            Source::Repurchase(_) => parts.push(self.whole(Kind::Source, self.listed())),
            Source::Items(scores) => {
                let raw = f64::from(scores.view()[row as usize]);
                parts.push(self.whole(Kind::Source, raw));
            }
        }
    }

    /// The score that the user's shard has given the item.
    fn listed(&self) -> f64 {
        let found = self.query.rows.binary_search(&self.row);
        found.map_or(0.0, |at| f64::from(self.query.weights[at]))
    }

    /// A source that does not speak of single items.
    fn whole(&self, kind: Kind, raw: f64) -> Reason {
        let mix = self.call.mix.as_ref();
        let contribution =
            mix.map_or(raw, |mix| mix.sources[self.index].part(raw, self.query.scale));
        let name = self.query.algorithm.clone();
        Reason { kind: kind.into(), name, contribution, ..Reason::default() }
    }
}
