//! Settings of the systems that the paper compares MCSAN with, a section each.
//!
//! Sizes and rates are the published ones where there are any; what nobody published is a default of ours, and says so.

use super::{Settings, TrainSettings};
use crate::base::choice::{Choice, choices};
use crate::base::numbers::{Loss, MAX_GRU_HIDDEN, MAX_LSTM_HIDDEN};
use crate::base::setting::settings;

/// Most hops of attention from one modality to the other.
const MAX_HOPS: usize = 16;
/// Most maps and features of cMKL's network.
const MAX_CMKL_COLUMNS: usize = 4096;

choices! {
    /// A network: the paper's, or one of those that it is compared with.
    pub enum System {
        /// cross and self attention over convolution and BiLSTM (Sun et al. 2021)
        Mcsan = "mcsan",
        /// a GRU for each modality, last states side by side (Yoon et al. 2018)
        Mdre = "mdre",
        /// the same, the recording's state attending to the words (Yoon et al. 2018)
        Mdrea = "mdrea",
        /// bidirectional GRUs, text and recording attending in turn (Yoon et al. 2019)
        Mha = "mha",
        /// words that attend to the recording, and a GRU over both (Xu et al. 2019)
        Xu = "xu",
        /// GRUs of three modalities, each attended to by the other two in turn (Yoon et al. 2020)
        Amh = "amh",
        /// BiLSTMs of segments aligned by word, weights of attention used across modalities (after Lee et al. 2020)
        Can = "can",
        /// convolutions over words, and an SVM over a learned sum of kernels of their features and acoustic functionals (Poria et al. 2016)
        Cmkl = "cmkl",
        /// auto-encoders of recording and words, with codes distributed alike (Liang et al. 2020)
        Liang = "liang",
        /// MCSAN over recording, words and pictures (a network of ours)
        Mcsan3 = "mcsan3",
    }
}

settings! {
    /// Settings of MDRE and MDREA.
    pub struct MdreSettings in "mdre" {
        /// hidden size of the GRUs of MDRE and MDREA
        hidden: usize = 200; within(1, MAX_GRU_HIDDEN);
        /// share of the acoustic features that are dropped
        audio_dropout: f32 = 0.3; below(1);
        /// share of the word vectors' elements that are dropped
        text_dropout: f32 = 0.7; below(1);
        /// what is made small; published for four classes: sigmoid
        loss: Loss = Loss::Sigmoid;
    }
}

choices! {
    /// What MHA's encoders are made of.
    pub enum MhaCell {
        /// GRUs, as in its authors' later programs.
        Gru = "gru",
        /// LSTMs, as its abstract has it.
        Lstm = "lstm",
    }
}

settings! {
    /// Settings of MHA.
    pub struct MhaSettings in "mha" {
        /// what its encoders are made of (a default of ours)
        cell: MhaCell = MhaCell::Gru;
        /// hidden size of each direction of its encoders (a default of ours)
        hidden: usize = 200; within(1, MAX_GRU_HIDDEN);
        /// hops: the first over the words, then over the recording, in turn
        hops: usize = 2; within(1, MAX_HOPS);
        /// whether each hop has a matrix of its own for its query (a default of ours)
        projection: bool = true;
        /// whether the prosody of the utterance is classified beside both modalities (a default of ours)
        prosody: bool = false;
        /// share of the acoustic features that are dropped (a default of ours)
        audio_dropout: f32 = 0.3; below(1);
        /// share of the word vectors' elements that are dropped (a default of ours)
        text_dropout: f32 = 0.7; below(1);
    }
}

choices! {
    /// Which of the two forms of Xu et al.'s network.
    pub enum XuForm {
        /// What the group released in 2020: GRUs, heads of attention from the words to the recording, a learned query over the words.
        Delta = "delta",
        /// The paper's equations: LSTMs, additive alignment of each word with all frames, the maximum over the words.
        Paper = "paper",
    }
}

settings! {
    /// Settings of Xu et al.'s network.
    pub struct XuSettings in "xu" {
        /// as its group released it, or as the paper's equations have it
        form: XuForm = XuForm::Delta;
        /// outputs of the layer between the acoustic features and their GRU
        dense: usize = 512; within(1, MAX_GRU_HIDDEN);
        /// hidden size of each direction of its GRUs, or LSTMs
        hidden: usize = 100; within(1, MAX_GRU_HIDDEN);
        /// heads of the words' attention to the recording
        heads: usize = 8; at_least(1), words("an integer that divides 2 xu.hidden");
        /// share of the elements dropped after every layer
        dropout: f32 = 0.5; below(1);
    }
}

