//! Data sets: prepared in memory, of recordings that the page holds.

use std::cell::Cell;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::Writer;
use js_sys::{Array, Function, Uint8Array};
use serde_json::json;
use wasm_bindgen::prelude::*;
use zip::ZipArchive;

use super::engine::Engine;
use super::error::{Failure, refuse};
use super::values::{member, object, tell, text};
use super::{Held, put};
use crate::audio::mfcc::MfccSettings;
use crate::base::files;
use crate::base::hash::fnv1a;
use crate::base::input;
use crate::base::utterances::Split;
use crate::corpus::{Corpus, folders, manifest, split};
use crate::dataset::{self, Doubles};
use crate::experiment::folds::divide;
use crate::on_device;
use crate::prepare::{Allowance, RecordingEvent, prepare_held_telling};
use crate::text::TextTable;

/// What a data set is called that has no name.
const PREPARED: &str = "data.safetensors";

/// The list that is made of clips.
const LIST: &str = "clips.csv";

thread_local! {
    /// Folders that were made so far: each data set has one of its own.
    static FOLDERS: Cell<u64> = const { Cell::new(0) };
}

/// A folder of that name in memory, in one that nothing else lies in: data sets and runs know the name, which must be the same every time.
pub(super) fn new_folder(name: &str) -> PathBuf {
    let number = FOLDERS.get();
    FOLDERS.set(number + 1);
    PathBuf::from(format!("held-{number}")).join(name)
}

/// A prepared data set.
#[wasm_bindgen(skip_typescript)]
pub struct Dataset {
    data: Rc<dataset::Dataset>,
}

#[wasm_bindgen]
impl Dataset {
    /// Of clips `{name, bytes, text, label, speaker, split}`.
    ///
    /// # Errors
    /// Two clips of one name, a clip without a label, one that cannot be decoded, or whatever went wrong on the device.
    #[wasm_bindgen(skip_typescript)]
    pub async fn prepare(engine: &Engine, clips: Array, options: JsValue, progress: Option<Function>) -> Result<Dataset, Failure> {
        let folder = new_folder("corpus");
        let _gone = Held::new(&folder);
        let mut list = Writer::from_writer(Vec::new());
        let wrong = |error: csv::Error| Failure::new(error.to_string());
        list.write_record(["audio", "text", "label", "speaker", "split"]).map_err(wrong)?;
        for (place, clip) in clips.iter().enumerate() {
            let name = text(&clip, "name")?.ok_or_else(|| Failure::new(format!("clip {place}: has no name")))?;
            put(&folder, &name, &bytes(&clip, &name)?)?;
            let field = |field| Ok::<_, Failure>(text(&clip, field)?.unwrap_or_default());
            let fields = [name.trim_start_matches('/').to_owned(), field("text")?, field("label")?, field("speaker")?, field("split")?];
            list.write_record(fields).map_err(wrong)?;
        }
        put(&folder, LIST, &list.into_inner().map_err(|error| Failure::new(error.to_string()))?)?;
        let corpus = manifest::read(&folder.join(LIST)).map_err(|error| refuse(&error).without(&folder))?;
        Self::of(engine, corpus, &options, progress).await.map_err(|failure| failure.without(&folder))
    }

    /// Of files `{path, bytes}`: those that a manifest lists, `options.manifest`, or folders of recordings, one a class.
    ///
    /// # Errors
    /// As of the command line: a file that is missing or cannot be read.
    #[wasm_bindgen(skip_typescript)]
    pub async fn folder(engine: &Engine, files: Array, options: JsValue, progress: Option<Function>) -> Result<Dataset, Failure> {
        let folder = new_folder("corpus");
        let _gone = Held::new(&folder);
        for (place, file) in files.iter().enumerate() {
            let path = text(&file, "path")?.ok_or_else(|| Failure::new(format!("file {place}: has no path")))?;
            put(&folder, &path, &bytes(&file, &path)?)?;
        }
        Self::read(engine, &folder, options, progress).await
    }

