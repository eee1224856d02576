//! Rooms of one floor, which stand beside each other and do not need each other.

use std::collections::BTreeSet;

use crate::rooms_of;

/// Folder of a crate, rooms of one floor in it, and who of them needs whom all the same.
const ONE_FLOOR: &[(&str, &[&str], &[(&str, &str)])] = &[(
    "algorithms",
    &["experiment", "forecast", "inventory", "price", "recommend"],
    // What is ordered follows from a forecast.
    &[("inventory", "forecast")],
)];

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
