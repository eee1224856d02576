//! What is known of RPCs before they are called: how many messages go each way.

use std::{collections::HashMap, sync::Arc};

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// How many messages an RPC carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Any number of requests, where others have one.
    pub(super) client_streams: bool,
    /// Any number of answers, where others have one.
    pub(super) server_streams: bool,
    /// Answers with a page, which may take as much as a message may.
    pub(super) pages: bool,
}

impl Shape {
    /// One message each way.
    pub(super) const UNARY: Self =
        Self { client_streams: false, server_streams: false, pages: false };

    /// Whether one message goes each way.
    pub(super) fn is_unary(self) -> bool {
        !self.client_streams && !self.server_streams
    }
}

/// The RPCs of the public API and of health checks, by path.
#[derive(Clone, Debug)]
pub(super) struct Methods(Arc<HashMap<String, Shape>>);

impl Methods {
    /// From the descriptors that the API is described by.
    pub(super) fn described() -> Self {
        let mut methods = HashMap::new();
        for encoded in [mercer_proto::v1::DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET] {
            let set = FileDescriptorSet::decode(encoded).expect("the build encoded it");
            for file in &set.file {
                for service in &file.service {
                    for method in &service.method {
                        let path =
                            format!("/{}.{}/{}", file.package(), service.name(), method.name());
                        let shape = Shape {
                            client_streams: method.client_streaming(),
                            server_streams: method.server_streaming(),
                            pages: method.name().starts_with("List"),
                        };
                        methods.insert(path, shape);
                    }
                }
            }
        }
        Self(Arc::new(methods))
    }

    /// The shape of the RPC at `path`; `None` for one that is not described.
    pub(super) fn shape(&self, path: &str) -> Option<Shape> {
        self.0.get(path).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_of_the_api() {
        let methods = Methods::described();
        let streams =
            |client_streams, server_streams| Shape { client_streams, server_streams, pages: false };
        for (path, expected) in [
            ("/mercer.v1.RecommendService/Recommend", Some(Shape::UNARY)),
            ("/mercer.v1.CatalogService/ListItems", Some(Shape { pages: true, ..Shape::UNARY })),
            ("/mercer.v1.EventService/Ingest", Some(streams(true, true))),
            ("/mercer.v1.JobService/WatchJob", Some(streams(false, true))),
            ("/grpc.health.v1.Health/Check", Some(Shape::UNARY)),
            ("/grpc.health.v1.Health/Watch", Some(streams(false, true))),
            ("/mercer.v1.RecommendService/Nothing", None),
        ] {
            assert_eq!(methods.shape(path), expected, "{path}");
        }
    }
}
