//! Run folders and data sets made up for the report: what a training leaves, at any size and with any texts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mcsan::base::streams::{AUDIO, TEXT};
use mcsan::corpus::Split;
use mcsan::dataset::store::{self, Tensor};
use mcsan::dataset::{DataStream, Dataset, Frames, TokenLists, UtteranceInfo};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a made-up run is like.
pub struct Stage {
    pub classes: Vec<String>,
    pub corpus: String,
    pub epochs: usize,
    pub steps_an_epoch: usize,
    pub validation: bool,
    pub test_utterances: usize,
    /// Text of each test utterance.
    pub text: fn(usize) -> String,
}

impl Stage {
    /// A run such as one on IEMOCAP.
    pub fn ordinary() -> Self {
        Self {
            classes: ["angry", "excited", "frustrated", "happy", "neutral", "sad", "surprised"].map(String::from).to_vec(),
            corpus: "IEMOCAP".into(),
            epochs: 30,
            steps_an_epoch: 22,
            validation: true,
            test_utterances: 700,
            text: |utterance| {
                ["I can't believe that you did it again.", "Yeah.", "Well, that is good news, isn't it?"][utterance % 3].into()
            },
        }
    }

    /// A long run of many classes with long names, long transcripts, and texts from right to left or with markup in them.
    pub fn crowded() -> Self {
        let mut classes: Vec<String> = (0..22).map(|class| format!("pleasantly surprised {class} (mixed emotion)")).collect();
        classes[3] = "غاضب".into();
        classes.push("<script>document.title='broken'</script>".into());
        classes.push("W".repeat(60));
        Self {
            classes,
            corpus: "<img src=x onerror=alert(1)> a corpus with a very long name ".repeat(3),
            epochs: 300,
            steps_an_epoch: 20,
            validation: true,
            test_utterances: 1500,
            text: |utterance| match utterance % 4 {
                0 => "I mean, what am I supposed to say to that, after all that we have been through, and now this? ".repeat(9),
                1 => "אני לא מאמין שזה קורה לי שוב, באמת.".into(),
                2 => "<script>document.title='broken'</script></td></table><b onclick=\"x\">".into(),
                _ => "a".repeat(400),
            },
        }
    }

    /// A run on labels that are as many as its utterances, as a regression's would be, some of them with orders to a terminal.
    pub fn many_classes() -> Self {
        let mut classes: Vec<String> = (0..1000).map(|class| format!("{:.3}", class as f64 / 1000.0)).collect();
        classes[1] = "\u{1b}[31m\u{202e}red\u{9b}".into();
        classes[2] = "W".repeat(5000);
        Self { classes, corpus: "labels".into(), epochs: 1200, steps_an_epoch: 3, test_utterances: 300, ..Self::ordinary() }
    }

    /// One epoch of one step on two classes, with neither validation nor test.
    pub fn least() -> Self {
        Self {
            classes: vec!["no".into(), "yes".into()],
            corpus: String::new(),
            epochs: 1,
            steps_an_epoch: 1,
            validation: false,
            test_utterances: 0,
            text: |_| String::new(),
        }
    }

    /// Writes the run folder and makes its data set.
    pub fn set(&self) -> (TempDir, Dataset) {
        let folder = tempfile::tempdir().unwrap();
        let data = self.data();
        let settings = "[model]\nvariant = \"full\"\nlayers = 1\n[data]\nmax_frames = 1000\n[train]\nlr = 0.0005\nepochs = 30\nseed = 0\n";
        let config = format!("# mcsan 0.1.0 on NVIDIA GeForce RTX 4090 (vulkan, NVIDIA 570.86)\n# corpus: {}\n\n{settings}", self.corpus);
        fs::write(folder.path().join("config.toml"), config).unwrap();
        fs::write(folder.path().join("metrics.jsonl"), self.log()).unwrap();
        if self.test_utterances > 0 {
            fs::write(folder.path().join("test.json"), self.test(&data).to_string()).unwrap();
        }
        let best = (2 * self.epochs).div_ceil(3);
        let metadata = BTreeMap::from([("epoch".to_owned(), best.to_string())]);
        store::write(&folder.path().join("best.safetensors"), &metadata, &[Tensor::f32("weight", &[3, 500], &[0.5; 1500])]).unwrap();
        let metadata = BTreeMap::from([("features".to_owned(), data.feature_settings.to_string())]);
        store::write(&folder.path().join("vocabulary.safetensors"), &metadata, &[]).unwrap();
        (folder, data)
    }

