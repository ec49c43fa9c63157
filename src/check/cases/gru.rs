//! Cases of `gru`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::products::PRECISIONS;
use super::recurrences::{GATES, Gates};
use super::suffix;
use crate::backend::gpu::shader;
use crate::backend::ops::GruWeights;
use crate::backend::{Backend, Ragged};
use crate::base::numbers::{MAX_GRU_HIDDEN, Precision};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

const DIRECTIONS: &[(&str, usize)] = &[("both", 2)];

/// One layer of one or both directions.
#[derive(Debug, Clone)]
pub struct Gru {
    pub lengths: Vec<u32>,
    pub inputs: usize,
    pub hidden: usize,
    pub directions: usize,
    pub gates: Gates,
    pub precision: Precision,
}

impl Gru {
    fn new(lengths: &[u32], inputs: usize, hidden: usize, directions: usize) -> Self {
        Self { lengths: lengths.to_vec(), inputs, hidden, directions, gates: Gates::Usual, precision: Precision::F32 }
    }
}

impl fmt::Display for Gru {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, inputs, hidden, directions, gates, precision } = self;
        write!(f, "{}lengths={},in={inputs},hidden={hidden}", batch_of_one(lengths), Lengths(lengths))?;
        write!(f, "{}{}{}", suffix(DIRECTIONS, *directions), suffix(GATES, *gates), suffix(PRECISIONS, *precision))
    }
}

impl Subject for Gru {
    /// Those of recurrences.
    fn tolerance(&self) -> Tolerance {
        // Gates' gradients are from 1/2 on: the state's is not damped by an output gate.
        self.gates.tolerance(self.precision, 4.9e-4)
    }

    fn silence(&self) -> Silence {
        self.gates.silence(&self.lengths, self.hidden)
    }
}

impl Suite for Gru {
    fn cases() -> Vec<Self> {
        let mixed = |layer| Self { precision: Precision::Mixed, ..layer };
        vec![
            // MDRE's of the sound and the text, and as MHA has them.
            Self::new(&[20, 13, 7, 1], 39, 200, 1),
            Self::new(&[9, 4], 300, 200, 2),
            Self::new(&[11, 30], 128, 128, 2),
            Self::new(&[12, 5], 60, 100, 2),
            Self::new(&[1], 39, 200, 1),
            Self::new(&[1], 12, 128, 2),
            Self::new(&[2], 5, 4, 1),
            Self::new(&[3, 0, 5, 0], 12, 20, 2),
            // More sequences than one workgroup takes, in no order of length.
            Self::new(&[5, 1, 7, 3, 2, 9, 4, 6, 8, 1, 2], 12, 20, 1),
            Self::new(&[2, 3, 1, 4, 2, 3, 1, 4, 2, 3, 1, 4, 2, 3, 1, 4, 5], 7, 16, 2),
            Self::new(&[15, 16, 17, 63, 64, 65], 16, 12, 1),
            // A dispatch ends after 128 steps.
            Self::new(&[150, 3, 128, 129], 8, 16, 2),
            // More turns of loops than a software adapter takes in a dispatch.
            Self::new(&[60, 2], 4, 260, 1),
            Self::new(&[3, 2], 4, 260, 2),
            Self::new(&[3, 2], 4, MAX_GRU_HIDDEN, 1),
            Self::new(&[6, 3], 3, 5, 2),
            Self::new(&[4, 7, 2], 3, 131, 1),
            Self::new(&[3, 4], 3, 257, 1),
            mixed(Self::new(&[20, 13, 7, 1], 39, 200, 1)),
            mixed(Self::new(&[5, 1, 7, 3, 2, 9, 4, 6, 8, 1, 2], 12, 20, 2)),
            mixed(Self::new(&[6, 3], 3, 5, 1)),
            Self { gates: Gates::Saturated, ..Self::new(&[12, 5, 9], 12, 20, 2) },
            Self { gates: Gates::Extreme, ..Self::new(&[12, 5, 9], 12, 20, 1) },
            Self { gates: Gates::NotFinite, ..Self::new(&[12, 5, 9, 1, 0, 7, 12, 3, 4, 8], 12, 20, 2) },
            Self { gates: Gates::NotFinite, ..Self::new(&[5, 130, 0, 1, 7, 2], 3, 128, 1) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 10);
        let longest = source.size(1, 40) as u32;
        Self {
            lengths: source.lengths(batch, 0, longest),
            inputs: source.size(1, 40),
            // Larger ones have a variant.
            hidden: if source.between(0, 3) == 0 { source.pick(&[128, 136, 200]) } else { source.size(1, 40) },
            directions: source.between(1, 2),
            gates: source.pick(&[Gates::Usual, Gates::Usual, Gates::Saturated]),
            precision: Precision::F32,
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let wanted = format!("number from 1 to {MAX_GRU_HIDDEN}");
        let layer = Self {
            lengths: read_lengths(keys, "lengths|rows", 0, 111)?,
            inputs: keys.number("in|inputs", 1, 120)?,
            hidden: keys.value("hidden", &wanted, 200, |hidden| (1..=MAX_GRU_HIDDEN).contains(hidden))?,
            directions: keys.choice(DIRECTIONS, 1)?,
            gates: keys.choice(GATES, Gates::Usual)?,
            precision: keys.choice(PRECISIONS, Precision::F32)?,
        };
        layer.gates.spoil_what_is_there(&layer.lengths)?;
        Ok(layer)
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.inputs.max(3 * self.directions * self.hidden) as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([1, 2].map(|directions| Self::new(&[4, 0, 7, 1], 5, 6, directions)))
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::gru::SHADER, "(1.0 - candidate * candidate)", "(1.001 - candidate * candidate)"),
        Sabotage::new(&shader::gru_edges::SHADER, "0.0, term >= h", "0.0, term >= h - 1u"),
    ];
}

impl TapeOperation for Gru {
    type Constants<B: Backend> = Ragged<B>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Ragged<B> {
        inputs.rows("lengths", &self.lengths)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let (rows, gates) = (total(&self.lengths), 3 * self.directions * self.hidden);
        let weight = 1.0 / (self.hidden as f32).sqrt();
        let mut drawn = |name, shape: [usize; 2], amplitude| Leaf::new(name, shape, source.uniform(shape[0] * shape[1], amplitude));
        let x = self.gates.spoiled(drawn("x", [rows, self.inputs], self.gates.amplitude()));
        vec![
            x,
            drawn("input weight", [gates, self.inputs], weight),
            drawn("recurrent weight", [gates, self.hidden], weight),
            drawn("bias", [1, gates], weight),
        ]
    }

    fn output(&self) -> [usize; 2] {
        [total(&self.lengths), self.directions * self.hidden]
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], rows: &'a Ragged<B>) -> Var<B> {
        let weights = GruWeights { input: 1, recurrent: 2, bias: 3 };
        tape.gru(&leaves[0], rows, &weights.map(|&leaf| leaves[leaf].clone()))
    }
}
