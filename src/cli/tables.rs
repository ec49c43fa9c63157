//! Results as tables in the terminal.

use std::fmt::Write;

use crate::base::columns::{self, TERMINAL, left, right, shorten};
use crate::base::shown::percent;
use crate::model::cost::ModuleCost;
use crate::profile::{BoundBy, Change, Prediction, ProfileReport};
use crate::svm::Machine;
use crate::train::bootstrap::{Bootstrap, Clusters, Interval};
use crate::train::calibration::Calibration;
use crate::train::groups::{Group, Grouping};
use crate::train::metrics::{Accuracies, ClassMetrics, SHOWN_CLASSES, confusions, shown_classes};
use crate::train::{CorpusEvaluation, Metrics};

/// The network: parameters and work of each module for an utterance of so many frames and tokens.
pub(crate) fn modules(modules: &[ModuleCost], frames: usize, tokens: usize) -> String {
    let line = |name: &str, parameters: usize, forward: f64, step: f64| {
        format!("{name:14}  {parameters:10}  {:13.1}  {:12.1}\n", forward / 1e6, step / 1e6)
    };
    let mut text = format!("{:14}  parameters  MFLOP forward  MFLOP a step\n", "module");
    for module in modules {
        text += &line(&module.name, module.parameters, module.forward, module.step);
    }
    let sum = |part: fn(&ModuleCost) -> f64| modules.iter().map(part).sum();
    let parameters = modules.iter().map(|module| module.parameters).sum();
    text += &line("all", parameters, sum(|module| module.forward), sum(|module| module.step));
    text + &format!("for an utterance of {frames} frames and {tokens} tokens, the mean")
}

/// What a machine on a network stands on.
pub(crate) fn machine(machine: &Machine) -> String {
    let used = machine.weights.iter().filter(|&&weight| weight > 0.0).count();
    format!(
        "SVM: C = {}, {used} of {} kernels, {} of {} acoustic columns, {} support vectors",
        machine.c,
        machine.weights.len(),
        machine.chosen.len(),
        machine.columns() - machine.first,
        machine.support_vectors()
    )
}

/// WA, UA and weighted F1.
pub(crate) fn accuracies(metrics: &Metrics) -> String {
    format!("WA {}  UA {}  weighted F1 {}", percent(metrics.wa), percent(metrics.ua), percent(metrics.weighted_f1))
}

/// All figures in two lines.
pub(crate) fn headline(metrics: &Metrics) -> String {
    let Metrics { macro_f1, loss, utterances, .. } = metrics;
    format!("{}  macro F1 {}\nloss {loss:.3}  ({utterances} utterances)", accuracies(metrics), percent(*macro_f1))
}

/// How far probabilities can be believed; `before` a temperature, which is told with it.
pub(crate) fn calibration(calibration: &Calibration, before: Option<(f64, &Calibration)>) -> String {
    let Calibration { ece, brier, .. } = calibration;
    match before {
        None => format!("ECE {}  Brier {brier:.3}\n", percent(*ece)),
        Some((temperature, before)) => format!(
            "ECE {}  Brier {brier:.3}  at temperature {temperature:.3} (ECE {}, Brier {:.3}, loss {:.3} without)\n",
            percent(*ece),
            percent(before.ece),
            before.brier,
            before.loss
        ),
    }
}

/// Fewer than so many are few to draw from.
const FEW: usize = 10;

/// Confidence intervals of the figures of a headline.
pub(crate) fn intervals(bootstrap: &Bootstrap, clusters: &Clusters, of: &[Interval; 4]) -> String {
    let [wa, ua, weighted_f1, macro_f1] = of.map(|Interval { low, high }| format!("{:.1}–{}", 100.0 * low, percent(high)));
    let (draws, count, level) = (bootstrap.draws, clusters.count(), 100.0 * bootstrap.level);
    let few = if count < FEW { ", few, and so rather too narrow" } else { "" };
    let unit = clusters.unit.words(count);
    format!(
        "{level:.0} % intervals, of {draws} draws of {count} {unit}{few}:\n  WA {wa}  UA {ua}\n  weighted F1 {weighted_f1}  macro F1 {macro_f1}\n"
    )
}

