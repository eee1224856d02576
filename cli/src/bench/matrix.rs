//! The matrix of ones that kernels are measured on: made up, or read from a file of interactions.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use indexmap::{IndexMap, IndexSet};
use mercer_algorithms::{
    linalg::sparse::CsrBuf,
    recommend::{popularity, synthetic::power_law},
};

use crate::import::Table;

/// Where the matrix comes from.
#[derive(Debug, clap::Args)]
pub(super) struct MatrixArgs {
    /// Rows of the made-up matrix.
    #[arg(long, default_value_t = 100_000)]
    pub(super) users: usize,
    /// Columns of the made-up matrix.
    #[arg(long, default_value_t = 20_000)]
    pub(super) items: usize,
    /// Entries of the made-up matrix, about.
    #[arg(long, default_value_t = 5_000_000)]
    pub(super) interactions: usize,
    /// Popularity falls like rank^-exponent.
    #[arg(long, default_value_t = 0.8)]
    exponent: f64,
    /// Seed of the made-up matrix.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Interactions to read instead: CSV or Parquet, the latest last.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Column of the file that names users.
    #[arg(long, default_value = "user_id")]
    user_column: String,
    /// Column of the file that names items.
    #[arg(long, default_value = "item_id")]
    item_column: String,
    /// Latest distinct items of a user that count, of a file.
    #[arg(long, default_value_t = 500)]
    cap: usize,
}

impl MatrixArgs {
    /// The matrix, columns by popularity, and the number of items.
    pub(super) fn matrix(&self) -> Result<(CsrBuf, usize)> {
        if self.file.is_some() {
            return self.read();
        }
        self.made_up(1)
    }

    /// The made-up matrix with the `divisor`-th part of its users.
    pub(super) fn made_up(&self, divisor: usize) -> Result<(CsrBuf, usize)> {
        if !(self.exponent >= 0.0 && self.exponent.is_finite())
            || u32::try_from(self.items).is_err()
        {
            bail!("--exponent must be 0 or above, and --items below 2^32");
        }
        let (users, interactions) = (self.users / divisor, self.interactions / divisor);
        Ok((power_law(users, self.items, interactions, self.exponent, self.seed), self.items))
    }

    pub(super) fn is_made_up(&self) -> bool {
        self.file.is_none()
    }

    fn read(&self) -> Result<(CsrBuf, usize)> {
        let path = self.file.as_deref().ok_or_else(|| anyhow!("no file is named"))?;
        let mut table = Table::open(path, b',')?;
        let columns = table.columns();
        let find = |name: &str| {
            let found = columns.iter().position(|column| column == name);
            let known = columns.join(", ");
            found
                .with_context(|| format!("{} has no column {name}; it has {known}", path.display()))
        };
        let projection = [find(&self.user_column)?, find(&self.item_column)?];
        let mut items: IndexSet<String> = IndexSet::new();
        // By user, the items, the latest last.
        let mut users: IndexMap<String, IndexSet<usize>> = IndexMap::new();
        table.read(&projection, &mut |line| {
            let number = line.number;
            let at = |reason: String| anyhow!("line {number}: {reason}");
            let cells = line.cells.map_err(at)?;
            let label =
                |cell: usize| cells[cell].to_label().map_err(|reason| at(reason.to_string()));
            let (Some(user), Some(item)) = (label(0)?, label(1)?) else {
                bail!("line {number}: an id is missing");
            };
            let (item, _) = items.insert_full(item);
            let row = users.entry(user).or_default();
            row.shift_remove(&item);
            row.insert(item);
            Ok(())
        })?;
        let mut counts = vec![0u64; items.len()];
        let capped = |row: &IndexSet<usize>| row.len().saturating_sub(self.cap);
        for row in users.values() {
            row.iter().skip(capped(row)).for_each(|&item| counts[item] += 1);
        }
        let labels = popularity::inverse(&popularity::order(&counts));
        let mut matrix = CsrBuf::new(false);
        for row in users.values() {
            let kept = row.iter().skip(capped(row));
            let mut entries: Vec<(u32, f32)> = kept.map(|&item| (labels[item], 1.0)).collect();
            matrix.push_row(&mut entries);
        }
        Ok((matrix, items.len()))
    }
}
