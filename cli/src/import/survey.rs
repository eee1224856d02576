//! What the cells of a file's columns look like, before any is read: so that what can mean two things
//! is decided for a whole column, or asked.

use std::collections::BTreeMap;

use anyhow::Result;
use indexmap::IndexMap;

use super::{
    ask::{Question, shown},
    frequent::Frequent,
    options::Options,
    plan::Plan,
    reading::cell::{Cell, shorten},
    shell::quoted,
    uses::{Uses, uses},
    values::{
        ColumnReading, Dates, Decimals, Nulls, Role,
        number::{self, Evidence},
        time::{self, Seen},
        words::CLEAR,
    },
};

/// Why something is read as it is.
const BEFORE: &str = "the files of its source before";
/// Words for missing that are counted apart.
const WORDS: usize = 16;

/// A cell and where it stands.
type Example = Option<(u64, String)>;

/// Findings from the cells of a column.
#[derive(Clone, Debug, Default)]
struct Column {
    uses: Uses,
    not_utf8: Example,
    /// `03/04/2024` and what tells its order.
    ordered: Example,
    first_above_12: Example,
    second_above_12: Example,
    short_year: Example,
    compact: Example,
    serial: Example,
    point: Example,
    comma: Example,
    either_point: Example,
    either_comma: Example,
    /// Cells like `17850.0`, and whether there are others than these and `17850`.
    dot_zero: u64,
    not_whole: bool,
    /// Ids such as `4.00638E+12`, whose last digits are lost.
    exponent: Example,
    users: Frequent,
    missing: IndexMap<String, u64>,
}

/// What all files of an import look like, by the names of their columns.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    columns: BTreeMap<String, Column>,
    rows: u64,
    delimiters: Vec<u8>,
}

/// Decisions about the columns, and questions about the rest.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    columns: BTreeMap<String, ColumnReading>,
    /// Orders of dates that cells told, or files before.
    dates: Vec<Dates>,
    decimals: Vec<Decimals>,
    pub(crate) questions: Vec<Question>,
    pub(crate) notes: Vec<String>,
}

/// The value that all are.
fn one<T: Copy + PartialEq>(all: &[T]) -> Option<T> {
    all.first().copied().filter(|first| all.iter().all(|other| other == first))
}

impl Decided {
    /// The order of dates that holds in all columns where there is one.
    pub(crate) fn dates(&self) -> Option<Dates> {
        one(&self.dates)
    }

    /// The decimals that are written in all columns where they tell.
    pub(crate) fn decimals(&self) -> Option<Decimals> {
        one(&self.decimals)
    }

    /// The readings of a file's cells.
    pub(crate) fn readings(&self, plan: &Plan) -> Vec<ColumnReading> {
        let cells = 0..plan.fields.projection.len();
        cells.map(|cell| self.columns.get(plan.column(cell)).copied().unwrap_or_default()).collect()
    }
}

impl Survey {
    /// Looks at all rows of a file; `progress` is told how far it is.
    pub(crate) fn look(&mut self, plan: &Plan, progress: &dyn Fn(u64)) -> Result<()> {
        let nulls = plan.options.nulls.as_ref().map_or_else(Nulls::default, |w| Nulls::named(w));
        let mut columns: Vec<Column> =
            uses(plan).into_iter().map(|uses| Column { uses, ..Column::default() }).collect();
        let mut table = plan.table()?;
        self.delimiters.extend(table.delimiter());
        table.read(&plan.fields.projection, &mut |line| {
            self.rows += 1;
            if self.rows.is_multiple_of(4_096) {
                progress(line.position);
            }
            let Ok(cells) = line.cells else { return Ok(()) };
            for (cell, column) in cells.iter().zip(&mut columns) {
                column.look(cell, line.number, &nulls, &plan.options);
            }
            Ok(())
        })?;
        for (cell, column) in columns.into_iter().enumerate() {
            self.columns.entry(plan.column(cell).to_owned()).or_default().merge(column);
        }
        Ok(())
    }

