//! `mercer.v1.ClusterService`.

use std::sync::Arc;

use mercer_proto::v1::{
    DescribeClusterRequest, DescribeClusterResponse, cluster_service_server::ClusterService,
};
use tonic::{Request, Response, Status};

use super::admit;
use crate::query::Queries;

pub(super) struct ClusterHandler {
    pub(super) queries: Arc<Queries>,
}

#[tonic::async_trait]
impl ClusterService for ClusterHandler {
    async fn describe_cluster(
        &self,
        request: Request<DescribeClusterRequest>,
    ) -> Result<Response<DescribeClusterResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.queries.describe_cluster(request, deadline).await?))
    }
}
