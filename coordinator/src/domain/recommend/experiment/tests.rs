use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn list(ids: impl IntoIterator<Item = usize>) -> Vec<Recommendation> {
    let mut list = Vec::new();
    for id in ids {
        list.push(Recommendation { item_id: format!("i{id}"), ..Recommendation::default() });
    }
    list
}

fn ids(items: &[Recommendation]) -> Vec<String> {
    items.iter().map(|item| item.item_id.clone()).collect()
}

proptest! {
    #[test]
    fn propensities_of_all_that_may_happen_sum_to_one(
        n in 1_usize..5,
        below in 0_usize..6,
        share in prop_oneof![Just(1.0), 0.2..0.8],
        start in any::<u32>(),
    ) {
        let greedy = list(0..n);
        let mut chances = BTreeMap::new();
        for answer in 0..600_u64 {
            let answer = (u64::from(start) + answer).to_le_bytes();
            let draw = Draw::new(share, "e", "u", &answer).expect("a share");
            let mut items = greedy.clone();
            fill_last_place(&mut items, list(0..n + below), n, draw);
            prop_assert_eq!(ids(&items[..n - 1]), ids(&greedy[..n - 1]));
            prop_assert!(items[..n - 1].iter().all(|item| item.propensity == 1.0 && !item.explored));
            let last = &items[n - 1];
            prop_assert_eq!(last.explored, last.item_id != greedy[n - 1].item_id);
            let number: usize = last.item_id[1..].parse().expect("a number");
            prop_assert!((n - 1..n + below).contains(&number));
            let before = chances.insert(number, last.propensity);
            prop_assert!(before.is_none_or(|before| before == last.propensity));
        }
        let sum: f64 = chances.values().sum();
        prop_assert!((sum - 1.0).abs() < 1e-12, "{:?}", chances);
    }
}

#[test]
fn a_list_that_is_not_full_and_one_without_more_stay_as_they_are() {
    let draw = Draw::new(1.0, "e", "u", &[1]).expect("a share");
    for (found, n) in [(2, 3), (3, 3), (0, 1)] {
        let mut items = list(0..found);
        fill_last_place(&mut items, list(0..found), n, draw);
        assert_eq!(ids(&items), ids(&list(0..found)));
        assert!(items.iter().all(|item| item.propensity == 1.0 && !item.explored));
    }
}
