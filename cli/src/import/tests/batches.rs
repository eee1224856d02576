//! Batches end with rows, and before they are too large for a message.

use mercer_common::limits;

use super::*;
use crate::import::chunk;

/// The bytes of the records of each chunk, and how many rows it was made of.
fn cut(path: &Path, kind: Kind, map: &[&str]) -> Vec<(u64, usize)> {
    let set: &[&str] = if kind == Kind::Events { &["type=view"] } else { &[] };
    let outcome = read(path, kind, &mapping(kind, map, set), chunk::ROWS.into()).expect("read");
    assert_eq!(outcome.reasons(), []);
    let chunks = outcome.chunks.iter();
    chunks.map(|chunk| (chunk.rows, chunk.records.encoded_len())).collect()
}

#[test]
fn rows_as_long_as_they_may_be_make_shorter_batches() {
    let folder = TempDir::new().expect("a folder");
    let longest = limits::ID_BYTES;
    let mut content = "item_id,timestamp,user_id,session_id,basket_id,channel\n".to_owned();
    for row in 0..6_000 {
        let id = format!("{row:0longest$}");
        content.push_str(&format!("{id},2026-01-05,{id},{id},{id},{id}\n"));
    }
    let path = csv(&folder, content);
    let map = ["event_id=user_id", "attribution_token=session_id", "location_id=basket_id"];
    let chunks = cut(&path, Kind::Events, &map);
    assert_eq!(chunks.iter().map(|(rows, _)| rows).sum::<u64>(), 6_000);
    assert!(chunks.len() > 2, "{chunks:?}");
    for (rows, bytes) in &chunks {
        assert!(*rows < chunk::ROWS.into() && *bytes < limits::MESSAGE_BYTES / 2, "{chunks:?}");
    }
    // What is sent again must be cut as before.
    assert_eq!(cut(&path, Kind::Events, &map), chunks);

    let text = "d".repeat(limits::DESCRIPTION_BYTES);
    let mut content = "item_id,description\n".to_owned();
    (0..1_000).for_each(|row| content.push_str(&format!("{row},{text}\n")));
    let chunks = cut(&csv(&folder, content), Kind::Items, &[]);
    assert!(chunks.iter().all(|(_, bytes)| *bytes < limits::MESSAGE_BYTES / 2), "{chunks:?}");
    assert_eq!(chunks.iter().map(|(rows, _)| rows).sum::<u64>(), 1_000);
}

#[test]
fn small_rows_fill_a_batch() {
    let folder = TempDir::new().expect("a folder");
    let mut content = "item_id,timestamp\n".to_owned();
    (0..12_000).for_each(|row| content.push_str(&format!("{row},2026-01-05\n")));
    let chunks = cut(&csv(&folder, content), Kind::Events, &[]);
    assert_eq!(chunks.iter().map(|(rows, _)| *rows).collect::<Vec<_>>(), [5_000, 5_000, 2_000]);
}
