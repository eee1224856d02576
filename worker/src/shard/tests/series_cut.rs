//! The series part of a cut gives back what the shard had at the marker.

use mercer_common::artifact::ArtifactStore;
use proptest::prelude::*;

use super::workload::{SHARD, layout, log, zone};
use crate::shard::{
    ShardState,
    apply::{Prepared, apply},
    cut::{self, series::SeriesCut},
    shop_days::ShopDays,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_cut_gives_back_items_and_directory(log in log(30)) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        let mut state = ShardState::new(layout(), SHARD, zone());
        for (sequence, section) in log {
            let prepared = Prepared::new(layout(), SHARD, section).expect("well formed");
            apply(&mut state, sequence, prepared).expect("applies");
        }
        let written = cut::series::write(&state, "job", &store).expect("written");
        let found = store.find("job", cut::PHASE, &cut::series::name(SHARD)).expect("readable");
        prop_assert_eq!(found.as_ref(), Some(&written));

        let cut = SeriesCut::open(&store, &written).expect("whole");
        prop_assert_eq!(cut.len(), state.item_count());
        prop_assert_eq!(cut.newest_event(), state.newest_item_event());
        prop_assert_eq!(cut.directory().encode(), state.directory().encode());
        prop_assert_eq!(cut.directory().cluster_zone(), &zone());
        let mut sale_days = 0;
        for (index, item) in state.items().enumerate() {
            let read = cut.item(index).expect("whole");
            prop_assert_eq!(read.encode(), item.encode_without_visits());
            let days = item.series().total();
            sale_days += days.iter().filter(|day| day.units_micros > 0).count() as u64;
        }
        prop_assert_eq!(cut.sale_days(), sale_days);

        // A cut of before version 2 tells the shop's days by its items.
        let days = cut.shop_days().expect("whole");
        prop_assert_eq!(&days, &ShopDays::of(state.items()));
        let whole = store.open_artifact(&written).expect("opens");
        let head = whole.section::<u64>(0).expect("there");
        let mut before =
            store.writer("before", cut::PHASE, &cut::series::name(SHARD), "series-cut").expect("opens");
        before.section(&[1, head[1], head[2]]).expect("written");
        before.section(whole.section::<u64>(1).expect("there")).expect("written");
        for section in 2..5 {
            before.section(whole.section::<u8>(section).expect("there")).expect("written");
        }
        let before = before.finish().expect("written");
        let before = SeriesCut::open(&store, &before).expect("opens");
        prop_assert_eq!(before.shop_days().expect("whole"), days);
    }
}

#[test]
fn an_empty_shard_has_a_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    let state = ShardState::new(layout(), SHARD, zone());
    let written = cut::series::write(&state, "job", &store).expect("written");
    let cut = SeriesCut::open(&store, &written).expect("whole");
    assert_eq!((cut.len(), cut.newest_event(), cut.sale_days()), (0, 0, 0));
    let other = cut::interactions::write(&state, "job", &store).expect("written");
    assert!(SeriesCut::open(&store, &other).is_err(), "of another kind");
}
