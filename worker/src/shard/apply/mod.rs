//! What a record of the log does to the state: one file per family of records.
//!
//! Applying is a pure function of the state, the position and the section. It decides
//! duplicates first, for every section, and then changes only slots that were not loaded at a
//! later position, so that a replay from a snapshot ends where the first pass did.

mod catalog;
mod check;
mod events;
mod paid;
mod prepare;
mod stock;
mod terms;
mod users;

use mercer_common::{
    event::{APPLY_VERSION, IdHasher, LEDGERS_SINCE, Side},
    log::Sequence,
};
use mercer_proto::internal::UseApplyVersion;

use super::{ApplyError, dedup::Times, experiments, state::ShardState, user::Met};

use events::Shared;
pub use prepare::Prepared;
pub(crate) use prepare::directory_change;
use prepare::{
    PreparedExposure, PreparedInteraction, PreparedItemEvent, PreparedMutation, SlotChange,
};

/// A section on its way into the state: a large one is applied in several steps.
#[derive(Debug)]
pub struct Application {
    sequence: Sequence,
    started: bool,
    prepared: Prepared,
}

impl Application {
    /// The application of the section at `sequence`.
    #[must_use]
    pub fn new(sequence: Sequence, prepared: Prepared) -> Self {
        Self { sequence, started: false, prepared }
    }

    /// Where the section lies in the log.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Applies at most `budget` records and takes them off it; tells whether the section is
    /// done. Readers may see the state between two steps, snapshots must not.
    ///
    /// # Errors
    /// See [`ApplyError`]; the state is not to be used further.
    pub fn advance(
        &mut self,
        state: &mut ShardState,
        budget: &mut usize,
    ) -> Result<bool, ApplyError> {
        if !self.started {
            self.started = true;
            if self.sequence <= state.applied || !self.admit(state)? {
                self.prepared.clear();
            }
            if let Some(retract) = self.prepared.retract()
                && self.sequence > state.applied
                && !state.retractions.is_folding()
            {
                state.retractions.note(self.sequence, retract)?;
            }
        }
        let append_time_ms = self.prepared.times.append_ms;
        let met = Met::new(self.sequence, append_time_ms);
        while *budget > 0 {
            let Prepared { exposures, interactions, item_events, mutations, .. } =
                &mut self.prepared;
            if let Some(record) = exposures.next() {
                apply_exposure(state, self.sequence, &record)?;
            } else if let Some(record) = interactions.next() {
                apply_interaction(state, met, record)?;
            } else if let Some(record) = item_events.next() {
                apply_item_event(state, self.sequence, record);
            } else if let Some(record) = mutations.next() {
                apply_mutation(state, met, append_time_ms, record)?;
            } else {
                if self.prepared.changes_directory {
                    state.directory.share();
                }
                state.advance(self.sequence);
                return Ok(true);
            }
            *budget -= 1;
        }
        Ok(false)
    }

    fn admit(&self, state: &mut ShardState) -> Result<bool, ApplyError> {
        // As if it had never been appended: before anything is remembered of it.
        if self.prepared.producer().is_some_and(|import| state.retractions.covers(import)) {
            return Ok(false);
        }
        let Prepared { times, origin, use_version, .. } = &self.prepared;
        let fresh = state.dedup.admit(*times, origin, self.prepared.records());
        if let Some(change) = use_version {
            use_apply_version(state, *times, change)?;
        }
        Ok(fresh)
    }
}

/// Applies a whole section.
///
/// # Errors
/// See [`ApplyError`]; the state is not to be used further.
pub fn apply(
    state: &mut ShardState,
    sequence: Sequence,
    prepared: Prepared,
) -> Result<(), ApplyError> {
    let mut budget = usize::MAX;
    Application::new(sequence, prepared).advance(state, &mut budget).map(|_done| ())
}

/// From here on records mean what `change` says. Saying it again changes nothing.
fn use_apply_version(
    state: &mut ShardState,
    times: Times,
    change: &UseApplyVersion,
) -> Result<(), ApplyError> {
    let &UseApplyVersion { version, id_key } = change;
    if version > APPLY_VERSION {
        return Err(ApplyError::NewerVersion { version });
    }
    if version > state.apply_version {
        if version >= LEDGERS_SINCE && state.apply_version < LEDGERS_SINCE {
            state.ledgers_since_ms = times.append_ms;
        }
        state.apply_version = version;
        if version >= 2 {
            state.dedup.use_content(IdHasher::new(id_key), times);
        }
        if state.is_bounded() {
            state.dedup.use_bounds();
        }
    }
    Ok(())
}

