use mercer_common::slot::ShardLayout;

use super::*;

fn page(size: usize, place: Place) -> Page {
    Page { size, policies: Vec::new(), bytes: 0, place }
}

/// Policies of the items, with so many locations each.
fn listed(items: &[(&str, usize)], next_after_id: &str) -> ListShardPoliciesResponse {
    let policies = items.iter().flat_map(|(item_id, locations)| {
        (0..*locations).map(move |location| PolicyResponse {
            item_id: (*item_id).into(),
            location_id: format!("store-{location}"),
            ..Default::default()
        })
    });
    let policies = policies.collect();
    ListShardPoliciesResponse { policies, next_after_id: next_after_id.into() }
}

#[test]
fn a_page_may_end_within_an_item_and_nothing_is_shown_twice_or_left_out() {
    let layout = ShardLayout::new(4);
    let all = [("a", 2), ("b", 3), ("c", 1)];
    for size in 1..=7 {
        let mut place = Place::decode_token("", Listing::Policies, 0, layout).expect("first");
        let mut seen = Vec::new();
        while place.shard == 0 {
            let after = place.after_id.clone();
            let left: Vec<_> = all.into_iter().filter(|(id, _)| *id > after.as_str()).collect();
            let mut page = page(size, place);
            page.add(listed(&left, ""));
            assert!(page.policies.len() <= size);
            for policy in &page.policies {
                seen.push(format!("{}/{}", policy.item_id, policy.location_id));
            }
            place = page.place;
        }
        let expected =
            ["a/store-0", "a/store-1", "b/store-0", "b/store-1", "b/store-2", "c/store-0"];
        assert_eq!(seen, expected, "pages of {size}");
    }
}
