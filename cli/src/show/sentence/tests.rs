//! Sentences say what was sent, and no more.

use clap::ValueEnum as _;
use proptest::prelude::*;

use super::*;

const YEAR: i32 = 2026;

fn reason(code: Code, item: &str, contribution: f64) -> Reason {
    Reason {
        kind: if item.is_empty() { Kind::Source } else { Kind::HistoryItem }.into(),
        code: code.into(),
        item_id: item.into(),
        contribution,
        ..Reason::default()
    }
}

fn on(event: EventType, year: i32, reason: Reason) -> Reason {
    let event_date = Some(Date { year, month: 12, day: 12 });
    Reason { event_type: event.into(), event_date, ..reason }
}

/// Every code of the API.
fn codes() -> impl Iterator<Item = Code> {
    (1..).map_while(|number| Code::try_from(number).ok())
}

#[test]
fn a_purchase_that_others_follow_is_told_in_every_language() {
    let bought = Reason {
        title: "STRAWBERRIES 16 OZ".into(),
        ..reason(Code::OftenBoughtAfter, "1082185", 2.0)
    };
    let bought = [on(EventType::Purchase, YEAR, bought)];
    assert_eq!(
        why(&bought, Language::En, YEAR),
        "often bought after STRAWBERRIES 16 OZ, which you bought on 12 Dec"
    );
    assert_eq!(
        why(&bought, Language::De, YEAR),
        "oft gekauft nach STRAWBERRIES 16 OZ, von Ihnen am 12. Dez. gekauft"
    );
    // Of another year, and without a date: the window does not tell.
    assert!(why(&bought, Language::En, YEAR + 1).ends_with("which you bought on 12 Dec 2026"));
    let undated = [Reason { event_date: None, ..bought[0].clone() }];
    assert_eq!(why(&undated, Language::En, YEAR), "often bought after STRAWBERRIES 16 OZ");
}

#[test]
fn what_is_the_same_of_two_items_is_said_once() {
    let parts = [
        on(EventType::Purchase, YEAR, reason(Code::OftenBoughtAfter, "tea", 2.0)),
        reason(Code::OftenBoughtAfter, "milk", 1.5),
        reason(Code::Rising, "", 0.1),
    ];
    let more = [&parts[..], &[reason(Code::SimilarTo, "jam", 1.8)]].concat();
    assert_eq!(
        why(&more, Language::En, YEAR),
        "often bought after tea, which you bought on 12 Dec; similar to jam"
    );
    let equal = [&parts[..2], &[reason(Code::RestOfHistory, "", 3.0)]].concat();
    assert_eq!(
        why(&equal, Language::En, YEAR),
        "often bought after tea, which you bought on 12 Dec, and milk"
    );
}

#[test]
fn what_does_not_cover_half_is_many_small_reasons() {
    let parts = [reason(Code::InDemand, "", 1.0), reason(Code::RestOfHistory, "", 1.1)];
    assert_eq!(why(&parts, Language::En, YEAR), "many small reasons");
    assert_eq!(why(&parts, Language::De, YEAR), "viele kleine Gründe");
    let parts = [reason(Code::InDemand, "", 1.0), reason(Code::RestOfHistory, "", 1.0)];
    assert_eq!(why(&parts, Language::En, YEAR), "much in demand lately");
    let small: Vec<Reason> =
        (0..11).map(|item| reason(Code::SimilarTo, &format!("i{item}"), 1.0)).collect();
    assert_eq!(why(&small, Language::En, YEAR), "many small reasons");
    assert_eq!(why(&[], Language::En, YEAR), "no reason in particular");
}

#[test]
fn what_speaks_against_it_is_named_from_half_of_the_largest_on() {
    let parts = |against| [reason(Code::InDemand, "", 2.0), reason(Code::Popular, "", against)];
    assert_eq!(
        why(&parts(-1.0), Language::En, YEAR),
        "much in demand lately; against it: bought by many"
    );
    assert_eq!(why(&parts(-0.99), Language::En, YEAR), "much in demand lately");
    // The contrary of the fact may speak for the item as well as against it.
    let few = |contribution| Reason { contrary: true, ..reason(Code::Popular, "", contribution) };
    assert_eq!(why(&[few(1.0)], Language::En, YEAR), "bought by few");
    assert_eq!(
        why(&[few(-1.0)], Language::De, YEAR),
        "kein besonderer Grund; dagegen spricht: von wenigen gekauft"
    );
}

#[test]
fn a_part_of_a_later_release_goes_by_its_kind() {
    let later = Reason { code: 999, ..reason(Code::Unspecified, "tea", 1.0) };
    assert_eq!(why(&[later], Language::En, YEAR), "often chosen by those who chose tea");
    let unknown = reason(Code::Unspecified, "", 1.0);
    assert_eq!(why(&[unknown], Language::En, YEAR), "many small reasons");
}

#[test]
fn every_code_has_words_in_every_language() {
    assert!(codes().count() >= 17);
    for &language in Language::value_variants() {
        let mut said = Vec::new();
        for code in codes().filter(|&code| code != Code::RestOfHistory) {
            for contrary in [false, true] {
                let about = Reason { contrary, ..reason(code, "THE ITEM", 1.0) };
                let text = why(std::slice::from_ref(&about), language, YEAR);
                assert!(!text.contains("{}") && !text.trim().is_empty(), "{code:?}: {text}");
                assert!(!said.contains(&text), "{code:?} says what another does: {text}");
                said.push(text);
            }
        }
        for event in (1..).map_while(|number| EventType::try_from(number).ok()) {
            let part = on(event, YEAR, reason(Code::SimilarTo, "tea", 1.0));
            let text = why(&[part], language, YEAR);
            assert!(text.contains("tea, ") && text.contains("12"), "{event:?}: {text}");
        }
    }
}

fn parts() -> impl Strategy<Value = Vec<Reason>> {
    let codes: Vec<Code> = codes().collect();
    let part = (proptest::sample::select(codes), 0..9_u32, -4.0..4.0_f64).prop_map(
        |(code, item, contribution)| reason(code, &format!("item-{item}."), contribution),
    );
    proptest::collection::vec(part, 0..12)
}

proptest! {
    /// Against plain sums over the parts.
    #[test]
    fn named_parts_were_sent_and_cover_half(parts in parts()) {
        let positive: f64 = parts.iter().map(|part| part.contribution.max(0.0)).sum();
        let text = why(&parts, Language::En, YEAR);
        match for_it(&parts) {
            Some(named) => {
                let covered: f64 = named.iter().map(|part| part.contribution).sum();
                prop_assert!(covered * 2.0 >= positive && named.len() <= NAMED);
                // None could be left out.
                let last = named.last().map_or(0.0, |part| part.contribution);
                prop_assert!(named.is_empty() || (covered - last) * 2.0 < positive);
            }
            None => prop_assert!(text.starts_with("many small reasons"), "{text}"),
        }
        let largest = parts.iter().map(|part| part.contribution).fold(0.0, f64::max);
        for part in against_it(&parts) {
            prop_assert!(part.contribution < 0.0 && -part.contribution >= largest / 2.0);
        }
        for number in 0..9 {
            let item = format!("item-{number}.");
            prop_assert!(!text.contains(&item) || parts.iter().any(|part| part.item_id == item));
        }
    }
}
