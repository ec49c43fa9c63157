//! The training of many runs in two plots: validation loss and UA over epochs, their mean and, of one group, each of them.

use std::path::PathBuf;

use super::ReportError;
use super::curves::{Axis, Plot, Series, Weight};
use super::drawing::COLOURS;
use super::read::{Epoch, Run, Scores};
use super::scale::Unit;

/// Curves of groups of runs, each with its name and the folders of its runs: the mean of every group, and where there is but
/// one group its runs, pale. Runs without a validation split show their training figures.
///
/// # Errors
/// [`ReportError`], naming the file.
pub fn curves(groups: &[(String, Vec<PathBuf>)]) -> Result<Vec<Plot>, ReportError> {
    let read = |(name, folders): &(String, Vec<PathBuf>)| {
        let runs = folders.iter().map(|folder| Run::read(folder)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, ReportError>((name.clone(), runs))
    };
    let groups = groups.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let runs = || groups.iter().flat_map(|(_, runs)| runs);
    let validated = runs().any(|run| run.epochs.values().any(|epoch| epoch.validation.is_some()));
    let what = if validated { "validation" } else { "training" };
    let plot = |name: &str, y: Axis, figure: fn(&Scores) -> f64| {
        let of = |epoch: &Epoch| match validated {
            true => epoch.validation.as_ref().map_or(f64::NAN, figure),
            false => figure(&epoch.train),
        };
        let x = Axis { label: "epochs".into(), unit: Unit::Whole, ends: None };
        Plot { title: format!("{name}, {what}"), x, y, series: series(&groups, of), mark: None }
    };
    Ok(vec![
        plot("Loss", Axis { label: "cross-entropy".into(), ..Axis::default() }, |scores| scores.loss),
        plot("UA", Axis { label: "unweighted accuracy".into(), unit: Unit::Percent, ends: None }, |scores| scores.ua),
    ])
}

fn series(groups: &[(String, Vec<Run>)], figure: impl Fn(&Epoch) -> f64) -> Vec<Series> {
    let mut all = Vec::new();
    if let [(_, runs)] = groups {
        for (place, run) in runs.iter().enumerate() {
            let points = run.epochs.iter().map(|(&number, epoch)| (number as f64 + 1.0, figure(epoch))).collect();
            // One entry in the legend stands for all of them.
            let name = if place == 0 { "each".to_owned() } else { String::new() };
            all.push(Series { name, colour: 0, weight: Weight::Light, points });
        }
    }
    for (place, (name, runs)) in groups.iter().enumerate() {
        let last = runs.iter().filter_map(|run| run.epochs.keys().next_back()).max();
        let mean = |number: u64| {
            let values: Vec<f64> =
                runs.iter().filter_map(|run| run.epochs.get(&number)).map(&figure).filter(|value| value.is_finite()).collect();
            if values.is_empty() { f64::NAN } else { values.iter().sum::<f64>() / values.len() as f64 }
        };
        let points = last.map_or(Vec::new(), |&last| (0..=last).map(|number| (number as f64 + 1.0, mean(number))).collect());
        let weight = if place % 2 == 0 { Weight::Bold } else { Weight::Dashed };
        all.push(Series { name: name.clone(), colour: place % COLOURS, weight, points });
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn run(losses: &[f64]) -> Run {
        let scores = |loss: f64| Scores { wa: 0.5, ua: 0.5, macro_f1: 0.5, weighted_f1: 0.5, loss };
        let epochs =
            losses.iter().enumerate().map(|(number, &loss)| (number as u64, Epoch { train: scores(loss), validation: Some(scores(loss)) }));
        Run {
            version: String::new(),
            device: String::new(),
            corpus: String::new(),
            settings: toml::Table::new(),
            steps: BTreeMap::new(),
            epochs: epochs.collect(),
            test: None,
            best_epoch: None,
            parameters: None,
            front_end: serde_json::Value::Null,
        }
    }

    #[test]
    fn the_mean_goes_over_the_runs_that_got_so_far() {
        let groups = [("mean".to_owned(), vec![run(&[2.0, 1.0, 0.5]), run(&[4.0, f64::NAN])])];
        let series = series(&groups, |epoch| epoch.train.loss);
        assert_eq!(series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>(), ["each", "", "mean"]);
        assert_eq!(series[2].points, [(1.0, 3.0), (2.0, 1.0), (3.0, 0.5)]);
        let two = [groups[0].clone(), ("other".to_owned(), vec![run(&[1.0])])];
        let series = super::series(&two, |epoch| epoch.train.loss);
        assert_eq!(series.iter().map(|series| series.points.len()).collect::<Vec<_>>(), [3, 1]);
    }
}
