//! How much to order now.

/// What an order must keep to, in units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderRules {
    /// An order has at least this many units; 0 or more.
    pub minimum: f64,
    /// An order is a whole multiple of this many units, above 0.
    pub pack: f64,
    /// It has at most this many beyond what is owed to customers, unless the smallest possible
    /// order has more.
    pub most: f64,
}

impl OrderRules {
    /// The smallest order that keeps to minimum and packs.
    #[must_use]
    pub fn smallest(&self) -> f64 {
        packs_up(self.minimum.max(self.pack), self.pack)
    }
}

/// What the largest order did to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// Nothing.
    Free,
    /// It made the order smaller, or kept it from being rounded up.
    Cut,
    /// It would have, but the smallest possible order is larger: the supplier's terms are facts,
    /// the largest order is a wish, and a stock-out would be the price of keeping to it.
    Exceeded,
}

/// Units to order now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// Units up to the level, before all rules.
    pub unrounded: f64,
    /// After the rules: 0, or at least the minimum and a whole multiple of packs (to within the
    /// precision of floating point).
    pub quantity: f64,
    /// Effect of the largest order.
    pub cap: Cap,
}

/// The order of an inventory `position` (on hand + on order - backordered): none above
/// `reorder_point`, else up to `order_up_to`, at most the largest order, rounded up to the minimum
/// and then to packs; and down by packs where rounding up exceeded the largest order.
#[must_use]
pub fn order(position: f64, reorder_point: f64, order_up_to: f64, rules: &OrderRules) -> Order {
    let unrounded = order_up_to - position;
    if position > reorder_point || unrounded.is_nan() || unrounded <= 0.0 {
        return Order { unrounded: 0.0, quantity: 0.0, cap: Cap::Free };
    }
    let most = rules.most + (-position).max(0.0);
    let smallest = rules.smallest();
    let wanted = packs_up(unrounded.max(rules.minimum), rules.pack);
    let (quantity, cap) = if wanted <= most {
        (wanted, Cap::Free)
    } else if smallest > most {
        (smallest, Cap::Exceeded)
    } else {
        (packs_down(most, rules.pack).max(smallest), Cap::Cut)
    };
    Order { unrounded, quantity, cap }
}

/// Share of a pack that is the noise of floating point.
const NOISE: f64 = 1e-9;

fn packs_up(units: f64, pack: f64) -> f64 {
    let packs = units / pack;
    (packs - NOISE * packs.clamp(1.0, 1e3)).ceil().max(0.0) * pack
}

fn packs_down(units: f64, pack: f64) -> f64 {
    (units / pack * (1.0 + NOISE)).floor() * pack
}
