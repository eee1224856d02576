//! Recipes: layouts that are not one event a row, and the query of DuckDB that makes a file of events of
//! them. Those that come with Mercer are the files in `recipes/`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::import::shell::quoted;

/// The version of the format.
const VERSION: u32 = 1;
/// Columns with a number that make a table a wide one.
const MANY: usize = 7;

const SHIPPED: [&str; 4] = [
    include_str!("recipes/instacart.toml"),
    include_str!("recipes/m5.toml"),
    include_str!("recipes/olist.toml"),
    include_str!("recipes/woocommerce.toml"),
];

/// How files become one file of events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    version: u32,
    pub(crate) name: String,
    /// What the file holds, behind "holds".
    pub(crate) about: String,
    /// The file that the query writes.
    output: String,
    /// Options of the import of that file.
    options: Vec<String>,
    /// Parts by the name that the query has for them.
    files: BTreeMap<String, Part>,
    query: Query,
}

/// A file that the query reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// Name of the file as it is published.
    name: String,
    /// Columns by which it is known.
    columns: Vec<String>,
    /// Many columns begin so, with a number behind.
    many: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    /// `{name}` is a file.
    sql: String,
}

/// What makes a file ready to be imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Error)]
#[error("{file} holds {about}: it is not one event a row")]
pub(crate) struct Preparing {
    file: String,
    about: String,
    /// Query for DuckDB.
    pub(crate) query: String,
    /// What imports the file that it writes.
    pub(crate) command: String,
}

impl Recipe {
    /// Recipes that come with Mercer.
    pub(crate) fn shipped() -> Result<Vec<Self>> {
        SHIPPED.iter().map(|text| Self::parse(text)).collect()
    }

    /// What to do with a file of these columns, if it is of a layout that is not one event a row.
    pub(crate) fn of(name: &str, columns: &[String]) -> Result<Option<Preparing>> {
        let shipped = Self::shipped()?;
        let mut recipes = shipped.iter();
        Ok(recipes.find_map(|recipe| recipe.preparing(name, columns)))
    }

    /// The names of the files that it reads.
    pub(crate) fn files(&self) -> Vec<String> {
        self.files.values().map(|part| part.name.clone()).collect()
    }

    fn parse(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text)?;
        if recipe.version != VERSION {
            bail!("it has version {}; this release reads version {VERSION}", recipe.version);
        }
        Ok(recipe)
    }

    fn preparing(&self, name: &str, columns: &[String]) -> Option<Preparing> {
        let (role, _) = self.files.iter().find(|(_, part)| part.is(columns))?;
        let path = Path::new(name);
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let mut sql = self.query.sql.trim().replace('\n', "\n    ");
        for (other, part) in &self.files {
            // The others lie beside it, under the names that they are published with.
            let beside = folder.join(&part.name);
            let path = if other == role && path.is_file() { path } else { &beside };
            let path = path.display().to_string().replace('\'', "''");
            sql = sql.replace(
                &format!("{{{other}}}"),
                &format!("read_csv('{path}', all_varchar = true)"),
            );
        }
        let mut words = vec!["mercer", "import", "events", &self.output];
        words.extend(self.options.iter().map(String::as_str));
        Some(Preparing {
            file: name.to_owned(),
            about: self.about.clone(),
            query: format!("COPY (\n    {sql}\n) TO '{}' (HEADER);", self.output),
            command: words.into_iter().map(quoted).collect::<Vec<_>>().join(" "),
        })
    }
}

impl Part {
    fn is(&self, columns: &[String]) -> bool {
        if let Some(begin) = &self.many {
            let numbered = columns.iter().filter(|column| is_numbered(column, begin));
            if numbered.count() < MANY {
                return false;
            }
        }
        self.columns
            .iter()
            .all(|name| columns.iter().any(|column| column.eq_ignore_ascii_case(name)))
    }
}

/// Whether a column's name is `begin` and a number.
fn is_numbered(column: &str, begin: &str) -> bool {
    column.strip_prefix(begin).is_some_and(|number| number.parse::<u32>().is_ok())
}

impl Preparing {
    /// Steps to take, for people.
    pub(crate) fn steps(&self) -> String {
        format!(
            "DuckDB makes a file of events of it with this query:\n\n{}\n\nThen:\n  {}",
            self.query, self.command
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(line: &str) -> Vec<String> {
        line.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn a_recipe_is_found_by_any_of_its_files_and_names_the_others_beside_it() {
        for (header, name, also) in [
            (
                "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value",
                "olist_events.csv",
                "read_csv('it''s/olist_orders_dataset.csv', all_varchar = true)",
            ),
            (
                "id,item_id,dept_id,cat_id,store_id,state_id,d_1,d_2,d_3,d_4,d_5,d_6,d_7",
                "m5_events.csv",
                "read_csv('it''s/calendar.csv', all_varchar = true)",
            ),
            (
                "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,\
                 days_since_prior_order",
                "instacart_events.csv",
                "read_csv('it''s/order_products__prior.csv', all_varchar = true)",
            ),
        ] {
            let found = Recipe::of("it's/f.csv", &columns(header)).expect("valid").expect(name);
            assert!(found.query.contains(also), "{}", found.query);
            assert!(found.query.ends_with(&format!(") TO '{name}' (HEADER);")), "{}", found.query);
            assert!(!found.query.contains('{'), "{}", found.query);
            let command = format!("mercer import events {name} --set type=purchase");
            assert!(found.command.starts_with(&command), "{}", found.command);
        }
        for header in ["item_id,type,timestamp", "id,item_id,dept_id,cat_id,store_id,d_1,d_2"] {
            assert_eq!(Recipe::of("f.csv", &columns(header)).expect("valid"), None, "{header}");
        }
    }

    #[test]
    fn the_file_at_hand_is_read_where_it_lies() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine.csv");
        std::fs::write(&path, "").expect("written");
        let name = path.to_str().expect("UTF-8");
        let header = columns("order_id,date,status,customer_id,line_items");
        let found = Recipe::of(name, &header).expect("valid").expect("a recipe");
        assert!(found.query.contains(&format!("read_csv('{name}'")), "{}", found.query);
    }
}
