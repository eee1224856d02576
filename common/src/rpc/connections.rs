//! Connections: accepted up to a bound, greeted in time, and let go of, the idlest first, when others
//! want to come in.

use std::{collections::HashMap, convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, join},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::codegen::StdError;
use tower::{Service, ServiceExt as _};

use super::{
    channel::{KEEPALIVE, KEEPALIVE_TIMEOUT},
    peer::Peer,
};

/// The time that a client has for its greeting, the first bytes of HTTP/2.
const GREETING: Duration = Duration::from_secs(10);
const GREETING_BYTES: usize = 24;
/// The time that a connection that has to leave is given for its calls.
const LEAVE: Duration = Duration::from_secs(1);
/// The time that one without calls is given to hear of it.
const LEAVE_IDLE: Duration = Duration::from_millis(100);
/// How often it is looked whether a client takes its answers.
const LOOK: Duration = Duration::from_secs(10);
/// Divisor of the bound that gives how many may be leaving while others come in for them.
const LEAVING: usize = 8;
/// Pauses of accepting when the process is out of descriptors, doubled each time.
const PAUSE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(1);
/// Bytes of a stream's answer that are handed to the connection before its client takes them.
pub(super) const SEND_BYTES: usize = 64 << 10;

/// What a server's connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Transport {
    /// Connections that are open.
    pub connections: usize,
    /// Calls of one connection.
    pub(super) streams: u32,
    /// Bytes of one call's request that may come before they are read.
    pub(super) stream_window: u32,
    /// The same of all calls of a connection.
    pub(super) connection_window: u32,
}

/// The connections that may still be asked for their place.
#[derive(Debug, Default)]
struct Open(Mutex<HashMap<u64, Member>>);

#[derive(Debug)]
struct Member {
    peer: Peer,
    greeted: bool,
}

/// What answers the calls of connections.
pub trait AnswersCalls:
    Service<
        Request<Incoming>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
    /// Body of the service's answers.
    type Body: Body<Data = Bytes, Error: Into<StdError>> + Send + 'static;
}

impl<S, B> AnswersCalls for S
where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<StdError>> + Send + 'static,
{
    type Body = B;
}

/// Serves `service` to the connections of `listener` until `stop`, then closes the listener and waits
/// until their calls have ended. Each request carries its [`Peer`].
pub async fn serve<S: AnswersCalls>(
    listener: TcpListener,
    transport: Transport,
    service: S,
    stop: CancellationToken,
) {
    let bound = transport.connections.max(1);
    let open = Arc::new(Open::default());
    let places = Arc::new(Semaphore::new(bound + bound.div_ceil(LEAVING)));
    let tracker = TaskTracker::new();
    let mut pause = *PAUSE.start();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) if is_of_the_client(&error) => continue,
            Err(error) => {
                open.let_one_leave();
                tracing::warn!(%error, "no connection can be accepted");
                sleep(pause).await;
                pause = (pause * 2).min(*PAUSE.end());
                continue;
            }
        };
        pause = *PAUSE.start();
        if open.count() >= bound {
            open.let_one_leave();
        }
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let place = place.expect("the semaphore is never closed");
        let connection = Connection { open: Arc::clone(&open), peer: Peer::new(), _place: place };
        open.insert(&connection.peer);
        tracker.spawn(connection.serve(socket, transport, service.clone(), stop.clone()));
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

/// Whether accepting failed for reasons of the connection that was to be accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

impl Open {
    fn count(&self) -> usize {
        self.0.lock().len()
    }

    fn insert(&self, peer: &Peer) {
        let member = Member { peer: peer.clone(), greeted: false };
        self.0.lock().insert(peer.number(), member);
    }

    fn greeted(&self, peer: &Peer) {
        if let Some(member) = self.0.lock().get_mut(&peer.number()) {
            member.greeted = true;
        }
    }

    fn remove(&self, peer: &Peer) {
        self.0.lock().remove(&peer.number());
    }

    /// Asks one to leave: first whoever has not greeted, then who has no call under way, each time the
    /// one that was silent for longest.
    fn let_one_leave(&self) {
        let mut open = self.0.lock();
        let idlest = open.iter().min_by_key(|(_, member)| {
            (member.greeted, !member.peer.is_idle(), member.peer.active())
        });
        let number = idlest.map(|(number, _)| *number);
        if let Some(member) = number.and_then(|number| open.remove(&number)) {
            member.peer.leave();
        }
    }
}

struct Connection {
    open: Arc<Open>,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve<S: AnswersCalls>(
        self,
        mut socket: TcpStream,
        transport: Transport,
        service: S,
        stop: CancellationToken,
    ) {
        // Without it an answer's last frame waits some 40 ms for an acknowledgement of the one before.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection waits for acknowledgements");
        }
        let mut greeting = [0; GREETING_BYTES];
        let greeted = tokio::select! {
            () = self.peer.leaving().cancelled() => return,
            () = stop.cancelled() => return,
            greeted = timeout(GREETING, socket.read_exact(&mut greeting)) => greeted,
        };
        if !matches!(greeted, Ok(Ok(_))) {
            return;
        }
        self.open.greeted(&self.peer);
        let (rest, writer) = socket.into_split();
        let socket = join(greeting.as_slice().chain(rest), writer);
        self.answer(socket, transport, service, stop).await;
    }

    async fn answer<S: AnswersCalls>(
        &self,
        socket: impl AsyncRead + AsyncWrite + Unpin,
        transport: Transport,
        service: S,
        stop: CancellationToken,
    ) {
        let peer = self.peer.clone();
        let service = service.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            request
        });
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .initial_stream_window_size(transport.stream_window)
            .initial_connection_window_size(transport.connection_window)
            .max_concurrent_streams(transport.streams)
            .max_send_buf_size(SEND_BYTES)
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let connection =
            http.serve_connection(TokioIo::new(socket), TowerToHyperService::new(service));
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => Some(ended),
            () = stop.cancelled() => None,
            () = self.peer.leaving().cancelled() => None,
            // What it holds is others'; it is not told, for it reads nothing.
            () = self.takes_nothing() => return,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = &mut connection => ended,
                    () = self.patience() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
    }

    /// Ends when answers are there and the client takes none of them for a minute.
    async fn takes_nothing(&self) {
        while !self.peer.takes_nothing() {
            sleep(LOOK).await;
        }
    }

    /// Ends when a connection that is to leave should have done so. One that ends because the server
    /// stops is awaited for as long as its calls last.
    async fn patience(&self) {
        self.peer.leaving().cancelled().await;
        let until = Instant::now() + LEAVE;
        sleep(LEAVE_IDLE).await;
        while !self.peer.is_idle() && Instant::now() < until {
            sleep(LEAVE_IDLE).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.remove(&self.peer);
    }
}

#[cfg(test)]
mod tests;