/// Groups of a table: the rest are told of.
const GROUPS: usize = 40;

/// A line a group; of many those of the most utterances.
pub(crate) fn groups(by: Grouping, groups: &[Group]) -> String {
    let title = by.name();
    let mut shown: Vec<&Group> = groups.iter().collect();
    if shown.len() > GROUPS {
        shown.sort_by_key(|group| std::cmp::Reverse(group.utterances));
        shown.truncate(GROUPS);
    }
    let name = |group: &&Group| shorten(group.name.as_deref().unwrap_or("not known"), NAME);
    let names: Vec<String> = shown.iter().map(name).collect();
    let width = names.iter().map(|name| columns::width(name)).fold(title.len(), usize::max);
    let mut text = format!("{}  utterances       WA       UA  weighted F1  macro F1\n", left(title, width));
    for (name, Group { utterances, accuracies, .. }) in names.iter().zip(&shown) {
        let Accuracies { wa, ua, weighted_f1, macro_f1 } = accuracies;
        let [wa, ua, weighted_f1, macro_f1] = [wa, ua, weighted_f1, macro_f1].map(|&share| percent(share));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {utterances:10}  {wa:>7}  {ua:>7}  {weighted_f1:>11}  {macro_f1:>8}", left(name, width));
    }
    if shown.len() < groups.len() {
        let _ = writeln!(text, "and {} more, none of more utterances (--json has all)", groups.len() - shown.len());
    }
    text
}

/// The figures of each corpus, a line each, behind an empty one; nothing where there is but one.
pub(crate) fn corpora(corpora: &[CorpusEvaluation]) -> String {
    if corpora.is_empty() {
        return String::new();
    }
    let names = columns::told_apart(&corpora.iter().map(|of| of.corpus.as_str()).collect::<Vec<_>>(), NAME);
    let width = names.iter().map(|name| columns::width(name)).fold(6, usize::max);
    let mut text = format!("\n{}       WA       UA  weighted F1  utterances\n", left("corpus", width));
    for (CorpusEvaluation { metrics, .. }, name) in corpora.iter().zip(&names) {
        let [wa, ua, f1] = [metrics.wa, metrics.ua, metrics.weighted_f1].map(percent);
        let _ = writeln!(text, "{}  {wa:>7}  {ua:>7}  {f1:>11}  {:10}", left(&shorten(name, NAME), width), metrics.utterances);
    }
    text
}

/// Widest name of a class in a table.
const NAME: usize = 32;
/// Narrowest name at the head of a column.
const NARROWEST: usize = 5;
/// Rows of a table of the largest: of confusions where the matrix is too wide, of the likeliest of many classes.
const LARGEST: usize = 10;

/// The names of some classes, cut where they are long, and then told apart.
pub(crate) fn names<N: AsRef<str>>(classes: &[N], shown: &[usize]) -> Vec<String> {
    let told = columns::told_apart(&classes.iter().map(AsRef::as_ref).collect::<Vec<_>>(), NAME);
    shown.iter().map(|&class| shorten(&told[class], NAME)).collect()
}

/// Names between commas, of many the first.
pub(crate) fn listed<N: AsRef<str>>(names: &[N]) -> String {
    let mut text = names.iter().take(SHOWN_CLASSES).map(|name| shorten(name.as_ref(), NAME)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN_CLASSES {
        let _ = write!(text, " and {} more", names.len() - SHOWN_CLASSES);
    }
    text
}

/// A line a class, then the confusion matrix, or of many classes the commonest confusions; no line is wider than a terminal.
pub(crate) fn details(metrics: &Metrics) -> String {
    let names: Vec<&str> = metrics.classes.iter().map(|class| class.name.as_str()).collect();
    let supports: Vec<usize> = metrics.classes.iter().map(|class| class.support).collect();
    let shown = shown_classes(&supports);
    let told = self::names(&names, &shown);
    let width = told.iter().map(|name| columns::width(name)).fold(5, usize::max);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}  precision   recall       F1  utterances", left("class", width));
    for (&class, name) in shown.iter().zip(&told) {
        let ClassMetrics { precision, recall, f1, support, .. } = &metrics.classes[class];
        let name = left(name, width);
        let [precision, recall, f1] = [precision, recall, f1].map(|&share| percent(share));
        let _ = writeln!(text, "{name}  {precision:>9}  {recall:>7}  {f1:>7}  {support:10}");
    }
    if shown.len() < names.len() {
        let _ = writeln!(text, "and {} more classes, none of more utterances (--json has all)", names.len() - shown.len());
    }
    text.push('\n');
    text + &matrix(&names, &metrics.confusion).unwrap_or_else(|| confused(&names, &metrics.confusion))
}

