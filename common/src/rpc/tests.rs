//! The server's layers, called as tonic calls them.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use super::*;
use crate::config::AdmissionConfig;

const DEFAULT_SECONDS: f64 = 5.0;

/// A server of two calls at once whose handler waits for `release`, and its count of starts.
fn waiting_server() -> (
    impl Service<Request<Body>, Response: Answered, Error = Infallible, Future: Send> + Clone,
    Arc<Notify>,
    Arc<AtomicUsize>,
) {
    let release = Arc::new(Notify::new());
    let started = Arc::new(AtomicUsize::new(0));
    let (wait, count) = (Arc::clone(&release), Arc::clone(&started));
    let handler = service_fn(move |request: Request<Body>| {
        let (wait, count) = (Arc::clone(&wait), Arc::clone(&count));
        async move {
            assert!(request.extensions().get::<Deadline>().is_some());
            count.fetch_add(1, Ordering::SeqCst);
            if !request.uri().path().starts_with("/grpc.health.v1.Health/") {
                wait.notified().await;
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let config = AdmissionConfig {
        concurrency: 2,
        default_deadline_seconds: DEFAULT_SECONDS,
        ..AdmissionConfig::default()
    };
    (ServerStack::public(&config).layer(handler), release, started)
}

/// The status in the headers of an answer.
trait Answered {
    fn status(&self) -> Option<Status>;
}

impl<B> Answered for Response<B> {
    fn status(&self) -> Option<Status> {
        Status::from_header_map(self.headers())
    }
}

fn call(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(Body::empty()).expect("a request")
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_are_shed_unstarted_and_health_checks_never() {
    let (server, release, started) = waiting_server();
    let first = tokio::spawn(server.clone().oneshot(call("/a/b")).map_status());
    let second = tokio::spawn(server.clone().oneshot(call("/a/b")).map_status());
    tokio::task::yield_now().await;
    assert_eq!(started.load(Ordering::SeqCst), 2);

    let shed = server.clone().oneshot(call("/a/b")).map_status().await.expect("a status");
    assert_eq!(shed.code(), Code::ResourceExhausted);
    assert_eq!(status::reason(&shed).as_deref(), Some("OVERLOADED"));
    assert!(status::retry_after(&shed).is_some());
    assert_eq!(started.load(Ordering::SeqCst), 2);
    let health = server.clone().oneshot(call("/grpc.health.v1.Health/Check")).map_status().await;
    assert!(health.is_none());

    release.notify_waiters();
    assert!(first.await.expect("joined").is_none());
    assert!(second.await.expect("joined").is_none());
    // Their permits are back.
    let third = tokio::spawn(server.oneshot(call("/a/b")).map_status());
    tokio::task::yield_now().await;
    release.notify_waiters();
    assert!(third.await.expect("joined").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_deadline_exceeded() {
    let (server, _release, _) = waiting_server();
    let begin = tokio::time::Instant::now();
    let mut named = call("/a/b");
    named.headers_mut().insert("grpc-timeout", "300m".parse().expect("a value"));
    for (request, expected) in [
        (named, Duration::from_millis(300)),
        (call("/a/b"), Duration::from_millis(300) + Duration::from_secs_f64(DEFAULT_SECONDS)),
    ] {
        let late = server.clone().oneshot(request).map_status().await.expect("a status");
        assert_eq!(late.code(), Code::DeadlineExceeded);
        assert_eq!(status::reason(&late).as_deref(), Some("DEADLINE_EXCEEDED"));
        assert!((expected..expected + Duration::from_millis(10)).contains(&begin.elapsed()));
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_longer_than_the_longest_is_told() {
    let config = AdmissionConfig { longest_deadline_seconds: 7.0, ..AdmissionConfig::default() };
    let server = ServerStack::public(&config).layer(service_fn(|_: Request<Body>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    }));
    for (path, timeout, seconds, told) in [
        ("/mercer.v1.RecommendService/Recommend", "99999999S", 7, true),
        ("/mercer.v1.RecommendService/Recommend", "3S", 3, false),
        // The begin of a stream is waited for as long as the caller wants.
        ("/mercer.v1.ForecastService/BatchForecast", "20S", 20, false),
    ] {
        let mut request = call(path);
        request.headers_mut().insert("grpc-timeout", timeout.parse().expect("a value"));
        let begin = tokio::time::Instant::now();
        let status = server.clone().oneshot(request).map_status().await;
        let status = status.expect("a status");
        assert_eq!(status.code(), Code::DeadlineExceeded);
        let names = status.message().contains("admission.longest_deadline_seconds");
        assert_eq!(names, told, "{path}: {}", status.message());
        assert_eq!(begin.elapsed().as_secs(), seconds, "{path}");
    }
}

/// Reduces a call to the status of its answer.
trait MapStatus: Future + Sized {
    fn map_status(self) -> impl Future<Output = Option<Status>> + Send;
}

impl<F, A> MapStatus for F
where
    F: Future<Output = Result<A, Infallible>> + Send,
    A: Answered,
{
    async fn map_status(self) -> Option<Status> {
        match self.await {
            Ok(answer) => answer.status(),
            Err(never) => match never {},
        }
    }
}

#[test]
fn a_status_survives_as_a_message() {
    let invalid = status::InvalidRequest::field("events[3].item_id", "must not be empty");
    let sent = status::Describe::to_status(&invalid);
    let received = status::from_message(&status::to_message(&sent));
    assert_eq!((received.code(), received.message()), (sent.code(), sent.message()));
    assert_eq!(status::violations(&received), invalid.violations);
    assert_eq!(status::reason(&received).as_deref(), Some("INVALID_REQUEST"));

    let plain = status::from_message(&status::to_message(&Status::internal("why")));
    assert_eq!((plain.code(), plain.message()), (Code::Internal, "why"));
    assert_eq!(status::reason(&plain), None);
}

#[tokio::test]
async fn the_layers_fit_a_real_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let stop = CancellationToken::new();
    let stack = ServerStack::public(&AdmissionConfig::default());
    let service = stack.layer(tonic::service::Routes::default());
    let serving = tokio::spawn(serve(listener, stack.transport(), service, stop.clone()));
    let mut channel = connect(&format!("http://{address}")).expect("a URL");
    let answer = channel.ready().await.expect("connects").call(call("/a/b")).await;
    let answer = answer.expect("an answer");
    assert_eq!(Answered::status(&answer).map(|status| status.code()), Some(Code::Unimplemented));
    drop((answer, channel));
    stop.cancel();
    serving.await.expect("stopped");
}
