//! Why an item is recommended, and words of screens, in English; notes are in the table that the
//! server has, too.

use mercer_proto::v1::{EventType, reason::Code};

use super::{Headings, Words};

pub(super) const WORDS: Words = Words {
    fact,
    did,
    months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    after_day: " ",
    and: " and ",
    against: "against it: ",
    many: "many small reasons",
    none: "no reason in particular",
    notes: &mercer_common::note::ENGLISH,
    label: |kind| match kind {
        "declined" => "declined",
        "default_used" => "assumed",
        "data_ignored" => "left out",
        "weak_evidence" => "weak evidence",
        "rule_binding" => "rule",
        "rule_relaxed" => "rule given up",
        "explanation" => "because",
        _ => "note",
    },
    headings: Headings { why: "why", details: "details", assumed: "assumed or missing" },
};

fn fact(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::ChosenByTheSame => {
            ("often chosen by those who chose {}", "seldom chosen by those who chose {}")
        }
        Code::OftenBoughtAfter => ("often bought after {}", "seldom bought after {}"),
        Code::OftenBoughtWith => {
            ("often bought together with {}", "seldom bought together with {}")
        }
        Code::SimilarTo => ("similar to {}", "unlike {}"),
        Code::FitsLikingFor => ("suits those who like {}", "does not suit those who like {}"),
        Code::FitsHistory => {
            ("suits what you have chosen so far", "does not suit what you have chosen so far")
        }
        Code::ChosenBySimilarUsers => {
            ("chosen by customers like you", "avoided by customers like you")
        }
        Code::DueAgain => ("you buy it again and again", "you seldom buy it again"),
        Code::InDemand => ("much in demand lately", "little in demand lately"),
        Code::Rising => ("more and more in demand", "less and less in demand"),
        Code::New => ("new, and in demand", "not new"),
        Code::Popular => ("bought by many", "bought by few"),
        Code::OfInterest => ("of interest to many", "of interest to few"),
        Code::PopularInCategory => (
            "bought by many in a category that you buy from",
            "bought by few in the categories that you buy from",
        ),
        Code::HighPrice => ("dearer than most", "cheaper than most"),
        Code::InStock => ("in stock", "out of stock"),
        Code::Rule => ("put forward by the rule {}", "held back by the rule {}"),
        Code::RestOfHistory | Code::Unspecified => ("other reasons", "other reasons"),
    }
}

fn did(event: EventType) -> Option<&'static str> {
    Some(match event {
        EventType::View => "which you looked at on {}",
        EventType::Click => "which you clicked on {}",
        EventType::Favourite => "which you marked on {}",
        EventType::AddToCart => "which you put into the cart on {}",
        EventType::Purchase => "which you bought on {}",
        EventType::Return => "which you returned on {}",
        EventType::Rating => "which you rated on {}",
        EventType::Unspecified => return None,
    })
}
