//! Terms and embeddings load for ever.

use mercer_proto::internal::Phase;

use crate::{
    artifact::ItemTerms,
    domain::recommend::stages::tests::{Bench, golden::trained},
    tests::golden::Goldens,
};

#[tokio::test]
async fn terms_and_embeddings_of_items() {
    let (bench, goldens) = (Bench::new(1), Goldens::new());
    let job = trained(&bench).await;
    let written = goldens.copy(&bench.store, &job.output(Phase::Statistics, 0, "content"));
    let golden = goldens.like("content-1", &written);
    let opened = ItemTerms::open(&goldens.store, &golden, 3).expect("loads");
    let terms = opened.terms();
    assert_eq!((terms.rows(), terms.width()), (13, 3));
    assert_eq!((terms.columns(0), terms.values(0)), (&[1][..], Some(&[0.430_070_25][..])));
    let everywhere = [0.172_519_62, 0.254_006_42, 0.192_570_52];
    assert_eq!((terms.columns(3), terms.values(3)), (&[0, 1, 2][..], Some(&everywhere[..])));
    assert_eq!((terms.columns(12), terms.values(12)), (&[2][..], Some(&[0.652_100_5][..])));
    let embeddings = opened.embeddings().expect("sound").expect("some");
    assert_eq!([0, 1, 2].map(|row| embeddings.row(row)), [[1.0, -0.5], [2.0, -0.5], [3.0, -0.5]]);
}
