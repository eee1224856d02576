//! The profile of an item's category, which stands in for a history of its own.

use mercer_algorithms::forecast::{CategorySums, Profile};
use mercer_proto::internal::{CategoryProfile, DemandProfiles};

/// Items from which a category speaks for itself; one with fewer leaves it to the next wider one.
const ITEMS: u64 = 20;

/// The profile of the narrowest category on the path that has enough items, or of the whole
/// catalogue; that of nothing sold at all is 0.
pub(crate) fn profile_of<S: AsRef<str>>(profiles: &DemandProfiles, path: &[S]) -> Profile {
    for length in (1..=path.len()).rev() {
        if let Some(category) = category_at(profiles, &path[..length])
            && category.items >= ITEMS
        {
            return Profile::new(&sums(category));
        }
    }
    Profile::new(&category_at(profiles, &path[..0]).map(sums).unwrap_or_default())
}

/// The sums of the category at exactly this path.
fn category_at<'a, S: AsRef<str>>(
    profiles: &'a DemandProfiles,
    path: &[S],
) -> Option<&'a CategoryProfile> {
    let found = profiles.categories.binary_search_by(|category| {
        let path = path.iter().map(AsRef::as_ref);
        category.path.iter().map(String::as_str).cmp(path)
    });
    Some(&profiles.categories[found.ok()?])
}

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
