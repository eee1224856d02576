//! Progress of long work, on stderr: bars when it is a terminal, a line a phase when it is none. What
//! it says is escaped.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mercer_common::escape;

use crate::show::output;

/// A bar with a known total; `unit` is what is counted.
pub(crate) fn bar(label: &str, total: u64, unit: Unit) -> ProgressBar {
    let template = match unit {
        Unit::Records => {
            "{msg:<22} {wide_bar:.cyan/dim} {human_pos}/{human_len} {per_sec:>14} {eta:>4}"
        }
        Unit::Bytes => {
            "{msg:<22} {wide_bar:.cyan/dim} {bytes}/{total_bytes} {bytes_per_sec:>14} {eta:>4}"
        }
        Unit::Percent => "{msg:<22} {wide_bar:.cyan/dim} {percent:>3} % {elapsed:>4}",
    };
    let style = ProgressStyle::with_template(template).expect("a constant template");
    // The stderr target draws nothing unless stderr is a terminal.
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
        .with_style(style)
        .with_message(escape::text(label).into_owned())
}

/// A bar that goes away with this, also where the work fails or a question is asked.
pub(crate) struct Shown(pub(crate) ProgressBar);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A spinner for work of unknown length.
pub(crate) fn spinner(label: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed}")
        .expect("a constant template");
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(style)
        .with_message(escape::text(label).into_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// Says in a line of its own what begins, where no bar does.
pub(crate) fn phase(text: &str) {
    if !io::stderr().is_terminal() {
        output::note(&escape::text(text));
    }
}

/// Changes what a bar says.
pub(crate) fn say(bar: &ProgressBar, text: &str) {
    bar.set_message(escape::text(text).into_owned());
}

/// Unit of what a bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Records of any kind.
    Records,
    /// Bytes of a file.
    Bytes,
    /// Parts of a whole of 100.
    Percent,
}
