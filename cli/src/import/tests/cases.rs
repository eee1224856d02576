//! Files as shops have them, each with siblings of its kind.

use std::path::PathBuf;

use super::*;
use crate::import::{
    options::{FillDown, Skip},
    reading::{Form, encoding},
    rows::Negative,
    values::{Dates, Decimals, TimeFormat, words::EventTypes},
};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/cases").join(name)
}

/// Reads a case as the command does without options.
fn plainly(name: &str, kind: Kind) -> Outcome {
    read(&case(name), kind, &mapping(kind, &[], &[]), 500).expect("read")
}

fn text(content: &str, kind: Kind, options: &Options) -> anyhow::Result<Outcome> {
    let folder = TempDir::new().expect("a folder");
    let path = csv(&folder, content);
    read_as(&path, preparation(kind, &mapping(kind, &[], &[]), options), 500)
}

/// Events with these cells behind item, type and time.
fn sales(columns: &str, rows: &[&str]) -> String {
    let mut content = format!("item_id,type,timestamp,{columns}\n");
    for row in rows {
        content.push_str(&format!("tea,purchase,2026-01-05T10:00:00Z,{row}\n"));
    }
    content
}

fn refusal(content: &str, kind: Kind) -> String {
    let outcome = text(content, kind, &Options::default());
    format!("{:#}", outcome.err().expect("refused"))
}

#[test]
fn words_for_missing_make_no_customer_and_no_number() {
    let outcome = plainly("null_words.csv", Kind::Events);
    assert_eq!(outcome.reasons(), [(7, "quantity is required for purchases and returns".into())]);
    let note = "`user_id`: taken for missing: `NULL` 1, `\\N` 1, `nan` 1, `None` 1, `NA` 1";
    assert!(outcome.notes.iter().any(|known| known == note), "{:?}", outcome.notes);
    let events = outcome.events();
    assert!(events[..5].iter().all(|event| event.user_id.is_none()));
    assert_eq!((events[5].user_id.as_deref(), events[5].amount.clone()), (Some("u5"), None));

    // What can be a name stays one.
    let names = "item_id,title,brand,attribute.region\nNA,None,nan,NA\nx,NULL,\\N,null\n";
    let items = text(names, Kind::Items, &Options::default()).expect("read").items();
    assert_eq!((items[0].item_id.as_str(), items[0].title.as_str()), ("NA", "None"));
    assert_eq!(items[0].attributes["region"], "NA");
    assert_eq!((items[1].title.as_str(), items[1].brand.as_str()), ("", ""));

    let options = Options { nulls: Some(vec!["guest".into()]), ..Options::default() };
    let content = sales("user_id,quantity", &["guest,1", "NULL,1"]);
    let events = text(&content, Kind::Events, &options).expect("read").events();
    assert_eq!((events[0].user_id.as_deref(), events[1].user_id.as_deref()), (None, Some("NULL")));
}

#[test]
fn ids_that_were_numbers_lose_their_zero_and_article_numbers_do_not() {
    let outcome = plainly("float_ids.csv", Kind::Events);
    assert!(outcome.notes.iter().any(|note| note.contains("`.0` was left out 1 times")));
    let users = outcome.events().into_iter().map(|event| event.user_id);
    assert!(users.eq([Some("17850".to_owned()), Some("17850".to_owned())]));
    for (ids, expected) in [
        (["1.0", "1.10"], ["1.0", "1.10"]),
        (["007.0", "12.0"], ["007.0", "12.0"]),
        (["12.0", "NULL"], ["12", ""]),
    ] {
        let content = sales(
            "user_id,quantity",
            &ids.map(|id| format!("{id},1")).each_ref().map(String::as_str),
        );
        let events = text(&content, Kind::Events, &Options::default()).expect("read").events();
        let users: Vec<String> =
            events.into_iter().map(|event| event.user_id.unwrap_or_default()).collect();
        assert_eq!(users, expected);
    }
}

