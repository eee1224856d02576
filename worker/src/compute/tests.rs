use std::sync::{
    Arc, Barrier,
    atomic::{AtomicUsize, Ordering},
};

use super::*;

#[tokio::test]
async fn a_panic_is_an_error_of_the_call_only() {
    let compute = Compute::new(1).expect("threads");
    let failed = compute.serve(|| -> u32 { panic!("broken") }).await;
    assert!(matches!(failed, Err(ComputeError::Panicked(message)) if message == "broken"));
    let failed = compute.scatter(vec![1, 2, 3], |piece| assert_ne!(piece, 2), |_| ()).await;
    assert!(matches!(failed, Err(ComputeError::Panicked(_))));
    assert_eq!(compute.serve(|| 7).await.expect("the pool lives on"), 7);
}

#[tokio::test]
async fn scatter_merges_in_the_order_of_the_pieces() {
    let compute = Compute::new(3).expect("threads");
    let squares: Vec<u64> = compute
        .scatter((0..40_u64).collect(), |piece| piece * piece, |results| results)
        .await
        .expect("runs");
    assert_eq!(squares, (0..40).map(|piece| piece * piece).collect::<Vec<_>>());
}

#[tokio::test]
async fn sheds_what_the_queue_cannot_hold_and_skips_what_nobody_awaits() {
    let compute = Arc::new(Compute::new(1).expect("threads"));
    let gate = Arc::new(Barrier::new(2));
    let started = {
        let gate = Arc::clone(&gate);
        tokio::spawn({
            let compute = Arc::clone(&compute);
            async move {
                compute
                    .serve(move || {
                        gate.wait();
                        gate.wait();
                    })
                    .await
            }
        })
    };
    // The only thread is busy from here to the second wait.
    tokio::task::spawn_blocking({
        let gate = Arc::clone(&gate);
        move || gate.wait()
    })
    .await
    .expect("joins");

    let ran = Arc::new(AtomicUsize::new(0));
    let mut queued = Vec::new();
    for _ in 1..PENDING {
        let ran = Arc::clone(&ran);
        let work = compute.serve(move || ran.fetch_add(1, Ordering::Relaxed));
        let mut work = Box::pin(work);
        // Polled once, so that it is in the queue.
        assert!(futures_poll(&mut work).is_pending());
        queued.push(work);
    }
    assert!(matches!(compute.serve(|| ()).await, Err(ComputeError::Overloaded)));
    drop(queued);
    tokio::task::spawn_blocking(move || gate.wait()).await.expect("joins");
    started.await.expect("joins").expect("runs");
    // There is room again as soon as the thread has passed by what nobody awaits.
    while let Err(error) = compute.serve(|| ()).await {
        assert!(matches!(error, ComputeError::Overloaded), "{error}");
        tokio::task::yield_now().await;
    }
    assert_eq!(ran.load(Ordering::Relaxed), 0);
}

fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context)
}

#[tokio::test]
async fn one_task_computes_at_a_time_beside_one_that_waits() {
    let compute = Arc::new(Compute::new(2).expect("threads"));
    let counts: [Arc<AtomicUsize>; 2] = Default::default();
    // Passed only by two tasks that are under way at once.
    let meeting = Arc::new(Barrier::new(2));
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (compute, meeting) = (Arc::clone(&compute), Arc::clone(&meeting));
        let [under_way, computing] = counts.clone();
        tasks.push(tokio::spawn(async move {
            let training = compute.train(move |pool| {
                assert!(under_way.fetch_add(1, Ordering::SeqCst) < TRAINING);
                meeting.wait();
                pool.install(|| {
                    assert_eq!(computing.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::yield_now();
                    assert_eq!(computing.fetch_sub(1, Ordering::SeqCst), 1);
                });
                under_way.fetch_sub(1, Ordering::SeqCst);
            });
            training.await
        }));
    }
    for task in tasks {
        task.await.expect("joins").expect("neither too many nor two that compute");
    }
}
