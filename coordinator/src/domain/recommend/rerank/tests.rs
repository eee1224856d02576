use mercer_proto::v1::Source;

use super::*;

/// Ten scored items `i0` to `i9` with ever more margin and days of cover, and one that fills up.
fn ranked() -> Vec<Ranked> {
    let item = |number: u32, source: Source| {
        let item = Recommendation {
            item_id: format!("i{number}"),
            score: 10.0 - f64::from(number),
            source: source.into(),
            ..Recommendation::default()
        };
        let facts = RerankFacts {
            margin_share: (number != 9).then_some(f64::from(number) / 10.0),
            stock: Some(if number == 3 { f64::NAN } else { 1.0 }),
            cover_days: Some(f64::from(number) * 10.0),
            labels: vec![u64::from(number % 2)],
            ..RerankFacts::default()
        };
        (item, facts)
    };
    let scored = (0..10)
        .map(|number| item(number, if number == 1 { Source::Rule } else { Source::Algorithm }));
    let fill = [item(10, Source::Popular)];
    scored.chain(fill).collect()
}

fn ids(items: &[Recommendation]) -> Vec<&str> {
    items.iter().map(|item| item.item_id.as_str()).collect()
}

#[test]
fn goals_reorder_within_the_bound_and_fill_ups_stay_behind() {
    let margin = Reranking { max_relevance_loss: 1.0, margin: 1e6, ..Reranking::default() };
    let (items, loss) = reordered(ranked(), &margin, 3, true);
    assert_eq!(ids(&items), ["i8", "i7", "i6"]);
    assert!(loss > 0.5 && loss <= 1.0, "{loss}");
    for item in &items {
        let names: Vec<&str> = item.place.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["relevance", "margin"]);
    }
    let (items, bounded) =
        reordered(ranked(), &Reranking { max_relevance_loss: 0.1, ..margin }, 3, false);
    assert!(bounded <= 0.1, "{bounded}");
    assert!(items.iter().all(|item| item.place.is_empty()));

    // All of what is there: nothing is lost or doubled, and what fills up comes last.
    let (items, _) = reordered(ranked(), &margin, 20, false);
    assert_eq!(ids(&items)[..2], ["i8", "i7"]);
    assert_eq!(items.len(), 11);
    assert_eq!(items[10].item_id, "i10");
    let mut sorted = ids(&items);
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 11);
}

#[test]
fn overstock_begins_beyond_28_days_and_diversity_alternates() {
    let overstock = Reranking { max_relevance_loss: 1.0, overstock: 1.0, ..Reranking::default() };
    let (items, _) = reordered(ranked(), &overstock, 10, true);
    for item in &items {
        let fair = matches!(item.item_id.as_str(), "i0" | "i1" | "i2");
        let is_overstock = item.place.iter().any(|part| part.name == "overstock");
        assert_eq!(!is_overstock, fair, "{item:?}");
    }
    let diverse = Reranking { max_relevance_loss: 1.0, diversity: 10.0, ..Reranking::default() };
    let (items, _) = reordered(ranked(), &diverse, 2, false);
    assert_eq!(ids(&items), ["i0", "i1"]);
}

#[test]
fn what_is_not_a_number_is_not_known() {
    let stock = Reranking { max_relevance_loss: 1.0, stock: 1.0, ..Reranking::default() };
    let (items, loss) = reordered(ranked(), &stock, 10, false);
    assert!(loss.is_finite() && items.len() == 10);
    assert_eq!(reordered(Vec::new(), &stock, 3, true), (Vec::new(), 0.0));
}
