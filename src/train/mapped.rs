//! Data whose classes are called otherwise than a model's: tested by those that both have.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::corpus::label_map::{LabelMapError, Labels};
use crate::dataset::Dataset;

/// What became of the classes of some utterances.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Mapped {
    /// Of each class of the data that the model has, the model's.
    pub map: BTreeMap<String, String>,
    /// Utterances of the other classes, which are not tested, by class.
    pub left_out: BTreeMap<String, usize>,
    /// Classes of the model that no utterance is of.
    pub absent: Vec<String>,
}

/// Gives the utterances of a data set the classes of a model, and keeps those of `utterances` that have one.
///
/// # Errors
/// [`LabelMapError`]: a class that may be either of two, or no utterance that is of any.
pub(crate) fn map_classes(
    data: &mut Dataset,
    labels: &Labels,
    classes: &[String],
    utterances: &mut Vec<usize>,
) -> Result<Mapped, LabelMapError> {
    let to = labels.map(&data.classes, classes)?.to;
    let pairs = data.classes.iter().zip(&to).filter_map(|(class, to)| Some((class.clone(), classes[(*to)?].clone())));
    let mut mapped = Mapped { map: pairs.collect(), ..Mapped::default() };
    let before: Vec<String> = utterances.iter().map(|&utterance| data.class_of(utterance).unwrap_or_default().to_owned()).collect();
    data.map_labels(&to, classes);
    for (&utterance, class) in utterances.iter().zip(&before) {
        if !data.is_labelled(utterance) {
            *mapped.left_out.entry(class.clone()).or_insert(0) += 1;
        }
    }
    utterances.retain(|&utterance| data.is_labelled(utterance));
    if utterances.is_empty() {
        let found = before.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        return Err(LabelMapError::NoCounterpart { found, expected: classes.to_vec() });
    }
    let counts = data.class_counts(utterances);
    mapped.absent = classes.iter().zip(counts).filter(|(_, count)| *count == 0).map(|(class, _)| class.clone()).collect();
    Ok(mapped)
}
