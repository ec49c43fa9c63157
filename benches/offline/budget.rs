//! How many instructions the loops that do most of a step's work may take.

use super::listing::Loop;

/// What a loop is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// Least share of multiply-adds among all instructions, in per cent.
    MultiplyAdds(u64),
    /// Most instructions a key.
    PerKey(u64),
}

/// Keys that a turn of attention's inner loop takes, KEYS of `shaders/attention/graphics.wgsl`.
const KEYS_A_TURN: u64 = 8;

/// Terms of each sum in a step of a product of tiles; by windows, as `conv_pool.backward_weight` goes, there are three of each of four.
const TERMS: u64 = 16;
const TERMS_OF_WINDOWS: u64 = 12;

/// Multiply-adds of an invocation in a step of a product, by its sums as `shaders/shared/tile.wgsl` has them.
pub fn a_step(entry: &str, variant: &str) -> Option<u64> {
    let has = |part| variant.split('+').any(|other| other == part);
    let columns = if has("narrow") { 4 } else { 8 };
    let terms = if entry == "conv_pool.backward_weight" { TERMS_OF_WINDOWS } else { TERMS };
    variant.contains("tile").then_some(8 * columns * terms)
}

/// The budget of an entry point, if it has one.
pub fn of(entry: &str) -> Option<Budget> {
    match entry {
        "linear.forward" | "linear.backward_input" | "linear.backward_weight" => Some(Budget::MultiplyAdds(85)),
        "conv_pool.forward" | "conv_pool.backward_input" | "conv_pool.backward_weight" => Some(Budget::MultiplyAdds(80)),
        "bilstm.forward" | "bilstm.backward" => Some(Budget::MultiplyAdds(80)),
        "attention.forward" => Some(Budget::PerKey(60)),
        _ => None,
    }
}

impl Budget {
    /// In the budget's unit, rounded against it.
    fn figure(self, of: Loop) -> u64 {
        match self {
            Self::MultiplyAdds(_) => 100 * of.multiply_adds / of.instructions.max(1),
            Self::PerKey(_) => of.instructions.div_ceil(KEYS_A_TURN),
        }
    }

    pub fn is_met_by(self, of: Loop) -> bool {
        match self {
            Self::MultiplyAdds(least) => self.figure(of) >= least,
            Self::PerKey(most) => self.figure(of) <= most,
        }
    }

    /// Figure and budget in words.
    pub fn beside(self, of: Loop) -> String {
        let figure = self.figure(of);
        match self {
            Self::MultiplyAdds(least) => format!("{figure} % multiply-adds in its loop, of at least {least} %"),
            Self::PerKey(most) => format!("{figure} instructions a key, of at most {most}"),
        }
    }
}
