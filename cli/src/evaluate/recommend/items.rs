//! What the items are.

use std::{collections::HashMap, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};
use mercer_algorithms::{
    control::{Cancelled, Unattended},
    recommend::{
        content::{ContentSpec, ItemText, TermsBuf, matrix, neighbours as nearest},
        hybrid::ItemFacts,
        postings::{NeighbourRows, PostingsBuf, regroup},
    },
};

use super::files::Events;
use crate::import::Table;

/// Items by id.
#[derive(Default)]
pub(super) struct Catalogue {
    items: HashMap<String, Item>,
}

#[derive(Clone, Debug, Default)]
struct Item {
    facts: ItemFacts,
    title: String,
    description: String,
    brand: String,
    category: Vec<String>,
    attributes: Vec<(String, String)>,
}

/// Reads all items and makes them known to `events`.
pub(super) fn read(path: &Path, events: &mut Events) -> Result<Catalogue> {
    let mut table = Table::open(path, b',')?;
    let columns: Vec<String> =
        table.columns().iter().map(|column| column.to_ascii_lowercase()).collect();
    let Some(id_cell) = columns.iter().position(|column| column == "item_id") else {
        bail!("{} needs the column item_id; it has: {}", path.display(), columns.join(", "));
    };
    let projection: Vec<usize> = (0..columns.len()).collect();
    let mut catalogue = Catalogue::default();
    table
        .read(&projection, &mut |line| {
            let number = line.number;
            let wrong = |reason: String| anyhow!("line {number}: {reason}");
            let cells = line.cells.map_err(wrong)?;
            let Some(id) = cells[id_cell].to_label().map_err(wrong)? else {
                bail!("line {number}: item_id is missing");
            };
            let mut item = Item::default();
            for (column, cell) in columns.iter().zip(&cells) {
                let Some(text) = cell.to_label().map_err(wrong)? else { continue };
                match column.as_str() {
                    "item_id" => {}
                    "title" => item.title = text,
                    "description" => item.description = text,
                    "brand" => item.brand = text,
                    "price" => item.facts.price = cell.to_number().map_err(wrong)?,
                    "in_stock" => item.facts.in_stock = cell.to_bool().map_err(wrong)?,
                    name if name.starts_with("category") => item.category.push(text),
                    name => item.attributes.push((name.to_owned(), text)),
                }
            }
            events.add_item(&id);
            catalogue.items.insert(id, item);
            Ok(())
        })
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(catalogue)
}

impl Catalogue {
    /// Facts and texts of `ids`, in their order.
    pub(super) fn by_row(self, ids: &[String]) -> (Vec<ItemFacts>, Option<TermsBuf>) {
        let mut terms = TermsBuf::default();
        let mut facts = Vec::with_capacity(ids.len());
        let nothing = Item::default();
        for id in ids {
            let item = self.items.get(id).unwrap_or(&nothing);
            facts.push(item.facts);
            let path: Vec<&str> = item.category.iter().map(String::as_str).collect();
            let attributes: Vec<(&str, &str)> = item
                .attributes
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            terms.push(&ItemText {
                title: &item.title,
                description: &item.description,
                category_path: &path,
                brand: &item.brand,
                attributes: &attributes,
            });
        }
        (facts, Some(terms))
    }
}

/// The nearest items by what is said of them.
pub(super) fn neighbours(
    texts: &TermsBuf,
    spec: &ContentSpec,
    k: usize,
) -> Result<PostingsBuf, Cancelled> {
    let parts = [texts.view().expect("terms that were pushed are sound")];
    // Rows are their own labels: nothing here depends on popularity.
    let rows: Vec<u32> = (0..).take(parts[0].items()).collect();
    let matrix = matrix(spec, &parts, &rows, &Unattended)?;
    let terms = [matrix.view(rows.len()).expect("a matrix of sound terms")];
    let all = 0..rows.len() as u32;
    let near = nearest(spec, &terms, None, &rows, all.clone(), k, &Unattended)?;
    regroup(&[NeighbourRows::from(&near)], &rows, all, &Unattended)
}
