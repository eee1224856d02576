use proptest::prelude::*;

use super::*;
use crate::log::memory::MemoryLog;

fn token(entries: &[(u128, ShardId, Sequence)]) -> Token {
    let mut token = Token::default();
    for &(epoch, shard, position) in entries {
        token.advance(shard, Mark { epoch: Epoch(epoch), position });
    }
    token
}

/// As a release without epochs issued it.
fn format_1(incarnation: u64, entries: &[(ShardId, Sequence)]) -> String {
    let mut bytes = vec![1];
    bytes.extend(incarnation.to_be_bytes());
    for (shard, position) in entries {
        bytes.extend(shard.to_be_bytes());
        bytes.extend(position.to_be_bytes());
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

proptest! {
    #[test]
    fn tokens_survive_and_nothing_else_panics(
        epochs in prop::collection::vec(any::<u128>(), 1..=limits::TOKEN_EPOCHS),
        entries in prop::collection::vec(
            (0..limits::TOKEN_EPOCHS, 0..limits::SHARDS, any::<u64>()),
            0..200,
        ),
        other in "[-_A-Za-z0-9]{0,80}|.{0,40}",
    ) {
        let mut token = Token::default();
        for (epoch, shard, position) in entries {
            let epoch = Epoch(epochs[epoch % epochs.len()]);
            token.advance(shard, Mark { epoch, position });
        }
        prop_assert_eq!(Token::decode(&token.encode(7), 7, 0), Ok(token));
        // Whatever somebody else made up either means something or is refused.
        for made_up in [other.clone(), format!("Ag{other}"), format!("AgAAAAAAAAAHA{other}")] {
            if let Ok(found) = Token::decode(&made_up, 7, 0) {
                prop_assert_eq!(Token::decode(&found.encode(7), 7, 0), Ok(found));
            }
        }
    }
}

#[test]
fn the_longest_token_is_no_longer_than_allowed() {
    let all = (0..limits::TOKEN_EPOCHS as u128)
        .flat_map(|epoch| (0..limits::SHARDS).map(move |shard| (epoch, shard, u64::MAX)));
    let longest = token(&all.collect::<Vec<_>>());
    let encoded = longest.encode(u64::MAX);
    assert!(encoded.len() < 16 << 10, "{} bytes", encoded.len());
    assert_eq!(Token::decode(&encoded, u64::MAX, 0), Ok(longest));
}

#[test]
fn merges_by_maximum_within_an_epoch_and_keeps_epochs_apart() {
    let mut merged = token(&[(1, 1, 10), (1, 2, 20)]);
    merged.merge(&token(&[(1, 2, 30), (2, 2, 25), (2, 1, 5)]));
    assert_eq!(merged, token(&[(1, 1, 10), (1, 2, 30), (2, 1, 5), (2, 2, 25)]));
    assert_eq!([0, 1, 2].map(|shard| merged.position(shard)), [0, 10, 30]);
    let marks: Vec<(u128, Sequence)> =
        merged.marks().map(|mark| (mark.epoch.0, mark.position)).collect();
    assert_eq!(marks, [(1, 30), (2, 25)]);
}

#[test]
fn combines_without_knowing_the_log() {
    let (left, right) = (token(&[(1, 1, 10)]), token(&[(1, 1, 8), (9, 2, 30)]));
    let tokens = [left.encode(7), format_1(7, &[(1, 3)]), right.encode(7)];
    let both = token(&[(0, 1, 3), (1, 1, 10), (9, 2, 30)]);
    assert_eq!(combine(&tokens), Ok(both.encode(7)));
    assert_eq!(combine(&[]), Ok(String::new()));
    assert_eq!(
        combine(&[left.encode(7), right.encode(8)]),
        Err(TokenError::ForeignIncarnation { index: 1 })
    );
    let epochs = 0..=limits::TOKEN_EPOCHS as u128;
    let epochs: Vec<String> = epochs.map(|epoch| token(&[(epoch, 1, 1)]).encode(7)).collect();
    combine(&epochs[1..]).expect("as many as one token holds");
    let count = limits::TOKEN_EPOCHS + 1;
    assert_eq!(combine(&epochs), Err(TokenError::TooManyEpochs { count }));
}

#[tokio::test]
async fn an_answer_names_the_epoch_of_its_highest_position() {
    let log = MemoryLog::new(7);
    let append = async || log.append(vec![(0, "a".into()), (1, "b".into())]).await.expect("stored");
    append().await;
    log.restore(2);
    append().await;
    let issued = Token::decode(&issue(&log, [(0, 1), (1, 4)]), 7, 0).expect("a token");
    let epoch = log.epoch_at(4);
    assert_eq!(issued, token(&[(epoch.0, 0, 1), (epoch.0, 1, 4)]));
    assert!(issued.marks().all(|mark| log.accepts(mark)));
    log.restore(2);
    assert!(!issued.marks().any(|mark| log.accepts(mark)), "lost whole");
    let nothing = Token::decode(&issue(&log, []), 7, 0);
    assert_eq!(nothing, Ok(Token::default()));
}

#[test]
fn refuses_foreign_and_malformed_tokens_by_index() {
    let good = token(&[(1, 1, 1)]).encode(7);
    let foreign = Token::decode(&token(&[]).encode(8), 7, 3);
    assert_eq!(foreign, Err(TokenError::ForeignIncarnation { index: 3 }));
    let shortened = good[..good.len() - 2].to_owned();
    let newer = format!("Aw{}", &good[2..]);
    let no_such_epoch = {
        let mut bytes = URL_SAFE_NO_PAD.decode(&good).expect("base64");
        bytes[HEADER + 1 + EPOCH] = 1;
        URL_SAFE_NO_PAD.encode(bytes)
    };
    let no_such_shard = format_1(7, &[(limits::SHARDS, 1)]);
    for bad in [
        "",
        "?",
        "AAAA",
        &"A".repeat(100_000),
        &good[1..],
        &shortened,
        &newer,
        &no_such_epoch,
        &no_such_shard,
    ] {
        assert_eq!(Token::decode(bad, 7, 2), Err(TokenError::Malformed { index: 2 }), "{bad}");
    }
}
