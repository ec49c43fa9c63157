//! Tables of results: one description, written as Markdown, LaTeX, CSV and JSON.
//!
//! Markdown and LaTeX show rounded figures, and shares in per cent (61.2 ± 1.2 %), as everything does that people read; CSV and JSON
//! have shares of one with all digits, and the columns that are not shown too. In CSV a mean ± standard deviation takes two columns, `wa` and `wa_deviation`. The LaTeX is a plain
//! `tabular`, which needs no package.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::ExperimentError;
use super::statistics::MeanDeviation;
use crate::base::columns::{TERMINAL, left, right, width};
use crate::base::shown::{in_line, percent};
use crate::dataset::replace_file;
use crate::train::metrics::json_text;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Nothing is known.
    Empty,
    Text(String),
    /// A name of others, as it is, and as it is shown.
    Name(String, String),
    Count(usize),
    /// A figure, shown with three decimals.
    Number(f64),
    /// A share of one, shown in per cent.
    Share(f64),
    /// Shares of one.
    Spread(MeanDeviation),
    /// From one share to another.
    Interval([f64; 2]),
    /// Of a test; shown as `< 0.001` below that.
    Probability(f64),
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// In CSV and JSON.
    pub key: String,
    /// In Markdown and LaTeX; `None` keeps it out of them.
    pub title: Option<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ResultTable {
    pub title: String,
    pub columns: Vec<Column>,
    /// A cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// Sentences that stand below.
    pub notes: Vec<String>,
}

/// A number of decimals that shows the paper's differences.
fn figure(value: f64) -> String {
    format!("{value:.3}")
}

/// Below this, how small a probability is says nothing.
const SMALLEST_SHOWN: f64 = 0.001;

impl Cell {
    /// In words and rounded figures; `plus_minus` and `less` are the signs of the format.
    fn shown(&self, plus_minus: &str, less: &str) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Name(_, text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Number(value) => figure(*value),
            Self::Share(share) | Self::Spread(MeanDeviation { mean: share, deviation: None }) => percent(*share),
            Self::Spread(MeanDeviation { mean, deviation: Some(deviation) }) => {
                format!("{:.1}{plus_minus}{}", 100.0 * mean, percent(*deviation))
            }
            Self::Interval([low, high]) => format!("{:.1} to {}", 100.0 * low, percent(*high)),
            Self::Probability(value) if *value < SMALLEST_SHOWN => format!("{less}{SMALLEST_SHOWN}"),
            Self::Probability(value) => figure(*value),
        }
    }

    fn latex(&self) -> String {
        match self {
            Self::Text(text) | Self::Name(_, text) => escape_latex(text),
            figure => figure.shown(" $\\pm$ ", "$<$ ").replace('%', "\\%"),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Text(text) | Self::Name(text, _) => json!(text),
            Self::Count(count) => json!(count),
            Self::Number(value) | Self::Share(value) | Self::Probability(value) => json!(value),
            Self::Spread(spread) => json!(spread),
            Self::Interval(ends) => json!(ends),
        }
    }
}

impl Column {
    /// A column that is shown under `title`.
    pub(crate) fn shown(key: &str, title: &str) -> Self {
        Self { key: key.into(), title: Some(title.into()) }
    }

    /// A column of CSV and JSON alone.
    pub(crate) fn kept(key: &str) -> Self {
        Self { key: key.into(), title: None }
    }
}

impl ResultTable {
    /// A table without rows.
    pub(crate) fn new(title: impl Into<String>, columns: Vec<Column>) -> Self {
        Self { title: title.into(), columns, ..Self::default() }
    }

    /// The shown columns: place, title, and whether words stand in it, which are set left.
    fn visible(&self) -> Vec<(usize, &str, bool)> {
        let of_words = |place: usize| self.rows.iter().any(|row| matches!(row[place], Cell::Text(_) | Cell::Name(..)));
        let titled = self.columns.iter().enumerate().filter_map(|(place, column)| Some((place, column.title.as_deref()?)));
        titled.map(|(place, title)| (place, title, of_words(place))).collect()
    }