settings! {
    /// Settings of AMH.
    pub struct AmhSettings in "amh" {
        /// hidden size of the GRUs over recording and words
        hidden: usize = 200; within(1, MAX_GRU_HIDDEN);
        /// hidden size of the GRU over pictures
        visual_hidden: usize = 128; within(1, MAX_GRU_HIDDEN);
        /// hops: over the pictures, the recording and the words, in turn
        hops: usize = 7; within(1, MAX_HOPS);
        /// whether the prosody of the utterance is classified beside the modalities (a default of ours)
        prosody: bool = false;
        /// share of the acoustic features that are dropped
        audio_dropout: f32 = 0.3; below(1);
        /// share of the word vectors' elements that are dropped
        text_dropout: f32 = 0.7; below(1);
        /// share of the visual features that are dropped
        visual_dropout: f32 = 0.3; below(1);
    }
}

choices! {
    /// How each of three modalities attends to the other two.
    pub enum CrossedModalities {
        /// In one layer, the heads over both added up.
        Sum = "sum",
        /// In a layer for each of the others, whose results are pooled by themselves.
        Separate = "separate",
    }
}

settings! {
    /// Settings of MCSAN over three modalities, beside those of the network.
    pub struct TrimodalSettings in "trimodal" {
        /// how each modality attends to the other two
        cross: CrossedModalities = CrossedModalities::Sum;
    }
}

settings! {
    /// Settings of CAN, all of them defaults of ours.
    pub struct CanSettings in "can" {
        /// hidden size of each direction of its LSTMs
        hidden: usize = 100; within(1, MAX_LSTM_HIDDEN);
        /// share of the acoustic features that are dropped
        audio_dropout: f32 = 0.3; below(1);
        /// share of the word vectors' elements that are dropped
        text_dropout: f32 = 0.7; below(1);
        /// weight of two more losses, each of logits from one modality alone; 0: there are none
        auxiliary: f32 = 0.0;
    }
}

settings! {
    /// Settings of cMKL.
    pub struct CmklSettings in "cmkl" {
        /// maps of the convolutions over 3, 4 and 5 words each (a default of ours)
        maps: usize = 128; within(1, MAX_CMKL_COLUMNS);
        /// features of the words, which the SVM takes
        features: usize = 100; within(1, MAX_CMKL_COLUMNS);
        /// share of those features that are dropped in training
        dropout: f32 = 0.5; below(1);
        /// C of the SVM; 0: of 0.1, 1 and 10 the one of the best weighted F1 on the validation split, 1 without one (a default of ours)
        c: f64 = 0.0; at_least(0);
        /// utterances that the kernels' weights are learned on at most, of each class its share (a default of ours)
        subset: usize = 4000; at_least(2);
    }
}

choices! {
    /// What is compared to be unlike: recordings with the words of other utterances.
    pub enum Unpaired {
        /// The recordings of the first half of a batch with the words of the second.
        Halves = "halves",
        /// Nothing.
        None = "none",
    }
}

settings! {
    /// Settings of Liang et al.'s network.
    pub struct LiangSettings in "liang" {
        /// width of the codes of recording and words, of which those of the other layers are multiples
        hidden: usize = 128; within(8, MAX_LSTM_HIDDEN);
        /// weight in the loss of how differently codes of recordings and words are distributed
        mmd: f32 = 0.1;
        /// weight in the loss of both decoders' squared errors
        mse: f32 = 0.2;
        /// what is compared to be unlike: recordings and words of the halves of a batch (a default of ours), or nothing
        unpaired: Unpaired = Unpaired::Halves;
        /// whether the recording's decoder ends with a ReLU, which its authors' program has (a default of ours is none)
        output_relu: bool = false;
        /// whether utterances without label are learned from, where the data have some
        unlabelled: bool = true;
        /// the first epoch that learns from them, counted from 0
        from_epoch: u64 = 10;
    }
}

/// Assignments of settings.
type Recipe = &'static [(&'static str, &'static str)];

/// What Yoon et al.'s programs have in common: batches of 128 drawn with replacement, a validation after 0.3 epochs, 10,000 steps at
/// most.
const YOON: Recipe = &[
    ("model.tune_words", "true"),
    ("train.batch_size", "128"),
    ("train.order", "replacement"),
    ("train.validate_every", "0.3"),
    ("train.epochs", "10000"),
    ("train.steps", "10000"),
];