#[test]
fn a_stray_quote_is_an_error_where_it_opened() {
    let error = read(&case("stray_quote.csv"), Kind::Events, &mapping(Kind::Events, &[], &[]), 500);
    let error = error.err().expect("refused").to_string();
    assert!(error.contains("line 3: the quote that opens here is never closed"), "{error}");
    let paired = "item_id,title\na,\"x\nb,\"y\n";
    assert!(refusal(paired, Kind::Items).contains("line 2: text follows the quote"));
    let long = format!("item_id,title\na,\"{}\"\n", "x\n".repeat(1_001));
    assert!(refusal(&long, Kind::Items).contains("line 2: the quote that opens here spans"));
    // Quotes that are doubled, and lines within them, are what they are meant to be.
    let fine = "item_id,description,title\na,\"two\nlines\",\"5\"\" pipe\"\nb,,5\" pipe\n";
    let outcome = text(fine, Kind::Items, &Options::default()).expect("read");
    assert_eq!(outcome.reasons(), []);
    assert_eq!(outcome.chunks[0].lines(), [2, 4]);
    assert_eq!(outcome.items()[0].title, "5\" pipe");
}

#[test]
fn two_columns_of_one_name_are_asked_about_where_they_are_needed() {
    let path = case("dup_header.csv");
    let open = |map: &[&str]| read(&path, Kind::Events, &mapping(Kind::Events, map, &[]), 500);
    let error = open(&[]).err().expect("refused").to_string();
    assert!(error.contains("columns 6 and 7 are all named `amount`"), "{error}");
    let amounts = ["amount=amount#1", "amount=amount#2"]
        .map(|map| open(&[map]).expect("read").events()[0].amount.clone());
    assert_eq!(amounts, [usd(2, 500_000_000), usd(99, 0)]);
    let unused = "item_id,title,note,note\na,t,x,y\n";
    assert_eq!(text(unused, Kind::Items, &Options::default()).expect("read").items().len(), 1);
    let cased = "item_id,Title,title\na,x,y\n";
    assert!(refusal(cased, Kind::Items).contains("columns 2 and 3"));
}

#[test]
fn times_without_zone_are_of_the_zone_that_is_told() {
    let outcome = plainly("tz.csv", Kind::Events);
    let note = "1 times name no zone: they are read in America/New_York, the cluster's time zone";
    assert!(outcome.notes.iter().any(|known| known == note), "{:?}", outcome.notes);
    assert_eq!(outcome.events()[0].event_time, at(1_767_673_800));
    let options = Options { time_zone: Some("Europe/Berlin".into()), ..Options::default() };
    let content = "item_id,type,timestamp,quantity\na,view,2026-03-29 02:30:00,\n\
                   a,view,2026-01-05 23:30:00,\na,view,2026-01-05T23:30:00Z,\n";
    let outcome = text(content, Kind::Events, &options).expect("read");
    assert!(outcome.notes.iter().any(|note| note.starts_with("2 times name no zone")));
    assert!(outcome.notes.iter().any(|note| note.starts_with("1 of them are skipped")));
    assert_eq!(outcome.events()[1].event_time, at(1_767_652_200));
}

#[test]
fn stock_below_zero_is_an_oversell() {
    let outcome = plainly("stock_negative.csv", Kind::Stock);
    assert_eq!(outcome.reasons(), []);
    let Records::Stock(request) = &outcome.chunks[0].records else { panic!("stock") };
    let counts: Vec<f64> = request.stock.iter().map(|stock| stock.on_hand).collect();
    assert_eq!(counts, [5.0, -12.0, 7.0]);
}

#[test]
fn dates_of_many_hands_are_read_or_asked() {
    let outcome = plainly("dates.csv", Kind::Events);
    let asked: Vec<&str> = outcome.questions.iter().map(|q| q.about.as_str()).collect();
    assert_eq!(
        asked,
        [
            "`timestamp` holds `20241231` (line 6): a day or seconds since 1970?",
            "`timestamp` holds `45657` (line 7): a spreadsheet's day or seconds since 1970?",
        ]
    );
    // 31/12/2024 proves the order.
    assert!(outcome.notes.iter().any(|note| note.contains("day before month")));
    let options = Options { dates: Some(Dates::Dmy), ..Options::default() };
    let ready = preparation(Kind::Events, &mapping(Kind::Events, &[], &[]), &options);
    let outcome = read_as(&case("dates.csv"), ready, 500).expect("read");
    assert_eq!(outcome.questions, []);
    let helps: Vec<String> = outcome.reasons().into_iter().map(|(_, reason)| reason).collect();
    assert!(helps[0].contains("`20241231`") && helps[0].contains("--time-format %Y%m%d"));
    assert!(helps[1].contains("`45657`") && helps[1].contains("--time-format excel"));
    let times = outcome.events().into_iter().map(|event| event.event_time);
    let expected = [1_709_629_270, 1_735_621_200, 1_263_302_760, 1_704_430_800];
    assert!(times.eq(expected.map(at)));

    // An export of one day proves nothing.
    let content = "item_id,type,timestamp\na,view,03/04/2024 10:00\n";
    let asked = text(content, Kind::Events, &Options::default()).expect("read").questions;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].choices[0], ("--dates dmy".into(), "3 April 2024".into()));
    // Two orders in one file cannot both be meant.
    let content = "item_id,type,timestamp\na,view,31/12/2024\na,view,12/31/2024\n";
    let asked = text(content, Kind::Events, &Options::default()).expect("read").questions;
    assert!(asked[0].about.contains("no order of day and month fits both"), "{asked:?}");
    let formats =
        ["%Y%m%d", "excel"].map(|format| TimeFormat::parse(format).expect("a format")).to_vec();
    let options = Options { formats, dates: Some(Dates::Dmy), ..Options::default() };
    let ready = preparation(Kind::Events, &mapping(Kind::Events, &[], &[]), &options);
    let outcome = read_as(&case("dates.csv"), ready, 500).expect("read");
    assert_eq!((outcome.questions.len(), outcome.reasons().len()), (0, 0));
}

