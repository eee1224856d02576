//! What an event must satisfy before it may enter the log.

use jiff::{SignedDuration, Timestamp};
use mercer_proto::v1::{Event, EventType};

use crate::{ids::Checker, limits, money, rpc::status::InvalidRequest, time::EventTime};

/// How far ahead of the coordinator's clock an event may be.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Checks events against the cluster's currency and the present time.
#[derive(Clone, Debug)]
pub struct EventChecker {
    currency: String,
    latest: Timestamp,
}

impl EventChecker {
    /// A checker for events that arrive at `now`.
    #[must_use]
    pub fn new(currency: &str, now: Timestamp) -> Self {
        let latest = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        Self { currency: currency.to_owned(), latest }
    }

    /// Checks a whole batch; violations name `events[i].field`.
    ///
    /// # Errors
    /// When the batch is empty, too large or holds an event that breaks the contract.
    pub fn check_batch(&self, events: &[Event]) -> Result<(), InvalidRequest> {
        let mut checker = Checker::default();
        if events.is_empty() {
            checker.violation("events", "must not be empty");
        }
        checker.count(|| "events".into(), events.len(), limits::BATCH_RECORDS);
        if checker.is_empty() {
            for (index, event) in events.iter().enumerate() {
                self.check(&mut checker, &format_args!("events[{index}]."), event);
            }
        }
        checker.finish()
    }

    /// Checks one event; violations name `{prefix}field`.
    pub fn check(&self, checker: &mut Checker, prefix: &dyn std::fmt::Display, event: &Event) {
        let field = |name: &str| format!("{prefix}{name}");
        let event_type = EventType::try_from(event.r#type).unwrap_or(EventType::Unspecified);
        if event_type == EventType::Unspecified {
            checker.violation(field("type"), format!("{} is not an event type", event.r#type));
        }
        checker.id(|| field("item_id"), &event.item_id);
        let optional_ids = [
            ("user_id", &event.user_id),
            ("session_id", &event.session_id),
            ("basket_id", &event.basket_id),
            ("channel", &event.channel),
            ("attribution_token", &event.attribution_token),
            ("event_id", &event.event_id),
        ];
        for (name, id) in optional_ids {
            if let Some(id) = id {
                checker.id(|| field(name), id);
            }
        }
        if let Some(location) = &event.location_id {
            checker.location(|| field("location_id"), location);
        }
        self.check_time(checker, &field, event);
        self.check_quantity(checker, &field, event, event_type);
        for (name, amount) in [("amount", &event.amount), ("list_price", &event.list_price)] {
            match amount.as_ref().map(|amount| money::to_micros(amount, &self.currency)) {
                Some(Err(error)) => checker.violation(field(name), error.to_string()),
                Some(Ok(micros)) if micros < 0 => {
                    checker.violation(field(name), "must not be negative");
                }
                Some(Ok(micros)) if micros > limits::EVENT_MONEY_MICROS => {
                    let largest = limits::EVENT_MONEY_MICROS / 1_000_000;
                    checker.violation(field(name), format!("must be at most {largest}"));
                }
                Some(Ok(0)) if amount.as_ref().is_some_and(|amount| amount.nanos != 0) => {
                    checker.violation(field(name), "must be 0 or at least 0.000001");
                }
                Some(Ok(_)) | None => {}
            }
        }
        check_rating(checker, &field, event, event_type);
        if !matches!(event.import_row.len(), 0 | 16) {
            checker.violation(field("import_row"), "must have 16 bytes");
        }
    }

    fn check_time(&self, checker: &mut Checker, field: &dyn Fn(&str) -> String, event: &Event) {
        let Some(time) = &event.event_time else {
            checker.violation(field("event_time"), "is required");
            return;
        };
        let Ok(timestamp) = Timestamp::new(time.seconds, time.nanos) else {
            checker.violation(field("event_time"), "is not a valid timestamp");
            return;
        };
        if time.nanos < 0 {
            checker.violation(field("event_time"), "has negative nanos");
        } else if timestamp > self.latest {
            checker.violation(field("event_time"), format!("{timestamp} is more than a day ahead"));
        } else if EventTime::from_unix_seconds(time.seconds).is_none() {
            checker
                .violation(field("event_time"), format!("{timestamp} lies outside 1990 to 2126"));
        }
    }

    fn check_quantity(
        &self,
        checker: &mut Checker,
        field: &dyn Fn(&str) -> String,
        event: &Event,
        event_type: EventType,
    ) {
        let required = matches!(event_type, EventType::Purchase | EventType::Return);
        match event.quantity {
            None if required => {
                checker.violation(field("quantity"), "is required for purchases and returns");
            }
            Some(_) if !required && event_type != EventType::Unspecified => {
                checker.violation(field("quantity"), "belongs to purchases and returns only");
            }
            Some(quantity)
                if !(limits::LEAST_QUANTITY..=limits::EVENT_QUANTITY).contains(&quantity) =>
            {
                let (least, most) = (limits::LEAST_QUANTITY, limits::EVENT_QUANTITY);
                checker.violation(
                    field("quantity"),
                    format!("is {quantity}; must lie from {least} to {most}"),
                );
            }
            Some(_) | None => {}
        }
    }
}

fn check_rating(
    checker: &mut Checker,
    field: &dyn Fn(&str) -> String,
    event: &Event,
    event_type: EventType,
) {
    match (event_type, event.rating) {
        (EventType::Rating, None) => checker.violation(field("rating"), "is required for ratings"),
        (EventType::Rating, Some(rating))
            if !(-limits::RATING..=limits::RATING).contains(&rating) =>
        {
            checker.violation(
                field("rating"),
                format!("is {rating}; must lie within ±{}", limits::RATING),
            )
        }
        (EventType::Rating, Some(_)) | (_, None) => {}
        (_, Some(_)) => checker.violation(field("rating"), "belongs to ratings only"),
    }
}

#[cfg(test)]
mod tests;