impl System {
    /// How its authors train it, as far as it was published or can be read from their programs; the paper's own network is trained as
    /// the defaults say.
    pub(crate) fn recipe(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let (common, own): (Recipe, Recipe) = match self {
            Self::Mcsan | Self::Mcsan3 => (&[], &[]),
            // They stop at the eighth validation in a row that is no better.
            Self::Mdre | Self::Mdrea => (YOON, &[("train.clip_values", "10"), ("train.selection", "loss"), ("train.patience", "8")]),
            Self::Xu => {
                (&[("model.tune_words", "true")], &[("train.batch_size", "64"), ("train.epochs", "150"), ("train.selection", "wa")])
            }
            Self::Mha | Self::Amh => (YOON, &[("train.clip_tensors", "1"), ("train.selection", "wa"), ("train.patience", "16")]),
            Self::Liang => (&[], &[("train.batch_size", "128"), ("train.epochs", "60"), ("train.selection", "weighted_f1")]),
            Self::Can => (YOON, &[("train.clip_norm", "1"), ("train.selection", "wa"), ("train.patience", "16")]),
            // Of MELD's authors, but for their Adadelta.
            Self::Cmkl => {
                (&[], &[("train.batch_size", "50"), ("train.epochs", "100"), ("train.selection", "loss"), ("train.patience", "10")])
            }
        };
        common.iter().chain(own).copied()
    }

    /// The sections with settings of its own.
    fn sections(self) -> &'static [&'static str] {
        match self {
            Self::Mcsan => &["model"],
            Self::Mcsan3 => &["model", "trimodal"],
            Self::Mdre | Self::Mdrea => &["mdre"],
            Self::Mha => &["mha"],
            Self::Xu => &["xu"],
            Self::Amh => &["amh"],
            Self::Can => &["can"],
            Self::Cmkl => &["cmkl"],
            Self::Liang => &["liang"],
        }
    }

    /// Whether an SVM on the trained network says the class, see [`crate::svm`].
    pub(crate) fn has_machine(self) -> bool {
        self == Self::Cmkl
    }

    /// Whether a setting of a section that is some systems' is one of this.
    pub(crate) fn has(self, key: &str) -> bool {
        let section = key.split('.').next().unwrap_or_default();
        let is_some_systems = Self::WORDS.iter().any(|(word, _)| *word == section) || ["model", "trimodal"].contains(&section);
        !is_some_systems || ["model.system", "model.word_width", "model.tune_words"].contains(&key) || self.sections().contains(&section)
    }
}

impl Settings {
    /// The rates of dropout that the system has.
    fn dropout_rates(&mut self) -> Vec<&mut f32> {
        let Self { model, mdre, mha, xu, amh, can, cmkl, .. } = self;
        match model.system {
            System::Mcsan | System::Mcsan3 => vec![&mut model.dropout],
            System::Mdre | System::Mdrea => vec![&mut mdre.audio_dropout, &mut mdre.text_dropout],
            System::Mha => vec![&mut mha.audio_dropout, &mut mha.text_dropout],
            System::Xu => vec![&mut xu.dropout],
            System::Amh => vec![&mut amh.audio_dropout, &mut amh.text_dropout, &mut amh.visual_dropout],
            System::Can => vec![&mut can.audio_dropout, &mut can.text_dropout],
            System::Cmkl => vec![&mut cmkl.dropout],
            System::Liang => Vec::new(),
        }
    }

    /// The same without dropout.
    pub(crate) fn without_dropout(mut self) -> Self {
        self.dropout_rates().into_iter().for_each(|rate| *rate = 0.0);
        self
    }

    /// The same without anything that changes what is learned from by chance.
    pub(crate) fn without_augmentation(mut self) -> Self {
        (self.train.time_masks, self.train.frequency_masks) = (0, 0);
        (self.train.word_dropout, self.train.mixup) = (0.0, 0.0);
        self
    }

    /// The same without the terms of the loss that no training brings to zero.
    pub(crate) fn without_terms(mut self) -> Self {
        (self.liang.mmd, self.liang.mse) = (0.0, 0.0);
        self
    }

    /// The first epoch, from 0, that learns from utterances without label, if one does.
    pub(crate) fn unlabelled_from(&self) -> Option<u64> {
        let Self { model, liang, .. } = self;
        (model.system == System::Liang && liang.unlabelled).then_some(liang.from_epoch)
    }

    /// Whether the loss of a batch is of its utterances together, compared or mixed with each other, so that it is not the sum of its
    /// parts'.
    pub(crate) fn compares_utterances(&self) -> bool {
        self.model.system == System::Liang && self.liang.mmd > 0.0 || self.train.mixup > 0.0
    }

    /// Whether elements are dropped in training.
    pub(crate) fn drops(&self) -> bool {
        self.clone().dropout_rates().into_iter().any(|rate| *rate > 0.0)
    }

    /// Whether what is learned from is changed by chance.
    pub(crate) fn augments(&self) -> bool {
        let TrainSettings { time_masks, frequency_masks, word_dropout, mixup, .. } = self.train;
        time_masks > 0 || frequency_masks > 0 || word_dropout > 0.0 || mixup > 0.0
    }
}
