//! Which language answers are told in.

use std::sync::OnceLock;

use super::{Words, english, german};

/// Languages that there are tables for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::En => &english::WORDS,
            Self::De => &german::WORDS,
        }
    }
}

/// The language that was asked for.
static SPOKEN: OnceLock<Language> = OnceLock::new();

/// Tells everything in `language` from now on.
pub(crate) fn speak(language: Language) {
    SPOKEN.get_or_init(|| language);
}

/// The language that answers are told in.
#[cfg(not(test))]
pub(crate) fn spoken() -> Language {
    SPOKEN.get().copied().unwrap_or_default()
}

#[cfg(test)]
pub(crate) use tongue::{spoken, told_in};

/// In tests each thread speaks for itself.
#[cfg(test)]
mod tongue {
    use std::cell::Cell;

    use super::Language;

    thread_local! {
        static SPOKEN: Cell<Language> = const { Cell::new(Language::En) };
    }

    pub(crate) fn spoken() -> Language {
        SPOKEN.get()
    }

    /// What `tell` makes in a language.
    pub(crate) fn told_in<T>(language: Language, tell: impl FnOnce() -> T) -> T {
        SPOKEN.set(language);
        let told = tell();
        SPOKEN.set(Language::En);
        told
    }
}
