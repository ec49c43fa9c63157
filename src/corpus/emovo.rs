//! EMOVO, emotional speech in Italian (Costantini et al. 2014): recordings `f1/dis-f1-b1.wav`.
//!
//! A name is the first letters of the emotion's Italian name, the actor (f1 to f3, m1 to m3) and the sentence.

use std::path::Path;

use super::folder::stem;
use super::named::{self, Meaning, Place, Scheme, code};
use super::{Corpus, CorpusError, gender};

/// Disgusto, gioia, neutrale, paura, rabbia, sorpresa, tristezza.
const EMOTIONS: [(&str, &str); 7] = [
    ("dis", "disgust"),
    ("gio", "happiness"),
    ("neu", "neutral"),
    ("pau", "fear"),
    ("rab", "anger"),
    ("sor", "surprise"),
    ("tri", "sadness"),
];

const ACTORS: [(&str, &str); 6] = [("f1", "f1"), ("f2", "f2"), ("f3", "f3"), ("m1", "m1"), ("m2", "m2"), ("m3", "m3")];

/// The sentences: short, long, without sense, and questions.
const SENTENCES: [(&str, &str); 14] = [
    ("b1", "Gli operai si alzano presto."),
    ("b2", "I vigili sono muniti di pistola."),
    ("b3", "La cascata fa molto rumore."),
    ("l1", "L'autunno prossimo Tony partirà per la Spagna nella prima metà di ottobre."),
    ("l2", "Ora prendo la felpa di là ed esco per fare una passeggiata."),
    ("l3", "Un attimo dopo s'è incamminato ... ed è inciampato."),
    ("l4", "Vorrei il numero telefonico del Signor Piatti."),
    ("n1", "La casa forte vuole col pane."),
    ("n2", "La forza trova il passo e l'aglio rosso."),
    ("n3", "Il gatto sta scorrendo nella pera."),
    ("n4", "Insalata pastasciutta coscia d'agnello limoncello."),
    ("n5", "Uno quarantatré dieci mille cinquantasette venti."),
    ("d1", "Sabato sera cosa farà?"),
    ("d2", "Porti con te quella cosa?"),
];

/// Names of the classes, sorted.
pub const CLASSES: [&str; 7] = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"];

const SCHEME: Scheme = Scheme { corpus: "emovo", title: "EMOVO", pattern: "dis-f1-b1", place: Place::Below, name: stem, classes: &CLASSES };

/// Reads the corpus at `path`: utterances by id, speakers `f1` to `m3`.
///
/// # Errors
/// [`CorpusError`]: a folder that cannot be read, no recording that fits, or two of one name.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    let corpus = named::read(path, &SCHEME, meaning)?;
    Ok(corpus.with_genders(|utterance| utterance.speaker.as_ref().map(|speaker| gender(&speaker[..1]))))
}

fn meaning(name: &str) -> Result<Meaning, String> {
    let fields: Vec<&str> = name.split('-').collect();
    let [emotion, actor, sentence] = fields[..] else {
        return Err(format!("it has {} fields, not 3", fields.len()));
    };
    let label = code("emotion", emotion, &EMOTIONS)?;
    let speaker = code("actor", actor, &ACTORS)?;
    Ok(Meaning::utterance(label, code("sentence", sentence, &SENTENCES)?, speaker))
}
