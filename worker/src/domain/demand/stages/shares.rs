//! What part of an item's sales belongs to a location without a series of its own.

/// Location days of an even split that each share starts from.
const EVEN_DAYS: f64 = 10.0;

/// Sales of one location.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sold {
    pub(super) units: f64,
    /// Days with a sale.
    pub(super) days: u32,
}

/// The share of each location in the item's units, drawn towards an even split with the
/// credibility n / (n + 10), where n are the sale days at all locations: few sales say little of
/// where the next one will be. They add up to 1.
pub(super) fn shares(locations: &[Sold]) -> Vec<f64> {
    let units: f64 = locations.iter().map(|sold| sold.units).sum();
    let days: f64 = locations.iter().map(|sold| f64::from(sold.days)).sum();
    let even = 1.0 / locations.len().max(1) as f64;
    let credibility = if units > 0.0 { days / (days + EVEN_DAYS) } else { 0.0 };
    let mut shares = Vec::with_capacity(locations.len());
    for sold in locations {
        let own = if units > 0.0 { sold.units / units } else { 0.0 };
        shares.push(credibility * own + (1.0 - credibility) * even);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sales_say_little() {
        let sold = |units, days| Sold { units, days };
        assert_eq!(shares(&[]), [0.0; 0]);
        assert_eq!(shares(&[sold(0.0, 0), sold(0.0, 0)]), [0.5, 0.5]);
        assert_eq!(shares(&[sold(9.0, 5), sold(1.0, 5)]), [0.7, 0.3]);
        let many = shares(&[sold(1e12, 400), sold(1e12, 500), sold(2e12, 100)]);
        assert!((many.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((many[2] - 0.5).abs() < 0.01, "{many:?}");
    }
}
