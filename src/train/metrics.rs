//! Results of a classifier: accuracy, recalls, F1, confusion matrix.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::utterances::NO_LABEL;

/// How well one class is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// The class.
    pub name: String,
    /// Right among those predicted as this class; 0 where none was.
    pub precision: f64,
    /// Right among those of this class; 0 where there is none.
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 where both are.
    pub f1: f64,
    /// Utterances of this class.
    pub support: usize,
}

/// Results over some utterances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenMetrics")]
pub struct Metrics {
    /// How many there are.
    pub utterances: usize,
    /// Weighted accuracy: the share of right predictions.
    pub wa: f64,
    /// Unweighted accuracy: the mean recall of the classes that occur.
    pub ua: f64,
    /// Mean F1 of the classes that occur or are predicted, as scikit-learn's `f1_score(average="macro")`.
    pub macro_f1: f64,
    /// Mean F1 of the classes, weighted by their support.
    pub weighted_f1: f64,
    /// Mean cross-entropy, without class weights or smoothing.
    pub loss: f64,
    /// In the order of the labels.
    pub classes: Vec<ClassMetrics>,
    /// `[true class][predicted class]`
    pub confusion: Vec<Vec<usize>>,
}

/// The shares of one that results are told by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracies {
    /// As [`Metrics::wa`].
    pub wa: f64,
    /// As [`Metrics::ua`].
    pub ua: f64,
    /// As [`Metrics::macro_f1`].
    pub macro_f1: f64,
    /// As [`Metrics::weighted_f1`].
    pub weighted_f1: f64,
}

impl Accuracies {
    /// Those of `confusion[true class][predicted class]`.
    pub fn of(confusion: &[Vec<usize>]) -> Self {
        Self::of_counts((0..confusion.len()).map(|class| counts(confusion, class)))
    }

    /// Those of utterances, `[true class, predicted class]` each, of so many classes; without a matrix, which of many classes is large.
    pub fn of_pairs(pairs: impl IntoIterator<Item = [usize; 2]>, classes: usize) -> Self {
        let mut all = vec![(0, 0, 0); classes];
        for [truth, predicted] in pairs {
            all[truth].0 += usize::from(truth == predicted);
            all[truth].1 += 1;
            all[predicted].2 += 1;
        }
        Self::of_counts(all.into_iter())
    }

    /// Those of each class' right predictions, utterances and predictions.
    fn of_counts(classes: impl Iterator<Item = (usize, usize, usize)> + Clone) -> Self {
        let utterances = classes.clone().map(|(_, support, _)| support).sum();
        let (mut right, mut present, mut met) = (0, 0usize, 0usize);
        let (mut recalls, mut f1s, mut weighted) = (0.0, 0.0, 0.0);
        for (own, support, predicted) in classes {
            let f1 = share(2 * own, support + predicted);
            right += own;
            met += usize::from(support + predicted > 0);
            f1s += f1;
            if support > 0 {
                present += 1;
                recalls += share(own, support);
                weighted += f1 * share(support, utterances);
            }
        }
        Self { wa: share(right, utterances), ua: recalls / present.max(1) as f64, macro_f1: f1s / met.max(1) as f64, weighted_f1: weighted }
    }
}

/// Of a class: right predictions, utterances, predictions.
fn counts(confusion: &[Vec<usize>], class: usize) -> (usize, usize, usize) {
    (confusion[class][class], confusion[class].iter().sum(), confusion.iter().map(|row| row[class]).sum())
}

/// [`Metrics`] as they lie in files, of which older ones have no macro-F1.
#[derive(Deserialize)]
struct WrittenMetrics {
    utterances: usize,
    wa: f64,
    ua: f64,
    macro_f1: Option<f64>,
    weighted_f1: f64,
    loss: f64,
    classes: Vec<ClassMetrics>,
    confusion: Vec<Vec<usize>>,
}

impl From<WrittenMetrics> for Metrics {
    fn from(written: WrittenMetrics) -> Self {
        let WrittenMetrics { utterances, wa, ua, macro_f1, weighted_f1, loss, classes, confusion } = written;
        let macro_f1 = macro_f1.unwrap_or_else(|| self::macro_f1(&confusion));
        Self { utterances, wa, ua, macro_f1, weighted_f1, loss, classes, confusion }
    }
}

