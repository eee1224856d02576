//! Which columns of a file make which field, from a preset, `--map`, `--set`, equal names, and names
//! that are common in shops.

pub(crate) mod amount;
mod expression;
mod kind;
pub(crate) mod preset;
pub(crate) mod recipe;
mod source;
mod unresolved;

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use self::source::Operator;
pub(crate) use self::{
    kind::Kind,
    preset::Preset,
    source::Source,
    unresolved::{Unresolved, listed},
};

/// What the user said about the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Field to column or expression.
    columns: BTreeMap<String, String>,
    /// Field to the value of every row.
    constants: BTreeMap<String, String>,
}

impl Mapping {
    /// What a preset says, overridden by `--map` and `--set`.
    pub(crate) fn new(
        kind: Kind,
        preset: Option<&preset::Layout>,
        map: &[String],
        set: &[String],
    ) -> Result<Self> {
        let mut mapping = Self::default();
        if let Some(preset) = preset {
            mapping.columns.clone_from(&preset.map);
            mapping.constants.clone_from(&preset.set);
        }
        for (lists, flag) in [(map, "--map"), (set, "--set")] {
            for list in lists {
                for (field, value) in expression::pairs(list, flag)? {
                    if !kind.knows(&field) {
                        bail!("{flag}: `{field}` is not a field of {kind}; {}", kind.known());
                    }
                    mapping.columns.remove(&field);
                    mapping.constants.remove(&field);
                    if flag == "--map" {
                        mapping.columns.insert(field, value);
                    } else {
                        mapping.constants.insert(field, value);
                    }
                }
            }
        }
        Ok(mapping)
    }

    /// Takes a field from an expression where nothing is said of it and the columns are there.
    pub(crate) fn fill_map(&mut self, kind: Kind, field: &str, text: &str, columns: &[String]) {
        let is_free = !self.columns.contains_key(field) && !self.constants.contains_key(field);
        if is_free
            && kind.knows(field)
            && !text.is_empty()
            && expression::parse(text, columns, &mut |column| column).is_ok()
        {
            self.columns.insert(field.to_owned(), text.to_owned());
        }
    }

    /// Gives a field one value where nothing is said of it.
    pub(crate) fn fill_set(&mut self, kind: Kind, field: &str, value: &str) {
        let is_free = !self.columns.contains_key(field) && !self.constants.contains_key(field);
        if is_free && kind.knows(field) && !value.is_empty() {
            self.constants.insert(field.to_owned(), value.to_owned());
        }
    }

    /// Finds the columns in the file `name`.
    pub(crate) fn resolve(&self, kind: Kind, name: &str, columns: &[String]) -> Result<Fields> {
        let mut fields = Fields::default();
        let mut missing = Vec::new();
        for (field, text) in &self.columns {
            match expression::parse(text, columns, &mut |column| fields.project(column)) {
                Ok(source) => {
                    fields.written.insert(field.clone(), Ok(text.clone()));
                    fields.sources.insert(field.clone(), source);
                }
                Err(expression::Problem::NoColumn(column)) => {
                    missing.push(format!("`{column}` (for {field})"));
                }
                Err(expression::Problem::Duplicate(column)) => {
                    return Err(Unresolved::duplicate(field, &column, columns).into());
                }
                Err(expression::Problem::Wrong(reason)) => {
                    bail!("--map {field}={text}: {reason}")
                }
            }
        }
        if !missing.is_empty() {
            let what = format!("{name} has no column {}", missing.join(", "));
            return Err(Unresolved::NoColumn { what, columns: columns.to_vec() }.into());
        }
        for (field, value) in &self.constants {
            fields.written.insert(field.clone(), Err(value.clone()));
            fields.sources.insert(field.clone(), Source::Constant(value.clone()));
        }
        fields.take_equal_names(kind, columns)?;
        fields.take_common_names(kind, columns);
        fields.name_columns(columns);
        let (required, _) = kind.fields();
        let mut lacking = Vec::new();
        for &field in required {
            if !fields.sources.contains_key(field) {
                lacking.push(field);
            }
        }
        if !lacking.is_empty() {
            let (name, columns) = (name.to_owned(), columns.to_vec());
            let hints = Vec::new();
            return Err(Unresolved::Lacking { name, kind, fields: lacking, columns, hints }.into());
        }
        Ok(fields)
    }
}

/// A name without case, spaces and signs.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The fields of a file, each with its source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    sources: BTreeMap<String, Source>,
    /// Columns to read, in the order of the cells of a row.
    pub(crate) projection: Vec<usize>,
    /// The cell that names a row, if there is one.
    pub(crate) row_id: Option<usize>,
    /// Fields that were found by a common name, and the column.
    pub(crate) guessed: Vec<(String, String)>,
    /// What each field is made of, in words: an expression, or the same text for all rows.
    pub(crate) written: BTreeMap<String, Result<String, String>>,
}

