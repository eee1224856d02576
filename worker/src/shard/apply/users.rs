//! Descriptions of users, and their deletion.

use mercer_proto::internal::UpsertUser;

use crate::shard::{
    interner::{Interner, InternerFull},
    labels::Labels,
    merge,
    state::Slot,
    user::{Met, UserState},
};

/// Replaces the named fields, or all, or those that are given.
pub(super) fn upsert(
    slot: &mut Slot,
    interner: &mut Interner,
    labels: &mut Labels,
    met: Met,
    upsert: UpsertUser,
) -> Result<(), InternerFull> {
    let replaces = |field: &str| upsert.mask.is_empty() || upsert.mask.iter().any(|f| f == field);
    let fields = upsert.fields.unwrap_or_default();
    let attributes = replaces("attributes");
    let denied = match upsert.keep_absent {
        true => {
            let clears = upsert.clears.iter().any(|path| path == "denied_item_ids");
            clears || !fields.denied_item_ids.is_empty()
        }
        false => replaces("denied_item_ids"),
    };
    let user = slot.users.entry(upsert.user_id.into());
    let user = user.or_insert_with(|| UserState::first_met(met));
    user.catalogued = true;
    if upsert.keep_absent {
        merge::attributes(&mut user.attributes, labels, &fields.attributes, &upsert.clears);
    } else if attributes {
        user.attributes = labels.attributes(&fields.attributes);
    }
    if denied {
        user.denied = interner.intern_set(&fields.denied_item_ids)?;
    }
    Ok(())
}

/// Erases the user; what was counted stays counted.
pub(super) fn delete(slot: &mut Slot, id: &str) {
    slot.users.remove(id);
}
