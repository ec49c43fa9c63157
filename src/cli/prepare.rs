//! `mcsan prepare`

use std::process::ExitCode;

use indicatif::ProgressBar;
use serde_json::json;

use super::arguments::{Common, Prepare, SplitSource, vectors};
use super::device::{self, on_device};
use super::{Done, print_json};
use crate::audio::{decode, mfcc::MfccSettings};
use crate::backend::gpu::Checking;
use crate::corpus::split;
use crate::prepare::prepare;
use crate::text::TextTable;

/// Commonest missing words that are shown.
const SHOWN_WORDS: usize = 10;

pub fn run(common: &Common, arguments: &Prepare) -> Done {
    let layout = arguments.layout().unwrap_or_else(|usage| usage.exit());
    let mut corpus = layout.read(&arguments.path)?;
    if arguments.split == SplitSource::Speaker {
        split::by_speaker(&mut corpus, arguments.split_seed)?;
    }
    corpus.utterances.truncate(arguments.limit.unwrap_or(usize::MAX));
    let text = TextTable::build(&corpus.utterances, vectors(&arguments.vectors), arguments.oov)?;
    let missing = text.missing.clone();
    let device = device::open(common, "auto", Checking::Off)?;
    eprintln!("preparing {} utterances on {}", corpus.utterances.len(), device.name());
    let bar = ProgressBar::new(corpus.utterances.len() as u64);
    let decode = |utterance: &crate::corpus::Utterance| decode(&utterance.audio);
    let data =
        on_device!(device, |backend| pollster::block_on(prepare(backend, &corpus, text, &MfccSettings::default(), decode, &mut |done| {
            bar.set_position(done as u64)
        },)))?;
    bar.finish_and_clear();
    data.save(&arguments.out)?;
    let frames = data.frame_offsets[data.len()];
    let commonest: Vec<&String> = missing.commonest.iter().map(|(word, _)| word).take(SHOWN_WORDS).collect();
    if common.json {
        print_json(&json!({
            "out": arguments.out,
            "utterances": data.len(),
            "classes": data.classes,
            "frames": frames,
            "tokens": data.tokens.len(),
            "vocabulary": data.vocabulary.len(),
            "out_of_vocabulary": missing.share(),
            "commonest_missing": commonest,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}: {} utterances, {frames} frames, classes {}", arguments.out.display(), data.len(), data.classes.join(", "));
    println!("{} tokens, {:.2} % out of vocabulary {commonest:?}", data.tokens.len(), 100.0 * missing.share());
    Ok(ExitCode::SUCCESS)
}
