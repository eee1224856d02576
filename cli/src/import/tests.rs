//! Files to messages: golden cases for every format, and what bad files say.

mod amounts;
mod batches;
mod blanks;
mod cases;
mod cluster;
mod damage;
mod identity;
mod layouts;
mod parquet;
mod siblings;
mod sources;
mod supply;
mod xlsx;

use std::{fs, path::Path};

use jiff::tz::TimeZone;
use mercer_proto::{
    google::r#type::Money,
    v1::{Event, EventType, Item, ItemStatus, User},
};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{
    ask::Question,
    chunk::{Chunk, Chunker},
    mapping::{Kind, Mapping},
    options::Options,
    pass::Checked,
    plan::Plan,
    prepare::Preparation,
    reading::{Form, Input, Table},
    records::Records,
    rejects::{Reject, Rejects},
    report::Totals,
    rows::Context,
    survey::Survey,
};

/// Chunks and rejects of a file.
#[derive(Default)]
struct Outcome {
    chunks: Vec<Chunk>,
    rejects: Vec<Reject>,
    questions: Vec<Question>,
    notes: Vec<String>,
    totals: Totals,
}

impl Chunk {
    fn lines(&self) -> Vec<u64> {
        self.accepted.iter().map(|accepted| accepted.line).collect()
    }
}

impl Outcome {
    fn reasons(&self) -> Vec<(u64, String)> {
        let mut reasons = Vec::new();
        for Reject { line, field, reason, .. } in &self.rejects {
            reasons.push((*line, format!("{field} {reason}").trim().to_owned()));
        }
        reasons
    }

    fn events(self) -> Vec<Event> {
        let events = self.chunks.into_iter().flat_map(|chunk| match chunk.records {
            Records::Events(events) => events,
            other => panic!("{other:?}"),
        });
        events.collect()
    }

    fn items(self) -> Vec<Item> {
        let items = self.chunks.into_iter().flat_map(|chunk| match chunk.records {
            Records::Items(request) => request.items,
            other => panic!("{other:?}"),
        });
        items.collect()
    }
}

fn mapping(kind: Kind, map: &[&str], set: &[&str]) -> Mapping {
    let owned = |pairs: &[&str]| pairs.iter().map(|&pair| pair.to_owned()).collect::<Vec<_>>();
    Mapping::new(kind, None, &owned(map), &owned(set)).expect("a valid mapping")
}

fn preparation(kind: Kind, mapping: &Mapping, options: &Options) -> Preparation {
    let zone = options.time_zone.as_deref().unwrap_or("America/New_York");
    Preparation {
        kind,
        mapping: mapping.clone(),
        layout: None,
        options: options.clone(),
        zone: TimeZone::get(zone).expect("known zone"),
        context: Context {
            rows: None,
            currency: "USD".into(),
            category_separator: ">".into(),
            event_types: options.event_types.clone(),
            negative: options.negative,
            blank: options.blank.clone().unwrap_or_default(),
        },
        rejects: Rejects::new(None).expect("no file"),
    }
}

fn read(path: &Path, kind: Kind, mapping: &Mapping, batch: usize) -> anyhow::Result<Outcome> {
    read_as(path, preparation(kind, mapping, &Options::default()), batch)
}

/// Reads as an import does, but goes on where it would ask.
fn read_as(path: &Path, ready: Preparation, batch: usize) -> anyhow::Result<Outcome> {
    let mut plan: Plan = ready.plan(Input::open(path)?)?;
    let mut survey = Survey::default();
    survey.look(&plan, &|_| ())?;
    let decided = survey.decide(&ready.options);
    plan.readings = decided.readings(&plan);
    let mut outcome = Outcome { questions: decided.questions, ..Outcome::default() };
    outcome.notes = plan.notes.iter().cloned().chain(plan.guesses()).chain(decided.notes).collect();
    let mut rejects = ready.rejects;
    let mut checked = Checked::default();
    checked.read(&plan, &mut rejects, &mut |_, _| Ok(()), &|_| ())?;
    outcome.questions.extend(checked.questions());
    outcome.notes.extend(checked.notes("America/New_York", true));
    outcome.totals = checked.totals;
    outcome.rejects = rejects.finish()?.1;
    let (sender, mut receiver) = mpsc::channel(10_000);
    let sent = Chunker { batch, sender }.run(&plan)?;
    // Both passes see the same rows.
    assert_eq!([sent.rows], checked.files[..]);
    assert_eq!(sent.chunks, receiver.len() as u64);
    while let Ok(chunk) = receiver.try_recv() {
        outcome.chunks.push(chunk);
    }
    Ok(outcome)
}

