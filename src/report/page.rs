//! An HTML page in one file: no script, nothing fetched, readable on a phone, in light and in dark.
//!
//! Every text that goes in is escaped here. A policy in the page's head forbids scripts and any request, so that even a
//! text that got through would do nothing.

use std::borrow::Cow;
use std::fmt::Write;

use super::drawing::{Drawing, escape, text_width};
use super::{Confusion, confusion, palette};
use crate::train::metrics::SHOWN_CLASSES;

/// Rows of text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Empty for none.
    pub caption: String,
    /// A heading for each column.
    pub header: Vec<String>,
    /// As many cells a row as the header has.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of texts.
    pub fn new(caption: &str, header: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { caption: caption.into(), header: header.iter().map(|&name| name.into()).collect(), rows }
    }
}

/// A figure.
pub(super) fn plain(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "—".into() }
}

/// A count with spaces between thousands.
pub(super) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join("\u{202f}")
}

/// A page under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    title: String,
    body: String,
    figures: usize,
}

/// Cells with more letters get a wide column.
const LONG: usize = 28;
/// Widest texts that a phone shows side by side, as [`text_width`] has them.
const SIDE_BY_SIDE: f64 = 320.0;
/// Most columns that have a heading before their stacked cells.
const HEADINGS: usize = 16;
/// Most letters of a cell or a heading, and of what it shows where it is pointed at.
const LONGEST: usize = 300;
const WHOLE: usize = 2000;

impl Page {
    /// A page with a heading and a line under it.
    pub(crate) fn new(title: &str, line: &str) -> Self {
        let (title, line) = (brief(title), brief(line));
        let body = format!("<header><h1>{}</h1><p class=\"faint\">{}</p></header>\n<main>\n", escape(&title), escape(&line));
        Self { title: title.into_owned(), body, figures: 0 }
    }

    /// Begins a section.
    pub(crate) fn section(&mut self, heading: &str) {
        let _ = writeln!(self.body, "<h2>{}</h2>", escape(heading));
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
    }

    /// Large figures: name, value, a remark (or "").
    pub(crate) fn cards(&mut self, cards: &[(&str, String, String)]) {
        self.body.push_str("<dl class=\"cards\">\n");
        for (name, value, remark) in cards {
            let remark = if remark.is_empty() { String::new() } else { format!("<small>{}</small>", escape(remark)) };
            let _ = writeln!(self.body, "<div class=\"card\"><dt>{}</dt><dd>{}{remark}</dd></div>", escape(name), escape(value));
        }
        self.body.push_str("</dl>\n");
    }

    /// Drawings side by side where there is room, each under its title and a remark (or "").
    pub(crate) fn figures(&mut self, drawings: &[(Drawing, String)]) {
        self.body.push_str("<div class=\"figures\">\n");
        for (drawing, remark) in drawings {
            self.figures += 1;
            let svg = drawing.svg(&format!("figure-{}", self.figures));
            let (class, svg) =
                if drawing.width > Drawing::SCALED { (" class=\"across\"", scrolled(&drawing.title, &svg)) } else { ("", svg) };
            let remark = if remark.is_empty() { "</b>".into() } else { format!(".</b> {}", escape(remark)) };
            let _ = writeln!(self.body, "<figure{class}><figcaption><b>{}{remark}</figcaption>{svg}</figure>", escape(&drawing.title));
        }
        self.body.push_str("</div>\n");
    }

    /// Confusion matrices, side by side where there is room; of many classes the commonest confusions, as a table.
    pub(crate) fn confusions(&mut self, confusions: &[Confusion], remark: &str) {
        let (few, many): (Vec<_>, Vec<_>) = confusions.iter().partition(|(_, classes, _)| classes.len() <= SHOWN_CLASSES);
        let drawn = |(title, classes, counts): &Confusion| (confusion::draw(title, classes, counts), remark.to_owned());
        if !few.is_empty() {
            self.figures(&few.into_iter().map(drawn).collect::<Vec<_>>());
        }
        for (title, classes, counts) in many {
            self.table(&confusion::table(title, classes, counts));
        }
    }