/// Macro-F1 of a matrix from a file, NaN where it is none.
pub(crate) fn macro_f1(confusion: &[Vec<usize>]) -> f64 {
    if is_confusion(confusion, confusion.len()) { Accuracies::of(confusion).macro_f1 } else { f64::NAN }
}

/// Predictions counted as they come: what [`Metrics`] are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// `[true class][predicted class]`
    pub confusion: Vec<Vec<usize>>,
    /// Sum of the cross-entropies, without class weights or smoothing.
    pub loss: f64,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(classes: usize) -> Self {
        Self { confusion: vec![vec![0; classes]; classes], loss: 0.0 }
    }

    /// Whether these are counts of so many classes, whose sums are numbers, and a loss that is one.
    #[cfg(feature = "files")]
    pub(super) fn is_of(&self, classes: usize) -> bool {
        is_confusion(&self.confusion, classes) && self.loss.is_finite()
    }

    /// Counts logits `[utterances, classes]` against labels, where there are some.
    pub fn add(&mut self, logits: &[f32], labels: &[u32]) {
        let rows = logits.chunks_exact(self.confusion.len()).zip(labels);
        for (row, &label) in rows.filter(|(_, label)| **label != NO_LABEL) {
            self.confusion[label as usize][largest(row)] += 1;
            self.loss -= softmax(row)[label as usize].max(f64::MIN_POSITIVE).ln();
        }
    }

    /// Utterances counted.
    pub fn utterances(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Results over all that was counted.
    pub fn metrics(self, class_names: &[String]) -> Metrics {
        let utterances = self.utterances();
        let Self { confusion, loss } = self;
        let count = class_names.len();
        let classes: Vec<ClassMetrics> = (0..count).map(|class| class_metrics(&confusion, class, &class_names[class])).collect();
        let Accuracies { wa, ua, macro_f1, weighted_f1 } = Accuracies::of(&confusion);
        Metrics { utterances, wa, ua, macro_f1, weighted_f1, loss: loss / utterances.max(1) as f64, classes, confusion }
    }
}

/// Whether a matrix has a row and a column for each of so many classes, and counts whose sum is one.
pub(crate) fn is_confusion(counts: &[Vec<usize>], classes: usize) -> bool {
    let sum = counts.iter().flatten().copied().try_fold(0, usize::checked_add);
    counts.len() == classes && counts.iter().all(|row| row.len() == classes) && sum.is_some_and(|sum| u32::try_from(sum).is_ok())
}

impl Metrics {
    /// Results of logits `[utterances, classes]` against labels.
    pub fn of(logits: &[f32], labels: &[u32], class_names: &[String]) -> Self {
        let mut tally = Tally::new(class_names.len());
        tally.add(logits, labels);
        tally.metrics(class_names)
    }
}

