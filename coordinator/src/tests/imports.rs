//! The life of an import, through the API: announced, sent, finished, undone.

use bytes::Bytes;
use mercer_common::{artifact::ArtifactStore, metadata::Metadata as _};
use mercer_proto::v1::{
    BeginImportRequest, BeginImportResponse, Event, EventType, FinishImportRequest, ImportHeader,
    ImportRows, ImportState, ImportSummary, IngestRequest, ListImportsRequest, OpenSourceRequest,
    RowChoice, RowState, UndoImportRequest, begin_import_request, begin_import_response,
    event_service_client::EventServiceClient, import_service_client::ImportServiceClient,
    ingest_response::Outcome,
};
use prost_types::Timestamp;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status, transport::Channel};

use super::{TestCluster, details};

/// 2026-01-05.
const DAY: i32 = 20_458;

/// A row: its key, its content and its second.
pub(super) type Row = (u8, u8, u32);

fn stamp(row: Row) -> Vec<u8> {
    [[row.0; 12].as_slice(), &[row.1; 4]].concat()
}

pub(super) struct Client {
    /// What it says of its files beside their rows.
    pub(super) header: ImportHeader,
    pub(super) imports: ImportServiceClient<Channel>,
    events: EventServiceClient<Channel>,
}

impl Client {
    pub(super) async fn new(cluster: &TestCluster) -> Self {
        let mut imports = ImportServiceClient::new(cluster.channel.clone());
        let source = OpenSourceRequest { source_id: "shop".into() };
        let source = imports.open_source(source).await.expect("opened").into_inner();
        assert_eq!(source.row_key.len(), 16);
        let header = ImportHeader { source_id: "shop".into(), ..ImportHeader::default() };
        Self { header, imports, events: EventServiceClient::new(cluster.channel.clone()) }
    }

    /// Announces rows of one day, sorted, and returns their states.
    pub(super) async fn begin(
        &mut self,
        digest: u8,
        rows: &[Row],
        choices: (RowChoice, RowChoice),
    ) -> Result<(Vec<RowState>, ImportSummary), Status> {
        let time = |row: &Row| i64::from(DAY) * 86_400 + i64::from(row.2);
        let header = ImportHeader {
            digest: vec![digest; 16],
            files: vec!["sales.csv".into()],
            first_time: rows.iter().map(time).min().unwrap_or_default(),
            last_time: rows.iter().map(time).max().unwrap_or_default(),
            changed: choices.0.into(),
            missing: choices.1.into(),
            rows: rows.len() as u64,
            ..self.header.clone()
        };
        let mut parts = vec![begin_import_request::Part::Header(header)];
        for rows in rows.chunks(2) {
            let bytes =
                rows.iter().flat_map(|row| [stamp(*row), row.2.to_be_bytes().to_vec()].concat());
            let rows = ImportRows { day: DAY, rows: bytes.collect() };
            parts.push(begin_import_request::Part::Rows(rows));
        }
        let requests = parts.into_iter().map(|part| BeginImportRequest { part: Some(part) });
        let stream = tokio_stream::iter(requests.collect::<Vec<_>>());
        let mut answers = self.imports.begin(stream).await?.into_inner();
        let mut states = Vec::new();
        loop {
            match answers.next().await.expect("a summary comes last")?.part {
                Some(begin_import_response::Part::States(bytes)) => {
                    for byte in bytes {
                        states.push(RowState::try_from(i32::from(byte)).expect("a state"));
                    }
                }
                Some(begin_import_response::Part::Summary(summary)) => {
                    return Ok((states, summary));
                }
                None => panic!("an empty answer"),
            }
        }
    }

