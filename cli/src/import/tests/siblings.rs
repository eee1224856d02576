//! Siblings of the cases: files of the same kinds in other shapes.

use super::*;
use crate::import::{
    options::{FillDown, Skip},
    rows::Negative,
    values::TimeFormat,
};

fn text(content: impl AsRef<[u8]>, kind: Kind) -> anyhow::Result<Outcome> {
    with(content, kind, &Options::default())
}

fn with(content: impl AsRef<[u8]>, kind: Kind, options: &Options) -> anyhow::Result<Outcome> {
    let folder = TempDir::new().expect("a folder");
    read_as(&csv(&folder, content), preparation(kind, &mapping(kind, &[], &[]), options), 500)
}

/// Sales with these cells behind item, type and time.
fn sales(columns: &str, rows: &[&str]) -> String {
    let mut content = format!("item_id,type,timestamp,{columns}\n");
    for row in rows {
        content.push_str(&format!("tea,purchase,2026-01-05T10:00:00Z,{row}\n"));
    }
    content
}

fn refusal(content: impl AsRef<[u8]>, kind: Kind) -> String {
    text(content, kind).err().expect("refused").to_string()
}

fn has(outcome: &Outcome, note: &str) {
    assert!(outcome.notes.iter().any(|known| known.contains(note)), "{:?}", outcome.notes);
}

#[test]
fn white_space_around_ids_and_names_is_no_part_of_them() {
    let content = "item_id,title,brand\n tea , Green  tea ,B\u{a0}\n\ttea\u{a0},x,\" B\"\n";
    let items = text(content, Kind::Items).expect("read").items();
    assert!(items.iter().all(|item| item.item_id == "tea" && item.brand == "B"), "{items:?}");
    assert_eq!(items[0].title, "Green  tea");
    let events = text(sales("user_id,quantity", &[" u1 ,1", "u1,1"]), Kind::Events);
    let users: Vec<_> = events.expect("read").events().into_iter().map(|e| e.user_id).collect();
    assert_eq!(users, [Some("u1".to_owned()), Some("u1".to_owned())]);
}

#[test]
fn titles_of_several_lines_become_one_line_and_long_names_are_cut() {
    let long = "日本".repeat(60);
    let content = format!(
        "item_id,title,brand,category,attribute.note\na,\"two\n lines\",{long},A > {long},{long}\n"
    );
    let outcome = text(&content, Kind::Items).expect("read");
    assert_eq!(outcome.reasons(), []);
    has(&outcome, "1 titles and names had line breaks or tabs");
    has(&outcome, "3 titles and names were cut to 256 bytes");
    let item = outcome.items().remove(0);
    assert_eq!((item.title.as_str(), item.category_path.len()), ("two lines", 2));
    assert!(
        [&item.brand, &item.category_path[1], &item.attributes["note"]]
            .iter()
            .all(|name| name.len() == 255)
    );
    // An id is never cut: two could become one.
    let ids = format!("item_id,title\n{},x\nb,y\n", "i".repeat(1_000));
    let outcome = text(ids, Kind::Items).expect("read");
    assert_eq!(
        outcome.reasons(),
        [(2, "item_id is 1000 bytes long; at most 256 are allowed".into())]
    );
}

#[test]
fn a_header_that_comes_again_is_no_row() {
    let items = text("item_id,title\na,A\nitem_id,title\nb,B\n", Kind::Items).expect("read");
    assert_eq!(items.reasons(), [(3, "repeats the header".into())]);
    assert_eq!(items.items().len(), 2);
    let sale = sales("user_id,quantity", &["u,1"]);
    let outcome = text(format!("\u{feff}\u{feff}{sale}{sale}"), Kind::Events).expect("read");
    assert_eq!(outcome.reasons(), [(3, "repeats the header".into())]);
    assert_eq!(outcome.events().len(), 2);
    // A row that only begins like it is one.
    let outcome = text("item_id,title\nitem_id,x\n", Kind::Items).expect("read");
    assert_eq!((outcome.reasons(), outcome.items().len()), (vec![], 1));
}

