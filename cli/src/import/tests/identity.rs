//! Rows count once, whatever the file that holds them: through a cluster, beside one that was given
//! only what remains.

use std::{collections::BTreeMap, path::PathBuf};

use mercer_proto::v1::{
    DescribeClusterRequest, GetItemRequest, GetUserRequest, ImportState, Ledger,
    ListImportsRequest, UndoImportRequest, catalog_service_client::CatalogServiceClient,
    cluster_service_client::ClusterServiceClient, import_service_client::ImportServiceClient,
};

use super::{
    cluster::{Shop, import},
    *,
};
use crate::import::{
    Import, Report, Unanswered,
    identity::{Choice, RowsChoice},
};

const HEADER: &str = "sku,when,customer,order,units,paid\n";
const MAP: [&str; 5] =
    ["item_id=sku", "timestamp=when", "user_id=customer", "basket_id=order", "quantity=units"];

fn sales(rows: RowsChoice) -> Import {
    let map = [&MAP[..], &["amount=paid"]].concat();
    let choice = Choice { rows, ..Choice::default() };
    Import { choice, ..import(Kind::Events, &map, &["type=purchase"]) }
}

/// A row of a file: its day and its order make its key, its units are its content.
type Sale = (u8, u8, u8);

fn content(rows: &[Sale]) -> String {
    let line = |&(day, order, units): &Sale| {
        let day = day + 1;
        format!(
            "s{},2026-01-{day:02}T10:00:00Z,c{},o{order},{units},{units}.50\n",
            order % 3,
            order % 4
        )
    };
    rows.iter().map(line).fold(HEADER.to_owned(), |text, line| text + &line)
}

/// No token, or the one.
fn tokens(token: &str) -> Vec<String> {
    Some(token.to_owned()).filter(|token| !token.is_empty()).into_iter().collect()
}

impl Shop {
    /// Loads rows as a file.
    async fn sell(&self, rows: &[Sale], import: &Import) -> Result<Report, Vec<String>> {
        let path = self.file("sales.csv", &content(rows));
        self.try_load(import, &[path]).await
    }

    /// The report, or the options that the questions offer.
    pub(super) async fn try_load(
        &self,
        import: &Import,
        files: &[PathBuf],
    ) -> Result<Report, Vec<String>> {
        import.run(&self.target, files).await.map_err(|error| {
            let unanswered = error.downcast::<Unanswered>().expect("a question");
            let choices = unanswered.questions.into_iter().flat_map(|question| question.choices);
            choices.map(|(flags, _)| flags).collect()
        })
    }

    pub(super) async fn units(&self, item: &str, token: &str) -> f64 {
        let mut catalog = CatalogServiceClient::new(self.target.channel.clone());
        let tokens = tokens(token);
        let request = GetItemRequest { item_id: item.into(), tokens };
        let item = catalog.get_item(request).await.expect("known").into_inner();
        item.statistics.expect("statistics").units
    }

    pub(super) async fn undo(&self, import_id: &str, with_later: bool) -> String {
        let mut imports = ImportServiceClient::new(self.target.channel.clone());
        let request = UndoImportRequest { import_id: import_id.into(), with_later };
        imports.undo_import(request).await.expect("undone").into_inner().token
    }

    /// What its shards hold, once they see what `token` stands for: how many records, and the sum of
    /// their hashes; and what all items sold, to the day.
    async fn holds(&self, token: &str) -> (Vec<(u64, String)>, BTreeMap<String, String>) {
        let mut cluster = ClusterServiceClient::new(self.target.channel.clone());
        let tokens = tokens(token);
        let request = DescribeClusterRequest { tokens: tokens.clone() };
        let described = cluster.describe_cluster(request).await.expect("described").into_inner();
        let records = described.shards.iter().flat_map(|shard| {
            [&shard.interactions, &shard.item_events].map(|records| {
                let records = records.as_ref().expect("serves");
                (records.count, records.hash_sum.clone())
            })
        });
        let records: Vec<(u64, String)> = records.collect();
        let mut catalog = CatalogServiceClient::new(self.target.channel.clone());
        let mut items = BTreeMap::new();
        for item in ["s0", "s1", "s2"] {
            let request = GetItemRequest { item_id: item.into(), tokens: tokens.clone() };
            let said = match catalog.get_item(request).await {
                Ok(item) => {
                    let item = item.into_inner();
                    format!("{:?} {:?}", item.statistics, item.sales)
                }
                Err(_) => "unknown".to_owned(),
            };
            items.insert(item.to_owned(), said);
        }
        (records, items)
    }

