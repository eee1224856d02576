//! Every note that the server can send has a sentence in every language, of what is sent.

use std::collections::BTreeSet;

use clap::ValueEnum as _;
use mercer_common::{
    note::{
        Amount, Days, Declared, Goal, NamedRule, Number, Objective, Said, Share, Text, Type, Units,
        declared, note,
    },
    time::Day,
};
use mercer_proto::v1::{NoteArgument, NoteCode, note::Kind};

use super::*;
use crate::show::sentence::{Language, told_in};

/// An argument of that kind; of words the one at `place`, or the last.
fn sample(argument: &Declared, place: usize) -> NoteArgument {
    let value = match argument.kind {
        Type::Text => Value::Text("north".into()),
        Type::Word(words) => Value::Word(words[place.min(words.len() - 1)].into()),
        Type::Number => Value::Number(-1.5),
        Type::Units => Value::Units(2.5),
        Type::Days => Value::Days(14.0),
        Type::Share => Value::Share(0.955),
        Type::Money => {
            let mut amount = Vec::new();
            mercer_common::note::Value::push(Amount::new(12_340_000, "EUR"), "a", &mut amount);
            amount.remove(0).value.expect("an amount")
        }
        Type::Date => Value::Date(Day(13_164).to_api()),
    };
    NoteArgument { name: argument.name.into(), value: Some(value) }
}

/// What a template names, be it through words.
fn named(template: &str) -> BTreeSet<&str> {
    let parts = template.split('{').skip(1).filter_map(|part| part.split('}').next());
    parts.map(|part| part.split(':').next().unwrap_or(part)).collect()
}

#[test]
fn every_code_is_declared_once() {
    let codes: Vec<NoteCode> = declared().into_iter().map(|(code, _)| code).collect();
    let of_api: Vec<NoteCode> = (1..).map_while(|code| NoteCode::try_from(code).ok()).collect();
    assert!(of_api.len() >= 70);
    for code in &of_api {
        assert_eq!(codes.iter().filter(|other| *other == code).count(), 1, "{code:?}");
    }
    assert_eq!(codes.len(), of_api.len());
}

#[test]
fn sentences_name_what_is_sent_and_no_more() {
    for &language in Language::value_variants() {
        let table = language.words().notes;
        for (code, arguments) in declared() {
            let template = (table.sentence)(code);
            let mut names = named(template);
            for argument in &arguments {
                if let Type::Word(words) = argument.kind {
                    for word in words {
                        let template = (table.word)(word);
                        assert!(!template.is_empty(), "{language:?} has no word {word}");
                        names.extend(named(template));
                    }
                }
            }
            let sent: BTreeSet<&str> = arguments.iter().map(|argument| argument.name).collect();
            let all = names.remove("*");
            assert!(names.is_subset(&sent), "{language:?} {code:?} names {names:?} of {sent:?}");
            assert!(all || names == sent, "{language:?} {code:?} leaves out some of {sent:?}");
        }
    }
}

#[test]
fn every_code_has_a_sentence_in_every_language() {
    let mut said = BTreeSet::new();
    for &language in Language::value_variants() {
        let table = language.words().notes;
        for (code, arguments) in declared() {
            for place in 0..8 {
                let all: Vec<NoteArgument> =
                    arguments.iter().map(|argument| sample(argument, place)).collect();
                let text = sentence(table, code, &all)
                    .unwrap_or_else(|| panic!("{language:?} {code:?} with {all:?}"));
                assert!(text.ends_with('.'), "{language:?} {code:?}: {text}");
                assert!(!text.contains(['{', '}', '[', ']', '|']), "{code:?}: {text}");
                assert!(!text.starts_with(char::is_lowercase), "{code:?}: {text}");
                assert!(!text.contains("  ") && !text.contains(" ."), "{code:?}: {text}");
                if place == 0 {
                    assert!(said.insert(text.clone()), "{code:?} says what another does: {text}");
                }
            }
            // Of words some need what may be missing.
            let has_words = arguments.iter().any(|one| matches!(one.kind, Type::Word(_)));
            let must = arguments.iter().filter(|argument| !argument.is_optional);
            let must: Vec<NoteArgument> = must.map(|argument| sample(argument, 9)).collect();
            let text = sentence(table, code, &must);
            assert!(text.is_some() || has_words, "{language:?} {code:?} without what is optional");
        }
    }
}