/// The confusion matrix, rows the true classes and columns the predicted ones, where it fits a terminal.
fn matrix(names: &[&str], counts: &[Vec<usize>]) -> Option<String> {
    let digits = |class: usize| counts.iter().map(|row| row[class]).max().unwrap_or(0).to_string().len();
    let layout = |most: usize| {
        let told = columns::told_apart(names, most);
        let heads: Vec<String> = told.iter().map(|name| shorten(name, most)).collect();
        let rows: Vec<String> = told.iter().map(|name| shorten(name, NAME)).collect();
        let width = rows.iter().map(|row| columns::width(row)).fold(5, usize::max);
        let widths: Vec<usize> = heads.iter().enumerate().map(|(class, head)| columns::width(head).max(digits(class))).collect();
        (width + widths.iter().map(|width| width + 2).sum::<usize>() <= TERMINAL).then_some((heads, rows, width, widths))
    };
    let (heads, rows, width, widths) = (NARROWEST..=NAME).rev().filter(|_| names.len() <= SHOWN_CLASSES).find_map(layout)?;
    let line = |name: &str, cells: &[String]| {
        let cells: String = cells.iter().zip(&widths).map(|(cell, &width)| "  ".to_owned() + &right(cell, width)).collect();
        left(name, width) + &cells + "\n"
    };
    let mut text = left("true", width) + "  predicted\n" + &line("", &heads);
    for (name, row) in rows.iter().zip(counts) {
        text += &line(name, &row.iter().map(usize::to_string).collect::<Vec<_>>());
    }
    Some(text)
}

/// What was taken for what most often.
fn confused(names: &[&str], counts: &[Vec<usize>]) -> String {
    let most = confusions(counts, LARGEST);
    if most.is_empty() {
        return "no utterance was taken for one of another class\n".into();
    }
    let [truths, predicted] = [0, 1].map(|side| self::names(names, &most.iter().map(|cell| cell[side]).collect::<Vec<_>>()));
    let width = truths.iter().map(|name| columns::width(name)).fold(4, usize::max);
    let mut text = format!("most often taken for another\nutterances  {}  predicted\n", left("true", width));
    for (([.., count], truth), predicted) in most.iter().zip(&truths).zip(&predicted) {
        let _ = writeln!(text, "{count:10}  {}  {predicted}", left(truth, width));
    }
    text
}

/// Widest bar of a probability.
const BAR: f64 = 36.0;

/// The classes from the likeliest to the least likely, with bars; of many the likeliest.
pub(crate) fn probabilities(classes: &[String], probabilities: &[f64]) -> String {
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    if order.len() > SHOWN_CLASSES {
        order.truncate(LARGEST);
    }
    let names = names(classes, &order);
    let width = names.iter().map(|name| columns::width(name)).max().unwrap_or(0);
    let line = |(&class, name): (&usize, &String)| {
        let bar = "█".repeat((probabilities[class] * BAR).round() as usize);
        format!("{} {:>7} {bar}", left(name, width), percent(probabilities[class]))
    };
    let mut lines: Vec<String> = order.iter().zip(&names).map(line).collect();
    if order.len() < classes.len() {
        lines.push(format!("and {} less likely classes (--json has all)", classes.len() - order.len()));
    }
    lines.join("\n")
}

