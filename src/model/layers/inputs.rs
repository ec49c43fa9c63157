//! What encoders begin with: the frames and the words of a batch.

use super::{Pass, Sequence};
use crate::backend::Backend;
use crate::base::streams::{PROSODY, TEXT};
use crate::model::batch::BatchStream;
use crate::model::parameters::{Block, Initial, Parameters};
use crate::model::{Batch, Dimensions};
use crate::tape::Var;

/// The frames of a stream, normalised, of whose elements a share `dropout` is dropped.
pub(in crate::model) fn frames<'a, B: Backend>(
    pass: &mut Pass<'_, 'a, B>,
    batch: &'a Batch<B>,
    stream: &str,
    dropout: f32,
) -> Sequence<'a, B> {
    let frames = batch.frames(stream);
    let x = frames.normalised(pass.tape);
    let x = pass.tape.named(x, format_args!("{stream}_encoder.z_score"));
    Sequence { x, rows: &frames.rows[0] }.dropped(pass, dropout)
}

/// The prosody of each utterance, normalised, `[batch, columns]`.
pub(in crate::model) fn prosody<B: Backend>(pass: &mut Pass<'_, '_, B>, batch: &Batch<B>) -> Var<B> {
    batch.vectors(PROSODY).normalised(pass.tape)
}

/// The words of the transcripts, or features of them that another program made.
#[derive(Debug, Clone)]
pub(in crate::model) struct Words {
    /// Numbers of a word's vector.
    pub width: usize,
    /// The table that is trained, where there is one.
    table: Option<Block>,
}

impl Words {
    /// Adds `NAME`, `[words, width]`, where the data have no vectors.
    pub(in crate::model) fn new(parameters: &mut Parameters, name: &str, dimensions: &Dimensions) -> Self {
        let (width, learned) = dimensions.words(TEXT);
        let table = learned.map(|words| parameters.add(name.into(), &[words, width], Initial::WordTable));
        Self { width, table }
    }

    /// Their vectors, of whose elements a share `dropout` is dropped.
    pub(in crate::model) fn forward<'a, B: Backend>(
        &self,
        pass: &mut Pass<'_, 'a, B>,
        batch: &'a Batch<B>,
        dropout: f32,
    ) -> Sequence<'a, B> {
        let (x, rows) = match batch.streams.get(TEXT) {
            Some(BatchStream::Frames(vectors)) => (vectors.normalised(pass.tape), &vectors.rows[0]),
            _ => {
                let text = batch.tokens(TEXT);
                (text.embedded(pass.tape, self.table.map(|table| &pass.parameters[table])), &text.rows)
            }
        };
        let x = pass.tape.named(x, format_args!("text_encoder.embedding"));
        Sequence { x, rows }.dropped(pass, dropout)
    }
}