    /// Sends the rows of an import in one batch; what the server says of it.
    pub(super) async fn send(&mut self, import_id: &str, rows: &[Row]) -> Option<i32> {
        let mut events = Vec::new();
        for row in rows {
            let seconds = i64::from(DAY) * 86_400 + i64::from(row.2);
            events.push(Event {
                r#type: EventType::Purchase.into(),
                item_id: format!("item-{}", row.0),
                user_id: Some("anna".into()),
                event_time: Some(Timestamp { seconds, nanos: 0 }),
                quantity: Some(f64::from(row.1) + 1.0),
                import_row: stamp(*row),
                ..Event::default()
            });
        }
        let batch = IngestRequest {
            producer_id: import_id.into(),
            batch_sequence: 1,
            events,
            ..IngestRequest::default()
        };
        let answers = self.events.ingest(tokio_stream::iter([batch])).await.expect("taken");
        let answer = answers.into_inner().next().await.expect("answered").expect("answered");
        match answer.outcome.expect("an outcome") {
            Outcome::Acknowledgement(_) => None,
            Outcome::Rejection(status) => Some(status.code),
        }
    }

    async fn finish(&mut self, import_id: &str, refused: &[Row]) {
        let refused_rows = refused.iter().flat_map(|row| stamp(*row)).collect();
        let request = FinishImportRequest { import_id: import_id.into(), refused_rows, records: 0 };
        self.imports.finish(request).await.expect("finished");
    }

    /// Announces, sends and finishes.
    pub(super) async fn import(
        &mut self,
        digest: u8,
        rows: &[Row],
        choices: (RowChoice, RowChoice),
    ) -> (ImportSummary, String) {
        let (states, summary) = self.begin(digest, rows, choices).await.expect("begun");
        let id = summary.import_id.clone();
        let mut sent = Vec::new();
        for (row, state) in rows.iter().zip(states) {
            let loads = match state {
                RowState::New => true,
                RowState::Changed => choices.0 == RowChoice::File,
                RowState::Known | RowState::Unspecified => false,
            };
            if loads {
                sent.push(*row);
            }
        }
        if !sent.is_empty() {
            assert_eq!(self.send(&id, &sent).await, None);
        }
        self.finish(&id, &[]).await;
        (summary, id)
    }

    pub(super) async fn undo(
        &mut self,
        import_id: &str,
        with_later: bool,
    ) -> Result<usize, Status> {
        let request = UndoImportRequest { import_id: import_id.into(), with_later };
        Ok(self.imports.undo_import(request).await?.into_inner().imports.len())
    }

    pub(super) async fn states(&mut self) -> Vec<ImportState> {
        let listed = self.imports.list_imports(ListImportsRequest::default()).await;
        listed.expect("listed").into_inner().imports.iter().map(|one| one.state()).collect()
    }
}

pub(super) const ASK: (RowChoice, RowChoice) = (RowChoice::Unspecified, RowChoice::Unspecified);
pub(super) const FILE: (RowChoice, RowChoice) = (RowChoice::File, RowChoice::File);
pub(super) const KEEP: (RowChoice, RowChoice) = (RowChoice::Keep, RowChoice::Keep);

/// How many rows, and how many whole imports, the log takes out in its first shard.
pub(super) fn retracted(cluster: &TestCluster) -> Vec<(usize, bool)> {
    let sections = cluster.log.sections().into_iter().filter(|(shard, _)| *shard == 0);
    let retracts = sections.filter_map(|(_, section)| section.retract);
    retracts.map(|one| (one.item_rows.len() / 16, one.whole)).collect()
}

