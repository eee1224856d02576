//! Decodes and checks a section before any lock is taken.

use std::vec;

use mercer_common::{
    clearing::Described,
    event::micros_of_units,
    slot::{ShardId, ShardLayout, Subject, slot},
    time::EventTime,
};
use mercer_proto::{
    internal::{
        AdjustStock, DeleteStock, DeleteSupply, Exposure, Marker, Mutation, Retract, Section,
        SetCompetitorPrice, SetStock, SetSupply, UpsertItem, UpsertUser, UseApplyVersion,
        mutation::Kind as MutationKind,
    },
    v1::EventType,
};
use prost::Message as _;
use xxhash_rust::xxh3::xxh3_128;

use super::{check, paid::Paid};
use crate::shard::{
    ApplyError, PriceRule, Terms,
    dedup::Times,
    directory::Change as DirectoryChange,
    origin::{Origin, ProducerId, SentAs},
    retractions::{ItemRow, Retractions, UserMark},
};

/// A section that can be applied.
#[derive(Debug)]
pub struct Prepared {
    pub(super) times: Times,
    pub(super) origin: Origin,
    pub(super) exposures: vec::IntoIter<PreparedExposure>,
    pub(super) interactions: vec::IntoIter<PreparedInteraction>,
    pub(super) item_events: vec::IntoIter<PreparedItemEvent>,
    pub(super) mutations: vec::IntoIter<PreparedMutation>,
    pub(super) use_version: Option<UseApplyVersion>,
    pub(super) changes_directory: bool,
    retract: Option<Retract>,
    marker: Option<Marker>,
}

#[derive(Debug)]
pub(super) struct PreparedExposure {
    /// Index of the slot within the shard.
    pub(super) place: usize,
    pub(super) record: Exposure,
}

/// What is left of an interaction when its proof is taken: half as many bytes to move as the record has.
#[derive(Debug)]
pub(super) struct PreparedInteraction {
    /// Index of the slot within the shard.
    pub(super) place: usize,
    pub(super) hash: u128,
    pub(super) sent: Option<SentAs>,
    pub(super) mark: Option<UserMark>,
    pub(super) user_id: String,
    pub(super) item_id: String,
    pub(super) event_type: EventType,
    pub(super) time: EventTime,
    pub(super) value: f32,
    pub(super) attribution: Option<u64>,
    pub(super) paid: Option<Paid>,
}

/// The same of the item's side of an event.
#[derive(Debug)]
pub(super) struct PreparedItemEvent {
    /// Index of the slot within the shard.
    pub(super) place: usize,
    pub(super) hash: u128,
    pub(super) sent: Option<SentAs>,
    pub(super) row: Option<ItemRow>,
    pub(super) item_id: String,
    pub(super) event_type: EventType,
    pub(super) time: EventTime,
    /// Empty for the location `default`.
    pub(super) location: String,
    pub(super) visit: u64,
    /// Units that were sold or brought back.
    pub(super) units_micros: i64,
    /// What was paid; 0 where it is not said.
    pub(super) paid_micros: i64,
    /// 0 where it is not said.
    pub(super) list_price_micros: i64,
    pub(super) promotion: bool,
}

#[derive(Debug)]
pub(super) enum PreparedMutation {
    /// Changes the slot of this index.
    Slot(usize, SlotChange),
    /// Stands in every shard and belongs to no slot.
    Directory(DirectoryChange),
    /// Takes an experiment out of every slot.
    ForgetExperiment(String),
}

/// A mutation of an item or a user.
#[derive(Debug)]
pub(super) enum SlotChange {
    UpsertItem(UpsertItem),
    DeleteItem(String),
    UpsertUser(UpsertUser),
    DeleteUser(String),
    SetStock(SetStock),
    AdjustStock(AdjustStock),
    DeleteStock(DeleteStock),
    /// The terms stand beside the record.
    SetSupply(SetSupply, Option<Terms>),
    DeleteSupply(DeleteSupply),
    SetCompetitorPrice(SetCompetitorPrice),
    SetItemPriceRule(String, Option<PriceRule>),
}

impl Prepared {
    /// Decodes and checks a section of `shard`.
    ///
    /// # Errors
    /// `Undecodable`, `Malformed` and `UnknownRecord`.
    pub fn decode(layout: ShardLayout, shard: ShardId, section: &[u8]) -> Result<Self, ApplyError> {
        check::known_fields(section)?;
        Self::new(layout, shard, Section::decode(section)?)
    }

