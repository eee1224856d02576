//! The stages that domains declare are of different outputs, and none of a phase is forgotten.

use mercer_algorithms::recommend::hybrid::Algorithm;
use mercer_proto::internal::Phase;

use crate::domain::stages;

#[test]
fn no_output_is_made_by_two_stages_and_every_algorithm_has_its_rows_or_scores() {
    let stages = stages();
    let makers =
        |phase: Phase, name: &str| stages.iter().filter(|it| it.makes(phase, name)).count();
    let algorithms: Vec<&str> = Algorithm::all().into_iter().map(Algorithm::name).collect();
    let fixed = ["", "sequences", "content", "demand", "elasticity", "inventory", "slime"];
    let mut phases = 0;
    for phase in (0..=i32::from(u8::MAX)).filter_map(|number| Phase::try_from(number).ok()) {
        let names = algorithms.iter().chain(&fixed);
        let made: Vec<usize> = names.map(|name| makers(phase, name)).collect();
        assert!(made.iter().all(|count| *count <= 1), "{phase:?}: {made:?}");
        let is_none_of_ours = matches!(phase, Phase::Unspecified | Phase::Cut | Phase::Publish);
        assert_eq!(made.iter().sum::<usize>() == 0, is_none_of_ours, "{phase:?}");
        phases += 1;
    }
    assert!(phases > 15, "{phases}");
    for name in algorithms.into_iter().filter(|name| !["popular", "hybrid"].contains(name)) {
        let made = makers(Phase::Rows, name) + makers(Phase::Scores, name);
        assert_eq!(made, 1, "{name}");
    }
}
