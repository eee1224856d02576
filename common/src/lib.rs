//! What coordinator and worker both need: ids and slots, events, the event log, metadata,
//! artifacts, RPC plumbing, configuration.
//!
//! Nothing belongs here that has one user only. Only [`rpc`] names tonic types; only the
//! `embedded` modules name sled.

pub mod artifact;
pub mod clearing;
pub mod clock;
pub mod config;
pub mod descriptors;
mod embedded;
pub mod escape;
pub mod event;
pub mod files;
pub mod format_file;
pub mod ids;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod metadata;
pub mod money;
pub mod note;
pub mod pipeline;
pub mod process;
pub mod rpc;
pub mod secret;
pub mod set_aside;
pub mod shutdown;
pub mod slot;
pub mod space;
pub mod telemetry;
pub mod time;
pub mod token;
