//! How the files of a source are read, as the cluster remembers it: what was answered once is not
//! asked again, and files that are to be read otherwise are asked about. They may hold rows that are
//! loaded already, without sharing one with them.
//!
//! Entries are named as the options of the command line; `map.FIELD` and `set.FIELD` are of `--map`
//! and `--set`.

use std::collections::BTreeMap;

use clap::ValueEnum;

use super::{
    ask::Question,
    mapping::{Kind, Mapping, amount::AmountIs, preset::Reading},
    options::{Options, Usual},
    plan::Plan,
    shell::quoted,
    survey::Decided,
    values::Decimals,
};

/// What makes a row's key unless a column names rows: without one of these it is another row.
const KEY_FIELDS: [&str; 7] =
    ["type", "item_id", "timestamp", "user_id", "basket_id", "session_id", "location_id"];

/// Bytes of a name or a value that a cluster keeps: what is longer is asked for again.
const BYTES: usize = 1_000;

/// Entries by name.
pub(crate) type Entries = BTreeMap<String, String>;

/// Fills what the user does not say with what is remembered, where files with these columns can be
/// read so. What another release may have stored and this one cannot read says nothing.
pub(crate) fn fill(
    entries: &Entries,
    columns: &[String],
    mapping: &mut Mapping,
    options: &mut Options,
) {
    let remembered = Options::of_preset(&reading_of(entries)).unwrap_or_default();
    let usual = Usual { dates: remembered.dates, decimals: remembered.decimals };
    let row_id = entries.get("row-id").filter(|name| columns.contains(name)).cloned();
    *options = std::mem::take(options).or(Options {
        dates: None,
        decimals: None,
        usual,
        row_id,
        amount_is: entries.get("amount-is").and_then(|text| AmountIs::from_str(text, true).ok()),
        fill_down: Vec::new(),
        skips: Vec::new(),
        ..remembered
    });
    for (name, value) in entries {
        if let Some(field) = name.strip_prefix("map.") {
            mapping.fill_map(Kind::Events, field, value, columns);
        } else if let Some(field) = name.strip_prefix("set.") {
            mapping.fill_set(Kind::Events, field, value);
        }
    }
}

/// Reading of remembered entries, as a preset says it.
fn reading_of(entries: &Entries) -> Reading {
    let text = |name: &str| entries.get(name).filter(|text| !text.is_empty()).cloned();
    let lines = |name: &str| -> Vec<String> {
        text(name).map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
    };
    let mut event_types = BTreeMap::new();
    for line in lines("event-types") {
        if let Some((from, to)) = line.rsplit_once('=') {
            event_types.insert(from.to_owned(), to.to_owned());
        }
    }
    Reading {
        time_zone: text("time-zone"),
        time_format: lines("time-format"),
        dates: text("dates"),
        decimal_comma: text("decimals").map(|which| which == "comma"),
        encoding: text("encoding"),
        null: text("null").map(|_| lines("null")),
        event_types,
        negative: text("negative"),
        fill_down: Vec::new(),
        skip: Vec::new(),
    }
}

/// How `plan` is read, as far as it was said or found out. `local_zone` is that of its times if some
/// name none.
pub(crate) fn entries(plan: &Plan, decided: &Decided, local_zone: Option<&str>) -> Entries {
    let options = &plan.options;
    let mut entries = Entries::new();
    let mut say = |name: &str, value: String| _ = entries.insert(name.to_owned(), value);
    if let Some(zone) = local_zone.or(options.time_zone.as_deref()) {
        say("time-zone", zone.to_owned());
    }
    if !options.formats.is_empty() {
        let formats: Vec<String> = options.formats.iter().map(ToString::to_string).collect();
        say("time-format", formats.join("\n"));
    }
    if let Some(dates) = options.dates.or(decided.dates()) {
        say("dates", word(&dates));
    }
    if let Some(decimals) = options.decimals.or(decided.decimals()) {
        let which = if decimals == Decimals::Comma { "comma" } else { "point" };
        say("decimals", which.to_owned());
    }
    if let Some(encoding) = options.form.encoding {
        say("encoding", encoding.name().to_owned());
    }
    if let Some(words) = &options.nulls {
        say("null", words.join("\n"));
    }
    let types = options.event_types.pairs();
    if !types.is_empty() {
        say("event-types", types.join("\n"));
    }
    if let Some(negative) = &options.negative {
        say("negative", word(negative));
    }
    if let Some(amount_is) = &options.amount_is {
        say("amount-is", word(amount_is));
    }
    say("row-id", options.row_id.clone().unwrap_or_default());
    for field in KEY_FIELDS {
        say(&format!("map.{field}"), String::new());
        say(&format!("set.{field}"), String::new());
    }
    for (field, text) in &plan.fields.written {
        match text {
            Ok(column) => say(&format!("map.{field}"), column.clone()),
            Err(constant) => say(&format!("set.{field}"), constant.clone()),
        }
    }
    entries.retain(|name, value| name.len().max(value.len()) <= BYTES);
    entries
}

/// Word of the command line for a value.
fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// What only the user can say of files that are read otherwise than those before.
pub(crate) fn question(
    source: &str,
    names: &[String],
    before: &Entries,
    now: &Entries,
) -> Question {
    let nothing = String::new();
    let mut said = Vec::new();
    let mut as_before = Vec::new();
    for name in names {
        let [was, is] = [before, now].map(|entries| entries.get(name).unwrap_or(&nothing));
        let shown = |value: &str| match value {
            "" => "not given".to_owned(),
            value => format!("`{}`", value.replace('\n', ", ")),
        };
        said.push(format!("{name} was {} and is {}", shown(was), shown(is)));
        as_before.extend(flags(name, was));
    }
    let about = format!(
        "source {source} was read otherwise before ({}): read so, its rows would count twice where \
         these files hold some that were loaded already",
        said.join("; ")
    );
    let reread = "so from now on; what was loaded before stays: `mercer imports list` shows it, and \
                  `mercer imports undo` takes out what was read wrongly";
    if as_before.is_empty() {
        return Question::new(about, [("--reread", reread.to_owned())]);
    }
    let again = as_before.join(" ");
    Question::new(
        about,
        [(again.as_str(), "as before".to_owned()), ("--reread", reread.to_owned())],
    )
}

/// The options that say an entry, if there are such.
fn flags(name: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    if let Some((flag, field)) = name.split_once('.') {
        return Some(format!("--{flag} {}", quoted(&format!("{field}={value}"))));
    }
    Some(match name {
        "decimals" => format!("--decimal-{value}"),
        "time-format" => {
            let formats = value.lines().map(|format| format!("--time-format {}", quoted(format)));
            formats.collect::<Vec<_>>().join(" ")
        }
        name => format!("--{name} {}", quoted(&value.replace('\n', ","))),
    })
}
