//! The gRPC services of a worker: decode, check the generation, call, encode.
