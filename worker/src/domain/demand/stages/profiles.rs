//! Sums of categories, from which their profiles come.

use std::collections::BTreeMap;

use mercer_proto::internal::CategoryProfile;

use super::WEEK;

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
