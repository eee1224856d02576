//! Sources of imports: how they are read, what they share, what is lost of them; and imports of
//! records, which have none of that.

use mercer_common::artifact::ArtifactStore;
use mercer_proto::{
    internal::section::Origin,
    v1::{
        BeginRecordsRequest, FinishImportRequest, ImportCall, ImportHeader, ImportState, Item,
        OpenSourceRequest, RebuildRegisterRequest, RowChoice, RowState, UpsertItemsRequest,
        catalog_service_client::CatalogServiceClient,
    },
};
use tokio_stream::StreamExt as _;
use uuid::Uuid;

use super::{
    TestCluster, details,
    imports::{ASK, Client, FILE, KEEP, retracted},
};

#[tokio::test]
async fn a_lost_register_is_built_anew_from_the_log() {
    let cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    // Twins, one of which is replaced; rows that are taken out, also by an import that is undone; and
    // one that comes again.
    let first = [(1, 0, 10), (1, 0, 10), (2, 0, 20), (4, 0, 25)];
    let second = [(1, 0, 10), (1, 7, 10), (2, 0, 20), (3, 0, 30)];
    let third = [(1, 0, 10), (2, 5, 20), (3, 0, 30)];
    let fourth = [(1, 0, 10), (1, 7, 10), (2, 0, 20), (3, 0, 30), (4, 0, 25)];
    client.import(1, &first, ASK).await;
    let (_, two) = client.import(2, &second, FILE).await;
    let (_, three) = client.import(3, &third, FILE).await;
    client.undo(&three, false).await.expect("undone");
    let (summary, four) = client.import(4, &fourth, ASK).await;
    assert_eq!((summary.known, summary.new), (4, 1));
    // Under way when it is lost.
    let (_, open) = client.begin(5, &[(9, 0, 40)], KEEP).await.expect("begun");
    client.send(&open.import_id, &[(9, 0, 40)]).await;
    let folder = cluster.config.coordinator.data_dir.join("imports/jobs/shop");
    std::fs::remove_dir_all(&folder).expect("removed");
    let status = client.begin(5, &[(9, 0, 40)], KEEP).await.expect_err("lost");
    assert_eq!(details(&status).1, "IMPORT_REGISTER_DAMAGED");
    // Another source could not tell whether it shares rows with this one.
    let request = OpenSourceRequest { source_id: "other".into() };
    client.imports.open_source(request).await.expect("opened");
    client.header.source_id = "other".into();
    let status = client.begin(6, &first, ASK).await.expect_err("lost");
    assert!(status.message().contains("mercer imports rebuild shop"), "{status}");
    client.header.source_id = "shop".into();

    let request = RebuildRegisterRequest { source_id: "shop".into() };
    let answers = client.imports.rebuild_register(request).await.expect("begun").into_inner();
    let answers: Vec<_> = answers.collect().await;
    let last = answers.last().expect("an answer").as_ref().expect("built");
    assert_eq!(last.source.as_ref().expect("a source").rows, 5);
    let (states, summary) = client.begin(7, &fourth, ASK).await.expect("compared");
    assert_eq!((states, summary.missing), (vec![RowState::Known; 5], 0));
    // What was under way is taken out, and the others know what is theirs.
    use ImportState::{Done, Undone};
    assert_eq!(client.states().await, [Undone, Done, Undone, Done, Done]);
    client.undo(&four, false).await.expect("undone");
    let (states, summary) = client.begin(8, &second, ASK).await.expect("compared");
    assert_eq!((states, summary.missing), (vec![RowState::Known; 4], 0));
    // Also what they took out.
    client.undo(&two, false).await.expect("undone");
    let (states, summary) = client.begin(9, &first, ASK).await.expect("compared");
    assert_eq!((states, summary.missing), (vec![RowState::Known; 4], 0));
    // Who only asks for a source leaves nothing behind.
    let request = OpenSourceRequest { source_id: "nobody".into() };
    client.imports.open_source(request).await.expect("opened");
    let request = RebuildRegisterRequest { source_id: "nobody".into() };
    let mut answers = client.imports.rebuild_register(request).await.expect("begun").into_inner();
    let status = answers.next().await.expect("answered").expect_err("unknown");
    assert_eq!(details(&status).1, "IMPORT_SOURCE_NOT_FOUND");
}

