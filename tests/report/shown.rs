//! Reports in a real browser: on a phone and on a desktop, in light and in dark.

use mcsan::report::{Confusion, Experiment, Interval, Intervals, Table, Test, Unit, curves, experiment, intervals};

use super::browser::{Browser, VIEWS};
use super::stage::{Stage, report};

/// Least height of letters in a plot on a phone, in CSS pixels.
const LEGIBLE: f64 = 10.0;

/// Shows a page in every view and judges it.
fn judge(browser: &Browser, html: &str, name: &str) {
    let mut backgrounds = Vec::new();
    for view in VIEWS {
        let found = browser.measure(html, view, name);
        let said = format!("{name}, {view:?}: {found:#?}");
        assert_eq!((found.width, found.dark), (f64::from(view.width), view.dark), "{said}");
        assert!(found.scroll_width <= found.width, "the page is wider than the window: {said}");
        assert!(found.wide.is_empty() && found.sideways.is_empty() && found.outside.is_empty() && found.collisions.is_empty(), "{said}");
        assert!(found.smallest_letters >= LEGIBLE, "{said}");
        assert_eq!((found.requests, found.scripts), (0, 0), "{said}");
        assert_ne!(found.title, "broken", "{said}");
        backgrounds.push(found.background);
    }
    assert!(backgrounds[0] == backgrounds[2] && backgrounds[1] == backgrounds[3] && backgrounds[0] != backgrounds[1], "{backgrounds:?}");
    assert_eq!(browser.console_of(html), Vec::<String>::new(), "{name}, with its policy");
}

#[test]
fn an_ordinary_report_fits_a_phone_and_a_desktop_in_light_and_in_dark() {
    let Some(browser) = Browser::find("an_ordinary_report_fits_a_phone_and_a_desktop_in_light_and_in_dark") else { return };
    let (folder, data) = Stage::ordinary().set();
    judge(&browser, &report(folder.path(), Some(&data)), "ordinary");
}

#[test]
fn many_classes_long_texts_and_300_epochs_fit_too() {
    let Some(browser) = Browser::find("many_classes_long_texts_and_300_epochs_fit_too") else { return };
    let (folder, data) = Stage::crowded().set();
    judge(&browser, &report(folder.path(), Some(&data)), "crowded");
}

#[test]
fn thousands_of_classes_are_shown_in_short_tables() {
    let Some(browser) = Browser::find("thousands_of_classes_are_shown_in_short_tables") else { return };
    let (folder, data) = Stage::many_classes().set();
    judge(&browser, &report(folder.path(), Some(&data)), "many classes");
}

#[test]
fn a_run_of_one_step_without_test_is_shown() {
    let Some(browser) = Browser::find("a_run_of_one_step_without_test_is_shown") else { return };
    let (folder, data) = Stage::least().set();
    judge(&browser, &report(folder.path(), Some(&data)), "least");
}

#[test]
fn the_report_of_an_experiment_is_shown() {
    let Some(browser) = Browser::find("the_report_of_an_experiment_is_shown") else { return };
    let published = [("full", 0.612), ("no_audio", 0.567), ("no_text", 0.431), ("cross_self, a row with a long name", 0.599)];
    let rows: Vec<_> = published
        .iter()
        .enumerate()
        .map(|(place, &(row, figure))| (row.to_owned(), figure - 0.02, 0.01 * (place + 1) as f64, Some(figure)))
        .collect();
    let folds = |place: usize| Interval {
        label: format!("session {}", place + 1),
        value: 0.55 + 0.01 * place as f64,
        low: 0.5,
        high: 0.62,
        points: vec![0.5, 0.53 + 0.01 * place as f64, 0.62],
        note: "n = 1020".into(),
        ..Interval::default()
    };
    let folds = Intervals {
        title: "Folds".into(),
        axis: "weighted accuracy".into(),
        unit: Unit::Percent,
        rows: (0..5).map(folds).collect(),
        value: "mean ± standard deviation".into(),
        ..Intervals::default()
    };
    let table = Table::new(
        "The paper's Table 3",
        &["row", "folds", "WA", "UA", "weighted F1", "WA, paper (IEMOCAP)", "UA, paper (IEMOCAP)", "p (WA)", "p (UA)", "p (McNemar)"],
        rows.iter()
            .map(|(name, ..)| {
                let cells =
                    ["10", "59.2 ± 1.0 %", "58.0 ± 1.9 %", "58.9 ± 1.1 %", "61.2 ± 1.2 %", "56.0 ± 1.9 %", "< 0.001", "0.012", "0.238"];
                [name.as_str()].into_iter().chain(cells).map(str::to_owned).collect()
            })
            .collect(),
    );
    let confusion = |n: usize| -> Confusion {
        let classes = (0..n).map(|class| format!("emotion {class}")).collect();
        (
            format!("All folds, {n} classes"),
            classes,
            (0..n).map(|row| (0..n).map(|column| if row == column { 900 } else { 13 * column + row }).collect()).collect(),
        )
    };
    let settings = [("train.lr".to_owned(), "0.001".to_owned()), ("seeds".to_owned(), "[0, 1, 2]".to_owned())];
    let (folder, data) = Stage::ordinary().set();
    let test: Test = serde_json::from_str(&std::fs::read_to_string(folder.path().join("test.json")).unwrap()).unwrap();
    let folders = |count: usize| vec![folder.path().to_path_buf(); count];
    let runs: Vec<_> = (0..9).map(|row| (format!("row {row}, w/o something"), folders(2))).collect();
    let html = experiment(&Experiment {
        title: "Ablation on IEMOCAP",
        line: "Each fold's folder has a report of its own.",
        plots: &[intervals("Rows", "weighted accuracy", &rows), folds],
        curves: &curves(&runs).unwrap(),
        tables: &[table],
        confusions: &[confusion(4), confusion(7), confusion(1)],
        tested: Some((&test, &data, 1000)),
        settings: &settings,
    })
    .unwrap();
    assert!(html.contains("The most confident mistakes") && html.contains("Accuracy by length"));
    judge(&browser, &html, "experiment");
}
