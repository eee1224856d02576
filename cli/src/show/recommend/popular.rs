//! Popular items as they are shown.

use mercer_common::escape;
use mercer_proto::v1::PopularResponse;
use serde::Serialize;

use crate::show::{
    decision::Reason,
    output::{self, money},
};

#[derive(Debug, Serialize)]
pub(crate) struct PopularAnswer {
    coverage: f64,
    items: Vec<PopularRow>,
    token: String,
    /// What popularity goes by where nothing has been purchased.
    notes: Vec<Reason>,
}

#[derive(Debug, Serialize)]
struct PopularRow {
    item_id: String,
    popularity: u64,
    units: f64,
    revenue: Option<String>,
    title: String,
}

impl PopularAnswer {
    pub(crate) fn new(response: PopularResponse) -> Self {
        let items = response.items.into_iter().map(|item| PopularRow {
            item_id: item.item_id,
            popularity: item.popularity,
            units: item.units,
            revenue: item.revenue.as_ref().map(money),
            title: item.title,
        });
        Self {
            coverage: response.coverage,
            items: items.collect(),
            token: response.token,
            notes: Reason::all(response.notes),
        }
    }

    pub(crate) fn table(&self) -> String {
        let rows = self.items.iter().enumerate().map(|(index, item)| {
            vec![
                (index + 1).to_string(),
                item.item_id.clone(),
                output::count(item.popularity),
                item.units.to_string(),
                item.revenue.clone().unwrap_or_default(),
                item.title.clone(),
            ]
        });
        let counted = if self.notes.is_empty() { ">baskets" } else { ">user days" };
        let headers = [">", "item", counted, ">units", ">revenue", "title"];
        let table = output::table(&headers, rows);
        let mut text = format!("{table}\ncoverage {:.0} %", self.coverage * 100.0);
        for note in &self.notes {
            text.push('\n');
            text.push_str(&escape::text(note.message()));
        }
        text
    }
}