#[test]
fn a_date_column_and_a_time_column_make_a_time_in_parquet_too() {
    let path = case("date_and_text.parquet");
    let outcome = read(&path, Kind::Events, &mapping(Kind::Events, &["timestamp=d+t"], &[]), 500);
    let outcome = outcome.expect("read");
    assert_eq!(outcome.reasons(), []);
    let first = outcome.events()[0].event_time;
    assert_eq!(first, at(1_767_625_200));
    // A date column that holds midnights.
    let content = "item_id,type,d,t\na,view,2026-01-05 00:00:00,10:00\na,view,05.01.2026,10:00 AM\n\
                   a,view,31.12.2025,10:00\n";
    let folder = TempDir::new().expect("a folder");
    let mapping = mapping(Kind::Events, &["timestamp=d+t"], &[]);
    let outcome = read(&csv(&folder, content), Kind::Events, &mapping, 500).expect("read");
    assert_eq!((outcome.questions.len(), outcome.reasons().len()), (0, 0));
    let times: Vec<_> = outcome.events().into_iter().map(|event| event.event_time).collect();
    assert_eq!(times[..2], [at(1_767_625_200), at(1_767_625_200)]);
}

#[test]
fn parquet_packed_with_gzip_is_read() {
    let outcome = plainly("codec_gzip.parquet", Kind::Events);
    assert_eq!(outcome.reasons(), []);
    assert!(!outcome.events().is_empty());
}

