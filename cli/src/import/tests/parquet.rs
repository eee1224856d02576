//! Parquet: the types of its columns, and files that are cut or damaged.

use std::sync::Arc;

use ::parquet::{
    data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type, Int96, Int96Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::*;
use crate::import::{mapping::Preset, reading::silence_decoder};

/// A file with the columns and types of the real data set, one value of each optional column
/// missing, in two row groups.
fn complete_journey(path: &Path) {
    let schema = "message schema {
        optional int64 household_id; optional int64 store_id; optional int64 basket_id;
        optional int64 product_id; optional double quantity; optional double sales_value;
        optional double retail_disc; optional double coupon_disc;
        optional double coupon_match_disc; optional int32 week;
        optional int96 transaction_timestamp; }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let file = fs::File::create(path).expect("created");
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema, properties).expect("a writer");
    let mut stamp = Int96::new();
    // 2017-01-01T11:53:26Z: nanoseconds of the day, Julian day.
    let nanos: u64 = (11 * 3_600 + 53 * 60 + 26) * 1_000_000_000;
    let (low, high) = ((nanos & 0xffff_ffff) as u32, (nanos >> 32) as u32);
    stamp.set_data(low, high, 2_457_755);
    for household in [900i64, 1_228] {
        let mut group = writer.next_row_group().expect("a group");
        let mut column = 0;
        while let Some(mut next) = group.next_column().expect("a column") {
            match column {
                // The second row lacks its household.
                0 => next.typed::<Int64Type>().write_batch(&[household], Some(&[1, 0]), None),
                1..=3 => next.typed::<Int64Type>().write_batch(&[330, 330], Some(&[1, 1]), None),
                4 => next.typed::<DoubleType>().write_batch(&[2.0, 0.0], Some(&[1, 1]), None),
                5 => next.typed::<DoubleType>().write_batch(&[0.5, 0.0], Some(&[1, 1]), None),
                6 => next.typed::<DoubleType>().write_batch(&[0.1, 0.0], Some(&[1, 1]), None),
                7 | 8 => next.typed::<DoubleType>().write_batch(&[0.0, 0.0], Some(&[1, 1]), None),
                9 => next.typed::<Int32Type>().write_batch(&[1, 1], Some(&[1, 1]), None),
                _ => next.typed::<Int96Type>().write_batch(&[stamp, stamp], Some(&[1, 1]), None),
            }
            .expect("written");
            next.close().expect("closed");
            column += 1;
        }
        group.close().expect("closed");
    }
    writer.close().expect("closed");
}

#[test]
fn the_preset_reads_parquet() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("transactions.parquet");
    complete_journey(&path);
    let preset = Preset::find("complete-journey").expect("known");
    let layout = preset.layout(Kind::Events).expect("events");
    let preset = Mapping::new(Kind::Events, Some(layout), &[], &[]).expect("known");
    let outcome = read(&path, Kind::Events, &preset, 500).expect("read");
    let zero = "quantity is 0; must lie from 0.000001 to 1000000000".to_owned();
    assert_eq!(outcome.reasons(), [(2, zero.clone()), (4, zero)]);
    assert_eq!(outcome.chunks[0].lines(), [1, 3]);
    let expected = Event {
        r#type: EventType::Purchase.into(),
        item_id: "330".into(),
        event_time: at(1_483_271_606),
        user_id: Some("900".into()),
        basket_id: Some("330".into()),
        location_id: Some("330".into()),
        quantity: Some(2.0),
        amount: usd(0, 500_000_000),
        list_price: usd(0, 300_000_000),
        promotion: true,
        ..Event::default()
    };
    assert_eq!(outcome.events()[0], expected);
}

#[test]
fn damaged_parquet_is_an_error_wherever_it_is_cut() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("transactions.parquet");
    complete_journey(&path);
    let whole = fs::read(&path).expect("read");
    let preset = Preset::find("complete-journey").expect("known");
    let layout = preset.layout(Kind::Events).expect("events");
    let preset = Mapping::new(Kind::Events, Some(layout), &[], &[]).expect("known");
    for length in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..length]).expect("written");
        assert!(read(&path, Kind::Events, &preset, 500).is_err(), "{length} bytes were accepted");
    }
}

#[test]
fn no_flipped_byte_makes_parquet_panic() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("transactions.parquet");
    complete_journey(&path);
    let whole = fs::read(&path).expect("read");
    let preset = Preset::find("complete-journey").expect("known");
    let layout = preset.layout(Kind::Events).expect("events");
    let preset = Mapping::new(Kind::Events, Some(layout), &[], &[]).expect("known");
    silence_decoder();
    for (place, flip) in (0..whole.len()).step_by(3).zip([0x01, 0xff].into_iter().cycle()) {
        let mut damaged = whole.clone();
        damaged[place] ^= flip;
        fs::write(&path, &damaged).expect("written");
        // Some damage cannot be seen; what matters is that this returns.
        let _ = read(&path, Kind::Events, &preset, 500);
    }
}

#[test]
fn parquet_types_become_cells() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("items.parquet");
    let schema = "message schema {
        required binary item_id (UTF8); optional int32 price (DECIMAL(9,2));
        optional int64 cost; repeated int32 tags; }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let file = fs::File::create(&path).expect("created");
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema, properties).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let mut column = 0;
    while let Some(mut next) = group.next_column().expect("a column") {
        match column {
            0 => next.typed::<ByteArrayType>().write_batch(&[ByteArray::from("a")], None, None),
            1 => next.typed::<Int32Type>().write_batch(&[1_250], Some(&[1]), None),
            2 => next.typed::<Int64Type>().write_batch(&[7], Some(&[1]), None),
            _ => next.typed::<Int32Type>().write_batch(&[], Some(&[0]), Some(&[0])),
        }
        .expect("written");
        next.close().expect("closed");
        column += 1;
    }
    group.close().expect("closed");
    writer.close().expect("closed");

    let mapping_of = |map: &[&str]| mapping(Kind::Items, map, &[]);
    let outcome =
        read(&path, Kind::Items, &mapping_of(&["list_price=price", "unit_cost=cost"]), 500)
            .expect("read");
    let Records::Items(request) = &outcome.chunks[0].records else { panic!("items") };
    assert_eq!(request.items[0].list_price, usd(12, 500_000_000));
    assert_eq!(request.items[0].unit_cost, usd(7, 0));
    let error = read(&path, Kind::Items, &mapping_of(&["title=tags"]), 500).err().expect("refused");
    assert!(error.to_string().contains("holds lists"), "{error}");
}
