//! Inside rooms, and between rooms of one floor: who stands beside whom and may not need them.

use std::{collections::BTreeSet, path::Path};

use crate::{Rooms, circles, resolve::Crate, rooms_of, source};

/// Folder of a crate, rooms of one floor in it, and who of them needs whom all the same.
const ONE_FLOOR: &[(&str, &[&str], &[(&str, &str)])] = &[(
    "algorithms",
    &["experiment", "forecast", "inventory", "price", "recommend"],
    // What is ordered follows from a forecast.
    &[("inventory", "forecast")],
)];

/// Folder of a crate, and a room whose modules form no circle, be it with what `mod.rs` defines.
const WITHOUT_CIRCLES_INSIDE: &[(&str, &str)] = &[("cli", "import")];

#[test]
fn rooms_of_one_floor_do_not_need_each_other() {
    for (folder, floor, known) in ONE_FLOOR {
        let known: BTreeSet<(String, String)> =
            known.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        let floor: BTreeSet<&str> = floor.iter().copied().collect();
        let mut found = rooms_of(folder);
        found.retain(|(from, to)| floor.contains(from.as_str()) && floor.contains(to.as_str()));
        assert_eq!(found, known, "{folder}: what rooms of one floor need of each other");
    }
}

#[test]
fn modules_of_a_room_form_no_circles() {
    for (folder, room) in WITHOUT_CIRCLES_INSIDE {
        let inside = inside(folder, room);
        assert!(inside.len() > 3, "{folder}: {inside:?}");
        let left = circles(inside);
        assert!(left.is_empty(), "{folder}: a circle lies in {left:#?}");
    }
}

/// Which modules of a room need which others; what its `mod.rs` defines is a module of its own.
fn inside(folder: &str, room: &str) -> Rooms {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let modules = source::read(&root.join(folder).join("src/lib.rs"));
    let mut inside = Rooms::new();
    for (from, to) in Crate(modules.expect("Rust that can be read")).needs() {
        if [&from, &to].iter().any(|name| name.first().is_none_or(|first| first != room)) {
            continue;
        }
        let [from, to] = [from, to].map(|name| name.get(1).map_or("mod", |name| name).to_owned());
        if from != to {
            inside.insert((from, to));
        }
    }
    inside
}