fn csv(folder: &TempDir, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.path().join("f.csv");
    fs::write(&path, content).expect("written");
    path
}

fn usd(units: i64, nanos: i32) -> Option<Money> {
    Some(Money { currency_code: "USD".into(), units, nanos })
}

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

#[test]
fn canonical_columns_need_no_mapping() {
    let folder = TempDir::new().expect("a folder");
    // With a byte order mark, as spreadsheets write it, and columns that nobody asked for.
    let path = csv(
        &folder,
        "\u{feff}user_id,item_id,type,timestamp,quantity,amount,list_price,promotion,location_id,basket_id,session_id,colour\r\n\
         u1,007,purchase,2017-01-01 06:53:26,2,3.98,1.99,yes,s1,b1,,red\r\n\
         ,i2,VIEW,2017-01-01T11:53:26Z,,,,,,,sess,\r\n",
    );
    let outcome = read(&path, Kind::Events, &mapping(Kind::Events, &[], &[]), 500).expect("read");
    assert_eq!(outcome.reasons(), []);
    let purchase = Event {
        r#type: EventType::Purchase.into(),
        item_id: "007".into(),
        event_time: at(1_483_271_606),
        user_id: Some("u1".into()),
        quantity: Some(2.0),
        amount: usd(3, 980_000_000),
        list_price: usd(1, 990_000_000),
        promotion: true,
        location_id: Some("s1".into()),
        basket_id: Some("b1".into()),
        ..Event::default()
    };
    let view = Event {
        r#type: EventType::View.into(),
        item_id: "i2".into(),
        event_time: at(1_483_271_606),
        session_id: Some("sess".into()),
        ..Event::default()
    };
    assert_eq!(outcome.events(), [purchase, view]);
}

#[test]
fn names_every_bad_row_and_keeps_the_good_ones() {
    let folder = TempDir::new().expect("a folder");
    let mut content = b"user_id,item_id,type,timestamp,quantity\n\
        u,i,purchase,2020-01-01,0\n\
        u,i,bought,2020-01-01,1\n\
        u,i,purchase,tomorrow,1\n\
        u,,purchase,2020-01-01,1\n\
        u,i,purchase,1970-01-01,1\n\
        u,i,purchase,2020-01-01\n\
        u,\"two\nlines\",purchase,2020-01-01,1\n\
        u,i,purchase,2020-01-01,many\n\
        u,i,purchase,2020-01-01,NaN\n\
        u,i,purchase,2020-01-01,-1\n\
        u,i,purchase,,1\n"
        .to_vec();
    content.extend(b"u,\xff\xfe,purchase,2020-01-01,1\nu,i,purchase,2020-01-01,1\n");
    let outcome = read(&csv(&folder, content), Kind::Events, &mapping(Kind::Events, &[], &[]), 500)
        .expect("read");
    let expected = [
        (2, "quantity is 0; must lie from 0.000001 to 1000000000"),
        (
            3,
            "type `bought` is not view, click, favourite, add_to_cart, purchase, return, rating: \
             say --event-types 'bought=purchase' or =skip",
        ),
        (
            4,
            "timestamp `tomorrow` is not a time; write it like 2026-01-31T12:00:00Z or \
             2026-01-31 12:00:00, or say how it is written, such as --time-format '%d.%m.%Y %H:%M'",
        ),
        (5, "item_id must not be empty"),
        (6, "timestamp 1970-01-01T05:00:00Z lies outside 1990 to 2126"),
        (7, "has 4 fields, the header 5"),
        (8, "item_id must not contain control characters such as U+000A"),
        (10, "quantity `many` is not a number"),
        // A word for missing.
        (11, "quantity is required for purchases and returns"),
        (12, "quantity is below 0: say --negative return, skip or refuse"),
        (13, "timestamp is missing"),
        (14, "item_id is not UTF-8"),
    ];
    assert_eq!(outcome.reasons(), expected.map(|(line, reason)| (line, reason.to_owned())));
    assert_eq!(outcome.chunks[0].lines(), [15]);
}