    fn log(&self) -> String {
        let mut log = String::new();
        for epoch in 0..self.epochs {
            let part = epoch as f64 / self.epochs as f64;
            for place in 0..self.steps_an_epoch {
                let step = epoch * self.steps_an_epoch + place;
                let loss = 1.9 * (-2.0 * part).exp() + 0.2 * noise(step);
                let loss = if step % 97 == 96 { Value::Null } else { json!(loss) };
                let lr = 0.0005 * (1.0 + (std::f64::consts::PI * part).cos()) / 2.0;
                log += &format!("{}\n", json!({ "step": step, "epoch": epoch, "loss": loss, "lr": lr, "utterances_per_s": 900.0 }));
            }
            let scores = |best: f64, loss: f64| {
                let ua = 0.2 + best * (1.0 - (-5.0 * part).exp()) + 0.02 * noise(epoch);
                json!({ "wa": ua + 0.02, "ua": ua, "weighted_f1": ua + 0.01, "loss": loss })
            };
            let validation = self.validation.then(|| scores(0.35, 1.4 - part + 1.2 * part * part));
            log += &format!("{}\n", json!({ "epoch": epoch, "train": scores(0.7, 1.9 * (-2.0 * part).exp()), "validation": validation }));
        }
        log
    }

    fn test(&self, data: &Dataset) -> Value {
        let count = self.classes.len();
        let mut confusion = vec![vec![0; count]; count];
        let mut predictions = Vec::new();
        for &utterance in &data.split(Split::Test) {
            let label = data.labels[utterance] as usize;
            let predicted = if noise(utterance) > 0.1 { label } else { (label + 1 + utterance % (count - 1)) % count };
            confusion[label][predicted] += 1;
            let sure = 0.55 + 0.44 * noise(7 * utterance).abs();
            let probabilities: Vec<f64> =
                (0..count).map(|class| if class == predicted { sure } else { (1.0 - sure) / (count - 1) as f64 }).collect();
            predictions.push(json!({
                "id": data.utterances[utterance].id,
                "label": self.classes[label],
                "predicted": self.classes[predicted],
                "probabilities": probabilities,
            }));
        }
        let classes: Vec<Value> = self
            .classes
            .iter()
            .zip(&confusion)
            .map(|(name, row)| json!({ "name": name, "precision": 0.5, "recall": 0.4, "f1": 0.444, "support": row.iter().sum::<usize>() }))
            .collect();
        let right: usize = (0..count).map(|class| confusion[class][class]).sum();
        let wa = right as f64 / self.test_utterances as f64;
        json!({
            "utterances": self.test_utterances, "wa": wa, "ua": 0.4, "weighted_f1": 0.444, "loss": 1.234,
            "classes": classes, "confusion": confusion, "predictions": predictions,
        })
    }

    /// Test utterances, and as many to train on.
    fn data(&self) -> Dataset {
        let count = 2 * self.test_utterances.max(5);
        let frames = |utterance: usize| 60 + utterance * utterance % 1300;
        let mut frame_offsets = vec![0];
        for utterance in 0..count {
            frame_offsets.push(frame_offsets[utterance] + frames(utterance));
        }
        let audio = Frames { columns: 1, values: vec![0.0; frame_offsets[count]].into(), offsets: frame_offsets };
        let text = TokenLists { tokens: vec![0; count], offsets: (0..=count).collect(), vectors: None, vocabulary: vec!["word".into()] };
        let info = |utterance: usize| UtteranceInfo {
            id: format!("Ses05F_impro02_M{utterance:03}"),
            split: Some(if self.test_utterances > 0 && utterance.is_multiple_of(2) { Split::Test } else { Split::Train }),
            speaker: Some(format!("Ses05{}", ["F", "M"][utterance % 2])),
            text: (self.text)(utterance / 2),
            ..UtteranceInfo::default()
        };
        Dataset {
            classes: self.classes.clone(),
            streams: [(AUDIO, DataStream::Frames(audio)), (TEXT, DataStream::Tokens(text))].into(),
            labels: (0..count).map(|utterance| (utterance * 31 % 101 % self.classes.len()) as u32).collect(),
            utterances: (0..count).map(info).collect(),
            corpus: self.corpus.clone(),
            feature_settings: json!({ "convention": "librosa", "coefficients": 40, "hop": 160, "window": 400 }),
            ..Dataset::default()
        }
    }
}

/// Something between -1 and 1 that jumps about, the same every time.
fn noise(place: usize) -> f64 {
    (place as f64 * 12.9898).sin()
}

/// The report of a run folder, as `write_run` leaves it.
pub fn report(folder: &Path, data: Option<&Dataset>) -> String {
    mcsan::report::write_run(folder, data).unwrap();
    fs::read_to_string(folder.join("report.html")).unwrap()
}
