//! Rooms inside crates, and who may need whom: imports go one way.
//!
//! A room is a module at the root of a crate, with all that lies below it; domains are rooms within a
//! room. A room needs another one when its code names what is defined there, through whatever
//! re-exports; declaring a module and passing a name on need nothing, and tests may need what they
//! like.

mod beside;
mod domains;
mod resolve;
mod siblings;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use resolve::{Crate, Needs};
use source::Name;

type Rooms = BTreeSet<(String, String)>;

/// Folder of a crate, and its rooms from the top: each may need those that follow it.
const FLOORS: &[(&str, &[&str])] = &[
    (
        "algorithms",
        &[
            "inventory",
            "forecast",
            "price",
            "experiment",
            "recommend",
            "learn",
            "stats",
            "linalg",
            "control",
        ],
    ),
    (
        "cli",
        &[
            "args",
            "bench",
            "demo",
            "evaluate",
            "failure",
            "commands",
            "import",
            "ingest_client",
            "local",
            "client",
            "show",
            "folder",
        ],
    ),
    (
        "worker",
        &[
            "start",
            "service",
            "supervisor",
            "domain",
            "serve",
            "task",
            "version",
            "store",
            "membership",
            "shard",
            "artifact",
            "compute",
            "generation",
            "backoff",
        ],
    ),
    (
        "coordinator",
        &[
            "start",
            "service",
            "server",
            "backup",
            "rebuild",
            "data_folder",
            "health",
            "overview",
            "domain",
            "imports",
            "ingest",
            "ask",
            "jobs",
            "validate",
            "cluster",
            "defaults",
            "opening",
            "stamp",
            "time",
        ],
    ),
];

/// Crates whose rooms form no circle, in whatever order.
const WITHOUT_CIRCLES: &[&str] = &["common"];

/// The modules of a crate.
fn crate_of(folder: &str) -> Crate {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    Crate(source::read(&root.join(folder).join("src/lib.rs")).expect("Rust that can be read"))
}

/// Which rooms of a crate need which others.
fn rooms_of(folder: &str) -> Rooms {
    rooms_below(&crate_of(folder).needs(), &[])
}

/// Which modules of the module `at`, with all below them, need which others of it.
fn rooms_below(needs: &Needs, at: &[String]) -> Rooms {
    let room = |module: &Name| module.strip_prefix(at).and_then(|below| below.first()).cloned();
    let mut rooms = Rooms::new();
    for (from, to) in needs {
        // The module itself wires its rooms and passes their names on.
        let (Some(from), Some(to)) = (room(from), room(to)) else { continue };
        if from != to {
            rooms.insert((from, to));
        }
    }
    rooms
}

#[test]
fn rooms_need_only_what_lies_below_them() {
    let mut offences = Vec::new();
    for (folder, floors) in FLOORS {
        let floor = |room: &str| floors.iter().position(|known| *known == room);
        let rooms = rooms_of(folder);
        for (from, to) in &rooms {
            let (Some(above), Some(below)) = (floor(from), floor(to)) else {
                offences.push(format!("{folder}: `{from}` or `{to}` is not in the list of rooms"));
                continue;
            };
            if below < above {
                offences.push(format!("{folder}: `{from}` must not need `{to}`"));
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn rooms_form_no_circles() {
    for folder in WITHOUT_CIRCLES {
        let rooms = rooms_of(folder);
        assert!(rooms.len() > 3, "{folder}: {rooms:?}");
        let left = circles(rooms);
        assert!(left.is_empty(), "{folder}: a circle lies in {left:?}");
    }
    let pairs = |pairs: &[(&str, &str)]| -> Rooms {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    };
    let straight = [("a", "b"), ("a", "c"), ("b", "c"), ("c", "d")];
    assert_eq!(circles(pairs(&straight)), Rooms::new());
    let round = circles(pairs(&[&straight[..], &[("d", "b")]].concat()));
    assert_eq!(round, pairs(&[("b", "c"), ("c", "d"), ("d", "b")]));
}

/// Needs of rooms on a circle or between two: those of rooms that nobody needs, and of rooms that need
/// nobody, are taken away, again and again.
fn circles(mut rooms: Rooms) -> Rooms {
    loop {
        let before = rooms.len();
        let needed: BTreeSet<String> = rooms.iter().map(|(_, to)| to.clone()).collect();
        rooms.retain(|(from, _)| needed.contains(from));
        let needing: BTreeSet<String> = rooms.iter().map(|(from, _)| from.clone()).collect();
        rooms.retain(|(_, to)| needing.contains(to));
        if rooms.len() == before {
            return rooms;
        }
    }
}

#[test]
fn what_is_needed_is_found_through_names_and_reexports() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("lib.rs", "mod a; mod b; mod c; mod d; mod e; mod f; pub use c::Deep;");
    // Through a re-export at the root, and through one of a sibling.
    write("a.rs", "use crate::Deep; pub struct A(Deep);");
    write("b.rs", "pub use crate::c::inner::Other; pub fn own() {}");
    write("c/mod.rs", "pub mod inner; pub use inner::Deep;");
    write("c/inner.rs", "pub struct Deep; pub struct Other; use super::super::f;");
    write("d.rs", "fn d() { println!(\"{:?}\", crate::b::Other); } use std::fmt;");
    write("e.rs", "#[cfg(test)] mod tests { use crate::a::A; } use crate::b::*; fn e() { own() }");
    write("f.rs", "mod inline { pub fn g(_: super::super::b::Other) {} }");
    let modules = source::read(&folder.path().join("lib.rs")).expect("Rust");
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for (from, to) in Crate(modules).needs() {
        found.entry(from.join("::")).or_default().push(to.join("::"));
    }
    let expected = [
        ("a", "c::inner"),
        ("c::inner", "f"),
        ("d", "c::inner"),
        ("e", "b"),
        ("f::inline", "c::inner"),
    ];
    let expected = expected.map(|(from, to)| (from.to_owned(), vec![to.to_owned()]));
    assert_eq!(found, BTreeMap::from(expected));
}