#[tokio::test]
async fn rows_count_once_whatever_the_file_and_what_was_loaded_can_be_undone() {
    let mut cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    let (first, second) =
        ([(1, 0, 10), (1, 0, 10), (2, 0, 20)], [(1, 0, 10), (2, 0, 20), (3, 0, 30)]);
    let (summary, one) = client.import(1, &first, ASK).await;
    assert_eq!((summary.known, summary.new), (0, 3), "two equal purchases are two");
    // The same rows: nothing is begun.
    let (states, summary) = client.begin(1, &first, ASK).await.expect("compared");
    assert_eq!((states, summary.import_id.as_str()), (vec![RowState::Known; 3], ""));
    // One of the twins is gone and a row is new: it is asked.
    let (_, summary) = client.begin(2, &second, ASK).await.expect("compared");
    assert_eq!((summary.known, summary.new, summary.missing), (2, 1, 1));
    assert_eq!(summary.import_id, "");
    assert!(retracted(&cluster).is_empty());
    let (_, two) = client.import(2, &second, FILE).await;
    assert_eq!(retracted(&cluster), [(1, false)]);
    let (states, three) = client.begin(3, &first, ASK).await.expect("begun");
    assert_eq!(states, [RowState::Known, RowState::New, RowState::Known]);

    // After a restart it is known as before.
    cluster.restart().await;
    let mut client = Client::new(&cluster).await;
    let status = client.undo(&one, false).await.expect_err("not the newest");
    assert_eq!(details(&status).1, "IMPORT_NOT_NEWEST");
    assert_eq!(client.undo(&two, true).await.expect("undone"), 2, "one of them was open");
    assert_eq!(retracted(&cluster), [(1, false), (0, true), (0, true)]);
    // What the second had taken out is known again.
    let (states, summary) = client.begin(4, &first, ASK).await.expect("compared");
    assert_eq!((states, summary.missing), (vec![RowState::Known; 3], 0));
    use ImportState::{Done, Undone};
    assert_eq!(client.states().await, [Undone, Undone, Done]);
    let status = client.undo(&three.import_id, false).await.expect_err("undone already");
    assert_eq!(details(&status).1, "IMPORT_NOT_OPEN");
    assert_eq!(client.send(&two, &[(9, 0, 1)]).await, Some(Code::InvalidArgument as i32));
    let status = client.undo(&two, false).await.expect_err("undone already");
    assert_eq!(details(&status).1, "IMPORT_NOT_OPEN");
    assert_eq!(client.undo(&one, true).await.expect("undone"), 1);
    let (_, summary) = client.begin(5, &first, ASK).await.expect("begun");
    assert_eq!((summary.new, summary.known), (3, 0));
}

#[tokio::test]
async fn an_import_that_was_cut_off_is_gone_on_with_or_undone() {
    let mut cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    let rows = [(1, 0, 10), (2, 0, 20)];
    let (_, begun) = client.begin(1, &rows, ASK).await.expect("begun");
    assert!(!begun.resumed);
    assert_eq!(client.send(&begun.import_id, &rows[..1]).await, None);
    cluster.restart().await;
    let mut client = Client::new(&cluster).await;
    let status = client.begin(2, &rows[..1], ASK).await.expect_err("another file");
    assert_eq!(details(&status).1, "IMPORT_OPEN");
    let (states, again) = client.begin(1, &rows, KEEP).await.expect("gone on with");
    assert!(again.resumed && again.import_id == begun.import_id);
    assert_eq!(states, [RowState::New; 2], "batches are the same as the first time");
    // The log did not take the second row: it is new the next time.
    client.finish(&again.import_id, &rows[1..]).await;
    client.finish(&again.import_id, &rows[1..]).await;
    let (states, open) = client.begin(3, &rows, ASK).await.expect("begun");
    assert_eq!(states, [RowState::Known, RowState::New]);
    assert_eq!(client.undo(&open.import_id, false).await.expect("undone"), 1);
    let (states, _) = client.begin(4, &rows, ASK).await.expect("begun");
    assert_eq!(states, [RowState::Known, RowState::New]);
}

/// A record of metadata as it was, so that a crash between two writes can be told.
async fn kept(cluster: &TestCluster, import_id: &str) -> (String, Option<Bytes>) {
    let key = format!("imports/imports/{import_id}");
    let entry = cluster.metadata.get(&key).await.expect("read");
    (key, entry.map(|entry| entry.value))
}

async fn put_back(cluster: &TestCluster, (key, value): (String, Option<Bytes>)) {
    let present = cluster.metadata.get(&key).await.expect("read").map(|entry| entry.revision);
    cluster.metadata.compare_and_set(&key, present, value).await.expect("written");
}

