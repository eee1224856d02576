//! Locations, suppliers and price rules as they are read back.

use std::time::Duration;

use mercer_common::slot::{ShardLayout, Subject};
use mercer_proto::v1::{
    DescribeClusterRequest, GetLocationRequest, GetSupplierRequest, ListItemsRequest,
    ListLocationsRequest, ListPriceRulesRequest, ListSuppliersRequest, Location,
    UpsertLocationsRequest,
};
use tonic::Code;

use super::{TestCluster, details, internal_error};

#[tokio::test]
async fn single_ones_are_asked_of_one_shard_after_their_token() {
    let cluster = TestCluster::start(2).await;
    let location = Location { location_id: "s".into(), ..Default::default() };
    let request = UpsertLocationsRequest { locations: vec![location], ..Default::default() };
    let token = cluster.catalog().upsert_locations(request).await.expect("accepted");
    let tokens = vec![token.into_inner().token];
    let request = GetLocationRequest { location_id: "s".into(), tokens: tokens.clone() };
    let found = cluster.catalog().get_location(request).await.expect("found").into_inner();
    assert_eq!(found.location_id, "s");
    let request = GetSupplierRequest { supplier_id: "acme".into(), tokens };
    let found = cluster.catalog().get_supplier(request).await.expect("found").into_inner();
    assert_eq!(found.supplier_id, "acme");
    for (method, id) in [("get_location", "s"), ("get_supplier", "acme")] {
        let shard = u32::from(ShardLayout::new(4).shard_of(Subject::Item, id));
        let asked = cluster.workers[cluster.holder(shard)].script.lock().count(method);
        assert_eq!(asked, 1, "{method}");
    }

    let unknown = internal_error(Code::NotFound, "LOCATION_NOT_FOUND");
    for worker in &cluster.workers {
        worker.script.lock().fail("get_location", unknown.clone());
    }
    let request = GetLocationRequest { location_id: "t".into(), tokens: vec![] };
    let status = cluster.catalog().get_location(request).await.expect_err("unknown");
    assert_eq!(details(&status).1, "LOCATION_NOT_FOUND");
    let request = GetLocationRequest { location_id: "*".into(), tokens: vec![] };
    let status = cluster.catalog().get_location(request).await.expect_err("refused");
    assert_eq!(details(&status).2, ["location_id"]);
}

#[tokio::test]
async fn listings_show_every_record_once_although_each_shard_has_it() {
    let cluster = TestCluster::start(2).await;
    let all = ["a", "b", "c", "d", "e"];
    for page_size in [1, 2, 5, 100] {
        let mut listed = (Vec::new(), Vec::new());
        let mut page_token = String::new();
        loop {
            let request = ListLocationsRequest { page_size, page_token, tokens: vec![] };
            let page = cluster.catalog().list_locations(request).await.expect("listed");
            let page = page.into_inner();
            assert!(page.locations.len() <= page_size as usize);
            listed.0.extend(page.locations.into_iter().map(|one| one.location_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        loop {
            let request = ListSuppliersRequest { page_size, page_token, tokens: vec![] };
            let page = cluster.catalog().list_suppliers(request).await.expect("listed");
            let page = page.into_inner();
            listed.1.extend(page.suppliers.into_iter().map(|one| one.supplier_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!((listed.0, listed.1), (all.map(Into::into).into(), all.map(Into::into).into()));
    }
    let request = ListPriceRulesRequest::default();
    let rules = cluster.catalog().list_price_rules(request).await.expect("listed");
    assert!(rules.into_inner().rules.is_empty());

    // A token of one listing is of no use to another.
    let request = ListLocationsRequest { page_size: 1, ..Default::default() };
    let page = cluster.catalog().list_locations(request).await.expect("listed").into_inner();
    let page_token = page.next_page_token;
    let request = ListSuppliersRequest { page_token: page_token.clone(), ..Default::default() };
    let status = cluster.catalog().list_suppliers(request).await.expect_err("another listing");
    assert_eq!(details(&status).2, ["page_token"]);
    let request = ListItemsRequest { page_token, ..Default::default() };
    let status = cluster.catalog().list_items(request).await.expect_err("another listing");
    assert_eq!(details(&status).2, ["page_token"]);
}

#[tokio::test]
async fn any_live_worker_can_answer() {
    let mut cluster = TestCluster::start(2).await;
    drop(cluster.workers.remove(0));
    // Until it is missed, it is asked and does not answer.
    loop {
        let described = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
        let workers = described.expect("described").into_inner().workers;
        if workers.iter().filter(|worker| worker.live).count() <= 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for id in ["s", "t", "u", "v"] {
        let request = GetLocationRequest { location_id: id.into(), tokens: vec![] };
        cluster.catalog().get_location(request).await.expect("found");
    }
    let listed = cluster.catalog().list_locations(ListLocationsRequest::default()).await;
    assert_eq!(listed.expect("listed").into_inner().locations.len(), 5);
}
