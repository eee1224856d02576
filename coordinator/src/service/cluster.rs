//! `mercer.v1.ClusterService`.

use std::{sync::Arc, time::Duration};

use mercer_common::{
    rpc::status::Describe as _,
    shutdown::{Phase, Tasks},
};
use mercer_proto::v1::{
    Backup, BackupProgress, CreateBackupRequest, CreateBackupResponse, DescribeClusterRequest,
    DescribeClusterResponse, cluster_service_server::ClusterService,
    create_backup_response::Response as Part,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::admit;
use crate::{
    backup::{self, BackupError, Backups},
    overview::Overview,
    time::timestamp_ms,
};

/// Shortest time between two reports of how far a backup is.
const TELL_EVERY: Duration = Duration::from_millis(100);

pub(super) struct ClusterHandler {
    pub(super) overview: Arc<Overview>,
    pub(super) backups: Option<Arc<Backups>>,
    pub(super) tasks: Tasks,
}

#[tonic::async_trait]
impl ClusterService for ClusterHandler {
    type CreateBackupStream = ReceiverStream<Result<CreateBackupResponse, Status>>;

    async fn describe_cluster(
        &self,
        request: Request<DescribeClusterRequest>,
    ) -> Result<Response<DescribeClusterResponse>, Status> {
        let (request, deadline) = admit(request)?;
        Ok(Response::new(self.overview.describe(request, deadline).await?))
    }

    async fn create_backup(
        &self,
        request: Request<CreateBackupRequest>,
    ) -> Result<Response<Self::CreateBackupStream>, Status> {
        let (request, _) = admit(request)?;
        let Some(backups) = self.backups.clone() else {
            return Err(BackupError::Elsewhere.to_status());
        };
        let stopping = self.tasks.stopping(Phase::Frontend);
        let (sender, stream) = mpsc::channel(1);
        self.tasks.spawn(Phase::Frontend, "backup", async move {
            let (progress, mut told) = watch::channel(backup::BackupProgress::default());
            let making = backups.create(request.name.as_deref(), progress);
            tokio::pin!(making);
            let made = loop {
                tokio::select! {
                    made = &mut making => break made,
                    () = async { tokio::select! {
                        () = sender.closed() => {}
                        () = stopping.cancelled() => {}
                    } } => {
                        drop(told);
                        break making.await;
                    }
                    () = tokio::time::sleep(TELL_EVERY) => {}
                }
                if told.has_changed().unwrap_or(false) {
                    // One that is not read yet stands for those after it.
                    let _ = sender.try_send(Ok(progress_of(*told.borrow_and_update())));
                }
            };
            let last = made.map(backup_of).map_err(|error| error.to_status());
            // Nobody waits for it any more when this fails.
            let _ = sender.send(last).await;
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn progress_of(progress: backup::BackupProgress) -> CreateBackupResponse {
    let backup::BackupProgress { bytes_done, bytes } = progress;
    let progress = BackupProgress { bytes_done, bytes };
    CreateBackupResponse { response: Some(Part::Progress(progress)) }
}

fn backup_of(made: backup::Backup) -> CreateBackupResponse {
    let manifest = made.manifest;
    let backup = Backup {
        folder: made.folder.display().to_string(),
        create_time: Some(timestamp_ms(manifest.create_time_ms)),
        end_sequence: manifest.end,
        files: manifest.files.len() as u64,
        bytes: manifest.bytes(),
        incarnation: manifest.incarnation,
        version: manifest.version.unwrap_or_default(),
        problems: manifest.problems,
    };
    CreateBackupResponse { response: Some(Part::Backup(backup)) }
}
