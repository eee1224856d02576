//! `mercer.v1.ImportService`.

use std::sync::Arc;

use mercer_common::{
    rpc::{
        OpenStream, Peer, Streams,
        status::{Describe as _, InvalidRequest},
    },
    shutdown::{Phase, Tasks},
};
use mercer_proto::v1::{
    BeginImportRequest, BeginImportResponse, BeginRecordsRequest, FinishImportRequest,
    FinishImportResponse, GetImportRequest, Import, ImportHeader, ImportSource, ListImportsRequest,
    ListImportsResponse, OpenSourceRequest, RebuildRegisterRequest, RebuildRegisterResponse,
    UndoImportRequest, UndoImportResponse, begin_import_request, begin_import_response,
    import_service_server::ImportService,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Extensions, Request, Response, Status, Streaming};

use super::admit;
use crate::imports::{ImportError, Imports, Part, Progress};

/// Messages that wait on either side.
const DEPTH: usize = 2;
/// Imports that begin at the same time: each has a thread that reads registers.
const BEGIN_AT_ONCE: usize = 8;

pub(super) struct ImportHandler {
    imports: Arc<Imports>,
    tasks: Tasks,
    places: Arc<Streams>,
}

impl ImportHandler {
    pub(super) fn new(imports: Arc<Imports>, tasks: Tasks) -> Self {
        Self { imports, tasks, places: Streams::new(BEGIN_AT_ONCE) }
    }

    /// A place for a stream of the caller.
    fn place(&self, caller: &Extensions) -> Result<OpenStream, Status> {
        let limit = self.places.limit();
        let place = self.places.open(&Peer::of(caller));
        place.ok_or_else(|| ImportError::Busy { limit }.to_status())
    }
}

#[tonic::async_trait]
impl ImportService for ImportHandler {
    type RebuildRegisterStream = ReceiverStream<Result<RebuildRegisterResponse, Status>>;

