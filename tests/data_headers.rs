//! What headers say that is not so: every format is read to where its data end, or refused for the true reason.

use std::fs;
use std::path::{Path, PathBuf};

use mcsan::audio::{AudioError, decode};
use mcsan::base::remedy::line;

/// Decodes bytes as a file, or tells the line that a user reads.
fn read(bytes: &[u8]) -> Result<Vec<f32>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    fs::write(&path, bytes).unwrap();
    decode(&path).map_err(|error| {
        let line = line(&error);
        assert!(line.contains("a.bin") && !line.contains('\n'), "{line}");
        line
    })
}

fn refused(bytes: &[u8], words: &[&str]) {
    let line = read(bytes).expect_err("refused");
    assert!(words.iter().all(|word| line.contains(word)), "{line}");
}

/// A quarter of a second of a tone at 16 kHz, in 16 bits.
fn tone() -> Vec<i16> {
    (0..4000).map(|n| (f64::from(n) * 0.2).sin() * 12_000.0).map(|sample| sample as i16).collect()
}

fn samples() -> Vec<f32> {
    tone().iter().map(|sample| f32::from(*sample) / 32_768.0).collect()
}

fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn chunk(name: &[u8; 4], size: u32, bytes: &[u8]) -> Vec<u8> {
    [&name[..], &size.to_le_bytes(), bytes].concat()
}

fn format(tag: u16, align: u16, bits: u16, extension: &[u8]) -> Vec<u8> {
    let mut bytes = [tag, 1].map(u16::to_le_bytes).concat();
    bytes.extend([16_000_u32, 16_000 * u32::from(align)].map(u32::to_le_bytes).as_flattened());
    bytes.extend([align, bits].map(u16::to_le_bytes).as_flattened());
    bytes.extend(extension);
    bytes
}

/// The extension of a format whose container is wider than its samples.
fn extension(tag: u16, valid_bits: u16) -> Vec<u8> {
    let mut bytes = [22, valid_bits, 4, 0, tag].map(u16::to_le_bytes).concat();
    bytes.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    bytes
}

fn riff(size: Option<u32>, chunks: &[Vec<u8>]) -> Vec<u8> {
    let chunks = chunks.concat();
    [b"RIFF", &size.unwrap_or(chunks.len() as u32 + 4).to_le_bytes()[..], b"WAVE", &chunks].concat()
}

/// A WAV whose sizes say what they are told to.
fn wav(riff_size: Option<u32>, data_size: u32, data: &[u8]) -> Vec<u8> {
    riff(riff_size, &[chunk(b"fmt ", 16, &format(1, 2, 16, &[])), chunk(b"data", data_size, data)])
}

#[test]
fn a_sample_is_as_wide_as_its_container_whatever_its_valid_bits() {
    let widened = |bytes: usize| -> Vec<u8> {
        tone().iter().flat_map(|sample| [vec![0; bytes - 2], sample.to_le_bytes().to_vec()].concat()).collect()
    };
    for (width, valid) in [(2, 12), (2, 0), (2, 99), (3, 20), (3, 24), (4, 16), (4, 20), (4, 24), (4, 32)] {
        let (format, data) = (format(0xFFFE, width, 8 * width, &extension(1, valid)), widened(width.into()));
        let wav = riff(None, &[chunk(b"fmt ", 40, &format), chunk(b"data", data.len() as u32, &data)]);
        assert_eq!(read(&wav).unwrap(), samples(), "{valid} bits in {width} bytes");
    }
    // Not extensible, and the bits are those of the sample.
    for (width, bits) in [(2, 12), (3, 20), (4, 24), (4, 25)] {
        let data = widened(width.into());
        let wav = riff(None, &[chunk(b"fmt ", 16, &format(1, width, bits, &[])), chunk(b"data", data.len() as u32, &data)]);
        assert_eq!(read(&wav).unwrap(), samples(), "{bits} bits in {width} bytes");
    }
}

