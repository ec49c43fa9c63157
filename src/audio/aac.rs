//! AAC of more than two channels, which films and MELD's clips come in.
//!
//! A frame (`raw_data_block`, ISO/IEC 14496-3, 4.4.2.1) is a row of elements, each a channel or a pair that is coded
//! without regard to the others, so each can go to a decoder of its own. Symphonia decodes one channel or one pair; where an
//! element ends is known only by parsing it, which the syntax readers of `oxideav-aac` do (its own synthesis takes twice
//! as long as the recording lasts).

use oxideav_aac::asc::AudioSpecificConfig;
use oxideav_aac::ics_body::IcsBody;
use oxideav_aac::ics_info::IcsInfo;
use oxideav_aac::raw_data_block::{Element, IdSynEle, Walker};
use oxideav_aac::spectral_data::SpectralData;
use oxideav_aac::swb_offset::FrameFamily;
use oxideav_core::bits::{BitReader, BitWriter};
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::packet::Packet;

/// `audioObjectType` of AAC-LC.
const LOW_COMPLEXITY: u8 = 2;
/// `ms_mask_present`: a bit for each band says whether it is coded as middle and side.
const MASK_BY_BAND: u32 = 1;

/// Decodes AAC-LC of any number of channels.
pub(super) struct MultichannelAac {
    rate: u32,
    /// `samplingFrequencyIndex`, by which bands are laid out.
    rate_index: u8,
    /// One decoder for each element of a frame, in their order.
    decoders: Vec<Box<dyn AudioDecoder>>,
}

/// An element as a frame of its own.
struct Alone {
    channels: u8,
    frame: Vec<u8>,
}

impl MultichannelAac {
    /// Reads the `AudioSpecificConfig` that the container carries.
    ///
    /// # Errors
    /// A configuration that is missing or broken, or another profile than Low Complexity.
    pub(crate) fn new(parameters: &AudioCodecParameters) -> Result<Self, SymphoniaError> {
        let configuration = parameters.extra_data.as_deref().ok_or(SymphoniaError::Unsupported("AAC without its configuration"))?;
        let (configuration, _) = AudioSpecificConfig::parse(configuration).map_err(|_| broken())?;
        let is_plain = configuration.aot == LOW_COMPLEXITY && !configuration.sbr_present && configuration.sampling_frequency_index < 13;
        if !is_plain {
            return Err(SymphoniaError::Unsupported("multichannel AAC other than Low Complexity"));
        }
        Ok(Self { rate: configuration.sample_rate, rate_index: configuration.sampling_frequency_index, decoders: Vec::new() })
    }

    /// Decodes a packet into `samples`, `[frames, channels]` with the channels in the order of the elements; returns rate and
    /// channels.
    ///
    /// # Errors
    /// A packet that is no frame of AAC-LC.
    pub(crate) fn decode(&mut self, packet: &Packet, samples: &mut Vec<f32>) -> Result<(u32, usize), SymphoniaError> {
        let elements = self.split(&packet.data)?;
        let mut planes: Vec<Vec<f32>> = Vec::new();
        for (place, element) in elements.into_iter().enumerate() {
            if place == self.decoders.len() {
                self.decoders.push(self.decoder(element.channels)?);
            }
            let packet = Packet::new(packet.track_id, packet.pts, packet.dur, element.frame);
            let decoded = self.decoders[place].decode(&packet)?;
            decoded.copy_to_vec_interleaved(samples);
            let channels = decoded.num_planes();
            planes.extend((0..channels).map(|channel| samples.iter().skip(channel).step_by(channels).copied().collect()));
        }
        samples.clear();
        let frames = planes.iter().map(Vec::len).min().unwrap_or(0);
        samples.extend((0..frames).flat_map(|frame| planes.iter().map(move |plane| plane[frame])));
        Ok((self.rate, planes.len()))
    }

    /// A decoder of one channel or one pair.
    fn decoder(&self, channels: u8) -> Result<Box<dyn AudioDecoder>, SymphoniaError> {
        // `AudioSpecificConfig`: object type (5 bits), rate (4), channels (4), and three flags that are off.
        let configuration = u16::from(LOW_COMPLEXITY) << 11 | u16::from(self.rate_index) << 7 | u16::from(channels) << 3;
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_AAC).with_sample_rate(self.rate).with_extra_data(Box::new(configuration.to_be_bytes()));
        symphonia::default::get_codecs().make_audio_decoder(&parameters, &AudioDecoderOptions::default())
    }

    /// The channel elements of a frame.
    fn split(&self, frame: &[u8]) -> Result<Vec<Alone>, SymphoniaError> {
        let mut reader = BitReader::new(frame);
        let mut elements = Vec::new();
        loop {
            let start = reader.bit_position();
            let kind = match Walker::new(&mut reader).next_element().map_err(|_| broken())? {
                Some(Element::ChannelElement { kind, .. }) => kind,
                Some(Element::End) | None => return Ok(elements),
                Some(_) => continue,
            };
            let channels = match kind {
                IdSynEle::Cpe => self.skip_pair(&mut reader).map(|()| 2),
                IdSynEle::Sce | IdSynEle::Lfe => self.skip_channel(&mut reader).map(|()| 1),
                _ => return Err(SymphoniaError::Unsupported("AAC with coupled channels")),
            };
            let channels = channels.ok_or_else(broken)?;
            elements.push(Alone { channels, frame: alone(frame, start, reader.bit_position()).ok_or_else(broken)? });
        }
    }

    /// Passes over a `channel_pair_element` behind its tag (4.4.2.1, table 4.5).
    fn skip_pair(&self, reader: &mut BitReader<'_>) -> Option<()> {
        if !reader.read_bit().ok()? {
            self.skip_channel(reader)?;
            return self.skip_channel(reader);
        }
        let info = IcsInfo::parse_family(reader, FrameFamily::Lc1024, LOW_COMPLEXITY, self.rate_index, true).ok()?;
        if reader.read_u32(2).ok()? == MASK_BY_BAND {
            reader.skip(u32::from(info.num_window_groups) * u32::from(info.max_sfb)).ok()?;
        }
        for _ in 0..2 {
            let body = IcsBody::parse_with_ics_info(reader, &info, LOW_COMPLEXITY, false).ok()?;
            SpectralData::parse(reader, &info, &body.section_data, self.rate_index).ok()?;
        }
        Some(())
    }

    /// Passes over an `individual_channel_stream` (table 4.50).
    fn skip_channel(&self, reader: &mut BitReader<'_>) -> Option<()> {
        let body = IcsBody::parse_family(reader, FrameFamily::Lc1024, LOW_COMPLEXITY, self.rate_index, false).ok()?;
        SpectralData::parse(reader, body.ics_info.as_ref()?, &body.section_data, self.rate_index).ok()?;
        Some(())
    }
}

/// The bits from `start` to `end` of a frame as a frame that ends behind them.
fn alone(frame: &[u8], start: u64, end: u64) -> Option<Vec<u8>> {
    let mut reader = BitReader::new(frame);
    reader.skip(u32::try_from(start).ok()?).ok()?;
    let mut writer = BitWriter::new();
    let mut left = end - start;
    while left > 0 {
        let bits = left.min(32) as u32;
        writer.write_u32(reader.read_u32(bits).ok()?, bits);
        left -= u64::from(bits);
    }
    writer.write_u32(IdSynEle::End as u32, 3);
    writer.align_to_byte_zero();
    Some(writer.finish())
}

fn broken() -> SymphoniaError {
    SymphoniaError::DecodeError("aac: a frame breaks off or contradicts itself")
}
