//! What a row of the catalogue clears: a cell `<clear>`, and blank cells where the user says so. All
//! other blank cells keep what is known.

use anyhow::{Result, bail};

use crate::import::{
    mapping::{Fields, Kind, Source},
    reading::cell::Cell,
    values::{Role, Row, words::CLEAR},
};

/// Effect of blank cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Blank {
    /// Nothing.
    #[default]
    Keeps,
    /// They clear what is known, of all fields that the file has.
    Clears,
    /// They clear what is known of these fields.
    ClearsOf(Vec<String>),
}

impl Blank {
    /// Reads `clears` and `clears=FIELD,...`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "clears" => Ok(Self::Clears),
            Some(("clears", fields)) => {
                Ok(Self::ClearsOf(fields.split(',').map(|field| field.trim().to_owned()).collect()))
            }
            _ => Err(format!("`{text}` is not clears or clears=FIELD,...")),
        }
    }

    /// Refuses fields that cannot be cleared.
    pub(crate) fn check(&self, kind: Kind) -> Result<()> {
        let Self::ClearsOf(fields) = self else { return Ok(()) };
        if let Some(wrong) = fields.iter().find(|field| path(kind, field).is_none()) {
            bail!("--blank clears={wrong}: that is no field of {kind} that can be cleared");
        }
        Ok(())
    }

    fn clears(&self, field: &str) -> bool {
        match self {
            Self::Keeps => false,
            Self::Clears => true,
            Self::ClearsOf(fields) => fields.iter().any(|named| {
                named == field || (named == "category" && field.starts_with("category_"))
            }),
        }
    }
}

/// The path under which a field is cleared, if it can be.
fn path(kind: Kind, field: &str) -> Option<String> {
    let terms = match field {
        "lead_time_days"
        | "lead_time_deviation_days"
        | "review_period_days"
        | "order_cost"
        | "holding_rate"
        | "minimum_order_quantity"
        | "pack_size"
        | "maximum_cover_days" => Some(format!("terms.{field}")),
        "cycle_service" | "fill_rate" => Some("terms.service".to_owned()),
        _ => None,
    };
    let own = |fields: &[&str]| fields.contains(&field).then(|| field.to_owned());
    let attribute = || field.strip_prefix("attribute.").map(|name| format!("attributes.{name}"));
    match kind {
        Kind::Events | Kind::CompetitorPrices => None,
        Kind::Items if field == "category" || field.starts_with("category_") => {
            Some("category_path".to_owned())
        }
        Kind::Items => {
            own(&["title", "description", "brand", "list_price", "unit_cost", "embedding"])
                .or_else(attribute)
        }
        Kind::Users => own(&["denied_item_ids"]).or_else(attribute),
        Kind::Stock => own(&["on_order", "backordered"]),
        Kind::Supply => own(&["supplier_id"]).or(terms),
        Kind::Suppliers => own(&["name"]).or(terms),
        Kind::Locations => own(&["name", "time_zone", "decrement_on_purchase"]),
    }
}

/// What can be cleared, and the cells that tell.
struct Target {
    path: String,
    role: Role,
    /// Each with whether it clears when it is blank.
    sources: Vec<(Source, bool)>,
}

/// Finds what rows clear.
pub(super) struct Clearer {
    targets: Vec<Target>,
}

impl Clearer {
    pub(super) fn new(kind: Kind, fields: &Fields, blank: &Blank) -> Self {
        let mut targets: Vec<Target> = Vec::new();
        for (field, source) in fields.sources() {
            let Some(path) = path(kind, field) else { continue };
            let source = (source.clone(), blank.clears(field));
            match targets.iter_mut().find(|target| target.path == path) {
                Some(target) => target.sources.push(source),
                None => {
                    let number = path.starts_with("terms.") || kind == Kind::Stock;
                    let number = number || matches!(field, "list_price" | "unit_cost");
                    let role = if number { Role::Plain } else { Role::Name };
                    targets.push(Target { path, role, sources: vec![source] });
                }
            }
        }
        Self { targets }
    }

    /// Whether anything can be cleared.
    pub(super) fn clears(&self) -> bool {
        !self.targets.is_empty()
    }

    /// The paths that a row clears: those of which all cells are blank, and one at least clears.
    pub(super) fn paths(&self, row: &Row<'_>) -> Vec<String> {
        let mut paths = Vec::new();
        for target in &self.targets {
            let mut named = false;
            let mut blank = false;
            let all = target.sources.iter().all(|(source, clears)| {
                named |= is_clear(source, row);
                blank |= clears;
                matches!(source.label(row, target.role), Ok(None))
            });
            if all && (named || blank) {
                let what = if named {
                    "fields were cleared by `<clear>`"
                } else {
                    "fields were cleared by blank cells"
                };
                row.values.change(what);
                paths.push(target.path.clone());
            }
        }
        paths
    }
}

fn is_clear(source: &Source, row: &Row<'_>) -> bool {
    let mut clear = false;
    source.visit_cells(&mut |cell| {
        clear |= matches!(&row.cells[cell], Cell::Text(text) if text.trim() == CLEAR);
    });
    clear
}
