//! The order of results across workers, and the cut.

use mercer_common::slot::{Subject, compare};
use mercer_proto::{
    internal::{PartialRecommendResponse, RerankFacts},
    v1::{PopularItem, Recommendation, Source},
};

/// A result with what reranking weighs.
pub(crate) type Ranked = (Recommendation, RerankFacts);

/// Where a result stands by its source, 0 for what was scored: scores compare within a place only.
pub(crate) fn place(item: &Recommendation) -> u8 {
    match item.source() {
        Source::Algorithm | Source::Rule => 0,
        Source::CategoryPopular => 1,
        Source::Popular | Source::Unspecified => 2,
    }
}

/// The best `n` of all workers by (place, score descending, slot, id).
pub(crate) fn recommendations(
    parts: impl IntoIterator<Item = PartialRecommendResponse>,
    n: usize,
) -> Vec<Ranked> {
    let mut items: Vec<Ranked> = Vec::new();
    for part in parts {
        // Facts are there when they were asked for.
        let facts = part.facts.into_iter().chain(std::iter::repeat_with(RerankFacts::default));
        items.extend(part.items.into_iter().zip(facts));
    }
    items.sort_by(|(left, _), (right, _)| {
        place(left)
            .cmp(&place(right))
            .then_with(|| right.score.total_cmp(&left.score))
            .then_with(|| compare(Subject::Item, &left.item_id, &right.item_id))
    });
    items.truncate(n);
    items
}

/// The `n` most popular of all workers by (popularity, or units, descending, slot, id).
pub(crate) fn popular(
    parts: impl IntoIterator<Item = Vec<PopularItem>>,
    by_units: bool,
    n: usize,
) -> Vec<PopularItem> {
    let mut items: Vec<PopularItem> = parts.into_iter().flatten().collect();
    items.sort_by(|left, right| {
        let order = if by_units {
            right.units.total_cmp(&left.units)
        } else {
            right.popularity.cmp(&left.popularity)
        };
        order.then_with(|| compare(Subject::Item, &left.item_id, &right.item_id))
    });
    items.truncate(n);
    items
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items() -> impl Strategy<Value = Vec<Recommendation>> {
        let item = ("[a-z]{1,6}", 0u8..4, 1i32..5).prop_map(|(item_id, score, source)| {
            Recommendation { item_id, score: f64::from(score), source, ..Default::default() }
        });
        prop::collection::vec(item, 0..60).prop_map(|mut items| {
            items.sort_by(|left, right| left.item_id.cmp(&right.item_id));
            items.dedup_by(|left, right| left.item_id == right.item_id);
            items
        })
    }

    /// An answer of one worker, whose facts tell the score.
    fn part(items: Vec<Recommendation>) -> PartialRecommendResponse {
        let mut facts = Vec::new();
        for item in &items {
            facts.push(RerankFacts { stock: Some(item.score), ..RerankFacts::default() });
        }
        PartialRecommendResponse { items, facts, ..PartialRecommendResponse::default() }
    }

    proptest! {
        #[test]
        fn any_division_among_workers_gives_the_same_answer(
            items in items(),
            workers in 1usize..5,
            n in 0usize..20,
        ) {
            let whole = recommendations([part(items.clone())], n);
            let mut parts = vec![Vec::new(); workers];
            for (index, item) in items.into_iter().enumerate() {
                parts[index * 7 % workers].push(item);
            }
            // Workers send their own best n only.
            let mut answers = Vec::new();
            for items in parts {
                let best = recommendations([part(items)], n).into_iter();
                answers.push(part(best.map(|(item, _)| item).collect()));
            }
            prop_assert_eq!(recommendations(answers, n), whole.clone());
            for pair in whole.windows(2) {
                let ((left, facts), (right, _)) = (&pair[0], &pair[1]);
                prop_assert!(place(left) <= place(right));
                prop_assert!(place(left) < place(right) || left.score >= right.score);
                prop_assert_eq!(facts.stock, Some(left.score));
            }
        }
    }

    #[test]
    fn ties_go_by_slot_then_id() {
        let ids: Vec<String> = (0..50).map(|i| format!("item-{i}")).collect();
        let mut items = Vec::new();
        for item_id in ids.clone() {
            items.push(PopularItem { item_id, popularity: 1, ..Default::default() });
        }
        let merged = popular([items], false, 50);
        let mut expected = ids;
        expected.sort_by(|left, right| compare(Subject::Item, left, right));
        assert_eq!(merged.into_iter().map(|item| item.item_id).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn popularity_at_a_location_is_by_units() {
        let item = |id: &str, popularity, units| PopularItem {
            item_id: id.into(),
            popularity,
            units,
            ..Default::default()
        };
        for (by_units, expected) in [(false, "ca"), (true, "bc")] {
            let parts = [vec![item("a", 2, 1.0), item("b", 1, 9.0)], vec![item("c", 3, 2.0)]];
            let found = popular(parts, by_units, 2).into_iter();
            assert_eq!(found.map(|item| item.item_id).collect::<String>(), expected);
        }
    }
}