    /// Of a ZIP of such a folder.
    ///
    /// # Errors
    /// No ZIP, or one that is damaged; and those of a folder.
    #[wasm_bindgen(skip_typescript)]
    pub async fn archive(engine: &Engine, zip: Vec<u8>, options: JsValue, progress: Option<Function>) -> Result<Dataset, Failure> {
        let folder = new_folder("corpus");
        let _gone = Held::new(&folder);
        let wrong = |error: String| Failure::new(format!("the ZIP cannot be read ({error})"));
        let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| wrong(error.to_string()))?;
        for place in 0..archive.len() {
            let mut member = archive.by_index(place).map_err(|error| wrong(error.to_string()))?;
            let name = member.enclosed_name().ok_or_else(|| wrong("it names a file outside of it".into()))?;
            if member.is_file() {
                let mut bytes = Vec::new();
                member.read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
                put(&folder, &name.to_string_lossy(), &bytes)?;
            }
        }
        Self::read(engine, &folder, options, progress).await
    }

    /// Of the file that `mcsan prepare` writes, or `bytes` here; `name` is what errors name.
    ///
    /// # Errors
    /// Another kind of file, or one that is damaged.
    #[wasm_bindgen(skip_typescript)]
    pub fn load(bytes: &[u8], name: Option<String>) -> Result<Dataset, Failure> {
        let folder = new_folder("corpus");
        let _gone = Held::new(&folder);
        let path = put(&folder, name.as_deref().unwrap_or(PREPARED), bytes)?;
        let data = dataset::Dataset::load(&path).map_err(|error| refuse(&error).without(&folder))?;
        Ok(Self { data: Rc::new(data) })
    }

    /// The data set as `mcsan prepare` writes it.
    ///
    /// # Errors
    /// There is no memory for it.
    #[wasm_bindgen(skip_typescript)]
    pub fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let folder = new_folder("corpus");
        let _gone = Held::new(&folder);
        let path = folder.join(PREPARED);
        let written = files::create_dir_all(&folder).map_err(|error| Failure::new(error.to_string()));
        written.and_then(|()| self.data.save(&path).map_err(|error| refuse(&error)))?;
        input::bytes(&path).map_err(|error| Failure::new(error.to_string()))
    }

    /// What the data set holds.
    #[wasm_bindgen(getter, skip_typescript)]
    pub fn info(&self) -> JsValue {
        let data = &self.data;
        let count = |split| data.split(split).len();
        object(&json!({
            "corpus": data.corpus,
            "classes": data.classes,
            "utterances": data.len(),
            "splits": {
                "train": data.training().len(),
                "validation": count(Split::Validation),
                "test": count(Split::Test),
            },
            "leftOut": data.left_out.iter().map(|left_out| json!({ "id": left_out.id, "reason": left_out.reason })).collect::<Vec<_>>(),
        }))
    }
}

impl Dataset {
    /// The data.
    pub(super) fn data(&self) -> Rc<dataset::Dataset> {
        Rc::clone(&self.data)
    }

    async fn read(engine: &Engine, folder: &Path, options: JsValue, progress: Option<Function>) -> Result<Self, Failure> {
        let corpus = match text(&options, "manifest")? {
            Some(path) => manifest::read(&folder.join(path.trim_start_matches('/'))),
            None => folders::read(folder),
        };
        let corpus = corpus.map_err(|error| refuse(&error).without(folder))?;
        Self::of(engine, corpus, &options, progress).await.map_err(|failure| failure.without(folder))
    }

    async fn of(engine: &Engine, mut corpus: Corpus, options: &JsValue, progress: Option<Function>) -> Result<Self, Failure> {
        engine.recover().await?;
        let whole = |name: &str| match member(options, name) {
            None => Ok(0),
            Some(value) => {
                let number = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
                number.map(|number| number as u64).ok_or_else(|| Failure::new(format!("{name}: is no whole number")))
            }
        };
        let (wanted, seed) = (text(options, "split")?, whole("seed")?);
        let mut at_random = false;
        match wanted.as_deref() {
            None => {}
            Some("speaker") => split::by_speaker(&mut corpus, seed).map_err(|error| refuse(&error))?,
            Some("random") => at_random = true,
            Some("auto") => {
                let is_given = corpus.utterances.iter().any(|utterance| utterance.split.is_some());
                at_random = !is_given && split::by_speaker(&mut corpus, seed).is_err();
            }
            Some(other) => return Err(Failure::new(format!("split: '{other}' is none")).with("choose speaker, random or auto")),
        }
        let allowed = Allowance::Utterances(whole("allowMissing")? as usize);
        let table = TextTable::learned(&corpus.utterances);
        let total = corpus.utterances.len();
        let mut found = Doubles::default();
        let mut observe = |event: RecordingEvent<'_>| match event {
            RecordingEvent::Done(done) => tell(progress.as_ref(), &object(&json!({ "done": done, "total": total }))),
            RecordingEvent::Doubles(doubles) => found = doubles.clone(),
            _ => {}
        };
        let device = engine.device();
        let settings = MfccSettings::default();
        let prepared = on_device!(*device, |backend| prepare_held_telling(backend, corpus, table, &settings, allowed, &mut observe).await);
        let mut data = prepared.map_err(|error| refuse(&error))?;
        if at_random
            && let Err(error) = divide(&mut data, &found, seed)
            && wanted.as_deref() == Some("random")
        {
            return Err(refuse(&error));
        }
        Ok(Self { data: Rc::new(data) })
    }
}

/// The bytes of a clip or a file.
fn bytes(of: &JsValue, name: &str) -> Result<Vec<u8>, Failure> {
    let bytes = member(of, "bytes").and_then(|bytes| bytes.dyn_into::<Uint8Array>().ok());
    bytes.map(|bytes| bytes.to_vec()).ok_or_else(|| Failure::new(format!("{name}: its bytes are no Uint8Array")))
}

/// Where a model lies that trainings start from: under a name that follows from it, since runs keep that, for as long as the page is there.
pub(super) fn unpacked(bytes: &[u8]) -> Result<PathBuf, Failure> {
    let folder = PathBuf::from(format!("model-{:016x}", fnv1a(bytes)));
    let name = Path::new("model.mcsan");
    let packed = crate::train::packed::Packed::read(name, bytes).and_then(|packed| packed.unpack(&folder));
    packed.map_err(|error| refuse(&error))?;
    Ok(folder)
}
