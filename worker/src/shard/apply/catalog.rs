//! Descriptions of items.

use std::collections::BTreeSet;

use mercer_proto::{
    internal::{ItemFields, UpsertItem},
    v1::ItemStatus,
};

use crate::shard::{item::Popular, labels::Labels, state::Slot};

/// Replaces the named fields, or all. An upsert lists what was known from events only; a deleted
/// item comes back when its status is replaced.
pub(super) fn upsert(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    upsert: UpsertItem,
) {
    let item = slot.item_or_stub(&upsert.item_id, popular, labels);
    let replaces = |field: &str| upsert.mask.is_empty() || upsert.mask.iter().any(|f| f == field);
    let fields = upsert.fields.unwrap_or_default();
    let status = status(&fields);
    if replaces("title") {
        item.title = fields.title.into();
    }
    if replaces("description") {
        item.description = fields.description.into();
    }
    if replaces("category_path") {
        item.category_path = labels.path(&fields.category_path);
    }
    if replaces("brand") {
        item.brand = labels.label(&fields.brand);
    }
    if replaces("attributes") {
        item.attributes = labels.attributes(&fields.attributes);
    }
    if replaces("list_price") {
        item.list_price_micros = fields.list_price_micros;
    }
    if replaces("unit_cost") {
        item.unit_cost_micros = fields.unit_cost_micros;
    }
    if replaces("embedding") {
        item.embedding = fields.embedding.into();
    }
    if replaces("status") {
        item.status = status;
    } else if item.status == ItemStatus::Unlisted {
        item.status = ItemStatus::Active;
    }
}

/// Hides the item; its statistics stay. Nothing happens to an item that nobody has named.
pub(super) fn delete(slot: &mut Slot, id: &str) {
    if let Some(item) = slot.items.get_mut(id) {
        item.status = ItemStatus::Deleted;
    }
}

fn status(fields: &ItemFields) -> ItemStatus {
    match fields.status() {
        ItemStatus::Unspecified => ItemStatus::Active,
        status => status,
    }
}
