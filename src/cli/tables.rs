//! Results as tables in the terminal.

use std::fmt::Write;

use crate::model::cost::ModuleCost;
use crate::train::Metrics;

/// The network: parameters and work of each module for an utterance of so many frames and tokens.
pub fn modules(modules: &[ModuleCost], frames: usize, tokens: usize) -> String {
    let line = |name: &str, parameters: usize, forward: f64, step: f64| {
        format!("{name:14}  {parameters:10}  {:13.1}  {:12.1}\n", forward / 1e6, step / 1e6)
    };
    let mut text = format!("{:14}  parameters  MFLOP forward  MFLOP a step\n", "module");
    for module in modules {
        text += &line(module.name, module.parameters, module.forward, module.step);
    }
    let sum = |part: fn(&ModuleCost) -> f64| modules.iter().map(part).sum();
    let parameters = modules.iter().map(|module| module.parameters).sum();
    text += &line("all", parameters, sum(|module| module.forward), sum(|module| module.step));
    text + &format!("for an utterance of {frames} frames and {tokens} tokens, the mean")
}

/// WA, UA and weighted F1 in one line.
pub fn headline(metrics: &Metrics) -> String {
    format!(
        "WA {:.1} %   UA {:.1} %   weighted F1 {:.1} %   loss {:.3}   ({} utterances)",
        100.0 * metrics.wa,
        100.0 * metrics.ua,
        100.0 * metrics.weighted_f1,
        metrics.loss,
        metrics.utterances
    )
}

/// A line a class, then the confusion matrix: rows are the true classes, columns the predicted ones.
pub fn details(metrics: &Metrics) -> String {
    let width = metrics.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).max(5);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:width$}  precision  recall      F1  utterances", "class");
    for class in &metrics.classes {
        let [precision, recall, f1] = [class.precision, class.recall, class.f1].map(|share| 100.0 * share);
        let _ = writeln!(text, "{:width$}    {precision:6.1}  {recall:6.1}  {f1:6.1}  {:10}", class.name, class.support);
    }
    let _ = writeln!(text, "\n{:width$}  predicted", "true");
    let heads: Vec<String> = metrics.classes.iter().map(|class| class.name.chars().take(5).collect()).collect();
    let _ = writeln!(text, "{:width$}  {}", "", heads.iter().map(|head| format!("{head:>5}")).collect::<Vec<_>>().join(" "));
    for (class, row) in metrics.classes.iter().zip(&metrics.confusion) {
        let cells: Vec<String> = row.iter().map(|count| format!("{count:>5}")).collect();
        let _ = writeln!(text, "{:width$}  {}", class.name, cells.join(" "));
    }
    text
}
