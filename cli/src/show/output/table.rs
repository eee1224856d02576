//! Tables of text that fit the screen: where all of it cannot stand, texts are wrapped; where that is
//! not enough, columns are left out in the order that the table states, and named below it.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};
use mercer_common::escape;

use super::{
    fold::{Words, columns, wrap},
    screen,
};

/// Columns between two columns.
const GAP: usize = 2;
/// Columns to which texts are narrowed before a column is left out: long ones, which get a quarter of
/// what they take, to more than short ones.
const COMFORT: (usize, usize) = (18, 40);
/// Columns to which they are narrowed when none can be left out.
const LEAST: usize = 6;

/// A table of text; columns whose header starts with `>` are numbers, aligned right, and those
/// whose header starts with `=` are pictures: neither is wrapped.
pub(crate) struct Table {
    columns: Vec<Column>,
    /// Escaped.
    rows: Vec<Vec<String>>,
    /// Headers of columns that can be done without, the first to go first.
    dropping: Vec<String>,
}

struct Column {
    header: String,
    is_number: bool,
    is_picture: bool,
    /// Width that the whole column takes.
    width: usize,
    /// Empty in every row.
    is_empty: bool,
    /// 0 in every row.
    is_zero: bool,
}

/// The columns that are shown with their widths, and the others.
#[derive(Debug, PartialEq)]
struct Layout {
    shown: Vec<(usize, usize)>,
    left_out: Vec<usize>,
}

impl Table {
    pub(crate) fn new(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        let mut escaped = Vec::new();
        for row in rows {
            escaped.push(row.iter().map(|cell| escape::text(cell).into_owned()).collect());
        }
        let mut columns = Vec::new();
        for (place, header) in headers.iter().enumerate() {
            columns.push(Column::new(header, place, &escaped));
        }
        Self { columns, rows: escaped, dropping: Vec::new() }
    }

    /// Names the columns that can be done without by their headers, the first to go first. Of them
    /// those that say nothing go before the others.
    pub(crate) fn dropping(self, headers: &[&str]) -> Self {
        Self { dropping: headers.iter().map(|&header| header.to_owned()).collect(), ..self }
    }

    /// What stands on a screen of so many columns; all of it without one.
    fn layout(&self, screen: Option<usize>) -> Layout {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let mut left_out = Vec::new();
        let Some(screen) = screen else {
            let shown = shown.into_iter().map(|at| (at, self.columns[at].width)).collect();
            return Layout { shown, left_out };
        };
        loop {
            if let Some(widths) = self.widths(&shown, screen, Column::comfort) {
                let shown = shown.into_iter().zip(widths).collect();
                return Layout { shown, left_out };
            }
            let Some(next) = self.next_to_go(&shown) else { break };
            shown.retain(|&at| at != next);
            left_out.push(next);
        }
        let narrowest = |column: &Column| column.at_least(LEAST);
        let widths = self
            .widths(&shown, screen, narrowest)
            .unwrap_or_else(|| shown.iter().map(|&at| narrowest(&self.columns[at])).collect());
        Layout { shown: shown.into_iter().zip(widths).collect(), left_out }
    }

    /// Widths with which these columns stand on the screen, the widest texts narrowed first and none
    /// below its `least`.
    fn widths(
        &self,
        shown: &[usize],
        screen: usize,
        least: impl Fn(&Column) -> usize,
    ) -> Option<Vec<usize>> {
        let room = screen.checked_sub(GAP * shown.len().saturating_sub(1))?;
        let shown = || shown.iter().map(|&at| &self.columns[at]);
        let widest = shown().map(|column| column.width).max().unwrap_or_default();
        for level in (0..=widest.min(room)).rev() {
            let narrowed = shown().map(|column| column.width.min(level.max(least(column))));
            let widths: Vec<usize> = narrowed.collect();
            if widths.iter().sum::<usize>() <= room {
                return Some(widths);
            }
        }
        None
    }

    /// Chooses which of these columns is left out next.
    fn next_to_go(&self, shown: &[usize]) -> Option<usize> {
        let empty = shown.iter().copied().find(|&at| self.columns[at].is_empty);
        let named =
            |header: &String| shown.iter().copied().find(|&at| self.columns[at].header == *header);
        let mut zero = self.dropping.iter().filter_map(named);
        let zero = zero.find(|&at| self.columns[at].is_zero);
        empty.or(zero).or_else(|| self.dropping.iter().find_map(named))
    }

