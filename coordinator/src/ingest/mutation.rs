//! What the changes of one call have in common: their shards, their one append, and the checks
//! of fields that several of them have.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mercer_common::{
    ids::Checker,
    limits,
    slot::{ShardId, Subject},
    time::EventTime,
};
use mercer_proto::{
    internal::{Mutation, Section, mutation, section::Origin},
    v1::MutationResponse,
};

use prost_types::FieldMask;

use super::{Ingest, IngestError, encode, room::is_of_directory};
use crate::validate::label;

/// Where a change is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination {
    Shard(ShardId),
    /// In every shard: it belongs to no item or user.
    Everywhere,
}

/// The changes of one call, in its order.
pub(super) type Mutations = Vec<(Destination, mutation::Kind)>;

impl Ingest {
    /// The shard of an item.
    pub(super) fn of_item(&self, item_id: &str) -> Destination {
        Destination::Shard(self.context.layout.shard_of(Subject::Item, item_id))
    }

    /// The shard of a user.
    pub(super) fn of_user(&self, user_id: &str) -> Destination {
        Destination::Shard(self.context.layout.shard_of(Subject::User, user_id))
    }

    /// Appends the mutations of a call, in order per shard, unless anything was wrong. `bytes` is
    /// what they take in the request.
    pub(super) async fn mutate(
        &self,
        checker: Checker,
        origin: Option<Origin>,
        mutations: Mutations,
        bytes: usize,
    ) -> Result<MutationResponse, IngestError> {
        checker.finish()?;
        let shards = self.context.layout.shards();
        let copied = mutations.iter().any(|(to, _)| matches!(to, Destination::Everywhere));
        let copies = if copied { usize::from(shards) } else { 1 };
        let _budget = self.budget(bytes.saturating_mul(copies)).await;
        let of_directory: Vec<mutation::Kind> = (mutations.iter())
            .filter(|(_, kind)| is_of_directory(kind))
            .map(|(_, kind)| kind.clone())
            .collect();
        let reserved = match of_directory.as_slice() {
            [] => None,
            changes => self.reserve(changes, &[]).await?,
        };
        let mut sections: BTreeMap<ShardId, Section> = BTreeMap::new();
        for (to, kind) in mutations {
            let to = match to {
                Destination::Shard(shard) => shard..shard + 1,
                Destination::Everywhere => 0..shards,
            };
            for shard in to {
                let mutation = Mutation { kind: Some(kind.clone()) };
                sections.entry(shard).or_default().mutations.push(mutation);
            }
        }
        let sections = encode(sections, origin.as_ref(), self.stamp());
        let token = self.append_reserved(sections, reserved).await?;
        Ok(MutationResponse { token })
    }
}

/// The records of a call, each with its path; there must be 1 to `limit`.
pub(super) fn records<R>(
    checker: &mut Checker,
    field: &'static str,
    records: Vec<R>,
    limit: usize,
) -> impl Iterator<Item = (String, R)> + use<R> {
    if records.is_empty() {
        checker.violation(field, "must not be empty");
    }
    checker.count(|| field.into(), records.len(), limit);
    let records = records.into_iter().take(limit).enumerate();
    records.map(move |(index, record)| (format!("{field}[{index}]"), record))
}

/// When a figure was true; the present when the caller does not say.
pub(super) fn as_of(
    checker: &mut Checker,
    path: &str,
    time: Option<prost_types::Timestamp>,
    now: Timestamp,
) -> i64 {
    let Some(time) = time else { return now.as_millisecond() };
    let latest = now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
    let timestamp = Timestamp::new(time.seconds, time.nanos).ok().filter(|timestamp| {
        time.nanos >= 0
            && EventTime::from_unix_seconds(time.seconds).is_some()
            && *timestamp <= latest
    });
    if timestamp.is_none() {
        checker.violation(format!("{path}.as_of"), "must lie from 1990 to a day ahead");
    }
    timestamp.unwrap_or(now).as_millisecond()
}

/// The fields to change, each once; none means all.
pub(super) fn check_mask(
    checker: &mut Checker,
    mask: Option<FieldMask>,
    allowed: &[&str],
) -> Vec<String> {
    let mut paths = mask.map(|mask| mask.paths).unwrap_or_default();
    for (index, path) in paths.iter().enumerate() {
        if !allowed.contains(&path.as_str()) {
            let problem =
                format!("`{path:.64}` cannot be changed; there are {}", allowed.join(", "));
            checker.violation(format!("update_mask.paths[{index}]"), problem);
        }
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Bounds the attributes of an item or user.
pub(super) fn check_attributes(
    checker: &mut Checker,
    path: &str,
    attributes: &BTreeMap<String, String>,
) {
    checker.count(|| format!("{path}.attributes"), attributes.len(), limits::ATTRIBUTES);
    for (name, value) in attributes.iter().take(limits::ATTRIBUTES) {
        label(checker, || format!("{path}.attributes"), name);
        checker.label(|| format!("{path}.attributes[{name:.64}]"), value);
    }
}
