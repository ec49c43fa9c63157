//! Remedies in the words of the command line: what the library knows of, by the options and commands that do it.

use crate::base::remedy::{Preparation, Remedied, Remedy, line_in_words};
use crate::base::streams::{FUNCTIONALS, PROSODY, VISUAL};

/// Letters of a line that are shown before and behind what is left out.
const HEAD: usize = 1200;
const TAIL: usize = 400;

// Errors of libraries, which know of no remedy.
impl Remedied for std::io::Error {}
impl Remedied for serde_json::Error {}
impl Remedied for csv::Error {}

/// What to type, or what to do.
fn words(remedy: &Remedy) -> String {
    let words = match remedy {
        Remedy::SmallerBatch => "lower train.batch_size or data.max_frames",
        Remedy::Calibrate => "fit it with 'mcsan evaluate --calibrate'",
        Remedy::MoreShards => "divide it with --shards, or into more of them",
        Remedy::CalibrateAndExport => "fit it in the folder of its run with 'mcsan evaluate --calibrate', then 'mcsan export --web' anew",
        Remedy::ExportFeatures => "leave --from samples out",
        Remedy::ExportWeights => "--out writes its weights",
        Remedy::ExportModel => "'mcsan export --web' makes such a file",
        Remedy::FewerFrames => "choose a longer --hop or fewer --mel-bands, or cut the recording",
        Remedy::ListSettings => "see 'mcsan config' for all settings and a file to start from",
        Remedy::ListDevices => "run 'mcsan devices'",
        Remedy::OtherDevice => "choose another with --device",
        Remedy::UseCpu => "use --device cpu",
        Remedy::OtherFolder => "choose another --out",
        Remedy::TrainAnew => "train anew with another --out",
        Remedy::Resume => "go on with --resume",
        Remedy::ResumeFrom { path, step } => return format!("go on with --resume ({} is whole, of step {step})", path.display()),
        Remedy::Again { path, step } => return format!("call the same again ({} is whole, of step {step})", path.display()),
        Remedy::NewerProgram => "update mcsan",
        Remedy::KeptProfile => "give what 'mcsan profile --json' has written",
        Remedy::PutBack => "move it back and go on with --resume",
        Remedy::GoOnLonger => "raise --epochs or --steps, or leave them out",
        Remedy::Prepare => "make it with 'mcsan prepare'",
        Remedy::MapClasses => "say which is which with --map",
        Remedy::PrepareManifest => "run 'mcsan prepare manifest' on it and give what that writes",
        Remedy::AllowMissing => "allow more with --allow-missing",
        Remedy::PrepareWith(Preparation::Features(VISUAL)) => "prepare it with --visual-features, or a manifest's column visual",
        Remedy::PrepareWith(Preparation::Features(PROSODY)) => "prepare it with --prosody, or a manifest's column prosody",
        Remedy::PrepareWith(Preparation::Features(FUNCTIONALS)) => "prepare it with --functionals, or a manifest's column functionals",
        Remedy::PrepareWith(Preparation::Splits) => "prepare them with --split speaker or random",
        Remedy::Folds { least, most } => return format!("give --folds a number from {least} to {most}"),
        Remedy::OtherFold { folds } => return format!("give --fold a number from 1 to {folds}"),
        Remedy::OtherGrouping => "use another --by",
        Remedy::RandomGroups => "use --by random",
        Remedy::AnotherFold => "give --fold another number",
        Remedy::ChooseRows => "leave it out of the settings and choose with --rows",
        Remedy::ChooseSystems => "leave it out of the settings and choose with --systems",
        Remedy::LeaveSystem => "leave the system out of --systems",
        Remedy::SameSeeds => "give --seeds as then",
        Remedy::SeveralSeeds => "repeat each with --seeds",
        Remedy::JoinValues => "give all its values with one --grid",
        Remedy::DrawValues => "draw some with --random",
        Remedy::FewerDraws { most } => return format!("give --random at most {most}"),
        Remedy::TrainToTheEnd => "leave --halving out",
        Remedy::DivideAnew => "use --split folds",
        Remedy::ListCases => "see 'mcsan check --list' for all",
        Remedy::AddClass => "add it to --classes",
        Remedy::OtherSamples => "see --pcm-format, or give a file to --audio",
        Remedy::CutRecording => "cut it into utterances ('mcsan predict --segments' takes it as it is)",
        Remedy::DrawSvg => "write it as .svg",
        Remedy::Set("train.precision=f32") => "train with --precision f32",
        Remedy::Raise("train.steps") => "allow more --steps",
        remedy => return remedy.to_string(),
    };
    words.into()
}

/// What is wrong and what may help, in one line. Of one that holds a field as long as a file, the beginning and the end.
pub(crate) fn line(error: &impl Remedied) -> String {
    let line = line_in_words(error, words);
    let (head, tail) = (line.char_indices().nth(HEAD), line.char_indices().nth_back(TAIL));
    match (head, tail) {
        (Some((head, _)), Some((tail, _))) if head < tail => format!("{} … {}", &line[..head], &line[tail..]),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::BackendError;
    use crate::train::TrainError;

    #[test]
    fn a_line_says_what_is_wrong_and_what_to_type() {
        let absent = BackendError::NoAdapter { wanted: "Voodoo".into(), found: "none".into() };
        assert_eq!(line(&absent), "no adapter matches 'Voodoo' (found: none); run 'mcsan devices', or use --device cpu");
        let kept = Some(Remedy::ResumeFrom { path: "run/last.safetensors".into(), step: 7 });
        let overflow = TrainError::GradientNotFinite { step: 9, kept };
        let told = "step 9: the gradients overflow float16 even unscaled; lower train.lr, or train with --precision f32, or go on with \
                    --resume (run/last.safetensors is whole, of step 7)";
        assert_eq!(line(&overflow), told);
    }
}