#[test]
fn floats_of_64_bits_are_read_and_what_is_not_read_is_named() {
    let floats: Vec<u8> = samples().iter().flat_map(|sample| f64::from(*sample).to_le_bytes()).collect();
    let size = floats.len() as u32;
    for format in [chunk(b"fmt ", 40, &format(0xFFFE, 8, 64, &extension(3, 64))), chunk(b"fmt ", 16, &format(3, 8, 64, &[]))] {
        assert_eq!(read(&riff(None, &[format, chunk(b"data", size, &floats)])).unwrap(), samples());
    }
    for (tag, align, bits, name) in [(1, 8, 64, "64-bit integers"), (3, 2, 16, "16-bit floats"), (0x31, 65, 0, "GSM 6.10 in WAV")] {
        let wav = riff(None, &[chunk(b"fmt ", 16, &format(tag, align, bits, &[])), chunk(b"data", size, &floats)]);
        refused(&wav, &[name, "is not supported; convert it to WAV or FLAC"]);
    }
    let mut holed = floats;
    holed[8..16].copy_from_slice(&f64::INFINITY.to_le_bytes());
    refused(&riff(None, &[chunk(b"fmt ", 16, &format(3, 8, 64, &[])), chunk(b"data", size, &holed)]), &["frame 1, channel 0 is inf"]);
}

#[test]
fn fields_that_decide_nothing_may_be_wrong() {
    let data = bytes_of(&tone());
    let data = chunk(b"data", data.len() as u32, &data);
    for (align, bits) in [(4, 16), (1, 16), (0, 16), (2, 0), (2, 15)] {
        let wav = riff(None, &[chunk(b"fmt ", 16, &format(1, align, bits, &[])), data.clone()]);
        assert_eq!(read(&wav).unwrap(), samples(), "align {align}, {bits} bits");
    }
    let mut slow = format(1, 2, 16, &[]);
    slow[8..12].fill(0xAA);
    let shortest = format(1, 2, 16, &[])[..14].to_vec();
    let longest = format(1, 2, 16, &[0; 24]);
    for format in [slow, shortest, longest, format(1, 2, 16, &[0; 2]), format(1, 2, 16, &[0; 4])] {
        let wav = riff(None, &[chunk(b"fmt ", format.len() as u32, &format), data.clone()]);
        assert_eq!(read(&wav).unwrap(), samples(), "{} bytes of format", format.len());
    }
}

#[test]
fn a_format_that_cannot_be_is_refused() {
    let data = chunk(b"data", 8000, &bytes_of(&tone()));
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut format = format(1, 2, 16, &[]);
        change(&mut format);
        riff(None, &[chunk(b"fmt ", 16, &format), data.clone()])
    };
    refused(&with(&|format| format[2..4].fill(0)), &["it has no channels"]);
    refused(&with(&|format| format[2..4].fill(0xFF)), &["65535 channels"]);
    refused(&with(&|format| format[4..8].fill(0)), &["the sampling rate is 0 Hz"]);
    refused(&with(&|format| format[4..8].fill(0xEE)), &["the sampling rate is"]);
    refused(&with(&|format| format[14..16].fill(0xFF)), &["its samples have 65535 bits"]);
    refused(&riff(None, std::slice::from_ref(&data)), &["it has no fmt chunk"]);
    refused(&riff(None, &[chunk(b"fmt ", 16, &format(1, 2, 16, &[]))]), &["it has no data chunk"]);
    refused(&riff(None, &[chunk(b"fmt ", 16, &format(1, 2, 16, &[])), data.clone(), data]), &["more than one data chunk"]);
}

#[test]
fn placeholders_of_a_length_are_read_to_the_end() {
    let data = bytes_of(&tone());
    for size in [0_u32, 0x7FFF_F000, 0x7FFF_FFFF, 0x7FFF_FFDB, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFDB] {
        for riff_size in [0, 36, size, size.wrapping_add(36)] {
            assert_eq!(read(&wav(Some(riff_size), size, &data)).unwrap(), samples(), "{size:#x} in {riff_size:#x}");
        }
    }
    // Nothing behind, or whole chunks alone: then 0 is meant.
    refused(&wav(None, 0, &[]), &["holds no samples"]);
    refused(&wav(None, 0, &chunk(b"LIST", 4, b"INFO")), &["holds no samples"]);
}

