//! Bodies of answers: handed to the connection piece by piece as the client takes them, so that a
//! client that takes nothing holds one answer and not many.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::connections::SEND_BYTES;

/// What is held until an answer is handed over.
pub(super) trait Hold: Unpin {
    /// Hears that a piece of the answer was handed over.
    fn piece(&self);
}

/// The body of an answer, and what is held until all of it is handed over.
#[derive(Debug)]
pub struct Answer<B: Body, H> {
    inner: B,
    /// What was taken from it beforehand.
    first: Option<Result<Frame<Bytes>, B::Error>>,
    /// What is left of a message.
    rest: Bytes,
    held: Option<H>,
}

impl<B: Body<Data = Bytes> + Unpin, H> Answer<B, H> {
    /// The answer `inner`; says how long its message is. What is given to [`Self::hold`] is kept as
    /// long as it lasts.
    pub(super) async fn begin(mut inner: B) -> (Self, usize) {
        let mut first = None;
        if !inner.is_end_stream() {
            first = poll_fn(|context| Pin::new(&mut inner).poll_frame(context)).await;
        }
        let message = first.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        let bytes = message.map_or(0, Bytes::len);
        (Self::of(inner, first), bytes)
    }

    /// The answer `inner`, whose messages come in their time.
    pub(super) fn of(inner: B, first: Option<Result<Frame<Bytes>, B::Error>>) -> Self {
        Self { inner, first, rest: Bytes::new(), held: None }
    }

    pub(super) fn hold(&mut self, held: H) {
        self.held = Some(held);
    }
}

impl<B: Body + Default, H> Default for Answer<B, H> {
    fn default() -> Self {
        Self { inner: B::default(), first: None, rest: Bytes::new(), held: None }
    }
}

impl<B, H> Body for Answer<B, H>
where
    B: Body<Data = Bytes, Error: Unpin> + Unpin,
    H: Hold,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            let frame = match this.first.take() {
                Some(frame) => Some(frame),
                None => ready!(Pin::new(&mut this.inner).poll_frame(context)),
            };
            match frame {
                Some(Ok(frame)) if frame.is_data() => {
                    this.rest = frame.into_data().unwrap_or_default();
                }
                other => return Poll::Ready(other),
            }
        }
        if let Some(held) = &this.held {
            held.piece();
        }
        let piece = this.rest.split_to(this.rest.len().min(SEND_BYTES));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.first.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::HeaderMap;
    use http_body_util::{BodyExt as _, Empty, Full};

    use super::*;

    impl Hold for std::sync::Arc<()> {
        fn piece(&self) {}
    }

    #[tokio::test]
    async fn an_answer_goes_out_in_pieces_and_is_the_same() {
        let message: Bytes = (0..SEND_BYTES * 2 + 10).map(|number| number as u8).collect();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", 0.into());
        let body = Full::new(message.clone());
        let body = body.with_trailers(std::future::ready(Some(Ok(trailers.clone()))));
        let (mut answer, bytes) = Answer::begin(body).await;
        assert_eq!(bytes, message.len());
        let held = std::sync::Arc::new(());
        answer.hold(std::sync::Arc::clone(&held));
        let mut pieces: Vec<Bytes> = Vec::new();
        let end = loop {
            let frame: Result<_, Infallible> = answer.frame().await.expect("trailers come");
            match frame.expect("whole").into_data() {
                Ok(piece) => pieces.push(piece),
                Err(frame) => break frame.into_trailers().expect("trailers"),
            }
        };
        let sizes: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(sizes, [SEND_BYTES, SEND_BYTES, 10]);
        assert_eq!(pieces.concat(), message);
        assert_eq!(end, trailers);
        assert!(answer.frame().await.is_none());
        drop(answer);
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn what_is_no_message_comes_through() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", 13.into());
        let body = Empty::<Bytes>::new();
        let body = body.with_trailers(std::future::ready(Some(Ok(trailers.clone()))));
        let (mut answer, bytes) = Answer::<_, std::sync::Arc<()>>::begin(body).await;
        assert_eq!(bytes, 0);
        let frame: Result<_, Infallible> = answer.frame().await.expect("trailers come");
        assert_eq!(frame.expect("whole").into_trailers().expect("trailers"), trailers);
    }
}
