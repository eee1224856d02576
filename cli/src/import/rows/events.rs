//! Rows of events.

use mercer_common::{event::EventChecker, ids::Checker, money::from_micros};
use mercer_proto::v1::{Event, EventType};

use super::{Context, Invalid, Negative, Reader, api_time};
use crate::import::{
    mapping::{Fields, Source},
    reading::cell::shorten,
    values::{
        Extra, Role, Row,
        words::{TYPES, TypeOf},
    },
};

/// What becomes of a row.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The row's event was added to the others.
    Event,
    /// Left out, and why.
    Skipped(&'static str),
    /// The user must say what it means.
    Asked(Asked),
    Refused(Invalid),
}

/// What only the user can say of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Units below zero.
    Negative,
    /// An event type of this name.
    Type(String),
}

/// Units and money of a row as the file has them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Amounts {
    pub(crate) units: Option<f64>,
    pub(crate) micros: Option<i64>,
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
    /// Names the row, whatever it says.
    row_id: Option<Source>,
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
            row_id: fields.row_id.map(Source::Cell),
        }
    }

    /// Adds the event of a row to `events`, and tells its amounts.
    pub(crate) fn read(&self, cells: Row<'_>, events: &mut Vec<Event>) -> (Taken, Amounts) {
        let mut row = Reader::new(cells);
        let amounts = self.amounts_of(&mut row);
        (self.taken(row, amounts, events), amounts)
    }

    /// The amounts of a row alone.
    pub(crate) fn amounts(&self, cells: Row<'_>) -> Amounts {
        self.amounts_of(&mut Reader::new(cells))
    }

    fn amounts_of(&self, row: &mut Reader<'_>) -> Amounts {
        let units =
            row.get("quantity", self.quantity.as_ref(), |s, row| s.number(row, Extra::Nothing));
        Amounts { units, micros: row.get("amount", self.amount.as_ref(), Source::micros) }
    }

    fn taken(&self, mut row: Reader<'_>, amounts: Amounts, events: &mut Vec<Event>) -> Taken {
        let named = row.get("type", self.event_type.as_ref(), |source, row| {
            source.label(row, Role::Name)?.map(Some).ok_or_else(|| "is missing".to_owned())
        });
        let found = named.as_ref().map(|name| self.context.event_types.find(name));
        let mut event_type = match found {
            Some(Some(TypeOf::Skip)) => return Taken::Skipped("of event types that are skipped"),
            Some(Some(TypeOf::Event(event_type))) => Some(event_type),
            Some(None) | None => None,
        };
        let unknown = named.filter(|_| event_type.is_none()).map(|name| name.trim().to_owned());
        let user_id = row.label("user_id", self.user_id.as_ref());
        let (mut quantity, mut amount) = (amounts.units, amounts.micros);
        let is_sold = matches!(event_type, Some(EventType::Purchase | EventType::Return));
        if let Some(units) = quantity.filter(|&units| units < 0.0 && is_sold) {
            let is_return = event_type == Some(EventType::Return);
            match self.context.negative {
                // What is returned may be written as units that go back.
                _ if is_return => {}
                Some(Negative::Return) if amount == Some(0) && user_id.is_none() => {
                    return Taken::Skipped("write-offs (negative, price 0, without user)");
                }
                Some(Negative::Return) => event_type = Some(EventType::Return),
                Some(Negative::Skip) => return Taken::Skipped("of negative quantity"),
                None if row.is_valid() => return Taken::Asked(Asked::Negative),
                Some(Negative::Refuse) | None => {}
            }
            if event_type == Some(EventType::Return) {
                quantity = Some(-units);
            }
        }
        // Money that goes back is written below 0 by some, whatever the sign of the units.
        if event_type == Some(EventType::Return) {
            amount = amount.map(|micros| micros.saturating_abs());
        }
        let zero = EventType::Unspecified;
        let money =
            |micros: Option<i64>| micros.map(|micros| from_micros(micros, &self.context.currency));
        let mut event = Event {
            r#type: event_type.unwrap_or(zero).into(),
            item_id: row.label("item_id", self.item_id.as_ref()).unwrap_or_default(),
            event_time: row
                .get("timestamp", self.timestamp.as_ref(), |source, row| {
                    source.time(row)?.map(Some).ok_or_else(|| "is missing".to_owned())
                })
                .map(api_time),
            user_id,
            session_id: row.label("session_id", self.session_id.as_ref()),
            basket_id: row.label("basket_id", self.basket_id.as_ref()),
            location_id: row.label("location_id", self.location_id.as_ref()),
            channel: row.label("channel", self.channel.as_ref()),
            attribution_token: row.label("attribution_token", self.attribution_token.as_ref()),
            event_id: row.label("event_id", self.event_id.as_ref()),
            // A file of mixed events has the column for all of them.
            quantity: quantity.filter(|_| is_sold),
            amount: money(amount),
            list_price: money(row.get("list_price", self.list_price.as_ref(), Source::micros)),
            promotion: row
                .get("promotion", self.promotion.as_ref(), Source::flag)
                .unwrap_or_default(),
            rating: row
                .number("rating", self.rating.as_ref())
                .filter(|_| event_type == Some(EventType::Rating)),
            import_row: Vec::new(),
        };
        let row_id = self.row_id.as_ref().map(|source| {
            let id = row.get("--row-id", Some(source), |source, row| {
                let id = source.label(row, Role::Name)?;
                id.map(Some).ok_or_else(|| "is missing: every row must have one".to_owned())
            });
            id.unwrap_or_default()
        });
        if let Some(unknown) = unknown {
            if row.is_valid() {
                return Taken::Asked(Asked::Type(unknown));
            }
            row.refuse("type", Asked::Type(unknown).reason());
        }
        if let Err(invalid) = row.finish((), Vec::new()) {
            return Taken::Refused(invalid);
        }
        if let Some(rows) = &self.context.rows {
            event.import_row = rows.stamp(&event, row_id.as_deref());
        }
        let mut checked = Checker::default();
        self.checker.check(&mut checked, &"", &event);
        match checked.finish() {
            Ok(()) => {
                events.push(event);
                Taken::Event
            }
            Err(invalid) => Taken::Refused(invalid.violations),
        }
    }
}

impl Asked {
    /// The field at fault.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Negative => "quantity",
            Self::Type(_) => "type",
        }
    }

    /// Why the row is refused while nobody says what it means.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Negative => "is below 0: say --negative return, skip or refuse".into(),
            Self::Type(name) => {
                let name = shorten(name);
                format!("`{name}` is not {TYPES}: say --event-types '{name}=purchase' or =skip")
            }
        }
    }
}