#[tokio::test]
async fn a_register_of_a_newer_release_is_not_replaced() {
    let cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    client.import(1, &[(1, 0, 10), (2, 0, 20)], ASK).await;
    let folder = cluster.config.coordinator.data_dir.join("imports");
    let listed = ArtifactStore::open(&folder).expect("opens").list().expect("listed");
    let [file] = &listed[..] else { panic!("{listed:?}") };
    let path = folder.join(&file.path);
    let mut newer = std::fs::read(&path).expect("readable");
    newer[8] = 3;
    let end = newer.len() - 16;
    newer[end] = b'3';
    std::fs::write(&path, &newer).expect("written");
    let status = client.begin(2, &[(3, 0, 30)], ASK).await.expect_err("newer");
    assert_eq!(details(&status).1, "ARTIFACT_NEWER", "{status}");
    let request = RebuildRegisterRequest { source_id: "shop".into() };
    let mut answers = client.imports.rebuild_register(request).await.expect("begun").into_inner();
    let status = answers.next().await.expect("answered").expect_err("newer");
    assert_eq!(details(&status).1, "ARTIFACT_NEWER", "{status}");
    assert!(status.message().contains("start that release"), "{status}");
    assert_eq!(std::fs::read(&path).expect("still there"), newer);
}

#[tokio::test]
async fn records_of_an_import_are_taken_out_together() {
    let mut cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    let mut catalog = CatalogServiceClient::new(cluster.channel.clone());
    let begin = |source: &str| BeginRecordsRequest {
        source_id: source.into(),
        files: vec!["stock.csv".into()],
        kind: "items".into(),
    };
    let upsert = |title: &str, import_id: &str, number: u64| UpsertItemsRequest {
        items: vec![Item { item_id: "tea".into(), title: title.into(), ..Item::default() }],
        import: Some(ImportCall { import_id: import_id.into(), number }),
        ..UpsertItemsRequest::default()
    };
    let one = client.imports.begin_records(begin("items")).await.expect("begun").into_inner();
    let id = one.import_id;
    catalog.upsert_items(upsert("Tea", &id, 1)).await.expect("taken");
    // Sent under its number, it takes effect once, and goes with the import.
    catalog.upsert_items(upsert("Green tea", &id, 2)).await.expect("taken");
    let origins = |cluster: &TestCluster| {
        let mut told = Vec::new();
        for (_, section) in cluster.log.sections() {
            if section.mutations.is_empty() {
                continue;
            }
            if let Some(Origin::Producer(batch)) = section.origin {
                let import = Uuid::from_slice(&batch.producer_id).expect("an id").to_string();
                told.push((import, batch.batch_sequence, batch.acknowledged_through));
            }
        }
        told
    };
    assert_eq!(origins(&cluster), [(id.clone(), 1, 0), (id.clone(), 2, 1)]);
    let finish = FinishImportRequest { import_id: id.clone(), records: 2, ..Default::default() };
    client.imports.finish(finish).await.expect("finished");
    // A second one, which is cut off: the next one ends it.
    let two = client.imports.begin_records(begin("items")).await.expect("begun").into_inner();
    catalog.upsert_items(upsert("Black tea", &two.import_id, 1)).await.expect("taken");
    let three = client.imports.begin_records(begin("items")).await.expect("begun").into_inner();
    let status = catalog.upsert_items(upsert("No", &two.import_id, 2)).await.expect_err("ended");
    assert!(status.message().contains("import.import_id"), "{status}");
    let both = UpsertItemsRequest { request_id: Some("r".into()), ..upsert("No", &id, 0) };
    let status = catalog.upsert_items(both).await.expect_err("refused");
    assert!(status.message().contains("request_id: is set"), "{status}");
    assert!(status.message().contains("(and 2 more)"), "its id and its number: {status}");
    cluster.restart().await;
    let mut client = Client::new(&cluster).await;
    let mut catalog = CatalogServiceClient::new(cluster.channel.clone());
    catalog.upsert_items(upsert("White tea", &three.import_id, 1)).await.expect("taken");
    use ImportState::{Done, Open, Undone};
    assert_eq!(client.states().await, [Open, Done, Done]);
    assert_eq!(origins(&cluster).len(), 4);
    assert_eq!(client.undo(&two.import_id, true).await.expect("undone"), 2);
    assert_eq!(client.states().await, [Undone, Undone, Done]);
    assert_eq!(retracted(&cluster), [(0, true), (0, true)]);
    assert_eq!(client.undo(&id, false).await.expect("undone"), 1);
    assert_eq!(retracted(&cluster).len(), 3);
    // Sources are of one or the other.
    let status = client.begin(1, &[(1, 0, 1)], ASK).await;
    status.expect("events of their own source");
    let status = client.imports.begin_records(begin("shop")).await.expect_err("of events");
    assert!(status.message().contains("a source of events"), "{status}");
    client.header.source_id = "items".into();
    let status = client.begin(1, &[(1, 0, 1)], ASK).await.expect_err("of items");
    assert!(status.message().contains("no source of events"), "{status}");
}

