//! Folders inside rooms: what lies side by side in one forms no circle either.
//!
//! Below each folder, a file or folder needs another one when anything in it does. What a folder
//! defines itself, in its `mod.rs`, may need what lies in it and be needed by it: it is the common
//! ground of those who lie there. So two files that need the same type put it there, or below both.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Rooms, needs_of, resolve::Needs, source::Name};

/// Crates whose folders are looked at.
const CRATES: &[&str] = &["common", "algorithms", "worker", "coordinator", "cli"];

/// Folders in which there is a circle still: each is to be opened, and none may join them.
const CIRCLED: &[(&str, &str)] = &[
    ("common", "log::embedded"),
    ("algorithms", "recommend"),
    ("algorithms", "recommend::hybrid"),
    ("algorithms", "recommend::similarity"),
    ("worker", "serving"),
    ("worker", "shard"),
    ("worker", "training"),
    ("worker", "training::demand"),
    ("cli", "commands::recommend"),
    ("cli", "import"),
    ("cli", "import::reading"),
];

#[test]
fn what_lies_side_by_side_forms_no_circle() {
    let mut offences = Vec::new();
    for name in CRATES {
        let mut circled: BTreeSet<&str> =
            CIRCLED.iter().filter(|known| known.0 == *name).map(|known| known.1).collect();
        for (folder, circles) in circles_by_folder(needs_of(name)) {
            if !circled.remove(folder.as_str()) {
                offences.push(format!("{name}: in `{folder}` there is a circle in {circles:?}"));
            }
        }
        for folder in circled {
            offences
                .push(format!("{name}: in `{folder}` there is no circle any more: strike it out"));
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

/// Folders with a circle, and what lies on one or between two.
fn circles_by_folder(needs: Needs) -> BTreeMap<String, Rooms> {
    let mut folders: BTreeMap<String, Rooms> = BTreeMap::new();
    for (from, to) in needs {
        let shared = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
        // What lies at the root of a crate are rooms, of which the other tests tell.
        if let (1.., Some(from_child), Some(to_child)) = (shared, from.get(shared), to.get(shared))
        {
            let folder = from[..shared].join("::");
            folders.entry(folder).or_default().insert((from_child.clone(), to_child.clone()));
        }
    }
    for siblings in folders.values_mut() {
        *siblings = on_circles(std::mem::take(siblings));
    }
    folders.retain(|_, siblings| !siblings.is_empty());
    folders
}

/// Needs on circles or between them: those of whom nobody needs, and of whom needs nobody, are taken
/// away, again and again.
fn on_circles(mut needs: Rooms) -> Rooms {
    loop {
        let before = needs.len();
        let needed: BTreeSet<String> = needs.iter().map(|(_, to)| to.clone()).collect();
        needs.retain(|(from, _)| needed.contains(from));
        let needing: BTreeSet<String> = needs.iter().map(|(from, _)| from.clone()).collect();
        needs.retain(|(_, to)| needing.contains(to));
        if needs.len() == before {
            return needs;
        }
    }
}

#[test]
fn a_circle_is_found_in_its_folder_only() {
    let name = |path: &str| -> Name { path.split("::").map(str::to_owned).collect() };
    let needs = |pairs: &[(&str, &str)]| -> Needs {
        pairs.iter().map(|(from, to)| (name(from), name(to))).collect()
    };
    let straight = [
        // Of rooms.
        ("a", "b"),
        ("b", "a"),
        // Of a folder and what lies in it.
        ("a", "a::x"),
        ("a::x", "a"),
        // In one direction.
        ("a::x::deep", "a::y"),
        ("a::y", "a::z"),
    ];
    assert_eq!(circles_by_folder(needs(&straight)), BTreeMap::new());
    // A file needs the folder, and something in the folder the file.
    let round = circles_by_folder(needs(&[&straight[..], &[("a::y", "a::x")]].concat()));
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let circle = Rooms::from([pair("x", "y"), pair("y", "x")]);
    assert_eq!(round, BTreeMap::from([("a".to_owned(), circle)]));
}