    /// What its customers paid, without the numbers of visits, which hang on the cluster's keys; nobody
    /// whom it does not know.
    async fn paid(&self, token: &str) -> BTreeMap<String, Option<Ledger>> {
        let mut catalog = CatalogServiceClient::new(self.target.channel.clone());
        let mut paid = BTreeMap::new();
        for user in ["c0", "c1", "c2", "c3"] {
            let user_id = user.to_owned();
            let request = GetUserRequest { user_id, tokens: tokens(token), rows: 512 };
            let Ok(known) = catalog.get_user(request).await else { continue };
            let mut ledger = known.into_inner().ledger;
            let rows = ledger.iter_mut().flat_map(|ledger| &mut ledger.rows);
            rows.for_each(|row| row.visit = 0);
            paid.insert(user.to_owned(), ledger);
        }
        paid
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grew_was_sorted_anew_or_overlaps_loads_what_is_new() {
    let shop = Shop::open().await;
    let all = |batch| Import { batch, ..sales(RowsChoice::Ask) };
    let first = [(0, 1, 2), (0, 2, 1), (0, 2, 1)];
    let report = shop.sell(&first, &all(2)).await.expect("loaded");
    assert_eq!((report.accepted, report.new), (3, Some(3)), "two equal purchases are two");
    // Again, in another order and other batches.
    let mut sorted = first.to_vec();
    sorted.reverse();
    let report = shop.sell(&sorted, &all(7)).await.expect("known");
    assert_eq!((report.accepted, report.new, report.import), (3, Some(0), None));
    // Longer.
    let longer = [&first[..], &[(0, 3, 1), (1, 4, 1)]].concat();
    let report = shop.sell(&longer, &all(1)).await.expect("loaded");
    assert_eq!((report.accepted, report.new), (5, Some(2)));
    // An export that overlaps, in two files, which are one import.
    let (one, two) = ([(1, 4, 1), (1, 5, 1)], [(2, 6, 3), (2, 7, 1)]);
    let files = [shop.file("one.csv", &content(&one)), shop.file("two.csv", &content(&two))];
    let report = shop.try_load(&all(1), &files).await.expect("loaded");
    assert_eq!((report.accepted, report.new), (4, Some(3)));
    let expected = shop.holds(&report.token).await;
    // Another source has rows of its own.
    let choice = Choice { apart: true, ..Choice::default() };
    let elsewhere = Import { source: Some("elsewhere".into()), choice, ..all(2) };
    let report = shop.sell(&one, &elsewhere).await.expect("loaded");
    assert_eq!(report.new, Some(2));
    let token = shop.undo(&report.import.expect("an import"), false).await;
    assert_eq!(shop.holds(&token).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_or_is_missing_is_asked_and_done_as_is_said() {
    let shop = Shop::open().await;
    let report = shop.sell(&[(0, 0, 2), (0, 3, 1), (0, 6, 4)], &sales(RowsChoice::Ask)).await;
    let first = report.expect("loaded");
    assert_eq!(shop.units("s0", &first.token).await, 7.0);
    // An order was corrected, and one more came.
    let corrected = [(0, 0, 5), (0, 3, 1), (0, 6, 4), (0, 9, 1)];
    let choices = shop.sell(&corrected, &sales(RowsChoice::Ask)).await.expect_err("asked");
    assert_eq!(choices, ["--correct", "--keep"]);
    assert_eq!(shop.units("s0", "").await, 7.0, "nothing was loaded");
    let kept = shop.sell(&corrected, &sales(RowsChoice::Keep)).await.expect("loaded");
    assert_eq!((kept.new, shop.units("s0", &kept.token).await), (Some(1), 8.0));
    let right = shop.sell(&corrected, &sales(RowsChoice::Correct)).await.expect("loaded");
    assert_eq!((right.new, shop.units("s0", &right.token).await), (Some(1), 11.0));
    let again = shop.sell(&corrected, &sales(RowsChoice::Ask)).await.expect("known");
    assert_eq!((again.new, again.source.expect("a source").changed), (Some(0), 0));
    // An order was cancelled.
    let fewer = [(0, 0, 5), (0, 6, 4), (0, 9, 1)];
    let choices = shop.sell(&fewer, &sales(RowsChoice::Ask)).await.expect_err("asked");
    assert_eq!(choices, ["--complete", "--keep"]);
    let complete = shop.sell(&fewer, &sales(RowsChoice::Complete)).await.expect("loaded");
    assert_eq!(shop.units("s0", &complete.token).await, 10.0);
    // One step back, and then all.
    let token = shop.undo(&complete.import.expect("an import"), false).await;
    assert_eq!(shop.units("s0", &token).await, 11.0);
    let token = shop.undo(&first.import.expect("an import"), true).await;
    let (records, _) = shop.holds(&token).await;
    assert!(records.iter().all(|(count, _)| *count == 0), "{records:?}");
    let mut imports = ImportServiceClient::new(shop.target.channel.clone());
    let listed = imports.list_imports(ListImportsRequest::default()).await.expect("listed");
    let states = listed.into_inner().imports.iter().map(|one| one.state()).collect::<Vec<_>>();
    assert_eq!(states, [ImportState::Undone; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_column_is_a_correction_and_a_row_id_names_rows() {
    let shop = Shop::open().await;
    let rows = [(0, 0, 2), (0, 3, 1)];
    let without = import(Kind::Events, &MAP, &["type=purchase"]);
    let report = shop.sell(&rows, &without).await.expect("loaded");
    assert_eq!(report.new, Some(2));
    let choices = shop.sell(&rows, &sales(RowsChoice::Ask)).await.expect_err("asked");
    assert_eq!(choices, ["--correct", "--keep"]);
    let report = shop.sell(&rows, &sales(RowsChoice::Correct)).await.expect("loaded");
    assert_eq!((report.new, shop.units("s0", &report.token).await), (Some(2), 3.0));
    // With ids of lines two equal lines are two, and a line that moved to another item is changed.
    let lines = |rows: &str| shop.file("lines.csv", &format!("line,sku,when,units\n{rows}"));
    let named = Import {
        options: Options { row_id: Some("line".into()), ..Options::default() },
        ..import(
            Kind::Events,
            &["item_id=sku", "timestamp=when", "quantity=units"],
            &["type=purchase"],
        )
    };
    let path = lines("1,tea,2026-02-01T10:00:00Z,1\n2,tea,2026-02-01T10:00:00Z,1\n");
    let report = shop.try_load(&named, &[path]).await.expect("loaded");
    assert_eq!(report.new, Some(2));
    let path = lines("1,tea,2026-02-01T10:00:00Z,1\n2,milk,2026-02-01T10:00:00Z,1\n");
    shop.try_load(&named, std::slice::from_ref(&path)).await.expect_err("asked");
    let named = Import { choice: sales(RowsChoice::Correct).choice, ..named };
    let report = shop.try_load(&named, &[path]).await.expect("loaded");
    let units = (shop.units("tea", &report.token).await, shop.units("milk", "").await);
    assert_eq!(units, (1.0, 1.0));
    let path = lines(",tea,2026-02-01T10:00:00Z,1\n");
    let report = shop.try_load(&named, &[path]).await.expect("a report");
    assert!(report.rejects[0].reason.contains("every row must have one"), "{:?}", report.rejects);
}

/// Random imports, of which some are undone, equal a cluster that was given what remains.
#[tokio::test(flavor = "multi_thread")]
async fn what_remains_is_all_that_counts() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut draw = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let (mut compared, mut rows) = (0, 0);
    for round in 0..3 {
        let shop = Shop::open().await;
        // The rows of the register, as plain lists, after each import that stands.
        let mut stack: Vec<(String, Vec<Sale>)> = Vec::new();
        let mut token = String::new();
        for _ in 0..8 {
            let known = stack.last().map(|(_, rows)| rows.clone()).unwrap_or_default();
            if !stack.is_empty() && draw(4) == 0 {
                let depth = usize::try_from(draw(stack.len() as u64)).expect("small");
                token = shop.undo(&stack[depth].0, true).await;
                stack.truncate(depth);
                continue;
            }
            // The whole shop as it is now: some rows more, some less, some corrected.
            let mut rows: Vec<Sale> = known.clone();
            rows.retain(|_| draw(6) > 0);
            for row in &mut rows {
                if draw(6) == 0 {
                    row.2 = u8::try_from(1 + draw(4)).expect("small");
                }
            }
            for _ in 0..=draw(6) {
                let part = |number: u64| u8::try_from(number).expect("small");
                rows.push((part(draw(4)), part(draw(12)), part(1 + draw(4))));
            }
            // The first and the last day are always there, so that all rows are of its span.
            rows.extend(
                [(0, 100, 1), (27, 101, 1)]
                    .iter()
                    .filter(|row| !rows.contains(row))
                    .copied()
                    .collect::<Vec<_>>(),
            );
            for place in (1..rows.len()).rev() {
                rows.swap(place, usize::try_from(draw(place as u64 + 1)).expect("small"));
            }
            let complete = Import {
                batch: usize::try_from(1 + draw(5)).expect("small"),
                ..sales(RowsChoice::Complete)
            };
            let report = shop.sell(&rows, &complete).await.expect("loaded");
            let Some(import) = report.import else { continue };
            token = report.token;
            // Where the file holds less than half of what is known nothing is missing.
            let missing = report.source.expect("a source").missing > 0;
            let lacks = known
                .iter()
                .any(|row| !rows.iter().any(|other| other.0 == row.0 && other.1 == row.1));
            if lacks && !missing {
                token = shop.undo(&import, false).await;
                continue;
            }
            stack.push((import, rows));
        }
        let remains = stack.pop().map(|(_, rows)| rows).unwrap_or_default();
        let reference = Shop::open().await;
        let loaded = match remains.is_empty() {
            true => String::new(),
            false => reference.sell(&remains, &sales(RowsChoice::Ask)).await.expect("loaded").token,
        };
        compared += remains.len();
        assert_eq!(shop.holds(&token).await.0, reference.holds(&loaded).await.0, "round {round}");
        let paid = reference.paid(&loaded).await;
        rows += paid.values().flatten().map(|ledger| ledger.rows.len()).sum::<usize>();
        assert_eq!(shop.paid(&token).await, paid, "round {round}");
    }
    assert!(compared > 20 && rows > 20, "{compared} rows remain in all, {rows} of ledgers");
}