#[tokio::test]
async fn a_new_source_that_shares_rows_with_another_is_asked_about() {
    let cluster = TestCluster::start(1).await;
    let mut client = Client::new(&cluster).await;
    let none = (RowChoice::Unspecified, RowChoice::Unspecified);
    client.import(1, &[(1, 1, 10), (2, 1, 20), (2, 2, 20)], none).await;
    let request = OpenSourceRequest { source_id: "store".into() };
    client.imports.open_source(request).await.expect("opened");
    client.header.source_id = "store".into();
    // What is the same stands in the key: one more column may tell more of a row.
    let rows = [(2, 3, 20), (3, 1, 5)];
    let (_, summary) = client.begin(2, &rows, none).await.expect("compared");
    let shared = summary.shared.expect("shared");
    assert_eq!((shared.source_id.as_str(), shared.rows), ("shop", 1));
    assert_eq!((summary.new, summary.import_id.as_str()), (2, ""));
    client.header.apart = true;
    let (summary, _) = client.import(2, &rows, none).await;
    assert_eq!((summary.shared, summary.new), (None, 2));
    // From then on it is no new one.
    client.header.apart = false;
    let (summary, _) = client.import(3, &[(1, 1, 10), (2, 3, 20), (3, 1, 5)], none).await;
    assert_eq!((summary.shared, summary.new, summary.known), (None, 1, 2));
}

#[tokio::test]
async fn files_that_are_read_otherwise_than_those_before_are_asked_about() {
    let cluster = TestCluster::start(1).await;
    let mut client = Client::new(&cluster).await;
    let none = (RowChoice::Unspecified, RowChoice::Unspecified);
    let reading = |entries: &[(&str, &str)]| {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    client.header.reading = reading(&[("dates", "dmy"), ("user_id", "")]);
    let first = [(1, 1, 10), (2, 1, 20)];
    let (summary, _) = client.import(1, &first, none).await;
    let undone = summary.import_id;
    // All rows are known that are of the time: nothing can be there twice.
    client.header.reading = reading(&[("dates", "dmy"), ("user_id", "customer")]);
    let more = [(1, 1, 10), (2, 1, 20), (3, 1, 15)];
    let (summary, _) = client.import(2, &more, none).await;
    assert_eq!((summary.known, summary.new), (2, 1));
    // No row is known, or some that are known are not there.
    client.header.reading = reading(&[("dates", "mdy"), ("decimals", "comma")]);
    for rows in [&[(7, 1, 10), (8, 1, 20)][..], &[(1, 1, 10), (8, 1, 20)]] {
        let (_, summary) = client.begin(3, rows, none).await.expect("compared");
        assert_eq!((summary.read_otherwise, summary.import_id), (vec!["dates".into()], "".into()));
    }
    // Known to the source, and not said of these files.
    client.header.reading = reading(&[("dates", "dmy")]);
    let (_, summary) = client.begin(3, &[(7, 1, 10)], none).await.expect("compared");
    assert_eq!(summary.read_otherwise, Vec::<String>::new());
    client.undo(&summary.import_id, false).await.expect("undone");
    client.header.reading = reading(&[("dates", "mdy")]);
    client.header.reread = true;
    let (summary, _) = client.import(4, &[(7, 1, 10)], none).await;
    assert_eq!(summary.new, 1);
    // With an import goes its reading.
    let known = async |client: &mut Client| {
        let request = OpenSourceRequest { source_id: "shop".into() };
        client.imports.open_source(request).await.expect("opened").into_inner().reading
    };
    assert_eq!(known(&mut client).await, reading(&[("dates", "mdy"), ("user_id", "customer")]));
    client.undo(&summary.import_id, false).await.expect("undone");
    assert_eq!(known(&mut client).await, reading(&[("dates", "dmy"), ("user_id", "customer")]));
    client.undo(&undone, true).await.expect("undone");
    assert_eq!(known(&mut client).await, reading(&[]));
    let long = ImportHeader { reading: reading(&[("dates", &"x".repeat(1_001))]), ..client.header };
    client.header = long;
    let refused = client.begin(5, &first, none).await.expect_err("refused");
    assert!(refused.message().contains("header.reading"), "{refused}");
}
