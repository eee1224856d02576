//! Folders inside rooms: what lies side by side in one forms no circle either.
//!
//! A file or folder needs another one beside it when anything in it does. What a folder defines itself,
//! in its `mod.rs`, may need what lies in it and be needed by it: it is the common ground of those who
//! lie there. So two files that need the same type have it there, or in a third one.

use crate::{Rooms, circles, crate_of, resolve::Needs, rooms_below, source::Name};

/// Crates whose folders are looked at.
const CRATES: &[&str] = &["common", "algorithms", "worker", "coordinator", "cli"];

#[test]
fn what_lies_side_by_side_forms_no_circle() {
    let mut offences = Vec::new();
    for name in CRATES {
        let modules = crate_of(name);
        for (folder, circles) in folders_with_circles(&modules.needs(), modules.0.keys()) {
            offences.push(format!("{name}: in `{folder}` a circle lies in {circles:?}"));
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

/// Folders below the root of a crate with a circle, each with what lies on it.
fn folders_with_circles<'a>(
    needs: &Needs,
    modules: impl Iterator<Item = &'a Name>,
) -> Vec<(String, Rooms)> {
    let mut found = Vec::new();
    // What lies at the root are rooms, of which other tests tell.
    for folder in modules.filter(|module| !module.is_empty()) {
        let circles = circles(rooms_below(needs, folder));
        if !circles.is_empty() {
            found.push((folder.join("::"), circles));
        }
    }
    found
}

#[test]
fn a_circle_is_found_in_its_folder_only() {
    let name = |path: &str| -> Name { path.split("::").map(str::to_owned).collect() };
    let needs = |pairs: &[(&str, &str)]| -> Needs {
        pairs.iter().map(|(from, to)| (name(from), name(to))).collect()
    };
    let modules = ["a", "a::x", "a::x::deep", "a::y", "a::z", "b"].map(name);
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
    assert_eq!(folders_with_circles(&needs(&straight), modules.iter()), []);
    // A file needs the folder beside it, and something in the folder the file.
    let round = needs(&[&straight[..], &[("a::y", "a::x")]].concat());
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let circle = Rooms::from([pair("x", "y"), pair("y", "x")]);
    assert_eq!(folders_with_circles(&round, modules.iter()), [("a".to_owned(), circle)]);
}
