//! Tables of results: one description, written as Markdown, LaTeX, CSV and JSON.
//!
//! Markdown and LaTeX show rounded figures, as the paper does (0.612 ± 0.012); CSV and JSON have all digits, and the columns
//! that are not shown too. In CSV a mean ± standard deviation takes two columns, `wa` and `wa_deviation`. The LaTeX is a plain
//! `tabular`, which needs no package.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::ExperimentError;
use super::statistics::MeanDeviation;
use crate::dataset::replace_file;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Nothing is known.
    Empty,
    Text(String),
    Count(usize),
    /// A figure, shown with three decimals.
    Number(f64),
    Spread(MeanDeviation),
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
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Number(value) => figure(*value),
            Self::Spread(MeanDeviation { mean, deviation: None }) => figure(*mean),
            Self::Spread(MeanDeviation { mean, deviation: Some(deviation) }) => {
                format!("{}{plus_minus}{}", figure(*mean), figure(*deviation))
            }
            Self::Probability(value) if *value < SMALLEST_SHOWN => format!("{less}{SMALLEST_SHOWN}"),
            Self::Probability(value) => figure(*value),
        }
    }

    fn latex(&self) -> String {
        match self {
            Self::Text(text) => escape_latex(text),
            figure => figure.shown(" $\\pm$ ", "$<$ "),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Text(text) => json!(text),
            Self::Count(count) => json!(count),
            Self::Number(value) | Self::Probability(value) => json!(value),
            Self::Spread(spread) => json!(spread),
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
        let of_words = |place: usize| self.rows.iter().any(|row| matches!(row[place], Cell::Text(_)));
        let titled = self.columns.iter().enumerate().filter_map(|(place, column)| Some((place, column.title.as_deref()?)));
        titled.map(|(place, title)| (place, title, of_words(place))).collect()
    }

    /// The shown columns' titles, and every row as it is shown.
    pub(crate) fn shown(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let visible = self.visible();
        let row = |row: &Vec<Cell>| visible.iter().map(|&(place, ..)| row[place].shown(" ± ", "< ")).collect();
        (visible.iter().map(|(_, title, _)| title.to_string()).collect(), self.rows.iter().map(row).collect())
    }

    /// As Markdown, its columns padded so that it reads well in a terminal.
    pub(crate) fn markdown(&self) -> String {
        let escape = |text: String| text.replace('|', "\\|").replace('\n', " ");
        let visible = self.visible();
        let (header, rows) = self.shown();
        let lines: Vec<Vec<String>> = [header].into_iter().chain(rows).map(|line| line.into_iter().map(escape).collect()).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(3);
        let rule = |(column, &(.., left)): (usize, &(usize, &str, bool))| match left {
            true => "-".repeat(width(column)),
            false => "-".repeat(width(column) - 1) + ":",
        };
        let rule: Vec<String> = visible.iter().enumerate().map(rule).collect();
        let padded = |line: &Vec<String>| {
            let cell = |(column, text): (usize, &String)| match visible[column].2 {
                true => format!("{text:<0$}", width(column)),
                false => format!("{text:>0$}", width(column)),
            };
            format!("| {} |\n", line.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "))
        };
        let mut text = format!("**{}**\n\n{}| {} |\n", self.title, padded(&lines[0]), rule.join(" | "));
        lines[1..].iter().for_each(|line| text += &padded(line));
        for note in &self.notes {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{note}\n");
        }
        text
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
        let spread = |place: usize| self.rows.iter().any(|row| matches!(row[place], Cell::Spread(_)));
        let spreads: Vec<bool> = (0..self.columns.len()).map(spread).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut record = Vec::new();
        for (column, &spread) in self.columns.iter().zip(&spreads) {
            record.push(column.key.clone());
            if spread {
                record.push(format!("{}_deviation", column.key));
            }
        }
        // Writing to memory cannot fail, and every record has the first one's length.
        let _ = writer.write_record(&record);
        for row in &self.rows {
            record.clear();
            for (cell, &spread) in row.iter().zip(&spreads) {
                record.push(match cell {
                    Cell::Empty => String::new(),
                    Cell::Text(text) => text.clone(),
                    Cell::Count(count) => count.to_string(),
                    Cell::Number(value) | Cell::Probability(value) | Cell::Spread(MeanDeviation { mean: value, .. }) => value.to_string(),
                });
                if spread {
                    let deviation = if let Cell::Spread(spread) = cell { spread.deviation } else { None };
                    record.push(deviation.map(|value| value.to_string()).unwrap_or_default());
                }
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
    for character in text.chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', character]),
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '<' => escaped += "$<$",
            '>' => escaped += "$>$",
            '±' => escaped += "$\\pm$",
            '\n' => escaped.push(' '),
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
    /// All tables.
    pub(crate) fn markdown(&self) -> String {
        self.tables.iter().map(|(_, table)| table.markdown()).collect::<Vec<_>>().join("\n")
    }

    /// Writes `STEM.json`, `STEM.md` and `STEM.tex` with all of it, and the tables as `STEM.csv`, `STEM-NAME.csv`.
    ///
    /// # Errors
    /// [`ExperimentError::Write`]; each file is whole or as it was.
    pub(crate) fn write(&self, folder: &Path, stem: &str) -> Result<(), ExperimentError> {
        let latex = self.tables.iter().map(|(_, table)| table.latex()).collect::<Vec<_>>().join("\n");
        let mut files = vec![
            (format!("{stem}.json"), format!("{:#}\n", self.document)),
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
            vec![Cell::Text("c".into()), Cell::Number(0.25), Cell::Probability(0.0315), Cell::Count(7)],
        ];
        ResultTable { title: "Runs of corpus_1".into(), columns, rows, notes: vec!["p < 0.05 counts.".into()] }
    }

    #[test]
    fn markdown_is_padded_and_rounded() {
        let expected = "\
**Runs of corpus_1**

| model            |            WA |  p (WA) |
| ---------------- | ------------: | ------: |
| full             | 0.613 ± 0.012 |         |
| a_b & 5 %, \\|x\\| |         0.500 | < 0.001 |
| c                |         0.250 |   0.032 |

p < 0.05 counts.
";
        assert_eq!(table().markdown(), expected);
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
    full & 0.613 $\\pm$ 0.012 &  \\\\
    a\\_b \\& 5 \\%, |x| & 0.500 & $<$ 0.001 \\\\
    c & 0.250 & 0.032 \\\\
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