    /// A table that is scrolled where it is wider than the page.
    pub(crate) fn table(&mut self, table: &Table) {
        self.marked_table(table, &[]);
    }

    /// As [`Page::table`], with some rows marked.
    pub(crate) fn marked_table(&mut self, table: &Table, marked: &[usize]) {
        self.body.push_str(&markup(table, marked));
    }

    /// Tables side by side where there is room.
    pub(crate) fn tables(&mut self, tables: &[Table]) {
        let inner: String = tables.iter().map(|table| format!("<div>{}</div>", markup(table, &[]))).collect();
        let _ = writeln!(self.body, "<div class=\"pair\">{inner}</div>");
    }

    /// A table that is shown on request; that needs no script.
    pub(crate) fn folded_table(&mut self, summary: &str, table: &Table) {
        let _ = writeln!(self.body, "<details><summary>{}</summary>{}</details>", escape(summary), markup(table, &[]));
    }

    /// The whole file.
    pub(crate) fn finish(self) -> String {
        format!(
            r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="mcsan {version}">
<title>{title}</title>
<style>
{colours}
{style}{headings}</style>
</head>
<body>
{body}</main>
<footer>Written by mcsan {version}.</footer>
</body>
</html>
"#,
            version = env!("CARGO_PKG_VERSION"),
            title = escape(&self.title),
            colours = palette::css(),
            headings = headings(),
            style = include_str!("style.css"),
            body = self.body,
        )
    }
}

/// Something wide, reached by the keyboard too.
fn scrolled(name: &str, content: &str) -> String {
    format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{content}</div>", escape(name))
}