    /// The shown columns' titles, and every row as it is shown.
    pub(crate) fn shown(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let visible = self.visible();
        let row = |row: &Vec<Cell>| visible.iter().map(|&(place, ..)| row[place].shown(" ± ", "< ")).collect();
        (visible.iter().map(|(_, title, _)| title.to_string()).collect(), self.rows.iter().map(row).collect())
    }

    /// The shown columns' titles and then every row, as Markdown has them.
    fn lines(&self) -> Vec<Vec<String>> {
        let escape = |text: String| in_line(&text).replace('|', "\\|");
        let (header, rows) = self.shown();
        [header].into_iter().chain(rows).map(|line| line.into_iter().map(escape).collect()).collect()
    }

    /// As Markdown, its columns padded so that it reads well in a terminal.
    pub(crate) fn markdown(&self) -> String {
        let visible = self.visible();
        let lines = self.lines();
        let widths: Vec<usize> =
            (0..visible.len()).map(|column| lines.iter().map(|line| width(&line[column])).fold(3, usize::max)).collect();
        let rule = |(&width, &(.., is_left)): (&usize, &(usize, &str, bool))| match is_left {
            true => "-".repeat(width),
            false => "-".repeat(width - 1) + ":",
        };
        let rule: Vec<String> = widths.iter().zip(&visible).map(rule).collect();
        let padded = |line: &Vec<String>| {
            let cell = |(column, text): (usize, &String)| match visible[column].2 {
                true => left(text, widths[column]),
                false => right(text, widths[column]),
            };
            format!("| {} |\n", line.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "))
        };
        let mut text = if self.title.is_empty() { String::new() } else { format!("**{}**\n\n", in_line(&self.title)) };
        text += &format!("{}| {} |\n", padded(&lines[0]), rule.join(" | "));
        lines[1..].iter().for_each(|line| text += &padded(line));
        for note in &self.notes {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    /// The same table in pieces, each as many columns as a terminal has room for behind the first one, which all of them have.
    fn pieces(&self) -> Vec<Self> {
        let lines = self.lines();
        let of = |column: usize| lines.iter().map(|line| width(&line[column])).fold(3, usize::max) + 3;
        let visible: Vec<usize> = self.visible().into_iter().map(|(place, ..)| place).collect();
        let Some(first) = visible.first() else { return Vec::new() };
        let mut groups: Vec<Vec<usize>> = vec![vec![*first]];
        let mut taken = 1 + of(0);
        for (column, &place) in visible.iter().enumerate().skip(1) {
            if taken + of(column) > TERMINAL && groups.last().is_some_and(|group| group.len() > 1) {
                groups.push(vec![*first]);
                taken = 1 + of(0);
            }
            taken += of(column);
            groups.last_mut().into_iter().for_each(|group| group.push(place));
        }
        let count = groups.len();
        let piece = |(number, group): (usize, Vec<usize>)| Self {
            title: if number == 0 { self.title.clone() } else { String::new() },
            columns: group.iter().map(|&place| self.columns[place].clone()).collect(),
            rows: self.rows.iter().map(|row| group.iter().map(|&place| row[place].clone()).collect()).collect(),
            notes: if number + 1 == count { self.notes.clone() } else { Vec::new() },
        };
        groups.into_iter().enumerate().map(piece).collect()
    }

    /// As a LaTeX `table`.
    pub(crate) fn latex(&self) -> String {
        let visible = self.visible();
        let alignment: String = visible.iter().map(|&(.., left)| if left { 'l' } else { 'r' }).collect();
        let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
        let mut text = String::from("\\begin{table}\n  \\centering\n");
        let _ = writeln!(text, "  \\caption{{{}}}", escape_latex(&self.title));
        let _ = writeln!(text, "  \\begin{{tabular}}{{{alignment}}}\n    \\hline");
        text += &line(visible.iter().map(|(_, title, _)| escape_latex(title)).collect());
        text += "    \\hline\n";
        for row in &self.rows {
            text += &line(visible.iter().map(|&(place, ..)| row[place].latex()).collect());
        }
        text += "    \\hline\n  \\end{tabular}\n";
        for note in &self.notes {
            let _ = writeln!(text, "  \\par\\footnotesize {}", escape_latex(note));
        }
        text + "\\end{table}\n"
    }

    /// As CSV, all digits.
    pub(crate) fn csv(&self) -> String {
        // What a cell of two numbers has in its columns behind the key.
        let any = |place: usize, is_such: fn(&Cell) -> bool| self.rows.iter().any(|row| is_such(&row[place]));
        let ends = |place: usize| match () {
            () if any(place, |cell| matches!(cell, Cell::Spread(_))) => ["", "_deviation"].as_slice(),
            () if any(place, |cell| matches!(cell, Cell::Interval(_))) => &["_low", "_high"],
            () => &[""],
        };
        let ends: Vec<&[&str]> = (0..self.columns.len()).map(ends).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory cannot fail, and every record has the first one's length.
        let names = self.columns.iter().zip(&ends).flat_map(|(column, ends)| ends.iter().map(move |end| format!("{}{end}", column.key)));
        let _ = writer.write_record(names);
        for row in &self.rows {
            let mut record = Vec::new();
            for (cell, ends) in row.iter().zip(&ends) {
                let (first, second) = match cell {
                    Cell::Empty => (String::new(), None),
                    Cell::Text(text) | Cell::Name(text, _) => (text.clone(), None),
                    Cell::Count(count) => (count.to_string(), None),
                    Cell::Number(value) | Cell::Share(value) | Cell::Probability(value) => (value.to_string(), None),
                    Cell::Spread(MeanDeviation { mean, deviation }) => (mean.to_string(), deviation.map(|value| value.to_string())),
                    Cell::Interval([low, high]) => (low.to_string(), Some(high.to_string())),
                };
                record.push(first);
                record.extend((ends.len() > 1).then(|| second.unwrap_or_default()));
            }
            let _ = writer.write_record(&record);
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    /// Its rows as JSON objects.
    pub(crate) fn json(&self) -> Value {
        let object = |row: &Vec<Cell>| {
            let cells = self.columns.iter().zip(row).map(|(column, cell)| (column.key.clone(), cell.json()));
            Value::Object(cells.collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }
}

/// Text with the characters that LaTeX would take for commands escaped.
pub(crate) fn escape_latex(text: &str) -> String {
    let mut escaped = String::new();
    for character in in_line(text).chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', character]),
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '<' => escaped += "$<$",
            '>' => escaped += "$>$",
            '±' => escaped += "$\\pm$",
            character => escaped.push(character),
        }
    }
    escaped
}

/// What an experiment says: a JSON document, and tables by name; the first has none.
pub(crate) struct Results {
    pub document: Value,
    pub tables: Vec<(&'static str, ResultTable)>,
}

impl Results {
    /// The tables of which something is shown.
    fn shown(&self) -> impl Iterator<Item = &ResultTable> {
        self.tables.iter().map(|(_, table)| table).filter(|table| !table.visible().is_empty())
    }

    /// All tables as Markdown.
    pub(crate) fn markdown(&self) -> String {
        self.shown().map(ResultTable::markdown).collect::<Vec<_>>().join("\n")
    }

    /// The same for a terminal: what is too wide for one stands in pieces, one under the other.
    pub(crate) fn terminal(&self) -> String {
        self.shown().flat_map(ResultTable::pieces).map(|piece| piece.markdown()).collect::<Vec<_>>().join("\n")
    }

    /// Writes `STEM.json`, `STEM.md` and `STEM.tex` with all of it, and the tables as `STEM.csv`, `STEM-NAME.csv`.
    ///
    /// # Errors
    /// [`ExperimentError::Write`]; each file is whole or as it was.
    pub(crate) fn write(&self, folder: &Path, stem: &str) -> Result<(), ExperimentError> {
        let latex = self.shown().map(ResultTable::latex).collect::<Vec<_>>().join("\n");
        let mut files = vec![
            (format!("{stem}.json"), json_text(&self.document) + "\n"),
            (format!("{stem}.md"), self.markdown()),
            (format!("{stem}.tex"), latex),
        ];
        for (name, table) in &self.tables {
            let name = if name.is_empty() { format!("{stem}.csv") } else { format!("{stem}-{name}.csv") };
            files.push((name, table.csv()));
        }
        files.iter().try_for_each(|(name, text)| write_text(&folder.join(name), text))
    }
}

/// Writes a text file, whole or not at all.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), ExperimentError> {
    let failed = |source: io::Error| ExperimentError::Write { path: path.into(), source };
    replace_file(path, |file| file.write_all(text.as_bytes())).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ResultTable {
        let columns = vec![Column::shown("model", "model"), Column::shown("wa", "WA"), Column::shown("p", "p (WA)"), Column::kept("t")];
        let spread = |mean, deviation| Cell::Spread(MeanDeviation { mean, deviation });
        let rows = vec![
            vec![Cell::Text("full".into()), spread(0.6125, Some(0.01234)), Cell::Empty, Cell::Empty],
            vec![Cell::Text("a_b & 5 %, |x|".into()), spread(0.5, None), Cell::Probability(0.0004), Cell::Number(-4.25)],
            vec![Cell::Text("c".into()), Cell::Share(0.25), Cell::Probability(0.0315), Cell::Count(7)],
        ];
        ResultTable { title: "Runs of corpus_1".into(), columns, rows, notes: vec!["p < 0.05 counts.".into()] }
    }

    #[test]
    fn markdown_is_padded_and_rounded() {
        let expected = "\
**Runs of corpus_1**

| model            |           WA |  p (WA) |
| ---------------- | -----------: | ------: |
| full             | 61.3 ± 1.2 % |         |
| a_b & 5 %, \\|x\\| |       50.0 % | < 0.001 |
| c                |       25.0 % |   0.032 |

p < 0.05 counts.
";
        assert_eq!(table().markdown(), expected);
    }

    #[test]
    fn a_table_that_is_wider_than_a_terminal_stands_in_pieces_with_its_first_column() {
        let columns = (0..12).map(|column| Column::shown("", &format!("title {column}"))).collect();
        let mut table = ResultTable { title: "Wide".into(), columns, rows: Vec::new(), notes: vec!["Said once.".into()] };
        table.rows.push((0..12).map(|column| Cell::Text(format!("cell {column}\u{1b}[1m"))).collect());
        let text = Results { document: json!({}), tables: vec![("", table)] }.terminal();
        assert!(text.lines().all(|line| width(line) <= TERMINAL) && !text.contains('\u{1b}'), "{text}");
        assert!((0..12).all(|column| text.contains(&format!("title {column} "))), "{text}");
        assert_eq!(["Wide", "Said once.", "title 0 "].map(|part| text.matches(part).count()), [1, 1, 4], "{text}");
    }

    #[test]
    fn latex_escapes_what_it_would_take_for_commands() {
        let expected = "\
\\begin{table}
  \\centering
  \\caption{Runs of corpus\\_1}
  \\begin{tabular}{lrr}
    \\hline
    model & WA & p (WA) \\\\
    \\hline
    full & 61.3 $\\pm$ 1.2 \\% &  \\\\
    a\\_b \\& 5 \\%, |x| & 50.0 \\% & $<$ 0.001 \\\\
    c & 25.0 \\% & 0.032 \\\\
    \\hline
  \\end{tabular}
  \\par\\footnotesize p $<$ 0.05 counts.
\\end{table}
";
        assert_eq!(table().latex(), expected);
        assert_eq!(escape_latex("\\{~^#$}"), "\\textbackslash{}\\{\\textasciitilde{}\\textasciicircum{}\\#\\$\\}");
    }

    #[test]
    fn csv_has_all_digits_and_every_column() {
        let expected = "model,wa,wa_deviation,p,t\nfull,0.6125,0.01234,,\n\"a_b & 5 %, |x|\",0.5,,0.0004,-4.25\nc,0.25,,0.0315,7\n";
        assert_eq!(table().csv(), expected);
    }

    #[test]
    fn json_has_an_object_a_row() {
        let expected = json!([
            { "model": "full", "wa": { "mean": 0.6125, "deviation": 0.01234 }, "p": null, "t": null },
            { "model": "a_b & 5 %, |x|", "wa": { "mean": 0.5, "deviation": null }, "p": 0.0004, "t": -4.25 },
            { "model": "c", "wa": 0.25, "p": 0.0315, "t": 7 },
        ]);
        assert_eq!(table().json(), expected);
    }
}