fn class_metrics(confusion: &[Vec<usize>], class: usize, name: &str) -> ClassMetrics {
    let (right, support, predicted) = counts(confusion, class);
    ClassMetrics {
        name: name.to_owned(),
        precision: share(right, predicted),
        recall: share(right, support),
        f1: share(2 * right, support + predicted),
        support,
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Most classes that are shown one by one, and of which a whole confusion matrix is: more are a table of the largest ones.
pub(crate) const SHOWN_CLASSES: usize = 30;

/// What was taken for what, the most often first: `[true class, predicted class, utterances]` of at most `most` cells off the diagonal
/// of a confusion matrix.
pub(crate) fn confusions(matrix: &[Vec<usize>], most: usize) -> Vec<[usize; 3]> {
    let cells = matrix.iter().enumerate().flat_map(|(truth, row)| row.iter().enumerate().map(move |(other, &count)| [truth, other, count]));
    let mut confused: Vec<[usize; 3]> = cells.filter(|&[truth, other, count]| truth != other && count > 0).collect();
    confused.sort_by_key(|&[truth, other, count]| (Reverse(count), truth, other));
    confused.truncate(most);
    confused
}

/// The class that one was most often taken for, by its row of a confusion matrix; the first of equals.
pub(crate) fn taken_for(row: &[usize], class: usize) -> Option<usize> {
    (0..row.len()).filter(|&other| other != class && row[other] > 0).max_by_key(|&other| (row[other], Reverse(other)))
}

/// A document of results as JSON in lines; in one where it has a matrix of more than [`SHOWN_CLASSES`] classes, of which a line a number
/// would be many times as long.
pub(crate) fn json_text(document: &Value) -> String {
    let matrix = [document, &document["pooled"]].map(|part| part["confusion"].as_array().map_or(0, Vec::len));
    if matrix.into_iter().any(|classes| classes > SHOWN_CLASSES) { document.to_string() } else { format!("{document:#}") }
}

/// The classes that are shown: all in their order, or, of more than [`SHOWN_CLASSES`], those of the most utterances.
pub(crate) fn shown_classes(utterances: &[usize]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..utterances.len()).collect();
    if classes.len() > SHOWN_CLASSES {
        classes.sort_by_key(|&class| (Reverse(utterances[class]), class));
        classes.truncate(SHOWN_CLASSES);
    }
    classes
}

/// Index of the largest value, the first on ties.
pub(crate) fn largest(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Probabilities of one row of logits.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - highest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes, one of which never occurs; figures worked out by hand.
    #[test]
    fn metrics_agree_with_a_hand_count() {
        let names = ["a", "b", "c"].map(String::from);
        let sure = |class: usize| (0..3).map(move |c| if c == class { 9.0 } else { 0.0 });
        let logits: Vec<f32> = [0, 0, 1, 1, 2].into_iter().flat_map(sure).collect();
        let metrics = Metrics::of(&logits, &[0, 0, 0, 1, 1], &names);
        assert_eq!(metrics.confusion, [vec![2, 1, 0], vec![0, 1, 1], vec![0, 0, 0]]);
        assert!((metrics.wa - 0.6).abs() < 1e-12);
        assert!((metrics.ua - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-12);
        // c is predicted once and never right.
        assert!((metrics.macro_f1 - (0.8 + 0.5) / 3.0).abs() < 1e-12);
        assert!((metrics.weighted_f1 - (0.8 * 0.6 + 0.5 * 0.4)).abs() < 1e-12);
        assert_eq!(metrics.classes[2].support, 0);
        let pairs = [[0, 0], [0, 0], [0, 1], [1, 1], [1, 2]];
        assert_eq!(Accuracies::of_pairs(pairs, 3), Accuracies::of(&metrics.confusion), "to the last bit");
    }

    #[test]
    fn results_that_were_written_without_a_macro_f1_have_it_when_they_are_read() {
        let metrics = Tally { confusion: vec![vec![3, 1], vec![0, 2]], loss: 1.0 }.metrics(&["a", "b"].map(String::from));
        let mut written = serde_json::json!(metrics);
        assert_eq!(serde_json::from_value::<Metrics>(written.clone()).unwrap(), metrics);
        written.as_object_mut().unwrap().remove("macro_f1");
        assert_eq!(serde_json::from_value::<Metrics>(written).unwrap(), metrics);
    }

    #[test]
    fn the_commonest_confusions_come_first_and_large_classes_are_shown() {
        let matrix = [vec![5, 2, 0], vec![3, 1, 2], vec![0, 0, 4]];
        assert_eq!(confusions(&matrix, 9), [[1, 0, 3], [0, 1, 2], [1, 2, 2]]);
        assert_eq!(confusions(&matrix, 1), [[1, 0, 3]]);
        assert_eq!([taken_for(&matrix[1], 1), taken_for(&matrix[2], 2), taken_for(&[1, 0, 1], 1)], [Some(0), None, Some(0)]);
        assert_eq!(shown_classes(&[2, 9, 4]), [0, 1, 2]);
        let many: Vec<usize> = (0..100).collect();
        assert_eq!(shown_classes(&many), (70..100).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_matrix_of_many_classes_takes_one_line() {
        let document = |classes: usize| serde_json::json!({ "pooled": { "confusion": vec![vec![0; classes]; classes] } });
        assert_eq!([30, 31].map(|classes| json_text(&document(classes)).lines().count() > 1), [true, false]);
    }

    #[test]
    fn huge_logits_give_finite_probabilities() {
        assert_eq!(softmax(&[1e30, 0.0]), [1.0, 0.0]);
        assert_eq!(largest(&[1.0, 3.0, 3.0]), 1);
    }
}
