//! Profiles of categories, as messages and as mathematics.

use std::collections::BTreeMap;

use mercer_algorithms::forecast::{CategorySums, Profile};
use mercer_proto::internal::{CategoryProfile, DemandProfiles};

use super::WEEK;

/// Items from which a category speaks for itself; one with fewer leaves it to the next wider one.
const ITEMS: u64 = 20;

/// The profile of the narrowest category on the path that has enough items, or of the whole
/// catalogue; that of nothing sold at all is 0.
pub(crate) fn profile_of<S: AsRef<str>>(profiles: &DemandProfiles, path: &[S]) -> Profile {
    let find = |length: usize| {
        let wanted = || path[..length].iter().map(AsRef::as_ref);
        let found = profiles
            .categories
            .binary_search_by(|category| category.path.iter().map(String::as_str).cmp(wanted()));
        found.ok().map(|place| &profiles.categories[place])
    };
    let enough = |category: &&CategoryProfile| category.items >= ITEMS;
    let narrow = (1..=path.len()).rev().find_map(|length| find(length).filter(enough));
    Profile::new(&narrow.or_else(|| find(0)).map(sums).unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "counts and sums go into means")]
fn sums(category: &CategoryProfile) -> CategorySums {
    let mut sums = CategorySums {
        items: category.items as f64,
        means: category.mean_sum,
        squares: category.mean_square_sum,
        ratios: category.variance_ratio_sum,
        ratio_items: category.variance_ratio_items as f64,
        ..CategorySums::default()
    };
    for (into, &micros) in sums.units.iter_mut().zip(&category.weekday_units_micros) {
        *into = micros as f64 / 1e6;
    }
    for (into, &days) in sums.days.iter_mut().zip(&category.weekday_days) {
        *into = days as f64;
    }
    sums
}

/// Sums by category path.
#[derive(Debug, Default)]
pub(super) struct Categories(BTreeMap<Vec<String>, CategoryProfile>);

impl Categories {
    /// The sums of the category at `path`.
    pub(super) fn at(&mut self, path: &[String]) -> &mut CategoryProfile {
        self.0.entry(path.to_vec()).or_insert_with(|| CategoryProfile {
            path: path.to_vec(),
            weekday_units_micros: vec![0; WEEK],
            weekday_days: vec![0; WEEK],
            ..CategoryProfile::default()
        })
    }

    /// Adds other sums. Whole numbers add up to the same in any order; the rest is added in the
    /// order of the calls.
    pub(super) fn add(&mut self, other: &CategoryProfile) {
        let own = self.at(&other.path);
        own.items += other.items;
        for (own, other) in own.weekday_units_micros.iter_mut().zip(&other.weekday_units_micros) {
            *own = own.saturating_add(*other);
        }
        for (own, other) in own.weekday_days.iter_mut().zip(&other.weekday_days) {
            *own += other;
        }
        own.mean_sum += other.mean_sum;
        own.mean_square_sum += other.mean_square_sum;
        own.variance_ratio_sum += other.variance_ratio_sum;
        own.variance_ratio_items += other.variance_ratio_items;
    }

    /// Sorted by path.
    pub(super) fn into_sorted(self) -> Vec<CategoryProfile> {
        self.0.into_values().collect()
    }
}