#[test]
fn rows_about_the_same_are_told_as_nothing_is_added_up() {
    let content = "item_id,on_hand,bin\ntea,5,a\ntea,7,b\nmug,1,a\ntea,2,c\n";
    let outcome = text(content, Kind::Stock).expect("read");
    has(&outcome, "2 rows are about what an earlier row is about, the first in line 3");
    let apart = "item_id,on_hand,location_id\ntea,5,a\ntea,7,b\nte,1,aa\n";
    let outcome = text(apart, Kind::Stock).expect("read");
    assert_eq!(outcome.notes, Vec::<String>::new());
    let outcome = text("item_id,title\na,One\na,Two\n", Kind::Items).expect("read");
    has(&outcome, "1 rows are about what an earlier row is about");
    let sale = sales("quantity", &["1", "1"]);
    let outcome = text(sale, Kind::Events).expect("read");
    assert!(!outcome.notes.iter().any(|note| note.contains("earlier row")));
}

#[test]
fn rows_within_quotes_are_told() {
    // In the middle, at the end, and with the right number of fields.
    let outcome = text("item_id,title\na,\"Foo\nb,Bar\nc,Baz\"\nd,Dee\n", Kind::Items);
    let outcome = outcome.expect("read");
    has(&outcome, "1 quoted cells hold lines that look like rows, the first from line 2 on");
    assert_eq!(outcome.chunks[0].lines(), [2, 5]);
    let two = text("item_id,title\na,\"Foo\nb,Bar\"\n", Kind::Items).expect("read");
    has(&two, "look like rows");
    let content = "item_id,title,brand\na,T,x\n\"b,T,x\nc,T,x\"\nd,T,x\n";
    let outcome = text(content, Kind::Items).expect("read");
    let reason =
        "has 1 fields, the header 3; a quote that opens in line 3 goes on for several lines";
    assert_eq!(outcome.reasons(), [(3, reason.into())]);
    // Lines that are a text.
    let fine = "item_id,description,title\na,\"two\nlines, yes\",A\nb,\"one\n\ntwo\",B\n";
    let outcome = text(fine, Kind::Items).expect("read");
    assert!(!outcome.notes.iter().any(|note| note.contains("look like")), "{:?}", outcome.notes);
}

