//! How wide what is printed may be.

use std::{
    io::{self, IsTerminal as _},
    sync::OnceLock,
};

use console::Term;

/// Columns of a terminal that does not tell.
const USUAL: usize = 80;

/// Columns of the terminal that data is printed on; `None` where lines may be as long as they are.
static WIDTH: OnceLock<Option<usize>> = OnceLock::new();

/// Looks at where data is printed. Only a terminal has a width, and none when all is wanted `wide`.
pub(crate) fn look(wide: bool) {
    WIDTH.get_or_init(|| {
        if wide || !io::stdout().is_terminal() {
            return None;
        }
        let size = Term::stdout().size_checked();
        Some(size.map_or(USUAL, |(_, columns)| usize::from(columns)))
    });
}

/// Columns that a line may have.
#[cfg(not(test))]
pub(super) fn width() -> Option<usize> {
    WIDTH.get().copied().flatten()
}

#[cfg(test)]
pub(crate) use narrow::at;
#[cfg(test)]
pub(super) use narrow::width;

/// In tests each thread has a screen of its own.
#[cfg(test)]
mod narrow {
    use std::cell::Cell;

    thread_local! {
        static WIDTH: Cell<Option<usize>> = const { Cell::new(None) };
    }

    pub(in crate::show::output) fn width() -> Option<usize> {
        WIDTH.get()
    }

    /// What `show` prints on a terminal of so many columns.
    pub(crate) fn at(columns: usize, show: impl FnOnce() -> String) -> String {
        WIDTH.set(Some(columns));
        let shown = super::super::fit(&show());
        WIDTH.set(None);
        shown
    }
}
