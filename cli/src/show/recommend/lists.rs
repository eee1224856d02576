//! Lists of recommendations as a file.

use std::{fs::File, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use crate::show::sheet::{Cell, Sheet};

const SCHEMA: &str = "message recommendations {
    required binary user_id (UTF8);
    required int32 rank;
    required binary item_id (UTF8);
    required double score;
    required binary source (UTF8);
}";
/// Rows that are held in memory before they are written.
const GROUP: usize = 500_000;

/// An open file of lists; Parquet where its name says so, with ids as they are; a sheet otherwise.
pub(crate) enum ListFile {
    Parquet(Box<ParquetLists>),
    Csv(Box<Sheet>),
}

pub(crate) struct ParquetLists {
    writer: SerializedFileWriter<File>,
    rows: Rows,
}

#[derive(Default)]
struct Rows {
    users: Vec<ByteArray>,
    ranks: Vec<i32>,
    items: Vec<ByteArray>,
    scores: Vec<f64>,
    sources: Vec<ByteArray>,
}

impl ListFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
            let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
            let schema = Arc::new(parse_message_type(SCHEMA)?);
            let compression = Compression::ZSTD(ZstdLevel::default());
            let properties = WriterProperties::builder().set_compression(compression).build();
            let writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
            return Ok(Self::Parquet(Box::new(ParquetLists { writer, rows: Rows::default() })));
        }
        let columns = ["user_id", "rank", "item_id", "score", "source"];
        Ok(Self::Csv(Box::new(Sheet::create(path, &columns)?)))
    }

    pub(crate) fn write(
        &mut self,
        user: &str,
        rank: i32,
        item: &str,
        score: f64,
        source: &str,
    ) -> Result<()> {
        match self {
            Self::Parquet(lists) => {
                let rows = &mut lists.rows;
                rows.users.push(user.into());
                rows.ranks.push(rank);
                rows.items.push(item.into());
                rows.scores.push(score);
                rows.sources.push(source.into());
                if rows.ranks.len() == GROUP { lists.flush() } else { Ok(()) }
            }
            Self::Csv(sheet) => sheet.write(&[
                Cell::Text(user),
                Cell::number(rank),
                Cell::Text(item),
                Cell::number(score),
                Cell::Text(source),
            ]),
        }
    }

    /// Nothing is complete before.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Parquet(mut lists) => {
                lists.flush()?;
                lists.writer.close().context("writing the lists")?;
            }
            Self::Csv(sheet) => sheet.finish()?,
        }
        Ok(())
    }
}

impl ParquetLists {
    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.ranks.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in 0..5 {
            let Some(mut writer) = group.next_column()? else { break };
            match column {
                0 => writer.typed::<ByteArrayType>().write_batch(&rows.users, None, None)?,
                1 => writer.typed::<Int32Type>().write_batch(&rows.ranks, None, None)?,
                2 => writer.typed::<ByteArrayType>().write_batch(&rows.items, None, None)?,
                3 => writer.typed::<DoubleType>().write_batch(&rows.scores, None, None)?,
                _ => writer.typed::<ByteArrayType>().write_batch(&rows.sources, None, None)?,
            };
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Table;

    #[test]
    fn both_formats_hold_the_same_lists() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = |name: &str| {
            let path = folder.path().join(name);
            let mut file = ListFile::create(&path).expect("created");
            file.write("u", 1, "ä", 0.5, "algorithm").expect("written");
            file.write("-7", 2, "=b", -1.0, "popular").expect("written");
            file.write("'tis", 3, "'@b", 0.0, "rule").expect("written");
            file.finish().expect("complete");
            let mut table = Table::open(&path, b',').expect("a table");
            let names = ["user_id", "rank", "item_id", "score", "source"];
            assert_eq!(table.columns(), names);
            let mut rows: Vec<Vec<String>> = Vec::new();
            table
                .read(&[0, 2, 4], &mut |line| {
                    let mut row = Vec::new();
                    for cell in line.cells.expect("cells") {
                        row.push(cell.to_label().expect("a label").unwrap_or_default());
                    }
                    rows.push(row);
                    Ok(())
                })
                .expect("read");
            rows
        };
        let expected = [["u", "ä", "algorithm"], ["-7", "=b", "popular"], ["'tis", "'@b", "rule"]];
        assert_eq!(read("lists.parquet"), expected);
        assert_eq!(read("lists.csv"), expected);
    }
}
