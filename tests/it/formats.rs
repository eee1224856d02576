//! `docs/formats.md` tells of every stored format with its golden files: nobody adds a version
//! without one, and no golden file is forgotten.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = "docs/formats.md";
/// Crates that store anything.
const CRATES: [&str; 3] = ["common", "worker", "coordinator"];
/// Where golden files lie, and what their names begin with there.
const GOLDEN: [(&str, &str); 4] = [
    ("common/tests/golden", ""),
    ("worker/tests/golden", ""),
    ("worker/src/shard/tests", "golden-"),
    ("coordinator/tests/golden", ""),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// A row of the page's tables.
struct Row {
    format: String,
    /// Paths below the root that the cell quotes.
    written_by: Vec<String>,
    versions: Vec<String>,
    golden: Vec<String>,
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join(PAGE)).expect("the page is there");
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [format, written_by, versions, golden] = cells[..] else {
            panic!("four cells: {line}")
        };
        if format == "format" {
            continue;
        }
        rows.push(Row {
            format: format.to_owned(),
            written_by: quoted(written_by),
            versions: versions.split(", ").map(str::to_owned).collect(),
            golden: quoted(golden),
        });
    }
    assert!(rows.len() > 30, "the tables of {PAGE} are not read");
    rows
}

/// What stands between back quotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned()
}

/// The version that a line gives a format: a number, or a kind of artifact such as `rows-1`.
fn version(line: &str) -> Option<String> {
    if let Some((kind, rest)) = layout(line) {
        return match rest.strip_prefix(" numbered ") {
            Some(numbers) => numbers.split(' ').next().map(str::to_owned),
            None => versioned(kind),
        };
    }
    let (_, constant) = line.trim_start().split_once("const ")?;
    let (name, rest) = constant.split_once(": ")?;
    let (r#type, value) = rest.strip_suffix(';')?.split_once(" = ")?;
    if r#type == "&str" {
        return versioned(value.trim_matches('"'));
    }
    let is_number = ["u8", "u32", "u64"].contains(&r#type) && value.parse::<u64>().is_ok();
    (is_number && (name.contains("FORMAT") || name.ends_with("VERSION"))).then(|| value.to_owned())
}

/// What a line declares as the kind of a `layout!`, and what follows it.
fn layout(line: &str) -> Option<(&str, &str)> {
    let (_, declared) = line.split_once("enum ")?;
    let (_, declared) = declared.split_once(": \"")?;
    declared.split_once('"')
}

/// A kind that ends in its version.
fn versioned(kind: &str) -> Option<String> {
    let (of, number) = kind.rsplit_once('-')?;
    let is_kind = of.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    (is_kind && number.parse::<u32>().is_ok()).then(|| kind.to_owned())
}

#[test]
fn lines_of_code_that_give_a_version_are_recognized() {
    for (line, expected) in [
        ("const KIND: &str = \"item-table-2\";", Some("item-table-2")),
        ("    pub(super) const FORMAT_WITHOUT_EPOCH: u32 = 2;", Some("2")),
        ("pub const APPLY_VERSION: u32 = 5;", Some("5")),
        ("    enum File: \"norms-1\" {", Some("norms-1")),
        ("    pub(crate) enum SeriesFile: \"series-cut\" numbered 2 required 5 {", Some("2")),
        ("enum Kind {", None),
        ("const MOST_VERSIONS: usize = 8;", None),
        ("const FILE: &str = \"identity\";", None),
        ("const BLOCK: u64 = 64;", None),
    ] {
        assert_eq!(version(line).as_deref(), expected, "{line}");
    }
}

#[test]
fn every_version_in_the_code_is_told() {
    let rows = rows();
    let (mut found, mut missing) = (0, Vec::new());
    for file in CRATES.iter().flat_map(|name| files(&root().join(name).join("src"))) {
        let place = name(&file);
        if !place.ends_with(".rs") || place.contains("/tests/") || place.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("UTF-8");
        for version in text.lines().filter(|line| !line.starts_with("//")).filter_map(version) {
            found += 1;
            let is_told = rows
                .iter()
                .any(|row| row.written_by.contains(&place) && row.versions.contains(&version));
            if !is_told {
                missing.push(format!("{place} writes {version}"));
            }
        }
    }
    assert!(found > 30, "only {found} versions are found in the code");
    assert!(missing.is_empty(), "{PAGE} does not tell, with golden files: {missing:#?}");
}

#[test]
fn every_golden_file_is_told_and_there() {
    let rows = rows();
    for row in &rows {
        assert!(!row.golden.is_empty(), "{} has no golden file", row.format);
        for path in row.golden.iter().chain(&row.written_by) {
            assert!(root().join(path).exists(), "{}: {path} is not there", row.format);
        }
    }
    let told: BTreeSet<&str> =
        rows.iter().flat_map(|row| &row.golden).map(String::as_str).collect();
    let mut forgotten = Vec::new();
    for (folder, begin) in GOLDEN {
        for path in files(&root().join(folder)) {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            if !file.starts_with(begin) {
                continue;
            }
            let path = name(&path);
            // A folder tells of all that is in it.
            let is_told = told
                .iter()
                .any(|one| *one == path || (one.ends_with('/') && path.starts_with(one)));
            if !is_told {
                forgotten.push(path);
            }
        }
    }
    assert!(forgotten.is_empty(), "{PAGE} does not tell of {forgotten:#?}");
}