fn markup(table: &Table, marked: &[usize]) -> String {
    let column = |place: usize| table.rows.iter().filter_map(move |row| row.get(place)).map(String::as_str);
    let classes: Vec<&str> = (0..table.header.len())
        .map(|place| match () {
            () if column(place).next().is_some() && column(place).all(is_number) => " class=\"number\"",
            () if column(place).any(|cell| cell.chars().count() > LONG) => " class=\"long\"",
            () => "",
        })
        .collect();
    // On a phone the cells of a row stand one under the other, each behind its heading.
    let words = |place: usize| table.header[place].split_whitespace();
    let widest = |place: usize| column(place).chain(words(place)).map(text_width).fold(0.0, f64::max);
    let width: f64 = (0..table.header.len()).map(widest).sum();
    let is_stacked = width > SIDE_BY_SIDE || classes.iter().any(|class| class.contains("long"));
    let mut text = format!("<table{}><thead><tr>", if is_stacked { stacked(&table.header) } else { String::new() });
    for (name, class) in table.header.iter().zip(&classes) {
        let class = class.replace("long", "");
        let _ = write!(text, "<th scope=\"col\"{class}{}>{}</th>", whole(name), escape(&brief(name)));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for (place, row) in table.rows.iter().enumerate() {
        text.push_str(if marked.contains(&place) { "<tr class=\"marked\">" } else { "<tr>" });
        for (cell, class) in row.iter().zip(&classes) {
            // A transcript may run from right to left.
            let direction = if cell.is_ascii() { "" } else { " dir=\"auto\"" };
            let _ = write!(text, "<td{class}{}{direction}>{}</td>", whole(cell), escape(&brief(cell)));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table>");
    let name = if table.caption.is_empty() { brief(&table.header.join(", ")).into_owned() } else { table.caption.clone() };
    // A caption inside the table would be scrolled away with it.
    let caption = if table.caption.is_empty() { String::new() } else { format!("<p class=\"caption\">{}</p>", escape(&table.caption)) };
    caption + &scrolled(&name, &text) + "\n"
}

/// What makes a table one of stacked cells, with the headings that stand before them.
fn stacked(header: &[String]) -> String {
    let string = |text: &str| brief(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
    let heading = |(place, name): (usize, &String)| format!("--heading-{}:\"{}\";", place + 1, string(name));
    let headings: String = header.iter().enumerate().take(HEADINGS).map(heading).collect();
    format!(" class=\"stacked\" style=\"{}\"", escape(&headings))
}

/// The style of their headings, by their column.
fn headings() -> String {
    let heading = |place| format!(".stacked td:nth-child({place})::before{{content:var(--heading-{place})}}");
    format!("@media (max-width:30rem){{{}}}", (1..=HEADINGS).map(heading).collect::<String>())
}

/// A text that is not too long for a page, cut with … where it is.
pub(super) fn brief(text: &str) -> Cow<'_, str> {
    cut(text, LONGEST)
}

/// What shows the whole of a text that was cut, or most of it.
fn whole(text: &str) -> String {
    if matches!(brief(text), Cow::Borrowed(_)) { String::new() } else { format!(" title=\"{}\"", escape(&cut(text, WHOLE))) }
}

fn cut(text: &str, letters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(letters) {
        None => text.into(),
        Some(_) => text.chars().take(letters - 1).chain(['…']).collect::<String>().into(),
    }
}

/// Whether a cell holds a figure, perhaps with a unit or a spread, or nothing.
fn is_number(cell: &str) -> bool {
    let number = |part: &str| matches!(part, "%" | "±" | "<" | "s" | "–" | "—") || part.replace('−', "-").parse::<f64>().is_ok();
    cell.split_whitespace().all(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_put_in_becomes_markup() {
        let evil = "<script>alert(1)</script>\" onload=\"x";
        let mut page = Page::new(evil, evil);
        page.section(evil);
        page.paragraph(evil);
        page.cards(&[(evil, evil.into(), evil.into())]);
        page.figures(&[(Drawing::new(9.0, 9.0, evil), evil.into()), (Drawing::new(999.0, 9.0, evil), evil.into())]);
        let table = Table::new(evil, &[evil, evil], vec![vec![evil.into(), evil.into()]]);
        page.table(&table);
        page.tables(std::slice::from_ref(&table));
        page.folded_table(evil, &table);
        let html = page.finish();
        assert!(!html.contains("<script") && !html.contains("\" onload"), "{html}");
        // 3 in the head and heading, 5 in the texts, 7 in the figures, 8 in each of three tables and one over the folded one.
        assert_eq!(html.matches("&lt;script&gt;").count(), 40);
    }

    #[test]
    fn a_page_asks_for_nothing() {
        let html = Page::new("title", "line").finish();
        for word in ["http://", "https://", "src=", "href=", "url(", "@import", "<script", "<link"] {
            assert!(!html.contains(word), "{word}");
        }
    }

    #[test]
    fn figures_stand_right_and_texts_left() {
        let table = Table::new(
            "",
            &["class", "WA", "n"],
            vec![vec!["sad".into(), "57.93 ± 2.10".into(), "40".into()], vec!["2".into(), "−3 %".into(), "".into()]],
        );
        let html = markup(&table, &[1]);
        assert!(
            html.contains(r#"<th scope="col">class</th><th scope="col" class="number">WA</th><th scope="col" class="number">n</th>"#),
            "{html}"
        );
        assert!(html.contains(r#"<tr class="marked"><td>2</td>"#), "{html}");
    }

    #[test]
    fn what_is_too_long_is_cut_and_shown_where_it_is_pointed_at() {
        let html = markup(&Table::new("", &["name"], vec![vec!["<".repeat(1_000_000)], vec!["sad".into()]]), &[]);
        assert!(html.len() < 20_000 && html.contains("…</td>") && html.contains(" title=\"&lt;"), "{} bytes", html.len());
        assert!(html.contains(">sad</td>"));
    }

    #[test]
    fn texts_of_other_scripts_take_their_own_direction() {
        let html = markup(&Table::new("", &["text"], vec![vec!["שלום".into()]]), &[]);
        assert!(html.contains(r#"<td dir="auto">שלום</td>"#), "{html}");
    }
}
