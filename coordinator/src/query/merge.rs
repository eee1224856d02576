//! The order of results across workers, and the cut.

use mercer_common::slot::{Kind, compare};
use mercer_proto::v1::{PopularItem, Recommendation};

/// The best `n` of all workers by (source, score descending, slot, id).
pub(crate) fn recommendations(
    parts: impl IntoIterator<Item = Vec<Recommendation>>,
    n: usize,
) -> Vec<Recommendation> {
    let mut items: Vec<Recommendation> = parts.into_iter().flatten().collect();
    items.sort_by(|left, right| {
        left.source
            .cmp(&right.source)
            .then_with(|| right.score.total_cmp(&left.score))
            .then_with(|| compare(Kind::Item, &left.item_id, &right.item_id))
    });
    items.truncate(n);
    items
}

/// The `n` most popular of all workers by (popularity descending, slot, id).
pub(crate) fn popular(
    parts: impl IntoIterator<Item = Vec<PopularItem>>,
    n: usize,
) -> Vec<PopularItem> {
    let mut items: Vec<PopularItem> = parts.into_iter().flatten().collect();
    items.sort_by(|left, right| {
        right
            .popularity
            .cmp(&left.popularity)
            .then_with(|| compare(Kind::Item, &left.item_id, &right.item_id))
    });
    items.truncate(n);
    items
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items() -> impl Strategy<Value = Vec<Recommendation>> {
        let item = ("[a-z]{1,6}", 0u8..4, 1i32..4).prop_map(|(item_id, score, source)| {
            Recommendation { item_id, score: f64::from(score), source, ..Default::default() }
        });
        prop::collection::vec(item, 0..60).prop_map(|mut items| {
            items.sort_by(|left, right| left.item_id.cmp(&right.item_id));
            items.dedup_by(|left, right| left.item_id == right.item_id);
            items
        })
    }

    proptest! {
        #[test]
        fn any_division_among_workers_gives_the_same_answer(
            items in items(),
            workers in 1usize..5,
            n in 0usize..20,
        ) {
            let whole = recommendations([items.clone()], n);
            let mut parts = vec![Vec::new(); workers];
            for (index, item) in items.into_iter().enumerate() {
                parts[index * 7 % workers].push(item);
            }
            // Workers send their own best n only.
            let parts = parts.into_iter().map(|part| recommendations([part], n));
            prop_assert_eq!(recommendations(parts, n), whole.clone());
            for pair in whole.windows(2) {
                prop_assert!(pair[0].source <= pair[1].source);
                prop_assert!(pair[0].source < pair[1].source || pair[0].score >= pair[1].score);
            }
        }
    }

    #[test]
    fn ties_go_by_slot_then_id() {
        let item =
            |id: &str| PopularItem { item_id: id.into(), popularity: 1, ..Default::default() };
        let ids: Vec<String> = (0..50).map(|i| format!("item-{i}")).collect();
        let merged = popular([ids.iter().map(|id| item(id)).collect()], 50);
        let mut expected = ids;
        expected.sort_by(|left, right| compare(Kind::Item, left, right));
        assert_eq!(merged.into_iter().map(|item| item.item_id).collect::<Vec<_>>(), expected);
    }
}
