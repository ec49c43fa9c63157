//! What the data decide of a model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::streams::{AUDIO, StreamShape, TEXT};
use crate::config::ModelSettings;
use crate::dataset::{DataStream, Dataset};

/// Shapes of the streams, and how many classes there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Recorded", into = "Recorded")]
pub struct Dimensions {
    /// Of each stream by its name.
    pub streams: BTreeMap<String, StreamShape>,
    /// Logits that the model gives an utterance.
    pub classes: usize,
}

impl Dimensions {
    /// Those of a data set; the settings say how wide word tables are that are trained, and whether given vectors are.
    pub fn of(data: &Dataset, settings: &ModelSettings) -> Self {
        let shape = |(name, stream): (&str, &DataStream)| match (stream, stream.shape(settings.word_width)) {
            (DataStream::Tokens(tokens), StreamShape::Tokens { width, .. }) if settings.tune_words => {
                (name.to_owned(), StreamShape::Tokens { width, learned: Some(tokens.words()) })
            }
            (_, shape) => (name.to_owned(), shape),
        };
        Self { streams: data.streams.iter().map(shape).collect(), classes: data.classes.len() }
    }

    /// Columns of frames or of a vector; 0 where there is no such stream.
    pub fn columns(&self, stream: &str) -> usize {
        match self.streams.get(stream) {
            Some(&StreamShape::Frames { columns } | &StreamShape::Vector { columns }) => columns,
            _ => 0,
        }
    }

    /// Width of the word vectors of a stream of tokens, or of what stands in their place, and the rows of their table where it is trained.
    pub fn words(&self, stream: &str) -> (usize, Option<usize>) {
        match self.streams.get(stream) {
            Some(&StreamShape::Tokens { width, learned }) => (width, learned),
            Some(&StreamShape::Frames { columns }) => (columns, None),
            _ => (0, None),
        }
    }
}

/// [`Dimensions`] as checkpoints have them: the front-ends' streams by their sizes, others under `streams`.
#[derive(Serialize, Deserialize)]
struct Recorded {
    #[serde(skip_serializing_if = "Option::is_none")]
    coefficients: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    word_width: Option<usize>,
    learned_words: Option<usize>,
    classes: usize,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    streams: BTreeMap<String, StreamShape>,
}

impl From<Dimensions> for Recorded {
    fn from(mut dimensions: Dimensions) -> Self {
        let [audio, text] = [AUDIO, TEXT].map(|name| dimensions.streams.get(name).copied());
        let mut recorded =
            Self { coefficients: None, word_width: None, learned_words: None, classes: dimensions.classes, streams: BTreeMap::new() };
        if let Some(StreamShape::Frames { columns }) = audio {
            recorded.coefficients = Some(columns);
            dimensions.streams.remove(AUDIO);
        }
        if let Some(StreamShape::Tokens { width, learned }) = text {
            (recorded.word_width, recorded.learned_words) = (Some(width), learned);
            dimensions.streams.remove(TEXT);
        }
        Self { streams: dimensions.streams, ..recorded }
    }
}

impl From<Recorded> for Dimensions {
    fn from(Recorded { coefficients, word_width, learned_words, classes, mut streams }: Recorded) -> Self {
        streams.extend(coefficients.map(|columns| (AUDIO.to_owned(), StreamShape::Frames { columns })));
        streams.extend(word_width.map(|width| (TEXT.to_owned(), StreamShape::Tokens { width, learned: learned_words })));
        Self { streams, classes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_have_the_sizes_of_audio_and_text_as_they_always_had_them() {
        for (text, learned) in [("null", None), ("3", Some(3))] {
            let old = format!(r#"{{"classes":7,"coefficients":40,"learned_words":{text},"word_width":300}}"#);
            let streams =
                [(AUDIO.to_owned(), StreamShape::Frames { columns: 40 }), (TEXT.to_owned(), StreamShape::Tokens { width: 300, learned })];
            let dimensions = Dimensions { streams: streams.into(), classes: 7 };
            assert_eq!(serde_json::from_str::<Dimensions>(&old).unwrap(), dimensions);
            assert_eq!(serde_json::json!(dimensions).to_string(), old);
        }
    }

    #[test]
    fn other_streams_survive_a_checkpoint() {
        let streams = [
            ("audio".to_owned(), StreamShape::Frames { columns: 40 }),
            ("phones".to_owned(), StreamShape::Tokens { width: 8, learned: Some(3) }),
            ("prosody".to_owned(), StreamShape::Vector { columns: 35 }),
        ];
        let dimensions = Dimensions { streams: streams.into(), classes: 4 };
        assert_eq!(serde_json::from_str::<Dimensions>(&serde_json::to_string(&dimensions).unwrap()).unwrap(), dimensions);
    }
}
