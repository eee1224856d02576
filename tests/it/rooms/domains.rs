//! Domains: rooms within a room, which need each other in one direction.

use std::collections::BTreeSet;

use crate::{crate_of, rooms_below};

/// What lies in the folder `domain` of a crate.
struct Domains {
    folder: &'static str,
    /// Each domain, and which others it may need: through their `mod.rs` alone.
    domains: &'static [(&'static str, &'static [&'static str])],
    /// What all domains stand on, and what puts questions to them.
    beside: &'static [&'static str],
}

const DOMAINS: &[Domains] = &[
    Domains {
        folder: "worker",
        domains: &[
            ("recommend", &[]),
            ("demand", &[]),
            ("price", &["demand"]),
            ("inventory", &["demand"]),
        ],
        beside: &["decide", "error", "facts"],
    },
    Domains {
        folder: "coordinator",
        domains: &[
            ("recommend", &["experiment"]),
            ("experiment", &[]),
            ("demand", &[]),
            ("price", &["demand"]),
            ("inventory", &[]),
            ("catalog", &[]),
        ],
        beside: &[],
    },
];

#[test]
fn domains_need_each_other_in_one_direction_and_through_their_front_doors() {
    let mut offences = Vec::new();
    for Domains { folder, domains, beside } in DOMAINS {
        let modules = crate_of(folder);
        let mut met = BTreeSet::new();
        for (from, to) in rooms_below(&modules.needs(), &["domain".to_owned()]) {
            if beside.contains(&to.as_str()) {
                continue;
            }
            let known = domains.iter().find(|(domain, _)| *domain == from);
            match known.and_then(|(_, needed)| needed.iter().find(|needed| **needed == to)) {
                Some(needed) => _ = met.insert((from, *needed)),
                None => offences.push(format!("{folder}: `{from}` must not need `{to}`")),
            }
        }
        for (domain, needed) in *domains {
            for needed in *needed {
                if !met.contains(&((*domain).to_owned(), needed)) {
                    offences.push(format!("{folder}: `{domain}` needs `{needed}` no more"));
                }
            }
            let front = &modules.0[&["domain".to_owned(), (*domain).to_owned()][..]];
            for shown in &front.shown {
                offences.push(format!("{folder}: `{domain}::{shown}` is shown past its `mod.rs`"));
            }
        }
        for module in modules.0.keys() {
            if let [first, domain] = &module[..]
                && first == "domain"
                && !domains.iter().any(|(known, _)| known == domain)
                && !beside.contains(&domain.as_str())
            {
                offences.push(format!("{folder}: `{domain}` is not in the list of domains"));
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}
