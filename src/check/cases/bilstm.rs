//! Cases of `bilstm`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::products::PRECISIONS;
use super::recurrences::{GATES, Gates};
use super::suffix;
use crate::backend::gpu::shader;
use crate::backend::ops::{Directions, LstmWeights};
use crate::backend::{Backend, Ragged};
use crate::base::numbers::{MAX_LSTM_HIDDEN, Precision};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

const DIRECTIONS: &[(&str, Directions)] = &[("joined", Directions::Joined)];

/// What the recurrent weights are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrent {
    /// Drawn as a layer's are that is not trained yet.
    Usual,
    /// Halfway between two numbers of f16, and so rounded to the even one.
    Halfway,
    /// One of the reverse direction is beyond what f16 holds.
    Overflowing,
}

const RECURRENT: &[(&str, Recurrent)] = &[("halfway", Recurrent::Halfway), ("overflowing", Recurrent::Overflowing)];

/// One bidirectional layer (2–5).
#[derive(Debug, Clone)]
pub struct Bilstm {
    pub lengths: Vec<u32>,
    pub inputs: usize,
    pub hidden: usize,
    pub directions: Directions,
    pub gates: Gates,
    pub recurrent: Recurrent,
    pub precision: Precision,
}

impl Bilstm {
    fn new(lengths: &[u32], inputs: usize, hidden: usize) -> Self {
        let (directions, gates, recurrent, precision) = (Directions::Mean, Gates::Usual, Recurrent::Usual, Precision::F32);
        Self { lengths: lengths.to_vec(), inputs, hidden, directions, gates, recurrent, precision }
    }
}

impl fmt::Display for Bilstm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, inputs, hidden, directions, gates, recurrent, precision } = self;
        write!(f, "{}lengths={},in={inputs},hidden={hidden}", batch_of_one(lengths), Lengths(lengths))?;
        write!(f, "{}{}", suffix(DIRECTIONS, *directions), suffix(GATES, *gates))?;
        write!(f, "{}{}", suffix(RECURRENT, *recurrent), suffix(PRECISIONS, *precision))
    }
}

impl Subject for Bilstm {
    /// Those of recurrences. In mixed precision a state or a gate's gradient that differs by a rounding or two may be rounded to the f16
    /// beside it, 1e-3 away from 1 on, and is then multiplied by a weight or an input; few are, and without rounding all are. Of the norm
    /// of n results that is 1e-3 / √n for one of them.
    fn tolerance(&self) -> Tolerance {
        match self.precision {
            Precision::F32 => self.gates.tolerance(Precision::F32, 0.0),
            Precision::Mixed => {
                // Inputs up to 50 where gates are driven so far.
                let floor = 1e-3 * f64::from(self.gates.amplitude()).min(50.0);
                let gates = (total(&self.lengths) * 8 * self.hidden) as f64;
                let of_norm = match self.gates {
                    Gates::Usual | Gates::NotFinite => 1e-4 + 2e-3 / gates.max(1.0).sqrt(),
                    // Inputs of 50 make more of what is rounded otherwise: 2.5e-4 was seen.
                    Gates::Saturated if gates >= 4096.0 => 1e-3,
                    // All results of a few gates that are driven far may be tiny, and rounding of what cancelled is much of them.
                    Gates::Saturated | Gates::Extreme => f64::INFINITY,
                };
                Tolerance { floor, of_norm, ..self.gates.tolerance(Precision::Mixed, floor) }
            }
        }
    }

    fn silence(&self) -> Silence {
        match self.recurrent {
            Recurrent::Usual | Recurrent::Halfway => self.gates.silence(&self.lengths, self.hidden),
            // Of the reverse direction nothing is finite, and of weights that both see.
            Recurrent::Overflowing => Silence::Right,
        }
    }
}

