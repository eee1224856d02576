//! gRPC plumbing: errors as rich status, deadlines, admission, connections, channels.

mod admission;
mod answer;
mod applied;
mod body;
mod channel;
mod connections;
mod deadline;
mod describe;
pub mod generation;
mod methods;
mod peer;
mod secret;
mod shares;
mod stack;
pub mod status;
mod streams;
#[cfg(test)]
mod tests;

pub use admission::{Admission, Shed};
pub use answer::Answer;
pub use applied::{applied, set_applied};
pub use channel::{UrlError, connect};
pub use connections::{Transport, serve};
pub use deadline::{Deadline, DeadlineExceeded, WithDeadline};
pub use describe::{AHEAD_OF_LOG, LOW_ON_SPACE};
pub use peer::Peer;
pub use secret::{Guarded, PeerChannel, SecretRefused, SendSecret, connect_peer};
pub use stack::{CallSpan, ServerStack};
pub use streams::{IDLE, OpenStream, Streams};