impl Fields {
    /// Columns that are named like fields which have no source yet.
    fn take_equal_names(&mut self, kind: Kind, columns: &[String]) -> Result<()> {
        let mut taken = BTreeMap::new();
        for (index, column) in columns.iter().enumerate() {
            let name = column.to_lowercase();
            let field = if name.starts_with("attribute.") { column } else { &name };
            if !kind.knows(field) || self.sources.contains_key(field) {
                continue;
            }
            if taken.insert(field.clone(), index).is_some() {
                return Err(Unresolved::duplicate(field, column, columns).into());
            }
        }
        // In the order of the file.
        let mut taken: Vec<(usize, String)> =
            taken.into_iter().map(|(field, index)| (index, field)).collect();
        taken.sort_unstable();
        for (index, field) in taken {
            let source = Source::Cell(self.project(index));
            self.sources.insert(field, source);
        }
        Ok(())
    }

    /// Columns that are named as shops often name a field, where that is one column alone.
    fn take_common_names(&mut self, kind: Kind, columns: &[String]) {
        let (required, optional) = kind.fields();
        for field in required.iter().chain(optional) {
            if self.sources.contains_key(*field) {
                continue;
            }
            let own = bare(field);
            for synonym in [own.as_str()].iter().chain(kind.synonyms(field)) {
                let mut found = columns
                    .iter()
                    .enumerate()
                    .filter(|(index, column)| bare(column) == *synonym && !self.is_field(*index));
                if let (Some((index, column)), None) = (found.next(), found.next()) {
                    let column = column.clone();
                    let source = Source::Cell(self.project(index));
                    self.sources.insert((*field).to_owned(), source);
                    self.guessed.push(((*field).to_owned(), column));
                    break;
                }
            }
        }
    }

    /// Writes each field that is a column as the column's name, however it was found; one of several
    /// of a name stays as the user wrote it.
    fn name_columns(&mut self, columns: &[String]) {
        for (field, source) in &self.sources {
            if let Source::Cell(cell) = source {
                let name = &columns[self.projection[*cell]];
                if find(columns, name).is_ok() {
                    self.written.insert(field.clone(), Ok(name.clone()));
                }
            }
        }
    }

    /// Whether a column alone makes a field. One that is part of an expression may make another.
    fn is_field(&self, column: usize) -> bool {
        self.sources
            .values()
            .any(|source| matches!(source, Source::Cell(cell) if self.projection[*cell] == column))
    }

    /// The source of `field`, if it has one.
    pub(crate) fn source(&self, field: &str) -> Option<Source> {
        self.sources.get(field).cloned()
    }

    /// All fields and their sources.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(field, source)| (field.as_str(), source))
    }

    /// Fields `attribute.NAME`: their names and sources.
    pub(crate) fn attributes(&self) -> Vec<(String, Source)> {
        self.sources
            .iter()
            .filter_map(|(field, source)| {
                Some((field.strip_prefix("attribute.")?.to_owned(), source.clone()))
            })
            .collect()
    }

    /// The fields that are made of a column.
    pub(crate) fn of_column(&self, column: usize) -> Vec<String> {
        let Some(place) = self.projection.iter().position(|&projected| projected == column) else {
            return Vec::new();
        };
        let mut fields = Vec::new();
        for (field, source) in &self.sources {
            let mut takes = false;
            source.visit_cells(&mut |cell| takes |= cell == place);
            if takes {
                fields.push(field.clone());
            }
        }
        fields
    }

    /// Columns that no field takes.
    pub(crate) fn unused(&self, columns: &[String]) -> Vec<String> {
        let unused =
            columns.iter().enumerate().filter(|(index, _)| !self.projection.contains(index));
        unused.map(|(_, name)| name.clone()).collect()
    }

    /// The cell that holds the column, which is read from now on.
    pub(crate) fn project(&mut self, column: usize) -> usize {
        self.projection.iter().position(|&projected| projected == column).unwrap_or_else(|| {
            self.projection.push(column);
            self.projection.len() - 1
        })
    }
}

/// The words of a name with one space between them: headers hold line breaks and hard spaces.
fn words(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The column of a name: exactly, else without regard to case, else to the kind of white space;
/// `NAME#2` is the second of several.
pub(crate) fn find(columns: &[String], name: &str) -> Result<usize, expression::Problem> {
    let name = name.trim();
    let by: [fn(&str, &str) -> bool; 3] = [
        |left, right| left == right,
        |left, right| left.eq_ignore_ascii_case(right),
        |left, right| words(left).eq_ignore_ascii_case(&words(right)),
    ];
    for equal in by {
        let mut found =
            columns.iter().enumerate().filter(|(_, column)| equal(column, name)).map(|(i, _)| i);
        if let Some(first) = found.next() {
            return match found.next() {
                None => Ok(first),
                Some(_) => Err(expression::Problem::Duplicate(name.to_owned())),
            };
        }
    }
    if let Some((base, place)) = name.rsplit_once('#')
        && let Some(place) = place.parse::<usize>().ok().and_then(|place| place.checked_sub(1))
    {
        let mut same =
            columns.iter().enumerate().filter(|(_, column)| column.eq_ignore_ascii_case(base));
        if let Some((index, _)) = same.nth(place) {
            return Ok(index);
        }
    }
    Err(expression::Problem::NoColumn(name.to_owned()))
}
