//! A ledger as snapshots store it.

use mercer_common::{limits, time::Day};
use mercer_proto::internal::{StoredFolded, StoredLedger, StoredSums, StoredWideRow};

use super::{Folded, Ledger, LineKind, Sums, days::PurchaseDays, row};
use crate::shard::{ApplyError, labels::Labels};

/// More than all lines that there can be add up to.
const MOST: i128 = limits::EVENT_MONEY_MICROS as i128 * i64::MAX as i128;

impl Ledger {
    /// As files hold it; equal for equal ledgers.
    pub(crate) fn encode(&self) -> StoredLedger {
        let named = self.aside().channels.named();
        let mut stored = StoredLedger {
            channels: named.iter().map(ToString::to_string).collect(),
            lines: self.lines().to_vec(),
            folded: self.folded().map(Folded::encode),
            days: Vec::with_capacity(self.rows.len()),
            visits: Vec::with_capacity(self.rows.len()),
            places: Vec::with_capacity(self.rows.len()),
            money_micros: Vec::with_capacity(self.rows.len()),
            units_micros: Vec::with_capacity(self.rows.len()),
            wide: Vec::new(),
        };
        // Files list exactly the channels that rows name.
        let names_none = self.rows.iter().any(|row| row::channel_of(row.key().2) == 0);
        if names_none {
            stored.channels.insert(0, String::new());
        }
        let first = usize::from(!names_none);
        let mut previous = 0;
        for (index, one) in (0..).zip(&self.rows) {
            let (day, visit, place) = one.key();
            stored.days.push(u32::from(day.0 - previous));
            previous = day.0;
            stored.visits.push(visit);
            stored.places.push(row::move_channel(place, |channel| channel - first).into());
            let sums = self.sums(one);
            let narrow = (u64::try_from(sums.money), u64::try_from(sums.units));
            let (money, units) = match narrow {
                (Ok(money), Ok(units)) => (money, units),
                _ => {
                    stored.wide.push(StoredWideRow { row: index, sums: Some(sums.encode()) });
                    (0, 0)
                }
            };
            stored.money_micros.push(money);
            stored.units_micros.push(units);
        }
        stored
    }

    /// What [`Self::encode`] gave.
    ///
    /// # Errors
    /// `Malformed` when it contradicts itself.
    pub(crate) fn decode(stored: &StoredLedger, labels: &mut Labels) -> Result<Self, ApplyError> {
        let malformed = ApplyError::Malformed("the columns of a ledger disagree");
        let length = stored.days.len();
        let columns = [
            stored.visits.len(),
            stored.places.len(),
            stored.money_micros.len(),
            stored.units_micros.len(),
        ];
        if columns != [length; 4] || length > limits::LEDGER_ROWS || stored.channels.len() > length
        {
            return Err(malformed);
        }
        let mut sums: Vec<Sums> = Vec::with_capacity(length);
        for (&money, &units) in stored.money_micros.iter().zip(&stored.units_micros) {
            sums.push(Sums { money: money.into(), units: units.into() });
        }
        for wide in &stored.wide {
            let sums = sums.get_mut(wide.row as usize).ok_or(malformed.clone())?;
            *sums = decode_sums(wide.sums.as_ref())?;
        }
        let mut ledger = Self { rows: Vec::with_capacity(length), ..Self::default() };
        let names_none = stored.channels.first().is_some_and(String::is_empty);
        let first = usize::from(!names_none);
        let mut used = vec![false; stored.channels.len()];
        let mut day = 0_u32;
        for (index, sums) in sums.into_iter().enumerate() {
            day = day.saturating_add(stored.days[index]);
            let place = u16::try_from(stored.places[index]).map_err(|_| malformed.clone())?;
            let number = u16::try_from(day).map_err(|_| malformed.clone())?;
            *used.get_mut(row::channel_of(place)).ok_or(malformed.clone())? = true;
            let place = row::move_channel(place, |channel| channel + first);
            let key = (Day(number), stored.visits[index], place);
            let row = ledger.row(key, sums);
            ledger.rows.push(row);
        }
        let ascending = ledger.rows.is_sorted_by(|left, right| left.key() < right.key());
        let sorted = stored.channels.is_sorted_by(|left, right| left < right);
        if !ascending || !sorted || used.contains(&false) {
            return Err(malformed);
        }
        let named = &stored.channels[usize::from(names_none)..];
        let mut more_lines = ledger.lines();
        if stored.lines.len() != more_lines.len() {
            return Err(malformed);
        }
        for (more, &lines) in more_lines.iter_mut().zip(&stored.lines) {
            let within = lines.checked_sub(*more).filter(|_| i64::try_from(lines).is_ok());
            *more = within.ok_or(malformed.clone())?;
        }
        let folded = stored.folded.as_ref().map(Folded::decode).transpose()?.map(Box::new);
        if more_lines != [0; LineKind::ALL.len()] || !named.is_empty() || folded.is_some() {
            let aside = ledger.aside.get_or_insert_default();
            aside.more_lines = more_lines;
            aside.channels = named.iter().map(|channel| labels.label(channel)).collect();
            aside.folded = folded;
        }
        Ok(ledger)
    }
}

impl Folded {
    fn encode(&self) -> StoredFolded {
        StoredFolded {
            sums: self.sums.iter().map(|sums| sums.encode()).collect(),
            newest_day: self.days.newest().map(|day| day.0.into()),
            purchase_days: self.days.to_bytes(),
        }
    }

    fn decode(stored: &StoredFolded) -> Result<Self, ApplyError> {
        let malformed = ApplyError::Malformed("the folded part of a ledger contradicts itself");
        if stored.sums.len() != LineKind::ALL.len() {
            return Err(malformed);
        }
        let mut folded = Self::default();
        for (sums, stored) in folded.sums.iter_mut().zip(&stored.sums) {
            *sums = decode_sums(Some(stored))?;
        }
        let newest = stored.newest_day.map(u16::try_from).transpose();
        let newest = newest.map_err(|_| malformed.clone())?.map(Day);
        let days = PurchaseDays::from_bytes(newest, &stored.purchase_days);
        folded.days = days.ok_or(malformed)?;
        Ok(folded)
    }
}

impl Sums {
    fn encode(self) -> StoredSums {
        let bytes = |sum: i128| sum.to_le_bytes().to_vec();
        StoredSums { money: bytes(self.money), units: bytes(self.units) }
    }
}

fn decode_sums(stored: Option<&StoredSums>) -> Result<Sums, ApplyError> {
    let malformed = ApplyError::Malformed("a sum of a ledger is out of bounds");
    let stored = stored.ok_or(malformed.clone())?;
    let sum = |bytes: &[u8]| {
        let sum = bytes.try_into().map(i128::from_le_bytes);
        sum.ok().filter(|sum| (0..=MOST).contains(sum)).ok_or(malformed.clone())
    };
    Ok(Sums { money: sum(&stored.money)?, units: sum(&stored.units)? })
}