#[tokio::test]
async fn a_crash_between_two_records_is_made_good_when_it_is_asked_again() {
    let mut cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    let (first, second) = ([(1, 0, 10), (2, 0, 20)], [(1, 7, 10), (2, 0, 20)]);
    // Begun, and the import's own record is not there.
    let (_, begun) = client.begin(1, &first, ASK).await.expect("begun");
    put_back(&cluster, (format!("imports/imports/{}", begun.import_id), None)).await;
    cluster.restart().await;
    let mut client = Client::new(&cluster).await;
    assert_eq!(client.send(&begun.import_id, &first).await, Some(Code::InvalidArgument as i32));
    let (_, one) = client.begin(1, &first, ASK).await.expect("begun");
    assert!(!one.resumed && one.import_id != begun.import_id);
    assert_eq!(client.send(&one.import_id, &first).await, None);
    // Finished, and the record still says that it is open.
    let open = kept(&cluster, &one.import_id).await;
    client.finish(&one.import_id, &[]).await;
    put_back(&cluster, open).await;
    cluster.restart().await;
    let mut client = Client::new(&cluster).await;
    let (_, two) = client.import(2, &second, FILE).await;
    client.finish(&one.import_id, &[]).await;
    let (states, _) = client.begin(3, &second, ASK).await.expect("compared");
    assert_eq!(states, [RowState::Known; 2]);
    // Undone, and the record still says that it is done.
    let done = kept(&cluster, &two).await;
    assert_eq!(client.undo(&two, false).await.expect("undone"), 1);
    put_back(&cluster, done).await;
    cluster.restart().await;
    let mut client = Client::new(&cluster).await;
    assert_eq!(client.undo(&two, false).await.expect("undone"), 1);
    assert_eq!(client.states().await, [ImportState::Undone, ImportState::Done]);
    let (states, again) = client.begin(4, &first, ASK).await.expect("compared");
    assert_eq!((states, again.missing), (vec![RowState::Known; 2], 0));
}

/// Files of registers.
fn files(cluster: &TestCluster) -> usize {
    let store = ArtifactStore::open(&cluster.config.coordinator.data_dir.join("imports"));
    store.expect("opens").list().expect("listed").len()
}

#[tokio::test]
async fn files_that_nobody_needs_do_not_stay() {
    let cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    let (first, second) = ([(1, 0, 10), (2, 0, 20)], [(1, 7, 10), (3, 0, 20)]);
    let (_, one) = client.import(1, &first, ASK).await;
    assert_eq!(files(&cluster), 1, "a month");
    // Asked, known, and out of order: nothing is begun.
    client.begin(2, &second, ASK).await.expect("compared");
    client.begin(3, &first, ASK).await.expect("compared");
    client.begin(4, &[(2, 0, 1), (1, 0, 1)], ASK).await.expect_err("unsorted");
    assert_eq!(files(&cluster), 1);
    let (_, two) = client.import(5, &second, FILE).await;
    assert_eq!(files(&cluster), 2, "the month, and the rows that were taken out");
    assert_eq!(client.undo(&two, false).await.expect("undone"), 1);
    assert_eq!(files(&cluster), 1);
    client.undo(&one, false).await.expect("undone");
    assert_eq!(files(&cluster), 0);
}

