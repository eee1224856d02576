use std::convert::Infallible;

use http_body_util::{BodyExt as _, StreamBody};
use proptest::prelude::*;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::UnboundedReceiverStream};

use super::*;
use crate::rpc::status::reason;

const MESSAGE_BYTES: u64 = 1_000;

/// A message as it goes over the wire.
fn message(compressed: bool, length: usize) -> Vec<u8> {
    let mut bytes = vec![u8::from(compressed)];
    bytes.extend(u32::try_from(length).expect("short").to_be_bytes());
    bytes.extend(vec![7; length]);
    bytes
}

/// A client that sends pieces, its peer, and the body that arrives.
fn body(
    shares: &Arc<Shares>,
    streams: bool,
) -> (
    mpsc::UnboundedSender<Vec<u8>>,
    Peer,
    Metered<impl Body<Data = Bytes, Error = Infallible> + Unpin + use<>>,
) {
    let (sender, pieces) = mpsc::unbounded_channel::<Vec<u8>>();
    let frames = UnboundedReceiverStream::new(pieces)
        .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
    let room = Room { shares: Arc::clone(shares), message_bytes: MESSAGE_BYTES };
    let peer = Peer::new();
    let body = StreamBody::new(frames);
    let metered = Metered::new(body, peer.clone(), room, streams, Reserved::default());
    (sender, peer, metered)
}

async fn next<B>(body: &mut Metered<B>) -> Option<Result<usize, Status>>
where
    B: Body<Data = Bytes, Error = Infallible> + Unpin,
{
    let frame = body.frame().await?;
    Some(frame.map(|frame| frame.data_ref().map_or(0, Bytes::len)))
}

#[tokio::test(start_paused = true)]
async fn room_is_reserved_by_the_length_that_is_announced() {
    let shares = Shares::new(2_000, MESSAGE_BYTES);
    let (client, peer, mut body) = body(&shares, false);
    client.send(message(false, 700)[..5].to_vec()).expect("listens");
    next(&mut body).await.expect("a frame").expect("whole");
    assert_eq!(shares.held(peer.number()), 700, "before any of it came");
    client.send(vec![7; 700]).expect("listens");
    next(&mut body).await.expect("a frame").expect("whole");
    drop(client);
    assert!(next(&mut body).await.is_none());
    assert_eq!(shares.held(peer.number()), 700, "until the call is over");
    drop(body);
    assert_eq!(shares.held(peer.number()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_gives_room_back_when_it_asks_for_more() {
    let shares = Shares::new(3_000, MESSAGE_BYTES);
    let (client, peer, mut body) = body(&shares, true);
    // Compressed, it may become as long as a message may be; longer ones are refused by their length.
    for (sent, held) in [
        (message(false, 10), 10),
        (message(true, 10), MESSAGE_BYTES),
        ([message(false, 10), message(false, 20), message(false, 0)].concat(), 30),
        (message(false, 5_000)[..100].to_vec(), MESSAGE_BYTES),
    ] {
        client.send(sent).expect("listens");
        next(&mut body).await.expect("a frame").expect("whole");
        assert_eq!(shares.held(peer.number()), held);
    }
}

#[tokio::test(start_paused = true)]
async fn without_room_nothing_is_handed_on_and_the_client_is_not_blamed() {
    let shares = Shares::new(1_000, 0);
    let other = shares.try_take(&Peer::new(), 900).expect("alone");
    let (client, _, mut body) = body(&shares, false);
    client.send(message(false, 400)).expect("listens");
    let waiting = tokio::spawn(async move {
        let first = next(&mut body).await;
        (first, next(&mut body).await)
    });
    tokio::time::sleep(PATIENCE * 10).await;
    assert!(!waiting.is_finished());
    drop(other);
    drop(client);
    let (first, end) = waiting.await.expect("no panic");
    assert_eq!(first.expect("a frame").expect("whole"), 405);
    assert!(end.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_has_a_time_to_send_and_more_for_more() {
    // What it has sent, and the seconds that it may then be silent.
    for (sent, seconds) in [
        (vec![], 10),
        (message(false, 500)[..400].to_vec(), 10),
        // The whole message, but not the end of the request.
        (message(false, 500), 10),
        (message(false, 200_000), 13),
    ] {
        let shares = Shares::new(10_000, MESSAGE_BYTES);
        let (client, _, mut body) = body(&shares, false);
        let begin = Instant::now();
        if !sent.is_empty() {
            client.send(sent).expect("listens");
            next(&mut body).await.expect("a frame").expect("in time");
        }
        let late = next(&mut body).await.expect("an error").expect_err("too late");
        assert_eq!(
            (late.code(), reason(&late).as_deref()),
            (Code::DeadlineExceeded, Some("REQUEST_INCOMPLETE"))
        );
        assert_eq!(begin.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn trickling_buys_no_time_and_pauses_of_a_stream_between_messages_cost_none() {
    let shares = Shares::new(10_000, MESSAGE_BYTES);
    let (client, _, mut trickle) = body(&shares, true);
    let begin = Instant::now();
    let reader = tokio::spawn(async move {
        loop {
            match next(&mut trickle).await {
                Some(Ok(_)) => {}
                Some(Err(late)) => return late,
                None => unreachable!("the client stays"),
            }
        }
    });
    tokio::time::sleep(PATIENCE * 100).await;
    for byte in message(false, 500) {
        if client.send(vec![byte]).is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let late = reader.await.expect("no panic");
    assert_eq!(reason(&late).as_deref(), Some("REQUEST_INCOMPLETE"));
    assert!(begin.elapsed() >= PATIENCE * 101 && begin.elapsed() < PATIENCE * 102);
}

proptest! {
    #[test]
    fn however_it_is_cut_the_same_room_is_asked_for(
        messages in prop::collection::vec((any::<bool>(), 0_usize..2_000), 0..6),
        cuts in prop::collection::vec(1_usize..700, 1..60),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|(compressed, length)| message(*compressed, *length)).collect();
        let room = |&(compressed, length): &(bool, usize)| {
            if compressed { MESSAGE_BYTES } else { MESSAGE_BYTES.min(length as u64) }
        };
        let expected: u64 = messages.iter().map(room).sum();
        let (mut state, mut begun, mut rest) = (Message::BEGIN, 0, bytes.as_slice());
        let mut sizes = cuts.iter().copied().cycle();
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(rest.len().min(sizes.next().expect("endless")));
            begun += state.pass(piece, MESSAGE_BYTES);
            rest = left;
        }
        prop_assert_eq!(begun, expected);
        let at_the_beginning = matches!(state, Message::Prefix { have: 0, .. });
        prop_assert!(at_the_beginning);
    }
}