    /// Decides what can be decided.
    pub(crate) fn decide(&self, options: &Options) -> Decided {
        let mut decided = Decided::default();
        for (name, column) in &self.columns {
            let mut reading = ColumnReading::default();
            column.decide_encoding(name, options, &mut decided);
            reading.dates = column.decide_dates(name, options, &mut decided);
            reading.decimals = column.decide_decimals(name, options, &mut decided);
            let is_id = column.uses.plain || column.uses.label;
            if is_id && column.dot_zero > 0 && !column.not_whole {
                reading.whole = true;
                decided.notes.push(format!(
                    "`{name}` holds whole numbers: `.0` was left out {} times",
                    column.dot_zero
                ));
            } else if (column.uses.plain || column.uses.id) && column.dot_zero > 0 {
                decided.notes.push(format!(
                    "`{name}` holds {} ids that end in `.0` and others that are no numbers: they \
                     are taken as they are written",
                    column.dot_zero
                ));
            }
            if let Some((line, text)) = &column.exponent {
                decided.notes.push(format!(
                    "`{name}` holds ids such as {}: a spreadsheet has cut their digits, and \
                     different ids look alike; export the column as text",
                    shown(text, *line)
                ));
            }
            if let Some((word, rows)) = column.users.outstanding() {
                let flag = quoted(&format!("NULL,NA,{word}"));
                decided.notes.push(format!(
                    "`{name}`: `{}` is the user of {rows} rows or more of {}: if that stands for \
                     guests, say --null {flag}",
                    shorten(word),
                    column.users.rows
                ));
            }
            if !column.missing.is_empty() {
                let words: Vec<String> = column
                    .missing
                    .iter()
                    .map(|(word, count)| format!("`{word}` {count}"))
                    .collect();
                let words = words.join(", ");
                decided.notes.push(format!("`{name}`: taken for missing: {words}"));
            }
            decided.columns.insert(name.clone(), reading);
        }
        decided
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a number with the exponent that spreadsheets write for long ones.
fn is_exponent(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once("E+").or_else(|| text.split_once("e+")) else {
        return false;
    };
    digits.split(['.', ',']).all(is_number) && is_number(exponent)
}

/// Keeps the first example.
fn keep(example: &mut Example, line: u64, text: &str) {
    if example.is_none() {
        *example = Some((line, text.to_owned()));
    }
}

impl Column {
    fn look(&mut self, cell: &Cell<'_>, line: u64, nulls: &Nulls, options: &Options) {
        let text = match cell {
            Cell::Text(text) => text.trim(),
            Cell::Malformed(Cell::NOT_UTF8) => return keep(&mut self.not_utf8, line, ""),
            Cell::Integer(number) if self.uses.time => {
                return self.look_at_time(&number.to_string(), line, options);
            }
            Cell::Float(number) if self.uses.time && number.abs() < 1e8 => {
                return self.look_at_time(&number.to_string(), line, options);
            }
            _ => return,
        };
        if text.is_empty() {
            return;
        }
        let uses = self.uses;
        let role = if uses.label { Role::Name } else { Role::Plain };
        if (uses.time || uses.number || uses.plain || uses.label) && nulls.is_missing(text, role) {
            // What clears is counted where it does.
            if text == CLEAR {
                return;
            }
            if self.missing.len() < WORDS || self.missing.contains_key(text) {
                *self.missing.entry(text.to_owned()).or_default() += 1;
            }
            return;
        }
        if uses.time {
            self.look_at_time(text, line, options);
        }
        if uses.number && text.bytes().any(|byte| byte == b',' || byte == b'.') {
            match number::evidence(text) {
                Evidence::None => {}
                Evidence::Point => keep(&mut self.point, line, text),
                Evidence::Comma => keep(&mut self.comma, line, text),
                Evidence::EitherPoint => keep(&mut self.either_point, line, text),
                Evidence::EitherComma => keep(&mut self.either_comma, line, text),
            }
        }
        if uses.user {
            self.users.add(text);
        }
        if (uses.plain || uses.id) && self.exponent.is_none() && is_exponent(text) {
            keep(&mut self.exponent, line, text);
        }
        if uses.plain || uses.label {
            let whole = text.strip_suffix(".0").filter(|digits| is_number(digits));
            let digits = whole.unwrap_or(text).as_bytes();
            self.not_whole |= !matches!(digits, [b'1'..=b'9', rest @ ..]
                if rest.iter().all(u8::is_ascii_digit));
            self.dot_zero += u64::from(whole.is_some());
        }
    }

    fn look_at_time(&mut self, text: &str, line: u64, options: &Options) {
        if !options.formats.is_empty() && time::parse(text, &options.formats, options.dates).is_ok()
        {
            return;
        }
        if time::begins_with_year(text) {
            return;
        }
        match time::see(text) {
            Seen::Time(_) | Seen::Other => {}
            Seen::Ordered { first, second, .. } => {
                keep(&mut self.ordered, line, text);
                if first > 12 {
                    keep(&mut self.first_above_12, line, text);
                }
                if second > 12 {
                    keep(&mut self.second_above_12, line, text);
                }
            }
            Seen::ShortYear => keep(&mut self.short_year, line, text),
            // A day beside a time of day can be nothing else.
            Seen::Compact(_) | Seen::Serial(_) if self.uses.part => {}
            Seen::Compact(_) => keep(&mut self.compact, line, text),
            Seen::Serial(_) => keep(&mut self.serial, line, text),
        }
    }

    fn merge(&mut self, other: Self) {
        let uses = &mut self.uses;
        uses.time |= other.uses.time;
        uses.part |= other.uses.part;
        uses.number |= other.uses.number;
        uses.plain |= other.uses.plain;
        uses.label |= other.uses.label;
        uses.id |= other.uses.id;
        uses.user |= other.uses.user;
        for (own, other) in [
            (&mut self.not_utf8, other.not_utf8),
            (&mut self.ordered, other.ordered),
            (&mut self.first_above_12, other.first_above_12),
            (&mut self.second_above_12, other.second_above_12),
            (&mut self.short_year, other.short_year),
            (&mut self.compact, other.compact),
            (&mut self.serial, other.serial),
            (&mut self.point, other.point),
            (&mut self.comma, other.comma),
            (&mut self.either_point, other.either_point),
            (&mut self.either_comma, other.either_comma),
            (&mut self.exponent, other.exponent),
        ] {
            *own = own.take().or(other);
        }
        self.dot_zero += other.dot_zero;
        self.not_whole |= other.not_whole;
        self.users.merge(other.users);
        for (word, count) in other.missing {
            *self.missing.entry(word).or_default() += count;
        }
    }

    fn decide_encoding(&self, name: &str, options: &Options, decided: &mut Decided) {
        let Some((line, _)) = &self.not_utf8 else { return };
        if options.form.encoding.is_some() {
            return;
        }
        decided.questions.push(Question::new(
            format!("`{name}` is not UTF-8 in line {line}: which encoding is it?"),
            [
                ("--encoding windows-1252", "Western European (also ISO 8859-1)".to_owned()),
                ("--encoding utf-8", "UTF-8; rows that are not are refused".to_owned()),
            ],
        ));
    }

    fn decide_dates(&self, name: &str, options: &Options, decided: &mut Decided) -> Option<Dates> {
        if options.dates.is_some() {
            return options.dates;
        }
        let proven = match (&self.first_above_12, &self.second_above_12) {
            (Some((day_line, day)), Some((month_line, month))) => {
                decided.questions.push(Question::new(
                    format!(
                        "`{name}` holds {} and {}: no order of day and month fits both; with one, \
                         the rows of the other are refused",
                        shown(day, *day_line),
                        shown(month, *month_line)
                    ),
                    [
                        ("--dates dmy", "day, month, year".to_owned()),
                        ("--dates mdy", "month, day, year".to_owned()),
                    ],
                ));
                return None;
            }
            (Some((line, text)), None) => Some((Dates::Dmy, "day before month", line, text)),
            (None, Some((line, text))) => Some((Dates::Mdy, "month before day", line, text)),
            (None, None) => None,
        };
        let usual = options
            .usual
            .dates
            .filter(|_| self.ordered.is_some() && proven.is_none() && options.formats.is_empty());
        decided.dates.extend(usual.or(proven.map(|(dates, ..)| dates)));
        if let Some(usual) = usual {
            let order = match usual {
                Dates::Dmy => "day first",
                Dates::Mdy => "month first",
                Dates::Ymd => "year first",
            };
            decided.notes.push(format!("`{name}` is read with the {order}, as {BEFORE}"));
        } else if let Some((_, order, line, text)) = &proven {
            decided.notes.push(format!(
                "`{name}` is read with the {order}, as {} can only be",
                shown(text, **line)
            ));
        } else if let Some((line, text)) =
            self.ordered.as_ref().filter(|_| options.formats.is_empty())
        {
            let means = |dates| match time::parse(text, &[], Some(dates)) {
                Ok(time::Stamp::Local(local)) => local.date().strftime("%-d %B %Y").to_string(),
                Ok(time::Stamp::Instant(time)) => time.strftime("%-d %B %Y").to_string(),
                Err(_) => "no date".to_owned(),
            };
            decided.questions.push(Question::new(
                format!("`{name}` holds {}: day or month first?", shown(text, *line)),
                [("--dates dmy", means(Dates::Dmy)), ("--dates mdy", means(Dates::Mdy))],
            ));
        }
        if options.formats.is_empty() {
            self.ask_for_formats(name, decided);
        }
        usual.or(proven.map(|(dates, ..)| dates))
    }

    fn ask_for_formats(&self, name: &str, decided: &mut Decided) {
        if let Some((line, text)) = &self.short_year {
            let formats = time::short_formats(text).into_iter();
            let choices = formats.map(|(format, means)| {
                (format!("--time-format {}", quoted(&format)), means.to_owned())
            });
            decided.questions.push(Question {
                about: format!("`{name}` holds {}, whose year has two digits", shown(text, *line)),
                choices: choices.collect(),
            });
        }
        if let Some((line, text)) = &self.compact {
            decided.questions.push(Question::new(
                format!("`{name}` holds {}: a day or seconds since 1970?", shown(text, *line)),
                [
                    ("--time-format %Y%m%d", "year, month and day".to_owned()),
                    ("--time-format epoch", "seconds since 1970".to_owned()),
                ],
            ));
        }
        if let Some((line, text)) = &self.serial {
            let shown = shown(text, *line);
            decided.questions.push(Question::new(
                format!("`{name}` holds {shown}: a spreadsheet's day or seconds since 1970?"),
                [
                    ("--time-format excel", "days since 1900, as Excel has them".to_owned()),
                    ("--time-format excel-1904", "days since 1904, as old Macs have them".into()),
                    ("--time-format epoch", "seconds since 1970".to_owned()),
                ],
            ));
        }
    }

    fn decide_decimals(&self, name: &str, options: &Options, decided: &mut Decided) -> Decimals {
        if let Some(decimals) = options.decimals {
            return decimals;
        }
        let choices = |point: &str, comma: &str| {
            [
                ("--decimal-point", format!("{point}: points before decimals")),
                ("--decimal-comma", format!("{comma}: commas before decimals")),
            ]
        };
        match (&self.point, &self.comma) {
            (Some((point_line, point)), Some((comma_line, comma))) => {
                let about = format!(
                    "`{name}` holds {} and {}: decimals are written in two ways; with one, the \
                     rows of the other are refused",
                    shown(point, *point_line),
                    shown(comma, *comma_line)
                );
                decided.questions.push(Question::new(about, choices(point, comma)));
                Decimals::Point
            }
            (None, Some((line, text))) => {
                decided.notes.push(format!(
                    "`{name}` is read with commas before decimals, as {} can only be",
                    shown(text, *line)
                ));
                decided.decimals.push(Decimals::Comma);
                Decimals::Comma
            }
            (Some(_), None) => {
                decided.decimals.push(Decimals::Point);
                Decimals::Point
            }
            (None, None) => {
                if let Some(usual) = options.usual.decimals {
                    return usual;
                }
                let either = self.either_comma.as_ref().or(self.either_point.as_ref());
                if let Some((line, text)) = either {
                    let (whole, part) = text.split_once([',', '.']).unwrap_or((text, ""));
                    let thousands = format!("{whole}{part}");
                    let decimal = format!("{whole}.{part}");
                    let about =
                        format!("`{name}` holds {}: thousands or decimals?", shown(text, *line));
                    let choices = if self.either_comma.is_some() {
                        choices(&thousands, &decimal)
                    } else {
                        choices(&decimal, &thousands)
                    };
                    decided.questions.push(Question::new(about, choices));
                }
                Decimals::Point
            }
        }
    }
}
