//! A recording piece by piece: what is held of it does not follow its length.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::AudioError;
use super::decode;
use super::mono::{LONGEST_STREAM_MINUTES, Sink};
use super::pcm::{self, PcmFormat};

/// Pieces that are decoded ahead; a piece is a packet of its format, at most some seconds.
const AHEAD: usize = 4;

type Piece = Result<Vec<f32>, AudioError>;

/// The samples of a recording, mono, at [`SAMPLE_RATE`](super::mfcc::SAMPLE_RATE), piece by piece as a thread of its own decodes them; all
/// together they are those of [`decode`](super::decode()), bit for bit. Whether a recording is whole is known at its end: an error may come
/// after samples, and is the last item. At most 24 hours are read.
pub struct Stream(Receiver<Piece>);

impl Stream {
    /// Of the recording at `path`.
    pub fn of_file(path: &Path) -> Self {
        let path = path.to_path_buf();
        Self::of(path.clone(), move |sink| decode::read(&path, sink))
    }

    /// Of raw mono samples at `rate` hertz; `name` is what errors call the source.
    pub fn of_pcm(source: impl Read + Send + 'static, name: &str, format: PcmFormat, rate: u32) -> Self {
        let name = name.to_owned();
        Self::of(PathBuf::from(&name), move |sink| pcm::read(source, &name, format, rate, sink))
    }

    fn of(path: PathBuf, read: impl FnOnce(Sink<'_>) -> Result<(), AudioError> + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(AHEAD);
        let failed = sender.clone();
        let decoding = move || {
            let take = |samples| sender.send(Ok(samples)).is_ok();
            if let Err(error) = read(Sink { minutes: LONGEST_STREAM_MINUTES, take: &take }) {
                tell(&sender, error);
            }
        };
        if let Err(source) = thread::Builder::new().name("decoding".into()).spawn(decoding) {
            tell(&failed, AudioError::Open { path, source: no_thread(&source) });
        }
        Self(receiver)
    }
}

/// Hands an error on, if anybody still listens.
fn tell(sender: &SyncSender<Piece>, error: AudioError) {
    let _nobody_listens = sender.send(Err(error));
}

fn no_thread(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the system starts no thread: {error}"))
}

impl Iterator for Stream {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        self.0.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(samples: usize) -> Vec<u8> {
        (0..samples).flat_map(|n| (((n as f32 * 0.05).sin() * 20_000.0) as i16).to_le_bytes()).collect()
    }

    #[test]
    fn pieces_are_the_whole_bit_for_bit() {
        let bytes = integers(300_000);
        for rate in [16_000, 44_100, 8_000] {
            let whole = pcm::read_pcm(&bytes[..], "pipe", PcmFormat::S16, rate).unwrap();
            let stream = Stream::of_pcm(io::Cursor::new(bytes.clone()), "pipe", PcmFormat::S16, rate);
            let pieces = stream.collect::<Result<Vec<_>, _>>().unwrap();
            assert!(pieces.len() > 2, "{rate} Hz: {} pieces", pieces.len());
            assert_eq!(pieces.concat(), whole, "{rate} Hz");
        }
    }

    #[test]
    fn an_error_comes_behind_the_samples_before_it() {
        let bytes = [integers(100_000), vec![1]].concat();
        let mut stream = Stream::of_pcm(io::Cursor::new(bytes), "pipe", PcmFormat::S16, 16_000);
        assert!(stream.next().unwrap().is_ok());
        let last = stream.last().unwrap().unwrap_err();
        assert!(last.to_string().contains("pipe: is no stream of raw samples (it ends within a sample)"), "{last}");
        let absent = Stream::of_file(Path::new("absent.wav")).next().unwrap().unwrap_err();
        assert!(absent.to_string().starts_with("absent.wav: cannot be read"), "{absent}");
    }
}