    /// The table on a screen of so many columns.
    fn on(&self, screen: Option<usize>) -> String {
        let Layout { shown, left_out } = self.layout(screen);
        let mut grid = Grid::new();
        grid.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let wrapped = |text: &str, width: usize| wrap(text, width, width, Words::Broken).join("\n");
        grid.set_header(shown.iter().map(|&(at, width)| wrapped(&self.columns[at].header, width)));
        for row in &self.rows {
            let mut cells = Vec::new();
            for &(at, width) in &shown {
                cells.push(row.get(at).map_or_else(String::new, |cell| wrapped(cell, width)));
            }
            grid.add_row(cells);
        }
        for (&(at, _), column) in shown.iter().zip(grid.column_iter_mut()) {
            column.set_padding((0, GAP as u16));
            if self.columns[at].is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = grid.lines().map(|line| line.trim_end().to_owned());
        let mut text = lines.collect::<Vec<_>>().join("\n");
        let mut missed: Vec<&str> = Vec::new();
        for at in left_out {
            let column = &self.columns[at];
            if !column.is_empty {
                missed.push(&column.header);
            }
        }
        if !missed.is_empty() {
            text.push_str(&format!("\nleft out: {}; --wide shows all", missed.join(", ")));
        }
        text
    }
}

impl Column {
    /// The column of a header, whose cells stand in one place of each row.
    fn new(header: &str, place: usize, rows: &[Vec<String>]) -> Self {
        let text = header.trim_start_matches(['>', '=']);
        let cells = || rows.iter().map(|row| row.get(place).map_or("", String::as_str));
        Self {
            header: text.to_owned(),
            is_number: header.starts_with('>'),
            is_picture: header.starts_with('='),
            width: cells().map(columns).max().unwrap_or_default().max(columns(text)),
            is_empty: cells().all(str::is_empty),
            is_zero: cells().all(|cell| cell == "0"),
        }
    }

    /// Below this a column is left out rather than the text narrowed.
    fn comfort(&self) -> usize {
        let (short, long) = COMFORT;
        self.at_least((self.width / 4).clamp(short, long))
    }

    /// To what it can be narrowed, if texts may be as narrow as `least`.
    fn at_least(&self, least: usize) -> usize {
        match self.is_number || self.is_picture {
            true => self.width,
            false => self.width.min(least.max(columns(&self.header))),
        }
    }
}

/// Writes the table for the screen that data is printed on.
impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.on(screen::width()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&[&str]]) -> Vec<Vec<String>> {
        cells.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
    }

    fn table() -> Table {
        let title = "Green tea of the first harvest, loose";
        let cells = rows(&[&["a", title, "12", "0", ""], &["b", "Milk", "7", "0", ""]]);
        Table::new(&["item", "title", ">sold", ">clashes", "reason"], cells)
            .dropping(&["sold", "clashes"])
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let whole = "\
item  title                                  sold  clashes  reason
a     Green tea of the first harvest, loose    12        0
b     Milk                                      7        0";
        assert_eq!(table().on(None), whole);
        assert_eq!(table().on(Some(70)), whole);
    }

    #[test]
    fn texts_wrap_before_columns_are_left_out() {
        let wrapped = "\
item  title                 sold  clashes  reason
a     Green tea of the        12        0
      first harvest, loose
b     Milk                     7        0";
        assert_eq!(table().on(Some(50)), wrapped);
    }

    #[test]
    fn columns_go_in_the_stated_order_those_that_say_nothing_first() {
        let out = |screen| {
            let table = table();
            let left = table.layout(Some(screen)).left_out;
            left.iter().map(|&at| table.columns[at].header.clone()).collect::<Vec<_>>()
        };
        assert_eq!(out(48), [""; 0]);
        assert_eq!(out(40), ["reason"]);
        assert_eq!(out(32), ["reason", "clashes"]);
        assert_eq!(out(28), ["reason", "clashes", "sold"]);
        assert!(table().on(Some(32)).ends_with("\nleft out: clashes; --wide shows all"));
        // What nobody can do without is narrowed further, and numbers never.
        assert_eq!(table().layout(Some(20)).shown, [(0, 4), (1, 14)]);
    }

    #[test]
    fn a_long_text_has_more_room_than_a_short_one() {
        let why = "a reason, ".repeat(20);
        let cells = rows(&[&["sku-0001", "algorithm", why.as_str()]]);
        let table = Table::new(&["item", "source", "why"], cells).dropping(&["source"]);
        assert_eq!(table.layout(Some(60)).shown, [(0, 8), (2, 50)]);
        assert_eq!(table.layout(Some(61)).shown, [(0, 8), (1, 9), (2, 40)]);
    }

    #[test]
    fn long_words_are_broken_in_cells() {
        let cells = rows(&[&["demand,elasticity,inventory", "x"]]);
        let shown = Table::new(&["kinds", "state"], cells).on(Some(26));
        assert_eq!(shown, "kinds               state\ndemand,elasticity,  x\ninventory");
    }
}