fn apply_exposure(
    state: &mut ShardState,
    sequence: Sequence,
    prepared: &PreparedExposure,
) -> Result<(), ApplyError> {
    let ShardState { slots, interner, labels, .. } = state;
    let slot = &mut slots[prepared.place];
    if sequence <= slot.loaded_through {
        return Ok(());
    }
    // Nothing is noted of a user who was deleted in the meantime.
    let Some(user) = slot.users.get_mut(prepared.record.user_id.as_str()) else { return Ok(()) };
    let trials = user.trials.get_or_insert_default();
    experiments::expose(trials, &mut slot.tallies, interner, labels, &prepared.record)?;
    Ok(())
}

fn apply_interaction(
    state: &mut ShardState,
    met: Met,
    prepared: PreparedInteraction,
) -> Result<(), ApplyError> {
    let sequence = met.position;
    if state.retractions.takes_user(prepared.mark, sequence) {
        return Ok(());
    }
    if prepared.sent.is_some_and(|sent| !state.dedup.admit_event(sent, Side::User)) {
        return Ok(());
    }
    let ShardState { slots, interner, labels, directory, .. } = state;
    let slot = &mut slots[prepared.place];
    if sequence > slot.loaded_through {
        slot.interactions.add(prepared.hash);
        let shared = Shared { interner, labels, directory };
        events::interaction(slot, shared, met, prepared)?;
    }
    Ok(())
}

fn apply_item_event(state: &mut ShardState, sequence: Sequence, prepared: PreparedItemEvent) {
    if state.retractions.takes_item(prepared.row.as_ref(), sequence) {
        return;
    }
    if prepared.sent.is_some_and(|sent| !state.dedup.admit_event(sent, Side::Item)) {
        return;
    }
    let is_bounded = state.is_bounded();
    let ShardState { slots, popular, labels, directory, .. } = state;
    let slot = &mut slots[prepared.place];
    if sequence > slot.loaded_through {
        slot.item_events.add(prepared.hash);
        events::item_event(slot, popular, labels, directory, &prepared, is_bounded);
    }
}

fn apply_mutation(
    state: &mut ShardState,
    met: Met,
    append_time_ms: i64,
    prepared: PreparedMutation,
) -> Result<(), ApplyError> {
    let sequence = met.position;
    let is_bounded = state.is_bounded();
    let ShardState { slots, interner, labels, popular, directory, list_prices, .. } = state;
    let (place, change) = match prepared {
        PreparedMutation::Directory(change) => {
            // Who appended it had been told that there is room; what came in between was faster.
            if let Err(full) = directory.apply(change, is_bounded) {
                tracing::warn!(sequence, %full, "a record was not taken");
            }
            return Ok(());
        }
        PreparedMutation::ForgetExperiment(id) => {
            for slot in slots.iter_mut().filter(|slot| sequence > slot.loaded_through) {
                let trials = slot.users.values_mut().map(|user| &mut user.trials);
                experiments::forget(&mut slot.tallies, trials, &id);
            }
            return Ok(());
        }
        PreparedMutation::Slot(place, change) => (place, change),
    };
    let slot = &mut slots[place];
    if sequence <= slot.loaded_through {
        return Ok(());
    }
    match change {
        SlotChange::UpsertItem(upsert) => {
            list_prices.widen(upsert.fields.as_ref().and_then(|fields| fields.list_price_micros));
            catalog::upsert(slot, popular, labels, upsert);
        }
        SlotChange::DeleteItem(id) => catalog::delete(slot, &id),
        SlotChange::UpsertUser(upsert) => users::upsert(slot, interner, labels, met, upsert)?,
        SlotChange::DeleteUser(id) => users::delete(slot, &id),
        SlotChange::SetStock(set) => {
            if let Some(stock) =
                stock::at(slot, popular, labels, &set.item_id, &set.location_id, is_bounded)
            {
                stock::set(stock, &set, append_time_ms);
            }
        }
        SlotChange::AdjustStock(adjust) => {
            if let Some(stock) =
                stock::at(slot, popular, labels, &adjust.item_id, &adjust.location_id, is_bounded)
            {
                stock::adjust(stock, &adjust, append_time_ms);
            }
        }
        SlotChange::DeleteStock(delete) => stock::delete(slot, &delete),
        SlotChange::SetSupply(set, terms) => {
            terms::set_supply(slot, popular, labels, &set, terms);
        }
        SlotChange::DeleteSupply(delete) => terms::delete_supply(slot, &delete),
        SlotChange::SetCompetitorPrice(set) => {
            terms::set_competitor_price(slot, popular, labels, &set);
        }
        SlotChange::SetItemPriceRule(id, rule) => {
            terms::set_price_rule(slot, popular, labels, &id, rule);
        }
    }
    Ok(())
}
