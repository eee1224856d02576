//! Hashes of properties of items, by which rules are found without being tried one by one.
//!
//! Two properties may share a hash: what is found by it is always checked.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::shard::ItemState;

const ID: u64 = 1;
const BRAND: u64 = 2;
const CATEGORY: u64 = 3;
const ATTRIBUTE: u64 = 4;

pub(crate) fn id(id: &str) -> u64 {
    xxh3_64_with_seed(id.as_bytes(), ID)
}

pub(crate) fn brand(brand: &str) -> u64 {
    xxh3_64_with_seed(brand.as_bytes(), BRAND)
}

pub(crate) fn attribute(name: &str, value: &str) -> u64 {
    xxh3_64_with_seed(value.as_bytes(), xxh3_64_with_seed(name.as_bytes(), ATTRIBUTE))
}

/// Hash of a category path with all of its levels.
pub(crate) fn category<'a>(path: impl IntoIterator<Item = &'a str>) -> u64 {
    path.into_iter().fold(CATEGORY, |hash, level| xxh3_64_with_seed(level.as_bytes(), hash))
}

/// The item's id, brand, categories from the broadest to the narrowest, and attributes.
pub(crate) fn of(item: &ItemState) -> impl Iterator<Item = u64> {
    let categories = item.category_path().iter().scan(CATEGORY, |hash, level| {
        *hash = xxh3_64_with_seed(level.as_bytes(), *hash);
        Some(*hash)
    });
    let attributes = item.attributes().iter().map(|(name, value)| attribute(name, value));
    [id(item.id()), brand(item.brand())].into_iter().chain(categories).chain(attributes)
}

/// The category levels and the brand of an item: what makes two items alike where nothing better
/// is known.
pub(crate) fn labels(item: &ItemState) -> Vec<u64> {
    let mut labels: Vec<u64> = of(item).skip(1).take(1 + item.category_path().len()).collect();
    if item.brand().is_empty() {
        labels.remove(0);
    }
    labels.sort_unstable();
    labels.dedup();
    labels
}
