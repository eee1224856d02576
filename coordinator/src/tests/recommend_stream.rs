//! The stream form of Recommend.

use std::time::Duration;

use mercer_common::rpc::status::from_message;
use mercer_proto::v1::{
    BatchRecommendResponse, RecommendRequest, batch_recommend_response::Result as Outcome,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{TestCluster, details, recommend::cluster};

fn user(user_id: &str, n: u32) -> RecommendRequest {
    RecommendRequest { user_id: user_id.into(), n, ..Default::default() }
}

async fn open(
    cluster: &TestCluster,
) -> Result<(mpsc::Sender<RecommendRequest>, Streaming<BatchRecommendResponse>), Status> {
    let (sender, requests) = mpsc::channel(1_000);
    let stream = cluster.recommend().batch_recommend(ReceiverStream::new(requests)).await?;
    Ok((sender, stream.into_inner()))
}

#[tokio::test]
async fn answers_come_in_order_and_a_bad_request_fails_alone() {
    let cluster = cluster().await;
    let (sender, mut answers) = open(&cluster).await.expect("begins");
    for number in 0..100_u32 {
        let request = match number {
            7 => user("", 1),
            8 => user("anna", 1_001),
            _ => user("anna", number % 5 + 1),
        };
        sender.send(request).await.expect("taken");
    }
    drop(sender);
    for number in 0..100_u32 {
        let answer = answers.message().await.expect("goes on").expect("is there");
        assert_eq!(answer.index, u64::from(number));
        match (number, answer.result.expect("set")) {
            (7, Outcome::Error(error)) => assert_eq!(details(&from_message(&error)).2, ["user_id"]),
            (8, Outcome::Error(error)) => assert_eq!(details(&from_message(&error)).2, ["n"]),
            (_, Outcome::Response(response)) => {
                assert_eq!(response.items.len(), number as usize % 5 + 1);
            }
            (_, other) => panic!("{other:?}"),
        }
    }
    assert!(answers.message().await.expect("ends").is_none());
}

#[tokio::test]
async fn only_a_few_requests_are_under_way() {
    let cluster = cluster().await;
    for worker in &cluster.workers {
        worker.script.lock().hang = true;
    }
    let (sender, answers) = open(&cluster).await.expect("begins");
    for _ in 0..100 {
        sender.send(user("anna", 1)).await.expect("taken");
    }
    let mut before = 0;
    // Until nothing more is asked.
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let workers = cluster.workers.iter();
        let now: usize = workers.map(|one| one.script.lock().count("get_profile")).sum();
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    assert!((2..=9).contains(&before), "{before}");
    drop(answers);
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_coordinator() {
    let mut cluster = TestCluster::with(1, |config| config.admission.batch_streams = 1).await;
    let (_sender, mut answers) = open(&cluster).await.expect("begins");
    let status = open(&cluster).await.expect_err("shed");
    assert_eq!(
        (status.code(), details(&status).1.as_str()),
        (Code::ResourceExhausted, "BATCHES_EXHAUSTED")
    );
    let stopping = tokio::spawn(async move {
        cluster.stop().await;
        cluster
    });
    let end = loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended as if it were whole"),
            Err(status) => break status,
        }
    };
    assert_eq!(details(&end).1, "SHUTTING_DOWN", "{end:?}");
    stopping.await.expect("stops");
}
