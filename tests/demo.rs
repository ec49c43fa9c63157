//! `mcsan demo`, as a person with no graphics driver sees it.

use crate::program::mcsan;

#[test]
fn the_demo_learns_the_embedded_corpus_without_an_adapter() {
    let folder = tempfile::tempdir().unwrap();
    // A folder of this name may be anybody's.
    std::fs::create_dir(folder.path().join("mcsan-demo")).unwrap();
    let report = mcsan(folder.path(), "demo --device cpu --json").json();
    let ua = report["test"]["ua"].as_f64().unwrap();
    println!("demo: test UA {ua:.3} in {} s", report["seconds"]);
    // Fifteen seeds gave 0.89 to 1.00; text alone or audio alone stay below 0.6.
    assert!(ua > 0.8, "test UA {ua}");
    assert_eq!(report["test"]["confusion"].as_array().unwrap().len(), 7);
    assert_eq!(report["prediction"]["probabilities"].as_object().unwrap().len(), 7);
    for file in ["data.safetensors", "run/best.safetensors", "run/metrics.jsonl", "run/test.json"] {
        assert!(folder.path().join("mcsan-demo-2").join(file).is_file(), "{file}");
    }
    let page = std::fs::read_to_string(folder.path().join(report["report"].as_str().unwrap())).unwrap();
    assert!(page.contains("<svg") && report["report"] == "mcsan-demo-2/run/report.html", "{}", report["report"]);
    assert_eq!(std::fs::read_dir(folder.path().join("mcsan-demo")).unwrap().count(), 0);
}
