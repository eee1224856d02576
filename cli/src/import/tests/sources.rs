//! A source keeps how its files were read, and another export of the same rows is noticed.

use super::{
    cluster::{Shop, import},
    *,
};
use mercer_proto::v1::{GetItemRequest, catalog_service_client::CatalogServiceClient};
use tempfile::NamedTempFile;

use crate::import::{
    Import, Target,
    identity::{Choice, RowsChoice},
    mapping::amount::AmountIs,
    options::Usual,
    remembered,
    rows::Negative,
    survey::Decided,
    values::{Dates, Decimals, TimeFormat, words::EventTypes},
};

const MAP: [&str; 3] = ["item_id=sku", "timestamp=when", "quantity=units"];

fn sales() -> Import {
    import(Kind::Events, &MAP, &["type=purchase"])
}

#[tokio::test(flavor = "multi_thread")]
async fn another_layout_of_the_same_rows_is_asked_about() {
    let shop = Shop::open().await;
    let rows = "tea,2026-01-05T10:00:00Z,1\nmilk,2026-01-05T11:00:00Z,2\n";
    let first = shop.file("first.csv", &format!("sku,when,units\n{rows}"));
    let report = shop.try_load(&sales(), &[first]).await.expect("loaded");
    let source = report.source.expect("a source").source;
    // A column more, another name, another form: the columns are others, the rows are the same.
    let wider =
        shop.file("wider.csv", &format!("sku,when,units,till\n{}", rows.replace('\n', ",3\n")));
    let renamed = shop.file("renamed.csv", &format!("article,when,units\n{rows}"));
    let lines = shop.file(
        "lines.jsonl",
        "{\"sku\":\"tea\",\"when\":\"2026-01-05T10:00:00Z\",\"units\":1,\"note\":\"x\"}\n",
    );
    let article = import(
        Kind::Events,
        &["item_id=article", "timestamp=when", "quantity=units"],
        &["type=purchase"],
    );
    for (import, file) in [(&sales(), &wider), (&article, &renamed), (&sales(), &lines)] {
        let asked = shop.try_load(import, std::slice::from_ref(file)).await.expect_err("asked");
        assert_eq!(asked, [format!("--source {source}"), "--apart".to_owned()]);
    }
    assert_eq!(shop.units("tea", "").await, 1.0, "nothing was loaded");
    let named = Import { source: Some(source), ..sales() };
    for (import, file) in [
        (&named, wider),
        (&Import { mapping: article.mapping.clone(), ..named.clone() }, renamed.clone()),
    ] {
        let report = shop.try_load(import, &[file]).await.expect("known");
        assert_eq!((report.accepted, report.new), (2, Some(0)));
    }
    let choice = Choice { apart: true, ..Choice::default() };
    let report = shop.try_load(&Import { choice, ..article }, &[renamed]).await.expect("loaded");
    assert_eq!((report.new, shop.units("tea", &report.token).await), (Some(2), 2.0));
    // Rows that no source has loaded are nobody's; who may have sent them otherwise is said.
    let other = shop.file("other.csv", "sku,when,units,shelf\ntea,2026-02-05T10:00:00Z,1,9\n");
    let target = Target::describe(shop.target.channel.clone()).await.expect("described");
    let report = sales().run(&target, &[other]).await.expect("loaded");
    assert_eq!(report.new, Some(1));
    let told = "events that came in without an import";
    assert!(report.notes.iter().any(|note| note.contains(told)), "{:?}", report.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_once_is_not_asked_again_and_not_contradicted_without_a_word() {
    let shop = Shop::open().await;
    let file = |name: &str, rows: &str| shop.file(name, &format!("art,day,n,who\n{rows}"));
    let first = file("1.csv", "tea,03/04/2026 10:00,\"1,500\",anna\n");
    let plain = import(Kind::Events, &[], &[]);
    let refused = plain.run(&shop.target, std::slice::from_ref(&first)).await;
    assert!(refused.is_err(), "nothing is known of it");
    let dmy =
        Options { dates: Some(Dates::Dmy), decimals: Some(Decimals::Comma), ..Options::default() };
    let map = ["item_id=art", "timestamp=day", "quantity=n"];
    let said = Import { options: dmy.clone(), ..import(Kind::Events, &map, &["type=purchase"]) };
    let report = shop.try_load(&said, std::slice::from_ref(&first)).await.expect("loaded");
    assert_eq!(shop.units("tea", &report.token).await, 1.5);
    // The next export, without a word.
    let second = file("2.csv", "tea,04/04/2026 10:00,\"2,250\",anna\n");
    let report = shop.try_load(&plain, &[second]).await.expect("loaded");
    assert_eq!((report.new, shop.units("tea", &report.token).await), (Some(1), 3.75));
    let note = "`day` is read with the day first, as the files of its source before";
    assert!(report.notes.iter().any(|known| known == note), "{:?}", report.notes);
    // The first one again, read otherwise: by the user, by what it proves, by a user who is now known.
    let mdy = Options { dates: Some(Dates::Mdy), ..Options::default() };
    let otherwise = Import { options: mdy, ..plain.clone() };
    let asked = shop.try_load(&otherwise, std::slice::from_ref(&first)).await.expect_err("asked");
    assert_eq!(asked, ["--dates dmy", "--reread"]);
    let proven = file("3.csv", "tea,03/04/2026 10:00,1,anna\ntea,04/25/2026 10:00,1,anna\n");
    let asked = shop.try_load(&plain, &[proven]).await.expect_err("asked");
    assert_eq!(asked, ["--dates dmy", "--reread"]);
    let user = Import { mapping: mapping(Kind::Events, &["user_id=who"], &[]), ..plain.clone() };
    let asked = shop.try_load(&user, std::slice::from_ref(&first)).await.expect_err("asked");
    assert_eq!(asked, ["--reread"]);
    assert_eq!(shop.units("tea", "").await, 3.75, "nothing was loaded");
    // As before, and so from now on.
    let report = shop.try_load(&said, std::slice::from_ref(&first)).await.expect("known");
    assert_eq!(report.new, Some(0));
    let choice = Choice { reread: true, ..Choice::default() };
    let report = shop.try_load(&Import { choice, ..user }, std::slice::from_ref(&first)).await;
    let report = report.expect("loaded");
    assert_eq!((report.new, shop.units("tea", &report.token).await), (Some(1), 5.25));
    let token = shop.undo(&report.import.expect("an import"), false).await;
    assert_eq!(shop.units("tea", &token).await, 3.75);
    let keep = Choice { rows: RowsChoice::Keep, ..Choice::default() };
    let report = shop.try_load(&Import { choice: keep, ..plain }, &[first]).await.expect("known");
    assert_eq!(report.new, Some(0), "with the import went its reading");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_one_import_count_as_one_after_the_other() {
    let shop = Shop::open().await;
    let day = |name: &str, rows: &str| shop.file(name, &format!("sku,when,units\n{rows}"));
    // The second export begins on the evening of the first, and has a late correction.
    let files = [
        day("1.csv", "tea,2026-01-05T10:00:00Z,1\ntea,2026-01-05T20:00:00Z,2\n"),
        day("2.csv", "tea,2026-01-05T20:00:00Z,2\ntea,2026-01-06T09:00:00Z,4\n"),
    ];
    let report = shop.try_load(&sales(), &files).await.expect("loaded");
    assert_eq!((report.accepted, report.new), (4, Some(3)));
    assert_eq!(report.source.as_ref().map(|source| source.repeated), Some(1));
    assert_eq!(shop.units("tea", &report.token).await, 7.0);
    let report = shop.try_load(&sales(), &files).await.expect("known");
    assert_eq!(report.new, Some(0));
    let later = [
        day("3.csv", "milk,2026-02-05T10:00:00Z,1\nmilk,2026-02-05T20:00:00Z,2\n"),
        day("4.csv", "milk,2026-02-05T20:00:00Z,8\n"),
    ];
    let asked = shop.try_load(&sales(), &later).await.expect_err("asked");
    assert_eq!(asked, ["--correct", "--keep"]);
    let choice = |rows| Choice { rows, ..Choice::default() };
    let keep = Import { choice: choice(RowsChoice::Keep), ..sales() };
    let report = shop.try_load(&keep, &later).await.expect("loaded");
    assert_eq!(shop.units("milk", &report.token).await, 3.0);
    let token = shop.undo(&report.import.expect("an import"), false).await;
    assert_eq!(shop.units("tea", &token).await, 7.0);
    let correct = Import { choice: choice(RowsChoice::Correct), ..sales() };
    let report = shop.try_load(&correct, &later).await.expect("loaded");
    assert_eq!(shop.units("milk", &report.token).await, 9.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_records_are_undone_like_those_of_events() {
    let shop = Shop::open().await;
    let stock = import(Kind::Stock, &[], &[]);
    let first = shop.file("first.csv", "item_id,on_hand\ntea,5\nmilk,7\n");
    let report = shop.try_load(&stock, &[first]).await.expect("loaded");
    assert_eq!((report.accepted, report.new), (2, None));
    let wrong = shop.file("wrong.csv", "item_id,on_hand\ntea,500\nmilk,x\ncups,9\n");
    let report = shop.try_load(&stock, &[wrong]).await.expect("loaded");
    assert_eq!((report.accepted, report.rejected), (2, 1));
    let on_hand = async |item: &str, token: &str| {
        let mut catalog = CatalogServiceClient::new(shop.target.channel.clone());
        let request = GetItemRequest { item_id: item.into(), tokens: vec![token.to_owned()] };
        let stock = catalog.get_item(request).await.map(|item| item.into_inner().stock);
        stock.map_or(None, |stock| stock.first().map(|one| one.on_hand))
    };
    assert_eq!(on_hand("tea", &report.token).await, Some(500.0));
    let token = shop.undo(&report.import.expect("an import"), false).await;
    assert_eq!(on_hand("tea", &token).await, Some(5.0));
    assert_eq!(on_hand("cups", &token).await, None, "it had never been");
}

#[test]
fn a_reading_comes_back_as_it_was_said() {
    let types = [("a=b", "purchase"), ("cart", "add_to_cart"), ("*", "skip")]
        .map(|(from, to)| (from.to_owned(), to.to_owned()));
    let format = |text: &str| TimeFormat::parse(text).expect("a format");
    let options = Options {
        time_zone: Some("Europe/Berlin".into()),
        formats: ["%d.%m.%y", "epoch-ms", "excel-1904", "excel", "epoch"].map(format).to_vec(),
        dates: Some(Dates::Ymd),
        decimals: Some(Decimals::Comma),
        nulls: Some(vec!["missing".into(), "?".into()]),
        event_types: EventTypes::new(&types).expect("types"),
        negative: Some(Negative::Skip),
        row_id: Some("line".into()),
        amount_is: Some(AmountIs::LineTotal),
        ..Options::default()
    };
    let file = NamedTempFile::with_suffix(".csv").expect("a file");
    fs::write(&file, "line,item_id,what,when,customer\n").expect("written");
    let said = mapping(
        Kind::Events,
        &["type=what", "timestamp=when", "user_id=concat('c', customer)"],
        &["location_id=it's here"],
    );
    let plan = preparation(Kind::Events, &said, &options);
    let plan = plan.plan(Input::open(file.path()).expect("opened")).expect("a plan");
    let columns = plan.columns.clone();
    let entries = remembered::entries(&plan, &Decided::default(), None);
    // Clusters keep it for releases to come; `MERCER_WRITE_GOLDEN` writes the file if it is not there.
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/golden/remembered.txt");
    let text: Vec<String> = entries.iter().map(|entry| format!("{entry:?}\n")).collect();
    if std::env::var_os("MERCER_WRITE_GOLDEN").is_some() && !golden.exists() {
        fs::write(&golden, text.concat()).expect("written");
    }
    assert_eq!(text.concat(), fs::read_to_string(golden).expect("the golden file is there"));
    let (mut mapping, mut filled) = (Mapping::default(), Options::default());
    remembered::fill(&entries, &columns, &mut mapping, &mut filled);
    let usual = Usual { dates: Some(Dates::Ymd), decimals: Some(Decimals::Comma) };
    let expected = Options { dates: None, decimals: None, usual, ..options };
    assert_eq!(format!("{filled:?}"), format!("{expected:?}"));
    let fields = mapping.resolve(Kind::Events, "again", &columns).expect("resolved");
    for field in ["type", "item_id", "timestamp", "user_id", "location_id"] {
        assert!(fields.source(field).is_some(), "{field}");
        assert_eq!(fields.written[field], plan.fields.written[field], "{field}");
    }
    // What is too long for the cluster to keep is no reason to refuse the files.
    let words = Some(vec!["x".repeat(1_001)]);
    let long = Options { nulls: words, ..Options::default() };
    let plan = preparation(Kind::Events, &said, &long);
    let plan = plan.plan(Input::open(file.path()).expect("opened")).expect("a plan");
    assert!(!remembered::entries(&plan, &Decided::default(), None).contains_key("null"));
    // What files do not have is not asked of them.
    let mut other = Mapping::default();
    remembered::fill(&entries, &["sku".to_owned()], &mut other, &mut Options::default());
    assert!(other.resolve(Kind::Items, "others", &["item_id".to_owned()]).is_ok());
}
