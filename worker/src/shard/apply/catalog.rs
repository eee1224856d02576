//! Descriptions of items.

use std::collections::BTreeSet;

use mercer_proto::{
    internal::{ItemFields, UpsertItem},
    v1::ItemStatus,
};

use crate::shard::{
    item::{ItemState, Popular},
    labels::Labels,
    merge,
    state::Slot,
};

/// Replaces the named fields, or all. An upsert lists what was known from events only; a deleted
/// item comes back when its status is replaced.
pub(super) fn upsert(
    slot: &mut Slot,
    popular: &mut BTreeSet<Popular>,
    labels: &mut Labels,
    upsert: UpsertItem,
) {
    let item = slot.item_or_stub(&upsert.item_id, popular, labels);
    if upsert.keep_absent {
        keep_absent(item, labels, upsert.fields.unwrap_or_default(), &upsert.clears);
        return;
    }
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

/// Keeps what the fields do not say. An item that is catalogued keeps its status unless they name one,
/// be it inactive or deleted.
fn keep_absent(item: &mut ItemState, labels: &mut Labels, fields: ItemFields, clears: &[String]) {
    for path in clears {
        match path.as_str() {
            "title" => item.title = Box::default(),
            "description" => item.description = Box::default(),
            "category_path" => item.category_path = labels.path(&[]),
            "brand" => item.brand = labels.label(""),
            "list_price" => item.list_price_micros = None,
            "unit_cost" => item.unit_cost_micros = None,
            "embedding" => item.embedding = Box::default(),
            _ => {}
        }
    }
    match fields.status() {
        ItemStatus::Unspecified if item.status == ItemStatus::Unlisted => {
            item.status = ItemStatus::Active;
        }
        ItemStatus::Unspecified => {}
        status => item.status = status,
    }
    let ItemFields {
        title,
        description,
        category_path,
        brand,
        attributes,
        list_price_micros,
        unit_cost_micros,
        status: _,
        embedding,
    } = fields;
    if !title.is_empty() {
        item.title = title.into();
    }
    if !description.is_empty() {
        item.description = description.into();
    }
    if !category_path.is_empty() {
        item.category_path = labels.path(&category_path);
    }
    if !brand.is_empty() {
        item.brand = labels.label(&brand);
    }
    merge::attributes(&mut item.attributes, labels, &attributes, clears);
    item.list_price_micros = list_price_micros.or(item.list_price_micros);
    item.unit_cost_micros = unit_cost_micros.or(item.unit_cost_micros);
    if !embedding.is_empty() {
        item.embedding = embedding.into();
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
