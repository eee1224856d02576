//! Rows of items and users.

use mercer_common::{limits, money::from_micros};
use mercer_proto::v1::{Item, ItemStatus, User};

use super::{Context, Invalid, Reader, check};
use crate::import::{
    mapping::{Fields, Source},
    reading::cell::shorten,
    values::{Role, Row, words::item_status},
};

/// Numbers with anything but digits, signs and points between them.
fn embedding(text: &str) -> Result<Vec<f32>, String> {
    let numbers = text.split(|character: char| {
        character.is_whitespace() || matches!(character, ',' | ';' | '[' | ']')
    });
    let mut values = Vec::new();
    for number in numbers.filter(|number| !number.is_empty()) {
        match number.parse::<f32>() {
            Ok(value) if value.is_finite() => values.push(value),
            _ => return Err(format!("holds `{}`, which is no number", shorten(number))),
        }
    }
    Ok(values)
}

/// Reads items.
pub(crate) struct ItemReader {
    context: Context,
    item_id: Option<Source>,
    title: Option<Source>,
    description: Option<Source>,
    category: Option<Source>,
    levels: Vec<Source>,
    brand: Option<Source>,
    list_price: Option<Source>,
    unit_cost: Option<Source>,
    status: Option<Source>,
    embedding: Option<Source>,
    attributes: Vec<(String, Source)>,
}

impl ItemReader {
    /// A reader of these fields.
    pub(crate) fn new(fields: &Fields, context: Context) -> Self {
        let source = |field: &str| fields.source(field);
        let levels: Vec<Source> =
            (1..=8).filter_map(|level| source(&format!("category_{level}"))).collect();
        let attributes = fields.attributes();
        Self {
            context,
            item_id: source("item_id"),
            title: source("title"),
            description: source("description"),
            category: source("category"),
            levels,
            brand: source("brand"),
            list_price: source("list_price"),
            unit_cost: source("unit_cost"),
            status: source("status"),
            embedding: source("embedding"),
            attributes,
        }
    }

    /// The item of a row.
    pub(crate) fn read(&self, cells: Row<'_>) -> Result<Item, Invalid> {
        let mut row = Reader::new(cells);
        let money =
            |micros: Option<i64>| micros.map(|micros| from_micros(micros, &self.context.currency));
        let mut category_path: Vec<String> = Vec::new();
        let mut blank = None;
        for (number, level) in (1..).zip(&self.levels) {
            match row.title("category", Some(level)) {
                Some(level) if blank.is_none() => category_path.push(level),
                Some(_) => {
                    let before = blank.unwrap_or(number);
                    let problem = format!("is filled, and category_{before} before it is not");
                    row.refuse(&format!("category_{number}"), problem);
                    break;
                }
                None => blank = blank.or(Some(number)),
            }
        }
        if let Some(category) = row.label("category", self.category.as_ref()) {
            let levels = category.split(&self.context.category_separator).map(str::trim);
            for level in levels.filter(|level| !level.is_empty()) {
                category_path.push(row.shortened(level));
            }
        }
        let item = Item {
            item_id: row.label("item_id", self.item_id.as_ref()).unwrap_or_default(),
            title: row.title("title", self.title.as_ref()).unwrap_or_default(),
            description: row
                .cut(
                    "description",
                    self.description.as_ref(),
                    limits::DESCRIPTION_BYTES,
                    "descriptions were cut to 16 KiB",
                )
                .unwrap_or_default(),
            category_path,
            brand: row.title("brand", self.brand.as_ref()).unwrap_or_default(),
            attributes: attributes(&mut row, &self.attributes),
            list_price: money(row.get("list_price", self.list_price.as_ref(), Source::micros)),
            unit_cost: money(row.get("unit_cost", self.unit_cost.as_ref(), Source::micros)),
            status: row
                .get("status", self.status.as_ref(), |source, row| {
                    source.label(row, Role::Name)?.map(|name| item_status(&name)).transpose()
                })
                .unwrap_or(ItemStatus::Unspecified)
                .into(),
            embedding: row
                .get("embedding", self.embedding.as_ref(), |source, row| {
                    source.label(row, Role::Name)?.map(|text| embedding(&text)).transpose()
                })
                .unwrap_or_default(),
        };
        let invalid = check::item(&item);
        row.finish(item, invalid)
    }
}

fn attributes(
    row: &mut Reader<'_>,
    sources: &[(String, Source)],
) -> std::collections::BTreeMap<String, String> {
    sources
        .iter()
        .filter_map(|(name, source)| {
            Some((name.clone(), row.title(&format!("attribute.{name}"), Some(source))?))
        })
        .collect()
}

/// Reads users.
pub(crate) struct UserReader {
    user_id: Option<Source>,
    denied_item_ids: Option<Source>,
    attributes: Vec<(String, Source)>,
}

impl UserReader {
    /// A reader of these fields.
    pub(crate) fn new(fields: &Fields) -> Self {
        let attributes = fields.attributes();
        let denied_item_ids = fields.source("denied_item_ids");
        Self { user_id: fields.source("user_id"), denied_item_ids, attributes }
    }

    /// The user of a row.
    pub(crate) fn read(&self, cells: Row<'_>) -> Result<User, Invalid> {
        let mut row = Reader::new(cells);
        let denied = row.label("denied_item_ids", self.denied_item_ids.as_ref());
        let user = User {
            user_id: row.label("user_id", self.user_id.as_ref()).unwrap_or_default(),
            attributes: attributes(&mut row, &self.attributes),
            denied_item_ids: denied
                .iter()
                .flat_map(|list| list.split('|'))
                .map(|id| id.trim().to_owned())
                .filter(|id| !id.is_empty())
                .collect(),
        };
        let invalid = check::user(&user);
        row.finish(user, invalid)
    }
}