impl Suite for Bilstm {
    fn cases() -> Vec<Self> {
        let mixed = |layer| Self { precision: Precision::Mixed, ..layer };
        let joined = |layer| Self { directions: Directions::Joined, ..layer };
        vec![
            Self::new(&[20, 13, 7, 1], 300, 128),
            Self::new(&[11, 30], 128, 128),
            Self::new(&[1], 300, 128),
            Self::new(&[2], 5, 4),
            Self::new(&[3, 0, 5, 0], 12, 20),
            // More sequences than one workgroup takes, in no order of length.
            Self::new(&[5, 1, 7, 3, 2, 9, 4, 6, 8, 1, 2], 12, 20),
            Self::new(&[2, 3, 1, 4, 2, 3, 1, 4, 2, 3, 1, 4, 2, 3, 1, 4, 5], 7, 16),
            Self::new(&[15, 16, 17, 63, 64, 65], 16, 12),
            // A dispatch ends after 128 steps.
            Self::new(&[150, 3, 128, 129], 8, 16),
            Self::new(&[9, 4], 16, 160),
            Self::new(&[3, 2], 4, 260),
            Self::new(&[6, 3], 3, 5),
            mixed(Self::new(&[20, 13, 7, 1], 300, 128)),
            mixed(Self::new(&[5, 1, 7, 3, 2, 9, 4, 6, 8, 1, 2], 12, 20)),
            mixed(Self::new(&[6, 3], 3, 5)),
            // More sequences than one workgroup takes of the hidden size that matrices are made for, and more steps than a dispatch.
            mixed(Self::new(&[5, 1, 7, 3, 2, 9, 4, 6, 8, 1, 2], 12, 128)),
            mixed(joined(Self::new(&[11, 0, 130, 129], 16, 128))),
            mixed(Self::new(&[9, 4], 16, 160)),
            mixed(Self { recurrent: Recurrent::Halfway, ..Self::new(&[12, 9, 12, 7, 3], 12, 128) }),
            mixed(Self { recurrent: Recurrent::Halfway, ..Self::new(&[12, 9, 12, 7, 3], 12, 20) }),
            mixed(joined(Self { recurrent: Recurrent::Overflowing, ..Self::new(&[4, 4, 4], 12, 128) })),
            mixed(joined(Self { recurrent: Recurrent::Overflowing, ..Self::new(&[4, 4, 4], 12, 20) })),
            mixed(Self { gates: Gates::Saturated, ..Self::new(&[12, 5, 9], 12, 128) }),
            mixed(Self { gates: Gates::NotFinite, ..Self::new(&[5, 130, 0, 1, 7, 2], 3, 128) }),
            mixed(Self { gates: Gates::NotFinite, ..Self::new(&[12, 5, 9, 1, 0, 7, 12, 3, 4, 8], 12, 20) }),
            Self { gates: Gates::Saturated, ..Self::new(&[12, 5, 9], 12, 20) },
            Self { gates: Gates::Extreme, ..Self::new(&[12, 5, 9], 12, 20) },
            Self { gates: Gates::NotFinite, ..Self::new(&[12, 5, 9, 1, 0, 7, 12, 3, 4, 8], 12, 20) },
            Self { gates: Gates::NotFinite, ..Self::new(&[5, 130, 0, 1, 7, 2], 3, 128) },
            // More turns of loops than a software adapter takes in a dispatch.
            Self::new(&[50, 2], 4, 260),
            joined(Self::new(&[14, 0, 30, 1], 40, 100)),
            joined(Self::new(&[11, 130], 16, 128)),
            joined(Self::new(&[5, 1, 7, 3, 2, 9, 4, 6, 8], 12, 20)),
            joined(Self::new(&[3, 2], 4, 260)),
            joined(Self::new(&[6, 3], 3, 5)),
            mixed(joined(Self::new(&[14, 5], 40, 100))),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 10);
        let longest = source.size(1, 40) as u32;
        Self {
            lengths: source.lengths(batch, 0, longest),
            inputs: source.size(1, 40),
            // That of the paper has a variant.
            hidden: if source.between(0, 3) == 0 { 128 } else { source.size(1, 40) },
            gates: source.pick(&[Gates::Usual, Gates::Usual, Gates::Saturated]),
            directions: source.pick(&[Directions::Mean, Directions::Joined]),
            recurrent: Recurrent::Usual,
            precision: source.pick(&[Precision::F32, Precision::Mixed]),
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let wanted = format!("number from 1 to {MAX_LSTM_HIDDEN}");
        let layer = Self {
            lengths: read_lengths(keys, "lengths|rows", 0, 111)?,
            inputs: keys.number("in|inputs", 1, 128)?,
            hidden: keys.value("hidden", &wanted, 128, |hidden| (1..=MAX_LSTM_HIDDEN).contains(hidden))?,
            directions: keys.choice(DIRECTIONS, Directions::Mean)?,
            gates: keys.choice(GATES, Gates::Usual)?,
            recurrent: keys.choice(RECURRENT, Recurrent::Usual)?,
            precision: keys.choice(PRECISIONS, Precision::F32)?,
        };
        layer.gates.spoil_what_is_there(&layer.lengths)?;
        Ok(layer)
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.inputs.max(8 * self.hidden) as u64
    }

    fn gradient() -> Gradient {
        let mean = Self::new(&[4, 0, 7, 1], 5, 6);
        Gradient::of([Self { directions: Directions::Joined, ..mean.clone() }, mean])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::bilstm::SHADER, "(1.0 - squashed * squashed)", "(1.001 - squashed * squashed)"),
        Sabotage::new(&shader::bilstm_edges::SHADER, "= 0.5 * (hidden_states", "= 0.501 * (hidden_states"),
        Sabotage::new(&shader::bilstm_rounding::SHADER, "= nearest(", "= 1.01 * nearest("),
    ];
}

impl TapeOperation for Bilstm {
    type Constants<B: Backend> = Ragged<B>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Ragged<B> {
        inputs.rows("lengths", &self.lengths)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let (rows, gates) = (total(&self.lengths), 8 * self.hidden);
        let weight = 1.0 / (self.hidden as f32).sqrt();
        let mut drawn = |name, shape: [usize; 2], amplitude| Leaf::new(name, shape, source.uniform(shape[0] * shape[1], amplitude));
        let x = self.gates.spoiled(drawn("x", [rows, self.inputs], self.gates.amplitude()));
        let input_weight = drawn("input weight", [gates, self.inputs], weight);
        let mut recurrent = drawn("recurrent weight", [gates, self.hidden], weight);
        match self.recurrent {
            Recurrent::Usual => {}
            // f32 has 13 bits more.
            Recurrent::Halfway => {
                recurrent.values.iter_mut().for_each(|value| *value = f32::from_bits(value.to_bits() & !0x1fff | 0x1000));
            }
            Recurrent::Overflowing => recurrent.values[gates / 2 * self.hidden] = 7e4,
        }
        vec![x, input_weight, recurrent, drawn("input bias", [1, gates], weight), drawn("recurrent bias", [1, gates], weight)]
    }

    fn output(&self) -> [usize; 2] {
        [total(&self.lengths), self.directions.columns(self.hidden)]
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], rows: &'a Ragged<B>) -> Var<B> {
        let weights = LstmWeights { input: 1, recurrent: 2, bias_input: 3, bias_recurrent: 4 };
        tape.bilstm(&leaves[0], rows, &weights.map(|&leaf| leaves[leaf].clone()), self.directions)
    }
}
