//! Why an item is recommended, and what there is to know of a decision, as a person says it:
//! sentences from the codes and arguments that the server sends, from one table a language.
//!
//! A sentence about an item names only parts that were sent. Those that speak for the item are named from the
//! largest on until they cover half of all that does; where a few cannot, there are many small
//! reasons. What speaks against it is named when it is at least half as large as the largest that
//! speaks for it.

mod english;
mod german;
mod german_notes;
mod language;
pub(crate) mod notes;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use mercer_common::{
    clock::{Clock as _, SystemClock},
    note,
};
use mercer_proto::{
    google::r#type::Date,
    v1::{
        EventType, Reason,
        reason::{Code, Kind},
    },
};

#[cfg(test)]
pub(crate) use language::told_in;
pub(crate) use language::{Language, speak, spoken};

/// Parts that a sentence names at most of each side.
const NAMED: usize = 4;

/// What sentences of a language are made of.
struct Words {
    /// The fact of a code and its contrary; `{}` is the items or the rule that it is about.
    fact: fn(Code) -> (&'static str, &'static str),
    /// What the user did with an item; `{}` is the day.
    did: fn(EventType) -> Option<&'static str>,
    months: [&'static str; 12],
    /// Text between a day's number and its month.
    after_day: &'static str,
    and: &'static str,
    /// Text before what speaks against the item.
    against: &'static str,
    many: &'static str,
    none: &'static str,
    notes: &'static note::Language,
    /// What stands before a note of a kind, as JSON names it.
    label: fn(&str) -> &'static str,
    headings: Headings,
}

/// Headings over the blocks of a screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Headings {
    pub(crate) why: &'static str,
    pub(crate) details: &'static str,
    pub(crate) assumed: &'static str,
}

/// Headings in the language that was asked for.
pub(crate) fn headings() -> Headings {
    spoken().words().headings
}

/// What stands before a note of a kind, in the language that was asked for.
pub(crate) fn label(kind: &str) -> &'static str {
    (spoken().words().label)(kind)
}

/// The year on this machine's calendar.
pub(crate) fn this_year() -> i32 {
    SystemClock.now().to_zoned(TimeZone::system()).year().into()
}

/// Why an item is recommended; days of `this_year` are told without it.
pub(crate) fn why(reasons: &[Reason], language: Language, this_year: i32) -> String {
    let teller = Teller { words: language.words(), this_year };
    let mut sentence = match for_it(reasons) {
        Some(parts) if parts.is_empty() => teller.words.none.to_owned(),
        Some(parts) => teller.facts(&parts),
        None => teller.words.many.to_owned(),
    };
    let against = against_it(reasons);
    if !against.is_empty() {
        sentence.push_str("; ");
        sentence.push_str(teller.words.against);
        sentence.push_str(&teller.facts(&against));
    }
    sentence
}

/// The parts to be named of those that speak for the item, largest first; `None` when no few of
/// them cover half of it.
fn for_it(reasons: &[Reason]) -> Option<Vec<&Reason>> {
    let speaking = || reasons.iter().filter(|reason| reason.contribution > 0.0);
    let all: f64 = speaking().map(|reason| reason.contribution).sum();
    let mut parts: Vec<&Reason> = speaking().filter(|reason| can_be_named(reason)).collect();
    parts.sort_by(|left, right| right.contribution.total_cmp(&left.contribution));
    let mut covered = 0.0;
    let mut count = 0;
    while covered * 2.0 < all {
        covered += parts.get(count)?.contribution;
        count += 1;
    }
    parts.truncate(count);
    (count <= NAMED).then_some(parts)
}

/// The parts to be named of those that speak against the item, largest first.
fn against_it(reasons: &[Reason]) -> Vec<&Reason> {
    let largest = reasons.iter().map(|reason| reason.contribution).fold(0.0, f64::max);
    let mut parts = Vec::new();
    for reason in reasons {
        let counts = reason.contribution < 0.0 && -reason.contribution * 2.0 >= largest;
        if counts && can_be_named(reason) {
            parts.push(reason);
        }
    }
    parts.sort_by(|left, right| left.contribution.total_cmp(&right.contribution));
    parts.truncate(NAMED);
    parts
}

fn can_be_named(reason: &Reason) -> bool {
    !matches!(code(reason), Code::Unspecified | Code::RestOfHistory)
}

/// The code, or what its kind says of a part without one, or with one of a later release.
fn code(reason: &Reason) -> Code {
    match (reason.code(), reason.kind()) {
        (Code::Unspecified, Kind::HistoryItem) => Code::ChosenByTheSame,
        (Code::Unspecified, Kind::Popularity) => Code::Popular,
        (Code::Unspecified, Kind::Users) => Code::ChosenBySimilarUsers,
        (Code::Unspecified, Kind::Rule) => Code::Rule,
        (code, _) => code,
    }
}

/// Fills in the words of a language.
struct Teller {
    words: &'static Words,
    this_year: i32,
}

impl Teller {
    /// What the parts say; those that say the same of several items say it once.
    fn facts(&self, parts: &[&Reason]) -> String {
        let mut said: Vec<(Code, bool, Vec<&Reason>)> = Vec::new();
        for &part in parts {
            let key = (code(part), part.contrary);
            match said.iter_mut().find(|(code, contrary, _)| (*code, *contrary) == key) {
                Some((_, _, about)) => about.push(part),
                None => said.push((key.0, key.1, vec![part])),
            }
        }
        let facts = said.iter().map(|(code, contrary, about)| {
            let (fact, opposite) = (self.words.fact)(*code);
            let fact = if *contrary { opposite } else { fact };
            fact.replace("{}", &self.subjects(about))
        });
        facts.collect::<Vec<_>>().join("; ")
    }

    /// The items or rules that parts are about, with what the user did with them.
    fn subjects(&self, about: &[&Reason]) -> String {
        let mut text = String::new();
        let mut is_open = false;
        for (place, reason) in about.iter().enumerate() {
            if is_open {
                text.push(',');
            }
            if place > 0 {
                text.push_str(self.words.and);
            }
            text.push_str(subject(reason));
            let did = self.did(reason);
            is_open = did.is_some();
            if let Some(did) = did {
                text.push_str(", ");
                text.push_str(&did);
            }
        }
        text
    }

    /// What the user did with the item, where the window tells.
    fn did(&self, reason: &Reason) -> Option<String> {
        let did = (self.words.did)(reason.event_type())?;
        Some(did.replace("{}", &self.day(reason.event_date.as_ref()?)?))
    }

    fn day(&self, date: &Date) -> Option<String> {
        let month = usize::try_from(date.month).ok()?.checked_sub(1)?;
        let (month, after) = (self.words.months.get(month)?, self.words.after_day);
        let year =
            if date.year == self.this_year { String::new() } else { format!(" {}", date.year) };
        Some(format!("{}{after}{month}{year}", date.day))
    }
}

/// The item as catalogued, or its id; else the rule.
fn subject(reason: &Reason) -> &str {
    [&reason.title, &reason.item_id]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or(&reason.name)
}
