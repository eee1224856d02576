//! The boundaries of ARCHITECTURE.md, as far as a machine can see them.

use std::{collections::BTreeMap, fs, path::Path};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Crate and the workspace crates that it may use (tests excepted).
const ALLOWED: &[(&str, &[&str])] = &[
    ("mercer-proto", &[]),
    ("mercer-algorithms", &[]),
    ("mercer-common", &["mercer-proto"]),
    ("mercer-worker", &["mercer-proto", "mercer-common", "mercer-algorithms"]),
    ("mercer-coordinator", &["mercer-proto", "mercer-common", "mercer-algorithms"]),
    (
        "mercer-cli",
        &[
            "mercer-proto",
            "mercer-common",
            "mercer-algorithms",
            "mercer-worker",
            "mercer-coordinator",
        ],
    ),
    (
        "mercer-tests",
        &[
            "mercer-proto",
            "mercer-common",
            "mercer-algorithms",
            "mercer-worker",
            "mercer-coordinator",
            "mercer-cli",
        ],
    ),
];

/// Crate and what it must never depend on.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("mercer-algorithms", &["tokio", "tonic", "sled", "prost", "jiff", "tracing"]),
    ("mercer-coordinator", &["sled", "rayon"]),
    ("mercer-cli", &["sled"]),
];

/// A word and the only places below a crate's `src` whose code may say it; tests say what they like.
const CONFINED: &[(&str, &[&str])] = &[
    ("sled::", &["common/src/embedded", "common/src/metadata/embedded", "worker/src/store"]),
    (
        "tonic::",
        &[
            "common/src/rpc",
            "coordinator/src/service",
            "coordinator/src/ask/fanout",
            "coordinator/src/cluster/workers",
            "coordinator/src/tests",
            "coordinator/src/server.rs",
            "worker/src/service",
            "worker/src/membership",
            "worker/src/shard/follow/fetch.rs",
            "cli/src",
            "tests/src",
            "proto/src",
        ],
    ),
    // What is printed passes one gate, where it is escaped; and so do files for spreadsheets.
    ("print!(", &[]),
    ("println!(", &[]),
    ("::stdout()", &["cli/src/show/output"]),
    (
        "::stderr()",
        &["cli/src/show/output.rs", "cli/src/show/progress.rs", "common/src/telemetry.rs"],
    ),
    ("set_message(", &["cli/src/show/progress.rs"]),
    ("with_message(", &["cli/src/show/progress.rs"]),
    ("csv::Writer", &["cli/src/show/sheet.rs"]),
    // Files are opened and written by the tables of their sections.
    (".expect_kind(", &["common/src/artifact"]),
    ("Timestamp::now", &["common/src/clock.rs"]),
    ("SystemTime::now", &["common/src/clock.rs"]),
];

#[test]
fn crates_import_only_what_the_architecture_allows() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let forbidden: BTreeMap<_, _> = FORBIDDEN.iter().copied().collect();
    assert_eq!(metadata.packages.len(), allowed.len(), "a crate is missing from the list above");
    for package in &metadata.packages {
        let name = package.name.as_str();
        let uses = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
            .map(|dependency| dependency.name.as_str());
        for used in uses {
            let workspace_crate = used.starts_with("mercer-");
            assert!(
                !workspace_crate || allowed[name].contains(&used),
                "{name} must not use {used}"
            );
            let banned = forbidden.get(name).is_some_and(|names| names.contains(&used));
            assert!(!banned, "{name} must not use {used}");
        }
    }
}

#[test]
fn storage_transport_clock_and_printing_stay_in_their_places() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut offences = Vec::new();
    for (name, _) in ALLOWED {
        let folder = root.join(name.trim_start_matches("mercer-")).join("src");
        visit(&folder, &mut |path, text| {
            let place =
                path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            for (word, places) in CONFINED {
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let said = code.clone().any(|line| line.contains(word));
                let tests = place.contains("/tests/") || place.ends_with("tests.rs");
                if said && !tests && !places.iter().any(|allowed| place.starts_with(allowed)) {
                    offences.push(format!("{place} says {word}"));
                }
            }
        });
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn no_source_file_outgrows_its_reader() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut long = Vec::new();
    for (name, _) in ALLOWED {
        let folder = root.join(name.trim_start_matches("mercer-")).join("src");
        visit(&folder, &mut |path, text| {
            if text.lines().count() > 500 {
                long.push(format!("{}: {} lines", path.display(), text.lines().count()));
            }
        });
    }
    assert!(long.is_empty(), "split along a concept: {long:#?}");
}

/// Crates whose doc lines must not be of up to three words of which the first is one of these, either;
/// "As [`EventLog::append`]." tells of errors and leads on.
const WITHOUT_LEANING: &[&str] = &["mercer-common", "mercer-coordinator"];
const LEANING: &[&str] = &["As", "At", "In", "Its", "On", "Their", "Which", "Why"];

/// A doc line is read alone, in an index and on hover, where "Of the users" says nothing, and neither
/// do "As stored." and "Which file.".
#[test]
fn doc_lines_stand_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut leaning = Vec::new();
    for (name, _) in ALLOWED {
        let folder = root.join(name.trim_start_matches("mercer-"));
        visit(&folder, &mut |path, text| {
            for (number, line) in (1..).zip(text.lines()) {
                let line = line.trim_start();
                let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
                let Some(doc) = doc.map(str::trim_start) else { continue };
                let words: Vec<&str> = doc.split(' ').collect();
                let is_leaning = WITHOUT_LEANING.contains(name)
                    && words.len() <= 3
                    && LEANING.contains(&words[0])
                    && doc.ends_with('.')
                    && !doc.contains('[');
                if is_leaning || doc.starts_with("Of ") || doc.starts_with("By ") {
                    leaning.push(format!("{}:{number}: {line}", path.display()));
                }
            }
        });
    }
    assert!(leaning.is_empty(), "say what it is, as in \"Weights of the users\": {leaning:#?}");
}

#[test]
fn accepted_advisories_are_about_crates_that_are_still_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let read = |name: &str| -> toml::Table {
        fs::read_to_string(root.join(name)).expect("a file").parse().expect("TOML")
    };
    let lock = read("Cargo.lock");
    let packages = lock["package"].as_array().expect("packages");
    let is_locked = |name: &str| packages.iter().any(|one| one["name"].as_str() == Some(name));
    assert!(is_locked("sled") && !is_locked("no-such-crate"));
    let deny = read("deny.toml");
    let accepted = deny["advisories"]["ignore"].as_array().expect("a list");
    for advisory in accepted {
        let text = |key: &str| {
            let text = advisory.get(key).and_then(toml::Value::as_str);
            text.unwrap_or_else(|| panic!("{advisory}: has no {key}"))
        };
        assert!(text("id").starts_with("RUSTSEC-"), "{advisory}: is no advisory");
        let (name, why) = text("reason").split_once(": ").expect("`crate: reason`");
        assert!(!why.is_empty(), "{advisory}: has no reason");
        assert!(
            is_locked(name),
            "{name} has left Cargo.lock: remove {} from deny.toml",
            text("id")
        );
    }
}

fn visit(folder: &Path, see: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            visit(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&path, &fs::read_to_string(&path).expect("UTF-8"));
        }
    }
}