#[test]
fn blank_fields_beyond_the_header_are_harmless_and_zero_bytes_are_of_their_rows() {
    let content = "item_id;title;;\na;x; ;\t\nb;y;;\n ; \n";
    assert_eq!(text(content, Kind::Items).expect("read").items().len(), 2);
    let outcome = text("item_id,title\na\0b,x\nc,y\nd,\0z\n", Kind::Items).expect("read");
    let reasons: Vec<u64> = outcome.reasons().iter().map(|(line, _)| *line).collect();
    assert_eq!((reasons, outcome.items().len()), (vec![2, 4], 1));
    let wide = |swap: bool| -> Vec<u8> {
        let units = "item_id,title\na,x\n".encode_utf16();
        units.flat_map(|unit| if swap { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    assert!(refusal(wide(false), Kind::Items).ends_with("--encoding utf-16le"));
    assert!(refusal(wide(true), Kind::Items).ends_with("--encoding utf-16be"));
    let mut utf_32 = vec![0xff, 0xfe, 0, 0];
    utf_32.extend("item_id\na\n".chars().flat_map(|c| u32::from(c).to_le_bytes()));
    assert!(refusal(utf_32, Kind::Items).contains("UTF-32"));
    let line = "tea,purchase,2026-01-05T10:00:00Z,u1,1\n";
    let told = refusal(line, Kind::Events);
    assert!(told.contains("its first line looks like a row"), "{told}");
    assert!(refusal("a^b^c\n1^2^3\n", Kind::Items).contains("say --delimiter"));
    assert!(refusal(b"\xd0\xcf\x11\xe0xls", Kind::Items).contains("an old Excel workbook"));
    let page = "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n";
    assert!(refusal(page, Kind::Items).contains("web page"));
}

#[test]
fn guests_have_many_names() {
    let users =
        ["guest", "Anonymous", "unknown", "#N/A", "<null>", "(none)", "n.a.", "--", "#VALUE!", "?"];
    let rows: Vec<String> = users.iter().map(|user| format!("{user},1")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let outcome = text(sales("user_id,quantity", &rows), Kind::Events).expect("read");
    has(&outcome, "`user_id`: taken for missing: `guest` 1, `Anonymous` 1");
    assert!(outcome.events().iter().all(|event| event.user_id.is_none()));
    let amounts = text(sales("amount,quantity", &["#DIV/0!,1", "?,1", "2.50,1"]), Kind::Events);
    let amounts = amounts.expect("read");
    assert_eq!(amounts.reasons(), []);
    // A word that nobody knows, of a quarter of all rows.
    let mut content = sales("user_id,quantity", &[]);
    for row in 0..120 {
        let user = if row % 4 == 0 { "0".to_owned() } else { format!("u{row}") };
        content.push_str(&format!("tea,purchase,2026-01-05T10:00:00Z,{user},1\n"));
    }
    let outcome = text(content, Kind::Events).expect("read");
    has(&outcome, "rows or more of 120: if that stands for guests, say --null NULL,NA,0");
    assert_eq!(outcome.events()[0].user_id.as_deref(), Some("0"));
}

#[test]
fn ids_that_spreadsheets_changed_are_told() {
    let content = "item_id,title\n4.00638E+12,x\n4,00638E+12,y\n";
    let outcome = text(
        content.replace(",x", ";x").replace("12,y", "12;y").replace("item_id,", "item_id;"),
        Kind::Items,
    );
    has(&outcome.expect("read"), "`item_id` holds ids such as `4.00638E+12` (line 2)");
    for ids in [["7", "7.0", "007"], ["007", "7", "7.0"]] {
        let content = format!("item_id,title\n{},x\n{},y\n{},z\n", ids[0], ids[1], ids[2]);
        let outcome = text(content, Kind::Items).expect("read");
        has(&outcome, "`item_id` holds 1 ids that end in `.0` and others that are no numbers");
    }
    let outcome = text("item_id,title\n1E5,x\nA+E+1,y\n", Kind::Items).expect("read");
    assert_eq!(outcome.notes, Vec::<String>::new());
}

#[test]
fn clocks_of_many_hands_are_read() {
    let times = [
        ("2026-01-05 24:00", "2026-01-06T00:00:00Z"),
        ("2026-01-05T24:00:00+01:00", "2026-01-05T23:00:00Z"),
        ("2026-01-05 23:59:60", "2026-01-05T23:59:59Z"),
        ("2026-01-05 10.30", "2026-01-05T10:30:00Z"),
        ("2026-01-05 10.30.15", "2026-01-05T10:30:15Z"),
        ("2026-01-05 1030", "2026-01-05T10:30:00Z"),
        ("2026-01-05 930", "2026-01-05T09:30:00Z"),
        ("2026-01-05 093015", "2026-01-05T09:30:15Z"),
        ("2026-01-05 10:00:00 CET", "2026-01-05T09:00:00Z"),
        ("2026-01-05 10:00:00 PST", "2026-01-05T18:00:00Z"),
        ("20260105103000", "2026-01-05T10:30:00Z"),
        ("202601051030", "2026-01-05T10:30:00Z"),
        ("5 Jan 2026 10:00 EDT", "2026-01-05T14:00:00Z"),
    ];
    let mut content = "item_id,type,timestamp\n".to_owned();
    times.iter().for_each(|(time, _)| content.push_str(&format!("a,view,{time}\n")));
    content
        .push_str("a,view,2026-01-05 24:01\na,view,2026-01-05 10:00 IST\na,view,2026-01-05 8.5\n");
    let options = Options { time_zone: Some("UTC".into()), ..Options::default() };
    let outcome = with(content, Kind::Events, &options).expect("read");
    let reasons = outcome.reasons();
    assert_eq!(reasons.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [15, 16, 17]);
    assert!(reasons[0].1.contains("such as --time-format '%d.%m.%Y %H:%M'"), "{reasons:?}");
    let read = outcome.events().into_iter().map(|event| event.event_time);
    let expected =
        times.map(|(_, time)| at(time.parse::<jiff::Timestamp>().expect("valid").as_second()));
    assert!(read.eq(expected));
}

#[test]
fn the_formats_that_are_proposed_read_the_cell_that_they_are_about() {
    for (cell, choices) in [
        ("05/01/26", 2),
        ("5/1/26 8:26", 2),
        ("05-01-26 08:26:30", 2),
        ("05.01.26 3:05 PM", 2),
        ("05/01/26 10:00:00.5", 2),
        ("05-JAN-26", 1),
        ("5 January 26 10:00", 1),
    ] {
        let content = format!("item_id,type,timestamp\na,view,{cell}\n");
        let asked = text(&content, Kind::Events).expect("read").questions;
        assert_eq!(asked.len(), 1, "{cell}");
        for (flags, means) in &asked[0].choices[..choices] {
            let format = flags.strip_prefix("--time-format ").expect("a flag");
            let format = TimeFormat::parse(format.trim_matches('\'')).expect("a format");
            let options = Options {
                formats: vec![format],
                time_zone: Some("UTC".into()),
                ..Options::default()
            };
            let outcome = with(&content, Kind::Events, &options).expect("read");
            assert_eq!(
                (outcome.questions.len(), outcome.reasons()),
                (0, vec![]),
                "{cell}, {flags}"
            );
            let time = outcome.events()[0].event_time.expect("a time").seconds;
            let day = if means.starts_with("day") { "2026-01-05" } else { "2026-05-01" };
            let midnight = format!("{day}T00:00:00Z").parse::<jiff::Timestamp>().expect("valid");
            assert!((0..86_400).contains(&(time - midnight.as_second())), "{cell}, {flags}");
        }
    }
}

#[test]
fn a_day_and_a_time_of_day_as_numbers_make_a_time() {
    let content = "item_id,type,d,t\na,view,20260105,1030\na,view,20260105,5\na,view,20260105,93015\n\
                   a,view,20260105,2460\n";
    let folder = TempDir::new().expect("a folder");
    let options = Options { time_zone: Some("UTC".into()), ..Options::default() };
    let ready =
        preparation(Kind::Events, &mapping(Kind::Events, &["timestamp=d+t"], &[]), &options);
    let outcome = read_as(&csv(&folder, content), ready, 500).expect("read");
    assert_eq!(outcome.questions, []);
    assert_eq!(outcome.reasons().iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5]);
    let times = outcome.events().into_iter().map(|event| event.event_time);
    // 10:30, 0:05 and 9:30:15 of 5 January 2026.
    assert!(times.eq([1_767_609_000, 1_767_571_500, 1_767_605_415].map(at)));
}

#[test]
fn parts_of_nested_parquet_are_columns_and_what_cannot_be_read_is_named() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/cases");
    let set = mapping(Kind::Events, &[], &[]);
    let outcome = read(&cases.join("nested.parquet"), Kind::Events, &set, 500).expect("read");
    assert_eq!(outcome.reasons(), []);
    has(&outcome, "`product.id` is taken for item_id");
    let event = outcome.events().remove(0);
    assert_eq!((event.item_id.as_str(), event.user_id.as_deref()), ("tea", Some("17850")));
    let error = read(&cases.join("interval.parquet"), Kind::Events, &set, 500);
    let error = error.err().expect("refused").to_string();
    assert_eq!(error, "column `timestamp` holds intervals, which are not read");
}

#[test]
fn what_leaves_a_basket_or_is_cancelled_is_proposed_to_be_skipped() {
    let mut content = "item_id,type,timestamp\n".to_owned();
    for word in ["remove_from_cart", "Order Cancelled", "view_item", "order_completed", "refunded"]
    {
        content.push_str(&format!("a,{word},2026-01-05\n"));
    }
    let asked = text(content, Kind::Events).expect("read").questions;
    let proposed = "--event-types 'remove_from_cart=skip,Order Cancelled=skip,view_item=view,\
                    order_completed=purchase,refunded=return'";
    assert_eq!(asked[0].choices[0].0, proposed);
}

#[test]
fn lines_of_an_order_that_lack_its_cells_are_told_with_what_fills_them() {
    let fill = "if only the first line of an order has them, say --fill-down 'When,Mail by Order'";
    for second in ["1,2026-01-05 10:00,,MUG,2", "1,,,MUG,2"] {
        let content = format!(
            "Order,When,Mail,SKU,Qty\n1,2026-01-05 10:00,a@x,TEA,1\n{second}\n\
             2,2026-01-06 10:00,b@x,TEA,1\n3,2026-01-06 11:00,,TEA,1\n"
        );
        let folder = TempDir::new().expect("a folder");
        let path = csv(&folder, &content);
        let map = mapping(Kind::Events, &["basket_id=Order,user_id=Mail"], &["type=purchase"]);
        let outcome = read(&path, Kind::Events, &map, 500).expect("read");
        has(&outcome, "1 rows lack the time or the user, the first in line 3");
        has(&outcome, fill);
        let fill_down = vec![FillDown::parse("When,Mail by Order").expect("columns and a key")];
        let options = Options { fill_down, ..Options::default() };
        let outcome = read_as(&path, preparation(Kind::Events, &map, &options), 500).expect("read");
        assert!(!outcome.notes.iter().any(|note| note.contains("--fill-down")));
        let users = outcome.events().into_iter().map(|event| event.user_id);
        assert!(users.eq([Some("a@x"), Some("a@x"), Some("b@x"), None].map(|u| u.map(Into::into))));
    }
}

#[test]
fn columns_with_commas_and_other_signs_can_be_filled_and_skipped() {
    let fill = FillDown::parse("`Name, full`, Mail by `Sold by store`").expect("columns and a key");
    assert_eq!(
        (fill.columns, fill.key),
        (vec!["Name, full".into(), "Mail".into()], "Sold by store".into())
    );
    for (columns, key) in [(&["When", "Mail"][..], "Order"), (&["a,b", "c"], "d by e")] {
        let fill = FillDown::parse(&FillDown::written(columns, key)).expect("what was written");
        assert_eq!(
            (fill.columns.as_slice(), fill.key.as_str()),
            (&columns.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()[..], key)
        );
    }
    let skip = Skip::parse("`a=b`=POST| DOT ").expect("values");
    assert_eq!(
        (skip.column.as_str(), skip.values),
        ("a=b", vec!["POST".to_owned(), "DOT".to_owned()])
    );
    assert!(FillDown::parse("Email").is_err() && Skip::parse("`a=b`").is_err());
}

#[test]
fn returns_may_be_written_with_money_below_zero() {
    let content = "item_id,type,timestamp,quantity,amount\na,return,2026-01-05,1,-2.50\n\
                   a,return,2026-01-05,-1,-2.50\na,return,2026-01-05,1,2.50\na,purchase,2026-01-05,1,-2\n";
    let options = Options { negative: Some(Negative::Return), ..Options::default() };
    let outcome = with(content, Kind::Events, &options).expect("read");
    assert_eq!(outcome.reasons(), [(5, "amount must not be negative".into())]);
    let events = outcome.events();
    assert!(events.iter().all(|event| event.amount == usd(2, 500_000_000)), "{events:?}");
}

#[test]
fn percentages_without_their_sign_are_told_how_to_write_them() {
    let content = "item_id,holding_rate,fill_rate\na,20,\nb,0.2,97.5\nc,20%,97.5%\nd,20000,\n";
    let reasons = text(content, Kind::Supply).expect("read").reasons();
    assert_eq!(
        reasons[0].1,
        "holding_rate is 20; must be above 0 and at most 10: write 20% or 0.2"
    );
    assert_eq!(
        reasons[1].1,
        "fill_rate is 97.5; must be above 0 and below 1: write 97.5% or 0.975"
    );
    assert_eq!(reasons[2].1, "holding_rate is 20000; must be above 0 and at most 10");
}

#[test]
fn more_words_for_a_status() {
    let active = ["Active", "1.0", "TRUE", "on", "for_sale", "For-Sale", "aktiv", "public"];
    let inactive = ["0.0", "off", "deleted", "not_for_sale", "Auto-Draft", "inaktiv", "ended"];
    let mut content = "item_id,status\n".to_owned();
    active.iter().chain(&inactive).for_each(|word| content.push_str(&format!("a,{word}\n")));
    let outcome = text(content, Kind::Items).expect("read");
    assert_eq!(outcome.reasons(), []);
    let read = outcome.items().into_iter().map(|item| item.status() == ItemStatus::Active);
    assert!(read.eq(active.iter().map(|_| true).chain(inactive.iter().map(|_| false))));
}

#[test]
fn headers_are_found_whatever_white_space_they_hold() {
    let content = "\"Item\u{a0}ID\",type,\"time\nstamp\",\"Net\nprice = EUR\",Qty \n\
                   a,purchase,2026-01-05,2.50,1\n";
    let folder = TempDir::new().expect("a folder");
    let map = mapping(Kind::Events, &["item_id=item id,amount=Net price = EUR"], &[]);
    let outcome = read(&csv(&folder, content), Kind::Events, &map, 500).expect("read");
    let events = outcome.events();
    assert_eq!(events[0].amount, usd(2, 500_000_000));
    assert_eq!(events[0].quantity, Some(1.0));
}

#[test]
fn one_bad_object_refuses_no_file_and_lists_are_told() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("f.jsonl");
    let json = |content: &str| {
        fs::write(&path, content).expect("written");
        read(&path, Kind::Items, &mapping(Kind::Items, &[], &[]), 500)
    };
    let content = "{\"item_id\": \"a\"}\n{\"item_id\": }\n{\"item_id\": \"c\", \"title\": \"C\"}\n";
    let outcome = json(content).expect("read");
    assert_eq!(outcome.reasons(), [(2, "is not JSON: expected value".into())]);
    assert_eq!(outcome.items().len(), 2);
    let error = json("{oops}\n{\"item_id\": }\n").err().expect("refused").to_string();
    assert!(error.contains("line 1"), "{error}");
    let orders = "[{\"item_id\": 1, \"line_items\": [{\"sku\": \"a\"}]}]";
    let outcome = json(orders).expect("read");
    has(
        &outcome,
        "`line_items` holds lists of objects; for a row of each: \
                   jq -c '.[] | del(.line_items) + .line_items[]'",
    );
    let error = json("{\"data\": [{\"item_id\": 1}]}").err().expect("refused").to_string();
    assert!(error.contains("jq -c '.data[]'") && !error.contains("--delimiter"), "{error}");
}

#[test]
fn a_folder_and_a_cut_file_are_told_with_what_to_do() {
    let folder = TempDir::new().expect("a folder");
    let error = Input::open(folder.path()).expect_err("refused").to_string();
    assert!(error.ends_with("*.csv") && error.contains("is a folder"), "{error}");
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for row in 0..20_000 {
        writeln!(gzip, "item{row},{}", row * 7_919 % 10_007).expect("packed");
    }
    let packed = gzip.finish().expect("packed");
    let mut content = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    content.write_all(b"item_id,title\n").expect("packed");
    let mut bytes = content.finish().expect("packed");
    bytes.extend(&packed[..packed.len() / 2]);
    let path = folder.path().join("items.csv.gz");
    fs::write(&path, bytes).expect("written");
    let error = read(&path, Kind::Items, &mapping(Kind::Items, &[], &[]), 500);
    let error = format!("{:#}", error.err().expect("refused"));
    assert!(error.contains("is cut off or damaged") && error.contains("copy it again"), "{error}");
}
