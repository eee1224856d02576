//! Rows of a table as the messages of the API.

use jiff::tz::TimeZone;
use mercer_common::{
    event::EventChecker, ids::Checker, money::from_micros, rpc::status::Violation,
};
use mercer_proto::v1::{Event, EventType, Item, ItemStatus, User};
use prost_types::Timestamp;

use super::{
    cell::{Cell, shorten},
    check,
    mapping::{Fields, Source},
};

/// What is wrong with a row; never empty.
pub(super) type Invalid = Vec<Violation>;

/// What every reading of rows needs.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Of times without zone.
    pub(crate) zone: TimeZone,
    /// Of all money.
    pub(crate) currency: String,
    /// Between the levels of a `category` column.
    pub(crate) category_separator: String,
}

/// Takes the fields of one row and collects what is wrong with them.
pub(super) struct Reader<'a> {
    cells: &'a [Cell<'a>],
    invalid: Invalid,
}

impl<'a> Reader<'a> {
    pub(super) fn new(cells: &'a [Cell<'a>]) -> Self {
        Self { cells, invalid: Vec::new() }
    }

    /// What `read` makes of the field's cells; `None` when the file or the row lacks it, or when
    /// it cannot be read, which is noted.
    pub(super) fn get<T>(
        &mut self,
        field: &str,
        source: Option<&Source>,
        read: impl FnOnce(&Source, &[Cell<'_>]) -> Result<Option<T>, String>,
    ) -> Option<T> {
        read(source?, self.cells).unwrap_or_else(|reason| {
            self.invalid.push(Violation::new(field, reason));
            None
        })
    }

    pub(super) fn label(&mut self, field: &str, source: Option<&Source>) -> Option<String> {
        self.get(field, source, Source::label)
    }

    pub(super) fn number(&mut self, field: &str, source: Option<&Source>) -> Option<f64> {
        self.get(field, source, Source::number)
    }

    /// Notes that a field is wrong.
    pub(super) fn refuse(&mut self, field: &str, reason: &str) {
        self.invalid.push(Violation::new(field, reason));
    }

    /// The value, unless reading it or checking it found something wrong.
    pub(super) fn finish<T>(mut self, value: T, found: Invalid) -> Result<T, Invalid> {
        self.invalid.extend(found);
        if self.invalid.is_empty() { Ok(value) } else { Err(self.invalid) }
    }
}

/// Reads events.
pub(crate) struct EventReader {
    context: Context,
    checker: EventChecker,
    event_type: Option<Source>,
    item_id: Option<Source>,
    timestamp: Option<Source>,
    user_id: Option<Source>,
    session_id: Option<Source>,
    basket_id: Option<Source>,
    location_id: Option<Source>,
    channel: Option<Source>,
    attribution_token: Option<Source>,
    event_id: Option<Source>,
    quantity: Option<Source>,
    amount: Option<Source>,
    list_price: Option<Source>,
    promotion: Option<Source>,
    rating: Option<Source>,
}

impl EventReader {
    /// A reader of these fields; events are checked as the server checks them.
    pub(crate) fn new(fields: &Fields, context: Context, checker: EventChecker) -> Self {
        let source = |field| fields.source(field);
        Self {
            checker,
            context,
            event_type: source("type"),
            item_id: source("item_id"),
            timestamp: source("timestamp"),
            user_id: source("user_id"),
            session_id: source("session_id"),
            basket_id: source("basket_id"),
            location_id: source("location_id"),
            channel: source("channel"),
            attribution_token: source("attribution_token"),
            event_id: source("event_id"),
            quantity: source("quantity"),
            amount: source("amount"),
            list_price: source("list_price"),
            promotion: source("promotion"),
            rating: source("rating"),
        }
    }

    /// The event of a row.
    pub(crate) fn read(&self, cells: &[Cell<'_>]) -> Result<Event, Invalid> {
        let mut row = Reader::new(cells);
        let zone = &self.context.zone;
        let money =
            |micros: Option<i64>| micros.map(|micros| from_micros(micros, &self.context.currency));
        let event_type = row.get("type", self.event_type.as_ref(), |source, cells| {
            let name = source.label(cells)?.ok_or_else(|| "is missing".to_owned())?;
            event_type(&name).map(Some)
        });
        let event = Event {
            r#type: event_type.unwrap_or(EventType::Unspecified).into(),
            item_id: row.label("item_id", self.item_id.as_ref()).unwrap_or_default(),
            event_time: row
                .get("timestamp", self.timestamp.as_ref(), |source, cells| {
                    source.time(cells, zone)?.map(Some).ok_or_else(|| "is missing".to_owned())
                })
                .map(api_time),
            user_id: row.label("user_id", self.user_id.as_ref()),
            session_id: row.label("session_id", self.session_id.as_ref()),
            basket_id: row.label("basket_id", self.basket_id.as_ref()),
            location_id: row.label("location_id", self.location_id.as_ref()),
            channel: row.label("channel", self.channel.as_ref()),
            attribution_token: row.label("attribution_token", self.attribution_token.as_ref()),
            event_id: row.label("event_id", self.event_id.as_ref()),
            quantity: row
                .get("quantity", self.quantity.as_ref(), Source::number)
                // A file of mixed events has the column for all of them.
                .filter(|_| matches!(event_type, Some(EventType::Purchase | EventType::Return))),
            amount: money(row.get("amount", self.amount.as_ref(), Source::micros)),
            list_price: money(row.get("list_price", self.list_price.as_ref(), Source::micros)),
            promotion: row
                .get("promotion", self.promotion.as_ref(), Source::flag)
                .unwrap_or_default(),
            rating: row
                .get("rating", self.rating.as_ref(), Source::number)
                .filter(|_| event_type == Some(EventType::Rating)),
            import_row: Vec::new(),
        };
        let event = row.finish(event, Vec::new())?;
        let mut checked = Checker::default();
        self.checker.check(&mut checked, &"", &event);
        checked.finish().map_err(|invalid| invalid.violations)?;
        Ok(event)
    }
}

/// The API's form of a time.
pub(crate) fn api_time(time: jiff::Timestamp) -> Timestamp {
    let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
    if nanos < 0 {
        (seconds, nanos) = (seconds - 1, nanos + 1_000_000_000);
    }
    Timestamp { seconds, nanos }
}

/// The event type of a name such as `purchase`, `ADD_TO_CART` or `add-to-cart`.
fn event_type(name: &str) -> Result<EventType, String> {
    let normal = name.trim().to_ascii_uppercase().replace(['-', ' '], "_");
    let normal = normal.strip_prefix("EVENT_TYPE_").unwrap_or(&normal);
    Ok(match normal {
        "VIEW" => EventType::View,
        "CLICK" => EventType::Click,
        "FAVOURITE" | "FAVORITE" => EventType::Favourite,
        "ADD_TO_CART" => EventType::AddToCart,
        "PURCHASE" => EventType::Purchase,
        "RETURN" => EventType::Return,
        "RATING" => EventType::Rating,
        _ => {
            return Err(format!(
                "`{}` is not view, click, favourite, add_to_cart, purchase, return or rating",
                shorten(name)
            ));
        }
    })
}

/// Numbers with anything but digits, signs and points between them.
fn embedding(text: &str) -> Result<Vec<f32>, String> {
    let numbers = text.split(|character: char| {
        character.is_whitespace() || matches!(character, ',' | ';' | '[' | ']')
    });
    let numbers = numbers.filter(|number| !number.is_empty());
    let read = |number: &str| {
        let parsed = number.parse().ok().filter(|number: &f32| number.is_finite());
        parsed.ok_or_else(|| format!("holds `{}`, which is no number", shorten(number)))
    };
    numbers.map(read).collect()
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
    /// Fields that the file has, as paths of an update mask.
    mask: Vec<String>,
}

impl ItemReader {
    /// A reader of these fields.
    pub(crate) fn new(fields: &Fields, context: Context) -> Self {
        let source = |field: &str| fields.source(field);
        let levels: Vec<Source> =
            (1..=8).filter_map(|level| source(&format!("category_{level}"))).collect();
        let attributes = fields.attributes();
        let mut mask: Vec<String> =
            ["title", "description", "brand", "list_price", "unit_cost", "status", "embedding"]
                .iter()
                .filter(|field| source(field).is_some())
                .map(|&field| field.to_owned())
                .collect();
        if !levels.is_empty() || source("category").is_some() {
            mask.push("category_path".into());
        }
        if !attributes.is_empty() {
            mask.push("attributes".into());
        }
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
            mask,
        }
    }

    /// The fields that the file has: others keep their values.
    pub(crate) fn mask(&self) -> &[String] {
        &self.mask
    }

    /// The item of a row.
    pub(crate) fn read(&self, cells: &[Cell<'_>]) -> Result<Item, Invalid> {
        let mut row = Reader::new(cells);
        let money =
            |micros: Option<i64>| micros.map(|micros| from_micros(micros, &self.context.currency));
        let mut category_path: Vec<String> =
            self.levels.iter().filter_map(|level| row.label("category", Some(level))).collect();
        if let Some(category) = row.label("category", self.category.as_ref()) {
            let levels = category.split(&self.context.category_separator);
            category_path
                .extend(levels.map(|level| level.trim().to_owned()).filter(|l| !l.is_empty()));
        }
        let item = Item {
            item_id: row.label("item_id", self.item_id.as_ref()).unwrap_or_default(),
            title: row.label("title", self.title.as_ref()).unwrap_or_default(),
            description: row.label("description", self.description.as_ref()).unwrap_or_default(),
            category_path,
            brand: row.label("brand", self.brand.as_ref()).unwrap_or_default(),
            attributes: attributes(&mut row, &self.attributes),
            list_price: money(row.get("list_price", self.list_price.as_ref(), Source::micros)),
            unit_cost: money(row.get("unit_cost", self.unit_cost.as_ref(), Source::micros)),
            status: row
                .get("status", self.status.as_ref(), |source, cells| {
                    source.label(cells)?.map(|name| item_status(&name)).transpose()
                })
                .unwrap_or(ItemStatus::Unspecified)
                .into(),
            embedding: row
                .get("embedding", self.embedding.as_ref(), |source, cells| {
                    source.label(cells)?.map(|text| embedding(&text)).transpose()
                })
                .unwrap_or_default(),
        };
        let invalid = check::item(&item);
        row.finish(item, invalid)
    }
}

fn item_status(name: &str) -> Result<ItemStatus, String> {
    match name.trim().to_ascii_lowercase().as_str() {
        "active" => Ok(ItemStatus::Active),
        "inactive" => Ok(ItemStatus::Inactive),
        _ => Err(format!("`{}` is not active or inactive", shorten(name))),
    }
}

fn attributes(
    row: &mut Reader<'_>,
    sources: &[(String, Source)],
) -> std::collections::BTreeMap<String, String> {
    sources
        .iter()
        .filter_map(|(name, source)| {
            Some((name.clone(), row.label(&format!("attribute.{name}"), Some(source))?))
        })
        .collect()
}

/// Reads users.
pub(crate) struct UserReader {
    user_id: Option<Source>,
    denied_item_ids: Option<Source>,
    attributes: Vec<(String, Source)>,
    mask: Vec<String>,
}

impl UserReader {
    /// A reader of these fields.
    pub(crate) fn new(fields: &Fields) -> Self {
        let attributes = fields.attributes();
        let denied_item_ids = fields.source("denied_item_ids");
        let mut mask = Vec::new();
        if !attributes.is_empty() {
            mask.push("attributes".into());
        }
        if denied_item_ids.is_some() {
            mask.push("denied_item_ids".into());
        }
        Self { user_id: fields.source("user_id"), denied_item_ids, attributes, mask }
    }

    /// The fields that the file has: others keep their values.
    pub(crate) fn mask(&self) -> &[String] {
        &self.mask
    }

    /// The user of a row.
    pub(crate) fn read(&self, cells: &[Cell<'_>]) -> Result<User, Invalid> {
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
