//! What files of each kind may hold, for those who edit them.

pub(super) const AUDIO: &[&str] =
    &["RIFF", "WAVE", "fmt ", "data", "LIST", "fact", "FORM", "AIFF", "COMM", "SSND", "fLaC", "OggS", "ID3", "Xing", "ftyp", "moov"];
pub(super) const TABLE: &[&str] =
    &[",", ";", "\t", "\"", "\"\"", "\r\n", "\u{feff}", "audio", "text", "label", "split", "train", "NaN", "-1", "sep=;", "\u{85}"];
pub(super) const TRANSCRIPT: &[&str] = &["\n", "\r", "\t", "\0", "\u{feff}", "0001_000001", "Sad", "\u{4e2d}\u{7acb}"];
pub(super) const CAPTIONS: &[&str] = &[
    "00:00:01,000 --> 00:00:02.000",
    "WEBVTT",
    "NOTE",
    "-->",
    "\n\n",
    "\r",
    "\u{feff}",
    "<i>",
    "<v Ann>",
    "{\\an8}",
    "&amp;",
    "99999:59:59,999999999",
    "-1",
    "NaN",
];
pub(super) const JSON: &[&str] =
    &["null", "[]", "{}", "1e999", "-1", "18446744073709551615", "\"\"", "\\u0000", "[[[[[[[[", "true", "\n", "<script>", "<img src=x>"];
pub(super) const SHARDS: &[&str] = &[
    "{\"file\": \"d-00001-of-00002.safetensors\"}",
    "\"utterances\": ",
    "\"bytes\": ",
    "\"fingerprint\": \"\"",
    "\"plan\": \"\"",
    "../",
    "18446744073709551615",
    "null",
    "[]",
    "{",
];
pub(super) const TOML: &[&str] = &[
    "[model]",
    "[train]",
    "[data]",
    "[run]",
    "hidden = ",
    "layers = ",
    "heads = ",
    "nan",
    "inf",
    "9223372036854775807",
    "\"\"\"",
    "= [",
    "\n",
];
pub(super) const TENSORS: &[&str] = &[
    "__metadata__",
    "\"dtype\":\"F32\"",
    "\"F16\"",
    "\"I64\"",
    "\"shape\":[",
    "\"data_offsets\":[",
    "18446744073709551615",
    "null",
    "-1",
    "[]",
];
