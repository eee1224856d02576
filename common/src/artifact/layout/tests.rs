use crate::artifact::{ArtifactError, ArtifactRef, ArtifactStore};

crate::layout! {
    /// Versions in the name, all sections required.
    enum Named: "named-1" {
        /// Numbers of 4 bytes.
        NARROW: u32,
        /// Numbers of 8 bytes.
        WIDE: u64,
    }
}

crate::layout! {
    /// Versions in the first number, the last section since version 2.
    enum Numbered: "numbered" numbered 2 required 1 {
        /// `[version]`.
        HEAD: u64,
        /// Numbers of 4 bytes.
        NARROW: u32,
    }
}

struct Files {
    _folder: tempfile::TempDir,
    store: ArtifactStore,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        Self { _folder: folder, store }
    }

    fn put(&self, name: &str, kind: &str, sections: &[&[u8]]) -> ArtifactRef {
        self.store.put("job", "phase", name, kind, sections).expect("written")
    }
}

#[test]
fn sections_are_written_in_order_and_read_by_name() {
    let files = Files::new();
    let mut writer = Named::LAYOUT.writer(&files.store, "job", "phase", "whole").expect("begins");
    for value in 1..=3 {
        writer.write(Named::NARROW, &[value]).expect("written");
    }
    writer.write(Named::WIDE, &[9]).expect("written");
    let file = writer.finish().expect("finished");
    let opened = Named::LAYOUT.open(&files.store, &file).expect("sound");
    assert_eq!((opened.get(Named::NARROW), opened.get(Named::WIDE)), (&[1, 2, 3][..], &[9][..]));
    assert_eq!(opened.exactly(Named::WIDE).expect("one"), [9]);
    let error = opened.exactly::<_, 2>(Named::NARROW).expect_err("three").to_string();
    assert!(error.contains("has 3 values in NARROW instead of 2"), "{error}");
}

#[test]
fn sections_that_are_passed_over_are_empty() {
    let files = Files::new();
    let mut writer = Named::LAYOUT.writer(&files.store, "job", "phase", "last").expect("begins");
    writer.write(Named::WIDE, &[9]).expect("written");
    let file = writer.finish().expect("finished");
    let opened = Named::LAYOUT.open(&files.store, &file).expect("sound");
    assert_eq!((opened.get(Named::NARROW), opened.get(Named::WIDE)), (&[][..], &[9][..]));
    let writer = Named::LAYOUT.writer(&files.store, "job", "phase", "none").expect("begins");
    let file = writer.finish().expect("finished");
    let opened = Named::LAYOUT.open(&files.store, &file).expect("sound");
    assert!(opened.get(Named::WIDE).is_empty());
}

#[test]
#[should_panic(expected = "NARROW has ended")]
fn a_section_that_has_ended_is_not_written() {
    let files = Files::new();
    let mut writer = Named::LAYOUT.writer(&files.store, "job", "phase", "a").expect("begins");
    writer.write(Named::WIDE, &[9]).expect("written");
    let _never = writer.write(Named::NARROW, &[1]);
}

#[test]
fn files_of_other_sections_are_refused() {
    let files = Files::new();
    let (narrow, wide): (&[u8], &[u8]) = (&[0; 8], &[0; 16]);
    let cases: [(&str, &str, &[&[u8]], &str); 4] = [
        ("fewer", "named-1", &[narrow], "has 1 sections instead of 2"),
        ("more", "named-1", &[narrow, wide, wide], "has 3 sections instead of 2"),
        ("broken", "named-1", &[narrow, &wide[1..]], "section 1 of 15 bytes"),
        ("other", "other-1", &[narrow, wide], "holds `other-1`"),
    ];
    for (name, kind, sections, expected) in cases {
        let file = files.put(name, kind, sections);
        let error = Named::LAYOUT.open(&files.store, &file).expect_err("refused");
        assert!(matches!(error, ArtifactError::Layout { .. }), "{name}: {error}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
    let newer = files.put("newer", "named-2", &[narrow, wide]);
    let error = Named::LAYOUT.open(&files.store, &newer).expect_err("refused");
    assert!(matches!(error, ArtifactError::Newer { .. }), "{error}");
}

#[test]
fn a_version_in_the_first_number_decides() {
    let files = Files::new();
    let old = files.put("old", "numbered", &[&1_u64.to_le_bytes()]);
    let opened = Numbered::LAYOUT.open(&files.store, &old).expect("known");
    assert!(opened.get(Numbered::NARROW).is_empty());
    assert_eq!(Numbered::VERSION, 2);
    let newer = files.put("newer", "numbered", &[&3_u64.to_le_bytes(), &[], &[]]);
    let error = Numbered::LAYOUT.open(&files.store, &newer).expect_err("refused").to_string();
    assert!(error.contains("version 3, and version 2 is the newest"), "{error}");
    let none = files.put("none", "numbered", &[]);
    assert!(Numbered::LAYOUT.open(&files.store, &none).is_err());
}
