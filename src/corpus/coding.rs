//! Codings of text that files of corpora have, as WHATWG's "Encoding" standard has them: by `encoding_rs`, in a page by the browser's own
//! decoder, so that the page loads no tables of them.

/// A coding.
#[derive(Debug, Clone, Copy)]
pub(super) enum Coding {
    Utf8,
    Utf16Le,
    Utf16Be,
    Gb18030,
    Windows1252,
}

#[cfg(not(target_arch = "wasm32"))]
impl Coding {
    /// What the bytes say; what is none of the coding's is U+FFFD.
    pub(super) fn decode(self, bytes: &[u8]) -> String {
        let coding = match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
        };
        coding.decode(bytes).0.into_owned()
    }
}

#[cfg(target_arch = "wasm32")]
// What `wasm_bindgen` writes.
#[allow(unsafe_code)]
mod browser {
    use wasm_bindgen::prelude::wasm_bindgen;

    use super::Coding;

    #[wasm_bindgen]
    extern "C" {
        type TextDecoder;
        #[wasm_bindgen(constructor)]
        fn new(label: &str) -> TextDecoder;
        #[wasm_bindgen(method)]
        fn decode(this: &TextDecoder, bytes: &[u8]) -> String;
    }

    impl Coding {
        /// What the bytes say; what is none of the coding's is U+FFFD.
        pub(in super::super) fn decode(self, bytes: &[u8]) -> String {
            let label = match self {
                Self::Utf8 => "utf-8",
                Self::Utf16Le => "utf-16le",
                Self::Utf16Be => "utf-16be",
                Self::Gb18030 => "gb18030",
                Self::Windows1252 => "windows-1252",
            };
            TextDecoder::new(label).decode(bytes)
        }
    }
}
