//! Parquet files with flat columns, read in batches of rows through typed column readers.

use std::{borrow::Cow, fs::File};

use anyhow::{Result, bail};
use jiff::{Timestamp, ToSpan as _, civil};
use parquet::{
    basic::{Compression, ConvertedType, LogicalType, TimeUnit},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{ByteArray, DataType, FixedLenByteArray, Int96},
    errors::ParquetError,
    file::reader::{FileReader as _, SerializedFileReader},
    schema::types::ColumnDescPtr,
};

use super::{COLUMNS, Line, TableError, cell::Cell, guard::guarded};

/// Rows decoded at a time.
const BATCH: usize = 4_096;

/// An open Parquet file.
pub(super) struct ParquetTable {
    reader: SerializedFileReader<File>,
    columns: Vec<String>,
}

impl ParquetTable {
    /// Reads the footer of a file that is called `name`.
    pub(super) fn open(name: &str, file: File) -> Result<Self> {
        let reader = guarded(|| {
            SerializedFileReader::new(file).map_err(|error| {
                let reason = describe(&error);
                TableError::NotParquet { name: name.to_owned(), reason }.into()
            })
        })?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        if schema.num_columns() > COLUMNS {
            bail!("{name} has {} columns; at most {COLUMNS} are read", schema.num_columns());
        }
        let columns = schema.columns().iter().map(|column| column.path().string()).collect();
        Ok(Self { reader, columns })
    }

    /// Names of the columns, in order.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether a column holds lists, or parts of them.
    pub(super) fn holds_lists(&self, column: usize) -> bool {
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        schema.column(column).max_rep_level() > 0
    }

    /// Rows in the file, as its footer says.
    fn rows(&self) -> u64 {
        u64::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Calls `visit` with the projected cells of every row of a file of so many bytes.
    pub(super) fn read(
        &mut self,
        projection: &[usize],
        bytes: u64,
        visit: &mut dyn FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        for &column in projection {
            if schema.column(column).max_rep_level() > 0 {
                bail!("column `{}` holds lists; a flat column is needed", self.columns[column]);
            }
        }
        for &column in projection {
            if let Some(what) = unreadable(&schema.column(column)) {
                bail!("column `{}` holds {what}, which are not read", self.columns[column]);
            }
        }
        self.check_codecs(projection)?;
        let all = self.rows().max(1);
        let mut row = 0;
        for group in 0..self.reader.num_row_groups() {
            let (rows, mut columns) = guarded(|| {
                let group = self.reader.get_row_group(group).map_err(damaged)?;
                let columns = projection.iter().map(|&column| {
                    let reader = group.get_column_reader(column).map_err(damaged)?;
                    Ok(Column::new(schema.column(column), reader))
                });
                Ok((group.metadata().num_rows(), columns.collect::<Result<Vec<_>>>()?))
            })?;
            let mut left = usize::try_from(rows)?;
            while left > 0 {
                let wanted = left.min(BATCH);
                guarded(|| columns.iter_mut().try_for_each(|column| column.fill(wanted)))?;
                for _ in 0..wanted {
                    row += 1;
                    let cells = columns.iter_mut().map(Column::next).collect();
                    let position = u128::from(row) * u128::from(bytes) / u128::from(all);
                    visit(Line { number: row, position: position as u64, cells: Ok(cells) })?;
                }
                left -= wanted;
            }
        }
        Ok(())
    }

    /// Refuses columns that are packed in a way that this build cannot read.
    fn check_codecs(&self, projection: &[usize]) -> Result<()> {
        let metadata = self.reader.metadata();
        for group in metadata.row_groups() {
            for &column in projection {
                let codec = match group.column(column).compression() {
                    Compression::BROTLI(_) => "brotli",
                    Compression::LZ4 | Compression::LZ4_RAW => "lz4",
                    Compression::LZO => "lzo",
                    _ => continue,
                };
                bail!(
                    "column `{}` is compressed with {codec}, which this build cannot read; write \
                     the file with zstd, snappy, gzip or without compression",
                    self.columns[column]
                );
            }
        }
        Ok(())
    }
}

/// What the crate says, without its prefix.
fn describe(error: &ParquetError) -> String {
    match error {
        ParquetError::General(text) | ParquetError::EOF(text) => text.clone(),
        other => other.to_string(),
    }
}

fn damaged(error: ParquetError) -> anyhow::Error {
    anyhow::anyhow!("the Parquet file is damaged: {}", describe(&error))
}

/// What a column holds that no cell stands for, if it does.
fn unreadable(column: &ColumnDescPtr) -> Option<&'static str> {
    match (column.logical_type_ref(), column.converted_type()) {
        (_, ConvertedType::INTERVAL) => Some("intervals"),
        (Some(LogicalType::Float16), _) => Some("numbers of 16 bits"),
        (Some(LogicalType::Bson), _) | (_, ConvertedType::BSON) => Some("BSON"),
        _ => None,
    }
}

