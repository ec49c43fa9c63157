//! Which data set: a hash that tells data sets apart, wherever their files lie.

use super::error::DatasetError;
use super::features::FeatureRows;
use super::prepared::Dataset;
use super::streams::DataStream;
use crate::base::hash::{BASIS, fnv1a, mix, of_words};
use crate::base::streams::{AUDIO, TEXT};

impl Dataset {
    /// Of everything that a run can depend on but the splits, features and all, in 16 hexadecimal digits.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub fn fingerprint(&self) -> Result<String, DatasetError> {
        Fingerprint::of(self).data()
    }

    /// As [`Dataset::fingerprint`], with the splits: 16 digits of it, a hyphen, 16 digits of them.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`].
    pub(crate) fn fingerprint_with_splits(&self) -> Result<String, DatasetError> {
        Fingerprint::of(self).with_splits()
    }
}

/// A data set's fingerprint but for the hashes of its features, which may not have been looked at yet.
#[derive(Debug)]
pub(super) struct Fingerprint {
    parts: Vec<Part>,
    splits: u64,
}

/// What is hashed.
#[derive(Debug)]
enum Part {
    Hash(u64),
    /// That of values.
    Of(FeatureRows),
}

impl Fingerprint {
    pub(super) fn of(data: &Dataset) -> Self {
        let wide = |offsets: &[usize]| offsets.iter().fold(0, |hash: u64, &offset| mix(hash, offset as u64));
        let mut names = String::new();
        for info in &data.utterances {
            for name in [Some(&info.id), info.speaker.as_ref(), info.session.as_ref()] {
                names += name.map_or("", String::as_str);
                names.push('\0');
            }
        }
        let stream = |stream: &DataStream| match stream {
            DataStream::Frames(frames) => {
                vec![Part::Hash(frames.columns as u64), Part::Of(frames.values.clone()), Part::Hash(wide(&frames.offsets))]
            }
            DataStream::Tokens(tokens) => vec![
                Part::Hash(of_words(bytemuck::cast_slice(&tokens.tokens))),
                Part::Hash(wide(&tokens.offsets)),
                Part::Hash(tokens.vectors.as_ref().map_or(0, |table| of_words(bytemuck::cast_slice(&table.values)))),
                Part::Hash(tokens.words() as u64),
            ],
            DataStream::Vector(vectors) => vec![Part::Hash(vectors.columns as u64), Part::Of(vectors.values.clone())],
        };
        let mut parts = vec![Part::Hash(fnv1a(data.classes.join("\0").as_bytes())), Part::Hash(fnv1a(names.as_bytes()))];
        // The front-ends' streams stand without their names, as they did when there were no others.
        for own in [AUDIO, TEXT].into_iter().filter_map(|name| data.streams.get(name)) {
            parts.extend(stream(own));
        }
        parts.push(Part::Hash(of_words(&data.labels)));
        for (name, other) in data.streams.iter().filter(|(name, _)| ![AUDIO, TEXT].contains(name)) {
            parts.push(Part::Hash(fnv1a(name.as_bytes())));
            parts.extend(stream(other));
        }
        for (name, times) in data.streams.iter().filter_map(|(name, _)| Some((name, data.streams.times(name)?))) {
            parts.extend([fnv1a(name.as_bytes()), of_words(bytemuck::cast_slice(times.as_flattened()))].map(Part::Hash));
        }
        let splits = data.utterances.iter().fold(BASIS, |hash, info| mix(hash, info.split.map_or(0, |split| 1 + split as u64)));
        Self { parts, splits }
    }

    /// Without the splits.
    fn data(&self) -> Result<String, DatasetError> {
        let mut hash = BASIS;
        for part in &self.parts {
            let own = match part {
                Part::Hash(own) => *own,
                Part::Of(values) => values.hash()?,
            };
            hash = mix(hash, own);
        }
        Ok(format!("{hash:016x}"))
    }

    /// Whole.
    pub(super) fn with_splits(&self) -> Result<String, DatasetError> {
        Ok(format!("{}-{:016x}", self.data()?, self.splits))
    }
}

#[cfg(test)]
mod tests {
    use super::super::UtteranceInfo;
    use super::super::streams::{Frames, TokenLists, Vectors};
    use super::*;
    use crate::base::words::WordTable;
    use crate::corpus::Split;

    fn data() -> Dataset {
        let utterances = (0..6).map(|place| UtteranceInfo { id: format!("u{place}"), ..Default::default() });
        let audio = Frames { columns: 1, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0].into(), offsets: (0..=6).collect() };
        let vectors = Some(WordTable { width: 1, values: vec![1.0] });
        let text = TokenLists { tokens: vec![0; 6], offsets: (0..=6).collect(), vectors, vocabulary: Vec::new() };
        Dataset {
            corpus: "few".into(),
            classes: vec!["a".into(), "b".into()],
            streams: [(AUDIO, DataStream::Frames(audio)), (TEXT, DataStream::Tokens(text))].into(),
            labels: vec![0, 1, 0, 1, 0, 1],
            utterances: utterances.collect(),
            ..Default::default()
        }
    }

    fn audio(data: &mut Dataset) -> &mut Frames {
        match data.streams.get_mut(AUDIO) {
            Some(DataStream::Frames(frames)) => frames,
            other => panic!("{other:?}"),
        }
    }

    fn text(data: &mut Dataset) -> &mut TokenLists {
        match data.streams.get_mut(TEXT) {
            Some(DataStream::Tokens(tokens)) => tokens,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_change_of_the_data_changes_the_fingerprint_and_the_splits_do_not() {
        let original = data().fingerprint().unwrap();
        let prosody = |first| DataStream::Vector(Vectors { columns: 1, values: vec![first, 1.0, 2.0, 3.0, 4.0, 5.0].into() });
        let changes: [&dyn Fn(&mut Dataset); 11] = [
            &|data| data.classes[1] = "c".into(),
            &|data| audio(data).values = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.5].into(),
            &|data| audio(data).offsets[3] = 2,
            &|data| text(data).tokens[5] = -1,
            &|data| data.labels[0] = 1,
            &|data| text(data).vectors = None,
            &|data| data.utterances[2].speaker = Some("anna".into()),
            &|data| data.utterances[2].id = "v".into(),
            &|data| data.streams.insert("prosody", prosody(0.0)),
            &|data| data.streams.insert("prosody", prosody(0.5)),
            &|data| data.streams.insert("functionals", prosody(0.5)),
        ];
        let mut seen = vec![original.clone()];
        for (place, change) in changes.iter().enumerate() {
            let mut changed = data();
            change(&mut changed);
            assert!(!seen.contains(&changed.fingerprint().unwrap()), "change {place}");
            seen.push(changed.fingerprint().unwrap());
        }
        let mut divided = data();
        divided.utterances[0].split = Some(Split::Test);
        assert_eq!(divided.fingerprint().unwrap(), original);
        assert_ne!(divided.fingerprint_with_splits().unwrap(), data().fingerprint_with_splits().unwrap());
    }

    /// Computed by the version that wrote `folds.json` before other streams than audio and text were known.
    #[test]
    fn audio_and_text_have_the_fingerprint_that_they_always_had() {
        assert_eq!(data().fingerprint().unwrap(), "0485a00ad8c0c2d4");
    }
}
