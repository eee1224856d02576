//! gRPC plumbing: errors as rich status, deadlines, admission, channels.

pub mod status;