#[test]
fn sizes_that_are_off_are_read_where_the_whole_says_that_the_file_is_whole() {
    let data = bytes_of(&tone());
    // What lies behind the samples is not theirs.
    for (riff_size, behind) in
        [(8036, ""), (8028, ""), (8044, ""), (0, ""), (u32::MAX, ""), (8036, "junk"), (8050, "LIST\x06\0\0\0INFO\0\0")]
    {
        let data = [&data[..], behind.as_bytes()].concat();
        assert_eq!(read(&wav(Some(riff_size), 8000, &data)).unwrap(), samples(), "RIFF of {riff_size} bytes");
    }
    for size in [8001, 8008, 8036, 8044] {
        assert_eq!(read(&wav(Some(8036), size, &data)).unwrap(), samples(), "data of {size} bytes");
    }
    // Both say that there was more.
    refused(&wav(Some(8136), 8100, &data), &["holds 4000 of 4050 frames", "fetch it again"]);
    refused(&wav(Some(0x4000_0024), 0x4000_0000, &data), &["holds 4000 of 536870912 frames"]);
}

#[test]
fn chunks_before_the_samples_may_be_unpadded_or_off_by_a_few_bytes() {
    let format = chunk(b"fmt ", 16, &format(1, 2, 16, &[]));
    for list in [
        chunk(b"LIST", 17, b"INFOISFT\x05\0\0\0a.b.c"),
        chunk(b"LIST", 18, b"INFOISFT\x05\0\0\0a.b.c\0"),
        chunk(b"LIST", 16, b"INFOISFT\x05\0\0\0a.b.c\0"),
        chunk(b"LIST", 26, b"INFOISFT\x05\0\0\0a.b.c\0"),
        chunk(b"LIST", 18, b"INFOISFT\xFF\xFF\xFF\xFFa.b.c\0"),
        chunk(b"note", 3, b"abc"),
        chunk(b"note", 3, b"abc\0"),
        chunk(b"fact", 4, &[0xFF; 4]),
    ] {
        // Sizes whose bytes are letters must not be taken for names.
        for samples in [4000, 0x2020] {
            let tone: Vec<i16> = tone().into_iter().cycle().take(samples).collect();
            let data = chunk(b"data", 2 * samples as u32, &bytes_of(&tone));
            let wav = riff(None, &[format.clone(), list.clone(), data]);
            let expected: Vec<f32> = tone.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
            assert_eq!(read(&wav).unwrap(), expected, "{}", list.escape_ascii());
        }
    }
}

#[test]
fn the_wide_sizes_of_rf64_are_read() {
    let data = bytes_of(&tone());
    let sizes = |size: u64| [&8072_u64.to_le_bytes()[..], &size.to_le_bytes(), &4000_u64.to_le_bytes(), &[0; 4]].concat();
    for (magic, size) in [(b"RF64", 8000), (b"BW64", 8000), (b"RF64", 0), (b"RF64", u64::MAX)] {
        let chunks = [chunk(b"ds64", 28, &sizes(size)), chunk(b"fmt ", 16, &format(1, 2, 16, &[])), chunk(b"data", u32::MAX, &data)];
        let wav = [&magic[..], &[0xFF; 4], b"WAVE", &chunks.concat()].concat();
        assert_eq!(read(&wav).unwrap(), samples(), "{size}");
    }
    refused(&[&b"RIFX\0\0\0\0WAVE"[..], &data].concat(), &["big-endian WAV (RIFX) is not supported; convert it"]);
}

#[test]
fn an_aiff_is_read_by_the_rules_of_wav() {
    let whole = fixture("tone.aiff");
    let expected = read(&whole).unwrap();
    let place = 4 + whole.windows(4).position(|name| name == b"SSND").unwrap();
    let with = |outer: [u8; 4], sound: u32| {
        let mut changed = whole.clone();
        changed[4..8].copy_from_slice(&outer);
        changed[place..place + 4].copy_from_slice(&sound.to_be_bytes());
        changed
    };
    let size = u32::from_be_bytes(whole[place..place + 4].try_into().unwrap());
    let outer: [u8; 4] = whole[4..8].try_into().unwrap();
    for (outer, sound) in [([0; 4], 0), ([0x7F, 0xFF, 0xF0, 0x24], 0x7FFF_F000), (outer, size + 30), ([0; 4], size)] {
        assert_eq!(read(&with(outer, sound)).unwrap(), expected, "{sound:#x} in {outer:?}");
    }
    refused(&whole[..whole.len() / 2], &["holds 11", "of 24000 frames"]);
}

/// A recording of `tests/fixtures/audio`.
fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio").join(name)).unwrap()
}

/// The frames of `tone.mp3`, 192 bytes each behind 20 of a tag: the first is a table, 22 hold sound.
const FRAMES: std::ops::Range<usize> = 20..20 + 23 * 192;

