//! Deadlines travel: read from `grpc-timeout`, enforced here, forwarded with what is left.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use thiserror::Error;
use tokio::time::Instant;
use tonic::{Code, Request, Status};
use tower::{Layer, Service};

use super::{
    methods::{Methods, Shape},
    status::{Describe, Description},
};

const HEADER: &str = "grpc-timeout";
/// The time by which the client's timer may fire early: `grpc-timeout` and timers are rounded.
const TIMER_SLACK: Duration = Duration::from_millis(5);
/// No call lasts longer, whatever its caller says.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// When the caller of the present call stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// The deadline passed before the call was done.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the deadline passed before the call was done")]
pub struct DeadlineExceeded;

/// The deadline passed that the server set where the caller asked for a later one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the call was not done after {} s, the most that a call may ask for \
     (admission.longest_deadline_seconds); this one asked for {} s",
    longest.as_secs_f64(), asked.as_secs_f64()
)]
struct LongestExceeded {
    longest: Duration,
    asked: Duration,
}

impl Describe for LongestExceeded {
    fn describe(&self) -> Description {
        DeadlineExceeded.describe().with("longest_seconds", self.longest.as_secs_f64())
    }
}

impl Describe for DeadlineExceeded {
    fn describe(&self) -> Description {
        Description::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    }
}

impl Deadline {
    /// The deadline that lies `duration` ahead.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration.min(LONGEST))
    }

    /// The deadline of a call that came through [`super::ServerStack`], else `default` ahead.
    #[must_use]
    pub fn of<T>(request: &Request<T>, default: Duration) -> Self {
        request.extensions().get().copied().unwrap_or_else(|| Self::after(default))
    }

    /// When the deadline is.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left; zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Refuses to begin work whose caller no longer waits.
    ///
    /// # Errors
    /// [`DeadlineExceeded`] when it has passed.
    pub fn check(self) -> Result<(), DeadlineExceeded> {
        if self.remaining().is_zero() { Err(DeadlineExceeded) } else { Ok(()) }
    }

    /// Waits for `work` until the deadline, then drops it.
    ///
    /// # Errors
    /// [`DeadlineExceeded`] when `work` was not done in time.
    pub async fn bound<F: Future>(self, work: F) -> Result<F::Output, DeadlineExceeded> {
        tokio::time::timeout_at(self.0, work).await.map_err(|_| DeadlineExceeded)
    }

    /// Gives an outgoing request what is left; pass what comes back through
    /// [`Self::explain`], or use [`Self::call`].
    pub fn set_on<T>(self, request: &mut Request<T>) {
        request.set_timeout(self.remaining());
    }

    /// Sends a request with what is left as its timeout, and waits for the answer until then.
    ///
    /// # Errors
    /// The callee's status, or DEADLINE_EXCEEDED.
    pub async fn call<T, R, F>(
        self,
        mut request: Request<T>,
        send: impl FnOnce(Request<T>) -> F,
    ) -> Result<R, Status>
    where
        F: Future<Output = Result<R, Status>>,
    {
        self.set_on(&mut request);
        match self.bound(send(request)).await {
            Ok(answer) => answer.map_err(|status| self.explain(status)),
            Err(exceeded) => Err(exceeded.to_status()),
        }
    }

    /// Turns the CANCELLED by which tonic's clients report their own timeout into
    /// DEADLINE_EXCEEDED.
    #[must_use]
    pub fn explain(self, status: Status) -> Status {
        if status.code() == Code::Cancelled && self.remaining() < TIMER_SLACK {
            DeadlineExceeded.to_status()
        } else {
            status
        }
    }
}

/// Reads `grpc-timeout`: at most 8 digits and a unit.
fn requested(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 60 * 60),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Gives every call a [`Deadline`] and ends with DEADLINE_EXCEEDED what has not answered by
/// then.
///
/// For a streaming answer this bounds the time to its beginning only; the handler bounds the
/// rest where it makes sense.
#[derive(Clone, Debug)]
pub(super) struct DeadlineLayer {
    pub(super) default: Duration,
    /// The most that a caller of these RPCs may ask for, where they are unary.
    pub(super) longest: Option<(Duration, Methods)>,
}

impl DeadlineLayer {
    /// The most that a caller of `path` may ask for.
    fn longest(&self, path: &str) -> Duration {
        match &self.longest {
            Some((longest, methods)) if methods.shape(path).is_some_and(Shape::is_unary) => {
                *longest
            }
            _ => LONGEST,
        }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = WithDeadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithDeadline { inner, layer: self.clone() }
    }
}

/// Layer of deadlines in a [`super::ServerStack`].
#[derive(Clone, Debug)]
pub struct WithDeadline<S> {
    inner: S,
    layer: DeadlineLayer,
}

impl<S, B, R> Service<HttpRequest<B>> for WithDeadline<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse<R>>,
    S::Future: Send + 'static,
    S::Error: Send,
    R: Default,
{
    type Response = HttpResponse<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: HttpRequest<B>) -> Self::Future {
        let asked = requested(request.headers()).unwrap_or(self.layer.default);
        let longest = self.layer.longest(request.uri().path());
        let deadline = Deadline::after(asked.min(longest));
        request.extensions_mut().insert(deadline);
        let answer = self.inner.call(request);
        Box::pin(async move {
            match deadline.bound(answer).await {
                Ok(answer) => answer,
                Err(_) if asked > longest => {
                    Ok(LongestExceeded { longest, asked }.to_status().into_http())
                }
                Err(exceeded) => Ok(exceeded.to_status().into_http()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().expect("a header value"));
        requested(&headers)
    }

    #[test]
    fn reads_every_unit_and_refuses_the_rest() {
        assert_eq!(parse("3H"), Some(Duration::from_secs(10_800)));
        assert_eq!(parse("2M"), Some(Duration::from_secs(120)));
        assert_eq!(parse("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(parse("42m"), Some(Duration::from_millis(42)));
        assert_eq!(parse("42u"), Some(Duration::from_micros(42)));
        assert_eq!(parse("42n"), Some(Duration::from_nanos(42)));
        for bad in ["", "m", "1", "1x", "-1m", "+1m", "123456789m", "1.5S"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(Deadline::after(Duration::MAX).remaining() <= LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn forwards_what_is_left() {
        let deadline = Deadline::after(Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(4)).await;
        let mut request = Request::new(());
        deadline.set_on(&mut request);
        let value = request.metadata().get(HEADER).expect("set").to_str().expect("text");
        assert_eq!(parse(value), Some(Duration::from_secs(6)));
        let early = Status::cancelled("by the callee");
        assert_eq!(deadline.explain(early).code(), Code::Cancelled);
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(deadline.check(), Err(DeadlineExceeded));
        let late = Status::cancelled("Timeout expired");
        assert_eq!(deadline.explain(late).code(), Code::DeadlineExceeded);
        assert_eq!(deadline.bound(std::future::pending::<()>()).await, Err(DeadlineExceeded));
    }
}