    /// Checks a section of `shard`.
    ///
    /// # Errors
    /// `Malformed` and `UnknownRecord`.
    pub fn new(layout: ShardLayout, shard: ShardId, section: Section) -> Result<Self, ApplyError> {
        let slots = layout.slots(shard);
        let place = |kind, id: &str| {
            check::id(id)?;
            let slot = slot(kind, id);
            if slots.contains(&slot) {
                Ok(usize::from(slot - slots.start))
            } else {
                Err(ApplyError::Malformed("a record belongs to another shard"))
            }
        };
        let mut exposures = Vec::with_capacity(section.exposures.len());
        for record in section.exposures {
            check::exposure(&record)?;
            let place = place(Subject::User, &record.user_id)?;
            exposures.push(PreparedExposure { place, record });
        }
        let mut scratch = Vec::new();
        let mut interactions = Vec::with_capacity(section.interactions.len());
        for mut record in section.interactions {
            check::event_type(record.r#type)?;
            check::id(&record.item_id)?;
            let sent = SentAs::read(&record.event_hash, &record.event_key)?;
            // What stands for the id differs between versions and clusters.
            record.event_hash = Vec::new();
            record.event_key = Vec::new();
            let mark = record.import_mark.take();
            let paid = Paid::take(&mut record)?;
            scratch.clear();
            record.encode_raw(&mut scratch);
            interactions.push(PreparedInteraction {
                place: place(Subject::User, &record.user_id)?,
                hash: xxh3_128(&scratch),
                sent,
                mark,
                event_type: record.r#type(),
                user_id: record.user_id,
                item_id: record.item_id,
                time: EventTime(record.time),
                value: record.value,
                attribution: record.attribution,
                paid,
            });
        }
        let mut item_events = Vec::with_capacity(section.item_events.len());
        for mut record in section.item_events {
            check::event_type(record.r#type)?;
            let sent = SentAs::read(&record.event_hash, &record.event_key)?;
            record.event_hash = Vec::new();
            record.event_key = Vec::new();
            let row = import_row(&std::mem::take(&mut record.import_row))?;
            // Its key, too, differs between clusters.
            let visit = std::mem::take(&mut record.visit);
            scratch.clear();
            record.encode_raw(&mut scratch);
            item_events.push(PreparedItemEvent {
                place: place(Subject::Item, &record.item_id)?,
                hash: xxh3_128(&scratch),
                sent,
                row,
                event_type: record.r#type(),
                item_id: record.item_id,
                time: EventTime(record.time),
                location: record.location_id,
                visit,
                units_micros: micros_of_units(record.quantity),
                paid_micros: record.amount_micros.unwrap_or_default().max(0),
                list_price_micros: record.list_price_micros.unwrap_or_default().max(0),
                promotion: record.promotion,
            });
        }
        let mut mutations = Vec::with_capacity(section.mutations.len());
        for Mutation { kind } in section.mutations {
            let kind = kind.ok_or(ApplyError::UnknownRecord("a mutation"))?;
            mutations.push(mutation(kind, place)?);
        }
        if let Some(said) = &section.retract {
            Retractions::check(said)?;
        }
        let changes_directory =
            mutations.iter().any(|one| matches!(one, PreparedMutation::Directory(_)));
        Ok(Self {
            changes_directory,
            times: Times { append_ms: section.append_time_ms, log_ms: section.log_time_ms },
            origin: Origin::read(section.origin)?,
            exposures: exposures.into_iter(),
            interactions: interactions.into_iter(),
            item_events: item_events.into_iter(),
            mutations: mutations.into_iter(),
            use_version: section.use_apply_version,
            retract: section.retract,
            marker: section.marker,
        })
    }

    /// The cut that is to be made before anything later is applied.
    #[must_use]
    pub fn marker(&self) -> Option<&Marker> {
        self.marker.as_ref()
    }

    /// What counts no longer, of what lies before.
    pub(crate) fn retract(&self) -> Option<&Retract> {
        self.retract.as_ref()
    }

    /// Who sent the section: an import is its own producer.
    pub(super) fn producer(&self) -> Option<&ProducerId> {
        match &self.origin {
            Origin::Producer(batch) => Some(&batch.producer),
            Origin::Untracked | Origin::Request(_) => None,
        }
    }

    /// Number of records.
    #[must_use]
    pub fn records(&self) -> u64 {
        let of_users = self.exposures.len() + self.interactions.len();
        (of_users + self.item_events.len() + self.mutations.len()) as u64
    }

    pub(super) fn clear(&mut self) {
        self.exposures = vec::IntoIter::default();
        self.interactions = vec::IntoIter::default();
        self.item_events = vec::IntoIter::default();
        self.mutations = vec::IntoIter::default();
    }
}

fn import_row(bytes: &[u8]) -> Result<Option<ItemRow>, ApplyError> {
    match bytes {
        [] => Ok(None),
        row => match row.try_into() {
            Ok(row) => Ok(Some(row)),
            Err(_) => Err(ApplyError::Malformed("an imported row has not 16 bytes")),
        },
    }
}

/// The change that a mutation of the directory makes.
///
/// # Errors
/// `Malformed` and `UnknownRecord`, also for a mutation of anything else.
pub(crate) fn directory_change(one: Mutation) -> Result<DirectoryChange, ApplyError> {
    let other = ApplyError::Malformed("a mutation is not of the directory");
    let kind = one.kind.ok_or(ApplyError::UnknownRecord("a mutation"))?;
    match mutation(kind, |_, _| Err(other.clone()))? {
        PreparedMutation::Directory(change) => Ok(change),
        PreparedMutation::Slot(..) | PreparedMutation::ForgetExperiment(_) => Err(other),
    }
}

/// Checks a mutation; `place` finds the slot of an id.
fn mutation(
    kind: MutationKind,
    place: impl Fn(Subject, &str) -> Result<usize, ApplyError>,
) -> Result<PreparedMutation, ApplyError> {
    use PreparedMutation::{Directory, Slot};
    let item = |id: &str| place(Subject::Item, id);
    let user = |id: &str| place(Subject::User, id);
    Ok(match kind {
        MutationKind::UpsertItem(upsert) => {
            check::clears(Described::Item, upsert.keep_absent, &upsert.clears)?;
            Slot(item(&upsert.item_id)?, SlotChange::UpsertItem(upsert))
        }
        MutationKind::DeleteItem(id) => Slot(item(&id)?, SlotChange::DeleteItem(id)),
        MutationKind::UpsertUser(upsert) => {
            let denied = upsert.fields.iter().flat_map(|fields| &fields.denied_item_ids);
            denied.into_iter().try_for_each(|id| check::id(id))?;
            check::clears(Described::User, upsert.keep_absent, &upsert.clears)?;
            Slot(user(&upsert.user_id)?, SlotChange::UpsertUser(upsert))
        }
        MutationKind::DeleteUser(id) => Slot(user(&id)?, SlotChange::DeleteUser(id)),
        MutationKind::SetStock(set) => {
            let other = [set.on_order, set.backordered].map(Option::unwrap_or_default);
            check::finite(&[set.on_hand, other[0], other[1]])?;
            check::clears(Described::Stock, set.keep_absent, &set.clears)?;
            Slot(item(&set.item_id)?, SlotChange::SetStock(set))
        }
        MutationKind::AdjustStock(adjust) => {
            check::finite(&[adjust.delta, adjust.on_order_delta])?;
            Slot(item(&adjust.item_id)?, SlotChange::AdjustStock(adjust))
        }
        MutationKind::SetSupply(set) => {
            check::optional_id(&set.location_id)?;
            check::optional_id(&set.supplier_id)?;
            let terms = check::terms(set.terms.as_ref())?;
            check::clears(Described::Supply, set.keep_absent, &set.clears)?;
            Slot(item(&set.item_id)?, SlotChange::SetSupply(set, terms))
        }
        MutationKind::DeleteStock(delete) => {
            delete.location_id.iter().try_for_each(|id| check::id(id))?;
            Slot(item(&delete.item_id)?, SlotChange::DeleteStock(delete))
        }
        MutationKind::DeleteSupply(delete) => {
            delete.location_id.iter().try_for_each(|id| check::id(id))?;
            Slot(item(&delete.item_id)?, SlotChange::DeleteSupply(delete))
        }
        MutationKind::SetCompetitorPrice(set) => {
            check::id(&set.competitor_id)?;
            Slot(item(&set.item_id)?, SlotChange::SetCompetitorPrice(set))
        }
        MutationKind::SetItemPriceRule(set) => {
            let rule = set.rule.as_ref().map(check::price_rule).transpose()?;
            Slot(item(&set.item_id)?, SlotChange::SetItemPriceRule(set.item_id, rule))
        }
        MutationKind::UpsertLocation(location) => {
            check::id(&location.location_id)?;
            let id = location.location_id.clone();
            Directory(DirectoryChange::Location(id, Some(location)))
        }
        MutationKind::MergeLocation(merge) => {
            let location = merge.location.unwrap_or_default();
            check::id(&location.location_id)?;
            check::clears(Described::Location, true, &merge.clears)?;
            Directory(DirectoryChange::MergeLocation(location, merge.clears))
        }
        MutationKind::DeleteLocation(id) => {
            check::id(&id)?;
            Directory(DirectoryChange::Location(id, None))
        }
        MutationKind::UpsertSupplier(supplier) => {
            let supplier = check::supplier(supplier)?;
            let id = supplier.supplier_id.clone();
            Directory(DirectoryChange::Supplier(id, Some(supplier)))
        }
        MutationKind::MergeSupplier(merge) => {
            let supplier = check::supplier(merge.supplier.unwrap_or_default())?;
            check::clears(Described::Supplier, true, &merge.clears)?;
            Directory(DirectoryChange::MergeSupplier(supplier, merge.clears))
        }
        MutationKind::DeleteSupplier(id) => {
            check::id(&id)?;
            Directory(DirectoryChange::Supplier(id, None))
        }
        MutationKind::SetCategoryPriceRule(set) => {
            check::category_path(&set.category_path)?;
            let rule = check::price_rule(&set.rule.unwrap_or_default())?;
            Directory(DirectoryChange::PriceRule(set.category_path, rule))
        }
        MutationKind::SetRecommendRule(rule) => {
            check::recommend_rule(&rule)?;
            let id = rule.rule_id.clone();
            Directory(DirectoryChange::RecommendRule(id, Some(rule)))
        }
        MutationKind::RemoveRecommendRule(id) => {
            check::id(&id)?;
            Directory(DirectoryChange::RecommendRule(id, None))
        }
        MutationKind::ForgetExperiment(id) => {
            check::id(&id)?;
            PreparedMutation::ForgetExperiment(id)
        }
    })
}