    async fn rebuild_register(
        &self,
        request: Request<RebuildRegisterRequest>,
    ) -> Result<Response<Self::RebuildRegisterStream>, Status> {
        let place = self.place(request.extensions())?;
        let (answers, stream) = mpsc::channel(DEPTH);
        let imports = Arc::clone(&self.imports);
        let stopping = self.tasks.stopping(Phase::Frontend);
        let source_id = request.into_inner().source_id;
        self.tasks.spawn(Phase::Frontend, "rebuild of a register", async move {
            place.works();
            let rebuilt = tokio::select! {
                () = stopping.cancelled() => Err(ImportError::ShuttingDown),
                rebuilt = rebuild(&imports, &source_id, &answers) => rebuilt,
            };
            let answer = match rebuilt {
                Ok(source) => {
                    Ok(RebuildRegisterResponse { source: Some(source), ..Default::default() })
                }
                Err(error) => Err(error.to_status()),
            };
            place.awaits_client();
            tokio::select! {
                _ = answers.send(answer) => {}
                _ = place.ended() => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    type BeginStream = ReceiverStream<Result<BeginImportResponse, Status>>;

    async fn open_source(
        &self,
        request: Request<OpenSourceRequest>,
    ) -> Result<Response<ImportSource>, Status> {
        let (request, _) = admit(request)?;
        let source = self.imports.open_source(&request.source_id);
        source.map(Response::new).map_err(|error| error.to_status())
    }

    async fn begin(
        &self,
        request: Request<Streaming<BeginImportRequest>>,
    ) -> Result<Response<Self::BeginStream>, Status> {
        let place = self.place(request.extensions())?;
        let (answers, stream) = mpsc::channel(DEPTH);
        let imports = Arc::clone(&self.imports);
        let stopping = self.tasks.stopping(Phase::Frontend);
        let requests = request.into_inner();
        self.tasks.spawn(Phase::Frontend, "import", async move {
            let begun = tokio::select! {
                () = stopping.cancelled() => Err(ImportError::ShuttingDown.to_status()),
                idle = place.ended() => Err(idle.to_status()),
                begun = begin(&imports, requests, &answers, &place) => begun,
            };
            if let Err(status) = begun {
                let _ = answers.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn finish(
        &self,
        request: Request<FinishImportRequest>,
    ) -> Result<Response<FinishImportResponse>, Status> {
        let (request, _) = admit(request)?;
        let finished = self.imports.finish(request).await;
        finished.map(Response::new).map_err(|error| error.to_status())
    }

    async fn get_import(
        &self,
        request: Request<GetImportRequest>,
    ) -> Result<Response<Import>, Status> {
        let (request, _) = admit(request)?;
        let import = self.imports.get(&request.import_id);
        import.map(Response::new).map_err(|error| error.to_status())
    }

    async fn begin_records(
        &self,
        request: Request<BeginRecordsRequest>,
    ) -> Result<Response<Import>, Status> {
        let (request, _) = admit(request)?;
        let begun = self.imports.begin_records(request).await;
        begun.map(Response::new).map_err(|error| error.to_status())
    }

    async fn list_imports(
        &self,
        request: Request<ListImportsRequest>,
    ) -> Result<Response<ListImportsResponse>, Status> {
        let (request, _) = admit(request)?;
        let imports = self.imports.list(&request);
        imports.map(Response::new).map_err(|error| error.to_status())
    }

    async fn undo_import(
        &self,
        request: Request<UndoImportRequest>,
    ) -> Result<Response<UndoImportResponse>, Status> {
        let (request, _) = admit(request)?;
        let undone = self.imports.undo(request).await;
        undone.map(Response::new).map_err(|error| error.to_status())
    }
}

/// Builds a register anew, and tells how far it is.
async fn rebuild(
    imports: &Imports,
    source_id: &str,
    answers: &mpsc::Sender<Result<RebuildRegisterResponse, Status>>,
) -> Result<ImportSource, ImportError> {
    let (progress, mut reported) = watch::channel(Progress::default());
    let telling = async move {
        // It ends when all is built. Who takes no answer is not waited for, and when the caller has
        // gone nobody hears of the progress any more.
        while reported.changed().await.is_ok() {
            if answers.is_closed() {
                return;
            }
            let Progress { done, of } = *reported.borrow_and_update();
            let _ = answers.try_send(Ok(RebuildRegisterResponse { done, of, source: None }));
        }
    };
    let (rebuilt, ()) = tokio::join!(imports.rebuild(source_id, progress), telling);
    rebuilt
}

type Answers = mpsc::Sender<Result<BeginImportResponse, Status>>;

/// Passes rows on as they come, and states back.
async fn begin(
    imports: &Arc<Imports>,
    mut requests: Streaming<BeginImportRequest>,
    answers: &Answers,
    place: &OpenStream,
) -> Result<(), Status> {
    let header = header(requests.next().await.transpose()?)?;
    let (parts, rows) = mpsc::channel(DEPTH);
    let (states, mut found) = mpsc::channel(DEPTH);
    let reading = async move {
        loop {
            place.awaits_client();
            let next = requests.next().await.transpose()?;
            place.works();
            let Some(request) = next else { break };
            let Some(begin_import_request::Part::Rows(rows)) = request.part else {
                return Err(unexpected("rows", "must follow the header, and nothing else"));
            };
            if parts.send(Part::Rows(rows)).await.is_err() {
                return Ok(());
            }
        }
        let _ = parts.send(Part::End).await;
        Ok(())
    };
    let answering = async {
        while let Some(states) = found.recv().await {
            let part = begin_import_response::Part::States(states);
            if answers.capacity() == 0 {
                place.awaits_client();
            }
            if answers.send(Ok(BeginImportResponse { part: Some(part) })).await.is_err() {
                return;
            }
        }
    };
    let beginning = imports.begin(header, rows, states);
    let (read, begun, ()) = tokio::join!(reading, beginning, answering);
    read?;
    let summary = begun.map_err(|error| error.to_status())?;
    let part = begin_import_response::Part::Summary(summary);
    let _ = answers.send(Ok(BeginImportResponse { part: Some(part) })).await;
    Ok(())
}

fn header(first: Option<BeginImportRequest>) -> Result<ImportHeader, Status> {
    match first.and_then(|request| request.part) {
        Some(begin_import_request::Part::Header(header)) => Ok(header),
        Some(begin_import_request::Part::Rows(_)) | None => {
            Err(unexpected("header", "must come first"))
        }
    }
}

fn unexpected(field: &str, problem: &str) -> Status {
    InvalidRequest::field(field, problem).to_status()
}
