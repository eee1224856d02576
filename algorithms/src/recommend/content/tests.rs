use proptest::prelude::*;

use super::*;
use crate::{control::Unattended, linalg::sparse::CsrBuf, recommend::best::concatenate};

fn terms(texts: &[ItemText<'_>]) -> TermsBuf {
    let mut terms = TermsBuf::default();
    texts.iter().for_each(|text| terms.push(text));
    terms
}

fn title(title: &str) -> ItemText<'_> {
    ItemText { title, ..ItemText::default() }
}

#[test]
fn words_have_no_case_and_attributes_are_no_words() {
    let brand = ItemText { brand: "Red", ..ItemText::default() };
    let buffer = terms(&[
        title("Red  RÖCKE, red-42!"),
        title("röcke 42 red"),
        brand,
        ItemText { attributes: &[("brand", "red")], ..ItemText::default() },
        ItemText { brand: " RED ", ..ItemText::default() },
        ItemText { category_path: &["a", "b"], ..ItemText::default() },
        ItemText { category_path: &["b"], ..ItemText::default() },
        ItemText::default(),
    ]);
    let view = buffer.view().expect("sound");
    assert_eq!(view.items(), 8);
    assert_eq!(view.of(0).0, view.of(1).0);
    assert_eq!(view.of(0).1.iter().sum::<u32>(), 4);
    assert_eq!(view.of(2), view.of(4));
    assert_ne!(view.of(2).0, view.of(3).0);
    assert!(!view.of(0).0.contains(&view.of(2).0[0]));
    assert_eq!(view.of(5).0.len(), 2);
    assert!(!view.of(5).0.contains(&view.of(6).0[0]));
    assert!(view.of(7).0.is_empty());
}

#[test]
fn terms_are_checked() {
    let check = |offsets: &[u64], terms: &[u64], counts: &[u32]| {
        Terms::new(offsets, terms, counts).map(|_| ())
    };
    assert_eq!(check(&[0, 2, 3], &[1, 2, 1], &[1, 1, 1]), Ok(()));
    assert_eq!(check(&[], &[], &[]), Err(TermsError::Offsets { item: 0 }));
    assert_eq!(check(&[0, 2, 1, 2], &[1, 2], &[1, 1]), Err(TermsError::Offsets { item: 1 }));
    let length = TermsError::Length { terms: 1, counts: 2 };
    assert_eq!(check(&[0, 1], &[1], &[1, 1]), Err(length));
    assert_eq!(check(&[0, 2], &[1, 1], &[1, 1]), Err(TermsError::Terms { item: 0 }));
    assert_eq!(check(&[0, 0, 1], &[1], &[0]), Err(TermsError::Terms { item: 1 }));
}

#[test]
fn frequent_and_rare_terms_say_nothing() {
    let buffer = terms(&[
        title("the red dress"),
        title("the red shoe"),
        title("the blue shoe"),
        title("the green hat"),
        title(""),
    ]);
    let parts = [buffer.view().expect("sound")];
    let spec = ContentSpec { max_share: 0.5, ..ContentSpec::default() };
    let rows = [4, 2, 1, 0, 3];
    let matrix = matrix(&spec, &parts, &rows, &Unattended).expect("unattended");
    let view = [matrix.view(5).expect("sound")];
    assert_eq!(view[0].rows(), 2);
    let found = neighbours(&spec, &view, None, &rows, 0..5, 3, &Unattended).expect("unattended");
    // By row: red dress - red shoe - blue shoe.
    assert_eq!(found.offsets, [0, 1, 3, 4, 4, 4]);
    assert_eq!(found.targets, [2, 3, 1, 2]);
    let half = 0.5f32.sqrt();
    for (weight, expected) in found.weights.iter().zip([half, half, half, half]) {
        assert!((weight - expected).abs() < 1e-6);
    }
}

const ITEMS: usize = 9;
const TERMS: usize = 7;
const ROWS: [u32; ITEMS] = [4, 2, 8, 1, 0, 3, 7, 5, 6];

fn cosine(left: &[f32], right: &[f32]) -> Option<f64> {
    let product = |left: &[f32], right: &[f32]| -> f64 {
        left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
    };
    let norm = (product(left, left) * product(right, right)).sqrt();
    (norm > 0.0).then(|| product(left, right) / norm)
}

proptest! {
    #[test]
    fn embeddings_blend_as_in_plain_loops(
        texts in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![3 => Just(0f32), 1 => 0.1f32..2.0], TERMS),
            ITEMS,
        ),
        embeddings in proptest::collection::vec(
            prop_oneof![1 => Just([0f32; 3]), 4 => proptest::array::uniform3(-1f32..1.0)],
            ITEMS,
        ),
        weight in prop_oneof![Just(1.0), Just(0.0), 0.0f64..1.0],
        split in 0..=ITEMS as u32,
    ) {
        let spec = ContentSpec { embedding_weight: weight, ..ContentSpec::default() };
        let mut terms = CsrBuf::new(true);
        (0..TERMS).for_each(|term| {
            let value = |(label, &row): (u32, &u32)| (label, texts[row as usize][term]);
            let entries = (0..).zip(&ROWS).map(value).filter(|entry| entry.1 > 0.0);
            terms.push_row(&mut entries.collect::<Vec<_>>());
        });
        let terms = [terms.view(ITEMS).expect("sound")];
        let flat = embeddings.concat();
        let matrix = FactorMatrix::new(3, [&flat[..]]).expect("whole rows");
        let run = |sources, k| {
            neighbours(&spec, &terms, Some(&matrix), &ROWS, sources, k, &Unattended)
                .expect("unattended")
        };
        let found = run(0..ITEMS as u32, ITEMS);
        for source in 0..ITEMS {
            let range = found.offsets[source] as usize..found.offsets[source + 1] as usize;
            let mut weights = [0.0; ITEMS];
            for at in range.clone() {
                weights[ROWS[found.targets[at] as usize] as usize] = f64::from(found.weights[at]);
            }
            prop_assert!(found.weights[range].is_sorted_by(|left, right| left >= right));
            for target in (0..ITEMS).filter(|&target| target != source) {
                let text = cosine(&texts[source], &texts[target]).unwrap_or(0.0);
                let expected = cosine(&embeddings[source], &embeddings[target])
                    .map_or(text, |near| (1.0 - weight) * text + weight * near);
                prop_assert!((weights[target] - expected.max(0.0)).abs() < 1e-6);
            }
        }
        let pieces = vec![run(0..split, 2), run(split..ITEMS as u32, 2)];
        prop_assert_eq!(concatenate(pieces), run(0..ITEMS as u32, 2));
    }
}
