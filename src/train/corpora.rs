//! Several prepared files in one training.

use std::path::{Path, PathBuf};

use super::mapped::{Mapped, map_classes};
use super::{Misfit, TrainError, vocabulary};
use crate::base::remedy::Preparation;
use crate::corpus::Split;
use crate::corpus::label_map::{LabelMapError, Labels};
use crate::dataset::shards::{Index, Place};
use crate::dataset::{Dataset, DatasetError, LackedStream, Unseen, Wanted};

/// Which classes of the files are which.
pub(crate) struct Classes<'c> {
    /// What they have in common.
    pub labels: &'c Labels,
    /// Those of a model that the data are for; else they are the first file's.
    pub of_model: Option<&'c [String]>,
}

/// Prepared files, joined where they are several.
pub(crate) struct Loaded {
    pub data: Dataset,
    /// Streams that not all have, each with the first that lacks it.
    pub lacked: Vec<LackedStream>,
    /// Of the files whose classes are called otherwise in the whole, what became of them.
    pub mapped: Vec<(PathBuf, Mapped)>,
    /// Of shards that are read without their index and without all the others, which they are.
    pub shards: Vec<(PathBuf, Place)>,
}

/// Reads prepared files, and joins them where they are several, with `classes` also those whose classes have other names: an utterance of a
/// class that the whole has not has no label then. What is `wanted` of the features is found out in the pass that looks at them.
///
/// # Errors
/// [`TrainError`], naming the file: one that cannot be read, or that is not as the first: other classes, words or front-ends.
pub(crate) fn load(paths: &[PathBuf], classes: Option<&Classes<'_>>, wanted: &dyn Fn(&Dataset) -> Wanted) -> Result<Loaded, TrainError> {
    if let [path] = paths {
        let unseen = Dataset::unseen(path)?;
        let wanted = wanted(&unseen.data);
        let shards = unseen.place.clone().filter(|place| place.of > 1).map(|place| (path.clone(), place)).into_iter().collect();
        return Ok(Loaded { data: unseen.look(&wanted)?, lacked: Vec::new(), mapped: Vec::new(), shards });
    }
    refuse_twice(paths)?;
    let (mut parts, mut shards, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let unseen = Dataset::unseen(path)?;
        alone.extend(unseen.place.map(|place| (path.clone(), place)));
        parts.push((path.clone(), unseen.data));
        shards.extend(unseen.shards);
    }
    if let Some(((first, own), others)) = parts.split_first() {
        for (path, other) in others {
            if let Some(difference) = vocabulary::difference_of(own, other) {
                let (path, first) = (path.clone(), first.clone());
                return Err(DatasetError::NotAlike { path, first, difference, remedy: Preparation::FrontEnd }.into());
            }
        }
    }
    // What a model is tested on is compared with its classes as one, where it can be one.
    let is_one = |of: &Classes<'_>| of.of_model.is_some() && have_same_classes(&parts);
    let mapped = match classes.filter(|classes| !is_one(classes)) {
        Some(classes) => map_parts(&mut parts, classes)?,
        None => Vec::new(),
    };
    let (mut data, lacked) = Dataset::join(parts)?;
    for (part, Mapped { map, left_out, .. }) in data.parts.iter_mut().zip(&mapped) {
        part.map = map.iter().filter(|(own, whole)| own != whole).map(|(own, whole)| (own.clone(), whole.clone())).collect();
        part.left_out = left_out.clone();
    }
    let is_changed = |mapped: &Mapped| !mapped.left_out.is_empty() || mapped.map.iter().any(|(own, whole)| own != whole);
    let mapped = paths.iter().cloned().zip(mapped).filter(|(_, mapped)| is_changed(mapped)).collect();
    let wanted = wanted(&data);
    let data = Unseen { data, path: paths[0].clone(), shards, place: None }.look(&wanted)?;
    let count = |plan: &str| alone.iter().filter(|(_, place): &&(PathBuf, Place)| place.plan == plan).count();
    let shards = alone.iter().filter(|(_, place)| count(&place.plan) < place.of).cloned().collect();
    Ok(Loaded { data, lacked, mapped, shards })
}

/// Refuses a file that is given twice, however it is written, by itself and as one of an index too.
///
/// # Errors
/// [`Misfit::Twice`], [`Misfit::TwiceAsShard`]; an index that cannot be read.
pub(crate) fn refuse_twice(paths: &[PathBuf]) -> Result<(), TrainError> {
    // What is not there is said by who reads it.
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let mut seen: Vec<(PathBuf, usize)> = Vec::new();
    for (place, path) in paths.iter().enumerate() {
        let shards = Index::read(path)?.map(|index| index.paths(path)).unwrap_or_default();
        for file in std::iter::once(path).chain(&shards) {
            let found = whole(file);
            match seen.iter().find(|(file, _)| *file == found) {
                Some(&(_, first)) if whole(path) == whole(&paths[first]) => return Err(Misfit::Twice { path: path.clone() }.into()),
                Some(&(_, first)) => {
                    return Err(Misfit::TwiceAsShard { path: file.clone(), of: [paths[first].clone(), path.clone()] }.into());
                }
                None => seen.push((found, place)),
            }
        }
    }
    Ok(())
}

fn have_same_classes(parts: &[(PathBuf, Dataset)]) -> bool {
    let sorted = |(_, data): &(PathBuf, Dataset)| {
        let mut classes = data.classes.clone();
        classes.sort_unstable();
        classes
    };
    parts.iter().all(|part| sorted(part) == sorted(&parts[0]))
}

/// Gives the files one list of classes, and says of each what became of its own.
fn map_parts(parts: &mut [(PathBuf, Dataset)], Classes { labels, of_model }: &Classes<'_>) -> Result<Vec<Mapped>, TrainError> {
    let Some((first, own)) = parts.first() else { return Ok(Vec::new()) };
    let (first, classes) = (first.clone(), of_model.map_or_else(|| labels.joined(&own.classes), <[String]>::to_vec));
    let all: Vec<&[String]> = parts.iter().map(|(_, data)| data.classes.as_slice()).chain([classes.as_slice()]).collect();
    labels.check(&all)?;
    let whole = if of_model.is_some() { &classes } else { &own.classes }.clone();
    parts.iter_mut().map(|(path, data)| map_part(path, data, (&first, &whole), labels, &classes)).collect()
}

fn map_part(
    path: &Path,
    data: &mut Dataset,
    (first, whole): (&Path, &[String]),
    labels: &Labels,
    classes: &[String],
) -> Result<Mapped, TrainError> {
    labels.check_names(&data.classes, whole)?;
    let mut utterances: Vec<usize> = (0..data.len()).filter(|&utterance| data.is_labelled(utterance)).collect();
    let before = utterances.clone();
    let mapped = map_classes(data, labels, classes, &mut utterances).map_err(|error| match error {
        LabelMapError::NoCounterpart { found, .. } => {
            let difference = format!("none of its classes ({}) is one of {}", found.join(", "), classes.join(", "));
            DatasetError::NotAlike { path: path.into(), first: first.into(), difference, remedy: Preparation::Labels }.into()
        }
        error => TrainError::from(error),
    })?;
    for utterance in before {
        if !data.is_labelled(utterance) && data.utterances[utterance].copy_of.is_none() {
            data.utterances[utterance].split = Some(Split::Unlabelled);
        }
    }
    Ok(mapped)
}
