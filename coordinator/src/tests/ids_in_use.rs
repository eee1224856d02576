//! A second process with the id of a worker: refused as long as the first one answers.

use mercer_common::rpc::{PeerChannel, connect_peer, status::datum};
use mercer_proto::{
    internal::{
        RegisterRequest, RegisterResponse, membership_service_client::MembershipServiceClient,
    },
    v1::{DescribeClusterRequest, WorkerDescription},
};
use tonic::Status;

use super::{TestCluster, details};

const ID: &str = "worker-1";

fn channel(cluster: &TestCluster) -> PeerChannel {
    let coordinator = cluster.handle.as_ref().expect("running");
    let url = format!("http://{}", coordinator.internal_address());
    connect_peer(&url, coordinator.secret()).expect("a URL")
}

/// A process with the id of the first worker, reached at `address`.
async fn register(cluster: &TestCluster, address: &str) -> Result<RegisterResponse, Status> {
    let request = RegisterRequest {
        worker_id: ID.into(),
        address: address.into(),
        instance: "another".into(),
        apply_version: mercer_common::event::APPLY_VERSION,
    };
    let registered = MembershipServiceClient::new(channel(cluster)).register(request).await;
    registered.map(tonic::Response::into_inner)
}

async fn described(cluster: &TestCluster) -> WorkerDescription {
    let described = cluster.cluster().describe_cluster(DescribeClusterRequest::default()).await;
    described.expect("described").into_inner().workers.swap_remove(0)
}

#[tokio::test]
async fn it_is_refused_while_the_first_answers() {
    let mut cluster = TestCluster::start(1).await;
    let before = described(&cluster).await;
    for restarts in [false, true] {
        if restarts {
            cluster.restart().await;
        }
        let status = register(&cluster, "http://127.0.0.1:9").await.expect_err("refused");
        let (code, reason, _) = details(&status);
        assert_eq!((code, &*reason), (tonic::Code::FailedPrecondition, "WORKER_ID_IN_USE"));
        assert_eq!(datum(&status, "address").as_ref(), Some(&before.address));
        for word in [&*before.address, ID, "worker.id"] {
            assert!(status.message().contains(word), "{status:?}");
        }
        cluster.until_live(1).await;
        let after = described(&cluster).await;
        assert_eq!((after.generation, after.address), (before.generation, before.address.clone()));
    }
}

#[tokio::test]
async fn it_takes_over_from_one_that_is_gone_hangs_or_is_another() {
    let cluster = TestCluster::start(1).await;
    let worker = &cluster.workers[0];
    // It stays away, so that it does not take its place back.
    worker.script.lock().silent = true;
    let mut generation = described(&cluster).await.generation;
    let mut address = described(&cluster).await.address;
    // Nobody listens at port 9: the next one finds a refused connection.
    for (case, next) in [("hangs", address.clone()), ("is another", "http://127.0.0.1:9".into())] {
        worker.script.lock().hang = case == "hangs";
        worker.script.lock().instance = case.into();
        let registered = register(&cluster, &next).await.expect(case);
        assert!(registered.ready && registered.generation > generation, "{case}");
        generation = registered.generation;
        address = next;
        // Another process of the same id, after this one.
        let mut request = RegisterRequest { address: address.clone(), ..Default::default() };
        request.worker_id = ID.into();
        request.instance = format!("after {case}").replace(' ', "-");
        request.apply_version = mercer_common::event::APPLY_VERSION;
        let registered = MembershipServiceClient::new(channel(&cluster)).register(request).await;
        let registered = registered.expect(case).into_inner();
        assert!(registered.generation > generation, "{case}: nobody answers as `another`");
        generation = registered.generation;
    }
    assert_eq!(described(&cluster).await.address, address);
}
