use std::future::ready;

use http_body_util::Full;
use tokio::io::AsyncWriteExt as _;
use tokio_util::task::AbortOnDropHandle;
use tonic::{body::Body as TonicBody, transport::Channel};
use tower::service_fn;

use super::*;
use crate::rpc::connect;

/// A server that answers everything and has two connections at most.
async fn server(
    connections: usize,
) -> (std::net::SocketAddr, CancellationToken, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let transport =
        Transport { connections, streams: 10, stream_window: 1 << 16, connection_window: 1 << 16 };
    let service = service_fn(|request: Request<Incoming>| {
        assert!(request.extensions().get::<Peer>().is_some());
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"answer")))))
    });
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, transport, service, stop.clone()));
    (address, stop, AbortOnDropHandle::new(serving))
}

fn client(address: std::net::SocketAddr) -> Channel {
    connect(&format!("http://{address}")).expect("a URL")
}

async fn ask(channel: &mut Channel) -> Result<(), tonic::transport::Error> {
    channel.ready().await?;
    channel.call(Request::new(TonicBody::empty())).await.map(|_| ())
}

/// Fails when the server does not close the socket within a minute.
async fn closed(socket: &mut TcpStream) {
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_secs(60), socket.read_to_end(&mut bytes)).await;
    // A reset is as good an end as any.
    let _ = read.expect("the socket is held open");
}

#[tokio::test]
async fn the_idlest_leaves_for_a_newcomer() {
    let (address, _stop, _serving) = server(2).await;
    let mut silent = TcpStream::connect(address).await.expect("connects");
    let (mut first, mut second) = (client(address), client(address));
    ask(&mut first).await.expect("answered");
    ask(&mut second).await.expect("answered beside one that never greets");
    closed(&mut silent).await;
    // All have greeted now; whoever was asked for least recently leaves, and may come again.
    for _ in 0..3 {
        let mut third = client(address);
        ask(&mut third).await.expect("answered");
        let again = async { while ask(&mut first).await.is_err() {} };
        timeout(Duration::from_secs(60), again).await.expect("comes in again");
    }
}

#[tokio::test]
async fn who_greets_otherwise_is_shown_out() {
    let (address, _stop, _serving) = server(10).await;
    let mut other = TcpStream::connect(address).await.expect("connects");
    other.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    closed(&mut other).await;
}

#[tokio::test(start_paused = true)]
async fn a_greeting_has_a_time() {
    let (address, _stop, _serving) = server(10).await;
    let mut half = TcpStream::connect(address).await.expect("connects");
    half.write_all(b"PRI * HTTP/2.0").await.expect("sent");
    let begin = Instant::now();
    closed(&mut half).await;
    assert!(begin.elapsed() >= GREETING, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn stopping_closes_the_listener_and_waits_for_nobody_who_is_silent() {
    let (address, stop, serving) = server(10).await;
    let mut silent = TcpStream::connect(address).await.expect("connects");
    let mut channel = client(address);
    ask(&mut channel).await.expect("answered");
    stop.cancel();
    timeout(Duration::from_secs(60), serving).await.expect("stops").expect("no panic");
    closed(&mut silent).await;
    TcpStream::connect(address).await.expect_err("nobody listens");
}
