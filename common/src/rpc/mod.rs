//! gRPC plumbing: errors as rich status, deadlines, admission, channels.

mod admission;
mod applied;
mod channel;
mod deadline;
mod describe;
pub mod generation;
mod secret;
mod stack;
pub mod status;
#[cfg(test)]
mod tests;

pub use admission::{Admission, Shed};
pub use applied::{applied, set_applied};
pub use channel::{UrlError, connect};
pub use deadline::{Deadline, DeadlineExceeded, WithDeadline};
pub use describe::{AHEAD_OF_LOG, LOW_ON_SPACE};
pub use secret::{Guarded, PeerChannel, SecretRefused, SendSecret, connect_peer};
pub use stack::{CallSpan, LayeredServer, ServerStack, incoming, server};
