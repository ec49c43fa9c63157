//! Results of a classifier: accuracy, recalls, F1, confusion matrix.

use serde::{Deserialize, Serialize};

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
pub struct Metrics {
    /// How many there are.
    pub utterances: usize,
    /// Weighted accuracy: the share of right predictions.
    pub wa: f64,
    /// Unweighted accuracy: the mean recall of the classes that occur.
    pub ua: f64,
    /// Mean F1 of the classes, weighted by their support.
    pub weighted_f1: f64,
    /// Mean cross-entropy, without class weights or smoothing.
    pub loss: f64,
    /// In the order of the labels.
    pub classes: Vec<ClassMetrics>,
    /// `[true class][predicted class]`
    pub confusion: Vec<Vec<usize>>,
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

    /// Counts logits `[utterances, classes]` against labels.
    pub fn add(&mut self, logits: &[f32], labels: &[u32]) {
        for (row, &label) in logits.chunks_exact(self.confusion.len()).zip(labels) {
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
        let right: usize = (0..count).map(|class| confusion[class][class]).sum();
        let present: Vec<&ClassMetrics> = classes.iter().filter(|class| class.support > 0).collect();
        Metrics {
            utterances,
            wa: share(right, utterances),
            ua: present.iter().map(|class| class.recall).sum::<f64>() / present.len().max(1) as f64,
            weighted_f1: present.iter().map(|class| class.f1 * share(class.support, utterances)).sum(),
            loss: loss / utterances.max(1) as f64,
            classes,
            confusion,
        }
    }
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
    let right = confusion[class][class];
    let support: usize = confusion[class].iter().sum();
    let predicted: usize = confusion.iter().map(|row| row[class]).sum();
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
        assert!((metrics.weighted_f1 - (0.8 * 0.6 + 0.5 * 0.4)).abs() < 1e-12);
        assert_eq!(metrics.classes[2].support, 0);
    }

    #[test]
    fn huge_logits_give_finite_probabilities() {
        assert_eq!(softmax(&[1e30, 0.0]), [1.0, 0.0]);
        assert_eq!(largest(&[1.0, 3.0, 3.0]), 1);
    }
}
