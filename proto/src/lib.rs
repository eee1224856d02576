//! The wire format of Mercer: the public API `mercer.v1` and what its own processes say to
//! each other, generated from `proto/` at build time.

#![allow(missing_docs, unreachable_pub, clippy::all)]

pub mod codec;

/// Standard Google types that the API is made of.
pub mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
    pub mod r#type {
        tonic::include_proto!("google.r#type");
    }
}

/// The messages and services of Mercer.
pub mod mercer {
    /// The public API.
    pub mod v1 {
        tonic::include_proto!("mercer.v1");

        /// Describes the public API, for reflection.
        pub const DESCRIPTOR_SET: &[u8] =
            tonic::include_file_descriptor_set!("mercer_v1_descriptor");
    }

    /// Between Mercer's own processes and in its files; no promise to anybody else.
    pub mod internal {
        pub mod v1 {
            tonic::include_proto!("mercer.internal.v1");

            /// Describes everything, what is public included.
            pub const DESCRIPTOR_SET: &[u8] =
                tonic::include_file_descriptor_set!("mercer_internal_v1_descriptor");
        }
    }
}

pub use mercer::{internal::v1 as internal, v1};
