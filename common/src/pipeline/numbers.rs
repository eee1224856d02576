//! Phases by the numbers that stored jobs and calls have.

use mercer_proto::internal::Phase;

use super::MERCER;

/// The last phase of every job, in which it publishes what it made.
pub const PUBLISH: &str = "publish";

/// The phase as callers and folders name it; empty before the first.
#[must_use]
pub fn name(phase: Phase) -> &'static str {
    let number = phase.as_str_name().trim_start_matches("PHASE_");
    let mut names = MERCER.phases.iter().map(|one| one.name).chain([PUBLISH]);
    names.find(|name| name.eq_ignore_ascii_case(number)).unwrap_or_default()
}

/// The number of the phase of this name; unspecified when there is none.
#[must_use]
pub fn number(name: &str) -> Phase {
    let name = format!("PHASE_{}", name.to_ascii_uppercase());
    Phase::from_str_name(&name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_a_number_and_a_name() {
        for name_of in MERCER.phases.iter().map(|phase| phase.name).chain([PUBLISH]) {
            assert_eq!(name(number(name_of)), name_of);
        }
        for phase in (1..).map_while(|number| Phase::try_from(number).ok()) {
            assert!(!name(phase).is_empty(), "{phase:?}");
        }
        assert_eq!((name(Phase::Unspecified), number("weather")), ("", Phase::Unspecified));
    }
}