/// What the numbers of a column mean.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    Plain,
    Unsigned,
    Date,
    Clock { unit: i128 },
    Time { unit: i128, utc: bool },
    Decimal { scale: u32 },
    Uuid,
}

impl Meaning {
    fn of(column: &ColumnDescPtr) -> Self {
        let nanos = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1_000,
            TimeUnit::NANOS => 1,
        };
        let decimal =
            |scale: i32| Self::Decimal { scale: u32::try_from(scale).unwrap_or_default().min(38) };
        match column.logical_type_ref() {
            Some(LogicalType::Timestamp(time)) => {
                Self::Time { unit: nanos(&time.unit), utc: time.is_adjusted_to_u_t_c }
            }
            Some(LogicalType::Time(time)) => Self::Clock { unit: nanos(&time.unit) },
            Some(LogicalType::Date) => Self::Date,
            Some(LogicalType::Decimal(decimal_type)) => decimal(decimal_type.scale),
            Some(LogicalType::Integer(integer)) if !integer.is_signed => Self::Unsigned,
            Some(LogicalType::Uuid) => Self::Uuid,
            Some(_) => Self::Plain,
            None => match column.converted_type() {
                ConvertedType::TIMESTAMP_MILLIS => Self::Time { unit: 1_000_000, utc: true },
                ConvertedType::TIMESTAMP_MICROS => Self::Time { unit: 1_000, utc: true },
                ConvertedType::TIME_MILLIS => Self::Clock { unit: 1_000_000 },
                ConvertedType::TIME_MICROS => Self::Clock { unit: 1_000 },
                ConvertedType::DATE => Self::Date,
                ConvertedType::DECIMAL => decimal(column.type_scale()),
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64 => Self::Unsigned,
                _ => Self::Plain,
            },
        }
    }

    fn integer(self, number: i64, unsigned: u64) -> Cell<'static> {
        match self {
            Self::Plain | Self::Uuid => Cell::Integer(number.into()),
            Self::Unsigned => Cell::Integer(unsigned.into()),
            Self::Decimal { scale } => Cell::Decimal { unscaled: number.into(), scale },
            Self::Date => i32::try_from(number)
                .ok()
                .and_then(|days| civil::date(1970, 1, 1).checked_add(days.days()).ok())
                .map_or(Cell::Malformed("is outside the calendar"), |date| {
                    Cell::Local(date.to_datetime(civil::Time::midnight()))
                }),
            Self::Clock { unit } => {
                let nanos = i128::from(number).checked_mul(unit);
                let nanos = nanos.and_then(|nanos| i64::try_from(nanos).ok()).filter(|&n| n >= 0);
                let time = nanos.and_then(|nanos| {
                    civil::Time::midnight().checked_add(nanos.nanoseconds()).ok()
                });
                time.map_or(Cell::Malformed("is not a time of day"), Cell::Clock)
            }
            Self::Time { unit, utc } => {
                let Ok(time) = Timestamp::from_nanosecond(i128::from(number) * unit) else {
                    return Cell::Malformed("is outside the calendar");
                };
                if utc {
                    Cell::Instant(time)
                } else {
                    Cell::Local(time.to_zoned(jiff::tz::TimeZone::UTC).datetime())
                }
            }
        }
    }

    fn bytes(self, bytes: &[u8]) -> Cell<'_> {
        match self {
            Self::Decimal { scale } => match big_endian(bytes) {
                Some(unscaled) => Cell::Decimal { unscaled, scale },
                None => Cell::Malformed("has more than 38 digits"),
            },
            Self::Uuid => match uuid::Uuid::from_slice(bytes) {
                Ok(uuid) => Cell::Text(Cow::Owned(uuid.to_string())),
                Err(_) => Cell::Malformed("is not a UUID"),
            },
            _ => std::str::from_utf8(bytes).map_or(Cell::Malformed("is not UTF-8"), Cell::text),
        }
    }
}

