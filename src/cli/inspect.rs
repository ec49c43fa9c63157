//! `mcsan inspect`

use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Inspect};
use super::{Done, print_json};
use crate::corpus::Split;
use crate::dataset::Dataset;

/// Spread of some lengths.
struct Lengths {
    least: usize,
    mean: f64,
    most: usize,
}

impl Lengths {
    fn of(lengths: &[usize]) -> Self {
        Self {
            least: lengths.iter().copied().min().unwrap_or(0),
            mean: lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64,
            most: lengths.iter().copied().max().unwrap_or(0),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({ "min": self.least, "mean": self.mean, "max": self.most })
    }
}

pub fn run(common: &Common, arguments: &Inspect) -> Done {
    let data = Dataset::load(&arguments.data)?;
    let frames = Lengths::of(&(0..data.len()).map(|utterance| data.frames(utterance, usize::MAX).len()).collect::<Vec<_>>());
    let tokens = Lengths::of(&(0..data.len()).map(|utterance| data.tokens_of(utterance).len()).collect::<Vec<_>>());
    let unknown = data.tokens.iter().filter(|&&token| token < 0).count();
    let unknown_share = unknown as f64 / data.tokens.len().max(1) as f64;
    let mut splits: Vec<(&str, Vec<usize>)> = Split::ALL.map(|split| (split.name(), data.class_counts(&data.split(split)))).into();
    let unassigned: Vec<usize> = (0..data.len()).filter(|&utterance| data.utterances[utterance].split.is_none()).collect();
    splits.push(("none", data.class_counts(&unassigned)));
    splits.retain(|(_, counts)| counts.iter().sum::<usize>() > 0);
    if common.json {
        let counted: serde_json::Map<String, serde_json::Value> = splits
            .iter()
            .map(|(split, counts)| {
                let classes: serde_json::Map<_, _> = data.classes.iter().cloned().zip(counts.iter().map(|&count| json!(count))).collect();
                (split.to_string(), json!({ "utterances": counts.iter().sum::<usize>(), "classes": classes }))
            })
            .collect();
        print_json(&json!({
            "corpus": data.corpus,
            "utterances": data.len(),
            "classes": data.classes,
            "splits": counted,
            "frames": frames.to_json(),
            "tokens": tokens.to_json(),
            "coefficients": data.coefficients,
            "word_width": data.vectors.as_ref().map(|vectors| vectors.width),
            "vocabulary": data.vocabulary.len(),
            "out_of_vocabulary": unknown_share,
            "features": data.feature_settings,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}: corpus '{}', {} utterances, {} classes", arguments.data.display(), data.corpus, data.len(), data.classes.len());
    let vectors = data.vectors.as_ref().map_or("trained with the model".into(), |vectors| format!("{} wide, frozen", vectors.width));
    println!("frames a clip   {} to {}, mean {:.1}; {} coefficients", frames.least, frames.most, frames.mean, data.coefficients);
    println!("tokens a clip   {} to {}, mean {:.1}; word vectors {vectors}", tokens.least, tokens.most, tokens.mean);
    println!("vocabulary      {} words; {:.2} % of the tokens are out of it", data.vocabulary.len(), 100.0 * unknown_share);
    let width = data.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    println!("\n{:width$}  {}", "class", splits.iter().map(|(split, _)| format!("{split:>10}")).collect::<String>());
    for (class, name) in data.classes.iter().enumerate() {
        println!("{name:width$}  {}", splits.iter().map(|(_, counts)| format!("{:>10}", counts[class])).collect::<String>());
    }
    println!("{:width$}  {}", "all", splits.iter().map(|(_, counts)| format!("{:>10}", counts.iter().sum::<usize>())).collect::<String>());
    Ok(ExitCode::SUCCESS)
}
