//! Imports into a cluster of this process.

use std::path::PathBuf;

use mercer_proto::v1::{GetItemRequest, catalog_service_client::CatalogServiceClient};

use super::*;
use crate::{
    import::{Import, MaxRejects, Report, Target, Unanswered, identity::Choice},
    local::{LocalCluster, LocalOptions},
};

pub(super) fn import(kind: Kind, map: &[&str], set: &[&str]) -> Import {
    Import {
        kind,
        mapping: mapping(kind, map, set),
        layout: None,
        options: Options::default(),
        batch: 2,
        in_flight: 4,
        category_separator: ">".into(),
        max_rejects: None,
        rejects: None,
        source: None,
        choice: Choice::default(),
    }
}

pub(super) struct Shop {
    pub(super) cluster: LocalCluster,
    pub(super) target: Target,
    folder: TempDir,
}

impl Shop {
    pub(super) async fn open() -> Self {
        let folder = TempDir::new().expect("a folder");
        let options = LocalOptions {
            data_dir: folder.path().join("data"),
            listen: Some("127.0.0.1:0".into()),
            workers: Some(1),
            shards: Some(2),
            time_zone: Some("Europe/Berlin".into()),
            ..LocalOptions::default()
        };
        let cluster = LocalCluster::start(&options).await.expect("started");
        cluster.ready().await;
        let channel = cluster.connect().await.expect("connected");
        let target = Target::describe(channel).await.expect("described");
        Self { cluster, target, folder }
    }

