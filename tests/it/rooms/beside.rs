//! Rooms of one floor, which stand beside each other and do not need each other.

use std::collections::BTreeSet;

use crate::{Rooms, rooms_of};

/// Rooms of a crate that lie on one floor.
struct Floor {
    folder: &'static str,
    rooms: &'static [&'static str],
    /// Pairs of which the first needs the second all the same.
    known: &'static [(&'static str, &'static str)],
}

const FLOORS: &[Floor] = &[Floor {
    folder: "algorithms",
    rooms: &["experiment", "forecast", "inventory", "price", "recommend"],
    // What is ordered follows from a forecast.
    known: &[("inventory", "forecast")],
}];

#[test]
fn rooms_of_one_floor_do_not_need_each_other() {
    for Floor { folder, rooms, known } in FLOORS {
        let rooms: BTreeSet<&str> = rooms.iter().copied().collect();
        let mut found = rooms_of(folder);
        found.retain(|(from, to)| rooms.contains(from.as_str()) && rooms.contains(to.as_str()));
        let known: Rooms =
            known.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        assert_eq!(found, known, "{folder}: what rooms of one floor need of each other");
    }
}
