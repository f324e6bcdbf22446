//! Tables: aligned on a terminal, separated by tabs otherwise.

use brigade_storage::object::escape;
use owo_colors::Style;

use super::out::{Out, Stop};

/// A column that gives room keeps so many characters.
const LEAST: usize = 24;
/// Between two columns.
const GAP: usize = 2;

/// A table of `N` columns.
#[derive(Clone, Debug)]
pub(crate) struct Columns<const N: usize> {
    /// Their headings.
    pub(crate) names: [&'static str; N],
    /// The one that is cut when the terminal is too narrow.
    pub(crate) wide: usize,
    /// Those that are aligned to the right.
    pub(crate) numbers: &'static [usize],
}

// === impl Columns ===

impl<const N: usize> Columns<N> {
    /// Prints rows for a person. A column that is empty in each row is left out.
    pub(crate) fn aligned(&self, out: &mut Out, rows: &[[String; N]]) -> Result<(), Stop> {
        let rows: Vec<[String; N]> =
            rows.iter().map(|row| row.each_ref().map(|cell| escape(cell).to_string())).collect();
        let widths = self.widths(&rows, out.width.unwrap_or(usize::MAX));
        let heading = self.line(&self.names.map(str::to_owned), &widths);
        let heading = out.styled(&heading, Style::new().dimmed());
        out.line(&heading)?;
        for row in &rows {
            out.line(&self.line(row, &widths))?;
        }
        Ok(())
    }

    fn widths(&self, rows: &[[String; N]], room: usize) -> [usize; N] {
        let mut widths = std::array::from_fn(|at| {
            let longest = rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
            if longest == 0 { 0 } else { longest.max(self.names[at].len()) }
        });
        let all: usize = widths.iter().filter(|width| **width > 0).map(|width| width + GAP).sum();
        let over = all.saturating_sub(GAP).saturating_sub(room);
        let wide = &mut widths[self.wide];
        *wide = (*wide).min((*wide).saturating_sub(over).max(LEAST));
        widths
    }

    fn line(&self, cells: &[String; N], widths: &[usize; N]) -> String {
        let shown = (0..N).filter(|at| widths[*at] > 0);
        let cells = shown.map(|at| {
            let (cell, width) = (shortened(&cells[at], widths[at]), widths[at]);
            if self.numbers.contains(&at) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
        line.trim_end().to_owned()
    }
}

/// One row for a program: nothing is cut, and no cell has a tab or a line break.
pub(crate) fn separated<const N: usize>(out: &mut Out, row: &[String; N]) -> Result<(), Stop> {
    let cells: Vec<_> = row.iter().map(|cell| escape(cell).to_string()).collect();
    out.line(&cells.join("\t"))
}

pub(crate) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: Columns<3> = Columns { names: ["N", "REASON", "NAME"], wide: 1, numbers: &[0] };

    fn row(cells: [&str; 3]) -> [String; 3] {
        cells.map(str::to_owned)
    }

    #[test]
    fn a_narrow_terminal_cuts_the_reason_and_never_the_name() {
        let rows =
            [row(["1", &"why ".repeat(20), "a-rather-long-name.csv"]), row(["20", "short", "b"])];
        let widths = COLUMNS.widths(&rows, 60);
        assert_eq!(widths.iter().sum::<usize>() + 2 * GAP, 60);
        let line = COLUMNS.line(&rows[0], &widths);
        assert!(line.ends_with("…  a-rather-long-name.csv"), "{line}");
        assert_eq!(COLUMNS.widths(&rows, 10)[1], LEAST, "some of the reason always stays");
        assert_eq!(COLUMNS.line(&rows[1], &widths).split_whitespace().count(), 3);
    }

    #[test]
    fn a_column_without_content_is_left_out() {
        let rows = [row(["1", "", "a"])];
        let widths = COLUMNS.widths(&rows, 80);
        assert_eq!(COLUMNS.line(&rows[0], &widths), "1  a");
    }
}
