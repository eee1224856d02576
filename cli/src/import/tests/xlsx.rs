//! Workbooks: the same rows as of a text file, and bad ones.

use proptest::prelude::*;

use super::{damage::zip, *};
use crate::import::mapping::Preset;

fn layouts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/layouts")
}

/// Reads as the preset of invoices says.
fn invoices(path: &Path) -> anyhow::Result<Outcome> {
    let preset = Preset::find("online-retail").expect("shipped");
    let layout = preset.layout(Kind::Events).expect("events");
    let options = Options::of_preset(&layout.reading).expect("valid");
    let mapping = Mapping::new(Kind::Events, Some(layout), &[], &[]).expect("valid");
    read_as(path, preparation(Kind::Events, &mapping, &options), 500)
}

#[test]
fn a_workbook_holds_the_same_rows_as_its_text() {
    let sheet = invoices(&layouts().join("online_retail.xlsx")).expect("read");
    let text = invoices(&layouts().join("online_retail.csv")).expect("read");
    assert_eq!((sheet.reasons(), sheet.questions.clone()), (Vec::new(), Vec::new()));
    assert_eq!(sheet.totals, text.totals);
    for note in ["sheet `Online Retail` is read", "not read: sheets `Notes`; save one as CSV"] {
        assert!(sheet.notes.iter().any(|known| known.starts_with(note)), "{:?}", sheet.notes);
    }
    // Rows count as the spreadsheet shows them, and as lines of the text do.
    assert_eq!(sheet.chunks[0].lines(), text.chunks[0].lines());
    assert_eq!(sheet.events(), text.events());
}

/// A workbook with one sheet of these rows.
fn workbook(rows: &str) -> Vec<u8> {
    let relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let package = "http://schemas.openxmlformats.org/package/2006/relationships";
    let book = format!(
        "<workbook xmlns=\"{main}\" xmlns:r=\"{relation}\"><sheets>\
         <sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
    );
    let relations = format!(
        "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" Type=\"{relation}/worksheet\" \
         Target=\"worksheets/sheet1.xml\"/></Relationships>"
    );
    let sheet = format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>");
    let root = relations.replace("worksheets/sheet1.xml", "xl/workbook.xml");
    let root = root.replace("/worksheet\"", "/officeDocument\"");
    zip(&[
        ("_rels/.rels", root.as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

fn row(number: u32, cells: &[(&str, &str)]) -> String {
    let cells = cells.iter().map(|(column, text)| {
        format!("<c r=\"{column}{number}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
    });
    format!("<row r=\"{number}\">{}</row>", cells.collect::<String>())
}

fn items(bytes: &[u8]) -> anyhow::Result<Outcome> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("f.xlsx");
    fs::write(&path, bytes).expect("written");
    read(&path, Kind::Items, &mapping(Kind::Items, &[], &[]), 500)
}

#[test]
fn gaps_errors_and_cells_beyond_the_header_are_seen() {
    let rows = [
        row(3, &[("A", "item_id"), ("C", "title")]),
        row(4, &[("A", "tea"), ("C", "Tea")]),
        row(6, &[("A", "mug")]),
        row(7, &[("A", "jam"), ("E", "beyond")]),
        "<row r=\"8\"><c r=\"A8\" t=\"e\"><v>#N/A</v></c></row>".to_owned(),
    ];
    let outcome = items(&workbook(&rows.concat())).expect("read");
    assert_eq!(
        outcome.reasons(),
        [
            (7, "has 5 fields, the header 3".to_owned()),
            (8, "item_id is an error of the sheet, such as #N/A".to_owned())
        ]
    );
    assert_eq!(outcome.chunks[0].lines(), [4, 6]);
    let titles: Vec<String> = outcome.items().into_iter().map(|item| item.title).collect();
    assert_eq!(titles, ["Tea", ""]);
    let error = items(&workbook("")).err().expect("refused");
    assert!(format!("{error:#}").contains("the first row must name the columns"), "{error:#}");
}

#[test]
fn a_cell_without_end_is_refused_before_it_is_read() {
    let cell = "x".repeat(17 << 20);
    let rows = [row(1, &[("A", "item_id")]), row(2, &[("A", &cell)])].concat();
    let error = items(&workbook(&rows)).err().expect("refused");
    assert!(format!("{error:#}").contains("a cell of it has more than 16 MiB"), "{error:#}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_workbook_is_an_error_or_other_rows(place: prop::sample::Index, byte: u8, cut: bool) {
        let mut bytes = workbook(&row(1, &[("A", "item_id")]).repeat(3));
        let at = place.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let _ = items(&bytes);
    }
}