/// A two's-complement number of at most 16 bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    if bytes.is_empty() || bytes.len() > 16 {
        return None;
    }
    let negative = bytes[0] & 0x80 != 0;
    let mut wide = if negative { [0xff; 16] } else { [0; 16] };
    wide[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// A column of the open row group with the batch that is being handed out.
struct Column {
    meaning: Meaning,
    max_definition: i16,
    definitions: Vec<i16>,
    values: Values,
    /// Next row of the batch.
    row: usize,
    /// Next present value of the batch.
    value: usize,
}

enum Values {
    Bool(ColumnReaderImpl<parquet::data_type::BoolType>, Vec<bool>),
    Int32(ColumnReaderImpl<parquet::data_type::Int32Type>, Vec<i32>),
    Int64(ColumnReaderImpl<parquet::data_type::Int64Type>, Vec<i64>),
    Int96(ColumnReaderImpl<parquet::data_type::Int96Type>, Vec<Int96>),
    Float(ColumnReaderImpl<parquet::data_type::FloatType>, Vec<f32>),
    Double(ColumnReaderImpl<parquet::data_type::DoubleType>, Vec<f64>),
    Bytes(ColumnReaderImpl<parquet::data_type::ByteArrayType>, Vec<ByteArray>),
    Fixed(ColumnReaderImpl<parquet::data_type::FixedLenByteArrayType>, Vec<FixedLenByteArray>),
}

impl Column {
    fn new(descriptor: ColumnDescPtr, reader: ColumnReader) -> Self {
        let values = match reader {
            ColumnReader::BoolColumnReader(reader) => Values::Bool(reader, Vec::new()),
            ColumnReader::Int32ColumnReader(reader) => Values::Int32(reader, Vec::new()),
            ColumnReader::Int64ColumnReader(reader) => Values::Int64(reader, Vec::new()),
            ColumnReader::Int96ColumnReader(reader) => Values::Int96(reader, Vec::new()),
            ColumnReader::FloatColumnReader(reader) => Values::Float(reader, Vec::new()),
            ColumnReader::DoubleColumnReader(reader) => Values::Double(reader, Vec::new()),
            ColumnReader::ByteArrayColumnReader(reader) => Values::Bytes(reader, Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                Values::Fixed(reader, Vec::new())
            }
        };
        Self {
            meaning: Meaning::of(&descriptor),
            max_definition: descriptor.max_def_level(),
            definitions: Vec::new(),
            values,
            row: 0,
            value: 0,
        }
    }

    /// Reads the next `rows` rows.
    fn fill(&mut self, rows: usize) -> Result<()> {
        (self.row, self.value) = (0, 0);
        let definitions = &mut self.definitions;
        definitions.clear();
        let present = match &mut self.values {
            Values::Bool(reader, values) => fill(reader, values, definitions, rows),
            Values::Int32(reader, values) => fill(reader, values, definitions, rows),
            Values::Int64(reader, values) => fill(reader, values, definitions, rows),
            Values::Int96(reader, values) => fill(reader, values, definitions, rows),
            Values::Float(reader, values) => fill(reader, values, definitions, rows),
            Values::Double(reader, values) => fill(reader, values, definitions, rows),
            Values::Bytes(reader, values) => fill(reader, values, definitions, rows),
            Values::Fixed(reader, values) => fill(reader, values, definitions, rows),
        }?;
        let expected = if self.max_definition == 0 {
            rows
        } else {
            definitions.iter().filter(|&&level| level == self.max_definition).count()
        };
        if present != expected || (self.max_definition > 0 && definitions.len() != rows) {
            bail!("the Parquet file is damaged: a column ends early");
        }
        Ok(())
    }

    /// The cell of the next row of the batch.
    fn next(&mut self) -> Cell<'_> {
        let row = self.row;
        self.row += 1;
        if self.max_definition > 0 && self.definitions[row] != self.max_definition {
            return Cell::Null;
        }
        let value = self.value;
        self.value += 1;
        match &self.values {
            Values::Bool(_, values) => Cell::Bool(values[value]),
            Values::Int32(_, values) => {
                let number = values[value];
                self.meaning.integer(number.into(), number.cast_unsigned().into())
            }
            Values::Int64(_, values) => {
                self.meaning.integer(values[value], values[value].cast_unsigned())
            }
            Values::Int96(_, values) => int96(&values[value]),
            Values::Float(_, values) => float(values[value].into()),
            Values::Double(_, values) => float(values[value]),
            Values::Bytes(_, values) => self.meaning.bytes(values[value].data()),
            Values::Fixed(_, values) => self.meaning.bytes(values[value].data()),
        }
    }
}

fn float(number: f64) -> Cell<'static> {
    if number.is_nan() { Cell::Null } else { Cell::Float(number) }
}

/// The old timestamp of Parquet: nanoseconds of the day and a Julian day, in UTC.
fn int96(value: &Int96) -> Cell<'static> {
    const UNIX_EPOCH_JULIAN_DAY: i128 = 2_440_588;
    let [low, high, day] = *value.data() else { return Cell::Malformed("is not a timestamp") };
    let nanos = i128::from(u64::from(high) << 32 | u64::from(low));
    let days = i128::from(day) - UNIX_EPOCH_JULIAN_DAY;
    Timestamp::from_nanosecond(days * 86_400_000_000_000 + nanos)
        .map_or(Cell::Malformed("is outside the calendar"), Cell::Instant)
}

fn fill<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    values: &mut Vec<T::T>,
    definitions: &mut Vec<i16>,
    rows: usize,
) -> Result<usize> {
    values.clear();
    let (mut total, mut present) = (0, 0);
    while total < rows {
        let (records, read, _) =
            reader.read_records(rows - total, Some(definitions), None, values).map_err(damaged)?;
        if records == 0 {
            break;
        }
        total += records;
        present += read;
    }
    Ok(present)
}
