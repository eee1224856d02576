//! Cuts of every format load for ever: a job may begin before an upgrade and end after it.

use mercer_common::artifact::{ArtifactError, ArtifactRef, ArtifactStore};

use super::{
    golden::state,
    workload::{ITEMS, USERS},
};
use crate::{
    artifact::cut::{ContentCut, Cut, UserCut},
    shard::{
        WindowEntry,
        cut::{self, series::SeriesCut},
        shop_days::ShopDays,
    },
    tests::golden::Goldens,
};

#[test]
fn interactions() {
    let (goldens, state) = (Goldens::new(), state());
    let written = cut::interactions::write(&state, "job", &goldens.store).expect("written");
    let cut = Cut::open(&goldens.store, &goldens.same("cut-1", &written)).expect("loads");
    // The newest is that of the last section of the log.
    assert_eq!((cut.users(), cut.entries(), cut.newest_event()), (5, 20, 900_000_004));
    let users = state.users().filter(|(_, user)| !user.window().is_empty());
    for (index, (_, user)) in users.enumerate() {
        let entries = cut.user_entries(index);
        for (place, entry) in user.window().iter().enumerate() {
            let WindowEntry { time, item, kind } = *entry;
            assert_eq!(cut.referred_id(entries.items[place] as usize), state.interner().id(item));
            assert_eq!((entries.times[place], entries.kinds[place]), (time, kind));
        }
    }
    let items: Vec<&str> = (0..cut.items()).map(|item| cut.item_id(item)).collect();
    assert_eq!(items, state.items().map(|item| item.id()).collect::<Vec<_>>());
    let apple = items.iter().position(|id| *id == ITEMS[0]).expect("known");
    assert_eq!(cut.item_popularity(apple), state.item(&ITEMS[0]).expect("known").popularity());
    let path: Vec<&str> = cut.path(cut.item_path(apple)).collect();
    assert_eq!(path, ["PRODUCE", "FRUIT"]);
}

#[test]
fn users() {
    let (goldens, state) = (Goldens::new(), state());
    let written = cut::users::write(&state, "job", &goldens.store).expect("written");
    let cut = UserCut::open(&goldens.store, &goldens.same("user-cut-1", &written)).expect("loads");
    let mut found: Vec<&str> = (0..cut.len()).map(|user| cut.id(user)).collect();
    found.sort_unstable();
    // The second was deleted.
    let mut left: Vec<&String> = USERS.iter().filter(|id| **id != USERS[1]).collect();
    left.sort_unstable();
    assert_eq!(found, left);
}

#[test]
fn contents() {
    let (goldens, state) = (Goldens::new(), state());
    let written = cut::content::write(&state, "job", &goldens.store).expect("written");
    let golden = goldens.same("content-cut-1", &written);
    let cut = ContentCut::open(&goldens.store, &golden).expect("loads");
    assert_eq!(cut.len(), state.item_count());
    let apple = state.items().position(|item| item.id() == ITEMS[0]).expect("known");
    assert_eq!(
        (cut.title(apple), cut.description(apple), cut.brand(apple)),
        ("Äpfel", "Red ones", "National")
    );
    assert_eq!(cut.category_path(apple).collect::<Vec<_>>(), ["PRODUCE", "FRUIT"]);
    let attributes: Vec<_> = cut.attributes(apple).collect();
    assert_eq!(attributes, [("colour", "red"), ("size", "3 LB")]);
    assert_eq!(
        (cut.list_price_micros(apple), cut.embedding(apple)),
        (Some(3_990_000), &[0.6, -0.8][..])
    );
    assert_eq!(cut.in_stock(apple), Some(true));
    let other = (0..cut.len()).find(|item| *item != apple).expect("more than one");
    assert_eq!(
        (cut.title(other), cut.list_price_micros(other), cut.in_stock(other)),
        ("", None, None)
    );
}

/// What the series are is proven by the golden snapshots, of which they have the encoding.
fn check_series(cut: &SeriesCut) {
    let state = state();
    assert_eq!((cut.len(), cut.newest_event()), (state.item_count(), state.newest_item_event()));
    assert_eq!((cut.newest_event(), cut.sale_days()), (900_208_800, 11));
    for (index, item) in state.items().enumerate() {
        assert_eq!(cut.item(index).expect("whole").encode(), item.encode_without_visits());
    }
    assert_eq!(cut.directory().encode(), state.directory().encode());
    assert_eq!(cut.directory().cluster_zone().iana_name(), Some("UTC"));
    let days = cut.shop_days().expect("whole");
    assert_eq!(days, ShopDays::of(state.items()));
    let newest = days.newest().expect("something was sold").date().to_string();
    assert_eq!(newest, "2018-07-12");
}

#[test]
fn series() {
    let goldens = Goldens::new();
    let written = cut::series::write(&state(), "job", &goldens.store).expect("written");
    let golden = goldens.same("series-cut-2", &written);
    check_series(&SeriesCut::open(&goldens.store, &golden).expect("loads"));
}

#[test]
fn series_without_shop_days() {
    let goldens = Goldens::new();
    let written = cut::series::write(&state(), "job", &goldens.store).expect("written");
    let golden = goldens.same("series-cut-1", &of_before(&goldens.store, &written));
    check_series(&SeriesCut::open(&goldens.store, &golden).expect("loads"));
}

/// A cut as it was written before version 2.
fn of_before(store: &ArtifactStore, written: &ArtifactRef) -> ArtifactRef {
    let whole = store.open_artifact(written).expect("opens");
    let head = whole.section::<u64>(0).expect("there");
    let mut before = store.writer("before", cut::PHASE, "series-05", "series-cut").expect("begins");
    before.section(&[1, head[1], head[2]]).expect("written");
    before.section(whole.section::<u64>(1).expect("there")).expect("written");
    for section in 2..5 {
        before.section(whole.section::<u8>(section).expect("there")).expect("written");
    }
    before.finish().expect("written")
}

#[test]
fn cuts_of_a_newer_release_are_named() {
    let goldens = Goldens::new();
    let store = &goldens.store;
    let put = |kind: &str, version: u64| {
        let head = version.to_le_bytes();
        store.put("job", cut::PHASE, kind, kind, &[&head]).expect("written")
    };
    let errors = [
        Cut::open(store, &put("cut", 2)).expect_err("newer"),
        SeriesCut::open(store, &put("series-cut", 3)).expect_err("newer"),
        ContentCut::open(store, &put("content-cut", 2)).expect_err("newer"),
        UserCut::open(store, &put("user-cut", 2)).expect_err("newer"),
    ];
    for error in errors {
        assert!(matches!(error, ArtifactError::Newer { .. }), "{error}");
    }
}