#[tokio::test]
async fn a_comparison_with_what_is_no_more_opens_nothing() {
    let cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    let rows = [(1, 0, 10), (2, 0, 20)];
    let (_, one) = client.import(1, &rows, ASK).await;
    // The file is announced by half when what it is compared with is undone.
    let header = ImportHeader {
        source_id: "shop".into(),
        digest: vec![2; 16],
        first_time: i64::from(DAY) * 86_400,
        last_time: i64::from(DAY) * 86_400 + 30,
        rows: 3,
        ..ImportHeader::default()
    };
    let message = |rows: &[Row]| {
        let bytes =
            rows.iter().flat_map(|row| [stamp(*row), row.2.to_be_bytes().to_vec()].concat());
        let rows = ImportRows { day: DAY, rows: bytes.collect() };
        BeginImportRequest { part: Some(begin_import_request::Part::Rows(rows)) }
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let part = Some(begin_import_request::Part::Header(header));
    sender.send(BeginImportRequest { part }).await.expect("sent");
    sender.send(message(&rows)).await.expect("sent");
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = client.imports.begin(stream).await.expect("a stream").into_inner();
    answers.next().await.expect("answered").expect("states");
    client.undo(&one, false).await.expect("undone");
    sender.send(message(&[(3, 0, 30)])).await.expect("sent");
    drop(sender);
    let status = loop {
        match answers.next().await.expect("an answer") {
            Ok(BeginImportResponse { part: Some(begin_import_response::Part::Summary(_)) }) => {
                panic!("it was opened")
            }
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(details(&status).1, "IMPORT_SOURCE_CHANGED");
    assert_eq!(files(&cluster), 0);
}

#[tokio::test]
async fn who_announces_nothing_gives_way() {
    let cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        let (sender, receiver) = tokio::sync::mpsc::channel::<BeginImportRequest>(1);
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
        silent.push((sender, client.imports.begin(stream).await.expect("a stream").into_inner()));
    }
    // At first all places are in use, then the idlest makes room.
    let begun = loop {
        match client.begin(1, &[(1, 0, 10)], ASK).await {
            Ok((_, summary)) => break summary,
            Err(status) => assert_eq!(details(&status).1, "IMPORTS_BUSY"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(begun.new, 1);
    let status = silent[0].1.next().await.expect("an answer").expect_err("ended");
    assert_eq!(details(&status).1, "IDLE");
}

#[tokio::test]
async fn changed_rows_are_asked_about_kept_or_replaced() {
    let cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    client.import(1, &[(1, 0, 10), (2, 0, 20)], ASK).await;
    let corrected = [(1, 7, 10), (2, 0, 20), (3, 0, 30)];
    let (states, summary) = client.begin(2, &corrected, ASK).await.expect("compared");
    assert_eq!(states, [RowState::Changed, RowState::Known, RowState::New]);
    assert_eq!((summary.changed, summary.missing, summary.import_id.as_str()), (1, 0, ""));
    client.import(3, &corrected, KEEP).await;
    assert!(retracted(&cluster).is_empty());
    let (states, _) = client.begin(4, &corrected, KEEP).await.expect("compared");
    assert_eq!(states, [RowState::Changed, RowState::Known, RowState::Known]);
    client.import(5, &corrected, FILE).await;
    assert_eq!(retracted(&cluster), [(1, false)]);
    let (states, _) = client.begin(6, &corrected, ASK).await.expect("compared");
    assert_eq!(states, [RowState::Known; 3]);
}

#[tokio::test]
async fn nonsense_is_named_and_leaves_nothing() {
    let cluster = TestCluster::start(0).await;
    let mut client = Client::new(&cluster).await;
    for source_id in ["", "Shop", "a/b", "..", &"x".repeat(65)] {
        let request = OpenSourceRequest { source_id: source_id.into() };
        let status = client.imports.open_source(request).await.expect_err("refused");
        assert_eq!(details(&status).2, ["source_id"], "{source_id}");
    }
    let unsorted = client.begin(1, &[(2, 0, 1), (1, 0, 1)], ASK).await.expect_err("unsorted");
    assert_eq!(details(&unsorted).2, ["rows.rows"]);
    // A client that left before the end.
    let header = ImportHeader {
        source_id: "shop".into(),
        digest: vec![1; 16],
        rows: 1,
        ..ImportHeader::default()
    };
    let part = Some(begin_import_request::Part::Header(header));
    let request = tokio_stream::iter([BeginImportRequest { part }]);
    let mut answers = client.imports.begin(request).await.expect("a stream").into_inner();
    let status = loop {
        if let Err(status) = answers.next().await.expect("an answer") {
            break status;
        }
    };
    assert_eq!(details(&status).2, ["header.rows"]);
    let rows = ImportRows::default();
    let part = Some(begin_import_request::Part::Rows(rows));
    let request = tokio_stream::iter([BeginImportRequest { part }]);
    let mut answers = client.imports.begin(request).await.expect("a stream").into_inner();
    let status = answers.next().await.expect("an answer").expect_err("no header");
    assert_eq!(details(&status).2, ["header"]);
    let unknown = uuid::Uuid::new_v4().to_string();
    assert_eq!(client.send(&unknown, &[(1, 0, 1)]).await, Some(Code::InvalidArgument as i32));
    let request = FinishImportRequest { import_id: unknown.clone(), ..Default::default() };
    let status = client.imports.finish(request).await.expect_err("unknown");
    assert_eq!(details(&status).1, "IMPORT_NOT_FOUND");
    let status = client.undo(&unknown, false).await.expect_err("unknown");
    assert_eq!(details(&status).1, "IMPORT_NOT_FOUND");
    assert!(client.states().await.is_empty());
}