#[test]
fn money_dates_and_units_are_written_as_in_the_language() {
    let day = Said::WildDays {
        units: Units(5_000.0),
        date: Day(13_164),
        usual: Number(1.5),
        others: None,
        counted: Some(Number(2.5)),
    };
    let change = Said::RuleBinds {
        rule: NamedRule::LargestChange {
            change: Share(0.125),
            from_price: Amount::new(10_000_000, "EUR"),
        },
        limit: Amount::new(11_250_000, "EUR"),
        objective: Objective::Profit,
        goal: Goal::At,
        optimum: Some(Amount::new(12_000_000, "EUR")),
    };
    let levels = Said::ReorderPoint {
        reorder_point: Number(17.25),
        cycle_service: None,
        fill_rate: Some(Share(0.995)),
        lead_time: Number(7.0),
        lead_time_deviation: Days(1.0),
        review_period: Some(Days(14.0)),
        mean: Number(12.0),
        deviation: Units(3.4),
        undershoot: None,
    };
    let told = |language, said: &Said| {
        let note = note(Kind::Explanation, "field", said.clone());
        told_in(language, || tell(&note))
    };
    assert_eq!(
        told(Language::De, &day),
        "Am 16.1.2026 wurden 5000 Stück verkauft; an neun von zehn Verkaufstagen sind es höchstens \
         1,5. Bitte prüfen, ob das ein Versehen ist. Die Prognose des Artikels zählt 2,5 davon, \
         andere Artikel seiner Kategorie folgen ihnen nicht."
    );
    assert!(told(Language::En, &day).starts_with("5000 units were sold on 2026-01-16, where "));
    assert_eq!(
        told(Language::De, &change),
        "Größte Änderung 12,5 %, von 10,00 aus: Der Preis bleibt bei 11,25; sonst wäre der Gewinn \
         bei 12,00 am höchsten."
    );
    assert_eq!(
        told(Language::En, &change),
        "The largest change of 12.5 % from 10.00 holds the price at 11.25; profit would be highest \
         at 12.00."
    );
    assert_eq!(
        told(Language::De, &levels),
        "Damit 99,5 % der Stückzahl aus dem Bestand geliefert werden, deckt der Meldebestand von \
         17,25 eine Lieferzeit von 7 ± 1 Tag und einen Bestellabstand von 14 Tagen, in der 12 ± \
         3,4 Stück nachgefragt werden."
    );
}

#[test]
fn a_note_without_a_code_is_told_as_the_server_does() {
    let mut note = note(Kind::Declined, "stock", Said::StockNeverTold { location: None });
    note.code = 999;
    assert_eq!(told_in(Language::De, || tell(&note)), note.message);
    // Or with a word or an argument of a later release.
    note.code = NoteCode::StockNeverCounted.into();
    assert_eq!(told_in(Language::De, || tell(&note)), note.message);
}

#[test]
fn programs_read_arguments_by_name() {
    let said = Said::RuleGivesWay {
        rule: NamedRule::Endings { endings: Text("49, 99".into()) },
        price: Amount::new(12_340_000, "EUR"),
    };
    let shown = arguments(&note(Kind::RuleRelaxed, "price_rule.price_endings", said));
    assert_eq!(
        serde_json::to_string(&shown).expect("JSON"),
        r#"{"endings":"49, 99","price":{"amount":"12.34","currency":"EUR"},"rule":"endings"}"#
    );
    let said = Said::PlanOutsideHorizon { days: Days(2.0), first: Day(13_164), last: Day(13_165) };
    let shown = arguments(&note(Kind::DataIgnored, "plan", said));
    assert_eq!(
        serde_json::to_string(&shown).expect("JSON"),
        r#"{"days":2.0,"first":"2026-01-16","last":"2026-01-17"}"#
    );
}
