//! Each kernel, forward and back, at the paper's sizes on a batch of 256 utterances with IEMOCAP-like lengths. The shapes are
//! cases: `mcsan profile --kernel NAME --shape SIZES` splits one of them into its dispatches, `mcsan check --kernel NAME
//! --case SIZES` says whether it is right.

mod common;

use std::fmt;

use common::{counting, scaled};
use divan::Bencher;
use mcsan::audio::mfcc::SAMPLE_RATE;
use mcsan::backend::Storage;
use mcsan::base::numbers::POOL;
use mcsan::check::Kernel;
use mcsan::dataset::BatchShape;

fn main() {
    common::announce();
    divan::main();
}

/// A kernel at typed sizes.
struct Typed {
    kernel: Kernel,
    sizes: String,
}

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kernel, self.sizes)
    }
}

/// Seconds of audio that an utterance of the front-end's bench has.
const CLIP_SECONDS: usize = 5;

/// Every kernel at the sizes of a training step.
fn kernels() -> Vec<Typed> {
    let shape = BatchShape { batch: scaled(256), ragged: true, ..BatchShape::default() };
    let batch = shape.batch;
    let words: u32 = shape.word_lengths().iter().sum();
    // Rows that the two convolutions leave.
    let rows: u32 = shape.frame_lengths().iter().map(|frames| frames / POOL / POOL).sum();
    let of = |kernel: Kernel| -> Vec<String> {
        match kernel {
            Kernel::Mfcc | Kernel::PitchCandidates | Kernel::Loudness => {
                vec![format!("batch={},samples={}", scaled(60).div_ceil(CLIP_SECONDS), CLIP_SECONDS * SAMPLE_RATE as usize)]
            }
            Kernel::Deltas | Kernel::ZScore | Kernel::Functionals => vec![format!("batch={batch},frames=1000,ragged")],
            Kernel::SpecAugment => vec![format!("batch={batch},frames=1000,ragged,columns=40,frame_masks=2,column_masks=2")],
            Kernel::PitchTrack | Kernel::ContourFunctionals => vec![format!("batch={batch},frames=500,ragged")],
            Kernel::Embedding => vec![format!("rows={words}")],
            Kernel::PositionEmbedding => vec![format!("batch={batch},rows=111,ragged")],
            Kernel::Accumulate => vec![format!("count={}", rows * 128)],
            Kernel::ConvPool => {
                ["frames=1000,in=40", "frames=333,in=128"].map(|sizes| format!("batch={batch},{sizes},out=128,ragged")).into()
            }
            Kernel::Windows => vec![format!("batch={batch},rows=50,size=5,ragged")],
            Kernel::Linear => {
                ["in=128,out=128", "in=128,out=512,relu", "in=512,out=128"].map(|sizes| format!("rows={rows},{sizes}")).into()
            }
            Kernel::Bilstm => ["rows=111,in=128", "rows=50,in=300"].map(|sizes| format!("batch={batch},{sizes},ragged")).into(),
            Kernel::Gru => {
                ["rows=111,in=120,hidden=200", "rows=50,in=300,hidden=100,both"].map(|sizes| format!("batch={batch},{sizes},ragged")).into()
            }
            Kernel::Attention => {
                ["queries=111,keys=111", "queries=50,keys=111"].map(|sizes| format!("batch={batch},{sizes},ragged")).into()
            }
            Kernel::AttentionWeights => vec![format!("batch={batch},queries=50,keys=111,ragged")],
            Kernel::ResidualNorm | Kernel::Dropout => vec![format!("rows={rows}")],
            Kernel::GlobalMax => {
                let [audio, text] = ["rows=111,columns=128", "rows=50,columns=128"];
                vec![format!("batch={batch},ragged,{audio},{text},{audio},{text}")]
            }
            Kernel::AdditiveAlignment => vec![format!("batch={batch},words=50,frames=700,ragged")],
            Kernel::SegmentMean => vec![format!("batch={words},lengths=20,ragged")],
            Kernel::RowScores | Kernel::WeightedSum => vec![format!("batch={batch},rows=333,width=400,ragged")],
            Kernel::SegmentSoftmax => vec![format!("batch={batch},rows=333,ragged")],
            Kernel::Concat => vec![format!("rows={rows},columns=200+200")],
            Kernel::Columns => vec![format!("rows={rows},first=100,columns=200")],
            Kernel::CrossEntropy | Kernel::SigmoidCrossEntropy => vec![format!("batch={batch}")],
            Kernel::Mse => vec![format!("rows={batch},width=1582")],
            Kernel::Mmd => vec![format!("rows={batch}")],
            Kernel::GradientNorm
            | Kernel::ClipValues
            | Kernel::ClipTensors
            | Kernel::LossScale
            | Kernel::Adam
            | Kernel::Sgd
            | Kernel::Average => {
                vec![String::new()]
            }
        }
    };
    Kernel::ALL.iter().flat_map(|&kernel| of(kernel).into_iter().map(move |sizes| Typed { kernel, sizes })).collect()
}

/// Inputs are made before the clock runs.
#[divan::bench(args = kernels(), max_time = 3)]
fn forward_and_back(bencher: Bencher, Typed { kernel, sizes }: &Typed) {
    let case = kernel.case(sizes).unwrap();
    let bencher = counting(bencher, &case.work());
    on_the_device!(|backend| {
        let work = case.prepare(backend);
        // Reading a number that was there before waits for the work and copies nothing of it.
        let mark = backend.zeros([1, 1]);
        bencher.bench_local(|| {
            drop(work());
            pollster::block_on(backend.read(&mark)).unwrap()
        });
    });
}
