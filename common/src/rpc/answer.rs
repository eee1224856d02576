//! Bodies of answers: handed to the connection piece by piece as the client takes them, so that a
//! client that takes nothing holds one answer and not many.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::connections::SEND_BYTES;

/// The body of an answer, and what is held until all of it is handed over.
#[derive(Debug)]
pub struct Answer<B, H> {
    inner: B,
    /// What is left of a message.
    rest: Bytes,
    _held: Option<H>,
}

impl<B, H> Answer<B, H> {
    /// Keeps `held` as long as the body lasts.
    pub(super) fn new(inner: B, held: Option<H>) -> Self {
        Self { inner, rest: Bytes::new(), _held: held }
    }
}

impl<B: Default, H> Default for Answer<B, H> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B, H> Body for Answer<B, H>
where
    B: Body<Data = Bytes> + Unpin,
    H: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(data) => this.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(SEND_BYTES));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        let rest = self.rest.len() as u64;
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt as _, Full};

    use super::*;

    #[tokio::test]
    async fn an_answer_goes_out_in_pieces_and_is_the_same() {
        let message: Bytes = (0..SEND_BYTES * 2 + 10).map(|number| number as u8).collect();
        let mut answer = Answer::<Full<Bytes>, ()>::new(Full::new(message.clone()), Some(()));
        let mut pieces: Vec<Bytes> = Vec::new();
        while let Some(frame) = answer.frame().await {
            let frame: Result<_, Infallible> = frame;
            pieces.push(frame.expect("whole").into_data().expect("data"));
        }
        let sizes: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(sizes, [SEND_BYTES, SEND_BYTES, 10]);
        assert_eq!(pieces.concat(), message);
    }
}
