//! Rooms inside crates, and who may need whom: imports go one way.
//!
//! A room is a module at the root of a crate, with all that lies below it; the domains of the worker
//! are rooms within a room. A room needs another one when its code names what is defined there,
//! through whatever re-exports; declaring a module and passing a name on need nothing, and tests may
//! need what they like.

mod beside;
mod resolve;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use resolve::Crate;
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
            "imports",
            "query",
            "experiments",
            "ingest",
            "jobs",
            "validate",
            "cluster",
            "defaults",
            "opening",
            "page",
        ],
    ),
];

/// Domains of the worker, and which others each may need: through their `mod.rs` alone.
const DOMAINS: &[(&str, &[&str])] =
    &[("recommend", &[]), ("demand", &[]), ("price", &["demand"]), ("inventory", &["demand"])];

/// What all domains stand on, and what puts questions to them.
const BESIDE_DOMAINS: &[&str] = &["decide", "error", "facts"];

/// Folder of a crate, and a room of it below which no folder holds a circle.
const WITHOUT_INNER_CIRCLES: &[(&str, &str)] = &[
    ("worker", "domain"),
    ("worker", "serve"),
    ("worker", "task"),
    ("cli", "import"),
    ("cli", "show"),
];

/// Crates whose rooms form no circle, in whatever order.
const WITHOUT_CIRCLES: &[&str] = &["common"];

/// What goes upwards still, by crate: each is to be opened, and none may join them.
const UPWARDS: &[(&str, &str, &str)] = &[
    // One error for all that can keep a coordinator from its start.
    ("coordinator", "backup", "start"),
    ("coordinator", "data_folder", "start"),
    ("coordinator", "imports", "start"),
    ("coordinator", "server", "start"),
    // Fan-out and its errors, and what a question must keep to, lie among the queries.
    ("coordinator", "experiments", "query"),
    ("coordinator", "ingest", "query"),
    // Markers and imports are appended by ingest, which asks imports whether they count.
    ("coordinator", "ingest", "imports"),
    ("coordinator", "jobs", "ingest"),
];

/// The modules of a crate.
fn crate_of(folder: &str) -> Crate {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    Crate(source::read(&root.join(folder).join("src/lib.rs")).expect("Rust that can be read"))
}

/// Pairs of rooms of a crate of which the first needs the second.
fn rooms_of(folder: &str) -> Rooms {
    rooms_below(&crate_of(folder).needs(), &[])
}

/// Which modules of the module `at`, with all below them, need which others of it.
fn rooms_below(needs: &BTreeSet<(Name, Name)>, at: &[String]) -> Rooms {
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
        let upwards: BTreeSet<_> = UPWARDS
            .iter()
            .filter(|known| known.0 == *folder)
            .map(|known| (known.1, known.2))
            .collect();
        let floor = |room: &str| floors.iter().position(|known| *known == room);
        let mut met = BTreeSet::new();
        let rooms = rooms_of(folder);
        for (from, to) in &rooms {
            let (Some(above), Some(below)) = (floor(from), floor(to)) else {
                offences.push(format!("{folder}: `{from}` or `{to}` is not in the list of rooms"));
                continue;
            };
            if below > above {
                continue;
            }
            match upwards.get(&(from.as_str(), to.as_str())) {
                Some(known) => _ = met.insert(*known),
                None => offences.push(format!("{folder}: `{from}` must not need `{to}`")),
            }
        }
        for (from, to) in upwards.difference(&met) {
            offences.push(format!("{folder}: `{from}` needs `{to}` no more: strike it out"));
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn domains_need_each_other_in_one_direction_and_through_their_front_doors() {
    let worker = crate_of("worker");
    let domain = ["domain".to_owned()];
    let mut offences = Vec::new();
    let mut met = BTreeSet::new();
    for (from, to) in rooms_below(&worker.needs(), &domain) {
        if BESIDE_DOMAINS.contains(&to.as_str()) {
            continue;
        }
        let known = DOMAINS.iter().find(|(domain, _)| *domain == from);
        match known.and_then(|(_, needed)| needed.iter().find(|needed| **needed == to)) {
            Some(needed) => _ = met.insert((from, *needed)),
            None => offences.push(format!("`domain::{from}` must not need `domain::{to}`")),
        }
    }
    for (domain, needed) in DOMAINS {
        for needed in *needed {
            if !met.contains(&((*domain).to_owned(), needed)) {
                offences.push(format!("`domain::{domain}` needs `domain::{needed}` no more"));
            }
        }
        let front = &worker.0[&["domain".to_owned(), (*domain).to_owned()][..]];
        for shown in &front.shown {
            offences.push(format!("`domain::{domain}::{shown}` is shown past its `mod.rs`"));
        }
    }
    for module in worker.0.keys() {
        if let [first, domain] = &module[..]
            && first == "domain"
            && !DOMAINS.iter().any(|(known, _)| known == domain)
            && !BESIDE_DOMAINS.contains(&domain.as_str())
        {
            offences.push(format!("`domain::{domain}` is not in the list of domains"));
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn folders_of_some_rooms_hold_no_circles() {
    let mut found = Vec::new();
    for crates in WITHOUT_INNER_CIRCLES.chunk_by(|left, right| left.0 == right.0) {
        let folder = crates[0].0;
        let rooms: Vec<&str> = crates.iter().map(|(_, room)| *room).collect();
        let modules = crate_of(folder);
        let needs = modules.needs();
        for at in modules.0.keys() {
            if at.first().is_some_and(|room| rooms.contains(&room.as_str())) {
                let left = circles(rooms_below(&needs, at));
                if !left.is_empty() {
                    let at = at.join("::");
                    found.push(format!("{folder}, `{at}`: a circle lies in {left:?}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
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

/// Needs of rooms on a circle or behind one: those of rooms that nobody needs are taken away, again
/// and again.
fn circles(mut rooms: Rooms) -> Rooms {
    loop {
        let needed: BTreeSet<String> = rooms.iter().map(|(_, to)| to.clone()).collect();
        let before = rooms.len();
        rooms.retain(|(from, _)| needed.contains(from));
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
