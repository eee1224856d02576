//! Bad files: an error with the line, bounded memory, and nothing that panics.

use std::io::{Read, Write as _};

use proptest::prelude::*;

use super::*;

/// A zip file with these members, stored as they are.
pub(super) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let size = u32::try_from(content.len()).expect("small").to_le_bytes();
        let name_length = u16::try_from(name.len()).expect("short").to_le_bytes();
        let offset = u32::try_from(file.len()).expect("small").to_le_bytes();
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &name_length,
            &[0, 0],
        ]
        .concat();
        file.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
        let tail = [&[0; 10][..], &offset].concat();
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &tail, name.as_bytes()].concat());
    }
    let count = u16::try_from(members.len()).expect("few").to_le_bytes();
    let place = [directory.len(), file.len()];
    let place = place.map(|number| u32::try_from(number).expect("small").to_le_bytes());
    let end = [&[0; 4][..], &count, &count, &place[0], &place[1], &[0, 0]].concat();
    [&file[..], &directory, b"PK\x05\x06", &end].concat()
}

fn load(name: &str, bytes: &[u8]) -> anyhow::Result<Outcome> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("written");
    read(&path, Kind::Items, &mapping(Kind::Items, &[], &[]), 500)
}

fn refused(name: &str, bytes: &[u8]) -> String {
    format!("{:#}", load(name, bytes).err().expect("refused"))
}

#[test]
fn an_enormous_line_is_refused_where_it_begins() {
    let mut content = b"item_id,title\na,x\nb,".to_vec();
    content.resize(content.len() + (18 << 20), b'y');
    assert!(refused("f.csv", &content).contains("line 3: the row that begins here has more than"));
    content.splice(20..20, *b"\"");
    assert!(refused("f.csv", &content).contains("line 3"));
    let mut object = b"{\"item_id\": \"a\"}\n{\"item_id\": \"".to_vec();
    object.resize(object.len() + (18 << 20), b'y');
    assert!(refused("f.json", &object).contains("line 2"), "{}", refused("f.json", &object));
}

#[test]
fn a_million_columns_are_refused() {
    let header = "c,".repeat(1_000_000);
    assert!(
        refused("f.csv", header.as_bytes()).contains("columns; at most 10000 are read")
            || refused("f.csv", header.as_bytes()).contains("more than 20000 fields")
    );
    let row = format!("item_id\n{}\n", "c,".repeat(1_000_000));
    assert!(refused("f.csv", row.as_bytes()).contains("line 2"));
    let names: Vec<String> = (0..10_001).map(|name| format!("\"{name}\":1")).collect();
    let object = format!("{{{}}}", names.join(","));
    assert!(refused("f.json", object.as_bytes()).contains("different names"));
}

#[test]
fn a_bomb_stops_at_its_bound() {
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
    zstd.write_all(b"item_id,title\n").expect("packed");
    let line = b"a,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";
    let block = line.repeat(20_000);
    // Far more than a thousand times its size.
    for _ in 0..200 {
        zstd.write_all(&block).expect("packed");
    }
    let zstd = zstd.finish().expect("packed");
    assert!(zstd.len() < (200 * 20_000 * 80) / 1_000, "{} bytes are no bomb", zstd.len());
    let error = refused("bomb.csv.zst", &zstd);
    assert!(error.contains("unpacks to more than 1000 times its size"), "{error}");
    assert!(error.contains("line "), "{error}");
}

#[test]
fn packed_files_that_are_cut_or_damaged_are_errors() {
    let content = "item_id,title\n".to_owned() + &"a,some title or other\n".repeat(2_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(content.as_bytes()).expect("packed");
    let gzip = gzip.finish().expect("packed");
    let zip = zip(&[("items.csv", content.as_bytes())]);
    let zstd = zstd::encode_all(content.as_bytes(), 0).expect("packed");
    for (name, whole) in [("f.csv.gz", gzip), ("f.zip", zip), ("f.csv.zst", zstd)] {
        assert!(load(name, &whole).is_ok(), "{name}");
        for part in 1..10 {
            let length = whole.len() * part / 10;
            assert!(load(name, &whole[..length]).is_err(), "{name} cut at {length}");
        }
    }
    let mut wrong = super::damage::zip(&[("items.csv", content.as_bytes())]);
    wrong[100] ^= 1;
    assert!(refused("f.zip", &wrong).contains("the zip file is damaged"));
}

#[test]
fn a_pipe_is_read_to_its_end_before_it_is_read_twice() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(b"item_id,title\na,Tea\n").expect("written");
    drop(writer);
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let input = Input::open(Path::new(&path)).expect("a pipe");
    let mut content = String::new();
    for _ in 0..2 {
        content.clear();
        input.file().expect("kept").read_to_string(&mut content).expect("text");
        assert_eq!(content, "item_id,title\na,Tea\n");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        kind in 0usize..6,
    ) {
        let name = ["f.csv", "f.json", "f.gz", "f.zip", "f.zst", "f.parquet"][kind];
        silence();
        let _ = load(name, &bytes);
        // Behind the beginning of each format.
        let begins: [&[u8]; 6] = [
            b"item_id,title\n", b"{\"item_id\":\"", b"\x1f\x8b\x08\0\0\0\0\0", b"PK\x03\x04",
            b"\x28\xb5\x2f\xfd", b"PAR1",
        ];
        let _ = load(name, &[begins[kind], &bytes[..]].concat());
    }

    #[test]
    fn what_a_writer_quotes_is_read_back(
        rows in proptest::collection::vec(proptest::collection::vec("[a-z,;\"\n ]{0,6}", 3), 1..8),
    ) {
        let mut lines = Vec::new();
        for row in &rows {
            let fields = row.iter().map(|text| format!("\"{}\"", text.replace('"', "\"\"")));
            lines.push(fields.collect::<Vec<_>>().join(","));
        }
        let content = format!("a,b,c\n{}\n", lines.join("\r\n"));
        let folder = TempDir::new().expect("a folder");
        let mut table = Table::open(&csv(&folder, &content), b',').expect("a table");
        let mut found = Vec::new();
        table.read(&[0, 1, 2], &mut |line| {
            let cells = line.cells.expect("three fields");
            let texts = cells.iter().map(|c| c.to_label().expect("text").unwrap_or_default());
            found.push(texts.collect::<Vec<_>>());
            Ok(())
        }).expect("read");
        // Rows without anything in them are blank lines.
        let expected: Vec<_> =
            rows.into_iter().filter(|row| row.iter().any(|cell| !cell.is_empty())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_cut_of_a_file_is_read_or_refused(cut in 0usize..120, flip in 0usize..120) {
        let mut bytes = b"item_id,title,list_price\r\na,\"two\nlines, \"\"quoted\"\"\",1\r\nb,\xc3\xa9,2.50\r\n".to_vec();
        let place = flip % bytes.len();
        bytes[place] ^= 0x20;
        let _ = load("f.csv", &bytes[..cut.min(bytes.len())]);
    }
}

fn silence() {
    crate::import::silence_decoder();
}
