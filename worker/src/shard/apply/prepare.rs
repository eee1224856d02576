//! Decodes and checks a section before any lock is taken.

use std::vec;

use mercer_common::{
    limits,
    slot::{Kind, ShardId, ShardLayout, slot},
};
use mercer_proto::{
    internal::{
        Interaction, ItemEvent, Mutation, ProducerBatch, Section, UpsertUser,
        mutation::Kind as MutationKind, section,
    },
    v1::EventType,
};
use prost::Message as _;
use xxhash_rust::xxh3::xxh3_128;

use super::{ApplyError, Origin};

/// A section that can be applied.
#[derive(Debug)]
pub struct Prepared {
    pub(super) append_time_ms: i64,
    pub(super) origin: Origin,
    pub(super) interactions: vec::IntoIter<PreparedInteraction>,
    pub(super) item_events: vec::IntoIter<PreparedItemEvent>,
    pub(super) mutations: vec::IntoIter<PreparedMutation>,
    marker: Option<String>,
}

#[derive(Debug)]
pub(super) struct PreparedInteraction {
    /// Index of the slot within the shard.
    pub(super) place: usize,
    pub(super) hash: u128,
    pub(super) event_hash: Option<u128>,
    pub(super) record: Interaction,
}

#[derive(Debug)]
pub(super) struct PreparedItemEvent {
    pub(super) place: usize,
    pub(super) hash: u128,
    pub(super) event_hash: Option<u128>,
    pub(super) record: ItemEvent,
}

#[derive(Debug)]
pub(super) struct PreparedMutation {
    pub(super) place: usize,
    pub(super) kind: MutationKind,
}

impl Prepared {
    /// Decodes and checks a section of `shard`.
    ///
    /// # Errors
    /// `Undecodable` and `Malformed`.
    pub fn decode(layout: ShardLayout, shard: ShardId, section: &[u8]) -> Result<Self, ApplyError> {
        Self::new(layout, shard, Section::decode(section)?)
    }

    /// Checks a section of `shard`.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn new(layout: ShardLayout, shard: ShardId, section: Section) -> Result<Self, ApplyError> {
        let slots = layout.slots(shard);
        let place = |kind, id: &str| {
            check_id(id)?;
            let slot = slot(kind, id);
            if slots.contains(&slot) {
                Ok(usize::from(slot - slots.start))
            } else {
                Err(ApplyError::Malformed("a record belongs to another shard"))
            }
        };
        let mut scratch = Vec::new();
        let mut interactions = Vec::with_capacity(section.interactions.len());
        for record in section.interactions {
            check_type(record.r#type)?;
            check_id(&record.item_id)?;
            scratch.clear();
            record.encode_raw(&mut scratch);
            interactions.push(PreparedInteraction {
                place: place(Kind::User, &record.user_id)?,
                hash: xxh3_128(&scratch),
                event_hash: event_hash(&record.event_hash)?,
                record,
            });
        }
        let mut item_events = Vec::with_capacity(section.item_events.len());
        for mut record in section.item_events {
            check_type(record.r#type)?;
            // Its key differs between clusters.
            let visit = std::mem::take(&mut record.visit);
            scratch.clear();
            record.encode_raw(&mut scratch);
            record.visit = visit;
            item_events.push(PreparedItemEvent {
                place: place(Kind::Item, &record.item_id)?,
                hash: xxh3_128(&scratch),
                event_hash: event_hash(&record.event_hash)?,
                record,
            });
        }
        let mut mutations = Vec::with_capacity(section.mutations.len());
        for Mutation { kind } in section.mutations {
            let kind = kind.ok_or(ApplyError::Malformed("a mutation of unknown kind"))?;
            if let MutationKind::UpsertUser(UpsertUser { fields: Some(fields), .. }) = &kind {
                fields.denied_item_ids.iter().try_for_each(|id| check_id(id))?;
            }
            let place = match &kind {
                MutationKind::UpsertItem(upsert) => place(Kind::Item, &upsert.item_id),
                MutationKind::DeleteItem(id) => place(Kind::Item, id),
                MutationKind::UpsertUser(upsert) => place(Kind::User, &upsert.user_id),
                MutationKind::DeleteUser(id) => place(Kind::User, id),
                MutationKind::SetStock(set) => place(Kind::Item, &set.item_id),
                MutationKind::AdjustStock(adjust) => place(Kind::Item, &adjust.item_id),
                MutationKind::SetSupply(set) => place(Kind::Item, &set.item_id),
                MutationKind::SetCompetitorPrice(set) => place(Kind::Item, &set.item_id),
                MutationKind::SetItemPriceRule(set) => place(Kind::Item, &set.item_id),
                MutationKind::UpsertLocation(_)
                | MutationKind::DeleteLocation(_)
                | MutationKind::UpsertSupplier(_)
                | MutationKind::DeleteSupplier(_)
                | MutationKind::SetCategoryPriceRule(_) => Ok(0),
            }?;
            mutations.push(PreparedMutation { place, kind });
        }
        Ok(Self {
            append_time_ms: section.append_time_ms,
            origin: origin(section.origin)?,
            interactions: interactions.into_iter(),
            item_events: item_events.into_iter(),
            mutations: mutations.into_iter(),
            marker: section.marker.map(|marker| marker.job_id),
        })
    }

    /// The job whose cut is to be made before anything later is applied.
    #[must_use]
    pub fn marker(&self) -> Option<&str> {
        self.marker.as_deref()
    }

    /// Number of records.
    #[must_use]
    pub fn records(&self) -> u64 {
        (self.interactions.len() + self.item_events.len() + self.mutations.len()) as u64
    }

    pub(super) fn clear(&mut self) {
        self.interactions = vec::IntoIter::default();
        self.item_events = vec::IntoIter::default();
        self.mutations = vec::IntoIter::default();
    }
}

fn origin(origin: Option<section::Origin>) -> Result<Origin, ApplyError> {
    match origin {
        None => Ok(Origin::Untracked),
        Some(section::Origin::RequestHash(hash)) => match event_hash(&hash)? {
            Some(hash) => Ok(Origin::Request(hash)),
            None => Err(ApplyError::Malformed("a request hash is empty")),
        },
        Some(section::Origin::Producer(batch)) => {
            let ProducerBatch { producer_id, batch_sequence, acknowledged_through, r#final } =
                batch;
            let id = producer_id
                .try_into()
                .map_err(|_| ApplyError::Malformed("a producer id has not 16 bytes"))?;
            Ok(Origin::Producer {
                id,
                batch: batch_sequence,
                acknowledged_through,
                is_final: r#final,
            })
        }
    }
}

fn event_hash(hash: &[u8]) -> Result<Option<u128>, ApplyError> {
    if hash.is_empty() {
        return Ok(None);
    }
    let hash = hash.try_into().map_err(|_| ApplyError::Malformed("a hash has not 16 bytes"))?;
    Ok(Some(u128::from_be_bytes(hash)))
}

fn check_id(id: &str) -> Result<(), ApplyError> {
    match id.len() {
        0 => Err(ApplyError::Malformed("an id is empty")),
        1..=limits::ID_BYTES => Ok(()),
        _ => Err(ApplyError::Malformed("an id is too long")),
    }
}

fn check_type(event_type: i32) -> Result<(), ApplyError> {
    match EventType::try_from(event_type) {
        Ok(EventType::Unspecified) | Err(_) => {
            Err(ApplyError::Malformed("an event of unknown type"))
        }
        Ok(_) => Ok(()),
    }
}