    pub(super) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("written");
        path
    }

    async fn load(&self, import: &Import, files: &[PathBuf]) -> Report {
        import.run(&self.target, files).await.expect("imported")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_checked_whole_before_anything_is_sent() {
    let shop = Shop::open().await;
    let header = "item_id,type,timestamp,user_id,quantity\n";
    let good = |item: &str| format!("{item},purchase,2026-01-05 10:00:00,u,1\n");
    let bad = "x,purchase,yesterday,u,1\n";

    // Two files are one import and one report; a few bad rows are left out.
    let one = shop.file("one.csv", &format!("{header}{}{bad}{}", good("a"), good("b")));
    let two = shop.file("two.csv", &format!("{header}{}", good("c")));
    let events = import(Kind::Events, &[], &[]);
    let report = shop.load(&events, &[one.clone(), two.clone()]).await;
    assert_eq!((report.rows, report.accepted, report.rejected), (4, 3, 1));
    assert_eq!(report.new, Some(3));
    assert_eq!((report.rejects[0].file.as_str(), report.rejects[0].line), ("one.csv", 3));
    assert!(report.notes.iter().any(|note| note.contains("Europe/Berlin, the cluster's")));
    assert_eq!(report.failure(), None);
    let note = "none of the 3 known items is catalogued, so that nothing can be recommended: \
                `mercer import items FILE`";
    assert!(report.notes.iter().any(|known| known == note), "{:?}", report.notes);
    // The same again changes nothing and is no failure.
    let report = shop.load(&events, &[one, two]).await;
    assert_eq!((report.accepted, report.new, report.failure()), (3, Some(0), None));

    // More bad rows than may be: nothing is sent, also of the good ones before them.
    let strict =
        Import { max_rejects: Some(MaxRejects::Rows(0)), ..import(Kind::Events, &[], &[]) };
    let path = shop.file("strict.csv", &format!("{header}{}{bad}", good("d")));
    let report = shop.load(&strict, &[path]).await;
    assert_eq!((report.accepted, report.held_back), (0, Some(0)));
    assert!(report.failure().expect("a failure").contains("--max-rejects 1"));
    let item = GetItemRequest { item_id: "d".into(), ..GetItemRequest::default() };
    let mut catalog = CatalogServiceClient::new(shop.target.channel.clone());
    assert!(catalog.get_item(item).await.is_err(), "a row of a refused file was sent");

    // What can be read in two ways is asked, and nothing is sent.
    let asked = "e,purchase,03/04/2026,u,1\nf,purchase,2026-01-05,u,-1\n";
    let path = shop.file("asked.csv", &format!("{header}{asked}"));
    let error = events.run(&shop.target, &[path]).await.expect_err("asked");
    let unanswered = error.downcast_ref::<Unanswered>().expect("questions");
    let command = ["mercer", "import", "events", "my file.csv"].map(String::from);
    let text = unanswered.text(&command);
    assert!(text.contains("mercer import events 'my file.csv' --dates dmy"), "{text}");

    // All rows are bad: a failure. A header alone: none.
    let path = shop.file("bad.csv", &format!("{header}{bad}"));
    let report = shop.load(&events, &[path]).await;
    assert!(report.failure().expect("a failure").contains("no row was accepted"));
    let path = shop.file("header.csv", header);
    let report = shop.load(&events, &[path]).await;
    assert_eq!((report.rows, report.failure()), (0, None));
    assert!(report.table().contains("there are no rows"), "{}", report.table());
    let late = shop.cluster.shutdown().await;
    assert!(late.is_empty(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_a_reject_with_its_line() {
    let shop = Shop::open().await;
    // Times of stock are checked by the server alone.
    let content = "item_id,on_hand,as_of\ntea,5,2026-01-05T00:00:00Z\n\
                   mug,-12,1970-01-05T00:00:00.5Z\nmilk,-7,2026-01-05T00:00:00Z\n\
                   jam,1,2026-01-05T00:00:00Z\n";
    let path = shop.file("stock.csv", content);
    let stock = Import { batch: 500, ..import(Kind::Stock, &[], &[]) };
    let report = shop.load(&stock, std::slice::from_ref(&path)).await;
    assert_eq!((report.rows, report.accepted, report.rejected), (4, 3, 1));
    let parts = report.totals.0.iter().map(|total| (total.what.as_str(), total.rows));
    assert_eq!(parts.collect::<Vec<_>>(), [("accepted", 3), ("rejected", 1)]);
    assert_eq!(report.failure(), None);
    let reject = &report.rejects[0];
    assert_eq!((reject.line, reject.field.as_str()), (3, "as_of"), "{reject:?}");
    let mut catalog = CatalogServiceClient::new(shop.target.channel.clone());
    let request = GetItemRequest { item_id: "milk".into(), tokens: vec![report.token.clone()] };
    let item = catalog.get_item(request).await.expect("known").into_inner();
    assert_eq!(item.stock[0].on_hand, -7.0);
    // More than may be: what was loaded stays, and the command fails.
    let strict = Import { max_rejects: Some(MaxRejects::Rows(0)), ..stock };
    let report = shop.load(&strict, &[path]).await;
    assert_eq!((report.accepted, report.held_back, report.beyond), (3, None, Some(0)));
    let failure = report.failure().expect("a failure");
    assert!(failure.contains("1 of 4 rows rejected"), "{failure}");
    assert!(failure.contains("what was loaded stays: 3 rows"), "{failure}");
    let late = shop.cluster.shutdown().await;
    assert!(late.is_empty(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_blank_cells_takes_nothing_away() {
    let shop = Shop::open().await;
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/cases");
    let load = async |kind, name: &str| {
        shop.load(&import(kind, &[], &[]), &[cases.join(name)]).await;
    };
    load(Kind::Items, "blank_1.csv").await;
    load(Kind::Items, "blank_2.csv").await;
    load(Kind::Supply, "supply_1.csv").await;
    load(Kind::Supply, "supply_2.csv").await;
    let path = shop.file("clear.csv", "item_id,unit_cost\nd1,<clear>\n");
    let report = shop.load(&import(Kind::Items, &[], &[]), &[path]).await;
    let mut catalog = CatalogServiceClient::new(shop.target.channel.clone());
    let request = GetItemRequest { item_id: "d1".into(), tokens: vec![report.token.clone()] };
    let known = catalog.get_item(request).await.expect("known").into_inner();
    let item = known.item.expect("an item");
    assert_eq!((item.title.as_str(), item.unit_cost), ("Full", None));
    assert_eq!(
        item.list_price,
        usd(2, 500_000_000)
            .map(|price| Money { currency_code: shop.target.currency.clone(), ..price })
    );
    let supply = &known.supply[0];
    let terms = supply.terms.clone().expect("terms");
    assert_eq!(supply.supplier_id, "acme");
    assert_eq!((terms.lead_time_days, terms.pack_size), (Some(7.0), Some(6.0)));
    let late = shop.cluster.shutdown().await;
    assert!(late.is_empty(), "{late:?}");
}
