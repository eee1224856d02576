//! Registers, and what metadata holds of them, load for ever.

use std::collections::BTreeMap;

use mercer_common::artifact::{ArtifactError, ArtifactRef, ArtifactStore};
use mercer_proto::v1::{Import, ImportState};
use prost::Message as _;

use super::{
    ImportError,
    edit::{keep_taken, taken},
    register::{Month, MonthWriter, Months, OpenMonth},
    row::Known,
    store::{ImportRecord, MonthRecord, SourceRecord},
};
use crate::tests::golden::artifact;

const IMPORT: &str = "0192b3a4-5c6d-7e8f-9012-3456789abcde";

fn known(key: u8, import: u32) -> Known {
    Known { key: [key; 12], content: [1, 2, 3, key], import, second: 86_399 }
}

fn store() -> (tempfile::TempDir, ArtifactStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    (folder, store)
}

#[test]
fn a_month_of_a_register() {
    let (_folder, store) = store();
    let month = Month::parse("2024-02").expect("a month");
    let (first, last) = month.days().into_inner();
    assert_eq!((first, last), (19_754, 19_782), "days since 1970");
    let mut writer = MonthWriter::create(&store, "shop", "one", month).expect("begins");
    writer.append(first, &[known(1, 1), known(2, 3)]).expect("written");
    writer.append(last, &[known(1, 2)]).expect("written");
    let written = writer.finish().expect("written").expect("holds something");
    let golden = artifact(&store, "import-register-1", &written);
    let opened = OpenMonth::open(&store, &Months::from([(month, golden)]), month).expect("loads");
    assert_eq!(opened.day(first), [known(1, 1), known(2, 3)]);
    assert!(opened.day(first + 1).is_empty());
    assert_eq!(opened.day(last), [known(1, 2)]);
    assert_eq!(opened.rows(), 3);
}

#[test]
fn rows_that_an_import_took_out() {
    let (_folder, store) = store();
    let rows = [(19_754, known(1, 1)), (19_782, known(2, 3))];
    let written = keep_taken(&store, "shop", "one", &rows).expect("written").expect("some");
    let golden = artifact(&store, "import-taken-1", &written);
    let record = ImportRecord { taken: Some(golden), ..ImportRecord::default() };
    assert_eq!(taken(&store, &record).expect("loads"), rows);
}

/// Entries of the metadata in which every field says something.
pub(crate) fn entries() -> Vec<(String, Vec<u8>)> {
    let file = |name: &str| ArtifactRef { path: format!("jobs/shop/one/{name}"), bytes: 240 };
    let month = |name: &str, file| MonthRecord { name: name.to_owned(), file };
    let reading = BTreeMap::from([("delimiter".to_owned(), ";".to_owned())]);
    let source = SourceRecord {
        source_id: "shop".into(),
        months: vec![month("2024-02", Some(file("2024-02-0123456789abcdef")))],
        rows: 3,
        last_number: 4,
        open_import: IMPORT.into(),
        undone: vec![2],
        reading: reading.clone(),
        of_records: true,
    };
    let mut import = Import {
        import_id: IMPORT.into(),
        source_id: "shop".into(),
        kind: "items".into(),
        ..Import::default()
    };
    import.set_state(ImportState::Open);
    let import = ImportRecord {
        import: Some(import),
        number: 4,
        digest: vec![7; 16],
        staged: vec![month("2024-03", None)],
        taken: Some(file("taken-0123456789abcdef")),
        rows: 5,
        reading,
    };
    vec![
        ("imports/sources/shop".to_owned(), source.encode_to_vec()),
        (format!("imports/imports/{IMPORT}"), import.encode_to_vec()),
    ]
}

#[test]
fn a_register_of_a_newer_release_is_not_to_be_built_anew() {
    let (folder, store) = store();
    let month = Month::parse("2024-02").expect("a month");
    let put = |name: &str, kind: &str| {
        store.put("shop", "one", name, kind, &[&[0; 24], &[0; 8]]).expect("written")
    };
    let told = |error: ArtifactError| ImportError::from(error).of_source("shop");
    let months = Months::from([(month, put("2024-02", "import-register-2"))]);
    let error = told(OpenMonth::open(&store, &months, month).expect_err("newer"));
    let record = ImportRecord { taken: Some(put("taken", "import-taken-2")), ..Default::default() };
    let errors = [error, told(taken(&store, &record).expect_err("newer"))];
    for error in errors {
        assert!(matches!(error, ImportError::Artifact(ArtifactError::Newer { .. })), "{error}");
        assert!(!error.to_string().contains("rebuild"), "{error}");
    }
    drop(folder);
}