#[test]
fn a_price_of_one_times_units_is_an_amount_and_negative_units_are_asked() {
    let map = [
        "item_id=StockCode,timestamp=InvoiceDate,user_id=CustomerID,quantity=Quantity",
        "basket_id=InvoiceNo,amount=UnitPrice*Quantity",
    ];
    let mapping = mapping(Kind::Events, &map, &["type=purchase"]);
    let path = case("layout_invoice_lines.csv");
    let asked = read(&path, Kind::Events, &mapping, 500).expect("read").questions;
    assert_eq!(asked.len(), 1);
    assert!(asked[0].about.contains("first in line 4"), "{asked:?}");
    let as_what = |negative| {
        let options = Options { negative: Some(negative), ..Options::default() };
        read_as(&path, preparation(Kind::Events, &mapping, &options), 500).expect("read")
    };
    let outcome = as_what(Negative::Return);
    let sums: Vec<(&str, u64, f64, i128)> = (outcome.totals.0.iter())
        .map(|total| (total.what.as_str(), total.rows, total.units, total.amount_micros))
        .collect();
    assert_eq!(sums, [("accepted", 3, 9.0, 39_200_000), ("returns", 1, -1.0, -2_550_000)]);
    let events = outcome.events();
    assert_eq!(events[0].amount, usd(15, 300_000_000));
    assert_eq!(events[0].user_id.as_deref(), Some("17850"));
    let returned = &events[2];
    assert_eq!(returned.r#type(), EventType::Return);
    assert_eq!((returned.quantity, returned.amount.clone()), (Some(1.0), usd(2, 550_000_000)));
    assert_eq!(as_what(Negative::Skip).totals.skipped(), 1);
    assert_eq!(as_what(Negative::Refuse).reasons().len(), 1);

    // At price 0 without a user nobody has returned anything.
    let options = Options { negative: Some(Negative::Return), ..Options::default() };
    let content = sales("user_id,quantity,amount", &[",-3,0", "u,-3,0", ",-3,-1.50"]);
    let outcome = text(&content, Kind::Events, &options).expect("read");
    assert_eq!(outcome.totals.skipped(), 1);
    assert_eq!(outcome.events().len(), 2);
}

#[test]
fn event_types_of_other_systems_are_asked_and_named() {
    let map = ["item_id=itemid,type=event,user_id=visitorid,basket_id=transactionid"];
    let mapping = mapping(Kind::Events, &map, &["quantity=1"]);
    let path = case("layout_clicks.csv");
    let outcome = read(&path, Kind::Events, &mapping, 500).expect("read");
    assert!(outcome.questions[0].about.contains("`transaction` (1, first in line 4)"));
    let choices: Vec<&str> =
        outcome.questions[0].choices.iter().map(|(flags, _)| flags.as_str()).collect();
    let expected = ["--event-types transaction=purchase", "--event-types transaction=skip"];
    assert_eq!(choices, expected);
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let types = EventTypes::new(&[pair("transaction", "purchase")]).expect("known");
    let options = Options { event_types: types, ..Options::default() };
    let outcome = read_as(&path, preparation(Kind::Events, &mapping, &options), 500).expect("read");
    let types: Vec<EventType> = outcome.events().iter().map(Event::r#type).collect();
    assert_eq!(types, [EventType::View, EventType::AddToCart, EventType::Purchase]);

    let types = EventTypes::new(&[pair("*", "skip")]).expect("known");
    let options = Options { event_types: types, ..Options::default() };
    let content = "item_id,type,timestamp\na,login,2026-01-05\na,view,2026-01-05\n";
    let outcome = text(content, Kind::Events, &options).expect("read");
    assert_eq!((outcome.totals.skipped(), outcome.events().len()), (1, 1));
}

#[test]
fn lines_of_an_order_take_its_cells_and_a_guest_takes_nobodys() {
    let map =
        ["item_id=Lineitem sku,timestamp=Created at,user_id=Email,quantity=Lineitem quantity,\
         basket_id=Name,channel=Financial Status"];
    let mapping = mapping(Kind::Events, &map, &["type=purchase"]);
    let fill = FillDown::parse("Financial Status, Email by Name").expect("columns and a key");
    let options = Options { fill_down: vec![fill.clone()], ..Options::default() };
    let path = case("layout_shopify.csv");
    let outcome = read_as(&path, preparation(Kind::Events, &mapping, &options), 500).expect("read");
    let events = outcome.events();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.channel.as_deref() == Some("paid")));

    let folder = TempDir::new().expect("a folder");
    let path = csv(
        &folder,
        "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem sku\n\
         #1,a@example.com,paid,2024-03-05 10:01:10 +0100,1,A\n\
         #2,,paid,2024-03-05 10:01:10 +0100,1,B\n\
         #2,,,2024-03-05 10:01:10 +0100,1,C\n\
         ,,,2024-03-05 10:01:10 +0100,1,D\n",
    );
    let outcome = read_as(&path, preparation(Kind::Events, &mapping, &options), 500).expect("read");
    let users: Vec<Option<String>> = outcome.events().into_iter().map(|e| e.user_id).collect();
    assert_eq!(users, [Some("a@example.com".into()), None, None, None]);
}

#[test]
fn a_header_with_commas_can_be_named() {
    let map = ["item_id=Item ID,timestamp=When,quantity=Qty,amount=Price, incl. VAT (EUR)"];
    let path = case("header_comma.csv");
    let outcome = read(&path, Kind::Events, &mapping(Kind::Events, &map, &[]), 500).expect("read");
    assert_eq!(outcome.events()[0].amount, usd(2, 500_000_000));
}

#[test]
fn long_titles_are_cut_and_told() {
    let outcome = plainly("title_long.csv", Kind::Items);
    assert_eq!(outcome.reasons(), []);
    let note = "2 titles and names were cut to 256 bytes";
    assert!(outcome.notes.iter().any(|known| known == note), "{:?}", outcome.notes);
    let items = outcome.items();
    assert!(items.iter().all(|item| (240..=256).contains(&item.title.len())));
}

#[test]
fn shops_have_their_own_words_for_a_status() {
    let outcome = plainly("status_words.csv", Kind::Items);
    assert_eq!(outcome.reasons(), []);
    let active: Vec<bool> =
        outcome.items().iter().map(|item| item.status() == ItemStatus::Active).collect();
    assert_eq!(active, [false, false, true, true, true, true]);
    let unknown = "item_id,status\na,Hidden\nb,maybe\n";
    let outcome = text(unknown, Kind::Items, &Options::default()).expect("read");
    assert_eq!(outcome.reasons()[0].0, 3);
}