#[test]
fn labels_with_control_characters_are_refused_and_what_a_sheet_quotes_is_read() {
    let folder = TempDir::new().expect("a folder");
    let content = "item_id,title,brand,category,attribute.size\n\
        a,two\u{b}lines,b,c,s\n\
        b,t,\u{1b}[31m,c,s\n\
        c,t,b,A > \u{9b}B,s\n\
        d,t,b,c,1\u{7f}l\n\
        '=e,'-t,'tis,c,''@s\n";
    let outcome = read(&csv(&folder, content), Kind::Items, &mapping(Kind::Items, &[], &[]), 500)
        .expect("read");
    let problem = |number: &str| format!("must not contain control characters such as {number}");
    let expected = [
        (2, format!("title {}", problem("U+000B"))),
        (3, format!("brand {}", problem("U+001B"))),
        (4, format!("category {}", problem("U+009B"))),
        (5, format!("attribute.size {}", problem("U+007F"))),
    ];
    assert_eq!(outcome.reasons(), expected);
    let Records::Items(request) = &outcome.chunks[0].records else { panic!("items") };
    let item = &request.items[0];
    let size = item.attributes["size"].as_str();
    let read = [&item.item_id, &item.title, &item.brand].map(String::as_str);
    assert_eq!((read, size), (["=e", "-t", "'tis"], "'@s"));
}

#[test]
fn chunks_are_cut_at_fixed_rows() {
    let folder = TempDir::new().expect("a folder");
    let good = |item: u32| format!("u,{item},view,2020-01-01\n");
    let bad = "u,i,none,2020-01-01\n".repeat(5);
    let content = format!(
        "user_id,item_id,type,timestamp\n{}{}{bad}{bad}",
        (0..4).map(good).collect::<String>(),
        (4..6).map(good).collect::<String>(),
    );
    let outcome = read(&csv(&folder, content), Kind::Events, &mapping(Kind::Events, &[], &[]), 4)
        .expect("read");
    let cut: Vec<(u64, usize)> =
        outcome.chunks.iter().map(|c| (c.rows, c.accepted.len())).collect();
    // 16 rows in fours; the second has the last two events.
    assert_eq!(cut, [(4, 4), (4, 2), (4, 0), (4, 0)]);
}

#[test]
fn maps_sums_quotients_and_constants() {
    let folder = TempDir::new().expect("a folder");
    let path = csv(
        &folder,
        "sku,day,clock,n,paid,discount\nA,2020-01-01,10:00:00,4,10.00,2\nB,2020-01-01,10:00:00,0,1,1\n",
    );
    let map = [
        "item_id=SKU",
        "timestamp=day+clock",
        "quantity=n",
        "amount=paid",
        "list_price=(paid+discount)/n",
        "promotion=discount",
    ];
    let mapping = mapping(Kind::Events, &map, &["type=purchase", "channel=web"]);
    let outcome = read(&path, Kind::Events, &mapping, 500).expect("read");
    assert_eq!(outcome.reasons().len(), 1, "{:?}", outcome.reasons());
    let [event] = &outcome.events()[..] else { panic!("one event") };
    assert_eq!(event.list_price, usd(3, 0));
    assert_eq!(event.event_time, at(1_577_890_800));
    assert_eq!((event.promotion, event.channel.as_deref()), (true, Some("web")));
}

