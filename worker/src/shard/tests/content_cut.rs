//! The content and users parts of a cut give back what the shard had at the marker.

use std::fs;

use mercer_common::artifact::{ArtifactError, ArtifactRef, ArtifactStore};
use proptest::prelude::*;

use super::workload::{SHARD, layout, log, zone};
use crate::{
    artifact::cut::{ContentCut, Cut, UserCut},
    shard::{
        ShardState,
        apply::{Prepared, apply},
        cut,
    },
};

fn store() -> (tempfile::TempDir, ArtifactStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    (folder, store)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_cut_gives_back_texts_and_users(log in log(30)) {
        let (_folder, store) = store();
        let mut state = ShardState::new(layout(), SHARD, zone());
        for (sequence, section) in log {
            let prepared = Prepared::new(layout(), SHARD, section).expect("well formed");
            apply(&mut state, sequence, prepared).expect("applies");
        }
        // Fields that the log leaves alone.
        let items = state.slots.iter_mut().flat_map(|slot| slot.items.values_mut());
        for (number, item) in items.enumerate() {
            item.description = format!("{number} × {}", item.id()).into();
            item.embedding = (0..number % 3).map(|at| at as f32 - 0.5).collect();
        }
        let written = cut::content::write(&state, "job", &store).expect("written");
        let found = store.find("job", cut::PHASE, &cut::content::name(SHARD)).expect("readable");
        prop_assert_eq!(found.as_ref(), Some(&written));
        let content = ContentCut::open(&store, &written).expect("whole");
        prop_assert_eq!(content.len(), state.item_count());
        for (index, item) in state.items().enumerate() {
            prop_assert_eq!(content.title(index), item.title());
            prop_assert_eq!(content.description(index), item.description());
            prop_assert_eq!(content.brand(index), item.brand());
            let path: Vec<&str> = item.category_path().iter().map(|level| &**level).collect();
            prop_assert_eq!(content.category_path(index).collect::<Vec<_>>(), path);
            let attributes: Vec<(&str, &str)> =
                item.attributes().iter().map(|(name, value)| (&**name, &**value)).collect();
            prop_assert_eq!(content.attributes(index).collect::<Vec<_>>(), attributes);
            prop_assert_eq!(content.list_price_micros(index), item.list_price_micros());
            prop_assert_eq!(content.embedding(index), item.embedding());
            let stock = item.stock().iter().map(|stock| stock.on_hand > 0.0);
            prop_assert_eq!(content.in_stock(index), stock.reduce(|left, right| left | right));
        }

        let interactions = cut::interactions::write(&state, "job", &store).expect("written");
        let interactions = Cut::open(&store, &interactions).expect("whole");
        let users = cut::users::write(&state, "job", &store).expect("written");
        let users = UserCut::open(&store, &users).expect("whole");
        prop_assert_eq!(users.len(), interactions.users());
        for user in 0..users.len() {
            let window = state.user(users.id(user)).expect("known").window();
            prop_assert_eq!(interactions.user_entries(user).items.len(), window.len());
        }
    }
}

#[test]
fn an_empty_shard_has_parts_and_damage_is_named() {
    let (folder, store) = store();
    let state = ShardState::new(layout(), SHARD, zone());
    let content = cut::content::write(&state, "job", &store).expect("written");
    let users = cut::users::write(&state, "job", &store).expect("written");
    assert_eq!(ContentCut::open(&store, &content).expect("whole").len(), 0);
    assert_eq!(UserCut::open(&store, &users).expect("whole").len(), 0);
    assert!(ContentCut::open(&store, &users).is_err(), "of another kind");
    assert!(UserCut::open(&store, &content).is_err(), "of another kind");

    let file = folder.path().join(&content.path);
    let mut bytes = fs::read(&file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("writable");
    let error = ContentCut::open(&store, &content).expect_err("damaged");
    assert!(matches!(&error, ArtifactError::Damaged { path, .. } if *path == file), "{error}");
}

#[test]
fn sections_that_disagree_are_refused() {
    let (_folder, store) = store();
    let put = |name: &str, kind, sections: &[&[u8]]| -> ArtifactRef {
        store.put("job", cut::PHASE, name, kind, sections).expect("written")
    };
    let one = 1_u64.to_le_bytes();
    let users = put("a", "user-cut", &[&one, &2_u64.to_le_bytes(), b"u"]);
    assert!(UserCut::open(&store, &users).is_err(), "ends beyond the ids");
    let users = put("b", "user-cut", &[&one, &one, b"u"]);
    assert_eq!(UserCut::open(&store, &users).expect("whole").id(0), "u");
    let content = put("c", "content-cut", &[&one, &one, b"t"]);
    assert!(ContentCut::open(&store, &content).is_err(), "without most sections");
}
