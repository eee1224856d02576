//! What a user paid, taken off the record of the users' side.

use mercer_common::time::Day;
use mercer_proto::{internal::Interaction, v1::EventType};

use super::check;
use crate::shard::{
    ApplyError,
    user::ledger::{Line, LineKind, Sums},
};

/// What a purchase or return says since version 5.
#[derive(Debug)]
pub(super) struct Paid {
    units_micros: u64,
    money_micros: Option<u64>,
    visit: u32,
    channel: String,
    /// Empty for the location `default`.
    pub(super) location: String,
    promotion: bool,
}

impl Paid {
    /// Takes it off a record; what is left is what versions before had.
    ///
    /// # Errors
    /// `Malformed`.
    pub(super) fn take(record: &mut Interaction) -> Result<Option<Self>, ApplyError> {
        let amount = record.amount_micros.take();
        let paid = Self {
            units_micros: record.quantity_micros.unwrap_or_default(),
            money_micros: amount.map(|micros| u64::try_from(micros).unwrap_or_default()),
            visit: record.visit.take().unwrap_or_default(),
            channel: std::mem::take(&mut record.channel),
            location: std::mem::take(&mut record.location_id),
            promotion: std::mem::take(&mut record.promotion),
        };
        record.list_price_micros = None;
        if record.quantity_micros.take().is_none() {
            return Ok(None);
        }
        if !matches!(record.r#type(), EventType::Purchase | EventType::Return) {
            return Err(ApplyError::Malformed("what is no purchase says what was paid"));
        }
        check::optional_id(&paid.channel)?;
        check::optional_id(&paid.location)?;
        Ok(Some(paid))
    }

    /// As the ledger enters it on a day.
    pub(super) fn line(&self, event_type: EventType, day: Day) -> Line<'_> {
        let kind = match (event_type, self.money_micros, self.promotion) {
            (EventType::Return, ..) => LineKind::Returned,
            (_, None, _) => LineKind::WithoutAmount,
            (_, Some(_), true) => LineKind::Promoted,
            (_, Some(_), false) => LineKind::Regular,
        };
        let sums = Sums {
            money: self.money_micros.unwrap_or_default().into(),
            units: self.units_micros.into(),
        };
        Line { day, visit: self.visit, channel: &self.channel, kind, sums }
    }
}