#[test]
fn shares_are_percentages_as_they_are_on_the_command_line() {
    let outcome = plainly("percent.csv", Kind::Supply);
    let reasons = outcome.reasons();
    assert_eq!(reasons.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
    assert!(reasons[0].1.contains("holding_rate is 20; must be above 0"), "{reasons:?}");
    let content = "item_id,cycle_service\na,95\nb,97.5 %\n";
    let (line, reason) =
        text(content, Kind::Supply, &Options::default()).expect("read").reasons()[0].clone();
    assert_eq!(
        (line, reason.as_str()),
        (2, "cycle_service is 95; must be above 0 and below 1: write 95% or 0.95")
    );
    let Records::Supply(request) = &outcome.chunks[0].records else { panic!("supply") };
    let terms = request.supply[0].terms.clone().expect("terms");
    assert_eq!(terms.holding_rate, Some(0.2));
}

#[test]
fn trailing_commas_and_a_named_delimiter_are_harmless() {
    for name in ["trailing_comma.csv", "sep_line.csv"] {
        let outcome = plainly(name, Kind::Events);
        assert_eq!(outcome.reasons(), [], "{name}");
        assert!(!outcome.events().is_empty(), "{name}");
    }
    let outcome = plainly("sep_line.csv", Kind::Events);
    assert!(outcome.notes.iter().any(|note| note == "fields are separated by `;`"));
    let content = "item_id;title;list_price\na;Tea, green;12,50\nb;Mug;1.234,00\n";
    let outcome = text(content, Kind::Items, &Options::default()).expect("read");
    let prices: Vec<_> = outcome.items().into_iter().map(|item| item.list_price).collect();
    assert_eq!(prices, [usd(12, 500_000_000), usd(1_234, 0)]);
    let outcome =
        text("item_id,title,\na,x\nb,y,\nc,z,,\nd,z,w\n", Kind::Items, &Options::default());
    assert_eq!(outcome.expect("read").items().len(), 4);
    let outcome = text("item_id,title\na,x,more\n", Kind::Items, &Options::default());
    assert_eq!(outcome.expect("read").reasons().len(), 1);
}

#[test]
fn json_lines_are_rows() {
    let mapping = mapping(
        Kind::Events,
        &["item_id=asin,timestamp=unixReviewTime,user_id=reviewerID,rating=overall"],
        &["type=rating"],
    );
    let outcome = read(&case("reviews.jsonl"), Kind::Events, &mapping, 500).expect("read");
    assert_eq!(outcome.reasons(), []);
    assert_eq!(outcome.events()[1].rating, Some(4.0));
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("items.json");
    let content = "[\n {\"sku\": \"a\", \"name\": \"T\\\"e{a\", \"price\": {\"amount\": 2.5}},\n\
                   {\"sku\": 7, \"embedding\": [0.5, -1e2], \"name\": null}\n]\n";
    fs::write(&path, content).expect("written");
    let map = ["item_id=sku,title=name,list_price=price.amount"];
    let mapping = super::mapping(Kind::Items, &map, &[]);
    let items = read(&path, Kind::Items, &mapping, 500).expect("read").items();
    assert_eq!(
        (items[0].title.as_str(), items[0].list_price.clone()),
        ("T\"e{a", usd(2, 500_000_000))
    );
    assert_eq!((items[1].item_id.as_str(), &items[1].embedding[..]), ("7", &[0.5, -100.0][..]));
}

#[test]
fn numbers_of_a_column_are_read_alike_or_asked() {
    let prices = |cells: &[&str], options: &Options| {
        let rows: String = cells.iter().map(|cell| format!("a;{cell}\n")).collect();
        text(&format!("item_id;list_price\n{rows}"), Kind::Items, options).expect("read")
    };
    let plain = Options::default();
    let micros = |outcome: Outcome| {
        let items = outcome.items().into_iter();
        items.map(|item| item.list_price.map(|p| (p.units, p.nanos))).collect::<Vec<_>>()
    };
    let outcome = prices(&["$1,234", "2.50", "(0.00)"], &plain);
    assert_eq!(outcome.questions, []);
    assert_eq!(micros(outcome)[0], Some((1_234, 0)));
    let outcome = prices(&["1.234", "2,50"], &plain);
    assert_eq!(outcome.questions, []);
    assert_eq!(micros(outcome), [Some((1_234, 0)), Some((2, 500_000_000))]);
    for cell in ["1,234", "1.234"] {
        let asked = prices(&[cell, "7"], &plain).questions;
        assert!(asked[0].about.contains("thousands or decimals"), "{asked:?}");
    }
    let asked = prices(&["1.50", "2,50"], &plain).questions;
    assert!(asked[0].about.contains("in two ways"), "{asked:?}");
    let comma = Options { decimals: Some(Decimals::Comma), ..Options::default() };
    assert_eq!(micros(prices(&["1,234"], &comma)), [Some((1, 234_000_000))]);
    let point = Options { decimals: Some(Decimals::Point), ..Options::default() };
    assert_eq!(micros(prices(&["1,234"], &point)), [Some((1_234, 0))]);
    let other = prices(&["€ 2.50"], &plain).reasons();
    assert!(other[0].1.contains("is in EUR; the cluster's money is USD"), "{other:?}");
}

#[test]
fn encodings_are_known_by_their_mark_or_asked() {
    let folder = TempDir::new().expect("a folder");
    let wide = "\u{feff}item_id,title\na,Tür 緑茶\n";
    let mut utf_16: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let path = csv(&folder, &utf_16);
    let mapping = mapping(Kind::Items, &[], &[]);
    let outcome = read(&path, Kind::Items, &mapping, 500).expect("read");
    assert!(outcome.notes.iter().any(|note| note == "text is read as UTF-16LE"));
    assert_eq!(outcome.items()[0].title, "Tür 緑茶");
    utf_16.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
    let items = read(&csv(&folder, &utf_16), Kind::Items, &mapping, 500).expect("read").items();
    assert_eq!(items[0].title, "Tür 緑茶");

    let path = csv(&folder, b"item_id,title\na,T\xfcr \x80 5\n");
    let asked = read(&path, Kind::Items, &mapping, 500).expect("read").questions;
    assert_eq!(asked[0].choices[0].0, "--encoding windows-1252");
    let form = Form { encoding: Some(encoding("latin1").expect("known")), delimiter: None };
    let options = Options { form, ..Options::default() };
    let outcome = read_as(&path, preparation(Kind::Items, &mapping, &options), 500).expect("read");
    assert_eq!(outcome.items()[0].title, "Tür € 5");
}

#[test]
fn rows_are_skipped_by_value_and_categories_have_no_holes() {
    let skip = Skip::parse("item_id=POST|DOT").expect("values");
    let options = Options { skips: vec![skip], ..Options::default() };
    let content = "item_id,title\nPOST,x\na,y\nDOT,z\n";
    let outcome = text(content, Kind::Items, &options).expect("read");
    assert_eq!((outcome.totals.skipped(), outcome.items().len()), (2, 1));
    let content = "item_id,category_1,category_2\na,Food,Tea\nb,,Tea\nc,Food,\n";
    let outcome = text(content, Kind::Items, &Options::default()).expect("read");
    let reason = "category_2 is filled, and category_1 before it is not".to_owned();
    assert_eq!(outcome.reasons(), [(3, reason)]);
}

#[test]
fn packed_files_are_read_as_what_they_hold() {
    use std::io::Write as _;
    let folder = TempDir::new().expect("a folder");
    let content = "item_id,title\na,Tea\n";
    let mapping = mapping(Kind::Items, &[], &[]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(content.as_bytes()).expect("packed");
    let gzip = gzip.finish().expect("packed");
    let zstd = zstd::encode_all(content.as_bytes(), 0).expect("packed");
    let zip = super::damage::zip(&[("items.csv", content.as_bytes())]);
    for (name, bytes) in [("items.csv.gz", gzip), ("items.csv.zst", zstd), ("items.zip", zip)] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        let outcome = read(&path, Kind::Items, &mapping, 500).expect(name);
        assert!(outcome.notes.iter().any(|note| note.starts_with("unpacked with")), "{name}");
        assert_eq!(outcome.items()[0].title, "Tea", "{name}");
    }
    let two = super::damage::zip(&[("a.csv", b"x"), ("b.csv", b"y")]);
    let path = folder.path().join("two.zip");
    fs::write(&path, two).expect("written");
    let error = read(&path, Kind::Items, &mapping, 500).err().expect("refused").to_string();
    assert!(error.contains("holds several files (a.csv, b.csv)"), "{error}");
}
