//! A row of a ledger in 20 bytes: most of what users paid is here.

use mercer_common::time::Day;

/// What was done, and how it was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    /// Bought with an amount, without a promotion.
    Regular = 0,
    /// Bought with an amount, under a promotion.
    Promoted = 1,
    /// Brought back.
    Returned = 2,
    /// Bought; the line did not say what was paid.
    WithoutAmount = 3,
}

impl LineKind {
    /// Every kind, by its number.
    pub const ALL: [Self; 4] = [Self::Regular, Self::Promoted, Self::Returned, Self::WithoutAmount];

    /// Whether something was bought.
    #[must_use]
    pub fn is_purchase(self) -> bool {
        self != Self::Returned
    }
}

/// Money and units in millionths. Nothing here is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Paid, or given back.
    pub money: i128,
    /// Bought, or brought back.
    pub units: i128,
}

impl Sums {
    pub(crate) fn add(&mut self, other: Self) {
        self.money += other.money;
        self.units += other.units;
    }
}

/// Day, visit, and index of the channel with the kind.
pub(super) type Key = (Day, u32, u16);

/// The kind within a place.
const KIND_BITS: u16 = 3;
/// The row does not fit: its sums stand apart.
const WIDE: u16 = 1 << 15;
/// Millionths in the unit of `Row::units`.
const THOUSANDTH: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Units in thousandths.
    units: u32,
    /// Money in millionths, the upper half first: an `i64` would take the row to 24 bytes.
    money: [u32; 2],
    visit: u32,
    day: Day,
    /// Index of the channel times 4, and the kind; or [`WIDE`] with these.
    place: u16,
}

const _: () = assert!(size_of::<Row>() == 20);

/// Sums of a row that do not fit it.
#[derive(Clone, Copy, Debug)]
pub(super) struct WideRow {
    pub(super) key: Key,
    pub(super) sums: Sums,
}

impl Row {
    pub(super) fn new((day, visit, place): Key, sums: Sums) -> Self {
        let wide = Self { units: 0, money: [0; 2], visit, day, place: place | WIDE };
        let (Ok(money), Ok(units)) = (i64::try_from(sums.money), u64::try_from(sums.units)) else {
            return wide;
        };
        let (Ok(units), 0) = (u32::try_from(units / THOUSANDTH), units % THOUSANDTH) else {
            return wide;
        };
        let [upper, lower] = [money >> 32, money & i64::from(u32::MAX)];
        let money = [upper, lower].map(|half| u32::try_from(half).expect("a half of 64 bits"));
        Self { units, money, visit, day, place }
    }

    pub(super) fn key(&self) -> Key {
        (self.day, self.visit, self.place & !WIDE)
    }

    /// Whether what the row holds stands apart.
    pub(super) fn is_wide(&self) -> bool {
        self.place & WIDE != 0
    }

    pub(super) fn kind(&self) -> LineKind {
        LineKind::ALL[usize::from(self.place & KIND_BITS)]
    }

    /// What the row holds; `None` where that stands apart.
    pub(super) fn sums(&self) -> Option<Sums> {
        if self.is_wide() {
            return None;
        }
        let [upper, lower] = self.money.map(i128::from);
        Some(Sums {
            money: upper << 32 | lower,
            units: (u64::from(self.units) * THOUSANDTH).into(),
        })
    }

    pub(super) fn move_channel(&mut self, index: impl Fn(usize) -> usize) {
        self.place = move_channel(self.place & !WIDE, index) | (self.place & WIDE);
    }
}

/// Index of a channel and a kind in one number, which is ordered by them.
pub(super) fn place(channel: usize, kind: LineKind) -> u16 {
    u16::try_from(channel * 4).expect("at most one channel more than rows") | kind as u16
}

pub(super) fn channel_of(place: u16) -> usize {
    usize::from(place >> 2)
}

pub(super) fn move_channel(of: u16, index: impl Fn(usize) -> usize) -> u16 {
    place(index(channel_of(of)), LineKind::ALL[usize::from(of & KIND_BITS)])
}