/// A prediction: a line a kernel, slowest first.
pub(crate) fn prediction(prediction: &Prediction) -> String {
    let Prediction { title, what, on, predicted_ms, floor_ms, kernels, .. } = prediction;
    let mut text = format!("{what} of {on} on {title}, predicted\n\n{:34}  dispatches         ms   floor, ms  bound by\n", "kernel");
    let dispatches: usize = kernels.iter().map(|kernel| kernel.dispatches).sum();
    for kernel in kernels {
        let bound = match kernel.bound_by {
            BoundBy::Issue => "issue",
            BoundBy::Memory => "memory",
            BoundBy::Latency => "latency",
            BoundBy::Dispatch => "dispatch",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:34}  {:10}  {:9.3}  {:10.3}  {bound}", kernel.name, kernel.dispatches, kernel.ms, kernel.floor_ms);
    }
    let _ = write!(text, "{:34}  {dispatches:10}  {predicted_ms:9.3}  {floor_ms:10.3}", "a step");
    text
}

/// What was predicted beside what was measured: the step, then a line a kernel, by the larger time.
pub(crate) fn confirmation(changes: &[Change], measured: &ProfileReport) -> String {
    let mut text = format!("held against {}\n\n{:34}  predicted, ms  measured, ms   ratio", measured.device_name(), "");
    for Change { name, base_ms, ms, ratio, .. } in changes {
        let time = |ms: Option<f64>| ms.map_or("-".into(), |ms| format!("{ms:.3}"));
        let ratio = ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"));
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{name:34}  {:>13}  {:>12}  {ratio:>6}", time(*base_ms), time(*ms));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(names: &[&str], row: impl Fn(usize) -> Vec<usize>) -> Metrics {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let confusion = (0..names.len()).map(row).collect();
        crate::train::metrics::Tally { confusion, loss: 0.0 }.metrics(&names)
    }

    fn fits(text: &str) {
        assert!(text.lines().all(|line| columns::width(line) <= TERMINAL), "{text}");
    }

    #[test]
    fn the_papers_seven_classes_have_their_whole_names_at_the_matrix() {
        let names = ["angry", "excited", "frustrated", "happy", "neutral", "sad", "surprised"];
        let text = details(&metrics(&names, |class| (0..7).map(|other| if other == class { 1200 } else { other }).collect()));
        fits(&text);
        assert!(text.contains("angry  excited  frustrated  happy  neutral   sad  surprised"), "{text}");
        assert!(text.contains("\nsad             0        1           2      3        4  1200          6\n"), "{text}");
    }

    #[test]
    fn names_that_are_too_long_are_cut_with_an_ellipsis_and_told_apart() {
        let names: Vec<String> =
            ["angry", "glad", "sad", "calm"].iter().map(|name| "a very particular way of being ".repeat(3) + name).collect();
        let text = details(&metrics(&names.iter().map(String::as_str).collect::<Vec<_>>(), |_| vec![1, 2, 3, 4]));
        fits(&text);
        for number in 1..=4 {
            assert_eq!(text.matches(&format!("{number}. a very")).count(), 3, "class, row and column {number}:\n{text}");
        }
        assert!(text.contains('…'), "{text}");
    }

    #[test]
    fn thousands_of_classes_are_a_short_table_and_their_commonest_confusions() {
        let names: Vec<String> = (0..3000).map(|class| format!("label {class}")).collect();
        let row =
            |class: usize| (0..3000).map(|other| usize::from(other == class) + 2 * usize::from(other == class + 1 && class < 4)).collect();
        let text = details(&metrics(&names.iter().map(String::as_str).collect::<Vec<_>>(), row));
        fits(&text);
        assert!(text.lines().count() < 60 && text.contains("and 2970 more classes"), "{text}");
        assert!(text.contains("         2  label 0  label 1\n"), "{text}");
        let none = details(&metrics(&names.iter().map(String::as_str).take(31).collect::<Vec<_>>(), |_| vec![0; 31]));
        assert!(none.contains("no utterance was taken for one of another class"), "{none}");
    }

    #[test]
    fn names_in_wide_letters_line_up_and_orders_to_the_terminal_are_written_out() {
        let text = details(&metrics(&["悲しい", "glad\u{1b}[2J", "x"], |_| vec![1, 2, 30]));
        fits(&text);
        assert!(!text.contains('\u{1b}') && text.contains("glad\\u001b[2J"), "{text}");
        let ends: Vec<usize> = text.lines().skip(1).take(3).map(columns::width).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{text}");
    }
}
