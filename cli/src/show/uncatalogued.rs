//! What is said where items are known from what happened to them, and the catalogue has none of them.

use mercer_proto::v1::ShardDescription;

use crate::show::output;

/// That nothing is catalogued, and what to do; `None` where something is, or there is nothing.
pub(crate) fn warning(shards: &[ShardDescription]) -> Option<String> {
    let items: u64 = shards.iter().map(|shard| shard.items).sum();
    let is_bare = shards.iter().all(|shard| shard.items == 0 || shard.nothing_catalogued);
    let known = match items {
        0 => return None,
        _ if !is_bare => return None,
        1 => "the 1 known item is not catalogued".to_owned(),
        items => format!("none of the {} known items is catalogued", output::count(items)),
    };
    Some(format!(
        "{known}, so that none can be recommended, priced or ordered: `mercer import items FILE`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_so_only_where_no_shard_has_a_catalogued_item() {
        let shard = |items, nothing_catalogued| ShardDescription {
            items,
            nothing_catalogued,
            ..ShardDescription::default()
        };
        assert_eq!(warning(&[]), None);
        assert_eq!(warning(&[shard(0, false)]), None);
        assert_eq!(warning(&[shard(3, true), shard(5, false)]), None);
        let told = warning(&[shard(3, true), shard(0, false), shard(1_000, true)]);
        let told = told.expect("nothing is catalogued");
        assert!(told.starts_with("none of the 1,003 known items is catalogued"), "{told}");
        assert!(told.ends_with("`mercer import items FILE`"), "{told}");
    }
}
