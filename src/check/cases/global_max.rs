//! Cases of `global_max`.

use std::fmt;

use super::lengths::{Batch, Lengths, batch_of_one, total};
use super::products::FEW;
use super::spread::{DENORMAL, SPREADS};
use super::{Spread, suffix};
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::source::{COARSE, FINE};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Maximum over time of several streams (18).
#[derive(Debug, Clone)]
pub struct GlobalMax {
    /// Lengths of the sequences and number of columns of each stream.
    pub streams: Vec<(Vec<u32>, usize)>,
    pub spread: Spread,
}

impl fmt::Display for GlobalMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.streams.first().map_or("", |(lengths, _)| batch_of_one(lengths)))?;
        for (index, (lengths, columns)) in self.streams.iter().enumerate() {
            write!(f, "{}lengths={},columns={columns}", if index == 0 { "" } else { "," }, Lengths(lengths))?;
        }
        f.write_str(&suffix(SPREADS, self.spread))
    }
}

impl Subject for GlobalMax {
    /// Nothing is computed but the sum of two gradients.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    /// Few maxima may all be zero.
    fn silence(&self) -> Silence {
        if self.streams.iter().any(|(lengths, columns)| lengths.len() * columns < FEW) { Silence::Right } else { self.spread.silence() }
    }
}

impl Suite for GlobalMax {
    fn cases() -> Vec<Self> {
        let pool = |streams: &[(&[u32], usize)], spread| Self {
            streams: streams.iter().map(|&(lengths, columns)| (lengths.to_vec(), columns)).collect(),
            spread,
        };
        let (audio, text): (&[u32], &[u32]) = (&[110, 50, 37, 1], &[15, 1, 22, 9]);
        vec![
            pool(&[(audio, 128), (text, 128), (audio, 128), (text, 128)], Spread::Even),
            pool(&[(&[1], 128)], Spread::Even),
            pool(&[(&[15, 16, 17], 20), (&[65, 64, 63], 17)], Spread::Even),
            pool(&[(&[1, 129, 2, 1, 5, 3, 1, 4, 9], 1)], Spread::Even),
            pool(&[(&[2, 1], 3), (&[1, 7], 65), (&[4, 4], 1)], Spread::Even),
            pool(&[(audio, 128), (text, 20)], Spread::Ties),
            pool(&[(audio, 20), (text, 33)], Spread::NotFinite),
            pool(&[(audio, 20), (text, 33)], Spread::Denormal),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 6);
        let streams = source.between(1, 4);
        let spread = source.pick(&[Spread::Even, Spread::Ties, Spread::NotFinite]);
        let mut stream = || {
            let longest = source.size(1, 130) as u32;
            (source.lengths(batch, 1, longest), source.size(1, 140))
        };
        Self { streams: (0..streams).map(|_| stream()).collect(), spread }
    }

    /// A stream for each `lengths`, at least one, with the `columns` of the same place.
    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        const LENGTHS: &str = "lengths|rows";
        let batch = Batch::read(keys, LENGTHS)?;
        let streams = keys.count(LENGTHS).max(1);
        let stream = |_| Ok((batch.lengths(keys, LENGTHS, 1, 111)?, keys.number("columns", 1, 128)?));
        let streams = (0..streams).map(stream).collect::<Result<_, SizeError>>()?;
        let spread = Spread::read(keys, &[Spread::Ties, Spread::NotFinite, Spread::Denormal])?;
        Ok(Self { streams, spread })
    }

    fn largest(&self) -> u64 {
        self.streams.iter().map(|(lengths, columns)| total(lengths) as u64 * *columns as u64).max().unwrap_or(0)
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { streams: vec![(vec![4, 1, 7], 5), (vec![1, 6, 2], 3)], spread: Spread::Even }])
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::global_max::SHADER, "value > best", "value >= best")];
}

impl TapeOperation for GlobalMax {
    type Constants<B: Backend> = Vec<Ragged<B>>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Vec<Ragged<B>> {
        let streams = self.streams.iter().enumerate();
        streams.map(|(index, (lengths, _))| inputs.rows(format!("lengths of stream {index}"), lengths)).collect()
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let (amplitude, step) = match self.spread {
            Spread::Even | Spread::NotFinite | Spread::Overflowing | Spread::Denormal => (4.0, FINE),
            Spread::Ties => (COARSE, COARSE),
        };
        let streams = self.streams.iter().enumerate();
        streams
            .map(|(index, (lengths, columns))| {
                let rows = total(lengths);
                let mut values = source.multiples(rows * columns, amplitude, step);
                match self.spread {
                    Spread::Even | Spread::Ties | Spread::Overflowing => {}
                    Spread::NotFinite => source.spoil(&mut values),
                    // All below zero but for some rows that may be taken for it.
                    Spread::Denormal => {
                        let below = values.iter_mut().enumerate();
                        below.for_each(|(place, value)| *value = if place % 97 == 0 { DENORMAL } else { -value.abs() - 0.125 });
                    }
                }
                Leaf::new(format!("stream {index}"), [rows, *columns], values)
            })
            .collect()
    }

    fn output(&self) -> [usize; 2] {
        let batch = self.streams.first().map_or(0, |(lengths, _)| lengths.len());
        [batch, self.streams.iter().map(|(_, columns)| columns).sum()]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], constants: &'a Vec<Ragged<B>>) -> Var<B> {
        let streams: Vec<_> = leaves.iter().cloned().zip(constants).collect();
        tape.global_max(&streams)
    }
}
