//! Answers fit their messages, whatever a shard holds.

use mercer_common::limits;
use mercer_proto::{
    internal::{
        BoundedKind, CheckRoomRequest, GetShardItemRequest, ListDirectoryRequest, ListShardRequest,
        Mutation, SetCategoryPriceRule, SetCompetitorPrice, SetStock, SetSupply, UpsertUser,
        UserFields, list_directory_request::Part, mutation::Kind,
    },
    v1::{
        CategoryPath, GetItemResponse, Location, PriceRule, SupplyTerms, scoped_price_rule::Scope,
    },
};
use prost::Message as _;

use super::catalog::{AT, deadline, serving};

/// As long as an id may be.
fn longest(number: usize) -> String {
    format!("{number:0>width$}", width = limits::ID_BYTES)
}

async fn item(mutations: Vec<Kind>) -> GetItemResponse {
    let (_folder, serving) = serving(mutations, Vec::new());
    let request = GetShardItemRequest { shard: AT, item_id: longest(0) };
    let answer = serving.get_item(request, deadline()).await.expect("known");
    answer.item.expect("an item")
}

#[tokio::test]
async fn an_item_at_all_its_locations_fits_a_message() {
    let terms = SupplyTerms {
        lead_time_days: Some(1.5),
        lead_time_deviation_days: Some(1.5),
        review_period_days: Some(1.5),
        ..SupplyTerms::default()
    };
    let more = limits::ITEM_LOCATIONS + 7;
    let stock = (0..more).map(|number| {
        Kind::SetStock(SetStock {
            item_id: longest(0),
            location_id: longest(number),
            on_hand: 1.5,
            as_of_ms: 1_700_000_000_123,
            on_order: Some(1.5),
            backordered: Some(1.5),
            ..SetStock::default()
        })
    });
    let supply = (0..more).map(|number| {
        Kind::SetSupply(SetSupply {
            item_id: longest(0),
            location_id: longest(number),
            supplier_id: longest(number),
            terms: Some(terms.clone()),
            ..SetSupply::default()
        })
    });
    let prices = (0..more).map(|number| {
        Kind::SetCompetitorPrice(SetCompetitorPrice {
            item_id: longest(0),
            competitor_id: longest(number),
            price_micros: Some(i64::MAX),
            as_of_ms: 1_700_000_000_123,
        })
    });
    // Before there was a bound, stock was kept everywhere.
    let shown = item(stock.chain(supply).chain(prices).collect()).await;
    assert_eq!(shown.stock.len(), limits::ITEM_LOCATIONS);
    assert_eq!(shown.stock_left_out, 7);
    assert_eq!(shown.supply.len(), limits::ITEM_LOCATIONS);
    let rest = limits::DESCRIPTION_BYTES + limits::ATTRIBUTES * 3 * limits::LABEL_BYTES;
    let bytes = shown.encoded_len() + rest;
    assert!(bytes < limits::MESSAGE_BYTES, "{bytes}");
}

#[tokio::test]
async fn price_rules_come_in_pages_that_fit_messages_and_each_once() {
    let count = 2_500;
    let rule = |category_path| {
        let rule = Some(PriceRule { price_endings: vec![99; 16], ..PriceRule::default() });
        Kind::SetCategoryPriceRule(SetCategoryPriceRule { category_path, rule })
    };
    let mut rules = Vec::new();
    for number in 0..count {
        let levels = (0..limits::CATEGORY_LEVELS).map(|level| longest(number * 10 + level));
        rules.push(rule(levels.collect()));
    }
    rules.push(rule(Vec::new()));
    let (_folder, serving) = serving(rules, Vec::new());
    for limit in [7, 1_000] {
        let mut after_category = None;
        let mut listed: Vec<Vec<String>> = Vec::new();
        loop {
            let request = ListDirectoryRequest {
                shard: AT,
                part: Part::PriceRules.into(),
                limit,
                after_category: after_category.clone(),
                ..ListDirectoryRequest::default()
            };
            let page = serving.list_directory(request, deadline()).await.expect("answers");
            assert!(page.encoded_len() < limits::MESSAGE_BYTES, "{}", page.encoded_len());
            assert!(page.price_rules.len() <= limit as usize);
            for rule in page.price_rules {
                listed.push(match rule.scope.expect("set") {
                    Scope::Category(category) => category.levels,
                    _ => Vec::new(),
                });
            }
            if !page.more {
                break;
            }
            after_category = listed.last().map(|levels| CategoryPath { levels: levels.clone() });
        }
        assert_eq!(listed.len(), count + 1, "{limit}");
        assert!(listed.is_sorted_by(|left, right| left < right));
    }
}

#[tokio::test]
async fn users_with_long_deny_lists_come_in_pages_that_fit_messages() {
    let denied: Vec<String> = (0..limits::DENIED_ITEMS).map(longest).collect();
    let users = (0..300).map(|number| {
        let fields = UserFields { denied_item_ids: denied.clone(), ..UserFields::default() };
        Kind::UpsertUser(UpsertUser {
            user_id: format!("user {number}"),
            fields: Some(fields),
            ..UpsertUser::default()
        })
    });
    let (_folder, serving) = serving(users.collect(), Vec::new());
    let request = ListShardRequest { shard: AT, limit: 1_000, ..ListShardRequest::default() };
    let page = serving.list_users(request, deadline()).await.expect("answers");
    assert!(page.encoded_len() < limits::MESSAGE_BYTES, "{}", page.encoded_len());
    assert!(page.more && !page.users.is_empty());
}

#[tokio::test]
async fn a_shard_says_what_there_is_no_room_for() {
    let location = |number: usize| {
        Kind::UpsertLocation(Location {
            location_id: format!("{number:05}"),
            ..Location::default()
        })
    };
    let most = limits::LOCATIONS.records;
    let (_folder, serving) = serving((0..most).map(location).collect(), Vec::new());
    let check = async |kinds: Vec<Kind>| {
        let mutations = kinds.into_iter().map(|kind| Mutation { kind: Some(kind) }).collect();
        let request = CheckRoomRequest { shard: AT, mutations, ..CheckRoomRequest::default() };
        serving.check_room(request, deadline()).await
    };
    let answer = check(vec![location(most)]).await.expect("answers");
    assert_eq!(answer.full(), BoundedKind::Locations);
    let size = answer.sizes.iter().find(|size| size.kind() == BoundedKind::Locations);
    assert_eq!(size.map(|size| size.records), Some(most as u64));
    assert_eq!(answer.sizes.len(), 5);
    let answer = check(vec![location(3)]).await.expect("answers");
    assert_eq!(answer.full(), BoundedKind::Unspecified);
    let refused = check(vec![Kind::DeleteItem("apple".into())]).await.expect_err("not of it");
    assert!(refused.to_string().contains("mutations[0]"), "{refused}");
}
