//! Words that stand for something else: for nothing, for an event type, for a status.

use std::collections::{BTreeMap, HashSet};

use mercer_proto::v1::{EventType, ItemStatus};

use super::Role;
use crate::import::reading::cell::shorten;

/// Words that mean that a value is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nulls {
    /// Words that the user named; they hold everywhere.
    named: Option<HashSet<String>>,
}

/// A cell that clears what is known.
pub(crate) const CLEAR: &str = "<clear>";

/// Words for nothing, in lower case.
const MISSING: [&str; 33] = [
    "null",
    "\\n",
    "nan",
    "none",
    "na",
    "n/a",
    "<na>",
    "nat",
    "#n/a",
    "nil",
    "(null)",
    "undefined",
    "(not set)",
    "not set",
    "(none)",
    "(blank)",
    "(unknown)",
    "unknown",
    "missing",
    "guest",
    "anonymous",
    "<null>",
    "[null]",
    "n.a.",
    "-",
    "--",
    "?",
    // What spreadsheets write where a calculation failed.
    "#value!",
    "#div/0!",
    "#ref!",
    "#name?",
    "#num!",
    "#null!",
];

impl Nulls {
    /// These words and no others.
    pub(crate) fn named(words: &[String]) -> Self {
        Self { named: Some(words.iter().map(|word| word.trim().to_owned()).collect()) }
    }

    /// Whether a text, without white space around it, stands for nothing.
    pub(crate) fn is_missing(&self, text: &str, role: Role) -> bool {
        if text == CLEAR {
            return true;
        }
        if let Some(named) = &self.named {
            return named.contains(text);
        }
        // Most texts are longer or begin otherwise.
        if text.len() > 9 || text.is_empty() {
            return false;
        }
        if role == Role::Name {
            return matches!(text, "NULL" | "\\N");
        }
        if text.as_bytes()[0].is_ascii_digit() {
            return false;
        }
        MISSING.iter().any(|word| word.eq_ignore_ascii_case(text))
    }
}

/// What an event type of a file becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeOf {
    Event(EventType),
    /// The row is left out and counted.
    Skip,
}

/// Event types by the words of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventTypes {
    named: BTreeMap<String, TypeOf>,
    /// Type that all other words become.
    others: Option<TypeOf>,
}

impl EventTypes {
    /// Reads `from=to` pairs; `*=skip` is for all other words.
    pub(crate) fn new(pairs: &[(String, String)]) -> Result<Self, String> {
        let mut types = Self::default();
        for (from, to) in pairs {
            let to = match to.trim() {
                "skip" => TypeOf::Skip,
                name => TypeOf::Event(known_type(name).ok_or_else(|| {
                    format!("--event-types: `{}` is not {TYPES} or skip", shorten(name))
                })?),
            };
            if from.trim() == "*" {
                types.others = Some(to);
            } else {
                types.named.insert(from.trim().to_lowercase(), to);
            }
        }
        Ok(types)
    }

    /// `from=to` pairs that say the same, by word.
    pub(crate) fn pairs(&self) -> Vec<String> {
        let name = |of: &TypeOf| match of {
            TypeOf::Skip => "skip".to_owned(),
            TypeOf::Event(event) => {
                event.as_str_name().trim_start_matches("EVENT_TYPE_").to_lowercase()
            }
        };
        let named = self.named.iter().map(|(word, of)| format!("{word}={}", name(of)));
        named.chain(self.others.iter().map(|of| format!("*={}", name(of)))).collect()
    }

    /// What `word` stands for; `None` when nobody said.
    pub(crate) fn find(&self, word: &str) -> Option<TypeOf> {
        let word = word.trim();
        if !self.named.is_empty()
            && let Some(named) = self.named.get(&word.to_lowercase())
        {
            return Some(*named);
        }
        known_type(word).map(TypeOf::Event).or(self.others)
    }
}

/// Event types as messages list them.
pub(crate) const TYPES: &str = "view, click, favourite, add_to_cart, purchase, return, rating";

/// The event type of a name such as `purchase`, `ADD_TO_CART`, `addtocart` or `add-to-cart`.
fn known_type(name: &str) -> Option<EventType> {
    let mut normal = String::with_capacity(name.len());
    normal.extend(
        name.trim()
            .chars()
            .filter(|c| !matches!(c, '_' | '-' | ' '))
            .map(|c| c.to_ascii_lowercase()),
    );
    Some(match normal.strip_prefix("eventtype").unwrap_or(&normal) {
        "view" => EventType::View,
        "click" => EventType::Click,
        "favourite" | "favorite" => EventType::Favourite,
        "addtocart" => EventType::AddToCart,
        "purchase" => EventType::Purchase,
        "return" => EventType::Return,
        "rating" => EventType::Rating,
        _ => return None,
    })
}

/// The status of an item in the words of common shops.
pub(crate) fn item_status(word: &str) -> Result<ItemStatus, String> {
    match word.trim().to_lowercase().replace(['_', '-'], " ").as_str() {
        "active" | "activated" | "published" | "publish" | "enabled" | "enable" | "visible"
        | "live" | "listed" | "online" | "available" | "for sale" | "public" | "on" | "aktiv"
        | "1" | "1.0" | "true" | "t" | "yes" | "y" => Ok(ItemStatus::Active),
        "inactive" | "deactivated" | "draft" | "auto draft" | "archived" | "disabled"
        | "disable" | "hidden" | "private" | "pending" | "unpublished" | "unlisted" | "offline"
        | "unavailable" | "discontinued" | "retired" | "deleted" | "trash" | "trashed"
        | "expired" | "ended" | "paused" | "suspended" | "blocked" | "not for sale" | "off"
        | "inaktiv" | "0" | "0.0" | "false" | "f" | "no" | "n" => Ok(ItemStatus::Inactive),
        _ => Err(format!(
            "`{}` is not active (published, enabled, visible, 1) or inactive (draft, archived, \
             disabled, hidden, 0)",
            shorten(word)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_missing_hold_where_they_cannot_be_names() {
        let nulls = Nulls::default();
        for word in ["NULL", "\\N", "nan", "None", "NA", "n/a", "NaT", "(not set)"] {
            assert!(nulls.is_missing(word, Role::Plain), "{word}");
        }
        for word in ["NA", "None", "nan", "-", "null"] {
            assert!(!nulls.is_missing(word, Role::Name), "{word}");
        }
        assert!(nulls.is_missing("NULL", Role::Name) && nulls.is_missing("\\N", Role::Name));
        assert!(!nulls.is_missing("Nancy", Role::Plain));
        let named = Nulls::named(&["missing".into()]);
        assert!(named.is_missing("missing", Role::Name) && !named.is_missing("NULL", Role::Plain));
    }

    #[test]
    fn event_types_by_name() {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let types = EventTypes::new(&[pair("transaction", "purchase"), pair("*", "skip")]);
        let types = types.expect("known");
        assert_eq!(types.find("Transaction"), Some(TypeOf::Event(EventType::Purchase)));
        assert_eq!(types.find("addtocart"), Some(TypeOf::Event(EventType::AddToCart)));
        assert_eq!(types.find("EVENT_TYPE_VIEW"), Some(TypeOf::Event(EventType::View)));
        assert_eq!(types.find("login"), Some(TypeOf::Skip));
        assert_eq!(EventTypes::default().find("login"), None);
        assert!(EventTypes::new(&[pair("a", "b")]).is_err());
    }
}