fn noise(count: usize) -> Vec<u8> {
    (0..count as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

const ID3: &[u8] = b"ID3\x04\0\0\0\0\0\x04abcd";

fn id3v1() -> Vec<u8> {
    [&b"TAG"[..], &[b'x'; 125]].concat()
}

#[test]
fn frames_of_mp3_are_counted_and_not_estimated() {
    let bare = &fixture("tone.mp3")[FRAMES][192..];
    // 22 frames of 1152 samples at 48 kHz, none of which a table takes off.
    let expected = read(bare).unwrap();
    assert_eq!(expected.len(), 22 * 1152 / 3);
    let ape = [&b"APETAGEX\xD0\x07\0\0\x30\0\0\0\x01\0\0\0\0\0\0\xA0\0\0\0\0\0\0\0\0"[..], &[b'y'; 48]].concat();
    for (before, behind) in [
        (ID3.to_vec(), vec![]),
        ([ID3, ID3].concat(), id3v1()),
        (vec![0; 3000], vec![0; 5000]),
        (noise(500), noise(20_000)),
        (vec![], [ape, id3v1()].concat()),
    ] {
        assert_eq!(read(&[&before[..], bare, &behind].concat()).unwrap(), expected);
    }
    // Half a frame is missing, or something stands between two.
    refused(&bare[..10 * 192 + 96], &["holds 11520 frames and breaks off", "fetch it again"]);
    refused(&[&bare[..10 * 192], &noise(70), &bare[10 * 192..]].concat(), &["its frame 10 is followed by something else"]);
}

#[test]
fn a_table_of_mp3_is_a_hint_that_the_bytes_have_to_confirm() {
    let whole = fixture("tone.mp3")[FRAMES].to_vec();
    let place = whole.windows(4).position(|name| name == b"Info").unwrap();
    let with = |frames: u32, bytes: Option<u32>| {
        let mut changed = whole.clone();
        changed[place + 8..place + 12].copy_from_slice(&frames.to_be_bytes());
        bytes.into_iter().for_each(|bytes| changed[place + 12..place + 16].copy_from_slice(&bytes.to_be_bytes()));
        changed
    };
    // Where the number is right, delay and padding are taken off.
    assert_eq!(read(&whole).unwrap().len(), 8000);
    let head = read(&with(2000, None)).unwrap().len();
    assert!(head > 8000 && head == read(&with(10, None)).unwrap().len() && head == read(&with(2000, Some(4000))).unwrap().len());
    refused(&whole[..12 * 192], &["holds 12672 of 25344 frames"]);
    // Two recordings, one behind the other: what the first's table says is not all.
    let both = read(&[&whole[..], &id3v1(), &whole].concat()).unwrap();
    assert_eq!(both.len(), head + 22 * 1152 / 3);
}

#[test]
fn bare_frames_of_aac_are_counted_and_not_estimated() {
    let whole = fixture("tone.aac");
    let expected = read(&whole).unwrap();
    assert_eq!(read(&[&vec![0; 100][..], &whole, &id3v1()].concat()).unwrap(), expected);
    refused(&whole[..whole.len() - 50], &["breaks off within the next"]);
}

#[test]
fn an_ogg_counts_its_pages_and_may_hold_one_stream_behind_another() {
    let whole = fixture("tone.ogg");
    let expected = read(&whole).unwrap();
    let pages: Vec<usize> = (0..whole.len()).filter(|&at| whole[at..].starts_with(b"OggS")).collect();
    let chained = read(&[&whole[..], &whole].concat()).unwrap();
    assert_eq!(chained.len(), 2 * expected.len());
    for behind in [vec![0; 2000], noise(2000), id3v1()] {
        assert_eq!(read(&[&whole[..], &behind].concat()).unwrap(), expected);
    }
    refused(&whole[..whole.len() - 100], &["it is cut short within a page"]);
    refused(&[&whole[..pages[2]], &noise(300), &whole[pages[2]..]].concat(), &["something else stands between its pages"]);
    let mut renumbered = whole.clone();
    renumbered[pages[2] + 18] += 1;
    refused(&renumbered, &["page 3 of a stream follows page 1"]);
}

#[test]
fn a_coding_in_ogg_that_is_not_read_is_named() {
    for (head, name) in [(&b"Speex   1.2"[..], "Speex"), (b"\x80theora\x03\x02", "Theora"), (b"OpusHead\x01\x01", "Opus")] {
        let page = [&b"OggS\0\x02"[..], &[0; 8], &[1, 0, 0, 0], &[0; 4], &[0; 4], &[1, head.len() as u8], head].concat();
        refused(&page, &[name, "is not supported; convert it to WAV or FLAC"]);
    }
}

#[test]
fn a_matroska_ends_where_its_segment_does() {
    let whole = fixture("tone.mka");
    let expected = read(&whole).unwrap();
    for behind in [vec![0; 1000], noise(1000)] {
        assert_eq!(read(&[&whole[..], &behind].concat()).unwrap(), expected);
    }
    refused(&whole[..whole.len() / 2], &["its segment ends at byte", "fetch it again"]);
    // A pipe's writer leaves the size unknown: all ones.
    let mut piped = whole;
    let size = 4 + piped.windows(4).position(|id| id == [0x18, 0x53, 0x80, 0x67]).unwrap();
    piped[size + 1..size + 8].fill(0xFF);
    assert_eq!(piped[size], 1, "eight bytes of size");
    assert_eq!(read(&piped).unwrap(), expected);
}

#[test]
fn what_lies_in_a_recordings_place_is_named_with_what_helps() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 71000\n";
    refused(pointer, &["is a pointer of Git LFS in place of the file; run 'git lfs pull'"]);
    refused(b"/annex/objects/SHA256E-s71000--00.wav\n", &["is a pointer of git-annex", "git annex get"]);
    refused(b"\n<!DOCTYPE html><html><body>Sign in</body></html>", &["is a web page in place of the file", "fetch the file itself"]);
    refused(b"PK\x03\x04\x14\0\0\0\x08\0\0\0", &["a zip archive is not supported; unpack it"]);
    refused(b"NIST_1A\n   1024\nsample_count -i 4000\n", &["NIST SPHERE is not supported; convert it"]);
    refused(b"Dear reader, this is a letter.", &["see whether it is the recording"]);
    refused(&ID3[..10], &["the file ends within its header"]);
}

#[test]
fn samples_beyond_full_scale_and_silence_are_samples() {
    for value in [1.5_f32, 0.0, 0.25] {
        let data: Vec<u8> = (0..100).flat_map(|_| value.to_le_bytes()).collect();
        let wav = riff(None, &[chunk(b"fmt ", 16, &format(3, 4, 32, &[])), chunk(b"data", 400, &data)]);
        assert_eq!(read(&wav).unwrap(), [value; 100]);
    }
}

/// A file of the shared cases; says so where it is absent.
fn case(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases").join(name);
    if !path.exists() {
        println!("skipped: ../shared/cases/{name} is not here");
        return None;
    }
    Some(path)
}

#[test]
fn recordings_of_public_reports_have_the_samples_that_others_read() {
    for (name, count) in [
        ("wav-24-valid-bits-in-32/a.wav", 6000),
        ("wav-24-valid-bits-in-32/stereo.wav", 6000),
        ("wav-valid-bits-other/12in16.wav", 6000),
        ("wav-valid-bits-other/16in32.wav", 6000),
        ("wav-valid-bits-other/20in24.wav", 6000),
        ("wav-float64-extensible/a.wav", 6000),
        ("wav-length-placeholder-sox/a.wav", 6000),
        ("wav-list-chunk-unpadded/a.wav", 6000),
        ("wav-list-chunk-unpadded/float.wav", 6000),
        ("mp3-vbr-no-length-loud-first/a.mp3", 65_664),
        ("mp3-vbr-no-length-loud-first/abr.mp3", 65_664),
        ("ogg-speex/chained.ogg", 48_000),
    ] {
        let Some(path) = case(name) else { continue };
        assert_eq!(decode(&path).unwrap_or_else(|error| panic!("{error}")).len(), count, "{name}");
    }
    for (name, words) in [
        ("wav-float64-extensible/s64.wav", "64-bit integers"),
        ("ogg-speex/a.ogg", "Speex"),
        ("cremad-git-lfs-pointers/AudioWAV/1001_DFA_ANG_XX.wav", "git lfs pull"),
    ] {
        let Some(path) = case(name) else { continue };
        let error: AudioError = decode(&path).unwrap_err();
        assert!(line(&error).contains(words), "{}", line(&error));
    }
}