#[test]
fn items_and_users() {
    let folder = TempDir::new().expect("a folder");
    let path = csv(
        &folder,
        "item_id,title,category,brand,list_price,status,attribute.size\n\
         1,Tea,Food > Hot drinks,Acme,2.50,inactive,L\n2,Milk,,,,,\n3,Bad,,,-1,,\n",
    );
    let outcome = read(&path, Kind::Items, &mapping(Kind::Items, &[], &[]), 500).expect("read");
    assert_eq!(outcome.reasons(), [(4, "list_price must not be negative".to_owned())]);
    let Records::Items(request) = &outcome.chunks[0].records else { panic!("items") };
    let tea = Item {
        item_id: "1".into(),
        title: "Tea".into(),
        category_path: vec!["Food".into(), "Hot drinks".into()],
        brand: "Acme".into(),
        list_price: usd(2, 500_000_000),
        status: ItemStatus::Inactive.into(),
        attributes: [("size".to_owned(), "L".to_owned())].into(),
        ..Item::default()
    };
    assert_eq!(request.items[0], tea);
    assert_eq!(
        request.items[1],
        Item { item_id: "2".into(), title: "Milk".into(), ..Item::default() }
    );
    // Blank cells keep what is known.
    assert!(request.keep_absent && request.update_mask.is_none() && request.clears.is_empty());

    let path = csv(&folder, "item_id,embedding\n1,\"[0.5, -1e2]\"\n2,1;2\n3,\n4,1 x\n");
    let outcome = read(&path, Kind::Items, &mapping(Kind::Items, &[], &[]), 500).expect("read");
    let reason = "embedding holds `x`, which is no number".to_owned();
    assert_eq!(outcome.reasons(), [(5, reason)]);
    let Records::Items(request) = &outcome.chunks[0].records else { panic!("items") };
    let embeddings: Vec<&[f32]> = request.items.iter().map(|item| &item.embedding[..]).collect();
    assert_eq!(embeddings, [&[0.5, -100.0][..], &[1.0, 2.0], &[]]);

    let path = csv(&folder, "user_id,denied_item_ids,attribute.age\n1,a|b,30\n");
    let outcome = read(&path, Kind::Users, &mapping(Kind::Users, &[], &[]), 500).expect("read");
    let Records::Users(request) = &outcome.chunks[0].records else { panic!("users") };
    let user = User {
        user_id: "1".into(),
        attributes: [("age".to_owned(), "30".to_owned())].into(),
        denied_item_ids: vec!["a".into(), "b".into()],
    };
    assert_eq!(request.users, [user]);
}

#[test]
fn stock_needs_a_number() {
    let folder = TempDir::new().expect("a folder");
    let path = csv(&folder, "item_id,on_hand,as_of\n1,5,2020-01-01T00:00:00Z\n2,,\n3,inf,\n");
    let outcome = read(&path, Kind::Stock, &mapping(Kind::Stock, &[], &[]), 500).expect("read");
    let expected = [
        (3, "on_hand is missing"),
        (4, "on_hand is inf; must lie within -1000000000000 and 1000000000000"),
    ];
    assert_eq!(outcome.reasons(), expected.map(|(line, reason)| (line, reason.to_owned())));
}

#[test]
fn wrong_columns_say_what_is_there_and_what_is_needed() {
    let folder = TempDir::new().expect("a folder");
    let path = csv(&folder, "buyer,thing,moment\nu,i,2020-01-01\n");
    let error = |mapping: &Mapping| match read(&path, Kind::Events, mapping, 500) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    let text = error(&mapping(Kind::Events, &[], &[]));
    for part in
        ["no column for item_id, type, timestamp", "it has: buyer, thing, moment", "--map item_id="]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A line end would be shown as an escape.
    assert!(!text.contains('\n'), "{text}");
    let text = error(&mapping(Kind::Events, &["item_id=product"], &[]));
    assert!(text.contains("no column `product` (for item_id)"), "{text}");
    let unknown = ["price=thing".to_owned()];
    let text = Mapping::new(Kind::Events, None, &unknown, &[]).expect_err("refused").to_string();
    assert!(text.contains("`price` is not a field of events"), "{text}");
}

#[test]
fn files_that_are_not_tables_say_so() {
    let folder = TempDir::new().expect("a folder");
    let open = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("written");
        let input = Input::open(&path).expect("a file");
        match Table::read_from(&input, Form::default()) {
            Ok(_) => panic!("{name} was accepted"),
            Err(error) => format!("{error:#}"),
        }
    };
    assert!(open("empty.csv", b"").contains("it is empty"));
    assert!(open("wide.csv", b"a\0,\0b\0\n\0").contains("is it UTF-16"));
    assert!(open("a.csv.gz", b"\x1f\x8b\x08\0").contains("cannot be unpacked"));
    assert!(open("a.csv.xz", b"\xfd7zXZ\0").contains("compressed with xz"));
    assert!(open("t.parquet", b"user_id,item_id\n").contains("not a complete Parquet file"));
    assert!(open("cut.dat", b"PAR1\x15\x04\x15").contains("not a complete Parquet file"));
    assert!(open("tiny.parquet", b"").contains("not a complete Parquet file"));
    let missing = Table::open(&folder.path().join("missing.csv"), b',').err().expect("an error");
    assert!(format!("{missing:#}").contains("missing.csv: No such file"), "{missing:#}");
    let directory = Table::open(folder.path(), b',').err().expect("an error");
    assert!(format!("{directory:#}").contains("is a folder"), "{directory:#}");
}
