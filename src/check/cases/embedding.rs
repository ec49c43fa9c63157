//! Cases of `embedding`.

use std::fmt;

use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::Tokens;
use crate::base::sizes::{Keys, SizeError};
use crate::base::words::OUT_OF_VOCABULARY;
use crate::check::compare::Tolerance;
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Word vectors; every seventh token has none.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// Tokens.
    pub rows: usize,
    /// Rows of the table.
    pub words: usize,
    pub width: usize,
}

impl Embedding {
    fn tokens(&self) -> Vec<u32> {
        let words = Source::new(self.words as u64).below(self.rows, self.words as u32);
        let known = |row: usize| row % 7 != 3;
        words.into_iter().enumerate().map(|(row, word)| if known(row) { word } else { OUT_OF_VOCABULARY }).collect()
    }
}

impl fmt::Display for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},words={},width={}", self.rows, self.words, self.width)
    }
}

impl Subject for Embedding {
    /// A gradient sums at most 200 rows.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(3e-6)
    }
}

impl Suite for Embedding {
    fn cases() -> Vec<Self> {
        let lookup = |rows, words, width| Self { rows, words, width };
        vec![lookup(129, 50, 300), lookup(1, 1, 300), lookup(64, 500, 17), lookup(200, 1, 5), lookup(17, 3, 128), lookup(65, 64, 1)]
    }

    fn random(source: &mut Source) -> Self {
        Self { rows: source.size(1, 150), words: source.size(1, 80), width: source.size(1, 130) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { rows: keys.number("rows", 1, 1600)?, words: keys.number("words", 1, 3000)?, width: keys.number("width", 1, 300)? })
    }

    fn largest(&self) -> u64 {
        self.rows.max(self.words) as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { rows: 12, words: 5, width: 3 }])
    }

    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::embedding::SHADER, "total += y_gradient[", "total += 1.001 * y_gradient[")];
}

impl TapeOperation for Embedding {
    type Constants<B: Backend> = Tokens<B>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Tokens<B> {
        inputs.tokens("tokens", &self.tokens(), self.words)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        vec![Leaf::new("table", [self.words, self.width], source.uniform(self.words * self.width, 1.0))]
    }

    fn output(&self) -> [usize; 2] {
        [self.rows, self.width]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], tokens: &'a Tokens<B>) -> Var<B> {
        tape.embedding(&leaves[0], tokens)
    }
}
